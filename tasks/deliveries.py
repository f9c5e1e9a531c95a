"""
Deliveries: each message on its way to each address, at the pace that the address bears, until it took it.

Whoever touches several tables locks them in this order: channels, messages, deliveries.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from models import tables
from models.errors import AnotherRelease, NoChannel, Unavailable
from notifications.answer import Answer, Outcome
from notifications.channels import Address, Channels
from notifications.message import Message
from tasks.clock import now
from tasks.database import POST_CHANNEL, notify, transaction
from tasks.settings import settings

LEASE = timedelta(minutes=2)
"""
For how long a delivery that is under way is left alone; then its sender is taken for dead.

A message waits up to a minute for those before it at its address, and has PATIENCE from then on.
"""
PATIENCE = 20.0
"""Seconds that an address has to take a message."""
HANDS = 8
"""How many addresses are sent to at a time."""
HANDS_OF_A_KIND = 4
"""How many of those may be of one schema: all mail goes through one server; where that hangs, every address does."""
MINUTE = timedelta(minutes=1)
"""What the pace of a channel is counted by."""
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(minutes=30)
"""The pauses of a delivery that did not go out: they double from the first to the last."""
FIRST_REST, LAST_REST = timedelta(seconds=15), timedelta(minutes=5)
"""For how long an address that failed is left alone: others are not to find out one by one that it hangs."""
FIRST_THROTTLE, LAST_THROTTLE = timedelta(minutes=1), timedelta(minutes=10)
"""The same where it said that it gets too much."""
TRIES = 3
"""So often in a row an address may refuse a message; and so often each is tried, however old the message is."""
TOO_LATE = timedelta(hours=72)
"""After that, since it was made, a message is given up where it still fails."""
FALL_BACK_AFTER = 2
"""After so many failures the next addresses of the route are tried as well."""

_Lines = Sequence[Sequence[Sequence[Address]]]
_LOOK_AGAIN = 0.5
"""Seconds after which those who wait for a slow address see what else is due."""
_LAST_WORDS = 5.0
"""Seconds that are left to what is under way when its sender is to stop: rather noted than sent twice."""

_messages = tables.messages.c
_deliveries = tables.deliveries.c
_channels = tables.channels.c
_notices = tables.notices.c

_alive = and_(_deliveries.delivered_at.is_(None), _deliveries.dead_at.is_(None))
_open = and_(_messages.delivered_at.is_(None), _messages.dead_at.is_(None))
_unrouted = and_(_open, ~select(_deliveries.id).where(_deliveries.message_id == _messages.id).exists())


@dataclass(frozen=True)
class Sending:
    """
    A delivery that was taken. `attempts` counts this one; `parts` are those that the address has not taken yet.

    `refused` says that its last answer was a refusal.
    """

    id: int
    message_id: int
    channel: str
    schema: str
    attempts: int
    parts: int
    refused: bool
    made_at: datetime
    tags: tuple[str, ...]
    message: Message


# --- where a message goes


async def route_waiting(limit: int) -> int:
    """
    Give the messages that have no address yet those of the first group of their route; return how many were given.

    Where there is no address the message says what to do about it, and is looked at again the next time. Those do not
    count: however many they are, they keep nobody else's message waiting.
    """
    async with transaction() as connection:
        found = await connection.execute(select(_messages.tags).where(_unrouted).distinct())
        waiting = [tuple(row.tags) for row in found]
        if not waiting:
            return 0
        channels = _channels_file()
        lines: dict[tuple[str, ...], _Lines] = {}
        for tags in waiting:
            try:
                lines[tags] = _lines(channels, tags)
            except NoChannel as trouble:
                await connection.execute(
                    update(tables.messages)
                    .where(_unrouted, _messages.tags == list(tags), _messages.error != str(trouble))
                    .values(error=str(trouble))
                )
        if not lines:
            return 0
        which = or_(*(_messages.tags == list(tags) for tags in lines))
        rows = await connection.execute(
            select(tables.messages).where(_unrouted, which).order_by(_messages.id).limit(limit)
        )
        routed = rows.all()
        present = now()
        await _address(
            connection,
            [
                _row(channels, row.id, _message(row), address, 0, present)
                for row in routed
                for address in _first(lines[tuple(row.tags)])
            ],
        )
        await connection.execute(
            update(tables.messages)
            .where(_messages.id.in_([row.id for row in routed]), _messages.error != "")
            .values(error="")
        )
        return len(routed)


def _channels_file() -> Channels:
    return Channels.from_file(settings().channels)


def _lines(channels: Channels, tags: Sequence[str]) -> _Lines:
    """Return the ways of a message, each in groups: the reader's own, and that of those who hear everything."""
    return [channels.route(tags), channels.always()]


