"""Keep watch, every minute: wake what is due, deliver what is left, put right what went wrong."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.outbox import deliver_waiting
from tasks.waking import wake_due
from tasks.watching import Watched, mend_ended, mend_missing, mend_stuck

WATCH = "watch"
ORDERS_AT_ONCE = 500
MESSAGES_AT_ONCE = 50


@flow(name="keep-watch", persist_result=False, timeout_seconds=300)
async def keep_watch() -> State[Any]:
    """Look at everything that must not be forgotten; with nothing to do it makes five queries and reads no order."""
    seen = Watched()
    async with get_client() as client:
        seen.stuck = await mend_stuck(client)
        seen.ended = await mend_ended(client)
        seen.missing = await mend_missing(client)
        seen.woken = await wake_due(client, WATCH, ORDERS_AT_ONCE)
    seen.delivered, seen.undelivered = await deliver_waiting(MESSAGES_AT_ONCE)
    get_run_logger().info("Watch: %s", seen)
    return Completed(name="Watched", message=str(seen))
