"""The order book: taking orders in, opening an order's file, finding what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.entry import ENTRY
from models.errors import DuplicateOrder, UnknownOrder
from models.ladder import Ladder
from models.order import Order, OrderState
from models.order_file import Claim, OrderFile
from models.plan import Calendars
from models.template import Template
from tasks.calendar_lists import LATEST_LIST, calendars_as_of
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, transaction
from tasks.terms import Terms, find_terms, keep_terms


@dataclass(frozen=True)
class FollowUp:
    """Where the Prefect run of an order stands (a row of `follow_ups`)."""

    order_no: str
    flow_run_id: UUID | None
    generation: int
    wakes: int
    clock: datetime | None
    page: dict[str, Any]

    @property
    def now(self) -> datetime:
        """The order's present: its virtual clock where it has one, else the clock on the wall."""
        return self.clock or now()


async def register(
    order: Order, template: Template, ladder: Ladder, *, clock: datetime | None = None, wake: bool = True
) -> bool:
    """
    Take an order in; its follow-up starts at once. Return False if it is there already, unchanged.

    `clock` gives the order a virtual clock; without `wake` it waits until somebody moves it. Raises DuplicateOrder
    for a number that is taken by another order.
    """
    async with transaction() as connection:
        if await add_order(connection, order, template, ladder, clock=clock, wake=wake):
            return True
        row = await connection.execute(select(tables.orders).where(tables.orders.c.order_no == order.order_no))
        there = Order.model_validate(row.one().body)
        if there.model_copy(update={"came_in": order.came_in}) != order:
            raise DuplicateOrder(order.order_no)
        return False


async def add_order(
    connection: AsyncConnection, order: Order, template: Template, ladder: Ladder, *, clock: datetime | None, wake: bool
) -> bool:
    """Put an order into the book within a transaction; return False if its number is taken, and nothing was added."""
    added = await connection.execute(
        insert(tables.orders)
        .values(
            order_no=order.order_no,
            terms=await keep_terms(connection, template, ladder),
            customer=order.customer,
            kind=order.kind.value,
            parent=order.parent or None,
            body=order.model_dump(mode="json"),
        )
        .on_conflict_do_nothing()
        .returning(tables.orders.c.order_no)
    )
    if added.first() is None:
        return False
    await connection.execute(
        insert(tables.follow_ups).values(order_no=order.order_no, state=OrderState.OPEN.value, wanted=wake, clock=clock)
    )
    if wake:
        await notify(connection, WAKE_CHANNEL, order.order_no)
    return True


async def notify(connection: AsyncConnection, channel: str, payload: str) -> None:
    """Tell whoever listens on `channel`, once this transaction commits."""
    await connection.execute(select(func.pg_notify(channel, payload)))


async def read_order(connection: AsyncConnection, order_no: str) -> Row[Any]:
    """Return the order's row with its follow-up; raises UnknownOrder."""
    found = await connection.execute(
        select(tables.orders.c.body.label("order"), tables.orders.c.terms, tables.follow_ups)
        .join(tables.follow_ups, tables.follow_ups.c.order_no == tables.orders.c.order_no)
        .where(tables.orders.c.order_no == order_no)
    )
    row = found.first()
    if row is None:
        raise UnknownOrder(order_no)
    return row


async def assemble(connection: AsyncConnection, row: Row[Any]) -> OrderFile:
    """
    Put the file of an order together from its row, its log and its messages: two queries.

    Its terms and the calendars in force are read with its log, not with its row: who takes the order's `wanted` back
    before this sees whatever had set it.
    """
    entries = tables.entries
    known = select(tables.orders.c.terms, LATEST_LIST).where(tables.orders.c.order_no == row.order_no).subquery("known")
    found = await connection.execute(
        select(known.c.terms, known.c.latest_list, entries.c.seq, entries.c.body)
        .select_from(known.outerjoin(entries, entries.c.order_no == row.order_no))
        .order_by(entries.c.seq)
    )
    log = found.all()  # one line without an entry where the log is empty
    claims = await connection.execute(
        select(tables.messages.c.milestone, tables.messages.c.rung, tables.messages.c.due).where(
            tables.messages.c.order_no == row.order_no
        )
    )
    return file_of(
        row,
        await find_terms(connection, log[0].terms),
        await calendars_as_of(connection, log[0].latest_list),
        [(entry.seq, entry.body) for entry in log if entry.seq is not None],
        claims.all(),
    )


def file_of(
    row: Row[Any],
    terms: Terms,
    calendars: Calendars,
    log: Iterable[tuple[int, Mapping[str, Any]]],
    claims: Iterable[Sequence[Any]],
) -> OrderFile:
    """Put the file of an order together from a row like that of `read_order`, its log and its claims."""
    return OrderFile(
        order=Order.model_validate(row.order),
        template=terms.template,
        ladder=terms.ladder,
        calendars=calendars,
        entries=tuple(ENTRY.validate_python({**body, "seq": seq}) for seq, body in log),
        claimed=frozenset(Claim(*claim) for claim in claims),
        shown=row.shown,
        closed_as=OrderState(row.closed_as) if row.closed_as else None,
    )


async def open_file(order_no: str) -> tuple[OrderFile, FollowUp]:
    """Read an order's file and follow-up, changing nothing."""
    async with transaction() as connection:
        row = await read_order(connection, order_no)
        return await assemble(connection, row), follow_up_of(row)


def follow_up_of(row: Row[Any]) -> FollowUp:
    """Return the follow-up in a row of `read_order`."""
    return FollowUp(
        order_no=row.order_no,
        flow_run_id=row.flow_run_id,
        generation=row.generation,
        wakes=row.wakes,
        clock=row.clock,
        page=row.page,
    )


@dataclass(frozen=True)
class OrderLine:
    """One line of the order list."""

    order_no: str
    customer: str
    state: str
    waits_for: str
    next_wake_up: datetime | None


async def list_orders(*, states: Sequence[str] = (), customer: str = "", limit: int = 1000) -> list[OrderLine]:
    """Return the orders by number, at most `limit`; `states` and `customer` narrow it down."""
    follow_ups = tables.follow_ups
    query = (
        select(
            follow_ups.c.order_no,
            tables.orders.c.customer,
            follow_ups.c.state,
            follow_ups.c.waits_for,
            follow_ups.c.next_wake_up,
        )
        .join(tables.orders, tables.orders.c.order_no == follow_ups.c.order_no)
        .order_by(follow_ups.c.order_no)
        .limit(limit)
    )
    if states:
        query = query.where(follow_ups.c.state.in_(states))
    if customer:
        query = query.where(tables.orders.c.customer == customer)
    async with transaction() as connection:
        return [OrderLine(*row) for row in await connection.execute(query)]
