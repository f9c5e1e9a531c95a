"""Bringing the database to this release's form, and refusing one that is ahead of it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

import migrations
from models.errors import Unavailable

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
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            revision = _check_not_newer(connection)
            head = ScriptDirectory.from_config(_config()).get_current_head()
            return None if revision == head else f"it is at revision {revision}, not {head}: `gendan up` migrates it"
    except Unavailable as newer:
        return str(newer)
    except OperationalError as error:
        raise _out_of_reach(url, error) from None
    finally:
        engine.dispose()


def _out_of_reach(url: str, error: OperationalError) -> Unavailable:
    reason = str(error.orig).strip().splitlines()[0]
    return Unavailable(f"The database {make_url(url).database!r} cannot be reached: {reason}")


def _check_not_newer(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise Unavailable(
            f"This database was made by a newer release of Gendan (revision {revision}). Start that release, or "
            "restore a backup made before it; nothing was changed."
        )
    return revision
