"""Clearance: where the receipts of customs so far leave an order's export declaration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from models.terms.customs import CHECKS, ENDINGS, HOLDS, RELEASES, STOPS, CustomsState


class Need(StrEnum):
    """What customs waits for."""

    CORRECT_AND_DECLARE_AGAIN = "CORRECT_AND_DECLARE_AGAIN"
    HAND_IN_PAPERS = "HAND_IN_PAPERS"
    UPLOAD_FILES = "UPLOAD_FILES"
    PAY_DUTIES = "PAY_DUTIES"
    PRESENT_GOODS = "PRESENT_GOODS"
    CONTACT_CUSTOMS = "CONTACT_CUSTOMS"
    NOTHING = "NOTHING"


_NEEDS = {
    CustomsState.DOCS_REQUIRED: Need.HAND_IN_PAPERS,
    CustomsState.FILES_REQUIRED: Need.UPLOAD_FILES,
    CustomsState.FEES_DUE: Need.PAY_DUTIES,
    CustomsState.SUSPENDED: Need.CONTACT_CUSTOMS,
    CustomsState.INSPECTION: Need.PRESENT_GOODS,
    CustomsState.DETAINED: Need.CONTACT_CUSTOMS,
}


class Receipt(BaseModel):
    """
    What customs, the port's system or the broker's program answered.

    `letter` and `text` are kept as they came. `declaration` is the number that customs gave the declaration
    (海關編號), empty where it is not known; a pre-entry number (預錄入編號) is another number and does not belong
    here. `recorded_at` is when the receipt became known, `seq` its line in the log; neither decides anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    occurred_at: AwareDatetime
    state: CustomsState
    letter: str
    declaration: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    text: str = ""
    recorded_at: AwareDatetime
    seq: int = 0


class Failure(BaseModel):
    """
    How one declaration ended without the goods leaving on it.

    `letter` is empty where nobody reported the end: another declaration took its place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    state: CustomsState
    letter: str = ""
    text: str = ""


class Clearance(BaseModel):
    """
    Where the receipts so far leave an order at customs.

    `state` is `None` before the first receipt, and `letter` is what put it there. `declared_at`, `released_at`,
    `on_guarantee`, `closed_at` and `declaration` are those of the present attempt: after a failure there is
    none, until it is declared again. `attempts` counts the declarations begun, `failures` those that ended.
    `holds` is what it is held for, the newest last: an audit ends those of the papers, a release ends all. `need`
    is what the newest of them waits for that somebody other than customs must do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: CustomsState | None = None
    letter: str = ""
    declaration: str = ""
    declared_at: AwareDatetime | None = None
    released_at: AwareDatetime | None = None
    on_guarantee: bool = False
    closed_at: AwareDatetime | None = None
    attempts: int = 0
    failures: tuple[Failure, ...] = ()
    holds: tuple[CustomsState, ...] = ()
    need: Need = Need.NOTHING


def clearance(receipts: Iterable[Receipt]) -> Clearance:
    """
    Return where `receipts` leave the order at customs (domain.md 4.2).

    They count in the order in which things occurred, whatever the order in which they arrived, and each counts
    once: what says the same of the same instant is one receipt, whoever sent it and however often.

    A state that comes only after others implies them. A declaration goes forward only: it goes back by an ending
    (rejected, returned, deleted), and a release is also taken back by what stops the box (suspended, reviewed
    again, inspected, detained). A closed declaration has left, and only its deletion undoes it. What the client
    reports (draft, submitted, failed) does not touch what customs has.

    An order has one declaration at customs at a time; goods on two are two lots. Another number takes its place
    by being lodged; what else comes under another number is not about this order's goods. A number that was
    deleted or replaced is dead: nothing under it counts any more.
    """
    file = _File()
    for receipt in sorted({_saying(receipt): receipt for receipt in receipts}.values(), key=_saying):
        file.take(receipt)
    return file.clearance()


_PLACES = {state: place for place, state in enumerate(CustomsState)}


def _saying(receipt: Receipt) -> tuple[datetime, int, str, str, str]:
    """Return what tells two receipts apart, in the order in which they count; when they arrived is no part of it."""
    return receipt.occurred_at, _PLACES[receipt.state], receipt.letter, receipt.declaration, receipt.text


