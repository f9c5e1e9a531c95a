"""The decision: which steps an order takes now, and when it next has something new to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from models.book.changes import Baseline
from models.book.order import OrderState
from models.book.order_file import Chase, Claim, OrderFile
from models.codes import FROZEN
from models.escalation.alarms import alarms_to_say
from models.escalation.chases import chases, standing_claims
from models.escalation.clock_track import ticks_to_say
from models.escalation.ladder import looks_again_at, rungs_to_say
from models.escalation.notice import Due, Manner, View
from models.escalation.notice import Tell as Tell
from models.escalation.owner import MERCHANDISER
from models.escalation.reminders import reminders_to_say
from models.planning.outlook import turning_points
from models.prospect import NOTE as NOTE
from models.prospect import notes
from models.status.standing import Standing, standing
from models.terms.policy import OWNER


@dataclass(frozen=True)
class Show:
    """A milestone looks different from now on: waited for, overdue, on hold, done, done late, passed."""

    milestone: str
    appearance: str


@dataclass(frozen=True)
class Close:
    """The order's follow-up ends."""

    state: OrderState


@dataclass(frozen=True)
class Freeze:
    """The plan was agreed: its dates are kept as the baseline of this version of the order."""

    baseline: Baseline


@dataclass(frozen=True)
class Turn:
    """The chase of a milestone turns: it is triggered, taken on, promised, suppressed or resolved."""

    milestone: str
    chase: Chase


@dataclass(frozen=True)
class Keep:
    """Of the notices that were raised these still hold; all others are no longer said to anybody."""

    claims: frozenset[Claim]


Step = Show | Tell | Turn | Keep | Freeze | Close


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
    view = View(file, at)
    tells = _tell(view)
    then = _once_said(view, tells) if tells else view
    steps: list[Step] = [Show(code, look) for code, look in appearances(then).items() if file.shown.get(code) != look]
    steps.extend(tells)
    steps.extend(_turn(then))
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
    now, view = at.now, View(file, at)
    instants = [due.at for due in _to_be_said(view) if due.at > now]
    instants += [note.claim.due for note in notes(file, at) if note.claim.due > now and note.claim not in file.claimed]
    if at.state is OrderState.OPEN:
        # A rung that was said before, of a stall that began anew, still looks different.
        instants += [firing.since for firings in at.firings.values() for firing in firings if firing.since > now]
        instants += [until for until in at.acknowledged.values() if until > now]
        instants += turning_points(file, at)
        if (look_again := looks_again_at(view)) is not None:
            instants.append(look_again)
    if at.next_entry_at is not None:
        instants.append(at.next_entry_at)
    return min(instants, default=None)


def taken(file: OrderFile, steps: tuple[Step, ...], now: datetime) -> OrderFile:
    """Return the file as it is once `steps` are carried out at `now`."""
    shown, chased = dict(file.shown), dict(file.chases)
    kept, closed_as = file.standing_claims, file.closed_as
    entries = list(file.entries)
    for step in steps:
        match step:
            case Show():
                shown[step.milestone] = step.appearance
            case Turn():
                chased[step.milestone] = step.chase
            case Keep():
                kept = step.claims
            case Freeze():
                seq = max((entry.seq for entry in entries), default=0) + 1
                entries.append(step.baseline.model_copy(update={"seq": seq}))
            case Close():
                closed_as = step.state
            case Tell():
                pass
    return replace(
        file,
        entries=tuple(entries),
        shown=shown,
        claimed=_claimed(file, [step for step in steps if isinstance(step, Tell)], now),
        chases=chased,
        standing_claims=kept,
        closed_as=closed_as,
    )


def appearances(view: View) -> dict[str, str]:
    """Return what each milestone that has begun looks like; those still to come are left out."""
    file, at = view.file, view.at
    looks: dict[str, str] = {}
    risky = _at_risk(view)
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


