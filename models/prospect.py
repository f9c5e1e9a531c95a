"""Prospects (業務跟單): when to call again, when a quotation ends, who fell silent, and whose order is missing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from models.book.changes import Baseline, Contact, QuotationValid, Retermed, Unfollowed, Won
from models.book.entry import Entry
from models.book.order import OrderKind, OrderState
from models.book.order_file import Claim, OrderFile
from models.book.report import LogLine
from models.calendars.workdays import ONE_DAY
from models.codes import SAMPLED
from models.escalation.climb import climb, morning_of, next_chance
from models.status.standing import Standing

NOTE = "NOTE"
NEXT_CONTACT = "NEXT_CONTACT"
QUOTE_ENDS = "QUOTE_ENDS"
DORMANT = "DORMANT"
CONTRACT_SIGNED = "CONTRACT_SIGNED"
"""What a note is about, in the place of a milestone."""

QUOTE_WARNING = 3
"""Working days before its end on which a quotation is mentioned."""

_NOT_OF_THE_CUSTOMER = (Baseline, Retermed, Unfollowed)

T = TypeVar("T", bound=LogLine)


class Note(NamedTuple):
    """What is to be said of a prospect that is no stall, and the role that is told; `claim.due` is when."""

    claim: Claim
    role: str


def notes(file: OrderFile, at: Standing) -> list[Note]:
    """
    Return what is to be said about a prospect that is open, past and to come.

    The customer is to be called on the day that was agreed, the quotation ends soon, or nobody has heard of him for
    `dormant_after` days of the template. A contract that was signed asks for its order, up the ladder, and for
    nothing else. What falls on a closed day is said on the working day before; nothing is said of what was only told
    after that, but at the next chance.
    """
    if file.order.kind is not OrderKind.PROSPECT or at.state is not OrderState.OPEN:
        return []
    if file.template.follow_to in at.done:
        return _order_wanted(file, at)
    first = file.policy.rungs[0].role
    return [Note(Claim(about, NOTE, due), first) for about, due in _calls(file, at)]


def next_contact(file: OrderFile, now: datetime) -> date | None:
    """Return the day on which the customer is to be called again, as it was agreed last; `None`: none was."""
    contact = _last(file, now, Contact)
    return contact.next_on if contact is not None else None


def silent_for(file: OrderFile, now: datetime) -> int:
    """Return for how many calendar days nothing was told about a prospect."""
    home = file.calendar
    return (home.local_date(now) - home.local_date(_last_word(file, now))).days


def sample_round(file: OrderFile, at: Standing) -> int:
    """Return the round of the samples that are sent now: the comments on them say when another begins."""
    comments = (m for m in file.template.milestones if m.rounds is not None and SAMPLED in m.rounds.reopens)
    return max((at.round_of(m.code) for m in comments), default=1)


def won_order(file: OrderFile) -> Won | None:
    """Return what the prospect became, if it was won."""
    return next((entry for entry in reversed(file.entries) if isinstance(entry, Won)), None)


def _order_wanted(file: OrderFile, at: Standing) -> list[Note]:
    """Return the notes of a contract without an order; of those that are past only the last, as a stall begins."""
    signed_at = at.done[file.template.follow_to].known_at
    mornings = climb(file.policy, file.calendar, signed_at, ())
    climbing = [
        Note(Claim(CONTRACT_SIGNED, NOTE, morning), rung.role)
        for rung, morning in zip(file.policy.rungs, mornings, strict=True)
        if morning is not None
    ]
    past = [note for note in climbing if note.claim.due <= at.now]
    return past[-1:] + climbing[len(past) :]


def _calls(file: OrderFile, at: Standing) -> list[tuple[str, datetime]]:
    home, policy = file.calendar, file.policy
    calls: list[tuple[str, datetime]] = []
    contact = _last(file, at.now, Contact)
    agreed_call = contact.next_on if contact is not None else None
    if contact is not None and agreed_call is not None:
        morning = morning_of(policy, home, home.on_or_before(agreed_call))
        calls.append((NEXT_CONTACT, max(morning, next_chance(policy, home, contact.recorded_at))))
    quotation = _last(file, at.now, QuotationValid)
    if quotation is not None:
        day = quotation.until
        for _ in range(QUOTE_WARNING):
            day = home.on_or_before(day - ONE_DAY)
        morning = morning_of(policy, home, day)
        calls.append((QUOTE_ENDS, max(morning, next_chance(policy, home, quotation.recorded_at))))
    if file.template.dormant_after is not None:
        day = home.local_date(_last_word(file, at.now)) + timedelta(days=file.template.dormant_after)
        if agreed_call is not None:
            day = max(day, agreed_call + ONE_DAY)  # silence until the agreed day is what was agreed
        calls.append((DORMANT, next_chance(policy, home, home.opening(day))))
    return calls


def _last_word(file: OrderFile, now: datetime) -> datetime:
    told = (e.recorded_at for e in _known(file, now) if not isinstance(e, _NOT_OF_THE_CUSTOMER))
    return max(told, default=file.order.came_in)


def _last(file: OrderFile, now: datetime, kind: type[T]) -> T | None:
    return next((entry for entry in reversed(_known(file, now)) if isinstance(entry, kind)), None)


def _known(file: OrderFile, now: datetime) -> list[Entry]:
    return [entry for entry in file.entries if entry.recorded_at <= now]
