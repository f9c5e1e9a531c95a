"""The official holidays of a year: read day by day, checked, compared with the list before, laid over the calendars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from models.calendars.workdays import Calendar, missing_years
from models.errors import BadClock, GendanError
from models.moments import parse_moment, shown
from models.planning.plan import Calendars

CERTAIN: Mapping[tuple[int, int], str] = {(1, 1): "1 January", (5, 1): "1 May", (10, 1): "1 October"}
"""Holidays by law since 1949, by month and day: a list without one of them is not whole."""
SPILLS_FROM = 20
"""The New Year's notice may speak of the days before it: from this day of December they belong to the next year."""
MOST_HOLIDAYS = 60
"""No notice since 2007 names more than 33 days off, weekends included."""
MOST_WORKDAYS = 20
"""No notice since 2007 names more than 12 weekend days that are worked."""
EARLIEST, LATEST = 2000, 2090

_WEEKEND = frozenset({6, 7})
"""The weekend of the offices for which the notices are written (ISO)."""


class Kind(StrEnum):
    """What a list says of a day: off, or worked although it is a weekend (調休)."""

    HOLIDAY = "holiday"
    WORKDAY = "workday"


_WRITTEN: Mapping[str, Kind] = {
    **dict.fromkeys(("holiday", "off", "休", "休息", "放假", "节假日", "節假日", "假"), Kind.HOLIDAY),
    **dict.fromkeys(("workday", "work", "班", "上班", "补班", "補班", "调休上班", "調休上班"), Kind.WORKDAY),
}


class ListMistake(GendanError):
    """What is wrong with a list, and what to do; `line` is where it stands in its file, 0 where it stands nowhere."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}" if line else what)
        self.line, self.what = line, what


class Stated(NamedTuple):
    """What one line of a file says of a day."""

    day: date
    kind: Kind
    line: int


class HolidayList(BaseModel):
    """
    The holidays of `year` as the list `official` (CN) has them, and the weekend days that are worked for them.

    Dates are days in the zone of the calendars that follow the list. Both may hold a few days of the December before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    official: str
    year: int
    holidays: frozenset[date]
    workdays: frozenset[date] = frozenset()

    def says(self, day: date) -> Kind | None:
        """Return what the list says of a day; `None` where it says nothing, so that the weekday decides."""
        if day in self.holidays:
            return Kind.HOLIDAY
        return Kind.WORKDAY if day in self.workdays else None


class Difference(NamedTuple):
    """A day of which two lists do not say the same."""

    day: date
    was: Kind | None
    now: Kind | None

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.day:%a %d %b %Y}: {_plainly(self.now)}, was {_plainly(self.was)}"


class Checked(NamedTuple):
    """Lists that can be loaded, the earliest year first, and what is odd about them and taken all the same."""

    lists: tuple[HolidayList, ...]
    warnings: tuple[str, ...]


def stated(day: str, kind: str, line: int) -> Stated:
    """Read what a line says of a day; raises ListMistake for what is no date, or no kind."""
    try:
        moment = parse_moment(day)
    except BadClock as error:
        raise ListMistake(line, str(error)) from None
    if type(moment) is not date:
        raise ListMistake(line, f"{shown(day)} has a time; a holiday is a whole day, such as {moment:%Y-%m-%d}")
    written = _WRITTEN.get(kind.strip().lower())
    if written is None:
        raise ListMistake(line, f"{shown(kind)} is no kind of day; write holiday (休, 放假) or workday (班, 上班)")
    return Stated(moment, written, line)


def years_of(days: Iterable[Stated]) -> frozenset[int]:
    """
    Return the years that a file speaks of, where it does not say so itself.

    The last days of a December alone are no year: they belong to the list of the year after.
    """
    days = list(days)
    years = {each.day.year for each in days}
    spilt = {y for y in years if y + 1 in years and all(_spills(d.day) for d in days if d.day.year == y)}
    return frozenset(years - spilt)


def checked(official: str, days: Iterable[Stated], years: Collection[int], statutory: Collection[date] = ()) -> Checked:
    """
    Make lists of `years` out of what a file states, one for each.

    `statutory` are the days that the law makes holidays in those years: a list that has one of them worked is taken
    with a warning. Raises ListMistake with everything that makes it no list at all.
    """
    mistakes: list[ListMistake] = []
    warnings: list[str] = []
    of_year: dict[int, dict[date, Stated]] = {year: {} for year in sorted(years)}
    for each in days:
        year = _year_of(each.day, years)
        if year is None:
            mistakes.append(_outside(each, years))
            continue
        before = of_year[year].setdefault(each.day, each)
        if before.kind is not each.kind:
            mistakes.append(_contradiction(each, before))
        elif before is not each:
            warnings.append(f"line {each.line}: {each.day} stands in line {before.line} already")
    for year, by_day in of_year.items():
        mistakes += _mistakes_of(year, by_day.values())
        warnings += _warnings_of(by_day.values(), [day for day in statutory if day.year == year])
    if mistakes:
        raise all_of(mistakes)
    return Checked(tuple(_list_of(official, year, by_day.values()) for year, by_day in of_year.items()), (*warnings,))


