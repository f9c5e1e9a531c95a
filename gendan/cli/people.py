"""`gendan people`: who is written to, at what hours, and handing over the orders of somebody who leaves."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gendan.cli.app import AsJson, By, Note, app, as_it_is, err, me, out, print_json, with_database
from gendan.cli.columns import Columns
from gendan.cli.plan import print_left_out
from models.names import Language
from models.terms.party import Person
from tasks.clock import now
from tasks.handing_over import hand_over, held_orders, plan_hand_over
from tasks.library import Library, library

people = typer.Typer(name="people", help="Who is written to, and when; handing orders over.", no_args_is_help=True)
app.add_typer(people)

_TITLES = {
    "code": "Code",
    "name": "Name",
    "roles": "Roles",
    "languages": "Languages",
    "zone": "Zone",
    "quiet": "Quiet hours",
    "digests": "Digests",
    "substitute": "Today",
    "open_orders": "Open orders",
}
_LEAST = {"name": 12, "roles": 8, "languages": 8, "digests": 5, "substitute": 10}
_FIRST_TO_GO = (("zone",), ("languages",), ("digests",), ("quiet",))


@people.command("list")
@with_database
async def list_(json: AsJson = False) -> None:
    """
    List the people with their roles and hours, who stands in for them today, and how many open orders they have.

    Example: gendan people list
    """
    held = await held_orders()
    counts = Counter(order.holder.code for order in held)
    shelf, present = library(), now()
    # The mailbox of a role that somebody fills is nobody; who has orders is somebody, though people.yaml has him not.
    listed = {person.code: person for code in shelf.people if (person := shelf.person(code)).code == code}
    listed |= {order.holder.code: order.holder for order in held if order.holder.code not in listed}
    mailboxes_last = sorted(listed.values(), key=lambda person: person.code in shelf.parties)
    rows = [_row(shelf, person, counts[person.code], present) for person in mailboxes_last]
    if json:
        print_json(rows)
        return
    cells = [{key: as_it_is(_cell(key, row[key])) for key in _TITLES} for row in rows]
    left_out = Columns(_TITLES, cells, _LEAST, _FIRST_TO_GO, frozenset({"open_orders"})).print()
    print_left_out(left_out, Language.EN)  # as the titles are


def _row(shelf: Library, person: Person, open_orders: int, present: datetime) -> dict[str, Any]:
    calendar = shelf.calendars[person.calendar]
    today = calendar.local_date(present)
    away = person.away(today)
    substitute = None
    if away is not None:
        substitute = {"code": shelf.on_duty(person, today).code, "last": away.last.isoformat()}
    quiet = person.quiet
    return {
        "code": person.code,
        "name": person.name,
        "roles": list(person.roles),
        "languages": [language.value for language in person.languages],
        "calendar": calendar.code,
        "zone": calendar.zone,
        "quiet": None if quiet.never else [f"{quiet.start:%H:%M}", f"{quiet.end:%H:%M}"],
        "digests": [f"{digest:%H:%M}" for digest in person.digests],
        "budget": person.budget,
        "substitute": substitute,
        "open_orders": open_orders,
    }


def _cell(key: str, value: Any) -> str:
    match key, value:
        case "quiet", None:
            return "none"
        case "quiet", [start, end]:
            return f"{start}-{end}"
        case "substitute", None:
            return "there"
        case "substitute", {"code": code, "last": last}:
            return f"{code} until {last}"
        case _, list():
            return ", ".join(value)
    return str(value)


@people.command("hand-over")
@with_database
async def hand_over_(
    leaving: Annotated[str, typer.Argument(help="Who has the orders, by code or name.", metavar="FROM")],
    to: Annotated[str, typer.Argument(help="Who gets them, by code or name.", metavar="TO")],
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this order; repeatable.")] = None,
    note: Note = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Hand the open orders of a merchandiser over to somebody else: all of them, or some.

    Cut short, it can be started again: what was handed over stays so, and the rest follows.

    Example: gendan people hand-over wang chan --by "Lin Hua" --note "leaves at the end of the month"
    """
    made = await plan_hand_over(leaving, to, only or ())
    moved: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for order_no in progress.track(made.orders, description="orders"):
            if await hand_over(order_no, made, by=me(by), note=note):
                moved.append(order_no)
    if json:
        print_json({"from": made.leaving.code, "to": made.to.code, "moved": moved, "there": made.there})
        return
    orders = "1 order was" if len(moved) == 1 else f"{len(moved)} orders were"
    there = f"; {len(made.there)} had been before" if made.there else ""
    out.print(
        as_it_is(
            f"{orders} handed over from {made.leaving.name} ({made.leaving.code}) to {made.to.name} "
            f"({made.to.code}){there}."
        )
    )
