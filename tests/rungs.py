"""What is said of an order, rung by rung: for the tests of the escalation."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from models.book.order_file import OrderFile
from models.decide import decide, next_wake_up, taken
from models.escalation.notice import Tell, View
from models.seasons.season import Timeline, play
from models.status.standing import standing


class Rung(NamedTuple):
    """A notice that was raised: when, of what, on which rung, for which role."""

    at: datetime
    of: str
    rung: str
    role: str


def raised(file: OrderFile, until: datetime, prefix: str = "") -> list[Rung]:
    """Play an order until `until`, and return the notices that were raised on rungs that begin with `prefix`."""
    _, said = play(file, Timeline.of([]), until)
    lines = [Rung(one.at, one.tell.claim.milestone, one.tell.claim.rung, one.tell.role) for one in said]
    return [line for line in lines if line.rung.startswith(prefix)]


def followed(file: OrderFile, until: datetime) -> OrderFile:
    """Return the file of an order as it is at `until`, woken whenever it had something to say."""
    now: datetime | None = file.order.came_in
    while now is not None and now <= until:
        file = taken(file, decide(file, now), now)
        now = next_wake_up(file, now)
    return taken(file, decide(file, until), until)


def tells(file: OrderFile, now: datetime) -> list[Tell]:
    """Return what `decide` says at a moment."""
    return [step for step in decide(file, now) if isinstance(step, Tell)]


def view(file: OrderFile, now: datetime) -> View:
    """Return an order as it stands at a moment."""
    return View(file, standing(file, now))
