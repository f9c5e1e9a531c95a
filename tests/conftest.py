"""What the tests of the database share: a server, a database for each test, and settings of nobody's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as generated
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from gendan.embedded import EmbeddedPostgres
from tasks import database
from tasks.schema import migrate
from tasks.settings import settings, sqlalchemy_url
from tests.books import TABLES

# A machine that is busy is no reason to fail; what is generated is judged by what it finds.
generated.register_profile("gendan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
generated.load_profile("gendan")


SERVER = "GENDAN_TEST_DATABASE_URL"
"""Names a PostgreSQL to test with, by any of its databases; without it the one that Gendan brings is started."""

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """Give a running PostgreSQL whose databases may be made and dropped, as the URL of one of them."""
    given = os.environ.get(SERVER)
    if given:
        yield make_url(sqlalchemy_url(given))
        return
    # pytest's own folders are too deep for a socket
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    url = make_url(server.url("postgres"))
    # nothing in it outlives the tests, and waiting for the disk takes longer than they do
    _run(url, "ALTER SYSTEM SET fsync = off")
    _run(url, "SELECT pg_reload_conf()")
    yield url
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def book(postgres: URL) -> Iterator[URL]:
    """Give a database with all tables, which the tests use one after the other: to make one takes longer than most."""
    name = _a_name()
    _run(postgres, "CREATE DATABASE {}", name)
    url = postgres.set(database=name)
    migrate(url.render_as_string(hide_password=False))
    yield url
    _run(postgres, "DROP DATABASE {}", name)


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty GENDAN_HOME, and nothing of what the person who runs the tests has set."""
    for name in [name for name in os.environ if name.startswith(("GENDAN_", "PREFECT_")) and name != SERVER]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("GENDAN_HOME", str(home))
    settings.cache_clear()
    yield home
    settings.cache_clear()


@pytest.fixture
async def database_url(book: URL, own_settings: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Give an order book with nothing in it, which GENDAN_DATABASE_URL names."""
    url = book.render_as_string(hide_password=False)
    monkeypatch.setenv(database.URL, url)
    yield url
    await database.close()
    _empty(book)


@pytest.fixture
def empty_database_url(postgres: URL, own_settings: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a database without tables, of this test alone, which GENDAN_DATABASE_URL names."""
    name = _a_name()
    _run(postgres, "CREATE DATABASE {}", name)
    url = postgres.set(database=name).render_as_string(hide_password=False)
    monkeypatch.setenv(database.URL, url)
    yield url
    # not WITH (FORCE): a connection that a test leaves open is a mistake, and is to be seen
    _run(postgres, "DROP DATABASE {}", name)


def _empty(book: URL) -> None:
    with _connect(book) as connection:
        others = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend' AND state <> 'idle'"
        ).fetchone()
        assert others == (0,), "a test left a transaction open"
        # the log refuses to be emptied
        connection.execute("ALTER TABLE entries DISABLE TRIGGER USER")
        connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        connection.execute("ALTER TABLE entries ENABLE TRIGGER USER")


def _a_name() -> str:
    return f"gendan_test_{os.getpid()}_{next(_numbers)}"


def _connect(url: URL, *, autocommit: bool = False) -> psycopg.Connection[tuple[object, ...]]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=autocommit)


def _run(server: URL, statement: LiteralString, name: str = "") -> None:
    with _connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
