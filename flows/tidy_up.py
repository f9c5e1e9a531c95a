"""Tidy up in Prefect, once a day: what has long been over is not to pile up beside what is open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.clock import now
from tasks.settings import settings
from tasks.tidying import tidy


# One that hangs is not to be there still when the next one begins.
@flow(name="tidy-up", persist_result=False, timeout_seconds=3600)
async def tidy_up() -> State[Any]:
    """Delete the runs of orders long closed and the old rounds of the watch; of the order book it deletes nothing."""
    keep = settings()
    async with get_client() as client:
        tidied = await tidy(
            client,
            now(),
            keep_runs=timedelta(days=keep.keep_runs_days),
            keep_rounds=timedelta(days=keep.keep_watch_days),
        )
    get_run_logger().info("Tidied up: %s", tidied)
    return Completed(name="Tidied up", message=str(tidied))
