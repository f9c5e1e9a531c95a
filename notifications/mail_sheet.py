"""The order's T&A sheet as a mail has room for it: once, with its steps named in each of the reader's languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.names import Language
from models.planning.sheet import sheet_at
from models.planning.state import MilestoneState
from notifications.particulars import Facts, Kind
from notifications.plan_table import MARKS, ON_PATH, PlanTable, plan_table
from notifications.texts import one_line, say

COLUMNS = ("state", "planned", "forecast", "slack", "promised", "owner")
"""The columns that a mail has room for, beside the milestone."""

_BAD = frozenset({MilestoneState.OVERDUE, MilestoneState.AT_RISK, MilestoneState.BLOCKED})
_OVER = frozenset(
    {
        MilestoneState.DONE_ON_TIME,
        MilestoneState.DONE_LATE,
        MilestoneState.PASSED,
        MilestoneState.SKIPPED,
        MilestoneState.CANCELLED,
    }
)


class SheetRow(NamedTuple):
    """
    A milestone: its code (marked on the driving path), its names, its cells by column, and how it is set off.

    `look` is `now`, `bad`, `over` or nothing.
    """

    code: str
    names: tuple[str, ...]
    cells: Mapping[str, str]
    look: str


@dataclass(frozen=True)
class MailSheet:
    """The sheet in the reader's first language; `columns` have a title in each of his languages."""

    title: str
    columns: Mapping[str, tuple[str, ...]]
    rows: tuple[SheetRow, ...]
    foot: tuple[str, ...]


def mail_sheet(facts: Facts, languages: Sequence[Language]) -> MailSheet | None:
    """Return the sheet of the order that `facts` are about; None for a note, and for a decision: that is one page."""
    plan = facts.plan
    if plan is None or facts.kind in (Kind.DECISION, Kind.NOTE):
        return None
    of = sheet_at(plan.file, plan.at)
    tables = [plan_table(plan.file, of, plan.parties, language) for language in languages]
    first = tables[0]
    return MailSheet(
        title=say(languages[0], "mail_sheet"),
        columns={key: _titles(tables, key) for key in ("milestone", *COLUMNS) if key in first.columns},
        rows=tuple(_row(facts, tables, number) for number in range(len(first.rows))),
        foot=first.foot,
    )


def plain_sheet(of: MailSheet) -> str:
    """Lay the sheet out as plain text, a line for each milestone."""
    lines = [f"--- {of.title}: {' | '.join(' '.join(titles) for titles in of.columns.values())}"]
    for row in of.rows:
        cells = (row.cells[key] or "-" for key in of.columns if key != "milestone")
        lines.append(" | ".join([" ".join([row.code, *row.names]), *cells]))
    return "\n".join([*lines, *of.foot])


def _titles(tables: Sequence[PlanTable], column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(table.columns[column] for table in tables))


def _row(facts: Facts, tables: Sequence[PlanTable], number: int) -> SheetRow:
    row = tables[0].rows[number]
    names = (one_line(table.rows[number].name.removeprefix(row.code)) for table in tables)
    cells = {key: one_line(row.cells.get(key, "")) for key in COLUMNS}
    cells["state"] = f"{MARKS[row.state].symbol} {cells['state']}"
    if facts.stall is not None and row.code == facts.stall.step.code:
        look = "now"
    elif row.state in _BAD:
        look = "bad"
    else:
        look = "over" if row.state in _OVER else ""
    drives = row.cells["milestone"].startswith(ON_PATH)
    return SheetRow(f"{ON_PATH} {row.code}" if drives else row.code, tuple(dict.fromkeys(names)), cells, look)
