"""A release that was rolled back finds a database of a newer one: every door is shut, and nothing is touched."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from flows.follow_order import follow_order
from flows.follow_prospect import follow_prospect
from flows.register_orders import register_orders
from flows.report_milestone import report_milestone
from gendan import __version__
from gendan.house import House
from gendan.post_office import serve
from models.errors import AnotherRelease
from tasks import database
from tasks.clock import now
from tasks.logbook import record_report
from tasks.schema import check_schema, migrate
from tests.books import contents, happened, in_the_book, place_all
from tests.integration.test_cli import COMMANDS
from tests.releases.databases import FIRST, load
from tests.terminal import gendan, refused

NEWER = (
    "This database was made by a newer release of Gendan (revision 9999): Gendan 9.9.9; this is Gendan "
    f"{__version__}. Install that release again, or put a backup made before it back with `gendan restore`; nothing "
    "was changed."
)
WITHOUT_A_DATABASE = {("demo",), ("replay",), ("backtest",), ("doctor",), ("restore",)}
"""They need none, or one of their own; `doctor` says what is wrong with it, `restore` puts another in its place."""


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def all_of_it(url: str) -> tuple[object, ...]:
    """Return all rows and columns, and how many transactions have changed anything in the database."""
    with connect(url) as connection:
        changes = connection.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del), count(*) FROM pg_stat_all_tables "
            "WHERE schemaname = 'public'"
        ).fetchone()
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
    return contents(url), columns, changes


@pytest.fixture
def newer(empty_database_url: str) -> str:
    """Give a database with orders that a newer release has taken over: it knows one more column."""
    migrate(empty_database_url)

    async def season() -> None:
        numbers = await place_all(2)
        await record_report(numbers[0], happened())

    in_the_book(season)
    with connect(empty_database_url) as connection:
        connection.execute("ALTER TABLE follow_ups ADD COLUMN of_tomorrow text")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("COMMENT ON TABLE alembic_version IS 'Gendan 9.9.9'")
    return empty_database_url


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in WITHOUT_A_DATABASE], ids=" ".join)
def test_every_command_refuses_and_touches_nothing(
    newer: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", newer.replace("+psycopg", "+asyncpg"))
    (example,) = [line.split("Example: ")[1] for line in COMMANDS[words].help.splitlines() if "Example:" in line]
    typed = shlex.split(example)[1:]
    if words == ("backup",):
        typed = ["backup", str(tmp_path / "monday.backup")]
    before = all_of_it(newer)

    if words == ("up",):
        said = gendan("up", "--port", "0")
        assert (said.status, said.err.splitlines()[-1]) == (1, f"gendan: {NEWER}")
    else:
        assert refused(*typed) == NEWER

    assert all_of_it(newer) == before
    assert [path for path in tmp_path.iterdir() if path.name != "home"] == []


def test_a_gendan_that_refuses_leaves_nobody_at_home(
    newer: str, own_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", newer.replace("+psycopg", "+asyncpg"))

    assert gendan("up", "--port", "0").status == 1

    assert House(own_settings).household() is None
    assert list(House(own_settings).logs.iterdir()) == []


def test_doctor_says_what_is_wrong(newer: str) -> None:
    said = gendan("doctor")

    assert said.status == 1
    assert "newer release of Gendan (revision 9999): Gendan 9.9.9" in " ".join(said.out.split())


PROCESSES = {
    "a worker": "from gendan.worker import GendanWorker; asyncio.run(GendanWorker('gendan').start())",
    "the watch": "from flows.keep_watch import keep_watch; asyncio.run(keep_watch.fn())",
}


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_starts_its_work(newer: str, process: str) -> None:
    state = all_of_it(newer)

    ended = subprocess.run(
        [sys.executable, "-c", f"import asyncio; {PROCESSES[process]}"],
        # nobody listens there: whatever is told to Prefect before the database is looked at fails in another way
        env=os.environ | {"PREFECT_API_URL": "http://127.0.0.1:1/api"},
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    *before_it, last = ended.stderr.splitlines()
    assert last.endswith(NEWER)
    assert process != "a worker" or (before_it, last) == ([], f"gendan: {NEWER}")
    assert all_of_it(newer) == state


FLOWS: dict[str, Callable[[], Awaitable[Any]]] = {
    "follow-order": lambda: follow_order.fn("SO-0000"),
    "follow-prospect": lambda: follow_prospect.fn("SO-0000"),
    "report-milestone": lambda: report_milestone.fn("SO-0000", "ORD_REVIEW"),
    "register-orders": lambda: register_orders.fn("order_no,placed_at,etd\nA,2026-09-01,2026-12-01\n"),
    "the post office": lambda: serve(now()),
}


@pytest.mark.parametrize("flow", FLOWS)
async def test_every_flow_refuses_and_touches_nothing(newer: str, flow: str) -> None:
    before = all_of_it(newer)

    with pytest.raises(AnotherRelease) as why:
        try:
            await FLOWS[flow]()
        finally:
            await database.close()

    assert str(why.value) == NEWER
    assert all_of_it(newer) == before


async def test_a_connection_that_is_opened_after_the_upgrade_is_refused(newer: str) -> None:
    """A worker that ran on while another machine upgraded the database learns of it with its next connection."""
    with connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    await database.look()
    with connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    await database.engine().dispose()
    with pytest.raises(AnotherRelease):
        await database.look()
    await database.close()


def test_an_older_form_is_not_used_before_it_is_migrated(empty_database_url: str) -> None:
    load(FIRST, "gendan", empty_database_url)

    assert refused("hold", "SO-26-0423") == (
        "The database cannot be used: it is at revision 0001, not 0003: `gendan up` migrates it; nothing was changed."
    )


def test_a_database_says_which_release_gave_it_its_form(empty_database_url: str) -> None:
    load(FIRST, "gendan", empty_database_url)
    migrate(empty_database_url)

    with connect(empty_database_url) as connection:
        signed = connection.execute("SELECT obj_description('alembic_version'::regclass, 'pg_class')").fetchone()
    assert signed == (f"Gendan {__version__}",)
    assert check_schema(empty_database_url) is None
