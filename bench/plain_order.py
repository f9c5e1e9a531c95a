"""
The plain form: an order's five milestones followed as Prefect's documentation shows how to wait.

One suspend for each milestone, tasks with persisted results, run by an ordinary process worker.
"""

from __future__ import annotations

from prefect import flow, get_run_logger, suspend_flow_run, task

MILESTONES = ("STEP_01", "STEP_02", "STEP_03", "STEP_04", "STEP_05")


@task(persist_result=True)
def await_milestone(order_no: str, milestone: str) -> str:
    """Say what is waited for."""
    get_run_logger().info("%s waits for %s", order_no, milestone)
    return milestone


@flow(name="follow-order-plainly", persist_result=True)
def follow_order_plainly(order_no: str) -> str:
    """Wait for one milestone after the other; whoever reports it resumes the run."""
    for milestone in MILESTONES:
        await_milestone(order_no, milestone)
        suspend_flow_run()
    return order_no
