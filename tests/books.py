"""Order books for the tests: orders placed in a real database, and everything that its tables hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import make_url

from models.book.order import Order
from models.book.order_file import OrderFile
from models.book.report import Report
from models.decide import Tell, decide
from models.terms.template import Template
from tasks import database
from tasks.clock import now
from tasks.follow_ups import take_due
from tasks.library import library
from tasks.logbook import Placed
from tasks.orders import open_file, register
from tests.factories import an_order

T = TypeVar("T")

TABLES = (
    "terms",
    "orders",
    "entries",
    "calendar_lists",
    "follow_ups",
    "notices",
    "chases",
    "messages",
    "message_notices",
    "deliveries",
    "channels",
)

Contents = dict[str, list[tuple[Any, ...]]]


def days_ago(days: float) -> datetime:
    """Return an instant by the clock on the wall: what is recorded is checked against it."""
    return now() - timedelta(days=days)


def a_real_order(order_no: str = "SO-26-0417", **changes: Any) -> Order:
    """Build an order that was placed ten days ago and sails in three weeks."""
    fields: dict[str, Any] = {
        "placed_at": days_ago(10),
        "came_in": days_ago(10),
        "etd": days_ago(-20).date(),
        "quantity": 3600,
    }
    return an_order(order_no=order_no, **(fields | changes))


async def place(order: Order | None = None, template: str | Template = "EAD", **how: Any) -> Order:
    """Take an order into the book."""
    order = order or a_real_order()
    shelf = library()
    chosen = shelf.templates[template] if isinstance(template, str) else template
    await register(order, chosen, shelf.policies[chosen.policy], **how)
    return order


async def place_all(numbers: int) -> list[str]:
    """Take so many orders in, and return their numbers."""
    orders = [await place(a_real_order(f"SO-{number:04}")) for number in range(numbers)]
    return [order.order_no for order in orders]


async def all_asleep() -> None:
    """Take every order that is due, so that none is wanted, and leave them asleep without a next wake-up."""
    await run("UPDATE follow_ups SET wanted = false, awake_since = NULL, next_wake_up = NULL")


async def run(statement: str, *values: Any) -> None:
    """Change the book behind everybody's back, as time passing or a killed process would."""
    from tasks.database import transaction

    async with transaction() as connection:
        await connection.exec_driver_sql(statement, values or None)


async def due() -> list[str]:
    """Return the orders that would be woken now, and take them."""
    return sorted(woken.order_no for woken in await take_due(1000, "a test"))


def happened(milestone: str = "ORD_RCVD", **changes: Any) -> Any:
    """Return what makes a report that a milestone happened nine days ago, known now."""

    def make(placed: Placed | OrderFile, present: datetime | None = None) -> Report:
        fields: dict[str, Any] = {
            "milestone": milestone,
            "occurred_at": days_ago(9),
            "recorded_at": present or now(),
        }
        return Report(**(fields | changes))

    return make


async def to_be_said(order_no: str, days: float = 25) -> tuple[OrderFile, datetime, list[Tell]]:
    """Return an order's file, a moment so many days ahead, and what would be said then."""
    file, _ = await open_file(order_no)
    moment = now() + timedelta(days=days)
    return file, moment, [step for step in decide(file, moment) if isinstance(step, Tell)]


def contents(url: str) -> Contents:
    """Return all that is in the book, table by table; with a `+psycopg` URL or without."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        return {
            table: sorted(
                (row for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))),
            )
            for table in TABLES
        }


def counts(url: str) -> dict[str, int]:
    """Return how many rows each table of the book has."""
    return {table: len(rows) for table, rows in contents(url).items()}


def at(instant: datetime) -> str:
    """Write an instant as people type it."""
    return instant.astimezone(UTC).isoformat(timespec="seconds")


@contextmanager
def queries() -> Iterator[list[str]]:
    """Collect what is asked of the database in a block."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    engine = database.engine().sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def in_the_book(work: Callable[[], Awaitable[T]]) -> T:
    """Do something with the order book between two commands, each of which has an event loop of its own."""

    async def do() -> T:
        try:
            return await work()
        finally:
            await database.close()

    return asyncio.run(do())
