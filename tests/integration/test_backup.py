"""`gendan backup` and `gendan restore` on real databases: what comes back, what is refused, and what is left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from gendan.backups.archive import Manifest, Part
from gendan.backups.client_programs import Database, Programs
from gendan.embedded import PROGRAMS
from models.errors import Unavailable
from tasks.logbook import record_report
from tasks.schema import migrate
from tests.books import Contents, contents, happened, in_the_book, place_all
from tests.terminal import done, gendan, refused

SECRET = "s3cr3tMARK"
CLI = "from gendan.cli import main; main()"


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []


@pytest.fixture
def server(postgres: URL) -> str:
    return postgres.set(database="postgres").render_as_string(hide_password=False)


@pytest.fixture
def orders(empty_database_url: str) -> str:
    """Give the URL of an order book with three orders, of which one was reported on and one is closed."""
    migrate(empty_database_url)

    async def season() -> None:
        numbers = await place_all(3)
        await record_report(numbers[0], happened())

    in_the_book(season)
    ask(empty_database_url, "UPDATE follow_ups SET wanted = false")
    ask(empty_database_url, "UPDATE follow_ups SET closed_as = 'done' WHERE order_no = 'SO-0002'")
    return empty_database_url


@pytest.fixture
def prefect(server: str, orders: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the URL of a database with the tables of Prefect's that a restore looks at, named as Prefect's."""
    name = f"{make_url(orders).database}_prefect"
    ask(server, f"CREATE DATABASE {name}")
    url = make_url(orders).set(database=name)
    with connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute("CREATE TABLE alembic_version AS SELECT 'of-prefect' version_num")
        connection.execute("CREATE TABLE flow AS SELECT gen_random_uuid() id, 'follow-order' AS name")
        connection.execute(
            "CREATE TABLE flow_run AS SELECT gen_random_uuid() id, id flow_id, 'PAUSED' state_type FROM flow"
        )
        connection.execute("CREATE TABLE task_run AS SELECT id FROM flow_run")
        connection.execute("CREATE TABLE artifact AS SELECT id FROM flow_run")
        connection.execute(
            "CREATE TABLE flow_run_input AS SELECT id flow_run_id, 'answer-1-schema' AS key FROM flow_run"
        )
    monkeypatch.setenv(
        "PREFECT_API_DATABASE_CONNECTION_URL",
        url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False),
    )
    yield url.render_as_string(hide_password=False)
    ask(server, f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "monday.backup"


@pytest.fixture
def backed_up(orders: str, prefect: str, file: Path) -> Path:
    done("backup", file)
    return file


def manifest_of(file: Path) -> Manifest:
    with zipfile.ZipFile(file) as archive:
        return Manifest.model_validate_json(archive.read("manifest.json"))


def destroy(server: str, *urls: str) -> None:
    """Drop databases, as a broken disk would."""
    for url in urls:
        ask(server, f"DROP DATABASE {make_url(url).database}")


def databases(server: str) -> set[object]:
    return {row[0] for row in ask(server, "SELECT datname FROM pg_database")}


def rewritten(file: Path, **changes: object) -> Path:
    """Write a backup anew with another manifest."""
    other = file.with_name("other.backup")
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(other, "w") as to:
        for name in archive.namelist():
            to.writestr(name, archive.read(name))
        # the last of a name is the one that is read
        text = manifest_of(file).model_dump() | changes
        with pytest.warns(UserWarning, match="Duplicate name"):
            to.writestr("manifest.json", Manifest.model_construct(**text).model_dump_json(warnings=False))
    return other


def shims(folder: Path, server: str, *, before: str = "", name: str = "") -> Path:
    """Make programs that note how they were called, and then do their work, but for what `before` does to `name`."""
    real = Programs.fitting(Database.of(server, embedded=False).major(), embedded=False).folder
    (folder / "bin").mkdir()
    for program in ("pg_dump", "pg_restore"):
        shim = folder / "bin" / program
        shim.write_text(
            "#!/bin/sh\n"
            f'test "$1" = --version && exec {real}/{program} "$@"\n'
            f'echo "{program} $*" >>{folder}/calls\n'
            f'echo "$PGPASSWORD" >>{folder}/passwords\n'
            f"{before if program == name else ''}\n"
            f'exec {real}/{program} "$@"\n'
        )
        shim.chmod(0o755)
    return folder / "bin"


def first_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def woken(book: Contents) -> Contents:
    """Return the book as a restore leaves it: every open order is wanted."""
    return {name: rows for name, rows in book.items() if name != "follow_ups"}


# --- there and back ---


def test_what_was_destroyed_comes_back_and_goes_on(orders: str, prefect: str, server: str, backed_up: Path) -> None:
    before, runs = contents(orders), ask(prefect, "SELECT * FROM flow_run")
    destroy(server, orders, prefect)

    said = done("restore", backed_up)

    assert said.startswith("Restored: 3 orders, 2 of them followed, 1 entries")
    assert woken(contents(orders)) == woken(before)
    assert ask(prefect, "SELECT * FROM flow_run") == runs
    assert ask(orders, "SELECT order_no FROM follow_ups WHERE wanted ORDER BY 1") == [("SO-0000",), ("SO-0001",)]
    done("report", "SO-0001", "ORD_RCVD")
    assert len(contents(orders)["entries"]) == 2
    with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
        ask(orders, "DELETE FROM entries")


def test_the_log_goes_on_counting_after_a_restore(orders: str, backed_up: Path) -> None:
    done("restore", backed_up, "--replace")

    done("report", "SO-0001", "ORD_RCVD")

    assert ask(orders, "SELECT count(DISTINCT seq), max(seq) FROM entries") == [(2, 2)]


def test_a_run_that_waits_for_an_order_that_is_over_is_woken_to_end(
    orders: str, prefect: str, server: str, file: Path
) -> None:
    [(run,)] = ask(prefect, "SELECT id FROM flow_run")
    ask(orders, f"UPDATE follow_ups SET flow_run_id = '{run}' WHERE order_no = 'SO-0002'")
    done("backup", file)

    done("restore", file, "--replace")

    assert ask(orders, "SELECT wanted, closed_as FROM follow_ups WHERE order_no = 'SO-0002'") == [(True, None)]


@pytest.mark.parametrize("missing", ["", "task_run", "artifact", "flow_run_input"])
def test_what_prefects_part_lacks_of_an_orders_page_is_shown_anew(
    orders: str, prefect: str, file: Path, missing: str
) -> None:
    [(run,)] = ask(prefect, "SELECT id FROM flow_run")
    page = f'{{"bars": {{"FAB_IN": "{run}"}}, "artifact": "{run}", "form": "answer-1"}}'
    ask(orders, f"UPDATE follow_ups SET flow_run_id = '{run}', page = '{page}' WHERE order_no = 'SO-0001'")
    another = {"task_run": '{"bars": {"FAB_IN": "another"}}', "artifact": '{"artifact": "another"}'}.get(missing, "{}")
    ask(orders, f"UPDATE follow_ups SET page = page || '{another}' WHERE order_no = 'SO-0001'")
    if missing == "flow_run_input":
        ask(prefect, "DELETE FROM flow_run_input")
    done("backup", file)

    done("restore", file, "--replace")

    assert ask(orders, "SELECT page = '{}' FROM follow_ups WHERE order_no = 'SO-0001'") == [(bool(missing),)]


def test_a_backup_without_prefect_says_so_and_is_restored_by_itself(orders: str, server: str, file: Path) -> None:
    said = gendan("backup", file)

    assert (said.status, set(manifest_of(file).parts)) == (0, {"gendan.dump"})
    assert "Prefect's part is not in it" in said.err
    destroy(server, orders)
    assert "3 orders" in done("restore", file)


def test_the_orders_alone_are_restored_beside_a_prefect_that_stays(
    orders: str, prefect: str, server: str, backed_up: Path
) -> None:
    ask(prefect, "INSERT INTO flow_run SELECT gen_random_uuid(), id, 'RUNNING' FROM flow")

    done("restore", backed_up, "--replace", "--orders-only")

    assert ask(prefect, "SELECT count(*) FROM flow_run") == [(2,)]


def test_a_backup_may_be_restored_under_another_name_and_role(
    orders: str, server: str, backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(orders)
    role, name = f"clerk_{os.getpid()}", f"elsewhere_{os.getpid()}"
    ask(server, f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{SECRET}'")
    url = make_url(orders).set(database=name, username=role, password=SECRET).render_as_string(hide_password=False)
    monkeypatch.setenv("GENDAN_DATABASE_URL", url)
    try:
        done("restore", backed_up, "--orders-only")

        assert woken(contents(url)) == woken(before)
    finally:
        ask(server, f"DROP DATABASE IF EXISTS {name}")
        ask(server, f"DROP ROLE {role}")


# --- the file ---


def test_the_file_is_its_owners_alone_and_holds_no_password(
    orders: str, prefect: str, server: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, url, driver in (
        ("GENDAN_DATABASE_URL", orders, "postgresql"),
        ("PREFECT_API_DATABASE_CONNECTION_URL", prefect, "postgresql+asyncpg"),
    ):
        monkeypatch.setenv(
            name, make_url(url).set(drivername=driver, password=SECRET).render_as_string(hide_password=False)
        )
    first_on_path(shims(tmp_path, server), monkeypatch)
    os.umask(os.umask(0))

    said = [done("backup", file), done("restore", file, "--replace")]

    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["pg_dump", "pg_dump", "pg_restore", "pg_restore"]
    assert (tmp_path / "passwords").read_text().split() == [SECRET] * 4
    assert not [text for text in (*calls, *said) if SECRET in text]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        assert not [name for name in archive.namelist() if SECRET.encode() in archive.read(name)]


def test_the_manifest_says_what_is_in_it(backed_up: Path, server: str) -> None:
    manifest = manifest_of(backed_up)

    assert (manifest.orders, manifest.followed, manifest.entries) == (3, 2, 1)
    assert {name: part.revision for name, part in manifest.parts.items()} == {
        "prefect.dump": "of-prefect",
        "gendan.dump": "0003",
    }
    assert {part.server for part in manifest.parts.values()} == {Database.of(server, embedded=False).major()}


def test_a_backup_takes_the_place_of_another_only_when_told(backed_up: Path) -> None:
    before = backed_up.read_bytes()

    assert "is there already" in refused("backup", backed_up)
    assert backed_up.read_bytes() == before
    done("backup", backed_up, "--replace")
    assert backed_up.read_bytes() != before
    assert [path.name for path in backed_up.parent.iterdir() if "backup" in path.name] == [backed_up.name]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (".", "is a folder"),
        ("missing/monday.backup", "missing is not there"),
        ("plain/monday.backup", "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_is_named(orders: str, tmp_path: Path, where: str, why: str) -> None:
    (tmp_path / "plain").write_text("a file")

    assert why in refused("backup", tmp_path / where)
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_a_disk_that_is_full_leaves_no_half_file(orders: str, file: Path) -> None:
    file.write_text("the backup of last week")
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); {CLI}"

    ended = subprocess.run([sys.executable, "-c", full, "backup", file, "--replace"], capture_output=True, text=True)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"gendan: The backup {file} cannot be written: File too large.")
    assert file.read_text() == "the backup of last week"
    assert [path for path in file.parent.iterdir() if "partial" in path.name] == []


def test_a_dump_that_breaks_off_leaves_no_file(
    orders: str, server: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = 'echo "PGDMP half"; echo "pg_dump: error: server closed the connection" >&2; exit 1'
    first_on_path(shims(tmp_path, server, before=broken, name="pg_dump"), monkeypatch)

    assert "server closed the connection" in refused("backup", file)
    assert [path for path in tmp_path.iterdir() if "backup" in path.name] == []


def test_a_backup_that_was_killed_is_begun_anew(
    orders: str, server: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_ = shims(tmp_path, server, before="sleep 60", name="pg_dump")
    slow = os.environ | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    killed = subprocess.Popen([sys.executable, "-c", CLI, "backup", file], env=slow, start_new_session=True)
    draft = tmp_path / "monday.backup.partial"
    until(lambda: (tmp_path / "calls").exists())

    assert "Another backup is writing" in refused("backup", file)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    assert (draft.exists(), file.exists()) == (True, False)
    gendan("backup", file)
    assert (draft.exists(), file.exists()) == (False, True)


def until(there: object, within: float = 30.0) -> None:
    assert callable(there)
    give_up = time.monotonic() + within
    while not there():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_an_empty_database_is_no_backup(empty_database_url: str, file: Path) -> None:
    assert "holds no orders of Gendan" in refused("backup", file)
    assert not file.exists()


def test_a_folder_in_which_nothing_was_started_is_not_backed_up(own_settings: Path, file: Path) -> None:
    assert "no Gendan was ever started there" in refused("backup", file)
    assert not own_settings.exists()


# --- what is refused, and changes nothing ---


@pytest.fixture
def untouched(orders: str, prefect: str, server: str, backed_up: Path) -> Iterator[None]:
    """Look that the databases are the same after the test, and that there is none beside them."""

    def all_of_it() -> object:
        return contents(orders), ask(prefect, "SELECT * FROM flow_run"), databases(server)

    before = all_of_it()
    yield
    assert all_of_it() == before


def test_orders_that_are_there_are_replaced_only_when_told(untouched: None, backed_up: Path) -> None:
    assert "holds 3 orders. Give --replace" in refused("restore", backed_up)


def test_a_prefect_with_other_flows_is_replaced_only_when_told(
    orders: str, prefect: str, server: str, backed_up: Path
) -> None:
    destroy(server, orders)
    ask(server, f"CREATE DATABASE {make_url(orders).database}")
    ask(prefect, "UPDATE flow SET name = 'of-another-team'")

    assert "holds runs of other flows (1). Give --replace" in refused("restore", backed_up)
    assert ask(orders, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_nothing_is_restored_while_somebody_is_connected(untouched: None, orders: str, backed_up: Path) -> None:
    with connect(orders):
        assert "is in use (1 connections). Stop Gendan" in refused("restore", backed_up, "--replace")


def test_tables_of_something_else_are_never_replaced(
    orders: str, server: str, backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"shop_{os.getpid()}"
    ask(server, f"CREATE DATABASE {name}")
    url = make_url(orders).set(database=name).render_as_string(hide_password=False)
    ask(url, "CREATE TABLE baskets (id int)")
    monkeypatch.setenv("GENDAN_DATABASE_URL", url)
    try:
        why = refused("restore", backed_up, "--replace", "--orders-only")

        assert f"'{name}' holds tables of something else (baskets)" in why
        assert ask(url, "SELECT count(*) FROM baskets") == [(0,)]
    finally:
        ask(server, f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is no backup"), (b"PK\x03\x04 a ZIP of holiday pictures", "is no backup")]
)
def test_another_file_is_no_backup(untouched: None, file: Path, content: bytes, why: str) -> None:
    other = file.with_name("other.backup")
    other.write_bytes(content)

    assert why in refused("restore", other, "--replace")


def test_a_file_that_is_not_there_is_named(untouched: None, file: Path) -> None:
    assert "cannot be read: No such file" in refused("restore", file.with_name("none.backup"), "--replace")


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_damaged_byte_is_found(untouched: None, backed_up: Path, where: float) -> None:
    content = bytearray(backed_up.read_bytes())
    content[int(len(content) * where)] ^= 0xFF
    backed_up.write_bytes(content)

    assert "damaged" in refused("restore", backed_up, "--replace")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.999])
def test_a_file_that_breaks_off_is_damaged(untouched: None, backed_up: Path, kept: float) -> None:
    content = backed_up.read_bytes()
    backed_up.write_bytes(content[: int(len(content) * kept)])

    assert "damaged" in refused("restore", backed_up, "--replace")


def test_a_file_of_another_form_wants_a_newer_release(untouched: None, backed_up: Path) -> None:
    assert "newer release" in refused("restore", rewritten(backed_up, form=2), "--replace")


def test_a_newer_form_of_the_database_wants_its_release(untouched: None, backed_up: Path) -> None:
    manifest = manifest_of(backed_up)
    parts = dict(manifest.parts)
    parts["gendan.dump"] = parts["gendan.dump"].model_copy(update={"revision": "9999"})

    why = refused("restore", rewritten(backed_up, gendan="7.0.0", parts=parts), "--replace")

    assert "was made by Gendan 7.0.0 (revision 9999), which is newer than this one" in why


def test_a_newer_prefect_wants_its_release_or_the_orders_alone(orders: str, prefect: str, backed_up: Path) -> None:
    newer = rewritten(backed_up, prefect="99.0.0")

    assert "with Prefect 99.0.0" in refused("restore", newer, "--replace")
    assert "3 orders" in done("restore", newer, "--replace", "--orders-only")


def test_a_backup_that_holds_less_than_it_says_is_not_used(untouched: None, backed_up: Path) -> None:
    assert "says otherwise" in refused("restore", rewritten(backed_up, entries=2), "--replace")


def test_a_load_that_fails_changes_nothing(
    untouched: None, server: str, tmp_path: Path, backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = 'echo "pg_restore: error: no space left on device" >&2; exit 1'
    first_on_path(shims(tmp_path, server, before=broken, name="pg_restore"), monkeypatch)

    assert "no space left on device" in refused("restore", backed_up, "--replace")


def test_a_restore_that_was_killed_changes_nothing_and_is_begun_anew(
    orders: str, prefect: str, server: str, tmp_path: Path, backed_up: Path
) -> None:
    before = contents(orders)
    bin_ = shims(tmp_path, server, before="sleep 60", name="pg_restore")
    slow = os.environ | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    killed = subprocess.Popen(
        [sys.executable, "-c", CLI, "restore", backed_up, "--replace"], env=slow, start_new_session=True
    )
    until(lambda: (tmp_path / "calls").exists())
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    assert contents(orders) == before
    done("restore", backed_up, "--replace")
    assert woken(contents(orders)) == woken(before)
    assert not {name for name in databases(server) if str(name).endswith(("_restoring", "_replaced"))}


def test_a_role_that_may_not_make_databases_is_told_so(
    untouched: None, orders: str, server: str, backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"clerk_{os.getpid()}"
    ask(server, f"CREATE ROLE {role} LOGIN IN ROLE pg_read_all_data")
    monkeypatch.setenv("GENDAN_DATABASE_URL", make_url(orders).set(username=role).render_as_string(hide_password=False))
    try:
        why = refused("restore", backed_up, "--replace", "--orders-only")
    finally:
        ask(server, f"DROP ROLE {role}")

    assert "PostgreSQL does not allow it" in why
    assert "CREATEDB" in why


# --- which programs ---


def a_program(folder: Path, major: int) -> None:
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {major}.1 (Debian)'\n")
        (folder / name).chmod(0o755)


def test_programs_on_path_are_taken_where_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_program(tmp_path / "16", 16)
    monkeypatch.setenv("PATH", str(tmp_path / "16"))

    assert Programs.fitting(15, embedded=False) == Programs(tmp_path / "16", 16)
    assert Programs.fitting(17, embedded=False).folder == PROGRAMS
    assert Programs.fitting(18, embedded=True).folder == PROGRAMS


@pytest.mark.parametrize(("server", "dumped_by"), [(99, 0), (15, 17), (17, 99)])
def test_programs_that_do_not_fit_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: int, dumped_by: int
) -> None:
    a_program(tmp_path / "16", 16)
    monkeypatch.setenv("PATH", str(tmp_path / "16"))

    with pytest.raises(Unavailable, match=rf"found: 16 in .*/16, 18 in .*Install PostgreSQL {max(server, dumped_by)}"):
        Programs.fitting(server, embedded=False, dumped_by=dumped_by)


def test_a_backup_of_a_newer_server_is_refused(untouched: None, backed_up: Path) -> None:
    parts = {name: part.model_copy(update={"server": 99}) for name, part in manifest_of(backed_up).parts.items()}

    assert "is of PostgreSQL 99" in refused("restore", rewritten(backed_up, parts=parts), "--replace")


def test_an_address_for_asyncpg_is_understood() -> None:
    database = Database.of(
        "postgresql+asyncpg://u:p@h:5433/d?ssl=require&prepared_statement_cache_size=0", embedded=False
    )

    environment = database.environment()

    assert {name: environment[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE")} == {
        "PGHOST": "h",
        "PGPORT": "5433",
        "PGUSER": "u",
        "PGPASSWORD": "p",
        "PGSSLMODE": "require",
    }
    assert "p@" not in repr(database)


def test_a_part_that_is_named_and_missing_is_damage(untouched: None, backed_up: Path) -> None:
    parts = manifest_of(backed_up).parts | {"more.dump": Part(sha256="", bytes=0, server=15, pg_dump=15, revision=None)}

    assert "damaged" in refused("restore", rewritten(backed_up, parts=parts), "--replace")
