"""The messages and their deliveries as people ask for them; and what is held until somebody's hours."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, and_, case, func, or_, select

from models import tables
from models.errors import Refused
from tasks.clock import now
from tasks.database import transaction

_messages = tables.messages.c
_deliveries = tables.deliveries.c
_notices = tables.notices.c


async def list_messages(
    *,
    order_no: str = "",
    person: str = "",
    kind: str = "",
    undelivered: bool = False,
    failed: bool = False,
    dead: bool = False,
    limit: int = 200,
) -> list[Row[Any]]:
    """
    Return messages, newest first, each with its `state`, `attempts` and `next_attempt_at`.

    `order_no` finds the digests too that tell of the order. `failed` are those that some address did not take at the
    last attempt, or nobody could be found for, dead letters among them; `dead` are the dead letters alone.
    """
    query = _listed().order_by(_messages.id.desc()).limit(limit)
    if order_no:
        told = (
            select(tables.message_notices.c.message_id)
            .join(tables.notices, _notices.id == tables.message_notices.c.notice_id)
            .where(_notices.order_no == order_no)
        )
        query = query.where(or_(_messages.order_no == order_no, _messages.id.in_(told)))
    if person:
        query = query.where(func.lower(_messages.person) == person.lower())
    if kind:
        query = query.where(_messages.kind == kind)
    if undelivered:
        query = query.where(_messages.delivered_at.is_(None))
    if failed:
        query = query.where(_messages.error != "")
    if dead:
        died = select(_deliveries.message_id).where(_deliveries.dead_at.is_not(None))
        query = query.where(or_(_messages.dead_at.is_not(None), _messages.id.in_(died)))
    async with transaction() as connection:
        return list(await connection.execute(query))


def _listed() -> Select[Any]:
    its = _deliveries.message_id == _messages.id
    alive = and_(_deliveries.delivered_at.is_(None), _deliveries.dead_at.is_(None))
    return select(
        tables.messages,
        case(
            (_messages.delivered_at.is_not(None), "delivered"),
            (_messages.dead_at.is_not(None), "dead"),
            (_messages.error != "", "failed"),
            else_="waiting",
        ).label("state"),
        select(func.coalesce(func.max(_deliveries.attempts), 0)).where(its).scalar_subquery().label("attempts"),
        select(func.min(_deliveries.next_attempt_at)).where(its, alive).scalar_subquery().label("next_attempt_at"),
    )


async def find_message(message_id: int) -> tuple[Row[Any], list[Row[Any]]]:
    """Return a message as `list_messages` does, and its deliveries; raises Refused where there is none."""
    async with transaction() as connection:
        found = (await connection.execute(_listed().where(_messages.id == message_id))).one_or_none()
        if found is None:
            raise Refused(f"There is no message {message_id}. See `gendan messages list`.")
        deliveries = await connection.execute(
            select(tables.deliveries).where(_deliveries.message_id == message_id).order_by(_deliveries.id)
        )
        return found, list(deliveries)


async def list_held(*, order_no: str = "", limit: int = 200) -> list[Row[Any]]:
    """Return the notices that wait for somebody's hours, and until when: the next to be told first."""
    query = (
        select(
            _notices.order_no, _notices.milestone, _notices.rung, _notices.role, _notices.raised_at,
            _notices.held_until,
        )
        .where(_notices.holds, _notices.told == 0, _notices.held_until > now())
        .order_by(_notices.held_until, _notices.id)
        .limit(limit)
    )  # fmt: skip
    if order_no:
        query = query.where(_notices.order_no == order_no)
    async with transaction() as connection:
        return list(await connection.execute(query))
