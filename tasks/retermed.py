"""Moving running orders to today's library: what they are followed by, and the line in their log that says so."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import insert, select, update

from models import tables
from models.book.changes import Retermed
from models.book.order_file import OrderFile
from models.errors import Refused
from models.migration import Migration, carried_over, migration
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, notify, transaction
from tasks.library import Library, library
from tasks.logbook import row_of
from tasks.orders import assemble, read_order
from tasks.terms import Terms, find_all_terms, keep_terms


async def migrate(order_no: str, *, by: str = "", note: str = "", dry_run: bool = False) -> Migration | None:
    """
    Move an order to today's version of its template and policy, write that into its log, and wake it.

    Returns what changes, `None` where it is followed by these already; `dry_run` changes nothing. Raises UnknownOrder,
    or Refused with the reason; nothing is changed then.
    """
    async with transaction() as connection:
        row = await read_order(connection, order_no)
        orders, follow_ups = tables.orders.c, tables.follow_ups.c
        await connection.execute(select(follow_ups.order_no).where(follow_ups.order_no == order_no).with_for_update())
        was = (await connection.execute(select(orders.terms).where(orders.order_no == order_no))).scalar_one()
        file, present = await assemble(connection, row), row.clock or now()
        shelf = library()
        today, policy = _todays(shelf, file)
        made = migration(file, today, policy, shelf.usual_calendars, present)
        if made is None or dry_run:
            return made
        digest = await keep_terms(connection, made.template, made.policy)
        entry = Retermed(recorded_at=present, by=by, note=note, terms=digest, was=was)
        await connection.execute(insert(tables.entries).values(row_of(order_no, entry)))
        await connection.execute(update(tables.orders).where(orders.order_no == order_no).values(terms=digest))
        await connection.execute(update(tables.follow_ups).where(follow_ups.order_no == order_no).values(wanted=True))
        await notify(connection, WAKE_CHANNEL, order_no)
    return made


def _todays(shelf: Library, file: OrderFile) -> tuple[Template, Policy]:
    code = file.template.code
    if code not in shelf.templates:
        raise Refused(
            f"Order {file.order.order_no} keeps its template: the library has no {code} any more. It has: "
            f"{', '.join(shelf.templates)}."
        )
    return shelf.templates[code], shelf.policies[shelf.templates[code].policy]


async def outdated(template: str = "") -> list[str]:
    """
    Return the orders that are followed by other terms than the library of today would give them, by number.

    `template` narrows them down to those of one template. Asks about each kind of terms, not about each order.
    """
    orders, follow_ups = tables.orders.c, tables.follow_ups.c
    async with transaction() as connection:
        found = await connection.execute(
            select(orders.order_no, orders.terms)
            .join(tables.follow_ups, follow_ups.order_no == orders.order_no)
            .where(follow_ups.closed_as.is_(None))
            .order_by(orders.order_no)
        )
        by_terms: dict[str, list[str]] = defaultdict(list)
        for row in found:
            by_terms[row.terms].append(row.order_no)
        terms = await find_all_terms(connection, by_terms)
    shelf = library()
    behind = [
        order_nos
        for digest, order_nos in by_terms.items()
        if template in ("", terms[digest].template.code) and not _is_todays(shelf, terms[digest])
    ]
    return sorted(order_no for order_nos in behind for order_no in order_nos)


def _is_todays(shelf: Library, terms: Terms) -> bool:
    today = shelf.templates.get(terms.template.code)
    if today is None:
        return False
    try:
        template = carried_over(terms.template, today, shelf.usual_calendars)
    except ValueError:
        return False  # refused with its reason when it is tried
    return (template, shelf.policies[today.policy]) == (terms.template, terms.policy)
