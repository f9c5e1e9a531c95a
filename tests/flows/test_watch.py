"""The watch wakes what is due, delivers what is left, puts right what went wrong, and else reads nothing."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling, Completed, Crashed, Failed, Pending, Running, Scheduled
from sqlalchemy import event, insert, update

from gendan.supervisor import Running as House
from models import tables
from models.book.changes import Followed
from tasks.clock import now
from tasks.database import engine, transaction
from tasks.deliveries import deliver_waiting
from tasks.dispatch import dispatch
from tasks.lifeline import NEXT
from tasks.logbook import record_report
from tasks.waking import wake_due
from tasks.watching import mend_ended, mend_missing, mend_stuck
from tests.factories import a_report, china
from tests.flows.crowd import many_orders
from tests.flows.house import Follow, Following, eventually, outbox_of, prefect_database, two_steps

LONG_AGO = timedelta(minutes=10)


async def test_an_order_whose_time_has_come_is_woken(follow: Follow, client: PrefectClient) -> None:
    due, later = await follow.real(), await follow.real()
    await due.set(next_wake_up=now() - timedelta(seconds=1))

    assert await wake_due(client, "watch") == 1

    await due.asleep()
    assert ((await due.row()).wakes, (await later.row()).wakes) == (2, 1)
    assert (await due.row()).next_wake_up > now()


async def test_an_order_on_a_virtual_clock_is_not_woken_by_the_clock_on_the_wall(
    follow: Follow, client: PrefectClient
) -> None:
    order = await follow()
    await order.set(next_wake_up=now() - timedelta(days=30))

    assert await wake_due(client, "watch") == 0
    assert (await order.row()).wakes == 1


async def cancel(client: PrefectClient, order: Following) -> UUID:
    """Cancel an order's run as the button on Prefect's page does it; return the run's id."""
    run = await order.run()
    await client.set_flow_run_state(run.id, Cancelling())
    return run.id


async def test_cancelling_a_run_leaves_its_order_and_somebody_is_told_once(
    follow: Follow, client: PrefectClient, gendan: House
) -> None:
    order = await follow()
    run_id = await cancel(client, order)
    assert (await client.read_flow_run(run_id)).state.type is StateType.CANCELLED  # type: ignore[union-attr]

    await mend_ended(client)
    await mend_ended(client)

    row = await eventually(lambda: closed(order, "not_followed"))
    assert row.flow_run_id is None
    assert row.next_wake_up is None
    entries = (await order.file()).entries
    assert [entry.kind for entry in entries] == ["unfollowed"]
    (notice,) = await order.notices()
    assert (notice.rung, notice.role) == ("NOTE", "MER")
    (message,) = await order.messages()
    assert message.subject in outbox_of(gendan)


async def closed(order: Following, state: str) -> Any:
    """Return the order's row once it is closed as `state` and nobody is at it."""
    row = await order.row()
    return row if row.closed_as == state and not row.wanted and row.awake_since is None else None


async def test_an_order_that_was_left_is_not_started_by_a_report_but_by_following_it_again(
    follow: Follow, client: PrefectClient
) -> None:
    order = await follow()
    left = await cancel(client, order)
    await mend_ended(client)
    await eventually(lambda: closed(order, "not_followed"))

    await record_report(order.order_no, lambda placed: a_report("FAB_IN", placed.now))
    await asyncio.sleep(1)
    assert (await order.row()).flow_run_id is None

    await order.record(lambda file, at: Followed(recorded_at=at))
    run = await order.run()
    assert run.id != left
    assert run.name == order.order_no
    assert run.state is not None
    assert run.state.name == "Awaiting cutting started"
    assert {code: look[1] for code, look in (await order.looks()).items()} == {"FAB_IN": "Done", "CUT_START": "Waiting"}


async def test_a_run_that_was_deleted_is_replaced(follow: Follow, client: PrefectClient) -> None:
    order, other = await follow(), await follow()
    kept = (await other.run()).id
    lost = (await order.run()).id
    await client.delete_flow_run(lost)

    assert await mend_missing(client) == 1

    await eventually(lambda: woke(order, 2))
    run = await order.run()
    assert run.id != lost
    assert run.state is not None
    assert run.state.name == "Awaiting bulk fabric in-house"
    assert set(await order.bars()) == {"FAB_IN"}
    assert (await other.run()).id == kept


async def test_a_run_that_was_completed_by_hand_is_replaced(follow: Follow, client: PrefectClient) -> None:
    order = await follow()
    lost = (await order.run()).id
    await client.set_flow_run_state(lost, Completed(), force=True)

    assert await mend_missing(client) == 1

    await eventually(lambda: woke(order, 2))
    assert (await order.run()).id != lost
    assert (await order.state()).type is StateType.PAUSED


