"""The post: what holds and was not told yet becomes messages, one person at a time, once."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Row, Select, String, and_, case, func, literal, or_, select, update
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.book.order_file import Claim, OrderFile
from models.decide import Tell
from models.errors import Unavailable
from models.escalation.notice import Manner
from models.planning.plan import Calendars
from models.post.dispatch import NEWS, Parcel, Reader, Waiting, post
from models.post.windows import last_slot, may_write
from models.status.standing import standing
from models.terms.party import Person
from notifications.digest import DigestLine, compose_digest
from notifications.facts import Facts, foresee, gather
from notifications.message import Message
from notifications.messages import compose
from notifications.notes import budget_is_used_up, letter_is_dead
from tasks.calendar_lists import calendars_in_force
from tasks.clock import now
from tasks.database import transaction
from tasks.library import Library, library
from tasks.orders import FollowUp, open_files

DIRECT = "direct"
DIGEST = "digest"
NOTE = "note"
"""What a message is; the words are stored."""
ADMIN = "admin"
"""The person, and the tag in the channels file, of whoever looks after Gendan."""
MERCHANDISER = "MER"
AT_ONCE = 5000
PATIENCE = timedelta(minutes=10)
"""For so long the post waits for orders that are still to say what they have to say now."""
DIED_LATELY = timedelta(days=14)
"""So old may a message be of whose end the administrator hears."""

_ONE_DAY = timedelta(days=1)
_CLOCKS_CHANGE = timedelta(hours=1)
_ANYBODY = Person(code="anybody", name="anybody")
"""Has the hours of everybody whom people.yaml does not list."""

_notices = tables.notices.c
_messages = tables.messages.c
_follow_ups = tables.follow_ups.c

logger = logging.getLogger("gendan.dispatch")


@dataclass(frozen=True)
class _Candidate:
    """A notice with whom it is for, and the clock of its order where that is a virtual one."""

    waiting: Waiting
    claim: Claim
    role: str
    person: Person
    clock: datetime | None
    raised_at: datetime
    held_until: datetime | None


@dataclass
class Dispatched:
    """How many messages were made of how many notices."""

    messages: int = 0
    notices: int = 0


async def dispatch(opened: datetime | None = None) -> Dispatched:
    """
    Make messages of what is to be told now; what waits is marked with until when.

    `opened` is since when the caller has been looking without a gap, where he knows it: after a gap, what orders have
    to say of it is waited for, so that it stands in one digest.

    Any number of processes may do so at a time: a notice is told by whoever marks it first, and a person has one
    digest for each slot. An order on a virtual clock has no mornings: what it says becomes a message at once. What
    goes wrong with one person's message is logged, and keeps nobody else's; it is tried again the next time.
    """
    done = Dispatched()
    moment = now()
    async with transaction() as connection:
        house = replace(library(), calendars=await calendars_in_force(connection))
    candidates, dead = await _look(house, moment)
    if dead:
        await _tell_of_the_dead(dead, moment)
    by_person: dict[str, list[_Candidate]] = defaultdict(list)
    at_once: dict[tuple[str, str, Claim], list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.clock is None:
            by_person[candidate.person.code].append(candidate)
        else:
            at_once[candidate.person.code, candidate.waiting.order_no, candidate.claim].append(candidate)
    for mine in at_once.values():
        person = mine[0].person
        reader = Reader(person, house.calendars[person.calendar])
        await _send(reader, Parcel(tuple(candidate.waiting for candidate in mine)), mine, done)
    if by_person:
        await _dispatch_to(by_person, house.calendars, moment, opened, done)
    return done


async def _dispatch_to(
    by_person: Mapping[str, Sequence[_Candidate]],
    calendars: Calendars,
    moment: datetime,
    opened: datetime | None,
    done: Dispatched,
) -> None:
    complete = await _is_complete(moment, opened)
    readers = await _readers([mine[0].person for mine in by_person.values()], calendars, moment)
    held: dict[datetime, list[int]] = defaultdict(list)
    for code, mine in by_person.items():
        reader = readers[code]
        enough = complete or _waited_long(reader, mine, moment, opened)
        decided = post(reader, [candidate.waiting for candidate in mine], moment, complete=enough)
        for parcel in decided.parcels:
            await _send(reader, parcel, mine, done)
        if decided.over_budget:
            await _tell_of_the_budget(reader, moment)
        written = {candidate.waiting.id: candidate.held_until for candidate in mine}
        for notice_id, until in decided.held.items():
            if written[notice_id] != until:
                held[until].append(notice_id)
    if held:
        await _hold(held)


def _waited_long(reader: Reader, mine: Iterable[_Candidate], moment: datetime, opened: datetime | None) -> bool:
    """Say whether what is new for a reader waited for other orders long enough; some order is always awake."""
    if opened is not None and moment - opened < PATIENCE:
        return False  # while nobody looked, no order spoke
    slot = last_slot(reader.person, reader.calendar, moment)
    since = min((candidate.raised_at for candidate in mine if not candidate.waiting.told), default=moment)
    if slot is not None and (reader.last_digest is None or reader.last_digest < slot):
        since = max(since, slot)
    return moment - since >= PATIENCE


# --- reading


async def _look(house: Library, moment: datetime) -> tuple[list[_Candidate], Sequence[Row[tuple[object, ...]]]]:
    """
    Read what holds and is to be told, each with whom it is for today, and the messages that nobody will get.

    What may be told again is read only while somebody's first digest of a day is open, and only if it was not told
    since: there are thousands of it, and the post looks every few seconds.
    """
    order, entries = tables.orders.c, tables.entries.c
    handed_to = (
        select(entries.body["to"].astext)
        .where(entries.order_no == _notices.order_no, entries.kind == "handed_over")
        .order_by(entries.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            tables.notices,
            _follow_ups.clock,
            func.coalesce(handed_to, order.body["merchandiser"].astext, as_type("", String)).label("merchandiser"),
        )
        .join(tables.orders, order.order_no == _notices.order_no)
        .join(tables.follow_ups, _follow_ups.order_no == _notices.order_no)
        .where(_notices.holds, or_(_notices.told == 0, *_told_again(house, moment)))
        # Should there be too many at once, then what waits for a digest waits longer, and nothing urgent behind it.
        .order_by(
            case({Manner.URGENT.value: 0, Manner.DIRECT.value: 1}, value=_notices.manner, else_=2),
            _notices.told > 0,
            _notices.id,
        )
        .limit(AT_ONCE)
    )
    async with transaction() as connection:
        rows = (await connection.execute(query)).all()
        dead = (await connection.execute(_unmourned(moment))).all()
    return [_candidate(row, house, moment) for row in rows], dead


def _told_again(house: Library, moment: datetime) -> list[ColumnElement[bool]]:
    """Say which of what was told may stand in a digest again now: none while no day's first digest is open."""
    days = []
    for person in (*house.people.values(), _ANYBODY):
        calendar = house.calendars[person.calendar]
        slot = last_slot(person, calendar, moment)
        if slot is None or not may_write(person, calendar, moment):
            continue
        local = slot.astimezone(calendar.tz)
        if local.time() == min(person.digests):
            days.append(datetime.combine(local.date(), time(), calendar.tz))
    if not days:
        return []
    # A working day is a day at least; which days of whom count is for the post to say.
    before = max(days) + _CLOCKS_CHANGE
    return [
        and_(
            _notices.repeat > 0,
            _notices.told_at < literal(before, DateTime(timezone=True)) - (_notices.repeat - 1) * _ONE_DAY,
            _follow_ups.clock.is_(None),
        )
    ]


