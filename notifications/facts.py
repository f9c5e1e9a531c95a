"""What a message is about: the facts of an order at one moment, before they are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from models.decide import NO_DATE, UNFOLLOWED, Tell
from models.lateness import as_date, days_late
from models.names import Name
from models.order import Etd
from models.order_file import OrderFile
from models.standing import Standing


class Named(Protocol):
    """A party, as far as a message needs to know it."""

    @property
    def name(self) -> Name:
        """What people call it."""


Parties = Mapping[str, Named]


@dataclass(frozen=True)
class Note:
    """The last thing that somebody wrote about the milestone, else about its order."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class NextRung:
    """Who hears of the stall next, and when, if nothing happens."""

    rung: str
    role: Name
    at: datetime


@dataclass(frozen=True)
class Step:
    """A milestone by its code and name."""

    code: str
    name: Name


@dataclass(frozen=True)
class Stall:
    """
    A milestone that is late.

    `due` and `promised` are in the zone of the milestone's own calendar. `late` is in working days of the
    order's calendar, counted from the plan. `next` is None on the last rung, and while the climb rests.
    `follows` are the milestones directly after it that are not reached. `done` and `required` are given where
    the milestone is counted.
    """

    rung: str
    step: Step
    due: datetime
    promised: datetime | None
    late: int
    accountable: Name
    waiting_on: tuple[Name, ...]
    asks: Name
    next: NextRung | None
    is_last: bool
    follows: tuple[Step, ...]
    done: float | None
    required: float | None


@dataclass(frozen=True)
class Sailing:
    """
    What is left of the plan; no forecast.

    `workdays_left` until ETD are of the order's calendar, today excluded. `days_past` are calendar days since
    ETD. `days_used` are the calendar days since the due date: days that the plan had for what comes after.
    """

    etd: Etd
    workdays_left: int
    days_past: int
    days_used: int
    departed_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """
    Everything that one message says.

    `about` is the claim's milestone code, or NO_DATE or UNFOLLOWED (then `stall` is None), and `since` when that
    began. `home` is the zone of the office that follows the order.
    """

    order_no: str
    customer: str
    unit: str
    about: str
    since: datetime
    home: ZoneInfo
    sailing: Sailing | None
    note: Note | None
    stall: Stall | None


def gather(file: OrderFile, at: Standing, tell: Tell, parties: Parties) -> Facts:
    """
    Gather what the message for `tell` says, as things stand in `at`.

    A party that `parties` does not hold is called by its code.
    """
    home = file.calendar.tz
    about = tell.claim.milestone
    stall = None if about in (NO_DATE, UNFOLLOWED) else _stall(file, at, tell, parties)
    return Facts(
        order_no=file.order.order_no,
        customer=file.order.customer,
        unit=file.order.unit,
        about=about,
        since=tell.claim.due.astimezone(home),
        home=home,
        sailing=_sailing(file, at, stall.due if stall else None),
        note=note_on(file, at, about),
        stall=stall,
    )


def name_of(code: str, parties: Parties) -> Name:
    """Return what the party `code` is called; its code where nobody gave it a name."""
    party = parties.get(code)
    return party.name if party else Name(en=code, zh_hans=code, zh_hant=code)


def note_on(file: OrderFile, at: Standing, milestone: str) -> Note | None:
    """Return the last note on `milestone`, else the last on the whole order."""
    entry = at.notes.get(milestone) or at.notes.get("")
    if entry is None:
        return None
    return Note(entry.recorded_at.astimezone(file.calendar.tz), entry.by, entry.note)


def _stall(file: OrderFile, at: Standing, tell: Tell, parties: Parties) -> Stall:
    claim = tell.claim
    milestone = file.template.by_code[claim.milestone]
    zone = file.calendars[milestone.calendar].tz
    due = at.due.get(claim.milestone, claim.due)
    promised = at.promised.get(claim.milestone)
    following = next((f for f in at.firings.get(claim.milestone, ()) if f.at > at.now), None)
    done_with = at.passed | at.reached.keys()
    counted = milestone.counted and file.order.quantity is not None
    return Stall(
        rung=claim.rung,
        step=Step(milestone.code, milestone.name),
        due=due.astimezone(zone),
        promised=promised.astimezone(zone) if promised else None,
        late=days_late(file, due, at.now),
        accountable=name_of(milestone.accountable, parties),
        waiting_on=tuple(name_of(code, parties) for code in milestone.waiting_on),
        asks=file.ladder.by_code(claim.rung).asks,
        next=following
        and NextRung(
            following.rung,
            name_of(file.ladder.by_code(following.rung).role, parties),
            following.at.astimezone(file.calendar.tz),
        ),
        is_last=claim.rung == file.ladder.rungs[-1].code,
        follows=tuple(
            Step(code, file.template.by_code[code].name)
            for code in file.template.successors[milestone.code]
            if code not in done_with
        ),
        done=at.counted.get(milestone.code, 0.0) if counted else None,
        required=file.order.quantity if counted else None,
    )


def _sailing(file: OrderFile, at: Standing, due: datetime | None) -> Sailing | None:
    if at.etd is None:
        return None
    calendar = file.calendar
    today, ship_day = calendar.local_date(at.now), as_date(at.etd, calendar)
    used = (today - calendar.local_date(due)).days if due else 0
    return Sailing(
        etd=at.etd.astimezone(calendar.tz) if isinstance(at.etd, datetime) else at.etd,
        workdays_left=calendar.count_workdays(today, ship_day),
        days_past=max(0, (today - ship_day).days),
        days_used=max(0, used),
        departed_at=at.departed_at.astimezone(calendar.tz) if at.departed_at else None,
    )
