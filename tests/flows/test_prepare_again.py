"""`gendan prepare` on a Prefect and a database that are in use, and on ones that know nothing of Gendan."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from prefect.client.orchestration import PrefectClient

from gendan.supervisor import Running
from gendan.worker import GendanWorker
from tests.flows.house import Follow, two_steps


def prepare(gendan: Running, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the environment of a worker of this Gendan."""
    command = [sys.executable, "-c", "from gendan.cli import main; main()", "prepare"]
    environment = gendan.environment | changes
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def known(client: PrefectClient) -> dict[str, Sequence[object]]:
    """Return what the server knows of Gendan: ids, so that what was made anew is seen."""
    return {
        "pools": [pool.id for pool in await client.read_work_pools() if pool.type == GendanWorker.type],
        "deployments": sorted((d.name, d.id) for d in await client.read_deployments() if "gendan" in d.tags),
        "automations": sorted(a.name for a in await client.read_automations()),
    }


async def test_prepared_again_everything_is_there_once_and_orders_go_on(
    follow: Follow, gendan: Running, client: PrefectClient
) -> None:
    order = await follow(two_steps())
    before = await known(client)
    done = prepare(gendan)
    again = prepare(gendan)
    watch = await client.read_deployment_by_name("keep-watch/keep-watch")
    await client.pause_deployment(watch.id)  # the shared Gendan moves its clocks by hand

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    after = await known(client)
    assert (after["pools"], after["deployments"]) == (before["pools"], before["deployments"])
    assert len(after["deployments"]) == 6
    assert after["automations"].count("gendan-watch-silent") == 1
    await order.climb()
    assert await order.notices()


async def test_a_database_that_cannot_be_reached_is_named_without_its_password(gendan: Running) -> None:
    done = prepare(gendan, GENDAN_DATABASE_URL="postgresql://mei:s3cr3tMARK@127.0.0.1:9/gendan")

    assert done.returncode == 1
    assert "'gendan' cannot be reached" in done.stderr
    assert "s3cr3tMARK" not in done.stdout + done.stderr
