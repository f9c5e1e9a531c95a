"""Telling Gendan: reports, acknowledgements, promises, and the larger decisions about an order."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gendan.cli.app import AsJson, By, Note, app, as_it_is, me, out, print_json, with_database
from gendan.cli.orders import report_outcome
from gendan.cli.typed import day_of
from models.accepting.intake import REPORT_NEEDS, Row, RowRefused, report_from, spelt
from models.accepting.written import has_problem, not_mine, promised, taken_on
from models.book.changes import Cancellation, Followed, Hold, Reschedule, Resume
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, NotMine, Outcome, Report, Withdrawal
from models.calendars.workdays import Calendar
from models.errors import Refused
from models.moments import parse_moment, whole_day
from tasks.intake import take_reports
from tasks.library import library
from tasks.logbook import Placed, Recorded, record_entry, record_report
from tasks.spreadsheets import read_rows

reports = typer.Typer(name="reports", help="Bring in reports from a file.", no_args_is_help=True)
app.add_typer(reports)

OrderArgument = Annotated[str, typer.Argument(help="The order number.", metavar="ORDER")]
MilestoneArgument = Annotated[str, typer.Argument(help="The milestone's code, such as FAB_IN.", metavar="MILESTONE")]


def say(recorded: Recorded, words: str, as_json: bool = False) -> None:
    """Print what became of what was told; JSON where a program asked."""
    if as_json:
        remark = {"remark": recorded.remark} if recorded.remark else {}
        print_json({"recorded": recorded.is_new, "line": recorded.seq, **remark})
    elif recorded.is_new:
        out.print(as_it_is(f"{words} (line {recorded.seq} of the log)"))
        if recorded.remark:
            out.print(as_it_is(recorded.remark))
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
    failed: Annotated[
        bool, typer.Option("--failed", help="An approval with comments, a failed inspection, rolled cargo.")
    ] = False,
    started: Annotated[bool, typer.Option("--started", help="It has only begun.")] = False,
    round: Annotated[str, typer.Option("--round", help="Which attempt this speaks of; the first is 1.")] = "",
    reopens: Annotated[
        str, typer.Option("--reopens", help="What failed: steps to be done again, SI_SUB,VGM_SUB. Default: its own.")
    ] = "",
    note: Note = "",
    source: Annotated[str, typer.Option("--source", help="The system it comes from; together with --id.")] = "",
    id: Annotated[str, typer.Option("--id", help="Its number there: the same pair again changes nothing.")] = "",
    corrects: Annotated[int | None, typer.Option("--corrects", help="The log line that this report replaces.")] = None,
    withdraw: Annotated[int | None, typer.Option("--withdraw", help="Only take back this log line.")] = None,
    retract: Annotated[
        tuple[str, str] | None,
        typer.Option("--retract", help="Only take back this event of a system.", metavar="SOURCE EVENT_ID"),
    ] = None,
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Report that a milestone happened, failed, or when it is expected.

    Example: gendan report SO-26-0417 FAB_IN --at 2026-11-20 --note "all colours"
    """
    if withdraw is not None or retract is not None:
        await _take_back(order, milestone, withdraw, retract, note, by, json)
        return
    if failed and started:
        raise Refused(f"{order}: {milestone} has failed or has only begun, not both: give --failed or --started.")
    outcome = Outcome.FAILED if failed else Outcome.STARTED if started else Outcome.DONE
    cells = {
        "order_no": order,
        "milestone": milestone,
        "occurred_at": at,
        "quantity": quantity,
        "classifier": classifier.value,
        "outcome": outcome.value,
        "round": round,
        "note": note,
        "source": source,
        "source_event_id": id,
    }

    def make(calendar: Calendar, placed_at: datetime, codes: tuple[str, ...], now: datetime) -> Report:
        row = Row(0, cells if at else cells | {"occurred_at": now.isoformat()})
        try:
            made = report_from(row, now=now, order_calendar=calendar, placed_at=placed_at, codes=codes)
        except RowRefused as refusal:
            option = _OPTIONS.get(refusal.column, refusal.column)
            raise Refused(f"{order}: {option}: {refusal.reason}") from None
        nonlocal milestone
        milestone = made.milestone  # as its template spells it
        steps = tuple(spelt(step.strip(), codes) for step in reopens.split(",") if step.strip()) if reopens else None
        return made.model_copy(update={"by": me(by), "corrects": corrects, "reopens": steps})

    def from_placed(placed: Placed) -> Report:
        return make(placed.calendar, placed.order.placed_at, placed.template.codes, placed.now)

    def from_file(file: OrderFile, now: datetime) -> Report:
        return make(file.calendar, file.order.placed_at, file.template.codes, now)

    recorded = await (record_report(order, from_placed) if corrects is None else record_entry(order, from_file))
    say(recorded, f"{order}: {milestone} {_SAID[outcome]}", json)


_OPTIONS = {
    "occurred_at": "--at",
    "source_event_id": "--id",
    "round": "--round",
    "outcome": "--failed or --started",
}
_SAID = {Outcome.DONE: "recorded", Outcome.FAILED: "failed, recorded", Outcome.STARTED: "has begun, recorded"}


