"""What may be told about an order, and why not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from models.accept import check_entry, check_report
from models.errors import Refused, UnknownMilestone
from models.report import (
    Acknowledgement,
    Cancellation,
    Classifier,
    Entry,
    Followed,
    Hold,
    Promise,
    Report,
    Reschedule,
    Resume,
    Unfollowed,
    Withdrawal,
)
from tests.factories import a_report, a_template, an_order, an_order_file, china

NOW = china(23, 12)
ORDER = an_order(order_no="SO 26'17")
IN_A_SHELL = "'SO 26'\"'\"'17'"


def told(entry: Entry, *before: Entry, etd: date | None = date(2026, 12, 31)) -> None:
    """Check an entry against an order to which `before` happened; its number needs quotes in a shell."""
    check_entry(an_order_file(ORDER.model_copy(update={"etd": etd}), None, *before), entry, NOW)


def report(milestone: str = "FAB_IN", at: datetime = NOW, **changes: object) -> Report:
    return a_report(milestone, at, recorded_at=NOW, **changes)


def withdrawal(milestone: str, line: int) -> Withdrawal:
    return Withdrawal(recorded_at=NOW, milestone=milestone, corrects=line)


def promise(milestone: str, until: datetime) -> Promise:
    return Promise(recorded_at=NOW, milestone=milestone, promised=until)


ACKNOWLEDGE = Acknowledgement(recorded_at=NOW, milestone="FAB_IN")
PROMISE = promise("FAB_IN", china(27))
HOLD, RESUME = Hold(recorded_at=NOW), Resume(recorded_at=NOW)
CANCEL, FOLLOW = Cancellation(recorded_at=NOW), Followed(recorded_at=NOW)
RESCHEDULE = Reschedule(recorded_at=NOW, etd=date(2027, 1, 7))
UNFOLLOW = Unfollowed(recorded_at=NOW)

HELD = Hold(recorded_at=china(20))
CALLED_OFF = Cancellation(recorded_at=china(20))
LEFT = Unfollowed(recorded_at=china(20))
SAILED = a_report("DEPARTED", china(20))
IN = a_report("FAB_IN", china(20))


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        (report(), []),
        (report("SEW_END", quantity=1), []),  # before everything that comes before it: people report late
        (report(at=china(1, month=10)), []),  # at the moment it was placed
        (report(at=NOW + timedelta(hours=1)), []),  # their clock is ahead of ours
        (report(at=china(30), classifier=Classifier.EST), []),  # what is expected lies ahead
        (report(), [IN]),  # twice: a counted milestone comes in parts
        (report(), [CALLED_OFF]),  # what happened happened
        (report(), [SAILED]),
        (report(corrects=1), [IN]),
        (withdrawal("FAB_IN", 1), [IN]),
        (withdrawal("DEPARTED", 1), [SAILED]),  # after the close: it was not so
        (withdrawal("FAB_IN", 2), [IN, a_report("FAB_IN", china(21), corrects=1)]),  # the one that replaced it
        (ACKNOWLEDGE, []),
        (ACKNOWLEDGE, [HELD]),
        (PROMISE, []),
        (PROMISE, [HELD]),
        (HOLD, []),
        (RESUME, [HELD]),
        (HOLD, [HELD, Resume(recorded_at=china(21))]),
        (CANCEL, []),
        (CANCEL, [HELD]),
        (CANCEL, [LEFT]),  # its run is gone, and so is the order
        (RESCHEDULE, []),
        (RESCHEDULE, [HELD]),
        (Reschedule(recorded_at=NOW, etd=date(2026, 11, 1)), []),  # it should have sailed already
        (Reschedule(recorded_at=NOW, etd=date(2026, 10, 1)), []),  # on the day it was placed
        (FOLLOW, [LEFT]),
        (FOLLOW, [CALLED_OFF]),
        (UNFOLLOW, []),
    ],
)
def test_what_can_be_true_is_accepted(entry: Entry, before: list[Entry]) -> None:
    told(entry, *before)


@pytest.mark.parametrize("entry", [ACKNOWLEDGE, PROMISE, HOLD, RESCHEDULE, CANCEL, report()])
def test_an_order_without_a_date_takes_answers(entry: Entry) -> None:
    told(entry, etd=None)


@pytest.mark.parametrize(
    ("entry", "before", "reason", "remedy"),
    [
        # A fact that cannot be
        (report(at=china(23, 13, 1)), [], "FAB_IN cannot have happened at 2026-11-23 13:01 CST", "estimate (EST)"),
        (report(at=china(30, month=9)), [], "is before the order was placed (2026-10-01", "Check the date"),
        (
            report(at=china(30, month=9), classifier=Classifier.EST),
            [],
            "is before the order was placed",
            "Check the date and the order number",
        ),
        # Corrections of what is not there
        (report(corrects=2), [IN], "line 2 of its log is no report of FAB_IN (those are 1)", "gendan orders show"),
        (withdrawal("FAB_IN", 1), [HELD], "line 1 of its log is no report of FAB_IN", "gendan orders show"),
        (withdrawal("CUT_START", 1), [IN], "line 1 of its log is no report of CUT_START", "gendan orders show"),
        (
            withdrawal("FAB_IN", 1),
            [IN, Withdrawal(recorded_at=china(21), milestone="FAB_IN", corrects=1)],
            "line 1 was corrected already",
            "correct the line that replaced it",
        ),
        (
            report(corrects=1),
            [IN, a_report("FAB_IN", china(21), corrects=1)],
            "line 1 was corrected already",
            "gendan orders show",
        ),
        # Answers for what is not waited for
        (Acknowledgement(recorded_at=NOW, milestone="SEW_END"), [], "does not wait for SEW_END", "waits for FAB_IN"),
        (ACKNOWLEDGE, [IN], "does not wait for FAB_IN", "it waits for CUT_START"),
        (promise("SEW_END", china(30)), [], "does not wait for SEW_END", "it waits for FAB_IN"),
        (promise("FAB_IN", NOW), [], "a promise for FAB_IN must lie in the future", "gendan report"),
        (promise("FAB_IN", china(20)), [], "2026-11-20 10:00 CST is past", "gendan report"),
        # Holding and going on
        (HOLD, [HELD], "is on hold already", "gendan resume"),
        (RESUME, [], "is not on hold (it is open)", "gendan hold"),
        (RESUME, [HELD, Resume(recorded_at=china(21))], "is not on hold", "gendan hold"),
        # Dates
        (
            Reschedule(recorded_at=NOW, etd=date(2026, 9, 30)),
            [],
            "the new ETD 2026-09-30 is before the order was placed (2026-10-01",
            "Check the date",
        ),
        (
            Reschedule(recorded_at=NOW, etd=datetime(2026, 10, 1, 1, tzinfo=UTC)),
            [],
            "is before the order was placed",
            "Check the date",
        ),
        # Following
        (FOLLOW, [], "is followed already (it is open)", "gendan orders show"),
        (FOLLOW, [HELD], "is followed already (it is on hold)", "gendan orders show"),
        (FOLLOW, [SAILED], "is closed", "--withdraw LINE"),
        # What is over takes no more answers
        *[
            (entry, [CALLED_OFF], "is cancelled; nothing was changed", "gendan follow")
            for entry in (ACKNOWLEDGE, PROMISE, HOLD, RESUME, CANCEL, RESCHEDULE)
        ],
        *[
            (entry, [SAILED], "is closed; nothing was changed", "--withdraw LINE")
            for entry in (ACKNOWLEDGE, PROMISE, HOLD, RESUME, CANCEL, RESCHEDULE)
        ],
        *[
            (entry, [LEFT], "is not followed; nothing was changed", "gendan follow")
            for entry in (ACKNOWLEDGE, PROMISE, HOLD, RESUME, RESCHEDULE)
        ],
    ],
)
def test_what_makes_no_sense_is_refused_with_the_order_the_reason_and_the_remedy(
    entry: Entry, before: list[Entry], reason: str, remedy: str
) -> None:
    with pytest.raises(Refused) as refused:
        told(entry, *before)

    message = str(refused.value)
    assert ORDER.order_no in message
    assert reason in message
    assert remedy in message
    if "`gendan" in message:
        assert IN_A_SHELL in message, "a command that is copied must name the order as a shell reads it"


@pytest.mark.parametrize("entry", [report("LAB_DIP"), promise("LAB_DIP", china(27)), withdrawal("LAB_DIP", 1)])
def test_a_milestone_that_the_order_does_not_have_is_refused_with_those_that_it_has(entry: Entry) -> None:
    with pytest.raises(UnknownMilestone) as refused:
        told(entry, IN)

    message = str(refused.value)
    assert ORDER.order_no in message
    assert "no milestone 'LAB_DIP'" in message
    assert "FAB_IN, CUT_START, SEW_END, CUS_REL, DEPARTED" in message


def test_a_report_is_checked_without_the_orders_log_in_the_same_words() -> None:
    wrong = report(at=china(30))

    with pytest.raises(Refused) as alone:
        check_report(ORDER, a_template(), wrong, NOW)
    with pytest.raises(Refused) as in_the_file:
        told(wrong)

    assert str(alone.value) == str(in_the_file.value)
