"""Dates and instants as people and other programs write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from models.calendars.workdays import Calendar
from models.errors import BadClock

EARLIEST_YEAR = 1990
LATEST_YEAR = 2100
EASTERNMOST = timedelta(hours=14)
WESTERNMOST = timedelta(hours=-12)

EXAMPLES = "Write a date like 2026-11-20 or a time with its zone like 2026-11-20T10:00:00+08:00."

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_TIME = re.compile(
    r"[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>[Zz]|[+-]\d{2}(:?\d{2})?)?",
    re.ASCII,
)


def parse_moment(text: str) -> datetime | date:
    """
    Read an ISO 8601 date, or a timestamp with its zone.

    A date stays a date: what part of the day is meant, only an order's calendar can say. A space may stand in
    the place of T; fractions of a second are cut at microseconds. A timestamp without a zone raises BadClock,
    as does everything else, and every year outside 1990..2100.
    """
    text = text.strip()
    written = _DATE.match(text)
    if written is None:
        raise BadClock(f"{shown(text)} is no date. {EXAMPLES}")
    try:
        day = date(int(written[1]), int(written[2]), int(written[3]))
    except ValueError:
        raise BadClock(f"{shown(text)} is a day that no calendar has. {EXAMPLES}") from None
    must_be_of_our_time(day, shown(text))
    rest = text[written.end() :]
    return day if not rest else _instant(text, day, rest)


def must_be_of_our_time(moment: datetime | date, written: str) -> None:
    """Refuse a year outside 1990..2100, of which no calendar can count working days; raises BadClock."""
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise BadClock(f"{written} lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}: is the year mistyped?")


def _instant(text: str, day: date, rest: str) -> datetime:
    clock = _TIME.fullmatch(rest)
    if clock is None:
        raise BadClock(f"{shown(text)} is neither a date nor a time with its zone. {EXAMPLES}")
    if clock["zone"] is None:
        raise BadClock(
            f"{shown(text)} has a time without a zone, so nobody can say when it was. "
            f"Add the zone, like {day}T10:00:00+08:00 or {day}T02:00:00Z, or write the date alone: {day}."
        )
    microsecond = int((clock["fraction"] or "0").ljust(6, "0")[:6])
    try:
        of_day = time(int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0), microsecond)
    except ValueError:
        raise BadClock(f"{shown(text)} has a time that no clock shows. {EXAMPLES}") from None
    return datetime.combine(day, of_day, _zone(text, clock["zone"]))


def _zone(text: str, written: str) -> timezone:
    if written in "Zz":
        return UTC
    minutes = int(written[-2:]) if len(written) > 3 else 0
    offset = timedelta(hours=int(written[1:3]), minutes=minutes) * (-1 if written[0] == "-" else 1)
    if minutes > 59 or not WESTERNMOST <= offset <= EASTERNMOST:
        raise BadClock(f"{shown(text)} has a zone that no place has: {written}. Zones go from -12:00 to +14:00.")
    return timezone(offset)


def whole_day(moment: datetime | date, calendar: Calendar, end: bool) -> datetime:
    """
    Return the instant that is meant: an instant stays, a date becomes a bound of its day in `calendar`'s zone.

    With `end` that is the last second of the day, else its start. A datetime without a zone raises BadClock.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise BadClock(f"{moment.isoformat()} has no zone.")
        return moment
    return calendar.end_of(moment) if end else datetime.combine(moment, time(), calendar.tz)


def shown(text: str) -> str:
    """Quote what somebody wrote for a message: on one line, and not longer than a message can bear."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
