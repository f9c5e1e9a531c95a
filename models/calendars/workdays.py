"""Working days of a party's calendar: which days count and how much, and when its office opens and closes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from math import ceil, inf
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from models.names import Name

ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)
WHOLE_DAY = 100
"""What a working day holds at full strength, in hundredths: sums of factors stay exact."""
CLOSED_FOR_GOOD = 5
"""After so many years in a row without a working day nobody looks any further."""

_LAST_SECOND = time(23, 59, 59, fold=1)  # fold: where clocks change at midnight (Cairo) it comes twice, or not at all


def _in_hundredths(factor: float) -> float:
    hundredths = round(factor * WHOLE_DAY)
    if abs(factor * WHOLE_DAY - hundredths) > 1e-6:
        raise ValueError(f"a factor is given in hundredths, such as 0.65, not {factor}")
    return hundredths / WHOLE_DAY


Factor = Annotated[float, Field(gt=0, le=1), AfterValidator(_in_hundredths)]
"""The share of a full day's work that is done on a working day, in hundredths."""


class _Year(NamedTuple):
    """The working days of one year; `sums[n]` is the capacity of its first n, in hundredths of a full day."""

    days: tuple[date, ...]
    sums: tuple[int, ...]


class Calendar(BaseModel):
    """
    The working days of an office, factory, bank or port, in its own zone.

    `weekend` holds ISO weekdays (Monday is 1). A date in `workdays` counts although it falls on a weekend
    (調休, the make-up days of the State Council's notices). `published` are the years for which an official
    list is loaded, and `official` says whose; every other year is an estimate, in which the `estimated` days are
    no working days unless they stand in `workdays`. `None` means that this calendar needs no list.
    `capacity` is the factor of working days in slow weeks (domain.md 3.3); a day that is not named counts whole.
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
    official: str = ""
    estimated: frozenset[date] = frozenset()
    capacity: Mapping[date, Factor] = Field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.code)

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
        return day.isoweekday() not in self.weekend and day not in self._closed

    def is_provisional(self, day: date) -> bool:
        """Say whether `day` rests on a year whose official list is not loaded."""
        return self.published is not None and day.year not in self.published

    def rests_on_estimate(self, first: date, last: date) -> bool:
        """Say whether any day from `first` to `last`, both included, lies in a year whose list is not loaded."""
        if self.published is None:
            return False
        return any(year not in self.published for year in range(first.year, last.year + 1))

    def with_list(self, year: int, holidays: Iterable[date], workdays: Iterable[date]) -> Calendar:
        """
        Return this calendar with the official list of `year` loaded: its estimates fall away.

        What the calendar itself says of a day wins over the list: a factory that is closed in the weeks of the
        Spring Festival does not work on their make-up days. So a corrected list is loaded onto the calendar as
        it was before the first one. Raises ValueError for a day that stands in both lists, and for a list that
        would leave out a year.
        """
        closed, made_up = frozenset(holidays), frozenset(workdays)
        if both := closed & made_up:
            raise ValueError(f"{min(both)} stands under the holidays and under the working days of {year}")
        published = None if self.published is None else self.published | {year}
        if missing := missing_years(published or ()):
            raise ValueError(f"the list of {year} leaves out {missing[0]}: load the list of {missing[0]} first")
        return self._with(
            holidays=self.holidays | (closed - self.workdays),
            workdays=self.workdays | (made_up - self.holidays),
            published=published,
        )

    def with_closed(self, first: date, last: date) -> Calendar:
        """Return this calendar with nobody at work from `first` to `last`, both included; ValueError if reversed."""
        if last < first:
            raise ValueError(f"closed from {first} until {last}: the last day comes before the first")
        closed = frozenset(first + n * ONE_DAY for n in range((last - first).days + 1))
        return self._with(holidays=self.holidays | closed, workdays=self.workdays - closed)

    def on_or_before(self, day: date) -> date:
        """Return `day`, or the last working day before it: where a deadline moves."""
        if self.is_workday(day):
            return day
        days = self._year(day.year).days
        if before := bisect_right(days, day):
            return days[before - 1]
        for year in self._years(day.year - 1, -1):
            if year.days:
                return year.days[-1]
        raise self._is_closed(f"before {day}")

    def workdays_after(self, day: date) -> Iterator[date]:
        """Yield the working days after `day`, without end; raises ValueError where years have none."""
        days = self._year(day.year).days
        for n in range(bisect_right(days, day), len(days)):  # no slice: most callers take the first few
            yield days[n]
        for year in self._years(day.year + 1, +1):
            yield from year.days
        raise self._is_closed(f"after {day}")

    def count_workdays(self, after: date, until: date) -> int:
        """Count the working days later than `after` and not later than `until`; 0 when there are none."""
        if until <= after:
            return 0
        days = self._year(after.year).days
        before = bisect_right(days, after)
        if after.year == until.year:
            return bisect_right(days, until, before) - before
        whole = sum(len(self._year(year).days) for year in range(after.year, until.year))
        return whole - before + bisect_right(self._year(until.year).days, until)

    def finish(self, start: datetime, days: float) -> datetime:
        """
        Return when work of `days` full working days ends that begins at `start`; 0 days end at once.

        The day of `start` itself does not count; the work ends with the first day up to which the capacity of
        the working days adds up to `days`, a number of 0 or more that is rounded up to hundredths. Raises
        ValueError for any other number, and where the calendar has no working day for years.
        """
        wanted = _hundredths(days)
        if wanted == 0:
            return start
        first = self.local_date(start)
        for year in self._years(first.year, +1):
            wanted += year.sums[bisect_right(year.days, first)]
            if wanted <= year.sums[-1]:
                return self.end_of(year.days[bisect_left(year.sums, wanted) - 1])
            wanted -= year.sums[-1]
        raise self._is_closed(f"after {first}")

    def latest_start(self, finish: datetime, days: float) -> datetime:
        """
        Return the latest instant, to the second, at which work of `days` begins that ends by `finish`.

        The other side of `finish`: `c.finish(x, days) <= y` exactly where `x <= c.latest_start(y, days)`, for
        instants in whole seconds. Raises ValueError as `finish` does.
        """
        wanted = _hundredths(days)
        if wanted == 0:
            return finish
        # In UTC: on the wall of `finish` a second later can be an hour later, or no time at all.
        last = self.local_date(finish.astimezone(UTC) + ONE_SECOND) - ONE_DAY
        for year in self._years(last.year, -1):
            spare = year.sums[bisect_right(year.days, last)] - wanted
            if spare >= 0:
                return self.end_of(year.days[bisect_right(year.sums, spare) - 1] - ONE_DAY)
            wanted = -spare
        raise self._is_closed(f"before {last}")

    def opening(self, day: date) -> datetime:
        """Return the instant at which the office opens on `day`."""
        return datetime.combine(day, self.opens, self.tz)

    def end_of(self, day: date) -> datetime:
        """Return the last second of `day`: a plain date is a whole day (formats.md)."""
        return datetime.combine(day, _LAST_SECOND, self.tz)

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

    @cached_property
    def _closed(self) -> frozenset[date]:
        return self.holidays | {day for day in self.estimated if self.is_provisional(day)}

    @cached_property
    def _known_years(self) -> dict[int, _Year]:
        return {}

    def _year(self, year: int) -> _Year:
        known = self._known_years.get(year)
        if known is None:
            days = tuple(day for day in _days_of(year) if self.is_workday(day))
            hundredths = (round(self.capacity.get(day, 1) * WHOLE_DAY) for day in days)
            known = self._known_years[year] = _Year(days, tuple(accumulate(hundredths, initial=0)))
        return known

    def _years(self, year: int, step: int) -> Iterator[_Year]:
        """Yield `year` and those after or before it, until too many of them have no working day."""
        idle = 0
        while idle < CLOSED_FOR_GOOD and MINYEAR <= year <= MAXYEAR:
            known = self._year(year)
            idle = 0 if known.days else idle + 1
            yield known
            year += step

    def _is_closed(self, when: str) -> ValueError:
        return ValueError(f"calendar {self.code} has not enough working days {when}: its holidays fill whole years")

    def _with(self, **changes: object) -> Calendar:
        # model_copy would carry the cached years of the old calendar along, and validates nothing.
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return Calendar.model_validate({**fields, **changes})


@lru_cache(maxsize=64)
def _days_of(year: int) -> tuple[date, ...]:
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(map(date.fromordinal, range(first, last + 1)))


def missing_years(published: Iterable[int]) -> list[int]:
    """Return the years between the first and the last of `published` that are not among them, in order."""
    years = frozenset(published)
    return [year for year in range(min(years), max(years)) if year not in years] if years else []


def _hundredths(days: float) -> int:
    if not 0 <= days * WHOLE_DAY < inf:
        raise ValueError(f"working days are a number of 0 or more, not {days}")
    # Rounded first: 0.07 * 100 is a little more than 7.
    return ceil(round(days * WHOLE_DAY, 6))
