"""Customs: what each receipt letter means, and where the receipts so far leave the export declaration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict, Field, field_validator

from models.errors import GendanError
from models.moments import shown
from models.names import Name


class CustomsState(StrEnum):
    """
    Where a declaration is (domain.md 4.2).

    They stand in the order in which they count: of two receipts of one instant, the later state has the last word.
    """

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    SUBMIT_FAILED = "SUBMIT_FAILED"
    LODGED = "LODGED"
    AUDITED = "AUDITED"
    DOCS_REQUIRED = "DOCS_REQUIRED"
    FILES_REQUIRED = "FILES_REQUIRED"
    FEES_DUE = "FEES_DUE"
    UNDER_REVIEW = "UNDER_REVIEW"
    SUSPENDED = "SUSPENDED"
    INSPECTION = "INSPECTION"
    DETAINED = "DETAINED"
    RELEASED = "RELEASED"
    RELEASED_GUARANTEE = "RELEASED_GUARANTEE"
    CLOSED = "CLOSED"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    DELETED = "DELETED"
    INFORMATION = "INFORMATION"
    """Changes nothing: a notice that people only want to read."""


ENDINGS = frozenset({CustomsState.SUBMIT_FAILED, CustomsState.RETURNED, CustomsState.REJECTED, CustomsState.DELETED})
"""End the declaration: there is nothing at customs until it is declared again."""

CHECKS = frozenset({CustomsState.INSPECTION, CustomsState.DETAINED})
"""Hold the goods: only a release ends them, an audit of the papers does not."""

STOPS = CHECKS | {CustomsState.UNDER_REVIEW, CustomsState.SUSPENDED}
"""Hold the box: a release given before one of them is none any more."""

HOLDS = STOPS | {CustomsState.DOCS_REQUIRED, CustomsState.FILES_REQUIRED, CustomsState.FEES_DUE}
"""Hold up the release; papers, files and duties that customs asks for afterwards leave it as it is."""

RELEASES = frozenset({CustomsState.RELEASED, CustomsState.RELEASED_GUARANTEE})
"""Let the box load. An audit does not, and a closed declaration was released before."""


_Days = Annotated[int, Field(ge=0, le=250)]
_LONGEST = 32


class Letter(BaseModel):
    """
    One receipt letter, or code, of customs or the single window, and the state that it stands for.

    `takes` is how many working days the release is still away in this state, likely and pessimistic (P50, P90);
    `None`: nobody said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    letter: str = Field(min_length=1, max_length=_LONGEST)
    state: CustomsState
    name: Name
    takes: tuple[_Days, _Days] | None = None

    @field_validator("takes", mode="before")
    @classmethod
    def _takes_are_two(cls, takes: object) -> object:
        if isinstance(takes, list) and len(takes) != 2:
            raise ValueError("takes should be two numbers of working days, likely and at worst, such as [1, 3]")
        return takes

    @field_validator("takes")
    @classmethod
    def _takes_no_less_at_worst(cls, takes: tuple[int, int] | None) -> tuple[int, int] | None:
        if takes is not None and takes[1] < takes[0]:
            raise ValueError(f"takes likely {takes[0]} days, and at worst only {takes[1]}")
        return takes


Letters = Mapping[str, Letter]


class UnknownLetter(GendanError):
    """A receipt letter that the table does not have."""

    def __init__(self, given: str, letters: Iterable[str]) -> None:
        key = json.dumps(given if 0 < len(given) <= _LONGEST else "Q", ensure_ascii=False)
        super().__init__(
            f"Customs letter {shown(given)} is not in the table, which has {', '.join(letters)}. Nothing was recorded. "
            "Give one of them, or add the letter to customs.yaml in your own library, for example\n"
            f"{key}: {{state: AUDITED, name: {{en: Audited, zh_hans: 审结, zh_hant: 審結}}}}"
        )
        self.given = given


def find_letter(letters: Letters, given: str) -> Letter:
    """
    Return the letter that is meant by `given`.

    Small and capital letters differ (f0 and F are two), but where only one fits, either will do; full-width ones
    are the same. A number below zero is a processing error, and stands under "-". Raises UnknownLetter.
    """
    given = _half_width(given)
    if given in letters:
        return letters[given]
    near = [letter for code, letter in letters.items() if _half_width(code).casefold() == given.casefold()]
    if len(near) == 1:
        return near[0]
    if not near and given[:1] == "-" and given[1:].isdecimal() and "-" in letters:
        return letters["-"]
    raise UnknownLetter(given, letters)


def _half_width(text: str) -> str:
    return normalize("NFKC", text).strip()
