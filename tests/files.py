"""Files of tables for the tests: written, read, and told what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from models.accepting.intake import Row, RowRefused
from models.errors import ImportRefused
from tasks.spreadsheets import read_rows


def written(folder: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, name: str = "orders.csv") -> list[Row | RowRefused]:
    """Return the rows of a file with this content."""
    return list(read_rows(written(folder, content, name)))


def refusal(path: Path, needs: Sequence[str] = ()) -> str:
    """Return why the whole file is refused; its path comes first."""
    with pytest.raises(ImportRefused) as refused:
        list(read_rows(path, needs))
    assert str(refused.value).startswith(str(path))
    return str(refused.value)


def said(rows: Iterable[Row | RowRefused]) -> list[tuple[int, dict[str, str] | str]]:
    """Return each row with its line: what it holds, or why it was refused."""
    return [(row.line, dict(row.cells) if isinstance(row, Row) else row.reason) for row in rows]
