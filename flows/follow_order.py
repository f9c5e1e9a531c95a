"""Follow one order from purchase order to on board: one run, woken when there is something new to say."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.following import follow
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.status.standing import Standing
from tasks.lots import open_lots
from tasks.orders import FollowUp


@flow(name="follow-order", persist_result=False, timeout_seconds=180)
async def follow_order(order_no: str) -> State[Any]:
    """
    Wake up, take the steps that are new, wait again.

    The run ends when the order is on board, split into lots that are followed instead, cancelled, or no longer
    followed.
    """
    return await follow(order_no, _settle)


async def _settle(file: OrderFile, at: Standing, follow_up: FollowUp) -> None:
    if at.state is OrderState.SPLIT:
        await open_lots(file)
