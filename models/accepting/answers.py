"""What people may answer when they are asked about a step: taken on, a new date, a problem, not mine. Or why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from shlex import quote

from models.accepting.running import must_run
from models.accepting.told import at_home, told_by, what_reached
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, NotMine, Problem, Promise, Report
from models.errors import Refused, UnknownMilestone
from models.escalation.owner import MERCHANDISER, owner_of
from models.planning.hard_dates import HardDate, shipment_dates
from models.planning.outlook import outlook
from models.status.standing import Standing

Answer = Acknowledgement | Promise | Problem | NotMine

DECISIONS = ("LC_44C", "LC_31D", "LC_48", "SHIP_WINDOW", "CANCEL_DATE")
"""The hard dates that somebody decides about when they break: those of the order and of its credit."""


def check_answer(file: OrderFile, at: Standing, entry: Answer) -> None:
    """
    Refuse an answer about what is not waited for, and one that cannot be kept; the order stands `at`.

    Raises UnknownMilestone, or Refused with what holds (done when, by whose word) and what to do.
    """
    must_run(file, at.state)
    if entry.milestone not in file.template.by_code:
        _check_decision(file, at, entry)
        return
    _must_be_waited_for(file, at, entry.milestone)
    match entry:
        case Promise():
            _must_lie_ahead(file, at, entry)
            _check_late_date(file, at, entry)
        case Problem():
            _must_be_news(file, at, entry)
        case NotMine():
            _must_change_hands(file, at, entry)
        case _:
            pass


def _check_decision(file: OrderFile, at: Standing, entry: Answer) -> None:
    """Refuse a code that is no step, unless it is acknowledged and a hard date that the order has now."""
    order_no, code = file.order.order_no, entry.milestone
    if code not in DECISIONS:
        raise UnknownMilestone(order_no, code, file.template.codes)
    if not isinstance(entry, Acknowledgement):
        raise Refused(
            f"Order {order_no}: {code} is a hard date and no step; nothing was recorded. Who takes the decision on "
            f"says `gendan ack {quote(order_no)} {code}`. The order waits for {_waited_for(at)}."
        )
    present = {hard.code: hard.at for hard in decisions(file, at)}
    if code not in present:
        dates = ", ".join(f"{hard} ({at_home(file, by)})" for hard, by in present.items()) or "none"
        raise Refused(
            f"Order {order_no} has no hard date {code} now; nothing was recorded. Its hard dates are: {dates}. "
            f"`gendan plan {quote(order_no)}` shows them."
        )


def decisions(file: OrderFile, at: Standing) -> tuple[HardDate, ...]:
    """Return the hard dates of the order and of its credit that are still to be met, the first to pass first."""
    ahead = outlook(file, at)
    hard = ahead.hard if ahead is not None else shipment_dates(file.template, at.agreed, file.calendar)
    return tuple(date for date in hard if date.code in DECISIONS and date.milestone not in at.done)


def _known(file: OrderFile, at: Standing) -> list[Entry]:
    return [entry for entry in file.entries if entry.recorded_at <= at.now]


# --- waited for


def _must_be_waited_for(file: OrderFile, at: Standing, code: str) -> None:
    if code in at.open:
        return
    raise Refused(
        f"Order {file.order.order_no} does not wait for {code} now; it waits for {_waited_for(at)}. "
        f"{_what_holds(file, at, code)}"
    )


def _waited_for(at: Standing) -> str:
    return ", ".join(at.open) or "nothing"


def _what_holds(file: OrderFile, at: Standing, code: str) -> str:
    number = quote(file.order.order_no)
    if code in at.reached:
        return _is_done(file, at, code)
    if code in at.done:
        later = min(_reached_after(file, at, code), key=lambda c: at.reached[c].at)
        return (
            f"Nobody reported {code}, but what comes after it happened. {_is_done(file, at, later)} When {code} was "
            f"done, say so: `gendan report {number} {code} --at DATE`."
        )
    if code not in file.template.followed:
        return f"It is followed to {file.template.follow_to}, and {code} does not lead there."
    before = ", ".join(c for c in at.open if code in _after(file, c))
    return (
        f"{code} comes after {before}: answer for that. Is {code} done already? `gendan report {number} {code}`. Is "
        f"its day known? `gendan report {number} {code} --as EST --at DATE`."
    )


def _is_done(file: OrderFile, at: Standing, code: str) -> str:
    told = what_reached(_known(file, at), code, at.reached[code])
    said = f"{code} is done since {at_home(file, at.reached[code].at)}{told_by(told)}."
    if not isinstance(told, Report):
        return said
    back = f"`gendan report {quote(file.order.order_no)} {code} --withdraw {told.seq}`"
    return f"{said} Was that wrong? {back} takes it back."


def _reached_after(file: OrderFile, at: Standing, code: str) -> list[str]:
    return [later for later in _after(file, code) if later in at.reached]


def _after(file: OrderFile, code: str) -> set[str]:
    found: set[str] = set()
    rest = [code]
    while rest:
        for later in file.template.successors[rest.pop()]:
            if later not in found:
                found.add(later)
                rest.append(later)
    return found


# --- promises


def _must_lie_ahead(file: OrderFile, at: Standing, entry: Promise) -> None:
    order_no = file.order.order_no
    if entry.promised <= at.now:
        raise Refused(
            f"Order {order_no}: a promise for {entry.milestone} must lie in the future, and "
            f"{entry.promised:%Y-%m-%d %H:%M %Z} is past. If it is done, report it: "
            f"`gendan report {quote(order_no)} {entry.milestone}`."
        )


def _check_late_date(file: OrderFile, at: Standing, entry: Promise) -> None:
    """Refuse a promise with which the ETD or a hard date would be missed, unless somebody takes that on himself."""
    late = late_dates(file, at).get(entry.milestone)
    if entry.approved_by or late is None or entry.promised <= late:
        return
    zone = file.calendars[file.template.by_code[entry.milestone].calendar].tz
    number = quote(file.order.order_no)
    raise Refused(
        f"Order {file.order.order_no}: {entry.promised.astimezone(zone):%Y-%m-%d %H:%M %Z} is after the late date of "
        f"{entry.milestone}, {late.astimezone(zone):%Y-%m-%d %H:%M %Z}: the ETD or a hard date would be missed. "
        f"Nothing was recorded. `gendan plan {number}` shows what breaks. Get an earlier date, or the word of the next "
        f"level, {approver(file, at, entry.milestone)}: "
        f"`gendan promise {number} {entry.milestone} DATE --approved-by NAME`."
    )


def late_dates(file: OrderFile, at: Standing) -> Mapping[str, datetime]:
    """Return the late dates that promises are held to: none where only the ETD is known, and no step's duration."""
    ahead = outlook(file, at)
    return ahead.late if ahead is not None and (file.template.foresees or ahead.hard) else {}


