"""The Gendan under attack: what `gendan up` runs, a second worker, two watches, and a receiver of messages."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import psutil

from gendan.child import open_log
from gendan.house import House
from gendan.supervisor import Running
from gendan.whole import whole_gendan
from notifications.channels import ALWAYS
from tasks.clock import now
from tasks.settings import Settings

SECOND = "worker-2"
WATCHES = ("watch-1", "watch-2")
_LOOK = 0.05


class Arrival(NamedTuple):
    """A text that arrived: at which address, and when."""

    where: str
    text: str
    at: datetime


class Receiver:
    """
    A message channel on this machine that can be told to hang: it takes what comes, does nothing and says nothing.

    Once it answers again it does for those who still wait what they came for; those who left it has forgotten, as a
    web server has that was stopped for a while. Had it kept what they left, they could not know: from whoever
    takes without an answer, each message comes again, and whether a channel does so is not for Gendan to say.
    `heard` is what it took, `left_waiting` how many had left. Each path of it is an address of its own.
    """

    def __init__(self) -> None:
        self.heard: list[Arrival] = []
        self.left_waiting = 0
        self._answers = threading.Event()
        self._answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                while not receiver._answers.wait(_LOOK):
                    if _has_left(self.connection):
                        receiver.left_waiting += 1
                        return
                receiver.heard.append(Arrival(self.path, f"{told['title']} {told['message']}", now()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._server.server_port

    def hang(self) -> None:
        """Answer nobody from now on."""
        self._answers.clear()

    def answer(self) -> None:
        """Answer again."""
        self._answers.set()

    def close(self) -> None:
        """Listen no longer."""
        self.answer()
        self._server.shutdown()
        self._server.server_close()


def _has_left(connection: socket.socket) -> bool:
    """Say whether whoever asked has hung up."""
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


def arrivals_in(outbox: Path) -> list[Arrival]:
    """Return the messages in an outbox."""
    return [
        Arrival("outbox", path.read_text(encoding="utf-8"), datetime.fromtimestamp(path.stat().st_mtime, UTC))
        for path in outbox.glob("*.txt")
    ]


@dataclass
class Site:
    """A running Gendan, by its processes."""

    running: Running
    house: House
    receiver: Receiver
    said: list[str]
    _own: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def process(self, name: str) -> psutil.Process | None:
        """Return a process of the supervisor's, if it runs at this moment."""
        household = self.house.household()
        resident = household.children.get(name) if household is not None else None
        return resident.process() if resident is not None else None

    def arrived(self) -> list[Arrival]:
        """Return all that the receiver took, and what lies in the outbox."""
        return [*self.receiver.heard, *arrivals_in(self.house.outbox)]

    def begin(self, name: str) -> None:
        """Start the second worker or a watch, again if it has ended."""
        command = (
            ["-m", "prefect", "worker", "start", "--type", "gendan", "--pool", "gendan", "--name", name]
            if name == SECOND
            else ["-m", "tests.chaos.watch"]
        )
        with open_log(self.house.log(name)) as log:
            self._own[name] = subprocess.Popen(
                [sys.executable, *command],
                env=self.running.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill the second worker or a watch with no warning; it is gone when this returns."""
        self._own[name].kill()
        self._own[name].wait()

    def gone(self) -> list[str]:
        """Return which of these have ended by themselves."""
        return [name for name in self._own if self.is_gone(name)]

    def is_gone(self, name: str) -> bool:
        """Say whether a process of our own has ended by itself."""
        return self._own[name].poll() is not None

    def end(self) -> None:
        """Stop what was begun here."""
        for process in self._own.values():
            process.send_signal(signal.SIGTERM)
        for process in self._own.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def a_site(home: Path, say: Callable[[str], None]) -> Iterator[Site]:
    """Run a Gendan in a new folder with two workers and two watches, for the length of a block."""
    receiver = Receiver()
    outbox = home / "outbox"
    outbox.mkdir(parents=True)
    channels = home / "channels.yaml"
    addresses = [f"outbox://{outbox}", *(f"json://127.0.0.1:{receiver.port}/{path}?rto=3&cto=3" for path in "abc")]
    channels.write_text("urls:\n" + "".join(f"  - {address}:\n      - tag: {ALWAYS}\n" for address in addresses))
    said: list[str] = []

    def note(line: str) -> None:
        said.append(line)
        say(line)

    settings = Settings(home=home, port=0, database_url=None, channels=channels)
    try:
        with whole_gendan(settings, note, watch=False) as running:
            os.environ.update(running.environment)
            site = Site(running, House(home), receiver, said)
            for name in (SECOND, *WATCHES):
                site.begin(name)
            try:
                yield site
            finally:
                site.end()
    finally:
        receiver.close()
