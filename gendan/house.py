"""The folder of one Gendan (GENDAN_HOME): what lies where, who is at home, and that only one `gendan up` is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import Unavailable

# psutil derives a start time from the clock ticks since boot; two readings of one process differ by less than this.
_SAME_START = 1.0


class Resident(BaseModel):
    """One process, told apart from a later one that was given the same pid."""

    model_config = ConfigDict(frozen=True)

    pid: int
    #: Seconds since the epoch, as psutil reports the start.
    started: float

    @classmethod
    def of(cls, pid: int) -> Resident:
        """Return the resident with `pid`; raises psutil.NoSuchProcess when it is gone."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs and is the same one."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and abs(process.create_time() - self.started) < _SAME_START else None
        except psutil.Error:
            return None


class Urls(BaseModel):
    """Where a running Gendan is reached."""

    model_config = ConfigDict(frozen=True)

    api_url: str
    ui_url: str
    #: For SQLAlchemy, with psycopg; may hold a password, so it is not shown.
    database_url: str = Field(repr=False)


class Household(BaseModel):
    """Who is at home, as written to run/house.json."""

    supervisor: Resident
    #: In the order they were started.
    children: dict[str, Resident] = Field(default_factory=dict)
    #: Set once everything is up.
    urls: Urls | None = None


@dataclass(frozen=True)
class House:
    """
    The folder GENDAN_HOME.

    Everything in it but `postgres/` may be thrown away while Gendan is down; `postgres/` is the order book.
    """

    home: Path

    @property
    def postgres(self) -> Path:
        """The data folder of the embedded PostgreSQL, and its socket."""
        return self.home / "postgres"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.home / "logs"

    @property
    def prefect(self) -> Path:
        """What Prefect calls PREFECT_HOME: a Gendan never reads or writes the one in ~/.prefect."""
        return self.home / "prefect"

    @property
    def run(self) -> Path:
        """The lock, and who is at home."""
        return self.home / "run"

    @property
    def outbox(self) -> Path:
        """Messages that the demo writes to files instead of sending them."""
        return self.home / "outbox"

    @property
    def register(self) -> Path:
        """The file that says who is at home."""
        return self.run / "house.json"

    def log(self, name: str) -> Path:
        """Return the log file of the process `name`."""
        return self.logs / f"{name}.log"

    def furnish(self) -> None:
        """
        Make the folders, for their owner only.

        Raises:
            Unavailable: the folder cannot be made or written.

        """
        try:
            for room in (self.home, self.logs, self.prefect, self.run, self.outbox):
                room.mkdir(mode=0o700, parents=room == self.home, exist_ok=True)
            for room in (self.logs, self.run):
                # mkdir is content with a folder of somebody else's
                probe = room / f".writable-{os.getpid()}"
                probe.touch()
                probe.unlink()
        except OSError as refused:
            raise Unavailable(
                f"Gendan cannot write to its folder {self.home}: {refused.strerror} ({refused.filename}). "
                "Make it writable for this user, or set GENDAN_HOME to a folder that is."
            ) from refused

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """
        Hold the house: while this is held, nobody else starts, stops or clears anything in it.

        The lock goes with the process that holds it, however that ends, and is not inherited by children.

        Raises:
            Unavailable: another process holds it; says which.

        """
        self.furnish()
        with (self.run / "lock").open("a+") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.seek(0)
                # empty for the instant between its lock and its note
                holder = held.read().strip() or "PID"
                raise Unavailable(
                    f"Gendan is already running in {self.home} (pid {holder}). Use that one, stop it with "
                    f"`kill {holder}`, or set GENDAN_HOME to another folder to run a second one."
                ) from None
            held.truncate(0)
            held.write(f"{os.getpid()}\n")
            held.flush()
            yield

    def household(self) -> Household | None:
        """Return who was last said to be at home; None when nobody was, or the file is damaged."""
        try:
            return Household.model_validate_json(self.register.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None

    def write_down(self, household: Household) -> None:
        """Write who is at home, readable by the owner only: the database URL may hold a password."""
        draft = self.register.with_suffix(f".{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(household.model_dump_json(indent=2))
        draft.replace(self.register)

    def forget(self) -> None:
        """Say that nobody is at home."""
        self.register.unlink(missing_ok=True)


def running_urls(house: House) -> Urls | None:
    """Return where the Gendan in `house` is reached, or None when none runs there or it is not up yet."""
    household = house.household()
    return household.urls if household is not None and household.supervisor.process() is not None else None


@contextlib.contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """Give GENDAN_HOME if it is set, else a new folder that is removed at the end: for what must start empty."""
    if given := os.environ.get("GENDAN_HOME"):
        yield Path(given)
        return
    # Under the system's folder its path is short enough for PostgreSQL's socket.
    with tempfile.TemporaryDirectory(prefix="gendan-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
