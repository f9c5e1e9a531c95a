"""The order file: where what was told leaves an order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.book.changes import Cancellation, Followed, Hold, Reschedule, Resume, Unfollowed
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, Classifier, Promise, Report, Withdrawal
from models.decide import decide, taken
from models.status.standing import Standing, standing
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
)

NOW = china(23, 12)
TRIMS = a_milestone("TRIM_IN", offset=-43)
BOTH_IN = a_template(
    FABRIC,
    TRIMS,
    CUTTING.model_copy(update={"after": ("FAB_IN", "TRIM_IN")}),
    DEPARTURE.model_copy(update={"after": ("CUT_START",)}),
)
UP_TO_SEWING = (a_report("FAB_IN", china(2)), a_report("CUT_START", china(3)))


def where(*entries: Entry, now: datetime = NOW, quantity: float | None = 3600) -> Standing:
    return standing(an_order_file(an_order(quantity=quantity), None, *entries), now)


def sewn(quantity: float | None, day: int, **changes: object) -> Report:
    return a_report("SEW_END", china(day), quantity=quantity, **changes)


# What is waited for


def test_an_order_waits_for_what_everything_before_is_done_for() -> None:
    assert where().open == ("FAB_IN",)
    assert where(*UP_TO_SEWING).open == ("SEW_END",)
    assert standing(an_order_file(None, BOTH_IN), NOW).open == ("FAB_IN", "TRIM_IN")
    assert standing(an_order_file(None, BOTH_IN, a_report("FAB_IN", china(2))), NOW).open == ("TRIM_IN",)


def test_what_does_not_lead_to_the_last_followed_milestone_is_planned_and_not_waited_for() -> None:
    template = a_template(FABRIC, a_milestone("CO_OK", offset=-20, after=("FAB_IN",)), DEPARTURE_AFTER_FABRIC)
    file = an_order_file(None, template, a_report("FAB_IN", china(2)))

    assert standing(file, NOW).open == ("DEPARTED",)
    assert "CO_OK" in standing(file, NOW).due


DEPARTURE_AFTER_FABRIC = DEPARTURE.model_copy(update={"after": ("FAB_IN",)})


def test_a_later_milestone_implies_an_earlier_one() -> None:
    at = where(a_report("CUT_START", china(20)))

    assert at.passed == {"FAB_IN"}
    assert "FAB_IN" not in at.reached
    assert at.open == ("SEW_END",)


def test_what_was_only_implied_is_proven_by_its_own_report() -> None:
    at = where(a_report("CUT_START", china(20)), a_report("FAB_IN", china(18), recorded_at=china(22)))

    assert at.passed == frozenset()
    assert at.reached["FAB_IN"].at == china(18)


def test_an_order_is_closed_when_what_follows_its_last_milestone_happened() -> None:
    """Nobody reported that the vessel sailed, but it arrived: there is nothing left to wait for."""
    arrived = a_milestone("ARRIVED", offset=30, after=("DEPARTED",))
    template = a_template(FABRIC, DEPARTURE_AFTER_FABRIC, arrived, departure="DEPARTED", follow_to="DEPARTED")

    at = standing(an_order_file(None, template, a_report("ARRIVED", china(20))), NOW)

    assert (at.state, at.open) == (OrderState.CLOSED, ())
    assert at.departed_at is None  # implied, not proven


def test_nobody_knows_of_a_report_before_it_was_recorded() -> None:
    late = a_report("FAB_IN", china(18), recorded_at=china(20))

    assert where(late, now=china(19)).open == ("FAB_IN",)
    assert where(late, now=china(19)).next_entry_at == china(20)
    assert where(late, now=china(20)).open == ("CUT_START",)
    assert where(late, now=china(20)).next_entry_at is None


# Quantities


@pytest.mark.parametrize(
    ("ordered", "parts", "counted", "reached_on"),
    [
        (3600, [(1200, 5), (2400, 9)], 3600, 9),  # with the last part
        (3600, [(1200, 5), (2399, 9)], 3599, None),  # one short
        (3600, [(5000, 5)], 5000, 5),  # more than ordered
        (3600, [(None, 5)], 3600, 5),  # a report without a quantity speaks of everything
        (3600, [(1200, 5), (None, 9)], 4800, 9),
        (None, [(1200, 5)], 1200, 5),  # nothing to count up to: the first report reaches it
        (1, [(0.1, day) for day in range(5, 15)], 1.0, 14),  # ten tenths are a whole
        (3.3, [(1.1, 5), (1.1, 6), (1.1, 7)], 3.3, 7),
    ],
)
def test_a_counted_milestone_is_reached_at_the_ordered_quantity(
    ordered: float | None, parts: list[tuple[float | None, int]], counted: float, reached_on: int | None
) -> None:
    at = where(*UP_TO_SEWING, *(sewn(quantity, day) for quantity, day in parts), quantity=ordered)

    assert at.counted["SEW_END"] == counted
    assert ("SEW_END" in at.reached) is (reached_on is not None)
    if reached_on is not None:
        assert at.reached["SEW_END"].at == china(reached_on)
        assert at.reached["SEW_END"].quantity == counted


def test_a_milestone_that_is_not_counted_is_reached_by_any_quantity() -> None:
    assert where(a_report("FAB_IN", china(5), quantity=1)).reached["FAB_IN"].at == china(5)


def test_the_first_of_two_reports_of_the_same_milestone_says_when_it_was_reached() -> None:
    at = where(a_report("FAB_IN", china(9)), a_report("FAB_IN", china(5), recorded_at=china(12)))

    assert at.reached["FAB_IN"].at == china(5)
    assert at.reached["FAB_IN"].known_at == china(9)  # it was known to be there since then, if not since when


@pytest.mark.parametrize("classifier", [Classifier.EST, Classifier.PLN])
def test_an_estimate_or_a_plan_never_reaches_a_milestone(classifier: Classifier) -> None:
    at = where(a_report("FAB_IN", china(5), classifier=classifier), *[sewn(9000, 6, classifier=classifier)])

    assert (at.reached, at.passed, at.counted) == ({}, frozenset(), {})
    assert at.open == ("FAB_IN",)
    assert at.expected["FAB_IN"] == china(5)


def test_the_last_estimate_told_is_the_one_that_is_expected() -> None:
    first = a_report("FAB_IN", china(25), classifier=Classifier.EST, recorded_at=china(3))
    last = a_report("FAB_IN", china(24), classifier=Classifier.EST, recorded_at=china(4))

    assert where(first, last).expected == where(last, first).expected == {"FAB_IN": china(24)}


SEASON = (
    a_report("FAB_IN", china(2), recorded_at=china(2)),
    a_report("FAB_IN", china(1), recorded_at=china(7)),
    a_report("CUT_START", china(3), recorded_at=china(3)),
    sewn(1200, 5, recorded_at=china(6)),
    sewn(1200, 8, recorded_at=china(8)),
    sewn(1200.5, 9, recorded_at=china(9)),
    a_report("CUS_REL", china(11), classifier=Classifier.EST, recorded_at=china(9)),
    a_report("CUS_REL", china(12), classifier=Classifier.EST, recorded_at=china(10)),
    a_report("DEPARTED", china(14), recorded_at=china(15)),
)


@given(st.permutations(SEASON), st.integers(1, 24))
@settings(deadline=None)
def test_the_same_reports_in_any_order_give_the_same_state(reports: list[Report], day: int) -> None:
    assert where(*reports, now=china(day)) == where(*SEASON, now=china(day))


# Corrections


def test_a_withdrawal_reopens_its_milestone() -> None:
    at = where(a_report("FAB_IN", china(5)), Withdrawal(recorded_at=china(6), milestone="FAB_IN", corrects=1))

    assert (at.reached, at.open) == ({}, ("FAB_IN",))


def test_a_correction_takes_the_place_of_what_was_wrong() -> None:
    at = where(*UP_TO_SEWING, sewn(3600, 5), sewn(360, 5, recorded_at=china(6), corrects=3))

    assert at.counted["SEW_END"] == 360
    assert at.open == ("SEW_END",)


def test_a_correction_may_itself_be_corrected_and_what_was_wrong_stays_wrong() -> None:
    wrong = a_report("FAB_IN", china(5))
    also_wrong = a_report("FAB_IN", china(7), recorded_at=china(8), corrects=1)

    corrected = where(wrong, also_wrong, a_report("FAB_IN", china(6), recorded_at=china(9), corrects=2))
    withdrawn = where(wrong, also_wrong, Withdrawal(recorded_at=china(9), milestone="FAB_IN", corrects=2))

    assert corrected.reached["FAB_IN"].at == china(6)
    assert withdrawn.open == ("FAB_IN",)


def test_a_corrected_date_does_not_make_an_old_fact_a_new_one() -> None:
    at = where(a_report("FAB_IN", china(5)), a_report("FAB_IN", china(4), recorded_at=china(20), corrects=1))

    assert at.reached["FAB_IN"].at == china(4)
    assert at.reached["FAB_IN"].known_at == china(5)


def test_a_withdrawal_reopens_what_was_only_implied() -> None:
    at = where(a_report("CUT_START", china(5)), Withdrawal(recorded_at=china(6), milestone="CUT_START", corrects=1))

    assert (at.passed, at.open) == (frozenset(), ("FAB_IN",))


def test_a_withdrawal_reopens_an_order_that_was_closed() -> None:
    sailed = an_order_file(None, None, a_report("DEPARTED", china(5)))
    closed = taken(sailed, decide(sailed, china(5)), china(5))
    assert (standing(closed, china(5)).state, closed.closed_as) == (OrderState.CLOSED, OrderState.CLOSED)

    reopened = closed.told(Withdrawal(seq=2, recorded_at=china(6), milestone="DEPARTED", corrects=1))

    assert standing(reopened, china(6)).state is OrderState.OPEN
    assert standing(reopened, china(6)).open == ("FAB_IN",)
    assert reopened.closed_as is None  # so that it can be closed again


# The state


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], OrderState.OPEN),
        ([Hold(recorded_at=china(2))], OrderState.ON_HOLD),
        ([Hold(recorded_at=china(2)), Resume(recorded_at=china(3))], OrderState.OPEN),
        # Two holds are one
        ([Hold(recorded_at=china(2)), Hold(recorded_at=china(3)), Resume(recorded_at=china(4))], OrderState.OPEN),
        # Going on before a hold means nothing
        ([Resume(recorded_at=china(2)), Hold(recorded_at=china(3))], OrderState.ON_HOLD),
        ([Cancellation(recorded_at=china(2))], OrderState.CANCELLED),
        ([Hold(recorded_at=china(2)), Cancellation(recorded_at=china(3))], OrderState.CANCELLED),
        ([Cancellation(recorded_at=china(2)), Followed(recorded_at=china(3))], OrderState.OPEN),
        ([Unfollowed(recorded_at=china(2))], OrderState.NOT_FOLLOWED),
        ([Unfollowed(recorded_at=china(2)), Followed(recorded_at=china(3))], OrderState.OPEN),
        ([Unfollowed(recorded_at=china(2)), Cancellation(recorded_at=china(3))], OrderState.CANCELLED),
        # A hold outlasts not being followed
        (
            [Hold(recorded_at=china(2)), Unfollowed(recorded_at=china(3)), Followed(recorded_at=china(4))],
            OrderState.ON_HOLD,
        ),
        ([a_report("DEPARTED", china(2))], OrderState.CLOSED),
        ([Hold(recorded_at=china(2)), a_report("DEPARTED", china(3))], OrderState.CLOSED),
        ([Unfollowed(recorded_at=china(2)), a_report("DEPARTED", china(3))], OrderState.CLOSED),
        # An order that was called off stays so, whatever is reported afterwards
        ([Cancellation(recorded_at=china(2)), a_report("DEPARTED", china(3))], OrderState.CANCELLED),
        # Only known tomorrow
        ([Cancellation(recorded_at=china(24))], OrderState.OPEN),
    ],
)
def test_the_state_follows_from_the_log(entries: list[Entry], state: OrderState) -> None:
    assert where(*entries).state is state


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([], OrderState.WAITING_FOR_DATE),
        ([Reschedule(recorded_at=china(2), etd=date(2026, 12, 31))], OrderState.OPEN),
        ([Hold(recorded_at=china(2))], OrderState.ON_HOLD),  # on hold without a date: nothing can be due
        ([Hold(recorded_at=china(2)), Resume(recorded_at=china(3))], OrderState.WAITING_FOR_DATE),
        ([Promise(recorded_at=china(2), milestone="FAB_IN", promised=china(9))], OrderState.WAITING_FOR_DATE),
        ([Acknowledgement(recorded_at=china(2), milestone="FAB_IN")], OrderState.WAITING_FOR_DATE),
    ],
)
def test_an_order_without_a_date_waits_for_one(entries: list[Entry], state: OrderState) -> None:
    at = standing(an_order_file(an_order(etd=None), None, *entries), NOW)

    assert at.state is state
    assert at.open == ("FAB_IN",)  # what it waits for is known, only not until when
    assert bool(at.firings) is (state is OrderState.OPEN)


@pytest.mark.parametrize(
    "over", [Cancellation(recorded_at=china(2)), Unfollowed(recorded_at=china(2)), a_report("DEPARTED", china(2))]
)
def test_an_order_that_is_over_or_not_followed_waits_for_nothing(over: Entry) -> None:
    at = where(over)

    assert (at.open, at.firings, at.stalled) == ((), {}, ())


# The stall


def test_a_milestone_cannot_be_late_before_it_could_begin() -> None:
    """The fabric came on Wednesday the 25th, cutting is due on Thursday: a fabric of Friday moves its stall."""
    on_time = where(a_report("FAB_IN", china(25)), now=china(25, 12))
    too_late = where(a_report("FAB_IN", china(30)), now=china(30, 12))

    assert on_time.firings["CUT_START"][0].at == china(27, 9)
    assert too_late.firings["CUT_START"][0].at == china(1, 9, month=12)


def test_what_was_implied_counts_from_what_implied_it() -> None:
    """Trims are passed since cutting began on 27 November; nobody was to begin the belt before."""
    belt = a_milestone("BELT_IN", offset=-38, after=("TRIM_IN",))
    cut = CUTTING.model_copy(update={"after": ("FAB_IN", "TRIM_IN")})
    template = a_template(FABRIC, TRIMS, belt, cut, DEPARTURE.model_copy(update={"after": ("CUT_START", "BELT_IN")}))

    at = standing(an_order_file(None, template, a_report("CUT_START", china(27))), china(27, 12))

    assert at.open == ("BELT_IN",)
    assert at.due["BELT_IN"].date() == date(2026, 11, 23)
    assert at.firings["BELT_IN"][0][:2] == ("L1", china(30, 9))


def test_the_date_that_is_chased_for_is_the_promise_then_the_plan() -> None:
    promised = where(Promise(recorded_at=china(9), milestone="FAB_IN", promised=china(27)))

    assert where().effective_due("FAB_IN") == where().due["FAB_IN"]
    assert promised.effective_due("FAB_IN") == china(27)
    assert standing(an_order_file(an_order(etd=None)), NOW).effective_due("FAB_IN") is None


def test_the_stalled_milestones_are_named_worst_first() -> None:
    at = standing(an_order_file(None, BOTH_IN), china(23, 9))

    assert [(code, at.rung_of(code)) for code in at.stalled] == [("TRIM_IN", "L2"), ("FAB_IN", "L1")]


@pytest.mark.parametrize(
    ("now", "acknowledged"),
    [
        (china(23, 9), False),  # not yet
        (china(23, 11), True),
        (china(25, 23), True),  # Tuesday and Wednesday
        (china(26, 0), False),
    ],
)
def test_an_acknowledgement_is_shown_while_it_rests_the_climb(now: datetime, acknowledged: bool) -> None:
    at = where(Acknowledgement(recorded_at=china(23, 10), milestone="FAB_IN"), now=now)
    until = an_order_file().calendar.end_of(date(2026, 11, 25))

    assert at.acknowledged == ({"FAB_IN": until} if acknowledged else {})


@pytest.mark.parametrize(
    "entry",
    [
        lambda note: a_report("FAB_IN", china(5), note=note, classifier=Classifier.EST),
        lambda note: Acknowledgement(recorded_at=china(5), milestone="FAB_IN", note=note),
    ],
)
def test_the_last_note_is_kept_by_milestone(entry: Callable[[str], Entry]) -> None:
    at = where(entry("first"), entry("last"), entry(""), Hold(recorded_at=china(6), note="strike"))

    assert (at.notes["FAB_IN"].note, at.notes[""].note) == ("last", "strike")


def test_the_state_of_a_moment_does_not_change_with_what_is_told_later() -> None:
    before = where(a_report("FAB_IN", china(5)), now=china(6))
    after = where(a_report("FAB_IN", china(5)), a_report("CUT_START", china(9)), now=china(6))

    assert after.next_entry_at == china(9)
    assert {**vars(after), "next_entry_at": None} == vars(before)


def test_a_file_is_the_same_value_when_nothing_is_told() -> None:
    file: OrderFile = an_order_file()

    assert file.told() == file
    assert standing(file, NOW) == standing(file, NOW + timedelta())
