"""What may be told about an order, and why not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from models.accepting.accept import check_entry, check_report
from models.accepting.reports import beyond_rounds, needs_log
from models.book.changes import Amendment, Cancellation, Contact, Followed, Hold, Lost, Reschedule, Resume, Unfollowed
from models.book.entry import Entry
from models.book.order import OrderKind
from models.book.report import Acknowledgement, Classifier, Outcome, Promise, Report, Withdrawal
from models.errors import Refused, UnknownMilestone
from models.terms.milestone import Rounds, Takes
from models.terms.tolerance import Tolerance
from tests.factories import (
    CUTTING,
    DEPARTURE,
    FABRIC,
    SEWING,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)

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
        (Hold(recorded_at=NOW, until=date(2026, 11, 23)), []),  # later today
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
        (
            Hold(recorded_at=NOW, until=date(2026, 11, 22)),
            [],
            "cannot go on at 2026-11-22, which is past",
            "a day to come",
        ),
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


# --- rounds and quantities: what only the log can tell ---


DIP = a_milestone("LABDIP_APP", offset=-60, rounds=Rounds(at_most=3, reopens=("LABDIP_SUB",)), after=("LABDIP_SUB",))
SENT = a_milestone("LABDIP_SUB", offset=-70)
SEWN = SEWING.model_copy(update={"after": ("LABDIP_APP",), "rounds": Rounds(at_most=2)})
SAILS = DEPARTURE.model_copy(update={"after": ("SEW_END",)})
LOOPS = a_template(SENT, DIP, SEWN, SAILS)


def looped(entry: Entry, *before: Entry, tolerance: Tolerance | None = None) -> None:
    """Check an entry against an order of 3,600 pieces with a lab dip to be approved and a quantity to be sewn."""
    check_entry(an_order_file(ORDER.model_copy(update={"tolerance": tolerance}), LOOPS, *before), entry, NOW)


def dip(round_: int | None = None, at: datetime = NOW, outcome: Outcome = Outcome.FAILED, **changes: object) -> Report:
    return a_report("LABDIP_APP", at, round=round_, outcome=outcome, recorded_at=at, **changes)


def sewn(quantity: float | None, at: datetime = NOW, **changes: object) -> Report:
    return a_report("SEW_END", at, quantity=quantity, recorded_at=at, **changes)


FIRST, SECOND = dip(1, china(10)), dip(2, china(15))
PASSED = dip(None, china(18), Outcome.DONE)


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        (dip(1), []),
        (dip(2), [FIRST]),
        (dip(2, outcome=Outcome.DONE), [FIRST]),
        (dip(2, outcome=Outcome.STARTED), [FIRST]),
        (dip(), [FIRST, SECOND]),  # which round it is, the log knows
        (dip(4), [FIRST, SECOND, dip(3, china(17))]),  # more than its template foresees
        (dip(2), [FIRST, PASSED]),  # it was approved, and is failed all the same
        (dip(reopens=()), []),
        (dip(reopens=("LABDIP_SUB", "SEW_END")), []),
        (dip(1, china(11), corrects=1), [FIRST, SECOND]),  # what is over is corrected in its own round
        (dip(2, china(16), corrects=1), [dip(None, china(10)), SECOND]),
        (dip(1, source="mail", source_event_id="7"), [dip(1, china(10), source="mail", source_event_id="7")]),  # again
    ],
)
def test_a_round_is_told_in_its_turn(entry: Entry, before: list[Entry]) -> None:
    looped(entry, *before)


@pytest.mark.parametrize(
    ("entry", "before", "reason", "remedy"),
    [
        (dip(2), [], "is in round 1, not yet in round 2", "LABDIP_APP --failed --round 1"),
        (dip(3, outcome=Outcome.DONE), [FIRST], "is in round 2, not yet in round 3", "--failed --round 2"),
        (dip(1), [FIRST], "is in round 2, and round 1 is over: it failed", "--corrects LINE"),
        (dip(1, outcome=Outcome.DONE), [FIRST, PASSED], "round 1 is over", "--corrects LINE"),
        (dip(2, corrects=1), [FIRST], "line 1 speaks of round 1 of LABDIP_APP, and this of round 2", "Give that round"),
        (report("LABDIP_SUB", round=2), [], "is in round 1, not yet in round 2", "leave the round out"),
        (
            report("LABDIP_SUB", outcome=Outcome.FAILED),
            [],
            "LABDIP_SUB has no rounds, so no attempt at it can fail. Those that can: LABDIP_APP, SEW_END",
            "gendan promise 'SO 26'\"'\"'17' LABDIP_SUB DATE",
        ),
        (
            dip(outcome=Outcome.DONE, reopens=("LABDIP_SUB",)),
            [],
            "only what failed opens other steps again",
            "Report it as failed",
        ),
    ],
)
def test_a_round_out_of_its_order_is_refused(entry: Entry, before: list[Entry], reason: str, remedy: str) -> None:
    with pytest.raises(Refused) as refused:
        looped(entry, *before)

    assert reason in str(refused.value)
    assert remedy in str(refused.value)


def test_what_fails_reopens_only_steps_that_the_order_has() -> None:
    with pytest.raises(UnknownMilestone, match="no milestone 'VGM_SUB'"):
        looped(dip(reopens=("LABDIP_SUB", "VGM_SUB")))


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (1, ""),  # the second of three is next
        (2, ""),
        (3, "LABDIP_APP: round 4 of at most 3."),
        (4, "LABDIP_APP: round 5 of at most 3."),
    ],
)
def test_more_rounds_than_foreseen_are_accepted_and_named(failures: int, said: str) -> None:
    before = [dip(n, china(n)) for n in range(1, failures)]
    file = an_order_file(ORDER, LOOPS, *before)
    last = dip(failures)

    check_entry(file, last, NOW)

    assert beyond_rounds(file, last, NOW).startswith(said)
    assert bool(beyond_rounds(file, last, NOW)) == bool(said)
    assert beyond_rounds(file, sewn(1), NOW) == ""


@pytest.mark.parametrize(
    ("entry", "before", "tolerance"),
    [
        (sewn(3600), [], None),
        (sewn(600), [sewn(3000, china(18))], None),
        (sewn(780), [sewn(3000, china(18))], Tolerance(less=5, more=5)),  # 5 % more are 3,780
        (sewn(None), [sewn(3000, china(18))], None),  # all of it is done now
        (sewn(600), [sewn(None, china(18))], None),  # the parts are told after the whole
        (sewn(3600), [sewn(3600, china(18)), Withdrawal(recorded_at=china(19), milestone="SEW_END", corrects=1)], None),
        (sewn(3600, corrects=1), [sewn(3000, china(18))], None),
        (sewn(3600), [sewn(3600, china(18)), sewn(None, china(19), outcome=Outcome.FAILED)], None),  # sewn anew
        (sewn(3600), [sewn(3600, china(18)), Amendment(recorded_at=china(19), undoes=("SEW_END",))], None),
        (sewn(4000), [Amendment(recorded_at=china(19), quantity=4000)], None),
        (sewn(3600, source="erp", source_event_id="1"), [sewn(3600, source="erp", source_event_id="1")], None),  # again
        (sewn(3600, classifier=Classifier.EST), [sewn(3600, china(18))], None),  # an estimate adds up with nothing
        (report("LABDIP_SUB", quantity=9000), [], None),  # metres of fabric, for all that anybody knows
    ],
)
def test_parts_are_counted_up_to_what_was_ordered(
    entry: Entry, before: list[Entry], tolerance: Tolerance | None
) -> None:
    looped(entry, *before, tolerance=tolerance)


@pytest.mark.parametrize(
    ("entry", "before", "tolerance", "reason"),
    [
        (sewn(3601), [], None, "SEW_END would be 3601 of 3600 pcs."),
        (sewn(3601, classifier=Classifier.EST), [], None, "SEW_END would be 3601 of 3600 pcs."),
        (sewn(601), [sewn(3000, china(18))], None, "SEW_END would be 3601 of 3600 pcs."),
        (sewn(0.5), [sewn(3000, china(18)), sewn(600, china(19))], None, "SEW_END would be 3600.5 of 3600 pcs."),
        (
            sewn(781),
            [sewn(3000, china(18))],
            Tolerance(less=5, more=5),
            "SEW_END would be 3781 of 3600 pcs, of which at most 3780 are allowed.",
        ),
        (a_report("DEPARTED", NOW, quantity=4000), [], None, "DEPARTED would be 4000 of 3600 pcs."),
        (
            a_report("DEPARTED", NOW, quantity=700),
            [a_report("DEPARTED", china(20), quantity=3000)],
            None,
            "DEPARTED would be 3700 of 3600 pcs.",
        ),
    ],
)
def test_more_than_was_ordered_is_refused(
    entry: Entry, before: list[Entry], tolerance: Tolerance | None, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        looped(entry, *before, tolerance=tolerance)

    assert reason in str(refused.value)
    assert "--withdraw LINE" in str(refused.value)
    assert f"gendan amend {IN_A_SHELL} --quantity NUMBER" in str(refused.value)


def test_a_correction_may_leave_too_much_as_long_as_it_is_less_than_before() -> None:
    # told before the customer amended the order to 2,000
    before: list[Entry] = [sewn(3000, china(18)), sewn(600, china(19)), Amendment(recorded_at=china(20), quantity=2000)]

    looped(sewn(1900, corrects=1), *before)
    with pytest.raises(Refused, match="SEW_END would be 3601 of 2000 pcs"):
        looped(sewn(601, corrects=2), *before)


def test_an_order_without_a_quantity_counts_without_end() -> None:
    file = an_order_file(ORDER.model_copy(update={"quantity": None}), LOOPS)

    check_entry(file, sewn(1e9), NOW)


def test_only_what_counts_fails_or_takes_back_needs_the_log() -> None:
    needing: list[Report | Withdrawal] = [
        sewn(1),
        dip(),
        dip(1, outcome=Outcome.DONE),
        report("LABDIP_SUB", corrects=1),
    ]
    needing.append(withdrawal("LABDIP_SUB", 1))
    without = [sewn(None), dip(outcome=Outcome.DONE), report("LABDIP_SUB", quantity=5)]

    assert all(needs_log(LOOPS, entry) for entry in needing)
    assert not any(needs_log(LOOPS, entry) for entry in without)


# --- what is taken back by its event ---


def retraction(milestone: str = "FAB_IN", event: str = "7") -> Withdrawal:
    return Withdrawal(recorded_at=NOW, milestone=milestone, source="mill", retracts=event)


def test_an_event_is_retracted_whether_it_was_told_or_is_still_to_come() -> None:
    told(retraction())
    told(retraction(), a_report("FAB_IN", china(20), source="mill", source_event_id="7"))
    told(retraction(), retraction())


def test_an_event_is_not_retracted_from_another_milestone() -> None:
    event = a_report("FAB_IN", china(20), source="mill", source_event_id="7")

    with pytest.raises(Refused, match="event 7 of mill is about FAB_IN, not about CUT_START"):
        told(retraction("CUT_START"), event)
    told(retraction("CUT_START", event="8"), event)


# --- promises and the late date ---


FORESEEN = a_template(
    FABRIC.model_copy(update={"takes": Takes(likely=5, pessimistic=8)}),
    CUTTING.model_copy(update={"takes": Takes(likely=3, pessimistic=4)}),
    DEPARTURE.model_copy(update={"after": ("CUT_START",)}),
)
"""Fabric, three working days for cutting, and the vessel on Thursday, 31 December: fabric by Monday the 28th."""


def test_a_promise_up_to_the_late_date_is_taken() -> None:
    check_entry(an_order_file(ORDER, FORESEEN), promise("FAB_IN", china(28, 23, month=12)), NOW)


@pytest.mark.parametrize("until", [china(29, 0, month=12), china(30, month=6, year=2027)])
def test_a_promise_after_the_late_date_is_refused_without_the_next_levels_word(until: datetime) -> None:
    file = an_order_file(ORDER, FORESEEN)

    with pytest.raises(Refused) as refused:
        check_entry(file, promise("FAB_IN", until), NOW)

    assert "is after the late date of FAB_IN, 2026-12-28 23:59 CST" in str(refused.value)
    assert f"gendan promise {IN_A_SHELL} FAB_IN DATE --approved-by NAME" in str(refused.value)
    check_entry(file, promise("FAB_IN", until).model_copy(update={"approved_by": "Chen, GM"}), NOW)


def test_a_template_that_foresees_nothing_holds_promises_to_hard_dates_alone() -> None:
    beyond = promise("FAB_IN", china(31, month=3, year=2027))

    told(beyond)
    with pytest.raises(Refused, match="after the late date"):
        check_entry(an_order_file(ORDER.model_copy(update={"ship_by": date(2026, 12, 31)})), beyond, NOW)
    told(beyond, etd=None)


# --- prospects and orders ---


def test_what_is_told_of_prospects_is_not_told_of_orders() -> None:
    prospect = an_order_file(ORDER.model_copy(update={"kind": OrderKind.PROSPECT}))
    calls: list[Entry] = [Contact(recorded_at=NOW), Lost(recorded_at=NOW, reason="price")]

    for entry in calls:
        check_entry(prospect, entry, NOW)
        with pytest.raises(Refused, match="is no prospect"):
            told(entry)
    with pytest.raises(Refused, match="is a prospect"):
        check_entry(prospect, Amendment(recorded_at=NOW, quantity=5), NOW)


def test_a_prospect_that_was_lost_may_be_followed_again() -> None:
    prospect = ORDER.model_copy(update={"kind": OrderKind.PROSPECT})

    check_entry(an_order_file(prospect, None, Lost(recorded_at=china(20), reason="price")), FOLLOW, NOW)
