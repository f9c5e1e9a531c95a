"""Recording an answer about a step that is chased: taken on, a new date, a problem, not mine."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from models.accepting.letters import carried
from models.accepting.written import has_problem, not_mine, promised, taken_on
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.errors import Refused
from tasks.library import library
from tasks.logbook import record_entry

Kind = Literal["ack", "promise", "problem", "not-mine"]


async def record_answer(
    order_no: str,
    kind: Kind,
    step: str,
    *,
    until: datetime | None = None,
    approved_by: str = "",
    to: str = "",
    note: str = "",
    by: str,
) -> str:
    """
    Record an answer, and return in words what was recorded.

    `until` and `approved_by` belong to a promise, `to` is the role whose the step is. Raises UnknownOrder,
    UnknownMilestone, Refused; nothing is recorded then.
    """
    _must_fit(kind, until, approved_by, to)
    note, by = carried("note", note), carried("by", by)
    approved_by = carried("approved_by", approved_by)

    def make(file: OrderFile, now: datetime) -> Entry:
        match kind:
            case "ack":
                return taken_on(file, now, step, by=by, note=note)
            case "problem":
                return has_problem(file, now, step, note, by=by)
            case "not-mine":
                return not_mine(file, now, step, to, library().parties, by=by, note=note)
            case "promise":
                assert until is not None  # _must_fit has looked
                return promised(file, now, step, until, approved_by=approved_by, by=by, note=note)

    await record_entry(order_no, make)
    return f"{order_no}: {step.strip()} {_SAID[kind]}."


_SAID: dict[Kind, str] = {
    "ack": "acknowledged",
    "promise": "promised",
    "problem": "has a problem",
    "not-mine": "is another role's",
}


def _must_fit(kind: Kind, until: datetime | None, approved_by: str, to: str) -> None:
    if kind != "promise" and (until is not None or approved_by):
        raise Refused(f"promised_for and approved_by belong to the answer promise, not to {kind}: leave them empty.")
    if kind != "not-mine" and to:
        raise Refused(f"Only what is not-mine goes to another role, and this is {kind}: leave `to` empty.")
    if kind == "promise" and until is None:
        raise Refused("A promise needs its date: give promised_for.")
    if until is not None and until.tzinfo is None:
        raise Refused(f"promised_for {until.isoformat()} has no zone: add Z or an offset such as +08:00.")
