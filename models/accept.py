"""What may be told about an order: the refusals that need to know where the order stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from shlex import quote

from models.errors import Refused, UnknownMilestone
from models.lateness import as_date
from models.order import Order, OrderState, sails_by
from models.order_file import OrderFile
from models.report import (
    Acknowledgement,
    Cancellation,
    Classifier,
    Entry,
    Followed,
    Hold,
    Promise,
    Report,
    Reschedule,
    Resume,
    Withdrawal,
)
from models.standing import standing
from models.template import Template

SKEW = timedelta(hours=1)
"""How far a clock elsewhere may be ahead of ours."""


def check_report(order: Order, template: Template, report: Report | Withdrawal, now: datetime) -> None:
    """
    Refuse a report that cannot be true, whatever else is known of the order.

    Raises UnknownMilestone, or Refused for a fact from before the order was placed or more than an hour ahead.
    """
    if report.milestone not in template.by_code:
        raise UnknownMilestone(order.order_no, report.milestone, template.codes)
    if isinstance(report, Withdrawal):
        return
    if report.classifier is Classifier.ACT and report.occurred_at > now + SKEW:
        raise Refused(
            f"Order {order.order_no}: {report.milestone} cannot have happened at "
            f"{report.occurred_at:%Y-%m-%d %H:%M %Z}, which is in the future. If it is expected then, report it as an "
            "estimate (EST)."
        )
    if report.occurred_at < order.placed_at:
        raise Refused(
            f"Order {order.order_no}: {report.milestone} at {report.occurred_at:%Y-%m-%d %H:%M %Z} is before the order "
            f"was placed ({order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date and the order number."
        )


def check_entry(file: OrderFile, entry: Entry, now: datetime) -> None:
    """Refuse an entry that makes no sense where the order stands now; raises Refused with what to do instead."""
    order_no = file.order.order_no
    at = standing(file, now)
    milestone = getattr(entry, "milestone", None)
    if milestone is not None and milestone not in file.template.by_code:
        raise UnknownMilestone(order_no, milestone, file.template.codes)
    match entry:
        case Report() | Withdrawal():
            check_report(file.order, file.template, entry, now)
            _check_correction(file, entry)
        case Acknowledgement() | Promise():
            _check_open(file, entry, at.state, at.open)
            if isinstance(entry, Promise) and entry.promised <= now:
                raise Refused(
                    f"Order {order_no}: a promise for {entry.milestone} must lie in the future, and "
                    f"{entry.promised:%Y-%m-%d %H:%M %Z} is past. If it is done, report it: "
                    f"`gendan report {quote(order_no)} {entry.milestone}`."
                )
        case Hold():
            _check_running(order_no, at.state)
            if at.state is OrderState.ON_HOLD:
                raise Refused(f"Order {order_no} is on hold already. `gendan resume {quote(order_no)}` lets it go on.")
        case Resume():
            _check_running(order_no, at.state)
            if at.state is not OrderState.ON_HOLD:
                raise Refused(
                    f"Order {order_no} is not on hold (it is {_words(at.state)}); nothing was changed. "
                    f"`gendan hold {quote(order_no)}` puts it on hold."
                )
        case Cancellation():
            _check_running(order_no, at.state, allow_unfollowed=True)
        case Reschedule():
            _check_running(order_no, at.state)
            if sails_by(entry.etd, file.calendar.end_of(as_date(entry.etd, file.calendar))) < file.order.placed_at:
                raise Refused(
                    f"Order {order_no}: the new ETD {entry.etd} is before the order was placed "
                    f"({file.order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date."
                )
        case Followed():
            if at.state is OrderState.CLOSED:
                _check_running(order_no, at.state)
            if at.state not in (OrderState.NOT_FOLLOWED, OrderState.CANCELLED):
                raise Refused(
                    f"Order {order_no} is followed already (it is {_words(at.state)}); nothing was changed. "
                    f"`gendan orders show {quote(order_no)}` says what it waits for."
                )
        case _:
            pass


def _check_correction(file: OrderFile, entry: Report | Withdrawal) -> None:
    if entry.corrects is None:
        return
    wrong = next((e for e in file.entries if e.seq == entry.corrects), None)
    if not isinstance(wrong, Report) or wrong.milestone != entry.milestone:
        reports = ", ".join(
            str(e.seq) for e in file.entries if isinstance(e, Report) and e.milestone == entry.milestone
        )
        raise Refused(
            f"Order {file.order.order_no}: line {entry.corrects} of its log is no report of {entry.milestone}"
            f"{f' (those are {reports})' if reports else ''}. See `gendan orders show {quote(file.order.order_no)}`."
        )
    if any(isinstance(e, (Report, Withdrawal)) and e.corrects == entry.corrects for e in file.entries):
        raise Refused(
            f"Order {file.order.order_no}: line {entry.corrects} was corrected already; correct the line that replaced "
            f"it. See `gendan orders show {quote(file.order.order_no)}`."
        )


def _check_open(file: OrderFile, entry: Acknowledgement | Promise, state: OrderState, open_: tuple[str, ...]) -> None:
    order_no = file.order.order_no
    _check_running(order_no, state)
    if entry.milestone not in open_:
        waited = ", ".join(open_) or "nothing"
        raise Refused(f"Order {order_no} does not wait for {entry.milestone} now; it waits for {waited}.")


def _check_running(order_no: str, state: OrderState, *, allow_unfollowed: bool = False) -> None:
    if state.is_over or (state is OrderState.NOT_FOLLOWED and not allow_unfollowed):
        number = quote(order_no)
        raise Refused(
            f"Order {order_no} is {_words(state)}; nothing was changed. `gendan follow {number}` follows it again."
            if state is not OrderState.CLOSED
            else f"Order {order_no} is closed; nothing was changed. Was its last report wrong? "
            f"`gendan report {number} MILESTONE --withdraw LINE` takes it back."
        )


def _words(state: OrderState) -> str:
    return state.value.replace("_", " ")
