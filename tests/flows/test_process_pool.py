"""Gendan's deployments ask for nothing of our worker's: they run on a plain `process` pool as well, only slower."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.workers.process import ProcessWorker

from gendan.deploy import deploy, pause_watch
from gendan.supervisor import Running, Supervisor
from tasks import database
from tasks.schema import migrate
from tasks.settings import Settings
from tasks.waking import wake_due
from tests.factories import DEPARTURE, a_report, china
from tests.flows.house import Follow, a_house, at_the_office, environment


def with_plain_workers(settings: Settings, say: Callable[[str], None]) -> Supervisor:
    """Return a supervisor whose pool and worker are Prefect's own."""

    async def make_pool(api_url: str) -> None:
        async with PrefectClient(api_url) as client:
            await client.create_work_pool(
                WorkPoolCreate(
                    name=settings.pool,
                    type="process",
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )

    def prepare(running: Running) -> None:
        migrate(running.database_url)

    def tell_prefect(running: Running) -> None:
        asyncio.run(make_pool(running.api_url))
        deploy(running.environment)
        asyncio.run(pause_watch(running.environment))

    return Supervisor(
        settings,
        say,
        prepare=prepare,
        deploy=tell_prefect,
        worker_command=(
            *(sys.executable, "-m", "prefect", "worker", "start"),
            *("--type", "process", "--pool", settings.pool),
        ),
    )


@pytest.fixture(scope="module")
def gendan() -> Iterator[Running]:
    """Return a Gendan of its own, in place of the session's."""
    with a_house(with_plain_workers, PREFECT_WORKER_QUERY_SECONDS="1") as running, environment(running.environment):
        yield running


async def test_an_order_goes_from_registered_to_completed_on_a_process_pool(
    gendan: Running, follow: Follow, client: PrefectClient
) -> None:
    order = await follow.register(at_the_office(DEPARTURE.model_copy(update={"after": ()})), clock=china(1, month=10))
    await order.wake(china(1, month=10))
    assert await wake_due(client, "watch") == 1
    await order.asleep()
    state = await order.state()
    assert (state.type, state.name) == (StateType.PAUSED, "Awaiting vessel departed")

    await order.wake(china(30, month=12), a_report("DEPARTED", china(30, month=12)))
    assert await wake_due(client, "watch") == 1
    await order.asleep()
    state = await order.ended()
    assert (state.type, state.name) == (StateType.COMPLETED, "Sailed on time")
    assert {code: look[1] for code, look in (await order.looks()).items()} == {"DEPARTED": "Done"}
    await database.close()
