"""`gendan plan`: an order's T&A sheet in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from gendan.cli.app import AsJson, app, as_it_is, out, print_json, with_database
from gendan.cli.columns import Columns
from models.book.changes import Booking
from models.book.order_file import OrderFile
from models.moments import parse_moment, whole_day
from models.names import Language
from models.planning.hard_dates import HardDate
from models.planning.sheet import Sheet, SheetLine, sheet_of
from models.planning.state import MilestoneState
from models.status.clearance import Need
from notifications.plan_head import Headline
from notifications.plan_table import MARKS, PlanTable, Row, plan_table
from notifications.texts import say
from tasks.library import library
from tasks.orders import open_file
from tasks.settings import settings

OrderArgument = Annotated[str, typer.Argument(help="The order number.", metavar="ORDER")]
InLanguage = Annotated[
    Language | None,
    typer.Option("--lang", case_sensitive=False, help="en, zh-Hans or zh-Hant. Default: GENDAN_LANGUAGE."),
]

STYLES = {
    MilestoneState.NOT_STARTED: "",
    MilestoneState.DUE_SOON: "yellow",
    MilestoneState.IN_PROGRESS: "",
    MilestoneState.PROMISED: "cyan",
    MilestoneState.AT_RISK: "bright_magenta",
    MilestoneState.OVERDUE: "bold bright_red",
    MilestoneState.BLOCKED: "bright_red",
    MilestoneState.ON_HOLD: "bright_black",
    MilestoneState.DONE_ON_TIME: "green",
    MilestoneState.DONE_LATE: "bright_blue",
    MilestoneState.PASSED: "dim green",
    MilestoneState.SKIPPED: "dim",
    MilestoneState.CANCELLED: "dim",
}
"""The colours of domain.md 2.4; what is overdue and what is at risk are never alike."""

_COLOURED = ("state", "late", "slack")
_RIGHT = frozenset({"slack", "late"})
_LEAST = {"milestone": 40, "state": 13, "quantity": 14, "owner": 22, "waiting": 24}
_FIRST_TO_GO = (
    ("waiting",),
    ("owner",),
    ("quantity",),
    ("baseline",),
    ("late",),
    ("promised",),
    ("planned",),
)


@app.command()
@with_database
async def plan(
    order: OrderArgument,
    at: Annotated[
        str, typer.Option("--at", help="As it stood, or will stand, then: a date (its end), or a time with its zone.")
    ] = "",
    lang: InLanguage = None,
    json: AsJson = False,
) -> None:
    """
    Show the plan of an order: what must happen when, what will happen when, and what breaks first.

    Example: gendan plan SO-26-0417
    """
    file, follow_up = await open_file(order)
    now = whole_day(parse_moment(at), file.calendar, end=True) if at else follow_up.now
    of = sheet_of(file, now)
    if json:
        print_json(plan_json(file, of))
        return
    print_plan(file, of, lang or settings().language)


def print_plan(file: OrderFile, of: Sheet, language: Language) -> None:
    """Print an order's plan as a table; into a pipe or file without colour and as wide as it is."""
    table = plan_table(file, of, library().parties, language)
    out.print(Text(table.title, style="bold"))
    for line in table.head:
        _print_headline(line)
    out.print()
    rows = [{column: _cell(row, column) for column in table.columns} for row in table.rows]
    left_out = Columns(table.columns, rows, _LEAST, _FIRST_TO_GO, _RIGHT).print()
    out.print()
    states = (f"{MARKS[state].letter} {name}" for state, name in table.states.items())
    out.print(_legend(table, say(language, "legend", states=" · ".join(states))))
    for text in table.foot:
        out.print(as_it_is(text))
    print_left_out(left_out, language)


def _print_headline(line: Headline) -> None:
    out.print(Text.assemble((f"{line.label}: ", "bold"), as_it_is(line.text)))
    for item in line.items:
        out.print(Text.assemble("  ", as_it_is(item)))


def _legend(table: PlanTable, words: str) -> Text:
    text = as_it_is(words)
    for state, name in table.states.items():
        text.highlight_words([f"{MARKS[state].letter} {name}"], STYLES[state])
    return text


def print_left_out(titles: Sequence[str], language: Language) -> None:
    """Say which columns found no room."""
    if titles:
        out.print(as_it_is(say(language, "left_out", columns=say(language, "list").join(titles))))


