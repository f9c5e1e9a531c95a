"""Re-planning all open orders after a holiday list: what is set anew, what is left alone, and what a kill costs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from models import tables
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.calendars.holiday_list import HolidayList
from models.decide import Freeze, Tell, decide, next_wake_up, taken
from models.status.standing import standing
from models.terms.milestone import Takes
from models.terms.template import Template
from tasks import replanning
from tasks.baseline import keep_baseline
from tasks.calendar_lists import Kept, keep_lists
from tasks.database import transaction
from tasks.follow_ups import rest, wake_up
from tasks.library import library
from tasks.notices import record
from tasks.orders import open_file
from tasks.replanning import PAGE, Replanned, replan
from tests.books import contents, due, place, queries, run
from tests.factories import a_milestone, a_template, an_order, china
from tests.notices import a_list, days

pytestmark = pytest.mark.usefixtures("database_url")

NOW = china(24)
"""The present of these orders: after the notice of 2026, and before any of 2027."""
LAST_EVENING = china(31, 20, month=12)
EXTRA = a_list(holidays=a_list().holidays | days("2027-01-04..2027-01-08", "2027-01-18..2027-01-22"))
"""A list with two weeks off more in January, so that much moves."""


def steps(likely: float) -> Template:
    """Build fabric, cutting and sewing, ten days apart, on office days; `likely` is what each takes."""
    days_apart = {"FAB_IN": -30, "CUT_START": -20, "SEW_END": -10, "DEPARTED": 0}
    codes = ["", *days_apart]
    chain = [
        a_milestone(
            code,
            offset=offset,
            after=(codes[place],) if place else (),
            calendar="cn-office",
            takes=Takes(likely=likely, pessimistic=likely),
        )
        for place, (code, offset) in enumerate(days_apart.items())
    ]
    return a_template(*chain, code="STEPS", calendar="cn-office", sails_every=7)


async def waiting(order_no: str, etd: date, *, at: datetime = NOW, likely: float = 0) -> None:
    """Bring an order in of which nothing was reported yet, and that waits since it was looked at."""
    placed = china(1, month=10)
    order = an_order(order_no=order_no, placed_at=placed, came_in=placed, etd=etd)
    await place(order, steps(likely), clock=at, wake=False)
    await look(order_no)


async def look(order_no: str) -> list[Tell]:
    """Do in the book what a wake-up does there, and return what is said."""
    file, follow_up = await wake_up(order_no)
    taking = decide(file, follow_up.now)
    said = [step for step in taking if isinstance(step, Tell)]
    for step in taking:
        if isinstance(step, Freeze):
            await keep_baseline(order_no, step.baseline)
    await record(order_no, taking, follow_up.now)
    after = taken(file, taking, follow_up.now)
    await rest(
        order_no,
        state=standing(file, follow_up.now).state,
        waits_for="",
        next_wake_up=next_wake_up(after, follow_up.now),
        shown=after.shown,
        page={},
        closed_as=after.closed_as,
    )
    return said


async def load(which: HolidayList = EXTRA) -> Kept:
    return await keep_lists([which])


async def planned_anew(which: HolidayList = EXTRA) -> Replanned:
    return await replan((await load(which)).before)


async def the_file(order_no: str) -> OrderFile:
    file, _ = await open_file(order_no)
    return file


async def next_looks() -> dict[str, datetime | None]:
    rows = tables.follow_ups.c
    async with transaction() as connection:
        found = await connection.execute(select(rows.order_no, rows.next_wake_up))
        return {row.order_no: row.next_wake_up for row in found}


async def the_clock_says(instant: datetime) -> None:
    await run("UPDATE follow_ups SET clock = %s", instant)


# --- what is set


async def test_a_stall_climbs_by_the_days_of_the_list() -> None:
    # Due on Monday, 28 December: the fourth working day after it is the 4th of January, or the 11th with the list.
    await waiting("SO-1", date(2027, 1, 27), at=LAST_EVENING)
    before = await next_looks()

    result = await planned_anew()

    assert before == {"SO-1": china(4, 8, 30, month=1, year=2027)}
    assert await next_looks() == {"SO-1": china(11, 8, 30, month=1, year=2027)}
    assert (result.orders, result.set_anew, result.woken, await due()) == (1, 1, 0, [])


async def test_an_order_whose_open_step_has_another_date_is_woken_to_show_it() -> None:
    await waiting("SO-1", date(2027, 2, 3))  # fabric on Monday, 4 January: with the list on Thursday, 31 December

    result = await planned_anew()

    at = standing(await the_file("SO-1"), NOW)
    assert (at.open, at.due["FAB_IN"].date()) == (("FAB_IN",), date(2026, 12, 31))
    assert (result.woken, await due()) == (1, ["SO-1"])


async def test_an_order_that_comes_to_be_at_risk_is_woken_to_say_so() -> None:
    await waiting("SO-1", date(2027, 2, 10), likely=5)  # fabric on Monday, 11 January, with either

    result = await planned_anew()

    assert (result.at_risk, await due()) == (["SO-1"], ["SO-1"])


async def test_an_order_that_is_awake_looks_once_more_and_nothing_else_of_it_is_touched() -> None:
    await waiting("SO-1", date(2027, 2, 3))
    await run("UPDATE follow_ups SET awake_since = now(), next_wake_up = %s", NOW)

    await planned_anew()

    async with transaction() as connection:
        row = (await connection.execute(select(tables.follow_ups))).one()
    assert (row.wanted, row.awake_since is not None, row.next_wake_up) == (True, True, NOW)


async def test_an_order_that_awoke_meanwhile_keeps_what_it_decided_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting("SO-1", date(2027, 1, 27), at=LAST_EVENING)
    decided = NOW + timedelta(days=3)
    of_models = replanning.effect

    def while_it_is_planned(*given: Any) -> Any:
        plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as other:
            other.execute("UPDATE follow_ups SET wakes = wakes + 1, next_wake_up = %s", [decided])
        return of_models(*given)

    monkeypatch.setattr(replanning, "effect", while_it_is_planned)

    await planned_anew()

    assert await next_looks() == {"SO-1": decided}


async def test_an_order_that_is_wanted_already_stays_wanted() -> None:
    await waiting("SO-1", date(2027, 1, 27), at=LAST_EVENING)
    await run("UPDATE follow_ups SET wanted = true")

    result = await planned_anew()

    assert (result.woken, result.set_anew, await due()) == (0, 0, ["SO-1"])


@pytest.mark.parametrize("closed_as", [OrderState.CLOSED, OrderState.CANCELLED])
async def test_an_order_that_is_over_is_left_alone(database_url: str, closed_as: OrderState) -> None:
    await waiting("SO-1", date(2027, 2, 3))
    await run("UPDATE follow_ups SET closed_as = %s, state = %s", closed_as.value, closed_as.value)
    kept = await load()
    before = contents(database_url)

    result = await replan(kept.before)

    assert result == Replanned()
    assert contents(database_url) == before


async def test_an_order_that_waits_for_a_date_has_none_that_could_move() -> None:
    placed = china(1, month=10)
    order = an_order(order_no="SO-1", placed_at=placed, came_in=placed, etd=None)
    await place(order, steps(5), clock=NOW, wake=False)
    await look("SO-1")

    result = await planned_anew()

    assert (result.orders, result.moved, result.woken, result.failed) == (1, 0, 0, {})


# --- what is told


async def test_what_moves_is_told() -> None:
    await waiting("SO-1", date(2027, 2, 3), likely=5)

    result = await planned_anew()

    end = library().calendars["cn-office"].end_of
    assert result.moved == 2  # fabric to 31 December, sewing to 15 January
    assert result.sail_otherwise == {"SO-1": (end(date(2027, 2, 3)), end(date(2027, 2, 10)))}  # a week later
    assert result.at_risk == ["SO-1"]


async def test_a_list_of_the_days_that_were_estimated_moves_nothing() -> None:
    await waiting("SO-1", date(2027, 2, 3), likely=5)
    office = library().calendars["cn-office"]
    estimated = frozenset(day for day in office.estimated if day.year == 2027)

    result = await planned_anew(a_list(holidays=estimated, workdays=frozenset()))

    assert result == Replanned(orders=1)


# --- what was said


async def test_in_mid_season_nothing_is_said_twice_of_a_date_that_did_not_move() -> None:
    await waiting("SO-1", date(2027, 1, 27), at=LAST_EVENING)
    said = {claim.rung for claim in (await the_file("SO-1")).claimed}

    await planned_anew()
    at_once = await look("SO-1")
    await the_clock_says(china(11, 8, 30, month=1, year=2027))
    climbed = await look("SO-1")

    assert said == {"L1", "L2"}
    assert at_once == []
    assert [tell.claim.rung for tell in climbed] == ["L3"]


async def test_of_each_date_each_rung_is_said_once_though_the_list_is_corrected_again_and_again() -> None:
    await waiting("SO-1", date(2027, 2, 3))
    for day in range(30):
        await the_clock_says(china(28, 10, month=12) + timedelta(days=day))
        await planned_anew(EXTRA if day % 2 else a_list())
        await look("SO-1")

    notices = tables.notices.c
    async with transaction() as connection:
        said = select(notices.milestone, notices.rung, notices.due, notices.role)
        rows = (await connection.execute(said)).all()
    assert len(rows) == len(set(rows)) >= 4


# --- many


async def test_three_hundred_orders_cost_queries_by_the_page() -> None:
    await many(300)
    kept = await load()

    with queries() as asked:
        result = await replan(kept.before)

    pages = -(-300 // PAGE)
    assert (result.orders, result.set_anew) == (300, 300)
    # Of a page: its rows, terms, log, claims, chases, and the new looks. Once: the count, the calendars, an empty page.
    assert len(asked) <= 6 + pages * 6


async def many(count: int) -> None:
    """Bring so many orders in that are to be looked at on 11 January with the list, and on the 4th without."""
    await waiting("SO-000", date(2027, 1, 27), at=LAST_EVENING)
    copy = "format('SO-%%s', lpad(n::text, 3, '0'))"
    await run(
        f"INSERT INTO orders (order_no, terms, customer, body) SELECT {copy}, terms, customer, "
        f"jsonb_set(body, '{{order_no}}', to_jsonb({copy})) FROM orders, generate_series(1, %s) n",
        count - 1,
    )
    for table, columns in (
        ("notices", "milestone, rung, due, role, manner, repeat, meant_for, raised_at, holds"),
        ("chases", "milestone, state, rung, by, why, until, at"),
        ("follow_ups", "state, next_wake_up, shown, clock, wakes"),
    ):
        rest_of_it = f"{copy}, {columns} FROM {table}, generate_series(1, %s) n"
        await run(f"INSERT INTO {table} (order_no, {columns}) SELECT {rest_of_it}", count - 1)


async def test_planning_again_changes_nothing_more(database_url: str) -> None:
    await many(20)
    kept = await load()
    first = await replan(kept.before)
    before = contents(database_url)

    again = await replan(kept.before)

    assert (first.set_anew, again.set_anew) == (20, 0)
    assert contents(database_url) == before


async def test_what_a_kill_leaves_undone_is_done_by_the_same_import_again(monkeypatch: pytest.MonkeyPatch) -> None:
    await many(10)
    monkeypatch.setattr(replanning, "PAGE", 3)

    def killed(done: int, of: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replan((await load()).before, killed)
    half = list((await next_looks()).values())
    second = await replan((await load()).before)

    soon, later = china(4, 8, 30, month=1, year=2027), china(11, 8, 30, month=1, year=2027)
    assert (half.count(later), half.count(soon)) == (6, 4)
    assert (second.orders, second.set_anew) == (10, 4)
    assert set((await next_looks()).values()) == {later}


async def test_what_a_list_moved_is_told_whole_the_second_time_too() -> None:
    await waiting("SO-1", date(2027, 2, 3), likely=5)
    first = await planned_anew()

    second = await planned_anew()

    assert (second.moved, second.sail_otherwise, second.at_risk) == (first.moved, first.sail_otherwise, first.at_risk)


async def test_progress_is_told_up_to_the_last_order(monkeypatch: pytest.MonkeyPatch) -> None:
    await many(5)
    monkeypatch.setattr(replanning, "PAGE", 2)
    told: list[tuple[int, int]] = []

    await replan((await load()).before, lambda done, of: told.append((done, of)))

    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]


async def test_one_order_that_cannot_be_planned_does_not_keep_the_others() -> None:
    await many(3)
    await run("UPDATE orders SET body = body - 'placed_at' WHERE order_no = 'SO-001'")

    result = await planned_anew()

    assert (result.orders, list(result.failed), result.set_anew) == (3, ["SO-001"], 2)
    assert "placed_at" in result.failed["SO-001"]
