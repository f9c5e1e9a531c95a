"""The order's T&A sheet, as Markdown: what was planned, promised and done, and what will be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.book.order_file import OrderFile
from models.names import Language
from models.planning.sheet import sheet_at
from models.planning.state import MilestoneState
from models.status.standing import Standing
from notifications.facts import Parties
from notifications.plan_head import Headline
from notifications.plan_table import MARKS, PlanTable, Row, plan_table
from notifications.texts import say

_SPECIAL = re.compile(r"[\\`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])")


def sheet(file: OrderFile, at: Standing, parties: Parties, language: Language) -> str:
    """
    Return the sheet: a head, one row per milestone of the template, and what the marks mean.

    It says the day of `at.now`, not the time: on one day, the same facts give the same sheet.
    """
    return markdown(plan_table(file, sheet_at(file, at), parties, language), language)


def markdown(plan: PlanTable, language: Language) -> str:
    """Lay a plan out as Markdown; the rows of the driving path are bold."""
    rows = [
        [escape(title) for title in plan.columns.values()],
        ["---"] * len(plan.columns),
        *([_cell(row, column) for column in plan.columns] for row in plan.rows),
    ]
    states = " · ".join(f"{_mark(state)} {escape(name)}" for state, name in plan.states.items())
    return "\n".join(
        [
            f"## {escape(plan.title)}",
            "",
            *(line for told in plan.head for line in _headline(told)),
            "",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            say(language, "legend", states=states),
            "",
            *(f"- {escape(line)}" for line in plan.foot),
            "",
        ]
    )


def escape(text: str) -> str:
    """Return order data so that Markdown shows it as it is, on one line: no markup, no HTML, no new column."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)


def _headline(told: Headline) -> Iterator[str]:
    text = f" {escape(told.text)}" if told.text else ""
    yield f"- **{escape(told.label)}**:{text}"
    yield from (f"    - {escape(item)}" for item in told.items)


def _cell(row: Row, column: str) -> str:
    text = escape(row.cells.get(column, ""))
    if column == "state":
        return f"{_mark(row.state)} {text}"
    return f"**{text}**" if column == "milestone" and row.drives else text


def _mark(state: MilestoneState) -> str:
    mark = MARKS[state]
    return f"{mark.square} {mark.symbol} {mark.letter}"
