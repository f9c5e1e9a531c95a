"""`gendan up`: real processes, a real PostgreSQL, and once the real Prefect server."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from gendan.child import wait_until_gone
from gendan.embedded import EmbeddedPostgres
from gendan.house import House, running_urls
from gendan.supervisor import Running, Supervisor
from models.errors import Refused, Unavailable
from tasks.settings import Settings, read_settings

REPOSITORY = Path(__file__).parents[2]

# Answers Prefect's health check and nothing else.
A_SERVER = """
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"true")
    def log_message(self, *line): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""

# Finishes its work when it is asked to end, as the worker does.
A_WORKER = """
import pathlib, signal, sys, time
def drain(*_):
    time.sleep(0.5); pathlib.Path(sys.argv[1]).write_text("drained"); sys.exit(0)
signal.signal(signal.SIGTERM, drain)
print("working", flush=True)
while True: time.sleep(60)
"""

A_WORKER_THAT_NEVER_ENDS = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("working", flush=True)
while True: time.sleep(60)
"""


@pytest.fixture(scope="module")
def handed_on() -> Iterator[Path]:
    """Return a data folder that the tests hand on: making or copying one takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    server.stop()
    yield server.folder
    shutil.rmtree(folder)


@pytest.fixture
def home(handed_on: Path) -> Iterator[Path]:
    """Return a new folder with a short path and the data folder in it, and end what a failed test has left running."""
    folder = Path(tempfile.mkdtemp(prefix="gendan-", dir="/tmp")).resolve()
    handed_on.rename(folder / "postgres")
    yield folder
    left = residents(folder)
    for process in left:
        process.kill()
    wait_until_gone(left, 10)
    (folder / "postgres").rename(handed_on)
    shutil.rmtree(folder)


def runs(pid: int) -> bool:
    """Return whether `pid` is a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def residents(home: Path) -> list[psutil.Process]:
    """Return the processes that name `home` on their command line or in GENDAN_HOME, this one apart."""
    found = []
    for process in psutil.process_iter():
        try:
            at_home = str(home) in " ".join(process.cmdline()) or process.environ().get("GENDAN_HOME") == str(home)
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and at_home:
                found.append(process)
        except psutil.Error:
            continue
    return found


def a_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def a_supervisor(home: Path, say: Callable[[str], None] = print, worker: str = A_WORKER, **given: Any) -> Supervisor:
    """Return a supervisor of stand-ins for Prefect's server and the worker, beside a real PostgreSQL."""
    settings: Settings = given.pop("settings", None) or read_settings(home=home, port=a_port())
    commands: dict[str, Any] = {
        "server_command": (sys.executable, "-c", A_SERVER, str(settings.port)),
        "worker_command": (sys.executable, "-c", worker, str(home / "drained")),
    }
    return Supervisor(settings, say, **(commands | given))


# argv: home, port, the source of the server, the source of the worker
UP = """
import sys
from tasks.settings import read_settings
from gendan.supervisor import Supervisor
home, port, server, worker = sys.argv[1:]
def say(line): print(line, flush=True)
supervisor = Supervisor(
    read_settings(home=home, port=int(port)), say, started=lambda running: say("up"),
    server_command=(sys.executable, "-c", server, port),
    worker_command=(sys.executable, "-c", worker, home + "/drained"),
)
sys.exit(supervisor.run())
"""