def _first(lines: _Lines) -> list[Address]:
    return list({address.id: address for line in lines for group in line[:1] for address in group}.values())


def _next(lines: _Lines, channel: str) -> list[tuple[int, Address]]:
    """Return the addresses to be tried where `channel` fails, with their rank."""
    return [
        (rank, address)
        for line in lines
        for rank, (group, after) in enumerate(pairwise(line), start=1)
        if channel in {each.id for each in group}
        for address in after
    ]


def _row(
    channels: Channels, message_id: int, message: Message, address: Address, rank: int, present: datetime
) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "channel": address.id,
        "schema": address.schema,
        "rank": rank,
        "parts": channels.parts(address.id, message),
        "next_attempt_at": present,
    }


async def _address(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put deliveries in; those that are there already stay as they are."""
    if rows:
        # in one order: two who put the same channels in are not to wait for each other
        known = [{"channel": channel} for channel in sorted({row["channel"] for row in rows})]
        await connection.execute(insert(tables.channels).on_conflict_do_nothing(), known)
        await connection.execute(insert(tables.deliveries).on_conflict_do_nothing(), list(rows))


# --- taking


async def take(limit: int, besides: Collection[str] = (), besides_schemas: Collection[str] = ()) -> list[Sending]:
    """
    Take what is due, at most `limit` and one for each channel, the oldest first; each is this sender's for LEASE.

    Channels that rest, that are at the end of their pace, and those named in `besides` or by their schema are left
    out. Two queries, however many channels there are; one where nothing is due.
    """
    present = now()
    pace = _pace(_channels_file())
    async with transaction() as connection:
        first = _due(
            present,
            pace,
            and_(_deliveries.channel.not_in(list(besides)), _deliveries.schema.not_in(list(besides_schemas))),
        )
        # Locked: whoever else takes for a channel counts its pace only after this one was counted.
        locked = await connection.execute(
            select(_channels.channel)
            .join(first, first.c.channel == _channels.channel)
            .order_by(first.c.next_attempt_at, first.c.id)
            .limit(limit)
            .with_for_update(of=tables.channels, skip_locked=True)
        )
        ours = list(locked.scalars())
        if not ours:
            return []
        # Asked again behind the lock: what the first query saw may be older than it.
        due = _due(present, pace, _deliveries.channel.in_(ours))
        taken = await connection.execute(
            update(tables.deliveries)
            .where(_deliveries.id == due.c.id, _messages.id == _deliveries.message_id)
            .values(next_attempt_at=present + LEASE, attempted_at=present, attempts=_deliveries.attempts + 1, error="")
            .returning(
                tables.messages,
                _deliveries.id.label("delivery_id"),
                _deliveries.channel,
                _deliveries.schema,
                _deliveries.attempts,
                _deliveries.parts,
                due.c.error.label("before"),
                due.c.next_attempt_at.label("due"),
            )
        )
        return [_sending(row) for row in sorted(taken, key=lambda row: (row.due, row.delivery_id))]


def _due(present: datetime, pace: Mapping[str, int], which: ColumnElement[bool]) -> CTE:
    """Select the oldest due delivery of each channel that may be sent to now."""
    first = (
        select(_deliveries.id, _deliveries.channel, _deliveries.next_attempt_at, _deliveries.parts, _deliveries.error)
        .join(tables.channels, _channels.channel == _deliveries.channel)
        .where(_alive, _deliveries.next_attempt_at <= present, which)
        .where(or_(_channels.paused_until.is_(None), _channels.paused_until <= present))
        .distinct(_deliveries.channel)
        .order_by(_deliveries.channel, _deliveries.next_attempt_at, _deliveries.id)
        .cte("first")
    )
    if not pace:
        return first
    other = tables.deliveries.alias("other")
    used = (
        select(func.coalesce(func.sum(other.c.parts), 0))
        .where(other.c.channel == first.c.channel, other.c.attempted_at > present - MINUTE)
        .scalar_subquery()
    )
    most = case(dict(pace), value=first.c.channel, else_=None)
    # What is longer than a minute's pace goes when nothing else did: it would never go otherwise.
    fits = or_(most.is_(None), used == 0, used + first.c.parts <= most)
    return select(first).where(fits).cte("fitting")


@lru_cache(maxsize=1)
def _pace(channels: Channels) -> dict[str, int]:
    """Return how many parts a minute each address takes that states a limit."""
    addresses = (address for tag in channels.tags for group in channels.route([tag]) for address in group)
    return {address.id: address.per_minute for address in addresses if address.per_minute is not None}


def _sending(row: Row[Any]) -> Sending:
    refused = row.before.startswith(Outcome.REFUSED.value)
    return Sending(
        id=row.delivery_id,
        message_id=row.id,
        channel=row.channel,
        schema=row.schema,
        attempts=row.attempts,
        parts=row.parts,
        refused=refused,
        made_at=row.made_at,
        tags=tuple(row.tags),
        message=_message(row),
    )


def _message(row: Row[Any]) -> Message:
    return Message(subject=row.subject, body=row.body, short=row.short, html=row.html, thread=row.thread)


# --- delivering


async def deliver(sending: Sending) -> bool:
    """
    Send one message to one address and write down what became of it; return whether it went out.

    An address that is down, hangs or is gone is no error here: the reason is kept, and it is tried again, or another
    one is. A database that goes away meanwhile is waited for: what went out and is not noted goes out again.
    """
    channels = _channels_file()
    try:
        lines = _lines(channels, sending.tags)
    except NoChannel as trouble:
        # Somebody is at the file just now, or the last address was taken out of it: it waits for another.
        await _settle(sending, Answer(Outcome.FAILED, str(trouble)), 0, channels, [], now())
        return False
    if not any(address.id == sending.channel for line in lines for group in line for address in group):
        await _send_elsewhere(sending, channels, _first(lines))
        return False
    skip = max(0, channels.parts(sending.channel, sending.message) - sending.parts)
    begun = now()
    answer = await channels.post(sending.channel, sending.message, seconds=PATIENCE, skip=skip)
    while True:
        try:
            await _settle(sending, answer, max(0, answer.parts - skip), channels, lines, begun)
            return answer.outcome is Outcome.TAKEN
        except AnotherRelease:
            raise
        except Unavailable:
            await asyncio.sleep(_LOOK_AGAIN)


async def _send_elsewhere(sending: Sending, channels: Channels, addresses: Iterable[Address]) -> None:
    """Let an address go that is no longer the reader's, and give the message those that are."""
    present = now()
    async with transaction() as connection:
        await _lock_message(connection, sending.message_id)
        await connection.execute(
            delete(tables.deliveries).where(_deliveries.id == sending.id, _deliveries.delivered_at.is_(None))
        )
        rows = [_row(channels, sending.message_id, sending.message, each, 0, present) for each in addresses]
        await _address(connection, rows)
        await _settle_message(connection, sending.message_id, present)


async def _settle(
    sending: Sending, answer: Answer, taken: int, channels: Channels, lines: _Lines, begun: datetime
) -> None:
    """Write down what an address answered that was sent to from `begun` on; `taken` counts the parts it took then."""
    present = now()
    async with transaction() as connection:
        values: dict[str, Any]
        if answer.outcome is Outcome.TAKEN:
            recovered = await _recovers(connection, sending.channel)
            values = {"delivered_at": present, "next_attempt_at": None, "error": ""}
        else:
            recovered = False
            # `parts` becomes what is left, and no longer counts what went out just now: its minute is to be over first.
            least = MINUTE if taken and sending.channel in _pace(channels) else timedelta()
            rest = await _rest(connection, sending.channel, answer, least, begun, present)
            values = {"parts": sending.parts - taken, **_outcome(sending, answer, rest, present)}
        await _lock_message(connection, sending.message_id)
        await connection.execute(
            update(tables.deliveries)
            .where(_deliveries.id == sending.id, _deliveries.delivered_at.is_(None))
            .values(attempted_at=present, **values)
        )
        if recovered:
            await _hurry(connection, sending.channel, present)
        failed = answer.outcome is Outcome.FAILED and sending.attempts >= FALL_BACK_AFTER
        if failed or answer.outcome is Outcome.REFUSED:
            rows = [
                _row(channels, sending.message_id, sending.message, address, rank, present)
                for rank, address in _next(lines, sending.channel)
            ]
            await _address(connection, rows)
        await _settle_message(connection, sending.message_id, present)


def _outcome(sending: Sending, answer: Answer, rest: timedelta, present: datetime) -> dict[str, Any]:
    """Return what becomes of a delivery that did not go out; `rest` is for how long its channel is left alone."""
    error = f"{answer.outcome.value}: {answer.why}"
    if answer.outcome is Outcome.THROTTLED:
        # The message is not to blame, so the attempt does not count.
        return {"attempts": sending.attempts - 1, "next_attempt_at": present + rest, "error": error}
    # What was refused after it had failed for an hour is refused for the first time.
    again = answer.outcome is Outcome.FAILED or sending.refused
    attempts = sending.attempts if again else 1
    if attempts >= TRIES:
        if answer.outcome is Outcome.REFUSED:
            return {"dead_at": present, "next_attempt_at": None, "attempts": attempts, "error": error}
        if present - sending.made_at >= TOO_LATE:
            error = f"{error}; given up after {TOO_LATE // timedelta(hours=1)} hours"
            return {"dead_at": present, "next_attempt_at": None, "attempts": attempts, "error": error}
    pause = _doubled(FIRST_RETRY, attempts, LAST_RETRY) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
    return {"attempts": attempts, "next_attempt_at": present + max(pause, rest), "error": error}


def _doubled(first: timedelta, times: int, last: timedelta) -> timedelta:
    doubled: timedelta = min(first * 2 ** min(times - 1, 20), last)
    return doubled


async def _rest(
    connection: AsyncConnection, channel: str, answer: Answer, least: timedelta, begun: datetime, present: datetime
) -> timedelta:
    """
    Leave a channel alone that did not take something, longer each time it fails; return for how long.

    What several senders find out at a time is one failure: it came to rest after they had `begun`.
    """
    here = _channels.channel == channel
    locked = await connection.execute(select(_channels.failures, _channels.paused_until).where(here).with_for_update())
    failures, paused_until = locked.one()
    rest = max(least, timedelta(seconds=answer.wait))
    if answer.outcome is not Outcome.REFUSED:
        if failures == 0 or paused_until is None or paused_until <= begun:
            failures += 1
        throttled = answer.outcome is Outcome.THROTTLED
        first, last = (FIRST_THROTTLE, LAST_THROTTLE) if throttled else (FIRST_REST, LAST_REST)
        rest = max(rest, _doubled(first, failures, last))
    await connection.execute(
        update(tables.channels)
        .where(here)
        .values(failures=failures, paused_until=func.greatest(_channels.paused_until, present + rest))
    )
    return rest


async def _recovers(connection: AsyncConnection, channel: str) -> bool:
    """Forget the failures of a channel that took something; return whether there were any."""
    forgotten = await connection.execute(
        update(tables.channels).where(_channels.channel == channel, _channels.failures > 0).values(failures=0)
    )
    return forgotten.rowcount > 0


async def _hurry(connection: AsyncConnection, channel: str, present: datetime) -> None:
    """Have all that failed at a channel sent now that it takes something: it need not wait out its pauses."""
    failed = _deliveries.error.startswith(Outcome.FAILED.value)
    await connection.execute(
        update(tables.deliveries)
        .where(_alive, failed, _deliveries.channel == channel, _deliveries.next_attempt_at > present)
        .values(next_attempt_at=present)
    )


async def _lock_message(connection: AsyncConnection, message_id: int) -> None:
    """Have the addresses of a message settled one after the other: each must see what became of the others."""
    # Not the key: those who put a delivery in meanwhile only need that to stay.
    await connection.execute(select(_messages.id).where(_messages.id == message_id).with_for_update(key_share=True))


async def _settle_message(connection: AsyncConnection, message_id: int, present: datetime) -> None:
    """Write down what became of a message by what became of its deliveries."""
    found = await connection.execute(
        select(tables.deliveries).where(_deliveries.message_id == message_id).order_by(_deliveries.id)
    )
    rows = found.all()
    alive = any(row.delivered_at is None and row.dead_at is None for row in rows)
    delivered = any(row.delivered_at is not None for row in rows)
    failing = [row for row in rows if row.delivered_at is None and row.error]
    values: dict[str, Any] = {"error": "; ".join(f"{row.schema}:// {row.error}" for row in failing)}
    if rows and not alive and delivered:
        values |= {"delivered_at": func.coalesce(_messages.delivered_at, present), "dead_at": None}
    elif rows and not alive:
        values["dead_at"] = present
    await connection.execute(update(tables.messages).where(_messages.id == message_id).values(**values))


async def deliver_waiting(limit: int) -> tuple[int, int]:
    """
    Deliver what is due, at most `limit`; return how many went out and how many did not.

    HANDS addresses are sent to at a time, each by one sender. While a slow one is waited for, what comes in for
    others goes out; it may take as long as the slowest address.
    """
    outcome: list[bool] = []
    under_way: dict[asyncio.Task[bool], Sending] = {}
    await route_waiting(limit)
    looked = time.monotonic()
    try:
        while True:
            while len(under_way) < HANDS and len(outcome) + len(under_way) < limit:
                sending = await _take_one(under_way.values())
                if sending is None:
                    break
                under_way[asyncio.create_task(deliver(sending))] = sending
            if not under_way:
                return outcome.count(True), outcome.count(False)
            done, _ = await asyncio.wait(under_way, timeout=_LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del under_way[task]
                outcome.append(task.result())
            if time.monotonic() - looked >= _LOOK_AGAIN:
                await route_waiting(limit)
                looked = time.monotonic()
    except Unavailable:
        # Whoever is still sending waits for the database too, to note what went out.
        if under_way:
            await asyncio.wait(under_way)
        raise
    finally:
        await _let_finish(under_way)


async def _take_one(under_way: Collection[Sending]) -> Sending | None:
    """Take what is to be sent beside what is under way."""
    kinds = Counter(sending.schema for sending in under_way)
    full = [schema for schema, hands in kinds.items() if hands >= HANDS_OF_A_KIND]
    taken = await take(1, [sending.channel for sending in under_way], full)
    return taken[0] if taken else None


async def _let_finish(under_way: Collection[asyncio.Task[bool]]) -> None:
    """Wait a little for those who are still sending, when something else went wrong or all is to stop."""
    if under_way:
        await asyncio.wait(under_way, timeout=_LAST_WORDS)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


# --- dead letters


async def retry(message_ids: Sequence[int] | None = None) -> int:
    """
    Bring dead letters back to life, all or those of some messages with what failed there; return how many messages.

    They are due at once, and their channels rest no longer. Who took the message already does not get it again, and
    what is being sent right now is left alone.
    """
    present = now()
    undelivered = _deliveries.delivered_at.is_(None)
    if message_ids is None:
        which = and_(undelivered, _deliveries.dead_at.is_not(None))
    else:
        # what is under way has no error
        failed = or_(_deliveries.dead_at.is_not(None), _deliveries.error != "")
        which = and_(undelivered, failed, _deliveries.message_id.in_(list(message_ids)))
    async with transaction() as connection:
        channels = select(_deliveries.channel).where(which)
        await connection.execute(
            select(_channels.channel)
            .where(_channels.channel.in_(channels))
            .order_by(_channels.channel)
            .with_for_update()
        )
        await connection.execute(
            update(tables.channels).where(_channels.channel.in_(channels)).values(failures=0, paused_until=None)
        )
        await connection.execute(
            update(tables.messages)
            .where(_messages.id.in_(select(_deliveries.message_id).where(which)))
            .values(dead_at=None)
        )
        revived = await connection.execute(
            update(tables.deliveries)
            .where(which)
            .values(dead_at=None, attempts=0, next_attempt_at=present)
            .returning(_deliveries.message_id)
        )
        number = len(set(revived.scalars()))
        if number:
            await notify(connection, POST_CHANNEL, "retry")
        return number
