"""What the forecast brings: alarms for hard dates that it breaks, and rungs that are told sooner or not at all."""

from __future__ import annotations

from datetime import date

import pytest

from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, Problem, Promise
from models.decide import decide, taken
from models.escalation.ladder import looks_again_at
from models.escalation.notice import Manner
from models.status.standing import standing
from models.terms.milestone import Takes
from models.terms.policy import Alarm, Policy, Sooner
from tests.factories import (
    CUTTING,
    DEPARTURE,
    FABRIC,
    a_milestone,
    a_policy,
    a_template,
    an_order,
    an_order_file,
    china,
)
from tests.rungs import Rung, raised, tells, view

DECEMBER = china(15, month=12)
L1, L2, L3, L4 = a_policy().rungs
ALARM = a_policy(alarm=Alarm(told=("GM",), repeat=1))


def an_order_that_takes(days: float, *entries: Entry, policy: Policy = ALARM, **order: object) -> OrderFile:
    """
    Fabric is due on Friday, 20 November, and the order sails on 31 December; `days` is what the cutting takes.

    The trims of the same day hold up nothing but the departure.
    """
    template = a_template(
        FABRIC.model_copy(update={"takes": Takes(likely=2, pessimistic=2)}),
        a_milestone("TRIM_IN", offset=-41, takes=Takes(likely=1, pessimistic=1)),
        CUTTING.model_copy(update={"takes": Takes(likely=days, pessimistic=days)}),
        DEPARTURE.model_copy(update={"after": ("CUT_START", "TRIM_IN")}),
        sails_every=7,
    )
    return an_order_file(an_order(**order), template, *entries, policy=policy)


# Alarms


def test_a_hard_date_that_the_forecast_breaks_is_told_once_by_day() -> None:
    """The cutting takes 27 working days: on the 25th the vessel of the 31st of December is out of reach."""
    file = an_order_that_takes(27, ship_by=date(2027, 1, 4))

    told = [line for line in raised(file, DECEMBER) if line.of == "SHIP_WINDOW"]

    assert [(line.rung, line.role) for line in told] == [("L4", "GM")]
    assert file.calendar.opening(file.calendar.local_date(told[0].at)) == told[0].at, "not at midnight"
    (tell,) = [tell for tell in tells(file, told[0].at) if tell.claim.milestone == "SHIP_WINDOW"]
    assert (tell.manner, tell.repeat) == (Manner.URGENT, 1)


def test_a_forecast_that_holds_raises_no_alarm_and_neither_does_a_policy_without_one() -> None:
    assert [
        line for line in raised(an_order_that_takes(5, ship_by=date(2027, 1, 4)), china(25)) if line.role == "GM"
    ] == []
    silent = an_order_that_takes(27, ship_by=date(2027, 1, 4), policy=a_policy())
    assert [line for line in raised(silent, DECEMBER) if line.of == "SHIP_WINDOW"] == []


# Sooner


def climbs(*entries: Entry, sooner: Sooner, days: float = 5, until: object = DECEMBER) -> list[Rung]:
    """Play with a ladder on which `sooner` brings the third rung forward."""
    policy = a_policy(rungs=(L1, L2, L3.model_copy(update={"sooner": sooner}), L4))
    file = an_order_that_takes(days, *entries, policy=policy)
    return [line for line in raised(file, until, "L") if line.of == "FAB_IN"]  # type: ignore[arg-type]


USUAL = [
    Rung(china(23, 9), "FAB_IN", "L1", "MER"),
    Rung(china(24, 9), "FAB_IN", "L2", "PROD"),
    Rung(china(26, 9), "FAB_IN", "L3", "SALES"),
    Rung(china(1, 9, month=12), "FAB_IN", "L4", "GM"),
]
FORWARD = [*USUAL[:2], USUAL[2]._replace(at=china(25, 9)), USUAL[3]]


