"""The T&A sheet of an order: every milestone with all its dates (domain.md 2.3), one line each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from models.book.changes import Baseline
from models.book.order_file import OrderFile
from models.planning.hard_dates import HardDate
from models.planning.outlook import Broken, Cause, Outlook, outlook, slack_days
from models.planning.provisional import ProvisionalDates, provisional_dates
from models.planning.state import MilestoneState, state_of
from models.status.lateness import as_date, days_late
from models.status.standing import Standing, standing


@dataclass(frozen=True)
class SheetLine:
    """
    A milestone with its dates.

    `baseline` is what was frozen when the plan was agreed, `plan` the date that is agreed now, `promise` what the party
    that is waited on said last, `forecast` and `late_date` what the two passes work out; nobody types those. Instants
    are aware, in the zone of the milestone's calendar. `late_by` is in working days of the order's calendar, `slack`
    in working days of the milestone's own, below 0 where the forecast breaks a date. `round` is the present attempt.
    `provisional` names the fields that rest on a year whose official holidays are not published.
    """

    code: str
    state: MilestoneState
    baseline: datetime | None
    plan: datetime | None
    promise: datetime | None
    forecast: datetime | None
    late_date: datetime | None
    actual_start: datetime | None
    actual_finish: datetime | None
    recorded_at: datetime | None
    round: int
    quantity_done: float | None
    quantity_required: float | None
    late_by: int
    slack: int | None
    cause: Cause | None
    drives: bool
    hard: tuple[HardDate, ...]
    provisional: frozenset[str]


@dataclass(frozen=True)
class Sheet:
    """
    An order's plan at one moment.

    `sails_at` is the forecast of the departure and `sails_at_worst` with every step as long as the pessimistic value;
    `days_moved` the calendar days from the ETD to it. `broken` are the hard dates that the forecast breaks, the first
    one first. `path` is the driving path. All but the lines is empty while the order has no ETD.
    """

    at: Standing
    lines: tuple[SheetLine, ...]
    sails_at: datetime | None
    sails_at_worst: datetime | None
    days_moved: int
    broken: tuple[Broken, ...]
    hard: tuple[HardDate, ...]
    path: tuple[str, ...]

    def line(self, code: str) -> SheetLine:
        """Return the line of a milestone."""
        return next(line for line in self.lines if line.code == code)


def sheet_of(file: OrderFile, now: datetime) -> Sheet:
    """Return the sheet of an order as it stands at `now`."""
    return sheet_at(file, standing(file, now))


def sheet_at(file: OrderFile, at: Standing) -> Sheet:
    """Return the sheet of an order whose standing is known."""
    ahead = outlook(file, at)
    worst = outlook(file, at, pessimistic=True)
    unsure = provisional_dates(file, at, ahead)
    frozen = _baseline(file, at)
    return Sheet(
        at=at,
        lines=tuple(_line(file, at, ahead, unsure, frozen, code) for code in file.template.codes),
        sails_at=ahead.sails_at if ahead else None,
        sails_at_worst=worst.sails_at if worst else None,
        days_moved=_days_moved(file, at, ahead),
        broken=ahead.broken if ahead else (),
        hard=ahead.hard if ahead else (),
        path=ahead.path if ahead else (),
    )


def _line(
    file: OrderFile,
    at: Standing,
    ahead: Outlook | None,
    unsure: ProvisionalDates,
    frozen: dict[str, datetime],
    code: str,
) -> SheetLine:
    milestone = file.template.by_code[code]
    zone = file.calendars[milestone.calendar].tz

    def here(instant: datetime | None) -> datetime | None:
        return instant.astimezone(zone) if instant is not None else None

    reached = at.reached.get(code)
    counts = milestone.counted and at.agreed.quantity is not None
    fields = {"plan": unsure.plan, "forecast": unsure.forecast, "late_date": unsure.late}
    return SheetLine(
        code=code,
        state=state_of(file, at, ahead, code),
        baseline=here(frozen.get(code)),
        plan=here(at.due.get(code)),
        promise=here(at.promised.get(code)),
        forecast=here(ahead.forecast[code]) if ahead and code not in at.done else None,
        late_date=here(_last_working(file, ahead, code)) if ahead else None,
        actual_start=here(at.started.get(code)),
        actual_finish=here(reached.at if reached else None),
        recorded_at=here(reached.known_at if reached else None),
        round=at.round_of(code),
        quantity_done=at.counted.get(code, 0.0) if counts else None,
        quantity_required=at.agreed.quantity if counts else None,
        late_by=_late_by(file, at, code),
        slack=slack_days(file, ahead, code) if ahead else None,
        cause=ahead.causes[code] if ahead else None,
        drives=ahead is not None and code in ahead.path,
        hard=tuple(hard for hard in ahead.hard if hard.milestone == code) if ahead else (),
        provisional=frozenset(field for field, codes in fields.items() if code in codes),
    )


def _last_working(file: OrderFile, ahead: Outlook, code: str) -> datetime | None:
    """Return the late date of a milestone; a day that its party does not work is of no use, the one before it is."""
    late = ahead.late.get(code)
    if late is None or any(hard.milestone == code and hard.at == late for hard in ahead.hard):
        return late
    calendar = file.calendars[file.template.by_code[code].calendar]
    day = calendar.local_date(late)
    return late if calendar.is_workday(day) else calendar.end_of(calendar.on_or_before(day))


def _late_by(file: OrderFile, at: Standing, code: str) -> int:
    due, reached = at.due.get(code), at.reached.get(code)
    if due is None or (reached is None and code not in at.open):
        return 0
    until = reached.at if reached else at.now
    return days_late(file, due, until) if until > due else 0


def _baseline(file: OrderFile, at: Standing) -> dict[str, datetime]:
    """Return the plan that was frozen last; a later version of the order does not change what was frozen before."""
    frozen: dict[str, datetime] = {}
    for entry in file.entries:
        if isinstance(entry, Baseline) and entry.recorded_at <= at.now:
            frozen = dict(entry.dates)
    return frozen


def _days_moved(file: OrderFile, at: Standing, ahead: Outlook | None) -> int:
    if ahead is None or at.etd is None:
        return 0
    planned: date = as_date(at.etd, file.calendar)
    return (file.calendar.local_date(ahead.sails_at) - planned).days
