"""Stalls: when an open milestone that is late climbs, as far as its lateness alone decides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from models.book.changes import (
    Amendment,
    Booking,
    Contact,
    CustomsReceipt,
    Followed,
    Hold,
    Reschedule,
    Resume,
    Retermed,
)
from models.book.entry import Entry
from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement, Outcome, Promise, Report, Withdrawal
from models.escalation.climb import Pause, climb, levels_faster, mornings_after, next_chance, rests_until
from models.status.progress import Reached, progress, what_is_done


class Firing(NamedTuple):
    """
    A rung, the instant `at` which it is told, and `since` when the stall stands on it: never later than `at`.

    One that `depends` on the forecast was not told yet, and is not where the ship date does not hang on the step.
    """

    rung: str
    at: datetime
    since: datetime
    depends: bool = False


_Reopening = tuple[datetime, Collection[str]]
"""When something was told that may open milestones again, and those that were done just before."""


class Stalls:
    """
    The stalls of an order whose progress is known.

    `known` is its log up to now, `others` what of it is no report; `done` and `voided` as in Standing.
    """

    def __init__(
        self,
        file: OrderFile,
        known: list[Entry],
        others: list[Entry],
        done: Mapping[str, Reached],
        voided: Mapping[str, datetime],
    ) -> None:
        self.file = file
        self.known = known
        self.others = others
        self.done = done
        self.voided = voided

    def firings(self, code: str, due: datetime) -> tuple[Firing, ...]:
        """
        Return the rungs of one open milestone with their instants, past and to come.

        On the day on which an order comes in nobody is chased: what was told about it so far comes in with it, and
        may come in after it.

        A stall begins when Gendan first knows of it, at the rung that it has reached by then; from there it climbs
        rung by rung. It is first known when the order came in (or was followed again), when its date was given,
        or when what came before it was reported, whichever is last. Nobody is chased earlier than the step could
        begin: where what came before was late, the ladder counts from there. What brought a rung forward is seen by
        its claim.
        """
        file, policy, calendar = self.file, self.file.policy, self.file.calendar
        before = [self.done[p] for p in file.template.by_code[code].after]
        again = [self.voided[code]] if code in self.voided else []
        stalls_at = max([due, *(r.at for r in before), *again])
        pauses = pauses_of(file, self.others, code)
        known_since = self._known_since(code, before)
        settled = max(known_since, settled_at(file))
        begins_at = _first_chance(file, settled, pauses)
        if begins_at is None:
            return ()
        firings: list[Firing] = []
        mornings = climb(policy, calendar, stalls_at, pauses, levels_faster(policy, file.order))
        for rung, at in zip(policy.rungs, mornings, strict=True):
            claimed_at = file.claimed.get(Claim(code, rung.code, due))
            depends = rung.critical and file.template.foresees and claimed_at is None
            if claimed_at is not None and (at is None or claimed_at < at):
                firings.append(Firing(rung.code, claimed_at, claimed_at))
            elif at is None:
                break
            elif at < settled:
                # Over before we knew: only the last of these is said, at the next chance. One that may not be said at
                # all takes the place of none.
                kept = firings[-1:] if depends else []
                firings = [*kept, Firing(rung.code, begins_at, max(at, known_since), depends)]
            else:
                firings.append(Firing(rung.code, at, at, depends))
        return tuple(firings)

    def _known_since(self, code: str, before: Iterable[Reached]) -> datetime:
        since = [self.file.order.came_in, *(r.known_at for r in before)]
        since += [at for at, done_before in self._reopenings if code in done_before]  # it is open because of this
        for entry in self.others:
            match entry:
                case Followed() | Reschedule() | Booking() | Retermed():
                    since.append(entry.recorded_at)
                case Promise() if entry.milestone == code:
                    since.append(entry.recorded_at)
                case _:
                    pass
        return max(since)

    @cached_property
    def _reopenings(self) -> list[_Reopening]:
        found: list[_Reopening] = []
        for number, entry in enumerate(self.known):
            if isinstance(entry, Report):
                may_undo = entry.corrects is not None or entry.outcome is Outcome.FAILED
            else:
                may_undo = isinstance(entry, Withdrawal | Amendment | CustomsReceipt)
            if may_undo:
                before_it = progress(self.file, self.known[:number])
                found.append((entry.recorded_at, what_is_done(self.file.template, before_it.reached, before_it.voided)))
        return found


def settled_at(file: OrderFile) -> datetime:
    """Return the morning from which on an order is chased: that of the working day after it came in."""
    return next(mornings_after(file.policy, file.calendar, file.order.came_in))


def pauses_of(file: OrderFile, known: Iterable[Entry], milestone: str) -> list[Pause]:
    """Return when the ladder's clock stands still for a milestone: on hold, until an agreed call, while taken on."""
    pauses: list[Pause] = []
    held_since: datetime | None = None
    agreed_call: tuple[datetime, datetime] | None = None
    for entry in known:
        if isinstance(entry, Hold):
            held_since = held_since or entry.recorded_at
        elif isinstance(entry, Resume) and held_since is not None:
            pauses.append((held_since, entry.recorded_at))
            held_since = None
        elif isinstance(entry, Contact):
            # What was agreed last holds: a call that was agreed before it is not waited for.
            if agreed_call is not None:
                pauses.append((agreed_call[0], min(agreed_call[1], entry.recorded_at)))
            again = entry.next_on
            agreed_call = (entry.recorded_at, file.calendar.opening(again)) if again is not None else None
        elif isinstance(entry, Acknowledgement) and entry.milestone == milestone:
            pauses.append((entry.recorded_at, rests_until(file.policy, file.calendar, entry.recorded_at)))
    if held_since is not None:
        pauses.append((held_since, None))
    if agreed_call is not None:
        pauses.append(agreed_call)
    return pauses


def acknowledged(file: OrderFile, known: Iterable[Entry], now: datetime) -> dict[str, datetime]:
    """Return what somebody has taken on, milestones and hard dates by their codes, and until when the climb rests."""
    rests: dict[str, datetime] = {}
    for entry in known:
        if isinstance(entry, Acknowledgement):
            until = rests_until(file.policy, file.calendar, entry.recorded_at)
            if now < until:
                rests[entry.milestone] = until
    return rests


def broken_promises(known: Iterable[Entry], milestone: str, since: datetime | None, now: datetime) -> int:
    """
    Count the dates that were promised for a milestone and went by while it stayed open.

    A date that was moved before it went by is put off, not broken. What was promised for an attempt that failed
    (by `since`) counts no more.
    """
    given = [e for e in known if isinstance(e, Promise) and e.milestone == milestone]
    given = [e for e in given if since is None or e.recorded_at > since]
    moved_at = [*(later.recorded_at for later in given[1:]), now]
    return sum(e.promised < moved for e, moved in zip(given, moved_at, strict=False))


def _first_chance(file: OrderFile, instant: datetime, pauses: Sequence[Pause]) -> datetime | None:
    """Return when somebody can next be told while nothing rests. `None`: not while a pause lasts."""
    chance = next_chance(file.policy, file.calendar, instant)
    for start, end in sorted(pauses, key=lambda pause: pause[0]):
        if start <= chance and (end is None or chance < end):
            if end is None:
                return None
            chance = next_chance(file.policy, file.calendar, end)
    return chance
