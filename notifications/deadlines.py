"""Deadlines in words: the outside dates of an order, who set them, and how far the forecast misses one."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from models.book.order_file import OrderFile
from models.names import Language
from models.planning.hard_dates import HardDate
from models.planning.outlook import Broken
from notifications.texts import END_OF_DAY, count, say, texts, when

KEPT, MISSED = "✔", "✖"


def deadline_name(code: str, language: Language) -> str:
    """Return what a hard date is called; one that only its booking knows goes by its code."""
    key = f"deadline_{code.lower()}"
    return say(language, key) if key in texts(language) else say(language, "deadline_other", code=code)


def deadline_at(file: OrderFile, hard: HardDate, language: Language) -> str:
    """Write the instant of a hard date on the wall of those who keep it."""
    return when(language, hard.at.astimezone(zone_of(file, hard.milestone)), file.calendar.tz)


def origin(hard: HardDate, language: Language) -> str:
    """Return who set a hard date: `booking S/O COSU 88`, `L/C LC-4711`, `order`."""
    key = f"by_{hard.origin.value}"
    return say(language, f"{key}_of", source=hard.source) if hard.source else say(language, key)


def missed_by(file: OrderFile, broken: Broken, language: Language) -> str:
    """Say by how many calendar days a forecast misses a hard date, on the wall of those who keep it."""
    zone = zone_of(file, broken.hard.milestone)
    days = (broken.forecast.astimezone(zone).date() - broken.hard.at.astimezone(zone).date()).days
    return count(language, "days_too_late", days) if days > 0 else say(language, "deadline_same_day")


def moved(days: int, language: Language, *, late: bool) -> str:
    """Say how many calendar days a departure is from its ETD; `late`: it is after it, be it on the same day."""
    if days:
        return count(language, "days_after" if days > 0 else "days_before", abs(days))
    return say(language, "deadline_same_day" if late else "on_etd")


def day_of(file: OrderFile, milestone: str, instant: datetime, language: Language) -> str:
    """
    Write the day of a forecast in the zone of its milestone.

    Its time of day is nobody's word: it would only move with the clock.
    """
    local = instant.astimezone(zone_of(file, milestone))
    return when(language, datetime.combine(local.date(), END_OF_DAY, local.tzinfo), file.calendar.tz)


def zone_of(file: OrderFile, milestone: str) -> ZoneInfo:
    """Return the zone of a milestone's calendar."""
    return file.calendars[file.template.by_code[milestone].calendar].tz
