"""Five hundred reports in ten seconds, into a Gendan as it comes: nothing lost, nothing refused, nobody left behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from sqlalchemy import func, select, text

from bench.bench_orders import SIXTY, all_asleep, chain, order_numbers, take_in, tell
from bench.figures import Figure, Spread
from bench.held import Held
from bench.scene import Scene
from models import tables
from models.errors import GendanError
from tasks.database import transaction

NAME = "report burst"
ORDERS, REPORTS, SECONDS = 200, 500, 10.0
LOOK = 0.2
"""Seconds between two looks at the memory of the processes."""
MIB = 1024 * 1024


async def measure(scene: Scene) -> list[Figure]:
    """
    Report as people and feeds do, each report in a transaction of its own, at an even pace.

    What a reporter sees as an error is counted, not tried again. Then every order must have moved on to the step after
    the last one that was reported of it.
    """
    orders, reports = (20, 50) if scene.quick else (ORDERS, REPORTS)
    order_nos = order_numbers("REPORTED", orders)
    await take_in(order_nos, chain(SIXTY))
    await all_asleep(order_nos)
    told = [(order_nos[number % orders], number // orders + 1) for number in range(reports)]
    processes = {name: scene.process(name) for name in ("postgres", "server", "worker")}
    largest = dict.fromkeys(processes, 0)
    watching = asyncio.create_task(_keep_largest(processes, largest))
    errors: list[str] = []
    took: list[float] = []
    begun = time.monotonic()

    async def report(number: int, order_no: str, step: int) -> None:
        await asyncio.sleep(max(0.0, begun + SECONDS * number / reports - time.monotonic()))
        sent = time.monotonic()
        try:
            await tell(order_no, step)
        except GendanError as error:
            errors.append(f"{order_no}: {error}")
        took.append(time.monotonic() - sent)

    await asyncio.gather(*(report(number, *one) for number, one in enumerate(told)))
    all_told = time.monotonic() - begun
    await all_asleep(order_nos)
    all_moved = time.monotonic() - begun
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    recorded, moved = await _recorded(order_nos), await _moved(dict(told))
    scene.say(f"report burst: {recorded} recorded, {moved} orders moved on after {all_moved:.1f} s, {errors[:3]}")
    took.sort()
    return [
        Figure(
            NAME,
            f"reports recorded of {reports}, told in {all_told:.1f} s",
            "reports",
            Spread.of([recorded]),
            target="all",
            met=recorded == reports,
        ),
        Figure(NAME, "errors that reporters saw", "", Spread.of([len(errors)]), target="none", met=not errors),
        Figure(
            NAME, "a report, p50 and p95 of them", "s", Spread.of([took[len(took) // 2], took[len(took) * 95 // 100]])
        ),
        Figure(
            NAME,
            f"orders moved on of {orders}",
            "orders",
            Spread.of([moved]),
            target="all",
            met=moved == orders,
            note=f"the last rests {all_moved:.1f} s after the first report",
        ),
        *(
            Figure(NAME, f"most private memory (USS) of {name}", "MiB", Spread.of([value / MIB]))
            for name, value in largest.items()
        ),
        *(
            Figure(NAME, f"on the disk: {what}", "MiB", Spread.of([value / MIB]))
            for what, value in (await _on_the_disk(scene)).items()
        ),
    ]


async def _recorded(order_nos: list[str]) -> int:
    rows = tables.entries.c
    async with transaction() as connection:
        counted = await connection.execute(
            select(func.count()).where(rows.order_no.in_(order_nos), rows.kind == "report")
        )
        return int(counted.scalar_one())


async def _moved(last: Mapping[str, int]) -> int:
    """Count the orders that wait for the step after the last one that was told of them."""
    rows = tables.follow_ups.c
    async with transaction() as connection:
        found = await connection.execute(select(rows.order_no, rows.shown).where(rows.order_no.in_(list(last))))
        return sum(f"STEP_{last[row.order_no] + 1:02d}" in row.shown for row in found)


async def _keep_largest(processes: Mapping[str, psutil.Process], largest: dict[str, int]) -> None:
    while True:
        for name, process in processes.items():
            largest[name] = max(largest[name], (await asyncio.to_thread(Held.by, process)).uss)
        await asyncio.sleep(LOOK)


async def _on_the_disk(scene: Scene) -> dict[str, int]:
    async with transaction() as connection:
        ours = (await connection.execute(text("SELECT pg_database_size(current_database())"))).scalar_one()
    house = scene.house
    return {
        "the order book": int(ours),
        "Prefect's database": await scene.prefect.size(),
        "postgres/ in all, with its write-ahead log": _size(house.postgres),
        **{f"log of {name}": _size(house.log(name)) for name in ("postgres", "server", "worker")},
    }


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total
