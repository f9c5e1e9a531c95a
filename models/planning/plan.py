"""The plan: when each milestone must be done, counted backwards from ETD."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from models.book.order import Etd, Order, sails_by
from models.calendars.workdays import ONE_DAY, Calendar
from models.terms.template import Template

Calendars = Mapping[str, Calendar]


def lead_of(order: Order, etd: Etd, home: Calendar) -> int:
    """Return the calendar days from the placing of an order to `etd`, in the order's calendar."""
    ship_day = home.local_date(etd) if isinstance(etd, datetime) else etd
    return (ship_day - home.local_date(order.placed_at)).days


def planned(
    order: Order, template: Template, etd: Etd, calendars: Calendars, cutoffs: Mapping[str, datetime] | None = None
) -> dict[str, datetime]:
    """Return the due instants of an order's milestones for `etd`: they fit into its lead time."""
    lead = lead_of(order, etd, calendars[template.calendar])
    return due_dates(template.squeezed(lead), etd, calendars, cutoffs)


def due_dates(
    template: Template, etd: Etd, calendars: Calendars, cutoffs: Mapping[str, datetime] | None = None
) -> dict[str, datetime]:
    """
    Count the due instants of all milestones backwards from `etd`.

    A date that its milestone's calendar does not work moves back to one that it does (a deadline moves
    towards safety, domain.md 1.5), and never past a successor's; what follows the ETD moves forward where it
    would otherwise be due before it. The departure is due at the ETD itself: ships
    do not wait for working days. A due date ends with its day, in the zone of the milestone's calendar.

    A milestone with a deadline in `cutoffs`, the instants of the booking by their codes, is due at that deadline, or
    when what follows it is: the deadline takes the place of the template's offset (domain.md 4.1).
    """
    home = calendars[template.calendar]
    ship_day = home.local_date(etd) if isinstance(etd, datetime) else etd
    departs = sails_by(etd, home.end_of(ship_day))
    due: dict[str, datetime] = {}
    for code in template.backwards:
        milestone = template.by_code[code]
        calendar = calendars[milestone.calendar]
        if code == template.departure:
            due[code] = departs
            continue
        if cutoffs and milestone.cutoff in cutoffs:
            # Which of two cut-offs comes first is never assumed: a later one may belong to the earlier step.
            due[code] = min([cutoffs[milestone.cutoff], *(due[after] for after in template.successors[code])])
            continue
        # What follows the departure is not due before it; else a long holiday would pull the loading forward.
        follows = code in template.after_departure
        earliest = ship_day if milestone.offset > 0 or follows else date.min
        day = calendar.on_or_before(ship_day + timedelta(days=milestone.offset))
        if day <= earliest:
            day = next(calendar.workdays_after(earliest - ONE_DAY))
        instant = calendar.end_of(day)
        latest = min((due[after] for after in template.successors[code]), default=instant)
        if latest < instant:
            # On the day of a successor, or pulled back by one: no milestone is due after what follows it.
            last_day = calendar.on_or_before(calendar.local_date(latest))
            instant = min(calendar.end_of(last_day), latest) if last_day >= earliest else latest
        due[code] = max(instant, departs) if follows else instant
    return {code: due[code] for code in template.codes}
