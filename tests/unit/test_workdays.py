"""Working days: the calendars of the library, and what is counted on them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from models.calendars.workdays import Calendar
from models.names import Name
from tasks.library import load_library
from tasks.statutory import lunar_new_year
from tests.factories import a_calendar

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
def test_the_factory_also_works_on_saturdays_and_closes_for_longer_around_the_spring_festival(year: int) -> None:
    around = range(-7, 10 + 1)

    for day in days_of(year):
        if (day - lunar_new_year(year)).days in around:
            assert not FACTORY.is_workday(day)
        elif FACTORY.is_workday(day) != OFFICE.is_workday(day):
            assert day.isoweekday() == 6
            assert FACTORY.is_workday(day)
            assert day not in OFFICE.holidays


def test_the_factory_is_slow_before_it_closes_and_after_it_opens() -> None:
    factors = {day: factor for day, factor in FACTORY.capacity.items() if day.year == 2027}

    assert {day: factors.get(day) for day in (date(2027, 1, 22), date(2027, 1, 23), date(2027, 1, 29))} == {
        date(2027, 1, 22): None,
        date(2027, 1, 23): 0.8,
        date(2027, 1, 29): 0.8,
    }
    assert [day for day, factor in factors.items() if factor == 0.6] == [
        date(2027, 2, 17) + timedelta(days=n) for n in range(7)
    ]
    assert max(factors) == date(2027, 3, 2)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 1, 4), True),  # Sunday, made up for New Year
        (date(2026, 2, 15), False),  # first day of the Spring Festival
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


def test_a_make_up_day_is_not_worked_where_the_factory_is_closed() -> None:
    saturday_before_the_festival = date(2026, 2, 14)

    assert OFFICE.is_workday(saturday_before_the_festival)
    assert not FACTORY.is_workday(saturday_before_the_festival)


def test_a_year_without_a_notice_is_provisional() -> None:
    assert OFFICE.is_provisional(date(2027, 1, 4))
    assert FACTORY.is_provisional(date(2027, 1, 4))
    assert not OFFICE.is_provisional(date(2026, 12, 31))
    assert not CALENDARS["every-day"].is_provisional(date(2031, 1, 1))
    assert not CALENDARS["mon-fri"].is_provisional(date(2031, 1, 1))


@pytest.mark.parametrize(
    ("first", "last", "estimated"),
    [
        (date(2026, 11, 23), date(2026, 12, 31), False),
        (date(2026, 11, 23), date(2027, 1, 1), True),
        (date(2027, 2, 1), date(2027, 2, 1), True),
        (date(2006, 12, 31), date(2007, 1, 1), True),  # older than the first notice
        (date(2007, 1, 1), date(2026, 12, 31), False),
        (date(2006, 1, 1), date(2030, 12, 31), True),
    ],
)
def test_a_span_rests_on_an_estimate_when_one_of_its_days_does(first: date, last: date, estimated: bool) -> None:
    assert OFFICE.rests_on_estimate(first, last) is estimated
    assert not CALENDARS["port"].rests_on_estimate(first, last)


def test_estimates_count_in_years_without_a_list_only() -> None:
    friday, next_friday = date(2027, 2, 5), date(2026, 2, 6)
    office = a_calendar(estimated=frozenset({friday, next_friday}), published=frozenset({2026}))

    assert not office.is_workday(friday)
    assert office.is_workday(next_friday)
    assert a_calendar(estimated=frozenset({friday})).is_workday(friday)  # needs no list, so nothing is estimated


def test_a_day_that_is_said_to_be_worked_is_worked_whatever_the_estimate() -> None:
    friday = date(2027, 2, 5)

    office = a_calendar(estimated=frozenset({friday}), workdays=frozenset({friday}), published=frozenset())

    assert office.is_workday(friday)


NOTICE = {
    "holidays": [date(2027, 2, n) for n in range(5, 12)],
    "workdays": [date(2027, 1, 31), date(2027, 2, 14)],
}
"""As it might read: a week off, and two Sundays worked for it."""


def test_the_notice_of_a_year_takes_the_place_of_its_estimate() -> None:
    loaded = OFFICE.with_list(2027, **NOTICE)

    assert OFFICE.is_workday(date(2027, 2, 11))
    assert not loaded.is_workday(date(2027, 2, 11))
    assert not OFFICE.is_workday(date(2027, 2, 14))
    assert loaded.is_workday(date(2027, 2, 14))
    assert not OFFICE.is_workday(date(2027, 4, 5))
    assert loaded.is_workday(date(2027, 4, 5))  # Qingming was an estimate, and the notice says nothing of it
    assert not loaded.is_provisional(date(2027, 2, 11))
    assert loaded.is_provisional(date(2028, 1, 1))
    assert not loaded.is_workday(date(2028, 1, 26))  # the next year is estimated still


def test_what_a_factory_says_of_its_own_days_wins_over_the_notice() -> None:
    factory = FACTORY.with_list(2027, **NOTICE)

    assert not factory.is_workday(date(2027, 1, 31))  # closed: nobody makes up a Sunday
    assert not factory.is_workday(date(2027, 2, 14))
    busy = a_calendar(workdays=frozenset({date(2027, 2, 5)}), published=frozenset({2026}))
    assert busy.with_list(2027, **NOTICE).is_workday(date(2027, 2, 5))


def test_a_notice_counts_in_what_was_counted_before() -> None:
    office = a_calendar(published=frozenset({2026}))
    week = date(2027, 1, 31), date(2027, 2, 7)
    assert office.count_workdays(*week) == 5

    loaded = office.with_list(2027, **NOTICE)

    assert loaded.count_workdays(*week) == 4  # without Friday the 5th
    assert office.count_workdays(*week) == 5


def test_a_notice_that_leaves_out_a_year_is_refused() -> None:
    with pytest.raises(ValueError, match="the list of 2028 leaves out 2027: load the list of 2027 first"):
        OFFICE.with_list(2028, [date(2028, 1, 3)], [])


def test_a_notice_that_says_two_things_of_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="2027-02-07 stands under the holidays and under the working days of 2027"):
        OFFICE.with_list(2027, NOTICE["holidays"], [date(2027, 2, 14), date(2027, 2, 7)])


def test_a_calendar_that_needs_no_list_needs_none_afterwards() -> None:
    assert CALENDARS["mon-fri"].with_list(2027, **NOTICE).published is None


def test_a_factory_that_closes_works_on_none_of_these_days() -> None:
    closed = FACTORY.with_closed(date(2026, 9, 18), date(2026, 9, 21))

    assert FACTORY.count_workdays(date(2026, 9, 17), date(2026, 9, 21)) == 4  # Sunday the 20th is made up
    assert closed.count_workdays(date(2026, 9, 17), date(2026, 9, 21)) == 0
    assert closed.is_workday(date(2026, 9, 17))
    assert closed.is_workday(date(2026, 9, 22))


def test_a_factory_closes_for_one_day_or_more() -> None:
    assert not FACTORY.with_closed(date(2026, 9, 21), date(2026, 9, 21)).is_workday(date(2026, 9, 21))
    with pytest.raises(ValueError, match="closed from 2026-09-21 until 2026-09-20"):
        FACTORY.with_closed(date(2026, 9, 21), date(2026, 9, 20))


@pytest.mark.parametrize("code", ["every-day", "port"])
def test_carriers_and_ports_work_every_day(code: str) -> None:
    assert all(CALENDARS[code].is_workday(day) for day in days_of(2026))


@pytest.mark.parametrize("code", ["cn-bank", "cn-customs"])
def test_banks_and_customs_desks_keep_the_days_of_offices(code: str) -> None:
    differing = [
        day for day in days_of(2026) + days_of(2027) if CALENDARS[code].is_workday(day) != OFFICE.is_workday(day)
    ]

    assert differing == []


def test_a_factory_in_bangladesh_is_closed_on_fridays_and_works_on_saturdays_and_sundays() -> None:
    factory = CALENDARS["bd-factory"]
    worked = {day.isoweekday() for day in days_of(2026) if factory.is_workday(day)}

    assert worked == {6, 7, 1, 2, 3, 4}
    assert not factory.is_workday(date(2026, 12, 16))  # Victory Day, a Wednesday


@pytest.mark.parametrize(
    ("code", "zone", "off", "what"),
    [
        ("us-office", "America/New_York", date(2026, 11, 26), "Thanksgiving"),
        ("us-office", "America/New_York", date(2028, 7, 4), "Independence Day"),
        ("uk-office", "Europe/London", date(2026, 8, 31), "the bank holiday in August"),
        ("uk-office", "Europe/London", date(2026, 12, 28), "Boxing Day, made up for"),
        ("de-office", "Europe/Berlin", date(2027, 5, 6), "Ascension Day"),
        ("jp-office", "Asia/Tokyo", date(2026, 5, 6), "a substitute holiday"),
        ("au-office", "Australia/Sydney", date(2027, 1, 26), "Australia Day"),
    ],
)
def test_buyers_are_off_on_their_own_holidays(code: str, zone: str, off: date, what: str) -> None:
    office = CALENDARS[code]

    assert office.zone == zone
    assert off.isoweekday() <= 5
    assert not office.is_workday(off), what
    assert not office.is_provisional(off)
    assert office.is_workday(date(2026, 10, 6))  # a Tuesday, in the middle of China's National Day week


@pytest.mark.parametrize("code", ["us-office", "uk-office", "de-office", "jp-office", "au-office", "bd-factory"])
@pytest.mark.parametrize("year", range(2007, 2033))
def test_holidays_abroad_are_known_for_every_year_that_is_worked_out(code: str, year: int) -> None:
    assert any(day.year == year for day in CALENDARS[code].holidays)


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


@pytest.mark.parametrize(
    ("zone", "day", "last"),
    [
        # back from midnight to 23:00: the second 23:59:59 is the last
        ("Africa/Cairo", date(2026, 10, 29), datetime(2026, 10, 29, 21, 59, 59, tzinfo=UTC)),
        # on from 23:00 to midnight: 22:59:59 is the last
        ("America/Nuuk", date(2026, 3, 28), datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_day_ends_where_the_next_begins_although_the_clocks_change_at_midnight(
    zone: str, day: date, last: datetime
) -> None:
    calendar = a_calendar(zone=zone)

    assert calendar.end_of(day).astimezone(UTC) == last
    assert calendar.local_date(last) == day
    assert calendar.local_date(last + timedelta(seconds=1)) == day + timedelta(days=1)


def test_a_day_on_which_the_clocks_change_still_ends_at_its_last_second() -> None:
    berlin = Calendar(code="de", name=Name(en="de", zh_hans="de", zh_hant="de"), zone="Europe/Berlin")

    assert berlin.end_of(date(2026, 3, 29)) - berlin.end_of(date(2026, 3, 28)) == timedelta(days=1)
    assert berlin.end_of(date(2026, 3, 29)).astimezone(UTC) == datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)