def up_in_a_process_of_its_own(home: Path, worker: str = A_WORKER) -> subprocess.Popen[str]:
    """Return another process with a supervisor in it, once it is up; what it says comes from its standard output."""
    process = subprocess.Popen(
        (sys.executable, "-c", UP, str(home), str(a_port()), A_SERVER, worker),
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        # a process group of its own, as a shell gives to what it starts
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "up\n":
            wait_for_work(home)
            return process
    raise AssertionError(f"it ended with status {process.wait()} before it was up")


def wait_for_work(home: Path) -> None:
    """Return once the worker has set itself up to drain; fails after 20 s."""
    limit = time.monotonic() + 20
    while "working" not in House(home).log("worker").read_text():
        assert time.monotonic() < limit
        time.sleep(0.02)


def pid_of(home: Path, name: str) -> int:
    """Return the pid of the child `name`, as written down."""
    household = House(home).household()
    assert household is not None
    return household.children[name].pid


def wait_for(lines: queue.Queue[str], beginning: str) -> str:
    """Return the next of `lines` that begins so; fails after 20 s."""
    while True:
        line = lines.get(timeout=20)
        if line.startswith(beginning):
            return line


# --- starting and stopping ---


def test_the_hooks_come_in_their_order_and_what_is_up_can_be_found(home: Path) -> None:
    seen: list[tuple[str, set[str], bool]] = []

    def note(hook: str) -> Callable[[Running], None]:
        def called(running: Running) -> None:
            household = House(home).household()
            assert household is not None
            seen.append((hook, set(household.children), running_urls(House(home)) is not None))

        return called

    supervisor = a_supervisor(home, prepare=note("prepare"), deploy=note("deploy"), started=note("started"))
    with supervisor as running:
        # tables before the server, deployments before the worker; nobody is told of a Gendan that is not up yet
        assert seen == [
            ("prepare", {"postgres"}, False),
            ("deploy", {"postgres", "server"}, False),
            ("started", {"postgres", "server", "worker"}, True),
        ]
        assert running_urls(House(home)) == running.urls
        assert House(home).register.stat().st_mode & 0o777 == 0o600
        with psycopg.connect(running.database_url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("gendan",)

    assert running_urls(House(home)) is None
    assert residents(home) == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,  # Ctrl-C
        signal.SIGTERM,  # systemd, docker stop
        signal.SIGHUP,  # the terminal was closed
    ],
)
def test_a_signal_stops_the_worker_then_the_server_then_the_database(home: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started with nohup, and so is what they start")
    up = up_in_a_process_of_its_own(home)

    # a terminal signals everybody in it, not only the supervisor
    os.killpg(up.pid, number)
    told, _ = up.communicate(timeout=30)

    assert told.splitlines() == ["stopping the worker", "stopping the server", "stopping the postgres", "stopped"]
    assert up.returncode == 0
    assert (home / "drained").read_text() == "drained"
    assert "database system is shut down" in House(home).log("postgres").read_text()
    assert residents(home) == []


def test_a_second_signal_does_not_wait_for_a_worker_that_does_not_end(home: Path) -> None:
    up = up_in_a_process_of_its_own(home, A_WORKER_THAT_NEVER_ENDS)

    up.send_signal(signal.SIGINT)
    assert up.stdout is not None
    assert up.stdout.readline() == "stopping the worker\n"
    begun = time.monotonic()
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=30)

    assert time.monotonic() - begun < 15
    assert up.returncode == 0
    assert residents(home) == []


def test_a_signal_while_it_starts_stops_what_was_started(home: Path) -> None:
    a_server_that_never_answers = "import time; time.sleep(60)"
    up = subprocess.Popen(
        (sys.executable, "-c", UP, str(home), str(a_port()), a_server_that_never_answers, A_WORKER), cwd=REPOSITORY
    )
    limit = time.monotonic() + 20
    while not House(home).log("server").exists():
        assert time.monotonic() < limit
        time.sleep(0.05)

    up.terminate()

    assert up.wait(timeout=30) == 0
    assert residents(home) == []


def test_an_event_loop_that_gives_up_waiting_leaves_nothing_running(home: Path) -> None:
    async def give_up() -> None:
        async with asyncio.timeout(0.5):
            async with a_supervisor(home, deploy=lambda running: time.sleep(2)):
                raise AssertionError("it was not to come up in time")

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())

    assert residents(home) == []


def test_an_event_loop_can_do_other_things_while_it_starts(home: Path) -> None:
    async def count() -> int:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        ticking = asyncio.create_task(tick())
        async with a_supervisor(home) as running:
            assert running.api_url.endswith("/api")
            ticking.cancel()
        return turns

    assert asyncio.run(count()) > 10
    assert residents(home) == []


# --- staying up ---


