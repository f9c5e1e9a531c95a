"""How many single reports a second are recorded, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import durable
from bench.bench_orders import SIXTY, chain, order_numbers, take_in, tell
from bench.figures import Figure, Spread
from bench.scene import Scene
from gendan.embedded import EmbeddedPostgres
from tasks import database
from tasks.schema import migrate

NAME = "reports"
TARGET = 300.0
CONNECTIONS = 8


async def measure(scene: Scene) -> list[Figure]:
    """
    Record thousands of reports from eight connections.

    Once in a Gendan at work, whose worker wakes the orders at the same time; once in an order book alone, which
    says how much of the rate is the database's.
    """
    # First, on an idle system: what ours leaves to be woken would be measured with it.
    orders, steps = _how_many(scene)
    dbos = await durable.rate(scene, orders=orders, steps=steps, milestones=SIXTY, connections=CONNECTIONS)
    scene.say(f"reports: {dbos:.0f} a second to DBOS")
    at_work = await _rate(scene, "REPORTS")
    scene.say(f"reports: {at_work:.0f} a second while the worker wakes their orders")
    async with _order_book_alone():
        alone = await _rate(scene, "ALONE")
    return [
        Figure(
            NAME,
            f"single reports from {CONNECTIONS} connections, each committed, while the worker wakes their orders",
            "reports/s",
            Spread.of([at_work]),
            dbos=Spread.of([dbos]),
            dbos_ratio=at_work / dbos,
            target=f">= {TARGET:.0f}",
            met=at_work >= TARGET,
        ),
        Figure(
            NAME,
            "the same into an order book alone, no worker and no Prefect beside it",
            "reports/s",
            Spread.of([alone]),
        ),
    ]


def _how_many(scene: Scene) -> tuple[int, int]:
    """Return how many orders have how many reports each."""
    return (40, 5) if scene.quick else (200, 12)


async def _rate(scene: Scene, series: str) -> float:
    count, steps = _how_many(scene)
    orders = order_numbers(series, count)
    await take_in(orders, chain(SIXTY), wake=False)
    told = iter([(order_no, step) for step in range(1, steps + 1) for order_no in orders])

    async def one_after_the_other() -> None:
        for order_no, step in told:
            await tell(order_no, step)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one_after_the_other())
    return len(orders) * steps / (time.perf_counter() - begun)


@asynccontextmanager
async def _order_book_alone() -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="gendan-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres", log=Path(folder) / "postgres.log")
        before = os.environ[database.URL]
        await asyncio.to_thread(postgres.start)
        try:
            await asyncio.to_thread(postgres.ensure_databases, "gendan")
            os.environ[database.URL] = postgres.url("gendan")
            await asyncio.to_thread(migrate, postgres.url("gendan"))
            yield
        finally:
            await database.close()
            os.environ[database.URL] = before
            await asyncio.to_thread(postgres.stop)
