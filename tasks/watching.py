"""What the watch looks at: due orders, the outbox, and what has gone wrong. Nothing reads all orders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
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
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed

from models.book.order import OrderKind
from tasks.clock import now
from tasks.follow_ups import awake_too_long, count_followed, find_by_run, find_closed, page_of_followed
from tasks.waking import STUCK, deployment_id, mend

ENDED = [StateType.CANCELLED, StateType.FAILED, StateType.CRASHED]
AT_WORK = [StateType.PENDING, StateType.RUNNING]
ALIVE = [StateType.PAUSED, StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
LOOK_BACK = timedelta(minutes=15)
ENDS_WITHIN = timedelta(minutes=1)
"""An order is closed first, and its run ends a moment later; if not within this, whoever ran it is gone."""
PAGE = 200
COUNTED_A_MINUTE = 10_000
"""So many open orders are compared with their runs at each round; ten times as many, every ten minutes."""


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
    """
    Wake again the orders whose wake-up was cut off: their runs were left Running or Pending by a killed worker.

    Those that a person resumed and that were cut off before they awoke are known to Prefect only. So are those that
    were cut off between the order's end and their own: they are ended.
    """
    stuck = await awake_too_long(STUCK)
    for order in stuck:
        await mend(client, order, stuck=True)
    at_work = await client.read_flow_runs(
        deployment_filter=await _ours(client), flow_run_filter=_in_state(AT_WORK), limit=PAGE
    )
    left = [run.id for run in at_work if run.state is not None and run.state.timestamp < now() - STUCK]
    for order in await find_by_run(left) if left else []:
        await mend(client, order, stuck=True)
        stuck.append(order)
    return len(stuck) + await _end_left_over(client, at_work)


async def _end_left_over(client: PrefectClient, at_work: Iterable[FlowRun]) -> int:
    # They would run for ever in Prefect's pages; and each would stand in for a run that is missing (`mend_missing`).
    late = [run.id for run in at_work if run.state is not None and run.state.timestamp < now() - ENDS_WITHIN]
    over = await find_closed(late) if late else {}
    for flow_run_id, badge in over.items():
        await client.set_flow_run_state(flow_run_id, Completed(name=badge), force=True)
    return len(over)


async def mend_ended(client: PrefectClient, since: datetime | None = None) -> int:
    """Put right the orders whose runs ended although the orders have not: cancelled by hand, failed, crashed."""
    runs = await client.read_flow_runs(
        deployment_filter=await _ours(client),
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


class MissingRuns:
    """
    Replaces runs that were deleted, or completed, by hand: as one process looks for them.

    Counting takes the longer the more orders are open, so it is done the less often: a minute costs the same. Nobody
    waits for it: an order that has something to say and no run gets one as soon as it is to wake.
    """

    def __init__(self) -> None:
        self._next: datetime | None = None

    async def mend(self, client: PrefectClient, at: datetime) -> int:
        """Do what `mend_missing` does if it is time again; return how many runs were replaced."""
        if self._next is not None and at < self._next:
            return 0
        followed = await count_followed()
        missing = await _mend_missing(client, followed)
        self._next = at + timedelta(minutes=1) * ((followed - 1) // COUNTED_A_MINUTE)
        return missing


MISSING = MissingRuns()
"""Those of this process."""


async def mend_missing(client: PrefectClient) -> int:
    """
    Replace runs that were deleted, or completed, by hand.

    Compares two counts, ours and Prefect's, and goes through the orders only where Prefect has fewer. Finds those
    whose runs ended while no watch was there, too.
    """
    return await _mend_missing(client, await count_followed())


async def _mend_missing(client: PrefectClient, followed: int) -> int:
    alive = await client.count_flow_runs(flow_run_filter=_in_state(ALIVE), deployment_filter=await _ours(client))
    if alive >= followed:
        return 0
    missing = 0
    after = ""
    while orders := await page_of_followed(after, PAGE):
        after = orders[-1].order_no
        ids = [order.flow_run_id for order in orders if order.flow_run_id is not None]
        gone = list(set(ids) - await _which_are_alive(client, ids))
        # Read again: an order may have ended, and its run with it, since its page was read.
        for order in await find_by_run(gone) if gone else []:
            await mend(client, order, stuck=True)
            missing += 1
    return missing


async def forget_missed(client: PrefectClient, deployment: UUID) -> int:
    """Delete the runs of a deployment that were to begin by now and have not; return how many. One round is enough."""
    missed = _in_state([StateType.SCHEDULED])
    missed.next_scheduled_start_time = FlowRunFilterNextScheduledStartTime(before_=now())
    its = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    forgotten = 0
    while runs := await client.read_flow_runs(flow_run_filter=missed, deployment_filter=its, limit=PAGE):
        for run in runs:
            with contextlib.suppress(ObjectNotFound):  # somebody else was faster
                await client.delete_flow_run(run.id)
        forgotten += len(runs)
    return forgotten


async def _which_are_alive(client: PrefectClient, ids: list[UUID]) -> set[UUID]:
    if not ids:
        return set()
    wanted = _in_state(ALIVE)
    wanted.id = FlowRunFilterId(any_=ids)
    return {run.id for run in await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)}


async def _ours(client: PrefectClient) -> DeploymentFilter:
    return DeploymentFilter(id=DeploymentFilterId(any_=[await deployment_id(client, kind) for kind in OrderKind]))


def _in_state(types: list[StateType]) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)))
