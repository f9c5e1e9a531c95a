"""What a message is about: the facts of an order at one moment, before they are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from models.decide import NO_DATE, UNFOLLOWED, Tell
from models.hard_dates import HardDate
from models.lateness import as_date, days_late
from models.names import Name
from models.order import Etd, OrderKind
from models.order_file import OrderFile
from models.outlook import outlook, slack_days
from models.prospect import CONTRACT_SIGNED, DORMANT, NEXT_CONTACT, QUOTE_ENDS, next_contact, silent_for
from models.standing import Standing
from models.template import Template


class Named(Protocol):
    """A party, as far as a message needs to know it."""

    @property
    def name(self) -> Name:
        """What people call it."""


Parties = Mapping[str, Named]

PROSPECT_NOTES = (NEXT_CONTACT, QUOTE_ENDS, DORMANT, CONTRACT_SIGNED)
"""What is said about a prospect beside its stalls."""


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
class Foreseen:
    """
    What a stall does to the ship date.

    `sails_on` is the day of the forecast departure in the order's zone, `is_late` whether that is after the ETD.
    `slack` are the working days that the step has left, below 0 where it breaks a date. `breaks` is the first hard date
    that it breaks, in the zone of those who keep it.
    """

    sails_on: date
    is_late: bool
    slack: int | None
    breaks: HardDate | None


@dataclass(frozen=True)
class Sailing:
    """
    What is left of the plan.

    `workdays_left` until ETD are of the order's calendar, today excluded. `days_past` are calendar days since
    ETD. `days_used` are the calendar days since the due date: days that the plan had for what comes after. `foreseen`
    is given where the template knows how long its steps take. `is_hoped` says that it is the day on which the contract
    of a prospect is hoped for.
    """

    etd: Etd
    workdays_left: int
    days_past: int
    days_used: int
    departed_at: datetime | None
    foreseen: Foreseen | None
    is_hoped: bool


@dataclass(frozen=True)
class Prospect:
    """
    What a note about a prospect says.

    `day` is the day of the call that was agreed, the last day of the quotation, that of the last word from him, or
    that on which he signed. `workdays_left` until it are of the order's calendar, `days_silent` calendar days without
    a word. `waits_for` are the steps that are waited for.
    """

    day: date
    workdays_left: int
    days_silent: int
    waits_for: tuple[Step, ...]


@dataclass(frozen=True)
class Facts:
    """
    Everything that one message says.

    `about` is the claim's milestone code, or NO_DATE, UNFOLLOWED or one of PROSPECT_NOTES (then `stall` is None), and
    `since` when that began. `home` is the zone of the office that follows the order. `prospect` is given for a note
    about one.
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
    prospect: Prospect | None


def gather(file: OrderFile, at: Standing, tell: Tell, parties: Parties) -> Facts:
    """
    Gather what the message for `tell` says, as things stand in `at`.

    A party that `parties` does not hold is called by its code.
    """
    home = file.calendar.tz
    about = tell.claim.milestone
    stall = None if about in (NO_DATE, UNFOLLOWED, *PROSPECT_NOTES) else _stall(file, at, tell, parties)
    return Facts(
        order_no=file.order.order_no,
        customer=file.order.customer,
        unit=file.order.unit,
        about=about,
        since=tell.claim.due.astimezone(home),
        home=home,
        sailing=_sailing(file, at, stall),
        note=note_on(file, at, about),
        stall=stall,
        prospect=_prospect(file, at, about) if about in PROSPECT_NOTES else None,
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


def _sailing(file: OrderFile, at: Standing, stall: Stall | None) -> Sailing | None:
    if at.etd is None:
        return None
    calendar = file.calendar
    today, ship_day = calendar.local_date(at.now), as_date(at.etd, calendar)
    used = (today - calendar.local_date(stall.due)).days if stall else 0
    return Sailing(
        etd=at.etd.astimezone(calendar.tz) if isinstance(at.etd, datetime) else at.etd,
        workdays_left=calendar.count_workdays(today, ship_day),
        days_past=max(0, (today - ship_day).days),
        days_used=max(0, used),
        departed_at=at.departed_at.astimezone(calendar.tz) if at.departed_at else None,
        foreseen=_foreseen(file, at, stall.step.code) if stall else None,
        is_hoped=file.order.kind is OrderKind.PROSPECT,
    )


def _foreseen(file: OrderFile, at: Standing, code: str) -> Foreseen | None:
    if not file.template.foresees or at.departed_at is not None or at.etd is None:
        return None
    ahead = outlook(file, at)
    if ahead is None:
        return None
    ahead_of = _leads_to(file.template, code)
    broken = [b.hard for b in ahead.broken if b.hard.milestone in ahead_of] if ahead.at_risk(code) else []
    zone = file.calendars[file.template.by_code[broken[0].milestone].calendar].tz if broken else None
    return Foreseen(
        sails_on=file.calendar.local_date(ahead.sails_at),
        is_late=ahead.slips,
        slack=slack_days(file, ahead, code),
        breaks=broken[0]._replace(at=broken[0].at.astimezone(zone)) if broken else None,
    )


def _leads_to(template: Template, code: str) -> frozenset[str]:
    """Return a milestone and all that come after it, directly or not."""
    found = {code}
    rest = [code]
    while rest:
        for after in template.successors[rest.pop()]:
            if after not in found:
                found.add(after)
                rest.append(after)
    return frozenset(found)


def _prospect(file: OrderFile, at: Standing, about: str) -> Prospect:
    calendar = file.calendar
    today, silent = calendar.local_date(at.now), silent_for(file, at.now)
    signed = at.done.get(file.template.follow_to)
    days = {
        NEXT_CONTACT: next_contact(file, at.now),
        QUOTE_ENDS: at.agreed.quotation_until,
        CONTRACT_SIGNED: calendar.local_date(signed.at) if signed else None,
    }
    day = days.get(about) or today - timedelta(days=silent)
    return Prospect(
        day=day,
        workdays_left=calendar.count_workdays(today, day),
        days_silent=silent,
        waits_for=tuple(Step(code, file.template.by_code[code].name) for code in at.open),
    )
