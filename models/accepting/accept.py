"""What may be told about an order: the refusals that need to know where the order stands."""

from __future__ import annotations

from datetime import datetime
from shlex import quote

from models.accepting.answers import check_answer
from models.accepting.answers import late_dates as late_dates
from models.accepting.changes import check_amendment, check_booking, check_customs, check_etd, check_split, must_be
from models.accepting.letters import check_letters
from models.accepting.prospects import check_prospect_entry
from models.accepting.reports import check_report as check_report
from models.accepting.reports import check_told
from models.accepting.running import must_run, words
from models.book.changes import (
    Amendment,
    Booking,
    Cancellation,
    Contact,
    CreditAdvised,
    CustomsReceipt,
    Followed,
    Hold,
    Lost,
    QuotationValid,
    Reschedule,
    Resume,
    Split,
    Won,
)
from models.book.entry import Entry
from models.book.order import OrderKind, OrderState
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, NotMine, Problem, Promise, Report, Withdrawal
from models.errors import Refused
from models.status.standing import Standing, standing


def check_entry(file: OrderFile, entry: Entry, now: datetime) -> None:
    """Refuse an entry that makes no sense where the order stands now; raises Refused with what to do instead."""
    check_letters(entry)
    if isinstance(entry, Report | Withdrawal):
        check_told(file, entry, now)
        return
    at = standing(file, now)
    match entry:
        case Acknowledgement() | Promise() | Problem() | NotMine():
            check_answer(file, at, entry)
        case Hold():
            _check_hold(file, at, entry)
        case Resume():
            _check_resume(file, at)
        case Cancellation():
            must_run(file, at.state, allow_unfollowed=True)
        case Followed():
            _check_followed(file, at)
        case CustomsReceipt():
            must_be(file, OrderKind.EXPORT)
            check_customs(file, entry, now)
        case Contact() | QuotationValid() | Lost() | Won():
            must_be(file, OrderKind.PROSPECT)
            must_run(file, at.state)
            check_prospect_entry(file, entry, now)
        case Reschedule():
            must_run(file, at.state)
            check_etd(file, entry.etd, "the new ETD")
        case Booking() | CreditAdvised() | Amendment() | Split():
            must_be(file, OrderKind.EXPORT)
            must_run(file, at.state)
            _check_change(file, at, entry)
        case _:
            pass


def _check_change(file: OrderFile, at: Standing, entry: Booking | CreditAdvised | Amendment | Split) -> None:
    match entry:
        case Booking():
            check_booking(file, entry)
        case Amendment():
            check_amendment(file, at, entry)
        case Split():
            check_split(file, at, entry)
        case CreditAdvised():
            pass


def _check_hold(file: OrderFile, at: Standing, entry: Hold) -> None:
    order_no = file.order.order_no
    must_run(file, at.state)
    if at.state is OrderState.ON_HOLD:
        raise Refused(f"Order {order_no} is on hold already. `gendan resume {quote(order_no)}` lets it go on.")
    if entry.until is not None and entry.until < file.calendar.local_date(at.now):
        raise Refused(
            f"Order {order_no}: it cannot go on at {entry.until}, which is past. Give a day to come, or none while "
            "nobody knows."
        )


def _check_resume(file: OrderFile, at: Standing) -> None:
    order_no = file.order.order_no
    must_run(file, at.state)
    if at.state is not OrderState.ON_HOLD:
        raise Refused(
            f"Order {order_no} is not on hold (it is {words(at.state)}); nothing was changed. "
            f"`gendan hold {quote(order_no)}` puts it on hold."
        )


def _check_followed(file: OrderFile, at: Standing) -> None:
    order_no = file.order.order_no
    if at.state in (OrderState.NOT_FOLLOWED, OrderState.CANCELLED, OrderState.LOST):
        return
    must_run(file, at.state)
    raise Refused(
        f"Order {order_no} is followed already (it is {words(at.state)}); nothing was changed. "
        f"`gendan orders show {quote(order_no)}` says what it waits for."
    )
