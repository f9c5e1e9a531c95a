"""How many calls to Prefect's server a wake-up makes, early and late in an order's life."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from bench.bench_orders import SIXTY, all_asleep, chain, order_numbers, runs_of, take_in, tell, wake_ups_of
from bench.figures import Figure, Spread
from bench.scene import Scene

NAME = "api calls"
ALLOWED = 6
"""Calls of a wake-up without news; log lines and the worker's look for work are among them."""
CHANGED = 5
"""Calls for a milestone that is closed and the next that is opened: two bars, the sheet, a new form for the old."""
EARLY, LATE = 5, 50
SETTLE = 2.5
"""Seconds for which calls are still counted once the order waits: its log lines are sent every two."""

_LOOK_FOR_WORK = re.compile(r"^POST /api/work_pools/[^/]+/get_scheduled_flow_runs$")
_HEARTBEAT = re.compile(r"^POST /api/work_pools/[^/]+/workers/heartbeat$")


async def measure(scene: Scene) -> list[Figure]:
    """
    Count at the fifth and at the fiftieth wake-up of the same orders, in the access log of Prefect's server.

    What comes by the clock is taken off; a round of the watch may still fall into a count, so the least of several
    orders is what a wake-up itself makes.
    """
    orders = order_numbers("CALLS", 1 if scene.quick else 3)
    await take_in(orders, chain(SIXTY))
    await all_asleep(orders)
    calls: dict[int, list[int]] = {EARLY: [], LATE: []}
    rows: dict[int, list[int]] = {EARLY: [], LATE: []}
    fewest: Counter[str] = Counter()
    step = 0
    for wake_up in (EARLY, LATE):
        while await wake_ups_of(orders[-1]) < wake_up - 1:
            step += 1
            for order_no in orders:
                await tell(order_no, step)
            await all_asleep(orders)
        await asyncio.sleep(SETTLE)
        step += 1
        for order_no in orders:
            run = (await runs_of([order_no]))[order_no]
            before = await scene.prefect.count_task_runs(run)
            counted = scene.calls()
            await tell(order_no, step)
            await all_asleep([order_no])
            await asyncio.sleep(SETTLE)
            seen = _of_the_wake_up(counted.seen())
            calls[wake_up].append(seen.total())
            rows[wake_up].append(await scene.prefect.count_task_runs(run) - before)
            if wake_up == LATE and (not fewest or seen.total() < fewest.total()):
                fewest = seen
        scene.say(f"api calls: {min(calls[wake_up])} at wake-up {wake_up}")
    early, late = min(calls[EARLY]), min(calls[LATE])
    figures = [
        Figure(
            NAME,
            f"at wake-up {wake_up}, one milestone closed and the next opened",
            "calls",
            Spread.of(calls[wake_up]),
            target=f"<= {ALLOWED} + {CHANGED}" + ("" if wake_up == EARLY else f", as at {EARLY}"),
            met=min(calls[wake_up]) <= ALLOWED + CHANGED and early == late,
        )
        for wake_up in (EARLY, LATE)
    ]
    figures.append(
        Figure(
            NAME,
            f"task-run rows added by wake-up {EARLY} and by wake-up {LATE}",
            "rows",
            Spread.of([*rows[EARLY], *rows[LATE]]),
            target="1: what it opened",
            met={*rows[EARLY], *rows[LATE]} == {1},
        )
    )
    scene.say("api calls: " + ", ".join(f"{count} {call}" for call, count in fewest.most_common()))
    return figures


def _of_the_wake_up(seen: Counter[str]) -> Counter[str]:
    """Leave out what the worker calls by the clock: heartbeats, and looks for work beyond the one it was woken to."""
    return Counter(
        {call: 1 if _LOOK_FOR_WORK.match(call) else count for call, count in seen.items() if not _HEARTBEAT.match(call)}
    )
