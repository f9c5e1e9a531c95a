"""
What goes wrong: one fault at a time, every five to forty seconds, in an order that the seed decides.

A fault that was brought about and did not happen says so: a run under faults that were none proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, select, update

from models import tables
from models.errors import GendanError
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, notify, transaction
from tests.chaos.play import TROUBLE, until_done
from tests.chaos.site import SECOND, WATCHES, Site

EVERY = (5.0, 40.0)
HOUR = timedelta(hours=1)
FULL = (3.0, 20.0)
"""Seconds for which a disk takes nothing: at least, and until somebody was refused, at most."""
HANGS = (8.0, 20.0)
"""Seconds for which a channel does not answer: at least, and until somebody waited, at most."""
GOES_WITHIN = 15.0
COMES_WITHIN = 120.0
FULL_IN_POSTGRES = "was terminated by signal 6"
"""
What PostgreSQL says of a session that could not write its line of the log: it aborts itself.

Why, it says only in a short log of its own: what may let no file grow may not let that one grow either.
"""

OUTBOX_REFUSES = "outbox refuses"
CHANNEL_HANGS = "channel hangs"


class NotBroughtAbout(GendanError):
    """A fault that was to happen and was not seen to."""


Fault = Callable[[Site, random.Random, Counter[str]], Awaitable[None]]


async def worker_killed(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Kill the worker, which its supervisor starts again."""
    await _end(site, "worker", signal.SIGKILL)
    happened["worker killed"] += 1


