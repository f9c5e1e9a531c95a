"""The orders that are measured: a short one of five milestones, and one long enough for fifty wake-ups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select

from models import tables
from models.book.order import Order
from models.book.report import Report
from models.names import Name
from models.terms.milestone import Milestone, Stage
from models.terms.template import Template
from tasks.clock import now
from tasks.database import transaction
from tasks.library import library
from tasks.logbook import Placed, record_report
from tasks.orders import register

FIVE = 5
SIXTY = 60
LIMIT = 300.0
"""Seconds after which orders that do not go back to wait are given up: something is broken."""

_CALENDAR = "cn-office"


def chain(length: int) -> Template:
    """Build a template of milestones one after the other: each report closes one and opens the next."""
    milestones = [
        Milestone(
            code=code_of(number),
            name=Name(en=f"Step {number}", zh_hans=f"第{number}步", zh_hant=f"第{number}步"),
            stage=Stage.PRODUCTION,
            accountable="MER",
            waiting_on=("SUPPLIER",),
            offset=number - length,
            after=(code_of(number - 1),) if number > 1 else (),
            calendar=_CALENDAR,
        )
        for number in range(1, length + 1)
    ]
    return Template(
        code=f"BENCH-{length}",
        name=Name(en=f"{length} steps", zh_hans=f"{length}步", zh_hant=f"{length}步"),
        calendar=_CALENDAR,
        policy="standard",
        departure=milestones[-1].code,
        follow_to=milestones[-1].code,
        milestones=tuple(milestones),
    )


def code_of(number: int) -> str:
    """Return the code of a chain's milestone; the first is number 1."""
    return f"STEP_{number:02d}"


def order_numbers(series: str, count: int) -> list[str]:
    """Return the numbers of a series of orders."""
    return [f"BENCH-{series}-{number:05d}" for number in range(1, count + 1)]


async def take_in(order_nos: Sequence[str], template: Template, *, wake: bool = True) -> None:
    """Take orders in that sail in four months, so that none of them is late; with `wake` their runs start."""
    present = now()
    policy = library().policies["standard"]
    for order_no in order_nos:
        order = Order(
            order_no=order_no,
            customer="Bench",
            placed_at=present - timedelta(hours=1),
            came_in=present,
            etd=(present + timedelta(days=120)).date(),
        )
        await register(order, template, policy, wake=wake)


def reports_step(order_no: str, step: int) -> Callable[[Placed], Report]:
    """Return what makes the report that an order's milestone happened now."""

    def make(placed: Placed) -> Report:
        return a_report(order_no, step, placed)

    return make


def a_report(order_no: str, step: int, placed: Placed) -> Report:
    """Build the report that an order's milestone happened at the order's present."""
    return Report(
        recorded_at=placed.now,
        milestone=code_of(step),
        occurred_at=placed.now,
        source="bench",
        source_event_id=f"{order_no}/{step}",
    )


async def tell(order_no: str, step: int) -> None:
    """Record the report that a step was done, in a transaction of its own."""
    recorded = await record_report(order_no, reports_step(order_no, step))
    if not recorded.is_new:
        raise RuntimeError(f"Order {order_no}: step {step} had been reported before it was measured.")


async def all_asleep(order_nos: Sequence[str], *, every: float = 0.05, within: float = LIMIT) -> None:
    """Wait until all these orders wait; raises TimeoutError where they do not in so many seconds."""
    rows = tables.follow_ups.c
    query = (
        select(func.count())
        .select_from(tables.follow_ups)
        .where(
            rows.order_no.in_(order_nos), or_(rows.wanted, rows.awake_since.is_not(None), rows.flow_run_id.is_(None))
        )
    )
    give_up = time.monotonic() + within
    while True:
        async with transaction() as connection:
            awake = (await connection.execute(query)).scalar_one()
        if not awake:
            return
        if time.monotonic() > give_up:
            raise TimeoutError(
                f"{awake} of {len(order_nos)} orders are awake after {within:.0f} s; see the worker's log."
            )
        await asyncio.sleep(every)


async def runs_of(order_nos: Sequence[str]) -> dict[str, UUID]:
    """Return the run in Prefect of each of these orders."""
    rows = tables.follow_ups.c
    async with transaction() as connection:
        found = await connection.execute(
            select(rows.order_no, rows.flow_run_id).where(rows.order_no.in_(order_nos), rows.flow_run_id.is_not(None))
        )
        return {row.order_no: row.flow_run_id for row in found}


async def wake_ups_of(order_no: str) -> int:
    """Return how often an order has woken up and gone back to wait."""
    rows = tables.follow_ups.c
    async with transaction() as connection:
        return int((await connection.execute(select(rows.wakes).where(rows.order_no == order_no))).scalar_one())
