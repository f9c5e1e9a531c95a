"""What ten thousand open orders cost while nothing happens to them: processor, memory, disk."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psutil
from sqlalchemy import text

from bench.bench_orders import SIXTY, all_asleep, chain, order_numbers, take_in, tell
from bench.figures import Figure, Spread
from bench.held import Held
from bench.open_orders import open_orders
from bench.scene import Scene
from tasks.database import transaction

NAME = "idle"
MINUTES = 10
SETTLE = 30.0
"""Seconds of rest before the processor is looked at: the rows were just written."""
MOST_CPU = 5.0
"""Percent of one core that server, worker and the watch in it may use together."""
MOST_GROWTH = 5.0
"""Percent by which the memory of a process may grow meanwhile."""
WAKE_UPS = 200
KIB, MIB = 1024, 1024 * 1024


async def measure(scene: Scene) -> list[Figure]:
    """
    Watch the processes of a Gendan at rest for ten minutes, with ten thousand orders open.

    The scheduled watch goes round each minute in the worker's process, and is part of it. PostgreSQL stands beside: it
    is the operator's own on several machines. Processor seconds are the operating system's own account.
    """
    count, minutes = (1_000, 1) if scene.quick else (10_000, MINUTES)
    before = await _sizes(scene)
    async with open_orders(scene, "IDLE", count) as orders:
        each = (await _sizes(scene) - before) / len(orders)
        await asyncio.sleep(SETTLE)
        processes = {name: scene.process(name) for name in ("server", "worker", "postgres")}
        began, first = time.monotonic(), {name: _cpu(process) for name, process in processes.items()}
        memory = {name: [Held.by(process).uss] for name, process in processes.items()}
        for minute in range(minutes):
            await asyncio.sleep(began + 60 * (minute + 1) - time.monotonic())
            for name, process in processes.items():
                memory[name].append(Held.by(process).uss)
        seconds = time.monotonic() - began
        percent = {name: 100 * (_cpu(process) - first[name]) / seconds for name, process in processes.items()}
    ours = percent["server"] + percent["worker"]
    scene.say(f"idle: {', '.join(f'{name} {value:.2f} %' for name, value in percent.items())}")
    wake_up = await _bytes_of_a_wake_up(scene)
    return [
        Figure(
            NAME,
            f"server, worker and watch with {count:,} open orders at rest, {minutes} min",
            "% of a core",
            Spread.of([ours]),
            target=f"< {MOST_CPU:.0f}",
            met=ours < MOST_CPU,
            note=f"server {percent['server']:.2f}, worker with the watch {percent['worker']:.2f}",
        ),
        Figure(NAME, "PostgreSQL beside them, all its processes", "% of a core", Spread.of([percent["postgres"]])),
        *(_flat(name, seen) for name, seen in memory.items()),
        Figure(NAME, "both databases, for each order that waits", "KiB", Spread.of([each / KIB])),
        Figure(NAME, "both databases, for each wake-up that changes a milestone", "KiB", Spread.of([wake_up / KIB])),
    ]


def _flat(name: str, seen: list[int]) -> Figure:
    # The first look may fall before a cache is filled; what leaks goes on growing after it.
    growth = 100 * (seen[-1] - seen[1]) / seen[1] if len(seen) > 2 else 0.0
    return Figure(
        NAME,
        f"private memory (USS) of {name}, each minute",
        "MiB",
        Spread.of([one / MIB for one in seen]),
        target=f"grows <= {MOST_GROWTH:.0f} %",
        met=growth <= MOST_GROWTH,
        note=f"{growth:+.1f} % after the first minute",
    )


def _cpu(process: psutil.Process) -> float:
    """Return the processor seconds of a process and of all that it has started and that is alive or was waited for."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    times = process.cpu_times()
    return total + times.children_user + times.children_system


async def _sizes(scene: Scene) -> int:
    async with transaction() as connection:
        await connection.execute(text("SELECT pg_stat_force_next_flush()"))
        ours = (await connection.execute(text("SELECT pg_database_size(current_database())"))).scalar_one()
    return int(ours) + await scene.prefect.size()


async def _bytes_of_a_wake_up(scene: Scene) -> float:
    """Return by how many bytes both databases grow with a wake-up that closes a milestone and opens the next."""
    orders = order_numbers("IDLE-GROWS", 2 if scene.quick else WAKE_UPS // 20)
    await take_in(orders, chain(SIXTY))
    await all_asleep(orders)
    before = await _sizes(scene)
    steps = 20
    for step in range(1, steps + 1):
        for order_no in orders:
            await tell(order_no, step)
        await all_asleep(orders)
    return (await _sizes(scene) - before) / (len(orders) * steps)
