"""Waking and resting: which orders are due, who is awake, and what was shown when they went back to wait."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, or_, select, tuple_, update

from models import tables
from models.book.order import OrderKind, OrderState
from models.book.order_file import OrderFile
from tasks.clock import now
from tasks.database import ASLEEP_CHANNEL, WAKE_CHANNEL, notify, transaction
from tasks.orders import FollowUp, assemble, follow_up_of, read_order

WORKER = "GENDAN_WORKER"
"""Set in a worker of ours to its name: what it leaves awake when it is killed, it takes up when it starts again."""

_rows = tables.follow_ups.c
_orders = tables.orders.c


@dataclass(frozen=True)
class Woken:
    """
    An order taken for waking: its run in Prefect, if it has one, and what kind of flow runs it.

    `by` is who took it; empty where it was only found.
    """

    order_no: str
    flow_run_id: UUID | None
    generation: int
    kind: OrderKind
    by: str = field(default="", compare=False)


async def take_due(limit: int, by: str) -> list[Woken]:
    """
    Take up to `limit` orders that have something new to say, and mark them awake.

    Reads by index what is due or wanted, and nothing else. Two callers never take the same order.
    """
    # As a CTE it is asked once; as a plain subquery the planner may ask it for each row, and take more than `limit`.
    due = (
        select(_rows.order_no, _orders.kind)
        .join_from(tables.follow_ups, tables.orders, _orders.order_no == _rows.order_no)
        .where(
            _rows.awake_since.is_(None),
            or_(_rows.wanted, and_(_rows.clock.is_(None), _rows.next_wake_up <= now())),
        )
        .order_by(_rows.next_wake_up.nulls_first())
        .limit(limit)
        .with_for_update(skip_locked=True, of=tables.follow_ups)
        .cte("due")
    )
    async with transaction() as connection:
        taken = await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == due.c.order_no)
            .values(awake_since=now(), awake_by=by)
            .returning(_rows.order_no, _rows.flow_run_id, _rows.generation, due.c.kind)
        )
        return [replace(_woken(row), by=by) for row in taken]


async def wake_up(order_no: str) -> tuple[OrderFile, FollowUp]:
    """
    Open an order's file at the start of a wake-up.

    What is recorded from here on sets `wanted` again: it is seen by the next wake-up, never lost.
    """
    async with transaction() as connection:
        # Before anything is read: what had set `wanted` is in what is read, its clock too.
        await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == order_no)
            .values(
                wanted=False,
                awake_since=func.coalesce(_rows.awake_since, now()),
                awake_by=os.environ.get(WORKER) or _rows.awake_by,
            )
        )
        row = await read_order(connection, order_no)
        return await assemble(connection, row), follow_up_of(row)


async def rest(
    order_no: str,
    *,
    state: OrderState,
    waits_for: str,
    next_wake_up: datetime | None,
    shown: Mapping[str, str],
    page: Mapping[str, Any],
    closed_as: OrderState | None,
) -> bool:
    """
    Write down how an order waits. If something was told meanwhile, it is woken again at once.

    Returns False, and changes nothing, where the order was handed over to another worker while this one had it.
    """
    mine = [_rows.order_no == order_no]
    if worker := os.environ.get(WORKER):
        mine.append(_rows.awake_by.in_((worker, "")))
    async with transaction() as connection:
        row = await connection.execute(
            update(tables.follow_ups)
            .where(*mine)
            .values(
                state=state.value,
                waits_for=waits_for,
                next_wake_up=next_wake_up,
                awake_since=None,
                awake_by="",
                wakes=_rows.wakes + 1,
                shown=dict(shown),
                page=dict(page),
                closed_as=closed_as.value if closed_as else None,
            )
            .returning(_rows.wanted)
        )
        wanted = row.scalar_one_or_none()
        if wanted:
            await notify(connection, WAKE_CHANNEL, order_no)
        await notify(connection, ASLEEP_CHANNEL, order_no)
        return wanted is not None


async def keep_page(order_no: str, shown: Mapping[str, str], page: Mapping[str, Any]) -> None:
    """Write down what Prefect shows of an order, in the middle of a wake-up."""
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups).where(_rows.order_no == order_no).values(shown=dict(shown), page=dict(page))
        )


async def set_run(order_no: str, flow_run_id: UUID | None, generation: int) -> None:
    """Give an order another run in Prefect; what the old one showed is to be shown anew."""
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == order_no)
            .values(flow_run_id=flow_run_id, generation=generation, shown={}, page={}, closed_as=None)
        )


async def part_with_run(order_no: str, flow_run_id: UUID | None) -> bool:
    """Take from an order a run that is over, and mark the order awake; False if somebody else was faster."""
    async with transaction() as connection:
        parted = await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == order_no, _rows.flow_run_id == flow_run_id)
            .values(flow_run_id=None, awake_since=func.coalesce(_rows.awake_since, now()), shown={}, page={})
            .returning(_rows.order_no)
        )
        return parted.first() is not None


async def leave_closed(order_no: str) -> bool:
    """Let an order rest that has ended and was left awake; False where it has not, or is to be followed again."""
    async with transaction() as connection:
        left = await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == order_no, _rows.closed_as.is_not(None), ~_rows.wanted)
            .values(awake_since=None, awake_by="")
            .returning(_rows.order_no)
        )
        return left.first() is not None


async def let_go(orders: Iterable[Woken]) -> None:
    """
    Give orders back that were taken and could not be woken; they stay wanted.

    Those that a worker has by now are left to it: it may have been asked to wake them by an earlier call.
    """
    taken = [(order.order_no, order.by) for order in orders]
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups)
            .where(tuple_(_rows.order_no, _rows.awake_by).in_(taken))
            .values(awake_since=None, awake_by="", wanted=True)
        )


async def hand_over(flow_run_id: UUID, *, to: str, of: str | None = None) -> None:
    """Write down which worker wakes the order of this run up; with `of`, only if it was that one's."""
    mine = [_rows.flow_run_id == flow_run_id, _rows.closed_as.is_(None)]
    if of is not None:
        mine.append(_rows.awake_by == of)
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups)
            .where(*mine)
            .values(awake_since=func.coalesce(_rows.awake_since, now()), awake_by=to)
        )


