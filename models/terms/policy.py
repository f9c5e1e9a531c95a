"""
The escalation policy: who is told of a stall, when, and what is asked (domain.md 3.1 and 3.2).

A policy has reminders before a due date, the rungs of a ladder after it, a clock track before the cut-offs of the
outside world, an alarm for hard dates that the forecast breaks, and what makes all of it faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.names import Name

OWNER = "OWNER"
"""In the place of a role: whoever is accountable for the step."""


class PolicyMistake(ValueError):
    """A policy that nobody can follow; `at` is where in its file the mistake stands."""

    def __init__(self, what: str, *at: str | int) -> None:
        super().__init__(what)
        self.at = at


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sooner(_Part):
    """
    What brings a rung forward, any of it: it is told on the next working morning after the rung below it.

    `unanswered`: that many working days after the rung below was told, nobody answered. `slack`: at most so many
    working days are left to the step. `broken`: so many promises were broken. `slips`: the goods are forecast to leave
    after their ETD.
    """

    unanswered: int | None = Field(default=None, ge=1, le=60)
    slack: int | None = Field(default=None, ge=0, le=60)
    broken: int | None = Field(default=None, ge=1, le=20)
    slips: bool = False

    @property
    def foresees(self) -> bool:
        """Whether the forecast has a say in it."""
        return self.slack is not None or self.slips


class Rung(_Part):
    """
    One rung: the role that is told, `after` so many working days late (0: as soon as the due date has passed).

    `also` are others who are told the same (OWNER: whoever is accountable for the step). `critical`: only a step on
    which the ship date depends climbs here by its lateness. `direct`: told by a message of its own, not in the digest;
    `urgent`: even in quiet hours. `repeat` is after how many working days an unanswered notice stands in the digest
    again; 0 is never.
    """

    code: str = Field(pattern=r"^L[1-9]$")
    after: int = Field(ge=0, le=250)
    role: str
    asks: Name
    also: tuple[str, ...] = ()
    sooner: Sooner = Sooner()
    critical: bool = False
    direct: bool = True
    urgent: bool = False
    repeat: int = Field(default=0, ge=0, le=60)

    @property
    def told(self) -> tuple[str, ...]:
        """Every role that is told, each once."""
        return tuple(dict.fromkeys((self.role, *self.also)))


def _once_and_falling(days: tuple[int, ...]) -> tuple[int, ...]:
    if any(later >= earlier for earlier, later in pairwise(days)):
        raise ValueError("does not come nearer to the due date each time")
    return days


_Before = Annotated[tuple[int, ...], AfterValidator(_once_and_falling)]


class Reminders(_Part):
    """
    Reminders before a due date, in working days of the order's office; 0 is on its day.

    A step that takes at least `long_from` working days is reminded of `long` (the three-stage chase of domain.md
    3.1), every other one of `short`. They stand in the digest of the `told`.
    """

    told: tuple[str, ...] = (OWNER,)
    long_from: int = Field(default=5, ge=1, le=250)
    long: _Before = ()
    short: _Before = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Every number of days that is used."""
        return (*self.long, *self.short)


class Tick(_Part):
    """One tick of the clock track: these roles are told `hours` before a cut-off if it is not met; 0: it was missed."""

    hours: int = Field(ge=0, le=240)
    told: tuple[str, ...] = Field(min_length=1)
    urgent: bool = True

    @property
    def code(self) -> str:
        """The rung that stands in the claim."""
        return f"T-{self.hours}"


class Alarm(_Part):
    """Who is told when the forecast breaks a hard date: the ship window, the cancel date, a date of the credit."""

    rung: str = "L4"
    told: tuple[str, ...] = Field(min_length=1)
    repeat: int = Field(default=1, ge=0, le=60)


class Faster(_Part):
    """
    Orders that climb `levels` faster: customers of these tiers, a value from so much on, or a customer's first order.

    `value_from` is an amount for each currency by its ISO 4217 code; nothing is converted.
    """

    levels: int = Field(default=1, ge=1, le=3)
    tiers: tuple[str, ...] = ()
    value_from: dict[str, float] = {}
    first_order: bool = False


class Waiting(_Part):
    """
    What is different where a step waits on a party.

    `instead` names the roles that are told in the place of others: a late buyer's comment goes to sales and not to
    production. `asks` replaces what is asked on every rung but the last, where somebody decides: customs is not
    pressed, the next sailing is looked for.
    """

    instead: dict[str, str] = {}
    asks: Name | None = None


