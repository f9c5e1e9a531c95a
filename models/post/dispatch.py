"""
What one person is written at a moment: messages of their own, one digest, or nothing yet.

Few messages are the point (domain.md 3.5): what may wait stands in one digest for each person and slot; what comes
in quiet hours, too many at a time, or too late to be news, waits for it too. Only what is urgent breaks that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from models.calendars.workdays import Calendar
from models.escalation.notice import Manner
from models.post.windows import held_until, last_slot, may_write, next_slot
from models.terms.party import Person

NEWS = timedelta(hours=1)
"""A message of its own that is later than that is no news any more: nobody was there to send it."""
AT_ONCE = 3
"""More messages of their own than that at a time are one digest."""


@dataclass(frozen=True)
class Waiting:
    """
    A notice that holds, as the post sees it.

    `meant_for` is when it was to be said. `told` is how often it was told, `told_at` when last. `repeat` is after how
    many working days of the reader it stands in his digest again.
    """

    id: int
    order_no: str
    milestone: str
    rung: str
    manner: Manner
    meant_for: datetime
    told: int = 0
    told_at: datetime | None = None
    repeat: int = 0


@dataclass(frozen=True)
class Parcel:
    """
    What goes into one message: one step's notices, or those of many in a digest.

    `slot` is the slot that a digest is of; one without is of what has just happened, too much for a message each.

    `caught_up` says that the digest is later than its slot: nothing went out meanwhile.
    """

    notices: tuple[Waiting, ...]
    slot: datetime | None = None
    caught_up: bool = False


@dataclass(frozen=True)
class Post:
    """What one person is written now, until when the rest is held by notice, and whether his budget is used up."""

    parcels: tuple[Parcel, ...] = ()
    held: Mapping[int, datetime] = field(default_factory=dict)
    over_budget: bool = False


@dataclass(frozen=True)
class Reader:
    """A person with his calendar, the messages of their own that he got today, and the slot of his last digest."""

    person: Person
    calendar: Calendar
    direct_today: int = 0
    last_digest: datetime | None = None


def post(reader: Reader, waiting: Iterable[Waiting], now: datetime, *, complete: bool = True) -> Post:
    """
    Decide what `reader` is written at `now`, of everything that waits for him or may be repeated.

    `complete` says that every order has said what it had to say for now; until then all but the urgent waits.
    """
    notices = sorted(waiting, key=lambda notice: notice.id)
    new = [notice for notice in notices if not notice.told]
    parcels = [Parcel(group) for group in _by_step([n for n in new if n.manner is Manner.URGENT])]
    over_budget = False
    if complete:
        alone, over_budget = _sent_alone(reader, new, now)
        parcels += alone
        digest = _digest(reader, [n for n in new if n not in _inside(parcels)], notices, now)
        parcels += [digest] if digest is not None else []
    sent = _inside(parcels)
    later = next_slot(reader.person, reader.calendar, now)
    held = {notice.id: later for notice in new if notice not in sent}
    return Post(tuple(parcels), held, over_budget)


def _inside(parcels: Iterable[Parcel]) -> set[Waiting]:
    return {notice for parcel in parcels for notice in parcel.notices}


def _sent_alone(reader: Reader, new: Sequence[Waiting], now: datetime) -> tuple[list[Parcel], bool]:
    """Return the messages of their own among what is new, and whether the budget of the day does not allow for all."""
    if not may_write(reader.person, reader.calendar, now):
        return [], False
    news = [notice for notice in new if notice.manner is Manner.DIRECT and now - notice.meant_for <= NEWS]
    groups = _by_step(news)
    room = max(0, reader.person.budget - reader.direct_today)
    if len(groups) <= AT_ONCE:
        return [Parcel(group) for group in groups[:room]], len(groups) > room
    slot = _open_slot(reader, now)
    if slot is not None and any(notice.meant_for <= slot for notice in news):
        return [], False  # the digest that is due has them all
    return [Parcel(tuple(news))][:room], room == 0


def next_post(reader: Reader, waiting: Iterable[Waiting], now: datetime) -> datetime | None:
    """Return the next instant at which `post` would write something of what waits already."""
    notices = list(waiting)
    if not any(not notice.told or notice.repeat for notice in notices):
        return None
    slot = next_slot(reader.person, reader.calendar, now)
    opens = held_until(reader.person, reader.calendar, now)
    return min(slot, opens) if opens > now else slot


def _open_slot(reader: Reader, now: datetime) -> datetime | None:
    """Return the digest slot that has come and of which no digest was made yet."""
    slot = last_slot(reader.person, reader.calendar, now)
    made = slot is None or (reader.last_digest is not None and reader.last_digest >= slot)
    return None if made or not may_write(reader.person, reader.calendar, now) else slot


def _digest(reader: Reader, left: Sequence[Waiting], notices: Collection[Waiting], now: datetime) -> Parcel | None:
    """Return the digest of the slot that is due, with what is new by then and what is repeated in it."""
    slot = _open_slot(reader, now)
    if slot is None:
        return None
    new = [notice for notice in left if notice.meant_for <= slot]
    again = [notice for notice in notices if _is_repeated(reader, notice, slot)]
    if not new and not again:
        return None
    return Parcel((*new, *again), slot, caught_up=now - slot > NEWS)


def _is_repeated(reader: Reader, notice: Waiting, slot: datetime) -> bool:
    """Say whether a notice stands in a digest again: in a day's first, so many working days after it was told."""
    if not notice.told or not notice.repeat or notice.told_at is None:
        return False
    local = slot.astimezone(reader.calendar.tz)
    if local.time() != min(reader.person.digests):
        return False
    told_on = reader.calendar.local_date(notice.told_at)
    return reader.calendar.count_workdays(told_on, local.date()) >= notice.repeat


def _by_step(notices: Sequence[Waiting]) -> list[tuple[Waiting, ...]]:
    """Group notices by order and step: whoever is told of two rungs at a time reads one message."""

    def step(notice: Waiting) -> tuple[str, str]:
        return notice.order_no, notice.milestone

    return [tuple(group) for _, group in groupby(sorted(notices, key=step), key=step)]