def approver(file: OrderFile, at: Standing, code: str) -> str:
    """Return the role that must approve a date after the late date, and its rung: `SALES (L3)`."""
    rungs, waits = file.policy.rungs, file.template.by_code[code].waiting_on
    owner = owner_of(file, _known(file, at), code)
    present = next((n for n, rung in enumerate(rungs) if rung.code == at.rung_of(code)), 0)
    # The first rung is told to those who promise, and nobody approves his own date.
    above = [(file.policy.told_in_place_of(rung.role, owner, waits), rung.code) for rung in rungs[present + 1 :]]
    highest = (rungs[-1].role, rungs[-1].code)
    role, rung = next((each for each in above if each[0] != owner), highest)
    return f"{role} ({rung})"


# --- a problem, not mine


def _must_be_news(file: OrderFile, at: Standing, entry: Problem) -> None:
    """Refuse the same words again: a problem calls the next level, and a click too many must not call the one above."""
    code = entry.milestone
    since = at.voided.get(code)
    for told in reversed(_known(file, at)):
        if since is not None and told.recorded_at <= since:
            return
        if isinstance(told, Problem) and (told.milestone, told.note) == (code, entry.note):
            raise Refused(
                f"Order {file.order.order_no}: that is known of {code} since {at_home(file, told.recorded_at)}"
                f"{told_by(told)}; nothing was changed. Is there something new? Say what is new."
            )


def _must_change_hands(file: OrderFile, at: Standing, entry: NotMine) -> None:
    """Refuse to give a step to whoever has it: said twice it changes nothing, and said once it is a mistake."""
    code, number = entry.milestone, quote(file.order.order_no)
    owner = owner_of(file, _known(file, at), code)
    if (entry.to or MERCHANDISER) != owner:
        return
    whose = "" if entry.to else " The merchandiser finds out whose it is."
    raise Refused(
        f"Order {file.order.order_no}: {owner} is accountable for {code} already; nothing was changed.{whose} To give "
        f"it to another role: `gendan not-mine {number} {code} --to ROLE`."
    )
