"""The outbox: claiming a message once, delivering it at least once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from models import tables
from models.decide import Tell
from models.errors import GendanError
from models.order_file import OrderFile
from models.standing import Standing
from notifications.channels import Channels
from notifications.facts import gather
from notifications.messages import Message, compose
from tasks.clock import now
from tasks.database import transaction
from tasks.library import library
from tasks.settings import settings

LEASE = timedelta(minutes=5)
"""For how long a message that is being sent is left alone; then its sender is taken for dead."""
FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=1)
HANDS = 4
"""How many messages are under way at a time: a channel that hangs must not hold up the others."""

_rows = tables.messages.c


@dataclass(frozen=True)
class Sending:
    """A message taken for delivery."""

    id: int
    order_no: str
    rung: str
    recipient: str
    tags: tuple[str, ...]
    attempts: int
    message: Message


async def claim(file: OrderFile, at: Standing, tell: Tell) -> int | None:
    """
    Put a message in the outbox; return its id, or `None` if somebody claimed it before.

    One row for each order, milestone, rung and due version: whoever inserts it sends it.
    """
    person = file.order.merchandiser if tell.role == "MER" else ""
    reader = person if person in library().people else tell.role
    message = compose(gather(file, at, tell, library().parties), library().languages(reader))
    async with transaction() as connection:
        added = await connection.execute(
            insert(tables.messages)
            .values(
                order_no=file.order.order_no,
                milestone=tell.claim.milestone,
                rung=tell.claim.rung,
                due=tell.claim.due,
                recipient=tell.role,
                person=person,
                claimed_at=at.now,
                subject=message.subject,
                body=message.body,
                next_attempt_at=now(),
            )
            .on_conflict_do_nothing()
            .returning(_rows.id)
        )
        return added.scalar_one_or_none()


async def take_waiting(limit: int, message_id: int | None = None) -> list[Sending]:
    """Take up to `limit` messages that are due for delivery (or just this one), each for one sender at a time."""
    query = select(_rows.id).where(_rows.delivered_at.is_(None), _rows.next_attempt_at <= now())
    if message_id is not None:
        query = query.where(_rows.id == message_id)
    # As a CTE it is asked once; as a plain subquery the planner may ask it for each row, and take more than `limit`.
    waiting = query.order_by(_rows.next_attempt_at).limit(limit).with_for_update(skip_locked=True).cte("waiting")
    async with transaction() as connection:
        rows = await connection.execute(
            update(tables.messages)
            .where(_rows.id.in_(select(waiting.c.id)))
            .values(next_attempt_at=now() + LEASE, attempts=_rows.attempts + 1)
            .returning(tables.messages)
        )
        return [_sending(row) for row in rows]


def _sending(row: Row[tuple[object, ...]]) -> Sending:
    tags = (row.person, row.recipient) if row.person else (row.recipient,)
    return Sending(row.id, row.order_no, row.rung, row.recipient, tags, row.attempts, Message(row.subject, row.body))


async def deliver(sending: Sending) -> bool:
    """
    Send one message and write down what became of it; return whether it went out.

    A channel that is down, hangs or is missing is no error here: the reason is kept with the message, and it is
    tried again with growing pauses.
    """
    try:
        await Channels.from_file(settings().channels).send(sending.message, sending.tags)
    except GendanError as failure:
        await _settle(sending.id, next_attempt_at=now() + _pause(sending.attempts), error=str(failure))
        return False
    await _settle(sending.id, delivered_at=now(), error="")
    return True


def _pause(attempts: int) -> timedelta:
    pause: timedelta = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LAST_RETRY)
    return pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret


async def _settle(message_id: int, **values: object) -> None:
    async with transaction() as connection:
        await connection.execute(update(tables.messages).where(_rows.id == message_id).values(**values))


async def deliver_waiting(limit: int) -> tuple[int, int]:
    """Deliver what the outbox still holds, at most `limit`; return how many went out and how many did not."""
    outcome: list[bool] = []
    taken = 0

    async def take() -> list[Sending]:
        nonlocal taken
        taken += 1  # before the query: other hands take meanwhile
        return await take_waiting(1) if taken <= limit else []

    async def hand(sendings: list[Sending]) -> None:
        # One at a time: a message that waits for slow ones before it would outlive its lease and be sent twice.
        while sendings:
            outcome.extend([await deliver(sending) for sending in sendings])
            sendings = await take()

    if first := await take():  # with nothing to deliver, this one query is all
        others = [await take() for _ in range(HANDS - 1)]
        await asyncio.gather(*(hand(sendings) for sendings in (first, *others)))
    return outcome.count(True), outcome.count(False)


async def list_messages(
    *, order_no: str = "", undelivered: bool = False, failed: bool = False, limit: int = 200
) -> list[Row[tuple[object, ...]]]:
    """Return messages, newest first: all, those not delivered yet, or those whose last attempt failed."""
    query = select(tables.messages).order_by(_rows.id.desc()).limit(limit)
    if order_no:
        query = query.where(_rows.order_no == order_no)
    if undelivered:
        query = query.where(_rows.delivered_at.is_(None))
    if failed:
        query = query.where(_rows.delivered_at.is_(None), _rows.error != "")
    async with transaction() as connection:
        return list(await connection.execute(query))


async def count_messages(since: datetime | None = None) -> dict[str, int]:
    """Count the claimed messages per rung."""
    query = select(_rows.rung, func.count().label("number")).group_by(_rows.rung)
    if since is not None:
        query = query.where(_rows.claimed_at >= since)
    async with transaction() as connection:
        return {row.rung: row.number for row in await connection.execute(query)}
