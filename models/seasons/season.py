"""Playing an order's season on a virtual clock: who knew what, when, and what would have been said."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from models.book.entry import Entry
from models.book.order_file import Claim, OrderFile
from models.book.report import Report, Withdrawal
from models.decide import Keep, Step, Tell, decide_at, next_wake_up_at, taken
from models.status.standing import Standing, standing

Told = Report | Withdrawal
"""What a file of reports tells: that something happened, or that it did not."""


@dataclass
class Timeline:
    """
    What is still to be told about one order, in the order in which it becomes known.

    Nobody knows of a report before its `recorded_at`. The same source and event id twice is told once.
    """

    entries: Sequence[Told]
    _next: int = 0
    _told: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, reports: Iterable[Told]) -> Timeline:
        """Sort reports by when they became known; at the same instant in the order given."""
        return cls(sorted(reports, key=lambda report: report.recorded_at))

    @property
    def next_at(self) -> datetime | None:
        """When the next report becomes known."""
        return self.entries[self._next].recorded_at if self._next < len(self.entries) else None

    def known_by(self, now: datetime) -> list[Told]:
        """Take the reports that became known by `now`."""
        taken: list[Told] = []
        while self._next < len(self.entries) and self.entries[self._next].recorded_at <= now:
            report = self.entries[self._next]
            self._next += 1
            key = (report.source, report.source_event_id) if isinstance(report, Report) else ("", "")
            if not key[1] or key not in self._told:
                self._told.add(key)
                taken.append(report)
        return taken


@dataclass(frozen=True)
class Said:
    """A message and the instant at which it was claimed."""

    at: datetime
    order_no: str
    tell: Tell


def next_instant(wake_up: datetime | None, timeline: Timeline, until: datetime) -> datetime | None:
    """Return when the order next has something to do, a report or a wake-up; `None` if not by `until`."""
    instant = min((at for at in (wake_up, timeline.next_at) if at is not None), default=None)
    return instant if instant is not None and instant <= until else None


class Answering(Protocol):
    """People who answer what they are told."""

    def answers(self, file: OrderFile, said: Sequence[Tell], now: datetime) -> Iterable[Entry]:
        """Return what will be answered to what is said at `now`, each with when it is recorded: later than `now`."""

    def still_fits(self, answer: Entry, at: Standing) -> bool:
        """Say whether an answer is still given where the order stands when it would be recorded."""


@dataclass(frozen=True)
class Played:
    """
    An order at the end of its season, everything said on the way in order, and which of it held when.

    `held` are the notices that were raised: for each the spans in which it held, from an instant until just before
    another; `None`: to the end of the season.
    """

    file: OrderFile
    said: list[Said]
    held: dict[Claim, list[tuple[datetime, datetime | None]]]


def play(file: OrderFile, timeline: Timeline, until: datetime) -> tuple[OrderFile, list[Said]]:
    """
    Play an order from the moment it came in until `until`, with the core alone.

    Returns its file at the end and everything said on the way, in order.
    """
    played = play_out(file, timeline, until)
    return played.file, played.said


def play_out(file: OrderFile, timeline: Timeline, until: datetime, answering: Answering | None = None) -> Played:
    """Play an order as `play` does, with people who answer; say also when what was said held no longer."""
    said: list[Said] = []
    held: dict[Claim, list[tuple[datetime, datetime | None]]] = {}
    coming: list[Entry] = []
    now: datetime | None = file.order.came_in
    while now is not None:
        file = _told(file, timeline.known_by(now))
        if answering is not None and coming and coming[0].recorded_at <= now:
            given = [coming.pop(0) for entry in list(coming) if entry.recorded_at <= now]
            at = standing(file, now)
            file = _told(file, [answer for answer in given if answering.still_fits(answer, at)])
        at = standing(file, now)
        steps = decide_at(file, at)
        tells = [step for step in steps if isinstance(step, Tell)]
        said.extend(Said(now, file.order.order_no, tell) for tell in tells)
        _hold(held, file.standing_claims, steps, now)
        if answering is not None:
            for answer in answering.answers(file, tells, now):
                insort(coming, answer, key=_recorded_at)
        file = taken(file, steps, now)
        # What was done about it does not move where the order stands.
        wake_ups = [next_wake_up_at(file, at), *map(_recorded_at, coming[:1])]
        now = next_instant(min((each for each in wake_ups if each is not None), default=None), timeline, until)
    return Played(file, said, held)


def _told(file: OrderFile, news: Sequence[Entry]) -> OrderFile:
    last = max((entry.seq for entry in file.entries), default=0)
    return file.told(*(entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(news, start=last + 1)))


def _recorded_at(entry: Entry) -> datetime:
    return entry.recorded_at


def _hold(
    held: dict[Claim, list[tuple[datetime, datetime | None]]],
    before: frozenset[Claim],
    steps: Iterable[Step],
    now: datetime,
) -> None:
    """Note which notices hold from `now` on, and which no longer."""
    kept = next((step.claims for step in steps if isinstance(step, Keep)), before)
    for claim in before - kept:
        since, _ = held[claim][-1]
        held[claim][-1] = (since, now)
    for claim in kept - before:
        held.setdefault(claim, []).append((now, None))
