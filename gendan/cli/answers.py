"""Telling Gendan: reports, acknowledgements, promises, and the larger decisions about an order."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gendan.cli.app import AsJson, By, Note, app, as_it_is, me, out, print_json, with_database
from gendan.cli.orders import report_outcome
from models.errors import Refused
from models.intake import REPORT_NEEDS, Row, RowRefused, report_from, spelt
from models.moments import parse_moment, whole_day
from models.order_file import OrderFile
from models.report import (
    Acknowledgement,
    Cancellation,
    Classifier,
    Entry,
    Followed,
    Hold,
    Promise,
    Report,
    Reschedule,
    Resume,
    Withdrawal,
)
from models.workdays import Calendar
from tasks.intake import take_reports
from tasks.library import library
from tasks.logbook import Placed, Recorded, record_entry, record_report
from tasks.spreadsheets import read_rows

reports = typer.Typer(name="reports", help="Bring in reports from a file.", no_args_is_help=True)
app.add_typer(reports)

OrderArgument = Annotated[str, typer.Argument(help="The order number.", metavar="ORDER")]
MilestoneArgument = Annotated[str, typer.Argument(help="The milestone's code, such as FAB_IN.", metavar="MILESTONE")]


def _say(recorded: Recorded, words: str, as_json: bool = False) -> None:
    if as_json:
        print_json({"recorded": recorded.is_new, "line": recorded.seq})
    elif recorded.is_new:
        out.print(as_it_is(f"{words} (line {recorded.seq} of the log)"))
    else:
        out.print("Recorded before; nothing changed.")


@reports.command("import")
@with_database
async def import_reports(
    file: Annotated[Path, typer.Argument(help="A CSV (UTF-8) or XLSX file with the columns of docs/formats.md.")],
    json: AsJson = False,
) -> None:
    """
    Take reports in from a file. Bad rows are refused with their line; the others are recorded, each once.

    Example: gendan reports import reports.xlsx
    """
    report_outcome(await take_reports(read_rows(file, REPORT_NEEDS)), file, json)


@app.command()
@with_database
async def report(
    order: OrderArgument,
    milestone: MilestoneArgument,
    at: Annotated[str, typer.Option("--at", help="When: a date, or a time with its zone. Default: now.")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="How many, if it is not all of them.")] = "",
    classifier: Annotated[
        Classifier, typer.Option("--as", help="ACT: it happened. EST: expected. PLN: planned.")
    ] = Classifier.ACT,
    note: Note = "",
    source: Annotated[str, typer.Option("--source", help="The system it comes from; together with --id.")] = "",
    id: Annotated[str, typer.Option("--id", help="Its number there: the same pair again changes nothing.")] = "",
    corrects: Annotated[int | None, typer.Option("--corrects", help="The log line that this report replaces.")] = None,
    withdraw: Annotated[int | None, typer.Option("--withdraw", help="Only take back this log line.")] = None,
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Report that a milestone happened, or when it is expected.

    Example: gendan report SO-26-0417 FAB_IN --at 2026-11-20 --note "all colours"
    """
    if withdraw is not None:
        _say(
            await record_entry(
                order,
                lambda file, now: Withdrawal(
                    recorded_at=now,
                    by=me(by),
                    note=note,
                    milestone=spelt(milestone, file.template.codes),
                    corrects=withdraw,
                ),
            ),
            f"{order}: line {withdraw} is withdrawn",
            json,
        )
        return
    cells = {
        "order_no": order,
        "milestone": milestone,
        "occurred_at": at,
        "quantity": quantity,
        "classifier": classifier.value,
        "note": note,
        "source": source,
        "source_event_id": id,
    }

    def make(calendar: Calendar, placed_at: datetime, codes: tuple[str, ...], now: datetime) -> Report:
        row = Row(0, cells if at else cells | {"occurred_at": now.isoformat()})
        try:
            made = report_from(row, now=now, order_calendar=calendar, placed_at=placed_at, codes=codes)
        except RowRefused as refusal:
            option = {"occurred_at": "--at", "source_event_id": "--id"}.get(refusal.column, refusal.column)
            raise Refused(f"{order}: {option}: {refusal.reason}") from None
        nonlocal milestone
        milestone = made.milestone  # as its template spells it
        return made.model_copy(update={"by": me(by), "corrects": corrects})

    def from_placed(placed: Placed) -> Report:
        calendar = library().calendars[placed.template.calendar]
        return make(calendar, placed.order.placed_at, placed.template.codes, placed.now)

    def from_file(file: OrderFile, now: datetime) -> Report:
        return make(file.calendar, file.order.placed_at, file.template.codes, now)

    recorded = await (record_report(order, from_placed) if corrects is None else record_entry(order, from_file))
    _say(recorded, f"{order}: {milestone} recorded", json)


