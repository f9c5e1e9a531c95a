"""A policy judged by a season, and a season in which everybody answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import pytest

from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement, Promise, Report
from models.escalation.notice import Manner, Tell
from models.post.dispatch import Reader
from models.seasons.answered import Prompt, answered_at
from models.seasons.judged import Figures, Spread, Warned, Warnings, judge
from models.seasons.posted import messages_to, raised
from models.seasons.result import result_of
from models.seasons.season import Played, Said, Timeline, play_out
from models.terms.party import Person
from models.terms.policy import OWNER
from tests.factories import (
    DEPARTURE,
    FABRIC,
    a_calendar,
    a_policy,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)

BEGAN, UNTIL = china(2, 8), china(30, 23)
FABRIC_DUE, SAILS = date(2026, 11, 10), date(2026, 11, 20)


def a_season(order_no: str = "A") -> OrderFile:
    """An order whose fabric is due on Tuesday the 10th, and that sails on Friday the 20th."""
    template = a_template(
        FABRIC.model_copy(update={"offset": -10}), DEPARTURE.model_copy(update={"after": ("FAB_IN",)})
    )
    return an_order_file(an_order(order_no=order_no, etd=SAILS, came_in=BEGAN), template)


def reported(fabric: datetime, departed: datetime | None = None) -> list[Report]:
    return [a_report("FAB_IN", fabric), *([a_report("DEPARTED", departed)] if departed else [])]


def played(file: OrderFile, reports: Sequence[Report], within: int | None = None) -> Played:
    timeline = Timeline.of(reports)
    prompt = Prompt.in_season(file, reports, UNTIL, within) if within is not None else None
    return play_out(file, timeline, UNTIL, prompt)


def judged(*season: Played) -> Figures:
    """Judge a season of which Wang gets everything, at the usual hours."""
    wang = Reader(Person(code="wang", name="Wang", calendar="office"), a_calendar())
    notices = [notice for one in season for notice in raised(one)]
    outcomes = result_of([one.file for one in season], [], UNTIL).orders
    return judge("tried", season, outcomes, [(wang, messages_to(wang, notices, UNTIL))], (BEGAN, UNTIL))


# Spread


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], Spread()),  # nothing at all
        ([3], Spread(mean=3, p95=3, max=3)),
        ([0] * 19 + [9], Spread(mean=0.45, p95=0, max=9)),  # 19 of 20 are 95 of 100
        ([0] * 18 + [7, 9], Spread(mean=0.8, p95=7, max=9)),
        (list(range(100, 0, -1)), Spread(mean=50.5, p95=95, max=100)),
    ],
)
def test_p95_is_what_95_of_100_do_not_exceed(numbers: list[float], expected: Spread) -> None:
    assert Spread.of(numbers) == expected


# Warnings, and what they were worth


def test_a_warning_is_true_where_the_order_leaves_late_and_in_vain_where_it_leaves_in_time() -> None:
    late = played(a_season("LATE"), reported(china(13, 15), china(24)))
    in_time = played(a_season("TIME"), reported(china(13, 15), china(20)))
    still_here = played(a_season("HERE"), reported(china(16, 15)))

    figures = judged(late, in_time, still_here)

    assert [said.tell.claim.rung for said in in_time.said] == ["L1", "L2"]
    assert figures.warnings.on_time == 1
    assert figures.warnings.late == sum(said.tell.claim.rung != "L1" for said in late.said)
    assert figures.warnings.open == sum(said.tell.claim.rung != "L1" for said in still_here.said)
    assert figures.told_of == figures.notices


def test_the_share_in_vain_is_of_those_whose_order_left() -> None:
    assert Warnings(late=1, on_time=3, open=5).in_vain == 0.75
    assert Warnings(late=0, on_time=0, open=5).in_vain is None


def test_the_first_warning_is_counted_back_from_the_late_departure() -> None:
    warned = played(a_season("WARNED"), reported(china(13, 15), china(24, 9)))
    surprised = played(a_season("SURPRISED"), reported(china(10, 9), china(21, 12)))

    figures = judged(warned, surprised)

    assert figures.first_warning["L1"] == Warned(late=2, without=1, days=13.0)  # from the 11th, 09:00
    assert figures.first_warning["L2"] == Warned(late=2, without=1, days=12.0)
    assert figures.first_warning["alarm"] == Warned(late=2, without=2, days=None)


def test_an_alarm_is_a_warning_above_the_first_rung_whatever_its_rung_is() -> None:
    late = played(a_season("A"), reported(china(10, 9), china(24, 9)))
    alarm = Tell(Claim("SHIP_WINDOW", "L1", china(20)), "GM", Manner.URGENT)
    alarmed = Played(late.file, [Said(china(12, 9), "A", alarm), *late.said], late.held)

    figures = judged(alarmed)

    assert figures.first_warning["alarm"] == figures.first_warning["L2"] == Warned(late=1, without=0, days=12.0)
    assert figures.warnings.late == 1 + judged(late).warnings.late


def test_an_order_counts_a_digest_in_full_and_without_the_digests_only_its_own_messages() -> None:
    file = a_season()
    quiet_first = a_policy(
        rungs=tuple(rung.model_copy(update={"direct": rung.code != "L1"}) for rung in file.policy.rungs)
    )
    season = [
        played(OrderFile(one.order, one.template, quiet_first, one.calendars), reported(china(13, 15), china(20)))
        for one in (a_season("A"), a_season("B"))
    ]

    figures = judged(*season, played(a_season("C"), reported(china(9), china(20))))

    # A and B: L1 in one digest on the 11th at 13:30, L2 apart on the 12th; nothing is said of C.
    assert figures.per_order == Spread(mean=4 / 3, p95=2, max=2)
    assert figures.own_per_order == Spread(mean=2 / 3, p95=1, max=1)
    assert figures.messages == 3
    (wang,) = figures.people
    assert (wang.digests, wang.direct, wang.urgent) == (1, 2, 0)
    assert wang.days == 21  # the working days of the season, quiet ones too
    assert wang.per_day == figures.per_person_day == Spread(mean=3 / 21, p95=1, max=2)


def test_a_message_on_a_day_off_makes_it_a_day_that_counts() -> None:
    urgent = a_policy(rungs=tuple(rung.model_copy(update={"urgent": True}) for rung in a_policy().rungs))
    file = a_season()
    one = played(OrderFile(file.order, file.template, urgent, file.calendars), reported(china(13, 15), china(20)))
    on_sunday = Claim("DEPARTED", "L4", china(14))
    sunday = Played(
        one.file,
        [*one.said, Said(china(15, 12), "A", Tell(on_sunday, "GM", Manner.URGENT))],
        {**one.held, on_sunday: [(china(15, 12), None)]},
    )

    assert judged(sunday).people[0].days == judged(one).people[0].days + 1 == 22


def test_two_roles_told_of_one_date_are_two_notices() -> None:
    both = a_policy(rungs=(a_policy().rungs[0].model_copy(update={"also": (OWNER,)}),))
    file = a_season()

    figures = judged(played(OrderFile(file.order, file.template, both, file.calendars), reported(china(13), china(20))))

    assert figures.told_of == {"L1": 1}
    assert figures.notices == {"L1": 2}


# Everybody answers


@pytest.mark.parametrize(
    ("told_at", "within", "expected"),
    [
        (china(11, 9), 1, china(11, 17)),  # an hour before the office closes
        (china(11, 16, 59), 1, china(11, 17)),
        (china(11, 17), 1, china(11, 18)),  # too late for that: at its closing
        (china(11, 19), 1, china(12, 17)),  # read on the next morning
        (china(11, 9), 2, china(12, 17)),
        (china(13, 9), 2, china(16, 17)),  # over the weekend
        (china(14, 9), 1, china(16, 17)),
    ],
)
def test_within_a_working_day_is_before_the_next_mornings_rungs(
    told_at: datetime, within: int, expected: datetime
) -> None:
    assert answered_at(a_season(), told_at, within) == expected


def test_who_answers_within_a_working_day_hears_nothing_from_above() -> None:
    season = played(a_season(), reported(china(26, 15), china(30)), within=1)

    acknowledged, promised, *_ = [e for e in season.file.entries if isinstance(e, Acknowledgement | Promise)]
    assert {said.tell.claim.rung for said in season.said} == {"L1"}
    assert isinstance(acknowledged, Acknowledgement)
    assert (acknowledged.recorded_at, acknowledged.by) == (china(11, 17), "PUR")
    assert isinstance(promised, Promise)
    assert promised.recorded_at == china(13, 23, 59).replace(second=59)  # the acknowledgement lapses
    assert promised.promised == china(26, 23, 59).replace(second=59)  # and the day is told on which it will be done
    assert promised.approved_by == "PROD"


def test_who_answers_later_is_escalated_once() -> None:
    season = played(a_season(), reported(china(26, 15), china(30)), within=2)

    assert [said.tell.claim.rung for said in season.said if said.tell.claim.milestone == "FAB_IN"] == ["L1", "L2"]


def test_what_is_done_by_then_is_neither_taken_on_nor_promised() -> None:
    before_the_answer = played(a_season(), reported(china(11, 15), china(20)), within=1)
    while_it_rests = played(a_season(), reported(china(12, 15), china(20)), within=1)

    assert [type(entry) for entry in before_the_answer.file.entries] == [Report, Report]
    assert [type(entry) for entry in while_it_rests.file.entries] == [Acknowledgement, Report, Report]


def test_what_the_season_never_tells_is_promised_for_its_last_day() -> None:
    season = played(a_season(), [], within=1)

    promises = [entry for entry in season.file.entries if isinstance(entry, Promise)]
    assert [promise.promised for promise in promises] == [china(30, 23, 59).replace(second=59)]
    assert {said.tell.claim.rung for said in season.said} == {"L1"}


def test_without_answers_the_same_stall_climbs_to_the_top() -> None:
    assert [said.tell.claim.rung for said in played(a_season(), []).said] == ["L1", "L2", "L3", "L4"]


def test_a_hard_date_is_taken_on_by_whoever_is_told_and_not_promised() -> None:
    file = a_season()
    alarm = Tell(Claim("SHIP_WINDOW", "L4", china(20)), "GM", Manner.URGENT)
    prompt = Prompt.in_season(file, [], UNTIL, within=1)

    (answer,) = prompt.answers(file, [alarm], china(11, 9))

    assert isinstance(answer, Acknowledgement)
    assert (answer.milestone, answer.by, answer.recorded_at) == ("SHIP_WINDOW", "GM", china(11, 17))
    assert list(prompt.answers(file, [alarm], china(12, 9))) == []  # it has been answered, and rests
