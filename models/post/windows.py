"""
When a person may be written to: outside his quiet hours, on the working days of his calendar, and at his digests.

A day's quiet hours begin and end once, and each digest comes once, whatever the clocks do: a time that comes twice is
meant the first time, and a time that is left out is the moment at which the clocks pass it. All results are in UTC:
in a zone whose clocks change, an instant of the hour that comes twice equals no other zone's (PEP 495).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from models.calendars.workdays import ONE_DAY, ONE_SECOND, Calendar
from models.terms.party import Person, Quiet

LOOK_BACK = 14
"""For so many calendar days a digest that nobody got is still worth being made up for."""

_MIDNIGHT = time()


def may_write(person: Person, calendar: Calendar, now: datetime) -> bool:
    """Say whether `person`, who works by `calendar`, is written to at `now`: a working day, and not quiet."""
    today = calendar.local_date(now)
    return calendar.is_workday(today) and not _is_quiet(person.quiet, today, calendar.tz, now.astimezone(UTC))


def held_until(person: Person, calendar: Calendar, now: datetime) -> datetime:
    """
    Return `now` if `person` may be written to, else the first moment at which he may be.

    That is the end of his quiet hours on a working day; the start of the day, if it is not quiet then. Raises
    ValueError where the calendar has no working day for years.
    """
    instant = now.astimezone(UTC)
    if may_write(person, calendar, instant):
        return instant
    for day in _working_days(calendar, calendar.local_date(now)):
        for start in _instants((_MIDNIGHT, person.quiet.end), day, calendar.tz):
            if start > instant and may_write(person, calendar, start):
                return start
    raise AssertionError("working days are without end, or an error")


def last_slot(person: Person, calendar: Calendar, now: datetime) -> datetime | None:
    """Return the latest digest of `person` at or before `now`; `None` if none was on a working day for 14 days."""
    instant = now.astimezone(UTC)
    today = calendar.local_date(now)
    for back in range(LOOK_BACK + 1):
        day = today - back * ONE_DAY
        past = [slot for slot in _slots(person, calendar, day) if slot <= instant]
        if past:
            return past[-1]
    return None


def next_slot(person: Person, calendar: Calendar, now: datetime) -> datetime:
    """Return the first digest of `person` after `now`; ValueError where the calendar has no working day for years."""
    instant = now.astimezone(UTC)
    for day in _working_days(calendar, calendar.local_date(now)):
        for slot in _slots(person, calendar, day):
            if slot > instant:
                return slot
    raise AssertionError("working days are without end, or an error")


def _slots(person: Person, calendar: Calendar, day: date) -> list[datetime]:
    """Return the digests of a day in order, in UTC: two that the clocks leave out together are one."""
    return _instants(person.digests, day, calendar.tz) if calendar.is_workday(day) else []


def _working_days(calendar: Calendar, first: date) -> Iterator[date]:
    """Yield the working days from `first` on, without end; raises ValueError where years have none."""
    return chain([first] if calendar.is_workday(first) else [], calendar.workdays_after(first))


def _is_quiet(quiet: Quiet, today: date, zone: ZoneInfo, instant: datetime) -> bool:
    if quiet.never:
        return False
    lasts = ONE_DAY if quiet.over_midnight else timedelta()
    return any(
        _passes(quiet.start, day, zone) <= instant < _passes(quiet.end, day + lasts, zone)
        for day in (today - ONE_DAY, today)
    )


def _instants(walls: Iterable[time], day: date, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which the clocks pass these times on `day`, each once, in order, in UTC."""
    passed = {_passes(wall, day, zone) for wall in walls}
    # A day whose end, or all of which, the clocks leave out passes no time there.
    return sorted(instant for instant in passed if instant.astimezone(zone).date() == day)


def _passes(wall: time, day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant, in UTC, at which the clocks of `zone` have reached `wall` of `day`."""
    stated = datetime.combine(day, wall)
    first, second = (stated.replace(fold=fold, tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    # No clock shows it. Read with the offset after the change it is an instant before the change, and one after it
    # with the offset before (PEP 495): the change lies between them.
    before, after = second, first
    while after - before > ONE_SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) < stated:
            before = middle
        else:
            after = middle
    return after
