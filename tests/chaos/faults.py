"""What goes wrong: one fault at a time, every five to forty seconds, in an order that the seed decides."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta

import psutil
from sqlalchemy import func, select, update

from models import tables
from models.errors import Unavailable
from tasks.database import WAKE_CHANNEL, notify, transaction
from tests.chaos.site import SECOND, Site

EVERY = (5.0, 40.0)
HOUR = timedelta(hours=1)
FULL = 3.0
"""Seconds for which a disk takes nothing."""
HANGS = 8.0
"""Seconds for which a channel does not answer."""

Fault = Callable[[Site, random.Random], Awaitable[None]]


async def worker_killed(site: Site, chance: random.Random) -> None:
    """Kill the worker, which its supervisor starts again."""
    _signal(site, "worker", signal.SIGKILL)


async def second_worker_killed(site: Site, chance: random.Random) -> None:
    """Kill the other worker, and start it again after a while."""
    await asyncio.to_thread(site.kill, SECOND)
    await asyncio.sleep(chance.uniform(0, 5))
    site.begin(SECOND)


async def server_killed(site: Site, chance: random.Random) -> None:
    """Kill Prefect's server."""
    _signal(site, "server", signal.SIGKILL)


async def postgres_restarted(site: Site, chance: random.Random) -> None:
    """Restart PostgreSQL: it lets nobody finish (a fast shutdown), or dies as in a power cut."""
    _signal(site, "postgres", chance.choice((signal.SIGINT, signal.SIGQUIT)))


async def disk_refuses(site: Site, chance: random.Random) -> None:
    """Let the database's sessions write no file for a while; then let the outbox be gone."""
    postgres = site.process("postgres")
    with suppress(psutil.Error):
        for session in postgres.children() if postgres is not None else ():
            if "gendan" in " ".join(session.cmdline()):
                await asyncio.to_thread(_fill_the_disk_for, session)
    aside = site.house.outbox.with_name("outbox-aside")
    site.house.outbox.rename(aside)
    site.house.outbox.touch()  # a file in its place: no folder can be made there
    try:
        await asyncio.sleep(FULL)
    finally:
        site.house.outbox.unlink()
        aside.rename(site.house.outbox)


async def channel_hangs(site: Site, chance: random.Random) -> None:
    """Let a message channel take what comes and not answer."""
    site.receiver.hang()
    try:
        await asyncio.sleep(HANGS)
    finally:
        site.receiver.answer()


async def clock_steps_back(site: Site, chance: random.Random) -> None:
    """Set the clocks of a third of the orders back by an hour, and wake those orders."""
    follow_ups = tables.follow_ups.c
    with suppress(Unavailable):
        async with transaction() as connection:
            some = select(follow_ups.order_no).where(
                follow_ups.clock.is_not(None), follow_ups.closed_as.is_(None), func.random() < 1 / 3
            )
            await connection.execute(
                update(tables.follow_ups)
                .where(follow_ups.order_no.in_(some))
                .values(clock=follow_ups.clock - HOUR, wanted=True)
            )
            await notify(connection, WAKE_CHANNEL, "")


async def watch_killed(site: Site, chance: random.Random) -> None:
    """Kill one of the watches, and start it again."""
    name = chance.choice(("watch-1", "watch-2"))
    await asyncio.to_thread(site.kill, name)
    site.begin(name)


FAULTS: Mapping[str, Fault] = {
    "worker killed": worker_killed,
    "second worker killed": second_worker_killed,
    "server killed": server_killed,
    "PostgreSQL restarted": postgres_restarted,
    "disk refuses": disk_refuses,
    "channel hangs": channel_hangs,
    "clock an hour back": clock_steps_back,
    "watch killed": watch_killed,
}


async def bring_about(
    site: Site, chance: random.Random, every: tuple[float, float], say: Callable[[str], None], happened: Counter[str]
) -> None:
    """Let things go wrong until cancelled: each kind once before any comes again."""
    coming: list[str] = []
    while True:
        if not coming:
            coming = list(FAULTS)
            chance.shuffle(coming)
        await asyncio.sleep(chance.uniform(*every))
        name = coming.pop()
        say(f"fault: {name}")
        await FAULTS[name](site, chance)
        happened[name] += 1


def _signal(site: Site, name: str, number: signal.Signals) -> None:
    process = site.process(name)
    if process is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _fill_the_disk_for(session: psutil.Process) -> None:
    # Its next line of the write-ahead log fails, as on a full disk: PostgreSQL stops all sessions and recovers. Only
    # the account that it runs as may set its limits.
    uids, gids = session.uids(), session.gids()
    subprocess.run(
        ["prlimit", f"--pid={session.pid}", "--fsize=65536:65536"],
        user=uids.real if os.getuid() == 0 else None,
        group=gids.real if os.getuid() == 0 else None,
        check=False,
        stderr=subprocess.DEVNULL,
    )
