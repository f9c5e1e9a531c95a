"""One process that Gendan starts, with its log; and what keeps it running."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import psutil

from models.errors import GendanError, Unavailable

#: A log file that is longer at a start is put aside as `NAME.log.1`, in place of the one before.
LOG_LIMIT = 20 * 1024 * 1024

# Who lived this long was well, as what cannot start says so sooner: its next end does not count with the earlier ones.
_WELL_AFTER = 20.0
_LONGEST_PAUSE = 30.0


class Kept(Protocol):
    """What a keeper keeps running."""

    name: str
    log: Path

    def start(self, give_up: threading.Event | None = None) -> int:
        """Start it and return its pid."""

    def wait(self) -> int:
        """Return its exit status once it has ended; negative: the signal that killed it."""

    def stop(self, hurry: threading.Event | None = None) -> None:
        """End it, quickly once `hurry` is set; does nothing when it has ended."""


class Child:
    """A process started from a command, writing to its log file."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path, drain: float
    ) -> None:
        """
        Describe the process; nothing is started yet.

        Secrets belong into `environment`: a command line can be read by every user of the machine. `drain` is how many
        seconds it may take to finish its work after SIGTERM.
        """
        self.name, self.log = name, log
        self._command, self._environment, self._drain = tuple(command), dict(environment), drain
        self._process: subprocess.Popen[bytes] | None = None
        #: Where in the log its last start begins.
        self.log_begins = 0

    def start(self, give_up: threading.Event | None = None) -> int:
        """Start it and return its pid; raises Unavailable when the command cannot be run."""
        with open_log(self.log) as log:
            self.log_begins = log.tell()
            try:
                self._process = subprocess.Popen(
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches the whole terminal; who is stopped when is for the supervisor to say
                    start_new_session=True,
                )
            except OSError as refused:
                raise Unavailable(f"Cannot start {self.name} ({self._command[0]}): {refused.strerror}.") from refused
        return self._process.pid

    def ended(self) -> int | None:
        """Return its exit status, or None while it runs."""
        return self._process.poll() if self._process is not None else None

    def wait(self) -> int:
        """Return its exit status once it has ended; negative: the signal that killed it."""
        if self._process is None:
            raise Unavailable(f"{self.name} was not started.")
        return self._process.wait()

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Ask it to end (SIGTERM), give it its time, then kill it."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for ask, limit in ((signal.SIGTERM, self._drain), (signal.SIGKILL, 10.0)):
            process.send_signal(ask)
            if hurried_wait(process, limit, hurry):
                return


class Keeper:
    """Starts a process again whenever it ends without being asked to, and says so."""

    def __init__(self, kept: Kept, *, say: Callable[[str], None], on_start: Callable[[str, int], None]) -> None:
        """Keep `kept`; `on_start(name, pid)` is called at each start, from whichever thread makes it."""
        self._kept, self._say, self._on_start = kept, say, on_start
        self._let_go = threading.Event()
        # a start and a stop at the same time would leave a process that nobody knows of
        self._one_at_a_time = threading.Lock()
        self._watch = threading.Thread(target=self._keep, name=f"keeper of {kept.name}", daemon=True)

    def start(self, give_up: threading.Event | None = None) -> None:
        """Start the process, and keep it from now on; a failure of this first start is raised."""
        self._on_start(self._kept.name, self._kept.start(give_up))
        self._watch.start()

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Let go of the process and stop it; returns when it has ended."""
        self._let_go.set()
        with self._one_at_a_time:
            self._kept.stop(hurry)
        if self._watch.ident is not None:
            self._watch.join()

    def _keep(self) -> None:
        failures, since = 0, time.monotonic()
        status: int | None = None
        while True:
            if status is None:
                status = self._kept.wait()
                if self._let_go.is_set():
                    return
                failures = 0 if time.monotonic() - since > _WELL_AFTER else failures
            died = f"{self._kept.name} died (exit {status})"
            pause = min(2.0**failures, _LONGEST_PAUSE)
            if failures:
                self._say(f"{died}; next start in {pause:.0f} s, log: {self._kept.log}")
            if self._let_go.wait(pause):
                return
            failures += 1
            with self._one_at_a_time:
                if self._let_go.is_set():
                    return
                try:
                    pid = self._kept.start(self._let_go)
                except GendanError as refused:
                    self._say(f"{self._kept.name} does not start again: {refused}")
                    continue
                self._on_start(self._kept.name, pid)
            self._say(f"{died}; started again as pid {pid}, log: {self._kept.log}")
            status, since = None, time.monotonic()


def hurried_wait(process: subprocess.Popen[bytes], limit: float, hurry: threading.Event | None) -> bool:
    """Wait up to `limit` seconds for `process` to end, but at most 2 s once `hurry` is set; True when it has ended."""
    begun = time.monotonic()
    hurried_since: float | None = None
    while process.poll() is None:
        at = time.monotonic()
        if hurry is not None and hurry.is_set() and hurried_since is None:
            hurried_since = at
        if at - begun > limit or (hurried_since is not None and at - hurried_since > 2.0):
            return False
        time.sleep(0.02)
    return True


def wait_until_gone(processes: Iterable[psutil.Process], limit: float) -> list[psutil.Process]:
    """
    Wait up to `limit` seconds for processes that are not children of this one, and return those that are still there.

    A process that has ended counts as gone before anybody collects its status: in a container often nobody does.
    """
    deadline = time.monotonic() + limit
    there = list(processes)
    while there := [process for process in there if _runs(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return there


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def open_log(log: Path) -> IO[bytes]:
    """Open `log` to append to, for its owner only; one that has grown past LOG_LIMIT is put aside first."""
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))
    except FileNotFoundError:
        pass
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def last_lines(log: Path, begin: int = 0, *, lines: int = 15) -> str:
    """Return the last lines that were written to `log` from byte `begin` on, indented; says when there are none."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        # a whole log may be large, and only its end is shown
        file.seek(max(begin, end - 64 * 1024))
        text = file.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (it wrote nothing)"
