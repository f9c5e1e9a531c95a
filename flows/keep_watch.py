"""Keep watch, every minute: wake what is due, deliver what is left, put right what went wrong."""

from __future__ import annotations

import os
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.automations import WATCHED
from tasks.clock import now
from tasks.deliveries import deliver_waiting
from tasks.dispatch import dispatch
from tasks.follow_ups import WORKER
from tasks.lifeline import WATCH
from tasks.operations import PAGES
from tasks.waking import wake_due
from tasks.watching import MISSING, Watched, mend_ended, mend_stuck

ORDERS_AT_ONCE = 500
MESSAGES_AT_ONCE = 50


@flow(name="keep-watch", persist_result=False, timeout_seconds=300)
async def keep_watch() -> State[Any]:
    """Look at everything that must not be forgotten; with nothing to do it makes few queries and reads no order."""
    seen = Watched()
    async with get_client() as client:
        seen.stuck = await mend_stuck(client)
        seen.ended = await mend_ended(client)
        seen.missing = await MISSING.mend(client, now())
        seen.woken = await wake_due(client, WATCH, ORDERS_AT_ONCE)
        if WORKER not in os.environ:  # ours has a post office, which knows since when it is open
            await dispatch()
        seen.delivered, seen.undelivered = await deliver_waiting(MESSAGES_AT_ONCE)
        # last: nobody is to be told later because operations are shown something
        await PAGES.refresh(client, now())
    get_run_logger().info("Watch: %s", seen)
    return Completed(name=WATCHED, message=str(seen))
