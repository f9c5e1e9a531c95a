"""How long an order takes from a committed report to its next wait, on an idle system."""

from __future__ import annotations

import asyncio
import time

from bench import durable
from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, runs_of, take_in, tell
from bench.figures import Figure, Spread, short
from bench.plain import POLLS, plain_worker, resume_plain, start_plain
from bench.plain_order import MILESTONES
from bench.scene import Scene

NAME = "latency"
TARGET = 10.0
"""How many times faster than the plain form an order is to wait again."""
BETWEEN = 1.0
"""Seconds of rest between two samples."""
ROWS_APPEAR = 8.0


async def measure(scene: Scene) -> list[Figure]:
    """Measure one order at a time: ours, DBOS's, then the plain form as shipped and with our worker's polling."""
    orders = order_numbers("LATENCY", 1 if scene.quick else 3)
    await take_in(orders, chain(FIVE))
    await all_asleep(orders)
    ours = Spread.of([seconds for order_no in orders for seconds in await waits_again(scene, order_no)])
    rows = await scene.prefect.count_task_runs((await runs_of(orders[:1]))[orders[0]])

    scene.say("latency: DBOS")
    dbos = await durable.latency(scene)

    plain: dict[str, Spread] = {}
    plain_rows = 0
    for how, poll in POLLS.items():
        scene.say(f"latency: the plain form, {how}")
        async with plain_worker(scene, poll):
            (run,) = await start_plain(scene, 1)
            samples = []
            for _ in range(1 if scene.quick else len(MILESTONES) - 1):
                await asyncio.sleep(BETWEEN)
                samples.append(await resume_plain(scene, [run]))
            plain[how] = Spread.of(samples)
            # its rows are made from events, some seconds after the fact
            await asyncio.sleep(1.0 if scene.quick else ROWS_APPEAR)
            plain_rows = await scene.prefect.count_task_runs(run)
    figures = [
        Figure(
            NAME,
            f"report to next wait; plain: resume to next wait, {how}",
            "s",
            ours,
            spread,
            ratio=spread.median / ours.median,
            dbos=dbos,
            dbos_ratio=dbos.median / ours.median,
            target=f">= {TARGET:.0f} x",
            met=spread.median / ours.median >= TARGET,
        )
        for how, spread in plain.items()
    ]
    if not scene.quick:
        figures.append(
            Figure(
                NAME,
                "task-run rows of an order that waits for its fifth milestone",
                "rows",
                Spread.of([rows]),
                Spread.of([plain_rows]),
                ratio=plain_rows / rows,
                note=f"plain: n(n+1)/2 for n milestones; {short(52 * 53 / 2)} for an order of 52",
            )
        )
    return figures


async def waits_again(scene: Scene, order_no: str) -> list[float]:
    """Report all but the last step of an order, one after the other; return the seconds that each took."""
    run = (await runs_of([order_no]))[order_no]
    samples = []
    for step in range(1, FIVE):
        await asyncio.sleep(BETWEEN)
        since = await scene.prefect.states_since([run])
        await tell(order_no, step)
        committed = time.time()
        seen = await scene.prefect.wait_until_paused(since, [run], every=0.01, limit=60)
        samples.append(seen - committed)
        await all_asleep([order_no])
    return samples
