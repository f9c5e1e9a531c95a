"""Follow one order from purchase order to on board: one run, woken when there is something new to say."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from models.decide import Close, Show, Tell, decide, next_wake_up, taken
from models.standing import standing
from tasks.follow_ups import wake_up
from tasks.run_page import open_page
from tasks.telling import tell
from tasks.waiting import end_follow_up, is_ours, take_answer, wait


@flow(name="follow-order", persist_result=False, timeout_seconds=180)
async def follow_order(order_no: str) -> State[Any]:
    """
    Wake up, take the steps that are new, wait again.

    Each wake-up begins here with nothing but the order number: the truth is in the database. The run ends when
    the order is on board, cancelled, or no longer followed.
    """
    file, follow_up = await wake_up(order_no)
    page = open_page(follow_up)
    if not await is_ours(page, follow_up):
        return Completed(name="Followed elsewhere", message=f"Order {order_no} is followed by {follow_up.flow_run_id}.")
    refusal = None
    if (answer := await page.read_answer()) is not None:
        refusal = await take_answer(answer, page, follow_up)
        file, follow_up = await wake_up(order_no)

    now = follow_up.now
    at = standing(file, now)
    steps = decide(file, now)
    for step in steps:
        match step:
            case Show():
                await page.show_milestone(file, at, step.milestone, step.appearance)
            case Tell():
                await tell(file, at, step)
            case Close():
                return await end_follow_up(taken(file, steps), at, page)
    file = taken(file, steps)
    return await wait(file, at, page, until=next_wake_up(file, now), refusal=refusal)
