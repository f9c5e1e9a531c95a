"""The way to the database: one engine per event loop, and its failures in our own words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql
from sqlalchemy import event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from models.errors import Unavailable
from tasks.schema import refuse_another_form

URL = "GENDAN_DATABASE_URL"
WAKE_CHANNEL = "gendan_wake"
ASLEEP_CHANNEL = "gendan_asleep"
POST_CHANNEL = "gendan_post"

_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AsyncEngine]] = WeakKeyDictionary()


def database_url() -> str:
    """Return the SQLAlchemy URL (psycopg driver) that this process was given."""
    try:
        return os.environ[URL]
    except KeyError:
        raise Unavailable(f"No database: set {URL}, or start Gendan with `gendan up`.") from None


def engine() -> AsyncEngine:
    """Return the engine of the running event loop; connections cannot be shared between loops."""
    url = database_url()
    ours = _engines.setdefault(asyncio.get_running_loop(), {})
    if url not in ours:
        ours[url] = create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True, pool_recycle=1800)
        event.listen(ours[url].sync_engine, "connect", _refuse_another_form)
    return ours[url]


def _refuse_another_form(connection: DBAPIConnection, _record: object) -> None:
    # Every door leads through here: whoever opens the database in another form than his own touches nothing in it.
    try:
        refuse_another_form(connection)
    except BaseException:
        connection.close()  # the pool has not taken it yet
        raise


async def look() -> None:
    """Open the database and do nothing; raises Unavailable where it cannot be used, AnotherRelease for its form."""
    async with transaction():
        pass


async def close() -> None:
    """Close the running loop's connections."""
    for engine in _engines.pop(asyncio.get_running_loop(), {}).values():
        await engine.dispose()


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncConnection]:
    """
    Give a connection inside a transaction, committed at the end.

    Raises Unavailable where the database cannot be reached or goes away, or is of another release; nothing is committed
    then.
    """
    try:
        async with engine().begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from None
        raise


@asynccontextmanager
async def listening(channel: str) -> AsyncIterator[psycopg.AsyncConnection[object]]:
    """Give a connection of its own that hears what is said on `channel`."""
    url = make_url(database_url()).set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield connection


def _unavailable(error: DBAPIError) -> Unavailable:
    url = make_url(database_url())
    where = url.query.get("host") or f"{url.host}:{url.port or 5432}"
    reason = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
    return Unavailable(f"The database {url.database!r} at {where} cannot be used: {reason}. Is `gendan up` running?")


async def notify(connection: AsyncConnection, channel: str, payload: str) -> None:
    """Tell whoever listens on `channel`, once this transaction commits."""
    await connection.execute(select(func.pg_notify(channel, payload)))
