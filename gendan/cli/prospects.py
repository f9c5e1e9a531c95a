"""`gendan prospects`: following customers to be until they sign, or say why not (業務跟單)."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import date, datetime
from typing import Annotated, TypeVar

import typer
from rich.table import Column, Table

from gendan.cli.app import (
    MOST_LISTED,
    AsJson,
    By,
    Note,
    app,
    as_it_is,
    err,
    me,
    out,
    print_json,
    print_table,
    with_database,
)
from models.accepting.intake import RowRefused
from models.book.changes import Contact, Lost, QuotationValid
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Report
from models.codes import SAMPLED
from models.errors import Refused
from models.moments import parse_moment
from models.prospect import sample_round
from models.status.lateness import as_date
from models.status.standing import standing
from tasks.logbook import Recorded, record_entry
from tasks.prospects import add_prospect, list_prospects, win

prospects = typer.Typer(
    name="prospects", help="Follow customers to be until they sign, or say why not.", no_args_is_help=True
)
app.add_typer(prospects)

ProspectArgument = Annotated[str, typer.Argument(help="The prospect's number.", metavar="PROSPECT")]

T = TypeVar("T")


@prospects.command()
@with_database
async def add(
    prospect: ProspectArgument,
    customer: Annotated[str, typer.Option("--customer", help="Who may become a customer.")],
    hoped_for: Annotated[
        str, typer.Option("--hoped-for", help="The day on which the contract is hoped for. Default: by the template.")
    ] = "",
    since: Annotated[str, typer.Option("--since", help="When he was first heard of. Default: now.")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="How many he asked for.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="Of what: pcs, sets.")] = "",
    merchandiser: Annotated[str, typer.Option("--merchandiser", help="Who follows him.")] = "",
    template: Annotated[str, typer.Option("--template", help="Default: the one for prospects.")] = "",
) -> None:
    """
    Take a prospect in; he is followed at once.

    Example: gendan prospects add P-26-031 --customer "Nordwind GmbH" --hoped-for 2027-01-15
    """
    cells = {
        "order_no": prospect,
        "customer": customer,
        "placed_at": since,
        "etd": hoped_for,
        "quantity": quantity,
        "unit": unit,
        "merchandiser": merchandiser,
        "template": template,
    }
    options = {"order_no": "PROSPECT", "placed_at": "--since", "etd": "--hoped-for"}
    order = await _by_option(prospect, add_prospect(cells), options)
    out.print(as_it_is(f"{prospect} is followed; its contract is hoped for on {order.etd}."))


@prospects.command("list")
@with_database
async def list_(
    state: Annotated[list[OrderState] | None, typer.Option("--state", help="Only in this state; repeatable.")] = None,
    customer: Annotated[str, typer.Option("--customer", help="Only of this customer.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_LISTED, help="At most so many.")] = 1000,
    json: AsJson = False,
) -> None:
    """
    List the prospects: when to call whom, who is silent, which quotation ends.

    Example: gendan prospects list --state open
    """
    lines = await list_prospects(states=[s.value for s in state or ()], customer=customer, limit=limit)
    if json:
        print_json([vars(line) for line in lines])
        return
    columns = ("Customer", "State", "Waits for", "Next contact", "Days silent", "Quotation until", "Hoped for")
    table = Table(Column("Prospect", no_wrap=True), *columns, box=None, pad_edge=False)
    for line in lines:
        days = (line.next_contact, line.silent_for, line.quotation_until, line.hoped_for)
        told = ["" if day is None else str(day) for day in days]
        state_ = line.state.replace("_", " ")
        table.add_row(*map(as_it_is, (line.order_no, line.customer, state_, line.waits_for, *told)))
    print_table(table)
    if len(lines) == limit:
        err.print(f"Only the first {limit}; see --limit.")


@prospects.command()
@with_database
async def contact(
    prospect: ProspectArgument,
    next_: Annotated[str, typer.Option("--next", help="The day on which he is to be called again.")] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record that somebody spoke with the prospect; until the next contact nobody is chased.

    Example: gendan prospects contact P-26-031 --next 2026-12-07 --note "compares three suppliers"
    """

    def make(file: OrderFile, now: datetime) -> Contact:
        next_on = _day(next_, file) if next_ else None
        return Contact(recorded_at=now, by=me(by), note=note, next_on=next_on)

    agreed = f"he is to be called again on {next_}" if next_ else "no next contact is agreed"
    _say(await record_entry(prospect, make), f"{prospect}: contact recorded, {agreed}")


