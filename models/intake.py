"""Rows of a table become orders and reports, or are refused with line, column and reason (formats.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from unicodedata import category

from pydantic import ValidationError

from models.errors import BadClock, GendanError, ImportRefused
from models.lateness import as_date
from models.moments import parse_moment, shown, whole_day
from models.order import Order
from models.plan import Calendars
from models.report import Classifier, Report
from models.template import Template
from models.workdays import Calendar

ORDER_COLUMNS = (
    "order_no",
    "kind",
    "template",
    "customer",
    "placed_at",
    "etd",
    "quantity",
    "unit",
    "merchandiser",
    "without",
    "follow_to",
)
REPORT_COLUMNS = (
    "order_no",
    "milestone",
    "occurred_at",
    "recorded_at",
    "classifier",
    "quantity",
    "source",
    "source_event_id",
    "equipment",
    "note",
)
ORDER_NEEDS = ("order_no", "placed_at")
REPORT_NEEDS = ("order_no", "milestone", "occurred_at")

#: Clocks of different offices differ; what lies further ahead than this is a mistake.
CLOCK_SKEW = timedelta(hours=1)
LONGEST_ORDER_NO = 64
LONGEST_CELL = 131_072

# What Excel writes into a cell, and into a CSV made from it, in the place of a value that it could not compute.
_EXCEL_ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
# 15 digits and no more: a double keeps these exactly.
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_MOST_DIGITS = 15

Choose = Callable[[str, int | None], Template]
"""Finds the template by its code, or for an empty code by the lead time in days; raises a GendanError."""


@dataclass(frozen=True)
class Row:
    """One row of a table. `line` is where it begins in the file; `cells` are its texts by column name."""

    line: int
    cells: Mapping[str, str]


class RowRefused(GendanError):
    """A row that was not taken, and why; the others are. `column` is empty where the whole row is meant."""

    def __init__(self, line: int, column: str, reason: str) -> None:
        super().__init__(line, column, reason)
        self.line, self.column, self.reason = line, column, reason

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"line {self.line}{f', column {self.column}' if self.column else ''}: {self.reason}"


class Accepted(NamedTuple):
    """An order from a row, and the template that it is followed by."""

    order: Order
    template: Template


def header_of(names: Sequence[str], needs: Collection[str] = ()) -> tuple[str, ...]:
    """
    Return a table's column names: trimmed, in small letters, as many as `names`.

    A column without a name is an empty text. A column that stands twice, and columns of `needs` that are not
    there, raise ImportRefused.
    """
    header = tuple(name.strip().strip("\ufeff").strip().lower() for name in names)
    for name in header:
        if name and header.count(name) > 1:
            places = " and ".join(str(n) for n, other in enumerate(header, start=1) if other == name)
            raise ImportRefused(f"Column {shown(name)} stands more than once ({places}). Keep one of them.")
        if _unprintable(name):
            raise ImportRefused(f"The column name {shown(name)} holds the invisible character {_unprintable(name)}.")
    missing = [name for name in needs if name not in header]
    if missing:
        has = ", ".join(name for name in header if name) or "nothing"
        raise ImportRefused(
            f"The first row must name the columns, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. It has: {has if len(has) <= 300 else has[:297] + '...'}."
        )
    return header


def row_of(line: int, texts: Sequence[str], header: tuple[str, ...]) -> Row | RowRefused | None:
    """
    Put texts under their column names.

    A row shorter than the header is filled with empty cells; a row without any text is None.
    """
    if not any(text.strip() for text in texts):
        return None
    for place, text in enumerate(texts):
        name = header[place] if place < len(header) else ""
        if len(text) > LONGEST_CELL:
            return RowRefused(line, name, f"has {len(text)} characters; {LONGEST_CELL} is the most")
        if not name and text.strip():
            return RowRefused(
                line,
                "",
                f"cell {place + 1} holds {shown(text.strip())}, and the header has no name there. "
                "Name the column, or put text with commas into quotes",
            )
    filled = [*texts, *[""] * (len(header) - len(texts))]
    return Row(line, {name: text for name, text in zip(header, filled, strict=False) if name})


def order_from(
    row: Row, *, now: datetime, choose: Choose, calendars: Calendars, came_in: datetime | None = None
) -> Accepted:
    """
    Read one row of an orders file.

    Plain dates mean days in the calendar of the order's template; `etd` stays a date where a date was given.
    `came_in` is when Gendan first hears of the order: now, unless a backtest says otherwise. A quantity of 0
    is "not known yet". Raises RowRefused.
    """
    order_no = order_no_of(row)
    _only_exports(row)
    placed = _needed_moment(row, "placed_at", "an order without it has no lead time and no age")
    etd = _moment(row, "etd")
    template = _template(row, placed, etd, choose)
    calendar = calendars.get(template.calendar)
    if calendar is None:
        raise RowRefused(
            row.line,
            "template",
            f"template {template.code} needs the calendar {template.calendar}, which is not loaded",
        )
    placed_at = whole_day(placed, calendar, end=False)
    if placed_at > now + CLOCK_SKEW:
        raise RowRefused(row.line, "placed_at", f"{_cell(row, 'placed_at')} is in the future (it is {_stamp(now)} now)")
    if etd is not None and as_date(etd, calendar) < calendar.local_date(placed_at):
        raise _sails_before_placed(row)
    try:
        order = Order(
            order_no=order_no,
            customer=_one_line(row, "customer"),
            placed_at=placed_at,
            came_in=came_in or now,
            etd=etd,
            quantity=_number(row, "quantity", zero_is_unknown=True),
            unit=_one_line(row, "unit"),
            merchandiser=_one_line(row, "merchandiser"),
            attributes=_attributes(row, ORDER_COLUMNS),
        )
    except ValidationError as error:
        raise _refused_by_model(row, error) from None
    return Accepted(order, template)


def report_from(
    row: Row, *, now: datetime, order_calendar: Calendar, placed_at: datetime, codes: tuple[str, ...]
) -> Report:
    """
    Read one row of a reports file, for the order of `order_no_of(row)`.

    `order_calendar`, `placed_at` and `codes` (its template's milestones) are that order's. A plain date stands
    for the start of its day, or for the placing of the order where that was later on the same day; as
    `recorded_at`, for its last second, but never later than `now`. Raises RowRefused.
    """
    order_no_of(row)
    milestone = _milestone(row, codes)
    classifier = _classifier(row)
    occurred_at = _occurred_at(row, classifier, now, order_calendar, placed_at)
    recorded_at = _recorded_at(row, now, order_calendar)
    source, source_event_id = _cell(row, "source"), _cell(row, "source_event_id")
    if bool(source) != bool(source_event_id):
        given, other = ("source", "source_event_id") if source else ("source_event_id", "source")
        raise RowRefused(
            row.line, other, f"{given} is given and {other} is empty; only together do they tell a report told twice"
        )
    try:
        return Report(
            milestone=milestone,
            classifier=classifier,
            occurred_at=occurred_at,
            recorded_at=recorded_at,
            quantity=_number(row, "quantity"),
            source=source,
            source_event_id=source_event_id,
            equipment=_one_line(row, "equipment"),
            note=_cell(row, "note"),
            attributes=_attributes(row, REPORT_COLUMNS),
        )
    except ValidationError as error:
        raise _refused_by_model(row, error) from None


def order_no_of(row: Row) -> str:
    """Return the row's order number; raises RowRefused where there is none, or none that people could type."""
    order_no = _cell(row, "order_no")
    if not order_no:
        raise RowRefused(row.line, "order_no", "is empty")
    if len(order_no) > LONGEST_ORDER_NO:
        raise RowRefused(
            row.line, "order_no", f"{shown(order_no)} has {len(order_no)} characters; {LONGEST_ORDER_NO} is the most"
        )
    invisible = next((c for c in order_no if not c.isprintable()), None)
    if invisible is not None:
        raise RowRefused(
            row.line,
            "order_no",
            f"{shown(order_no)} holds the invisible character U+{ord(invisible):04X}; type it anew",
        )
    return order_no


def _only_exports(row: Row) -> None:
    kind = _cell(row, "kind").lower() or "export"
    if kind == "prospect":
        raise RowRefused(row.line, "kind", "prospect is not followed yet by this release; only export is")
    if kind != "export":
        raise RowRefused(row.line, "kind", f"{shown(kind)} is no kind of order; write export, or leave it empty")


def _template(row: Row, placed: datetime | date, etd: datetime | date | None, choose: Choose) -> Template:
    code = _cell(row, "template")
    if etd is None and not code:
        raise RowRefused(
            row.line, "etd", "is empty and no template is named: without a lead time none can be chosen. Give either"
        )
    lead_days = (_day(etd) - _day(placed)).days if etd is not None else None
    try:
        template = choose(code, lead_days if lead_days is None else max(lead_days, 0))
    except GendanError as error:
        if lead_days is not None and lead_days < 0:
            raise _sails_before_placed(row) from None
        raise RowRefused(row.line, "template", str(error)) from None
    # Depth first: what is left out may be the template's own last milestone.
    last = _cell(row, "follow_to")
    if last:
        template = _changed(row, "follow_to", lambda: template.followed_to(spelt(last, template.codes)))
    left_out = re.split(r"[;,\s；，]+", _cell(row, "without"))
    wanted = list(dict.fromkeys(spelt(name, template.codes) for name in left_out if name))
    return _changed(row, "without", lambda: template.without(wanted)) if wanted else template


def _changed(row: Row, column: str, change: Callable[[], Template]) -> Template:
    try:
        return change()
    except ValidationError as error:
        reasons = (str(e.get("ctx", {}).get("error", e["msg"])) for e in error.errors())
        raise RowRefused(row.line, column, "; ".join(reasons)) from None
    except ValueError as error:
        raise RowRefused(row.line, column, str(error)) from None


def _sails_before_placed(row: Row) -> RowRefused:
    return RowRefused(
        row.line, "etd", f"{_cell(row, 'etd')} is before the order was placed ({_cell(row, 'placed_at')})"
    )


def _milestone(row: Row, codes: tuple[str, ...]) -> str:
    written = _cell(row, "milestone")
    known = ", ".join(codes)
    if not written:
        raise RowRefused(row.line, "milestone", f"is empty. The order's milestones: {known}")
    code = spelt(written, codes)
    if code not in codes:
        raise RowRefused(row.line, "milestone", f"the order has no milestone {shown(written)}. It has: {known}")
    return code


def _classifier(row: Row) -> Classifier:
    written = _cell(row, "classifier").upper() or Classifier.ACT
    if written not in set(Classifier):
        raise RowRefused(
            row.line,
            "classifier",
            f"{shown(_cell(row, 'classifier'))} is none of {', '.join(Classifier)}; empty is ACT",
        )
    return Classifier(written)


def _occurred_at(row: Row, classifier: Classifier, now: datetime, calendar: Calendar, placed_at: datetime) -> datetime:
    moment = _needed_moment(row, "occurred_at", "when it happened must be said")
    occurred_at = whole_day(moment, calendar, end=False)
    if not isinstance(moment, datetime) and moment == calendar.local_date(placed_at):
        occurred_at = max(occurred_at, placed_at)
    written = _cell(row, "occurred_at")
    if occurred_at < placed_at:
        raise RowRefused(row.line, "occurred_at", f"{written} is before the order was placed ({_stamp(placed_at)})")
    if classifier is Classifier.ACT and occurred_at > now + CLOCK_SKEW:
        raise RowRefused(
            row.line,
            "occurred_at",
            f"{written} is in the future (it is {_stamp(now)} now); what is only expected has the classifier EST",
        )
    return occurred_at


def _recorded_at(row: Row, now: datetime, calendar: Calendar) -> datetime:
    moment = _moment(row, "recorded_at")
    if moment is None:
        return now
    if whole_day(moment, calendar, end=False) > now + CLOCK_SKEW:
        raise RowRefused(
            row.line, "recorded_at", f"{_cell(row, 'recorded_at')} is in the future (it is {_stamp(now)} now)"
        )
    return moment if isinstance(moment, datetime) else min(calendar.end_of(moment), now)


def _number(row: Row, column: str, *, zero_is_unknown: bool = False) -> float | None:
    text = _cell(row, column)
    if not text:
        return None
    if not _PLAIN_NUMBER.fullmatch(text):
        raise RowRefused(row.line, column, _why_no_number(text))
    if len(text.replace(".", "").lstrip("0")) > _MOST_DIGITS:
        raise RowRefused(row.line, column, f"{shown(text)} has more than {_MOST_DIGITS} digits")
    number = float(text)
    if number == 0:
        if zero_is_unknown:
            return None
        raise RowRefused(row.line, column, "a report of 0 says nothing; give the quantity, or leave it empty for all")
    return number


def _why_no_number(text: str) -> str:
    said = shown(text)
    if text.lstrip("+-").lower() in ("nan", "inf", "infinity"):
        return f"{said} is no quantity"
    if re.fullmatch(r"[-−]\d+(\.\d+)?", text, re.ASCII):
        return f"{said} is negative"
    if re.fullmatch(r"\d[\d.,'’ \u00a0\u202f_]*", text, re.ASCII):
        return f"{said} has separators between its digits; write 1200 or 12.5"
    return f"{said} is no plain number; write 1200 or 12.5, and the unit in its own column"


def _moment(row: Row, column: str) -> datetime | date | None:
    text = _cell(row, column)
    if not text:
        return None
    try:
        return parse_moment(text)
    except BadClock as error:
        raise RowRefused(row.line, column, str(error)) from None


def _needed_moment(row: Row, column: str, why: str) -> datetime | date:
    moment = _moment(row, column)
    if moment is None:
        raise RowRefused(row.line, column, f"is empty; {why}")
    return moment


def _cell(row: Row, column: str) -> str:
    text = _as_written(row, column)
    if text.upper() in _EXCEL_ERRORS:
        raise RowRefused(row.line, column, f"holds {text}: a formula that failed. Correct it in the sheet")
    return text


def _as_written(row: Row, column: str) -> str:
    text = row.cells.get(column, "").strip()
    unprintable = _unprintable(text)
    if unprintable:
        raise RowRefused(row.line, column, f"{shown(text)} holds the invisible character {unprintable}")
    return text


def _attributes(row: Row, known: Collection[str]) -> dict[str, str]:
    """Return what stands in columns that are not among the `known` ones (formats.md: they are kept)."""
    return {name: text for name in row.cells if name and name not in known and (text := _as_written(row, name))}


def _one_line(row: Row, column: str) -> str:
    return " ".join(_cell(row, column).split())


def _unprintable(text: str) -> str:
    """Name the first character that no database or message bears (control characters, half surrogates), if any."""
    for character in text:
        if character not in "\t\n\r" and category(character) in ("Cc", "Cs"):
            return f"U+{ord(character):04X}"
    return ""


def spelt(written: str, codes: Iterable[str]) -> str:
    """Return the code that is meant, whatever its capitals; text that is no code is returned as it is."""
    by_capitals = {code.upper(): code for code in codes}
    return by_capitals.get(written.upper(), written)


def _day(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")


def _refused_by_model(row: Row, error: ValidationError) -> RowRefused:
    first = error.errors()[0]
    return RowRefused(row.line, str(first["loc"][0]) if first["loc"] else "", first["msg"])
