"""`gendan calendar`: loading a year's official holidays, planning all orders anew by them, showing what holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gendan.cli.app import AsJson, By, app, as_it_is, err, me, out, print_json, with_database
from gendan.cli.calendar_days import Span, as_json, list_all, show_one
from models.calendars.holiday_list import HolidayList
from models.calendars.workdays import Calendar
from models.errors import Refused
from tasks.calendar_lists import Kept, calendars_in_force, keep_lists, loaded_lists, read_lists
from tasks.clock import now
from tasks.database import transaction
from tasks.marked_yaml import did_you_mean
from tasks.replanning import Replanned, replan

calendars = typer.Typer(name="calendar", help="Load official holidays, show working days.", no_args_is_help=True)
app.add_typer(calendars)

NAMED = 10
"""How many orders a summary names."""


@calendars.command("import")
@with_database
async def import_(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with the columns date and kind; or YAML, JSON.")],
    official: Annotated[str, typer.Option("--official", help="Whose list it is.")] = "CN",
    source: Annotated[str, typer.Option("--source", help="The notice: its number or address.")] = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Load the official holidays of a year, and plan every open order anew.

    kind is holiday (休, 放假) or workday (班, 上班). YAML and JSON have year, holidays and workdays. Give all days of
    a year at once: given again, they take the place of those loaded before. If it is cut off, give the same command
    again.

    Example: gendan calendar import holidays-2027.csv --source "State Council notice of 4 November 2026"
    """
    read = read_lists(file, official)
    for warning in read.warnings:
        err.print(as_it_is(f"{file}, {warning}"))
    kept = await keep_lists(read.lists, source=source, by=me(by))
    if not json:
        for line in _what_was_kept(kept):
            out.print(as_it_is(line))
        out.print("Planning all open orders anew; if this is cut off, give the same command again.")
    with _progress() as progress:
        bar = progress.add_task("orders", total=None)
        result = await replan(kept.before, lambda done, of: progress.update(bar, completed=done, total=of))
    if json:
        print_json({**_lists_as_json(kept), "replanned": _as_json(result)})
    else:
        for line in _what_changed(result):
            out.print(as_it_is(line))
    if result.failed:
        for order_no, why in list(result.failed.items())[:NAMED]:
            err.print(as_it_is(f"{order_no} could not be planned anew: {why}"))
        raise typer.Exit(1)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _what_was_kept(kept: Kept) -> Iterable[str]:
    for each in kept.new:
        yield f"{each.official} {each.year} loaded: {_size(each)}."
    for corrected in kept.corrected:
        yield f"{corrected.list.official} {corrected.list.year} corrected: {_size(corrected.list)}."
        yield from (f"  {difference}" for difference in corrected.differences)
    for each in kept.same:
        yield f"{each.official} {each.year} holds already; its orders are planned once more."
    if kept.bundled:
        yield f"{', '.join(map(str, kept.bundled))} left out: the library has the list itself."


def _size(each: HolidayList) -> str:
    return f"{len(each.holidays)} days off, {len(each.workdays)} weekend days worked"


def _what_changed(result: Replanned) -> Iterable[str]:
    yield f"{result.orders:,} open orders planned anew: {result.moved:,} dates moved, {result.woken:,} orders woken."
    if result.sail_otherwise:
        yield f"{len(result.sail_otherwise):,} are forecast to depart at another time:"
        for order_no, (was, will) in list(result.sail_otherwise.items())[:NAMED]:
            yield f"  {order_no}: {_moment(was)} -> {_moment(will)}"
        yield from _and_more(len(result.sail_otherwise))
    if result.at_risk:
        yield f"{len(result.at_risk):,} have come to be at risk; `gendan plan ORDER` says of what:"
        yield from (f"  {order_no}" for order_no in result.at_risk[:NAMED])
        yield from _and_more(len(result.at_risk))


def _and_more(count: int) -> Iterable[str]:
    if count > NAMED:
        yield f"  and {count - NAMED:,} more; --json names all"


def _moment(instant: datetime) -> str:
    return f"{instant:%a %d %b %Y %H:%M %Z}"


def _lists_as_json(kept: Kept) -> dict[str, Any]:
    lists = [
        *((each, "new", ()) for each in kept.new),
        *((each.list, "corrected", each.differences) for each in kept.corrected),
        *((each, "same", ()) for each in kept.same),
    ]
    return {
        "lists": [
            {
                "official": each.official,
                "year": each.year,
                "is": what,
                "holidays": sorted(each.holidays),
                "workdays": sorted(each.workdays),
                "differences": [{"date": d.day, "was": d.was, "now": d.now} for d in differences],
            }
            for each, what, differences in lists
        ],
        "left_out": list(kept.bundled),
    }


def _as_json(result: Replanned) -> dict[str, Any]:
    return {
        "orders": result.orders,
        "dates_moved": result.moved,
        "woken": result.woken,
        "sail_otherwise": [
            {"order_no": o, "was": was, "now": will} for o, (was, will) in result.sail_otherwise.items()
        ],
        "at_risk": result.at_risk,
        "failed": result.failed,
    }


@calendars.command("show")
@with_database
async def show(
    code: Annotated[str, typer.Argument(help="A calendar; without one all are listed.")] = "",
    year: Annotated[int | None, typer.Option("--year", min=1990, max=2100, help="Default: a year from today.")] = None,
    json: AsJson = False,
) -> None:
    """
    Show working days: which years are official and which estimated, the next days off, the slow weeks.

    Example: gendan calendar show cn-factory --year 2027
    """
    async with transaction() as connection:
        in_force = await calendars_in_force(connection)
    loaded = await loaded_lists()
    if code and code not in in_force:
        raise Refused(f"There is no calendar {code!r}{did_you_mean(code, in_force)}. There are: {', '.join(in_force)}.")
    chosen = [in_force[code]] if code else list(in_force.values())
    if json:
        shown = [as_json(calendar, loaded, _span(calendar, year)) for calendar in chosen]
        print_json(shown[0] if code else shown)
    elif code:
        show_one(chosen[0], loaded, _span(chosen[0], year))
    else:
        list_all(chosen, lambda calendar: _span(calendar, year))


def _span(calendar: Calendar, year: int | None) -> Span:
    if year is not None:
        return date(year, 1, 1), date(year, 12, 31)
    today = calendar.local_date(now())
    return today, today + timedelta(days=365)
