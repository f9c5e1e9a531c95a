"""A year of orders, made of one that was really played: its rows in both databases, copied with other ids and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from bench.prefect_tables import PREFECT_DATABASE

BATCH = 500
OWN_RUN = "t.flow_run_id = %(run)s"
OF_RUN = {
    "flow_run": "t.id = %(run)s",
    "flow_run_state": OWN_RUN,
    "task_run": OWN_RUN,
    "task_run_state": "t.task_run_id IN (SELECT id FROM task_run WHERE flow_run_id = %(run)s)",
    "log": OWN_RUN,
    "artifact": OWN_RUN,
    "artifact_collection": OWN_RUN,
    "flow_run_input": OWN_RUN,
}
"""Prefect's tables with rows of a run, and which rows those are."""
_EVENTS = (
    "(t.resource_id = 'prefect.flow-run.' || %(run)s::text OR t.resource_id IN "
    "(SELECT 'prefect.task-run.' || id FROM task_run WHERE flow_run_id = %(run)s))"
)
EVENTS = {
    "events": _EVENTS,
    "event_resources": f"t.event_id IN (SELECT t.id FROM events t WHERE {_EVENTS})",  # noqa: S608 - of these lines
}
IN_BOOK = ("orders", "follow_ups", "entries")
IDS = ("id", "state_id", "task_run_id", "event_id", "latest_id")


@dataclass(frozen=True)
class Copy:
    """What a copy of an order is called, which run it has, and how long before its pattern it happened."""

    name: str
    ago: timedelta
    run: UUID


def copies(series: str, count: int, over: timedelta) -> list[Copy]:
    """Make `count` copies up, spread evenly over the time before now."""
    return [Copy(f"GROWN-{series}-{n:06d}", over * n / count, uuid4()) for n in range(1, count + 1)]


def copy_runs(database_url: str, run: UUID, name: str, made: Sequence[Copy], *, events: bool) -> int:
    """Copy a run with all that hangs on it in Prefect's tables; with `events` its events too. Return how many rows."""
    rows = 0
    with psycopg.connect(_url(database_url, PREFECT_DATABASE)) as connection:
        for table, which in (OF_RUN | (EVENTS if events else {})).items():
            rows += _copy(connection, table, which, {"run": run}, (str(run), name), made)
    return rows


def copy_orders(database_url: str, order_no: str, run: UUID, made: Sequence[Copy]) -> int:
    """Copy an order in the order book. Return how many rows."""
    rows = 0
    with psycopg.connect(_url(database_url)) as connection:
        for table in IN_BOOK:
            which = "t.order_no = %(order_no)s"
            rows += _copy(connection, table, which, {"order_no": order_no}, (str(run), order_no), made)
    return rows


def settle(database_url: str) -> dict[str, int]:
    """Let both databases know what is in them, as autovacuum would; return the bytes of each."""
    sizes = {}
    for name in ("", PREFECT_DATABASE):
        with psycopg.connect(_url(database_url, name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            assert row is not None
            sizes[name or "gendan"] = int(row[0])
    return sizes


def _url(database_url: str, database: str = "") -> str:
    url = make_url(database_url).set(drivername="postgresql")
    return (url.set(database=database) if database else url).render_as_string(hide_password=False)


def _copy(
    connection: psycopg.Connection[tuple[object, ...]],
    table: str,
    which: str,
    pattern: dict[str, object],
    names: tuple[str, str],
    made: Sequence[Copy],
) -> int:
    """
    Copy rows of a table: ids become those of the copy, times move, and names in any text are the copy's.

    A copied id is worked out from the old one and the copy's, so that rows of several tables fit together.
    """
    columns = connection.execute(
        "SELECT column_name, data_type, is_identity FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        [table],
    ).fetchall()
    kept = [str(name) for name, _, identity in columns if identity == "NO"]
    own = [
        sql.SQL("{}, md5(t.{}::text || c.run)::uuid").format(sql.Literal(name), sql.Identifier(str(name)))
        for name, kind, _ in columns
        if name in IDS and kind == "uuid" and (table, name) != ("flow_run", "id")
    ]
    moved = [
        sql.SQL("{}, t.{} - c.ago").format(sql.Literal(name), sql.Identifier(str(name)))
        for name, kind, _ in columns
        if kind == "timestamp with time zone" and name != "next_wake_up"
    ]
    # An idempotency key of the pattern is nobody else's.
    alone = [sql.SQL("'idempotency_key', NULL")] if "idempotency_key" in kept else []
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t "
        "CROSS JOIN unnest(%(names)s::text[], %(runs)s::text[], %(agos)s::interval[]) AS c(name, run, ago) "
        "CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, "
        "replace(replace(replace(to_jsonb(t)::text, %(old_run)s, c.run), %(old_name)s, c.name), "
        "%(old_slug)s, lower(c.name))::jsonb || jsonb_build_object({changes})) r WHERE "
    ).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, kept)),
        values=sql.SQL(", ").join(sql.Identifier("r", name) for name in kept),
        changes=sql.SQL(", ").join([*own, *moved, *alone]),
    ) + sql.SQL(which)
    rows = 0
    for begin in range(0, len(made), BATCH):
        batch = made[begin : begin + BATCH]
        with connection.transaction():
            # Rows that point at each other come in one after the other: foreign keys are right at the end.
            connection.execute("SET LOCAL session_replication_role = replica")
            rows += connection.execute(
                statement,
                pattern
                | {"old_run": names[0], "old_name": names[1], "old_slug": names[1].lower()}
                | {"names": [c.name for c in batch], "runs": [str(c.run) for c in batch]}
                | {"agos": [c.ago for c in batch]},
            ).rowcount
    return rows
