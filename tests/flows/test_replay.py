"""A past season through server, worker and database says what the core alone says, message for message."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gendan
from models.seasons.result import Result, differences
from tests.flows.house import clean_environment

SAMPLES = Path(gendan.__file__).parent / "samples"
SEASON = Path(__file__).parents[3] / "shared" / "data" / "container_logistics"
PLAYED = SEASON if (SEASON / "orders.csv").exists() else SAMPLES
"""The season that lies beside this project, else the one that comes with it."""
ORDERS = 12


def result_of(command: str, folder: Path) -> tuple[Result, str]:
    """Run `gendan backtest` or `gendan replay`; return its result and what it printed."""
    written = folder / f"{command}.json"
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from gendan.cli import main; main()", command, "--limit", str(ORDERS)),
            *("--orders", str(PLAYED / "orders.csv"), "--reports", str(PLAYED / "reports.csv"), "--json", str(written)),
        ],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.exists(), done.stdout + done.stderr
    return Result.model_validate(json.loads(written.read_text(encoding="utf-8"))), done.stdout


def test_a_replay_says_what_the_backtest_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected, _ = result_of("backtest", tmp_path)
    begun = time.monotonic()
    played, printed = result_of("replay", tmp_path)

    assert len(played.orders) == ORDERS
    assert sum(played.summary.messages.values()) > 0
    assert not list(differences(expected, played))
    wake_ups = re.search(r"(\d+) wake-ups in .*", printed)
    assert wake_ups is not None
    with capsys.disabled():
        sys.stdout.write(f"\nreplay: {wake_ups[0]}, {time.monotonic() - begun:.0f} s with start and stop\n")
