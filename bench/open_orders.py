"""Thousands of open orders that nobody has to wait for: copies of one that is followed, in both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, text

from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, runs_of, take_in
from bench.scene import Scene
from models import tables
from tasks.clock import now
from tasks.database import transaction

BATCH = 1000


@asynccontextmanager
async def open_orders(scene: Scene, series: str, count: int) -> AsyncIterator[list[str]]:
    """
    Have `count` more open orders for the length of a block, none of them due; gives their numbers.

    Each is a row in Gendan's tables with its log, and a run with its bars, states and form in Prefect's, copied from an
    order that is followed: both sides count alike.
    """
    (pattern,) = order_numbers(f"{series}-PATTERN", 1)
    await take_in([pattern], chain(FIVE))
    await all_asleep([pattern])
    run = (await runs_of([pattern]))[pattern]
    added = {number: uuid4() for number in order_numbers(series, count)}
    # Prefect's rows first: an order without a run would be mended by the watch that Gendan runs itself.
    await scene.prefect.copy_run(run, list(added.values()))
    await _copy_order(pattern, added)
    try:
        yield list(added)
    finally:
        await _take_away(list(added))
        await scene.prefect.delete_runs(list(added.values()))


async def _copy_order(pattern: str, copies: dict[str, UUID]) -> None:
    orders, entries, follow_ups = tables.orders, tables.entries, tables.follow_ups
    numbers = list(copies)
    async with transaction() as connection:
        order = (await connection.execute(select(orders).where(orders.c.order_no == pattern))).one()
        log = (await connection.execute(select(entries).where(entries.c.order_no == pattern))).all()
        follow_up = (await connection.execute(select(follow_ups).where(follow_ups.c.order_no == pattern))).one()
        waits = {
            name: value
            for name, value in follow_up._mapping.items()
            if name not in ("order_no", "flow_run_id", "next_wake_up")
        }
        for begin in range(0, len(numbers), BATCH):
            batch = numbers[begin : begin + BATCH]
            await connection.execute(
                insert(orders),
                [
                    {"order_no": n, "terms": order.terms, "customer": "Bench", "body": {**order.body, "order_no": n}}
                    for n in batch
                ],
            )
            copied = [_entry(entry, number) for number in batch for entry in log]
            if copied:
                await connection.execute(insert(entries), copied)
            await connection.execute(
                insert(follow_ups),
                [
                    {**waits, "order_no": n, "flow_run_id": copies[n], "next_wake_up": now() + timedelta(days=30)}
                    for n in batch
                ],
            )
        # autovacuum would do it within a minute; the measurement does not wait for it
        await connection.execute(text("ANALYZE follow_ups"))


def _entry(entry: Any, order_no: str) -> dict[str, Any]:
    copied = {name: value for name, value in entry._mapping.items() if name != "seq"}
    event = f"{order_no}/{entry.source_event_id}" if entry.source_event_id else ""
    return {**copied, "order_no": order_no, "source_event_id": event}


async def _take_away(numbers: list[str]) -> None:
    async with transaction() as connection:
        await connection.execute(text("ALTER TABLE entries DISABLE TRIGGER USER"))  # the log refuses to be shortened
        for begin in range(0, len(numbers), BATCH):
            for table in (tables.entries, tables.follow_ups, tables.orders):
                await connection.execute(delete(table).where(table.c.order_no.in_(numbers[begin : begin + BATCH])))
        await connection.execute(text("ALTER TABLE entries ENABLE TRIGGER USER"))
