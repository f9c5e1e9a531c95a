"""What is long over goes from Prefect with all that hangs on it; what is followed stays, and so does the book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Failed

from gendan.supervisor import Running
from models.book.changes import Cancellation
from models.book.report import Withdrawal
from tasks.clock import now
from tasks.run_page import sheet_key
from tasks.tidying import Tidied, tidy
from tasks.watching import mend_missing
from tests.factories import a_report, china
from tests.flows.house import Follow, Following, eventually, prefect_database, two_steps

KEPT = timedelta(days=90)
LONG_AGO = KEPT + timedelta(hours=1)


async def a_sailed_order(follow: Follow) -> Following:
    """Follow an order until it has sailed and its run has ended."""
    order = await follow(two_steps())
    await order.advance(china(20), a_report("FAB_IN", china(20)))
    sailed = a_report("DEPARTED", china(30, month=12), source="CMA", source_event_id=f"D/{order.order_no}")
    await order.advance(china(30, month=12), sailed)
    await order.ended()
    return order


async def ended(gendan: Running, ago: timedelta, *runs: UUID) -> None:
    """Let these runs have ended some time ago."""
    async with prefect_database(gendan) as prefect:
        await prefect.execute("UPDATE flow_run SET end_time = %s WHERE id = ANY(%s)", [now() - ago, list(runs)])


async def one_round(client: PrefectClient, **changes: Any) -> Tidied:
    """Tidy up as the flow does it."""
    return await tidy(client, now(), **({"keep_runs": KEPT, "keep_rounds": timedelta(days=1)} | changes))


async def hangs_on(gendan: Running, run: UUID, key: str) -> dict[str, int]:
    """Count the rows that Prefect keeps of a run, and of the artifact under this key."""
    of_run = ("task_run", "flow_run_state", "flow_run_input", "log", "artifact")
    counts = {}
    async with prefect_database(gendan) as prefect:

        async def count(query: str, values: Sequence[object]) -> int:
            row = await (await prefect.execute(query, values)).fetchone()
            assert row is not None
            return int(row[0])

        counts["flow_run"] = await count("SELECT count(*) FROM flow_run WHERE id = %s", [run])
        for table in of_run:
            counts[table] = await count(f"SELECT count(*) FROM {table} WHERE flow_run_id = %s", [run])
        counts["artifact_collection"] = await count("SELECT count(*) FROM artifact_collection WHERE key = %s", [key])
    return counts


async def test_a_closed_orders_run_goes_with_everything_that_hangs_on_it_once_its_days_are_over(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    order = await a_sailed_order(follow)
    run, key = (await order.run()).id, sheet_key(order.order_no)
    entries = (await order.file()).entries
    await client.create_flow_run_input(run, "left-behind", "{}")
    await ended(gendan, KEPT - timedelta(hours=1), run)

    assert (await one_round(client)).runs["follow-order/follow-order"] == 0

    async def logged() -> dict[str, int] | None:
        """Return what there is once the worker has sent the run's logs."""
        there = await hangs_on(gendan, run, key)
        return there if there["log"] else None

    before = await eventually(logged)
    assert min(before.values()) > 0, before
    assert before["task_run"] == 2

    await ended(gendan, LONG_AGO, run)
    tidied = await one_round(client)

    assert tidied.runs["follow-order/follow-order"] == 1
    assert tidied.artifacts == 1
    assert str(tidied) == "1 runs of follow-order, 1 artifacts"

    async def all_gone() -> bool:
        """Say whether the server's task for the logs is done as well."""
        return not any((await hangs_on(gendan, run, key)).values())

    await eventually(all_gone)
    assert (await order.file()).entries == entries
    assert await mend_missing(client) == 0
    assert str(await one_round(client)) == "nothing to do"


async def test_the_run_of_an_open_order_stays_whatever_its_state_and_age(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    waiting, failed, sailed = await follow(), await follow(), await a_sailed_order(follow)
    runs = [(await order.run()).id for order in (waiting, failed, sailed)]
    await client.set_flow_run_state(runs[1], Failed(), force=True)
    await ended(gendan, LONG_AGO, *runs)

    tidied = await one_round(client)

    assert tidied.runs["follow-order/follow-order"] == 1
    assert (await waiting.state()).type is StateType.PAUSED
    assert (await failed.state()).type is StateType.FAILED
    assert await failed.sheets()
    assert await mend_missing(client) == 1, "the watch puts the failed one right"
    await failed.asleep()


async def test_a_run_deleted_by_hand_meanwhile_is_no_error(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    orders = [await a_sailed_order(follow) for _ in range(2)]
    runs = [(await order.run()).id for order in orders]
    await ended(gendan, LONG_AGO, *runs)
    (sheet,) = await orders[0].sheets()
    read = client.read_artifacts

    async def read_and_be_overtaken(**filters: Any) -> Any:
        found = await read(**filters)
        if any(artifact.id == sheet.id for artifact in found):
            await client.delete_artifact(sheet.id)
            await client.delete_flow_run(runs[0])
        return found

    client.read_artifacts = read_and_be_overtaken  # type: ignore[method-assign]
    tidied = await one_round(client)

    assert tidied.runs["follow-order/follow-order"] == 1
    assert tidied.artifacts == 1


async def test_a_round_deletes_so_many_and_says_that_there_are_more(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    orders = [await a_sailed_order(follow) for _ in range(3)]
    await ended(gendan, LONG_AGO, *[(await order.run()).id for order in orders])

    first = await one_round(client, most=2)
    second = await one_round(client, most=2)

    assert (first.runs["follow-order/follow-order"], first.left) == (2, ["follow-order/follow-order"])
    assert str(first).endswith("more of follow-order tomorrow")
    assert (second.runs["follow-order/follow-order"], second.left) == (1, [])


async def test_an_order_whose_run_is_gone_is_followed_again_when_it_opens(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    order = await a_sailed_order(follow)
    gone = (await order.run()).id
    await ended(gendan, LONG_AGO, gone)
    await one_round(client)

    wrong = {"milestone": "DEPARTED", "source": "CMA", "retracts": f"D/{order.order_no}"}

    await order.record(lambda file, at: Withdrawal(recorded_at=at, **wrong))

    run = await order.run()
    assert run.id != gone
    assert run.state is not None
    assert run.state.type is StateType.PAUSED
    assert {code: look[1] for code, look in (await order.looks()).items()} == {"FAB_IN": "Done", "DEPARTED": "Waiting"}


async def test_the_watchs_rounds_go_after_a_day_and_cancelled_orders_after_theirs(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    watch = await client.read_deployment_by_name("keep-watch/keep-watch")
    old, new = [(await client.create_flow_run_from_deployment(watch.id, state=Completed())).id for _ in range(2)]
    await ended(gendan, timedelta(hours=25), old)
    await ended(gendan, timedelta(hours=23), new)
    cancelled = await follow()
    await cancelled.record(lambda file, at: Cancellation(recorded_at=at))
    await cancelled.ended()
    await ended(gendan, timedelta(days=89), (await cancelled.run()).id)

    ours = await client.read_deployment_by_name("tidy-up/tidy-up")
    run = await client.create_flow_run_from_deployment(ours.id)

    async def look() -> State[Any] | None:
        """Return the state in which the worker has left it."""
        state = (await client.read_flow_run(run.id)).state
        return state if state is not None and state.is_final() else None

    state = await eventually(look)
    assert (state.name, state.message) == ("Tidied up", "1 runs of keep-watch")
    assert (await client.read_flow_run(new)).state is not None
    assert (await cancelled.run()).state is not None
