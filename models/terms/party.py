"""Who works on an order: the roles and outside parties, the customers, and the people who are written to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from models.names import Language, Name
from models.terms.tolerance import Tolerance

MERCHANDISER = "MER"
"""The role of whoever follows an order where the order names nobody."""
TIERS = ("A", "B", "C")


class Party(BaseModel):
    """
    A role of our own (`internal`) or an outside party that an order waits on.

    Only internal ones are asked and stand on ladders; outside parties are never written to of Gendan's own
    accord (domain.md 1.3). `calendar` is the code of the calendar that the party works by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=32)
    name: Name
    calendar: str
    internal: bool


class Customer(BaseModel):
    """
    A customer, with what holds for all of his orders; an order may say otherwise.

    `calendar` is the code of the calendar that his people work by, the holidays of his country; empty where nobody
    said. `tolerance` is how far a shipment may differ from what was ordered, as he wrote it (`-3/+5`). `tier` is how
    much he matters to us, A the most; empty where nobody said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1)
    calendar: str = ""
    tolerance: str = ""
    tier: str = ""

    @field_validator("tier")
    @classmethod
    def _tier_is_one(cls, tier: str) -> str:
        if tier not in ("", *TIERS):
            raise ValueError(f"tier should be one of {', '.join(TIERS)}, not {tier!r}")
        return tier

    @field_validator("tolerance")
    @classmethod
    def _tolerance_is_one(cls, tolerance: str) -> str:
        if tolerance:
            Tolerance.parse(tolerance)
        return tolerance

    def is_called(self, written: str) -> bool:
        """Say whether `written` is this customer's code or name, whatever its capitals."""
        return written.casefold() in (self.code.casefold(), self.name.casefold())


class PersonMistake(ValueError):
    """What cannot be of a person; `at` is where in the entry the mistake stands."""

    def __init__(self, what: str, *at: str | int) -> None:
        super().__init__(what)
        self.at = at


def _on_the_minute(wall: time) -> time:
    if wall.tzinfo is not None or wall.second or wall.microsecond:
        raise ValueError(f"should be a time of day by the person's own clock, such as 08:30, not {wall}")
    return wall


WallTime = Annotated[time, AfterValidator(_on_the_minute)]
"""A whole minute on the wall of whoever it is about."""


class Quiet(BaseModel):
    """
    The hours in which nobody is written to, on the wall of the person's zone: from `start` until just before `end`.

    They go over midnight where `end` comes before `start`; where the two are one, there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: WallTime = time(20)
    end: WallTime = time(8, 30)

    @property
    def never(self) -> bool:
        """Whether there are no quiet hours."""
        return self.start == self.end

    @property
    def over_midnight(self) -> bool:
        """Whether they end on the day after the one on which they start."""
        return self.end < self.start

    def holds(self, wall: time) -> bool:
        """Say whether it is quiet at this time of day."""
        if self.over_midnight:
            return wall >= self.start or wall < self.end
        return self.start <= wall < self.end

    def __str__(self) -> str:
        return "none" if self.never else f"{self.start:%H:%M} to {self.end:%H:%M}"


NO_QUIET = Quiet(start=time(), end=time())


def _quiet_in_words(stated: Any) -> Any:
    if stated is None or stated == "none":
        return NO_QUIET
    if isinstance(stated, str):
        start, dash, end = stated.partition("-")
        if not dash:
            raise ValueError(f"quiet should be two times of day, such as 20:00-08:30, or none, not {stated!r}")
        return {"start": start.strip(), "end": end.strip()}
    return stated


def _times_in_words(stated: Any) -> Any:
    return [wall.strip() for wall in stated.split(",")] if isinstance(stated, str) else stated


class Substitute(BaseModel):
    """Who stands in (代理人), `by` his code, from `first` to `last`: both whole days, in the zone of who is away."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    first: date = Field(validation_alias="from")
    last: date = Field(validation_alias="to")
    by: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"goes from {self.first} to {self.last}: the last day comes before the first")
        return self

    def covers(self, day: date) -> bool:
        """Say whether `day` is one of its days."""
        return self.first <= day <= self.last


