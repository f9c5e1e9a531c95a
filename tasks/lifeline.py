"""
A worker's sign of life: a lock in the database, held by a connection of its own, that goes when the worker goes.

Whoever is killed loses it at once, whoever is cut off within seconds. What a worker without it left awake, another
takes over; and a worker that lost it knows that sooner than the others may act on it, and goes on with nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection
from typing import NoReturn

import anyio
import psycopg
from sqlalchemy import func, select, update
from sqlalchemy.engine import make_url

from models import tables
from tasks.clock import now
from tasks.database import database_url, transaction

LEASE = 15.0
"""Seconds after its last sign of life for which a worker may go on with what it has taken."""
SILENT = 25.0
"""Seconds without a sign of life after which others take over: more than LEASE by longer than a step may take."""
BEAT = 4.0
ANSWERS_WITHIN = 5.0
RECONNECT = 1.0
LOOK_EVERY = 8.0
"""Seconds between two looks at the other workers."""

NEXT = "next worker"
"""Stands for the worker that an order is handed to and that has not come for it yet."""
WATCH = "watch"
NO_WORKERS = ("", NEXT, WATCH)
"""What may stand in place of a worker's name, and has no lifeline."""

_SEED = 7_401_532_119  # any number, the same for all releases: a lock of ours is no lock of somebody else's

_rows = tables.follow_ups.c
logger = logging.getLogger("gendan.lifeline")


class Lifeline:
    """The lifeline of one worker. A name has one holder at a time: a second worker of that name waits for its end."""

    def __init__(self, name: str, when_lost: Callable[[], None] = lambda: None) -> None:
        """Make the lifeline of the worker `name`; `when_lost` is called each time that it was lost."""
        self.name, self._when_lost = name, when_lost
        self._until = math.inf

    @property
    def holds(self) -> bool:
        """Say whether the worker may take orders, and go on with those that it has; until `begin` it always may."""
        return time.monotonic() < self._until

    def begin(self) -> None:
        """From now on the worker may go on only while the lifeline is held."""
        self._until = 0.0

    async def hold(self) -> NoReturn:
        """Hold it until cancelled; lost, it is taken again as soon as the database lets us."""
        self.begin()
        while True:
            try:
                await self._hold_once()
            except (psycopg.Error, TimeoutError, OSError) as error:
                logger.warning("No sign of life reaches the database (%s); trying again", type(error).__name__)
            finally:
                self._until = 0.0
                self._when_lost()
            await anyio.sleep(RECONNECT)

    async def _hold_once(self) -> None:
        url = make_url(database_url()).set(drivername="postgresql").render_as_string(hide_password=False)
        said = False
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5) as connection:
            # A machine that is gone closes nothing: PostgreSQL is to notice by itself, in half a minute, not in hours.
            await connection.execute(
                "SELECT set_config('tcp_keepalives_idle', '8', false), "
                "set_config('tcp_keepalives_interval', '4', false), set_config('tcp_keepalives_count', '3', false), "
                "set_config('application_name', %s, false)",
                (f"gendan lifeline of {self.name}",),
            )
            while not await self._take(connection):
                if not said:
                    logger.warning("Another worker is called %s: this one waits until that one has ended", self.name)
                    said = True
                await anyio.sleep(RECONNECT)
            while True:
                await anyio.sleep(BEAT)
                asked = time.monotonic()
                with anyio.fail_after(ANSWERS_WITHIN):
                    await connection.execute("SELECT 1")
                self._until = asked + LEASE

    async def _take(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
        asked = time.monotonic()
        with anyio.fail_after(ANSWERS_WITHIN):
            answer = await connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, %s))", (self.name, _SEED)
            )
            row = await answer.fetchone()
        if row is None or not row[0]:
            return False
        self._until = asked + LEASE
        return True


mine: Lifeline | None = None
"""That of this process, if it is a worker of ours."""


def cut_off() -> bool:
    """Say whether this process is a worker whose orders others may have taken over by now."""
    return mine is not None and not mine.holds


class Silences:
    """Since when which workers have shown no sign of life, look by look."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._looked = -math.inf

    def gone(self, silent: Collection[str], at: float) -> list[str]:
        """
        Return who has been silent at every look for SILENT seconds; `silent` are those that are at `at` (monotonic).

        Whoever could not look for a while begins anew: two short silences are not one long one.
        """
        if at - self._looked > 3 * LOOK_EVERY:
            self._since.clear()
        self._looked = at
        self._since = {name: self._since.get(name, at) for name in silent}
        return sorted(name for name, since in self._since.items() if at - since >= SILENT)


async def silent_workers() -> set[str]:
    """Return the workers in whose names orders are awake and that show no sign of life at this moment."""
    owners = (
        select(_rows.awake_by)
        .where(_rows.awake_since.is_not(None), _rows.awake_by.not_in(NO_WORKERS))
        .distinct()
        .cte("owners")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    async with transaction() as connection:
        # shared: several may look at a time
        silent = func.pg_try_advisory_xact_lock_shared(func.hashtextextended(owners.c.awake_by, _SEED))
        return set((await connection.execute(select(owners.c.awake_by).where(silent))).scalars())


async def take_over(name: str, to: str) -> int:
    """Give to `to` the orders that the worker `name` left awake, and return how many; none while that one lives."""
    async with transaction() as connection:
        # Held to the end of this transaction: it cannot come back in the midst of it.
        gone = select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, _SEED)))
        if not (await connection.execute(gone)).scalar_one():
            return 0
        taken = await connection.execute(
            update(tables.follow_ups)
            .where(_rows.awake_by == name, _rows.awake_since.is_not(None))
            .values(awake_by=to, awake_since=now())
        )
        return taken.rowcount
