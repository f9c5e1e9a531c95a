"""Working time: when work of so many days ends, and how late it can begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, inf, nan
from typing import Any

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendars.workdays import Calendar
from tasks.library import load_library
from tests.factories import a_calendar, china

LIBRARY = load_library().calendars
OFFICE, FACTORY = LIBRARY["cn-office"], LIBRARY["cn-factory"]
ONE_DAY, ONE_SECOND = timedelta(days=1), timedelta(seconds=1)
FIRST = date(2026, 1, 1)

# Their clocks change at two or three, by half an hour, at midnight, and never.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "America/Nuuk",
    "Asia/Shanghai",
    "Asia/Kolkata",
)

some_day = st.integers(0, 3 * 365).map(lambda n: FIRST + n * ONE_DAY)
instants = st.integers(0, 3 * 365 * 86400).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + n * ONE_SECOND)
working_days = st.one_of(
    st.integers(0, 60), st.integers(0, 6000).map(lambda n: n / 100), st.floats(0, 60, allow_subnormal=False)
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Draw a calendar with holidays, weeks that are closed, make-up days, slow days and a clock of its own."""
    closed = [
        first + n * ONE_DAY
        for first, length in draw(st.lists(st.tuples(some_day, st.integers(1, 40)), max_size=6))
        for n in range(length)
    ]
    slow = draw(st.lists(st.tuples(some_day, st.integers(1, 60), st.integers(1, 100)), max_size=5))
    fields: dict[str, Any] = {
        "zone": draw(st.sampled_from(ZONES)),
        "weekend": draw(st.frozensets(st.integers(1, 7), max_size=3)),
        "holidays": frozenset(closed),
        "workdays": draw(st.frozensets(some_day, max_size=20)),
        "capacity": {first + n * ONE_DAY: factor / 100 for first, length, factor in slow for n in range(length)},
    }
    return a_calendar(**fields)


def in_every_zone(instant: datetime, calendar: Calendar) -> datetime:
    """Return the same instant on the wall of `calendar`."""
    return instant.astimezone(calendar.tz)


def same(one: datetime, other: datetime) -> bool:
    """Compare instants: two times on one wall are compared by what the wall shows."""
    return one.astimezone(UTC) == other.astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "days", "finish"),
    [
        (china(20, 10), 0, china(20, 10)),  # nothing to do: at once
        (china(20, 10), 1, china(23, 23, 59)),  # Friday: the first day is Monday
        (china(20, 23, 59), 1, china(23, 23, 59)),  # late on Friday: the same
        (china(21, 10), 1, china(23, 23, 59)),  # Saturday: the same
        (china(20, 10), 5, china(27, 23, 59)),
        (china(20, 10), 5.5, china(30, 23, 59)),  # the sixth day, a Monday, to the end
        (china(20, 10), 0.01, china(23, 23, 59)),
    ],
)
def test_work_ends_with_the_day_up_to_which_its_days_are_counted(
    start: datetime, days: float, finish: datetime
) -> None:
    assert a_calendar().finish(start, days).replace(second=0) == finish


@pytest.mark.parametrize(
    ("finish", "days", "start"),
    [
        (china(27, 23, 59), 0, china(27, 23, 59)),
        (a_calendar().end_of(date(2026, 11, 27)), 1, a_calendar().end_of(date(2026, 11, 26))),
        # a second too early for Friday to count: Thursday is the last day
        (china(27, 23, 59), 1, a_calendar().end_of(date(2026, 11, 25))),
        (a_calendar().end_of(date(2026, 11, 27)), 5, a_calendar().end_of(date(2026, 11, 22))),  # all of the weekend
        (china(29, 12), 5, a_calendar().end_of(date(2026, 11, 22))),  # due on a Sunday: Friday is the last day
        (a_calendar().end_of(date(2026, 11, 27)), 4.5, a_calendar().end_of(date(2026, 11, 22))),
    ],
)
def test_work_that_ends_by_an_instant_begins_by_the_end_of_the_day_before_its_first(
    finish: datetime, days: float, start: datetime
) -> None:
    assert a_calendar().latest_start(finish, days) == start


