"""What many open orders cost while nothing happens to them: as much as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from sqlalchemy import event

import tasks.watching
from flows.keep_watch import MESSAGES_AT_ONCE, ORDERS_AT_ONCE
from gendan.supervisor import Running
from tasks.clock import now
from tasks.database import engine
from tasks.deliveries import deliver_waiting
from tasks.dispatch import dispatch
from tasks.lifeline import WATCH
from tasks.waking import wake_due
from tasks.watching import MissingRuns, mend_ended, mend_stuck
from tests.flows.crowd import many_orders
from tests.flows.house import Follow
from tests.flows.test_costs import SETTLE, AccessLog

MANY = 2_000
A_WHILE = 6.0
"""Seconds for which the calls to Prefect's server are counted: several looks of the worker for work."""
MOST_ROWS = 20


@asynccontextmanager
async def rows_read() -> AsyncIterator[dict[str, int]]:
    """Collect how many rows each statement of a block reads from tables and indexes, kept or not."""
    asked: list[tuple[str, Any]] = []
    read: dict[str, int] = {}

    def hear(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine().sync_engine, "before_cursor_execute", hear)
    try:
        yield read
    finally:
        event.remove(engine().sync_engine, "before_cursor_execute", hear)
    async with engine().connect() as connection:
        for statement, parameters in asked:
            explained = await connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters
            )
            read[statement] = read.get(statement, 0) + _rows(explained.scalar_one()[0]["Plan"])
        await connection.rollback()


def _rows(plan: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in plan and plan["Node Type"].endswith("Scan"):
        seen = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        own = round(sum(plan.get(one, 0) for one in seen) * plan["Actual Loops"])
    return own + sum(_rows(each) for each in plan.get("Plans", ()))


async def a_round(client: PrefectClient, missing: MissingRuns) -> None:
    """Go round as the watch does, with nothing to do."""
    assert await mend_stuck(client) == 0
    assert await mend_ended(client) == 0
    assert await missing.mend(client, now()) == 0
    assert await wake_due(client, WATCH, ORDERS_AT_ONCE) == 0
    await dispatch()
    assert await deliver_waiting(MESSAGES_AT_ONCE) == (0, 0)


async def test_a_round_of_the_watch_reads_as_few_rows_with_many_open_orders_as_with_few(
    follow: Follow, client: PrefectClient, gendan: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await follow.real()
    monkeypatch.setattr(tasks.watching, "COUNTED_A_MINUTE", MANY // 10)

    async with many_orders(gendan, order, MANY):
        missing = MissingRuns()
        async with rows_read() as first:
            await a_round(client, missing)
        async with rows_read() as next_one:
            await a_round(client, missing)

    (count,) = first.keys() - next_one.keys()
    assert "count(" in count
    assert first[count] > MANY, "the first round compares the orders with their runs, and so counts them"
    assert sum(next_one.values()) <= MOST_ROWS, next_one


async def test_orders_are_compared_with_their_runs_the_less_often_the_more_there_are(
    follow: Follow, client: PrefectClient, gendan: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, robbed = await follow.real(), await follow.real()
    present, minute = now(), timedelta(minutes=1)
    few, many = MissingRuns(), MissingRuns()

    async with many_orders(gendan, order, MANY):
        assert await few.mend(client, present) == 0
        monkeypatch.setattr(tasks.watching, "COUNTED_A_MINUTE", MANY // 10)
        assert await many.mend(client, present) == 0
        await client.delete_flow_run((await robbed.run()).id)

        assert await many.mend(client, present + 9 * minute) == 0
        assert await many.mend(client, present + 12 * minute) == 1
        await robbed.asleep()
        await client.delete_flow_run((await robbed.run()).id)
        assert await few.mend(client, present) == 1
        await robbed.asleep()


async def test_orders_at_rest_call_nobody(follow: Follow, client: PrefectClient, gendan: Running) -> None:
    """Prefect's server hears only what the worker asks by the clock."""
    order = await follow.real()
    async with many_orders(gendan, order, MANY):
        await asyncio.sleep(SETTLE)
        log = AccessLog(gendan)
        await asyncio.sleep(A_WHILE)

        assert log.calls().total() == 0, log.calls()
