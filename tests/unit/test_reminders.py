"""Reminders before a due date: in stages where a step takes long, each once, and none that comes too late."""

from __future__ import annotations

from datetime import date

import pytest

from models.book.changes import Hold
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, NotMine, Outcome, Promise
from models.escalation.notice import Manner
from models.terms.milestone import Takes
from models.terms.policy import Reminders
from tests.factories import (
    CUTTING,
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
from tests.rungs import Rung, raised, tells

# The fabric is due on Friday, 20 November 2026, the cutting on Thursday the 26th.
POLICY = a_policy(reminders=Reminders(long_from=5, long=(5, 2, 0), short=(1,)))


def takes(days: float, *entries: Entry, **order: object) -> OrderFile:
    """The fabric takes so many working days, the cutting after it one."""
    fabric = FABRIC.model_copy(update={"takes": Takes(likely=days, pessimistic=days)})
    template = a_template(fabric, CUTTING, DEPARTURE.model_copy(update={"after": ("CUT_START",)}))
    return an_order_file(an_order(**order), template, *entries, policy=POLICY)


@pytest.mark.parametrize(
    ("days", "reminded"),
    [
        (5, [(china(13, 9), "R5"), (china(18, 9), "R2"), (china(20, 9), "R0")]),  # the weekend does not count
        (4, [(china(19, 9), "R1")]),
    ],
)
def test_a_long_step_is_chased_in_three_stages_and_a_short_one_the_day_before(
    days: float, reminded: list[tuple[object, str]]
) -> None:
    assert raised(takes(days), china(22), "R") == [Rung(at, "FAB_IN", rung, "PUR") for at, rung in reminded]  # type: ignore[arg-type]


def test_a_reminder_stands_in_the_digest() -> None:
    assert [tell.manner for tell in tells(takes(4), china(19, 9))] == [Manner.DIGEST]


def test_a_reminder_of_a_day_off_comes_on_the_working_day_before() -> None:
    """Saturday the 21st is no working day: its own reminder is Friday's."""
    closed = a_calendar(holidays=frozenset({date(2026, 11, 20)}))
    file = takes(5)
    file = OrderFile(file.order, file.template, file.policy, {"office": closed})

    # Due on a holiday: its day is Thursday the 19th, and two working days before that is Tuesday.
    assert [line.at.day for line in raised(file, china(22), "R")] == [12, 17, 19]


def test_of_reminders_that_nobody_was_there_to_say_only_the_last_is_said() -> None:
    assert [tell.claim.rung for tell in tells(takes(5), china(18, 12))] == ["R2"]


def test_a_reminder_that_a_rung_has_overtaken_is_dropped() -> None:
    assert {tell.claim.rung for tell in tells(takes(5), china(23, 9))} == {"L1"}


def test_nobody_is_reminded_of_a_step_that_cannot_begin() -> None:
    # The cutting would be reminded of on the 25th; the fabric comes in that day, at ten.
    late = a_report("FAB_IN", china(25, 10))

    assert [line for line in raised(takes(4, late), china(26, 18), "R") if line.of == "CUT_START"] == []
    in_time = a_report("FAB_IN", china(24, 10))
    assert Rung(china(25, 9), "CUT_START", "R1", "MER") in raised(takes(4, in_time), china(26, 18), "R")


def test_nobody_is_reminded_on_the_day_on_which_the_order_comes_in() -> None:
    assert raised(takes(4, came_in=china(18, 12)), china(22), "R") == []
    assert len(raised(takes(4, came_in=china(17, 12)), china(22), "R")) == 1


def test_nobody_is_reminded_of_what_he_has_taken_on_or_while_the_order_rests() -> None:
    taken_on = Acknowledgement(recorded_at=china(18, 12), milestone="FAB_IN")

    assert raised(takes(4, taken_on), china(22), "R") == []
    assert raised(takes(4, Hold(recorded_at=china(18, 12))), china(22), "R") == []


def test_a_date_that_was_promised_is_reminded_of_in_place_of_the_plans() -> None:
    given = Promise(recorded_at=china(17, 12), milestone="FAB_IN", promised=china(25, 18))

    assert raised(takes(4, given), china(27), "R") == [Rung(china(24, 9), "FAB_IN", "R1", "PUR")]


def test_a_date_that_was_promised_for_tomorrow_needs_no_reminder() -> None:
    given = Promise(recorded_at=china(24, 12), milestone="FAB_IN", promised=china(25, 18))

    assert [line for line in raised(takes(4, given), china(25, 18), "R") if line.at > china(20)] == []


def test_a_step_that_was_opened_again_is_not_reminded_of_at_once() -> None:
    """The fabric was rejected on the 18th at ten: whoever said so needs no reminder that is older."""
    rejected = a_report("FAB_IN", china(19, 10), outcome=Outcome.FAILED)

    assert [line.at.day for line in raised(takes(5, rejected), china(19, 18), "R")] == [13, 18]


def test_whoever_a_step_was_given_to_is_reminded_of_it() -> None:
    given = NotMine(recorded_at=china(17, 12), milestone="FAB_IN", to="LOG")

    assert [line.role for line in raised(takes(4, given), china(22), "R")] == ["LOG"]