def _candidate(row: Row[tuple[object, ...]], house: Library, moment: datetime) -> _Candidate:
    holder = house.holder(row.merchandiser) if row.role == MERCHANDISER else house.filled_by(row.role)
    today = house.calendars[holder.calendar].local_date(moment)
    waiting = Waiting(
        id=row.id,
        order_no=row.order_no,
        milestone=row.milestone,
        rung=row.rung,
        manner=Manner(row.manner),
        meant_for=row.meant_for,
        told=row.told,
        told_at=row.told_at,
        repeat=row.repeat,
    )
    claim = Claim(row.milestone, row.rung, row.due)
    person = house.on_duty(holder, today)
    return _Candidate(waiting, claim, row.role, person, row.clock, row.raised_at, row.held_until)


async def _is_complete(moment: datetime, opened: datetime | None) -> bool:
    """
    Say whether no order has still to be woken for what is due by now.

    One that is long overdue is not waited for, unless all were: the post has only just opened.
    """
    wakes_at, since = _follow_ups.next_wake_up, moment - PATIENCE
    just_opened = opened is not None and opened > since
    query = select(_follow_ups.order_no).where(
        _follow_ups.clock.is_(None),
        _follow_ups.closed_as.is_(None),
        or_(
            _follow_ups.awake_since > since,
            and_(_follow_ups.awake_since.is_(None), wakes_at <= moment, or_(wakes_at > since, literal(just_opened))),
        ),
    )
    async with transaction() as connection:
        return (await connection.execute(query.limit(1))).first() is None


