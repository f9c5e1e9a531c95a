"""The worker in trouble: killed, told to stop, or not alone. No order is left awake, nothing is said twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled
from sqlalchemy import func, select, update

import gendan.worker as gendan_worker
from gendan.supervisor import Running
from gendan.wake_ups import WakeUpLoop
from gendan.worker import GendanWorker
from models import tables
from models.errors import Unavailable
from tasks.clock import now
from tasks.database import transaction
from tests.factories import a_milestone, a_report, china
from tests.flows.house import Follow, Following, at_the_office, eventually, house_of, outbox_of, runs_by_id, two_steps

MANY = 20
AT_WORK = (StateType.RUNNING, StateType.PENDING)
CHAIN = [a_milestone(f"STEP_{n}", offset=n - 4, after=(f"STEP_{n - 1}",) if n > 1 else ()) for n in range(1, 5)]


async def many(follow: Follow) -> list[Following]:
    """Take in orders whose first step is due on Monday, 28 December."""
    return list(await asyncio.gather(*(follow(at_the_office(*CHAIN)) for _ in range(MANY))))


async def advance(orders: list[Following], step: int) -> None:
    """Tell of all orders that a step was done, a day late, and wait for none of them."""
    at = china(28 + step, 8, month=12)
    await asyncio.gather(*(order.wake(at, a_report(f"STEP_{step}", at)) for order in orders))


def worker_of(gendan: Running) -> psutil.Process:
    """Return the worker process of this house."""
    household = house_of(gendan).household()
    assert household is not None
    return psutil.Process(household.children["worker"].pid)


async def some_awake(orders: list[Following], count: int = 4) -> bool:
    """Say whether so many runs of these orders are at work this moment."""
    rows = tables.follow_ups.c
    numbers = [order.order_no for order in orders]
    async with transaction() as connection:
        query = select(rows.flow_run_id).where(rows.order_no.in_(numbers), rows.awake_since.is_not(None))
        ids = [UUID(str(row.flow_run_id)) for row in await connection.execute(query) if row.flow_run_id]
    if len(ids) < count:
        return False
    runs = await runs_by_id(orders[0].client, ids)
    return sum(run.state is not None and run.state.type in AT_WORK for run in runs.values()) >= count


async def some_told(order_nos: list[str], count: int = 4) -> bool:
    """Say whether something was said about so many of these orders."""
    rows = tables.notices.c
    async with transaction() as connection:
        told = await connection.execute(
            select(func.count(rows.order_no.distinct())).where(rows.order_no.in_(order_nos))
        )
        return bool(told.scalar_one() >= count)


async def went_down(worker: psutil.Process) -> bool:
    """Say whether the process has ended."""
    try:
        return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def came_up(gendan: Running, before: int) -> bool:
    """Say whether the house has another worker than before."""
    household = house_of(gendan).household()
    return household is not None and household.children["worker"].pid != before


async def test_a_worker_killed_in_mid_wake_up_is_started_again_loses_nothing_and_says_nothing_twice(
    follow: Follow, gendan: Running
) -> None:
    orders = await many(follow)
    numbers = [order.order_no for order in orders]
    worker = worker_of(gendan)
    for order in orders:  # the first rung of the first step is due for all of them
        await order.wake((await order.row()).next_wake_up)
    await eventually(lambda: some_told(numbers), every=0.01)
    os.kill(worker.pid, signal.SIGKILL)
    await advance(orders, 1)  # nobody is there to hear it
    await eventually(lambda: came_up(gendan, worker.pid))
    for order in orders:
        await order.asleep()

    said = 0
    for order in orders:
        state = await order.state()
        assert (state.type, state.name) == (StateType.PAUSED, "Awaiting Step_2")
        assert [getattr(entry, "milestone", "") for entry in (await order.file()).entries] == ["STEP_1"]
        assert {code: look[1] for code, look in (await order.looks()).items()} == {
            "STEP_1": "Done late",
            "STEP_2": "Waiting",
        }
        notices = await order.notices()
        assert {(n.milestone, n.rung) for n in notices} <= {("STEP_1", "L1")}
        assert len({n.role for n in notices}) == len(notices)
        said += bool(notices)

    rows = tables.deliveries.c
    async with transaction() as connection:  # as if the killed worker's leases had run out
        await connection.execute(
            update(tables.deliveries).where(rows.delivered_at.is_(None)).values(next_attempt_at=now())
        )
    files = Counter(outbox_of(gendan))
    assert 4 <= said < MANY, "it was to be killed in the midst of them"
    for order in orders:
        for message in await order.messages():
            # Killed between sending and writing that down: rather twice than never.
            assert files[message.subject] <= 2, message.subject


async def test_a_worker_that_is_told_to_stop_finishes_what_it_has_begun(
    follow: Follow, gendan: Running, client: PrefectClient
) -> None:
    orders = await many(follow)
    ids = [(await order.run()).id for order in orders]
    worker = worker_of(gendan)
    await advance(orders, 1)
    await eventually(lambda: some_awake(orders), every=0.01)
    worker.send_signal(signal.SIGTERM)
    await eventually(lambda: went_down(worker), every=0.02)
    after = Counter(run.state.type for run in (await runs_by_id(client, ids)).values() if run.state is not None)

    assert set(after) <= {StateType.PAUSED, StateType.SCHEDULED}
    for order in orders:
        await order.asleep()
        state = await order.state()
        assert (state.type, state.name) == (StateType.PAUSED, "Awaiting Step_2")
        states = await client.read_flow_run_states((await order.run()).id)
        assert StateType.CRASHED not in {state.type for state in states}


@contextmanager
def second_worker(gendan: Running, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run another worker on the same pool for the length of a block."""
    with log.open("wb") as file:
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "prefect", "worker", "start", "--type", "gendan"),
                *("--pool", gendan.environment["GENDAN_POOL"], "--name", "worker-2", "--limit", "8"),
            ],
            env=gendan.environment,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(timeout=60)


