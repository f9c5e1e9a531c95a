"""Playing an order's season on a virtual clock: who knew what, when, and what would have been said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.decide import Tell, decide_at, next_wake_up_at, taken
from models.entry import Entry
from models.order_file import OrderFile
from models.report import Report, Withdrawal
from models.standing import standing

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


def play(file: OrderFile, timeline: Timeline, until: datetime) -> tuple[OrderFile, list[Said]]:
    """
    Play an order from the moment it came in until `until`, with the core alone.

    Returns its file at the end and everything said on the way, in order.
    """
    said: list[Said] = []
    now: datetime | None = file.order.came_in
    while now is not None:
        news: list[Entry] = []
        last = max((entry.seq for entry in file.entries), default=0)
        for seq, report in enumerate(timeline.known_by(now), start=last + 1):
            news.append(report.model_copy(update={"seq": seq}))
        file = file.told(*news)
        at = standing(file, now)
        steps = decide_at(file, at)
        said.extend(Said(now, file.order.order_no, step) for step in steps if isinstance(step, Tell))
        file = taken(file, steps)
        # What was done about it does not move where the order stands.
        now = next_instant(next_wake_up_at(file, at), timeline, until)
    return file, said