async def awake_too_long(limit: timedelta, by: str | None = None) -> list[Woken]:
    """Return the orders awake for longer than `limit`; with `by`, those that this worker left behind."""
    query = _select_woken().where(_rows.awake_since < now() - limit)
    if by is not None:
        query = query.where(_rows.awake_by == by)
    async with transaction() as connection:
        return [_woken(row) for row in await connection.execute(query)]


async def find_by_run(flow_run_ids: Sequence[UUID]) -> list[Woken]:
    """Return the orders that are still followed and whose runs are among these."""
    async with transaction() as connection:
        rows = await connection.execute(
            _select_woken().where(_rows.flow_run_id.in_(flow_run_ids), _rows.closed_as.is_(None))
        )
        return [_woken(row) for row in rows]


async def find_closed(flow_run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return which of these runs are of orders whose follow-up has ended, each with the badge that it ends with."""
    async with transaction() as connection:
        rows = await connection.execute(
            select(_rows.flow_run_id, _rows.waits_for).where(
                _rows.flow_run_id.in_(flow_run_ids), _rows.closed_as.is_not(None), _rows.awake_since.is_(None)
            )
        )
        return {row.flow_run_id: row.waits_for for row in rows}


async def count_followed() -> int:
    """Count the orders whose follow-up has not ended."""
    async with transaction() as connection:
        return (
            await connection.execute(
                select(func.count()).select_from(tables.follow_ups).where(_rows.closed_as.is_(None))
            )
        ).scalar_one()


async def page_of_followed(after: str, limit: int) -> list[Woken]:
    """Return up to `limit` followed orders whose number comes after `after`: for going through all of them."""
    async with transaction() as connection:
        rows = await connection.execute(
            _select_woken()
            .where(_rows.closed_as.is_(None), _rows.order_no > after)
            .order_by(_rows.order_no)
            .limit(limit)
        )
        return [_woken(row) for row in rows]


def _select_woken() -> Select[tuple[str, UUID | None, int, str]]:
    return select(_rows.order_no, _rows.flow_run_id, _rows.generation, _orders.kind).join_from(
        tables.follow_ups, tables.orders, _orders.order_no == _rows.order_no
    )


def _woken(row: Row[tuple[str, UUID | None, int, str]]) -> Woken:
    return Woken(row.order_no, row.flow_run_id, row.generation, OrderKind(row.kind))
