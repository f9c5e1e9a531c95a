"""Bringing the database to this release's form, and refusing one that is ahead of it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, ProgrammingError

import migrations
from models.errors import AnotherRelease, Unavailable

_RELEASE = "obj_description(to_regclass('alembic_version'), 'pg_class')"
_MIGRATION_LOCK = 7_401_532_118  # any number, the same for all releases: two processes never migrate at once


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def migrate(url: str) -> str | None:
    """
    Bring the database at `url` (SQLAlchemy, psycopg) to the newest form; return the revision it had before.

    Raises Unavailable if it cannot be reached, is older than PostgreSQL 15, or was made by a newer release;
    nothing is changed then.
    """
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            version = connection.dialect.server_version_info or (0,)
            if version < (15,):
                raise Unavailable(f"PostgreSQL {'.'.join(map(str, version))} is too old: Gendan needs 15 or later.")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            before = _check_not_newer(connection)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if before != _revisions()[0] or release_of(connection) is None:
                _sign(connection)
            return before
    except OperationalError as error:
        raise _out_of_reach(url, error) from None
    except ProgrammingError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise Unavailable(
            f"The database {make_url(url).database!r} holds tables of something else ({reason}). Give Gendan a "
            "database of its own; nothing was changed."
        ) from None
    finally:
        engine.dispose()


def check_schema(url: str) -> str | None:
    """Return what is wrong with the form of the database at `url`, or `None`; raises Unavailable without it."""
    try:
        return trouble_with(refuse_newer(url), None)
    except AnotherRelease as newer:
        return str(newer)


def refuse_newer(url: str) -> str | None:
    """
    Return the revision of the database at `url`; `None` is an empty one.

    Raises AnotherRelease if a newer release made it, Unavailable if it cannot be reached.
    """
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _check_not_newer(connection)
    except OperationalError as error:
        raise _out_of_reach(url, error) from None
    finally:
        engine.dispose()


def knows(revision: str | None) -> bool:
    """Say whether this release knows the form with this revision, and can bring it forward; `None` is an empty one."""
    return revision is None or revision in _revisions()


@cache
def _revisions() -> tuple[str, ...]:
    """Return the revisions that this release knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def trouble_with(revision: str | None, release: str | None) -> str | None:
    """Return why this release cannot use a database with this revision, which `release` made; `None` if it can."""
    if not knows(revision):
        named = f": {release}" if release else ""
        return (
            f"This database was made by a newer release of Gendan (revision {revision}){named}; this is Gendan "
            f"{version('gendan')}. Install that release again, or put a backup made before it back with `gendan "
            "restore`; nothing was changed."
        )
    head = _revisions()[0]
    if revision == head:
        return None
    return (
        f"The database cannot be used: it is at revision {revision}, not {head}: `gendan up` migrates it; nothing was "
        "changed."
    )


def refuse_another_form(connection: DBAPIConnection) -> None:
    """Look at the form of the database behind a new connection; raises AnotherRelease if it is not this release's."""
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT to_regclass('alembic_version'), {_RELEASE}")
        table, release = cursor.fetchone() or (None, None)
        if table is not None:
            cursor.execute("SELECT version_num FROM alembic_version")
        row = cursor.fetchone() if table is not None else None
    finally:
        cursor.close()
        connection.rollback()
    if trouble := trouble_with(row[0] if row else None, release):
        raise AnotherRelease(trouble)


def _out_of_reach(url: str, error: OperationalError) -> Unavailable:
    reason = str(error.orig).strip().splitlines()[0]
    return Unavailable(f"The database {make_url(url).database!r} cannot be reached: {reason}")


def _check_not_newer(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    if not knows(revision):
        raise AnotherRelease(trouble_with(revision, release_of(connection)))
    return revision


def release_of(connection: Connection) -> str | None:
    """Return the release that gave the database its form, where it says so."""
    told: str | None = connection.scalar(text(f"SELECT {_RELEASE}"))
    return told


def _sign(connection: Connection) -> None:
    """Let the database say which release gave it its form: one that does not know the form can then name it."""
    connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS 'Gendan {version('gendan')}'")
