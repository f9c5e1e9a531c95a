"""What people and files write, looked at for characters that no database, terminal or message bears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import category

from models.book.entry import Entry
from models.errors import Refused

LONGEST = 1_000_000
"""Characters of one text; nobody writes as many, and a page or a message would be made of them."""
_SHOWN = 40


def unprintable(text: str) -> str:
    """Name the first character that no database or message bears (control characters, half surrogates), if any."""
    for character in text:
        if character not in "\t\n\r" and category(character) in ("Cc", "Cs"):
            return f"U+{ord(character):04X}"
    return ""


def check_texts(order_no: str, entry: Entry) -> None:
    """Refuse an entry with a text that holds invisible characters or is too long; raises Refused, naming the field."""
    for field, text in _texts(entry.model_dump()):
        if found := unprintable(text):
            raise Refused(f"{order_no}: {field}: {text[:_SHOWN]!r} holds the invisible character {found}")
        if len(text) > LONGEST:
            raise Refused(f"{order_no}: {field}: has {len(text):,} characters; write up to {LONGEST:,}")


def _texts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        match value:
            case str():
                yield name, value
            case Mapping():
                yield from ((name, key) for key in value if isinstance(key, str))
                yield from ((f"{name} {inner}", text) for inner, text in _texts(value))
            case tuple() | list():
                for one in value:
                    if isinstance(one, str):
                        yield name, one
                    elif isinstance(one, Mapping):
                        yield from _texts(one)
