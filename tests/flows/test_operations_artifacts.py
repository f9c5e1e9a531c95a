"""The pages for operations in Prefect: one artifact for each key, written in place, and only where it changed."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from sqlalchemy import insert

from gendan.supervisor import Running
from models import tables
from tasks.clock import now
from tasks.database import transaction
from tasks.operations import EVERY, KEYS, OperationsPages
from tests.flows.house import Follow
from tests.flows.test_costs import AccessLog


async def kept(client: PrefectClient) -> dict[str, Artifact]:
    """Return the artifacts by their keys; a key with two of them fails."""
    found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=list(KEYS))))
    assert len({artifact.key for artifact in found}) == len(found)
    return {str(artifact.key): artifact for artifact in found}


async def test_each_page_is_one_artifact_that_is_written_in_place_when_it_changed(
    follow: Follow, client: PrefectClient, gendan: Running
) -> None:
    order = await follow.real()
    pages, at = OperationsPages(), now()
    await pages.refresh(client, at)
    before = await kept(client)
    assert set(before) == set(KEYS)

    # nothing changed: nothing is asked, whether it is time for a look or not
    log = AccessLog(gendan)
    assert await pages.refresh(client, at + EVERY / 2) == 0
    assert await pages.refresh(client, at + EVERY) == 0
    assert not [call for call in log.calls() if "artifacts" in call]

    async with transaction() as connection:
        turn = {"order_no": order.order_no, "milestone": "FAB_IN", "rung": "L1", "state": "triggered", "at": at}
        await connection.execute(insert(tables.chases).values(turn))
    assert await pages.refresh(client, at + EVERY + timedelta(minutes=1)) == 0
    assert await pages.refresh(client, at + 2 * EVERY) == 1

    after = await kept(client)
    assert {key: artifact.id for key, artifact in after.items()} == {key: each.id for key, each in before.items()}
    assert order.order_no in str(after["chases"].data)


async def test_another_process_finds_what_was_written_and_writes_it_no_second_time(
    follow: Follow, client: PrefectClient
) -> None:
    await follow.real()
    at = now()
    await OperationsPages().refresh(client, at)

    assert await OperationsPages().refresh(client, at) == 0


async def test_a_page_that_was_deleted_by_hand_is_made_again(follow: Follow, client: PrefectClient) -> None:
    order = await follow.real()
    pages, at = OperationsPages(), now()
    await pages.refresh(client, at)
    await client.delete_artifact((await kept(client))["chases"].id)
    async with transaction() as connection:
        turn = {"order_no": order.order_no, "milestone": "FAB_IN", "rung": "L1", "state": "triggered", "at": at}
        await connection.execute(insert(tables.chases).values(turn))

    assert await pages.refresh(client, at + EVERY) == 1

    assert order.order_no in str((await kept(client))["chases"].data)
