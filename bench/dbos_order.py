"""
The DBOS form: an order's milestones followed as DBOS's documentation shows how to wait for people.

One workflow for each order, one `recv` for each milestone with a deadline of weeks, and an event that says what is
waited for. The workflow is async: one that is not would hold a thread of its process for as long as it waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbos import DBOS

WAITS_FOR = "waits_for"
"""The event that says what an order waits for, as the badge of ours does."""
WEEKS = 12 * 7 * 24 * 3600.0
"""Seconds that a milestone is waited for at a time."""


@DBOS.workflow()
async def follow_order_with_dbos(order_no: str, milestones: Sequence[str]) -> str:
    """Wait for one milestone after the other; whoever reports it sends a message on its topic."""
    for milestone in milestones:
        await DBOS.set_event_async(WAITS_FOR, milestone)
        while await DBOS.recv_async(milestone, timeout_seconds=WEEKS) is None:
            DBOS.logger.info("%s still waits for %s", order_no, milestone)
    return order_no
