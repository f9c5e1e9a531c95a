"""The order's T&A sheet, as Markdown: what was planned, promised, expected and done."""

from __future__ import annotations

import re
from datetime import datetime

from models.decide import appearances
from models.lateness import days_late
from models.milestone import Milestone
from models.names import Language
from models.order_file import OrderFile
from models.standing import Standing
from notifications.badges import look_name
from notifications.facts import Parties, name_of, note_on
from notifications.texts import day, quantity, sailing_day, say, when

MARKS = {
    "to come": "○ T",
    "waiting": "● W",
    "promised": "◆ P",
    "overdue": "▲ O",
    "on hold": "‖ H",
    "done": "✔ D",
    "done late": "✔ L",
    "passed": "✔ U",
    "called off": "✖ C",
    "reopened": "○ R",
    "not followed": "– N",
}
"""A symbol and a letter for each look, so that a print or a colour-blind reader loses nothing (domain.md 2.4)."""

_COLUMNS = (
    "milestone",
    "state",
    "planned",
    "actual",
    "late",
    "promised",
    "expected",
    "quantity",
    "owner",
    "waiting",
)
_SPECIAL = re.compile(r"[\\`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])")


def sheet(file: OrderFile, at: Standing, parties: Parties, language: Language) -> str:
    """
    Return the sheet: a head, then one row per milestone of the template.

    It says the day of `at.now`, not the time: on one day, the same facts give the same sheet.
    """
    looks = appearances(file, at)
    rows = [
        [say(language, f"column_{column}") for column in _COLUMNS],
        ["---"] * len(_COLUMNS),
        *(_row(file, at, parties, language, each, looks.get(each.code)) for each in file.template.milestones),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{_head(file, at, language)}\n\n{table}\n"


def escape(text: str) -> str:
    """Return order data so that Markdown shows it as it is, on one line: no markup, no HTML, no new column."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)


def _head(file: OrderFile, at: Standing, language: Language) -> str:
    order, home = file.order, file.calendar.tz
    lines = [f"## {say(language, 'sheet_title', order=escape(order.order_no))}", ""]
    head = {
        "customer": escape(order.customer),
        "etd": sailing_day(language, at.etd, home) if at.etd is not None else say(language, "no_date"),
        "quantity": escape(quantity(order.quantity, order.unit)) if order.quantity is not None else "",
        "state": say(language, at.state.value),
        "template": escape(f"{file.template.code} {file.template.name.in_(language)}"),
        "at": day(language, file.calendar.local_date(at.now)),
    }
    lines += [f"- **{say(language, f'head_{key}')}**: {text}" for key, text in head.items() if text]
    note = note_on(file, at, "")
    if note is not None:
        text = " · ".join(filter(None, (when(language, note.at, home), escape(note.by), escape(note.text))))
        lines.append(f"- **{say(language, 'head_note')}**: {text}")
    return "\n".join(lines)


def _row(
    file: OrderFile, at: Standing, parties: Parties, language: Language, milestone: Milestone, look: str | None
) -> list[str]:
    code = milestone.code
    zone = file.calendars[milestone.calendar].tz

    def written(instant: datetime | None) -> str:
        return when(language, instant.astimezone(zone), file.calendar.tz) if instant is not None else ""

    reached = at.reached.get(code)
    return [
        f"{escape(code)} {escape(milestone.name.in_(language))}",
        _state(file, code, look, language),
        written(at.due.get(code)),
        written(reached.at if reached else None),
        _late(file, at, code),
        written(at.promised.get(code)),
        written(at.expected.get(code)),
        _quantity(file, at, milestone, language),
        escape(name_of(milestone.accountable, parties).in_(language)),
        escape(say(language, "list").join(name_of(party, parties).in_(language) for party in milestone.waiting_on)),
    ]


def _late(file: OrderFile, at: Standing, code: str) -> str:
    due, reached = at.due.get(code), at.reached.get(code)
    if due is None or (reached is None and code not in at.open):
        return ""
    until = reached.at if reached else at.now
    return str(days_late(file, due, until)) if until > due else ""


def _quantity(file: OrderFile, at: Standing, milestone: Milestone, language: Language) -> str:
    if not milestone.counted or file.order.quantity is None:
        return ""
    done = at.counted.get(milestone.code, 0.0)
    required = quantity(file.order.quantity, file.order.unit)
    return escape(say(language, "done_of", done=quantity(done), required=required))


def _state(file: OrderFile, code: str, look: str | None, language: Language) -> str:
    if look is None:
        kind = "to come" if code in file.template.followed else "not followed"
        return f"{MARKS[kind]} {say(language, 'look_' + kind.replace(' ', '_'))}"
    kind = "overdue" if look.startswith("overdue") else look
    return f"{MARKS[kind]} {look_name(look, language)}"
