"""Provisional dates: those that the holidays of a year that is not published may still move, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.book.order_file import OrderFile
from models.book.report import Promise
from models.calendars.workdays import ONE_DAY, Calendar
from models.planning.outlook import outlook
from models.planning.provisional import ProvisionalDates, provisional_dates
from models.planning.sheet import sheet_of
from models.status.standing import standing
from tasks.library import load_library
from tests.factories import a_calendar, a_milestone, a_report, a_template, an_order, an_order_file, china
from tests.orders_in_season import NEW_YORK, PORT, Season, seasons, templates

LIBRARY = load_library()
AFS = LIBRARY.templates["AFS"]
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
def listed(bundled: bool = False) -> tuple[Mapping[str, Calendar], ...]:
    """Return the calendars with each of these lists loaded, and a year after it in which nothing is closed."""
    calendars = (
        {code: LIBRARY.calendars[code] for code in (m.calendar for m in AFS.milestones)} if bundled else CALENDARS
    )
    return tuple({code: with_list(each, worked) for code, each in calendars.items()} for worked in lists_of_2027())


def with_list(calendar: Calendar, worked: Days) -> Calendar:
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


def those_that_change(file: OrderFile, now: datetime, lists: Iterable[Mapping[str, Calendar]]) -> ProvisionalDates:
    """Return what differs under any of the lists: found by loading them all, not by the marks."""
    present = dates(file, now)
    changed: tuple[set[str], ...] = (set(), set(), set())
    for calendars in lists:
        for found, was, then in zip(changed, present, dates(replace(file, calendars=calendars), now), strict=True):
            found.update(code for code in was if then[code] != was[code])
    return ProvisionalDates(*map(frozenset, changed))


def marked(file: OrderFile, now: datetime) -> ProvisionalDates:
    at = standing(file, now)
    return provisional_dates(file, at, outlook(file, at))


OF_WINTER = seasons(templates(loading=st.just("port")), first_etd=date(2027, 1, 10), calendars=CALENDARS, most=6)


@settings(max_examples=40)
@given(OF_WINTER)
def test_exactly_those_dates_are_provisional_that_some_list_would_change(season: Season) -> None:
    assert marked(season.file, season.now) == those_that_change(season.file, season.now, listed())


@pytest.mark.parametrize("etd", [date(2027, 1, 6), date(2027, 2, 2), date(2027, 2, 24)], ids=str)
def test_a_plan_made_in_november_for_the_new_year_marks_what_is_provisional_and_nothing_else(etd: date) -> None:
    file = replace(
        an_order_file(
            an_order(etd=etd, placed_at=china(20), came_in=china(20)),
            AFS,
            a_report("ORD_RCVD", china(20)),
            Promise(recorded_at=NOW, milestone="ORD_REVIEW", promised=china(30)),
        ),
        calendars=LIBRARY.calendars,
    )

    found = marked(file, NOW)

    assert found == those_that_change(file, NOW, listed(bundled=True))
    assert found.plan
    assert found.plan < set(file.template.codes)


@given(seasons(first_etd=date(2026, 10, 10), calendars=CALENDARS, most=6))
def test_nothing_is_provisional_of_an_order_whose_dates_all_lie_in_a_published_year(season: Season) -> None:
    last = max(instant for of_kind in dates(season.file, season.now) for instant in of_kind.values())
    assume(last < china(31, month=12))

    assert marked(season.file, season.now) == ProvisionalDates()


@given(OF_WINTER)
def test_nothing_is_provisional_once_the_lists_are_loaded(season: Season) -> None:
    assert marked(replace(season.file, calendars=listed()[-1]), season.now) == ProvisionalDates()


def test_an_order_without_a_date_has_no_provisional_ones() -> None:
    assert marked(an_order_file(an_order(etd=None)), NOW) == ProvisionalDates()


@pytest.mark.parametrize("year", [2028, 2033, 2099])
def test_the_dates_of_a_year_far_away_are_provisional(year: int) -> None:
    template = a_template(
        *(a_milestone(f"STEP_{n}", offset=-n, after=(f"STEP_{n + 1}",) if n < 9 else ()) for n in range(9, 0, -1)),
        a_milestone("DEPARTED", after=("STEP_1",)),
    )
    file = replace(an_order_file(an_order(etd=date(year, 3, 31)), template), calendars=CALENDARS)

    assert marked(file, NOW).plan == {*template.codes} - {"DEPARTED"}


def test_a_calendar_without_an_official_list_has_no_provisional_dates() -> None:
    template = a_template(
        a_milestone("GATE_IN", offset=-3, calendar="port"), a_milestone("DEPARTED", after=("GATE_IN",), calendar="port")
    )
    file = replace(an_order_file(an_order(etd=date(2027, 2, 10)), template), calendars=CALENDARS)

    assert marked(file, NOW) == ProvisionalDates()


def test_a_calendar_with_years_missing_before_its_first_list_is_no_obstacle() -> None:
    """Lists are loaded without gaps; what is only imagined need not be."""
    file = replace(
        an_order_file(an_order(etd=date(2027, 2, 10), placed_at=china(1, year=2023), came_in=china(1, year=2023))),
        calendars=CALENDARS,
    )

    assert "CUS_REL" in marked(file, NOW).plan


def test_the_sheet_names_the_provisional_fields_of_each_line() -> None:
    placed_at = china(20)
    steps = (
        a_milestone("FAB_IN", offset=-75),
        a_milestone("SEW_END", offset=-20, after=("FAB_IN",)),
        a_milestone("DEPARTED", after=("SEW_END",), calendar="port"),
    )
    order = an_order(etd=date(2027, 2, 24), placed_at=placed_at, came_in=placed_at)
    lines = sheet_of(replace(an_order_file(order, a_template(*steps)), calendars=CALENDARS), NOW).lines

    assert {line.code: line.provisional for line in lines} == {
        "FAB_IN": frozenset(),  # 11 December
        "SEW_END": frozenset({"plan", "forecast"}),  # 4 February; it may take until the vessel leaves
        "DEPARTED": frozenset(),
    }
