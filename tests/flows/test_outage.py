"""
Everything is off for sixty hours, over a weekend day, and `gendan up` catches up with what fell due meanwhile.

Nothing waits for sixty hours here. First a whole Gendan runs whose own clock is sixty hours behind: it takes orders in,
says what is due by then, and is stopped. Prefect's server has no such clock, so its instants are put back in its
tables while all is off. Then Gendan is started as anybody starts it.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, or_, select
from sqlalchemy.engine import make_url

from gendan.embedded import EmbeddedPostgres
from gendan.house import House
from gendan.replay import write_channels
from gendan.supervisor import Running
from gendan.whole import whole_gendan
from models import tables
from models.terms.template import Template
from tasks import database
from tasks.library import load_library
from tasks.orders import register
from tasks.settings import Settings
from tests.factories import a_milestone, a_template, an_order
from tests.flows.house import clean_environment, environment, eventually, prefect_database

OFF = timedelta(hours=60)
ORDERS = 200
CAUGHT_UP = 180.0
"""Seconds from the start of Gendan within which every order that is due has spoken and waits again."""
HOUR = 10
"""The hour at the office in which Gendan is started again: the day's first digest is over an hour late."""
OFFICE = "outage-office"
OWNERS = ("PUR", "QC", "FIN", "SALES")
AWAKE_AT_NIGHT = {"QC", "FIN"}
"""They are written to at any hour, and hear of the evening's notices before all goes off."""
FIRST_DIGEST = clock_time(8, 30)

BEHIND = """
import datetime, tasks.clock
tasks.clock.now = lambda: datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=60)
"""
"""Read by every process as it starts: all of Gendan reads the clock in one place."""


class Missed(NamedTuple):
    """What falls due of an order while all is off, by how many days after today its step is due."""

    due_in: int
    rungs: frozenset[str]


# Working days are all but yesterday. Gendan goes off late in the evening of the third day before today, so that it
# misses the mornings of the day before yesterday and of today.
MISSED = (
    Missed(2, frozenset()),
    Missed(1, frozenset({"R1"})),
    Missed(0, frozenset({"R1"})),
    Missed(-2, frozenset({"L1"})),
    Missed(-3, frozenset({"L1", "L2"})),
    Missed(-4, frozenset({"L2"})),
    Missed(-5, frozenset({"L3"})),
)


@dataclass(frozen=True)
class Place:
    """Where and when it happens: an office in whose zone it is the morning now, and the folder of its Gendan."""

    home: Path
    zone: ZoneInfo
    today: date

    @property
    def settings(self) -> Settings:
        return Settings(
            home=self.home,
            port=0,
            database_url=None,
            channels=write_channels(self.home),
            library=self.home / "library",
        )

    @asynccontextmanager
    async def gendan(self, **changes: str) -> AsyncIterator[Running]:
        """Run a whole Gendan for the length of a block, and be connected to it; `changes` are for its processes."""
        with environment(clean_environment() | changes):
            async with whole_gendan(self.settings, print) as running:
                with environment(running.environment):
                    yield running
                    await database.close()


@pytest.fixture
def place() -> Iterator[Place]:
    present = datetime.now(UTC)
    east = (HOUR - present.hour + 12) % 24 - 12
    zone = ZoneInfo(f"Etc/GMT{-east:+d}")  # by POSIX, west of Greenwich is +
    today = present.astimezone(zone).date()
    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        place = Place(Path(folder).resolve(), zone, today)
        library = place.home / "library"
        (library / "calendars").mkdir(parents=True)
        (library / "calendars" / f"{OFFICE}.yaml").write_text(
            f"code: {OFFICE}\n"
            "name: {en: Office, zh_hans: 办公室, zh_hant: 辦公室}\n"
            f"zone: {zone.key}\n"
            f"weekend: [{(today - timedelta(days=1)).isoweekday()}]\n",
            "utf-8",
        )
        people = {
            code: f"{{name: {code}, languages: [en], calendar: {OFFICE}}}" for code in ("MER", "PROD", "LOG", *OWNERS)
        } | {code: f"{{name: {code}, languages: [en], calendar: {OFFICE}, quiet: none}}" for code in AWAKE_AT_NIGHT}
        (library / "people.yaml").write_text("".join(f"{code}: {it}\n" for code, it in people.items()), "utf-8")
        yield place


