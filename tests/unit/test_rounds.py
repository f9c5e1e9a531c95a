"""Attempts that fail and are tried again, facts told in any order, told twice, or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book.changes import Amendment, CustomsReceipt
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Promise, Report, Withdrawal
from models.planning.outlook import Cause, outlook
from models.status.standing import Standing, standing
from models.terms.customs import CustomsState
from models.terms.milestone import Rounds, Takes
from tests.factories import a_milestone, a_report, a_template, an_order_file, china
from tests.orders_in_season import Season, instants, numbered, receipts, reports, seasons

NOW = china(30)

PACKED = a_milestone("PACK_DONE", offset=-20, takes=Takes(likely=2, pessimistic=4))
INSPECTED = a_milestone(
    "FRI_PASS",
    offset=-18,
    after=("PACK_DONE",),
    takes=Takes(likely=1, pessimistic=2),
    rounds=Rounds(at_most=2, takes=Takes(likely=3, pessimistic=5), reopens=("PACK_DONE",)),
)
DEPARTED = a_milestone("DEPARTED", after=("FRI_PASS",))
TEMPLATE = a_template(PACKED, INSPECTED, DEPARTED)


def told(*entries: Entry) -> OrderFile:
    return an_order_file(None, TEMPLATE, *entries)


def stands(*entries: Entry, now: datetime = NOW) -> Standing:
    return standing(told(*entries), now)


def failed(code: str, at: datetime, **changes: Any) -> Report:
    return a_report(code, at, outcome=Outcome.FAILED, **changes)


# --- one attempt after the other


def test_a_failed_inspection_is_the_next_round_and_keeps_what_was_said_of_it() -> None:
    at = stands(failed("FRI_PASS", china(24), note="open seams"))

    assert at.round_of("FRI_PASS") == 2
    assert [(attempt.at, attempt.note) for attempt in at.failed["FRI_PASS"]] == [(china(24), "open seams")]
    assert "FRI_PASS" not in at.done


def test_a_failure_opens_what_must_be_done_again() -> None:
    at = stands(a_report("PACK_DONE", china(23)), failed("FRI_PASS", china(24)))

    assert at.open == ("PACK_DONE",)


def test_a_failure_may_say_itself_what_must_be_done_again() -> None:
    at = stands(a_report("PACK_DONE", china(23)), failed("FRI_PASS", china(24), reopens=()))

    assert at.open == ("FRI_PASS",)


def test_what_is_done_after_the_failure_is_done() -> None:
    at = stands(
        a_report("PACK_DONE", china(23)),
        failed("FRI_PASS", china(24)),
        a_report("PACK_DONE", china(26)),
        a_report("FRI_PASS", china(27)),
    )

    assert at.reached["FRI_PASS"].at == china(27)
    assert (at.open, at.round_of("FRI_PASS")) == (("DEPARTED",), 2)


def test_what_passes_after_the_failure_implies_the_rework() -> None:
    at = stands(a_report("PACK_DONE", china(23)), failed("FRI_PASS", china(24)), a_report("FRI_PASS", china(27)))

    assert at.passed == {"PACK_DONE"}
    assert at.done["PACK_DONE"].at == china(27)


@pytest.mark.parametrize(
    ("rounds", "passed"),
    [
        ((None, None), True),  # the same hour, no rounds: who fails and passes at once passes last
        ((1, None), True),  # the first failed; what passed was the one after it
        ((None, 2), True),
        ((2, 1), False),  # the first passed and the second failed
    ],
)
def test_of_what_failed_and_passed_at_one_instant_the_round_decides_what_was_last(
    rounds: tuple[int | None, int | None], passed: bool
) -> None:
    entries = failed("FRI_PASS", china(24), round=rounds[0]), a_report("FRI_PASS", china(24), round=rounds[1])

    assert ("FRI_PASS" in stands(*entries).reached) == passed
    assert ("FRI_PASS" in stands(*reversed(entries)).reached) == passed


# --- when the next attempt is due, and foreseen


def test_a_failed_step_is_due_again_when_its_next_round_has_had_its_time() -> None:
    at = stands(
        a_report("PACK_DONE", china(10, month=12)),
        failed("FRI_PASS", china(14, month=12), reopens=()),
        now=china(14, 12, month=12),
    )

    assert at.due["FRI_PASS"].date() == china(11, month=12).date()
    assert at.again["FRI_PASS"].date() == china(17, month=12).date()  # three working days after Monday the 14th
    assert at.effective_due("FRI_PASS") == at.again["FRI_PASS"]


def test_a_step_that_failed_early_keeps_its_planned_date() -> None:
    at = stands(a_report("PACK_DONE", china(23)), failed("FRI_PASS", china(24), reopens=()))

    assert at.again["FRI_PASS"] == at.due["FRI_PASS"]


def test_a_failure_is_foreseen_to_take_its_rounds_time() -> None:
    ahead = foreseen(
        a_report("PACK_DONE", china(10, month=12)),
        failed("FRI_PASS", china(14, month=12), reopens=()),
        now=china(14, 12, month=12),
    )

    assert ahead["FRI_PASS"] == (china(17, month=12).date(), Cause.ROUND)


def test_rework_and_the_inspection_after_it_take_their_time_one_after_the_other() -> None:
    ahead = foreseen(
        a_report("PACK_DONE", china(10, month=12)), failed("FRI_PASS", china(14, month=12)), now=china(14, 12, month=12)
    )

    assert ahead["PACK_DONE"] == (china(16, month=12).date(), Cause.ROUND)  # two days of packing, from the failure on
    assert ahead["FRI_PASS"] == (china(17, month=12).date(), Cause.STEP)


def test_a_date_given_before_the_failure_is_not_chased_for_but_is_not_forgotten() -> None:
    promise = Promise(recorded_at=china(11, month=12), milestone="FRI_PASS", promised=china(22, month=12))
    entries = a_report("PACK_DONE", china(10, month=12)), promise, failed("FRI_PASS", china(14, month=12), reopens=())
    at = stands(*entries, now=china(14, 12, month=12))

    assert "FRI_PASS" not in at.promised
    assert at.effective_due("FRI_PASS") == at.again["FRI_PASS"]
    assert foreseen(*entries, now=at.now)["FRI_PASS"] == (china(22, month=12).date(), Cause.ROUND)


def test_an_estimate_given_before_the_failure_spoke_of_the_attempt_that_failed() -> None:
    estimate = a_report("FRI_PASS", china(15, month=12), recorded_at=china(11, month=12), classifier=Classifier.EST)
    entries = a_report("PACK_DONE", china(10, month=12)), estimate, failed("FRI_PASS", china(14, month=12), reopens=())

    assert "FRI_PASS" not in stands(*entries, now=china(14, 12, month=12)).expected
    assert foreseen(*entries, now=china(14, 12, month=12))["FRI_PASS"] == (china(17, month=12).date(), Cause.ROUND)


def test_a_promise_after_the_failure_holds() -> None:
    promise = Promise(recorded_at=china(15, month=12), milestone="FRI_PASS", promised=china(16, month=12))
    entries = a_report("PACK_DONE", china(10, month=12)), failed("FRI_PASS", china(14, month=12), reopens=()), promise

    assert foreseen(*entries, now=china(15, 12, month=12))["FRI_PASS"] == (china(16, month=12).date(), Cause.PROMISE)


def test_what_an_amendment_undid_takes_as_long_as_the_first_time() -> None:
    at = china(14, month=12)
    entries = a_report("PACK_DONE", china(10, month=12)), Amendment(recorded_at=at, undoes=("PACK_DONE",))

    assert stands(*entries, now=at).open == ("PACK_DONE",)
    assert foreseen(*entries, now=at)["PACK_DONE"] == (china(16, month=12).date(), Cause.ROUND)


def foreseen(*entries: Entry, now: datetime) -> dict[str, tuple[Any, Cause]]:
    """Return the day and the cause of each forecast."""
    file = told(*entries)
    ahead = outlook(file, standing(file, now))
    assert ahead is not None
    return {code: (at.astimezone(NOW.tzinfo).date(), ahead.causes[code]) for code, at in ahead.forecast.items()}


# --- told in any order, twice, or taken back


def facts(at: Standing) -> dict[str, Any]:
    """Return what the facts amount to: all but what depends on when they were told."""
    return {
        "reached": {code: (reached.at, reached.quantity) for code, reached in at.reached.items()},
        "done": {code: done.at for code, done in at.done.items()},
        "failed": {code: [(attempt.at, attempt.note) for attempt in failed] for code, failed in at.failed.items()},
        "rounds": {code: at.round_of(code) for code in at.failed},
        "voided": at.voided,
        "redone": at.redone,
        "started": at.started,
        "counted": at.counted,
        "customs": at.customs,
        "held at customs": at.customs_hold and (at.customs_hold.since, at.customs_hold.letter),
    }


@given(seasons(most=0), st.data())
def test_the_same_facts_told_in_any_order_give_the_same_state(season: Season, data: st.DataObject) -> None:
    happened = data.draw(told_facts(season))
    times = sorted(entry.recorded_at for entry in happened)
    shuffled = data.draw(st.permutations(happened))
    in_order, in_another = (retold(order, [season.now] * len(times)) for order in (happened, shuffled))

    assert facts(now(season, in_order)) == facts(now(season, in_another))


@given(seasons(most=0), st.data())
def test_the_same_facts_known_at_other_times_give_the_same_state(season: Season, data: st.DataObject) -> None:
    happened = data.draw(told_facts(season))
    since = season.file.order.placed_at
    other_times = data.draw(st.lists(instants(since, season.now), min_size=len(happened), max_size=len(happened)))

    then = numbered(retold(happened, other_times))

    assert facts(now(season, numbered(happened))) == facts(now(season, then))


def told_facts(season: Season) -> st.SearchStrategy[list[Entry]]:
    of = season.file.template, season.file.order, season.now
    facts = reports(*of).map(lambda report: report.model_copy(update={"note": report.milestone}))
    return st.lists(st.one_of(facts, facts, receipts(*of)), max_size=10)


def retold(entries: Sequence[Entry], times: Sequence[datetime]) -> list[Entry]:
    """Return entries as if they had been told at these times, in this order."""
    return [
        entry.model_copy(update={"recorded_at": at, "seq": seq})
        for seq, (entry, at) in enumerate(zip(entries, times, strict=True), start=1)
    ]


def now(season: Season, entries: Sequence[Entry]) -> Standing:
    moved = season.with_entries(*entries)
    return standing(moved.file, moved.now)


@given(seasons(most=0), st.data())
def test_what_a_source_tells_twice_counts_once(season: Season, data: st.DataObject) -> None:
    events = with_events(data.draw(told_facts(season)))
    twice = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []

    once_told = numbered(events)
    then = numbered([*events, *(event.model_copy(update={"recorded_at": season.now}) for event in twice)])

    assert facts(now(season, once_told)) == facts(now(season, then))


@given(seasons(most=0), st.data())
def test_what_is_retracted_before_or_after_it_comes_was_never_told(season: Season, data: st.DataObject) -> None:
    events = with_events(data.draw(told_facts(season)))
    gone = data.draw(st.sets(st.sampled_from(range(len(events))), max_size=3)) if events else set()
    retractions = [
        Withdrawal(
            recorded_at=data.draw(instants(season.file.order.placed_at, season.now)),
            milestone="FRI_PASS",
            source="TERMINAL",
            retracts=f"event-{number}",
        )
        for number in gone
    ]
    left = [event for number, event in enumerate(events) if number not in gone]

    assert facts(now(season, numbered([*events, *retractions]))) == facts(now(season, numbered(left)))


def with_events(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries each with the event of a source that told it."""
    return [
        entry.model_copy(update={"source": "TERMINAL", "source_event_id": f"event-{number}"})
        for number, entry in enumerate(entries)
    ]


