"""The order book: taking orders in, opening an order's file, finding what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.accepting.letters import unprintable
from models.book.entry import ENTRY
from models.book.order import Order, OrderState
from models.book.order_file import OrderFile
from models.errors import DuplicateOrder, UnknownOrder
from models.planning.plan import Calendars
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.calendar_lists import LATEST_LIST, calendars_as_of, calendars_in_force
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, notify, transaction
from tasks.said import Said, read_said
from tasks.terms import Terms, find_all_terms, find_terms, keep_terms


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
    order: Order, template: Template, policy: Policy, *, clock: datetime | None = None, wake: bool = True
) -> bool:
    """
    Take an order in; its follow-up starts at once. Return False if it is there already, unchanged.

    `clock` gives the order a virtual clock; without `wake` it waits until somebody moves it. Raises DuplicateOrder
    for a number that is taken by another order.
    """
    async with transaction() as connection:
        if await add_order(connection, order, template, policy, clock=clock, wake=wake):
            return True
        row = await connection.execute(select(tables.orders).where(tables.orders.c.order_no == order.order_no))
        there = Order.model_validate(row.one().body)
        if there.model_copy(update={"came_in": order.came_in}) != order:
            raise DuplicateOrder(order.order_no)
        return False


async def add_order(
    connection: AsyncConnection, order: Order, template: Template, policy: Policy, *, clock: datetime | None, wake: bool
) -> bool:
    """Put an order into the book within a transaction; return False if its number is taken, and nothing was added."""
    added = await connection.execute(
        insert(tables.orders)
        .values(
            order_no=order.order_no,
            terms=await keep_terms(connection, template, policy),
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


async def read_order(connection: AsyncConnection, order_no: str) -> Row[Any]:
    """Return the order's row with its follow-up; raises UnknownOrder."""
    if unprintable(order_no):
        # PostgreSQL takes no such text, not even to look for it
        raise UnknownOrder(order_no)
    found = await connection.execute(_rows().where(tables.orders.c.order_no == order_no))
    row = found.first()
    if row is None:
        raise UnknownOrder(order_no)
    return row


def _rows() -> Select[Any]:
    return select(tables.orders.c.body.label("order"), tables.orders.c.terms, tables.follow_ups).join(
        tables.follow_ups, tables.follow_ups.c.order_no == tables.orders.c.order_no
    )


async def assemble(connection: AsyncConnection, row: Row[Any]) -> OrderFile:
    """
    Put the file of an order together from its row, its log and what was said of it: three queries.

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
    said = await read_said(connection, [row.order_no])
    return file_of(
        row,
        await find_terms(connection, log[0].terms),
        await calendars_as_of(connection, log[0].latest_list),
        [(entry.seq, entry.body) for entry in log if entry.seq is not None],
        said[row.order_no],
    )


def file_of(
    row: Row[Any],
    terms: Terms,
    calendars: Calendars,
    log: Iterable[tuple[int, Mapping[str, Any]]],
    said: Said,
) -> OrderFile:
    """Put the file of an order together from a row like that of `read_order`, its log and what was said."""
    return OrderFile(
        order=Order.model_validate(row.order),
        template=terms.template,
        policy=terms.policy,
        calendars=calendars,
        entries=tuple(ENTRY.validate_python({**body, "seq": seq}) for seq, body in log),
        claimed=said.claimed,
        standing_claims=said.holding,
        chases=said.chases,
        shown=row.shown,
        closed_as=OrderState(row.closed_as) if row.closed_as else None,
    )


async def open_files(order_nos: Sequence[str]) -> dict[str, tuple[OrderFile, FollowUp]]:
    """Read the files and follow-ups of many orders, changing nothing: the same few queries however many they are."""
    async with transaction() as connection:
        found = await connection.execute(_rows().where(tables.orders.c.order_no.in_(order_nos)))
        rows = found.all()
        calendars = await calendars_in_force(connection)
        opened = await file_openers(connection, rows, calendars)
    return {row.order_no: (opened[row.order_no](), follow_up_of(row)) for row in rows}


async def file_openers(
    connection: AsyncConnection, rows: Sequence[Row[Any]], calendars: Calendars
) -> dict[str, Callable[[], OrderFile]]:
    """Return what opens the file of each of these orders (rows like that of `read_order`): four queries."""
    numbers = [row.order_no for row in rows]
    terms = await find_all_terms(connection, {row.terms for row in rows})
    logs = await _logs(connection, numbers)
    said = await read_said(connection, numbers)
    return {
        row.order_no: partial(file_of, row, terms[row.terms], calendars, logs[row.order_no], said[row.order_no])
        for row in rows
    }


async def _logs(connection: AsyncConnection, order_nos: Sequence[str]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    entries = tables.entries.c
    found = await connection.execute(
        select(entries.order_no, entries.seq, entries.body)
        .where(entries.order_no.in_(order_nos))
        .order_by(entries.order_no, entries.seq)
    )
    logs: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for row in found:
        logs[row.order_no].append((row.seq, row.body))
    return logs


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
