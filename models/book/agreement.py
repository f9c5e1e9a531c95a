"""What is agreed of an order at a moment: the order as placed, with everything that changed it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

from models.book.changes import Amendment, Booking, CreditAdvised, HandedOver, QuotationValid, Reschedule, Split
from models.book.entry import Entry
from models.book.order import Etd, Order
from models.book.report import Report
from models.terms.credit import Credit
from models.terms.tolerance import Tolerance, credit_tolerance, narrower


class Sailing(NamedTuple):
    """An ETD of the order, the booking for it where there is one, and since when they are known."""

    since: datetime
    etd: Etd
    booking: Booking | None = None

    @property
    def cutoffs(self) -> Mapping[str, datetime]:
        """The deadlines of the booking by their codes."""
        return self.booking.cutoffs if self.booking is not None else {}


@dataclass(frozen=True)
class Agreement:
    """
    What is agreed.

    `version` is 1 and one more with each amendment. `etds` are all that held, each with its booking, the last one holds
    now; the first since the order was placed. `merchandiser` is who follows the order: whom it was last handed over to,
    else as it was placed; empty where it names nobody. `undone` are milestones that an amendment undid, and when.
    """

    version: int
    etds: tuple[Sailing, ...]
    quantity: float | None
    tolerance: Tolerance | None
    ship_from: date | None
    ship_by: date | None
    cancel_after: date | None
    credit: Credit | None
    split: Split | None
    quotation_until: date | None
    merchandiser: str
    undone: Mapping[str, datetime]

    @property
    def etd(self) -> Etd | None:
        """The ETD that holds now; none while the order waits for one."""
        return self.etds[-1].etd if self.etds else None

    @property
    def booking(self) -> Booking | None:
        """The booking for the ETD that holds now."""
        return self.etds[-1].booking if self.etds else None

    @property
    def allowed(self) -> Tolerance | None:
        """How far what is shipped may differ from what was ordered: the order's tolerance within the credit's."""
        of_credit = credit_tolerance(self.credit) if self.credit is not None else None
        if self.tolerance is None or of_credit is None:
            return self.tolerance or of_credit
        return narrower(self.tolerance, of_credit)


def agreed(order: Order, known: Iterable[Entry]) -> Agreement:
    """Return what is agreed once everything in `known`, the log up to a moment, is taken into account."""
    now = Agreement(
        version=1,
        etds=(Sailing(order.placed_at, order.etd),) if order.etd is not None else (),
        quantity=order.quantity,
        tolerance=order.tolerance,
        ship_from=order.ship_from,
        ship_by=order.ship_by,
        cancel_after=order.cancel_after,
        credit=None,
        split=None,
        quotation_until=None,
        merchandiser=order.merchandiser,
        undone={},
    )
    for entry in known:
        match entry:
            case Report():  # most of a log
                pass
            case Reschedule():
                now = _sails(now, entry.recorded_at, entry.etd)
            case Booking():
                now = replace(now, etds=(*now.etds, Sailing(entry.recorded_at, entry.etd, entry)))
            case CreditAdvised():
                now = replace(now, credit=entry.credit)
            case QuotationValid():
                now = replace(now, quotation_until=entry.until)
            case HandedOver():
                now = replace(now, merchandiser=entry.to)
            case Split():
                now = replace(now, split=entry)
            case Amendment():
                now = _amended(now, entry)
            case _:
                pass
    return now


def _sails(now: Agreement, since: datetime, etd: Etd | None) -> Agreement:
    if etd is None or etd == now.etd:
        return now
    # The cut-offs of a booking are those of its vessel's day: with another day they are void.
    return replace(now, etds=(*now.etds, Sailing(since, etd)))


def _amended(now: Agreement, entry: Amendment) -> Agreement:
    now = _sails(now, entry.recorded_at, entry.etd)
    return replace(
        now,
        version=now.version + 1,
        quantity=entry.quantity or now.quantity,
        tolerance=entry.tolerance or now.tolerance,
        ship_from=entry.ship_from or now.ship_from,
        ship_by=entry.ship_by or now.ship_by,
        cancel_after=entry.cancel_after or now.cancel_after,
        undone={**now.undone, **dict.fromkeys(entry.undoes, entry.recorded_at)},
    )
