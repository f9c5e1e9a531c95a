"""`gendan messages`: what was said, to whom, what waits, and what has not gone out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from sqlalchemy import Row

from gendan.cli.app import (
    LARGEST_NUMBER,
    MOST_LISTED,
    AsJson,
    app,
    as_it_is,
    err,
    out,
    plain,
    print_json,
    with_database,
)
from gendan.cli.columns import Columns
from gendan.cli.plan import print_left_out
from models.errors import Refused
from models.names import Language
from tasks.deliveries import retry
from tasks.message_lists import find_message, list_held, list_messages

messages = typer.Typer(name="messages", help="What was said, and what has not gone out.", no_args_is_help=True)
app.add_typer(messages)

MessageArgument = Annotated[
    int, typer.Argument(help="The message's number, as it is listed.", metavar="ID", max=LARGEST_NUMBER)
]

_TITLES = {
    "id": "ID",
    "made_at": "Made",
    "person": "Person",
    "kind": "Kind",
    "order_no": "Order",
    "subject": "Subject",
    "state": "State",
    "attempts": "Attempts",
    "error": "Error",
}
_LEAST = {"subject": 20, "state": 9, "error": 20}
_FIRST_TO_GO = (("attempts",), ("kind",), ("order_no",), ("made_at",))
_HELD = {"order_no": "Order", "milestone": "Step", "rung": "Rung", "role": "For", "held_until": "Held until"}
_DELIVERIES = {"schema": "Channel", "state": "State", "attempts": "Attempts", "error": "Error"}
_FORMS = {"body", "short", "html"}
_RIGHT = frozenset({"id", "attempts"})


@messages.command("list")
@with_database
async def list_(
    order: Annotated[str, typer.Option("--order", help="Only what tells of this order.")] = "",
    person: Annotated[str, typer.Option("--person", help="Only to this person, by code.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Only of this kind: direct, digest or note.")] = "",
    held: Annotated[bool, typer.Option("--held", help="What waits for somebody's hours, and until when.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what could not be sent, with the reason.")] = False,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", "--waiting", help="Only what has not gone out to everybody yet.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_LISTED, help="At most so many, newest first.")] = 200,
    json: AsJson = False,
) -> None:
    """
    List messages, newest first. With --held, what is still to become one; with --held --failed, both.

    Example: gendan messages list --held --failed
    """
    waiting = await list_held(order_no=order, limit=limit) if held else []
    rows: list[Row[Any]] = []
    if not held or failed or undelivered:
        rows = await list_messages(
            order_no=order, person=person, kind=kind, undelivered=undelivered, failed=failed, limit=limit
        )
    if json:
        listed = [_without_text(row) for row in rows]
        print_json({"held": [dict(row._mapping) for row in waiting], "messages": listed} if held else listed)
        return
    if held:
        _print(_HELD, [_held_cells(row) for row in waiting], _FIRST_TO_GO[:0])
    if held and (failed or undelivered):
        out.print()
    if not held or failed or undelivered:
        _print(_TITLES, [_cells(row) for row in rows], _FIRST_TO_GO)
    if limit in (len(rows), len(waiting)):
        err.print(f"Only the first {limit}; see --limit.")


@messages.command()
@with_database
async def show(
    message: MessageArgument,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the form for e-mail to this file.", dir_okay=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """
    Show a message as it was sent, and what became of it at each address.

    Example: gendan messages show 4711 --html 4711.html
    """
    row, deliveries = await find_message(message)
    if html is not None:
        _write(html, row)
        return
    if json:
        print_json({**row._mapping, "deliveries": [dict(each._mapping) for each in deliveries]})
        return
    order = f" · {row.order_no}" if row.order_no else ""
    out.print(f"[bold]{plain(row.subject)}[/]")
    out.print(as_it_is(f"{row.kind} to {row.person}{order} · made {_moment(row.made_at)} · {_state(row._mapping)}"))
    if row.error and not deliveries:
        out.print(as_it_is(row.error))
    if deliveries:
        _print(_DELIVERIES, [_delivery_cells(each) for each in deliveries], (("attempts",),))
    out.print()
    out.print(as_it_is(row.body))
    if row.short and row.short != row.body:
        out.print()
        out.print("[bold]In chats:[/]")
        out.print(as_it_is(row.short))


@messages.command("retry")
@with_database
async def retry_(
    message: Annotated[
        list[int] | None, typer.Argument(help="The messages' numbers.", metavar="[ID]...", max=LARGEST_NUMBER)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
) -> None:
    """
    Send again what was given up or failed. Who has got a message does not get it twice.

    Example: gendan messages retry --all
    """
    if bool(message) == all_:
        raise Refused("Name the messages that are to be sent again, or give --all for all dead letters: not both.")
    for number in message or ():
        await find_message(number)
    revived = await retry(message or None)
    if not revived:
        out.print("There is nothing to send again: see `gendan messages list --failed`.")
        return
    out.print(f"{revived} {'message is' if revived == 1 else 'messages are'} sent again.")


def _write(path: Path, row: Row[Any]) -> None:
    if not row.html:
        raise Refused(f"Message {row.id} has no form for e-mail; `gendan messages show {row.id}` shows its text.")
    try:
        path.write_text(row.html, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path}: the message cannot be written there ({error.strerror}). Give another --html.") from None
    out.print(as_it_is(f"Message {row.id} is written to {path}."))


def _without_text(row: Row[Any]) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if key not in _FORMS}


def _print(titles: Mapping[str, str], rows: list[dict[str, Text]], first_to_go: Sequence[Sequence[str]]) -> None:
    print_left_out(Columns(titles, rows, _LEAST, first_to_go, _RIGHT).print(), Language.EN)  # as the titles are


def _cells(row: Row[Any]) -> dict[str, Text]:
    shown = {**row._mapping, "made_at": _moment(row.made_at), "state": _state(row._mapping)}
    return {key: as_it_is(str(shown[key] or "")) for key in _TITLES}


def _held_cells(row: Row[Any]) -> dict[str, Text]:
    shown = {**row._mapping, "held_until": _moment(row.held_until)}
    return {key: as_it_is(str(shown[key])) for key in _HELD}


def _delivery_cells(row: Row[Any]) -> dict[str, Text]:
    state = "waiting"
    if row.delivered_at is not None or row.dead_at is not None:
        state = "dead" if row.delivered_at is None else "delivered"
    elif row.error:
        state = "failed"
    shown = {**row._mapping, "state": _state({**row._mapping, "state": state}), "schema": f"{row.schema}://"}
    return {key: as_it_is(str(shown[key])) for key in _DELIVERIES}


def _state(row: Mapping[Any, Any]) -> str:
    """Say where a message or a delivery stands, and since or until when."""
    if row["state"] == "delivered":
        return f"delivered {_moment(row['delivered_at'])}"
    if row["state"] == "failed" and row["next_attempt_at"] is not None:
        return f"failed, again {_moment(row['next_attempt_at'])}"
    return str(row["state"])


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone():%d %b %Y %H:%M %Z}"
