"""What the watch does every minute when ten thousand orders are open and none of them is due."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, delete, event, insert, select, text

from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, runs_of, take_in
from bench.figures import Figure, Spread
from bench.latency import waits_again
from bench.scene import Scene
from flows.keep_watch import MESSAGES_AT_ONCE, ORDERS_AT_ONCE
from models import tables
from models.book.order import OrderState
from tasks.clock import now
from tasks.database import engine, transaction
from tasks.deliveries import deliver_waiting
from tasks.dispatch import dispatch
from tasks.lifeline import WATCH
from tasks.waking import wake_due
from tasks.watching import mend_ended, mend_missing, mend_stuck

NAME = "watch"
MOST_QUERIES = 12
ROUNDS = 5
BATCH = 1000


async def measure(scene: Scene) -> list[Figure]:
    """
    Measure rounds of the watch, first over the orders that are there, then over thousands more.

    The added orders are rows in Gendan's tables with rows of their own in Prefect's, so that both count alike.
    """
    count = 1_000 if scene.quick else 10_000
    real = order_numbers("WATCH", 2)
    await take_in(real, chain(FIVE))
    await all_asleep(real)
    pattern = (await runs_of(real))[real[0]]
    few = await rounds(scene)
    before = _threads(scene)
    added = await _add_orders(scene, real[0], pattern, count)
    try:
        many = await rounds(scene)
        after = _threads(scene)
        latency = await waits_again(scene, real[1])
    finally:
        await _take_away(scene, added)
    return [
        Figure(
            NAME,
            f"queries of a round, {count:,} orders open and none due",
            "queries",
            Spread.of(many["queries"]),
            target=f"<= {MOST_QUERIES}, as with {len(real)} orders",
            met=max(many["queries"]) <= MOST_QUERIES and max(many["queries"]) == max(few["queries"]),
        ),
        Figure(
            NAME,
            "duration of a round",
            "s",
            Spread.of(many["seconds"]),
            note=f"with few orders: {statistics.median(few['seconds']):.3f} s",
        ),
        Figure(NAME, "calls of a round to Prefect's server", "calls", Spread.of(many["calls"])),
        Figure(
            NAME,
            f"threads and processes that {count:,} more open orders add",
            "",
            Spread.of([after - before]),
            target="none",
            met=after <= before,
        ),
        Figure(NAME, f"report to next wait, with {count:,} more orders open", "s", Spread.of(latency)),
    ]


async def rounds(scene: Scene) -> dict[str, list[float]]:
    """
    Do rounds as the flow does them, its functions in its order; return queries, seconds and calls of each.

    The flow's own run would be measured with it.
    """
    measured: dict[str, list[float]] = {"queries": [], "seconds": [], "calls": []}
    async with scene.client() as client:
        for warm in (False, *[True] * ROUNDS):
            calls = scene.calls()
            with counted_queries(engine().sync_engine) as queries:
                begun = time.perf_counter()
                await mend_stuck(client)
                await mend_ended(client)
                await mend_missing(client)
                woken = await wake_due(client, WATCH, ORDERS_AT_ONCE)
                await dispatch()
                await deliver_waiting(MESSAGES_AT_ONCE)
                seconds = time.perf_counter() - begun
            if woken:
                raise RuntimeError(f"{woken} orders were due while the idle watch was measured.")
            if warm:  # the first round reads the deployment's id and fills the pool of connections
                measured["queries"].append(len(queries))
                measured["seconds"].append(seconds)
                measured["calls"].append(calls.seen().total())
    return measured


@contextmanager
def counted_queries(sync_engine: Engine) -> Iterator[list[str]]:
    """Collect the SQL statements that are executed in a block."""
    statements: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(sync_engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(sync_engine, "before_cursor_execute", hear)


def _threads(scene: Scene) -> int:
    """Count the threads of the worker and of the server, and of the processes that they have started."""
    return sum(
        process.num_threads()
        for parent in (scene.process("worker"), scene.process("server"))
        for process in (parent, *parent.children(recursive=True))
    )


async def _add_orders(scene: Scene, order_no: str, run: UUID, count: int) -> dict[str, UUID]:
    added = {number: uuid4() for number in order_numbers("OPEN", count)}
    # Prefect's rows first: an order without a run would be mended by the watch that Gendan runs itself.
    await scene.prefect.copy_run(run, list(added.values()))
    async with transaction() as connection:
        order = (await connection.execute(select(tables.orders).where(tables.orders.c.order_no == order_no))).one()
        numbers = list(added)
        for begin in range(0, count, BATCH):
            batch = numbers[begin : begin + BATCH]
            await connection.execute(
                insert(tables.orders),
                [
                    {"order_no": n, "terms": order.terms, "customer": "Bench", "body": _body(order.body, n)}
                    for n in batch
                ],
            )
            await connection.execute(insert(tables.follow_ups), [_follow_up(n, added[n]) for n in batch])
        # autovacuum would do it within a minute; the measurement does not wait for it
        await connection.execute(text("ANALYZE follow_ups"))
    return added


def _body(body: dict[str, Any], order_no: str) -> dict[str, Any]:
    return {**body, "order_no": order_no}


def _follow_up(order_no: str, run: UUID) -> dict[str, Any]:
    return {
        "order_no": order_no,
        "state": OrderState.OPEN.value,
        "flow_run_id": run,
        "generation": 1,
        "wakes": 1,
        "next_wake_up": now() + timedelta(days=30),
    }


async def _take_away(scene: Scene, added: dict[str, UUID]) -> None:
    numbers: Sequence[str] = list(added)
    async with transaction() as connection:
        for table in (tables.follow_ups, tables.orders):
            await connection.execute(delete(table).where(table.c.order_no.in_(numbers)))
    await scene.prefect.delete_runs(list(added.values()))
