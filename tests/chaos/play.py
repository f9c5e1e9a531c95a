"""Playing a season from outside while everything fails: eight writers, and somebody who moves each order's clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import httpx
import psycopg
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from gendan.season import Season
from models import tables
from models.book.order_file import OrderFile
from models.errors import Unavailable
from models.seasons.season import Told, next_instant
from tasks.database import ASLEEP_CHANNEL, listening, transaction
from tasks.logbook import record_reports
from tasks.orders import register
from tasks.virtual import Asleep, Sleepers

WRITERS = 8
AT_ONCE = 80
"""Orders that are moved at a time."""
AGAIN = 0.25
"""How often an old report is told once more, long after."""
PAUSE = 0.3
TROUBLE = (Unavailable, DBAPIError, psycopg.Error, OSError, httpx.HTTPError)
"""What whoever reports, or looks, sees of an order book or a Prefect that is down: he tries again."""

T = TypeVar("T")


@dataclass
class OnItsWay:
    """A report on its way to the order book."""

    order_no: str
    report: Told
    written: asyncio.Future[None]


class Writers:
    """Eight who report at the same time, each one report after the other, each until it is taken."""

    def __init__(self, chance: random.Random) -> None:
        self._queue: asyncio.Queue[OnItsWay] = asyncio.Queue()
        self._chance = chance
        self.told = self.refused = 0

    async def tell(self, order_no: str, reports: list[Told]) -> None:
        """Let reports be told twice each, in any order; return when all of it was taken."""
        twice = reports * 2
        self._chance.shuffle(twice)
        on_their_way = [OnItsWay(order_no, report, asyncio.get_running_loop().create_future()) for report in twice]
        for one in on_their_way:
            self._queue.put_nowait(one)
        await asyncio.gather(*(one.written for one in on_their_way))

    async def write(self) -> None:
        """Report what there is to report, without end."""
        while True:
            one = await self._queue.get()
            await self._until_taken(lambda one=one: record_reports([(one.order_no, one.report)]))  # type: ignore[misc]
            self.told += 1
            one.written.set_result(None)

    async def _until_taken(self, act: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await act()
            except TROUBLE:
                self.refused += 1
                await asyncio.sleep(PAUSE)


async def until_done(act: Callable[[], Awaitable[T]]) -> T:
    """Try until the order book answers."""
    while True:
        try:
            return await act()
        except TROUBLE:
            await asyncio.sleep(PAUSE)


class Play:
    """A season's orders, moved from one event to the next; what fails is tried again."""

    def __init__(self, season: Season, chance: random.Random, at_once: int = AT_ONCE) -> None:
        self._season, self._chance, self._at_once = season, chance, at_once
        self.writers = Writers(chance)
        self.steps = 0
        self.under_way: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}
        self._heard = Sleepers()

    async def run(self) -> None:
        """Play all orders to the season's end."""
        places = asyncio.Semaphore(self._at_once)
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self.writers.write()) for _ in range(WRITERS)]
            others.append(group.create_task(self._hear()))
            orders = [group.create_task(self._one(places, file)) for file in self._season.files]
            await asyncio.wait(orders)
            for order in orders:
                order.result()
            for other in others:
                other.cancel()

    async def go_on(self) -> int:
        """
        Let each clock that stepped back come to the last instant of its order again; return how many did.

        A clock goes on after it stepped back. What an order has to say at its last instant may have ended when its
        clock went back behind it, and is said again only then.
        """
        behind = [order_no for order_no, clock in (await until_done(_clocks)).items() if clock < self._last[order_no]]
        hearing = asyncio.create_task(self._hear())
        try:
            await asyncio.gather(*(self._step(order_no, self._last[order_no], []) for order_no in behind))
        finally:
            hearing.cancel()
        return len(behind)

    async def _hear(self) -> None:
        while True:
            try:
                async with listening(ASLEEP_CHANNEL) as connection:
                    await self._heard.listen(connection)
            except TROUBLE:
                await asyncio.sleep(PAUSE)

    async def _one(self, places: asyncio.Semaphore, file: OrderFile) -> None:
        order = file.order
        async with places:
            timeline = self._season.timeline(order.order_no)
            now: datetime | None = order.came_in
            if order.came_in > self._season.until:
                return
            await until_done(lambda: register(order, file.template, file.policy, clock=order.came_in, wake=False))
            before: list[Told] = []
            while now is not None:
                self.under_way[order.order_no] = now
                news = timeline.known_by(now)
                old = [self._chance.choice(before)] if before and self._chance.random() < AGAIN else []
                asleep = await self._step(order.order_no, now, [*news, *old])
                before += news
                self.steps += 1
                self._last[order.order_no] = now
                now = None if asleep.is_over else next_instant(asleep.next_wake_up, timeline, self._season.until)
            if late := timeline.known_by(self._season.until):
                await self.writers.tell(order.order_no, late)
            self.under_way.pop(order.order_no, None)

    async def _step(self, order_no: str, now: datetime, reports: list[Told]) -> Asleep:
        await until_done(lambda: _set_clock(order_no, now))
        await self.writers.tell(order_no, reports)

        async def wake() -> Asleep:
            await self._heard.advance(order_no, now, [])
            return await self._heard.wait(order_no)

        return await until_done(wake)


async def _clocks() -> dict[str, datetime]:
    follow_ups = tables.follow_ups.c
    open_ = select(follow_ups.order_no, follow_ups.clock).where(follow_ups.closed_as.is_(None))
    async with transaction() as connection:
        return {row.order_no: row.clock for row in await connection.execute(open_)}


async def _set_clock(order_no: str, now: datetime) -> None:
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups).where(tables.follow_ups.c.order_no == order_no).values(clock=now)
        )
