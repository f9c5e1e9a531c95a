"""What the watch looks at: due orders, the outbox, and what has gone wrong. Nothing reads all orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType

from tasks.clock import now
from tasks.follow_ups import awake_too_long, count_followed, find_by_run, page_of_followed
from tasks.waking import STUCK, deployment_id, mend

ENDED = [StateType.CANCELLED, StateType.FAILED, StateType.CRASHED]
ALIVE = [StateType.PAUSED, StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
LOOK_BACK = timedelta(minutes=15)
PAGE = 200


@dataclass
class Watched:
    """What one round of the watch found and did."""

    woken: int = 0
    delivered: int = 0
    undelivered: int = 0
    stuck: int = 0
    ended: int = 0
    missing: int = 0

    def __str__(self) -> str:
        """Say it in one line, for the run's badge and log."""
        parts = [f"{count} {what}" for what, count in vars(self).items() if count]
        return ", ".join(parts) or "all quiet"


async def mend_stuck(client: PrefectClient) -> int:
    """Wake again the orders whose wake-up was cut off: their runs were left Running or Pending by a killed worker."""
    stuck = await awake_too_long(STUCK)
    for order in stuck:
        await mend(client, order, stuck=True)
    return len(stuck)


async def mend_ended(client: PrefectClient, since: datetime | None = None) -> int:
    """Put right the orders whose runs ended although the orders have not: cancelled by hand, failed, crashed."""
    runs = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[await deployment_id(client)])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ENDED)),
            end_time=FlowRunFilterEndTime(after_=since or now() - LOOK_BACK),
        ),
        limit=PAGE,
    )
    if not runs:
        return 0
    orders = await find_by_run([run.id for run in runs])
    for order in orders:
        await mend(client, order, stuck=True)
    return len(orders)


async def mend_missing(client: PrefectClient) -> int:
    """
    Replace runs that were deleted by hand.

    Compares two counts, ours and Prefect's, and goes through the orders only where Prefect has fewer.
    """
    followed = await count_followed()
    deployment = DeploymentFilter(id=DeploymentFilterId(any_=[await deployment_id(client)]))
    alive = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ALIVE)))
    if await client.count_flow_runs(flow_run_filter=alive, deployment_filter=deployment) >= followed:
        return 0
    missing = 0
    after = ""
    while orders := await page_of_followed(after, PAGE):
        after = orders[-1].order_no
        ids = [order.flow_run_id for order in orders if order.flow_run_id is not None]
        there = await _which_exist(client, ids)
        for order in orders:
            if order.flow_run_id is not None and order.flow_run_id not in there:
                await mend(client, order, stuck=True)
                missing += 1
    return missing


async def _which_exist(client: PrefectClient, ids: list[UUID]) -> set[UUID]:
    if not ids:
        return set()
    runs = await client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=PAGE)
    return {run.id for run in runs}
