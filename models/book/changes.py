"""What changes an order, or the way it is followed: bookings, amendments, credits, lots, holds and ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from models.book.order import Etd, Order, OrderNo
from models.book.report import LogLine
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from models.terms.milestone import Takes
from models.terms.tolerance import Tolerance


class Hold(LogLine):
    """The order rests: nobody is chased. `until` is when it is expected to go on. Outside deadlines go on running."""

    kind: Literal["hold"] = "hold"
    until: date | None = None


class Resume(LogLine):
    """The order goes on."""

    kind: Literal["resume"] = "resume"


class Cancellation(LogLine):
    """The order is off: everything waited for falls silent."""

    kind: Literal["cancellation"] = "cancellation"


class Reschedule(LogLine):
    """The order has another ETD."""

    kind: Literal["reschedule"] = "reschedule"
    etd: Etd


class Booking(LogLine):
    """
    Space on a vessel or flight, with the deadlines that its operator set: the S/O.

    `cutoffs` are instants by their codes (SI, VGM, CY, CUSTOMS, AIR_CARGO ...), as they stand on the S/O: their
    order is never assumed (domain.md 4.1). `sailings` are the next voyages, where they are known; else one leaves
    every `sails_every` days, or as often as the template says. `source` is who gave them.
    """

    kind: Literal["booking"] = "booking"
    vessel: str = ""
    voyage: str = ""
    etd: Etd
    cutoffs: Mapping[str, AwareDatetime] = Field(default_factory=dict)
    sailings: tuple[Etd, ...] = ()
    sails_every: int | None = Field(default=None, ge=1, le=60)
    source: str = ""


class CreditAdvised(LogLine):
    """A letter of credit was advised or amended: its terms as they are now."""

    kind: Literal["credit"] = "credit"
    credit: Credit


class CustomsReceipt(LogLine):
    """
    What customs answered, by its letter.

    `state` is what the letter meant in the table of that day, `takes` how far away the release then usually is.
    """

    kind: Literal["customs"] = "customs"
    letter: str
    state: CustomsState
    takes: Takes = Takes()
    occurred_at: AwareDatetime
    declaration: str = ""
    text: str = ""
    source: str = ""
    source_event_id: str = ""


class Amendment(LogLine):
    """
    The customer changed the order: a new version of it.

    What is not given stays. `undoes` are milestones that were reached and count no longer (a new specification
    needs a new sample).
    """

    kind: Literal["amendment"] = "amendment"
    etd: Etd | None = None
    quantity: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    ship_from: date | None = None
    ship_by: date | None = None
    cancel_after: date | None = None
    tolerance: Tolerance | None = None
    undoes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        changes = (self.etd, self.quantity, self.ship_from, self.ship_by, self.cancel_after, self.tolerance)
        if not self.undoes and all(change is None for change in changes):
            raise ValueError("an amendment that changes nothing is none")
        return self


class Lot(BaseModel):
    """A part of an order that leaves by itself: its own number, quantity, ETD, and template where it differs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_no: OrderNo
    quantity: float = Field(gt=0, allow_inf_nan=False)
    etd: Etd
    template: str = ""


class Split(LogLine):
    """The order leaves in lots. From here on each lot is followed by itself; together they are the order."""

    kind: Literal["split"] = "split"
    lots: tuple[Lot, ...] = Field(min_length=2, max_length=50)


class Baseline(LogLine):
    """The plan as it was agreed, frozen: the due instants by milestone, for a version of the order."""

    kind: Literal["baseline"] = "baseline"
    version: int = Field(ge=1)
    dates: Mapping[str, AwareDatetime]


class Retermed(LogLine):
    """Somebody moved the order to the template and policy of today; `terms` are their digest, `was` the former one."""

    kind: Literal["retermed"] = "retermed"
    terms: str
    was: str


class HandedOver(LogLine):
    """The order goes on in other hands: `to` is the code of the person who is its merchandiser from now on."""

    kind: Literal["handed_over"] = "handed_over"
    to: str = Field(min_length=1)


class Contact(LogLine):
    """Somebody spoke with the prospect; until `next_on` nobody is chased, and on that day he is to be called again."""

    kind: Literal["contact"] = "contact"
    next_on: date | None = None


class QuotationValid(LogLine):
    """The quotation holds until the end of this day, at the seller's place."""

    kind: Literal["quotation"] = "quotation"
    until: date


class Lost(LogLine):
    """The prospect does not buy, and why."""

    kind: Literal["lost"] = "lost"
    reason: str = Field(min_length=1)


class Won(LogLine):
    """The prospect signed: the order that comes of it, and the template that it asks for (empty: by lead time)."""

    kind: Literal["won"] = "won"
    order: Order
    template: str = ""


class Unfollowed(LogLine):
    """Somebody cancelled the order's run in Prefect: Gendan no longer follows the order, and says so."""

    kind: Literal["unfollowed"] = "unfollowed"


class Followed(LogLine):
    """The order is followed again, from where it is."""

    kind: Literal["followed"] = "followed"
