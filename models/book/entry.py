"""An entry of an order's log, whatever it tells. The log is only ever added to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from models.book.changes import (
    Amendment,
    Baseline,
    Booking,
    Cancellation,
    Contact,
    CreditAdvised,
    CustomsReceipt,
    Followed,
    HandedOver,
    Hold,
    Lost,
    QuotationValid,
    Reschedule,
    Resume,
    Retermed,
    Split,
    Unfollowed,
    Won,
)
from models.book.report import Acknowledgement, NotMine, Problem, Promise, Report, Withdrawal

Entry = (
    Report
    | Withdrawal
    | Acknowledgement
    | Promise
    | Problem
    | NotMine
    | Hold
    | Resume
    | Cancellation
    | Reschedule
    | Booking
    | CreditAdvised
    | CustomsReceipt
    | Amendment
    | Split
    | Baseline
    | Retermed
    | HandedOver
    | Contact
    | QuotationValid
    | Lost
    | Won
    | Unfollowed
    | Followed
)
ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])
