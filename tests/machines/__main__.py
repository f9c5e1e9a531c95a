"""`python -m tests.machines`: a season on several machines; one server and one worker are killed under load."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sized
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, Select, func, select

from gendan.replay import stopped_in_order
from gendan.season import Season
from models import tables
from models.seasons.season import Told
from tasks import database
from tasks.virtual import Asleep
from tests.chaos.play import Play, until_done
from tests.chaos.season import season_of
from tests.chaos.verdict import judge
from tests.flows.house import eventually
from tests.machines.site import Machines, several_machines

LIMIT = 20 * 60.0
"""Seconds after which a run is given up: something is stuck, and it is said what."""
SETTLES = 7 * 60.0
"""Seconds that it may take until all is told, delivered and asleep: a delivery's lease is five minutes."""
SHORT = 16
KILLED_SERVER, KILLED_WORKER = "api-1", "worker-2"
STEPS = 4
"""So many steps an order has taken, on average, before anything is killed."""
AWAKE = 2
"""So many orders are awake in the worker when it is killed."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


class TimedPlay(Play):
    """A season that is played, with how long each step took: from its report to the order's rest."""

    def __init__(self, season: Season, chance: random.Random) -> None:
        super().__init__(season, chance)
        self.took: list[tuple[float, float]] = []

    async def _step(self, order_no: str, now: datetime, reports: list[Told]) -> Asleep:
        begun = time.monotonic()
        asleep = await super()._step(order_no, now, reports)
        self.took.append((begun, time.monotonic() - begun))
        return asleep


