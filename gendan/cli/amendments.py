"""Changing an order with its customer: amendments that make a new version, and a split into lots."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import typer

from gendan.cli.answers import OrderArgument, say
from gendan.cli.app import AsJson, By, Note, app, as_it_is, me, out, print_json, with_database
from gendan.cli.typed import day_of, days_of, made, moment_of, quantity_of, tolerance_of
from models.accepting.intake import Row, RowRefused, order_no_of, spelt
from models.accepting.reports import amount
from models.book.agreement import agreed
from models.book.changes import Amendment, Lot, Split
from models.book.order_file import OrderFile
from models.errors import Refused
from models.planning.sheet import SheetLine
from models.planning.what_if import Comparison, what_if
from models.status.lateness import as_date
from models.terms.credit import latest_on_board
from models.terms.tolerance import Tolerance
from tasks.logbook import record_entry
from tasks.lots import record_split

_LOT = re.compile(r"(?P<number>.+)=(?P<quantity>[^=@]+)@(?P<etd>[^@]+?)(:(?P<template>[^\W\d][^:@]*))?")


@app.command()
@with_database
async def amend(
    order: OrderArgument,
    etd: Annotated[str, typer.Option("--etd", help="The new ETD: a date, or a time with its zone.")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="The new quantity.")] = "",
    ship_window: Annotated[
        str,
        typer.Option(
            "--ship-window", help="First and last day of shipment; one day alone is the last.", metavar="A..B"
        ),
    ] = "",
    cancel_after: Annotated[str, typer.Option("--cancel-after", help="The day after which the buyer may cancel.")] = "",
    tolerance: Annotated[
        str, typer.Option("--tolerance", help="How far what is shipped may differ: -3/+5, 5, 0.", metavar="PERCENT")
    ] = "",
    undo: Annotated[
        list[str] | None,
        typer.Option(
            "--undo", help="A step that counts no longer: a new specification needs a new sample; repeatable."
        ),
    ] = None,
    note: Note = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Record that the customer changed the order: a new version of it. Open steps are planned anew, those done stay.

    Example: gendan amend SO-26-0417 --quantity 3400 --etd 2027-01-12 --undo PPS_APP --note "collar changed"
    """
    change: Comparison | None = None

    def make(file: OrderFile, now: datetime) -> Amendment:
        nonlocal change
        first, last = days_of("--ship-window", ship_window)
        entry = made(
            order,
            lambda: Amendment(
                recorded_at=now,
                by=me(by),
                note=note,
                etd=moment_of("--etd", etd) if etd else None,
                quantity=quantity_of("--quantity", quantity) if quantity else None,
                ship_from=first,
                ship_by=last,
                cancel_after=day_of("--cancel-after", cancel_after) if cancel_after else None,
                tolerance=tolerance_of("--tolerance", tolerance) if tolerance else None,
                undoes=tuple(dict.fromkeys(spelt(code.strip(), file.template.codes) for code in undo or ())),
            ),
        )
        change = what_if(file, [entry], [], now)
        return entry

    recorded = await record_entry(order, make)
    assert change is not None  # made, or refused
    if json:
        print_json({"line": recorded.seq, **_amended_json(change)})
        return
    say(recorded, f"{order} is now version {change.after.at.agreed.version}")
    for line in _amended(change):
        out.print(as_it_is(line))


