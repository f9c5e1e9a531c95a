"""How long it takes to plan ten thousand open orders anew after a holiday list was loaded, from the database."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import make_url

from bench.figures import Figure, Spread
from bench.scene import Scene
from bench.watch import counted_queries
from models.book.order import Order
from models.book.report import Report
from models.calendars.holiday_list import HolidayList
from models.calendars.workdays import ONE_DAY, Calendar
from models.decide import Freeze, decide, next_wake_up, taken
from models.planning.plan import planned
from models.status.standing import standing
from tasks import database
from tasks.baseline import keep_baseline
from tasks.calendar_lists import keep_lists
from tasks.clock import now
from tasks.database import engine, transaction
from tasks.follow_ups import rest
from tasks.library import library
from tasks.logbook import append_reports
from tasks.notices import record
from tasks.orders import open_file, register
from tasks.replanning import Replanned, replan
from tasks.schema import migrate
from tasks.statutory import lunar_new_year, statutory_days

NAME = "replan"
TARGET = 60.0
TEMPLATE = "AFS"
SEASONS = 50
"""Different orders; all others are copies of them under numbers of their own."""


async def measure(scene: Scene) -> list[Figure]:
    """Measure the re-planning of orders in the middle of their season, in a database beside the running Gendan's."""
    count = 1_000 if scene.quick else 10_000
    async with _another_database(scene.running.database_url):
        await _orders_in_mid_season(count)
        scene.say(f"{NAME}: {count:,} orders of template {TEMPLATE} are in the book")
        kept = await keep_lists(_coming_lists(now().year + 1), source="made up", by="bench")
        with counted_queries(engine().sync_engine) as queries:
            begun = time.perf_counter()
            result = await replan(kept.before)
            seconds = time.perf_counter() - begun
    _must_be_whole(result, count)
    scene.say(f"{NAME}: {result.moved:,} dates moved, {result.woken:,} orders to wake, {seconds:.1f} s")
    return [
        Figure(
            NAME,
            f"re-planning {count:,} open orders after a holiday list",
            "s",
            Spread.of([seconds]),
            target=f"<= {TARGET:.0f} s",
            met=seconds <= TARGET,
            note=f"{result.moved:,} dates moved; {result.woken:,} orders woken, {result.set_anew:,} looked at later",
        ),
        Figure(NAME, "orders re-planned in a second", "1/s", Spread.of([count / seconds])),
        Figure(NAME, "queries", "queries", Spread.of([len(queries)])),
    ]


def _must_be_whole(result: Replanned, count: int) -> None:
    if result.failed:
        raise RuntimeError(f"{len(result.failed)} orders could not be planned: {next(iter(result.failed.items()))}")
    if result.orders != count or result.woken + result.set_anew != count or not result.moved:
        raise RuntimeError(f"{result.orders} orders were planned and {result.moved} dates moved: too few to measure.")


@asynccontextmanager
async def _another_database(url: str) -> AsyncIterator[None]:
    """Work in a database that no worker looks into; what is measured wakes thousands of orders."""
    name = "gendan_bench_replan"
    _run(url, "DROP DATABASE IF EXISTS {}", name)
    _run(url, "CREATE DATABASE {}", name)
    own = make_url(url).set(database=name).render_as_string(hide_password=False)
    migrate(own)
    former = os.environ[database.URL]
    os.environ[database.URL] = own
    try:
        yield
    finally:
        await database.close()
        os.environ[database.URL] = former
        _run(url, "DROP DATABASE {}", name)


