"""Where an order stands at a given moment: what is due, reached, waited for, and how far each stall has climbed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from models.book.agreement import Agreement, Sailing, agreed
from models.book.changes import (
    Cancellation,
    Followed,
    Hold,
    Lost,
    Resume,
    Unfollowed,
    Won,
)
from models.book.entry import Entry
from models.book.order import Etd, OrderKind, OrderState
from models.book.order_file import OrderFile
from models.book.report import Promise
from models.escalation.stalls import Firing as Firing
from models.escalation.stalls import Stalls, acknowledged, broken_promises
from models.planning.plan import planned
from models.status.clearance import Clearance
from models.status.progress import (
    Attempt,
    CustomsHold,
    Given,
    Progress,
    Reached,
    next_attempts,
    not_reports,
    progress,
    what_is_done,
)


@dataclass(frozen=True)
class Standing:
    """
    Where an order stands at `now`: derived from its file alone, the same however often it is derived.

    `due` are the planned due instants (none while the order has no ETD), `again` those of milestones that are open once
    more: what the next attempt takes, counted from the failure. `promises` are the last promise per milestone,
    `estimates` the last estimate, also those for an attempt that failed since. `open` are the milestones waited for, in
    the template's order: everything before them is done and they are not. `done` holds what was reached and what must
    have been, `passed` are those that nobody reported although something after them happened: implied, not proven.
    `failed` are the attempts at a milestone that failed, `voided` says since when a milestone is open once more,
    `redone` since when one is that something else than its own failure opened. `held` is the hold that the order is on.
    `acknowledged` says until when the climb of a milestone (or a hard date) rests because somebody took it on, `broken`
    how many dates that were promised for the present attempt at an open milestone went by.
    """

    now: datetime
    state: OrderState
    agreed: Agreement
    due: Mapping[str, datetime]
    again: Mapping[str, datetime]
    promises: Mapping[str, Given]
    estimates: Mapping[str, Given]
    reached: Mapping[str, Reached]
    started: Mapping[str, datetime]
    failed: Mapping[str, tuple[Attempt, ...]]
    voided: Mapping[str, datetime]
    redone: Mapping[str, datetime]
    counted: Mapping[str, float]
    done: Mapping[str, Reached]
    customs: Clearance | None
    customs_hold: CustomsHold | None
    open: tuple[str, ...]
    firings: Mapping[str, tuple[Firing, ...]]
    acknowledged: Mapping[str, datetime]
    broken: Mapping[str, int]
    notes: Mapping[str, Entry]
    held: Hold | None
    departed_at: datetime | None
    next_entry_at: datetime | None

    @property
    def etd(self) -> Etd | None:
        """The ETD that holds now."""
        return self.agreed.etd

    @cached_property
    def promised(self) -> Mapping[str, datetime]:
        """The instants promised for the present attempt, by milestone."""
        return {code: promise.at for code, promise in self.promises.items() if self.still_counts(code, promise)}

    @cached_property
    def expected(self) -> Mapping[str, datetime]:
        """The instants estimated for the present attempt, by milestone."""
        return {code: given.at for code, given in self.estimates.items() if self.still_counts(code, given)}

    @cached_property
    def passed(self) -> frozenset[str]:
        """The milestones that nobody reported although something after them happened."""
        return frozenset(self.done.keys() - self.reached.keys())

    def still_counts(self, milestone: str, given: Given) -> bool:
        """Say whether a date was given for the present attempt, and not for one that failed since."""
        return _still_counts(given, self.voided.get(milestone))

    def round_of(self, milestone: str) -> int:
        """Return the number of the present attempt at a milestone; the first is 1."""
        return len(self.failed.get(milestone, ())) + 1

    def effective_due(self, milestone: str) -> datetime | None:
        """Return the date that is chased for: the promise if there is one, else the next attempt's, else the plan's."""
        return self.promised.get(milestone) or self.again.get(milestone) or self.due.get(milestone)

    def rung_of(self, milestone: str) -> str | None:
        """Return the highest rung that the milestone's stall has climbed to by now, if it stalls."""
        fired = [f.rung for f in self.firings.get(milestone, ()) if f.since <= self.now and not f.depends]
        return fired[-1] if fired else None

    @property
    def stalled(self) -> tuple[str, ...]:
        """The open milestones that are being escalated, worst first."""
        rungs = {code: self.rung_of(code) for code in self.open}
        worst = sorted((code for code in self.open if rungs[code]), key=lambda code: rungs[code] or "", reverse=True)
        return tuple(worst)


