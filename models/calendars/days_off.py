"""The days off of a calendar as people list them: from one day to another, weekends left out; and its slow weeks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import NamedTuple

from models.calendars.workdays import ONE_DAY, Calendar


class DaysOff(NamedTuple):
    """Days in a row on which nobody works, both included; provisional where a list is still to come."""

    first: date
    last: date
    provisional: bool


class SlowDays(NamedTuple):
    """Days in a row, both included, whose working days do a part of a full day's work, in hundredths."""

    first: date
    last: date
    factor: float


def days_off(calendar: Calendar, first: date, last: date) -> Iterator[DaysOff]:
    """Yield the days off from `first` to `last`, both included; a mere weekend is none."""
    for is_off, run in groupby(_days(first, last), key=lambda day: not calendar.is_workday(day)):
        days = list(run)
        if is_off and any(day.isoweekday() not in calendar.weekend for day in days):
            yield DaysOff(days[0], days[-1], any(map(calendar.is_provisional, days)))


def made_up_days(calendar: Calendar, first: date, last: date) -> list[date]:
    """Return the days from `first` to `last` that are worked although the calendar's week has them off (調休)."""
    return [d for d in _days(first, last) if d.isoweekday() in calendar.weekend and calendar.is_workday(d)]


def slow_days(calendar: Calendar, first: date, last: date) -> Iterator[SlowDays]:
    """Yield the slow weeks from `first` to `last`: their days off do not part them."""
    for factor, run in groupby(_days(first, last), key=lambda day: calendar.capacity.get(day, 1)):
        days = list(run)
        if factor < 1:
            yield SlowDays(days[0], days[-1], factor)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + n * ONE_DAY for n in range((last - first).days + 1))
