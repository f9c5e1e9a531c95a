"""The Resume form: what it asks, and what an answer in it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from models.accepting.answers import decisions, late_dates
from models.accepting.letters import carried
from models.accepting.written import has_problem, not_mine, our_roles, promised, taken_on
from models.book.changes import Reschedule
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Outcome, Report
from models.errors import GendanError, Refused
from models.moments import parse_moment, shown, whole_day
from models.names import Language
from models.planning.outlook import outlook
from models.status.standing import Standing
from notifications.badges import by_urgency
from notifications.deadlines import deadline_name
from tasks.library import library

BY = "Prefect form"
SOURCE = "gendan:form"
DONE, FAILED = "done", "failed, with comments"
DATES, TAKEN_ON, PROBLEM, NOT_MINE = "it happened, or a new date", "taken on", "problem", "not mine"
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
        choices += [f"{code} {deadline_name(code, language)}" for code in _breaking(file, at)]
        roles = [f"{code} {party.name.in_(language)}" for code, party in our_roles(library().parties).items()]
        fields = {
            "milestone": {"type": "string", "enum": choices, "default": choices[0], "title": "Milestone"},
            "answer": {
                "type": "string",
                "enum": [DATES, TAKEN_ON, PROBLEM, NOT_MINE],
                "default": DATES,
                "title": "Answer",
                "description": "A problem needs a note. What is not yours goes to the role that you choose below.",
            },
            "happened_at": {**moment, "title": "Happened at", "description": "When it happened; empty if it has not."},
            **(_RESULT if any(file.template.by_code[code].rounds for code in at.open) else {}),
            "promised": {**moment, "title": "Or: new promised date", "description": "When it will be done."},
            **(_APPROVAL if late_dates(file, at).keys() & at.open else {}),
            "to": {
                "type": "string",
                "enum": roles,
                "title": "Whose it is",
                "description": "Only for what is not yours; empty: the merchandiser finds out.",
            },
            "quantity": {"type": "number", "title": "Quantity", "description": "Only for a part; empty: all of it."},
            "note": note,
            "by": {"type": "string", "title": "Your name", "description": "Kept with the order: who says so."},
        }
    positioned = {name: {**field, "position": place} for place, (name, field) in enumerate(fields.items())}
    return {"title": "Answer", "type": "object", "properties": positioned, "required": [], "definitions": {}}


def _breaking(file: OrderFile, at: Standing) -> list[str]:
    """Return the hard dates that the forecast breaks and that somebody decides about: that can be taken on, too."""
    ahead = outlook(file, at)
    broken = {each.hard for each in ahead.broken} if ahead is not None else set()
    return list(dict.fromkeys(hard.code for hard in decisions(file, at) if hard in broken))


def entry_from(answer: Mapping[str, Any], event: str) -> Callable[[OrderFile, datetime], Entry]:
    """
    Return what makes an entry of an answer; it raises Refused where the answer says nothing usable.

    `event` makes the answer's report the same report when it is recorded again.
    """

    def make(file: OrderFile, now: datetime) -> Entry:
        note, by = _text(answer, "note", 2000), _text(answer, "by", 200) or BY
        if answer.get("etd"):
            return Reschedule(recorded_at=now, by=by, note=note, etd=_instant(answer, "etd", file))
        step = str(answer.get("milestone") or "").split(" ", 1)[0]
        if not step:
            raise Refused("Not accepted: choose the milestone that you are answering for.")
        kind = answer.get("answer") or DATES
        if kind not in (DATES, TAKEN_ON, PROBLEM, NOT_MINE):
            raise Refused(f"Not accepted: {str(kind)[:60]!r} is none of the answers. Choose one.")
        _must_agree(answer, kind)
        if kind == TAKEN_ON:
            return taken_on(file, now, step, by=by, note=note)
        if kind == PROBLEM:
            return has_problem(file, now, step, note, by=by)
        if kind == NOT_MINE:
            parties = library().parties
            return not_mine(file, now, step, _role(_text(answer, "to", 200), parties), parties, by=by, note=note)
        return _dated(answer, event, file, now, step)

    return make


def _must_agree(answer: Mapping[str, Any], kind: str) -> None:
    """Refuse an answer whose fields contradict each other: nobody knows which of them is meant."""
    happened, new_date = bool(answer.get("happened_at")), bool(answer.get("promised"))
    if kind != DATES and (happened or new_date):
        raise Refused(f"Not accepted: give a date, or answer {kind!r}, not both.")
    if kind != NOT_MINE and answer.get("to"):
        raise Refused(f"Not accepted: to give it to another role, answer {NOT_MINE!r}.")
    if kind == PROBLEM and not _text(answer, "note", 2000):
        raise Refused("Not accepted: say in the note what the problem is.")
    if happened and new_date:
        raise Refused("Not accepted: give the date it happened or a new promised date, not both.")
    if answer.get("outcome") == FAILED and kind == DATES and not happened:
        raise Refused("Not accepted: say when it failed.")
    if kind == DATES and not happened and not new_date:
        raise Refused(
            "Not accepted: say when it happened, or give a new promised date. Neither? Answer "
            f"{TAKEN_ON!r}, {PROBLEM!r} or {NOT_MINE!r}."
        )


def _dated(answer: Mapping[str, Any], event: str, file: OrderFile, now: datetime, step: str) -> Entry:
    note, by = _text(answer, "note", 2000), _text(answer, "by", 200) or BY
    if answer.get("promised"):
        until, approved_by = _instant(answer, "promised", file), _text(answer, "approved_by", 200)
        return promised(file, now, step, until, approved_by=approved_by, by=by, note=note)
    return Report(
        recorded_at=now,
        by=by,
        note=note,
        milestone=step,
        occurred_at=_instant(answer, "happened_at", file),
        outcome=Outcome.FAILED if answer.get("outcome") == FAILED else Outcome.DONE,
        quantity=_quantity(answer),
        source=SOURCE,
        source_event_id=event,
    )


def _role(chosen: str, parties: Iterable[str]) -> str:
    """Return the code at the beginning of what was chosen; a code may have spaces."""
    return max((code for code in parties if f"{chosen} ".startswith(f"{code} ")), key=len, default=chosen)


def _text(answer: Mapping[str, Any], field: str, most: int) -> str:
    """Return what was typed into a field, at most so many characters of it."""
    return carried(field, str(answer.get(field) or "")).strip()[:most]


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
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"Not accepted: quantity {shown(str(quantity))} is not a number.") from None
    if not 0 < number < 1e12:
        raise Refused("Not accepted: a quantity must be more than 0.")
    return number