def standing(file: OrderFile, now: datetime) -> Standing:
    """Derive where the order stands at `now` from what was recorded by then."""
    known = [entry for entry in file.entries if entry.recorded_at <= now]
    later = [entry.recorded_at for entry in file.entries if entry.recorded_at > now]
    template = file.template
    others = not_reports(known)
    agreement = agreed(file.order, others)
    so_far = progress(file, known, agreement)
    done = what_is_done(template, so_far.reached, so_far.voided)
    due = plan_of(file, agreement, so_far.reached)
    followed = template.followed
    open_ = tuple(c for c in followed if c not in done and all(p in done for p in template.by_code[c].after))
    promises = {e.milestone: Given(e.promised, e.recorded_at) for e in others if isinstance(e, Promise)}
    held = _held(others)
    state = _state(file, others, agreement, done, held)
    if state.is_over or state is OrderState.NOT_FOLLOWED:
        open_ = ()
    again = _again(file, due, so_far, open_)
    promised = {c: given.at for c, given in promises.items() if _still_counts(given, so_far.voided.get(c))}
    chased = {**due, **again, **promised}
    # An order on hold may have no date either.
    stalls = Stalls(file, known, others, done, so_far.voided) if due and open_ else None
    firings = {c: stalls.firings(c, chased[c]) for c in open_} if stalls is not None else {}
    departure = so_far.reached.get(template.departure)
    return Standing(
        now=now,
        state=state,
        agreed=agreement,
        due=due,
        again=again,
        promises=promises,
        estimates=so_far.expected,
        reached=so_far.reached,
        started=so_far.started,
        failed=so_far.failed,
        voided=so_far.voided,
        redone=so_far.redone,
        counted=so_far.counted,
        done=done,
        customs=so_far.customs,
        customs_hold=so_far.customs_hold,
        open=open_,
        firings=firings,
        acknowledged=acknowledged(file, others, now),
        broken={c: n for c in open_ if (n := broken_promises(others, c, so_far.voided.get(c), now))},
        notes=_notes(known),
        held=held,
        departed_at=departure.at if departure else None,
        next_entry_at=min(later, default=None),
    )


def plan_of(file: OrderFile, agreement: Agreement, reached: Mapping[str, Reached]) -> dict[str, datetime]:
    """
    Return the due instants of all milestones; none while the order has no ETD.

    A change of date or of cut-offs plans anew what is open: a milestone that was reached before it keeps the date that
    it was reached against.
    """
    if not agreement.etds:
        return {}

    def plan(sailing: Sailing) -> dict[str, datetime]:
        return planned(file.order, file.template, sailing.etd, file.calendars, sailing.cutoffs)

    due = plan(agreement.etds[-1])
    for former, following in reversed(list(pairwise(agreement.etds))):
        if kept := [code for code, reach in reached.items() if reach.known_at < following.since]:
            then = plan(former)
            due.update({code: then[code] for code in kept})
    return due


def _still_counts(given: Given, voided: datetime | None) -> bool:
    return voided is None or given.told_at > voided


def _again(
    file: OrderFile, due: Mapping[str, datetime], so_far: Progress, open_: tuple[str, ...]
) -> dict[str, datetime]:
    """Return when the open milestones that were opened once more are due: never before their plan."""
    again: dict[str, datetime] = {}
    for code in open_:
        if code in so_far.voided and code in due:
            milestone = file.template.by_code[code]
            finish = file.calendars[milestone.calendar].finish
            attempts = next_attempts(milestone, so_far.voided, so_far.redone)
            again[code] = max([due[code], *(finish(since, takes.likely) for since, takes in attempts)])
    return again


def _held(known: Iterable[Entry]) -> Hold | None:
    held: Hold | None = None
    for entry in known:
        if isinstance(entry, Hold):
            held = held or entry
        elif isinstance(entry, Resume):
            held = None
    return held


def _state(
    file: OrderFile, known: list[Entry], agreement: Agreement, done: Mapping[str, Reached], held: Hold | None
) -> OrderState:
    cancelled = unfollowed = lost = won = False
    for entry in known:
        match entry:
            case Cancellation():
                cancelled = True
            case Lost():
                lost = True
            case Won():
                won = True
            case Unfollowed():
                unfollowed = True
            case Followed():
                unfollowed = cancelled = lost = False
            case _:
                pass
    if cancelled:
        return OrderState.CANCELLED
    if won:
        return OrderState.WON
    if lost:
        return OrderState.LOST
    if agreement.split is not None:
        return OrderState.SPLIT
    if file.template.follow_to in done and file.order.kind is OrderKind.EXPORT:
        return OrderState.CLOSED
    if unfollowed:
        return OrderState.NOT_FOLLOWED
    if held is not None:
        return OrderState.ON_HOLD
    return OrderState.OPEN if agreement.etd is not None else OrderState.WAITING_FOR_DATE


def _notes(known: list[Entry]) -> dict[str, Entry]:
    """Return the last entry with a note per milestone; under "" the last that speaks of the whole order."""
    notes: dict[str, Entry] = {}
    for entry in known:
        if entry.note:
            notes[getattr(entry, "milestone", "")] = entry
    return notes