def _run(url: str, statement: str, name: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _coming_lists(last: int) -> Iterator[HolidayList]:
    """Yield a list as a notice might have it for each year from the first that is not published to `last`."""
    office = library().calendars["cn-office"]
    for year in range(max(office.published or {last - 1}) + 1, last + 1):
        yield _a_list(office, year)


def _a_list(office: Calendar, year: int) -> HolidayList:
    """Make a list up: the statutory days, eight days each around the two long holidays, two Saturdays made up each."""
    spring, national = lunar_new_year(year), date(year, 10, 1)
    long = {first + n * ONE_DAY for first in (spring - ONE_DAY, national) for n in range(8)}
    made_up = {
        next(day for n in range(1, 8) if (day := edge + direction * n * ONE_DAY).isoweekday() == 6)
        for first in (spring - ONE_DAY, national)
        for edge, direction in ((first, -1), (first + 7 * ONE_DAY, +1))
    }
    return HolidayList(
        official=office.official,
        year=year,
        holidays=statutory_days([year]) | long,
        workdays=frozenset(made_up),
    )


async def _orders_in_mid_season(count: int) -> None:
    """Bring orders in that are half done: some wait, some are late and were chased."""
    present = now()
    numbers = [f"SEASON-{number:02d}" for number in range(SEASONS)]
    for number, order_no in enumerate(numbers):
        await _order_in_mid_season(order_no, number, present)
    async with transaction() as connection:
        for statement in _COPIES:
            await connection.execute(text(statement), {"copies": count // SEASONS - 1})
        # The most that it can cost: every order is to be looked at at another time than is written down.
        await connection.execute(text("UPDATE follow_ups SET next_wake_up = NULL"))
        await connection.execute(text("ANALYZE"))


async def _order_in_mid_season(order_no: str, number: int, present: datetime) -> None:
    shelf = library()
    template = shelf.templates[TEMPLATE]
    placed = present - timedelta(days=30 + number % 30)
    order = Order(
        order_no=order_no,
        customer="Bench",
        placed_at=placed,
        came_in=placed,
        etd=(present + timedelta(days=35 + number % 40)).date(),
        quantity=3600,
    )
    await register(order, template, shelf.policies[template.policy], wake=False)
    assert order.etd is not None  # given above
    due = planned(order, template, order.etd, shelf.calendars)
    past = [code for code in template.forwards if due[code] < present]
    # Of every third the last step is late.
    done = past[:-1] if number % 3 == 0 else past
    facts = [
        Report(recorded_at=max(due[code], placed), milestone=code, occurred_at=max(due[code], placed)) for code in done
    ]
    async with transaction() as connection:
        await append_reports(connection, [(order_no, fact) for fact in facts])
    await _look(order_no)


async def _look(order_no: str) -> None:
    """Do in the database what a wake-up does there."""
    file, follow_up = await open_file(order_no)
    at = standing(file, follow_up.now)
    steps = decide(file, follow_up.now)
    for step in steps:
        if isinstance(step, Freeze):
            await keep_baseline(order_no, step.baseline)
    await record(order_no, steps, follow_up.now)
    after = taken(file, steps, follow_up.now)
    await rest(
        order_no,
        state=at.state,
        waits_for="",
        next_wake_up=next_wake_up(after, follow_up.now),
        shown=after.shown,
        page={},
        closed_as=None,
    )


_COPIES = (
    "INSERT INTO orders (order_no, terms, customer, kind, body) "
    "SELECT order_no || '-' || n, terms, customer, kind, "
    "jsonb_set(body, '{order_no}', to_jsonb(order_no || '-' || n)) FROM orders, generate_series(1, :copies) n",
    "INSERT INTO entries (order_no, kind, recorded_at, body) "
    "SELECT order_no || '-' || n, kind, recorded_at, body FROM entries, generate_series(1, :copies) n "
    "ORDER BY n, seq",
    "INSERT INTO notices (order_no, milestone, rung, due, role, manner, repeat, meant_for, raised_at, holds) "
    "SELECT order_no || '-' || n, milestone, rung, due, role, manner, repeat, meant_for, raised_at, holds "
    "FROM notices, generate_series(1, :copies) n",
    "INSERT INTO chases (order_no, milestone, state, rung, by, why, until, at) "
    "SELECT order_no || '-' || n, milestone, state, rung, by, why, until, at "
    "FROM chases, generate_series(1, :copies) n",
    "INSERT INTO follow_ups (order_no, state, next_wake_up, shown, wakes) "
    "SELECT order_no || '-' || n, state, next_wake_up, shown, wakes FROM follow_ups, generate_series(1, :copies) n",
)
