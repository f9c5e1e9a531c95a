"""Hard dates: the outside deadlines of an order, each with where it comes from. No hold and no holiday moves them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from models.book.agreement import Agreement
from models.calendars.workdays import Calendar
from models.codes import PRESENTED
from models.terms.credit import Limit, latest_on_board, presentation_limit
from models.terms.template import Template


class Origin(StrEnum):
    """Who set a hard date."""

    BOOKING = "booking"
    CREDIT = "credit"
    ORDER = "order"
    QUOTATION = "quotation"


class HardDate(NamedTuple):
    """
    A deadline: `milestone` must be done by `at`.

    `code` is SI, VGM, CY, CUSTOMS ... of a booking, LC_44C, LC_31D or LC_48 of a credit, SHIP_WINDOW or CANCEL_DATE of
    the order. `source` is who gave it, in his words. `extended_from` is its day before closed bank days moved it.
    `follows_vessel`: it goes with the booked vessel, and another vessel has another one. `follows_loading`: it is
    counted from the day on board, and moves with it.
    """

    code: str
    milestone: str
    at: datetime
    origin: Origin
    source: str = ""
    follows_vessel: bool = False
    follows_loading: bool = False
    extended_from: date | None = None
    provisional: bool = False


def cutoffs(template: Template, now: Agreement) -> tuple[HardDate, ...]:
    """Return the deadlines of the booking that this template has a milestone for: instants, as the S/O gives them."""
    if now.booking is None:
        return ()
    return tuple(
        HardDate(m.cutoff, m.code, at, Origin.BOOKING, now.booking.source, follows_vessel=True)
        for m in template.milestones
        if (at := now.booking.cutoffs.get(m.cutoff)) is not None
    )


def shipment_dates(template: Template, now: Agreement, home: Calendar) -> tuple[HardDate, ...]:
    """Return the last days on which the goods may be on board: the ship window, the cancel date, the credit's 44C."""
    found = [
        HardDate(code, template.loads, home.end_of(day), Origin.ORDER)
        for code, day in (("SHIP_WINDOW", now.ship_by), ("CANCEL_DATE", now.cancel_after))
        if day is not None
    ]
    if now.credit is not None:
        day = latest_on_board(now.credit, None)
        found.append(HardDate("LC_44C", template.loads, home.end_of(day), Origin.CREDIT, now.credit.number))
    return tuple(found)


def presentation_dates(
    template: Template, now: Agreement, on_board: datetime, home: Calendar, bank: Calendar
) -> tuple[HardDate, ...]:
    """
    Return by when documents must be at the bank for goods on board at `on_board`; nothing without a credit.

    That is the expiry of the credit (31D), and the end of the presentation period (48) where that comes first. `bank`
    are the days of the bank at the place of expiry: the calendar on which LC_PRESENT stands in its template. A closed
    bank day moves both to the next banking day, which the latest shipment date never does (UCP 600 art. 29).
    """
    credit = now.credit
    if credit is None or PRESENTED not in template.by_code:
        return ()
    limits = [presentation_limit(credit, home.local_date(on_board), bank)]
    if limits[0].rule is Limit.PERIOD:
        limits.append(presentation_limit(credit, credit.expiry, bank))
    return tuple(
        HardDate(
            "LC_31D" if limit.rule is Limit.EXPIRY else "LC_48",
            PRESENTED,
            bank.end_of(limit.by),
            Origin.CREDIT,
            credit.number,
            follows_loading=limit.rule is Limit.PERIOD,
            extended_from=limit.extended_from,
            provisional=limit.provisional,
        )
        for limit in limits
    )
