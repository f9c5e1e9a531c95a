"""Working days of a party's calendar: which days count, and the instants its office opens and closes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, field_validator

from models.names import Name

ONE_DAY = timedelta(days=1)


class Calendar(BaseModel):
    """
    The working days of an office, factory, bank or port, in its own zone.

    `weekend` holds ISO weekdays (Monday is 1). A date in `workdays` counts although it falls on a weekend
    (調休, the make-up days of the State Council's notices). `published` are the years for which an official
    list is loaded; every other year is an estimate. `None` means that this calendar needs no list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: Name
    zone: str
    weekend: frozenset[int] = frozenset()
    opens: time = time(9)
    closes: time = time(18)
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    published: frozenset[int] | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, OSError) as error:  # no such zone, or a name that is no file name
            raise ValueError(f"{zone!r} is no IANA time zone") from error
        return zone

    @field_validator("weekend")
    @classmethod
    def _week_has_a_workday(cls, weekend: frozenset[int]) -> frozenset[int]:
        if not weekend <= set(range(1, 7 + 1)) or len(weekend) == 7:
            raise ValueError("weekend holds ISO weekdays, 1 (Monday) to 7, and not all of them")
        return weekend

    @cached_property
    def tz(self) -> ZoneInfo:
        """The calendar's IANA zone."""
        return ZoneInfo(self.zone)

    def is_workday(self, day: date) -> bool:
        """Say whether `day`, a date in this calendar's zone, is worked."""
        if day in self.workdays:
            return True
        return day.isoweekday() not in self.weekend and day not in self.holidays

    def is_provisional(self, day: date) -> bool:
        """Say whether `day` rests on a year whose official list is not loaded."""
        return self.published is not None and day.year not in self.published

    def on_or_before(self, day: date) -> date:
        """Return `day`, or the last working day before it: where a deadline moves."""
        while not self.is_workday(day):
            day -= ONE_DAY
        return day

    def workdays_after(self, day: date) -> Iterator[date]:
        """Yield the working days after `day`, without end."""
        while True:
            day += ONE_DAY
            if self.is_workday(day):
                yield day

    def count_workdays(self, after: date, until: date) -> int:
        """Count the working days later than `after` and not later than `until`; 0 when there are none."""
        days = 0
        day = after
        while day < until:
            day += ONE_DAY
            days += self.is_workday(day)
        return days

    def opening(self, day: date) -> datetime:
        """Return the instant at which the office opens on `day`."""
        return datetime.combine(day, self.opens, self.tz)

    def end_of(self, day: date) -> datetime:
        """Return the last second of `day`: a plain date is a whole day (formats.md)."""
        return datetime.combine(day, time(23, 59, 59), self.tz)

    def local_date(self, instant: datetime) -> date:
        """Return the date of `instant` on this calendar's wall."""
        return instant.astimezone(self.tz).date()

    def next_working_moment(self, instant: datetime) -> datetime:
        """Return `instant` if the office is open then, else the next time that it opens."""
        local = instant.astimezone(self.tz)
        today = local.date()
        if self.is_workday(today):
            if local.time() < self.opens:
                return self.opening(today)
            if local.time() < self.closes:
                return instant
        return self.opening(next(self.workdays_after(today)))
