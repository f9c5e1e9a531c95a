"""The calendars of the library: made from what their files say and from what can be worked out, or refused there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.calendars.workdays import ONE_DAY, Calendar, Factor, missing_years
from models.names import Name
from tasks.marked_yaml import Marked, did_you_mean
from tasks.statutory import FIRST_YEAR, known_country, known_list, lunar_new_year, public_holidays, statutory_days

YEARS_AHEAD = 6
"""How many years after the last published one are worked out."""

_Year = Annotated[int, Field(ge=2000, le=2090)]  # beyond 2099 no lunar New Year is known
_Offset = Annotated[int, Field(ge=-60, le=60)]
"""A day counted from the lunar New Year's Day, which is day 0."""
_Ends = tuple[int, int]

_TAKES_THE_PLACE = {"code", "name", "zone", "weekend", "opens", "closes"}
"""Fields of which the nearest file's holds as it stands."""


class Closed(BaseModel):
    """The days from one to another, both included; a year at most, so that a slip of the pen is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"goes from {self.first} to {self.last}: the last day comes before the first")
        if self.last - self.first > timedelta(days=366):
            raise ValueError(f"goes from {self.first} to {self.last}: more than a year")
        return self

    @property
    def ends(self) -> _Ends:
        """The first and the last day, as ordinals."""
        return self.first.toordinal(), self.last.toordinal()

    @property
    def days(self) -> Iterator[date]:
        """The days themselves."""
        first, last = self.ends
        return map(date.fromordinal, range(first, last + 1))


class Slow(Closed):
    """Days on which only a part of a full day's work is done."""

    factor: Factor


class SlowAroundNewYear(BaseModel):
    """Slow days, counted from the lunar New Year's Day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: _Offset = Field(alias="from")
    last: _Offset = Field(alias="to")
    factor: Factor

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"goes from day {self.first} to day {self.last}: the last day comes before the first")
        return self


class SpringFestival(BaseModel):
    """The weeks around the lunar New Year, every year: closed from day to day, slow before and after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed: tuple[_Offset, ...] = Field(min_length=2, max_length=2)
    slow: tuple[SlowAroundNewYear, ...] = ()

    @field_validator("closed")
    @classmethod
    def _is_a_range(cls, closed: tuple[int, ...]) -> tuple[int, ...]:
        if closed[1] < closed[0]:
            raise ValueError(f"closed goes from day {closed[0]} to day {closed[1]}: the last comes before the first")
        return closed


