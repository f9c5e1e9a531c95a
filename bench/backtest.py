"""How long `gendan backtest` takes for a whole season, from the start of its process to its end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bench
import gendan
from bench.figures import Figure, Spread

NAME = "backtest"
TARGET = 15.0
SHARED = Path(bench.__file__).resolve().parent.parent.parent / "shared" / "data" / "container_logistics"
SAMPLES = Path(gendan.__file__).parent / "samples"


def measure(say: Callable[[str], None], *, quick: bool) -> list[Figure]:
    """Time the command on the container season where it lies beside the project, else on the bundled samples."""
    folder, season = (SHARED, "600 orders") if (SHARED / "orders.csv").exists() else (SAMPLES, "the bundled samples")
    seconds = []
    for _ in range(1 if quick else 3):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as results:
            subprocess.run(
                [
                    *(sys.executable, "-c", "from gendan.cli import main; main()", "backtest"),
                    *("--orders", str(folder / "orders.csv"), "--reports", str(folder / "reports.csv")),
                    *("--json", str(Path(results) / "result.json")),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        seconds.append(time.perf_counter() - begun)
        say(f"backtest: {season} in {seconds[-1]:.1f} s")
    spread = Spread.of(seconds)
    return [
        Figure(
            NAME,
            f"`gendan backtest` of {season}, the whole process",
            "s",
            spread,
            target=f"<= {TARGET:.0f} s",
            met=spread.median <= TARGET,
        )
    ]
