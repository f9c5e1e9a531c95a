"""The order file: an order with everything told about it, and where that leaves it at a given moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from models.ladder import Ladder, Pause, climb, rests_until
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
    """When a milestone was reached, since when that is known, and the quantity counted."""

    at: datetime
    known_at: datetime
    quantity: float | None


class Firing(NamedTuple):
    """A rung, the instant `at` which it is told, and `since` when the stall stands on it: never later than `at`."""

    rung: str
    at: datetime
    since: datetime


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
        """Return this file with more entries in its log; one that may reopen the order takes its end back."""
        closed_as = None if any(may_reopen(entry) for entry in entries) else self.closed_as
        return replace(self, entries=(*self.entries, *entries), closed_as=closed_as)

    @property
    def calendar(self) -> Calendar:
        """The order's own calendar: that of the office which follows it."""
        return self.calendars[self.template.calendar]


def may_reopen(entry: Entry) -> bool:
    """Say whether an order that is over may go on because of `entry`: a correction, or being followed again."""
    return isinstance(entry, Followed) or (isinstance(entry, Report | Withdrawal) and entry.corrects is not None)


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
    reached, counted, expected = _progress(file, known)
    done = _done(template, reached)
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


def _valid_reports(known: Iterable[Entry]) -> list[Report]:
    """Return the reports that nothing corrected or withdrew."""
    entries = list(known)
    wrong = {e.corrects for e in entries if isinstance(e, (Report, Withdrawal)) and e.corrects is not None}
    return [e for e in entries if isinstance(e, Report) and e.seq not in wrong]


def _progress(file: OrderFile, known: list[Entry]) -> tuple[dict[str, Reached], dict[str, float], dict[str, datetime]]:
    actual: dict[str, list[Report]] = {}
    expected: dict[str, Report] = {}
    for report in _valid_reports(known):
        if report.classifier is Classifier.ACT:
            actual.setdefault(report.milestone, []).append(report)
        elif report.recorded_at >= expected.get(report.milestone, report).recorded_at:
            expected[report.milestone] = report
    reached: dict[str, Reached] = {}
    counted: dict[str, float] = {}
    for code, reports in actual.items():
        milestone = file.template.by_code.get(code)
        if milestone is None:
            continue
        ordered = file.order.quantity if milestone.counted else None
        wanted = _exact(ordered) if ordered is not None else None
        total = float(sum(_told_of(report, wanted) for report in reports))
        if milestone.counted:
            counted[code] = total
        # By the time of the fact, not of its telling: the same reports in any order give the same state.
        reaching = _reaching(sorted(reports, key=lambda r: (r.occurred_at, r.recorded_at, r.seq)), wanted)
        if reaching is not None:
            first = _reaching(sorted(reports, key=lambda r: (r.recorded_at, r.seq)), wanted)
            assert first is not None  # what is reached in one order is reached in any
            reached[code] = Reached(reaching.occurred_at, _known_at(file, known, first), total or None)
    return reached, counted, {code: report.occurred_at for code, report in expected.items()}


def _exact(quantity: float) -> Decimal:
    """Return the number that was written: ten times 0.1 is 1."""
    return Decimal(str(quantity))


def _told_of(report: Report, wanted: Decimal | None) -> Decimal:
    """Return the quantity of a report; one without a quantity speaks of all that was ordered."""
    return _exact(report.quantity) if report.quantity is not None else (wanted or Decimal())


def _reaching(reports: Iterable[Report], wanted: Decimal | None) -> Report | None:
    """Return the report with which a milestone is reached, taking them in this order."""
    total = Decimal()
    for report in reports:
        total += _told_of(report, wanted)
        if wanted is None or total >= wanted:
            return report
    return None


def _known_at(file: OrderFile, known: list[Entry], first: Report) -> datetime:
    """Return since when a milestone is known to be reached, `first` being the report that says so."""
    if first.corrects is not None:
        # A corrected date of what was reached before tells of nothing new.
        before, _, _ = _progress(file, [e for e in known if e.seq < first.seq])
        if first.milestone in before:
            return before[first.milestone].known_at
    return first.recorded_at


def _done(template: Template, reached: Mapping[str, Reached]) -> dict[str, Reached]:
    """
    Return what was reached, and what must have been because something after it was, although nobody said so.

    What is only implied happened by the first of what follows it, and is known since that is.
    """
    done: dict[str, Reached] = {}
    for code in template.backwards:
        after = [done[follower] for follower in template.successors[code] if follower in done]
        own = reached.get(code)
        if own is not None:
            done[code] = own._replace(known_at=min([own.known_at, *(r.known_at for r in after)]))
        elif after:
            done[code] = Reached(min(r.at for r in after), min(r.known_at for r in after), None)
    return done


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

    A stall begins when Gendan first knows of it, at the rung that it has reached by then; from there it climbs
    rung by rung. It is first known when the order came in (or was followed again), when its date was given,
    or when what came before it was reported, whichever is last. Nobody is chased earlier than the step could
    begin: where what came before was late, the ladder counts from there.
    """
    before = [done[p] for p in file.template.by_code[code].after]
    stalls_at = max([promised.get(code) or due[code], *(r.at for r in before)])
    pauses = _pauses(file, known, code)
    known_since = _known_since(file, known, code, before)
    begins_at = _next_chance(file.calendar, known_since, pauses)
    if begins_at is None:
        return ()
    firings: list[Firing] = []
    for rung, at in zip(file.ladder.rungs, climb(file.ladder, file.calendar, stalls_at, pauses), strict=True):
        if at is None:
            break
        if at < known_since:
            # Over before we knew: only the last of these is said, once the office is open.
            firings = [Firing(rung.code, begins_at, known_since)]
        else:
            firings.append(Firing(rung.code, at, at))
    return tuple(firings)


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
                reached, _, _ = _progress(file, known[:number])
                if code in _done(file.template, reached):  # it is open because of this correction
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
