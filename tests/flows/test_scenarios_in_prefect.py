"""The scenarios that concern Prefect, each played through the real flow, worker and database on a virtual clock."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from prefect.client.schemas.objects import StateType

from models.book.entry import Entry
from models.book.order import Order
from models.book.order_file import OrderFile
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.orders import register
from tests.flows.house import Follow, Following
from tests.scenarios import production, shipping
from tests.scenarios.stage import Line, Stage

_numbers = itertools.count(1)


class InPrefect(Stage):
    """An order that is followed by its own flow run."""

    _following: Following

    def __init__(self, follow: Follow) -> None:
        self._follow = follow
        self.order_no = f"S-{next(_numbers):03d}"

    async def begin(self, order: Order, template: Template, policy: Policy) -> None:
        """Take the order in, and let it wait."""
        await register(order, template, policy, clock=self.now, wake=False)
        self._following = Following(order.order_no, self._follow.client)
        await self._following.advance(self.now)

    async def tell(self, make: Callable[[OrderFile, datetime], Entry]) -> None:
        """Record it, and wait until the flow has seen it."""
        await self._following.record(make)

    async def go_to(self, instant: datetime) -> None:
        """Move the order's clock from wake-up to wake-up."""
        while (wake_up := (await self._following.row()).next_wake_up) is not None and wake_up <= instant:
            await self._following.advance(wake_up)
        self.now = instant
        if (await self._following.row()).closed_as is None:
            await self._following.advance(instant)

    async def file(self) -> OrderFile:
        """Return the order's file."""
        return await self._following.file()

    async def said(self) -> list[Line]:
        """Return every message, with the instant on the order's clock at which it was claimed."""
        zone = self.now.tzinfo
        return [
            Line(row.raised_at.astimezone(zone), row.milestone, row.rung, row.role)
            for row in await self._following.notices()
        ]

    async def lots(self) -> list[Stage]:
        """Return the lots that the order's flow opened, each with a run of its own."""
        state = await self._following.ended()
        assert state.type is StateType.COMPLETED
        split = (await self.standing()).agreed.split
        assert split is not None, "the order is not split"
        parts: list[Stage] = []
        for lot in split.lots:
            part = InPrefect(self._follow)
            part.order_no, part.now = lot.order_no, self.now
            part._following = Following(lot.order_no, self._follow.client)
            await part._following.asleep()
            parts.append(part)
        runs = {(await part._following.run()).id for part in parts if isinstance(part, InPrefect)}
        assert len(runs) == len(parts), "two lots share a run"
        return parts


@pytest.mark.parametrize(
    "story",
    [
        production.fabric_is_promised_twice_and_slips,
        production.the_inspection_fails_and_the_goods_miss_a_vessel,
        shipping.customs_rejects_inspects_and_the_cargo_is_rolled,
        shipping.a_part_ships_and_the_rest_flies,
        production.the_order_rests_for_twelve_days,
        production.the_order_is_cancelled_while_it_is_chased,
    ],
    ids=lambda story: story.__name__,
)
async def test_in_prefect(story: Callable[[Stage], Awaitable[None]], follow: Follow) -> None:
    await story(InPrefect(follow))