def test_an_event_told_again_after_it_was_corrected_stays_corrected() -> None:
    event = a_report("PACK_DONE", china(23), source="TERMINAL", source_event_id="1")
    correction = a_report("PACK_DONE", china(25), corrects=1)

    at = stands(event, correction, event.model_copy(update={"recorded_at": china(26)}))

    assert at.reached["PACK_DONE"].at == china(25)


def test_an_event_told_again_after_it_was_withdrawn_stays_withdrawn() -> None:
    event = a_report("PACK_DONE", china(23), source="TERMINAL", source_event_id="1")
    withdrawal = Withdrawal(recorded_at=china(24), milestone="PACK_DONE", corrects=1)

    assert "PACK_DONE" not in stands(event, withdrawal, event.model_copy(update={"recorded_at": china(26)})).done


def test_a_receipt_of_customs_can_be_retracted_like_any_event() -> None:
    template = a_template(
        a_milestone("CUS_DECL", offset=-3),
        a_milestone("CUS_REL", offset=-2, after=("CUS_DECL",)),
        DEPARTED.model_copy(update={"after": ("CUS_REL",)}),
    )
    released = CustomsReceipt(
        recorded_at=china(24),
        occurred_at=china(24),
        letter="P",
        state=CustomsState.RELEASED,
        source="BROKER",
        source_event_id="77",
    )
    gone = Withdrawal(recorded_at=china(25), milestone="CUS_REL", source="BROKER", retracts="77")

    assert "CUS_REL" in standing(an_order_file(None, template, released), NOW).reached
    assert "CUS_REL" not in standing(an_order_file(None, template, released, gone), NOW).done
