"""Playing a season through the real flows: the database, Prefect and the worker, on a virtual clock."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType

from sqlalchemy import select

from gendan.season import Season
from gendan.whole import whole_gendan
from models import tables
from models.book.order_file import OrderFile
from models.errors import Refused
from models.seasons.result import MessageResult, Result, result_of
from models.seasons.season import Timeline, next_instant
from notifications.channels import ALWAYS
from tasks import database
from tasks.logbook import record_reports
from tasks.notices import list_notices
from tasks.orders import open_file, register
from tasks.settings import Settings
from tasks.virtual import Sleepers, sleepers


@dataclass(frozen=True)
class Played:
    """A season's result, and what it took."""

    result: Result
    wakes: int
    seconds: float


def replay(
    season: Season,
    settings: Settings,
    at_once: int,
    *,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, wakes: None,
) -> Played:
    """
    Play `season` through everything that real work goes through, several orders at a time.

    Each order has a virtual clock of its own, which goes from one event to the next: a report, or the order's
    next wake-up. Starts what it needs in `settings.home`, which must hold no orders yet, and stops it again.
    """
    settings = settings.model_copy(update={"port": 0, "channels": write_channels(settings.home)})
    with stopped_in_order(), whole_gendan(settings, say, watch=False) as running:
        os.environ.update(running.environment)
        return asyncio.run(play_season(season, at_once, progress))


@contextmanager
def stopped_in_order() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does, so that what it started is stopped with it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def write_channels(home: Path) -> Path:
    """
    Write a channel configuration under which every message goes to a file in the folder's outbox.

    Raises Refused where there is another one: it may be the only place where somebody's addresses stand.
    """
    outbox = home / "outbox"
    path = home / "channels.yaml"
    text = (
        "# On a virtual clock, messages are written to files and sent to nobody.\n"
        f"urls:\n  - outbox://{outbox.absolute()}:\n      - tag: {ALWAYS}\n"
    )
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
        raise Refused(
            f"{path} is somebody's, and a season on a virtual clock would take its place. "
            "Set GENDAN_HOME to a new folder, or unset it."
        )
    outbox.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


async def play_season(season: Season, at_once: int, progress: Callable[[int, int], None]) -> Played:
    """Play every order of a season against the Gendan that this process is connected to, which must be empty."""
    await must_be_empty("A replay")
    begun = time.monotonic()
    places = asyncio.Semaphore(at_once)
    done = wakes = 0

    async def one(file: OrderFile) -> None:
        nonlocal done, wakes
        async with places:
            order = OrderPlay(file, season.timeline(file.order.order_no), season.until, heard)
            while order.next_at is not None:
                await order.step()
                wakes += 1
                progress(done, wakes)
        done += 1
        progress(done, wakes)

    async with sleepers() as heard:
        await asyncio.gather(*(one(file) for file in season.files))
    seconds = time.monotonic() - begun
    result = await read_result([file.order.order_no for file in season.files], season.until)
    await database.close()
    return Played(result, wakes, seconds)


async def must_be_empty(what: str) -> None:
    """Raise Refused where there are orders already: what plays a season moves their clocks, and adds to them."""
    async with database.transaction() as connection:
        if (await connection.execute(select(tables.orders.c.order_no).limit(1))).first() is not None:
            raise Refused(
                f"{what} needs a folder of its own, and there are orders in this one. "
                "Set GENDAN_HOME to a new folder, or unset it."
            )


class OrderPlay:
    """One order on its own virtual clock, moved from one event to the next: a report, or its next wake-up."""

    def __init__(self, file: OrderFile, timeline: Timeline, until: datetime, heard: Sleepers) -> None:
        self.file = file
        self.next_at: datetime | None = file.order.came_in
        self._timeline, self._until, self._heard = timeline, until, heard
        self._registered = False

    async def step(self) -> None:
        """Play the next event and wait until the order's flow has done with it; `next_at` is then the one after."""
        assert self.next_at is not None
        order, now = self.file.order, self.next_at
        if not self._registered:
            await register(order, self.file.template, self.file.policy, clock=now, wake=False)
            self._registered = True
        reports = self._timeline.known_by(now)
        await self._heard.advance(order.order_no, now, reports)
        self.file = self.file.told(*reports)
        asleep = await self._heard.wait(order.order_no)
        self.next_at = None if asleep.is_over else next_instant(asleep.next_wake_up, self._timeline, self._until)
        if self.next_at is None and (late := self._timeline.known_by(self._until)):
            # What is told of an order that is over goes to its log and wakes nobody.
            await record_reports([(order.order_no, report) for report in late])


async def read_result(order_nos: Sequence[str], until: datetime) -> Result:
    """Read from the database what became of these orders."""
    files = [(await open_file(order_no))[0] for order_no in order_nos]
    ours = set(order_nos)
    messages = [
        MessageResult(
            at=row.raised_at,
            order_no=row.order_no,
            milestone=row.milestone,
            rung=row.rung,
            recipient=row.role,
            due=row.due,
        )
        for row in await list_notices()
        if row.order_no in ours
    ]
    return result_of(files, messages, until)
