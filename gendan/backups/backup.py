"""`gendan backup`: both databases in one file, while Gendan runs or while it is off."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import prefect
import psycopg
from psycopg import sql

from gendan import __version__
from gendan.backups.archive import ORDERS, PREFECT, Manifest, Writing, writing
from gendan.backups.both_databases import databases
from gendan.backups.client_programs import Database, Programs, first_line
from models.errors import AnotherRelease, Unavailable
from tasks.clock import now
from tasks.schema import knows, trouble_with
from tasks.settings import Settings


def back_up(settings: Settings, file: Path, *, replace: bool) -> Manifest:
    """
    Write a backup of both databases to `file`, and return what it holds.

    Prefect's part is taken first, and the order book last: the book is the truth, and Prefect's part never knows of
    an order that the book does not. Each part is of one instant. Raises Refused or Unavailable; no file is left then.
    """
    try:
        with databases(settings) as both, writing(file.expanduser().absolute(), replace=replace) as archive:
            if both.prefect is not None:
                _add_prefect(archive, both.prefect)
            manifest = _add_orders(archive, both.orders)
            archive.seal(manifest)
            return manifest
    except psycopg.Error as error:
        raise Unavailable(f"The database broke off: {first_line(error)}. No backup was written.") from None


def _add_prefect(archive: Writing, database: Database) -> None:
    server = database.major()
    programs = Programs.fitting(server, embedded=database.embedded)
    with database.connect() as connection:
        revision = revision_of(connection)
    archive.add(
        PREFECT, partial(programs.dump, database), server=server, pg_dump=programs.major, revision=revision
    )  # fmt: skip


def _add_orders(archive: Writing, database: Database) -> Manifest:
    server = database.major()
    programs = Programs.fitting(server, embedded=database.embedded)
    with database.connect() as connection:
        # what is counted and what is dumped are of the same instant
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _one(connection, sql.SQL("SELECT pg_export_snapshot()"))
        revision = revision_of(connection)
        if not knows(revision):
            raise AnotherRelease(trouble_with(revision, release_of(connection)))
        if revision is None:
            raise Unavailable(f"The database {database.name!r} holds no orders of Gendan. No backup was written.")
        counts = count_orders(connection)
        archive.add(
            ORDERS, partial(programs.dump, database, snapshot=snapshot), server=server, pg_dump=programs.major,
            revision=revision,
        )  # fmt: skip
    return Manifest(
        made_at=now(), gendan=__version__, prefect=prefect.__version__, parts=archive.parts, **counts
    )  # fmt: skip


def count_orders(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, int]:
    """Count what the order book holds: orders, those that are followed, entries of the log."""
    return {
        "orders": _one(connection, sql.SQL("SELECT count(*) FROM orders")),
        "followed": _one(connection, sql.SQL("SELECT count(*) FROM follow_ups WHERE closed_as IS NULL")),
        "entries": _one(connection, sql.SQL("SELECT count(*) FROM entries")),
    }


def revision_of(connection: psycopg.Connection[tuple[Any, ...]]) -> str | None:
    """Return the revision of a database's form, Gendan's or Prefect's; None without tables."""
    if _one(connection, sql.SQL("SELECT to_regclass('public.alembic_version')")) is None:
        return None
    row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    return str(row[0]) if row is not None else None


def release_of(connection: psycopg.Connection[tuple[Any, ...]]) -> str | None:
    """Return the release that gave the database its form, where it says so."""
    query = sql.SQL("SELECT obj_description(to_regclass('public.alembic_version'), 'pg_class')")
    told = _one(connection, query)
    return str(told) if told is not None else None


def _one(connection: psycopg.Connection[tuple[Any, ...]], query: sql.SQL) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
