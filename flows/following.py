"""What one wake-up does, whatever is followed: what the flows of orders and prospects have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

from models.book.order_file import OrderFile
from models.decide import Close, Freeze, Keep, Show, Tell, Turn, decide, next_wake_up, taken
from models.status.standing import Standing, standing
from tasks.baseline import keep_baseline
from tasks.follow_ups import wake_up
from tasks.orders import FollowUp
from tasks.run_page import open_page
from tasks.telling import tell
from tasks.waiting import end_follow_up, is_ours, leave_to_others, take_answer, wait

Settle = Callable[[OrderFile, Standing, FollowUp], Awaitable[None]]
"""What is left to be done where a follow-up ends: it is tried again if it is cut off, and must act once."""


async def follow(order_no: str, settle: Settle) -> State[Any]:
    """
    Wake up, take the steps that are new, wait again; where it ends, `settle` first.

    Each wake-up begins here with nothing but the number: the truth is in the database.
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
    await tell(order_no, steps, now)
    for step in steps:
        leave_to_others()
        match step:
            case Show():
                await page.show_milestone(file, at, step.milestone, step.appearance)
            case Freeze():
                await keep_baseline(order_no, step.baseline)
            case Close():
                await settle(file, at, follow_up)
                return await end_follow_up(taken(file, steps, now), at, page)
            case Tell() | Turn() | Keep():
                pass  # written down already, in one transaction
    file = taken(file, steps, now)
    if file.closed_as is at.state:
        # Woken once more by somebody who was late: an order that has ended waits for nothing.
        return await end_follow_up(file, at, page)
    return await wait(file, at, page, until=next_wake_up(file, now), refusal=refusal)
