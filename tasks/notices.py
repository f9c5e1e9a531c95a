"""Notices: what an order has to say is written down once, with the turns of its chases. The post tells people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, false, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.decide import Keep, Step, Tell, Turn
from tasks.database import POST_CHANNEL, notify, transaction

_notices = tables.notices.c
_chases = tables.chases.c


async def record(order_no: str, steps: Sequence[Step], now: datetime) -> int:
    """
    Write down what `steps` say at `now` in the order's own time: one transaction. Return how many notices are new.

    A notice is unique by order, milestone, rung, due version and role: whoever comes second changes nothing.
    """
    tells = [step for step in steps if isinstance(step, Tell)]
    turns = [step for step in steps if isinstance(step, Turn)]
    keeps = [step for step in steps if isinstance(step, Keep)]
    if not (tells or turns or keeps):
        return 0
    raised = 0
    async with transaction() as connection:
        if tells:
            raised = await _raise(connection, order_no, tells, now)
        if turns:
            await connection.execute(insert(tables.chases), [_turned(order_no, turn, now) for turn in turns])
        for keep in keeps:
            await _keep(connection, order_no, keep, now)
        if raised:
            await notify(connection, POST_CHANNEL, order_no)
    return raised


async def _raise(connection: AsyncConnection, order_no: str, tells: Sequence[Tell], now: datetime) -> int:
    rows = [
        {
            "order_no": order_no,
            **tell.claim._asdict(),
            "role": tell.role,
            "manner": tell.manner.value,
            "repeat": tell.repeat,
            "meant_for": tell.at or now,
            "raised_at": now,
        }
        for tell in tells
    ]
    added = await connection.execute(
        insert(tables.notices).values(rows).on_conflict_do_nothing().returning(tables.notices.c.id)
    )
    return len(added.all())


def _turned(order_no: str, turn: Turn, now: datetime) -> dict[str, Any]:
    return {"order_no": order_no, "milestone": turn.milestone, **turn.chase._asdict(), "at": now}


async def _keep(connection: AsyncConnection, order_no: str, keep: Keep, now: datetime) -> None:
    kept = [tuple(claim) for claim in sorted(keep.claims)]
    holds = tuple_(_notices.milestone, _notices.rung, _notices.due).in_(kept) if kept else false()
    await connection.execute(
        update(tables.notices)
        .where(_notices.order_no == order_no, _notices.holds != holds)
        .values(holds=~_notices.holds, ended_at=case((_notices.holds, now), else_=None), held_until=None)
    )


async def list_notices(order_no: str = "", after: int = 0) -> list[Row[Any]]:
    """Return the notices of one order or of all whose id is above `after`, in the order in which they were raised."""
    query = select(tables.notices).where(_notices.id > after).order_by(_notices.id)
    if order_no:
        query = query.where(_notices.order_no == order_no)
    async with transaction() as connection:
        return list(await connection.execute(query))
