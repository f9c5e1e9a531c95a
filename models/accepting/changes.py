"""Which changes of an order can be: the refusals of bookings, customs receipts, amendments and splits."""

from __future__ import annotations

from datetime import datetime
from shlex import quote

from models.accepting.reports import SKEW, amount
from models.accepting.running import must_not_be_split
from models.book.agreement import Agreement
from models.book.changes import Amendment, Booking, CustomsReceipt, Lot, Split
from models.book.order import Etd, OrderKind, sails_by
from models.book.order_file import OrderFile
from models.calendars.workdays import ONE_DAY
from models.codes import CUSTOMS_CLOSED, DECLARED, RELEASED
from models.errors import Refused, UnknownMilestone
from models.lots import missing_from
from models.status.lateness import as_date
from models.status.standing import Standing
from models.terms.credit import Consignment, ShipmentRefusal, shipment_refusals


def must_be(file: OrderFile, kind: OrderKind) -> None:
    """Refuse what is only told of orders about a prospect, and the other way round; raises Refused."""
    if file.order.kind is not kind:
        what = "a prospect: first it becomes an order" if file.order.kind is OrderKind.PROSPECT else "no prospect"
        raise Refused(f"Order {file.order.order_no} is {what}; nothing was changed.")


def check_etd(file: OrderFile, etd: Etd, what: str) -> None:
    """Refuse an ETD, called `what`, from before the order was placed; raises Refused."""
    if _leaves_by(file, etd) < file.order.placed_at:
        raise Refused(
            f"Order {file.order.order_no}: {what} {etd} is before the order was placed "
            f"({file.order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date."
        )


def _leaves_by(file: OrderFile, etd: Etd) -> datetime:
    return sails_by(etd, file.calendar.end_of(as_date(etd, file.calendar)))


def check_booking(file: OrderFile, entry: Booking) -> None:
    """
    Refuse a booking whose dates cannot be, or with a deadline that no step of the order meets; raises Refused.

    A cut-off lies at most a day after the ETD: those of customs may come with the vessel alongside.
    """
    order_no = file.order.order_no
    check_etd(file, entry.etd, "the booked ETD")
    codes = sorted({m.cutoff for m in file.template.milestones if m.cutoff})
    for code, at in entry.cutoffs.items():
        if code not in codes:
            raise Refused(
                f"Order {order_no}: no step of template {file.template.code} has a cut-off {code!r}. It has: "
                f"{', '.join(codes) or 'none'}. Nothing was recorded."
            )
        if at > _leaves_by(file, entry.etd) + ONE_DAY:
            raise Refused(
                f"Order {order_no}: the cut-off {code} at {at:%Y-%m-%d %H:%M %Z} is after the vessel leaves "
                f"({entry.etd}). Check both dates on the S/O."
            )
        if at < file.order.placed_at:
            raise Refused(
                f"Order {order_no}: the cut-off {code} at {at:%Y-%m-%d %H:%M %Z} is before the order was placed "
                f"({file.order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date."
            )
    for sailing in entry.sailings:
        if _leaves_by(file, sailing) <= _leaves_by(file, entry.etd):
            raise Refused(
                f"Order {order_no}: the next sailing {sailing} is not after the booked ETD {entry.etd}. Name only "
                "those that leave later."
            )


def check_customs(file: OrderFile, entry: CustomsReceipt, now: datetime) -> None:
    """Refuse a customs receipt that cannot be, or for an order without customs among its steps; raises Refused."""
    order_no = file.order.order_no
    if not {DECLARED, RELEASED, CUSTOMS_CLOSED} & file.template.by_code.keys():
        raise UnknownMilestone(order_no, DECLARED, file.template.codes)
    if entry.source_event_id and any(
        isinstance(e, CustomsReceipt) and (e.source, e.source_event_id) == (entry.source, entry.source_event_id)
        for e in file.entries
    ):
        return
    must_not_be_split(file)
    what = f"Order {order_no}: customs letter {entry.letter} at {entry.occurred_at:%Y-%m-%d %H:%M %Z}"
    if entry.occurred_at > now + SKEW:
        raise Refused(f"{what} is in the future. Check the date and its zone.")
    if entry.occurred_at < file.order.placed_at:
        raise Refused(
            f"{what} is before the order was placed ({file.order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date and "
            "the order number."
        )


def check_amendment(file: OrderFile, at: Standing, entry: Amendment) -> None:
    """
    Refuse an amendment that undoes what is not done, asks for less than has left, or says nothing new.

    Raises UnknownMilestone, Refused.
    """
    order_no, now = file.order.order_no, at.agreed
    for code in entry.undoes:
        if code not in file.template.by_code:
            raise UnknownMilestone(order_no, code, file.template.codes)
        if code not in at.done:
            done = ", ".join(c for c in file.template.codes if c in at.done) or "nothing"
            raise Refused(f"Order {order_no}: {code} is not done, so nothing can undo it. Done: {done}.")
    if entry.etd is not None:
        check_etd(file, entry.etd, "the new ETD")
    _check_window(file, now, entry)
    if entry.quantity is not None:
        _check_shipped(file, at, entry)
    if not entry.undoes and not _changes(now, entry):
        raise Refused(
            f"Order {order_no}: that is agreed already (version {now.version}); nothing was changed. "
            f"`gendan orders show {quote(order_no)}` shows the order."
        )


