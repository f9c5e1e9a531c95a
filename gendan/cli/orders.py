"""`gendan orders`: bringing orders in, listing them, showing one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from gendan.cli.app import MOST_LISTED, AsJson, app, as_it_is, err, out, plain, print_json, print_table, with_database
from gendan.cli.plan import print_plan
from models.accepting.intake import ORDER_NEEDS
from models.book.entry import ENTRY
from models.book.order import OrderState
from models.decide import appearances
from models.escalation.notice import View
from models.planning.sheet import sheet_at
from models.status.standing import standing
from notifications.badges import badge
from notifications.texts import quantity
from tasks.intake import Outcome, take_orders
from tasks.lots import Delivered, delivery_of
from tasks.orders import list_orders, open_file
from tasks.settings import settings
from tasks.spreadsheets import read_rows

orders = typer.Typer(name="orders", help="Bring orders in, list them, show one.", no_args_is_help=True)
app.add_typer(orders)


def report_outcome(outcome: Outcome, path: Path, as_json: bool) -> None:
    """Print what became of a table's rows; exit status 1 if any was refused."""
    if as_json:
        refused = [{"line": r.line, "column": r.column, "reason": r.reason} for r in outcome.refused]
        print_json({"new": outcome.new, "known": outcome.known, "refused": refused})
    else:
        for refusal in outcome.refused:
            err.print(as_it_is(f"{path}, {refusal}"))
        out.print(as_it_is(f"{outcome}."))
    if outcome.refused:
        raise typer.Exit(1)


@orders.command("import")
@with_database
async def import_orders(
    file: Annotated[Path, typer.Argument(help="A CSV (UTF-8) or XLSX file with the columns of docs/formats.md.")],
    json: AsJson = False,
) -> None:
    """
    Take orders in from a file. Bad rows are refused with their line; the others are followed at once.

    Example: gendan orders import orders.csv
    """
    report_outcome(await take_orders(read_rows(file, ORDER_NEEDS)), file, json)


@orders.command("list")
@with_database
async def list_(
    state: Annotated[list[OrderState] | None, typer.Option("--state", help="Only in this state; repeatable.")] = None,
    customer: Annotated[str, typer.Option("--customer", help="Only of this customer.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_LISTED, help="At most so many.")] = 1000,
    json: AsJson = False,
) -> None:
    """
    List the orders with what each waits for.

    Example: gendan orders list --state open --customer ACME
    """
    lines = await list_orders(states=[s.value for s in state or ()], customer=customer, limit=limit)
    if json:
        print_json([vars(line) for line in lines])
        return
    table = Table(
        Column("Order", no_wrap=True), "Customer", "State", "Waits for", "Next look", box=None, pad_edge=False
    )
    for line in lines:
        next_look = line.next_wake_up.astimezone().strftime("%a %d %b %Y %H:%M %Z") if line.next_wake_up else ""
        table.add_row(
            *map(as_it_is, (line.order_no, line.customer, line.state.replace("_", " "), line.waits_for, next_look))
        )
    print_table(table)
    if len(lines) == limit:
        err.print(f"Only the first {limit}; see --limit.")


@orders.command("show")
@with_database
async def show(
    order: Annotated[str, typer.Argument(help="The order number.")],
    json: AsJson = False,
) -> None:
    """
    Show an order: what it waits for, its milestones, its log.

    Example: gendan orders show SO-26-0417
    """
    file, follow_up = await open_file(order)
    at = standing(file, follow_up.now)
    of = sheet_at(file, at)
    shown = badge(file, at, settings().language)
    if json:
        looks = appearances(View(file, at))
        print_json(
            {
                "order": file.order.model_dump(mode="json"),
                "template": file.template.code,
                "state": at.state.value,
                "etd": at.etd.isoformat() if at.etd else None,
                "waits_for": shown.name,
                "version": at.agreed.version,
                "sails_at": of.sails_at,
                "open": list(at.open),
                "milestones": {
                    code: {
                        "due": at.due.get(code),
                        "promised": at.promised.get(code),
                        "expected": at.expected.get(code),
                        "reached_at": at.reached[code].at if code in at.reached else None,
                        "state": looks.get(code, "to come"),
                        "rung": at.rung_of(code),
                        "forecast": of.line(code).forecast,
                        "late_date": of.line(code).late_date,
                        "slack": of.line(code).slack,
                        "round": at.round_of(code),
                    }
                    for code in file.template.codes
                },
                "log": [ENTRY.dump_python(entry, mode="json") for entry in file.entries],
            }
        )
        return
    out.print(f"[bold]{plain(shown.name)}[/]")
    out.print(as_it_is(shown.message))
    out.print()
    print_plan(file, of, settings().language)
    out.print()
    _print_delivery(await delivery_of(order))
    shown_apart = {"seq", "recorded_at", "kind", "dates"}
    for entry in file.entries:
        said = ENTRY.dump_python(entry, mode="json", exclude_defaults=True, exclude=shown_apart)
        words = ", ".join(f"{key}={value}" for key, value in said.items())
        out.print(as_it_is(f"{entry.seq:>6} {entry.recorded_at:%Y-%m-%d %H:%M %Z} {entry.kind} {words}"))


def _print_delivery(delivered: Delivered) -> None:
    """Print the lots of an order that was split, and once all of it has left, whether that was on time and in full."""
    for lot in delivered.lots:
        state = lot.state.value.replace("_", " ") if lot.state is not None else "to be opened"
        left = f", departed {lot.departed_at:%Y-%m-%d %H:%M %Z}" if lot.departed_at is not None else ""
        out.print(as_it_is(f"lot {lot.order_no}: {quantity(lot.quantity)}, ETD {lot.etd}, {state}{left}"))
    if delivered.lots and delivered.delivery is not None:
        on_time, in_full = ("yes" if kept else "no" for kept in (delivered.delivery.otd, delivered.delivery.otif))
        out.print(f"On time (OTD): {on_time}. On time and in full (OTIF): {in_full}.")
    if delivered.lots:
        out.print()
