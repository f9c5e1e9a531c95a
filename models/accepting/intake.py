"""Rows of a table become orders and reports, or are refused with line, column and reason (formats.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from models.accepting.letters import unprintable
from models.book.order import Order, OrderKind
from models.book.report import Classifier, Outcome, Report, Withdrawal
from models.calendars.workdays import Calendar
from models.errors import BadClock, GendanError, ImportRefused
from models.moments import parse_moment, shown, whole_day
from models.planning.plan import Calendars
from models.status.lateness import as_date
from models.terms.template import Template
from models.terms.tolerance import Tolerance

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
    "tolerance",
    "ship_window",
    "cancel_after",
    "calendars",
    "value",
    "currency",
    "tier",
    "first_order",
)
REPORT_COLUMNS = (
    "order_no",
    "milestone",
    "occurred_at",
    "recorded_at",
    "classifier",
    "outcome",
    "round",
    "quantity",
    "source",
    "source_event_id",
    "retracts",
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
_MOST_ROUNDS = 99

OUTCOMES = {
    Outcome.DONE: ("done", "passed", "pass", "approved", "ok", "合格", "通过", "通過"),
    Outcome.FAILED: ("failed", "fail", "rejected", "不合格", "不通过", "不通過", "退回"),
    Outcome.STARTED: ("started", "begun", "开始", "開始"),
}
"""How an attempt went, as people write it."""


class Asked(NamedTuple):
    """
    What a template is chosen by.

    That is its code, or for an empty code the customer and the lead time in days. `calendars` are calendar codes by
    party: the days of this order's own buyer or factory.
    """

    code: str
    lead_days: int | None
    customer: str = ""
    kind: OrderKind = OrderKind.EXPORT
    calendars: Mapping[str, str] = {}


Choose = Callable[[Asked], Template]
"""Finds the template that is asked for; raises a GendanError."""


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
        if unprintable(name):
            raise ImportRefused(f"The column name {shown(name)} holds the invisible character {unprintable(name)}.")
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
    kind = _kind(row)
    placed = _needed_moment(row, "placed_at", "an order without it has no lead time and no age")
    etd = _moment(row, "etd")
    template = _template(row, kind, placed, etd, choose)
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
    if kind is OrderKind.PROSPECT and etd is None:
        # Hoped for as soon as the template thinks possible: a prospect without a day would never be chased.
        etd = calendar.local_date(placed_at) + timedelta(days=template.lead_days)
    ship_from, ship_by = _window(row)
    value, currency = _worth(row)
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
            kind=kind,
            tolerance=_tolerance(row),
            ship_from=ship_from,
            ship_by=ship_by,
            cancel_after=_whole_day(row, "cancel_after", _cell(row, "cancel_after")),
            value=value,
            currency=currency,
            tier=_tier(row),
            first_order=_yes(row, "first_order"),
            attributes=_attributes(row, ORDER_COLUMNS),
        )
    except ValidationError as error:
        raise _refused_by_model(row, error) from None
    return Accepted(order, template)


def _worth(row: Row) -> tuple[float | None, str]:
    """Return the value of an order, and its currency; a value means nothing without one."""
    value, currency = _number(row, "value", zero_is_unknown=True), _cell(row, "currency").upper()
    if currency and not _CURRENCY.fullmatch(currency):
        raise RowRefused(row.line, "currency", f"{shown(currency)} is no ISO 4217 code: three letters such as USD")
    if value is not None and not currency:
        raise RowRefused(row.line, "currency", f"is missing: say what the value of {value:,.12g} is in, such as USD")
    return value, currency


def _tier(row: Row) -> str:
    tier = _one_line(row, "tier")
    if len(tier) > _LONGEST_TIER:
        raise RowRefused(row.line, "tier", f"{shown(tier)} is longer than {_LONGEST_TIER} characters: write one as A")
    return tier


_CURRENCY = re.compile("[A-Z]{3}")
_LONGEST_TIER = 8
_YES = frozenset({"yes", "y", "true", "1", "是", "x"})
_NO = frozenset({"", "no", "n", "false", "0", "否"})


def _yes(row: Row, column: str) -> bool:
    """Read a yes or no, in English or Chinese; an empty cell is no."""
    written = _cell(row, column).casefold()
    if written not in _YES | _NO:
        raise RowRefused(row.line, column, f"{shown(_cell(row, column))} is neither yes nor no")
    return written in _YES


def told_from(
    row: Row, *, now: datetime, order_calendar: Calendar, placed_at: datetime, codes: tuple[str, ...]
) -> Report | Withdrawal:
    """Read one row of a reports file, as `report_from` does; one with an event id in `retracts` takes that back."""
    if _cell(row, "retracts"):
        return _withdrawal_from(row, now, codes)
    return report_from(row, now=now, order_calendar=order_calendar, placed_at=placed_at, codes=codes)


def report_from(
    row: Row, *, now: datetime, order_calendar: Calendar, placed_at: datetime, codes: tuple[str, ...]
) -> Report:
    """
    Read one row of a reports file, for the order of `order_no_of(row)`.

    `order_calendar`, `placed_at` and `codes` (its template's milestones) are that order's. A plain date stands
    for the start of its day, or for the placing of the order where that was later on the same day; as
    `recorded_at`, for its last second, but never later than `now`. Raises RowRefused, also for a row that is no
    report but takes one back.
    """
    order_no_of(row)
    if _cell(row, "retracts"):
        raise RowRefused(row.line, "retracts", "takes a report back, and only a report can stand here")
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
            outcome=_outcome(row, classifier),
            round=_round(row),
            quantity=_number(row, "quantity"),
            source=source,
            source_event_id=source_event_id,
            equipment=_one_line(row, "equipment"),
            note=_cell(row, "note"),
            attributes=_attributes(row, REPORT_COLUMNS),
        )
    except ValidationError as error:
        raise _refused_by_model(row, error) from None


def _withdrawal_from(row: Row, now: datetime, codes: tuple[str, ...]) -> Withdrawal:
    """Read a row that takes an event of its source back (DCSA's retractedEventID); the event may be still to come."""
    order_no_of(row)
    for column in ("outcome", "round", "quantity"):
        if _cell(row, column):
            raise RowRefused(
                row.line, column, "says something of a report, and this row only takes one back (retracts)"
            )
    source = _cell(row, "source")
    if not source:
        raise RowRefused(row.line, "source", "is empty: whose event is it that is taken back?")
    return Withdrawal(
        recorded_at=now,
        milestone=_milestone(row, codes),
        source=source,
        retracts=_cell(row, "retracts"),
        note=_cell(row, "note"),
    )


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


def _kind(row: Row) -> OrderKind:
    kind = _cell(row, "kind").lower() or OrderKind.EXPORT.value
    if kind not in {known.value for known in OrderKind}:
        raise RowRefused(
            row.line, "kind", f"{shown(kind)} is no kind of order; write export or prospect, or leave it empty"
        )
    return OrderKind(kind)


def _tolerance(row: Row) -> Tolerance | None:
    text = _cell(row, "tolerance")
    try:
        return Tolerance.parse(text) if text else None
    except ValueError as error:
        raise RowRefused(row.line, "tolerance", str(error)) from None


def _window(row: Row) -> tuple[date | None, date | None]:
    """Return the first and the last day of the ship window, `2027-01-10..2027-01-20`; one day alone is the last."""
    text = _cell(row, "ship_window")
    first, dots, last = text.partition("..")
    if not dots:
        first, last = "", text
    ship_from, ship_by = _whole_day(row, "ship_window", first), _whole_day(row, "ship_window", last)
    if ship_from is not None and ship_by is not None and ship_by < ship_from:
        raise RowRefused(row.line, "ship_window", f"{shown(text)} ends before it begins")
    return ship_from, ship_by


def _whole_day(row: Row, column: str, text: str) -> date | None:
    if not text.strip():
        return None
    try:
        moment = parse_moment(text)
    except BadClock as error:
        raise RowRefused(row.line, column, str(error)) from None
    if isinstance(moment, datetime):
        raise RowRefused(row.line, column, f"{shown(text)} has a time; it is a day, like {moment.date()}")
    return moment


def _own_calendars(row: Row) -> dict[str, str]:
    """Return the calendar codes by party: `BUYER=us-office; PROD=bd-factory`."""
    pairs = [pair for pair in re.split(r"[;；]", _cell(row, "calendars")) if pair.strip()]
    named: dict[str, str] = {}
    for pair in pairs:
        party, equals, calendar = (part.strip() for part in pair.partition("="))
        if not equals or not party or not calendar:
            raise RowRefused(row.line, "calendars", f"{shown(pair.strip())} is not like BUYER=us-office")
        named[party.upper()] = calendar
    return named


def _template(
    row: Row, kind: OrderKind, placed: datetime | date, etd: datetime | date | None, choose: Choose
) -> Template:
    code = _cell(row, "template")
    if etd is None and not code and kind is OrderKind.EXPORT:
        raise RowRefused(
            row.line, "etd", "is empty and no template is named: without a lead time none can be chosen. Give either"
        )
    lead_days = (_day(etd) - _day(placed)).days if etd is not None else None
    asked = Asked(
        code,
        lead_days if lead_days is None else max(lead_days, 0),
        _one_line(row, "customer"),
        kind,
        _own_calendars(row),
    )
    try:
        template = choose(asked)
    except GendanError as error:
        if lead_days is not None and lead_days < 0:
            raise _sails_before_placed(row) from None
        raise RowRefused(row.line, "template", str(error)) from None
    # Depth first: what is left out may be the template's own last milestone.
    last = _cell(row, "follow_to")
    if last:
        template = _changed(
            row, "follow_to", lambda: template.followed_to(spelt(last, (*template.codes, *template.depths)))
        )
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


def _outcome(row: Row, classifier: Classifier) -> Outcome:
    written = _cell(row, "outcome").lower()
    if not written:
        return Outcome.DONE
    outcome = next((outcome for outcome, words in OUTCOMES.items() if written in words), None)
    if outcome is None:
        known = "; ".join(", ".join(words) for words in OUTCOMES.values())
        raise RowRefused(
            row.line, "outcome", f"{shown(_cell(row, 'outcome'))} is none of: {known}. Empty means that it is done"
        )
    if classifier is not Classifier.ACT and outcome is not Outcome.DONE:
        raise RowRefused(
            row.line, "outcome", f"is {outcome.value}, and what is only expected ({classifier}) has no outcome yet"
        )
    return outcome


def _round(row: Row) -> int | None:
    text = _cell(row, "round")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= _MOST_ROUNDS:
        raise RowRefused(row.line, "round", f"{shown(text)} is no round; the first is 1, and {_MOST_ROUNDS} the most")
    return int(text)


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
    if odd := unprintable(text):
        raise RowRefused(row.line, column, f"{shown(text)} holds the invisible character {odd}")
    return text


def _attributes(row: Row, known: Collection[str]) -> dict[str, str]:
    """Return what stands in columns that are not among the `known` ones (formats.md: they are kept)."""
    return {name: text for name in row.cells if name and name not in known and (text := _as_written(row, name))}


def _one_line(row: Row, column: str) -> str:
    return " ".join(_cell(row, column).split())


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
