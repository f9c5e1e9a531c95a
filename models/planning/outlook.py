"""
The outlook: what will happen when if nothing changes, and what must happen by when for the goods to leave in time.

Two passes over the template (critical path method, domain.md 2.2). Forward: from facts, promises, estimates and the
usual durations to a forecast for each milestone. Backward: from ETD and the hard dates to the late date of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.book.order_file import OrderFile
from models.calendars.workdays import ONE_DAY, ONE_SECOND
from models.codes import PRESENTED
from models.planning.forecast import Cause as Cause
from models.planning.forecast import Forecast
from models.planning.hard_dates import HardDate, cutoffs, presentation_dates, shipment_dates
from models.status.standing import Standing


@dataclass(frozen=True)
class Broken:
    """A hard date that the forecast does not meet."""

    hard: HardDate
    forecast: datetime


@dataclass(frozen=True)
class Outlook:
    """
    What the two passes say of an order.

    `forecast` has every milestone, those done with their facts; `late` only those on which the ETD or a hard date
    depends and that are not done. `causes` and `drivers` say what each forecast rests on. `hard` are all hard dates
    of what is not done. `path` is the driving path, from the step that drives the ship date to the departure; empty
    once the goods have left. `sails_at` is the forecast of the departure, `planned_at` the ETD as an instant.
    """

    forecast: Mapping[str, datetime]
    late: Mapping[str, datetime]
    causes: Mapping[str, Cause]
    drivers: Mapping[str, str]
    hard: tuple[HardDate, ...]
    path: tuple[str, ...]
    sails_at: datetime
    planned_at: datetime

    def margin(self, code: str) -> timedelta | None:
        """Return the time from a milestone's forecast to its late date; below zero it breaks a date."""
        late = self.late.get(code)
        return late - self.forecast[code] if late is not None else None

    def at_risk(self, code: str) -> bool:
        """Say whether the milestone's forecast breaks the ETD or a hard date."""
        late = self.late.get(code)
        return late is not None and self.forecast[code] > late

    @property
    def broken(self) -> tuple[Broken, ...]:
        """The hard dates that the forecast breaks, the first to pass first."""
        met = (Broken(hard, self.forecast[hard.milestone]) for hard in self.hard)
        return tuple(sorted((b for b in met if b.forecast > b.hard.at), key=lambda b: (b.hard.at, b.hard.code)))

    @property
    def slips(self) -> bool:
        """Say whether the goods are forecast to leave after the ETD."""
        return self.sails_at > self.planned_at


def outlook(file: OrderFile, at: Standing, *, pessimistic: bool = False) -> Outlook | None:
    """
    Return the outlook of an order as it stands; `None` while it has no ETD.

    `pessimistic` takes the longer duration of every step (P90) in the place of the likely one.
    """
    if at.etd is None:
        return None
    ahead = Forecast(file, at, pessimistic=pessimistic)
    hard = _hard_dates(ahead)
    late = _late_dates(ahead, hard)
    codes = file.template.codes
    return Outlook(
        forecast={code: ahead.seen[code].at for code in codes},
        late={code: late[code] for code in codes if code in late},
        causes={code: ahead.seen[code].cause for code in codes},
        drivers={code: ahead.seen[code].driver for code in codes},
        hard=hard,
        path=_driving_path(ahead),
        sails_at=ahead.seen[file.template.departure].at,
        planned_at=ahead.planned_at,
    )


def slack_days(file: OrderFile, of: Outlook, code: str) -> int | None:
    """
    Return the slack of a milestone in working days of its calendar; below 0 exactly where it is at risk.

    `None` for one that nothing depends on, or that is done.
    """
    late = of.late.get(code)
    if late is None:
        return None
    calendar = file.calendars[file.template.by_code[code].calendar]
    forecast = of.forecast[code]
    first, last = calendar.local_date(forecast), calendar.local_date(late)
    if forecast > late:
        return -max(1, calendar.count_workdays(last, first))
    return calendar.count_workdays(first, last)


def turning_points(file: OrderFile, at: Standing) -> list[datetime]:
    """
    Return the instants after `at.now` at which an open milestone may come to be at risk merely because time passes.

    That is when a date that somebody gave goes by, or when even being done today is too late.
    """
    if at.etd is None or not file.template.foresees:
        return []
    ahead = Forecast(file, at)
    late = _late_dates(ahead, _hard_dates(ahead))
    points = [given.at + ONE_SECOND for given in ahead.given.values()]
    for code in at.open:
        if code not in late or ahead.seen[code].at > late[code]:
            continue
        too_late = late[code] + ONE_SECOND
        if code not in ahead.to_the_second:
            calendar = file.calendars[file.template.by_code[code].calendar]
            last = calendar.on_or_before(calendar.local_date(too_late) - ONE_DAY)
            too_late = calendar.end_of(last) + ONE_SECOND
        points.append(too_late)
    return [point for point in points if point > at.now]


