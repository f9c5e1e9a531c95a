"""Whether an order still takes anything: what is over takes nothing more, and says where to turn to instead."""

from __future__ import annotations

from shlex import quote

from models.accepting.told import at_home, told_by, what_reached
from models.book.changes import Cancellation, Lost, Split, Unfollowed, Won
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.errors import Refused
from models.status.progress import progress


def must_run(file: OrderFile, state: OrderState, *, allow_unfollowed: bool = False) -> None:
    """Refuse what is told about an order that is over or, unless allowed, not followed; raises Refused."""
    if not state.is_over and (state is not OrderState.NOT_FOLLOWED or allow_unfollowed):
        return
    order_no = file.order.order_no
    number = quote(order_no)
    match state:
        case OrderState.CLOSED:
            raise Refused(
                f"Order {order_no} is closed; nothing was changed.{_since(file)} Was its last report wrong? "
                f"`gendan report {number} MILESTONE --withdraw LINE` takes it back."
            )
        case OrderState.SPLIT:
            raise _left_in_lots(file)
        case OrderState.WON:
            became = next((e.order.order_no for e in reversed(file.entries) if isinstance(e, Won)), "")
            raise Refused(f"Order {order_no} is won; nothing was changed. It goes on as order {became}.")
        case _:
            raise Refused(
                f"Order {order_no} is {words(state)}; nothing was changed. `gendan follow {number}` follows it again."
                f"{_said_so(file, state)}"
            )


_SAID: dict[OrderState, type[Entry]] = {
    OrderState.CANCELLED: Cancellation,
    OrderState.LOST: Lost,
    OrderState.NOT_FOLLOWED: Unfollowed,
}


def _said_so(file: OrderFile, state: OrderState) -> str:
    told = next((e for e in reversed(file.entries) if isinstance(e, _SAID[state])), None)
    return f" It is so since {at_home(file, told.recorded_at)}{told_by(told)}." if told is not None else ""


def _since(file: OrderFile) -> str:
    last = file.template.follow_to
    reached = progress(file, list(file.entries)).reached.get(last)
    if reached is None:
        return ""
    return f" {last} is done since {at_home(file, reached.at)}{told_by(what_reached(file.entries, last, reached))}."


def must_not_be_split(file: OrderFile) -> None:
    """Refuse what is told about an order whose lots are followed instead; raises Refused, naming them."""
    if any(isinstance(entry, Split) for entry in file.entries):
        raise _left_in_lots(file)


def words(state: OrderState) -> str:
    """Return a state as it is said."""
    return state.value.replace("_", " ")


def _left_in_lots(file: OrderFile) -> Refused:
    lots = next((e.lots for e in reversed(file.entries) if isinstance(e, Split)), ())
    return Refused(
        f"Order {file.order.order_no} is split into {', '.join(lot.order_no for lot in lots)}; nothing was changed. "
        "Tell it of the lot that it is about."
    )
