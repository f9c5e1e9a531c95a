"""The Resume form: what it asks, and what an answer in it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from models.accept import late_dates
from models.changes import Reschedule
from models.entry import Entry
from models.errors import GendanError, Refused
from models.moments import parse_moment, whole_day
from models.names import Language
from models.order import OrderState
from models.order_file import OrderFile
from models.report import Outcome, Promise, Report
from models.standing import Standing
from notifications.badges import by_urgency

BY = "Prefect form"
SOURCE = "gendan:form"
DONE, FAILED = "done", "failed, with comments"
_RESULT: dict[str, dict[str, Any]] = {
    "outcome": {
        "type": "string",
        "enum": [DONE, FAILED],
        "default": DONE,
        "title": "Result",
        "description": "Of an approval or inspection; what failed is tried again. Comments go into the note.",
    }
}
_APPROVAL: dict[str, dict[str, Any]] = {
    "approved_by": {
        "type": "string",
        "title": "Approved by",
        "description": "Only for a date with which the ETD or a hard date is missed: who accepts that.",
    }
}


def form_schema(file: OrderFile, at: Standing, language: Language) -> dict[str, Any]:
    """
    Return the JSON schema of the form for what is open now; Prefect's page makes it a form.

    Every field may be left empty: whether the answer says something is checked by `entry_from`, so that a
    hasty click puts the order back to waiting instead of failing its run.
    """
    moment: dict[str, Any] = {"type": "string", "format": "date-time"}
    note = {"type": "string", "title": "Note", "description": "Kept with the order and shown in messages."}
    if not at.open or at.state is OrderState.WAITING_FOR_DATE:
        etd = {**moment, "title": "ETD", "description": "When the vessel is planned to sail."}
        fields: dict[str, dict[str, Any]] = {"etd": etd, "note": note}
    else:
        choices = [f"{code} {file.template.by_code[code].name.in_(language)}" for code in by_urgency(at)]
        fields = {
            "milestone": {"type": "string", "enum": choices, "default": choices[0], "title": "Milestone"},
            "happened_at": {**moment, "title": "Happened at", "description": "When it happened; empty if it has not."},
            **(_RESULT if any(file.template.by_code[code].rounds for code in at.open) else {}),
            "promised": {**moment, "title": "Or: new promised date", "description": "When it will be done."},
            **(_APPROVAL if late_dates(file, at).keys() & at.open else {}),
            "quantity": {"type": "number", "title": "Quantity", "description": "Only for a part; empty: all of it."},
            "note": note,
        }
    positioned = {name: {**field, "position": place} for place, (name, field) in enumerate(fields.items())}
    return {"title": "Answer", "type": "object", "properties": positioned, "required": [], "definitions": {}}


def entry_from(answer: Mapping[str, Any], event: str) -> Callable[[OrderFile, datetime], Entry]:
    """
    Return what makes an entry of an answer; it raises Refused where the answer says nothing usable.

    `event` makes the answer's report the same report when it is recorded again.
    """

    def make(file: OrderFile, now: datetime) -> Entry:
        note = str(answer.get("note") or "").replace("\0", "")[:2000]
        if answer.get("etd"):
            return Reschedule(recorded_at=now, by=BY, note=note, etd=_instant(answer, "etd", file))
        milestone = str(answer.get("milestone") or "").split(" ", 1)[0]
        if not milestone:
            raise Refused("Not accepted: choose the milestone that you are answering for.")
        if answer.get("happened_at") and answer.get("promised"):
            raise Refused("Not accepted: give the date it happened or a new promised date, not both.")
        failed = answer.get("outcome") == FAILED
        if failed and not answer.get("happened_at"):
            raise Refused("Not accepted: say when it failed.")
        if answer.get("happened_at"):
            return Report(
                recorded_at=now,
                by=BY,
                note=note,
                milestone=milestone,
                occurred_at=_instant(answer, "happened_at", file),
                outcome=Outcome.FAILED if failed else Outcome.DONE,
                quantity=_quantity(answer),
                source=SOURCE,
                source_event_id=event,
            )
        if answer.get("promised"):
            return Promise(
                recorded_at=now,
                by=BY,
                note=note,
                milestone=milestone,
                promised=_instant(answer, "promised", file),
                approved_by=str(answer.get("approved_by") or "").replace("\0", "").strip()[:200],
            )
        raise Refused("Not accepted: say when it happened, or give a new promised date.")

    return make


def _instant(answer: Mapping[str, Any], field: str, file: OrderFile) -> datetime:
    try:
        return whole_day(parse_moment(str(answer[field])), file.calendar, end=field != "happened_at")
    except GendanError as error:
        raise Refused(f"Not accepted: {field}: {error}") from None


def _quantity(answer: Mapping[str, Any]) -> float | None:
    quantity = answer.get("quantity")
    if quantity is None or quantity == "":
        return None
    try:
        number = float(quantity)
    except (TypeError, ValueError):
        raise Refused(f"Not accepted: quantity {quantity!r} is not a number.") from None
    if not 0 < number < 1e12:
        raise Refused("Not accepted: a quantity must be more than 0.")
    return number
