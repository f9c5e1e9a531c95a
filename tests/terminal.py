"""The command line for the tests: in this process, where what is refused and what falls over are told apart."""

from __future__ import annotations

from dataclasses import dataclass

from typer.testing import CliRunner

from gendan.cli import (  # noqa: F401 - they add their commands
    amendments,
    answers,
    backups,
    calendars,
    changes,
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


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    status: int
    out: str
    err: str


def gendan(*words: object) -> Said:
    """Run a command; whatever is no refusal comes through as it was raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return Said(result.exit_code, result.stdout, result.stderr)


def done(*words: object) -> str:
    """Run a command that works, and return what it printed."""
    said = gendan(*words)
    assert (said.status, said.err) == (0, ""), said
    return said.out


def refused(*words: object) -> str:
    """Run a command that is refused, and return why: on standard error alone, in one sentence or more."""
    said = gendan(*words)
    assert said.status == 1, said
    assert said.out == "", said
    assert said.err.startswith("gendan: "), said
    return said.err.removeprefix("gendan: ").strip()
