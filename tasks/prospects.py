"""Prospects in the order book: taking one in, finding his order a number, registering it, listing them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from shlex import quote

from sqlalchemy import select

from models import tables
from models.accepting.changes import must_be
from models.accepting.intake import Accepted, Asked, Row, order_from
from models.accepting.running import must_run
from models.book.changes import Won
from models.book.order import Etd, Order, OrderKind
from models.book.order_file import OrderFile
from models.codes import CONTRACT
from models.errors import DuplicateOrder, Refused, UnknownOrder
from models.planning.plan import lead_of
from models.prospect import next_contact, silent_for, won_order
from models.status.lateness import as_date
from models.status.standing import standing
from tasks.choosing import template_for, with_customers_terms
from tasks.clock import now
from tasks.database import transaction
from tasks.library import library
from tasks.logbook import Recorded, record_entry
from tasks.orders import assemble, open_file, register


async def add_prospect(cells: Mapping[str, str]) -> Order:
    """
    Take a prospect in, told in the columns of an orders file; without `placed_at` he was first heard of now.

    Without `etd` its contract is hoped for as soon as the template thinks possible. Raises RowRefused, DuplicateOrder.
    """
    present = now()
    told = {column: text for column, text in cells.items() if text}
    accepted = _accepted({"placed_at": present.isoformat(), **told, "kind": OrderKind.PROSPECT.value}, present)
    template = accepted.template
    if not await register(accepted.order, template, library().policies[template.policy]):
        raise DuplicateOrder(accepted.order.order_no)
    return accepted.order


async def win(order_no: str, cells: Mapping[str, str], *, by: str = "", note: str = "") -> tuple[Won, Recorded]:
    """
    Record that a prospect signed; its flow then registers the order, told in the columns of an orders file.

    What is not told is the prospect's: customer, quantity, unit, merchandiser; the order was placed when the contract
    was signed. Told by its number alone, an order of this customer that is in the book already is taken as it is.
    Raises RowRefused, Refused; nothing is recorded then.
    """
    there = await _find(cells["order_no"])
    won: Won | None = None

    def make(file: OrderFile, present: datetime) -> Won:
        nonlocal won
        must_be(file, OrderKind.PROSPECT)
        must_run(file, standing(file, present).state)
        order, template = _as_it_is(there, file, cells) if there is not None else _order_of(file, cells, present)
        won = Won(recorded_at=present, by=by, note=note, order=order, template=template)
        return won

    recorded = await record_entry(order_no, make)
    assert won is not None  # make was called, or record_entry raised
    return won, recorded


async def register_won(file: OrderFile, clock: datetime | None) -> None:
    """
    Register the order of a won prospect, once however often it is tried; on his virtual clock, if he has one.

    Raises DuplicateOrder where the number was taken by another order since the prospect was won.
    """
    won = won_order(file)
    assert won is not None, "a prospect that is won has an order"
    order = won.order
    there = await _find(order.order_no)
    if there is not None:
        # Tried again, or there before: the library of today may have no such template any more.
        if there.order.model_copy(update={"came_in": order.came_in}) != order:
            raise DuplicateOrder(order.order_no)
        return
    shelf = library()
    lead = max(lead_of(order, order.etd, file.calendar), 0) if order.etd is not None else None
    template = template_for(shelf, Asked(won.template, lead, order.customer))
    await register(order, template, shelf.policies[template.policy], clock=clock)


@dataclass(frozen=True)
class ProspectLine:
    """One line of the list of prospects; `silent_for` are calendar days without a word."""

    order_no: str
    customer: str
    state: str
    waits_for: str
    next_contact: date | None
    silent_for: int
    quotation_until: date | None
    hoped_for: Etd | None


async def list_prospects(*, states: Sequence[str] = (), customer: str = "", limit: int = 1000) -> list[ProspectLine]:
    """Return the prospects by number, at most `limit`, as they stand now; `states` and `customer` narrow it down."""
    query = (
        select(tables.orders.c.body.label("order"), tables.orders.c.terms, tables.follow_ups)
        .join_from(tables.orders, tables.follow_ups, tables.follow_ups.c.order_no == tables.orders.c.order_no)
        .where(tables.orders.c.kind == OrderKind.PROSPECT.value)
        .order_by(tables.orders.c.order_no)
        .limit(limit)
    )
    if states:
        query = query.where(tables.follow_ups.c.state.in_(states))
    if customer:
        query = query.where(tables.orders.c.customer == customer)
    async with transaction() as connection:
        rows = (await connection.execute(query)).all()
        return [_line(await assemble(connection, row), row.clock or now(), row.waits_for) for row in rows]


def _line(file: OrderFile, present: datetime, waits_for: str) -> ProspectLine:
    at = standing(file, present)
    return ProspectLine(
        order_no=file.order.order_no,
        customer=file.order.customer,
        state=at.state.value,
        waits_for=waits_for,
        next_contact=next_contact(file, present),
        silent_for=silent_for(file, present),
        quotation_until=at.agreed.quotation_until,
        hoped_for=as_date(at.etd, file.calendar) if at.etd is not None else None,
    )


def _accepted(cells: Mapping[str, str], present: datetime) -> Accepted:
    shelf = library()
    row = Row(0, dict(cells))
    accepted = order_from(row, now=present, choose=partial(template_for, shelf), calendars=shelf.calendars)
    return with_customers_terms(shelf, accepted)


def _order_of(file: OrderFile, cells: Mapping[str, str], present: datetime) -> tuple[Order, str]:
    """Return the order that a prospect becomes, and its template's code; raises RowRefused."""
    prospect, at = file.order, standing(file, present)
    signed_at = at.reached[CONTRACT].at if CONTRACT in at.reached else present
    quantity = at.agreed.quantity
    known = {
        "customer": prospect.customer,
        "quantity": str(quantity) if quantity is not None else "",
        "unit": prospect.unit,
        "merchandiser": at.agreed.merchandiser,
        "placed_at": signed_at.isoformat(),
    }
    told = {column: text for column, text in cells.items() if text}
    accepted = _accepted({**known, **told, "prospect": prospect.order_no}, present)
    return accepted.order, accepted.template.code


def _as_it_is(there: OrderFile, file: OrderFile, cells: Mapping[str, str]) -> tuple[Order, str]:
    """Return an order that is in the book already, if it can be the prospect's; raises Refused."""
    prospect, order = file.order, there.order
    customer = cells.get("customer") or prospect.customer
    told = [column for column, text in cells.items() if text and column not in ("order_no", "customer")]
    if order.kind is not OrderKind.EXPORT or order.customer != customer or told:
        raise Refused(
            f"Prospect {prospect.order_no}: the number {order.order_no} is taken by another {_called(order)}; nothing "
            f"was changed. Give the order a number of its own: "
            f"`gendan prospects won {quote(prospect.order_no)} --order NUMBER`."
        )
    return order, there.template.code


def _called(order: Order) -> str:
    what = "order" if order.kind is OrderKind.EXPORT else order.kind.value
    return f"{what} ({order.customer})" if order.customer else what


async def _find(order_no: str) -> OrderFile | None:
    try:
        return (await open_file(order_no))[0]
    except UnknownOrder:
        return None
