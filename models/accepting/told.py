"""Who said so, and when: the line of the log that a refusal points to, in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Report
from models.status.progress import Reached, valid_reports


def what_reached(known: Iterable[Entry], code: str, reached: Reached) -> Entry | None:
    """Return what tells that a milestone was reached: its report, or the booking or customs receipt that implies it."""
    entries = list(known)
    for report in reversed(valid_reports(entries)):
        done = report.classifier is Classifier.ACT and report.outcome is Outcome.DONE
        if done and report.milestone == code and report.occurred_at == reached.at:
            return report
    return next((e for e in entries if not isinstance(e, Report) and e.recorded_at == reached.known_at), None)


def told_by(entry: Entry | None) -> str:
    """Return `, told by Li Wei in line 3 of its log`; nothing where no entry tells it."""
    if entry is None:
        return ""
    who = entry.by or str(getattr(entry, "source", ""))
    return f", told{f' by {who}' if who else ''} in line {entry.seq} of its log"


def at_home(file: OrderFile, instant: datetime) -> str:
    """Write an instant on the wall of the order's office."""
    return f"{instant.astimezone(file.calendar.tz):%Y-%m-%d %H:%M %Z}"
