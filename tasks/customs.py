"""Customs receipts: what a letter means by the table in the library, on the day on which it is told."""

from __future__ import annotations

from datetime import datetime

from models.book.changes import CustomsReceipt
from models.terms.customs import find_letter
from models.terms.milestone import Takes
from tasks.library import library


def receipt_of(
    letter: str,
    *,
    recorded_at: datetime,
    occurred_at: datetime,
    by: str = "",
    note: str = "",
    declaration: str = "",
    text: str = "",
    source: str = "",
    source_event_id: str = "",
) -> CustomsReceipt:
    """
    Return what customs answered, with what its letter means today: a table that changes later changes no log.

    Raises UnknownLetter, with the letters that there are.
    """
    meant = find_letter(library().letters, letter)
    likely, at_worst = meant.takes or (0, 0)
    return CustomsReceipt(
        recorded_at=recorded_at,
        by=by,
        note=note,
        letter=meant.letter,
        state=meant.state,
        takes=Takes(likely=likely, pessimistic=at_worst),
        occurred_at=occurred_at,
        declaration=declaration.strip(),
        text=text,
        source=source,
        source_event_id=source_event_id,
    )
