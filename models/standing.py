"""Where an order stands at a given moment: what is due, reached, waited for, and how far each stall has climbed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from models.ladder import Pause, climb, rests_until
from models.order import Etd, Order, OrderState
from models.order_file import OrderFile
from models.plan import due_dates
from models.progress import Reached, progress, what_is_done
from models.report import (
    Acknowledgement,
    Cancellation,
    Entry,
    Followed,
    Hold,
    Promise,
    Report,
    Reschedule,
    Resume,
    Unfollowed,
    Withdrawal,
)
from models.workdays import Calendar


class Firing(NamedTuple):
    """A rung, the instant `at` which it is told, and `since` when the stall stands on it: never later than `at`."""

    rung: str
    at: datetime
    since: datetime


@dataclass(frozen=True)
class Standing:
    """
    Where an order stands at `now`: derived from its file alone, the same however often it is derived.

    `due` are the planned due instants (none while the order has no ETD), `promised` the last promise per
    milestone, `expected` the last estimate. `open` are the milestones waited for, in the template's order:
    everything before them is done and they are not. `passed` are those that nobody reported although something
    after them happened: implied, not proven.
    """

    now: datetime
    state: OrderState
    etd: Etd | None
    due: Mapping[str, datetime]
    promised: Mapping[str, datetime]
    expected: Mapping[str, datetime]
    reached: Mapping[str, Reached]
    counted: Mapping[str, float]
    passed: frozenset[str]
    open: tuple[str, ...]
    firings: Mapping[str, tuple[Firing, ...]]
    acknowledged: frozenset[str]
    notes: Mapping[str, Entry]
    departed_at: datetime | None
    next_entry_at: datetime | None

    def effective_due(self, milestone: str) -> datetime | None:
        """Return the date that is chased for: the promise where there is one, else the plan."""
        return self.promised.get(milestone) or self.due.get(milestone)

    def rung_of(self, milestone: str) -> str | None:
        """Return the highest rung that the milestone's stall has climbed to by now, if it stalls."""
        fired = [firing.rung for firing in self.firings.get(milestone, ()) if firing.since <= self.now]
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
    etd = _etd(file.order, known)
    due = due_dates(template, etd, file.calendars) if etd is not None else {}
    reached, counted, expected = progress(file, known)
    done = what_is_done(template, reached)
    followed = template.followed
    open_ = tuple(c for c in followed if c not in done and all(p in done for p in template.by_code[c].after))
    promised = {e.milestone: e.promised for e in known if isinstance(e, Promise)}
    state = _state(file, known, etd, done)
    if state.is_over or state is OrderState.NOT_FOLLOWED:
        open_ = ()
    # An order on hold may have no date either.
    firings = {c: _firings(file, known, c, due, promised, done) for c in open_} if due else {}
    departure = reached.get(template.departure)
    return Standing(
        now=now,
        state=state,
        etd=etd,
        due=due,
        promised=promised,
        expected=expected,
        reached=reached,
        counted=counted,
        passed=frozenset(done.keys() - reached.keys()),
        open=open_,
        firings=firings,
        acknowledged=_acknowledged(file, known, open_, now),
        notes=_notes(known),
        departed_at=departure.at if departure else None,
        next_entry_at=min(later, default=None),
    )


def _etd(order: Order, known: Iterable[Entry]) -> Etd | None:
    etd = order.etd
    for entry in known:
        if isinstance(entry, Reschedule):
            etd = entry.etd
    return etd


def _state(file: OrderFile, known: list[Entry], etd: Etd | None, done: Mapping[str, Reached]) -> OrderState:
    held = cancelled = unfollowed = False
    for entry in known:
        match entry:
            case Hold():
                held = True
            case Resume():
                held = False
            case Cancellation():
                cancelled = True
            case Unfollowed():
                unfollowed = True
            case Followed():
                unfollowed = cancelled = False
            case _:
                pass
    if cancelled:
        return OrderState.CANCELLED
    if file.template.follow_to in done:
        return OrderState.CLOSED
    if unfollowed:
        return OrderState.NOT_FOLLOWED
    if held:
        return OrderState.ON_HOLD
    return OrderState.OPEN if etd is not None else OrderState.WAITING_FOR_DATE


