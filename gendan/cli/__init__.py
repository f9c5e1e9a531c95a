"""The command line: `gendan COMMAND`. Exit status 0, 1 for a refused request, 2 for wrong usage."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line."""
    # Prefect sends usage figures from where it is imported; what is started from here is told the same.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from gendan.cli import (  # noqa: F401 - they add their commands
        amendments,
        answers,
        backups,
        calendars,
        changes,
        chases,
        messages,
        migrating,
        orders,
        people,
        plan,
        processes,
        prospects,
        seasons,
        whatif,
    )
    from gendan.cli.app import app

    app()
