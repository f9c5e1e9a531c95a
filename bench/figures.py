"""What a measurement gives: figures, each with its spread and its target, and beside it plain Prefect's and DBOS's."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Spread:
    """The values of one thing measured several times."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Take values as they were measured; at least one."""
        return cls(tuple(values))

    @property
    def low(self) -> float:
        """The least value."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def high(self) -> float:
        """The greatest value."""
        return max(self.values)

    def __str__(self) -> str:
        """Give the value, or least / median / greatest and how many there were."""
        if len(self.values) == 1:
            return short(self.median)
        return f"{short(self.low)} / {short(self.median)} / {short(self.high)}\nn={len(self.values)}"


@dataclass(frozen=True)
class Figure:
    """
    One line of the table.

    `ratio` says how many times better ours is than the plain form, `dbos_ratio` than DBOS: below 1, ours is worse.
    `met` is `None` where there is no target.
    """

    measurement: str
    what: str
    unit: str
    ours: Spread
    plain: Spread | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
    dbos: Spread | None = None
    dbos_ratio: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the figure as the JSON file has it."""
        return {
            "measurement": self.measurement,
            "what": self.what,
            "unit": self.unit,
            "ours": _spread(self.ours),
            "plain": _spread(self.plain) if self.plain else None,
            "dbos": _spread(self.dbos) if self.dbos else None,
            "ratio": round(self.ratio, 2) if self.ratio is not None else None,
            "dbos_ratio": round(self.dbos_ratio, 2) if self.dbos_ratio is not None else None,
            "target": self.target,
            "met": self.met,
            "note": self.note,
        }


def _spread(spread: Spread) -> dict[str, Any]:
    return {
        "min": spread.low,
        "median": spread.median,
        "max": spread.high,
        "n": len(spread.values),
        "values": list(spread.values),
    }


def short(value: float) -> str:
    """Write a number with three digits that count."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def table_of(figures: Sequence[Figure]) -> Table:
    """Lay the figures out for the terminal: least / median / greatest where measured more than once."""
    title = "least / median / greatest; x: how many times better ours is"
    table = Table(title=title, title_justify="left", pad_edge=False)
    for heading, justify in (
        ("measurement", "left"),
        ("what", "left"),
        ("unit", "left"),
        ("ours", "right"),
        ("plain Prefect", "right"),
        ("DBOS", "right"),
        ("target", "left"),
        ("", "left"),
    ):
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    before = ""
    for figure in figures:
        if before and figure.measurement != before:
            table.add_section()
        verdict = {True: Text("met", "green"), False: Text("NOT MET", "bold red"), None: Text("")}[figure.met]
        table.add_row(
            figure.measurement if figure.measurement != before else "",
            figure.what + (f"\n  {figure.note}" if figure.note else ""),
            figure.unit,
            str(figure.ours),
            _beside(figure.plain, figure.ratio),
            _beside(figure.dbos, figure.dbos_ratio),
            figure.target,
            verdict,
        )
        before = figure.measurement
    return table


def _beside(other: Spread | None, ratio: float | None) -> str:
    """Write the figure of another form, and below it how many times better ours is."""
    lines = [str(other)] if other else []
    if ratio is not None:
        lines.append(f"{ratio:.1f} x" if ratio >= 1 else f"{short(ratio)} x")
    return "\n".join(lines)
