"""A thousand orders woken in one burst: how many a second, how long each has to wait for its turn, how many calls."""

from __future__ import annotations

import asyncio
import re
import time

from sqlalchemy import select

from bench.bench_orders import FIVE, a_report, all_asleep, chain, order_numbers, runs_of, take_in
from bench.figures import Figure, Spread
from bench.scene import Scene
from models import tables
from tasks.database import transaction
from tasks.logbook import find_placed, record_reports

NAME = "wake-ups"
SETTLE = 5.0
"""Seconds after which the last log lines have been sent."""
AT_A_TIME = 200
WITHIN = 1200.0
"""Seconds that all of them may take on a machine that is busy with other things."""
MOST_CALLS = 11.0

_BY_THE_CLOCK = re.compile(r"^(POST|GET) /api/(work_pools/|health|ready|admin/)")


async def measure(scene: Scene) -> list[Figure]:
    """Report a step of a thousand orders with one transaction, and follow each until it waits again."""
    orders = order_numbers("BURST", 50 if scene.quick else 1_000)
    for begin in range(0, len(orders), AT_A_TIME):
        await take_in(orders[begin : begin + AT_A_TIME], chain(FIVE))
        await all_asleep(orders[begin : begin + AT_A_TIME])
    await asyncio.sleep(SETTLE)
    runs = await runs_of(orders)
    calls = scene.calls()
    async with transaction() as connection:
        placed = await find_placed(connection, orders)
    await record_reports([(order_no, a_report(order_no, 1, placed[order_no])) for order_no in orders])
    committed = time.time()
    await all_asleep(orders, every=0.25, within=WITHIN)
    seconds = time.time() - committed
    waits = await scene.prefect.states_since(list(runs.values()))
    took = sorted(instant.timestamp() - committed for instant in waits.values())
    await asyncio.sleep(SETTLE)
    made = sum(count for call, count in calls.seen().items() if not _BY_THE_CLOCK.match(call))
    await _all_have_moved(orders)
    scene.say(f"wake-ups: {len(orders)} at once, {len(orders) / seconds:.2f} a second")
    return [
        Figure(NAME, f"{len(orders):,} orders woken at once", "wake-ups/s", Spread.of([len(orders) / seconds])),
        Figure(NAME, "report to next wait, p50 of them", "s", Spread.of([took[len(took) // 2]])),
        Figure(NAME, "report to next wait, p95 of them", "s", Spread.of([took[int(len(took) * 0.95)]])),
        Figure(
            NAME,
            "calls to Prefect's server for each, one milestone closed and the next opened",
            "calls",
            Spread.of([made / len(orders)]),
            target=f"<= {MOST_CALLS:.0f}",
            met=made / len(orders) <= MOST_CALLS,
        ),
    ]


async def _all_have_moved(order_nos: list[str]) -> None:
    """Raise RuntimeError where an order did not note its report: what was measured would have been something else."""
    rows = tables.follow_ups.c
    async with transaction() as connection:
        found = await connection.execute(select(rows.order_no, rows.shown).where(rows.order_no.in_(order_nos)))
        left = [row.order_no for row in found if "STEP_02" not in row.shown]
    if left:
        raise RuntimeError(f"{len(left)} orders did not open their second step: {', '.join(left[:5])}")