def _at_risk(view: View) -> frozenset[str]:
    """Return the open milestones whose forecast breaks the ETD or a hard date."""
    ahead = view.ahead if view.at.state is OrderState.OPEN else None
    return frozenset(code for code in view.at.open if ahead is not None and ahead.at_risk(code))


def _open_appearance(at: Standing, code: str, risky: bool) -> str:
    if at.state is OrderState.ON_HOLD:
        return ON_HOLD
    rung = at.rung_of(code)
    if rung is not None:
        return f"overdue {rung}"
    if risky:
        return AT_RISK
    return PROMISED if code in at.promised else WAITING


def _tell(view: View) -> list[Tell]:
    file, at = view.file, view.at
    steps: list[Tell] = []
    for due in _to_be_said(view):
        if due.at <= at.now:
            steps += [Tell(due.claim, role, due.manner, due.at, due.repeat) for role in due.roles]
    for claim, role in _notes(file, at):
        if claim.due <= at.now and claim not in file.claimed:
            steps.append(Tell(claim, role, Manner.DIGEST, claim.due))
    return steps


def _notes(file: OrderFile, at: Standing) -> list[tuple[Claim, str]]:
    """Return what is to be said that is no stall, past and to come: no date, nobody follows, a prospect's calls."""
    first = file.policy.rungs[0].role
    first = MERCHANDISER if first == OWNER else first  # what is of no step has no owner
    if at.state is OrderState.WAITING_FOR_DATE:
        return [(Claim(NO_DATE, NOTE, file.order.came_in), first)]
    if at.state is OrderState.OPEN:
        return [(note.claim, note.role) for note in notes(file, at)]
    if at.state is OrderState.NOT_FOLLOWED:
        left = max(e.recorded_at for e in file.entries if e.kind == "unfollowed" and e.recorded_at <= at.now)
        return [(Claim(UNFOLLOWED, NOTE, left), first)]
    return []


def _once_said(view: View, tells: list[Tell]) -> View:
    """Return the order as it stands once `tells` are said: a rung that something brought forward stands then."""
    file, at = replace(view.file, claimed=_claimed(view.file, tells, view.at.now)), view.at
    told = {(tell.claim.milestone, tell.claim.rung) for tell in tells}
    climbs = any(
        (code, firing.rung) in told and (firing.since > at.now or firing.depends)
        for code, firings in at.firings.items()
        for firing in firings
    )
    return View(file, standing(file, at.now) if climbs else at)


def _turn(view: View) -> list[Turn | Keep]:
    """Return how the chases turn, and which notices hold, once everything that is due was said."""
    file, at = view.file, view.at
    steps: list[Turn | Keep] = [
        Turn(code, chase) for code, chase in chases(view).items() if file.chases.get(code) != chase
    ]
    kept = standing_claims(view, frozenset(claim for claim, _ in _notes(file, at) if claim in file.claimed))
    return steps if kept == file.standing_claims else [*steps, Keep(kept)]


def _claimed(file: OrderFile, tells: Iterable[Tell], now: datetime) -> Mapping[Claim, datetime]:
    new = {tell.claim: now for tell in tells if tell.claim not in file.claimed}
    return {**file.claimed, **new} if new else file.claimed


def _freeze(file: OrderFile, at: Standing) -> list[Freeze]:
    """Return the baseline to be kept: once for each version of an order whose plan was agreed."""
    version = at.agreed.version
    kept = [entry.version for entry in file.entries if isinstance(entry, Baseline)]
    if FROZEN not in at.reached or not at.due or version <= max(kept, default=0):
        return []
    return [Freeze(Baseline(recorded_at=at.now, by="Gendan", version=version, dates=dict(at.due)))]


def _to_be_said(view: View) -> Iterator[Due]:
    """Yield the notices of stalls and dates that were not raised yet, past and to come."""
    state = view.at.state
    if state is OrderState.OPEN:
        yield from rungs_to_say(view)
        yield from reminders_to_say(view)
        yield from alarms_to_say(view)
    if state in (OrderState.OPEN, OrderState.ON_HOLD):
        yield from ticks_to_say(view)
