"""A DBOS process beside the running Gendan, in a database of its own on the same PostgreSQL, and its orders."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
import psycopg
from dbos import DBOSClient
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from bench.bench_orders import code_of
from bench.dbos_worker import READY, STARTED
from bench.scene import Scene
from gendan.child import open_log

DATABASE = "dbos_bench"
LOG = "dbos"
LIMIT = 120.0
"""Seconds after which what DBOS does not do is given up."""

# What a `recv` writes down last before it waits: until when. Its listener is registered by then.
_WAITING = "SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.sleep' AND workflow_uuid = ANY(%s)"


@dataclass(frozen=True)
class DbosForm:
    """A DBOS process, a client that sends it reports, and eyes on its tables."""

    process: psutil.Process
    client: DBOSClient
    _pipe: Process
    _tables: psycopg.AsyncConnection[tuple[object, ...]]

    async def start(self, order_nos: Sequence[str], milestones: int) -> None:
        """Start these orders, one after the other; returns when all of them wait for their first milestone."""
        asked = {"orders": list(order_nos), "milestones": [code_of(number) for number in range(1, milestones + 1)]}
        assert self._pipe.stdin is not None
        self._pipe.stdin.write(f"{json.dumps(asked)}\n".encode())
        await _answered(self._pipe, STARTED)
        await self.waited(order_nos, len(order_nos))

    async def tell(self, order_no: str, step: int) -> None:
        """Send the report that a step was done, in a transaction of its own; sent twice, it counts once."""
        event = f"{order_no}/{step}"
        report = {"milestone": code_of(step), "occurred_at": time.time(), "source": "bench", "source_event_id": event}
        await self.client.send_async(order_no, report, code_of(step), idempotency_key=event)

    async def count_waits(self, order_nos: Sequence[str]) -> int:
        """Count how often these orders have begun to wait, from their start on."""
        row = await (await self._tables.execute(_WAITING, [list(order_nos)])).fetchone()
        assert row is not None
        return int(str(row[0]))

    async def waited(self, order_nos: Sequence[str], times: int, *, every: float = 0.01) -> float:
        """
        Wait until these orders have begun to wait so many times in all; return the instant at which it was seen.

        Raises TimeoutError where that does not happen.
        """
        give_up = time.monotonic() + LIMIT
        while await self.count_waits(order_nos) < times:
            if time.monotonic() > give_up:
                raise TimeoutError(f"DBOS's orders do not wait after {LIMIT:.0f} s; see its log.")
            await asyncio.sleep(every)
        return time.time()


@asynccontextmanager
async def dbos_form(scene: Scene, connections: int | None = None) -> AsyncIterator[DbosForm]:
    """Run a DBOS process for the length of a block; its client has so many connections, else as many as DBOS gives."""
    url = make_url(scene.running.database_url).set(drivername="postgresql", database=DATABASE)
    text = url.render_as_string(hide_password=False)
    await _drop(url)
    try:
        async with contextlib.AsyncExitStack() as open_:
            process = await _started(scene, text)
            open_.push_async_callback(_stopped, process)
            client = await asyncio.to_thread(
                DBOSClient, system_database_url=text, system_database_pool_size=connections
            )
            open_.callback(client.destroy)
            tables = await open_.enter_async_context(await psycopg.AsyncConnection.connect(text, autocommit=True))
            yield DbosForm(psutil.Process(process.pid), client, process, tables)
    finally:
        await _drop(url)


async def _started(scene: Scene, url: str) -> Process:
    log = scene.house.log(LOG)
    with open_log(log) as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.dbos_worker"),
            env={**os.environ, "DBOS_SYSTEM_DATABASE_URL": url},
            stdin=PIPE,
            stdout=PIPE,
            stderr=file,
            # a session of its own: Ctrl-C is for the measurement to pass on
            start_new_session=True,
        )
    try:
        await _answered(process, READY)
    except BaseException:
        await _stopped(process)
        raise
    return process


async def _answered(process: Process, word: str) -> None:
    """Wait for an answer of the process; raises RuntimeError where it ends instead."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT):
        while (line := (await process.stdout.readline()).decode()) != f"{word}\n":
            if not line:
                raise RuntimeError(f"DBOS's process ended before it said {word!r}; see the log {LOG!r}.")


async def _stopped(process: Process) -> None:
    if process.returncode is None:
        process.kill()  # nothing is lost by it, and a wait of weeks is not waited for
    await process.wait()


async def _drop(url: URL) -> None:
    server = url.set(database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