async def _take_back(
    order: str,
    milestone: str,
    line: int | None,
    event: tuple[str, str] | None,
    note: str,
    by: str,
    as_json: bool,
) -> None:
    if line is not None and event is not None:
        raise Refused(f"{order}: give --withdraw with a line of the log, or --retract with an event, not both.")
    source, number = (part.strip() for part in event or ("", ""))
    if event is not None and not (source and number):
        raise Refused(f"{order}: --retract needs the source and its event id: --retract mill m-0417.")

    def make(file: OrderFile, now: datetime) -> Withdrawal:
        code = spelt(milestone, file.template.codes)
        return Withdrawal(
            recorded_at=now, by=me(by), note=note, milestone=code, corrects=line, source=source, retracts=number
        )

    what = f"line {line} is withdrawn" if event is None else f"event {number} of {source} is retracted"
    say(await record_entry(order, make), f"{order}: {what}", as_json)


@app.command()
@with_database
async def ack(
    order: OrderArgument,
    milestone: Annotated[
        str,
        typer.Argument(
            help="The milestone's code, such as FAB_IN; or a hard date that the forecast breaks, such as LC_44C.",
            metavar="MILESTONE",
        ),
    ],
    note: Note = "",
    by: By = "",
) -> None:
    """
    Take a stall on: its escalation rests for two working days (or what your policy says).

    Or the decision about a hard date that breaks: LC_44C, LC_31D, LC_48, SHIP_WINDOW, CANCEL_DATE.

    Example: gendan ack SO-26-0417 FAB_IN --note "calling the mill"
    """
    recorded = await record_entry(order, lambda file, now: taken_on(file, now, milestone, by=me(by), note=note))
    say(recorded, f"{order}: {milestone} acknowledged")


@app.command()
@with_database
async def promise(
    order: OrderArgument,
    milestone: MilestoneArgument,
    date: Annotated[str, typer.Argument(help="The new date (the whole day), or a time with its zone.")],
    approved_by: Annotated[
        str, typer.Option("--approved-by", help="Who accepts a date after the late date, with what that breaks.")
    ] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record a promised date for a milestone: until then it is not chased.

    Example: gendan promise SO-26-0417 FAB_IN 2026-12-04 --by "Hua Xing mill"
    """

    def make(file: OrderFile, now: datetime) -> Entry:
        until = whole_day(parse_moment(date), file.calendar, end=True)
        return promised(file, now, milestone, until, approved_by=approved_by, by=me(by), note=note)

    say(await record_entry(order, make), f"{order}: {milestone} promised for {date}")


@app.command()
@with_database
async def problem(
    order: OrderArgument,
    milestone: MilestoneArgument,
    text: Annotated[str, typer.Argument(help="What is wrong; kept with the order and shown in messages.")],
    by: By = "",
) -> None:
    """
    Say that a step has a problem: the next level hears of it at once.

    Example: gendan problem SO-26-0417 FAB_IN "blue lot is off shade, two days to dye it again"
    """
    recorded = await record_entry(order, lambda file, now: has_problem(file, now, milestone, text, by=me(by)))
    say(recorded, f"{order}: {milestone} has a problem")


@app.command(name="not-mine")
@with_database
async def not_mine_(
    order: OrderArgument,
    milestone: MilestoneArgument,
    to: Annotated[
        str, typer.Option("--to", help="The role whose it is, such as QC. Default: the merchandiser finds out.")
    ] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Say that a step is another role's: from now on that one is asked for it.

    Example: gendan not-mine SO-26-0417 FAB_IN --to QC
    """
    told: list[NotMine] = []

    def make(file: OrderFile, now: datetime) -> Entry:
        told.append(not_mine(file, now, milestone, to, library().parties, by=me(by), note=note))
        return told[-1]

    recorded = await record_entry(order, make)
    whose = f"to {told[-1].to}" if told[-1].to else "back to the merchandiser"
    say(recorded, f"{order}: {milestone} goes {whose}")


@app.command()
@with_database
async def hold(
    order: OrderArgument,
    until: Annotated[str, typer.Option("--until", help="The day on which it is expected to go on.")] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Put an order on hold: nobody is chased until it goes on. Deadlines from outside go on running.

    Example: gendan hold SO-26-0417 --until 2026-12-07 --note "buyer redesigns the label"
    """
    day = day_of("--until", until) if until else None
    say(
        await record_entry(order, lambda file, now: Hold(recorded_at=now, by=me(by), note=note, until=day)),
        f"{order} is on hold{f' until {day}' if day else ''}",
    )


@app.command()
@with_database
async def resume(order: OrderArgument, note: Note = "", by: By = "") -> None:
    """
    Let an order on hold go on.

    Example: gendan resume SO-26-0417
    """
    say(
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
    say(
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
    say(
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
    say(
        await record_entry(
            order, lambda file, now: Reschedule(recorded_at=now, by=me(by), note=note, etd=parse_moment(etd))
        ),
        f"{order} is planned to sail on {etd}",
    )
