"""Follow one prospect from enquiry to contract (業務跟單): it ends in a registered order or in a reason."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.following import follow
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.status.standing import Standing
from tasks.orders import FollowUp
from tasks.prospects import register_won


@flow(name="follow-prospect", persist_result=False, timeout_seconds=180)
async def follow_prospect(order_no: str) -> State[Any]:
    """
    Wake up, take the steps that are new, wait again.

    The run ends when the prospect is won, and his order registered; when he is lost, cancelled, or no longer followed.
    """
    return await follow(order_no, _settle)


async def _settle(file: OrderFile, at: Standing, follow_up: FollowUp) -> None:
    if at.state is OrderState.WON:
        await register_won(file, follow_up.clock)
