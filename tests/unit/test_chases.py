"""The states of a chase, each with who made it so and its time limit; and the notices that hold."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from models.book.changes import Cancellation, Hold, Reschedule, Resume
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.order_file import Chase, ChaseState
from models.book.report import Acknowledgement, Promise, Withdrawal
from models.decide import Keep, Turn, decide
from models.escalation.chases import NOT_DUE
from models.terms.policy import Reminders
from tests.factories import a_policy, a_report, an_order_file, china
from tests.rungs import followed

# The fabric is due on Friday, 20 November: L1 on Monday the 23rd, L2 on the 24th.
AT = china(23, 12)
ACK = Acknowledgement(recorded_at=china(23, 10), milestone="FAB_IN", by="wang")
UNTIL = an_order_file().calendar.end_of(date(2026, 11, 25))
PROMISE = Promise(recorded_at=china(23, 10), milestone="FAB_IN", promised=china(26, 18), by="lin")
HOLD = Hold(recorded_at=china(23, 10), by="lin")
LATER = Reschedule(recorded_at=china(23, 10), etd=date(2027, 1, 14))
DONE = a_report("FAB_IN", china(23, 10), by="wang")


def chase(*entries: Entry, now: datetime = AT) -> Chase | None:
    return followed(an_order_file(None, None, *entries), now).chases.get("FAB_IN")


@pytest.mark.parametrize(
    ("entries", "now", "expected"),
    [
        ([], china(23, 8), None),  # nobody was told
        ([], AT, Chase(ChaseState.TRIGGERED, "L1")),
        ([], china(24, 9), Chase(ChaseState.TRIGGERED, "L2")),
        ([ACK], AT, Chase(ChaseState.ACKNOWLEDGED, "L1", "wang", UNTIL)),
        ([ACK], china(26, 9), Chase(ChaseState.TRIGGERED, "L2")),  # "received", and nothing happened
        ([PROMISE], AT, Chase(ChaseState.PROMISED, "L1", "lin", china(26, 18))),
        ([PROMISE], china(27, 9), Chase(ChaseState.TRIGGERED, "L1")),  # broken
        ([DONE], AT, Chase(ChaseState.RESOLVED, "L1", "wang")),
        ([HOLD], AT, Chase(ChaseState.SUPPRESSED, "L1", "lin", why=OrderState.ON_HOLD.value)),
        ([HOLD, Resume(recorded_at=china(23, 11))], AT, Chase(ChaseState.TRIGGERED, "L1")),
        (
            [Cancellation(recorded_at=china(23, 10))],
            AT,
            Chase(ChaseState.SUPPRESSED, "L1", why=OrderState.CANCELLED.value),
        ),
        ([LATER], AT, Chase(ChaseState.SUPPRESSED, "L1", why=NOT_DUE)),
        # Of a hold that is over and a date that is new nothing suppresses it but the date.
        (
            [HOLD, LATER, Resume(recorded_at=china(23, 11))],
            AT,
            Chase(ChaseState.SUPPRESSED, "L1", why=NOT_DUE),
        ),
    ],
)
def test_a_chase_is_what_was_done_about_it_last(entries: list[Entry], now: datetime, expected: Chase | None) -> None:
    assert chase(*entries, now=now) == expected


def test_a_step_that_was_not_done_after_all_is_chased_again() -> None:
    wrong = Withdrawal(recorded_at=china(23, 11), milestone="FAB_IN", corrects=1)

    assert chase(DONE, wrong) == Chase(ChaseState.TRIGGERED, "L1")


def test_what_is_chased_and_not_open_any_more_is_suppressed() -> None:
    """The cutting was chased; then it turned out that the fabric is not in."""
    fabric = a_report("FAB_IN", china(19))
    wrong = Withdrawal(recorded_at=china(27, 10), milestone="FAB_IN", corrects=1)

    file = followed(an_order_file(None, None, fabric, wrong), china(27, 12))

    assert file.chases["CUT_START"] == Chase(ChaseState.SUPPRESSED, "L1", why="reopened")


def test_a_turn_is_told_once() -> None:
    file = followed(an_order_file(None, None, ACK), AT)

    assert decide(file, AT) == ()


# The notices that hold


REMINDED = a_policy(reminders=Reminders(short=(1,)))


def held(*entries: Entry, now: datetime) -> set[tuple[str, str]]:
    file = followed(an_order_file(None, None, *entries, policy=REMINDED), now)
    return {(claim.milestone, claim.rung) for claim in file.standing_claims}


@pytest.mark.parametrize(
    ("entries", "now", "holds"),
    [
        ([], china(19, 12), {"R1"}),
        ([], china(24, 12), {"L1", "L2"}),  # a reminder of what is late is none
        ([ACK], AT, set()),
        ([ACK], china(26, 12), {"L1", "L2"}),
        ([PROMISE], AT, set()),
        ([DONE], AT, set()),
        ([HOLD], AT, set()),
        ([LATER], AT, set()),
    ],
)
def test_a_notice_holds_while_its_date_stands_and_nobody_has_answered(
    entries: list[Entry], now: datetime, holds: set[str]
) -> None:
    assert {rung for code, rung in held(*entries, now=now) if code == "FAB_IN"} == holds


def test_a_cancellation_takes_back_everything_that_was_raised_at_that_instant() -> None:
    file = followed(an_order_file(), china(24, 12))

    steps = decide(file.told(Cancellation(recorded_at=china(24, 12))), china(24, 12))

    assert Keep(frozenset()) in steps
    assert Turn("FAB_IN", Chase(ChaseState.SUPPRESSED, "L2", why=OrderState.CANCELLED.value)) in steps
