"""Overflow: text that a channel does not take in one piece is divided into pages, and never within a fact."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from enum import StrEnum

MORE = "…"
"""Marks where a line goes on: at its end on one page, at its beginning on the next."""

_LEAST = 40
"""What a page must have room for beside its head and its number, in the channel's unit."""

_JOINER, _VARIATION, _TONES = "\u200d", "\ufe0f", "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


class Unit(StrEnum):
    """What a channel counts when it says how long a text may be."""

    CHARACTERS = "characters"
    BYTES = "bytes"
    """Of UTF-8: a Chinese character is three."""
    TELEGRAM = "telegram"
    """Characters; those beyond the first 65,536 (most emoji) count two, and line breaks too: Apprise sends CR LF."""
    CARD = "card"
    """Characters, where a line break counts two: cards are Markdown, which has none of its own (see `as_card`)."""

    def size(self, text: str) -> int:
        """Count `text` as the channel counts it."""
        if self is Unit.BYTES:
            return len(text.encode())
        if self is Unit.TELEGRAM:
            return len(text) + sum(ord(character) > 0xFFFF or character == "\n" for character in text)
        return len(text) + (text.count("\n") if self is Unit.CARD else 0)


def as_card(text: str) -> str:
    """Return `text` as Markdown needs it to keep its lines apart; `Unit.CARD` counts it so."""
    return text.replace("\n", "\n\n")


def pages(text: str, limit: int, unit: Unit, head: str = "") -> list[str]:
    """
    Divide `text` into pages of at most `limit` units each, with `head` as the first line of every page.

    A line is a fact and stays whole; what a blank line sets apart (a language) stays on one page where it can.
    Only a line that no page can hold is cut: between words or Chinese characters, marked with MORE on both sides,
    and it goes on on the next page. More than one page are numbered in their last line: (1/3).
    A head that would take more than half of a page is the first line of the text instead.
    Raises ValueError where `limit` leaves no room to say anything.
    """
    whole = "\n".join(filter(None, (head, text.rstrip())))
    if unit.size(whole) <= limit:
        return [whole]
    if head and unit.size(head) > limit // 2:
        return pages(whole, limit, unit)
    first = f"{head}\n" if head else ""
    for digits in range(1, 6):
        nines = "9" * digits
        room = limit - unit.size(f"{first}\n({nines}/{nines})")
        if room < _LEAST:
            break
        divided = _divide(text, room, unit)
        if len(divided) < 10**digits:
            return [f"{first}{page}\n({number}/{len(divided)})" for number, page in enumerate(divided, start=1)]
    raise ValueError(f"{limit} {unit} are too few to divide a text into pages")


def _divide(text: str, room: int, unit: Unit) -> list[str]:
    done: list[str] = []
    page = ""
    for block in _blocks(text):
        together = f"{page}\n\n{block}" if page else block
        if unit.size(together) <= room:
            page = together
            continue
        if page and unit.size(block) <= room:
            # A language that fits on a page of its own is not torn to fill up another's.
            done.append(page)
            page = block
            continue
        separator = "\n\n"
        for line in block.split("\n"):
            for piece in _pieces(line, room, unit):
                together = f"{page}{separator}{piece}" if page else piece
                if unit.size(together) > room:
                    done.append(page)
                    together = piece
                page, separator = together, "\n"
    return [*done, page] if page else done


def _blocks(text: str) -> Iterator[str]:
    """Yield what blank lines set apart."""
    lines: list[str] = []
    for line in (*text.splitlines(), ""):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield "\n".join(lines)
            lines = []


def _pieces(line: str, room: int, unit: Unit) -> Iterator[str]:
    """Yield `line`, in pieces that fit into `room` where it does not fit itself."""
    before = ""
    while unit.size(before + line) > room:
        end = _cut(line, room - unit.size(before + MORE), unit)
        yield f"{before}{line[:end]}{MORE}"
        line, before = line[end:], MORE
    yield before + line


def _cut(line: str, room: int, unit: Unit) -> int:
    """Return where to cut `line` so that what is before fits into `room`: at a word's end if one is near."""
    end = 0
    used = 0
    while end < len(line) and (used := used + unit.size(line[end])) <= room:
        end += 1
    near = (at for at in range(end, end // 2, -1) if _parts(line, at))
    whole = (at for at in range(end, 0, -1) if not _joined(line, at))
    return next(near, 0) or next(whole, 0) or max(end, 1)


def _parts(line: str, at: int) -> bool:
    """Tell whether `line` may be cut before its character `at`: no word, number or joined character lies across."""
    return not _joined(line, at) and not (_of_a_word(line[at - 1]) and _of_a_word(line[at]))


def _of_a_word(character: str) -> bool:
    # Chinese has no spaces: any of its characters may begin a line.
    return not character.isspace() and unicodedata.east_asian_width(character) not in "WF"


def _joined(line: str, at: int) -> bool:
    """Tell whether the characters on both sides are shown as one (an accent, a composed emoji)."""
    here = line[at]
    return bool(unicodedata.combining(here)) or here in _JOINER + _VARIATION + _TONES or line[at - 1] == _JOINER
