"""Handing orders over: whose every open order is, and passing on those of a merchandiser who leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select

from models import tables
from models.book.agreement import agreed
from models.book.changes import HandedOver
from models.book.order_file import OrderFile
from models.errors import Refused, UnknownOrder
from models.status.standing import standing
from models.terms.party import Person
from tasks.database import transaction
from tasks.library import library
from tasks.logbook import record_entry
from tasks.marked_yaml import did_you_mean


class HeldOrder(NamedTuple):
    """An order, the person whose it is, and whether it is still open."""

    order_no: str
    holder: Person
    is_open: bool


@dataclass(frozen=True)
class HandOver:
    """What is to be handed over: `orders` by number; `there` are those of the orders named that `to` has already."""

    leaving: Person
    to: Person
    orders: tuple[str, ...]
    there: tuple[str, ...]


async def held_orders(also: Sequence[str] = ()) -> list[HeldOrder]:
    """Return the open orders by number with whose they are, and those named in `also`, be they open or not."""
    orders, entries, follow_ups = tables.orders.c, tables.entries.c, tables.follow_ups.c
    handed_over_to = (
        select(entries.body["to"].astext)
        .where(entries.order_no == orders.order_no, entries.kind == "handed_over")
        .order_by(entries.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            orders.order_no,
            orders.body["merchandiser"].astext.label("placed_with"),
            handed_over_to.label("handed_over_to"),
            follow_ups.closed_as.is_(None).label("is_open"),
        )
        .join_from(tables.orders, tables.follow_ups, follow_ups.order_no == orders.order_no)
        .where(or_(follow_ups.closed_as.is_(None), orders.order_no.in_(also)))
        .order_by(orders.order_no)
    )
    async with transaction() as connection:
        rows = (await connection.execute(query)).all()
    shelf = library()
    return [
        HeldOrder(row.order_no, shelf.holder(row.handed_over_to or row.placed_with or ""), row.is_open) for row in rows
    ]


async def plan_hand_over(leaving: str, to: str, only: Sequence[str] = ()) -> HandOver:
    """
    Return what is to be handed over from `leaving` to `to`, who are given by code or name; changes nothing.

    All open orders, or `only` those. Who leaves need not stand in people.yaml any more, as long as orders are his.
    Raises Refused for anybody unknown and for an order that is not his or not open, and UnknownOrder.
    """
    shelf = library()
    held = await held_orders(only)
    holders = {order.holder.code: order.holder for order in held if order.is_open}
    taking = shelf.find_person(to)
    if taking is None:
        raise _nobody(to, [person.code for person in shelf.people.values() if shelf.person(person.code) is person])
    leaver = shelf.find_person(leaving) or holders.get(leaving.strip())
    if leaver is None:
        raise _nobody(leaving, [*holders, *shelf.people])
    if leaver.code == taking.code:
        raise Refused(f"{leaver.name} ({leaver.code}) has these orders already; nothing was changed.")
    if not only:
        return HandOver(leaver, taking, tuple(o.order_no for o in held if o.holder.code == leaver.code), ())
    named = {order.order_no: order for order in held}
    for order_no in only:
        _can_be_handed_over(named, order_no, leaver, taking)
    wanted = [named[order_no] for order_no in dict.fromkeys(only)]
    return HandOver(
        leaver,
        taking,
        tuple(order.order_no for order in wanted if order.holder.code == leaver.code),
        tuple(order.order_no for order in wanted if order.holder.code == taking.code),
    )


async def hand_over(order_no: str, made: HandOver, *, by: str = "", note: str = "") -> bool:
    """Hand one order over, and wake it; False if it was closed or handed over since the plan was made."""

    def make(file: OrderFile, present: datetime) -> HandedOver:
        merchandiser = agreed(file.order, file.entries).merchandiser
        if library().holder(merchandiser).code != made.leaving.code or standing(file, present).state.is_over:
            raise Refused(f"Order {order_no} is not an open order of {made.leaving.code} any more.")
        return HandedOver(recorded_at=present, by=by, note=note, to=made.to.code)

    try:
        await record_entry(order_no, make)
    except Refused:
        return False
    return True


def _nobody(written: str, known: Sequence[str]) -> Refused:
    there = sorted(set(known), key=str.casefold)
    return Refused(
        f"There is no person {written!r}{did_you_mean(written, there)}. There are: {', '.join(there)}. Nothing was "
        "changed; people are named in people.yaml."
    )


def _can_be_handed_over(named: dict[str, HeldOrder], order_no: str, leaver: Person, taking: Person) -> None:
    order = named.get(order_no)
    if order is None:
        raise UnknownOrder(order_no)
    if order.holder.code == taking.code:
        return  # a run that was cut short is tried again
    if order.holder.code != leaver.code:
        raise Refused(
            f"Order {order_no} is followed by {order.holder.name} ({order.holder.code}), not by {leaver.name} "
            f"({leaver.code}); nothing was changed."
        )
    if not order.is_open:
        raise Refused(f"Order {order_no} is not open any more; only open orders are handed over. Nothing was changed.")
