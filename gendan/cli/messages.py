"""`gendan messages`: what was said, to whom, and what has not gone out."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Column, Table

from gendan.cli.app import AsJson, app, as_it_is, print_json, print_table, with_database
from tasks.outbox import list_messages

messages = typer.Typer(name="messages", help="What was said, and what has not gone out.", no_args_is_help=True)
app.add_typer(messages)


@messages.command("list")
@with_database
async def list_(
    order: Annotated[str, typer.Option("--order", help="Only about this order.")] = "",
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what has not gone out yet.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what could not be sent, with the reason.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 200,
    json: AsJson = False,
) -> None:
    """
    List messages, newest first.

    Example: gendan messages list --failed
    """
    rows = await list_messages(order_no=order, undelivered=waiting, failed=failed, limit=limit)
    if json:
        print_json([dict(row._mapping) for row in rows])
        return
    table = Table("Said", Column("Order", no_wrap=True), "Rung", "To", "Subject", "Sent", box=None, pad_edge=False)
    for row in rows:
        sent = row.delivered_at.astimezone().strftime("%d %b %H:%M") if row.delivered_at else row.error or "waiting"
        table.add_row(
            f"{row.claimed_at.astimezone():%d %b %Y %H:%M}",
            *map(as_it_is, (row.order_no, row.rung, row.person or row.recipient, row.subject, sent)),
        )
    print_table(table)
