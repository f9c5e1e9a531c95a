"""The order file: an order with everything told about it, and where that leaves it at a given moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple

from models.ladder import Ladder, Pause, climb, rests_until
from models.milestone import Milestone
from models.order import Etd, Order, OrderState
from models.plan import Calendars, due_dates
from models.report import (
    Acknowledgement,
    Cancellation,
    Classifier,
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
from models.template import Template
from models.workdays import Calendar


class Claim(NamedTuple):
    """What makes a message the same message: order apart, its milestone, rung and the due date it is about."""

    milestone: str
    rung: str
    due: datetime


class Reached(NamedTuple):
    """When a milestone was reached, when that became known, and the quantity counted."""

    at: datetime
    known_at: datetime
    quantity: float | None


class Firing(NamedTuple):
    """A rung and the instant at which it fires."""

    rung: str
    at: datetime


@dataclass(frozen=True)
class OrderFile:
    """
    An order, the terms it is followed by, its log, and what was already said and shown of it.

    `entries` are in the log's order. `claimed` are the messages already claimed; `shown` is the appearance
    that Prefect shows of each milestone. Both only hold back what would be done twice.
    """

    order: Order
    template: Template
    ladder: Ladder
    calendars: Calendars
    entries: tuple[Entry, ...] = ()
    claimed: frozenset[Claim] = frozenset()
    shown: Mapping[str, str] = field(default_factory=dict)
    closed_as: OrderState | None = None

    def told(self, *entries: Entry) -> OrderFile:
        """Return this file with more entries in its log."""
        return replace(self, entries=(*self.entries, *entries))

    @property
    def calendar(self) -> Calendar:
        """The order's own calendar: that of the office which follows it."""
        return self.calendars[self.template.calendar]


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
        fired = [firing.rung for firing in self.firings.get(milestone, ()) if firing.at <= self.now]
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
    reached, counted, expected = _progress(file, known)
    passed = _passed(template, reached)
    done = passed | reached.keys()
    followed = template.followed
    open_ = tuple(c for c in followed if c not in done and all(p in done for p in template.by_code[c].after))
    promised = {e.milestone: e.promised for e in known if isinstance(e, Promise)}
    state = _state(file, known, etd, reached)
    if state.is_over or state is OrderState.NOT_FOLLOWED:
        open_ = ()
    firings = (
        {c: _firings(file, known, c, due, promised, reached) for c in open_}
        if state in (OrderState.OPEN, OrderState.ON_HOLD)
        else {}
    )
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
        passed=passed,
        open=open_,
        firings=firings,
        acknowledged=frozenset(_acknowledged(file, known, open_, now)),
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


def _valid_reports(known: Iterable[Entry]) -> list[Report]:
    """Return the reports that nothing corrected or withdrew."""
    entries = list(known)
    wrong = {e.corrects for e in entries if isinstance(e, (Report, Withdrawal)) and e.corrects is not None}
    return [e for e in entries if isinstance(e, Report) and e.seq not in wrong]


def _progress(
    file: OrderFile, known: list[Entry]
) -> tuple[dict[str, Reached], dict[str, float], dict[str, datetime]]:
    actual: dict[str, list[Report]] = {}
    expected: dict[str, datetime] = {}
    for report in _valid_reports(known):
        if report.classifier is Classifier.ACT:
            actual.setdefault(report.milestone, []).append(report)
        else:
            expected[report.milestone] = report.occurred_at
    reached: dict[str, Reached] = {}
    counted: dict[str, float] = {}
    for code, reports in actual.items():
        milestone = file.template.by_code.get(code)
        if milestone is None:
            continue
        wanted = file.order.quantity if milestone.counted else None
        # By the time of the fact, not of its telling: the same reports in any order give the same state.
        reports.sort(key=lambda report: (report.occurred_at, report.recorded_at, report.seq))
        total = 0.0
        known_at = reports[0].recorded_at
        for report in reports:
            # A report without a quantity speaks of all that was ordered.
            total += report.quantity if report.quantity is not None else (wanted or 0.0)
            known_at = max(known_at, report.recorded_at)
            if code not in reached and (wanted is None or total >= wanted):
                reached[code] = Reached(report.occurred_at, known_at, None)
        if milestone.counted:
            counted[code] = total
        if code in reached:
            reached[code] = reached[code]._replace(quantity=total or None)
    return reached, counted, expected


