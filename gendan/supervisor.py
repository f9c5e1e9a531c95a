"""What `gendan up` runs: PostgreSQL, Prefect's server and the worker, started and stopped in order, and kept alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType

import psutil

from gendan.child import Child, Keeper, Kept, last_lines, wait_until_gone
from gendan.embedded import EmbeddedPostgres
from gendan.environment import api_url, for_clients, for_server, prefect_database_of_the_operator
from gendan.house import House, Household, Resident, Urls
from gendan.password import password, refuse_open
from models.errors import Unavailable
from tasks.settings import Settings

# The first start makes Prefect's tables: 10 s here, and a small machine may take several times that.
_SERVER_LIMIT = 180.0
# Running wake-ups finish; they take about a second each, and longer only when a channel does not answer.
_WORKER_DRAIN = 60.0
_SERVER_DRAIN = 15.0
# Leftovers of a killed supervisor get less: somebody waits for this start.
_LEFTOVER_DRAIN = 20.0


@dataclass(frozen=True)
class Running:
    """A Gendan that is up, or (for `prepare`) whose database is."""

    urls: Urls
    #: Of a process that is to talk to it. Holds the database URL: not shown, not logged.
    environment: dict[str, str] = field(repr=False)

    @property
    def api_url(self) -> str:
        """Prefect's API."""
        return self.urls.api_url

    @property
    def ui_url(self) -> str:
        """Prefect's pages."""
        return self.urls.ui_url

    @property
    def database_url(self) -> str:
        """Gendan's database, for SQLAlchemy; may hold a password."""
        return self.urls.database_url


class _Interrupted(Unavailable):
    """Somebody asked to stop while things were still starting."""

    def __init__(self) -> None:
        super().__init__("Gendan was stopped while it started.")


