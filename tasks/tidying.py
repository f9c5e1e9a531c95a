"""
Tidying up in Prefect: the runs of orders that have long been closed, old forms, old rounds of the watch.

Prefect's own vacuum deletes events, and what deleted runs leave behind. Which run may go it cannot know: here the order
book is asked first, and nothing of the order book is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, Artifact
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from tasks.follow_ups import find_by_run
from tasks.waking import AT_ONCE, DEPLOYMENTS

ORDERS = tuple(DEPLOYMENTS.values())
FORMS = ("report-milestone/report-milestone", "register-orders/register-orders")
ROUNDS = ("keep-watch/keep-watch", "tidy-up/tidy-up")

TOGETHER = 50
"""Runs of one call: more than that Prefect's server refuses to delete at a time."""
MOST = 5_000
"""Runs that one round deletes of each deployment: what is left is for the next day."""


@dataclass
class Tidied:
    """What one round has deleted, by deployment, and what it left for the next."""

    runs: dict[str, int] = field(default_factory=dict)
    artifacts: int = 0
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line, for the run's badge and log."""
        parts = [f"{count} runs of {name.partition('/')[0]}" for name, count in self.runs.items() if count]
        if self.artifacts:
            parts.append(f"{self.artifacts} artifacts")
        if self.left:
            parts.append(f"more of {', '.join(name.partition('/')[0] for name in self.left)} tomorrow")
        return ", ".join(parts) or "nothing to do"


async def tidy(
    client: PrefectClient, at: datetime, *, keep_runs: timedelta, keep_rounds: timedelta, most: int = MOST
) -> Tidied:
    """
    Delete what ended longer ago than it is kept, at most `most` runs of each deployment.

    Can be broken off and done again at any point. What others delete meanwhile is no error.
    """
    tidied = Tidied()
    for name in (*ORDERS, *FORMS, *ROUNDS):
        before = at - (keep_rounds if name in ROUNDS else keep_runs)
        try:
            deployment = await client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue  # not deployed here
        await _tidy_one(client, name, _ended(deployment.id, before), most, tidied)
    return tidied


async def _tidy_one(client: PrefectClient, name: str, ended: FlowRunFilter, most: int, tidied: Tidied) -> None:
    deleted = kept = 0
    while deleted < most:
        page = await client.read_flow_runs(
            flow_run_filter=ended, sort=FlowRunSort.ID_DESC, offset=kept, limit=min(TOGETHER, most - deleted)
        )
        if not page:
            break
        ids = [run.id for run in page]
        if name in ORDERS:
            # Failed or crashed long ago, and the watch has not put it right yet: it is the run of an open order.
            followed = {order.flow_run_id for order in await find_by_run(ids)}
            kept += len(followed)
            ids = [run for run in ids if run not in followed]
        if not ids:
            continue
        # The artifacts first: of a run that is gone, nobody would find them but Prefect's daily search for orphans.
        tidied.artifacts += await _delete_artifacts(client, ids)
        deleted += await _delete_runs(client, ended, ids)
    else:
        if await client.read_flow_runs(flow_run_filter=ended, sort=FlowRunSort.ID_DESC, offset=kept, limit=1):
            tidied.left.append(name)
    tidied.runs[name] = deleted


def _ended(deployment: UUID, before: datetime) -> FlowRunFilter:
    return FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))),
        end_time=FlowRunFilterEndTime(before_=before),
    )


async def _delete_runs(client: PrefectClient, ended: FlowRunFilter, ids: Sequence[UUID]) -> int:
    """
    Delete those of these runs that are still there and still ended; return how many.

    Task runs, states and inputs go with a run; its logs go right after it, by a task of the server.
    """
    still_ended = ended.model_copy(update={"id": FlowRunFilterId(any_=list(ids))})
    answer = await client.request(
        "POST",
        "/flow_runs/bulk_delete",  # type: ignore[arg-type]  # the client's list of paths lacks it
        json={"flow_runs": still_ended.model_dump(mode="json", exclude_unset=True), "limit": TOGETHER},
    )
    return len(answer.json()["deleted"])


async def _delete_artifacts(client: PrefectClient, runs: Sequence[UUID]) -> int:
    """Delete the artifacts of these runs, and with the last of a key its collection; return how many."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(artifact: Artifact) -> bool:
        async with places:
            try:
                await client.delete_artifact(artifact.id)
            except ObjectNotFound:
                return False  # somebody else was faster
            return True

    deleted = 0
    its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=list(runs)))
    while found := await client.read_artifacts(artifact_filter=its):
        deleted += sum(await asyncio.gather(*map(one, found)))
    return deleted