@app.command()
@with_database
async def ack(order: OrderArgument, milestone: MilestoneArgument, note: Note = "", by: By = "") -> None:
    """
    Take a stall on: its escalation rests for two working days (or what your ladder says).

    Example: gendan ack SO-26-0417 FAB_IN --note "calling the mill"
    """

    def make(file: OrderFile, now: datetime) -> Entry:
        code = spelt(milestone, file.template.codes)
        return Acknowledgement(recorded_at=now, by=me(by), note=note, milestone=code)

    _say(await record_entry(order, make), f"{order}: {milestone} acknowledged")


@app.command()
@with_database
async def promise(
    order: OrderArgument,
    milestone: MilestoneArgument,
    date: Annotated[str, typer.Argument(help="The new date (the whole day), or a time with its zone.")],
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record a promised date for a milestone: until then it is not chased.

    Example: gendan promise SO-26-0417 FAB_IN 2026-12-04 --by "Hua Xing mill"
    """

    def make(file: OrderFile, now: datetime) -> Entry:
        promised = whole_day(parse_moment(date), file.calendar, end=True)
        code = spelt(milestone, file.template.codes)
        return Promise(recorded_at=now, by=me(by), note=note, milestone=code, promised=promised)

    _say(await record_entry(order, make), f"{order}: {milestone} promised for {date}")


@app.command()
@with_database
async def hold(order: OrderArgument, note: Note = "", by: By = "") -> None:
    """
    Put an order on hold: nobody is chased until it goes on.

    Example: gendan hold SO-26-0417 --note "buyer redesigns the label"
    """
    _say(
        await record_entry(order, lambda file, now: Hold(recorded_at=now, by=me(by), note=note)),
        f"{order} is on hold",
    )


@app.command()
@with_database
async def resume(order: OrderArgument, note: Note = "", by: By = "") -> None:
    """
    Let an order on hold go on.

    Example: gendan resume SO-26-0417
    """
    _say(
        await record_entry(order, lambda file, now: Resume(recorded_at=now, by=me(by), note=note)),
        f"{order} goes on",
    )


@app.command()
@with_database
async def cancel(order: OrderArgument, note: Note = "", by: By = "") -> None:
    """
    Cancel an order: everything that is waited for falls silent.

    Example: gendan cancel SO-26-0417 --note "buyer withdrew"
    """
    _say(
        await record_entry(order, lambda file, now: Cancellation(recorded_at=now, by=me(by), note=note)),
        f"{order} is cancelled",
    )


@app.command()
@with_database
async def follow(order: OrderArgument, note: Note = "", by: By = "") -> None:
    """
    Follow an order again that was cancelled, or whose run was cancelled in Prefect.

    Example: gendan follow SO-26-0417
    """
    _say(
        await record_entry(order, lambda file, now: Followed(recorded_at=now, by=me(by), note=note)),
        f"{order} is followed again",
    )


@app.command()
@with_database
async def reschedule(
    order: OrderArgument,
    etd: Annotated[str, typer.Argument(help="The new ETD: a date, or a time with its zone.", metavar="ETD")],
    note: Note = "",
    by: By = "",
) -> None:
    """
    Give an order another ETD: all dates still open are planned anew.

    Example: gendan reschedule SO-26-0417 2027-01-07 --note "rolled to the next vessel"
    """
    _say(
        await record_entry(
            order, lambda file, now: Reschedule(recorded_at=now, by=me(by), note=note, etd=parse_moment(etd))
        ),
        f"{order} is planned to sail on {etd}",
    )
