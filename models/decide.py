"""The decision: which steps an order takes now, and when it next has something new to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest

from models.order import OrderState
from models.order_file import Claim, OrderFile
from models.standing import Firing, Standing, standing


@dataclass(frozen=True)
class Show:
    """A milestone looks different from now on: waited for, overdue, on hold, done, done late, passed."""

    milestone: str
    appearance: str


@dataclass(frozen=True)
class Tell:
    """Somebody is to be told. `rung` is a rung of the ladder, or NOTE for what is no stall."""

    claim: Claim
    role: str


@dataclass(frozen=True)
class Close:
    """The order's follow-up ends."""

    state: OrderState


Step = Show | Tell | Close

NOTE = "NOTE"
NO_DATE = "NO_DATE"
UNFOLLOWED = "UNFOLLOWED"

# What a milestone looks like. The words are stored, and the flow gives each its colour.
WAITING = "waiting"
ON_HOLD = "on hold"
PROMISED = "promised"
DONE = "done"
DONE_LATE = "done late"
PASSED = "passed"
CALLED_OFF = "called off"
REOPENED = "reopened"


def decide(file: OrderFile, now: datetime) -> tuple[Step, ...]:
    """
    Return the steps to take at `now`: only those not taken yet.

    The same file and instant give the same steps, whoever asks: the flow, the backtest, a what-if. A step that
    was taken is in the file (`claimed`, `shown`, `closed_as`) and is not returned again.
    """
    at = standing(file, now)
    steps: list[Step] = []
    looks = appearances(file, at)
    for code in file.template.codes:
        look = looks.get(code)
        if look is not None and file.shown.get(code) != look:
            steps.append(Show(code, look))
    steps.extend(_tell(file, at))
    if (at.state.is_over or at.state is OrderState.NOT_FOLLOWED) and file.closed_as is not at.state:
        steps.append(Close(at.state))
    return tuple(steps)


def next_wake_up(file: OrderFile, now: datetime) -> datetime | None:
    """
    Return the next instant after `now` at which `decide` would say something new.

    `None` means that only a report can change anything.
    """
    at = standing(file, now)
    instants = [firing.at for _, firing in _to_be_said(file, at) if firing.at > now]
    if at.state is OrderState.OPEN:
        # A rung that was said before, of a stall that began anew, still looks different.
        instants += [firing.since for firings in at.firings.values() for firing in firings if firing.since > now]
    if at.next_entry_at is not None:
        instants.append(at.next_entry_at)
    return min(instants, default=None)


def taken(file: OrderFile, steps: tuple[Step, ...]) -> OrderFile:
    """Return the file as it is once `steps` are carried out."""
    shown = dict(file.shown)
    claimed = set(file.claimed)
    closed_as = file.closed_as
    for step in steps:
        match step:
            case Show():
                shown[step.milestone] = step.appearance
            case Tell():
                claimed.add(step.claim)
            case Close():
                closed_as = step.state
    return replace(file, shown=shown, claimed=frozenset(claimed), closed_as=closed_as)


def appearances(file: OrderFile, at: Standing) -> dict[str, str]:
    """Return what each milestone that has begun looks like; those still to come are left out."""
    looks: dict[str, str] = {}
    for code in file.template.codes:
        if code in at.reached:
            due = at.due.get(code)
            looks[code] = DONE_LATE if due is not None and at.reached[code].at > due else DONE
        elif code in at.passed:
            looks[code] = PASSED
        elif code in at.open:
            looks[code] = _open_appearance(at, code)
        elif code in file.shown:
            over = at.state.is_over or at.state is OrderState.NOT_FOLLOWED
            looks[code] = CALLED_OFF if over else REOPENED
    return looks


def _open_appearance(at: Standing, code: str) -> str:
    if at.state is OrderState.ON_HOLD:
        return ON_HOLD
    rung = at.rung_of(code)
    if rung is not None:
        return f"overdue {rung}"
    return PROMISED if code in at.promised else WAITING


def _tell(file: OrderFile, at: Standing) -> list[Tell]:
    steps: list[Tell] = []
    first = file.ladder.rungs[0].role
    for claim, firing in _to_be_said(file, at):
        if firing.at <= at.now:
            steps.append(Tell(claim, file.ladder.by_code(firing.rung).role))
    if at.state is OrderState.WAITING_FOR_DATE:
        claim = Claim(NO_DATE, NOTE, file.order.came_in)
        if claim not in file.claimed:
            steps.append(Tell(claim, first))
    elif at.state is OrderState.NOT_FOLLOWED:
        left = max(e.recorded_at for e in file.entries if e.kind == "unfollowed" and e.recorded_at <= at.now)
        claim = Claim(UNFOLLOWED, NOTE, left)
        if claim not in file.claimed:
            steps.append(Tell(claim, first))
    return steps


def _to_be_said(file: OrderFile, at: Standing) -> Iterator[tuple[Claim, Firing]]:
    """Yield the rungs that were not said yet, past and to come; an order that is not open says none."""
    if at.state is not OrderState.OPEN:
        return
    for code, firings in at.firings.items():
        due = at.effective_due(code)
        assert due is not None  # a milestone without a date has no firings
        for firing, above in zip_longest(firings, firings[1:]):
            claim = Claim(code, firing.rung, due)
            # A stall that was known overnight may climb before anybody could be told: it begins at its present rung.
            outgrown = above is not None and above.at == firing.at
            if claim not in file.claimed and not outgrown and not _overtaken(file, claim):
                yield claim, firing


def _overtaken(file: OrderFile, claim: Claim) -> bool:
    """Say whether a higher rung was said of the same date, as where a correction moved the stall down."""
    return any(c.milestone == claim.milestone and c.due == claim.due and c.rung > claim.rung for c in file.claimed)
