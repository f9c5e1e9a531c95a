"""Lots in the order book: telling of a split, taking its lots in, and how all of them were delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.accepting.intake import Asked
from models.book.changes import Lot, Split
from models.book.order import Etd, OrderState
from models.book.order_file import OrderFile
from models.errors import DuplicateOrder, UnknownOrder
from models.lots import Delivery, Shipped, delivery, order_of_lot, passed_on, shipped
from models.status.standing import Standing, standing
from tasks.choosing import template_for
from tasks.database import transaction
from tasks.library import library
from tasks.logbook import Recorded, record_entry, row_of
from tasks.orders import add_order, open_file
from tasks.terms import Terms


async def record_split(order_no: str, make: Callable[[OrderFile, datetime], Split]) -> Recorded:
    """
    Record that an order leaves in lots; its flow takes them in (`open_lots`).

    Raises UnknownOrder, NoTemplateFits, Refused; nothing is recorded then.
    """

    def checked(file: OrderFile, now: datetime) -> Split:
        split = make(file, now)
        for lot in split.lots:
            terms_of_lot(file, lot)
        return split

    return await record_entry(order_no, checked)


def terms_of_lot(file: OrderFile, lot: Lot) -> Terms:
    """
    Return what a lot is followed by: the terms of its order, or those of the template that it names.

    It is followed as deep as its order, where its own template goes that far. Raises NoTemplateFits.
    """
    if not lot.template:
        return Terms(file.template, file.policy)
    shelf = library()
    asked = Asked(lot.template, lead_days=None, customer=file.order.customer, kind=file.order.kind)
    template = template_for(shelf, asked)
    if file.template.follow_to in template.by_code:
        template = template.followed_to(file.template.follow_to)
    return Terms(template, shelf.policies[template.policy])


async def open_lots(file: OrderFile) -> list[str]:
    """
    Take in the lots of an order that was split, each with what it inherits; return the numbers of the new ones.

    A lot is taken in by one transaction, with the virtual clock of its order if that has one, and is wanted at once.
    One that is there already is left alone. Raises DuplicateOrder, once all others are in, where a lot's number was
    taken by another order since the split.
    """
    split = _split_of(file)
    opened: list[str] = []
    taken: list[str] = []
    for lot in split.lots if split is not None else ():
        assert split is not None
        async with transaction() as connection:
            if await _take_in(connection, file, split, lot):
                opened.append(lot.order_no)
            elif await _parent_of(connection, lot.order_no) != file.order.order_no:
                taken.append(lot.order_no)
    if taken:
        raise DuplicateOrder(taken[0])
    return opened


async def _take_in(connection: AsyncConnection, file: OrderFile, split: Split, lot: Lot) -> bool:
    terms = terms_of_lot(file, lot)
    order = order_of_lot(file, lot, split.recorded_at)
    found = await connection.execute(
        select(tables.follow_ups.c.clock).where(tables.follow_ups.c.order_no == file.order.order_no)
    )
    clock = found.scalar_one()
    if not await add_order(connection, order, terms.template, terms.policy, clock=clock, wake=True):
        return False
    # As they were recorded for the whole order: what a lot knows is no news.
    rows = [row_of(order.order_no, entry) for entry in passed_on(file, split, lot, terms.template)]
    if rows:
        await connection.execute(insert(tables.entries).values(rows))
    return True


async def _parent_of(connection: AsyncConnection, order_no: str) -> str | None:
    found = await connection.execute(select(tables.orders.c.parent).where(tables.orders.c.order_no == order_no))
    parent: str | None = found.scalar_one()
    return parent


def _split_of(file: OrderFile) -> Split | None:
    return next((entry for entry in reversed(file.entries) if isinstance(entry, Split)), None)


@dataclass(frozen=True)
class LotLine:
    """One lot of an order: `state` is `None` until its flow has taken it in, `departed_at` until it left."""

    order_no: str
    quantity: float
    etd: Etd | None
    state: OrderState | None
    departed_at: datetime | None


@dataclass(frozen=True)
class Delivered:
    """
    How an order was delivered, and its lots; none where it leaves as a whole.

    `delivery` is `None` while there is no ETD to judge by, and where everything was cancelled.
    """

    lots: tuple[LotLine, ...]
    delivery: Delivery | None


async def delivery_of(order_no: str) -> Delivered:
    """
    Return the lots of an order, those of a lot in its place, and whether all left on time and in full.

    A lot that was cancelled is no late one, but what it held is missing. Raises UnknownOrder.
    """
    file, follow_up = await open_file(order_no)
    at = standing(file, follow_up.now)
    is_split = at.state is OrderState.SPLIT
    found = await _lots_of(file) if is_split else [_line(file, at)]
    leaving = [shipment for line, shipment in found if shipment is not None and line.state is not OrderState.CANCELLED]
    judged = (
        delivery(at.agreed.quantity, at.etd, leaving, at.agreed.allowed, file.calendar)
        if leaving and at.etd is not None
        else None
    )
    return Delivered(tuple(line for line, _ in found) if is_split else (), judged)


async def _lots_of(file: OrderFile) -> list[tuple[LotLine, Shipped | None]]:
    split = _split_of(file)
    found: list[tuple[LotLine, Shipped | None]] = []
    for lot in split.lots if split is not None else ():
        try:
            own, follow_up = await open_file(lot.order_no)
        except UnknownOrder:
            line = LotLine(lot.order_no, lot.quantity, lot.etd, None, None)
            found.append((line, Shipped(lot.quantity, lot.etd, None)))
            continue
        at = standing(own, follow_up.now)
        found += await _lots_of(own) if at.state is OrderState.SPLIT else [_line(own, at)]
    return found


def _line(file: OrderFile, at: Standing) -> tuple[LotLine, Shipped | None]:
    line = LotLine(file.order.order_no, at.agreed.quantity or 0.0, at.etd, at.state, at.departed_at)
    return line, shipped(at, file.template.departure)
