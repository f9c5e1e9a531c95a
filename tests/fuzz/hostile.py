"""What hurts parsers, and how to hurt what is well-formed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

WORDS: Sequence[str] = (
    "",
    " ",
    "\x00",
    "\x1b[31m",
    "\udcff",
    "\u202e",
    "\ufeff",
    "\u2028",
    "'; DROP TABLE orders; --",
    "../../../etc/passwd",
    "{{ 7 * 7 }}",
    "%s %(a)s {0}",
    "<script>alert(1)</script>",
    "[red]x[/]",
    "=HYPERLINK(1)",
    "#REF!",
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e400",
    "1_000",
    "1,000",
    "１２３",
    "٣",
    "9" * 40,
    "2026-02-30",
    "0000-00-00",
    "9999-12-31",
    "10000-01-01",
    "1989-12-31T23:59:59Z",
    "2026-11-20",
    "2026-11-20T10:00:00",
    "2026-11-20T10:00:00+08:00",
    "2026-11-20T24:00:00Z",
    "2026-11-20T10:00:60Z",
    "2026-11-20T10:00:00+25:00",
    "2026-11-20T10:00:00-23:59",
    "20/11/2026",
    "45000",
    "yes",
    "null",
    "~",
    "true",
    "[]",
    "{}",
    "&a *a",
    "!!python/object:os.system x",
    "订单",
    "🚢",
    "a" * 5000,
    "a,b;c\td",
    '"',
    "'",
    "\\",
    "\r\n",
    "FAB_IN",
    "fab_in",
    "MER",
)
VALUES: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3600,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    10**400,
    [],
    {},
    [None],
    {"": ""},
)


def word(chance: Random) -> str:
    """Return something hostile, or random."""
    match chance.randrange(4):
        case 0:
            return "".join(
                chr(chance.choice((chance.randrange(128), chance.randrange(0x3000))))
                for _ in range(chance.randrange(12))
            )
        case 1:
            return chance.choice(WORDS) + chance.choice(WORDS)
        case _:
            return chance.choice(WORDS)


def value(chance: Random) -> Any:
    """Return what a form may hold instead of what it asks for."""
    return chance.choice(VALUES) if chance.random() < 0.4 else word(chance)


def hurt_text(chance: Random, text: str, times: int = 3) -> str:
    """Cut, double, swap and fill in, at a few places."""
    for _ in range(chance.randint(0, times)):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.randrange(20))
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + text[at:end] * 2 + text[end:]
            case 2:
                text = text[:at] + word(chance) + text[end:]
            case 3:
                text = text[:at] + word(chance) + text[at:]
            case _:
                text = text[:at] + chance.choice(" \t\n,:;-[]{}&*!|>'\"%@#\\") + text[at:]
    return text


def hurt_lines(chance: Random, text: str) -> str:
    """Take lines out, double them, change their order and depth, fill values in behind colons."""
    lines = text.split("\n")
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[at]
                lines = lines or [""]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = " " * chance.randrange(6) + lines[at].lstrip()
            case _:
                key, colon, _rest = lines[at].partition(":")
                lines[at] = f"{key}{colon} {word(chance)}" if colon else word(chance)
    return "\n".join(lines)


def in_bytes(chance: Random, text: str) -> bytes:
    """Write a text in the encoding that is right, or in one that is not; perhaps with a byte out of place."""
    encoding = chance.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "gb18030", "big5", "latin-1"))
    data = text.encode(
        encoding, errors="replace" if encoding != "utf-8" else "surrogateescape" if _bears(text) else "replace"
    )
    if chance.random() < 0.05:
        at = chance.randrange(len(data) + 1)
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + chance.randrange(3) :]
    return data


def hurt_bytes(chance: Random, data: bytes, times: int = 4) -> bytes:
    """Change, cut and double bytes at a few places."""
    for _ in range(chance.randint(0, times)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + data[at : at + chance.randrange(64)] + data[at:]
            case _:
                data = data[:at] + data[at + chance.randrange(64) :]
    return data


def _bears(text: str) -> bool:
    try:
        text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