@pytest.mark.parametrize(
    ("sooner", "days", "told"),
    [
        (Sooner(), 27, USUAL),  # nothing brings it forward
        (Sooner(slack=1), 5, USUAL),  # there is time
        (Sooner(slack=1), 27, FORWARD),
        (Sooner(slips=True), 5, USUAL),
        (Sooner(slips=True), 27, FORWARD),
        (Sooner(unanswered=1), 5, FORWARD),
        (Sooner(unanswered=2), 5, USUAL),  # that is its own day
    ],
)
def test_a_rung_is_brought_forward_to_the_morning_after_the_one_below_it(
    sooner: Sooner, days: float, told: list[Rung]
) -> None:
    assert climbs(sooner=sooner, days=days) == told


def test_broken_promises_bring_it_forward() -> None:
    given = [
        Promise(recorded_at=china(17), milestone="FAB_IN", promised=china(18, 18)),
        Promise(recorded_at=china(19), milestone="FAB_IN", promised=china(20, 18)),
    ]

    assert climbs(*given, sooner=Sooner(broken=2), until=china(26))[-1] == FORWARD[2]
    put_off = given[1].model_copy(update={"recorded_at": china(18, 12)})  # before the first went by
    assert climbs(given[0], put_off, sooner=Sooner(broken=2), until=china(26)) == USUAL[:3]


def test_a_problem_brings_the_next_rung_at_once_and_only_that() -> None:
    trouble = Problem(recorded_at=china(23, 15), milestone="FAB_IN", note="the vat is off shade")

    told = climbs(trouble, sooner=Sooner())

    assert told == [USUAL[0], USUAL[1]._replace(at=china(23, 15)), *USUAL[2:]]


def test_what_somebody_has_taken_on_is_not_brought_forward() -> None:
    taken_on = Acknowledgement(recorded_at=china(24, 12), milestone="FAB_IN")

    # It rests over the 25th and 26th.
    assert climbs(taken_on, sooner=Sooner(slips=True), days=27, until=china(27, 8)) == USUAL[:2]
    assert climbs(taken_on, sooner=Sooner(slips=True), days=27, until=china(27, 9))[-1].rung == "L3"


def test_a_rung_that_was_brought_forward_stands_as_soon_as_it_was_told() -> None:
    policy = a_policy(rungs=(L1, L2, L3.model_copy(update={"sooner": Sooner(unanswered=1)}), L4))
    file = an_order_that_takes(5, policy=policy)
    for now in (china(23, 9), china(24, 9), china(25, 9)):
        file = taken(file, decide(file, now), now)

    assert file.shown["FAB_IN"] == "overdue L3"
    assert file.chases["FAB_IN"].rung == "L3"
    assert decide(file, china(25, 9)) == ()


# Only where the ship date depends on it


CRITICAL = a_policy(rungs=(L1, L2, L3, L4.model_copy(update={"critical": True})))


def test_a_rung_for_the_critical_path_is_told_of_no_step_that_the_ship_date_does_not_hang_on() -> None:
    told = raised(an_order_that_takes(27, policy=CRITICAL), DECEMBER, "L4")

    assert {line.of for line in told} == {"FAB_IN"}
    at = standing(an_order_that_takes(27, policy=CRITICAL), DECEMBER)
    assert at.rung_of("TRIM_IN") == "L3", "nobody was told of a fourth"


def test_an_order_that_comes_in_late_is_told_of_at_the_highest_rung_that_may_be_said() -> None:
    late = {"came_in": china(3, 12, month=12)}

    assert [(line.of, line.rung) for line in raised(an_order_that_takes(5, policy=CRITICAL, **late), DECEMBER)] == [
        ("FAB_IN", "L3"),
        ("TRIM_IN", "L3"),
    ]
    both = raised(an_order_that_takes(27, policy=CRITICAL, **late), DECEMBER)
    assert [(line.of, line.rung) for line in both] == [("FAB_IN", "L4"), ("TRIM_IN", "L3")]


def test_an_order_is_looked_at_each_morning_while_the_forecast_may_bring_a_rung_forward() -> None:
    file = an_order_that_takes(5, policy=CRITICAL)
    for now in (china(23, 9), china(24, 9), china(26, 9)):
        assert looks_again_at(view(file, now)) is None, "no rung was told under the one for the critical path"
        file = taken(file, decide(file, now), now)

    assert looks_again_at(view(file, china(26, 10))) == china(27, 9)