class Supervisor:
    """
    Runs one Gendan once, in the foreground (`run`) or around a block of code (`with`, `async with`).

    `prepare` is called once the database is there and before Prefect's server starts, `deploy` once the server answers
    and before the worker starts, `started` once all is up. `say` gets one line for people at a time, from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        *,
        prepare: Callable[[Running], None] = lambda running: None,
        deploy: Callable[[Running], None] = lambda running: None,
        started: Callable[[Running], None] = lambda running: None,
        server_command: Sequence[str] | None = None,
        worker_command: Sequence[str] | None = None,
    ) -> None:
        """Describe the Gendan to run; nothing is started yet."""
        self._settings, self._say_aloud = settings, say
        self._prepare, self._deploy, self._started = prepare, deploy, started
        self._server_command, self._worker_command = server_command, worker_command
        self._house = House(settings.home.resolve())
        self._household = Household(supervisor=Resident.of(os.getpid()))
        self._writing = threading.Lock()
        self._open = contextlib.ExitStack()
        self._asked_to_stop = threading.Event()
        self._hurry = threading.Event()
        self._in_hook = False

    # --- as a library ---

    def start(self) -> Running:
        """
        Start everything and return where it is reached; when any part fails, what was started is stopped again.

        Raises:
            Unavailable: the folder, the database, the port or a process; says which, and what to do.
            Refused: a database of the operator's own, but none for Prefect; other machines, but no password.

        """
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the worker, then the server, then PostgreSQL; does nothing when nothing runs."""
        self._asked_to_stop.set()
        self._open.close()

    def __enter__(self) -> Running:
        """Start it; see `start`."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    async def __aenter__(self) -> Running:
        """Start it without holding up the event loop; see `start`."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # a thread cannot be cancelled: unless it is told and waited for, its processes would outlive us
            self._asked_to_stop.set()
            await asyncio.wait([starting])
            await asyncio.to_thread(self.stop)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        await asyncio.to_thread(self.stop)

    # --- in the foreground ---

    def run(self) -> int:
        """
        Start everything, keep it up until Ctrl-C, SIGTERM or SIGHUP, stop it, and return the exit status 0.

        A second Ctrl-C hurries: wake-ups that still run are cut off, and put right after the next start. To be called
        in the main thread, where Python runs signal handlers. Raises as `start` does.
        """
        with self._signals():
            try:
                self.start()
                self._asked_to_stop.wait()
            except (_Interrupted, KeyboardInterrupt):
                pass
            finally:
                self.stop()
        self._say("stopped")
        return 0

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(number: int, frame: FrameType | None) -> None:
            if self._asked_to_stop.is_set():
                self._hurry.set()
                if self._in_hook:
                    # a hook knows nothing of us, and may hang
                    raise KeyboardInterrupt
            self._asked_to_stop.set()

        before = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup gendan up` and a shell's background job have some of them ignored on purpose
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _say(self, line: str) -> None:
        # the terminal may be gone (SIGHUP): that must not keep anything from being stopped
        with contextlib.suppress(OSError, ValueError):
            self._say_aloud(line)

    # --- starting, in order ---

    def _start(self) -> Running:
        refuse_open(self._settings, password(os.environ))
        _let_children_hear_sigint()
        self._open.enter_context(self._house.lock())
        self._end_leftovers()
        self._open.callback(self._house.forget)
        self._write_down()

        database_url, prefect_database_url = self._start_database()
        port = self._free_port()
        api = api_url(self._settings.host, port)
        urls = Urls(api_url=api, ui_url=api.removesuffix("/api"), database_url=database_url)
        clients = for_clients(self._settings, self._house, urls)
        running = Running(urls=urls, environment=clients)
        self._call(self._prepare, running)

        server = Child(
            "server",
            self._server_command
            or (
                *(sys.executable, "-m", "prefect", "server", "start"),
                *("--host", self._settings.host, "--port", str(port)),
            ),
            environment=for_server(clients, self._settings, urls, prefect_database_url),
            log=self._house.log("server"),
            drain=_SERVER_DRAIN,
        )
        self._keep(server)
        self._wait_until_healthy(server, port, api)
        self._call(self._deploy, running)

        pool, limit = self._settings.pool, str(self._settings.worker_limit)
        worker = Child(
            "worker",
            self._worker_command
            or (
                *(sys.executable, "-m", "prefect", "worker", "start", "--type", "gendan"),
                *("--pool", pool, "--name", "worker-1", "--limit", limit),
            ),
            environment=clients,
            log=self._house.log("worker"),
            drain=_WORKER_DRAIN,
        )
        self._keep(worker)
        self._write_down(urls=urls)
        self._call(self._started, running)
        return running

    def _start_database(self) -> tuple[str, str]:
        """Return the URLs of Gendan's and of Prefect's database, started if they are ours to start."""
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value(), prefect_database_of_the_operator()
        postgres = EmbeddedPostgres(self._house.postgres, log=self._house.log("postgres"))
        self._keep(postgres)
        postgres.ensure_databases("gendan", "prefect")
        return postgres.url("gendan"), postgres.prefect_url("prefect")

    def _end_leftovers(self) -> None:
        """End what a killed supervisor of this house left running; PostgreSQL looks after its own."""
        household = self._house.household()
        if household is None:
            return
        # the worker first, as at any stop: it needs the server to finish
        for name, resident in reversed(household.children.items()):
            process = resident.process()
            if process is None or name == EmbeddedPostgres.name:
                continue
            self._say(f"ending the {name} (pid {resident.pid}) that a killed Gendan left running")
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                for stubborn in wait_until_gone([process], _LEFTOVER_DRAIN):
                    stubborn.kill()
                    wait_until_gone([stubborn], 10)

    def _keep(self, kept: Kept) -> None:
        self._heed()
        keeper = Keeper(kept, say=self._say, on_start=self._note_child)
        self._open.callback(self._stop_one, kept.name, keeper)
        try:
            keeper.start(self._asked_to_stop)
        except Unavailable:
            self._heed()
            raise

    def _stop_one(self, name: str, keeper: Keeper) -> None:
        self._say(f"stopping the {name}")
        keeper.stop(self._hurry)

    def _call(self, hook: Callable[[Running], None], running: Running) -> None:
        self._heed()
        self._in_hook = True
        try:
            hook(running)
        finally:
            self._in_hook = False
        self._heed()

    def _heed(self) -> None:
        if self._asked_to_stop.is_set():
            raise _Interrupted

    def _note_child(self, name: str, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._write_down(child=(name, Resident.of(pid)))

    def _write_down(self, *, child: tuple[str, Resident] | None = None, urls: Urls | None = None) -> None:
        with self._writing:
            known = self._household
            children = {**known.children, **({child[0]: child[1]} if child is not None else {})}
            self._household = Household(supervisor=known.supervisor, children=children, urls=urls or known.urls)
            self._house.write_down(self._household)

    def _free_port(self) -> int:
        """
        Return the port to listen on.

        Raises:
            Unavailable: it is taken, or the host is none of this machine's.

        """
        host, port = self._settings.host, self._settings.port
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                # as the server will: connections that were closed a minute ago do not count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                return int(probe.getsockname()[1])
        except socket.gaierror as unknown:
            raise Unavailable(
                f"There is no host {host!r} to listen on ({unknown.strerror}). Use 127.0.0.1 for this machine only."
            ) from unknown
        except OSError as taken:
            raise Unavailable(
                f"Port {port} on {host} cannot be used ({taken.strerror}); perhaps another Prefect server or another "
                f"Gendan listens there. Stop it, or choose another port with `--port`, for example --port {port + 1}."
            ) from taken

    def _wait_until_healthy(self, server: Child, port: int, api: str) -> None:
        # no proxy: the environment's would be asked for 127.0.0.1
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        limit = time.monotonic() + _SERVER_LIMIT
        while True:
            self._heed()
            status = server.ended()
            if status is not None or time.monotonic() > limit:
                how = f"no answer after {_SERVER_LIMIT:.0f} s" if status is None else f"exit {status}"
                raise Unavailable(
                    f"Prefect's server does not start on port {port}: {how}. Its last words, from {server.log}:\n"
                    f"{last_lines(server.log, server.log_begins)}\n"
                    "Set right what they name, and start again; if the port is taken, choose another with `--port`."
                )
            with contextlib.suppress(OSError, urllib.error.URLError), direct.open(f"{api}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
            self._asked_to_stop.wait(0.1)


def _let_children_hear_sigint() -> None:
    # A shell starts its background jobs with SIGINT ignored, and children inherit that. A Prefect worker passes
    # SIGTERM on to itself as SIGINT: it would never stop. A handler of ours is not inherited.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)
