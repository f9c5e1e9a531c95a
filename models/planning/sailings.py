"""Sailings: goods that miss a vessel by an hour leave with the next one, not an hour later (domain.md 2.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count

from models.book.agreement import Agreement
from models.book.order import Etd, sails_by
from models.calendars.workdays import Calendar
from models.terms.template import Template


def sailings(template: Template, now: Agreement, home: Calendar) -> Iterator[datetime]:
    """
    Yield the instants by which the vessels leave, the planned one first.

    Known voyages come from the booking; after the last of them, and without any, one leaves every `sails_every` days
    (the booking's, else the template's; domain.md 2.6), without end. Where nobody said how often, no more are known.
    """
    assert now.etd is not None, "an order without a date has no sailing"
    first = _instant(now.etd, home)
    yield first
    booking = now.booking
    every = booking.sails_every if booking is not None and booking.sails_every else template.sails_every
    last = first
    for etd in sorted(_instant(etd, home) for etd in (booking.sailings if booking is not None else ())):
        if etd > last:
            last = etd
            yield last
    if every is not None:
        day = home.local_date(last)
        for n in count(1):
            later = day + timedelta(days=every * n)
            yield last.astimezone(home.tz).replace(year=later.year, month=later.month, day=later.day)


def first_sailing(
    leaving: Iterable[datetime],
    earliest: datetime,
    missed: Iterable[tuple[datetime, datetime]],
    *,
    rolled: bool = False,
) -> datetime:
    """
    Return the first of the sailings `leaving` that can be reached.

    It leaves at or after `earliest`, when the goods can be on board; and each pair of `missed`, when a step is
    done and the first vessel's deadline for it, is kept, the deadline moving with the vessel. Goods that were
    `rolled` are not on the first one. Where no further vessel is known the goods leave at `earliest`, and as much later
    than planned as a deadline was missed by.
    """
    steps = list(missed)
    first: datetime | None = None
    for sailing in leaving:
        if first is None:
            first = sailing
            if rolled:
                continue
        if earliest <= sailing and all(done <= cutoff + (sailing - first) for done, cutoff in steps):
            return sailing
    assert first is not None, "at least the planned sailing is known"
    return max([earliest, *(first + (done - cutoff) for done, cutoff in steps), first])


def _instant(etd: Etd, home: Calendar) -> datetime:
    return sails_by(etd, home.end_of(etd)) if not isinstance(etd, datetime) else etd
