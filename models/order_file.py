"""The order file: an order with everything told about it, and the terms it is followed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from models.changes import CustomsReceipt, Followed
from models.customs import ENDINGS, STOPS
from models.entry import Entry
from models.ladder import Ladder
from models.order import Order, OrderState
from models.plan import Calendars
from models.report import Outcome, Report, Withdrawal
from models.template import Template
from models.workdays import Calendar


class Claim(NamedTuple):
    """What makes a message the same message: order apart, its milestone, rung and the due date it is about."""

    milestone: str
    rung: str
    due: datetime


@dataclass(frozen=True)
class OrderFile:
    """
    An order, the terms it is followed by, its log, and what was already said and shown of it.

    `entries` are in the log's order. `claimed` are the messages already claimed; `shown` is the appearance
    that Prefect shows of each milestone. Both only hold back what would be done twice.
    """

    order: Order
    template: Template
    ladder: Ladder
    calendars: Calendars
    entries: tuple[Entry, ...] = ()
    claimed: frozenset[Claim] = frozenset()
    shown: Mapping[str, str] = field(default_factory=dict)
    closed_as: OrderState | None = None

    def told(self, *entries: Entry) -> OrderFile:
        """Return this file with more entries in its log; one that may reopen the order takes its end back."""
        closed_as = None if any(may_reopen(entry) for entry in entries) else self.closed_as
        return replace(self, entries=(*self.entries, *entries), closed_as=closed_as)

    @property
    def calendar(self) -> Calendar:
        """The order's own calendar: that of the office which follows it."""
        return self.calendars[self.template.calendar]


def may_reopen(entry: Entry) -> bool:
    """Say whether an order that is over may go on because of `entry`: a correction, a failure, being followed again."""
    match entry:
        case Followed() | Withdrawal():
            return True
        case Report():
            return entry.corrects is not None or entry.outcome is Outcome.FAILED
        case CustomsReceipt():
            return entry.state in ENDINGS | STOPS
        case _:
            return False
