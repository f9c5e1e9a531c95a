"""What may be told about an order: the refusals that need to know where the order stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from shlex import quote

from models.accept_changes import check_amendment, check_booking, check_customs, check_etd, check_split, must_be
from models.accept_prospect import check_prospect_entry
from models.accept_reports import check_report as check_report
from models.accept_reports import check_told
from models.changes import (
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
from models.entry import Entry
from models.errors import Refused, UnknownMilestone
from models.order import OrderKind, OrderState
from models.order_file import OrderFile
from models.outlook import outlook
from models.report import Acknowledgement, Promise, Report, Withdrawal
from models.running import must_run, words
from models.standing import Standing, standing


def check_entry(file: OrderFile, entry: Entry, now: datetime) -> None:
    """Refuse an entry that makes no sense where the order stands now; raises Refused with what to do instead."""
    if isinstance(entry, Report | Withdrawal):
        check_told(file, entry, now)
        return
    milestone = getattr(entry, "milestone", None)
    if milestone is not None and milestone not in file.template.by_code:
        raise UnknownMilestone(file.order.order_no, milestone, file.template.codes)
    at = standing(file, now)
    match entry:
        case Acknowledgement() | Promise():
            _check_answer(file, at, entry)
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


def _check_answer(file: OrderFile, at: Standing, entry: Acknowledgement | Promise) -> None:
    order_no = file.order.order_no
    must_run(file, at.state)
    if entry.milestone not in at.open:
        waited = ", ".join(at.open) or "nothing"
        raise Refused(f"Order {order_no} does not wait for {entry.milestone} now; it waits for {waited}.")
    if isinstance(entry, Acknowledgement):
        return
    if entry.promised <= at.now:
        raise Refused(
            f"Order {order_no}: a promise for {entry.milestone} must lie in the future, and "
            f"{entry.promised:%Y-%m-%d %H:%M %Z} is past. If it is done, report it: "
            f"`gendan report {quote(order_no)} {entry.milestone}`."
        )
    _check_late_date(file, at, entry)


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
        f"level: `gendan promise {number} {entry.milestone} DATE --approved-by NAME`."
    )


def late_dates(file: OrderFile, at: Standing) -> Mapping[str, datetime]:
    """Return the late dates that promises are held to: none where only the ETD is known, and no step's duration."""
    ahead = outlook(file, at)
    return ahead.late if ahead is not None and (file.template.foresees or ahead.hard) else {}


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
