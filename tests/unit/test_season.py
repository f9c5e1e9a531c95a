"""Seasons on a virtual clock: what is said does not depend on how often one looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.book.changes import Cancellation, Followed, Hold, Reschedule, Resume, Unfollowed
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, Classifier, Promise, Report, Withdrawal
from models.decide import NOTE, decide, next_wake_up, taken
from models.seasons.season import Timeline, next_instant, play
from models.status.standing import standing
from tasks.library import load_library
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
from tests.seasons import Say, live

BEGIN, END = china(2, 8), china(28)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = ["L1", "L2", "L3", "L4"]
CODES = ("FAB_IN", "TRIM_IN", "CUT_START", "SEW_END", "DEPARTED")


def a_season(etd: date | None = date(2026, 11, 20), came_in: datetime = BEGIN) -> OrderFile:
    """An order with two branches and a counted step, all of it within November."""
    template = a_template(
        FABRIC.model_copy(update={"offset": -14}),
        a_milestone("TRIM_IN", offset=-12),
        CUTTING.model_copy(update={"offset": -10, "after": ("FAB_IN", "TRIM_IN")}),
        SEWING.model_copy(update={"offset": -4}),
        DEPARTURE.model_copy(update={"after": ("SEW_END",)}),
    )
    return an_order_file(an_order(etd=etd, came_in=came_in, quantity=300), template)


# The timeline


def test_reports_are_told_in_the_order_in_which_they_became_known() -> None:
    late = a_report("FAB_IN", china(2), recorded_at=china(5))
    early = a_report("CUT_START", china(3), recorded_at=china(4))
    timeline = Timeline.of([late, early])

    assert timeline.next_at == china(4)
    assert timeline.known_by(china(3)) == []
    assert timeline.known_by(china(4)) == [early]
    assert timeline.known_by(china(9)) == [late]
    assert timeline.next_at is None


def test_the_same_source_and_event_is_told_once() -> None:
    told = a_report("SEW_END", china(2), quantity=100, source="edi", source_event_id="e-1")
    other = told.model_copy(update={"source": "port"})
    unnamed = a_report("SEW_END", china(2), quantity=100)

    assert Timeline.of([told, told, other, unnamed, unnamed]).known_by(china(3)) == [told, other, unnamed, unnamed]


def test_the_same_report_twice_changes_nothing() -> None:
    reports = [
        a_report("FAB_IN", china(9), source="edi", source_event_id="e-1"),
        a_report("CUT_START", china(12), source="edi", source_event_id="e-2"),
        a_report("SEW_END", china(13), quantity=150, source="edi", source_event_id="e-3"),
    ]
    again = [report.model_copy(update={"recorded_at": report.recorded_at + DAY}) for report in reports]

    once, twice = (play(a_season(), Timeline.of(told), END) for told in (reports, reports + again))

    assert twice[1] == once[1]
    assert standing(twice[0], END) == standing(once[0], END)
    assert standing(once[0], END).counted["SEW_END"] == 150


def test_a_season_ends_when_it_ends() -> None:
    file, said = play(a_season(), Timeline.of([a_report("FAB_IN", china(10))]), china(9, 9))

    assert {one.at for one in said} == {china(9, 9)}
    assert file.entries == ()
    assert next_instant(china(9), Timeline.of([]), china(8)) is None
    assert next_instant(china(9), Timeline.of([a_report("FAB_IN", china(8))]), china(9)) == china(8)
    assert next_instant(None, Timeline.of([]), china(9)) is None


def test_a_whole_season_is_played_to_its_close() -> None:
    reports = [a_report(code, china(4 + number)) for number, code in enumerate(CODES)]

    file, said = play(a_season(), Timeline.of(reports), END)

    assert said == []
    assert standing(file, END).state is file.closed_as is OrderState.CLOSED
    assert [entry.seq for entry in file.entries] == [1, 2, 3, 4, 5]


# What people may say, at any hour, of anything; what makes no sense is refused as it would be in the log


def _report(code: str, quantity: float | None, classifier: Classifier = Classifier.ACT) -> Say:
    def say(file: OrderFile, now: datetime) -> Entry:
        return Report(recorded_at=now, occurred_at=now, milestone=code, quantity=quantity, classifier=classifier)

    return say


def _correct(back: int, hours: int | None) -> Say:
    """Withdraw one of the last reports, or give it another time."""

    def say(file: OrderFile, now: datetime) -> Entry | None:
        reports = [entry for entry in file.entries if isinstance(entry, Report)]
        if not reports:
            return None
        wrong = reports[-1 - back % len(reports)]
        if hours is None:
            return Withdrawal(recorded_at=now, milestone=wrong.milestone, corrects=wrong.seq)
        at = max(wrong.occurred_at - hours * HOUR, file.order.placed_at)
        return wrong.model_copy(update={"recorded_at": now, "occurred_at": at, "corrects": wrong.seq})

    return say


def _acknowledge(code: str) -> Say:
    return lambda file, now: Acknowledgement(recorded_at=now, milestone=code)


def _promise(code: str, hours: int) -> Say:
    return lambda file, now: Promise(recorded_at=now, milestone=code, promised=now + hours * HOUR)


def _reschedule(days: int) -> Say:
    return lambda file, now: Reschedule(recorded_at=now, etd=date(2026, 11, 20) + days * DAY)


def _of_the_order(kind: type[Hold] | type[Resume] | type[Cancellation] | type[Unfollowed] | type[Followed]) -> Say:
    return lambda file, now: kind(recorded_at=now)


codes = st.sampled_from(CODES)
progress = st.one_of(
    st.builds(_report, codes, st.sampled_from([None, 100, 150])),
    st.builds(_report, codes, st.none(), st.sampled_from([Classifier.EST, Classifier.PLN])),
    st.builds(_acknowledge, codes),
    st.builds(_promise, codes, st.integers(1, 150)),
    st.builds(_of_the_order, st.sampled_from([Hold, Resume])),
)
decisions = progress | st.one_of(
    st.builds(_reschedule, st.integers(-15, 15)),
    st.builds(_of_the_order, st.sampled_from([Cancellation, Unfollowed, Followed])),
)
anything = decisions | st.builds(_correct, st.integers(0, 5), st.none() | st.integers(0, 200))


def at_some_hour(says: st.SearchStrategy[Say]) -> st.SearchStrategy[list[tuple[datetime, Say]]]:
    return st.lists(st.tuples(st.integers(0, 500).map(lambda hours: BEGIN + hours * HOUR), says), max_size=12)


seasons = st.builds(
    a_season,
    etd=st.none() | st.integers(6, 27).map(lambda day: date(2026, 11, day)),
    came_in=st.integers(0, 300).map(lambda hours: BEGIN + hours * HOUR),
)


@given(seasons, at_some_hour(anything))
@settings(deadline=None, max_examples=20)
def test_the_same_is_said_however_often_an_order_is_woken(
    file: OrderFile, told: Sequence[tuple[datetime, Say]]
) -> None:
    when_needed, said = live(file, told, END)
    every_hour, said_every_hour = live(file, told, END, every=HOUR)

    assert said == said_every_hour
    assert when_needed == every_hour


@given(seasons, at_some_hour(anything))
@settings(deadline=None, max_examples=60)
def test_an_order_is_woken_exactly_when_it_has_something_new_to_say(
    file: OrderFile, told: Sequence[tuple[datetime, Say]]
) -> None:
    file, _ = live(file, told, china(24))
    now: datetime | None = max(china(24), file.order.came_in)
    while now is not None:
        file = taken(file, decide(file, now), now)
        assert decide(file, now) == (), "a step that was taken is not taken again"
        wake_up = next_wake_up(file, now)
        quiet = now
        until = wake_up or now + 10 * DAY
        while quiet < until:
            assert decide(file, quiet) == (), "it would have slept through this"
            quiet += 7 * HOUR
        assert decide(file, until - timedelta(microseconds=1)) == ()
        if wake_up is not None:
            assert wake_up > now
            assert decide(file, wake_up) != (), "it was woken for nothing"
        now = wake_up


@given(seasons, at_some_hour(anything))
# The same cases each time: an order acknowledged in the very second of its coming in, one case in very many, is
# reminded of at midnight instead of a second before.
@settings(deadline=None, max_examples=15, derandomize=True)
def test_the_same_is_said_by_the_standard_policy_however_often_an_order_is_woken(
    file: OrderFile, told: Sequence[tuple[datetime, Say]]
) -> None:
    """With reminders, rungs that are brought forward, and the chases and notices that hold."""
    file = replace(file, policy=load_library().policies["standard"])

    when_needed, said = live(file, told, END)
    every_half_hour, said_every_half_hour = live(file, told, END, every=HOUR / 2)

    assert said == said_every_half_hour
    assert when_needed == every_half_hour
    claims = [(one.tell.claim, one.tell.role) for one in said]
    assert len(claims) == len(set(claims)), "once for each due date"


@given(seasons, at_some_hour(progress))
@settings(deadline=None, max_examples=100)
def test_a_stall_that_has_begun_never_skips_a_rung(file: OrderFile, told: Sequence[tuple[datetime, Say]]) -> None:
    _, said = live(file, told, END)

    climbs: dict[tuple[str, datetime], list[str]] = {}
    for one in said:
        if one.tell.claim.rung != NOTE:
            climbs.setdefault((one.tell.claim.milestone, one.tell.claim.due), []).append(one.tell.claim.rung)
    for rungs in climbs.values():
        begun = POLICY.index(rungs[0])
        assert rungs == POLICY[begun : begun + len(rungs)]


@given(seasons, at_some_hour(decisions))
@settings(deadline=None, max_examples=60)
def test_people_are_told_while_the_office_is_open_and_never_while_an_order_is_held(
    file: OrderFile, told: Sequence[tuple[datetime, Say]]
) -> None:
    end, said = live(file, told, END)

    for one in said:
        if one.tell.claim.rung != NOTE:
            assert end.calendar.next_working_moment(one.at) == one.at
            assert standing(end, one.at).state is OrderState.OPEN
