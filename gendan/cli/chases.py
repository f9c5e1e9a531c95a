"""`gendan chases`: who is chased for what, and every turn that a chase took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text
from sqlalchemy import Row, and_, func, or_, select

from gendan.cli.app import MOST_LISTED, AsJson, app, as_it_is, err, print_json, with_database
from gendan.cli.columns import Columns
from gendan.cli.plan import print_left_out
from models import tables
from models.book.order_file import ChaseState
from models.errors import Refused
from models.names import Language
from tasks.database import transaction

chases = typer.Typer(name="chases", help="Who is chased for what.", no_args_is_help=True)
app.add_typer(chases)

_OPEN = (ChaseState.TRIGGERED, ChaseState.ACKNOWLEDGED, ChaseState.PROMISED)
_LISTED = {
    "order_no": "Order",
    "milestone": "Step",
    "chased": "Chased",
    "state": "State",
    "rung": "Rung",
    "by": "By",
    "at": "Since",
    "until": "Until",
}
_HISTORY = {"at": "When", "state": "State", "rung": "Rung", "by": "By", "why": "Why", "until": "Until"}
_LEAST = {"chased": 6, "by": 6, "why": 8}
_FIRST_TO_GO = (("by",), ("at",))

_turns = tables.chases.c
_notices = tables.notices.c


@chases.command("list")
@with_database
async def list_(
    order: Annotated[str, typer.Option("--order", help="Only of this order.")] = "",
    person: Annotated[str, typer.Option("--person", help="Only where this role or person is chased.")] = "",
    state: Annotated[list[ChaseState] | None, typer.Option("--state", help="Only in this state; repeatable.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also what is resolved or suppressed.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_LISTED, help="At most so many.")] = 1000,
    json: AsJson = False,
) -> None:
    """
    List who is chased for what, and where it stands: the longest in its state first.

    Example: gendan chases list --person MER --state acknowledged
    """
    states = tuple(state or (ChaseState if all_ else _OPEN))
    rows = await _stand(order, person, states, limit)
    if json:
        print_json([dict(row._mapping) for row in rows])
        return
    _print(_LISTED, [dict(row._mapping) for row in rows], _FIRST_TO_GO)
    if len(rows) == limit:
        err.print(f"Only the first {limit}; see --limit.")


@chases.command()
@with_database
async def history(
    order: Annotated[str, typer.Argument(help="The order number.", metavar="ORDER")],
    step: Annotated[str, typer.Argument(help="The milestone's code, such as FAB_IN.", metavar="STEP")],
    json: AsJson = False,
) -> None:
    """
    Show every turn that the chase of a step took, with who and when.

    Example: gendan chases history SO-26-0417 FAB_IN
    """
    query = select(tables.chases).where(_turns.order_no == order, _turns.milestone == step).order_by(_turns.id)
    async with transaction() as connection:
        rows = list(await connection.execute(query))
    if not rows:
        raise Refused(f"{step!r} of order {order!r} was never chased. See `gendan chases list --all --order {order}`.")
    turns = [dict(row._mapping) for row in rows]
    if json:
        print_json(turns)
        return
    _print(_HISTORY, turns, ())


async def _stand(order: str, person: str, states: Sequence[ChaseState], limit: int) -> list[Row[Any]]:
    """Return the last turn of each chase that is in one of `states`, with the roles and people it is told to."""
    # Narrowed down by order within: what comes after looks at the last turns alone.
    turns = select(tables.chases).distinct(_turns.order_no, _turns.milestone)
    if order:
        turns = turns.where(_turns.order_no == order)
    last = turns.order_by(_turns.order_no, _turns.milestone, _turns.id.desc()).subquery().c
    its = and_(_notices.order_no == last.order_no, _notices.milestone == last.milestone)
    roles = func.array_agg(_notices.role.distinct())
    chased = select(func.coalesce(roles.filter(_notices.holds), roles, [])).where(its).scalar_subquery()
    query = (
        select(
            last.order_no, last.milestone, chased.label("chased"), last.state, last.rung, last.by, last.why, last.at,
            last.until,
        )
        .where(last.state.in_([state.value for state in states]))
        .order_by(last.at, last.order_no, last.milestone)
        .limit(limit)
    )  # fmt: skip
    if person:
        told = (
            select(_notices.id)
            .outerjoin(tables.message_notices, tables.message_notices.c.notice_id == _notices.id)
            .outerjoin(tables.messages, tables.messages.c.id == tables.message_notices.c.message_id)
            .where(
                its,
                or_(
                    func.lower(_notices.role) == person.lower(),
                    func.lower(tables.messages.c.person) == person.lower(),
                ),
            )
        )
        query = query.where(told.exists())
    async with transaction() as connection:
        return list(await connection.execute(query))


def _print(titles: Mapping[str, str], rows: list[dict[str, Any]], first_to_go: Sequence[Sequence[str]]) -> None:
    cells = [{key: _cell(row[key]) for key in titles} for row in rows]
    print_left_out(Columns(titles, cells, _LEAST, first_to_go).print(), Language.EN)  # as the titles are


def _cell(value: object) -> Text:
    if isinstance(value, datetime):
        return as_it_is(f"{value.astimezone():%d %b %Y %H:%M %Z}")
    if isinstance(value, list):
        return as_it_is(", ".join(value))
    return as_it_is(str(value or ""))