def differences(old: HolidayList, new: HolidayList) -> tuple[Difference, ...]:
    """Return the days of which two lists of a year do not say the same, in order."""
    days = sorted(old.holidays | old.workdays | new.holidays | new.workdays)
    pairs = (Difference(day, old.says(day), new.says(day)) for day in days)
    return tuple(pair for pair in pairs if pair.was is not pair.now)


def with_lists(calendars: Calendars, lists: Iterable[HolidayList]) -> dict[str, Calendar]:
    """
    Return the calendars with these lists laid over those that follow them; of a year the last list holds.

    A year that a calendar has published itself stays as it is there. A list after a year that is missing waits for
    it: that calendar goes on with its estimates.
    """
    last: dict[str, dict[int, HolidayList]] = {}
    for each in lists:
        last.setdefault(each.official, {})[each.year] = each
    return {code: _with_lists(calendar, last.get(calendar.official, {})) for code, calendar in calendars.items()}


def first_gap(calendar: Calendar, years: Iterable[int]) -> int | None:
    """Return the first year that would be missing in a calendar with the lists of `years` loaded, if any would be."""
    missing = missing_years((calendar.published or frozenset()) | frozenset(years))
    return missing[0] if missing else None


def _with_lists(calendar: Calendar, by_year: Mapping[int, HolidayList]) -> Calendar:
    for year, each in sorted(by_year.items()):
        published = calendar.published or frozenset()
        if year not in published and first_gap(calendar, [year]) is None:
            calendar = calendar.with_list(year, each.holidays, each.workdays)
    return calendar


def _plainly(kind: Kind | None) -> str:
    return {Kind.HOLIDAY: "holiday", Kind.WORKDAY: "working day", None: "not named"}[kind]


def _spills(day: date) -> bool:
    return day.month == 12 and day.day >= SPILLS_FROM


def _year_of(day: date, years: Collection[int]) -> int | None:
    """Return the year of `years` in whose list a day stands."""
    if day.year in years:
        return day.year
    return day.year + 1 if _spills(day) and day.year + 1 in years else None


def _outside(each: Stated, years: Collection[int]) -> ListMistake:
    stated_years = ", ".join(map(str, sorted(years)))
    return ListMistake(
        each.line, f"{each.day} lies outside {stated_years}. Put it under its own year, or correct the date"
    )


def _contradiction(each: Stated, before: Stated) -> ListMistake:
    return ListMistake(
        each.line,
        f"{each.day} is a {each.kind.value} here and a {before.kind.value} in line {before.line}. Keep the one that "
        "the notice has",
    )


def _list_of(official: str, year: int, days: Collection[Stated]) -> HolidayList:
    return HolidayList(
        official=official, year=year, holidays=_days(days, Kind.HOLIDAY), workdays=_days(days, Kind.WORKDAY)
    )


def _days(days: Iterable[Stated], kind: Kind) -> frozenset[date]:
    return frozenset(each.day for each in days if each.kind is kind)


def _mistakes_of(year: int, days: Collection[Stated]) -> list[ListMistake]:
    first = min((each.line for each in days), default=0)
    if not EARLIEST <= year <= LATEST:
        return [ListMistake(first, f"{year} is no year for a list ({EARLIEST} to {LATEST}): is it mistyped?")]
    off, worked = _days(days, Kind.HOLIDAY), _days(days, Kind.WORKDAY)
    if not off:
        return [ListMistake(first, f"{year} has no holiday. A list holds the days off and the days made up for them")]
    mistakes = []
    if missing := [name for (month, day), name in CERTAIN.items() if date(year, month, day) not in off]:
        mistakes.append(
            ListMistake(
                first,
                f"the holidays of {year} are not whole: {', '.join(missing)} missing. Load all holidays of a year "
                "at once; or is the year mistyped?",
            )
        )
    if len(off) > MOST_HOLIDAYS:
        mistakes.append(
            ListMistake(
                first,
                f"{year} has {len(off)} holidays. Leave out the weekends that belong to none: they are off without a "
                "list, and a factory with a week of six days works on them",
            )
        )
    if len(worked) > MOST_WORKDAYS:
        mistakes.append(
            ListMistake(
                first,
                f"{year} has {len(worked)} working days. Name only the weekend days that are worked (調休): all others "
                "are worked without a list",
            )
        )
    return mistakes


def _warnings_of(days: Collection[Stated], statutory: Collection[date]) -> list[str]:
    off, worked = _days(days, Kind.HOLIDAY), _days(days, Kind.WORKDAY)
    idle = [
        f"line {each.line}: {each.day} is a {each.day:%A}, which is worked anyway"
        for each in days
        if each.kind is Kind.WORKDAY and each.day.isoweekday() not in _WEEKEND
    ]
    missing = sorted(day for day in statutory if day not in off and (day in worked or day.isoweekday() not in _WEEKEND))
    return idle + [f"{day} is a holiday by law, and this list has it worked: is the list whole?" for day in missing]


def all_of(mistakes: Iterable[ListMistake]) -> ListMistake:
    """Return several mistakes as one, in the order of their lines."""
    told = sorted(mistakes, key=lambda mistake: mistake.line)
    if len(told) == 1:
        return told[0]
    return ListMistake(0, "\n".join(["the list is not taken", *(f"  {mistake}" for mistake in told)]))
