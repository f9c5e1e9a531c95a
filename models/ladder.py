"""The escalation ladder: when a stall climbs, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.names import Name
from models.workdays import Calendar

Pause = tuple[datetime, datetime | None]
"""From when until when the ladder's clock stands still; no end is "until further notice"."""


class Rung(BaseModel):
    """One rung: the role that is told, `after` so many working days late (0: as soon as the due date has passed)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^L[1-9]$")
    after: int = Field(ge=0, le=250)
    role: str
    asks: Name


class Ladder(BaseModel):
    """
    The agreed rungs, lowest first.

    `acknowledged_for` is how many working days an acknowledgement rests the climb: people say "received" and
    nothing happens (domain.md 3.4).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    version: int = 1
    rungs: tuple[Rung, ...] = Field(min_length=1)
    acknowledged_for: int = Field(default=2, ge=0, le=60)

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        for lower, upper in zip(self.rungs, self.rungs[1:], strict=False):
            if upper.after <= lower.after or upper.code <= lower.code:
                raise ValueError(f"rung {upper.code} does not come after rung {lower.code}")
        return self

    def by_code(self, code: str) -> Rung:
        """Return the rung called `code`."""
        return next(rung for rung in self.rungs if rung.code == code)


def climb(ladder: Ladder, calendar: Calendar, stalls_at: datetime, pauses: Sequence[Pause]) -> list[datetime | None]:
    """
    Return the instant of each rung for a stall that begins at `stalls_at`.

    A rung is due when the office opens on its working day after the day of `stalls_at` (the first one for a
    rung of 0 days). Days that open during a pause do not count. `None` means: not while the pause lasts.
    """
    wanted = [max(1, rung.after) for rung in ladder.rungs]
    standstill = min((start for start, end in pauses if end is None), default=None)
    mornings: list[datetime] = []
    for day in calendar.workdays_after(calendar.local_date(stalls_at)):
        morning = calendar.opening(day)
        if standstill is not None and morning >= standstill:
            break
        if not any(start <= morning < end for start, end in pauses if end is not None):
            mornings.append(morning)
            if len(mornings) == wanted[-1]:
                break
    return [mornings[n - 1] if n <= len(mornings) else None for n in wanted]


def rests_until(ladder: Ladder, calendar: Calendar, acknowledged_at: datetime) -> datetime:
    """Return when an acknowledgement given at `acknowledged_at` stops resting the climb."""
    if ladder.acknowledged_for == 0:
        return acknowledged_at
    days = calendar.workdays_after(calendar.local_date(acknowledged_at))
    last = next(islice(days, ladder.acknowledged_for - 1, None))
    return calendar.end_of(last)
