"""`python -m tests.fuzz`: many inputs for every parser and form, and what became of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.table import Table

from tests.fuzz.target import Tally
from tests.fuzz.targets import BY_NAME, share

INPUTS = 100_000
SHARE = 5_000
"""Inputs that are given to one process at a time."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main() -> int:
    """Read the command line, and play; exit status 1 at a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each target")
    parser.add_argument("--only", action="append", choices=list(BY_NAME), metavar="NAME", help="; ".join(BY_NAME))
    parser.add_argument("--seed", default="1")
    given = parser.parse_args()
    tallies = {name: Tally(name) for name in given.only or BY_NAME}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        shares = [
            pool.submit(share, name, min(SHARE, given.inputs - begin), f"{given.seed}/{begin}")
            for begin in range(0, given.inputs, SHARE)
            for name in tallies
        ]
        for done in as_completed(shares):
            part = done.result()
            tally = tallies[part.target]
            tally.inputs += part.inputs
            tally.accepted += part.accepted
            tally.refused += part.refused
            tally.seconds += part.seconds
            tally.faults += part.faults
            for fault in part.faults:
                sys.stderr.write(f"{fault}\n")
            if tally.inputs >= given.inputs:
                sys.stderr.write(f"{part.target}: {tally.inputs:,} inputs\n")
    show(list(tallies.values()))
    return 1 if any(tally.faults for tally in tallies.values()) else 0


def show(tallies: Sequence[Tally]) -> None:
    """Print what became of the inputs."""
    table = Table("parser or form", box=None)
    for heading in ("inputs", "accepted", "refused", "faults", "CPU s"):
        table.add_column(heading, justify="right")
    for tally in tallies:
        counts = (tally.inputs, tally.accepted, tally.refused, len(tally.faults), round(tally.seconds))
        table.add_row(tally.target, *(f"{count:,}" for count in counts))
    out.print(table)


if __name__ == "__main__":
    sys.exit(main())