def a_chain(owner: str) -> Template:
    """Build a template of one step that is due thirty days before departure, and the departure."""
    step = a_milestone("STEP", accountable=owner, offset=-30, calendar=OFFICE)
    departed = a_milestone("DEPARTED", accountable="LOG", after=("STEP",), calendar=OFFICE)
    return a_template(step, departed, calendar=OFFICE, code=f"OUTAGE-{owner}")


async def take_in(place: Place) -> dict[str, Missed]:
    """Take the orders in as they came in three weeks ago; return what each of them is to miss."""
    policy = load_library(place.settings.library).policies["standard"]
    templates = [a_chain(owner) for owner in OWNERS]
    long_ago = datetime.now(UTC) - timedelta(days=21)
    missed: dict[str, Missed] = {}
    for number in range(ORDERS):
        order_no = f"OFF-{number:03d}"
        missed[order_no] = MISSED[number % len(MISSED)]
        order = an_order(
            order_no=order_no,
            placed_at=long_ago,
            came_in=long_ago,
            etd=place.today + timedelta(days=30 + missed[order_no].due_in),
        )
        await register(order, templates[number % len(templates)], policy)
    return missed


async def rows(query: Any) -> Sequence[Any]:
    async with database.transaction() as connection:
        return (await connection.execute(query)).all()


async def is_quiet(*, by: datetime | None = None) -> bool:
    """Say whether every order waits (for an instant after `by`), and all that was made is delivered."""
    follow_ups = tables.follow_ups.c
    awake = [follow_ups.wanted, follow_ups.awake_since.is_not(None), follow_ups.flow_run_id.is_(None)]
    if by is not None:
        awake.append(follow_ups.next_wake_up <= by)
    left = select(func.count()).where(tables.messages.c.delivered_at.is_(None))
    [counts] = await rows(select(select(func.count()).where(or_(*awake)).scalar_subquery(), left.scalar_subquery()))
    return tuple(counts) == (0, 0)


@contextmanager
def prefect_of(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """Start the PostgreSQL of a Gendan that is off, and give a connection to Prefect's database."""
    postgres = EmbeddedPostgres(House(place.home).postgres)
    postgres.start()
    try:
        url = make_url(postgres.url("prefect")).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
            yield connection
    finally:
        postgres.stop()


def put_back(connection: psycopg.Connection[Any], by: timedelta) -> None:
    """Put every instant in Prefect's tables back, so that what it wrote just now was written `by` ago."""
    columns = connection.execute(
        "SELECT c.table_name, array_agg(c.column_name::text) FROM information_schema.columns c "
        "JOIN information_schema.tables t USING (table_schema, table_name) "
        "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' "
        "AND c.data_type = 'timestamp with time zone' AND c.is_generated = 'NEVER' GROUP BY c.table_name"
    ).fetchall()
    for table, instants in columns:
        earlier = [sql.SQL("{0} = {0} - {1}").format(sql.Identifier(name), sql.Literal(by)) for name in instants]
        connection.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), sql.SQL(", ").join(earlier)))
    # A run that is scheduled says it a second time, and Prefect goes by it.
    connection.execute(
        "UPDATE flow_run_state SET state_details = jsonb_set(state_details::jsonb, '{scheduled_time}', "
        "to_jsonb((state_details->>'scheduled_time')::timestamptz - %s)) "
        "WHERE state_details->>'scheduled_time' IS NOT NULL",
        [by],
    )


