"""
Provisional dates: those that the official holidays of a year, once they are published, may still move.

A date is provisional exactly where it would be another one under another list. So each is worked out as early and as
late as a list could make it, with every day of the unpublished years worked for one purpose and none for the other; and
once more with none at all, because what follows the departure looks forwards where nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from models.book.order_file import OrderFile
from models.calendars.workdays import CLOSED_FOR_GOOD, ONE_DAY, Calendar
from models.planning.outlook import Outlook, outlook
from models.planning.plan import Calendars
from models.status.standing import Standing, plan_of


@dataclass(frozen=True)
class ProvisionalDates:
    """The milestones whose planned date, forecast and late date are provisional."""

    plan: frozenset[str] = frozenset()
    forecast: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()


def provisional_dates(file: OrderFile, at: Standing, ahead: Outlook | None) -> ProvisionalDates:
    """Return which dates of an order, as it stands with its outlook, rest on a year whose list is not loaded."""
    if ahead is None:
        return ProvisionalDates()
    years = _years_of([*at.due.values(), *ahead.forecast.values(), *ahead.late.values(), *(h.at for h in ahead.hard)])
    used = sorted({file.template.calendar, *(milestone.calendar for milestone in file.template.milestones)})
    if not any(_unpublished(file.calendars[code], years) for code in used):
        return ProvisionalDates()
    extremes = [_extremes(file.calendars[code], years) for code in used]
    found = [_dates(file, at, dict(zip(used, calendars, strict=True))) for calendars in zip(*extremes, strict=True)]
    return ProvisionalDates(*(_those_that_differ(dates) for dates in zip(*found, strict=True)))


def _those_that_differ(dates: Sequence[Mapping[str, datetime]]) -> frozenset[str]:
    first, *others = dates
    return frozenset(code for code in first if any(first[code] != other[code] for other in others))


def _years_of(instants: Iterable[datetime]) -> frozenset[int]:
    """Return the years in which `instants` lie, wherever on Earth somebody looks at his calendar."""
    return frozenset(near.year for instant in instants for near in (instant - ONE_DAY, instant + ONE_DAY))


def _dates(file: OrderFile, at: Standing, calendars: Calendars) -> tuple[Mapping[str, datetime], ...]:
    """Return plan, forecast and late dates on other calendars."""
    there = replace(file, calendars=calendars)
    standing = replace(at, due=plan_of(there, at.agreed, at.reached))
    ahead = outlook(there, standing)
    assert ahead is not None  # it has the same ETD
    return standing.due, ahead.forecast, ahead.late


class _Imagined(Calendar):
    """
    A calendar with every day worked in the years without a list, or with none of those in `closed`.

    `deadlines` is the calendar on which it is counted backwards. Closed days make what is counted forwards later and
    what is counted backwards earlier: an extreme takes the two from opposite calendars.
    """

    closed: frozenset[int] = frozenset()
    deadlines: Calendar | None = None

    def is_workday(self, day: date) -> bool:
        if day in self.workdays or not self.is_provisional(day):
            return super().is_workday(day)
        return day not in self.holidays and day.year not in self.closed

    def on_or_before(self, day: date) -> date:
        return super().on_or_before(day) if self.deadlines is None else self.deadlines.on_or_before(day)

    def latest_start(self, finish: datetime, days: float) -> datetime:
        if self.deadlines is None:
            return super().latest_start(finish, days)
        return self.deadlines.latest_start(finish, days)


class _Extremes(NamedTuple):
    earliest: Calendar
    latest: Calendar
    closed: Calendar


_known: WeakKeyDictionary[Calendar, dict[frozenset[int], _Extremes]] = WeakKeyDictionary()


def _extremes(calendar: Calendar, years: frozenset[int]) -> _Extremes:
    of_calendar = _known.setdefault(calendar, {})
    if years not in of_calendar:
        of_calendar[years] = _extremes_of(calendar, _unpublished(calendar, years))
    return of_calendar[years]


def _extremes_of(calendar: Calendar, unpublished: list[int]) -> _Extremes:
    if not unpublished:
        return _Extremes(calendar, calendar, calendar)
    closed = frozenset(unpublished[1 - CLOSED_FOR_GOOD :])
    every, none = _imagined(calendar), _imagined(calendar, closed=closed)
    return _Extremes(_imagined(calendar, deadlines=none), _imagined(calendar, closed=closed, deadlines=every), none)


def _unpublished(calendar: Calendar, years: Iterable[int]) -> list[int]:
    return [year for year in sorted(years) if calendar.is_provisional(date(year, 1, 1))]


def _imagined(calendar: Calendar, **changes: object) -> Calendar:
    fields = {name: getattr(calendar, name) for name in type(calendar).model_fields}
    return _Imagined.model_construct(**{**fields, **changes})