def _check_window(file: OrderFile, now: Agreement, entry: Amendment) -> None:
    order_no, home = file.order.order_no, file.calendar
    first, last = entry.ship_from or now.ship_from, entry.ship_by or now.ship_by
    cancel = entry.cancel_after or now.cancel_after
    if first is not None and last is not None and last < first:
        raise Refused(f"Order {order_no}: the ship window would end ({last}) before it begins ({first}).")
    if first is not None and cancel is not None and cancel < first:
        raise Refused(
            f"Order {order_no}: the cancel date {cancel} would be before the ship window begins ({first}). Give both."
        )
    placed = home.local_date(file.order.placed_at)
    for what, day in (("the end of the ship window", entry.ship_by), ("the cancel date", entry.cancel_after)):
        if day is not None and day < placed:
            raise Refused(f"Order {order_no}: {what} {day} is before the order was placed ({placed}). Check the date.")


def _check_shipped(file: OrderFile, at: Standing, entry: Amendment) -> None:
    assert entry.quantity is not None
    shipped = max(_shipped(file, at, code) for code in (file.template.loads, file.template.departure))
    allowed = entry.tolerance or at.agreed.allowed
    most = allowed.most(entry.quantity) if allowed is not None else entry.quantity
    if shipped > most:
        unit = f" {file.order.unit}" if file.order.unit else ""
        raise Refused(
            f"Order {file.order.order_no}: {amount(shipped)}{unit} are on board already, so it cannot be amended to "
            f"{amount(entry.quantity)}. Correct the report if fewer are: "
            f"`gendan report {quote(file.order.order_no)} {file.template.loads} --corrects LINE`."
        )


def _shipped(file: OrderFile, at: Standing, code: str) -> float:
    if code in at.counted:
        return at.counted[code]
    return (at.agreed.quantity or 0.0) if code in at.done else 0.0


def _changes(now: Agreement, entry: Amendment) -> bool:
    pairs = (
        (entry.etd, now.etd),
        (entry.quantity, now.quantity),
        (entry.ship_from, now.ship_from),
        (entry.ship_by, now.ship_by),
        (entry.cancel_after, now.cancel_after),
        (entry.tolerance, now.tolerance),
    )
    return any(new is not None and new != old for new, old in pairs)


def check_split(file: OrderFile, at: Standing, entry: Split) -> None:
    """
    Refuse lots that do not add up, share a number, leave before the order was placed, or break the credit's 43P.

    Raises Refused. Whether another order has a lot's number, only the order book can say.
    """
    order_no, now = file.order.order_no, at.agreed
    numbers = [lot.order_no for lot in entry.lots]
    for number in numbers:
        if number == order_no:
            raise Refused(f"Order {order_no}: a lot needs a number of its own, such as {order_no}/A.")
        if numbers.count(number) > 1:
            raise Refused(f"Order {order_no}: two lots are called {number}. Give each a number of its own.")
    if now.quantity is None:
        raise Refused(
            f"Order {order_no} has no quantity, so nobody can say whether its lots add up. Give it first: "
            f"`gendan amend {quote(order_no)} --quantity NUMBER`."
        )
    missing = missing_from(entry.lots, now.quantity)
    if missing:
        unit = f" {file.order.unit}" if file.order.unit else ""
        wrong = f"{amount(missing)} are in no lot" if missing > 0 else f"the lots have {amount(-missing)} too many"
        raise Refused(
            f"Order {order_no}: of {amount(now.quantity)}{unit} {wrong}. Change the lots, or the order: "
            f"`gendan amend {quote(order_no)} --quantity NUMBER`."
        )
    for lot in entry.lots:
        check_etd(file, lot.etd, f"the ETD of {lot.order_no},")
    _check_credit(file, now, entry.lots)


def _check_credit(file: OrderFile, now: Agreement, lots: tuple[Lot, ...]) -> None:
    if now.credit is None:
        return
    # What goes by a template of its own goes by another conveyance; else only the day of loading is known.
    consignments = [
        Consignment(as_date(lot.etd, file.calendar), vessel=lot.template or file.template.code) for lot in lots
    ]
    if ShipmentRefusal.PARTIAL_SHIPMENT in shipment_refusals(now.credit, consignments):
        raise Refused(
            f"Order {file.order.order_no}: L/C {now.credit.number or 'without number'} prohibits partial shipments "
            "(field 43P), and lots on different days or vessels are partial shipments. Have the L/C amended, tell it "
            f"(`gendan credit {quote(file.order.order_no)} ...`), and split then; or ship all lots on one vessel."
        )
