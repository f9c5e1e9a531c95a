"""`python -m tests.chaos`: play a season under faults, once or several times, and say what differs from the core."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from gendan.replay import stopped_in_order
from models import tables
from tasks import database
from tests.chaos.faults import EVERY, bring_about
from tests.chaos.play import Play, until_done
from tests.chaos.season import season_of
from tests.chaos.site import Site, a_site
from tests.chaos.verdict import judge

LIMIT = 20 * 60.0
"""Seconds after which a run is given up: something is stuck, and it is said what."""
SETTLES = 7 * 60.0
"""Seconds that it may take after the last fault until all is told, delivered and asleep: a lease is five minutes."""
SHORT_EVERY = (3.0, 6.0)
SHORT_ORDERS = 40

out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


@dataclass
class Run:
    """One season under faults."""

    seed: int
    orders: int
    seconds: float = 0.0
    steps: int = 0
    told: int = 0
    tries: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def main() -> int:
    """Read the command line, and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--runs", type=int, default=1, help="one after the other, each with the next seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="few orders, and each kind of fault once at least")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("GENDAN_", "PREFECT_"))]:
        del os.environ[name]
    os.environ["PREFECT_SERVER_LOGGING_LEVEL"] = "WARNING"
    runs = []
    for seed in range(given.seed, given.seed + given.runs):
        runs.append(one_run(SHORT_ORDERS if given.short else given.orders, seed, SHORT_EVERY if given.short else EVERY))
        show(runs)
        if given.json:
            given.json.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", encoding="utf-8")
    return 1 if any(run.differences for run in runs) else 0


def one_run(orders: int, seed: int, every: tuple[float, float]) -> Run:
    """Play a season of so many orders once, in a new folder."""
    run = Run(seed, orders)
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        with stopped_in_order(), a_site(home, say) as site:
            asyncio.run(_play(site, run, every, say))
    run.seconds = round(time.monotonic() - begun, 1)
    return run


async def _play(site: Site, run: Run, every: tuple[float, float], say: object) -> None:
    assert callable(say)
    chance = random.Random(run.seed)
    season = season_of(run.orders)
    play = Play(season, random.Random(run.seed + 1))
    happened: Counter[str] = Counter()
    trouble = asyncio.create_task(bring_about(site, chance, every, say, happened))
    try:
        async with asyncio.timeout(LIMIT):
            playing = asyncio.create_task(play.run())
            await asyncio.wait([playing, trouble], return_when=asyncio.FIRST_COMPLETED)
            if trouble.done():
                playing.cancel()
                trouble.result()
            await playing
    except TimeoutError:
        stuck = ", ".join(f"{order_no} at {at:%d %b %H:%M}" for order_no, at in sorted(play.under_way.items())[:10])
        run.differences.append(f"{len(play.under_way)} orders did not reach their end in {LIMIT:.0f} s: {stuck}")
    trouble.cancel()
    await asyncio.gather(trouble, return_exceptions=True)
    site.receiver.answer()
    say("the faults are over; all that is left is told and delivered")
    run.differences += await _settled()
    with temporary_settings({PREFECT_API_URL: site.running.api_url}):
        async with get_client() as client:
            verdict = await judge(season, client, site.receiver.heard, site.written())
    run.differences += verdict.differences
    run.figures, run.faults = verdict.figures, dict(happened)
    run.steps, run.told, run.tries = play.steps, play.writers.told, play.writers.refused
    await database.close()


async def _settled() -> list[str]:
    """Wait until all is told, delivered and asleep; return what is not."""
    follow_ups, notices, messages = tables.follow_ups.c, tables.notices.c, tables.messages.c

    async def look() -> tuple[int, int, int]:
        async with database.transaction() as connection:
            awake = select(func.count()).where(follow_ups.wanted | follow_ups.awake_since.is_not(None))
            untold = select(func.count()).where(notices.holds, notices.told == 0)
            waiting = select(func.count()).where(messages.delivered_at.is_(None))
            counted = [(await connection.execute(query)).scalar_one() for query in (awake, untold, waiting)]
            return counted[0], counted[1], counted[2]

    give_up = time.monotonic() + SETTLES
    while any(left := await until_done(look)):
        if time.monotonic() > give_up:
            return [
                f"after {SETTLES:.0f} s {left[0]} orders are awake, {left[1]} notices untold, {left[2]} undelivered"
            ]
        await asyncio.sleep(1)
    return []


def show(runs: Sequence[Run]) -> None:
    """Print what was played, and every difference."""
    table = Table("seed", "orders", "seconds", "steps", "reports told", "tries again", "faults", box=None)
    for name in runs[0].figures:
        table.add_column(name, justify="right")
    table.add_column("differences", justify="right")
    for run in runs:
        table.add_row(
            *(str(one) for one in (run.seed, run.orders, run.seconds, run.steps, run.told, run.tries)),
            str(sum(run.faults.values())),
            *(str(figure) for figure in run.figures.values()),
            str(len(run.differences)),
        )
    out.print(table)
    for run in runs:
        if run.faults:
            out.print(f"seed {run.seed}: " + ", ".join(f"{count} {name}" for name, count in sorted(run.faults.items())))
        for difference in run.differences[:40]:
            out.print(f"seed {run.seed}: {difference}")


if __name__ == "__main__":
    sys.exit(main())