def delivered(place: Place) -> int:
    """Count the messages that were delivered, to whomever."""
    return len(list(House(place.home).outbox.glob("*.txt")))


async def rounds(running: Running, since: datetime) -> Counter[str]:
    """Count the runs of the watch that ended since an instant: those of that time, and those that were late."""
    async with prefect_database(running) as connection:
        ended = await connection.execute(
            "SELECT CASE WHEN r.expected_start_time < %s THEN 'late' ELSE 'in time' END FROM flow_run r "
            "JOIN flow f ON f.id = r.flow_id WHERE f.name = 'keep-watch' AND r.end_time >= %s",
            [since, since],
        )
        return Counter(row[0] for row in await ended.fetchall())


async def told_by(messages: Sequence[Any]) -> set[int]:
    """Return the notices that these messages were made of."""
    inside = tables.message_notices.c
    found = await rows(select(inside.notice_id).where(inside.message_id.in_([message.id for message in messages])))
    return {row.notice_id for row in found}


@pytest.mark.timeout(600)
async def test_after_sixty_hours_orders_catch_up_in_minutes_and_everybody_gets_one_digest(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BEHIND, "utf-8")
    async with place.gendan(PYTHONPATH=str(tmp_path)):
        missed = await take_in(place)

        async def went_off() -> bool:
            return await is_quiet() and delivered(place) == len(AWAKE_AT_NIGHT)

        await eventually(went_off, within=CAUGHT_UP)
        before = {notice.id: notice for notice in await rows(select(tables.notices))}
        sent = await rows(select(tables.messages))
    assert {message.person for message in sent} == AWAKE_AT_NIGHT
    assert {rung for _, rung in Counter((n.order_no, n.rung) for n in before.values())} == {"R1", "L1", "L2"}
    with prefect_of(place) as connection:
        put_back(connection, OFF)

    begun, on = time.monotonic(), datetime.now(UTC)
    async with place.gendan() as running:

        async def caught_up() -> bool:
            untold = await rows(select(tables.notices.c.id).where(tables.notices.c.holds, tables.notices.c.told == 0))
            return not untold and await is_quiet(by=on)

        await eventually(caught_up, within=CAUGHT_UP)
        assert time.monotonic() - begun < CAUGHT_UP

        async def watched() -> Counter[str]:
            return await rounds(running, on)

        assert await eventually(watched) == {"in time": 1}
        notices = await rows(select(tables.notices))
        messages = await rows(select(tables.messages).where(tables.messages.c.made_at >= on))
        inside = await told_by(messages)
        wakes = {row.order_no: row.wakes for row in await rows(select(tables.follow_ups))}

    # what was due was woken, once, and said what it had missed
    assert wakes == {order_no: 2 if each.rungs else 1 for order_no, each in missed.items()}
    said: dict[str, set[str]] = {order_no: set() for order_no in missed}
    for notice in notices:
        if notice.id not in before:
            said[notice.order_no].add(notice.rung)
    assert said == {order_no: each.rungs for order_no, each in missed.items()}

    # one digest for each person, with all of it, and nothing beside it
    morning = datetime.combine(place.today, FIRST_DIGEST, place.zone)
    readers = ("MER", "PROD", *OWNERS)
    assert Counter((m.person, m.kind, m.slot) for m in messages) == Counter(
        (person, "digest", morning) for person in readers
    )
    assert {notice.id for notice in notices if notice.id not in before and notice.holds} <= inside
    assert all("Gendan was down from" in message.body for message in messages)

    # nothing twice, but for what still holds and is repeated in a day's first digest
    assert {n.id for n in notices if n.told > 1} <= {n.id for n in before.values() if n.told == 1 and n.repeat > 0}
    assert max(notice.told for notice in notices) == 2

    # nobody was told anything else, the administrator neither: the watch did not stop, it was off
    assert delivered(place) == len(sent) + len(messages)
