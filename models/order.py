"""An order as the customer placed it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

OrderNo = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
Etd = AwareDatetime | date


class OrderState(StrEnum):
    """Where an order stands; the words of the result files (formats.md)."""

    OPEN = "open"
    WAITING_FOR_DATE = "waiting_for_date"
    ON_HOLD = "on_hold"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    LOST = "lost"
    NOT_FOLLOWED = "not_followed"

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is waited for."""
        return self in (OrderState.CLOSED, OrderState.CANCELLED, OrderState.LOST)


class Order(BaseModel):
    """
    What was ordered, by whom, and when it is planned to sail.

    `etd` is a date where the customer gave a date (the whole day, in the order's calendar) and an instant
    where a vessel's time is known. `came_in` is when Gendan first heard of the order: nothing is chased for
    days that were over before. `quantity` is what counted milestones count up to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_no: OrderNo
    customer: str = ""
    placed_at: AwareDatetime
    came_in: AwareDatetime
    etd: Etd | None = None
    quantity: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    unit: str = ""
    merchandiser: str = ""
    attributes: dict[str, str] = {}


def sails_by(etd: Etd, end_of_day: datetime) -> datetime:
    """Return the instant after which the goods are late: the ETD itself, or the end of its day."""
    return etd if isinstance(etd, datetime) else end_of_day
