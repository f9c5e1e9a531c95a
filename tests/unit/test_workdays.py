"""Working days: the calendars of the library, and what is counted on them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays
import pytest

from models.names import Name
from models.workdays import Calendar
from tasks.library import load_library

CALENDARS = load_library().calendars
OFFICE, FACTORY = CALENDARS["cn-office"], CALENDARS["cn-factory"]
SHANGHAI = ZoneInfo("Asia/Shanghai")


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


@pytest.mark.parametrize("year", range(2007, 2027))
def test_the_office_works_on_the_days_of_the_state_councils_notices(year: int) -> None:
    differing = [day for day in days_of(year) if OFFICE.is_workday(day) != chinese_calendar.is_workday(day)]

    assert differing == []


@pytest.mark.parametrize("year", range(2007, 2027))
def test_the_factory_also_works_on_saturdays_that_are_no_holiday(year: int) -> None:
    for day in days_of(year):
        if FACTORY.is_workday(day) != OFFICE.is_workday(day):
            assert day.isoweekday() == 6
            assert FACTORY.is_workday(day)
            assert day not in OFFICE.holidays


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 1, 4), True),  # Sunday, made up for New Year
        (date(2026, 2, 14), True),  # Saturday before Spring Festival
        (date(2026, 2, 15), False),  # its first day
        (date(2026, 2, 23), False),  # its last day, a Monday
        (date(2026, 2, 28), True),  # Saturday after it
        (date(2026, 5, 9), True),  # Saturday after Labour Day
        (date(2026, 9, 20), True),  # Sunday before Mid-Autumn
        (date(2026, 9, 25), False),  # Mid-Autumn, a Friday
        (date(2026, 10, 7), False),  # last of the National Day week
        (date(2026, 10, 10), True),  # Saturday after it
        (date(2026, 10, 11), False),  # an ordinary Sunday
    ],
)
@pytest.mark.parametrize("code", ["cn-office", "cn-factory"])
def test_make_up_days_are_worked_and_holidays_are_not(code: str, day: date, worked: bool) -> None:
    assert CALENDARS[code].is_workday(day) is worked


def test_a_year_without_a_notice_is_provisional() -> None:
    assert OFFICE.is_provisional(date(2027, 1, 4))
    assert FACTORY.is_provisional(date(2027, 1, 4))
    assert not OFFICE.is_provisional(date(2026, 12, 31))
    assert not CALENDARS["every-day"].is_provisional(date(2031, 1, 1))
    assert not CALENDARS["mon-fri"].is_provisional(date(2031, 1, 1))


def test_the_estimate_for_2027_is_the_statutory_days() -> None:
    statutory = {
        day
        for day, name in holidays.country_holidays("CN", years=2027, language="en_US").items()
        if "observed" not in name
    }

    assert {day for day in OFFICE.holidays if day.year == 2027} == statutory
    assert {day for day in OFFICE.workdays if day.year == 2027} == set()


def test_carriers_and_customs_work_every_day() -> None:
    assert all(CALENDARS["every-day"].is_workday(day) for day in days_of(2026))


def test_buyers_abroad_work_from_monday_to_friday_whatever_is_celebrated_in_china() -> None:
    assert all(CALENDARS["mon-fri"].is_workday(day) == (day.isoweekday() <= 5) for day in days_of(2026))


@pytest.mark.parametrize(
    ("day", "moved"),
    [
        (date(2026, 9, 30), date(2026, 9, 30)),  # worked: stays
        (date(2026, 10, 1), date(2026, 9, 30)),
        (date(2026, 10, 7), date(2026, 9, 30)),  # back over the whole holiday
        (date(2026, 10, 11), date(2026, 10, 10)),  # Sunday, back to a make-up Saturday
        (date(2026, 9, 27), date(2026, 9, 24)),  # back over Mid-Autumn
    ],
)
def test_a_deadline_moves_back_to_a_day_that_is_worked(day: date, moved: date) -> None:
    assert OFFICE.on_or_before(day) == moved


@pytest.mark.parametrize(
    ("after", "until", "days"),
    [
        (date(2026, 9, 30), date(2026, 10, 8), 1),  # nothing in the holiday counts
        (date(2026, 9, 30), date(2026, 10, 12), 4),  # 8, 9, make-up Saturday 10, Monday 12
        (date(2026, 9, 18), date(2026, 9, 21), 2),  # make-up Sunday 20 and Monday
        (date(2026, 10, 9), date(2026, 10, 9), 0),  # the day itself is not after itself
        (date(2026, 10, 9), date(2026, 10, 1), 0),  # backwards there is nothing
    ],
)
def test_working_days_are_counted_after_a_day_up_to_another(after: date, until: date, days: int) -> None:
    assert OFFICE.count_workdays(after, until) == days


def test_counting_agrees_with_walking() -> None:
    start = date(2026, 1, 1)

    for n, day in enumerate(islice(OFFICE.workdays_after(start), 300), start=1):
        assert OFFICE.count_workdays(start, day) == n


@pytest.mark.parametrize(
    ("instant", "moment"),
    [
        # 10:00 on a Friday: open
        (datetime(2026, 10, 9, 10, tzinfo=SHANGHAI), datetime(2026, 10, 9, 10, tzinfo=SHANGHAI)),
        # 07:30: two hours early
        (datetime(2026, 10, 9, 7, 30, tzinfo=SHANGHAI), datetime(2026, 10, 9, 9, tzinfo=SHANGHAI)),
        # 18:00: closed for the day, and tomorrow is a make-up Saturday
        (datetime(2026, 10, 9, 18, tzinfo=SHANGHAI), datetime(2026, 10, 10, 9, tzinfo=SHANGHAI)),
        # in the middle of the holiday
        (datetime(2026, 10, 3, 12, tzinfo=SHANGHAI), datetime(2026, 10, 8, 9, tzinfo=SHANGHAI)),
        # 23:30 UTC on Thursday is 07:30 on Friday in Shanghai
        (datetime(2026, 10, 8, 23, 30, tzinfo=UTC), datetime(2026, 10, 9, 9, tzinfo=SHANGHAI)),
    ],
)
def test_the_next_working_moment_is_now_or_the_next_opening(instant: datetime, moment: datetime) -> None:
    assert OFFICE.next_working_moment(instant) == moment


def test_a_day_ends_with_its_last_second_in_the_calendars_zone() -> None:
    assert OFFICE.end_of(date(2026, 11, 23)) == datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)
    assert OFFICE.opening(date(2026, 11, 23)) == datetime(2026, 11, 23, 1, tzinfo=UTC)


def test_a_date_is_that_of_the_calendars_wall() -> None:
    assert OFFICE.local_date(datetime(2026, 11, 23, 16, tzinfo=UTC)) == date(2026, 11, 24)


def test_a_day_on_which_the_clocks_change_still_ends_at_its_last_second() -> None:
    berlin = Calendar(code="de", name=Name(en="de", zh_hans="de", zh_hant="de"), zone="Europe/Berlin")

    assert berlin.end_of(date(2026, 3, 29)) - berlin.end_of(date(2026, 3, 28)) == timedelta(days=1)
    assert berlin.end_of(date(2026, 3, 29)).astimezone(UTC) == datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)
