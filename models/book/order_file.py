"""The order file: an order with everything told about it, and the terms it is followed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from models.book.changes import CustomsReceipt, Followed
from models.book.entry import Entry
from models.book.order import Order, OrderState
from models.book.report import Outcome, Report, Withdrawal
from models.calendars.workdays import Calendar
from models.planning.plan import Calendars
from models.terms.customs import ENDINGS, STOPS
from models.terms.policy import Policy
from models.terms.template import Template


class Claim(NamedTuple):
    """What makes a message the same message: order apart, its milestone, rung and the due date it is about."""

    milestone: str
    rung: str
    due: datetime


class ChaseState(StrEnum):
    """Where a chase stands; the words are stored."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    PROMISED = "promised"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"


class Chase(NamedTuple):
    """
    The chase of one milestone: its state, the rung that it climbed to, who made it so, and until when it rests.

    `why` is what suppresses it (the order's state), or empty.
    """

    state: ChaseState
    rung: str
    by: str = ""
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class OrderFile:
    """
    An order, the terms it is followed by, its log, and what was already said and shown of it.

    `entries` are in the log's order. `claimed` are the notices already raised, and when; `standing_claims` are those of
    them that still hold; `chases` are the chases by milestone as they were recorded last; `shown` is the appearance
    that Prefect shows of each milestone. They only hold back what would be done twice.
    """

    order: Order
    template: Template
    policy: Policy
    calendars: Calendars
    entries: tuple[Entry, ...] = ()
    claimed: Mapping[Claim, datetime] = field(default_factory=dict)
    standing_claims: frozenset[Claim] = frozenset()
    chases: Mapping[str, Chase] = field(default_factory=dict)
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