async def test_a_run_cancelled_long_ago_is_still_found(follow: Follow, client: PrefectClient) -> None:
    """The watch may have been down for longer than it looks back."""
    order = await follow()
    await cancel(client, order)

    assert await mend_ended(client, since=now() + timedelta(minutes=1)) == 0
    assert await mend_missing(client) == 1

    await eventually(lambda: closed(order, "not_followed"))


@pytest.mark.parametrize("state", [Running(), Pending()], ids=["Running", "Pending"])
async def test_a_wake_up_that_was_cut_off_is_made_again(follow: Follow, client: PrefectClient, state: Any) -> None:
    order = await follow()
    run = await order.run()
    await client.set_flow_run_state(run.id, state, force=True)
    await order.set(awake_since=now() - LONG_AGO, awake_by="worker-9", wanted=True)

    assert await mend_stuck(client) == 1

    await order.asleep()
    assert ((await order.run()).id, (await order.state()).type) == (run.id, StateType.PAUSED)
    assert (await order.row()).wakes == 2


@pytest.mark.parametrize("kind", ["RUNNING", "PENDING"])
async def test_a_run_resumed_by_hand_and_cut_off_before_it_awoke_is_found_in_prefect(
    follow: Follow, client: PrefectClient, gendan: House, kind: str
) -> None:
    """Our own tables know nothing of such a wake-up."""
    order = await follow()
    run = await order.run()
    await client.set_flow_run_state(run.id, Running() if kind == "RUNNING" else Pending(), force=True)
    assert await mend_stuck(client) == 0, "it may be at work"

    async with prefect_database(gendan) as prefect:
        await prefect.execute(
            "UPDATE flow_run_state SET timestamp = timestamp - interval '10 minutes' WHERE id ="
            " (SELECT state_id FROM flow_run WHERE id = %s)",
            [run.id],
        )
    assert await mend_stuck(client) == 1

    await eventually(lambda: woke(order, 2))
    assert (await order.state()).type is StateType.PAUSED


async def test_what_waits_for_a_worker_keeps_its_place_however_long_the_queue_is(
    follow: Follow, client: PrefectClient
) -> None:
    """Scheduled anew at each round of the watch, it would be the last at each."""
    order = await follow()
    run = await order.run()
    await client.update_work_pool("gendan", WorkPoolUpdate(is_paused=True))
    try:
        await client.set_flow_run_state(run.id, Scheduled(name="Resuming"), force=True)
        waiting = (await order.state()).id
        await order.set(awake_since=now() - LONG_AGO, awake_by=NEXT, wanted=True)

        assert await mend_stuck(client) == 1
        assert (await order.state()).id == waiting
    finally:
        await client.update_work_pool("gendan", WorkPoolUpdate(is_paused=False))
    await eventually(lambda: woke(order, 2))


async def woke(order: Following, times: int) -> bool:
    """Say whether the order woke so often and waits again."""
    row = await order.row()
    return row.wakes == times and row.awake_since is None


@pytest.mark.parametrize("state", [Failed(), Crashed()], ids=["Failed", "Crashed"])
async def test_a_run_that_failed_is_put_right(follow: Follow, client: PrefectClient, state: Any) -> None:
    order = await follow()
    run = await order.run()
    await client.set_flow_run_state(run.id, state, force=True)

    assert await mend_ended(client) == 1

    await eventually(lambda: woke(order, 2))
    assert ((await order.run()).id, (await order.state()).type) == (run.id, StateType.PAUSED)
    assert await mend_ended(client) == 0


async def test_a_report_wakes_an_order_whose_run_failed(follow: Follow, client: PrefectClient) -> None:
    order = await follow()
    await client.set_flow_run_state((await order.run()).id, Failed(), force=True)
    await order.advance(china(20), a_report("FAB_IN", china(20)))

    assert (await order.state()).name == "Awaiting cutting started"


async def test_what_was_made_and_never_delivered_is_delivered_once(follow: Follow, gendan: House) -> None:
    order = await follow()
    async with transaction() as connection:
        await connection.execute(
            insert(tables.messages).values(
                kind="direct",
                person="MER",
                tags=["MER"],
                order_no=order.order_no,
                made_at=now(),
                subject=f"left behind {order.order_no}",
                body="by a worker that was killed",
            )
        )

    await deliver_waiting(50)
    (message,) = await order.messages()
    assert await deliver_waiting(50) == (0, 0)
    assert outbox_of(gendan).count(message.subject) == 1


