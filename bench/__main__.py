"""
`python -m bench`: measure, print the table, write the figures.

Exit status 0 whether targets are met or not; 1 if a measurement broke, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import prefect
import psutil
from rich.console import Console

from bench import (
    api_calls,
    backtest,
    burst,
    durable,
    growth,
    idle,
    latency,
    passes,
    replan,
    report_burst,
    reports,
    throughput,
    wake_ups,
    watch,
)
from bench.figures import Figure, table_of
from bench.prefect_tables import prefect_tables
from bench.scene import ACCESS_LOG, Scene
from gendan.house import House
from gendan.replay import stopped_in_order, write_channels
from gendan.supervisor import Running
from gendan.whole import whole_gendan
from tasks import database
from tasks.settings import read_settings

# In the order in which they run: what wants an idle system first, what leaves work behind last.
IN_GENDAN: Mapping[str, Callable[[Scene], Awaitable[list[Figure]]]] = {
    "latency": latency.measure,
    "calls": api_calls.measure,
    "throughput": throughput.measure,
    "dbos": durable.measure,
    "idle": idle.measure,
    "report-burst": report_burst.measure,
    "wake-ups": wake_ups.measure,
    "watch": watch.measure,
    "replan": replan.measure,
    "reports": reports.measure,
    "growth": growth.measure,
}
ALONE: Mapping[str, Callable[..., list[Figure]]] = {
    "passes": passes.measure,
    "backtest": backtest.measure,
    "burst": burst.measure,
}

out = Console(highlight=False)
if not out.is_terminal:
    out = Console(highlight=False, width=150)  # into a file or a pipe: as wide as the table likes to be
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


class Bench:
    """One run: its figures so far, and what broke."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.figures: list[Figure] = []
        self.broken: dict[str, str] = {}
        self._begun = time.monotonic()

    def say(self, line: str) -> None:
        """Say how far it is, on standard error."""
        err.print(f"{time.monotonic() - self._begun:6.1f} s  {line}")

    def note_broken(self, name: str, error: Exception) -> None:
        """Note a measurement that broke; the others go on."""
        self.broken[name] = f"{type(error).__name__}: {error}"
        err.print("".join(traceback.format_exception(error)))

    def in_gendan(self, names: Sequence[str]) -> None:
        """Take the measurements that need a running Gendan."""
        with tempfile.TemporaryDirectory(prefix="gb-", ignore_cleanup_errors=True) as folder:
            home = Path(folder)
            settings = read_settings(home=home, port=0, channels=write_channels(home))
            with stopped_in_order(), whole_gendan(settings, self.say) as running:
                os.environ.update(running.environment)
                asyncio.run(self._measure(names, running, House(settings.home.resolve())))

    async def _measure(self, names: Sequence[str], running: Running, house: House) -> None:
        try:
            async with prefect_tables(running.database_url) as prefect_rows:
                scene = Scene(running, house, prefect_rows, self.say, self.quick)
                for name in names:
                    self.say(name)
                    try:
                        self.figures += await IN_GENDAN[name](scene)
                    except Exception as error:
                        self.note_broken(name, error)
        finally:
            await database.close()

    def alone(self, names: Sequence[str]) -> None:
        """Take the measurements that need nothing running."""
        for name in names:
            self.say(name)
            try:
                self.figures += ALONE[name](self.say, quick=self.quick)
            except Exception as error:
                self.note_broken(name, error)

    def as_json(self) -> dict[str, Any]:
        """Return everything measured, and on what."""
        return {
            "machine": machine(),
            "quick": self.quick,
            "seconds": round(time.monotonic() - self._begun, 1),
            "figures": [figure.as_json() for figure in self.figures],
            "broken": self.broken,
        }


def machine() -> dict[str, str | int]:
    """Describe what it was measured on."""
    return {
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "prefect": prefect.__version__,
        "system": platform.platform(terse=True),
    }


def _names(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in {**IN_GENDAN, **ALONE}]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no such measurement: {', '.join(unknown)}; there are {', '.join(_ALL)}")
    return names


_ALL = (*IN_GENDAN, *ALONE)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, side by side with plain Prefect.")
    parser.add_argument("--only", type=_names, default=list(_ALL), metavar="NAME,...", help=", ".join(_ALL))
    parser.add_argument("--quick", action="store_true", help="fewer samples: to see that everything runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args()

    # What is measured is started here, and is nobody's real Gendan.
    for name in [name for name in os.environ if name.startswith(("GENDAN_", "PREFECT_"))]:
        del os.environ[name]
    os.environ.update(ACCESS_LOG)

    bench = Bench(given.quick)
    if in_gendan := [name for name in IN_GENDAN if name in given.only]:
        bench.in_gendan(in_gendan)
    bench.alone([name for name in ALONE if name in given.only])

    result = bench.as_json()
    about = result["machine"]
    out.print(table_of(bench.figures))
    out.print(
        f"{about['cores']} cores, {about['memory_gib']} GiB, Python {about['python']}, Prefect {about['prefect']}, "
        f"{about['system']}; {result['seconds']:.0f} s"
        + (" (quick: too few samples to judge by)" if bench.quick else "")
    )
    for name, reason in bench.broken.items():
        out.print(f"[bold red]{name} broke:[/] {reason}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if bench.broken else 0


if __name__ == "__main__":
    sys.exit(main())