def _cell(row: Row, column: str) -> Text:
    text = as_it_is(row.cells.get(column, ""))
    if column == "state":
        text = Text.assemble(f"{MARKS[row.state].letter} ", text)
    if column in _COLOURED:
        text.stylize(STYLES[row.state])
    if column == "milestone" and row.drives:
        text.stylize("bold")
    return text


# --- as JSON (docs/formats.md, Plan)


def plan_json(file: OrderFile, of: Sheet) -> dict[str, Any]:
    """Return an order's plan for a program: its head, and every milestone with all its dates."""
    return {**head_json(file, of), "milestones": [line_json(file, line) for line in of.lines]}


def head_json(file: OrderFile, of: Sheet) -> dict[str, Any]:
    """Return what a plan says of the whole order."""
    at, agreed = of.at, of.at.agreed
    return {
        "order_no": file.order.order_no,
        "customer": file.order.customer,
        "kind": file.order.kind.value,
        "template": file.template.code,
        "at": at.now,
        "state": at.state.value,
        "version": agreed.version,
        "etd": at.etd,
        "etds": list(dict.fromkeys(sailing.etd for sailing in agreed.etds)),
        "booking": _booking_json(agreed.booking),
        "departed_at": at.departed_at,
        "sails_at": of.sails_at,
        "sails_at_worst": of.sails_at_worst,
        "days_moved": of.days_moved,
        "quantity": agreed.quantity,
        "unit": file.order.unit,
        "open": list(at.open),
        "path": list(of.path),
        "hard_dates": [_hard_json(of, hard) for hard in of.hard],
        "broken": [broken.hard.code for broken in of.broken],
        "credit": agreed.credit.model_dump(mode="json") if agreed.credit is not None else None,
        "quotation_until": agreed.quotation_until,
        "customs": _customs_json(of),
    }


def line_json(file: OrderFile, line: SheetLine) -> dict[str, Any]:
    """Return everything that a plan says of one milestone."""
    milestone = file.template.by_code[line.code]
    return {
        "code": line.code,
        "name": milestone.name.model_dump(),
        "accountable": milestone.accountable,
        "waiting_on": list(milestone.waiting_on),
        "calendar": milestone.calendar,
        "state": line.state.value,
        "baseline": line.baseline,
        "plan": line.plan,
        "promise": line.promise,
        "forecast": line.forecast,
        "late_date": line.late_date,
        "actual_start": line.actual_start,
        "actual_finish": line.actual_finish,
        "recorded_at": line.recorded_at,
        "round": line.round,
        "quantity_done": line.quantity_done,
        "quantity_required": line.quantity_required,
        "late_by": line.late_by,
        "slack": line.slack,
        "cause": line.cause.value if line.cause is not None else None,
        "drives": line.drives,
        "hard_dates": [hard.code for hard in line.hard],
        "provisional": sorted(line.provisional),
    }


def _hard_json(of: Sheet, hard: HardDate) -> dict[str, Any]:
    missed = next((each.forecast for each in of.broken if each.hard == hard), None)
    return {
        "code": hard.code,
        "milestone": hard.milestone,
        "at": hard.at,
        "origin": hard.origin.value,
        "source": hard.source,
        "follows_vessel": hard.follows_vessel,
        "extended_from": hard.extended_from,
        "provisional": hard.provisional,
        "broken": missed is not None,
        "forecast": of.line(hard.milestone).forecast,
    }


def _booking_json(booking: Booking | None) -> dict[str, Any] | None:
    if booking is None:
        return None
    return {
        "vessel": booking.vessel,
        "voyage": booking.voyage,
        "source": booking.source,
        "cutoffs": booking.cutoffs,
        "sailings": list(booking.sailings),
    }


def _customs_json(of: Sheet) -> dict[str, Any] | None:
    customs = of.at.customs
    if customs is None:
        return None
    return {
        "state": customs.state.value if customs.state is not None else None,
        "letter": customs.letter,
        "declaration": customs.declaration,
        "declared_at": customs.declared_at,
        "released_at": customs.released_at,
        "on_guarantee": customs.on_guarantee,
        "closed_at": customs.closed_at,
        "attempts": customs.attempts,
        "holds": [hold.value for hold in customs.holds],
        "need": customs.need.value if customs.need is not Need.NOTHING else None,
    }
