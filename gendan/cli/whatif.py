"""`gendan whatif`: what changes that nobody has made would do to the ship date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from math import inf
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from gendan.cli.app import AsJson, app, as_it_is, out, print_json, print_table, with_database
from gendan.cli.columns import Columns
from gendan.cli.plan import STYLES, InLanguage, OrderArgument, head_json, line_json, print_left_out
from models.accepting.intake import Row, RowRefused, report_from, spelt
from models.book.changes import Amendment, Hold, Reschedule
from models.book.entry import ENTRY, Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Promise, Report
from models.errors import BadClock, Refused
from models.moments import parse_moment, shown, whole_day
from models.names import Language
from models.planning.state import MilestoneState
from models.planning.what_if import Closed, Comparison, what_if
from models.status.lateness import as_date
from notifications.comparison import ComparisonTable, Fate, Moved, comparison_table, fates
from notifications.plan_table import MARKS
from notifications.texts import say
from tasks.library import library
from tasks.marked_yaml import did_you_mean
from tasks.orders import open_file
from tasks.settings import settings

LONGEST_CLOSED = timedelta(days=366)

_BY = "what-if"
_FIRST_TO_GO = ("latest", "planned", "state")
_FATES = {Fate.BROKEN: "bold red", Fate.SAVED: "green"}


class WithPairs(TyperCommand):
    """A command some of whose repeatable options take two values: typer itself has no way to say so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if parameter.name in ("promise", "report", "closed"):
                parameter.nargs = 2


@app.command("whatif", cls=WithPairs)
@with_database
async def whatif(
    order: OrderArgument,
    promise: Annotated[
        list[Any] | None,
        typer.Option("--promise", metavar="MILESTONE DATE", help="A milestone is promised for a date; repeatable."),
    ] = None,
    report: Annotated[
        list[Any] | None,
        typer.Option("--report", metavar="MILESTONE DATE", help="It is done, or will be, on a date; repeatable."),
    ] = None,
    etd: Annotated[str, typer.Option("--etd", help="Another ETD: a date, or a time with its zone.")] = "",
    quantity: Annotated[float | None, typer.Option("--quantity", help="So many are ordered.")] = None,
    hold_until: Annotated[str, typer.Option("--hold-until", help="On hold until this date.")] = "",
    closed: Annotated[
        list[Any] | None,
        typer.Option(
            "--closed",
            metavar="WHO DAYS",
            help="A calendar or a party is closed, as 2026-12-24..2026-12-28; repeatable.",
        ),
    ] = None,
    lang: InLanguage = None,
    json: AsJson = False,
) -> None:
    """
    Show the plan before and after changes that nobody has made; nothing is stored.

    Example: gendan whatif SO-26-0417 --promise FAB_IN 2026-12-04 --closed FACTORY 2026-12-24..2026-12-28
    """
    file, follow_up = await open_file(order)
    now = follow_up.now
    entries: list[Entry] = [
        *(_report(file, code, day, now) for code, day in report or ()),
        *_changes(file, etd, quantity, now),
        *(_promise(file, code, day, now) for code, day in promise or ()),
    ]
    if hold_until:
        until = as_date(_moment(file, "--hold-until", hold_until), file.calendar)
        entries.append(Hold(recorded_at=now, by=_BY, until=until))
    closings = [each for who, days in closed or () for each in _closed(file, who, days)]
    if not entries and not closings:
        raise Refused(
            f"{order}: what if what? Give --promise, --report, --etd, --quantity, --hold-until or --closed. "
            f"`gendan plan {order}` shows the plan as it is."
        )
    compared = what_if(file, entries, closings, now)
    language = lang or settings().language
    table = comparison_table(file, compared, entries, closings, library().parties, language)
    if json:
        print_json(_json(file, compared, entries, closings, table))
    else:
        _print(table, "nothing_stored" if table.differs else "no_difference", language)


def _report(file: OrderFile, milestone: str, moment: str, now: datetime) -> Report:
    """Return the report that a milestone is done at a moment; to come it is an estimate."""
    at = _moment(file, "--report", moment)
    is_to_come = whole_day(at, file.calendar, end=False) > now
    row = Row(
        0,
        {
            "order_no": file.order.order_no,
            "milestone": milestone,
            "occurred_at": moment,
            "classifier": (Classifier.EST if is_to_come else Classifier.ACT).value,
        },
    )
    codes = file.template.codes
    try:
        told = report_from(row, now=now, order_calendar=file.calendar, placed_at=file.order.placed_at, codes=codes)
    except RowRefused as refusal:
        raise Refused(f"{file.order.order_no}: --report {milestone}: {refusal.reason}") from None
    # A day to come is expected at its end, as a promise for it would be.
    end = whole_day(at, file.calendar, end=True)
    return told.model_copy(update={"by": _BY, "recorded_at": now, **({"occurred_at": end} if is_to_come else {})})


def _changes(file: OrderFile, etd: str, quantity: float | None, now: datetime) -> Iterator[Entry]:
    if etd:
        yield Reschedule(recorded_at=now, by=_BY, etd=_moment(file, "--etd", etd))
    if quantity is not None:
        if not 0 < quantity < inf:
            raise Refused(f"{file.order.order_no}: --quantity {quantity:g} is no quantity that can be ordered.")
        yield Amendment(recorded_at=now, by=_BY, quantity=quantity)