async def test_of_two_workers_each_wakes_orders_and_no_order_is_awake_twice_at_once(
    follow: Follow, gendan: Running, client: PrefectClient, tmp_path: Path
) -> None:
    log = tmp_path / "worker-2.log"
    orders = await many(follow)

    async def is_up() -> bool:
        return b"worker-2" in log.read_bytes() and b"started" in log.read_bytes()

    with second_worker(gendan, log) as worker:
        await eventually(is_up)
        for step in (1, 2):
            await advance(orders, step)
            for order in orders:
                await order.asleep()
        assert worker.poll() is None

    for order in orders:
        run = await order.run()
        row = await order.row()
        assert run.state is not None
        assert (run.state.type, run.state.name) == (StateType.PAUSED, "Awaiting Step_3")
        states = sorted(await client.read_flow_run_states(run.id), key=lambda state: state.timestamp)
        awake = [state.type for state in states if state.type in (StateType.RUNNING, StateType.PAUSED)]
        assert awake == [StateType.RUNNING, StateType.PAUSED] * row.wakes, "one wake-up after the other"
    by_the_second = {order.order_no for order in orders if order.order_no.encode() in log.read_bytes()}
    assert by_the_second, "the second worker was to have its share"


@asynccontextmanager
async def lone_worker(gendan: Running) -> AsyncIterator[GendanWorker]:
    """Have a worker that listens to nothing, runs nothing and does what a test calls, beside the one of the house."""
    with temporary_settings({PREFECT_API_URL: gendan.api_url}), pytest.MonkeyPatch.context() as patch:
        patch.setattr(WakeUpLoop, "start", lambda loop: None)  # else Prefect starts a server for its thread
        async with GendanWorker("gendan", name="late") as worker:
            await worker.sync_with_backend()
            yield worker


