"""The PostgreSQL that Gendan brings with it: real servers on real folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from gendan.embedded import EmbeddedPostgres
from models.errors import Unavailable


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedPostgres]:
    """Return a server that all tests share which only ask it something."""
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    server.ensure_databases("gendan")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a new folder with a short path: pytest's own is too long for a socket on macOS."""
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def handed_on() -> Iterator[Path]:
    """Return a data folder that the tests hand on: making or copying one takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    server.ensure_databases("gendan")
    server.stop()
    yield server.folder
    shutil.rmtree(folder)


@pytest.fixture
def postgres(home: Path, handed_on: Path) -> Iterator[EmbeddedPostgres]:
    """Return a running server, of this test alone, with a database `gendan` without tables."""
    handed_on.rename(home / "postgres")
    server = EmbeddedPostgres(home / "postgres")
    server.start()
    yield server
    server.start()
    ask(server, "DROP TABLE IF EXISTS orders")
    server.stop()
    server.folder.rename(handed_on)


def ask(server: EmbeddedPostgres, question: str) -> object:
    """Return the first value of the answer to `question`, or None when it has no answer."""
    with psycopg.connect(server.url("gendan").replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(question.encode())
        row = cursor.fetchone() if cursor.description is not None else None
        return row[0] if row is not None else None


def processes_of(folder: Path) -> list[int]:
    """Return the pids of the servers that were started on `folder` and run."""
    found = []
    for process in psutil.process_iter():
        # a process that has ended, though nobody has collected its status yet, has no command line
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and str(folder) in process.cmdline():
                found.append(process.pid)
    return found


def test_what_is_written_is_there_after_a_stop_and_a_start(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE orders (order_no text)")
    ask(postgres, "INSERT INTO orders VALUES ('跟單-1')")

    postgres.stop()
    postgres.start()
    postgres.ensure_databases("gendan", "prefect")

    assert ask(postgres, "SELECT order_no FROM orders") == "跟單-1"
    assert ask(postgres, "SELECT count(*) FROM pg_database WHERE datname IN ('gendan', 'prefect')") == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", ""),  # the socket only: nobody comes in over the network
        ("unix_socket_permissions", "0700"),
        ("max_connections", "200"),
        ("fsync", "on"),  # an order book outlives a power cut
        ("data_checksums", "on"),  # a damaged page is found, not believed
        ("TimeZone", "UTC"),
    ],
)
def test_it_is_set_up_for_one_house(running: EmbeddedPostgres, setting: str, value: str) -> None:
    assert ask(running, f"SELECT current_setting('{setting}')") == value


def test_its_folder_is_open_to_its_owner_only(running: EmbeddedPostgres) -> None:
    assert running.folder.stat().st_mode & 0o077 == 0


def test_the_variables_of_another_postgresql_do_not_reach_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGUSER": "nobody", "PGSSLMODE": "require"}.items():
        monkeypatch.setenv(name, value)
    server = EmbeddedPostgres(home / "postgres")

    server.start()

    try:
        server.ensure_databases("gendan")
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    "name",
    [
        "Application Support",  # macOS
        "跟單 資料",
        'a "quoted" one',
        "it's",
        "100% (new) + old & more?",  # all of which mean something in a URL
    ],
)
def test_any_name_of_a_folder_is_good(home: Path, name: str) -> None:
    server = EmbeddedPostgres(home / name / "postgres")
    server.folder.parent.mkdir()

    server.start()

    try:
        server.ensure_databases("gendan")
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_after_kill_9_it_starts_again_with_everything_that_was_committed(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE orders AS SELECT 1 AS n")
    pid = postgres.start()

    os.kill(pid, signal.SIGKILL)

    assert postgres.wait() == -signal.SIGKILL
    assert (postgres.folder / "postmaster.pid").exists()
    assert postgres.start() != pid
    assert ask(postgres, "SELECT n FROM orders") == 1


def test_a_server_that_a_killed_process_left_running_is_ended_and_replaced(home: Path) -> None:
    left = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys, pathlib; from gendan.embedded import EmbeddedPostgres\n"
            "server = EmbeddedPostgres(pathlib.Path(sys.argv[1])); pid = server.start()\n"
            "server.ensure_databases('gendan'); print(pid, flush=True); os._exit(9)",
            str(home / "postgres"),
        ],
        capture_output=True,
        text=True,
    )
    leftover = psutil.Process(int(left.stdout))
    assert leftover.is_running()
    server = EmbeddedPostgres(home / "postgres")

    pid = server.start()

    try:
        assert not psutil.pid_exists(leftover.pid) or leftover.status() == psutil.STATUS_ZOMBIE
        assert processes_of(server.folder) == [pid]
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()
    assert processes_of(server.folder) == []


def test_a_stale_pid_file_that_names_a_stranger_neither_hinders_nor_harms_it(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    # of the same account: PostgreSQL by itself sees through the others
    stranger = subprocess.Popen(["sleep", "60"], user=postgres.folder.stat().st_uid)
    (postgres.folder / "postmaster.pid").write_text(
        f"{stranger.pid}\n{postgres.folder}\n1700000000\n5432\n{postgres.folder}\n\n  8826964     65536\nready\n"
    )

    try:
        postgres.start()

        assert ask(postgres, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(home: Path) -> None:
    draft = home / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(home / "postgres")

    server.start()

    server.stop()
    assert not draft.exists()


def test_a_path_too_long_for_a_socket_is_refused_with_its_length_before_anything_is_made(home: Path) -> None:
    deep = home / ("d" * 90) / "postgres"

    with pytest.raises(Unavailable, match="GENDAN_HOME") as refused:
        EmbeddedPostgres(deep).start()

    assert str(len(f"{deep}/.s.PGSQL.5432")) in str(refused.value)
    assert not deep.parent.exists()


def test_the_longest_path_that_is_not_refused_works(home: Path) -> None:
    limit = 107 if sys.platform == "linux" else 103
    folder = home / ("d" * (limit - len(f"{home}//postgres/.s.PGSQL.5432"))) / "postgres"
    folder.parent.mkdir()
    server = EmbeddedPostgres(folder)

    server.start()

    try:
        assert (folder / ".s.PGSQL.5432").is_socket()
    finally:
        server.stop()
    with pytest.raises(Unavailable, match="too deep"):
        EmbeddedPostgres(folder.with_name("postgres1")).start()


def test_a_path_with_a_comma_is_refused(home: Path) -> None:
    with pytest.raises(Unavailable, match="comma"):
        EmbeddedPostgres(home / "a,b" / "postgres").start()


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        ("19", "newer Gendan"),
        ("14", "older Gendan"),
        ("", "backup"),  # an empty file, as a full disk leaves it
        ("\x00\x00", "backup"),
    ],
)
def test_the_data_of_another_version_is_left_alone_with_the_way_out(home: Path, version: str, way_out: str) -> None:
    folder = home / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text(version)

    with pytest.raises(Unavailable, match=way_out):
        EmbeddedPostgres(folder).start()

    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


def test_a_folder_of_something_else_is_left_alone(home: Path) -> None:
    folder = home / "postgres"
    folder.mkdir()
    (folder / "letters.txt").write_text("dear")

    with pytest.raises(Unavailable, match="holds files but no PostgreSQL data"):
        EmbeddedPostgres(folder).start()

    assert [path.name for path in folder.iterdir()] == ["letters.txt"]


def test_damaged_data_is_told_with_the_servers_own_words_and_kept(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    before = sorted(postgres.folder.rglob("*"))
    control = postgres.folder / "global" / "pg_control"
    whole = control.read_bytes()
    os.truncate(control, 100)

    with pytest.raises(Unavailable, match="backup") as refused:
        postgres.start()

    assert "pg_control" in str(refused.value)
    assert str(postgres.log) in str(refused.value)
    assert set(before) <= set(postgres.folder.rglob("*"))
    control.write_bytes(whole)


def test_it_holds_no_port_and_its_socket_is_gone_after_a_stop(postgres: EmbeddedPostgres) -> None:
    server = psutil.Process(postgres.start())
    assert [at for at in server.net_connections("inet") if at.status == psutil.CONN_LISTEN] == []

    postgres.stop()

    assert not (postgres.folder / ".s.PGSQL.5432").exists()
    with socket.socket(socket.AF_UNIX) as nobody, pytest.raises(OSError):
        nobody.connect(str(postgres.folder / ".s.PGSQL.5432"))