def test_national_day_is_no_time_to_work() -> None:
    assert OFFICE.finish(china(30, month=9), 3) == OFFICE.end_of(date(2026, 10, 10))  # 8, 9 and the make-up Saturday
    assert OFFICE.latest_start(OFFICE.end_of(date(2026, 10, 10)), 3) == OFFICE.end_of(date(2026, 10, 7))


def test_five_days_at_half_strength_take_ten() -> None:
    slow = a_calendar(capacity={date(2026, 11, 1) + n * ONE_DAY: 0.5 for n in range(40)})

    assert slow.finish(china(13), 5) == a_calendar().finish(china(13), 10) == slow.end_of(date(2026, 11, 27))
    assert slow.latest_start(slow.end_of(date(2026, 11, 27)), 5) == slow.end_of(date(2026, 11, 15))


def test_ten_days_at_a_third_and_a_bit_are_summed_exactly() -> None:
    slow = a_calendar(capacity={date(2026, 11, 2) + n * ONE_DAY: 0.07 for n in range(60)})

    assert slow.finish(china(1), 0.7) == slow.end_of(date(2026, 11, 13))  # ten working days, not eleven


def test_a_slow_day_on_which_nobody_works_counts_nothing() -> None:
    calendar = a_calendar(capacity={date(2026, 11, 21): 0.5, date(2026, 11, 22): 0.5})

    assert calendar.finish(china(20), 1) == calendar.end_of(date(2026, 11, 23))


def test_the_week_in_bangladesh_ends_on_thursday() -> None:
    dhaka = LIBRARY["bd-factory"]
    wednesday = datetime(2026, 11, 18, 12, tzinfo=dhaka.tz)

    assert dhaka.finish(wednesday, 2) == dhaka.end_of(date(2026, 11, 21))  # Thursday and Saturday
    assert not dhaka.is_workday(date(2026, 11, 20))
    assert dhaka.is_workday(date(2026, 11, 22))  # Sunday


def test_work_stands_still_while_the_factory_is_closed_around_the_spring_festival_and_is_slow_after_it() -> None:
    end_of_january = FACTORY.end_of(date(2027, 1, 29))  # the Friday before it closes

    assert FACTORY.finish(end_of_january, 1) == FACTORY.end_of(date(2027, 2, 18))  # two days at 0.6


@given(calendars(), instants, working_days)
def test_work_ends_when_the_capacity_of_the_days_after_its_start_adds_up(
    calendar: Calendar, start: datetime, days: float
) -> None:
    wanted = ceil(round(days * 100, 6))
    day = calendar.local_date(start)
    done = Fraction(0)
    while done < wanted:
        day += ONE_DAY
        done += calendar.is_workday(day) * round(calendar.capacity.get(day, 1) * 100)

    expected = calendar.end_of(day) if wanted else start
    assert same(calendar.finish(start, days), expected)


@given(calendars(), calendars(), calendars(), instants, instants, working_days)
def test_work_ends_by_an_instant_exactly_when_it_begins_by_its_latest_start(
    calendar: Calendar, here: Calendar, there: Calendar, x: datetime, y: datetime, days: float
) -> None:
    start, finish = in_every_zone(x, here), in_every_zone(y, there)

    in_time = calendar.finish(start, days).astimezone(UTC) <= y
    early_enough = x <= calendar.latest_start(finish, days).astimezone(UTC)
    assert in_time == early_enough


@given(calendars(), instants, st.integers(1, 6000).map(lambda n: n / 100))
def test_a_second_after_the_latest_start_is_too_late(calendar: Calendar, y: datetime, days: float) -> None:
    latest = calendar.latest_start(y, days).astimezone(UTC)

    assert calendar.finish(latest, days).astimezone(UTC) <= y
    assert calendar.finish(latest + ONE_SECOND, days).astimezone(UTC) > y


