"""What may be told about a prospect: refusals of calls and quotations in the past, and of orders without a plan."""

from __future__ import annotations

from datetime import datetime
from shlex import quote

from models.book.changes import Contact, Lost, QuotationValid, Won
from models.book.order import OrderKind
from models.book.order_file import OrderFile
from models.errors import Refused
from models.status.lateness import as_date


def check_prospect_entry(file: OrderFile, entry: Contact | QuotationValid | Lost | Won, now: datetime) -> None:
    """
    Refuse what cannot be of a prospect that is followed; days are those of the office that follows him.

    Raises Refused. Whether another order has the number of a won one, only the order book can say.
    """
    today = file.calendar.local_date(now)
    order_no = file.order.order_no
    match entry:
        case Contact() if entry.next_on is not None and entry.next_on < today:
            raise Refused(
                f"Prospect {order_no}: the next contact {entry.next_on} is past (it is {today}). Give a day to come, "
                "or none if none was agreed."
            )
        case QuotationValid() if entry.until < today:
            raise Refused(
                f"Prospect {order_no}: a quotation that was valid until {entry.until} is void (it is {today}). Send a "
                "new one and give its day."
            )
        case Won():
            _check_won(file, entry)
        case _:
            pass


def _check_won(file: OrderFile, entry: Won) -> None:
    prospect, order = file.order.order_no, entry.order
    if order.kind is not OrderKind.EXPORT:
        raise Refused(f"Prospect {prospect}: what it became ({order.order_no}) is no order; nothing was changed.")
    if order.order_no == prospect:
        raise Refused(
            f"Prospect {prospect}: its order needs a number of its own; {prospect} stays the prospect's. "
            f"`gendan prospects won {quote(prospect)} --order NUMBER` names it."
        )
    if order.etd is None and not entry.template:
        raise Refused(
            f"Prospect {prospect}: order {order.order_no} has neither an ETD nor a template, so it could not be "
            "planned. Give --etd, or --template while the date is open."
        )
    if order.etd is not None and as_date(order.etd, file.calendar) < file.calendar.local_date(order.placed_at):
        raise Refused(
            f"Prospect {prospect}: the ETD {order.etd} of order {order.order_no} is before it was placed "
            f"({order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date."
        )