async def _readers(people: Iterable[Person], calendars: Calendars, moment: datetime) -> dict[str, Reader]:
    """Return each person with his calendar and what he got today: one query for all."""
    readers = {person.code: Reader(person, calendars[person.calendar]) for person in people}
    since = moment - timedelta(days=40)
    query = (
        select(_messages.person, _messages.kind, _messages.slot, _messages.made_at)
        .outerjoin(tables.follow_ups, _follow_ups.order_no == _messages.order_no)
        .where(
            _messages.person.in_(list(readers)),
            _follow_ups.clock.is_(None),  # what a virtual clock made is no part of anybody's real day
            _messages.made_at > since,
            or_(_messages.slot.is_not(None), _messages.made_at > moment - timedelta(days=2)),
        )
    )
    async with transaction() as connection:
        for person, kind, slot, made_at in await connection.execute(query):
            reader = readers[person]
            if slot is not None and (reader.last_digest is None or slot > reader.last_digest):
                reader = replace(reader, last_digest=slot)
            calendar = reader.calendar
            if kind == DIRECT and calendar.local_date(made_at) == calendar.local_date(moment):
                reader = replace(reader, direct_today=reader.direct_today + 1)
            readers[person] = reader
    return readers


# --- making messages


async def _send(reader: Reader, parcel: Parcel, candidates: Sequence[_Candidate], done: Dispatched) -> None:
    """Make one message of a parcel, unless somebody else is at it; what goes wrong is logged, and keeps no other."""
    inside = {notice.id for notice in parcel.notices}
    mine = [candidate for candidate in candidates if candidate.waiting.id in inside]
    try:
        if await _made(reader, parcel, mine):
            done.messages += 1
            done.notices += len(mine)
    except Unavailable:
        raise
    except Exception:
        logger.exception("A message to %s could not be made; trying again", reader.person.code)


async def _made(reader: Reader, parcel: Parcel, mine: Sequence[_Candidate]) -> bool:
    made_at = now()
    orders = sorted({candidate.waiting.order_no for candidate in mine})
    is_digest = parcel.slot is not None or len({(each.waiting.order_no, each.claim.milestone) for each in mine}) > 1
    async with transaction() as connection:
        # Marked first: then nobody else writes the same meanwhile, and what is read is of notices that hold.
        if not await _mark_told(connection, mine, made_at):
            return False
        files = await open_files(orders)
        # In a thread: hundreds of lines take seconds, and the worker has orders to wake.
        message = await asyncio.to_thread(_compose, reader, parcel, mine, files, is_digest, made_at)
        row = await connection.execute(
            insert(tables.messages)
            .values(
                kind=DIGEST if is_digest else DIRECT,
                person=reader.person.code,
                tags=list(dict.fromkeys([reader.person.code, *(candidate.role for candidate in mine)])),
                order_no=orders[0] if len(orders) == 1 else None,
                slot=parcel.slot,
                made_at=made_at,
                **_forms(message),
            )
            .on_conflict_do_nothing()
            .returning(_messages.id)
        )
        message_id = row.scalar_one_or_none()
        if message_id is None:
            await connection.rollback()  # somebody made this slot's digest meanwhile
            return False
        await connection.execute(
            insert(tables.message_notices),
            [{"message_id": message_id, "notice_id": candidate.waiting.id} for candidate in mine],
        )
    return True


def _compose(
    reader: Reader,
    parcel: Parcel,
    mine: Sequence[_Candidate],
    files: Mapping[str, tuple[OrderFile, FollowUp]],
    is_digest: bool,
    made_at: datetime,
) -> Message:
    person, calendar = reader.person, reader.calendar
    parties = library().parties
    at = {order_no: standing(file, follow_up.clock or made_at) for order_no, (file, follow_up) in files.items()}
    foreseen = {order_no: foresee(file, at[order_no]) for order_no, (file, _) in files.items()}
    lines: dict[tuple[str, Claim], DigestLine] = {}
    for each in mine:
        file, _ = files[each.waiting.order_no]
        # One who fills two roles reads of a claim once.
        if (key := (each.waiting.order_no, each.claim)) not in lines:
            order_no, tell = each.waiting.order_no, Tell(each.claim, each.role, each.waiting.manner)
            facts = gather(file, at[order_no], tell, parties, foreseen[order_no])
            lines[key] = DigestLine(facts, each.waiting.told > 0)
    if not is_digest:
        # Of several rungs of one step the highest says it all.
        return compose(max((line.facts for line in lines.values()), key=_height), person.languages)
    late = [each for each in parcel.notices if each.manner is Manner.DIRECT and made_at - each.meant_for > NEWS]
    held = sum(not may_write(person, calendar, each.meant_for) for each in late)
    # What was raised in time, and waited for a digest or is told again, says nothing of when Gendan was down.
    missed = [each.waiting.meant_for for each in mine if not each.waiting.told and _is_raised_late(each)]
    down = (min(missed, default=parcel.slot or made_at), made_at) if parcel.caught_up else None
    return compose_digest(
        person.name,
        list(lines.values()),
        person.languages,
        (parcel.slot or made_at).astimezone(calendar.tz),
        held=held,
        over_budget=0 if parcel.caught_up else len(late) - held,
        down=down,
    )


