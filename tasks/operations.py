"""
What operations see of the whole house in Prefect: four artifacts under fixed keys, kept up to date by the watch.

Looked at every ten minutes and written where something changed. What was written is remembered by the process: a
watch in between asks nobody anything.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import PrefectHTTPStatusError
from sqlalchemy import Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.book.order_file import ChaseState, OrderFile
from models.calendars.workdays import Calendar
from models.errors import GendanError
from models.names import Name
from models.planning.outlook import outlook, slack_days
from models.status.lateness import as_date
from models.status.standing import standing
from notifications.operations import (
    DAYS,
    MOST,
    ChaseRow,
    HeldRow,
    PersonDay,
    chases_page,
    held_page,
    person_days_page,
    rule_rows,
    rules_page,
)
from tasks.database import transaction
from tasks.library import library
from tasks.orders import open_files
from tasks.settings import settings

EVERY = timedelta(minutes=10)
KEYS = ("chases", "messages-held-and-failed", "messages-per-person-and-day", "rules")
RULES_SINCE = timedelta(days=90)
OFFICE = "cn-office"
"""The calendar of the house: whose day a message is of, and whose working day an answer has."""
ANSWERS = ("report", "promise", "acknowledgement", "problem", "not_mine")
"""What counts as an answer to a notice: entries of the log about its milestone."""

_log = logging.getLogger("gendan.operations")


class OperationsPages:
    """The four artifacts, as one process keeps them."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None
        self._written: dict[str, tuple[UUID, str]] | None = None

    async def refresh(self, client: PrefectClient, at: datetime) -> int:
        """
        Bring the artifacts up to date if the last look is EVERY ago; return how many were written.

        A failure is logged, and tried again at the next look: these pages keep nobody from being told.
        """
        if self._looked_at is not None and at - self._looked_at < EVERY:
            return 0
        self._looked_at = at
        try:
            return await self._write(client, await gather_pages(at))
        except (GendanError, PrefectHTTPStatusError, httpx.HTTPError) as error:
            self._written = None
            _log.warning("The pages for operations were not brought up to date: %s", error)
            return 0

    async def _write(self, client: PrefectClient, texts: Mapping[str, str]) -> int:
        written = self._written if self._written is not None else await _find(client)
        self._written = written
        changed = {key: text for key, text in texts.items() if written.get(key, (None, ""))[1] != _digest(text)}
        for key, text in changed.items():
            written[key] = await _put(client, key, text, written.get(key)), _digest(text)
        return len(changed)


PAGES = OperationsPages()
"""Those of this process."""


async def gather_pages(at: datetime) -> dict[str, str]:
    """Return the text of each artifact as things stand at `at`; changes nothing."""
    language, calendar = settings().language, library().calendars[OFFICE]
    home, today = calendar.tz, calendar.local_date(at)
    async with transaction() as connection:
        chased = await _chased(connection)
        held = [*await _failed(connection), *await _held(connection)]
        people = await _person_days(connection, calendar, today)
        notices = await _notices(connection, at - RULES_SINCE)
    chases = await _chase_rows(chased, at)
    texts = (
        chases_page(chases, language, home, at),
        held_page(held, language, home, at),
        person_days_page(people, language, today),
        rules_page(rule_rows(notices, calendar, at), language),
    )
    return dict(zip(KEYS, texts, strict=True))


# --- Prefect


async def _find(client: PrefectClient) -> dict[str, tuple[UUID, str]]:
    """Return what another process has written: one call."""
    found = await client.read_artifacts(
        artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=list(KEYS))), sort=ArtifactSort.CREATED_DESC
    )
    newest = {artifact.key: artifact for artifact in reversed(found)}
    return {key: (artifact.id, _digest(str(artifact.data))) for key, artifact in newest.items() if key is not None}


