"""What a message is made of: the particulars of one matter, the same in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from models.book.order import Etd
from models.book.order_file import OrderFile
from models.names import Name
from models.planning.hard_dates import HardDate
from models.status.standing import Standing


class Named(Protocol):
    """A party, as far as a message needs to know it."""

    @property
    def name(self) -> Name:
        """What people call it."""

    @property
    def internal(self) -> bool:
        """Whether it is a role of our own."""


Parties = Mapping[str, Named]

CUSTOMS, BUYER = "CUSTOMS", "BUYER"
"""The parties that are not chased as others are: customs is never pressed, the buyer is asked by sales."""


class Kind(StrEnum):
    """
    What a message is, by its rung: before the due date, after it, before a cut-off, after it, or for a decision.

    DECISION is the last rung of an order and the alarm of a hard date; it fits on one page.
    """

    REMINDER = "reminder"
    STALL = "stall"
    CLOCK = "clock"
    MISSED = "missed"
    DECISION = "decision"
    NOTE = "note"


@dataclass(frozen=True)
class Note:
    """The last thing that somebody wrote about the milestone, else about its order."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class NextRung:
    """Who hears of the stall next, and when, if nothing happens."""

    rung: str
    role: Name
    at: datetime


@dataclass(frozen=True)
class Step:
    """A milestone by its code and name."""

    code: str
    name: Name


class Waited(NamedTuple):
    """A party that is waited on; `outside` is none of our own roles."""

    code: str
    name: Name
    outside: bool


@dataclass(frozen=True)
class Stall:
    """
    A milestone that is late, or soon due.

    `due` and `promised` are in the zone of the milestone's own calendar; `unsure` says that holidays which are not
    published yet may still move `due`. `late` is in working days of the
    order's calendar, counted from the plan, `left` those until the date that is chased for. `dates_given` is how many
    dates were promised so far. `asks` is empty where the policy asks for nothing on this rung. `next` is None on the
    last rung, and while the climb rests. `follows` are the milestones directly after it that are not reached. `done`
    and `required` are given where the milestone is counted.
    """

    rung: str
    step: Step
    due: datetime
    unsure: bool
    promised: datetime | None
    late: int
    left: int
    dates_given: int
    accountable: Name
    waiting_on: tuple[Waited, ...]
    asks: Name | None
    next: NextRung | None
    is_last: bool
    follows: tuple[Step, ...]
    done: float | None
    required: float | None

    def waits_on(self, party: str) -> bool:
        """Say whether the party with this code is waited on."""
        return any(each.code == party for each in self.waiting_on)


@dataclass(frozen=True)
class Deadline:
    """
    The cut-off or hard date that a message is about.

    `at` is in the zone of those who keep it. `forecast` is the day on which its milestone is forecast there, and
    `too_late` the calendar days from one to the other, 0 where it is met or missed by hours. `open` are the steps that
    must still be done for it. `source` is who set it, in his words.
    """

    code: str
    at: datetime
    step: Step
    forecast: date | None
    too_late: int
    open: tuple[Step, ...]
    source: str


class Way(NamedTuple):
    """A decision that is possible: a key of the texts, with the days and the step that it speaks of."""

    key: str
    days: int = 0
    step: Step | None = None


@dataclass(frozen=True)
class Plan:
    """What the order's sheet is worked out from, once a page shows it."""

    file: OrderFile
    at: Standing
    parties: Parties


@dataclass(frozen=True)
class Foreseen:
    """
    What a stall does to the ship date.

    `sails_on` is the day of the forecast departure in the order's zone (`unsure`: holidays which are not published yet
    may still move it), `is_late` whether that is after the ETD, and by
    how many calendar days (`slips`). `slack` are the working days that the step has left, below 0 where it breaks a
    date. `breaks` is the first hard date that it breaks, `next` the first one still to come that it leads to; both in
    the zone of those who keep it.
    """

    sails_on: date
    unsure: bool
    is_late: bool
    slips: int
    slack: int | None
    breaks: HardDate | None
    next: HardDate | None


@dataclass(frozen=True)
class Sailing:
    """
    What is left of the plan.

    `workdays_left` until ETD are of the order's calendar, today excluded. `days_past` are calendar days since
    ETD. `days_used` are the calendar days since the due date: days that the plan had for what comes after. `foreseen`
    is given where the template knows how long its steps take. `is_hoped` says that it is the day on which the contract
    of a prospect is hoped for.
    """

    etd: Etd
    workdays_left: int
    days_past: int
    days_used: int
    departed_at: datetime | None
    foreseen: Foreseen | None
    is_hoped: bool


@dataclass(frozen=True)
class Prospect:
    """
    What a note about a prospect says.

    `day` is the day of the call that was agreed, the last day of the quotation, that of the last word from him, or
    that on which he signed. `workdays_left` until it are of the order's calendar, `days_silent` calendar days without
    a word. `waits_for` are the steps that are waited for.
    """

    day: date
    workdays_left: int
    days_silent: int
    waits_for: tuple[Step, ...]


@dataclass(frozen=True)
class Facts:
    """
    Everything that one message says.

    `about` is the claim's milestone code, the code of a hard date, or NO_DATE, UNFOLLOWED or one of PROSPECT_NOTES
    (then `stall` is None), and `since` when that began. `now` and `reply_by` are in `home`, the zone of the office that
    follows the order. `reference` is the customer's own number. `ways` are the decisions that are possible, `prospect`
    is given for a note about one. `links` are keys of labels with addresses; the web page will bring some.
    """

    order_no: str
    customer: str
    reference: str
    product: str
    quantity: float | None
    unit: str
    value: float | None
    currency: str
    kind: Kind
    rung: str
    about: str
    since: datetime
    now: datetime
    home: ZoneInfo
    reply_by: datetime | None
    deadline: Deadline | None
    ways: tuple[Way, ...]
    sailing: Sailing | None
    note: Note | None
    stall: Stall | None
    prospect: Prospect | None
    plan: Plan | None
    links: tuple[tuple[str, str], ...] = ()

    @property
    def thread(self) -> str:
        """What all messages about one matter have in common, over its rungs and repeats."""
        return f"{self.order_no}/{self.about}"
