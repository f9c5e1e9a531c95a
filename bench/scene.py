"""What the measurements find when they begin: a Gendan that is up, and eyes on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.prefect_tables import PrefectTables
from gendan.house import House
from gendan.supervisor import Running

ACCESS_LOG = {"PREFECT_SERVER_LOGGING_LEVEL": "INFO"}
"""With this, Prefect's server writes a line for each call: the calls are counted where they arrive."""

_CALL = re.compile(r'"(GET|POST|PUT|PATCH|DELETE) (/api/[^ ?"]*)[^"]*" (\d{3})')
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Scene:
    """A running Gendan and what is needed to watch it."""

    running: Running
    house: House
    prefect: PrefectTables
    say: Callable[[str], None]
    quick: bool

    @asynccontextmanager
    async def client(self) -> AsyncIterator[PrefectClient]:
        """Give a client of the Prefect server."""
        with temporary_settings({PREFECT_API_URL: self.running.api_url}):
            async with get_client() as client:
                yield client

    def process(self, name: str) -> psutil.Process:
        """Return the process of Gendan's that is called `name`: worker, server."""
        household = self.house.household()
        process = household.children[name].process() if household is not None else None
        if process is None:
            raise RuntimeError(f"The {name} does not run; see {self.house.log(name)}.")
        return process

    def calls(self) -> Calls:
        """Count the calls that reach Prefect's server from now on."""
        return Calls(self.house.log("server"))


class Calls:
    """The calls in the server's access log from a moment on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._begin = log.stat().st_size

    def seen(self) -> Counter[str]:
        """Return how often each end point was called, ids left out."""
        with self._log.open("rb") as file:
            file.seek(self._begin)
            text = file.read().decode(errors="replace")
        return Counter(f"{call[1]} {_ID.sub('ID', call[2])}" for call in _CALL.finditer(text))


def cpu_seconds(*processes: psutil.Process) -> float:
    """Return the processor seconds that these processes and those they have waited for have used."""
    times = [process.cpu_times() for process in processes]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)