# --- backward


def _hard_dates(ahead: Forecast) -> tuple[HardDate, ...]:
    file, template, agreed = ahead.file, ahead.template, ahead.at.agreed
    found = [*cutoffs(template, agreed), *shipment_dates(template, agreed, file.calendar)]
    if PRESENTED in template.by_code:
        bank = file.calendars[template.by_code[PRESENTED].calendar]
        found += presentation_dates(template, agreed, ahead.seen[template.loads].at, file.calendar, bank)
    return tuple(sorted((h for h in found if h.milestone not in ahead.at.done), key=lambda h: (h.at, h.code)))


def _late_dates(ahead: Forecast, hard: tuple[HardDate, ...]) -> dict[str, datetime]:
    """
    Return by when each milestone must be done for the ETD and the hard dates to hold.

    A date that is counted from the loading binds what does not lead to it: goods that are on board earlier have it
    earlier as well, so nothing is won.
    """
    late = _backward(ahead, hard)
    firm = tuple(h for h in hard if not h.follows_loading)
    if len(firm) == len(hard):
        return late
    by_firm = _backward(ahead, firm)
    leading = _leading_to(ahead, ahead.template.loads)
    return {
        code: by_firm[code] if code in leading else late[code]
        for code in late
        if code not in leading or code in by_firm
    }


def _backward(ahead: Forecast, hard: Iterable[HardDate]) -> dict[str, datetime]:
    template, done = ahead.template, ahead.at.done
    limits: dict[str, list[datetime]] = {template.departure: [ahead.planned_at]}
    for date_ in hard:
        limits.setdefault(date_.milestone, []).append(date_.at)
    late: dict[str, datetime] = {}
    for code in reversed(template.forwards):
        if code in done or code not in limits:
            continue
        late[code] = min(limits[code])
        start = _latest_start(ahead, code, late[code])
        for before in template.by_code[code].after:
            limits.setdefault(before, []).append(start)
    return late


def _latest_start(ahead: Forecast, code: str, finish: datetime) -> datetime:
    """Return by when what comes before a milestone must be done for it to be done by `finish`."""
    if code in ahead.given:
        return finish
    milestone = ahead.template.by_code[code]
    calendar, days, room = ahead.file.calendars[milestone.calendar], ahead.takes(milestone), finish
    if finish == ahead.cutoffs.get(code):
        # Work that takes days is in time on the very day of a cut-off: the forward pass takes it so too.
        room = ahead.end_of_its_day(milestone, finish)
    elif code == PRESENTED and days:
        # The last day for presentation is a banking day, so it is worked, whatever else is.
        day = calendar.local_date(finish)
        room, days = calendar.end_of(day - ONE_DAY), max(0, days - calendar.capacity.get(day, 1))
    return min(calendar.latest_start(room, days), finish)


def _leading_to(ahead: Forecast, code: str) -> set[str]:
    found: set[str] = set()
    rest = [code]
    while rest:
        if (last := rest.pop()) not in found:
            found.add(last)
            rest.extend(c for c in ahead.template.by_code[last].after if c not in ahead.at.done)
    return found


# --- what drives the ship date


def _driving_path(ahead: Forecast) -> tuple[str, ...]:
    """
    Return the driving path.

    Where the departure slips that is the chain of forecasts that pushes it. Otherwise it is the chain with the
    least time left, from the first open step to the departure.
    """
    code = ahead.template.departure
    if code in ahead.at.done:
        return ()
    path = [code]
    while (before := _pushed_by(ahead, code)) is not None:
        path.append(before)
        code = before
    return tuple(reversed(path))


_OF_THEIR_OWN = (Cause.PROMISE, Cause.ESTIMATE, Cause.ROUND, Cause.CUSTOMS)
"""Forecasts that nothing else pushes."""


def _pushed_by(ahead: Forecast, code: str) -> str | None:
    seen = ahead.seen[code]
    if seen.driver:
        return seen.driver if seen.driver not in ahead.at.done else None
    if seen.cause in _OF_THEIR_OWN:
        return None
    start = _latest_start(ahead, code, seen.at)
    open_ = [before for before in ahead.template.by_code[code].after if before not in ahead.at.done]
    return min(open_, key=lambda before: start - ahead.seen[before].at, default=None)
