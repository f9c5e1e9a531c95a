"""A worker that is killed and never comes back: the other one takes over what was awake in it."""

from __future__ import annotations

from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from sqlalchemy import func, select

from gendan.supervisor import Running
from models import tables
from tasks.database import transaction
from tests.flows.house import Follow, eventually
from tests.flows.test_worker import advance, many, second_worker, worker_of


async def test_what_a_worker_leaves_awake_that_never_comes_back_is_taken_over_by_the_other(
    follow: Follow, gendan: Running, client: PrefectClient, tmp_path: Path
) -> None:
    log = tmp_path / "worker-2.log"
    orders = await many(follow)
    rows = tables.follow_ups.c

    async def is_up() -> bool:
        return b"worker-2" in log.read_bytes() and b"started" in log.read_bytes()

    async def has_some() -> bool:
        async with transaction() as connection:
            its = select(func.count()).where(rows.awake_by == "worker-2", rows.awake_since.is_not(None))
            return (await connection.execute(its)).scalar_one() >= 2

    with second_worker(gendan, log) as worker:
        await eventually(is_up)
        first = worker_of(gendan)
        first.suspend()  # the other one takes all of them
        try:
            await advance(orders, 1)
            await eventually(has_some, every=0.01)
            worker.kill()
        finally:
            first.resume()
        for order in orders:  # the watch rests here, and would come after five minutes only
            await order.asleep()

    for order in orders:
        state = await order.state()
        assert (state.type, state.name) == (StateType.PAUSED, "Awaiting Step_2")
        assert [getattr(entry, "milestone", "") for entry in (await order.file()).entries] == ["STEP_1"]
        notices = [(n.milestone, n.rung, n.role) for n in await order.notices()]
        assert len(set(notices)) == len(notices)