async def second_worker_killed(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Kill the other worker, and start it again after a while."""
    await _kill_own(site, SECOND)
    await asyncio.sleep(chance.uniform(0, 5))
    site.begin(SECOND)
    happened["second worker killed"] += 1


async def server_killed(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Kill Prefect's server, which its supervisor starts again."""
    await _end(site, "server", signal.SIGKILL)
    happened["server killed"] += 1


async def postgres_restarted(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Restart PostgreSQL: it lets nobody finish (a fast shutdown), or dies as in a power cut."""
    number = chance.choice((signal.SIGINT, signal.SIGQUIT))
    await _end(site, "postgres", number)
    happened["PostgreSQL restarted" if number == signal.SIGINT else "PostgreSQL cut off"] += 1


async def disk_refuses(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Let the database's sessions write no file until one was refused; then let the outbox be gone for a while."""
    log = site.house.log("postgres")
    begin = log.stat().st_size
    give_up = time.monotonic() + COMES_WITHIN
    while FULL_IN_POSTGRES not in _said_since(log, begin):
        if time.monotonic() > give_up:
            raise NotBroughtAbout("no session of PostgreSQL was refused a write")
        for session in _sessions(site):
            with suppress(psutil.Error):
                await asyncio.to_thread(_fill_the_disk_for, session)
        await _write_something()
        await asyncio.sleep(0.2)
    happened["disk refuses"] += 1

    aside = site.house.outbox.with_name("outbox-aside")
    site.house.outbox.rename(aside)
    site.house.outbox.touch()  # a file in its place: no folder can be made there
    try:
        began = now()
        if await _held(FULL, lambda: _was_refused_by_the_outbox(began)):
            happened[OUTBOX_REFUSES] += 1
    finally:
        site.house.outbox.unlink()
        aside.rename(site.house.outbox)


async def channel_hangs(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Let a message channel take what comes and not answer."""
    before = site.receiver.left_waiting
    site.receiver.hang()
    try:

        async def somebody_waits() -> bool:
            return site.receiver.left_waiting > before

        if await _held(HANGS, somebody_waits):
            happened[CHANNEL_HANGS] += 1
    finally:
        site.receiver.answer()


async def clock_steps_back(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Set the clocks of a third of the orders back by an hour, and wake those orders."""
    follow_ups = tables.follow_ups.c

    async def step() -> int:
        async with transaction() as connection:
            some = select(follow_ups.order_no).where(
                follow_ups.clock.is_not(None), follow_ups.closed_as.is_(None), func.random() < 1 / 3
            )
            set_back = await connection.execute(
                update(tables.follow_ups)
                .where(follow_ups.order_no.in_(some))
                .values(clock=follow_ups.clock - HOUR, wanted=True)
            )
            await notify(connection, WAKE_CHANNEL, "")
            return set_back.rowcount

    if not await until_done(step):
        raise NotBroughtAbout("there was no open order whose clock could be set back")
    happened["clock an hour back"] += 1


async def watch_killed(site: Site, chance: random.Random, happened: Counter[str]) -> None:
    """Kill one of the watches, and start it again."""
    name = chance.choice(WATCHES)
    await _kill_own(site, name)
    site.begin(name)
    happened["watch killed"] += 1


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


@dataclass
class Trouble:
    """What went wrong so far, how often; and what was to and did not."""

    site: Site
    chance: random.Random
    every: tuple[float, float]
    say: Callable[[str], None]
    happened: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    rounds: int = 0
    """So often all kinds have come."""

    async def make(self, rounds: int | None = None) -> None:
        """Let things go wrong until cancelled, or for so many rounds: each kind once before any comes again."""
        while rounds is None or self.rounds < rounds:
            coming = list(FAULTS)
            self.chance.shuffle(coming)
            for name in coming:
                await asyncio.sleep(self.chance.uniform(*self.every))
                self.say(f"fault: {name}")
                try:
                    await FAULTS[name](self.site, self.chance, self.happened)
                except NotBroughtAbout as trouble:
                    self.missed.append(f"the fault {name!r} did not happen: {trouble}")
            self.rounds += 1

    def never_seen(self) -> list[str]:
        """Name what is only seen where somebody writes or sends at that moment, and was not seen in the whole run."""
        return [f"not once was it seen: {name}" for name in (OUTBOX_REFUSES, CHANNEL_HANGS) if not self.happened[name]]


async def _end(site: Site, name: str, number: signal.Signals) -> None:
    process = await _there(site, name)
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
    await _gone(name, process)


async def _there(site: Site, name: str) -> psutil.Process:
    give_up = time.monotonic() + COMES_WITHIN
    while (process := site.process(name)) is None or not _runs(process):
        if time.monotonic() > give_up:
            raise NotBroughtAbout(f"the {name} did not come back within {COMES_WITHIN:.0f} s")
        await asyncio.sleep(0.1)
    return process


async def _gone(name: str, process: psutil.Process) -> None:
    give_up = time.monotonic() + GOES_WITHIN
    while _runs(process):
        if time.monotonic() > give_up:
            raise NotBroughtAbout(f"the {name} lives on")
        await asyncio.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


async def _kill_own(site: Site, name: str) -> None:
    if site.is_gone(name):
        site.begin(name)
        raise NotBroughtAbout(f"{name} had ended by itself; it was started again")
    await asyncio.to_thread(site.kill, name)


async def _held(span: tuple[float, float], seen: Callable[[], Awaitable[bool]]) -> bool:
    """Wait for the shorter time, and until it is seen for the longer; say whether it was."""
    begun = time.monotonic()
    least, most = span
    was_seen = False
    while (passed := time.monotonic() - begun) < least or (not was_seen and passed < most):
        was_seen = was_seen or await seen()
        await asyncio.sleep(0.2)
    return was_seen


async def _was_refused_by_the_outbox(since: datetime) -> bool:
    deliveries = tables.deliveries.c

    async def look() -> bool:
        async with transaction() as connection:
            refused = select(func.count()).where(
                deliveries.schema == "outbox", deliveries.error != "", deliveries.attempted_at >= since
            )
            return bool((await connection.execute(refused)).scalar_one())

    return await until_done(look)


def _said_since(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")


def _sessions(site: Site) -> list[psutil.Process]:
    """Return PostgreSQL's sessions in Gendan's database."""
    postgres = site.process("postgres")
    found = []
    with suppress(psutil.Error):
        for session in postgres.children() if postgres is not None else ():
            with suppress(psutil.Error):
                if " gendan " in " ".join(session.cmdline()):
                    found.append(session)
    return found


async def _write_something() -> None:
    """Write to the log of the database, should nobody else do so at this moment."""
    with suppress(*TROUBLE):
        async with transaction() as connection:
            await connection.execute(select(func.pg_logical_emit_message(True, "chaos", "a line")))


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
