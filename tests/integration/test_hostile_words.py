"""Every command, with every word of its example replaced by something hostile: it answers, and loses nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gendan.cli.app import app
from tests.books import contents, in_the_book, place
from tests.integration.test_cli import COMMANDS

LEFT_OUT = {("up",), ("demo",), ("replay",), ("prepare",)}
"""They start processes, or talk to a server; what they read is read by others too."""

HOSTILE = (
    "",
    "\udcff",  # no UTF-8
    "\x1b]0;owned\x07\x1b[31m",
    "\u202e",
    "x" * 100_000,
    "9" * 400,
    "-1e309",
    "NaN",
    "2026-99-99",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "'; DROP TABLE orders; --",
    "../../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }}",
    "%s %(order)s {0}",
    "[red]x[/red][link=javascript:1]y[/link]",
    "<script>alert(1)</script>",
)


def hostile_calls(words: tuple[str, ...]) -> Iterator[list[str]]:
    (example,) = [line.split("Example: ")[1] for line in COMMANDS[words].help.splitlines() if "Example:" in line]
    typed = shlex.split(example)[1:]
    for place_, word in enumerate(typed):
        if place_ >= len(words) and not word.startswith("--"):
            for hostile in HOSTILE:
                yield [*typed[:place_], hostile, *typed[place_ + 1 :]]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in LEFT_OUT], ids=" ".join)
def test_a_command_answers_whatever_it_is_given_and_changes_nothing_that_it_refuses(
    words: tuple[str, ...], tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    in_the_book(lambda: place())
    book = contents(database_url)

    for call in hostile_calls(words):
        answer = CliRunner().invoke(app, call)

        shown = [word[:60] for word in call]
        assert answer.exception is None or isinstance(answer.exception, SystemExit), (shown, answer.exception)
        assert "Traceback" not in answer.output + answer.stderr, shown
        for escape in ("\x1b]0;owned", "\x07"):
            assert escape not in answer.output + answer.stderr, shown
        now = contents(database_url)
        if answer.exit_code:
            assert answer.stderr.strip(), shown
            assert now == book, shown
        book = now