class StatedCalendar(BaseModel):
    """What one calendar file states; the rest comes from the calendar that it is like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    like: str | None = None
    name: Name | None = None
    zone: str | None = None
    weekend: frozenset[Annotated[int, Field(ge=1, le=7)]] | None = None
    opens: time | None = None
    closes: time | None = None
    holidays: frozenset[date] = frozenset()
    closed: tuple[Closed, ...] = ()
    workdays: frozenset[date] = frozenset()
    capacity: tuple[Slow, ...] = ()
    official: Annotated[str, AfterValidator(known_list)] | None = None
    published: frozenset[_Year] | None = None
    country: Annotated[str, AfterValidator(known_country)] | None = None
    spring_festival: SpringFestival | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"there is no time zone {zone!r}; it should be one such as Asia/Shanghai") from None
        return zone


@dataclass(frozen=True)
class Statement:
    """What one file says of a calendar, and where it stands."""

    marked: Marked
    says: StatedCalendar


Layers = Sequence[Mapping[str, Statement]]


def read_calendars(layers: Sequence[Mapping[str, Marked]]) -> dict[str, Calendar]:
    """
    Return the calendars of all layers, the upper ones over the lower. Raises LibraryError.

    Rules (an official list's estimates, a country's holidays, the Spring Festival) are worked out for every year
    from 2007 until six years after the last one that any calendar has published.
    """
    stated = [{code: _statement(marked) for code, marked in layer.items()} for layer in layers]
    tops = {code: level for level, layer in enumerate(stated) for code in layer}
    likenesses = {code: _likeness(code, level, stated, tops, ()) for code, level in tops.items()}
    published = {code: _published(likeness) for code, likeness in likenesses.items()}
    last = max((year for years in published.values() for year in years or ()), default=FIRST_YEAR)
    span = range(FIRST_YEAR, last + YEARS_AHEAD + 1)
    return {code: _calendar(likeness, published[code], span) for code, likeness in likenesses.items()}


def _statement(marked: Marked) -> Statement:
    says = marked.read_as(StatedCalendar)
    for field, days in (("holidays", says.holidays), ("closed", _days_of(says.closed))):
        if both := days & says.workdays:
            raise marked.mistake(f"{min(both)} stands under {field} and under workdays", "workdays")
    if (position := _overlapping([slow.ends for slow in says.capacity])) is not None:
        raise marked.mistake("overlaps with a range above it: give each day one factor", "capacity", position)
    if spring := says.spring_festival:
        ranges = [(spring.closed[0], spring.closed[1]), *((slow.first, slow.last) for slow in spring.slow)]
        if (position := _overlapping(ranges)) is not None:
            raise marked.mistake(
                "overlaps with the closed days or with a range above it: give each day one factor",
                "spring_festival",
                "slow",
                position - 1,
            )
    return Statement(marked, says)


def _days_of(ranges: Sequence[Closed]) -> frozenset[date]:
    return frozenset(day for days in ranges for day in days.days)


def _overlapping(ranges: Sequence[_Ends]) -> int | None:
    """Return the position of the first range that holds a day of one before it."""
    for position, (first, last) in enumerate(ranges):
        if any(first <= other_last and other_first <= last for other_first, other_last in ranges[:position]):
            return position
    return None


def _likeness(
    code: str, level: int, layers: Layers, tops: Mapping[str, int], way: tuple[str, ...]
) -> tuple[Statement, ...]:
    """Return what is said of a calendar: first by the furthest one that it is like, last by its own file."""
    statement = layers[level][code]
    like = statement.says.like
    if like is None:
        return (statement,)
    # A calendar that is like its own code stands over the one of that code beneath it.
    beneath = level - 1 if like == code else tops.get(like, -1)
    while beneath >= 0 and like not in layers[beneath]:
        beneath -= 1
    if beneath < 0:
        raise statement.marked.mistake(f"there is no calendar {like!r} to be like{did_you_mean(like, tops)}", "like")
    step = f"{code} {level}"
    if step in way:
        raise statement.marked.mistake(f"{code} is like {like}, which in the end is like {code}", "like")
    return (*_likeness(like, beneath, layers, tops, (*way, step)), statement)


def _published(likeness: Sequence[Statement]) -> frozenset[int] | None:
    """Return the years whose official list is loaded: a house adds a year to those of the calendar it is like."""
    published: frozenset[int] | None = None
    for statement in likeness:
        if "published" in statement.says.model_fields_set:
            stated = statement.says.published
            published = stated if stated is None or published is None else published | stated
    if missing := missing_years(published or ()):
        raise _stating(likeness, "published").mistake(
            f"published leaves out {missing[0]}: its list comes before that of {max(published or ())}", "published"
        )
    return published


def _calendar(likeness: Sequence[Statement], published: frozenset[int] | None, span: range) -> Calendar:
    fields: dict[str, Any] = {}
    for statement in likeness:
        fields |= statement.says.model_dump(exclude_unset=True, include=_TAKES_THE_PLACE)
    if following := _nearest(likeness, "official"):
        if published is None:
            marked = _stating(likeness, "published", "official")
            raise marked.mistake(
                f"follows the official list {following.says.official}: published says for which years it is loaded",
                "published" if "published" in marked.mapping() else "official",
            )
        fields["official"] = following.says.official
        fields["estimated"] = statutory_days(year for year in span if year not in published)
    try:
        calendar = Calendar.model_validate({**fields, **_days(likeness, span), "published": published})
    except ValidationError as error:
        raise _stating(likeness, str(error.errors()[0]["loc"][0])).refusal(error, Calendar) from None
    if calendar.opens >= calendar.closes:
        raise _stating(likeness, "opens", "closes").mistake(
            f"closes at {calendar.closes:%H:%M}, but opens at {calendar.opens:%H:%M}", "closes"
        )
    return calendar


def _stating(likeness: Sequence[Statement], *fields: str) -> Marked:
    """Return the nearest file that states one of `fields`; the calendar's own where none does."""
    stating = [statement for statement in likeness if statement.says.model_fields_set & set(fields)]
    return (stating or likeness)[-1].marked


def _nearest(likeness: Sequence[Statement], rule: str) -> Statement | None:
    """Return the nearest statement that has a say in `rule`; `None` if it says that there is none."""
    stating = [statement for statement in likeness if rule in statement.says.model_fields_set]
    return stating[-1] if stating and getattr(stating[-1].says, rule) is not None else None


def _days(likeness: Sequence[Statement], span: range) -> dict[str, Any]:
    """
    Return holidays, make-up days and capacity.

    They add to each other, and what the nearer file says of a day wins: a factory adds the weeks it closes, and
    works on none of their make-up days; a house adds the notice of a year. What a file's rules make of a day, it
    may say otherwise itself.
    """
    by_country, by_moon = _nearest(likeness, "country"), _nearest(likeness, "spring_festival")
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    capacity: dict[date, float] = {}
    for statement in likeness:
        says = statement.says
        off = says.holidays | _days_of(says.closed)
        if statement is by_country and says.country:
            off |= public_holidays(says.country, span) - says.workdays
        if statement is by_moon and says.spring_festival:
            closed, slow = _around_new_year(says.spring_festival, span)
            off |= closed - says.workdays
            capacity |= slow
        capacity |= {day: slow.factor for slow in says.capacity for day in slow.days}
        holidays = (holidays - says.workdays) | off
        workdays = (workdays - off) | says.workdays
    return {"holidays": holidays, "workdays": workdays, "capacity": capacity}


def _around_new_year(festival: SpringFestival, span: range) -> tuple[frozenset[date], dict[date, float]]:
    """Return the days that are closed around each year's lunar New Year, and the factors of the slow ones."""
    days = {year: lunar_new_year(year) for year in span}
    first, last = festival.closed
    closed = frozenset(day + n * ONE_DAY for day in days.values() for n in range(first, last + 1))
    slow = {
        day + n * ONE_DAY: slow.factor
        for day in days.values()
        for slow in festival.slow
        for n in range(slow.first, slow.last + 1)
    }
    return closed, slow
