"""
Looking into Prefect's own tables.

Asking its API would make the server work for the measurement; a look into its database costs it nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

PREFECT_DATABASE = "prefect"


@asynccontextmanager
async def prefect_tables(database_url: str) -> AsyncIterator[PrefectTables]:
    """Open the database of the Prefect server that stands beside Gendan's own in the same PostgreSQL."""
    url = make_url(database_url).set(drivername="postgresql", database=PREFECT_DATABASE)
    connect = psycopg.AsyncConnection.connect(url.render_as_string(hide_password=False), autocommit=True)
    async with await connect as connection:
        yield PrefectTables(connection)


class PrefectTables:
    """Reads the states of flow runs, and makes runs up that stand for waiting orders."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    async def states_since(self, flow_run_ids: Sequence[UUID]) -> dict[UUID, datetime]:
        """Return since when each of these runs is in its present state; runs with none are left out."""
        rows = await self._connection.execute(
            "SELECT id, state_timestamp FROM flow_run WHERE id = ANY(%s) AND state_timestamp IS NOT NULL",
            [list(flow_run_ids)],
        )
        return {UUID(str(row[0])): _instant(row[1]) for row in await rows.fetchall()}

    async def wait_until_paused(
        self,
        since: dict[UUID, datetime],
        flow_run_ids: Collection[UUID],
        *,
        every: float,
        limit: float,
    ) -> float:
        """
        Wait until all these runs wait, each in a newer state than it had in `since`; return that instant.

        The instant is that of `time.time()` at which the rows were seen, at most `every` seconds late. Raises
        TimeoutError after `limit` seconds, and RuntimeError where a run ended instead.
        """
        give_up = time.monotonic() + limit
        left = set(flow_run_ids)
        while left:
            rows = await self._connection.execute(
                "SELECT id, state_type::text, state_timestamp, state_name FROM flow_run WHERE id = ANY(%s)",
                [list(left)],
            )
            seen = time.time()
            for run_id, kind, at, name in await rows.fetchall():
                key = UUID(str(run_id))
                if kind in ("FAILED", "CRASHED", "CANCELLED", "COMPLETED"):
                    raise RuntimeError(f"Run {key} ended as {name} while it was measured; see the logs.")
                if kind == "PAUSED" and (key not in since or _instant(at) > since[key]):
                    left.discard(key)
            if not left:
                return seen
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(left)} of {len(flow_run_ids)} runs do not wait after {limit:.0f} s")
            await asyncio.sleep(every)
        return time.time()

    async def count_task_runs(self, flow_run_id: UUID) -> int:
        """Count the task-run rows of a run."""
        rows = await self._connection.execute("SELECT count(*) FROM task_run WHERE flow_run_id = %s", [flow_run_id])
        row = await rows.fetchone()
        assert row is not None
        return int(str(row[0]))

    async def copy_run(self, pattern: UUID, copies: Sequence[UUID]) -> None:
        """Put copies of a run beside it, with its states, bars, form and artifacts: the same but for ids and names."""
        copied = {"copies": list(copies), "pattern": pattern}
        await self._connection.execute(
            """
            INSERT INTO flow_run
            SELECT (jsonb_populate_record(f, jsonb_build_object(
                'id', copy.id, 'name', 'copy ' || copy.id, 'idempotency_key', NULL))).*
            FROM flow_run f, unnest(%(copies)s::uuid[]) AS copy(id)
            WHERE f.id = %(pattern)s
            """,
            copied,
        )
        for table in ("flow_run_state", "task_run", "flow_run_input"):
            await self._connection.execute(
                sql.SQL(
                    """
                    INSERT INTO {table}
                    SELECT (jsonb_populate_record(t, jsonb_build_object(
                        'id', gen_random_uuid(), 'flow_run_id', copy.id))).*
                    FROM {table} t, unnest(%(copies)s::uuid[]) AS copy(id)
                    WHERE t.flow_run_id = %(pattern)s
                    """
                ).format(table=sql.Identifier(table)),
                copied,
            )
        # autovacuum would do it within a minute; the measurement does not wait for it
        for table in ("flow_run", "flow_run_state", "task_run", "flow_run_input"):
            await self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))

    async def delete_runs(self, flow_run_ids: Sequence[UUID]) -> None:
        """Remove the copies again."""
        # The rest hangs on it, and goes with it.
        await self._connection.execute("DELETE FROM flow_run WHERE id = ANY(%s)", [list(flow_run_ids)])

    async def size(self) -> int:
        """Return the size of the whole database in bytes."""
        rows = await self._connection.execute("SELECT pg_database_size(current_database())")
        row = await rows.fetchone()
        assert row is not None
        return int(str(row[0]))


def _instant(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value