async def test_a_round_of_the_watch_does_all_of_it_through_its_deployment(
    follow: Follow, client: PrefectClient
) -> None:
    failed, gone, due = await follow(), await follow(), await follow.real()
    await client.set_flow_run_state((await failed.run()).id, Failed(), force=True)
    await client.delete_flow_run((await gone.run()).id)
    await due.set(next_wake_up=now() - timedelta(seconds=1))

    watch = await client.read_deployment_by_name("keep-watch/keep-watch")
    run = await client.create_flow_run_from_deployment(watch.id)

    async def ended() -> Any:
        state = (await client.read_flow_run(run.id)).state
        return state if state is not None and state.is_final() else None

    state = await eventually(ended)
    assert (state.type, state.name) == (StateType.COMPLETED, "Watched")
    # What the three said may be delivered by this watch, or by the worker before it.
    assert re.sub(r"\d+ delivered, ", "", state.message or "") == "1 woken, 1 ended, 1 missing"
    for order in (due, failed, gone):
        await eventually(lambda order=order: woke(order, 2))  # type: ignore[misc]


async def test_a_watch_with_nothing_to_do_asks_few_questions_and_reads_no_order(
    follow: Follow, client: PrefectClient, gendan: House
) -> None:
    order = await follow.real()
    asked: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    async with many_orders(gendan, order, 2_000):
        event.listen(engine().sync_engine, "before_cursor_execute", hear)
        try:
            done = [
                await mend_stuck(client),
                await mend_ended(client),
                await mend_missing(client),
                await wake_due(client, "watch"),
                (await dispatch()).messages,
                *await deliver_waiting(50),
            ]
        finally:
            event.remove(engine().sync_engine, "before_cursor_execute", hear)

    assert done == [0] * 7
    # Eight, one more where a run ended lately, and three where somebody's notices wait for his next digest.
    assert 8 <= len(asked) <= 12, asked
    # The post asks for notices, each with its order's merchandiser: there are none.
    others = [statement for statement in asked if "FROM notices" not in statement]
    assert not [statement for statement in others if "FROM orders" in statement or "FROM entries" in statement]


@pytest.mark.parametrize("state", [Running(), Pending()], ids=["Running", "Pending"])
async def test_a_run_that_was_cut_off_between_its_orders_end_and_its_own_is_ended(
    follow: Follow, client: PrefectClient, gendan: House, state: Any
) -> None:
    """It would be at work for ever, and hide that another order has no run."""
    order, robbed = await follow(two_steps()), await follow()
    await order.advance(china(30, month=12), a_report("DEPARTED", china(30, month=12)))
    await order.ended()
    run = await order.run()
    assert run.state is not None
    await client.set_flow_run_state(run.id, state, force=True)
    await client.delete_flow_run((await robbed.run()).id)
    assert await mend_stuck(client) == 0, "it may be about to end"

    async with prefect_database(gendan) as prefect:
        await prefect.execute(
            "UPDATE flow_run_state SET timestamp = timestamp - interval '2 minutes' WHERE id ="
            " (SELECT state_id FROM flow_run WHERE id = %s)",
            [run.id],
        )
    assert await mend_stuck(client) == 1

    ended = await order.state()
    assert (ended.type, ended.name) == (StateType.COMPLETED, run.state.name)
    assert await mend_stuck(client) == 0
    assert await mend_missing(client) == 1
    await eventually(lambda: woke(robbed, 2))


async def test_an_order_that_has_ended_and_is_woken_once_more_ends_again(follow: Follow, client: PrefectClient) -> None:
    """As by a worker that claims what it was given to run before another ran it; Prefect lets it."""
    order = await follow(two_steps())
    await order.advance(china(30, month=12), a_report("DEPARTED", china(30, month=12)))
    await order.ended()
    run, wakes = await order.run(), (await order.row()).wakes
    await client.set_flow_run_state(run.id, Scheduled(), force=True)

    await eventually(lambda: woke(order, wakes + 1))

    assert (await order.row()).closed_as == "closed"
    await eventually(lambda: is_completed(order))


async def test_an_order_that_has_ended_and_was_left_awake_is_given_no_other_run(
    follow: Follow, client: PrefectClient
) -> None:
    """As by a second wake-up beside the one in which it ended."""
    order = await follow(two_steps())
    await order.advance(china(30, month=12), a_report("DEPARTED", china(30, month=12)))
    await order.ended()
    run = await order.run()
    await eventually(lambda: is_completed(order))
    await order.set(awake_since=now() - LONG_AGO, awake_by="worker-9")

    assert await mend_stuck(client) == 1

    row = await order.row()
    assert (row.flow_run_id, row.closed_as, row.awake_since) == (run.id, "closed", None)


async def is_completed(order: Following) -> bool:
    return (await order.state()).type is StateType.COMPLETED


async def test_an_order_that_has_sailed_is_left_alone(follow: Follow, client: PrefectClient) -> None:
    order = await follow(two_steps())
    await order.advance(china(30, month=12), a_report("DEPARTED", china(30, month=12)))
    await order.ended()
    run = await order.run()
    await client.delete_flow_run(run.id)
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups).where(tables.follow_ups.c.order_no == order.order_no).values(next_wake_up=None)
        )

    assert await mend_missing(client) == 0
    assert await wake_due(client, "watch") == 0
    assert (await order.row()).flow_run_id == run.id
