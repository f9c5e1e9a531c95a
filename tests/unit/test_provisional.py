"""Provisional dates: those that the holidays of a year that is not published may still move, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from random import Random

from hypothesis import given, settings

from models.order_file import OrderFile
from models.outlook import outlook
from models.provisional import ProvisionalDates, provisional_dates
from models.standing import standing
from models.workdays import ONE_DAY, Calendar
from tests.factories import a_calendar, china
from tests.orders_in_season import NEW_YORK, PORT, Season, seasons

NOW = china(23)
"""Monday, 23 November 2026: China's holidays of 2027 are not published."""

PUBLISHED = frozenset({2026})
GUESSED = frozenset(date(2027, 2, day) for day in range(5, 12))
OFFICE = a_calendar(published=PUBLISHED, official="CN", estimated=GUESSED | {date(2027, 1, 1)})
FACTORY = a_calendar(
    code="factory",
    weekend=frozenset({7}),
    published=PUBLISHED,
    official="CN",
    estimated=GUESSED,
    holidays=frozenset(date(2027, 1, day) for day in range(25, 32)),  # closed by its own will
    workdays=frozenset({date(2027, 2, 7)}),  # and at work whatever the State Council says
    capacity={date(2027, 2, day): 0.5 for day in range(15, 27)},
)
BANK = a_calendar(code="bank", published=PUBLISHED, official="CN", estimated=GUESSED)
CALENDARS = {calendar.code: calendar for calendar in (OFFICE, FACTORY, BANK, PORT, NEW_YORK)}
EVERY_CALENDAR_IS_PUBLISHED = {
    code: calendar.model_copy(update={"published": None, "estimated": frozenset()})
    for code, calendar in CALENDARS.items()
}

Days = frozenset[date]


def days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + n * ONE_DAY for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


def lists_of_2027() -> Iterator[Days]:
    """Yield the working days of lists that the State Council might publish, and of many that it would not."""
    days = days_of(2027)
    yield from (frozenset(days), frozenset())
    for n in range(0, 130):
        yield frozenset(days[:n])
        yield frozenset(days[n:])
    for n in range(100):
        yield frozenset({*days} - {days[n]})
        yield frozenset({days[n]})
    for first in range(0, 100, 4):
        for length in (3, 7, 20, 45):
            yield frozenset({*days[:first], *days[first + length :]})
    random = Random(2027)
    for density in (0.05, 0.2, 0.5, 0.7, 0.9) * 12:
        yield frozenset(day for day in days if random.random() < density)
    weekdays = frozenset(day for day in days if day.isoweekday() < 6)
    for first in range(30, 50, 3):  # a Spring Festival of eight days, and two Sundays for it
        yield weekdays - {*days[first : first + 8]} | {days[first - 3], days[first + 11]}


@cache
def with_each_list() -> tuple[Mapping[str, Calendar], ...]:
    """Return the calendars with each of these lists loaded, and a year after it in which nothing is closed."""
    return tuple({code: _with(calendar, worked) for code, calendar in CALENDARS.items()} for worked in lists_of_2027())


def _with(calendar: Calendar, worked: Days) -> Calendar:
    if calendar.published is None:
        return calendar
    closed = frozenset(days_of(2027)) - worked
    return calendar.with_list(2027, closed, worked).with_list(2028, (), days_of(2028))


def dates(file: OrderFile, now: datetime) -> tuple[Mapping[str, datetime], ...]:
    """Return the plan, the forecasts and the late dates of an order."""
    at = standing(file, now)
    ahead = outlook(file, at)
    assert ahead is not None
    return at.due, ahead.forecast, ahead.late


def those_that_change(file: OrderFile, now: datetime) -> ProvisionalDates:
    """Return what differs under any of the lists: found by loading them all, not by the marks."""
    present = dates(file, now)
    changed: tuple[set[str], ...] = (set(), set(), set())
    for calendars in with_each_list():
        for found, was, then in zip(changed, present, dates(replace(file, calendars=calendars), now), strict=True):
            found.update(code for code in was if then[code] != was[code])
    return ProvisionalDates(*map(frozenset, changed))


def marked(file: OrderFile, now: datetime) -> ProvisionalDates:
    at = standing(file, now)
    return provisional_dates(file, at, outlook(file, at))


@settings(max_examples=40)
@given(seasons(first_etd=date(2027, 1, 10), calendars=CALENDARS, most=6))
def test_exactly_those_dates_are_provisional_that_some_list_would_change(season: Season) -> None:
    assert marked(season.file, season.now) == those_that_change(season.file, season.now)