def _promise(file: OrderFile, milestone: str, moment: str, now: datetime) -> Promise:
    # Taken on: here it may be after the late date, and that is said.
    return Promise(
        recorded_at=now,
        by=_BY,
        approved_by=_BY,
        milestone=spelt(milestone, file.template.codes),
        promised=whole_day(_moment(file, "--promise", moment), file.calendar, end=True),
    )


def _closed(file: OrderFile, who: str, days: str) -> list[Closed]:
    """Return the closed days of a calendar, or of the calendars by which this order's milestones wait on a party."""
    begins, several, ends = days.partition("..")
    texts = (begins, ends) if several else (days, days)
    first, last = (as_date(_moment(file, f"--closed {who}", text), file.calendar) for text in texts)
    if last < first or last - first >= LONGEST_CLOSED:
        raise Refused(
            f"{file.order.order_no}: --closed {who} {days}: the first day comes first, and nobody is closed for more "
            "than a year."
        )
    return [Closed(code, first, last) for code in _calendars(file, who)]


def _calendars(file: OrderFile, who: str) -> Sequence[str]:
    parties = library().parties
    if (calendar := spelt(who, file.calendars)) in file.calendars:
        return (calendar,)
    party = spelt(who, parties)
    if party not in parties:
        known = (*file.calendars, *parties)
        raise Refused(
            f"{file.order.order_no}: there is no calendar or party {shown(who)}{did_you_mean(who, known)}. "
            f"Calendars: {', '.join(file.calendars)}. Parties: {', '.join(parties)}."
        )
    own = (m.calendar for m in file.template.milestones if m.waiting_on[:1] == (party,))
    return tuple(dict.fromkeys(own)) or (parties[party].calendar,)


def _moment(file: OrderFile, option: str, text: str) -> datetime | date:
    try:
        return parse_moment(text)
    except BadClock as mistake:
        raise Refused(f"{file.order.order_no}: {option}: {mistake}") from None


def _print(table: ComparisonTable, end: str, language: Language) -> None:
    out.print(Text(table.title, style="bold"))
    for remark in table.remarks:
        out.print(as_it_is(remark))
    out.print()
    ship = Table("", table.before, table.after, "", box=None, pad_edge=False)
    for line in table.ship:
        after = as_it_is(line.after)
        if line.before != line.after:
            after.stylize("bold")
        verdict = Text(line.verdict, style=_FATES.get(line.fate, ""))
        ship.add_row(as_it_is(line.label), as_it_is(line.before), after, verdict)
    print_table(ship)
    out.print()
    if table.rows:
        print_left_out(_rows(table).print(), language)
        out.print()
    elif table.differs:
        out.print(say(language, "rows_same"))
    out.print(say(language, end))
    if end != "nothing_stored":
        out.print(say(language, "nothing_stored"))


def _rows(table: ComparisonTable) -> Columns:
    titles = {"milestone": table.milestone}
    for column, title in table.columns.items():
        titles |= {f"{column} {side}": f"{title}: {side}" for side in (table.before, table.after)}
    return Columns(
        titles,
        [_cells(row, table) for row in table.rows],
        {"milestone": 22, **{key: 13 for key in titles if key.startswith("state ")}},
        [[key for key in titles if key.startswith(f"{column} ")] for column in _FIRST_TO_GO],
        frozenset(key for key in titles if key.startswith("slack ")),
    )


def _cells(row: Moved, table: ComparisonTable) -> dict[str, Text]:
    cells = {"milestone": as_it_is(row.name)}
    for column in table.columns:
        differs = row.before[column] != row.after[column]
        cells[f"{column} {table.before}"] = _cell(row.before[column], column, row.states[0], is_new=False)
        cells[f"{column} {table.after}"] = _cell(row.after[column], column, row.states[1], is_new=differs)
    return cells


def _cell(words: str, column: str, state: MilestoneState, *, is_new: bool) -> Text:
    text = as_it_is(words)
    if column == "state":
        text = Text.assemble(f"{MARKS[state].letter} ", text, style=STYLES[state])
    if is_new:
        text.stylize("bold")
    return text


def _json(
    file: OrderFile,
    compared: Comparison,
    entries: Sequence[Entry],
    closings: Sequence[Closed],
    table: ComparisonTable,
) -> dict[str, Any]:
    became = fates(compared)
    return {
        "order_no": file.order.order_no,
        "stored": False,
        "changes": [
            {"kind": entry.kind, **ENTRY.dump_python(entry, mode="json", exclude_defaults=True)} for entry in entries
        ],
        "closed": [{"calendar": each.calendar, "first": each.first, "last": each.last} for each in closings],
        "differs": table.differs,
        "before": head_json(file, compared.before),
        "after": head_json(file, compared.after),
        "newly_broken": [code for code, fate in became.items() if fate is Fate.BROKEN],
        "saved": [code for code, fate in became.items() if fate is Fate.SAVED],
        "moved": [
            {"code": old.code, "before": line_json(file, old), "after": line_json(file, new)}
            for old, new in compared.moved
        ],
        "remarks": list(table.remarks),
    }