async def left_awake_by_it(order: Following) -> None:
    """Let an order be awake as if this worker's wake-up of it had failed."""
    rows = tables.follow_ups
    async with transaction() as connection:
        await connection.execute(
            update(rows).where(rows.c.order_no == order.order_no).values(awake_since=now(), awake_by="late")
        )


async def test_a_worker_takes_up_again_what_it_left_awake_and_leaves_alone_what_is_under_way(
    follow: Follow, gendan: Running
) -> None:
    left, under_way = await follow(two_steps()), await follow(two_steps())
    wakes = (await left.row()).wakes
    async with lone_worker(gendan) as worker:
        for order in (left, under_way):
            await left_awake_by_it(order)
        run = (await under_way.run()).id
        assert worker._take_place(run)

        await worker._take_up_left_behind()
        await left.asleep()
        assert (await left.row()).wakes == wakes + 1
        assert (await under_way.row()).awake_by == "late"

        worker._give_place_back(run)
        await worker._take_up_left_behind()
        await under_way.asleep()
    for order in (left, under_way):
        assert (await order.state()).type is StateType.PAUSED


async def test_what_goes_to_rest_while_a_worker_looks_for_what_it_left_behind_is_not_woken(
    follow: Follow, gendan: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await follow(two_steps())
    wakes, run = (await order.row()).wakes, await order.run()
    look = gendan_worker.awake_too_long
    async with lone_worker(gendan) as worker:
        await left_awake_by_it(order)
        assert worker._take_place(run.id)

        async def rests_meanwhile(*what: Any, **more: Any) -> Any:
            found = await look(*what, **more)
            await order.set(awake_since=None, awake_by="")
            worker._give_place_back(run.id)
            return found

        monkeypatch.setattr(gendan_worker, "awake_too_long", rests_meanwhile)
        await worker._take_up_left_behind()

    assert (await order.state()).id == run.state_id
    assert (await order.row()).wakes == wakes


async def test_who_claims_an_order_while_the_database_is_away_notes_it_once_it_is_back(
    follow: Follow, gendan: Running, client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes then, it is known who left the order awake."""
    order = await follow(two_steps())
    wakes, run = (await order.row()).wakes, await order.run()
    note, away = gendan_worker.hand_over, 2

    async def away_twice(*what: Any, **more: Any) -> None:
        nonlocal away
        if away:
            away -= 1
            raise Unavailable("The database cannot be used.")
        await note(*what, **more)

    async def breaks_off(*what: Any, **more: Any) -> None:
        raise OSError("Prefect does not answer.")

    monkeypatch.setattr(gendan_worker, "hand_over", away_twice)
    monkeypatch.setattr(gendan_worker, "RECONNECT_SECONDS", 0.1)
    await client.update_work_pool("gendan", WorkPoolUpdate(is_paused=True))  # the other worker is not to have it
    try:
        await client.set_flow_run_state(run.id, Scheduled(), force=True)
        async with lone_worker(gendan) as worker:
            monkeypatch.setattr(worker, "_run_in_process", breaks_off)
            assert worker._take_place(run.id)
            await worker._submit_run(run)
            assert ((await order.row()).awake_by, (await order.state()).type) == ("late", StateType.PENDING)

            await worker._take_up_left_behind()
    finally:
        await client.update_work_pool("gendan", WorkPoolUpdate(is_paused=False))

    await order.asleep()
    assert (await order.row()).wakes == wakes + 1


async def test_what_a_late_answer_calls_scheduled_and_waits_already_ends_no_worker(
    follow: Follow, gendan: Running
) -> None:
    order = await follow(two_steps())
    async with lone_worker(gendan) as worker:
        run = await order.run()
        assert worker._take_place(run.id)
        await worker._submit_run(run)

        assert worker._take_place(run.id), "its place is free again"
    assert (await order.state()).type is StateType.PAUSED