def _pauses(file: OrderFile, known: list[Entry], milestone: str) -> list[Pause]:
    pauses: list[Pause] = []
    held_since: datetime | None = None
    for entry in known:
        if isinstance(entry, Hold):
            held_since = held_since or entry.recorded_at
        elif isinstance(entry, Resume) and held_since is not None:
            pauses.append((held_since, entry.recorded_at))
            held_since = None
        elif isinstance(entry, Acknowledgement) and entry.milestone == milestone:
            pauses.append((entry.recorded_at, rests_until(file.ladder, file.calendar, entry.recorded_at)))
    if held_since is not None:
        pauses.append((held_since, None))
    return pauses


def _acknowledged(file: OrderFile, known: list[Entry], open_: tuple[str, ...], now: datetime) -> frozenset[str]:
    return frozenset(
        entry.milestone
        for entry in known
        if isinstance(entry, Acknowledgement)
        and entry.milestone in open_
        and now < rests_until(file.ladder, file.calendar, entry.recorded_at)
    )


def _firings(
    file: OrderFile,
    known: list[Entry],
    code: str,
    due: Mapping[str, datetime],
    promised: Mapping[str, datetime],
    done: Mapping[str, Reached],
) -> tuple[Firing, ...]:
    """
    Return the rungs of one open milestone with their instants, past and to come.

    On the day on which an order comes in nobody is chased: what was told about it so far comes in with it, and
    may come in after it.

    A stall begins when Gendan first knows of it, at the rung that it has reached by then; from there it climbs
    rung by rung. It is first known when the order came in (or was followed again), when its date was given,
    or when what came before it was reported, whichever is last. Nobody is chased earlier than the step could
    begin: where what came before was late, the ladder counts from there.
    """
    before = [done[p] for p in file.template.by_code[code].after]
    stalls_at = max([promised.get(code) or due[code], *(r.at for r in before)])
    pauses = _pauses(file, known, code)
    known_since = _known_since(file, known, code, before)
    settled = max(known_since, _morning_after(file.calendar, file.order.came_in))
    begins_at = _next_chance(file.calendar, settled, pauses)
    if begins_at is None:
        return ()
    firings: list[Firing] = []
    for rung, at in zip(file.ladder.rungs, climb(file.ladder, file.calendar, stalls_at, pauses), strict=True):
        if at is None:
            break
        if at < settled:
            # Over before we knew: only the last of these is said, once the office is open.
            firings = [Firing(rung.code, begins_at, max(at, known_since))]
        else:
            firings.append(Firing(rung.code, at, at))
    return tuple(firings)


def _morning_after(calendar: Calendar, instant: datetime) -> datetime:
    return calendar.opening(next(calendar.workdays_after(calendar.local_date(instant))))


def _next_chance(calendar: Calendar, instant: datetime, pauses: list[Pause]) -> datetime | None:
    """Return when somebody can next be told: the office is open and nothing rests. `None`: not while a pause lasts."""
    chance = calendar.next_working_moment(instant)
    for start, end in sorted(pauses, key=lambda pause: pause[0]):
        if start <= chance and (end is None or chance < end):
            if end is None:
                return None
            chance = calendar.next_working_moment(end)
    return chance


def _known_since(file: OrderFile, known: list[Entry], code: str, before: list[Reached]) -> datetime:
    since = [file.order.came_in, *(r.known_at for r in before)]
    for number, entry in enumerate(known):
        match entry:
            case Followed() | Reschedule():
                since.append(entry.recorded_at)
            case Promise() if entry.milestone == code:
                since.append(entry.recorded_at)
            case Withdrawal() | Report() if entry.corrects is not None:
                reached, _, _ = progress(file, known[:number])
                if code in what_is_done(file.template, reached):  # it is open because of this correction
                    since.append(entry.recorded_at)
            case _:
                pass
    return max(since)


def _notes(known: list[Entry]) -> dict[str, Entry]:
    """Return the last entry with a note per milestone; under "" the last that speaks of the whole order."""
    notes: dict[str, Entry] = {}
    for entry in known:
        if entry.note:
            notes[getattr(entry, "milestone", "")] = entry
    return notes
