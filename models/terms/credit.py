"""Letters of credit: until when the goods must be on board, and until when the documents must be at the bank."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from itertools import combinations, islice
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from models.calendars.workdays import ONE_DAY, Calendar

SILENT = 21
"""Calendar days after shipment in which documents are presented when field 48 says nothing (UCP 600 art. 14(c))."""

EXAMINATION = 5
"""Banking days that a bank has after the day of presentation (UCP 600 art. 14(b))."""


class Credit(BaseModel):
    """
    What a letter of credit says about shipment and presentation, by the fields of its MT700.

    `latest_shipment` is 44C, `expiry` and `expiry_place` are 31D, `presentation_days` is 48 in calendar days after
    shipment (`None`: not stated), `partial_shipments` is 43P and `transhipment` 43T. `about` says that "about" or
    "approximately" stands before the quantity, `counted_in_units` that the quantity is in packing units or
    individual items (art. 30). `amended` counts the amendments that are in it. Dates are whole days at the place
    of expiry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str = ""
    latest_shipment: date | None = None
    expiry: date
    expiry_place: str = ""
    presentation_days: int | None = None
    partial_shipments: bool = True
    transhipment: bool = True
    about: bool = False
    counted_in_units: bool = True
    amended: int = Field(default=0, ge=0)

    @field_validator("presentation_days")
    @classmethod
    def _period_is_possible(cls, days: int | None) -> int | None:
        if days is not None and not 1 <= days <= 365:
            raise ValueError(
                f"field 48 is the number of days after shipment, 1 to 365, and {days} is not; "
                f"leave it out where the credit is silent: then {SILENT} days count"
            )
        return days

    @model_validator(mode="after")
    def _ships_before_it_expires(self) -> Self:
        if self.latest_shipment is not None and self.latest_shipment > self.expiry:
            raise ValueError(
                f"field 44C allows shipment until {self.latest_shipment}, but the credit expires before (31D: "
                f"{self.expiry}); check both dates, or have the credit amended"
            )
        return self


def latest_on_board(credit: Credit, window_end: date | None) -> date:
    """
    Return the last day on which the goods may be on board: 44C, or the end of the buyer's ship window before it.

    A credit that states only an expiry also sets the latest shipment with it (雙到期): nothing is left for the
    documents (domain.md 4.6). The day never moves, whether anybody works on it or not (UCP 600 art. 29(c)).
    """
    latest = credit.latest_shipment or credit.expiry
    return latest if window_end is None else min(latest, window_end)


class Limit(StrEnum):
    """What ends the time for presentation: the credit itself, or the period after shipment."""

    EXPIRY = "expiry"
    PERIOD = "period"


class Presentation(NamedTuple):
    """
    Until when documents may be presented.

    `rule` is the limit that ends first; EXPIRY where both end on one day. `extended_from` is that limit's own day
    where the bank is closed on it; whoever presents on `by` then needs the bank's statement on its covering
    schedule that the time was extended (UCP 600 art. 29(b)). `provisional`: `by` rests on a year whose holidays
    are not published.
    """

    by: date
    rule: Limit
    extended_from: date | None
    provisional: bool


def presentation_limit(credit: Credit, on_board: date, bank: Calendar) -> Presentation:
    """
    Return until when the documents of goods on board on `on_board` may be presented.

    That is the expiry, or the end of the presentation period if it comes first. On a day on which `bank`, the one
    at the place of expiry, is closed it moves to the next banking day (UCP 600 art. 14(c), 29(a)). Both limits are
    extended alike, so the one that ends first stays first. Goods on board too late for the credit leave a limit
    before their own shipment.
    """
    days = SILENT if credit.presentation_days is None else credit.presentation_days
    period_ends = on_board + timedelta(days=days)
    last, rule = (period_ends, Limit.PERIOD) if period_ends < credit.expiry else (credit.expiry, Limit.EXPIRY)
    by = last if bank.is_workday(last) else next(bank.workdays_after(last))
    consulted = (last + ONE_DAY * n for n in range((by - last).days + 1))
    return Presentation(
        by=by,
        rule=rule,
        extended_from=last if by != last else None,
        provisional=any(bank.is_provisional(day) for day in consulted),
    )


def working_margin(credit: Credit, on_board: date, bank: Calendar) -> int:
    """
    Return the calendar days between shipment and the last day for presentation.

    0 leaves the day of shipment alone; below 0 the goods are on board too late for any presentation.
    """
    return (presentation_limit(credit, on_board, bank).by - on_board).days


def examined_by(presented: date, bank: Calendar) -> date:
    """
    Return the last day on which `bank` must accept or refuse documents that came in on `presented`.

    At most five banking days after that day, whatever day the credit expires (UCP 600 art. 14(b)).
    """
    return next(islice(bank.workdays_after(presented), EXAMINATION - 1, None))


class Consignment(NamedTuple):
    """
    The goods of one lot on their means of conveyance; empty text is what is not known yet.

    By air or courier, `vessel` is the carrier and `voyage` the flight.
    """

    on_board: date
    vessel: str = ""
    voyage: str = ""
    destination: str = ""


class ShipmentRefusal(StrEnum):
    """Why a bank would refuse the documents of a shipment."""

    PARTIAL_SHIPMENT = "partial_shipment"
    LATE_SHIPMENT = "late_shipment"


def shipment_refusals(credit: Credit, consignments: Iterable[Consignment]) -> tuple[ShipmentRefusal, ...]:
    """
    Return what the credit says against shipping all its goods in these consignments; nothing when it allows them.

    One vessel on one voyage to one destination is no partial shipment, even with different dates and ports of
    loading; two vessels are one, even if they leave on the same day (UCP 600 art. 31(b)).
    """
    lots = tuple(consignments)
    refusals: list[ShipmentRefusal] = []
    if not credit.partial_shipments and not all(_travel_together(*pair) for pair in combinations(lots, 2)):
        refusals.append(ShipmentRefusal.PARTIAL_SHIPMENT)
    if any(lot.on_board > latest_on_board(credit, None) for lot in lots):
        refusals.append(ShipmentRefusal.LATE_SHIPMENT)
    return tuple(refusals)


def date_of_shipment(together: Iterable[Consignment]) -> date:
    """
    Return the date of shipment of consignments that travel together and are presented together: the latest one.

    The presentation period runs from it (UCP 600 art. 31(b)). Raises ValueError without any consignment.
    """
    return max(lot.on_board for lot in together)


def _travel_together(one: Consignment, other: Consignment) -> bool:
    """Say whether two lots make one journey; while vessel or voyage is not known, whether they load on one day."""
    if any(_differ(a, b) for a, b in zip(one[1:], other[1:], strict=True)):
        return False
    known = all((one.vessel, one.voyage, other.vessel, other.voyage))
    return known or one.on_board == other.on_board


def _differ(one: str, other: str) -> bool:
    """Say whether two names that are both known are not the same; Ever Given is EVER  GIVEN."""
    plain = [" ".join(name.split()).casefold() for name in (one, other)]
    return all(plain) and plain[0] != plain[1]