class Person(BaseModel):
    """
    Somebody who is written to, in one language or in two, the first one first.

    `roles` are the roles of our own that he fills; nobody else fills them. `calendar` is the code of the calendar that
    he works by: its zone is his. On its working days, outside his `quiet` hours, he is written to: what can wait comes
    together at the `digests`, times on his wall, and at most `budget` messages a day come by themselves.
    `substitutes` stand in for him while he is away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    languages: tuple[Language, ...] = Field(default=(Language.EN, Language.ZH_HANS), min_length=1, max_length=2)
    roles: tuple[str, ...] = ()
    calendar: str = "cn-office"
    quiet: Annotated[Quiet, BeforeValidator(_quiet_in_words)] = Quiet()
    digests: Annotated[tuple[WallTime, ...], BeforeValidator(_times_in_words)] = Field(
        default=(time(8, 30), time(13, 30)), min_length=1, max_length=24
    )
    budget: int = Field(default=12, ge=0, le=1000)
    substitutes: tuple[Substitute, ...] = ()

    @field_validator("languages")
    @classmethod
    def _each_once(cls, languages: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(languages)) < len(languages):
            raise ValueError("the same language stands twice")
        return languages

    @model_validator(mode="after")
    def _fills_a_role_once(self) -> Self:
        for position, role in enumerate(self.roles):
            if role in self.roles[:position]:
                raise PersonMistake(f"the role {role} stands twice", "roles", position)
        return self

    @model_validator(mode="after")
    def _digests_come_in_order_and_not_at_night(self) -> Self:
        for position, (earlier, later) in enumerate(pairwise(self.digests), start=1):
            if later <= earlier:
                raise PersonMistake(
                    f"the digest at {later:%H:%M} does not come after the one at {earlier:%H:%M}", "digests", position
                )
        for position, digest in enumerate(self.digests):
            if self.quiet.holds(digest):
                at = ("digests", position) if "digests" in self.model_fields_set else ("quiet",)
                raise PersonMistake(
                    f"the digest at {digest:%H:%M} falls into the quiet hours, {self.quiet}: "
                    "give digests at other times, or other quiet hours",
                    *at,
                )
        return self

    @model_validator(mode="after")
    def _has_one_substitute_a_day(self) -> Self:
        for position, later in enumerate(self.substitutes):
            for other in self.substitutes[:position]:
                if later.first <= other.last and other.first <= later.last:
                    raise PersonMistake(
                        f"{later.by} would stand in from {later.first} to {later.last}, and {other.by} does from "
                        f"{other.first} to {other.last}: give each day one substitute",
                        "substitutes",
                        position,
                    )
        return self

    def is_called(self, written: str) -> bool:
        """Say whether `written` is this person's code or name, whatever its capitals."""
        return written.casefold() in (self.code.casefold(), self.name.casefold())

    def away(self, day: date) -> Substitute | None:
        """Return the substitution of `day`, a date in his zone; `None` while he is there."""
        return next((each for each in self.substitutes if each.covers(day)), None)


def on_duty(person: Person, people: Mapping[str, Person], day: date) -> Person:
    """
    Return who reads what is for `person` on `day`: he himself, or his substitute, whose substitute counts in turn.

    Ends, whatever the substitutes are: with the last one who is among `people` and was not passed yet.
    """
    passed = {person.code}
    while (away := person.away(day)) is not None and away.by in people and away.by not in passed:
        person = people[away.by]
        passed.add(person.code)
    return person


def comes_back(code: str, away: Substitute, people: Mapping[str, Person]) -> bool:
    """Say whether those who stand in for `code` on the first day of `away` are, in the end, `code` again."""
    passed: set[str] = set()
    each: Substitute | None = away
    while each is not None and each.by in people and each.by not in passed:
        if each.by == code:
            return True
        passed.add(each.by)
        each = people[each.by].away(away.first)
    return False
