"""The letters of a text: those that no database, terminal, table or message bears are refused at the door."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from unicodedata import category

from pydantic import BaseModel

from models.errors import Refused
from models.moments import shown

_HALF = re.compile("[\ud800-\udfff]")
LONGEST = 1_000_000
"""Characters of one text; nobody writes as many, and pages and messages would be made of them."""


def unprintable(text: str) -> str:
    """Name the first character that no database or message bears (control characters, half surrogates), if any."""
    for character in text:
        if character not in "\t\n\r" and category(character) in ("Cc", "Cs"):
            return f"U+{ord(character):04X}"
    return ""


def carried(field: str, text: str) -> str:
    """
    Return a text of a form without the NUL that a form may hold.

    Raises Refused for half a character, which no model takes.
    """
    if half := _HALF.search(text):
        odd = f"U+{ord(half.group()):04X}"
        raise Refused(f"{field} {shown(text)} holds the invisible character {odd}. Nothing was recorded.")
    return text.replace("\0", "")


def check_letters(told: BaseModel) -> None:
    """Raise Refused where a text of what is told is too long or holds what cannot be carried; names its field."""
    for field, text in _texts(told.model_dump()):
        if odd := unprintable(text):
            raise Refused(f"{field} {shown(text)} holds the invisible character {odd}. Nothing was recorded.")
        if len(text) > LONGEST:
            raise Refused(f"{field} has {len(text):,} characters; write up to {LONGEST:,}. Nothing was recorded.")


def _texts(value: object, field: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(str(name), field)
            yield from _texts(inner, str(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner, field)
