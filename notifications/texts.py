"""The words of each language, and how it writes numbers, days and instants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, tzinfo
from functools import cache
from importlib.resources import files
from typing import cast

import yaml

from models.book.order import Etd
from models.names import Language

Plural = Mapping[str, str]
Text = str | list[str] | Plural

ELLIPSIS = "…"
END_OF_DAY = time(23, 59, 59)
UNSURE = "~"
"""Stands before a date that rests on a year whose official holidays are not published."""
_UNSEEN = frozenset(
    map(
        chr,
        (
            *range(0x20),
            *range(0x7F, 0xA0),
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
            0xFEFF,
        ),
    )
)
_WORD = re.compile(r"\s+|[^\s\u2e80-\uffef]+|.")


@cache
def texts(language: Language) -> Mapping[str, Text]:
    """Return all texts of `language` by their keys."""
    text = files("notifications").joinpath("texts", f"{language}.yaml").read_text("utf-8")
    return cast("Mapping[str, Text]", yaml.safe_load(text))


def say(language: Language, key: str, **values: object) -> str:
    """Return the text `key` with `values` filled in; a value is never read as a text itself."""
    text = texts(language)[key]
    assert isinstance(text, str), f"{key} is not a single text"
    return text.format(**values)


def count(language: Language, key: str, n: int, **values: object) -> str:
    """Return the text `key` for the number `n`, `1 working day late` or `2 working days late`, `values` filled in."""
    forms = texts(language)[key]
    assert isinstance(forms, Mapping), f"{key} has no plural"
    return forms["one" if n == 1 else "other"].format(n=n, **values)


def enumerate_(language: Language, items: Iterable[str], most: int = 3) -> str:
    """Join `items`; after the first `most` of them only say how many more there are."""
    items = list(items)
    rest = len(items) - most
    if rest > 0:
        items = [*items[:most], count(language, "more", rest)]
    return say(language, "list").join(items)


def quantity(number: float, unit: str = "") -> str:
    """Write a quantity, alike in every language: `3,600 pcs`, `12.5 kg`."""
    text = f"{int(number):,}" if float(number).is_integer() else f"{number:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".strip()


def day(language: Language, on: date, key: str = "day") -> str:
    """Write a day with its weekday: `Fri 20 Nov 2026`, `2026-11-20(五)`; `short_day` leaves the year out."""
    weekdays, months = texts(language)["weekdays"], texts(language)["months"]
    assert isinstance(weekdays, list)
    assert isinstance(months, list)
    return say(
        language,
        key,
        weekday=weekdays[on.weekday()],
        day=on.day,
        month=months[on.month - 1],
        year=on.year,
        date=f"{on:%Y-%m-%d}",
        short=f"{on:%m-%d}",
    )


def when(language: Language, instant: datetime, home: tzinfo) -> str:
    """
    Write `instant` on the wall of its own zone, with that zone: `Fri 20 Nov 2026 16:00 CST(+08)`.

    The end of a day is written as the plain day; its zone is named only where it is not the same as at `home`,
    the zone of the office that reads it.
    """
    text = day(language, instant.date())
    if instant.time() != END_OF_DAY:
        return f"{text} {instant:%H:%M} {zone(instant)}"
    away = instant.utcoffset() != instant.astimezone(home).utcoffset()
    return f"{text} {zone(instant)}" if away else text


class Dates:
    """
    How one message writes its dates.

    With `now` it writes them for the 600 characters of a robot: without the year where that is this one, and without
    the zone where that is the office's at this moment, which `zone` names once for all of them.
    """

    def __init__(self, language: Language, home: tzinfo, now: datetime | None = None) -> None:
        self.language = language
        self.home = home
        self.now = now.astimezone(home) if now is not None else None

    @property
    def zone(self) -> str:
        """The zone that is left out; empty where none is."""
        return zone(self.now) if self.now is not None else ""

    def day(self, on: date) -> str:
        """Write a day."""
        brief = self.now is not None and on.year == self.now.year
        return day(self.language, on, "short_day" if brief else "day")

    def instant(self, instant: datetime) -> str:
        """Write an instant on the wall of its own zone; the end of a day as the day."""
        if self.now is None:
            return when(self.language, instant, self.home)
        text = self.day(instant.date())
        if instant.time() != END_OF_DAY:
            text += f" {instant:%H:%M}"
        return text if instant.utcoffset() == self.now.utcoffset() else f"{text} {zone(instant)}"

    def etd(self, etd: Etd) -> str:
        """Write an ETD: a day where the customer gave a day, an instant where a vessel's time is known."""
        return self.instant(etd.astimezone(self.home)) if isinstance(etd, datetime) else self.day(etd)


def zone(instant: datetime) -> str:
    """Name the zone of `instant` with its offset, since CST is four zones: `CST(+08)`, `UTC(+07)`."""
    offset = instant.strftime("%z")
    hours = offset[:3] if offset[3:] == "00" else f"{offset[:3]}:{offset[3:]}"
    name = instant.tzname() or ""
    return f"{name if name[:1].isalpha() else 'UTC'}({hours})"


def one_line(text: str) -> str:
    """Return order data on one line, without characters that a reader does not see or that turn the line around."""
    return " ".join("".join(c for c in text if c.isspace() or c not in _UNSEEN).split())


def shorten(text: str, most: int) -> str:
    """
    Return `text` on one line with at most `most` characters (1 or more).

    What is cut is cut after a whole word and marked with an ellipsis. A Chinese character is a word. A first
    word that is too long by itself is cut.
    """
    text = one_line(text)
    if len(text) <= most:
        return text
    kept = ""
    for word in _WORD.findall(text):
        if len(kept) + len(word) > most - 1:
            break
        kept += word
    return (kept.rstrip() or text[: most - 1]) + ELLIPSIS


def sailing_day(language: Language, etd: Etd, home: tzinfo) -> str:
    """Write an ETD: a day where the customer gave a day, an instant where a vessel's time is known."""
    return when(language, etd.astimezone(home), home) if isinstance(etd, datetime) else day(language, etd)
