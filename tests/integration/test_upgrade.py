"""A database of the first release, with orders in mid-season: it is brought to today's form, and nothing has moved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select

from models import tables
from models.book.order_file import OrderFile
from models.decide import Tell, decide
from models.status.standing import Standing, standing
from tasks import database
from tasks.clock import now
from tasks.orders import open_file
from tasks.schema import check_schema, migrate
from tests.books import at as typed
from tests.books import in_the_book
from tests.releases.databases import FIRST, load, told
from tests.terminal import done

TOLD = told(FIRST)
OPEN = [order_no for order_no, order in TOLD.items() if order["closed_as"] is None]


@pytest.fixture
def left_behind(empty_database_url: str) -> str:
    """Give the database as the first release left it."""
    load(FIRST, "gendan", empty_database_url)
    return empty_database_url


@pytest.fixture
async def upgraded(left_behind: str) -> AsyncIterator[str]:
    assert migrate(left_behind) == "0001"
    yield left_behind
    await database.close()


async def stands(order_no: str) -> tuple[OrderFile, Standing]:
    """Open an order, and say where it stands at the instant at which the first release said so."""
    file, _ = await open_file(order_no)
    return file, standing(file, datetime.fromisoformat(TOLD[order_no]["at"]))


async def test_the_form_is_todays(upgraded: str) -> None:
    engine = create_engine(upgraded)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, tables.metadata)
    engine.dispose()

    assert differences == []
    assert check_schema(upgraded) is None


def test_the_season_is_a_varied_one() -> None:
    assert {order["state"] for order in TOLD.values()} == {"open", "on_hold", "closed", "cancelled", "not_followed"}
    assert len(OPEN) == 5
    assert [len(order["said"]) for order in TOLD.values() if order["said"]] == [3, 10, 1, 2]


@pytest.mark.parametrize("order_no", TOLD)
async def test_an_order_stands_where_it_stood(upgraded: str, order_no: str) -> None:
    before = TOLD[order_no]

    file, stand = await stands(order_no)

    assert stand.state == before["state"]
    assert list(stand.open) == before["open"]
    assert {code: reached.at.isoformat() for code, reached in stand.reached.items()} == before["reached"]
    # The release knew no holidays of 2027; they are estimated by now, and the later steps are due before them.
    assert stand.due.keys() == before["due"].keys()
    known = {code for code, due in before["due"].items() if due < "2027"}
    assert {code: stand.due[code].isoformat() for code in known} == {code: before["due"][code] for code in known}
    assert len(file.entries) == before["entries"]


@pytest.mark.parametrize("order_no", TOLD)
async def test_nothing_that_was_said_is_said_again(upgraded: str, order_no: str) -> None:
    file, stand = await stands(order_no)
    said = {(milestone, rung, due, role) for milestone, rung, due, role, _ in TOLD[order_no]["said"]}

    async with database.transaction() as connection:
        kept = (await connection.execute(select(tables.notices).where(tables.notices.c.order_no == order_no))).all()
    again = [step for step in decide(file, stand.now) if isinstance(step, Tell)]

    assert {(n.milestone, n.rung, typed(n.due), n.role) for n in kept if n.told} == {
        (milestone, rung, typed(datetime.fromisoformat(due)), role) for milestone, rung, due, role in said
    }
    assert not {(t.claim.milestone, t.claim.rung) for t in again} & {(milestone, rung) for milestone, rung, *_ in said}


async def test_what_could_not_be_sent_is_still_to_be_sent(upgraded: str) -> None:
    async with database.transaction() as connection:
        left = (await connection.execute(select(tables.messages).where(tables.messages.c.delivered_at.is_(None)))).all()

    waiting = [order_no for order_no, order in TOLD.items() for *_, was_sent in order["said"] if not was_sent]
    assert sorted(message.order_no for message in left) == sorted(waiting)
    assert len(waiting) == 9
    assert all(message.tags and message.dead_at is None for message in left)


@pytest.mark.parametrize("order_no", OPEN)
def test_an_order_goes_on_with_the_next_report(left_behind: str, order_no: str) -> None:
    migrate(left_behind)
    before = TOLD[order_no]
    step = before["open"][0]
    happened = typed(min(datetime.fromisoformat(before["at"]), now()))

    done("report", order_no, step, "--at", happened)

    async def look() -> Any:
        file, follow_up = await open_file(order_no)
        return file, standing(file, follow_up.now)

    _, after = in_the_book(look)
    assert step in after.reached
    assert step not in after.open
    assert len(after.reached) == len(before["reached"]) + 1
