"""How late something is: working days of the office, and the departure against its ETD."""

from __future__ import annotations

from datetime import date, datetime

from models.book.order import Etd
from models.book.order_file import OrderFile
from models.calendars.workdays import Calendar


def days_late(file: OrderFile, due: datetime, at: datetime) -> int:
    """Count the working days from the day of `due` to that of `at`, in the order's calendar; never below 0."""
    calendar = file.calendar
    return calendar.count_workdays(calendar.local_date(due), calendar.local_date(at))


def departs_late(etd: Etd, departed_at: datetime, calendar: Calendar) -> bool:
    """Say whether a departure is late: to the second where `etd` has a time, to the day where it is a date."""
    if isinstance(etd, datetime):
        return departed_at > etd
    return calendar.local_date(departed_at) > etd


def days_behind(etd: Etd, departed_at: datetime, calendar: Calendar) -> float:
    """Return by how many days a departure missed `etd`; negative when it was early."""
    if isinstance(etd, datetime):
        return (departed_at - etd).total_seconds() / 86400
    return float((calendar.local_date(departed_at) - etd).days)


def as_date(etd: Etd, calendar: Calendar) -> date:
    """Return the day of `etd` in `calendar`'s zone."""
    return calendar.local_date(etd) if isinstance(etd, datetime) else etd
