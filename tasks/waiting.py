"""Waiting again: taking a person's answer, putting the order's run to rest, ending it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from prefect import get_run_logger
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import Abort, Pause
from prefect.utilities.engine import propose_state

from models.book.order_file import OrderFile
from models.errors import GendanError, Unavailable
from models.status.standing import Standing
from tasks.answers import entry_from
from tasks.follow_ups import rest, set_run
from tasks.lifeline import cut_off
from tasks.logbook import record_entry
from tasks.orders import FollowUp
from tasks.run_page import RunPage


async def is_ours(page: RunPage, follow_up: FollowUp) -> bool:
    """Say whether this run is the one that follows the order; an order that has none takes it."""
    if follow_up.flow_run_id is None:
        await set_run(follow_up.order_no, page.flow_run_id, follow_up.generation)
        return True
    return follow_up.flow_run_id == page.flow_run_id


async def take_answer(answer: Mapping[str, Any], page: RunPage, follow_up: FollowUp) -> str | None:
    """Record what a person answered in the Resume form; return why not, where it was not usable."""
    event = f"{page.flow_run_id}/{follow_up.wakes}"
    try:
        await record_entry(follow_up.order_no, entry_from(answer, event))
        refusal = None
    except Unavailable:
        raise
    except GendanError as error:
        refusal = str(error)
        get_run_logger().warning("Answer not accepted: %s", refusal)
    await page.drop_answer()
    return refusal


async def wait(
    file: OrderFile, at: Standing, page: RunPage, *, until: datetime | None, refusal: str | None
) -> NoReturn:
    """
    Bring the run's page up to date and pause the run; it costs nothing until it is woken.

    Prefect is told first and the database second: an order that the database calls asleep can be woken. What
    dies between the two is found awake too long and put right by the watch.
    """
    leave_to_others()
    await page.bring_up_to_date(file, at)
    state = page.waiting(file, at, refusal)
    leave_to_others()
    paused = await propose_state(page.client, state, flow_run_id=page.flow_run_id)
    if paused.type is not StateType.PAUSED:
        # Cancelled by hand while it was awake; the watch marks the order as no longer followed.
        raise Pause(state=paused)
    await rest(
        file.order.order_no,
        state=at.state,
        waits_for=state.name or "",
        next_wake_up=until,
        shown=file.shown,
        page=page.page,
        closed_as=None,
    )
    raise Pause(state=paused)


def leave_to_others() -> None:
    """Go no further with an order that another worker may have taken over by now; its run stays as it is."""
    if cut_off():
        raise Abort("This worker was cut off from the database: the order is woken again.")


async def end_follow_up(file: OrderFile, at: Standing, page: RunPage) -> State[Any]:
    """Bring the run's page up to date for the last time and return the state in which the run ends."""
    leave_to_others()
    await page.bring_up_to_date(file, at)
    end = page.ending(file, at)
    rests = await rest(
        file.order.order_no,
        state=at.state,
        waits_for=end.name or "",
        next_wake_up=None,
        shown=file.shown,
        page=page.page,
        closed_as=at.state,
    )
    if not rests:
        raise Abort("The order was handed over to another worker, which ends it.")
    return end