class Policy(_Part):
    """
    The agreed policy, its rungs lowest first.

    `acknowledged_for` is how many working days an acknowledgement rests the climb: people say "received" and
    nothing happens (domain.md 3.4). `morning` is the wall time of the order's office at which rungs and reminders are
    told on a working day; without it the office's own opening. `waiting_on` and `heads` say who is told in whose place,
    by the party that is waited on and by the role that is accountable.
    """

    code: str
    version: int = 1
    rungs: tuple[Rung, ...] = Field(min_length=1)
    acknowledged_for: int = Field(default=2, ge=0, le=60)
    morning: time | None = None
    reminders: Reminders = Reminders()
    clock: tuple[Tick, ...] = ()
    alarm: Alarm | None = None
    faster: tuple[Faster, ...] = ()
    waiting_on: dict[str, Waiting] = {}
    heads: dict[str, dict[str, str]] = {}

    def __hash__(self) -> int:
        return hash((self.code, self.version, len(self.rungs)))

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        for position, (lower, upper) in enumerate(pairwise(self.rungs), start=1):
            if upper.after <= lower.after or upper.code <= lower.code:
                raise PolicyMistake(f"rung {upper.code} does not come after rung {lower.code}", "rungs", position)
        for position, rung in enumerate(self.rungs):
            if rung.code != f"L{position + 1}":
                raise PolicyMistake(
                    f"the ladder has a gap: rung {position + 1} is {rung.code} and not L{position + 1}",
                    "rungs", position, "code",
                )  # fmt: skip
        if self.rungs[0].sooner != Sooner():
            raise PolicyMistake("the first rung has none below it, so nothing brings it forward", "rungs", 0, "sooner")
        for position, (earlier, later) in enumerate(pairwise(self.clock), start=1):
            if later.hours >= earlier.hours:
                raise PolicyMistake(
                    f"{later.code} does not come nearer to the cut-off than {earlier.code}", "clock", position, "hours"
                )
        if self.alarm is not None and self.alarm.rung not in {rung.code for rung in self.rungs}:
            raise PolicyMistake(f"there is no rung {self.alarm.rung}", "alarm", "rung")
        return self

    @model_validator(mode="after")
    def _an_owner_is_of_a_step(self) -> Self:
        if self.alarm is not None and OWNER in self.alarm.told:
            raise PolicyMistake(
                "a hard date is no step, so it has no owner: name a role", "alarm", "told", self.alarm.told.index(OWNER)
            )
        for party, waiting in self.waiting_on.items():
            for role, other in waiting.instead.items():
                if OWNER in (role, other):
                    raise PolicyMistake(
                        "the owner of a step takes nobody's place", "waiting_on", party, "instead", role
                    )
        for owner, places in self.heads.items():
            for role, other in places.items():
                if OWNER in (owner, role, other):
                    raise PolicyMistake("the owner of a step takes nobody's place", "heads", owner, role)
        return self

    def by_code(self, code: str) -> Rung:
        """Return the rung called `code`."""
        return next(rung for rung in self.rungs if rung.code == code)

    def above(self, code: str) -> Rung | None:
        """Return the rung above the one called `code`; `None` above the last."""
        return next((upper for lower, upper in pairwise(self.rungs) if lower.code == code), None)

    def told_in_place_of(self, role: str, owner: str, waits: tuple[str, ...]) -> str:
        """Return who is told where the policy says `role`, of a step of `owner` that waits on `waits`."""
        if role == OWNER:
            return owner
        for party in waits:
            if party in self.waiting_on and role in self.waiting_on[party].instead:
                return self.waiting_on[party].instead[role]
        return self.heads.get(owner, {}).get(role, role)

    def asks_of(self, rung: str, waits: tuple[str, ...]) -> Name:
        """Return the one thing that is asked on a rung, of a step that waits on `waits`; on the last one, its own."""
        for party in waits if rung != self.rungs[-1].code else ():
            waiting = self.waiting_on.get(party)
            if waiting is not None and waiting.asks is not None:
                return waiting.asks
        return self.by_code(rung).asks

    def levels_faster(self, *, tier: str, value: float | None, currency: str, first_order: bool) -> int:
        """Return by how many levels an order climbs faster: the most that any of `faster` gives it."""
        return max(
            (
                each.levels
                for each in self.faster
                if (tier and tier in each.tiers)
                or (value is not None and value >= each.value_from.get(currency, inf))
                or (each.first_order and first_order)
            ),
            default=0,
        )


@lru_cache(maxsize=64)
def climbed_faster(rungs: tuple[Rung, ...], levels: int) -> Mapping[str, int]:
    """
    Return after how many working days each rung is told where an order climbs `levels` faster.

    Each rung is told when the one so many levels below it usually is, and at least a working day after its own
    predecessor: nobody is left out.
    """
    after: dict[str, int] = {}
    last = -1
    for position, rung in enumerate(rungs):
        days = rungs[max(0, position - levels)].after
        if position:
            days = max(days, last + 1, 1) if last else max(days, 2)
        last = after[rung.code] = days
    return after
