"""Virtual clocks: moving an order's present forward, and waiting until its flow has done with that moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from sqlalchemy import select, update

from models import tables
from models.book.report import Report, Withdrawal
from models.errors import Unavailable
from tasks.database import ASLEEP_CHANNEL, WAKE_CHANNEL, listening, notify, transaction
from tasks.logbook import append_reports

LONGEST_WAKE_UP = 180.0
"""Seconds after which a wake-up that does not end is given up: something is broken, and the logs say what."""
LOOK_AGAIN = 5.0
"""Seconds after which the database is asked, should a notification have been missed."""


@dataclass(frozen=True)
class Asleep:
    """How an order went back to wait."""

    next_wake_up: datetime | None
    is_over: bool


class Sleepers:
    """Hears when orders go back to wait."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    async def advance(self, order_no: str, clock: datetime, reports: Sequence[Report | Withdrawal]) -> None:
        """Move an order's clock to `clock`, record what became known by then, and wake it: one transaction."""
        self._events[order_no] = asyncio.Event()
        async with transaction() as connection:
            await append_reports(connection, [(order_no, report) for report in reports])
            await connection.execute(
                update(tables.follow_ups)
                .where(tables.follow_ups.c.order_no == order_no, tables.follow_ups.c.closed_as.is_(None))
                .values(clock=clock, wanted=True)
            )
            await notify(connection, WAKE_CHANNEL, order_no)

    async def wait(self, order_no: str) -> Asleep:
        """Wait until an order that was advanced has gone back to wait; raises Unavailable if it never does."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LONGEST_WAKE_UP
        follow_ups = tables.follow_ups.c
        while loop.time() < give_up:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._events[order_no].wait(), LOOK_AGAIN)
            self._events[order_no].clear()
            async with transaction() as connection:
                row = (
                    await connection.execute(
                        select(
                            follow_ups.next_wake_up, follow_ups.closed_as, follow_ups.wanted, follow_ups.awake_since
                        ).where(follow_ups.order_no == order_no)
                    )
                ).one()
            if not row.wanted and row.awake_since is None:
                return Asleep(row.next_wake_up, row.closed_as is not None)
        raise Unavailable(f"Order {order_no} did not go back to wait within {LONGEST_WAKE_UP:.0f} s; see the logs.")

    async def listen(self, connection: psycopg.AsyncConnection[object]) -> None:
        """Pass on what the database says, without end."""
        async for notification in connection.notifies():
            event = self._events.get(notification.payload)
            if event is not None:
                event.set()


@asynccontextmanager
async def sleepers() -> AsyncIterator[Sleepers]:
    """Listen for orders that go back to wait, for the length of a block."""
    heard = Sleepers()
    async with listening(ASLEEP_CHANNEL) as connection:
        listener = asyncio.create_task(heard.listen(connection))
        try:
            yield heard
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