@dataclass
class _Attempt:
    """One declaration, as far as customs reported it. `state` is how far it came, `holds` what it is held for."""

    declaration: str = ""
    state: CustomsState = CustomsState.SUBMITTED
    letter: str = ""
    declared_at: datetime | None = None
    released_at: datetime | None = None
    on_guarantee: bool = False
    closed_at: datetime | None = None
    holds: dict[CustomsState, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def at_customs(self) -> bool:
        return self.declared_at is not None and not self.ended

    def bears(self, receipt: Receipt) -> bool:
        """Return whether a receipt can be about this declaration: its number, or no number, says nothing else."""
        return not receipt.declaration or not self.declaration or receipt.declaration == self.declaration

    def go_on(self, receipt: Receipt) -> None:
        if receipt.state is not CustomsState.SUBMITTED:
            self.declared_at = self.declared_at or receipt.occurred_at
        if receipt.state in HOLDS:
            self._hold(receipt)
            return
        if receipt.state is CustomsState.AUDITED:
            self.holds = {state: letter for state, letter in self.holds.items() if state in CHECKS}
        if receipt.state in RELEASES or receipt.state is CustomsState.CLOSED:
            self.released_at = self.released_at or receipt.occurred_at
            self.holds.clear()
        if receipt.state in RELEASES:
            self.on_guarantee = receipt.state is CustomsState.RELEASED_GUARANTEE
        if receipt.state is CustomsState.CLOSED:
            self.closed_at = self.closed_at or receipt.occurred_at
        if self._is_further(receipt.state):
            self.state, self.letter = receipt.state, receipt.letter

    def _hold(self, receipt: Receipt) -> None:
        if receipt.state in STOPS:
            if self.closed_at:
                return
            self.released_at, self.on_guarantee = None, False
            self.state = CustomsState.LODGED
        self.holds.pop(receipt.state, None)
        self.holds[receipt.state] = receipt.letter

    def _is_further(self, state: CustomsState) -> bool:
        # A guarantee is asked for, or given back, after the release too.
        return _PLACES[state] >= _PLACES[self.state] or (self.state in RELEASES and state in RELEASES)

    def stands_at(self) -> tuple[CustomsState, str]:
        """Return the state, and the letter that says so. A released box may load, whatever papers are still wanted."""
        if self.holds and not self.released_at:
            return list(self.holds.items())[-1]
        return self.state, self.letter


class _File:
    """
    The declarations of one order, as their receipts are taken one after the other.

    `numbers` are those seen so far, `dead` those under which nothing counts any more. `desk` is where it is while
    no declaration is under way: a draft, or the last one as it came back.
    """

    def __init__(self) -> None:
        self.attempts: list[_Attempt] = []
        self.failures: list[Failure] = []
        self.numbers: set[str] = set()
        self.dead: set[str] = set()
        self.desk: tuple[CustomsState, str] | None = None

    @property
    def last(self) -> _Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def present(self) -> _Attempt | None:
        return self.last if self.last and not self.last.ended else None

    def take(self, receipt: Receipt) -> None:
        if receipt.state is CustomsState.INFORMATION or receipt.declaration in self.dead:
            return
        if receipt.state is CustomsState.DRAFT:
            self.desk = receipt.state, receipt.letter
        elif receipt.state in ENDINGS:
            self._end(receipt)
        else:
            self._go_on(receipt)

    def _go_on(self, receipt: Receipt) -> None:
        present = self.present
        if present and present.at_customs and not present.bears(receipt):
            if receipt.state is not CustomsState.LODGED or present.closed_at:
                return
            self._fail(present, Failure(at=receipt.occurred_at, state=CustomsState.DELETED))
        attempt = self.present or self._begin()
        self._name(attempt, receipt)
        attempt.go_on(receipt)

    def _end(self, receipt: Receipt) -> None:
        present, last = self.present, self.last
        if present and not self._ends(present, receipt):
            if receipt.state is CustomsState.DELETED:
                self._bury(receipt.declaration)
            return
        if last and last.ended and _is_told_again(last, self.failures[-1], receipt):
            self.desk = receipt.state, receipt.letter
            attempt = last
        else:
            attempt = present or self._begin()
            self._fail(
                attempt,
                Failure(at=receipt.occurred_at, state=receipt.state, letter=receipt.letter, text=receipt.text),
            )
        self._name(attempt, receipt)
        if receipt.state is CustomsState.DELETED:
            self._bury(attempt.declaration)

    def _ends(self, present: _Attempt, receipt: Receipt) -> bool:
        if receipt.state is CustomsState.DELETED:
            return self._deletes(present, receipt)
        if present.closed_at:
            return False
        if present.at_customs:
            return present.bears(receipt) and receipt.state is not CustomsState.SUBMIT_FAILED
        return True

    def _deletes(self, present: _Attempt, receipt: Receipt) -> bool:
        # The old declaration is often deleted only once the new one is on its way, which is not there to be deleted.
        if not present.at_customs:
            return len(self.attempts) == 1 or (receipt.declaration != "" and receipt.declaration == present.declaration)
        of_an_old_one = receipt.declaration in self.numbers and receipt.declaration != present.declaration
        return present.bears(receipt) and not of_an_old_one

    def _bury(self, declaration: str) -> None:
        # What bears no number can be about any declaration.
        if declaration:
            self.dead.add(declaration)

    def _begin(self) -> _Attempt:
        self.attempts.append(_Attempt())
        return self.attempts[-1]

    def _fail(self, attempt: _Attempt, failure: Failure) -> None:
        attempt.ended = True
        self.failures.append(failure)
        self.desk = failure.state, failure.letter

    def _name(self, attempt: _Attempt, receipt: Receipt) -> None:
        if receipt.declaration:
            self.dead |= self.numbers - {receipt.declaration}
            self.numbers.add(receipt.declaration)
            attempt.declaration = receipt.declaration

    def clearance(self) -> Clearance:
        told = {"attempts": len(self.attempts), "failures": tuple(self.failures)}
        present = self.present
        if present is None:
            state, letter = self.desk or (None, "")
            need = Need.CORRECT_AND_DECLARE_AGAIN if self.failures else Need.NOTHING
            return Clearance(state=state, letter=letter, need=need, **told)
        state, letter = present.stands_at()
        return Clearance(
            state=state,
            letter=letter,
            declaration=present.declaration,
            declared_at=present.declared_at,
            released_at=present.released_at,
            on_guarantee=present.on_guarantee,
            closed_at=present.closed_at,
            holds=tuple(present.holds),
            need=next((_NEEDS[hold] for hold in reversed(present.holds) if hold in _NEEDS), Need.NOTHING),
            **told,
        )


def _is_told_again(last: _Attempt, failure: Failure, receipt: Receipt) -> bool:
    """
    Return whether what came back already comes back by another channel, or is put in order afterwards.

    Only customs' own rejection, at another time, proves that it was declared again in between.
    """
    return last.bears(receipt) and (receipt.state is not CustomsState.REJECTED or receipt.occurred_at == failure.at)