@prospects.command()
@with_database
async def quote(
    prospect: ProspectArgument,
    valid_until: Annotated[str, typer.Option("--valid-until", help="The last day on which it holds.")],
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record that a quotation was sent, and until when it holds.

    Example: gendan prospects quote P-26-031 --valid-until 2026-12-31
    """

    def make(file: OrderFile, now: datetime) -> QuotationValid:
        return QuotationValid(recorded_at=now, by=me(by), note=note, until=_day(valid_until, file))

    _say(await record_entry(prospect, make), f"{prospect}: quotation sent, valid until {valid_until}")


@prospects.command()
@with_database
async def samples(
    prospect: ProspectArgument,
    courier: Annotated[str, typer.Option("--courier", help="The courier and his number, as in the sample register.")],
    round_: Annotated[int | None, typer.Option("--round", min=1, help="Which samples these are; checked.")] = None,
    note: Note = "",
    by: By = "",
) -> None:
    """
    Register samples that were sent, with the courier's number.

    Example: gendan prospects samples P-26-031 --courier "DHL 4417 8820 36" --note "two colours"
    """

    def make(file: OrderFile, now: datetime) -> Report:
        present = sample_round(file, standing(file, now))
        if round_ is not None and round_ != present:
            raise Refused(f"{prospect}: the samples now are round {present}, not round {round_}. Nothing was recorded.")
        return Report(
            recorded_at=now,
            by=me(by),
            note=note,
            milestone=SAMPLED,
            occurred_at=now,
            equipment=courier,
            attributes={"round": str(present)},
        )

    _say(await record_entry(prospect, make), f"{prospect}: samples sent, {courier}")


@prospects.command()
@with_database
async def won(
    prospect: ProspectArgument,
    order: Annotated[str, typer.Option("--order", help="The number of the order that comes of it.")],
    etd: Annotated[str, typer.Option("--etd", help="The order's ETD: a date, or a time with its zone.")] = "",
    template: Annotated[str, typer.Option("--template", help="The order's template. Default: by lead time.")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="Default: what the prospect asked for.")] = "",
    customer: Annotated[str, typer.Option("--customer", help="Default: as the prospect is called.")] = "",
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record that the prospect signed: his order is registered, and followed from now on.

    An order of his that is in the book already is named by its number alone.

    Example: gendan prospects won P-26-031 --order SO-26-0481 --etd 2027-03-12
    """
    cells = {"order_no": order, "etd": etd, "template": template, "quantity": quantity, "customer": customer}
    signed, recorded = await _by_option(prospect, win(prospect, cells, by=me(by), note=note), {"order_no": "--order"})
    _say(recorded, f"{prospect} is won: order {signed.order.order_no} is followed by template {signed.template}")


@prospects.command()
@with_database
async def lost(
    prospect: ProspectArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why he does not buy; kept for the next offer.")],
    note: Note = "",
    by: By = "",
) -> None:
    """
    Record that the prospect does not buy, and why: he is followed no longer.

    Example: gendan prospects lost P-26-031 --reason "price 8 % above Dhaka"
    """
    why = " ".join(reason.split())
    if not why:
        raise Refused(f"{prospect}: --reason is empty. Say why: it is what the next offer learns from.")
    _say(
        await record_entry(prospect, lambda file, now: Lost(recorded_at=now, by=me(by), note=note, reason=why)),
        f"{prospect} is lost: {why}",
    )


def _say(recorded: Recorded, words: str) -> None:
    out.print(as_it_is(f"{words} (line {recorded.seq} of the log)"))


def _day(text: str, file: OrderFile) -> date:
    return as_date(parse_moment(text), file.calendar)


async def _by_option(prospect: str, request: Awaitable[T], options: Mapping[str, str]) -> T:
    """Await `request`; a column that is refused is called by the option that it was typed as."""
    try:
        return await request
    except RowRefused as refusal:
        option = options.get(refusal.column, f"--{refusal.column}" if refusal.column else "the order")
        raise Refused(f"{prospect}: {option}: {refusal.reason}") from None
