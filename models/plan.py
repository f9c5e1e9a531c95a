"""The plan: when each milestone must be done, counted backwards from ETD."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from models.order import Etd, sails_by
from models.template import Template
from models.workdays import ONE_DAY, Calendar

Calendars = Mapping[str, Calendar]


def due_dates(template: Template, etd: Etd, calendars: Calendars) -> dict[str, datetime]:
    """
    Count the due instants of all milestones backwards from `etd`.

    A date that its milestone's calendar does not work moves back to one that it does (a deadline moves
    towards safety, domain.md 1.5), and never past a successor's; what follows the ETD moves forward where it
    would otherwise be due before it. The departure is due at the ETD itself: ships
    do not wait for working days. A due date ends with its day, in the zone of the milestone's calendar.
    """
    home = calendars[template.calendar]
    ship_day = home.local_date(etd) if isinstance(etd, datetime) else etd
    due: dict[str, datetime] = {}
    for code in template.backwards:
        milestone = template.by_code[code]
        calendar = calendars[milestone.calendar]
        if code == template.departure:
            due[code] = sails_by(etd, home.end_of(ship_day))
            continue
        # What follows the departure is not due before it; else a long holiday would pull the loading forward.
        earliest = ship_day if milestone.offset > 0 else date.min
        day = calendar.on_or_before(ship_day + timedelta(days=milestone.offset))
        if day < earliest:
            day = next(calendar.workdays_after(earliest - ONE_DAY))
        instant = calendar.end_of(day)
        latest = min((due[after] for after in template.successors[code]), default=instant)
        if latest < instant:
            # On the day of a successor, or pulled back by one: no milestone is due after what follows it.
            last_day = calendar.on_or_before(calendar.local_date(latest))
            instant = min(calendar.end_of(last_day), latest) if last_day >= earliest else latest
        due[code] = instant
    return {code: due[code] for code in template.codes}