def _passed(template: Template, reached: Mapping[str, Reached]) -> frozenset[str]:
    """Return what must have happened because something after it did, although nobody said so."""
    implied: set[str] = set()
    rest = list(reached)
    while rest:
        for code in template.by_code[rest.pop()].after:
            if code not in reached and code not in implied:
                implied.add(code)
                rest.append(code)
    return frozenset(implied)


def _state(file: OrderFile, known: list[Entry], etd: Etd | None, reached: Mapping[str, Reached]) -> OrderState:
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
    if file.template.follow_to in reached:
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


def _acknowledged(file: OrderFile, known: list[Entry], open_: tuple[str, ...], now: datetime) -> Iterable[str]:
    for entry in known:
        if isinstance(entry, Acknowledgement) and entry.milestone in open_:
            if now < rests_until(file.ladder, file.calendar, entry.recorded_at):
                yield entry.milestone


def _firings(
    file: OrderFile,
    known: list[Entry],
    code: str,
    due: Mapping[str, datetime],
    promised: Mapping[str, datetime],
    reached: Mapping[str, Reached],
) -> tuple[Firing, ...]:
    """
    Return the rungs of one open milestone with their instants, past and to come.

    A stall begins when Gendan first knows of it, at the rung that it has reached by then; from there it climbs
    rung by rung. It is first known when the order came in (or was followed again), when its date was given,
    or when what came before it was reported, whichever is last. Nobody is chased earlier than the step could
    begin: where what came before was late, the ladder counts from there.
    """
    milestone = file.template.by_code[code]
    before = [reached[p] for p in milestone.after if p in reached]
    chased_for = promised.get(code) or due[code]
    stalls_at = max([chased_for, *(r.at for r in before)])
    instants = climb(file.ladder, file.calendar, stalls_at, _pauses(file, known, code))
    known_since = _known_since(file, known, milestone, before)
    firings: list[Firing] = []
    for rung, at in zip(file.ladder.rungs, instants, strict=True):
        if at is None:
            break
        if at < known_since:
            # Over before we knew: only the last of these is said, once the office is open.
            firings = [Firing(rung.code, file.calendar.next_working_moment(known_since))]
        else:
            at = max([at, *(firing.at for firing in firings)])
            firings.append(Firing(rung.code, at))
    return tuple(firings)


def _known_since(file: OrderFile, known: list[Entry], milestone: Milestone, before: list[Reached]) -> datetime:
    since = [file.order.came_in, *(r.known_at for r in before)]
    for entry in known:
        match entry:
            case Followed() | Reschedule():
                since.append(entry.recorded_at)
            case Promise() if entry.milestone == milestone.code:
                since.append(entry.recorded_at)
            case (Withdrawal() | Report()) if entry.corrects is not None:
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


def days_late(file: OrderFile, due: datetime, at: datetime) -> int:
    """Count the working days from the day of `due` to that of `at`, in the order's calendar; never below 0."""
    calendar = file.calendar
    return calendar.count_workdays(calendar.local_date(due), calendar.local_date(at))


def departs_late(etd: Etd, departed_at: datetime, calendar: Calendar) -> bool:
    """Say whether a departure is late: to the second where `etd` has a time, to the day where it is a date."""
    if isinstance(etd, datetime):
        return departed_at > etd
    return calendar.local_date(departed_at) > etd


def days_behind(etd: Etd, departed_at: datetime, calendar: Calendar) -> float:
    """Return by how many days a departure missed `etd`; negative when it was early."""
    if isinstance(etd, datetime):
        return (departed_at - etd).total_seconds() / 86400
    return float((calendar.local_date(departed_at) - etd).days)


def as_date(etd: Etd, calendar: Calendar) -> date:
    """Return the day of `etd` in `calendar`'s zone."""
    return calendar.local_date(etd) if isinstance(etd, datetime) else etd
