"""What if: the plan as it would be after changes that nobody has made, beside the plan as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from models.accepting.accept import check_entry
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.calendars.workdays import Calendar
from models.planning.sheet import Sheet, SheetLine, sheet_of


@dataclass(frozen=True)
class Closed:
    """Days on which a calendar, or a party that works by it, is closed: both inclusive, dates in its zone."""

    calendar: str
    first: date
    last: date


@dataclass(frozen=True)
class Comparison:
    """The sheet before and after, and the milestones that differ in plan, forecast, late date or state."""

    before: Sheet
    after: Sheet

    @property
    def moved(self) -> tuple[tuple[SheetLine, SheetLine], ...]:
        """The lines that differ, each before and after."""
        pairs = zip(self.before.lines, self.after.lines, strict=True)
        return tuple((old, new) for old, new in pairs if _differs(old, new))


def what_if(file: OrderFile, entries: Sequence[Entry], closed: Sequence[Closed], now: datetime) -> Comparison:
    """
    Return the plan before and after `entries` were told and calendars `closed`; nothing is stored.

    Each entry is checked as if it were told: raises Refused, with the same words.
    """
    after = file
    for entry in entries:
        check_entry(after, entry, now)
        seq = max((e.seq for e in after.entries), default=0) + 1
        after = after.told(entry.model_copy(update={"seq": seq}))
    calendars: Mapping[str, Calendar] = after.calendars
    for closing in closed:
        code = closing.calendar
        calendars = {**calendars, code: calendars[code].with_closed(closing.first, closing.last)}
    return Comparison(sheet_of(file, now), sheet_of(replace(after, calendars=calendars), now))


def _differs(old: SheetLine, new: SheetLine) -> bool:
    return (old.plan, old.forecast, old.late_date, old.state) != (new.plan, new.forecast, new.late_date, new.state)
