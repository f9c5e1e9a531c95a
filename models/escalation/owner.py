"""Who is accountable for a step of an order: as its template says, until somebody says that it is not his."""

from __future__ import annotations

from collections.abc import Sequence

from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import NotMine

MERCHANDISER = "MER"
"""The owner of the order file: what is nobody's is his until he finds out whose it is (domain.md 1.3)."""


def owner_of(file: OrderFile, known: Sequence[Entry], code: str) -> str:
    """
    Return the role that is accountable for a step of the order's template.

    `known` is the order's log as far as it counts; who was named last in it has the step.
    """
    for entry in reversed(known):
        if isinstance(entry, NotMine) and entry.milestone == code:
            return entry.to or MERCHANDISER
    return file.template.by_code[code].accountable
