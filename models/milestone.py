"""A milestone of an order, and the stage of the order that it belongs to."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

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


class Milestone(BaseModel):
    """
    One step of a template.

    `offset` is its planned finish in calendar days relative to ETD (0 is on board). `accountable` is the
    internal role that is asked; `waiting_on` are the parties that must move. `calendar` is the code of the
    calendar on which its due date must fall. `counted` milestones are reached by quantity. `awaited` is an English noun
    phrase for what is waited for, where the name is none: `customs release` for `Customs released`.
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
    awaited: str = ""
    calendar: str
