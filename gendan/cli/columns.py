"""A table whose columns fit into the terminal: the less important ones stay away before a date is torn apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

from gendan.cli.app import out, print_table

_GAP = 2
_TIME = re.compile(r" (?=\d\d:\d\d)")


@dataclass(frozen=True)
class Columns:
    """
    Columns with their titles, and rows with a cell for each.

    `least` is the width, in terminal cells, down to which the words of a column may be wrapped; one that is not named
    keeps a date whole, with its time below if need be. `first_to_go` are the groups of columns that a narrow terminal
    does without, in this order. `right` are set to the right.
    """

    titles: Mapping[str, str]
    rows: Sequence[Mapping[str, Text]]
    least: Mapping[str, int] = field(default_factory=dict)
    first_to_go: Sequence[Sequence[str]] = ()
    right: frozenset[str] = frozenset()

    def print(self) -> list[str]:
        """Print the table, into a pipe or file as wide as it is; return the titles that found no room."""
        kept = self._kept()
        widths = self._widths(kept) if out.is_terminal else {}
        table = Table(
            *(
                Column(
                    self.titles[key],
                    width=widths.get(key),
                    no_wrap=not widths,
                    overflow="fold",
                    justify="right" if key in self.right else "left",
                )
                for key in kept
            ),
            box=None,
            pad_edge=False,
        )
        for row in self.rows:
            table.add_row(*(row.get(key, Text()) for key in kept))
        print_table(table)
        return [title for key, title in self.titles.items() if key not in kept]

    def _kept(self) -> list[str]:
        kept = list(self.titles)
        if not out.is_terminal:
            return kept
        for group in self.first_to_go:
            if self._needs(kept) <= out.width:
                break
            kept = [key for key in kept if key not in group]
        return kept

    def _needs(self, kept: Sequence[str]) -> int:
        return sum(self._least(key) for key in kept) + _GAP * (len(kept) - 1)

    def _widths(self, kept: Sequence[str]) -> dict[str, int]:
        """Return the widths in a terminal: what is left over goes to those who need the least of it."""
        widths = {key: self._least(key) for key in kept}
        spare = out.width - self._needs(kept)
        wanted = {key: self._natural(key) - widths[key] for key in kept}
        for key in sorted(kept, key=wanted.__getitem__):
            more = max(0, min(wanted[key], spare))
            widths[key] += more
            spare -= more
        return widths

    def _cells(self, key: str) -> list[str]:
        return [row[key].plain for row in self.rows if key in row]

    def _natural(self, key: str) -> int:
        return max(cell_len(text) for text in [self.titles[key], *self._cells(key)])

    def _least(self, key: str) -> int:
        title = max((cell_len(word) for word in self.titles[key].split()), default=0)
        if key in self.least:
            return max(title, min(self.least[key], self._natural(key)))
        pieces = (piece for text in self._cells(key) for piece in _TIME.split(text))
        return max([title, *map(cell_len, pieces)])
