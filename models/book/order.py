"""An order as the customer placed it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from models.terms.tolerance import Tolerance

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
    SPLIT = "split"
    WON = "won"
    LOST = "lost"
    NOT_FOLLOWED = "not_followed"

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is waited for."""
        return self in _OVER


_OVER = frozenset({OrderState.CLOSED, OrderState.CANCELLED, OrderState.SPLIT, OrderState.WON, OrderState.LOST})


class OrderKind(StrEnum):
    """What is followed: an order to its departure and beyond, or a prospect to its contract (業務跟單)."""

    EXPORT = "export"
    PROSPECT = "prospect"


class Order(BaseModel):
    """
    What was ordered, by whom, and when it is planned to sail.

    `etd` is a date where the customer gave a date (the whole day, in the order's calendar) and an instant
    where a vessel's time is known. `came_in` is when Gendan first heard of the order: nothing is chased for
    days that were over before. `quantity` is what counted milestones count up to; `tolerance` is how far what is
    shipped may differ from it.

    `ship_from` to `ship_by` is the buyer's ship window, `cancel_after` the day after which he may cancel: whole days
    in the order's calendar. A lot names the order that it is part of (`parent`). The ETD of a prospect is the day on
    which its contract is hoped for.

    `value` is what is invoiced for it, in `currency` (ISO 4217). `tier` is how important the customer was, and
    `first_order` whether it was his first, when the order came in.
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
    kind: OrderKind = OrderKind.EXPORT
    tolerance: Tolerance | None = None
    ship_from: date | None = None
    ship_by: date | None = None
    cancel_after: date | None = None
    parent: str = ""
    value: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    tier: str = Field(default="", max_length=8)
    first_order: bool = False
    attributes: dict[str, str] = {}


def sails_by(etd: Etd, end_of_day: datetime) -> datetime:
    """Return the instant after which the goods are late: the ETD itself, or the end of its day."""
    return etd if isinstance(etd, datetime) else end_of_day
