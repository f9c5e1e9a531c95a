"""Waking orders: through Prefect's own resume, and mending the runs that cannot be resumed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.states import Scheduled

from models.book.changes import Unfollowed
from models.book.order import OrderKind, OrderState
from models.book.order_file import OrderFile
from models.decide import decide, taken
from models.errors import Refused, Unavailable
from models.status.standing import standing
from notifications.badges import badge
from tasks.clock import now
from tasks.follow_ups import Woken, leave_closed, let_go, part_with_run, rest, set_run, take_due, wake_up
from tasks.logbook import record_entry
from tasks.notices import record
from tasks.settings import settings

DEPLOYMENTS = {
    OrderKind.EXPORT: "follow-order/follow-order",
    OrderKind.PROSPECT: "follow-prospect/follow-prospect",
}
"""The flow that follows each kind."""
AT_ONCE = 8
"""How many calls to Prefect's API are under way at a time: its server answers 503 to a crowd."""

logger = get_logger("gendan.waking")


async def wake_due(client: PrefectClient, by: str, limit: int = 200) -> int:
    """Wake the orders that have something new to say, at most `limit`; return how many."""
    due = await take_due(limit, by)
    await wake(client, due)
    return len(due)


async def wake(client: PrefectClient, orders: Iterable[Woken]) -> None:
    """Resume the runs of these orders; an order whose run cannot be resumed is mended."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(order: Woken) -> None:
        async with places:
            try:
                await _wake_one(client, order)
            except Exception as error:  # one order's trouble must not keep the others asleep
                logger.warning("Order %s could not be woken, it is tried again: %s", order.order_no, error)
                await let_go([order])

    await asyncio.gather(*(one(order) for order in orders))


async def _wake_one(client: PrefectClient, order: Woken) -> None:
    if order.flow_run_id is None:
        await start_run(client, order)
        return
    try:
        answer = await client.resume_flow_run(order.flow_run_id)
        accepted = answer.status is SetStateStatus.ACCEPT
    except (PrefectHTTPStatusError, ObjectNotFound):
        accepted = False  # a run that was deleted answers with an error of the server
    if not accepted:
        await mend(client, order, stuck=False)


async def start_run(client: PrefectClient, order: Woken) -> None:
    """Give an order a run of its own; asked twice for the same generation, Prefect gives the same run."""
    generation = order.generation + 1
    run = await client.create_flow_run_from_deployment(
        await deployment_id(client, order.kind),
        parameters={"order_no": order.order_no},
        name=order.order_no,
        state=Scheduled(scheduled_time=now()),
        idempotency_key=f"{order.order_no}#{generation}",
    )
    await set_run(order.order_no, run.id, generation)


async def mend(client: PrefectClient, order: Woken, *, stuck: bool) -> None:
    """
    Put right the run of an order that should be awake.

    `stuck` says that its wake-up is overdue: whoever ran it is gone.
    """
    run = await read_run(client, order.flow_run_id)
    match run.state.type if run is not None and run.state is not None else None:
        case None:
            await start_run(client, order)
        case StateType.CANCELLED | StateType.CANCELLING:
            await leave(order)
        case StateType.COMPLETED:
            # With its order, or by hand: then the order gets another.
            if not await leave_closed(order.order_no):
                await start_run(client, order)
        case StateType.SCHEDULED | StateType.PENDING | StateType.RUNNING if not stuck:
            # Awake already, perhaps resumed by hand: what it has not seen keeps the order wanted.
            await let_go([order])
        case StateType.SCHEDULED if _is_waiting_for_a_worker(run):
            pass  # made anew, it would go to the end of the queue each time that somebody looks
        case _:
            assert run is not None
            await client.set_flow_run_state(run.id, Scheduled(name="Resuming", scheduled_time=now()), force=True)


def _is_waiting_for_a_worker(run: FlowRun | None) -> bool:
    begins = run.next_scheduled_start_time if run is not None else None
    return begins is not None and begins <= now()


async def read_run(client: PrefectClient, flow_run_id: UUID | None) -> FlowRun | None:
    """Return a run, or `None` if there is none or it was deleted."""
    if flow_run_id is None:
        return None
    try:
        return await client.read_flow_run(flow_run_id)
    except ObjectNotFound:
        return None


async def leave(order: Woken) -> None:
    """
    Mark an order as no longer followed because its run was cancelled in Prefect, and tell its merchandiser.

    The order stays in the book; `gendan follow ORDER` starts again.
    """
    # The entry first, and once: whoever else finds the cancelled run, or the order after a crash, goes on from here.
    with contextlib.suppress(Refused):
        await record_entry(order.order_no, _cancelled_in_prefect)
    if not await part_with_run(order.order_no, order.flow_run_id):
        return
    file, follow_up = await wake_up(order.order_no)
    at = standing(file, follow_up.now)
    steps = decide(file, follow_up.now)
    await record(order.order_no, steps, follow_up.now)
    await rest(
        order.order_no,
        state=at.state,
        waits_for=badge(file, at, settings().language).name,
        next_wake_up=None,
        shown=taken(file, steps, follow_up.now).shown,
        page={},
        closed_as=at.state,
    )


def _cancelled_in_prefect(file: OrderFile, present: datetime) -> Unfollowed:
    state = standing(file, present).state
    if state.is_over or state is OrderState.NOT_FOLLOWED:
        raise Refused(f"Order {file.order.order_no} is not followed any more.")
    return Unfollowed(recorded_at=present, by="Prefect", note="The run was cancelled in Prefect.")


_deployments: dict[tuple[str, OrderKind], UUID] = {}


async def deployment_id(client: PrefectClient, kind: OrderKind) -> UUID:
    """Return the id of the deployment that follows orders of a kind; raises Unavailable if it is not deployed."""
    key = (str(client.api_url), kind)
    if key not in _deployments:
        name = DEPLOYMENTS[kind]
        try:
            _deployments[key] = (await client.read_deployment_by_name(name)).id
        except ObjectNotFound:
            raise Unavailable(
                f"Prefect at {key[0]} has no deployment {name!r}: run `prefect deploy --all` in Gendan's folder."
            ) from None
    return _deployments[key]


STUCK = timedelta(minutes=5)
"""A wake-up takes seconds; one that is older has nobody behind it."""
