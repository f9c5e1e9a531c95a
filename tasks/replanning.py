"""Re-planning: every open order once more, on the calendars that hold now, a page of orders at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Boolean, DateTime, Integer, Row, Text, and_, case, cast, column, func, or_, select, update

from models import tables
from models.book.order_file import OrderFile
from models.decide import decide_at, next_wake_up_at
from models.planning.effect import Effect, effect
from models.planning.plan import Calendars
from models.status.standing import Standing, standing
from tasks.calendar_lists import calendars_in_force
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, notify, transaction
from tasks.follow_ups import count_followed
from tasks.orders import file_openers

PAGE = 200
"""Orders that stand in memory at a time; a page costs five queries at most."""

_rows = tables.follow_ups.c


@dataclass
class Replanned:
    """
    What re-planning found and did.

    `moved` counts the planned dates that are others now, of steps not done. `sail_otherwise` are the orders whose
    forecast departure is another one, with that before and after, `at_risk` those that have come to be at risk.
    `failed` are orders that could not be planned, and why; they stay as they were.
    """

    orders: int = 0
    moved: int = 0
    woken: int = 0
    set_anew: int = 0
    sail_otherwise: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    at_risk: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class _Look(NamedTuple):
    """When an order is to be looked at next: at once, or at `at`."""

    order_no: str
    wakes: int
    at: datetime | None
    at_once: bool


async def replan(before: Calendars, progress: Callable[[int, int], None] = lambda done, of: None) -> Replanned:
    """
    Plan every open order anew, and set when each is looked at next.

    An order that has something new to say or to show is woken. The others get their next look by the calendars that
    hold now. One that is awake looks again when it is done. `before` are the calendars that the result is compared
    with. `progress` is told how many orders are done, and of how many.

    Each page is a transaction of its own, and doing a page again changes nothing: what was cut off is made good by
    running it once more.
    """
    result = Replanned()
    total = await count_followed()
    async with transaction() as connection:
        calendars = await calendars_in_force(connection)
    after = ""
    progress(0, total)
    while page := await _page(after, calendars):
        after = page[-1][0].order_no
        looks = [look for row, open_it in page if (look := _replanned(row, open_it, before, result)) is not None]
        if looks:
            await _set(looks)
        result.orders += len(page)
        progress(min(result.orders, total), total)
    return result


def _replanned(row: Row[Any], open_it: Callable[[], OrderFile], before: Calendars, result: Replanned) -> _Look | None:
    """Plan one order, note what is different, and return its next look where that is another one."""
    present = row.clock or now()
    try:
        file = open_it()
        at = standing(file, present)
        made = effect(file, at, before)
        _note(result, row.order_no, made)
        return _next_look(row, file, at, made, result)
    except Exception as error:  # one order's trouble must not keep the others from their new dates
        result.failed[row.order_no] = f"{type(error).__name__}: {error}"
        return None


def _note(result: Replanned, order_no: str, made: Effect) -> None:
    result.moved += len(made.moved)
    if made.sails is not None and made.sails_otherwise:
        result.sail_otherwise[order_no] = made.sails
    if made.newly_at_risk:
        result.at_risk.append(order_no)


def _next_look(row: Row[Any], file: OrderFile, at: Standing, made: Effect, result: Replanned) -> _Look | None:
    if row.wanted:
        return None  # it looks anyway
    if row.awake_since is not None:
        # What it decides now it may have read before: it looks once more.
        return _Look(row.order_no, row.wakes, None, at_once=True)
    # The bars of what is waited for bear its dates.
    if made.waited_for or decide_at(file, at):
        result.woken += 1
        return _Look(row.order_no, row.wakes, None, at_once=True)
    next_look = next_wake_up_at(file, at)
    if next_look == row.next_wake_up:
        return None
    result.set_anew += 1
    return _Look(row.order_no, row.wakes, next_look, at_once=False)


async def _page(after: str, calendars: Calendars) -> list[tuple[Row[Any], Callable[[], OrderFile]]]:
    """Return the next orders that are followed, each with what opens its file."""
    orders = tables.orders.c
    async with transaction() as connection:
        found = await connection.execute(
            select(orders.body.label("order"), orders.terms, tables.follow_ups)
            .join(tables.follow_ups, _rows.order_no == orders.order_no)
            .where(_rows.closed_as.is_(None), _rows.order_no > after)
            .order_by(_rows.order_no)
            .limit(PAGE)
        )
        rows = found.all()
        opened = await file_openers(connection, rows, calendars)
    return [(row, opened[row.order_no]) for row in rows]


async def _set(looks: Sequence[_Look]) -> None:
    """Write down when these orders are looked at next, in one statement."""
    look = (
        func.unnest(
            cast([each.order_no for each in looks], ARRAY(Text)),
            cast([each.wakes for each in looks], ARRAY(Integer)),
            cast([each.at for each in looks], ARRAY(DateTime(timezone=True))),
            cast([each.at_once for each in looks], ARRAY(Boolean)),
        )
        .table_valued("order_no", "wakes", "at", column("at_once", Boolean), name="look")
        .render_derived()
    )
    # An order that awoke since its page was read has seen the calendars by itself, and knows more by now.
    still_asleep = and_(_rows.awake_since.is_(None), _rows.wakes == look.c.wakes)
    async with transaction() as connection:
        await connection.execute(
            update(tables.follow_ups)
            .where(_rows.order_no == look.c.order_no, _rows.closed_as.is_(None), or_(look.c.at_once, still_asleep))
            .values(
                wanted=or_(_rows.wanted, look.c.at_once),
                next_wake_up=case((look.c.at_once, _rows.next_wake_up), else_=look.c.at),
            )
        )
        if any(each.at_once for each in looks):
            await notify(connection, WAKE_CHANNEL, "")
