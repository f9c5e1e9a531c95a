"""Telling: what an order has to say is written down, shown in Prefect as a task run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from models.decide import Step, Tell
from tasks.notices import record


async def tell(order_no: str, steps: Sequence[Step], now: datetime) -> None:
    """
    Write down what `steps` say at `now`, and how the chases turn. The post tells people when they may be told.

    Reminders make no task run: they are lines of a digest, and an order has many.
    """
    loud = [step for step in steps if isinstance(step, Tell) and not step.claim.rung.startswith("R")]
    if loud:
        await raise_notices(order_no, steps, now, _in_short(loud))
    else:
        await record(order_no, steps, now)


@task(name="raise-notices", task_run_name="{what}", persist_result=False, cache_policy=NO_CACHE)
async def raise_notices(order_no: str, steps: Sequence[Step], now: datetime, what: str) -> int:
    """Write notices down, each once; return how many are new."""
    raised = await record(order_no, steps, now)
    get_run_logger().info("Order %s: %s", order_no, what)
    return raised


def _in_short(tells: Sequence[Tell]) -> str:
    """Say which rungs go to whom: `L1 to MER, PUR; T-6 to LOG`."""
    roles: dict[str, list[str]] = {}
    for tell in tells:
        roles.setdefault(tell.claim.rung, []).append(tell.role)
    return "; ".join(f"{rung} to {', '.join(dict.fromkeys(told))}" for rung, told in roles.items())
