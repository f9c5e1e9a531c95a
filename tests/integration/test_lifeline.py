"""A worker's lifeline on a real database: held, lost, taken again; and what is taken over without it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest
from prefect.exceptions import Abort
from sqlalchemy import Row, select, text, update

from models import tables
from models.book.order import OrderState
from tasks import lifeline
from tasks.clock import now
from tasks.database import transaction
from tasks.follow_ups import WORKER, rest
from tasks.lifeline import NEXT, WATCH, Lifeline, silent_workers, take_over
from tasks.waiting import leave_to_others
from tests.books import a_real_order, days_ago, place
from tests.flows.house import eventually

FAR, HERE = "worker-far", "worker-here"
NUMBER = "SO-26-0417"


@asynccontextmanager
async def held(line: Lifeline) -> AsyncIterator[None]:
    """Hold a lifeline for the length of a block."""
    line.begin()
    holding = asyncio.create_task(line.hold())
    try:
        await eventually(lambda: holds(line), within=20)
        yield
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding


async def holds(line: Lifeline) -> bool:
    return line.holds


@pytest.fixture
async def awake(database_url: str) -> AsyncIterator[None]:
    """Give an order that is awake in the name of the worker FAR."""
    await place(a_real_order(etd=days_ago(-80).date()), "AFS")
    await awake_by(FAR)
    yield
    lifeline.mine = None


async def awake_by(name: str) -> None:
    async with transaction() as connection:
        await connection.execute(update(tables.follow_ups).values(awake_since=now(), awake_by=name))


async def row() -> Row[tuple[object, ...]]:
    async with transaction() as connection:
        return (await connection.execute(select(tables.follow_ups))).one()


async def goes_to_rest() -> bool:
    return await rest(
        NUMBER, state=OrderState.OPEN, waits_for="x", next_wake_up=None, shown={}, page={}, closed_as=None
    )


async def test_orders_of_a_worker_that_lives_are_left_to_it(awake: None) -> None:
    async with held(Lifeline(FAR)):
        assert await silent_workers() == set()
        assert await take_over(FAR, HERE) == 0

    assert (await row()).awake_by == FAR


async def test_orders_of_a_worker_that_is_gone_are_taken_over_once(awake: None) -> None:
    async with held(Lifeline(FAR)):
        pass
    silent = await silent_workers()
    taken = [await take_over(FAR, HERE), await take_over(FAR, "worker-third")]

    assert silent == {FAR}
    assert taken == [1, 0]
    assert (await row()).awake_by == HERE


@pytest.mark.parametrize("nobody", ["", NEXT, WATCH])
async def test_what_no_worker_has_is_nobodys_to_take_over(awake: None, nobody: str) -> None:
    await awake_by(nobody)

    assert await silent_workers() == set()


async def test_a_second_worker_of_the_same_name_waits_for_the_end_of_the_first(database_url: str) -> None:
    first, second = Lifeline(FAR), Lifeline(FAR)
    waiting = None
    try:
        async with held(first):
            waiting = asyncio.create_task(second.hold())
            await asyncio.sleep(1.5)
            assert not second.holds
        await eventually(lambda: holds(second), within=20)
        assert not first.holds
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting


async def test_a_lifeline_that_was_cut_is_known_to_be_lost_and_taken_again(database_url: str) -> None:
    lost: list[str] = []
    line = Lifeline(FAR, lambda: lost.append(FAR))
    async with held(line):
        async with transaction() as connection:
            cut = await connection.execute(
                text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE :line"),
                {"line": f"%lifeline of {FAR}"},
            )
            assert cut.scalar_one() == 1

        async def was_lost() -> bool:
            return bool(lost)

        await eventually(was_lost, within=20)
        assert not line.holds
        await eventually(lambda: holds(line), within=20)

    assert lost == [FAR, FAR], "the second time at its end"


async def test_a_worker_that_was_cut_off_goes_no_further_with_an_order(database_url: str) -> None:
    lifeline.mine = Lifeline(HERE)
    try:
        leave_to_others()  # not begun: what is no worker has no lifeline
        lifeline.mine.begin()

        with pytest.raises(Abort):
            leave_to_others()
        async with held(lifeline.mine):
            leave_to_others()
    finally:
        lifeline.mine = None


@pytest.mark.parametrize(("by", "may"), [(HERE, True), ("", True), (FAR, False), (NEXT, False)])
async def test_what_was_handed_over_is_not_put_to_rest_by_who_had_it(
    awake: None, monkeypatch: pytest.MonkeyPatch, by: str, may: bool
) -> None:
    await awake_by(by)
    monkeypatch.setitem(os.environ, WORKER, HERE)

    assert await goes_to_rest() is may

    after = await row()
    assert (after.awake_since is None, after.wakes) == (may, int(may))


async def test_a_lifeline_is_a_connection_that_postgresql_watches(database_url: str) -> None:
    async with held(Lifeline(FAR)), transaction() as connection:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert (await connection.execute(text(query))).scalar_one() >= 1
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection_:
        left = connection_.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert left == (0,)
