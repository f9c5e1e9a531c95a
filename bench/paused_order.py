"""
The other plain form: Prefect's `pause_flow_run`, which keeps the run's process for as long as it waits.

Its wake-up costs nothing and its wait does; `plain_order` is the other way round.
"""

from __future__ import annotations

from prefect import flow, pause_flow_run

from bench.plain_order import MILESTONES, await_milestone

WEEKS = 12 * 7 * 24 * 3600
"""Seconds that a milestone is waited for."""


@flow(name="hold-order-plainly", persist_result=True)
def hold_order_plainly(order_no: str) -> str:
    """Wait for one milestone after the other in this process; whoever reports it resumes the run."""
    for milestone in MILESTONES:
        await_milestone(order_no, milestone)
        pause_flow_run(timeout=WEEKS)
    return order_no
