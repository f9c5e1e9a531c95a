"""What the watch does every minute when a thousand, ten thousand, a hundred thousand orders are open, none due."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, take_in
from bench.figures import Figure, Spread
from bench.latency import waits_again
from bench.open_orders import open_orders
from bench.scene import Scene
from flows.keep_watch import MESSAGES_AT_ONCE, ORDERS_AT_ONCE
from tasks.clock import now
from tasks.database import engine
from tasks.deliveries import deliver_waiting
from tasks.dispatch import dispatch
from tasks.lifeline import WATCH
from tasks.waking import wake_due
from tasks.watching import COUNTED_A_MINUTE, MissingRuns, mend_ended, mend_missing, mend_stuck

NAME = "watch"
MOST_QUERIES = 12
ROUNDS = 5
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (100, 1_000)
LATENCY_AT = 10_000
MOST_TIMES_SLOWER = 2.0
"""A hundred times as many orders may make a round so many times slower; and as much more what comparing adds to it."""


async def measure(scene: Scene) -> list[Figure]:
    """
    Measure rounds of the watch, first over the orders that are there, then over ever more.

    The added orders are rows in Gendan's tables with rows of their own in Prefect's, so that both count alike.
    """
    (real,) = order_numbers("WATCH", 1)
    await take_in([real], chain(FIVE))
    await all_asleep([real])
    sizes = QUICK_SIZES if scene.quick else SIZES
    few = await rounds(scene)
    figures: list[Figure] = []
    by_size: dict[int, float] = {}
    for count in sizes:
        before = _threads(scene)
        async with open_orders(scene, f"OPEN-{count}", count):
            many, compared = await rounds(scene), await _comparisons(scene)
            added = _threads(scene) - before
            latency = await waits_again(scene, real) if count == LATENCY_AT else None
        # up to COUNTED_A_MINUTE, orders are compared in each round, and it has been measured with it
        left_out = max(many["queries"]) < max(few["queries"])
        share = statistics.median(compared) / _every(count) if left_out else 0.0
        by_size[count] = statistics.median(many["seconds"]) + share
        scene.say(f"watch: {count:,} open orders, {by_size[count]:.3f} s a round")
        figures += _figures(count, many, few, compared, added)
        if latency is not None:
            figures.append(
                Figure(NAME, f"report to next wait, with {count:,} more orders open", "s", Spread.of(latency))
            )
    least, most = sizes[0], sizes[-1]
    figures.append(
        Figure(
            NAME,
            f"a round and its share of comparing, {most:,} orders open against {least:,}",
            "x",
            Spread.of([by_size[most] / by_size[least]]),
            target=f"<= {MOST_TIMES_SLOWER:.0f}",
            met=by_size[most] / by_size[least] <= MOST_TIMES_SLOWER,
        )
    )
    return figures


def _every(count: int) -> int:
    """Return in how many minutes, and so rounds, so many orders are compared with their runs once."""
    return max(1, (count - 1) // COUNTED_A_MINUTE)


async def _comparisons(scene: Scene) -> list[float]:
    took = []
    async with scene.client() as client:
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            if missing := await mend_missing(client):
                raise RuntimeError(f"{missing} orders had no run while the idle watch was measured.")
            took.append(time.perf_counter() - begun)
    return took


def _figures(
    count: int, many: dict[str, list[float]], few: dict[str, list[float]], compared: list[float], added: int
) -> list[Figure]:
    return [
        Figure(
            NAME,
            f"queries of a round, {count:,} orders open and none due",
            "queries",
            Spread.of(many["queries"]),
            target=f"<= {MOST_QUERIES}, as with few orders",
            met=max(many["queries"]) <= MOST_QUERIES and max(many["queries"]) <= max(few["queries"]),
        ),
        Figure(
            NAME,
            f"duration of a round, {count:,} orders open",
            "s",
            Spread.of(many["seconds"]),
            note=f"with few orders: {statistics.median(few['seconds']):.3f} s",
        ),
        Figure(NAME, f"calls of a round to Prefect's server, {count:,} orders open", "calls", Spread.of(many["calls"])),
        Figure(
            NAME,
            f"comparing {count:,} open orders with their runs, every {_every(count)} min",
            "s",
            Spread.of(compared),
        ),
        Figure(
            NAME,
            f"threads and processes that {count:,} more open orders add",
            "",
            Spread.of([added]),
            target="none",
            met=added <= 0,
        ),
    ]


async def rounds(scene: Scene) -> dict[str, list[float]]:
    """
    Do rounds as the flow does them, its functions in its order; return queries, seconds and calls of each.

    The flow's own run would be measured with it.
    """
    measured: dict[str, list[float]] = {"queries": [], "seconds": [], "calls": []}
    missing = MissingRuns()
    async with scene.client() as client:
        for warm in (False, *[True] * ROUNDS):
            calls = scene.calls()
            with counted_queries(engine().sync_engine) as queries:
                begun = time.perf_counter()
                await mend_stuck(client)
                await mend_ended(client)
                await missing.mend(client, now())
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
