"""The command line: `gendan COMMAND`. Exit status 0, 1 for a refused request, 2 for wrong usage."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from gendan.cli import answers, messages, orders, processes, seasons  # noqa: F401 - they add their commands
    from gendan.cli.app import app

    app()
