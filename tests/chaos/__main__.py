"""`python -m tests.chaos`: play a season under faults, once or several times, and say what differs from the core."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from gendan.replay import stopped_in_order
from models import tables
from tasks import database
from tests.chaos.faults import EVERY, Trouble
from tests.chaos.play import Play, until_done
from tests.chaos.season import mid_season
from tests.chaos.site import Site, a_site
from tests.chaos.verdict import judge, stray_runs

LIMIT = 20 * 60.0
"""Seconds after which a run is given up: something is stuck, and it is said what."""
SETTLES = 7 * 60.0
"""Seconds that it may take after the last fault until all is told, delivered and asleep: the watch waits for five."""
PLAYED = timedelta(days=3)
"""So much of the season is played."""
AT_ONCE = 32
"""Orders that are moved at a time: twice as many as both workers have places for."""
SHORT_EVERY = (2.0, 5.0)
ORDERS, SHORT_ORDERS = 300, 40

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
    set_forward: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def main() -> int:
    """Read the command line, and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--orders", type=int, help=f"{ORDERS}, or {SHORT_ORDERS} in short form")
    parser.add_argument("--runs", type=int, default=1, help="one after the other, each with the next seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="few orders, and each kind of fault once")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the logs of runs with differences there")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("GENDAN_", "PREFECT_"))]:
        del os.environ[name]
    os.environ["PREFECT_SERVER_LOGGING_LEVEL"] = "WARNING"
    orders = given.orders or (SHORT_ORDERS if given.short else ORDERS)
    runs = []
    for seed in range(given.seed, given.seed + given.runs):
        if given.runs == 1:
            runs.append(one_run(orders, seed, short=given.short, logs=given.logs))
        else:
            runs.append(_in_a_process_of_its_own(orders, seed, short=given.short, logs=given.logs))
        if given.json:
            given.json.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", encoding="utf-8")
        show(runs)
    return 1 if any(run.differences for run in runs) else 0


def _in_a_process_of_its_own(orders: int, seed: int, *, short: bool, logs: Path | None) -> Run:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        result = Path(folder) / "run.json"
        command = [sys.executable, "-m", "tests.chaos", "--orders", str(orders), "--seed", str(seed)]
        command += ["--json", str(result), *(["--short"] if short else []), *(["--logs", str(logs)] if logs else [])]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if not result.exists():
            return Run(seed, orders, differences=[f"the run broke off (exit {ended.returncode})"])
        return Run(**json.loads(result.read_text(encoding="utf-8"))[0])


def one_run(orders: int, seed: int, *, short: bool, logs: Path | None) -> Run:
    """Play a season of so many orders once, in a new folder; keep its logs in `logs` where something differs."""
    run = Run(seed, orders)
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        with stopped_in_order(), a_site(home, say) as site:
            asyncio.run(_play(site, run, say, short=short))
        if run.differences and logs is not None:
            shutil.copytree(home / "logs", logs / f"seed-{seed}", dirs_exist_ok=True)
    run.seconds = round(time.monotonic() - begun, 1)
    return run


async def _play(site: Site, run: Run, say: Callable[[str], None], *, short: bool) -> None:
    chance = random.Random(run.seed)
    season = mid_season(run.orders, PLAYED)
    play = Play(season, random.Random(run.seed + 1), AT_ONCE)
    trouble = Trouble(site, chance, SHORT_EVERY if short else EVERY, say)
    making = asyncio.create_task(trouble.make(1 if short else None))
    try:
        async with asyncio.timeout(LIMIT):
            playing = asyncio.create_task(play.run())
            while not (playing.done() and trouble.rounds):
                await asyncio.wait({playing, making}, timeout=1)
                if making.done() and making.exception() is not None:
                    await _over(playing)
                    making.result()
            playing.result()
            await _over(making)
            site.receiver.answer()
            say("the faults are over; clocks that stepped back go on")
            run.set_forward = await play.go_on()
    except TimeoutError:
        stuck = ", ".join(f"{order_no} at {at:%d %b %H:%M}" for order_no, at in sorted(play.under_way.items())[:10])
        run.differences.append(f"{len(play.under_way)} orders did not reach their end in {LIMIT:.0f} s: {stuck}")
        await _over(making)
        site.receiver.answer()
    say("all that is left is told and delivered")
    with temporary_settings({PREFECT_API_URL: site.running.api_url}):
        async with get_client() as client:
            run.differences += await _settled(client)
            verdict = await judge(season, client, site.arrived())
    for line in verdict.twice:
        say(line)
    run.differences += verdict.differences
    run.differences += trouble.missed
    if short:  # so few messages are under way that a channel may hang and nobody be there who notices
        for line in trouble.never_seen():
            say(line)
    else:
        run.differences += trouble.never_seen()
    run.differences += [f"{name} ended by itself" for name in site.gone()]
    run.figures, run.faults = verdict.figures, dict(trouble.happened)
    run.steps, run.told, run.tries = play.steps, play.writers.told, play.writers.refused
    await database.close()


async def _over(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _settled(client: PrefectClient) -> list[str]:
    """Wait until all is told, delivered and asleep, and each open order has its run; return what is not."""
    follow_ups, notices, messages = tables.follow_ups.c, tables.notices.c, tables.messages.c
    queries = {
        "orders are awake": select(func.count()).where(follow_ups.wanted | follow_ups.awake_since.is_not(None)),
        "notices are untold": select(func.count()).where(notices.holds, notices.told == 0),
        "messages are undelivered": select(func.count()).where(messages.delivered_at.is_(None)),
    }

    async def look() -> dict[str, int]:
        async with database.transaction() as connection:
            return {what: (await connection.execute(query)).scalar_one() for what, query in queries.items()}

    async def strays() -> list[str]:
        return await stray_runs(client)

    give_up = time.monotonic() + SETTLES
    while True:
        left = await until_done(look)
        stray = await until_done(strays)
        if not any(left.values()) and not stray:
            return []
        if time.monotonic() > give_up:
            return [f"after {SETTLES:.0f} s {count} {what}" for what, count in left.items() if count] + stray
        await asyncio.sleep(1)


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