@given(calendars(), instants, working_days, working_days)
def test_more_work_never_ends_earlier_and_never_begins_later(
    calendar: Calendar, instant: datetime, days: float, more: float
) -> None:
    less, much = sorted((days, more))

    assert calendar.finish(instant, less).astimezone(UTC) <= calendar.finish(instant, much).astimezone(UTC)
    assert calendar.latest_start(instant, less).astimezone(UTC) >= calendar.latest_start(instant, much).astimezone(UTC)


@given(calendars(), some_day, some_day)
def test_whole_days_are_counted_forwards_and_backwards_alike(calendar: Calendar, one: date, other: date) -> None:
    after, until = sorted((one, other))
    whole = calendar.model_validate({**dict(calendar), "capacity": {}})

    days = whole.count_workdays(after, until)

    assert days == sum(whole.is_workday(after + n * ONE_DAY) for n in range(1, (until - after).days + 1))
    if days:
        last = whole.on_or_before(until)
        assert whole.finish(whole.end_of(after), days) == whole.end_of(last)
        assert whole.latest_start(whole.end_of(until), days) >= whole.end_of(after)


@given(st.dates(date(2007, 1, 1), date(2026, 6, 30)), st.integers(1, 100))
def test_an_offices_work_ends_when_the_notices_say_so(start: date, days: int) -> None:
    day, done = start, 0
    while done < days:
        day += ONE_DAY
        done += chinese_calendar.is_workday(day)

    assert OFFICE.finish(OFFICE.opening(start), days) == OFFICE.end_of(day)


@given(st.dates(date(2007, 6, 1), date(2026, 12, 31)), st.integers(1, 100))
def test_an_offices_work_begins_as_late_as_the_notices_allow(finish: date, days: int) -> None:
    day, left = finish + ONE_DAY, days
    while left:
        day -= ONE_DAY
        left -= chinese_calendar.is_workday(day)

    assert OFFICE.latest_start(OFFICE.end_of(finish), days) == OFFICE.end_of(day - ONE_DAY)


@pytest.mark.parametrize("days", [-1, -0.01, nan, inf, -inf, 1e308])
def test_days_are_a_number_of_nought_or_more(days: float) -> None:
    with pytest.raises(ValueError, match="working days are a number of 0 or more"):
        OFFICE.finish(china(1), days)
    with pytest.raises(ValueError, match="working days are a number of 0 or more"):
        OFFICE.latest_start(china(1), days)


def test_a_calendar_that_is_closed_for_years_says_so_and_does_not_search_for_ever() -> None:
    gone = a_calendar().with_closed(date(2025, 1, 1), date(2036, 12, 31))

    with pytest.raises(ValueError, match="calendar office has not enough working days after 2026-11-01"):
        gone.finish(china(1), 1)
    with pytest.raises(ValueError, match="not enough working days before"):
        gone.latest_start(datetime(2035, 1, 1, tzinfo=UTC), 2)
    with pytest.raises(ValueError, match="not enough working days before"):
        gone.on_or_before(date(2035, 1, 1))
    with pytest.raises(ValueError, match="not enough working days after"):
        next(gone.workdays_after(date(2026, 1, 1)))
    with pytest.raises(ValueError, match="not enough working days after"):
        OFFICE.finish(china(1), 3_000_000)  # beyond the last year there is


def test_a_year_off_is_only_skipped() -> None:
    away = a_calendar().with_closed(date(2027, 1, 1), date(2029, 12, 31))

    assert away.finish(china(31, month=12), 1) == away.end_of(date(2030, 1, 1))
    assert away.latest_start(away.end_of(date(2030, 1, 1)), 2) == away.end_of(date(2026, 12, 30))


@pytest.mark.parametrize("factor", [0, -0.5, 1.01, 0.333, nan])
def test_a_factor_is_a_share_of_a_day_in_hundredths(factor: float) -> None:
    with pytest.raises(ValueError, match="capacity"):
        a_calendar(capacity={date(2026, 11, 2): factor})