def _is_raised_late(each: _Candidate) -> bool:
    return each.raised_at - each.waiting.meant_for > NEWS


def _height(facts: Facts) -> tuple[int, int]:
    """Return how high a rung is: a cut-off above every ladder, and the fewer hours or days are left the higher."""
    letter, number = facts.rung[:1], facts.rung.lstrip("RLT-")
    height = int(number) if number.isdecimal() else 0
    return "NRLT".find(letter), height if letter == "L" else -height


def _forms(message: Message) -> dict[str, str]:
    return {
        "thread": message.thread,
        "subject": message.subject,
        "short": message.short,
        "body": message.body,
        "html": message.html,
    }


async def _mark_told(connection: AsyncConnection, mine: Sequence[_Candidate], made_at: datetime) -> bool:
    """
    Mark notices as told; say no, changing nothing, where one of them was told, or ended, since it was read.

    So it is where somebody else is at one of them: whoever waited would only hear that it was told.
    """
    as_read = [(candidate.waiting.id, candidate.waiting.told) for candidate in mine]
    ids = [notice_id for notice_id, _ in as_read]
    locked = await connection.execute(
        select(_notices.id, _notices.told, _notices.holds).where(_notices.id.in_(ids)).with_for_update(skip_locked=True)
    )
    if sorted((row.id, row.told) for row in locked.all() if row.holds) != sorted(as_read):
        return False
    await connection.execute(
        update(tables.notices)
        .where(_notices.id.in_(ids))
        .values(told=_notices.told + 1, told_at=made_at, held_until=None)
    )
    return True


async def _hold(held: Mapping[datetime, Sequence[int]]) -> None:
    """Write down until when notices wait; not those that somebody tells, or ends, at this moment."""
    async with transaction() as connection:
        for until, ids in held.items():
            still = select(_notices.id).where(_notices.id.in_(ids), _notices.told == 0, _notices.holds)
            await connection.execute(
                update(tables.notices)
                .where(_notices.id.in_(still.with_for_update(skip_locked=True)))
                .values(held_until=until)
            )


# --- notes to the administrator


def _unmourned(moment: datetime) -> Select[tuple[Any, ...]]:
    """Select the messages that reached nobody and of which the administrator does not know."""
    note = tables.messages.alias("note")
    told = select(note.c.id).where(
        note.c.person == ADMIN,
        note.c.kind == NOTE,
        note.c.thread == func.concat("dead/", _messages.id),
    )
    return (
        select(_messages.id, _messages.person, _messages.subject, _messages.error)
        # A note that does not reach the administrator is no matter for another note.
        .where(_messages.dead_at.is_not(None), _messages.kind != NOTE, _messages.made_at > moment - DIED_LATELY)
        .where(~told.exists())
        .order_by(_messages.id)
        .limit(AT_ONCE)
    )


async def _tell_of_the_dead(dead: Iterable[Row[tuple[object, ...]]], moment: datetime) -> None:
    """Tell the administrator, once each, of messages that reached nobody."""
    house = library()
    for row in dead:
        name = house.person(row.person).name
        await _note(letter_is_dead(row.id, name, row.subject, row.error, house.languages(ADMIN)), moment)


async def _tell_of_the_budget(reader: Reader, moment: datetime) -> None:
    """Tell the administrator, once a day, that somebody's messages no longer fit into his day."""
    today = reader.calendar.local_date(moment)
    person = reader.person
    await _note(budget_is_used_up(person.code, person.name, person.budget, today, library().languages(ADMIN)), moment)


async def _note(message: Message, moment: datetime) -> None:
    """Write to the administrator, once for each thread however many processes do so at a time."""
    async with transaction() as connection:
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(message.thread, 0))))
        before = await connection.execute(
            select(_messages.id).where(_messages.person == ADMIN, _messages.thread == message.thread).limit(1)
        )
        if before.first() is None:
            await connection.execute(
                insert(tables.messages).values(kind=NOTE, person=ADMIN, tags=[ADMIN], made_at=moment, **_forms(message))
            )