def _amended(change: Comparison) -> list[str]:
    """Return in words what an amendment changed: what was agreed, what is open again, which open steps moved."""
    was, now = change.before.at.agreed, change.after.at.agreed
    pairs = (
        ("ETD", was.etd, now.etd),
        ("quantity", was.quantity and amount(was.quantity), now.quantity and amount(now.quantity)),
        ("ship window from", was.ship_from, now.ship_from),
        ("ship window until", was.ship_by, now.ship_by),
        ("cancel date", was.cancel_after, now.cancel_after),
        ("tolerance", _percent(was.tolerance), _percent(now.tolerance)),
    )
    lines = [f"{name}: {old if old is not None else 'none'} -> {new}" for name, old, new in pairs if old != new]
    lines += [f"{code} is to be done again" for code in _again(change)]
    for old, new in _replanned(change):
        lines.append(f"{new.code}: {_day(old.plan)} -> {_day(new.plan)}")
    if was.booking is not None and now.booking is None:
        lines.append("The booking is void with its cut-offs: give the new one with `gendan book`.")
    lines += [f"The forecast breaks {each.hard.code}: {_day(each.hard.at)}" for each in change.after.broken]
    return lines


def _amended_json(change: Comparison) -> dict[str, object]:
    return {
        "version": change.after.at.agreed.version,
        "undone": _again(change),
        "moved": [{"milestone": new.code, "plan": [old.plan, new.plan]} for old, new in _replanned(change)],
        "broken": [each.hard.code for each in change.after.broken],
    }


def _again(change: Comparison) -> list[str]:
    """Return the steps that were done and are not: those undone, and those that only followed from them."""
    return [code for code in change.before.at.done if code not in change.after.at.done]


def _replanned(change: Comparison) -> list[tuple[SheetLine, SheetLine]]:
    return [(old, new) for old, new in change.moved if old.plan != new.plan]


def _percent(tolerance: Tolerance | None) -> str | None:
    return f"-{tolerance.less:g}/+{tolerance.more:g} %" if tolerance is not None else None


def _day(instant: datetime | None) -> str:
    return f"{instant:%a %d %b %Y}" if instant is not None else "no date"


@app.command()
@with_database
async def split(
    order: OrderArgument,
    lot: Annotated[
        list[str],
        typer.Option(
            "--lot",
            help="A lot: its number, quantity and ETD, and its template where it differs; repeatable.",
            metavar="NUMBER=QUANTITY@ETD[:TEMPLATE]",
        ),
    ],
    note: Note = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Split an order into lots that leave by themselves; each is followed as an order of its own from here on.

    Example: gendan split SO-26-0417 --lot SO-26-0417/A=3000@2027-01-05 --lot SO-26-0417/B=600@2027-01-12:EAD
    """
    late: list[str] = []

    def make(file: OrderFile, now: datetime) -> Split:
        lots = tuple(_lot(order, text) for text in lot)
        late.extend(_too_late(file, lots))
        return made(order, lambda: Split(recorded_at=now, by=me(by), note=note, lots=lots))

    recorded = await record_split(order, make)
    say(recorded, f"{order} leaves in {len(lot)} lots, each followed by itself", json)
    if not json:
        for line in late:
            out.print(as_it_is(line))


def _lot(order: str, text: str) -> Lot:
    written = _LOT.fullmatch(text)
    if written is None:
        raise Refused(f"--lot: {text[:80]!r} is not like {order}/A=3000@2027-01-05, or {order}/B=600@2027-01-12:EAD.")
    try:
        number = order_no_of(Row(0, {"order_no": written["number"]}))
    except RowRefused as refusal:
        raise Refused(f"--lot: the number {refusal.reason}.") from None
    return made(
        order,
        lambda: Lot(
            order_no=number,
            quantity=quantity_of(f"--lot {number}", written["quantity"]),
            etd=moment_of(f"--lot {number}", written["etd"]),
            template=written["template"] or "",
        ),
    )


def _too_late(file: OrderFile, lots: tuple[Lot, ...]) -> list[str]:
    """Return which lots leave too late for the letter of credit: allowed to be told, and bound to be refused."""
    terms = agreed(file.order, file.entries).credit
    if terms is None:
        return []
    last = latest_on_board(terms, None)
    return [
        f"{lot.order_no} leaves on {lot.etd}, after the L/C's last day of shipment (44C: {last}): the bank refuses it."
        for lot in lots
        if as_date(lot.etd, file.calendar) > last
    ]