@dataclass
class Run:
    """One season on several machines."""

    seed: int
    orders: int
    seconds: float = 0.0
    steps: int = 0
    told: int = 0
    tries: int = 0
    median_before: float = 0.0
    """Seconds from a report to the order's rest, before anything was killed."""
    median_after: float = 0.0
    longest_after: float = 0.0
    taken_over: int = 0
    """Orders that were awake in the worker when it was killed."""
    taken_over_after: float = 0.0
    """Seconds from the kill until none of them was awake in its name any more."""
    all_rest_after: float = 0.0
    """Seconds from the kill until all of them had been woken again and rested."""
    figures: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def main() -> int:
    """Read the command line, and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=__doc__)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} orders")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("GENDAN_", "PREFECT_"))]:
        del os.environ[name]
    run = one_run(SHORT if given.short else given.orders, given.seed)
    show(run)
    if given.json:
        given.json.write_text(json.dumps(asdict(run), indent=2) + "\n", encoding="utf-8")
    return 1 if run.differences else 0


def one_run(orders: int, seed: int) -> Run:
    """Play a season of so many orders once, in a new folder."""
    run = Run(seed, orders)
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        with stopped_in_order(), several_machines(home, say) as machines:
            os.environ.update(machines.environment | {"GENDAN_HOME": folder, "PREFECT_HOME": f"{folder}/play"})
            asyncio.run(_play(machines, run, say))
    run.seconds = round(time.monotonic() - begun, 1)
    return run


async def _play(machines: Machines, run: Run, say: Callable[[str], None]) -> None:
    season = season_of(run.orders)
    play = TimedPlay(season, random.Random(run.seed))
    killed = 0.0
    try:
        async with asyncio.timeout(LIMIT):
            playing = asyncio.create_task(play.run())
            kills = asyncio.create_task(_kill(machines, play, run, say))
            await asyncio.wait([playing, kills], return_when=asyncio.FIRST_COMPLETED)
            if playing.done() and not kills.done():
                kills.cancel()
                run.differences.append("the season was over before anything could be killed: play more orders")
            else:
                killed = kills.result()
            await playing
    except TimeoutError:
        stuck = ", ".join(f"{order_no} at {at:%d %b %H:%M}" for order_no, at in sorted(play.under_way.items())[:10])
        run.differences.append(f"{len(play.under_way)} orders did not reach their end in {LIMIT:.0f} s: {stuck}")
    say("the season is played; all that is left is told and delivered")
    run.differences += await _settled()
    with temporary_settings({PREFECT_API_URL: machines.api_url}):
        async with get_client() as client:
            verdict = await judge(season, client, machines.arrived())
    run.differences += verdict.differences
    unexpected = sorted(set(machines.gone()) - {KILLED_SERVER, KILLED_WORKER})
    run.differences += [f"{name} ended by itself" for name in unexpected]
    run.figures = verdict.figures
    run.steps, run.told, run.tries = play.steps, play.writers.told, play.writers.refused
    before = [took for begun, took in play.took if not killed or begun + took < killed]
    after = [took for begun, took in play.took if killed and begun + took >= killed]
    if before and after:
        run.median_before = round(statistics.median(before), 2)
        run.median_after = round(statistics.median(after), 2)
        run.longest_after = round(max(after), 1)
    await database.close()


async def _kill(machines: Machines, play: Play, run: Run, say: Callable[[str], None]) -> float:
    """Once the season is well under way, kill a server, then a worker with orders awake in it; return when."""
    await _until(lambda: _true(play.steps >= run.orders * STEPS))
    killed = time.monotonic()
    machines.kill(KILLED_SERVER)
    say(f"{KILLED_SERVER} is killed, and stays dead")
    await asyncio.sleep(3)
    name = "machine-" + KILLED_WORKER.removeprefix("worker-")
    await _until(lambda: _some_awake(name), every=0.005)
    machines.kill(KILLED_WORKER)
    at = time.monotonic()
    orders = await _awake_in(name)
    run.taken_over = len(orders)
    say(f"{KILLED_WORKER} is killed with {len(orders)} orders awake in it, and stays dead")
    await _until(lambda: _none(_awake_in(name)))
    run.taken_over_after = round(time.monotonic() - at, 1)
    say(f"they were taken over after {run.taken_over_after} s")
    await _until(lambda: _none(_not_yet_rested(orders)))
    run.all_rest_after = round(time.monotonic() - at, 1)
    say(f"all of them rested after {run.all_rest_after} s")
    return killed


async def _until(look: Callable[[], Awaitable[bool]], every: float = 0.25) -> None:
    await eventually(look, within=LIMIT, every=every)


async def _true(value: bool) -> bool:
    return value


async def _none(found: Awaitable[Sized]) -> bool:
    return not len(await found)


async def _some_awake(worker: str) -> bool:
    return len(await _awake_in(worker)) >= AWAKE


async def _awake_in(worker: str) -> dict[str, int]:
    """Return the orders that are awake in the name of a worker, each with how often it has rested so far."""
    rows = tables.follow_ups.c
    its = select(rows.order_no, rows.wakes).where(rows.awake_by == worker, rows.awake_since.is_not(None))
    return {row.order_no: row.wakes for row in await _asked(its)}


async def _not_yet_rested(orders: dict[str, int]) -> list[str]:
    """Return which of these orders have not rested since they were seen."""
    rows = tables.follow_ups.c
    found = await _asked(select(rows.order_no, rows.wakes).where(rows.order_no.in_(orders)))
    return [row.order_no for row in found if row.wakes == orders[row.order_no]]


async def _asked(query: Select[Any]) -> list[Row[Any]]:
    async def ask() -> list[Row[Any]]:
        async with database.transaction() as connection:
            return list(await connection.execute(query))

    return await until_done(ask)


async def _settled() -> list[str]:
    """Wait until all is told, delivered and asleep; return what is not."""
    follow_ups, notices, messages = tables.follow_ups.c, tables.notices.c, tables.messages.c
    queries = {
        "orders are awake": select(func.count()).where(follow_ups.wanted | follow_ups.awake_since.is_not(None)),
        "notices are untold": select(func.count()).where(notices.holds, notices.told == 0),
        "messages are undelivered": select(func.count()).where(messages.delivered_at.is_(None)),
    }
    give_up = time.monotonic() + SETTLES
    while True:
        left = {what: (await _asked(query))[0][0] for what, query in queries.items()}
        if not any(left.values()):
            return []
        if time.monotonic() > give_up:
            return [f"after {SETTLES:.0f} s {count} {what}" for what, count in left.items() if count]
        await asyncio.sleep(1)


def show(run: Run) -> None:
    """Print what was played, and every difference."""
    figures = {
        "seed": run.seed,
        "orders": run.orders,
        "seconds": run.seconds,
        "steps": run.steps,
        "reports told": run.told,
        "tries again": run.tries,
        "report to rest before the kills, median s": run.median_before,
        "after them, median s": run.median_after,
        "after them, longest s": run.longest_after,
        "orders awake in the killed worker": run.taken_over,
        "taken over after s": run.taken_over_after,
        "all rested after s": run.all_rest_after,
        **run.figures,
        "differences": len(run.differences),
    }
    table = Table(show_header=False, box=None)
    for name, figure in figures.items():
        table.add_row(name, str(figure))
    out.print(table)
    for difference in run.differences[:40]:
        out.print(difference)


if __name__ == "__main__":
    sys.exit(main())
