"""What may be answered about a step: what is accepted, what it changes, and why the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from models.accepting.accept import check_entry
from models.accepting.written import has_problem, not_mine, our_roles, promised, taken_on
from models.book.changes import Booking, Cancellation, CreditAdvised, Hold, Unfollowed
from models.book.entry import ENTRY, Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, NotMine, Outcome, Problem, Promise
from models.errors import Refused, UnknownMilestone
from models.escalation.owner import owner_of
from models.status.standing import standing
from models.terms.credit import Credit
from models.terms.milestone import Rounds, Takes
from tests.factories import (
    CUTTING,
    DEPARTURE,
    FABRIC,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
    some_parties,
)

NOW = china(23, 12)
ORDER = an_order(order_no="SO 26'17")
IN_A_SHELL = "'SO 26'\"'\"'17'"


def acknowledged(milestone: str = "FAB_IN", at: datetime = NOW) -> Acknowledgement:
    return Acknowledgement(recorded_at=at, by="Li Wei", milestone=milestone)


def a_promise(milestone: str = "FAB_IN", at: datetime = NOW) -> Promise:
    return Promise(recorded_at=at, by="Li Wei", milestone=milestone, promised=china(27))


def a_problem(milestone: str = "FAB_IN", at: datetime = NOW, note: str = "wrong shade") -> Problem:
    return Problem(recorded_at=at, by="Li Wei", milestone=milestone, note=note)


def handed_on(milestone: str = "FAB_IN", at: datetime = NOW, to: str = "QC") -> NotMine:
    return NotMine(recorded_at=at, by="Li Wei", milestone=milestone, to=to)


ANSWERS = (acknowledged, a_promise, a_problem, handed_on)
every_answer = pytest.mark.parametrize("answer", ANSWERS)
AnswerOn = Callable[..., Entry]


def refusal(entry: Entry, *before: Entry, file: OrderFile | None = None) -> str:
    with pytest.raises(Refused) as refused:
        check_entry(file or an_order_file(ORDER, None, *before), entry, NOW)
    return str(refused.value)


# --- what is accepted, and what it changes


@every_answer
@pytest.mark.parametrize("before", [(), (Hold(recorded_at=china(20)),)])
def test_whoever_is_asked_about_what_is_waited_for_may_answer(answer: AnswerOn, before: tuple[Entry, ...]) -> None:
    check_entry(an_order_file(ORDER, None, *before), answer(), NOW)


@every_answer
def test_an_order_without_a_date_may_be_answered_for(answer: AnswerOn) -> None:
    check_entry(an_order_file(ORDER.model_copy(update={"etd": None})), answer(), NOW)


@every_answer
def test_an_answer_is_kept_in_the_log_with_who_and_when(answer: AnswerOn) -> None:
    kept = ENTRY.validate_python(ENTRY.dump_python(answer(), mode="json"))

    assert kept == answer()
    assert (kept.by, kept.recorded_at) == ("Li Wei", NOW)


@pytest.mark.parametrize("note", ["", "  \n"])
def test_a_problem_says_what_it_is(note: str) -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        a_problem(note=note)
    with pytest.raises(Refused, match='`gendan problem SO-26-0417 FAB_IN "what is wrong"`'):
        has_problem(an_order_file(), NOW, "fab_in", note, by="Li Wei")


def test_a_problem_says_nothing_of_when_and_moves_nothing() -> None:
    file = an_order_file(ORDER)
    told = file.told(a_problem(at=china(20)))
    before, after = standing(file, NOW), standing(told, NOW)

    assert (after.open, after.due, after.promised) == (before.open, before.due, before.promised)
    assert not after.acknowledged
    assert after.notes["FAB_IN"].note == "wrong shade"


def test_a_step_is_its_templates_until_somebody_says_that_it_is_not_his() -> None:
    file = an_order_file()

    assert owner_of(file, [], "FAB_IN") == "PUR"
    assert owner_of(file, [handed_on(to="QC")], "FAB_IN") == "QC"
    assert owner_of(file, [handed_on(to="QC")], "CUT_START") == "MER"  # another step stays where it was
    assert owner_of(file, [handed_on(to="QC"), handed_on(to="LOG")], "FAB_IN") == "LOG"  # who was named last
    assert owner_of(file, [handed_on(to="QC"), handed_on(to="")], "FAB_IN") == "MER"  # he finds out whose it is


# --- the same answer twice


def test_to_take_on_or_promise_twice_changes_nothing_more() -> None:
    for answer in (acknowledged(at=china(23, 11)), a_promise(at=china(23, 11))):
        once = an_order_file(ORDER, None, answer)
        again = answer.model_copy(update={"recorded_at": NOW})
        check_entry(once, again, NOW)
        one, two = standing(once, NOW), standing(once.told(again), NOW)

        assert (two.open, two.promised, two.effective_due("FAB_IN")) == (
            one.open,
            one.promised,
            one.effective_due("FAB_IN"),
        )
        assert ("FAB_IN" in two.acknowledged) == ("FAB_IN" in one.acknowledged)


def test_a_problem_told_twice_calls_nobody_twice() -> None:
    told = a_problem(at=china(23, 11))

    why = refusal(a_problem(), told)

    assert "that is known of FAB_IN since 2026-11-23 11:00 CST, told by Li Wei in line 1 of its log" in why
    assert "Say what is new" in why
    check_entry(an_order_file(ORDER, None, told), a_problem(note="and short"), NOW)


def test_a_problem_may_come_back_in_the_next_round() -> None:
    dip = a_milestone("LABDIP_APP", offset=-60, rounds=Rounds())
    template = a_template(dip, DEPARTURE.model_copy(update={"after": ("LABDIP_APP",)}))
    failed = a_report("LABDIP_APP", china(21), outcome=Outcome.FAILED)
    problem = a_problem("LABDIP_APP", china(20), "too yellow")

    check_entry(an_order_file(ORDER, template, problem, failed), a_problem("LABDIP_APP", note="too yellow"), NOW)


@pytest.mark.parametrize(
    ("before", "to", "why"),
    [
        ((), "PUR", "PUR is accountable for FAB_IN already; nothing was changed."),  # as its template has it
        ((handed_on(at=china(20)),), "QC", "QC is accountable for FAB_IN already"),
        ((handed_on(at=china(20), to=""),), "", "MER is accountable for FAB_IN already; nothing was changed. The mer"),
    ],
)
def test_a_step_is_not_given_to_whoever_has_it(before: tuple[Entry, ...], to: str, why: str) -> None:
    said = refusal(handed_on(to=to), *before)

    assert why in said
    assert f"`gendan not-mine {IN_A_SHELL} FAB_IN --to ROLE`" in said


def test_a_step_may_be_given_back() -> None:
    check_entry(an_order_file(ORDER, None, handed_on(at=china(20))), handed_on(to="PUR"), NOW)


# --- whose a step can be


@pytest.mark.parametrize(("written", "role"), [("log", "LOG"), (" QC ", "QC"), ("", "")])
def test_a_role_is_meant_whatever_its_capitals(written: str, role: str) -> None:
    parties = some_parties() | {"QC": some_parties()["PUR"].model_copy(update={"code": "QC"})}

    told = not_mine(an_order_file(), NOW, "fab_in", written, parties, by="Li Wei", note="not our mill")

    assert (told.milestone, told.to, told.by, told.note) == ("FAB_IN", role, "Li Wei", "not our mill")


@pytest.mark.parametrize(
    ("written", "why"), [("mill", "MILL is an outside party"), ("Mr. Wu", "there is no role 'Mr. Wu'")]
)
def test_a_step_goes_to_a_role_of_ours_alone(written: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        not_mine(an_order_file(), NOW, "FAB_IN", written, some_parties(), by="Li Wei")

    assert why in str(refused.value)
    assert "one of ours: MER, PUR, PROD, SALES, LOG, GM. Nothing was recorded." in str(refused.value)
    assert set(our_roles(some_parties())) == {"MER", "PUR", "PROD", "SALES", "LOG", "GM"}


# --- what is not waited for


@every_answer
def test_what_is_done_says_when_it_was_and_who_told_so(answer: AnswerOn) -> None:
    why = refusal(answer(), a_report("FAB_IN", china(20), by="Hua Xing mill"))

    assert why == (
        "Order SO 26'17 does not wait for FAB_IN now; it waits for CUT_START. FAB_IN is done since 2026-11-20 10:00 "
        "CST, told by Hua Xing mill in line 1 of its log. Was that wrong? "
        f"`gendan report {IN_A_SHELL} FAB_IN --withdraw 1` takes it back."
    )


def test_what_nobody_reported_is_done_by_what_came_after_it() -> None:
    why = refusal(acknowledged(), a_report("CUT_START", china(20), source="mill", source_event_id="7"))

    assert "Nobody reported FAB_IN, but what comes after it happened. CUT_START is done since 2026-11-20 10:00" in why
    assert "told by mill in line 1 of its log" in why
    assert f"`gendan report {IN_A_SHELL} FAB_IN --at DATE`" in why


def test_what_was_corrected_names_the_line_that_holds() -> None:
    wrong, right = a_report("FAB_IN", china(19)), a_report("FAB_IN", china(20), corrects=1, by="Zhang")

    assert "FAB_IN is done since 2026-11-20 10:00 CST, told by Zhang in line 2" in refusal(acknowledged(), wrong, right)


def test_what_a_booking_tells_is_done_by_the_booking() -> None:
    space = a_milestone("SO_RCVD", offset=-10)
    template = a_template(space, DEPARTURE.model_copy(update={"after": ("SO_RCVD",)}))
    booked = Booking(recorded_at=china(20), etd=date(2026, 12, 31), source="S/O 7731")

    why = refusal(acknowledged("SO_RCVD"), file=an_order_file(ORDER, template, booked))

    assert why.endswith("SO_RCVD is done since 2026-11-20 10:00 CST, told by S/O 7731 in line 1 of its log.")


@every_answer
def test_what_is_not_open_yet_says_what_comes_before_it(answer: AnswerOn) -> None:
    why = refusal(answer("SEW_END"))

    assert "does not wait for SEW_END now; it waits for FAB_IN. SEW_END comes after FAB_IN: answer for that." in why
    assert f"`gendan report {IN_A_SHELL} SEW_END --as EST --at DATE`" in why


def test_what_lies_beyond_the_follow_up_says_where_that_ends() -> None:
    file = an_order_file(ORDER, a_template(follow_to="CUT_START"))

    assert "It is followed to CUT_START, and DEPARTED does not lead there." in refusal(
        acknowledged("DEPARTED"), file=file
    )


@every_answer
@pytest.mark.parametrize(
    ("end", "why"),
    [
        (
            a_report("DEPARTED", china(20), by="Chen"),
            "is closed; nothing was changed. DEPARTED is done since 2026-11-20 10:00 CST, told by Chen in line 1",
        ),
        (
            Cancellation(recorded_at=china(20), by="Chen"),
            f"is cancelled; nothing was changed. `gendan follow {IN_A_SHELL}` follows it again. It is so since "
            "2026-11-20 10:00 CST, told by Chen in line 1 of its log.",
        ),
        (
            Unfollowed(recorded_at=china(20)),
            f"is not followed; nothing was changed. `gendan follow {IN_A_SHELL}` follows it again. It is so since "
            "2026-11-20 10:00 CST, told in line 1 of its log.",
        ),
    ],
)
def test_an_order_that_is_over_says_since_when_and_by_whom(answer: AnswerOn, end: Entry, why: str) -> None:
    assert why in refusal(answer(), end)


@every_answer
def test_a_step_that_the_order_has_not_is_refused_with_those_that_it_has(answer: AnswerOn) -> None:
    with pytest.raises(UnknownMilestone, match=r"no milestone 'FABRIC'\. It has: FAB_IN, CUT_START"):
        check_entry(an_order_file(ORDER), answer("FABRIC"), NOW)


# --- promises


def test_a_promise_in_the_past_is_refused() -> None:
    past = promised(an_order_file(ORDER), NOW, "fab_in", china(20), by="mill")

    assert "must lie in the future, and 2026-11-20 10:00 CST is past" in refusal(past)


FORESEEN = a_template(
    FABRIC.model_copy(update={"takes": Takes(likely=5, pessimistic=8)}),
    CUTTING.model_copy(update={"takes": Takes(likely=3, pessimistic=4)}),
    DEPARTURE.model_copy(update={"after": ("CUT_START",)}),
)


@pytest.mark.parametrize(
    ("etd", "before", "who"),
    [
        (date(2027, 3, 31), (), "PROD (L2)"),  # nobody was told yet: the first rung is told to those who promise
        (date(2026, 12, 31), (), "PROD (L2)"),  # a working day late
        (date(2026, 12, 29), (), "SALES (L3)"),  # the production manager was told
        (date(2026, 12, 18), (), "GM (L4)"),  # all were told
        (date(2026, 12, 31), (handed_on(at=china(20), to="PROD"),), "SALES (L3)"),  # nobody approves his own date
    ],
)
def test_a_date_after_the_late_date_needs_the_word_of_the_next_level(
    etd: date, before: tuple[Entry, ...], who: str
) -> None:
    file = an_order_file(ORDER.model_copy(update={"etd": etd}), FORESEEN, *before)
    late = Promise(recorded_at=NOW, milestone="FAB_IN", promised=china(30, month=6, year=2027))

    why = refusal(late, file=file)

    assert f"the word of the next level, {who}: `gendan promise {IN_A_SHELL} FAB_IN DATE --approved-by NAME`" in why
    check_entry(file, late.model_copy(update={"approved_by": "Chen"}), NOW)


# --- the decision about a hard date


CREDIT = Credit(number="LC-4711", latest_shipment=date(2026, 12, 31), expiry=date(2027, 1, 15))
ADVISED = CreditAdvised(recorded_at=china(5, month=10), credit=CREDIT)
PAPERS = a_template(
    FABRIC,
    DEPARTURE.model_copy(update={"after": ("FAB_IN",)}),
    a_milestone("LC_PRESENT", offset=8, after=("DEPARTED",)),
    departure="DEPARTED",
)
WINDOW: dict[str, Any] = {"ship_by": date(2027, 1, 5), "cancel_after": date(2027, 1, 12)}


def with_papers(*entries: Entry, **changes: Any) -> OrderFile:
    return an_order_file(ORDER.model_copy(update=changes), PAPERS, *entries)


@pytest.mark.parametrize(
    ("file", "has"),
    [
        (with_papers(ADVISED, **WINDOW), {"LC_44C", "LC_31D", "SHIP_WINDOW", "CANCEL_DATE"}),
        (with_papers(**WINDOW), {"SHIP_WINDOW", "CANCEL_DATE"}),
        (with_papers(**WINDOW, etd=None), {"SHIP_WINDOW", "CANCEL_DATE"}),  # a window without a date
        (with_papers(ADVISED, a_report("DEPARTED", china(20)), **WINDOW), {"LC_31D", "LC_48"}),  # the goods have left
        (with_papers(), set()),
    ],
)
def test_the_decision_about_a_hard_date_is_taken_on_where_the_order_has_it(file: OrderFile, has: set[str]) -> None:
    for code in ("LC_44C", "LC_31D", "LC_48", "SHIP_WINDOW", "CANCEL_DATE"):
        decision = taken_on(file, NOW, code.lower(), by="Chen, GM")
        if code in has:
            check_entry(file, decision, NOW)
        else:
            why = refusal(decision, file=file)
            assert f"has no hard date {code} now; nothing was recorded. Its hard dates are: " in why
            assert all(f"{other} (202" in why for other in has)
            assert has or "are: none." in why


def test_the_decision_rests_no_step() -> None:
    file = with_papers(**WINDOW).told(taken_on(with_papers(), NOW, "SHIP_WINDOW", by="Chen"))

    at = standing(file, NOW)
    assert not set(at.acknowledged) & set(at.open)


@pytest.mark.parametrize("answer", [a_promise, a_problem, handed_on])
def test_a_hard_date_is_no_step_to_be_answered_for(answer: AnswerOn) -> None:
    why = refusal(answer("SHIP_WINDOW"), file=with_papers(**WINDOW))

    assert "SHIP_WINDOW is a hard date and no step" in why
    assert f"`gendan ack {IN_A_SHELL} SHIP_WINDOW`" in why
