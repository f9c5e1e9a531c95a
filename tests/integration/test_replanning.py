"""Re-planning all open orders after a holiday list: what is set anew, what is left alone, and what a kill costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.engine import make_url

from models import tables
from models.decide import Freeze, Tell, decide, next_wake_up, taken
from models.holiday_list import HolidayList
from models.order import OrderState
from models.order_file import OrderFile
from models.outlook import outlook
from models.plan import planned
from models.standing import standing
from tasks import database, replanning
from tasks.baseline import keep_baseline
from tasks.calendar_lists import Kept, keep_lists
from tasks.database import transaction
from tasks.follow_ups import rest, wake_up
from tasks.library import library
from tasks.logbook import append_reports
from tasks.orders import open_file
from tasks.replanning import PAGE, Replanned, replan
from tests.books import all_asleep, contents, due, place, run
from tests.factories import a_report, an_order, china
from tests.notices import a_list, days

pytestmark = pytest.mark.usefixtures("database_url")

NOW = china(24)
"""The present of these orders: after the notice of 2026, and before any of 2027."""
EXTRA = a_list(holidays=a_list().holidays | days("2027-01-04..2027-01-08", "2027-01-18..2027-01-22"))
"""A list with two weeks off more, so that much moves."""


async def in_mid_season(order_no: str, *, etd: date = date(2027, 2, 3), late: int = 0, at: datetime = NOW) -> None:
    """Bring an order in that is as far as its plan, but for its last `late` steps, and waits since it was looked at."""
    placed = china(1, month=10)
    order = an_order(order_no=order_no, placed_at=placed, came_in=placed, etd=etd)
    await place(order, "AFS", clock=at, wake=False)
    plan = planned(order, library().templates["AFS"], etd, library().calendars)
    past = [code for code in library().templates["AFS"].forwards if plan[code] < at]
    facts = [(order_no, a_report(code, max(plan[code], placed))) for code in past[: len(past) - late]]
    async with transaction() as connection:
        await append_reports(connection, facts)
    await look(order_no)


async def look(order_no: str) -> list[Tell]:
    """Do in the book what a wake-up does there, and return what is said."""
    file, follow_up = await wake_up(order_no)
    steps = decide(file, follow_up.now)
    said = [step for step in steps if isinstance(step, Tell)]
    for step in steps:
        if isinstance(step, Freeze):
            await keep_baseline(order_no, step.baseline)
    async with transaction() as connection:
        for tell in said:
            row = {"order_no": order_no, "recipient": tell.role, "claimed_at": follow_up.now, "subject": "", "body": ""}
            await connection.execute(insert(tables.messages).values(**row, **tell.claim._asdict()))
    after = taken(file, steps)
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


async def next_looks() -> dict[str, datetime | None]:
    rows = tables.follow_ups.c
    async with transaction() as connection:
        return {
            row.order_no: row.next_wake_up for row in await connection.execute(select(rows.order_no, rows.next_wake_up))
        }


async def planned_anew(which: HolidayList = EXTRA) -> Replanned:
    kept = await load(which)
    return await replan(kept.before)


@contextmanager
def queries() -> Iterator[list[str]]:
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    engine = database.engine().sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    yield asked
    event.remove(engine, "before_cursor_execute", hear)


# --- what is set


async def test_an_order_is_next_looked_at_by_the_new_calendars() -> None:
    # All is told until it departs: the next look is in January.
    await in_mid_season("SO-1", etd=date(2027, 1, 12), at=china(29, month=12))
    (before,) = (await next_looks()).values()

    result = await planned_anew()

    file, follow_up = await open_file("SO-1")
    (after,) = (await next_looks()).values()
    assert (result.orders, result.failed) == (1, {})
    assert after != before or await due() == ["SO-1"]
    assert decide(file, follow_up.now) == () or result.woken == 1


async def test_an_order_without_news_is_not_woken_and_gets_its_next_look() -> None:
    await in_mid_season("SO-1")
    file, _ = await open_file("SO-1")
    await run("UPDATE follow_ups SET next_wake_up = %s", NOW + timedelta(days=300))

    result = await planned_anew(a_list())

    assert (result.woken, result.set_anew) == (0, 1)
    assert await next_looks() == {"SO-1": next_wake_up(await the_file("SO-1"), NOW)}
    assert await due() == []
    assert file.calendars["cn-office"].is_provisional(date(2027, 2, 1))


async def the_file(order_no: str) -> OrderFile:
    file, _ = await open_file(order_no)
    return file


async def test_an_order_whose_open_steps_have_other_dates_is_woken_to_show_them() -> None:
    at = china(28, month=12)
    await in_mid_season("SO-1", etd=date(2027, 1, 29), at=at)
    before = await the_file("SO-1")

    result = await planned_anew()

    after = await the_file("SO-1")
    open_ = standing(after, at).open
    assert any(standing(after, at).due[code] != standing(before, at).due[code] for code in open_)
    assert (result.woken, await due()) == (1, ["SO-1"])


async def test_an_order_that_is_awake_looks_once_more_and_nothing_else_of_it_is_touched() -> None:
    await in_mid_season("SO-1")
    await run("UPDATE follow_ups SET awake_since = now(), next_wake_up = %s", NOW)

    await planned_anew()

    assert await next_looks() == {"SO-1": NOW}
    async with transaction() as connection:
        row = (await connection.execute(select(tables.follow_ups))).one()
    assert (row.wanted, row.awake_since is not None) == (True, True)


async def test_an_order_that_awoke_meanwhile_keeps_what_it_decided_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_mid_season("SO-1")
    decided = NOW + timedelta(days=3)
    of_models = replanning.effect

    def while_it_is_planned(*given: Any) -> Any:
        plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain) as other:
            other.execute("UPDATE follow_ups SET wakes = wakes + 1, next_wake_up = %s", [decided])
        return of_models(*given)

    await run("UPDATE follow_ups SET next_wake_up = NULL")
    monkeypatch.setattr(replanning, "effect", while_it_is_planned)

    await planned_anew(a_list())

    assert await next_looks() == {"SO-1": decided}


@pytest.mark.parametrize("closed_as", [OrderState.CLOSED, OrderState.CANCELLED])
async def test_an_order_that_is_over_is_left_alone(database_url: str, closed_as: OrderState) -> None:
    await in_mid_season("SO-1")
    await run("UPDATE follow_ups SET closed_as = %s, state = %s", closed_as.value, closed_as.value)
    kept = await load()
    before = contents(database_url)

    result = await replan(kept.before)

    assert result == Replanned()
    assert contents(database_url) == before


async def test_an_order_that_waits_for_a_date_has_none_that_could_move() -> None:
    placed = china(1, month=10)
    await place(an_order(order_no="SO-1", placed_at=placed, came_in=placed, etd=None), "AFS", clock=NOW, wake=False)
    await look("SO-1")

    result = await planned_anew()

    assert (result.orders, result.moved, result.woken, result.failed) == (1, 0, 0, {})


# --- what is told


async def test_what_moves_is_told() -> None:
    await in_mid_season("SO-1")
    before = await the_file("SO-1")

    result = await planned_anew()

    after = await the_file("SO-1")
    was, is_ = standing(before, NOW), standing(after, NOW)
    moved = [code for code in is_.due if code not in is_.done and is_.due[code] != was.due[code]]
    earlier, ahead = outlook(before, was), outlook(after, is_)
    assert earlier is not None
    assert ahead is not None
    assert (result.moved, bool(moved)) == (len(moved), True)
    assert earlier.sails_at < ahead.sails_at
    assert result.sail_otherwise == {"SO-1": (earlier.sails_at, ahead.sails_at)}
    assert result.at_risk == ["SO-1"]


async def test_a_list_that_changes_no_day_moves_nothing() -> None:
    await in_mid_season("SO-1")
    office = library().calendars["cn-office"]
    as_estimated = a_list(holidays=frozenset(day for day in office.estimated if day.year == 2027), workdays=frozenset())

    result = await planned_anew(as_estimated)

    assert (result.orders, result.moved, result.sail_otherwise, result.at_risk) == (1, 0, {}, [])


# --- claims


async def test_nothing_is_said_twice_of_a_date_that_did_not_move() -> None:
    await in_mid_season("SO-1", late=2, at=china(2, month=12))
    before = await the_file("SO-1")
    said = {(claim.milestone, claim.rung) for claim in before.claimed}

    await planned_anew()
    again = await look("SO-1")

    assert said, "an order in mid-season that was chased"
    assert again == []


async def test_after_a_list_each_rung_is_said_once_for_each_date() -> None:
    await in_mid_season("SO-1", late=1, at=china(31, month=12))
    await planned_anew()

    for day in range(30):
        await run("UPDATE follow_ups SET clock = %s", china(1, month=1, year=2027) + timedelta(days=day))
        await look("SO-1")

    messages = tables.messages.c
    async with transaction() as connection:
        rows = (await connection.execute(select(messages.milestone, messages.rung, messages.due))).all()
    assert len(rows) == len(set(rows)) > 3


# --- many


async def test_three_hundred_orders_cost_queries_by_the_page() -> None:
    await in_mid_season("SO-000")
    await copies_of("SO-000", 299)
    await run("UPDATE follow_ups SET next_wake_up = NULL")
    kept = await load()

    with queries() as asked:
        result = await replan(kept.before)

    pages = 300 // PAGE + 1
    assert result.orders == 300
    # The count, the calendars and the last look for a page; rows, terms, log, claims, the new looks and the call.
    assert len(asked) <= 4 + pages * 6


async def copies_of(order_no: str, count: int) -> None:
    await run(
        "INSERT INTO orders (order_no, terms, customer, body) SELECT format('SO-%%s', lpad(n::text, 3, '0')), terms, "
        "customer, jsonb_set(body, '{order_no}', to_jsonb(format('SO-%%s', lpad(n::text, 3, '0')))) "
        "FROM orders, generate_series(1, %s) n WHERE order_no = %s",
        count,
        order_no,
    )
    for columns, table in (
        ("kind, recorded_at, body", "entries"),
        ("state, next_wake_up, shown, clock, wakes", "follow_ups"),
    ):
        await run(
            f"INSERT INTO {table} (order_no, {columns}) SELECT format('SO-%%s', lpad(n::text, 3, '0')), {columns} "
            f"FROM {table}, generate_series(1, %s) n WHERE order_no = %s",
            count,
            order_no,
        )


async def test_planning_again_changes_nothing_more(database_url: str) -> None:
    await in_mid_season("SO-000")
    await copies_of("SO-000", 19)
    await run("UPDATE follow_ups SET next_wake_up = NULL")
    kept = await load(a_list())
    first = await replan(kept.before)
    before = contents(database_url)

    again = await replan(kept.before)

    assert (first.set_anew, again.set_anew) == (20, 0)
    assert contents(database_url) == before


async def test_what_a_kill_leaves_undone_is_done_by_the_same_import_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_mid_season("SO-000")
    await copies_of("SO-000", 9)
    await run("UPDATE follow_ups SET next_wake_up = NULL")
    monkeypatch.setattr(replanning, "PAGE", 3)

    def killed(done: int, of: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replan((await load(a_list())).before, killed)
    half = [order_no for order_no, at in (await next_looks()).items() if at is not None]
    second = await replan((await load(a_list())).before)

    wanted = next_wake_up(await the_file("SO-000"), NOW)
    assert len(half) == 6
    assert (second.orders, second.set_anew) == (10, 4)
    assert set((await next_looks()).values()) == {wanted}
    # The summary of the second is the whole one.
    third = await replan((await load(a_list())).before)
    assert (second.moved, second.sail_otherwise) == (third.moved, third.sail_otherwise)


async def test_progress_is_told_up_to_the_last_order(monkeypatch: pytest.MonkeyPatch) -> None:
    await in_mid_season("SO-000")
    await copies_of("SO-000", 4)
    monkeypatch.setattr(replanning, "PAGE", 2)
    told: list[tuple[int, int]] = []

    await replan((await load()).before, lambda done, of: told.append((done, of)))

    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]


async def test_one_order_that_cannot_be_planned_does_not_keep_the_others() -> None:
    await in_mid_season("SO-000")
    await copies_of("SO-000", 2)
    await run("UPDATE follow_ups SET next_wake_up = NULL")
    await run("UPDATE orders SET body = body - 'placed_at' WHERE order_no = 'SO-001'")

    result = await planned_anew(a_list())

    assert (result.orders, list(result.failed), result.set_anew) == (3, ["SO-001"], 2)
    assert "placed_at" in result.failed["SO-001"]


async def test_an_order_that_is_wanted_already_stays_wanted() -> None:
    await in_mid_season("SO-1")
    await all_asleep()
    await run("UPDATE follow_ups SET wanted = true")

    result = await planned_anew(a_list())

    assert (result.woken, result.set_anew, await due()) == (0, 0, ["SO-1"])