def test_a_child_that_is_killed_is_started_again_and_said(home: Path) -> None:
    said: queue.Queue[str] = queue.Queue()
    with a_supervisor(home, said.put) as running:
        for name in ("worker", "server", "postgres"):
            killed = pid_of(home, name)
            os.kill(killed, signal.SIGKILL)

            line = wait_for(said, f"{name} died (exit -9); started again as pid ")

            again = pid_of(home, name)
            assert line == f"{name} died (exit -9); started again as pid {again}, log: {House(home).log(name)}"
            assert again != killed
            assert runs(again)
        with psycopg.connect(running.database_url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    assert residents(home) == []


def test_a_child_that_ends_again_and_again_is_started_ever_more_slowly_and_said(home: Path) -> None:
    said: queue.Queue[str] = queue.Queue()
    with a_supervisor(home, said.put, worker="import sys; sys.exit(3)"):
        assert "started again" in wait_for(said, "worker died (exit 3);")
        assert "next start in 2 s" in wait_for(said, "worker died (exit 3);")
        assert "started again" in wait_for(said, "worker died (exit 3);")
        assert "next start in 4 s" in wait_for(said, "worker died (exit 3);")
        begun = time.monotonic()

    # nor does a stop wait for the pause to end
    assert time.monotonic() - begun < 3
    assert residents(home) == []


def test_after_kill_9_of_the_supervisor_the_next_one_ends_the_leftovers_and_keeps_the_data(home: Path) -> None:
    up = up_in_a_process_of_its_own(home)
    urls = running_urls(House(home))
    assert urls is not None
    with psycopg.connect(urls.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 'EX-1' AS order_no")
    leftovers = {name: pid_of(home, name) for name in ("postgres", "server", "worker")}

    up.kill()
    up.communicate()

    assert all(runs(pid) for pid in leftovers.values())
    assert running_urls(House(home)) is None
    said: queue.Queue[str] = queue.Queue()
    with a_supervisor(home, said.put) as running:
        assert said.get(timeout=1) == f"ending the worker (pid {leftovers['worker']}) that a killed Gendan left running"
        # asked, not killed: what ran in it was finished
        assert (home / "drained").read_text() == "drained"
        assert not any(runs(pid) for pid in leftovers.values())
        with psycopg.connect(running.database_url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT order_no FROM orders").fetchone() == ("EX-1",)

    assert residents(home) == []


def test_a_stranger_with_the_pid_of_a_former_child_is_left_alone(home: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        with a_supervisor(home):
            register = House(home).register.read_text()
        household = json.loads(register)
        household["children"]["worker"] = {
            "pid": stranger.pid,
            "started": psutil.Process(stranger.pid).create_time() - 60,
        }
        House(home).register.write_text(json.dumps(household))

        with a_supervisor(home):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# --- refusals ---


def test_a_second_up_on_the_same_folder_is_refused_and_told_who_holds_it(home: Path) -> None:
    with a_supervisor(home) as running:
        with pytest.raises(Unavailable, match=f"already running in {home} .pid {os.getpid()}.*GENDAN_HOME"):
            a_supervisor(home).start()

        # and the first one did not notice
        assert running_urls(House(home)) == running.urls
        assert runs(pid_of(home, "worker"))


def test_a_folder_too_deep_for_a_socket_is_refused_and_the_lock_is_free_again(home: Path) -> None:
    deep = home / ("d" * 100)

    for _ in range(2):
        with pytest.raises(Unavailable, match="too deep"):
            a_supervisor(deep).start()

    assert residents(deep) == []


def test_a_folder_that_cannot_be_made_is_refused(home: Path) -> None:
    (home / "file").touch()

    with pytest.raises(Unavailable, match=r"cannot write to its folder.*GENDAN_HOME"):
        a_supervisor(home / "file" / "gendan").start()


def test_a_port_that_is_taken_is_named_before_the_server_starts(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"Port {port} on 127.0.0.1 .*--port {port + 1}"):
            a_supervisor(home, settings=read_settings(home=home, port=port)).start()

    assert not House(home).log("server").exists()
    assert residents(home) == []


def test_nothing_is_started_that_other_machines_could_reach_without_a_password(home: Path) -> None:
    with pytest.raises(Refused, match="Nothing was started"):
        a_supervisor(home, settings=read_settings(home=home, host="0.0.0.0")).start()

    assert not House(home).run.exists()


def test_a_host_that_is_none_is_named(home: Path) -> None:
    with pytest.raises(Unavailable, match=r"no host 'nowhere\.invalid'"):
        a_supervisor(home, settings=read_settings(home=home, host="nowhere.invalid")).start()


def test_a_server_that_does_not_start_is_told_with_its_last_words(home: Path) -> None:
    with pytest.raises(Unavailable, match="exit 1") as refused:
        a_supervisor(home, server_command=(sys.executable, "-c", "raise SystemExit('no such revision')")).start()

    assert "    no such revision" in str(refused.value)
    assert str(House(home).log("server")) in str(refused.value)
    assert residents(home) == []


def test_a_hook_that_fails_stops_what_was_started_and_is_told_as_it_is(home: Path) -> None:
    def fail(running: Running) -> None:
        raise Refused("this migration cannot be")

    with pytest.raises(Refused, match="this migration cannot be"):
        a_supervisor(home, prepare=fail).start()

    assert residents(home) == []


@pytest.mark.parametrize(
    ("prefects", "reason"),
    [
        (None, "Prefect's server needs one"),
        ("sqlite+aiosqlite:///s3cret.db", "postgresql.asyncpg"),  # locks as soon as orders wake up together
        ("postgresql://u:s3cret@db/prefect", "postgresql.asyncpg"),  # Prefect needs the driver in it
    ],
)
def test_a_database_of_ones_own_needs_one_for_prefect_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, prefects: str | None, reason: str
) -> None:
    monkeypatch.delenv("PREFECT_API_DATABASE_CONNECTION_URL", raising=False)
    monkeypatch.delenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", raising=False)
    if prefects is not None:
        monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", prefects)
    settings = read_settings(home=home, port=a_port(), database_url="postgresql://u:s3cret@db/gendan")

    with pytest.raises(Refused, match=reason) as refused:
        a_supervisor(home, settings=settings).start()

    assert "s3cret" not in str(refused.value)
    assert residents(home) == []


def test_no_secret_is_on_a_command_line_or_with_a_process_that_does_not_need_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefects = "postgresql+asyncpg://u:prefects-s3cret@db/prefect"
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", prefects)
    monkeypatch.setenv("PREFECT_API_KEY", "clouds-s3cret")
    settings = read_settings(home=home, port=a_port(), database_url="postgresql://u:ours-s3cret@db/gendan")
    said: list[str] = []

    with a_supervisor(home, said.append, settings=settings) as running:
        server, worker = (psutil.Process(pid_of(home, name)) for name in ("server", "worker"))
        assert "s3cret" not in " ".join([*server.cmdline(), *worker.cmdline(), *said, repr(running)])
        theirs, ours = str(server.environ()), str(worker.environ())
        assert ("prefects-s3cret" in theirs, "ours-s3cret" in theirs, "clouds-s3cret" in theirs) == (True, False, False)
        assert ("prefects-s3cret" in ours, "ours-s3cret" in ours, "clouds-s3cret" in ours) == (False, True, False)
        # theirs are not ours to start
        assert not House(home).log("postgres").exists()


def test_a_log_that_has_grown_is_put_aside_at_a_start(home: Path) -> None:
    House(home).furnish()
    log = House(home).log("worker")
    with log.open("wb") as file:
        file.truncate(21 * 1024 * 1024)

    with a_supervisor(home):
        wait_for_work(home)

    assert log.read_text() == "working\n"
    assert log.with_name("worker.log.1").stat().st_size == 21 * 1024 * 1024


# --- with Prefect ---


def test_prefects_server_runs_on_the_embedded_database_with_its_settings(home: Path) -> None:
    with a_supervisor(home, server_command=None) as running:
        with urllib.request.urlopen(f"{running.api_url}/admin/settings", timeout=10) as answer:
            server = json.load(answer)["server"]
        with psycopg.connect(
            running.database_url.replace("+psycopg", "").replace("/gendan?", "/prefect?")
        ) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'flow_run'").fetchone()

        assert tables == (1,)
        assert server["analytics_enabled"] is False
        assert server["services"]["pause_expirations"]["enabled"] is False
        assert server["ui"]["api_url"] == running.api_url
        assert server["api"]["cors_allowed_origins"] != "*"

    assert residents(home) == []
