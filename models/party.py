"""Who works on an order: the roles and outside parties, the customers, and the people who are written to."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from models.names import Language, Name
from models.tolerance import Tolerance


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
    said. `tolerance` is how far a shipment may differ from what was ordered, as he wrote it (`-3/+5`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1)
    calendar: str = ""
    tolerance: str = ""

    @field_validator("tolerance")
    @classmethod
    def _tolerance_is_one(cls, tolerance: str) -> str:
        if tolerance:
            Tolerance.parse(tolerance)
        return tolerance

    def is_called(self, written: str) -> bool:
        """Say whether `written` is this customer's code or name, whatever its capitals."""
        return written.casefold() in (self.code.casefold(), self.name.casefold())


class Person(BaseModel):
    """Somebody who is written to, in one language or in two, the first one first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    languages: tuple[Language, ...] = Field(default=(Language.EN, Language.ZH_HANS), min_length=1, max_length=2)

    @field_validator("languages")
    @classmethod
    def _each_once(cls, languages: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(languages)) < len(languages):
            raise ValueError("the same language stands twice")
        return languages
