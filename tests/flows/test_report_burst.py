"""Many reports at the same moment: all recorded, none refused, each order where its last report leaves it."""

from __future__ import annotations

import asyncio
from collections import Counter

from models.book.report import Report
from tasks.logbook import Placed, record_report
from tests.factories import a_milestone
from tests.flows.house import Follow, at_the_office

ORDERS, STEPS = 8, 6
TWICE = 2
"""Each report is told by so many at once: a person, and a feed that tells it again."""


def it_was_done(order_no: str, step: int, placed: Placed) -> Report:
    """Build the report of one step, under the same id of its source whoever tells it."""
    return Report(
        recorded_at=placed.now,
        milestone=f"STEP_{step:02d}",
        occurred_at=placed.now,
        source="feed",
        source_event_id=f"{order_no}/{step}",
    )


async def test_of_a_burst_of_reports_each_is_recorded_once_and_every_order_moves_on(follow: Follow) -> None:
    steps = [
        a_milestone(f"STEP_{n:02d}", offset=n - 30, after=(f"STEP_{n - 1:02d}",) if n > 1 else ())
        for n in range(1, STEPS + 2)
    ]
    orders = [await follow(at_the_office(*steps)) for _ in range(ORDERS)]
    told = [(order.order_no, step) for step in range(1, STEPS + 1) for order in orders] * TWICE

    recorded = await asyncio.gather(
        *(record_report(number, lambda placed, n=number, s=step: it_was_done(n, s, placed)) for number, step in told)  # type: ignore[misc]
    )
    for order in orders:
        await order.asleep()

    assert Counter(one.is_new for one in recorded) == {True: ORDERS * STEPS, False: ORDERS * STEPS * (TWICE - 1)}
    for order in orders:
        assert len((await order.file()).entries) == STEPS
        looks = {code: word for code, (_, word) in (await order.looks()).items()}
        assert looks == {f"STEP_{n:02d}": "Done" for n in range(1, STEPS + 1)} | {f"STEP_{STEPS + 1:02d}": "Waiting"}
        assert (await order.row()).wakes <= 1 + STEPS
