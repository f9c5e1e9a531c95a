"""The customs letters of the library: each made from what its file says, or refused there."""

from __future__ import annotations

from collections.abc import Mapping

from models.terms.customs import CustomsState, Letter
from tasks.marked_yaml import Marked, did_you_mean


def read_letters(entries: Mapping[str, Marked]) -> dict[str, Letter]:
    """Return the table of customs letters. Raises LibraryError."""
    return {letter: _read_letter(letter, marked) for letter, marked in entries.items()}


def _read_letter(letter: str, marked: Marked) -> Letter:
    if "letter" in marked.mapping():
        raise marked.mistake(f"unknown field 'letter': {letter} is the letter already", "letter")
    state = marked.mapping().get("state")
    known = [one.value for one in CustomsState]
    if isinstance(state, str) and state not in known:
        raise marked.mistake(
            f"there is no customs state {state!r}{did_you_mean(state, known)}. There are: {', '.join(known)}", "state"
        )
    return marked.read_as(Letter, letter=letter)
