"""Seasons for the tests of the core: what is said of an order as its log grows, however often it is woken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from models.accepting.accept import check_entry
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.decide import Tell, decide, next_wake_up, taken
from models.errors import GendanError
from models.seasons.season import Said, Timeline, play

Say = Callable[[OrderFile, datetime], Entry | None]
"""What somebody says of an order at a moment; `None` where there is nothing to say."""


class Message(NamedTuple):
    """A message that was said: when, of which milestone, on which rung."""

    at: datetime
    milestone: str
    rung: str


def messages(file: OrderFile, until: datetime) -> list[Message]:
    """Play an order until `until`, each entry of its log becoming known at its `recorded_at`."""
    _, said = play(file, Timeline.of([]), until)
    return [Message(one.at, one.tell.claim.milestone, one.tell.claim.rung) for one in said]


def live(
    file: OrderFile, told: Sequence[tuple[datetime, Say]], until: datetime, every: timedelta | None = None
) -> tuple[OrderFile, list[Said]]:
    """
    Follow an order while people tell of it; what cannot be accepted is not recorded, as by the log.

    It is woken at `next_wake_up` and when something is told; with `every`, at that interval instead.
    """
    said: list[Said] = []
    now: datetime | None = file.order.came_in
    waiting = sorted(told, key=lambda one: one[0])
    while now is not None and now <= until:
        while waiting and waiting[0][0] <= now:
            file = _record(file, waiting.pop(0)[1], now)
        steps = decide(file, now)
        said += [Said(now, file.order.order_no, step) for step in steps if isinstance(step, Tell)]
        file = taken(file, steps, now)
        wake_up = next_wake_up(file, now) if every is None else now + every
        now = min([at for at in (wake_up, waiting[0][0] if waiting else None) if at is not None], default=None)
    return file, said


def _record(file: OrderFile, say: Say, now: datetime) -> OrderFile:
    entry = say(file, now)
    if entry is None:
        return file
    entry = entry.model_copy(update={"seq": len(file.entries) + 1})
    try:
        check_entry(file, entry, now)
    except GendanError:
        return file
    return file.told(entry)
