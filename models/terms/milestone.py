"""A milestone of an order, and the stage of the order that it belongs to."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.names import Name


class Stage(StrEnum):
    """Where in its life an order is; the phases of the milestone catalogue, customs and loading apart."""

    COMMERCIAL = "commercial"
    SAMPLES = "samples"
    MATERIALS = "materials"
    PRODUCTION = "production"
    INSPECTION = "inspection"
    BOOKING = "booking"
    CUSTOMS = "customs"
    LOADING = "loading"
    DOCUMENTS = "documents"
    AFTER_SHIPMENT = "after-shipment"


class Takes(BaseModel):
    """
    How long a step takes once everything before it is done, in working days of its calendar.

    `likely` is the median (P50), `pessimistic` what one order in ten exceeds (P90; domain.md 5.4). 0 is the same
    instant: the step ends with the one before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    likely: float = Field(default=0, ge=0, le=400, allow_inf_nan=False)
    pessimistic: float = Field(default=0, ge=0, le=400, allow_inf_nan=False)

    @model_validator(mode="after")
    def _pessimistic_is_longer(self) -> Self:
        if self.pessimistic < self.likely:
            raise ValueError("pessimistic is shorter than likely")
        return self

    def at(self, pace: float) -> Takes:
        """Return what the step takes where everything is done in `pace` of the usual time, 1 being that time."""
        return Takes(likely=self.likely * pace, pessimistic=self.pessimistic * pace)


class Rounds(BaseModel):
    """
    What a failed attempt at a milestone means: an approval with comments, a failed inspection, rolled cargo.

    The milestone and those in `reopens` are open again; `takes` is how long the next attempt needs from the
    failure on. More than `at_most` rounds are a risk that somebody must decide about (domain.md 2.6).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_most: int = Field(default=3, ge=1, le=20)
    reopens: tuple[str, ...] = ()
    takes: Takes = Takes()


class Milestone(BaseModel):
    """
    One step of a template.

    `offset` is its planned finish in calendar days relative to ETD (0 is on board). `accountable` is the
    internal role that is asked; `waiting_on` are the parties that must move. `calendar` is the code of the
    calendar on which its due date must fall. `counted` milestones are reached by quantity, at `complete_at`
    percent of what was ordered. `awaited` is an English noun phrase for what is waited for, where the name is none:
    `customs release` for `Customs released`. `cutoff` is the code of the outside deadline that it must meet (SI, VGM,
    CY, CUSTOMS ...), which comes with the booking. `evidence` is what closes it, `stall` why it usually stands still.
    `rounds` is given where an attempt at it can fail.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=32)
    name: Name
    stage: Stage
    accountable: str
    waiting_on: tuple[str, ...]
    offset: int
    after: tuple[str, ...] = ()
    optional: bool = False
    counted: bool = False
    complete_at: float = Field(default=100, gt=0, le=100)
    awaited: str = ""
    calendar: str
    takes: Takes = Takes()
    cutoff: str = ""
    evidence: Name | None = None
    stall: Name | None = None
    rounds: Rounds | None = None
