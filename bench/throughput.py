"""How many orders a second wake up, do what there is to do and wait again, when many are woken at once."""

from __future__ import annotations

import asyncio
import time

from bench.bench_orders import FIVE, a_report, all_asleep, chain, order_numbers, take_in
from bench.figures import Figure, Spread
from bench.plain import POLLS, plain_worker, resume_plain, start_plain
from bench.scene import Scene, cpu_seconds
from tasks.database import transaction
from tasks.logbook import find_placed, record_reports

NAME = "throughput"
TARGET = 12.0
AIM = 20.0
PLAIN_AT_ONCE = 6
PROCESSES_END = 5.0
"""Seconds in which the processes of runs that wait come to their end."""


async def measure(scene: Scene) -> list[Figure]:
    """Wake a hundred orders with one transaction, then six plain runs together, twice each (see `POLLS`)."""
    count, rounds = (20, 1) if scene.quick else (100, 2)
    orders = order_numbers("THROUGHPUT", count)
    server, worker = scene.process("server"), scene.process("worker")

    begun = time.time()
    await take_in(orders, chain(FIVE))
    await all_asleep(orders)
    started = count / (time.time() - begun)

    rates, cpu = [], []
    for step in range(1, rounds + 1):
        used = cpu_seconds(server, worker)
        async with transaction() as connection:
            placed = await find_placed(connection, orders)
        await record_reports([(order_no, a_report(order_no, step, placed[order_no])) for order_no in orders])
        committed = time.time()
        await all_asleep(orders)
        rates.append(count / (time.time() - committed))
        cpu.append((cpu_seconds(server, worker) - used) / count)
        scene.say(f"throughput: {count} orders woken at once, {rates[-1]:.2f} a second")

    at_once = 2 if scene.quick else PLAIN_AT_ONCE
    plain: dict[str, Spread] = {}
    plain_cpu: list[float] = []
    for how, poll in POLLS.items():
        async with plain_worker(scene, poll) as process_worker:
            runs = await start_plain(scene, at_once)
            plain_rates = []
            for _ in range(rounds):
                # processes end a while after their runs wait, and are counted only once they have ended
                await asyncio.sleep(PROCESSES_END)
                used = cpu_seconds(server, process_worker)
                plain_rates.append(at_once / await resume_plain(scene, runs))
                await asyncio.sleep(PROCESSES_END)
                plain_cpu.append((cpu_seconds(server, process_worker) - used) / at_once)
                scene.say(f"throughput: {at_once} plain runs resumed at once, {how}, {plain_rates[-1]:.2f} a second")
            plain[how] = Spread.of(plain_rates)

    ours, ours_cpu, other_cpu = Spread.of(rates), Spread.of(cpu), Spread.of(plain_cpu)
    return [
        *(
            Figure(
                NAME,
                f"{count} orders woken at once; plain: {at_once} resumed at once, {how}",
                "wake-ups/s",
                ours,
                other,
                ratio=ours.median / other.median,
                target=f">= {TARGET:.0f} x",
                met=ours.median / other.median >= TARGET,
                note=f"the aim is {AIM:.0f} x",
            )
            for how, other in plain.items()
        ),
        Figure(
            NAME,
            "processor time of a wake-up, worker and server",
            "CPU s",
            ours_cpu,
            other_cpu,
            ratio=other_cpu.median / ours_cpu.median,
        ),
        Figure(NAME, f"{count} orders taken in one by one, until all of them wait", "orders/s", Spread.of([started])),
    ]
