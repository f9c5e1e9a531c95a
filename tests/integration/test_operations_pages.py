"""What operations see, from what lies in the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from models import tables
from tasks.clock import now
from tasks.database import transaction
from tasks.library import library
from tasks.logbook import record_report
from tasks.operations import OFFICE, gather_pages
from tests.books import a_real_order, happened, place, run

pytestmark = pytest.mark.usefixtures("database_url")

CODE = "ORD_RCVD"


async def add(table: Any, **values: Any) -> int:
    """Add a row, and return its id."""
    async with transaction() as connection:
        added = await connection.execute(insert(table).values(values).returning(table.c.id))
        return int(added.scalar_one())


async def a_turn(state: str, at: datetime, **changes: Any) -> int:
    """Add a turn of the chase of an order's first step."""
    fields = {"order_no": "SO-26-0417", "milestone": CODE, "rung": "L1", "state": state, "at": at}
    return await add(tables.chases, **(fields | changes))


async def a_notice(raised_at: datetime, **changes: Any) -> int:
    """Add a notice of an order's first step, at its first rung."""
    fields = {
        "order_no": "SO-26-0417",
        "milestone": CODE,
        "rung": "L1",
        "due": raised_at - timedelta(days=1),
        "role": "MER",
        "manner": "digest",
        "meant_for": raised_at,
        "raised_at": raised_at,
    }
    return await add(tables.notices, **(fields | changes))


async def a_message(made_at: datetime, *notices: int, **changes: Any) -> int:
    """Add a message that was made of notices."""
    fields = {
        "kind": "direct",
        "person": "mei.lin",
        "tags": ["mei.lin"],
        "made_at": made_at,
        "subject": "SO-26-0417 · ORD_RCVD",
        "body": "",
    }
    message = await add(tables.messages, **(fields | changes))
    async with transaction() as connection:
        for notice in notices:
            await connection.execute(insert(tables.message_notices).values(message_id=message, notice_id=notice))
    return message


async def rows_of(page: str, at: datetime | None = None) -> list[dict[str, str]]:
    """Return the rows of one page's table, each cell by the title of its column."""
    text = (await gather_pages(at or now()))[page]
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def written(instant: datetime) -> str:
    """Return an instant as the pages write it."""
    return f"{instant.astimezone(library().calendars[OFFICE].tz):%Y-%m-%d %H:%M}"


def without(row: Mapping[str, str], *columns: str) -> dict[str, str]:
    """Return a row without some of its cells."""
    return {title: cell for title, cell in row.items() if title not in columns}


async def test_an_empty_book_has_empty_pages() -> None:
    pages = await gather_pages(now())

    assert list(pages) == ["chases", "messages-held-and-failed", "messages-per-person-and-day", "rules"]
    assert not any("|" in text for text in pages.values())


async def test_a_chase_stands_as_it_was_recorded_last_with_when_it_began_and_who_was_told() -> None:
    await place()
    at = now()
    first, last = at - timedelta(days=3), at - timedelta(hours=1)
    notice = await a_notice(first, rung="L2", told=1)
    await a_message(first, notice)
    await a_turn("triggered", first)
    await a_turn("acknowledged", last, rung="L2", by="li", until=at + timedelta(days=1))

    [row] = await rows_of("chases", at)

    name = library().templates["EAD"].by_code[CODE].name.en
    assert without(row, "Effect on ETD") == {
        "Order": "SO-26-0417",
        "Step": f"{CODE} {name}",
        "State": f"taken on until {written(at + timedelta(days=1))}",
        "Rung": "L2",
        "Since": written(first),
        "Person": "mei.lin",
        "Due": written(first - timedelta(days=1)),
    }
    assert row["Effect on ETD"].startswith("ETD ")


async def test_a_chase_that_is_resolved_is_not_listed_and_one_that_begins_again_begins_then() -> None:
    await place()
    at = now()
    await a_turn("triggered", at - timedelta(days=5))
    await a_turn("resolved", at - timedelta(days=4))
    assert await rows_of("chases", at) == []

    await a_turn("triggered", at - timedelta(days=1))

    [row] = await rows_of("chases", at)
    assert row["Since"] == written(at - timedelta(days=1))


async def test_an_order_that_is_closed_is_chased_no_more() -> None:
    await place()
    await a_turn("triggered", now())

    await run("UPDATE follow_ups SET closed_as = 'sailed'")

    assert await rows_of("chases") == []


async def test_before_somebody_was_told_the_role_is_shown() -> None:
    await place()
    await a_notice(now(), role="PROD")
    await a_turn("triggered", now())

    [row] = await rows_of("chases")

    assert row["Person"] == "PROD"


async def test_what_is_held_and_what_failed_is_listed_and_what_arrived_is_not() -> None:
    await place()
    at = now()
    await a_notice(at, held_until=at + timedelta(hours=9), role="GM")
    await a_notice(at, rung="L2", told=1, held_until=at + timedelta(hours=9))
    await a_notice(at, rung="L3", holds=False, held_until=at + timedelta(hours=9))
    await a_message(at - timedelta(hours=3), delivered_at=at)
    await a_message(at)  # on its way
    failing, dead = await a_message(at - timedelta(hours=2)), await a_message(at, dead_at=at, error="nobody is reached")
    await add(
        tables.deliveries,
        message_id=failing,
        channel="f1",
        schema="json",
        attempts=2,
        next_attempt_at=at + timedelta(minutes=5),
        error="json: answered HTTP 500",
    )
    await add(tables.deliveries, message_id=failing, channel="f2", schema="mailto", attempts=1, delivered_at=at)

    told = await rows_of("messages-held-and-failed", at)

    assert [(row["State"], row["Message"], row["To"], row["Why"]) for row in told] == [
        ("given up", str(dead), "mei.lin", "nobody is reached"),
        (f"failing, again at {written(at + timedelta(minutes=5))}", str(failing), "mei.lin", "json: answered HTTP 500"),
        (f"held until {written(at + timedelta(hours=9))}", "", "GM", ""),
    ]


async def test_messages_are_counted_by_the_day_of_the_office() -> None:
    calendar = library().calendars[OFFICE]
    at = now()
    midnight = at.astimezone(calendar.tz).replace(hour=0, minute=0, second=0, microsecond=0)
    await a_message(midnight + timedelta(minutes=1))
    await a_message(midnight + timedelta(minutes=2), kind="digest")
    await a_message(midnight - timedelta(minutes=1), kind="digest")
    await a_message(midnight - timedelta(days=14), kind="digest")

    [row] = await rows_of("messages-per-person-and-day", at)

    assert list(row.values())[-3:] == ["1", "2 (1)", "3"]


async def test_a_notice_counts_once_for_all_its_roles_and_an_answer_is_one_to_its_step() -> None:
    await place()
    await place(a_real_order("SO-26-0500"))
    raised = now() - timedelta(days=9)
    for role in ("MER", "PROD"):
        await a_notice(raised, role=role)
    await a_notice(raised, order_no="SO-26-0500")
    await a_notice(raised, rung="L2", milestone="DEPARTED")
    await record_report("SO-26-0417", happened())

    told = {row["Rung"].strip("*"): row for row in await rows_of("rules")}

    assert (told["L1"]["Raised"], told["L1"]["Answered later"], told["L1"]["Never answered"]) == ("2", "1", "1")
    assert (told["L2"]["Raised"], told["L2"]["Never answered"]) == ("1", "1")