async def _put(client: PrefectClient, key: str, text: str, known: tuple[UUID, str] | None) -> UUID:
    """
    Write an artifact in place, or make it: each that is made under a key is a new version, kept for ever.

    The client's own methods would send the text a second time, as an event.
    """
    if known is not None:
        try:
            await client.request("PATCH", "/artifacts/{id}", path_params={"id": known[0]}, json={"data": text})
            return known[0]
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            # deleted by hand: make another
    made = await client.request("POST", "/artifacts/", json={"key": key, "type": "markdown", "data": text})
    return UUID(made.json()["id"])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- the rows


async def _chased(connection: AsyncConnection) -> list[Row[Any]]:
    """Return the last turn of each chase that is not over, of orders that are still followed, the longest due first."""
    turns, notices = tables.chases.c, tables.notices.c
    last = (
        select(tables.chases)
        .join(tables.follow_ups, tables.follow_ups.c.order_no == turns.order_no)
        .where(tables.follow_ups.c.closed_as.is_(None))
        .distinct(turns.order_no, turns.milestone)
        .order_by(turns.order_no, turns.milestone, turns.id.desc())
        .subquery()
    )
    former = tables.chases.alias()
    over = (
        select(func.coalesce(func.max(former.c.id), 0))
        .where(
            former.c.order_no == last.c.order_no,
            former.c.milestone == last.c.milestone,
            former.c.state == ChaseState.RESOLVED.value,
        )
        .scalar_subquery()
    )
    begun = (
        select(func.min(turns.at))
        .where(turns.order_no == last.c.order_no, turns.milestone == last.c.milestone, turns.id > over)
        .scalar_subquery()
    )
    its = and_(notices.order_no == last.c.order_no, notices.milestone == last.c.milestone, notices.holds)
    due = (
        select(notices.due)
        .where(its, notices.rung == last.c.rung)
        .order_by(notices.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    told = (
        select(func.array_agg(tables.messages.c.person.distinct()))
        .select_from(tables.notices)
        .join(tables.message_notices, tables.message_notices.c.notice_id == notices.id)
        .join(tables.messages, tables.messages.c.id == tables.message_notices.c.message_id)
        .where(its)
        .scalar_subquery()
    )
    roles = select(func.array_agg(notices.role.distinct())).where(its).scalar_subquery()
    columns = (begun.label("begun"), due.label("due"), told.label("told"), roles.label("roles"))
    found = await connection.execute(
        select(last, *columns)
        .where(last.c.state != ChaseState.RESOLVED.value)
        .order_by(due.asc().nulls_last(), last.c.order_no, last.c.milestone)
    )
    return list(found)


async def _chase_rows(chased: list[Row[Any]], at: datetime) -> list[ChaseRow]:
    """Make the rows; the effect on the ship date is worked out for as many orders as the table shows."""
    numbers = list(dict.fromkeys(row.order_no for row in chased))
    files = await open_files(numbers[:MOST]) if numbers else {}
    opened = {number: _Ahead(file, follow_up.clock or at) for number, (file, follow_up) in files.items()}
    return [_chase_row(row, opened.get(row.order_no)) for row in chased]


class _Ahead:
    """An order, and what is foreseen for it."""

    def __init__(self, file: OrderFile, at: datetime) -> None:
        self.file = file
        now = standing(file, at)
        calendar = file.calendar
        self.outlook = outlook(file, now) if file.template.foresees else None
        self.etd = as_date(now.etd, calendar) if now.etd is not None else None
        self.sails_on = calendar.local_date(self.outlook.sails_at) if self.outlook is not None else None

    def name(self, code: str) -> Name | None:
        step = self.file.template.by_code.get(code)
        return step.name if step is not None else None

    def slack(self, code: str) -> int | None:
        known = self.outlook is not None and code in self.outlook.late
        return slack_days(self.file, self.outlook, code) if known and self.outlook is not None else None


def _chase_row(row: Row[Any], ahead: _Ahead | None) -> ChaseRow:
    name = ahead.name(row.milestone) if ahead is not None else None
    return ChaseRow(
        order_no=row.order_no,
        code=row.milestone,
        step=name or Name(en="", zh_hans="", zh_hant=""),
        state=ChaseState(row.state),
        rung=row.rung,
        since=row.begun or row.at,
        people=tuple(row.told or row.roles or ()),
        due=row.due,
        until=row.until,
        etd=ahead.etd if ahead is not None else None,
        sails_on=ahead.sails_on if ahead is not None else None,
        slack=ahead.slack(row.milestone) if ahead is not None else None,
    )


async def _held(connection: AsyncConnection) -> list[HeldRow]:
    """Return the notices that wait for somebody's hours or slot."""
    notices = tables.notices.c
    found = await connection.execute(
        select(tables.notices)
        .where(notices.holds, notices.told == 0, notices.held_until.is_not(None))
        .order_by(notices.raised_at, notices.id)
    )
    return [
        HeldRow(
            state="held",
            number=0,
            to=row.role,
            what=f"{row.order_no} {row.milestone} {row.rung}",
            since=row.raised_at,
            until=row.held_until,
        )
        for row in found
    ]


async def _failed(connection: AsyncConnection) -> list[HeldRow]:
    """Return the messages of which some address did not take its part, each once."""
    messages, deliveries = tables.messages.c, tables.deliveries.c
    failed = and_(deliveries.delivered_at.is_(None), deliveries.error != "")
    worst = (
        select(
            deliveries.message_id,
            func.max(deliveries.attempts).label("attempts"),
            func.min(deliveries.next_attempt_at).label("again"),
            func.max(deliveries.error).label("error"),
        )
        .where(failed)
        .group_by(deliveries.message_id)
        .subquery()
    )
    found = await connection.execute(
        select(tables.messages, worst.c.attempts, worst.c.again, worst.c.error.label("part_error"))
        .outerjoin(worst, worst.c.message_id == messages.id)
        .where(messages.delivered_at.is_(None), (messages.dead_at.is_not(None)) | (worst.c.message_id.is_not(None)))
        .order_by(messages.id.desc())
    )
    return [
        HeldRow(
            state="dead" if row.dead_at is not None else "failing",
            number=row.id,
            to=row.person,
            what=row.subject,
            since=row.made_at,
            until=None if row.dead_at is not None else row.again,
            attempts=row.attempts or 0,
            why=row.part_error or row.error,
        )
        for row in found
    ]


async def _person_days(connection: AsyncConnection, calendar: Calendar, today: date) -> list[PersonDay]:
    """Count the messages of the last DAYS days by person and day of the house's office."""
    messages = tables.messages.c
    since = calendar.opening(today - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    on = func.date(func.timezone(calendar.zone, messages.made_at))
    found = await connection.execute(
        select(
            messages.person,
            on.label("on"),
            func.count().label("messages"),
            func.count().filter(messages.kind == "direct").label("direct"),
        )
        .where(messages.made_at >= since)
        .group_by(messages.person, on)
    )
    return [PersonDay(row.person, row.on, row.messages, row.direct) for row in found]


async def _notices(connection: AsyncConnection, since: datetime) -> list[tuple[str, datetime, datetime | None]]:
    """Return the rung of each notice since then, when it was raised, and when it was answered: once for all roles."""
    notices, entries = tables.notices.c, tables.entries.c
    raised = (
        select(notices.order_no, notices.milestone, notices.rung, func.min(notices.raised_at).label("raised"))
        .where(notices.raised_at >= since)
        .group_by(notices.order_no, notices.milestone, notices.rung, notices.due)
        .subquery()
    )
    answered = (
        select(func.min(entries.recorded_at))
        .where(
            entries.order_no == raised.c.order_no,
            entries.kind.in_(ANSWERS),
            entries.body["milestone"].astext == raised.c.milestone,
            entries.recorded_at > raised.c.raised,
        )
        .scalar_subquery()
    )
    found = await connection.execute(select(raised.c.rung, raised.c.raised, answered.label("answered")))
    return [(row.rung, row.raised, row.answered) for row in found]
