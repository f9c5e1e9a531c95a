"""Telling Gendan what others set for an order: the booking, the letter of credit, what customs answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from gendan.cli.answers import OrderArgument, say
from gendan.cli.app import AsJson, By, Note, app, me, with_database
from gendan.cli.typed import day_of, made, moment_of
from models.accepting.intake import spelt
from models.book.agreement import agreed
from models.book.changes import Booking, CreditAdvised, CustomsReceipt
from models.book.order_file import OrderFile
from models.errors import Refused
from models.moments import whole_day
from models.terms.credit import Credit
from tasks.customs import receipt_of
from tasks.logbook import record_entry


@app.command()
@with_database
async def book(
    order: OrderArgument,
    etd: Annotated[
        str, typer.Option("--etd", help="When the vessel or flight leaves: a date, or a time with its zone.")
    ],
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            "--cutoff", help="A deadline of the S/O, SI=2026-12-28T12:00+08:00; repeatable.", metavar="CODE=TIME"
        ),
    ] = None,
    vessel: Annotated[str, typer.Option("--vessel", help="The vessel, or the carrier by air.")] = "",
    voyage: Annotated[str, typer.Option("--voyage", help="Its voyage, or the flight.")] = "",
    sailing: Annotated[
        list[str] | None, typer.Option("--sailing", help="A later departure that could be taken; repeatable.")
    ] = None,
    every: Annotated[
        int | None, typer.Option("--every", min=1, max=60, help="Days from one departure to the next.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="Who confirmed it: the S/O number.")] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record a booking (S/O) with its cut-offs: they take the place of the template's days, and its ETD is the order's.

    Example: gendan book SO-26-0417 --etd 2027-01-02 --vessel "EVER GIVEN" --cutoff SI=2026-12-28T12:00+08:00
    """
    deadlines = _cutoffs(cutoff or [])

    def make(file: OrderFile, now: datetime) -> Booking:
        codes = [m.cutoff for m in file.template.milestones if m.cutoff]
        return made(
            order,
            lambda: Booking(
                recorded_at=now,
                by=me(by),
                note=note,
                vessel=vessel,
                voyage=voyage,
                etd=moment_of("--etd", etd),
                cutoffs={spelt(code, codes): at for code, at in deadlines.items()},
                sailings=tuple(moment_of("--sailing", text) for text in sailing or ()),
                sails_every=every,
                source=source,
            ),
        )

    say(await record_entry(order, make), f"{order} is booked to leave on {etd}")


def _cutoffs(given: list[str]) -> dict[str, datetime]:
    deadlines: dict[str, datetime] = {}
    for text in given:
        code, equals, when = text.partition("=")
        if not equals or not code.strip():
            raise Refused(f"--cutoff: {text[:60]!r} is not like SI=2026-12-28T12:00+08:00.")
        moment = moment_of(f"--cutoff {code.strip()}", when)
        if not isinstance(moment, datetime):
            raise Refused(
                f"--cutoff {code.strip()}: {when} is a day, and a cut-off is a moment of it in the port's time. Write "
                f"it as on the S/O, like {when}T12:00+08:00."
            )
        if code.strip().upper() in deadlines:
            raise Refused(f"--cutoff: {code.strip()} is given twice. Which of them is on the S/O?")
        deadlines[code.strip().upper()] = moment
    return deadlines


@app.command()
@with_database
async def credit(
    order: OrderArgument,
    expiry: Annotated[str, typer.Option("--expiry", help="31D: the day on which it expires.")],
    latest_shipment: Annotated[
        str, typer.Option("--latest-shipment", help="44C: the last day of loading. Default: the expiry.")
    ] = "",
    presentation_days: Annotated[
        int | None, typer.Option("--presentation-days", help="48: days after shipment. Default: 21, if it is silent.")
    ] = None,
    place: Annotated[str, typer.Option("--place", help="31D: where it expires.")] = "",
    no_partial: Annotated[bool, typer.Option("--no-partial", help="43P: partial shipments are prohibited.")] = False,
    no_transhipment: Annotated[
        bool, typer.Option("--no-transhipment", help="43T: transhipment is prohibited.")
    ] = False,
    about: Annotated[
        bool, typer.Option("--about", help='"About" stands before the quantity: 10 % either way.')
    ] = False,
    by_measure: Annotated[
        bool,
        typer.Option("--by-measure", help="The quantity is a weight, length or volume, no pieces: 5 % either way."),
    ] = False,
    number: Annotated[str, typer.Option("--number", help="The credit's number.")] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record a letter of credit, or its amendment: all its terms as they are now.

    Example: gendan credit SO-26-0417 --number LC-7731 --expiry 2027-01-31 --latest-shipment 2027-01-10 --no-partial
    """

    def make(file: OrderFile, now: datetime) -> CreditAdvised:
        before = agreed(file.order, file.entries).credit
        terms = made(
            order,
            lambda: Credit(
                number=number or (before.number if before is not None else ""),
                latest_shipment=day_of("--latest-shipment", latest_shipment) if latest_shipment else None,
                expiry=day_of("--expiry", expiry),
                expiry_place=place,
                presentation_days=presentation_days,
                partial_shipments=not no_partial,
                transhipment=not no_transhipment,
                about=about,
                counted_in_units=not by_measure,
                amended=before.amended + 1 if before is not None and number in ("", before.number) else 0,
            ),
        )
        return CreditAdvised(recorded_at=now, by=me(by), note=note, credit=terms)

    last = latest_shipment or expiry
    say(await record_entry(order, make), f"{order}: L/C {number or 'without number'} recorded, on board by {last}")


@app.command()
@with_database
async def customs(
    order: OrderArgument,
    letter: Annotated[str, typer.Argument(help="What the receipt bears: E, C, P, or a number.", metavar="LETTER")],
    at: Annotated[
        str, typer.Option("--at", help="When customs said so: a date, or a time with its zone. Default: now.")
    ] = "",
    declaration: Annotated[str, typer.Option("--declaration", help="The number that customs gave it.")] = "",
    text: Annotated[str, typer.Option("--text", help="What the receipt says.")] = "",
    source: Annotated[str, typer.Option("--source", help="The system it comes from; together with --id.")] = "",
    id: Annotated[str, typer.Option("--id", help="Its number there: the same pair again changes nothing.")] = "",
    note: Note = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Record what customs answered: rejected, inspected, released; what it means stands in customs.yaml.

    Example: gendan customs SO-26-0417 P --at 2026-12-30T16:20+08:00 --declaration 310120260000417001
    """
    if bool(source) != bool(id):
        raise Refused(f"{order}: --source and --id are given together; only both tell a receipt that comes twice.")
    meant: CustomsReceipt | None = None

    def make(file: OrderFile, now: datetime) -> CustomsReceipt:
        nonlocal meant
        occurred_at = whole_day(moment_of("--at", at), file.calendar, end=False) if at else now
        meant = receipt_of(
            letter,
            recorded_at=now,
            occurred_at=occurred_at,
            by=me(by),
            note=note,
            declaration=declaration,
            text=text,
            source=source,
            source_event_id=id,
        )
        return meant

    recorded = await record_entry(order, make)
    assert meant is not None  # made, or refused
    say(recorded, f"{order}: customs letter {meant.letter}, {meant.state.value.lower().replace('_', ' ')}", json)
