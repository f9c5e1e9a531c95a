"""What an order costs while it waits, and how a DBOS process does with the same orders."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

import psutil
from prefect import Flow
from sqlalchemy import select

from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, take_in
from bench.dbos_form import dbos_form
from bench.figures import Figure, Spread, short
from bench.held import Held
from bench.paused_order import hold_order_plainly
from bench.plain import plain_worker, start_plain
from bench.plain_order import follow_order_plainly
from bench.scene import Scene
from models import tables
from tasks.database import transaction

NAME = "dbos"
KIB = 1024
SETTLE = 5.0
"""Seconds of rest before memory is read."""
BETWEEN = 1.0
"""Seconds of rest between two samples of latency."""
PROCESSES_END = 60.0
"""Seconds within which the processes of suspended runs have ended."""
POLL = 2.0
"""Seconds between two looks of the plain worker for work: how often does not matter to what waits."""


@dataclass(frozen=True)
class Added:
    """What so many waiting orders added."""

    held: Held
    orders: int

    def uss(self) -> Spread:
        """Return the private memory of one order in KiB."""
        return Spread.of([self.held.uss / KIB / self.orders])

    def threads(self) -> Spread:
        """Return the threads for each order."""
        return Spread.of([self.held.threads / self.orders])

    def __str__(self) -> str:
        """Say what the table has no column for."""
        rss = short(self.held.rss / KIB / self.orders)
        return f"{self.orders} orders: {self.held.processes:+} processes, {self.held.threads:+} threads, {rss} KiB RSS"


async def measure(scene: Scene) -> list[Figure]:
    """
    Measure what waiting orders add to the processes that follow them, each form by itself.

    Of ours the worker and the server count, of DBOS its process, of plain Prefect the worker and the processes that it
    has started: its server, which serves ours too, is left out in its favour. The rows of a database count nowhere.
    Whatever a process fills once was filled before, by a tenth as many orders, or by as many plain runs. What adds
    less than an allocator keeps in hand shows as nothing, or less.
    """
    count = 20 if scene.quick else 200
    ours = await _ours(scene, count)
    scene.say(f"dbos: ours, {ours}")
    dbos = await _dbos(scene, count)
    scene.say(f"dbos: DBOS, {dbos}")
    plain: dict[str, Added] = {}
    for how, form, runs in (
        ("suspended", follow_order_plainly, 2 if scene.quick else 6),
        ("paused, a process each", hold_order_plainly, 2 if scene.quick else 3),
    ):
        plain[how] = await _plain(scene, form, runs, ends=form is follow_order_plainly)
        scene.say(f"dbos: plain, {how}, {plain[how]}")
    figures: list[Figure] = []
    for how, added in plain.items():
        beside = "" if figures else f"ours {ours}; DBOS {dbos}; "
        figures += [
            Figure(
                NAME,
                f"private memory (USS) that a waiting order adds; plain: {how}",
                "KiB",
                ours.uss(),
                added.uss(),
                dbos=dbos.uss(),
                note=f"{beside}plain {added}",
            ),
            Figure(
                NAME,
                f"threads that a waiting order adds; plain: {how}",
                "threads",
                ours.threads(),
                added.threads(),
                dbos=dbos.threads(),
            ),
        ]
    return figures


async def latency(scene: Scene) -> Spread:
    """
    Report all but the last step of DBOS's orders, one after the other; return the seconds that each took.

    From the send being committed until the order's next `recv` has written down until when it waits.
    """
    orders = order_numbers("DBOS-LATENCY", 1 if scene.quick else 3)
    samples = []
    async with dbos_form(scene) as form:
        await form.start(orders, FIVE)
        for order_no in orders:
            for step in range(1, FIVE):
                await asyncio.sleep(BETWEEN)
                await form.tell(order_no, step)
                committed = time.time()
                samples.append(await form.waited([order_no], step + 1) - committed)
    return Spread.of(samples)


async def rate(scene: Scene, *, orders: int, steps: int, milestones: int, connections: int) -> float:
    """Return how many reports a second are made durable while DBOS's process wakes their orders."""
    order_nos = order_numbers("DBOS-REPORTS", orders)
    told = iter([(order_no, step) for step in range(1, steps + 1) for order_no in order_nos])
    async with dbos_form(scene, connections) as form:
        await form.start(order_nos, milestones)

        async def one_after_the_other() -> None:
            for order_no, step in told:
                await form.tell(order_no, step)

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one_after_the_other())
        seconds = time.perf_counter() - begun
        # What was sent and never arrives was not made durable.
        await form.waited(order_nos, orders * (steps + 1))
    return orders * steps / seconds


async def _ours(scene: Scene, count: int) -> Added:
    await _idle()
    processes = scene.process("worker"), scene.process("server")
    first, then = order_numbers("HELD-FIRST", count // 10), order_numbers("HELD", count)
    await take_in(first, chain(FIVE))
    await all_asleep(first)
    before = await _rested(*processes)
    await take_in(then, chain(FIVE))
    await all_asleep(then)
    return Added(await _rested(*processes) - before, count)


async def _idle() -> None:
    """Wait until no order of an earlier measurement is awake."""
    async with transaction() as connection:
        order_nos = (await connection.execute(select(tables.follow_ups.c.order_no))).scalars().all()
    await all_asleep(order_nos)


async def _dbos(scene: Scene, count: int) -> Added:
    async with dbos_form(scene) as form:
        await form.start(order_numbers("DBOS-HELD-FIRST", count // 10), FIVE)
        before = await _rested(form.process)
        await form.start(order_numbers("DBOS-HELD", count), FIVE)
        return Added(await _rested(form.process) - before, count)


async def _plain(scene: Scene, form: Flow[..., Any], count: int, *, ends: bool) -> Added:
    """Measure plain runs; `ends` says that a run that waits has no process."""
    async with plain_worker(scene, POLL) as worker:
        await start_plain(scene, count, follow_order_plainly)
        await _childless(worker)
        before = await _rested(worker)
        await start_plain(scene, count, form)
        if ends:
            await _childless(worker)
        added = Added(await _rested(worker) - before, count)
        for process in worker.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # they would wait for weeks, and outlive the worker
        return added


async def _childless(worker: psutil.Process) -> None:
    give_up = time.monotonic() + PROCESSES_END
    while worker.children():
        if time.monotonic() > give_up:
            raise TimeoutError(f"A suspended run still has its process after {PROCESSES_END:.0f} s.")
        await asyncio.sleep(0.2)


async def _rested(*processes: psutil.Process) -> Held:
    await asyncio.sleep(SETTLE)
    return Held.by(*processes)
