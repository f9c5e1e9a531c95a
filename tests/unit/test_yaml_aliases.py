"""A few lines of YAML aliases can stand for billions of entries: they are refused before anything is built of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from models.errors import LibraryError
from notifications.channels_file import read
from tasks.marked_yaml import read_marked

LEVELS = "abcdefghij"


def bomb(top: str) -> str:
    """Return ten lines that stand for ten to the power of ten entries, under the key `top`."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in pairwise(LEVELS)]
    return "\n".join([*lines, f"{top}: *{LEVELS[-1]}", ""])


def test_a_library_file_of_aliases_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(bomb("wang"))

    with pytest.raises(LibraryError, match=r"people\.yaml:\d+: holds more than 100,000 entries"):
        read_marked(file)


def test_a_channels_file_of_aliases_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(bomb("urls"))

    found = read(file)

    assert found.channels == []
    assert "stand for more than 100,000 entries" in found.problems[0]


def test_a_channels_file_that_holds_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text("urls: &a [*a]\n")

    assert read(file).problems


@pytest.mark.parametrize("include", ["/", ".", "a\x00b", 7, "[1]"])
def test_an_include_that_is_no_file_is_said(include: object, tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(f"include: {include!r}\nurls: json://127.0.0.1:9\n")

    assert read(file).problems
