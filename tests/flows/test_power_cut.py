"""Everything is killed at once in mid-season, and `gendan up` goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError

from gendan.demo import SAMPLES
from gendan.house import House, running_urls
from gendan.replay import read_result, write_channels
from gendan.season import Season, backtest, load_season
from models import tables
from models.book.order_file import OrderFile
from models.book.report import Report
from models.errors import Unavailable
from models.seasons.result import differences
from models.seasons.season import Timeline, next_instant
from tasks import database
from tasks.library import library
from tasks.notices import list_notices
from tasks.orders import register
from tasks.settings import settings
from tasks.virtual import Sleepers, sleepers

SHORT_ORDERS = ("SO-26-0428", "SO-26-0440", "SO-26-0461", "SO-26-0474")
AFTER = 25
"""Wake-ups before the power is cut: in mid-season for these orders."""


class WakeUps:
    """Counts wake-ups, and says when there were `enough`."""

    def __init__(self, enough: int) -> None:
        self.enough = asyncio.Event()
        self._left = enough

    def add(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.enough.set()


@dataclass
class Play:
    """An order's season, which can be gone on with where it was cut off."""

    file: OrderFile
    timeline: Timeline
    until: datetime
    now: datetime | None
    reports: list[Report] = field(default_factory=list)
    registered: bool = False

    async def go_on(self, heard: Sleepers, counter: WakeUps) -> None:
        order = self.file.order
        if not self.registered:
            await register(order, self.file.template, self.file.policy, clock=self.now, wake=False)
            self.registered = True
        while self.now is not None:
            self.reports += self.timeline.known_by(self.now)
            # Told once more after the cut: what was recorded before changes nothing.
            await heard.advance(order.order_no, self.now, self.reports)
            asleep = await heard.wait(order.order_no)
            counter.add()
            self.reports = []
            self.now = None if asleep.is_over else next_instant(asleep.next_wake_up, self.timeline, self.until)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gd-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("GENDAN_HOME", folder)
        monkeypatch.delenv("GENDAN_CHANNELS", raising=False)
        write_channels(Path(folder))
        settings.cache_clear()
        yield Path(folder)
        settings.cache_clear()


def gendan_up(home: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "GENDAN_"))}
    with log.open("ab") as file:
        started = subprocess.Popen(
            [sys.executable, "-c", "from gendan.cli import main; main()", "up", "--port", "0"],
            env={**environment, "GENDAN_HOME": str(home)},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    give_up = time.monotonic() + 120
    while running_urls(House(home)) is None:
        assert started.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.2)
    return started


def cut_the_power(home: Path, supervisor: subprocess.Popen[bytes]) -> None:
    household = House(home).household()
    assert household is not None
    for pid in [supervisor.pid, *(child.pid for child in household.children.values())]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    supervisor.wait()


def _forget_torn_connections() -> None:
    # One that was being opened as the power went is closed by nobody, and says so when it is collected.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def all_delivered(cut_at: datetime) -> int:
    """Wait until all is told and delivered; return how many messages were on their way at the cut."""
    deliveries, notices = tables.deliveries.c, tables.notices.c
    untold = select(func.count()).where(notices.holds, notices.told == 0).scalar_subquery()
    unsettled = select(func.count()).where(tables.messages.c.delivered_at.is_(None)).scalar_subquery()
    async with database.transaction() as connection:
        # What a killed sender had taken goes out when its lease ends; nobody waits five minutes for that here.
        taken = await connection.execute(
            update(tables.deliveries)
            .where(deliveries.delivered_at.is_(None), deliveries.attempted_at < cut_at)
            .values(next_attempt_at=cut_at)
        )
    give_up = time.monotonic() + 120
    while True:
        async with database.transaction() as connection:
            left = (await connection.execute(select(untold, unsettled))).one()
        if tuple(left) == (0, 0):
            return taken.rowcount
        assert time.monotonic() < give_up, f"{left[0]} notices untold, {left[1]} messages undelivered"
        await asyncio.sleep(0.5)


async def test_after_a_power_cut_nothing_is_lost_and_nothing_is_said_twice(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_season(SAMPLES / "orders.csv", SAMPLES / "reports.csv", library())
    season: Season = replace(whole, files=[f for f in whole.files if f.order.order_no in SHORT_ORDERS])
    plays = [Play(f, season.timeline(f.order.order_no), season.until, f.order.came_in) for f in season.files]
    counter = WakeUps(AFTER)
    log = tmp_path / "up.log"

    supervisor = await asyncio.to_thread(gendan_up, home, log)
    try:
        urls = running_urls(House(home))
        assert urls is not None
        monkeypatch.setenv(database.URL, urls.database_url)

        async def power_cut() -> None:
            await counter.enough.wait()
            cut_the_power(home, supervisor)

        cut = asyncio.create_task(power_cut())
        with pytest.raises((Unavailable, DBAPIError, psycopg.Error, ExceptionGroup)):
            async with sleepers() as heard:
                await asyncio.gather(*(play.go_on(heard, counter) for play in plays))
        await cut
        cut_at = datetime.now(UTC)
        await database.close()
        _forget_torn_connections()

        supervisor = await asyncio.to_thread(gendan_up, home, log)
        async with sleepers() as heard:
            await asyncio.gather(*(play.go_on(heard, counter) for play in plays))
        played = await read_result([file.order.order_no for file in season.files], season.until)
        said = [(n.order_no, n.milestone, n.rung, n.due, n.role) for n in await list_notices()]
        on_their_way = await all_delivered(cut_at)
        async with database.transaction() as connection:
            made = (await connection.execute(select(func.count()).select_from(tables.messages))).scalar_one()
        await database.close()
    finally:
        supervisor.send_signal(signal.SIGTERM)
        await asyncio.to_thread(supervisor.wait)

    assert differences(played, backtest(season)) == []
    assert len(said) == len(set(said)) > 0
    # Twice at most what was on its way when the power went: whether it had arrived is known to nobody.
    assert made <= len(list(House(home).outbox.glob("*.txt"))) <= made + on_their_way
