"""The decision: which steps an order takes now, and when it next has something new to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest

from models.changes import Baseline
from models.codes import FROZEN
from models.order import OrderState
from models.order_file import Claim, OrderFile
from models.outlook import outlook, turning_points
from models.prospect import NOTE as NOTE
from models.prospect import notes
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


@dataclass(frozen=True)
class Freeze:
    """The plan was agreed: its dates are kept as the baseline of this version of the order."""

    baseline: Baseline


Step = Show | Tell | Freeze | Close


NO_DATE = "NO_DATE"
UNFOLLOWED = "UNFOLLOWED"

# What a milestone looks like. The words are stored, and the flow gives each its colour.
WAITING = "waiting"
ON_HOLD = "on hold"
PROMISED = "promised"
AT_RISK = "at risk"
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
    return decide_at(file, standing(file, now))


def decide_at(file: OrderFile, at: Standing) -> tuple[Step, ...]:
    """Return the steps to take by an order whose standing is known."""
    steps: list[Step] = []
    for code, look in appearances(file, at).items():
        if file.shown.get(code) != look:
            steps.append(Show(code, look))
    steps.extend(_tell(file, at))
    steps.extend(_freeze(file, at))
    if (at.state.is_over or at.state is OrderState.NOT_FOLLOWED) and file.closed_as is not at.state:
        steps.append(Close(at.state))
    return tuple(steps)


def next_wake_up(file: OrderFile, now: datetime) -> datetime | None:
    """
    Return the next instant after `now` at which `decide` would say something new.

    `None` means that only a report can change anything.
    """
    return next_wake_up_at(file, standing(file, now))


def next_wake_up_at(file: OrderFile, at: Standing) -> datetime | None:
    """Return the next instant at which an order whose standing is known would say something new."""
    now = at.now
    instants = [firing.at for _, firing in _to_be_said(file, at) if firing.at > now]
    instants += [note.claim.due for note in notes(file, at) if note.claim.due > now and note.claim not in file.claimed]
    if at.state is OrderState.OPEN:
        # A rung that was said before, of a stall that began anew, still looks different.
        instants += [firing.since for firings in at.firings.values() for firing in firings if firing.since > now]
        instants += turning_points(file, at)
    if at.next_entry_at is not None:
        instants.append(at.next_entry_at)
    return min(instants, default=None)


def taken(file: OrderFile, steps: tuple[Step, ...]) -> OrderFile:
    """Return the file as it is once `steps` are carried out."""
    shown = dict(file.shown)
    claimed = set(file.claimed)
    closed_as = file.closed_as
    entries = list(file.entries)
    for step in steps:
        match step:
            case Show():
                shown[step.milestone] = step.appearance
            case Tell():
                claimed.add(step.claim)
            case Freeze():
                seq = max((entry.seq for entry in entries), default=0) + 1
                entries.append(step.baseline.model_copy(update={"seq": seq}))
            case Close():
                closed_as = step.state
    return replace(file, entries=tuple(entries), shown=shown, claimed=frozenset(claimed), closed_as=closed_as)


def appearances(file: OrderFile, at: Standing) -> dict[str, str]:
    """Return what each milestone that has begun looks like; those still to come are left out."""
    looks: dict[str, str] = {}
    risky = _at_risk(file, at)
    for code in file.template.codes:
        if code in at.reached:
            due = at.due.get(code)
            looks[code] = DONE_LATE if due is not None and at.reached[code].at > due else DONE
        elif code in at.passed:
            looks[code] = PASSED
        elif code in at.open:
            looks[code] = _in_round(_open_appearance(at, code, code in risky), at.round_of(code))
        elif code in file.shown:
            over = at.state.is_over or at.state is OrderState.NOT_FOLLOWED
            looks[code] = CALLED_OFF if over else REOPENED
    # Shown by the template that the order was moved away from.
    looks.update(dict.fromkeys((code for code in file.shown if code not in file.template.by_code), CALLED_OFF))
    return looks


def _in_round(look: str, round_: int) -> str:
    """Name the round of an attempt after the first, so that its bar says that it is tried again."""
    return f"{look}, round {round_}" if round_ > 1 else look


def _at_risk(file: OrderFile, at: Standing) -> frozenset[str]:
    """Return the open milestones whose forecast breaks the ETD or a hard date."""
    if at.state is not OrderState.OPEN or not file.template.foresees:
        return frozenset()
    ahead = outlook(file, at)
    return frozenset(code for code in at.open if ahead is not None and ahead.at_risk(code))


def _open_appearance(at: Standing, code: str, risky: bool) -> str:
    if at.state is OrderState.ON_HOLD:
        return ON_HOLD
    rung = at.rung_of(code)
    if rung is not None:
        return f"overdue {rung}"
    if risky:
        return AT_RISK
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
    elif at.state is OrderState.OPEN:
        due = (note for note in notes(file, at) if note.claim.due <= at.now)
        steps += [Tell(note.claim, note.role) for note in due if note.claim not in file.claimed]
    elif at.state is OrderState.NOT_FOLLOWED:
        left = max(e.recorded_at for e in file.entries if e.kind == "unfollowed" and e.recorded_at <= at.now)
        claim = Claim(UNFOLLOWED, NOTE, left)
        if claim not in file.claimed:
            steps.append(Tell(claim, first))
    return steps


def _freeze(file: OrderFile, at: Standing) -> list[Freeze]:
    """Return the baseline to be kept: once for each version of an order whose plan was agreed."""
    version = at.agreed.version
    kept = [entry.version for entry in file.entries if isinstance(entry, Baseline)]
    if FROZEN not in at.reached or not at.due or version <= max(kept, default=0):
        return []
    return [Freeze(Baseline(recorded_at=at.now, by="Gendan", version=version, dates=dict(at.due)))]


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
