"""What a message asks for: by when an answer is wanted, and which decisions are still possible."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from models.book.order_file import OrderFile
from models.calendars.workdays import Calendar
from models.status.standing import Standing
from notifications.particulars import BUYER, CUSTOMS, Deadline, Kind, Sailing, Stall, Way

REPLY_BY = time(17)
"""The wall time of the order's office by which an answer is asked for on a working day (domain.md 3.6)."""
DECIDE_BY = (time(15), REPLY_BY)
_TO_ANSWER, _TO_DECIDE = timedelta(hours=1), timedelta(hours=2)
_URGENT = timedelta(hours=2)
_STEP_OF_CLOCK = 5

_BY_AIR = "UPLIFT"
_OF_CREDIT = ("LC_44C", "LC_31D", "LC_48")


def reply_by(calendar: Calendar, now: datetime, kind: Kind, limit: datetime) -> datetime | None:
    """
    Return by when an answer is asked for, on the wall of the office.

    That is five in the afternoon of a working day, for a decision three if that is early enough. Before a cut-off it is
    half of the time that is left, and never more than two hours, like after it.
    """
    match kind:
        case Kind.NOTE:
            return None
        case Kind.CLOCK | Kind.MISSED:
            wanted = now + (min(_URGENT, (limit - now) / 2) if now < limit else _URGENT)
            wall = wanted.astimezone(calendar.tz)
            return wall.replace(minute=wall.minute - wall.minute % _STEP_OF_CLOCK, second=0, microsecond=0)
        case Kind.DECISION:
            return _next_wall(calendar, now + _TO_DECIDE, DECIDE_BY)
        case _:
            return _next_wall(calendar, now + _TO_ANSWER, (REPLY_BY,))


def _next_wall(calendar: Calendar, earliest: datetime, walls: tuple[time, ...]) -> datetime:
    """Return the first of these wall times on a working day at or after `earliest`; none is after closing time."""
    today = calendar.local_date(earliest)
    days = [today] if calendar.is_workday(today) else []
    days.append(next(calendar.workdays_after(today)))
    instants = (datetime.combine(day, min(wall, calendar.closes), calendar.tz) for day in days for wall in walls)
    return next(instant for instant in instants if instant >= earliest)


def possible_ways(
    file: OrderFile, at: Standing, kind: Kind, stall: Stall | None, sailing: Sailing | None, deadline: Deadline | None
) -> tuple[Way, ...]:
    """Return the decisions that are still possible, the least costly first."""
    if kind not in (Kind.DECISION, Kind.MISSED) or at.departed_at is not None:
        return ()
    ways: list[Way] = []
    if stall is not None and stall.waits_on(CUSTOMS):
        ways.append(Way("way_papers", step=stall.step))
    elif stall is not None and stall.waits_on(BUYER):
        ways.append(Way("way_buyer", step=stall.step))
    elif stall is not None and kind is Kind.DECISION:
        ways.append(Way("way_speed", step=stall.step))
    if kind is Kind.MISSED:
        ways.append(Way("way_rebook"))
    credit, aboard = at.agreed.credit, file.template.loads in at.reached
    if file.template.departure != _BY_AIR and not aboard:
        ways.append(Way("way_air"))
    if at.agreed.quantity is not None and not aboard and (credit is None or credit.partial_shipments):
        ways.append(Way("way_split"))
    days = _days_wanted(sailing, deadline)
    if deadline is not None and deadline.code in _OF_CREDIT:
        ways.append(Way("way_amend_by" if days else "way_amend", days))
    elif days:
        ways.append(Way("way_ask", days))
    return tuple(ways)


def _days_wanted(sailing: Sailing | None, deadline: Deadline | None) -> int:
    slips = sailing.foreseen.slips if sailing is not None and sailing.foreseen is not None else 0
    return deadline.too_late if deadline is not None and deadline.too_late else max(0, slips)
