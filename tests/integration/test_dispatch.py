"""From notices to messages in a real PostgreSQL: who is told, when, once, and with what else."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from models import tables
from models.book.order_file import Claim
from models.decide import Keep, Tell, decide
from models.escalation.notice import Manner
from models.terms.milestone import Takes
from models.terms.template import Template
from tasks import dispatch
from tasks.calendar_lists import keep_lists
from tasks.database import transaction
from tasks.dispatch import ADMIN, PATIENCE, Dispatched
from tasks.follow_ups import wake_up
from tasks.handing_over import hand_over, plan_hand_over
from tasks.library import FOLDER, library
from tasks.notices import list_notices, record
from tests.books import place, queries, run
from tests.factories import a_milestone, a_template, an_order, china
from tests.notices import a_list, days

MINUTES = timedelta(minutes=1)
PEOPLE = """
wang: {name: Wang, languages: [en], roles: [MER, QC], budget: 2}
chan: {name: Chan, languages: [en], roles: [SALES]}
mei:
  name: Mei
  languages: [en]
  roles: [PUR]
  substitutes: [{from: 2026-11-23, to: 2026-11-25, by: lin}]
lin: {name: Lin, languages: [en]}
"""
DAY = 24
"""Tuesday, 24 November 2026: a working day among working days."""


class Clock:
    """What every clock of the post says."""

    def __init__(self) -> None:
        self.at = china(DAY, 10)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("dispatch", "orders", "follow_ups", "handing_over"):
        monkeypatch.setattr(f"tasks.{module}.now", clock, raising=False)
    return clock


@pytest.fixture(autouse=True)
def house(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "people.yaml").write_text(PEOPLE, "utf-8")
    monkeypatch.setenv(FOLDER, str(folder))


def steps() -> Template:
    """Build fabric, cutting, sewing and departure on office days: fabric is due on Friday, 20 November."""
    offsets = {"FAB_IN": -41, "CUT_START": -35, "SEW_END": -14, "DEPARTED": 0}
    codes = ["", *offsets]
    chain = [
        a_milestone(
            code,
            offset=offset,
            after=(codes[n],) if n else (),
            calendar="cn-office",
            takes=Takes(likely=1, pessimistic=1),
        )
        for n, (code, offset) in enumerate(offsets.items())
    ]
    return a_template(*chain, code="STEPS", calendar="cn-office", sails_every=7)


async def orders(*numbers: str, **changes: Any) -> None:
    for order_no in numbers:
        virtual = changes.pop("clock", None)
        await place(an_order(order_no=order_no, **changes), steps(), clock=virtual, wake=False)


async def many(count: int) -> list[str]:
    numbers = [f"SO-{number:03d}" for number in range(count)]
    await orders(*numbers)
    return numbers


def said(
    at: datetime,
    role: str = "MER",
    rung: str = "L1",
    manner: Manner = Manner.DIGEST,
    milestone: str = "FAB_IN",
    repeat: int = 0,
) -> Tell:
    return Tell(Claim(milestone, rung, china(20, 18)), role, manner, at, repeat)


async def raised(order_no: str, *tells: Tell) -> None:
    """Have an order say something, when it is to be said."""
    for tell in tells:
        assert tell.at is not None
        assert await record(order_no, [tell], tell.at) == 1


async def end_of(order_no: str, at: datetime) -> None:
    """Have an order say that nothing of what it said holds any more."""
    await record(order_no, [Keep(frozenset())], at)


async def the_post() -> Dispatched:
    return await dispatch.dispatch()


async def messages() -> list[Any]:
    async with transaction() as connection:
        return list(await connection.execute(select(tables.messages).order_by(tables.messages.c.id)))


async def sent() -> list[tuple[str, str]]:
    """Return whom each message is for, and of which kind it is."""
    return [(message.person, message.kind) for message in await messages()]


async def held() -> list[datetime | None]:
    return [notice.held_until for notice in await list_notices()]


async def told() -> list[int]:
    return [notice.told for notice in await list_notices()]


# --- one digest for each person and slot


async def test_what_many_orders_say_is_one_message_for_each_person(clock: Clock) -> None:
    morning = china(DAY, 8, 30)
    for order_no in await many(20):
        await raised(order_no, said(morning), said(morning, "SALES"))
    clock.at = china(DAY, 8, 31)

    assert await the_post() == Dispatched(messages=2, notices=40)

    wang, chan = await messages()
    assert [(m.person, m.kind, m.slot) for m in (wang, chan)] == [
        ("wang", "digest", morning),
        ("chan", "digest", morning),
    ]
    assert all(f"SO-{number:03d}" in wang.body and f"SO-{number:03d}" in chan.html for number in range(20))
    assert (wang.tags, wang.order_no) == (["wang", "MER"], None)


async def test_two_dispatchers_at_once_write_one_digest(clock: Clock) -> None:
    morning = china(DAY, 8, 30)
    for order_no in await many(10):
        await raised(order_no, said(morning), said(morning, "SALES"))
    clock.at = china(DAY, 8, 31)

    made = await asyncio.gather(*(the_post() for _ in range(4)))

    assert (sum(each.messages for each in made), sum(each.notices for each in made)) == (2, 20)
    assert sorted(await sent()) == [("chan", "digest"), ("wang", "digest")]
    assert await told() == [1] * 20


async def test_a_digest_that_somebody_else_made_is_not_made_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    morning = china(DAY, 8, 30)
    await orders("A", "B")
    await raised("A", said(morning))
    clock.at = china(DAY, 8, 31)
    look = dispatch._look

    async def somebody_is_first(*asked: Any) -> Any:
        found = await look(*asked)
        monkeypatch.setattr(dispatch, "_look", look)
        await the_post()  # tells A ...
        return found

    monkeypatch.setattr(dispatch, "_look", somebody_is_first)

    assert await the_post() == Dispatched()
    assert (await sent(), await told()) == ([("wang", "digest")], [1])


async def test_what_is_raised_after_the_slots_digest_waits_for_the_next(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(DAY, 8, 30)))
    clock.at = china(DAY, 8, 31)
    await the_post()
    await raised("B", said(china(DAY, 8, 30)))  # of an order that was woken late

    clock.at = china(DAY, 8, 32)
    await the_post()
    assert (await told(), await held()) == ([1, 0], [None, china(DAY, 13, 30)])

    clock.at = china(DAY, 13, 31)
    await the_post()
    assert (await told(), await held()) == ([1, 1], [None, None])
    assert [message.slot for message in await messages()] == [china(DAY, 8, 30), china(DAY, 13, 30)]


async def test_a_notice_that_ended_before_it_was_told_is_never_told(clock: Clock) -> None:
    await orders("A", "B")
    for order_no in ("A", "B"):
        await raised(order_no, said(china(DAY, 8, 30)))
    await end_of("A", china(DAY, 8, 30))
    clock.at = china(DAY, 8, 31)

    await the_post()

    [message] = await messages()
    assert ("● B ACME" in message.body, "● A ACME" in message.body) == (True, False)
    assert await told() == [0, 1]


async def test_a_notice_that_ends_while_it_is_being_told_is_not_told(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orders("A")
    await raised("A", said(china(DAY, 8, 30)))
    clock.at = china(DAY, 8, 31)
    complete = dispatch._is_complete

    async def ends_meanwhile(moment: datetime, opened: datetime | None) -> bool:
        await end_of("A", moment)
        return await complete(moment, opened)

    monkeypatch.setattr(dispatch, "_is_complete", ends_meanwhile)

    assert await the_post() == Dispatched()
    assert (await sent(), await told()) == ([], [0])


async def test_a_notice_that_is_raised_meanwhile_is_not_lost(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    await orders("A", "B")
    at = clock.at = china(DAY, 10)
    await raised("A", said(at, rung="L2", manner=Manner.DIRECT))
    mark = dispatch._mark_told

    async def raised_meanwhile(*asked: Any) -> bool:
        monkeypatch.setattr(dispatch, "_mark_told", mark)
        await raised("B", said(at, rung="L2", manner=Manner.DIRECT))
        return await mark(*asked)

    monkeypatch.setattr(dispatch, "_mark_told", raised_meanwhile)

    await the_post()
    assert await told() == [1, 0]
    await the_post()
    assert (await told(), [m.order_no for m in await messages()]) == ([1, 1], ["A", "B"])


# --- messages of their own


async def test_what_is_direct_is_told_at_once_within_the_day(clock: Clock) -> None:
    await orders("A")
    await raised("A", said(china(DAY, 10), "SALES", "L3", Manner.DIRECT))

    assert await the_post() == Dispatched(1, 1)

    [message] = await messages()
    assert (message.person, message.kind, message.slot, message.order_no) == ("chan", "direct", None, "A")
    assert message.thread == "A/FAB_IN"
    assert await the_post() == Dispatched()


async def test_at_night_it_is_held_and_in_the_morning_it_is_one_with_the_rest(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(DAY, 21), "SALES", "L3", Manner.DIRECT))
    clock.at = china(DAY, 21, 1)
    await the_post()
    assert (await sent(), await held()) == ([], [china(DAY + 1, 8, 30)])

    await raised("B", said(china(DAY + 1, 8, 30), "SALES"))
    clock.at = china(DAY + 1, 8, 31)
    await the_post()

    [message] = await messages()
    assert (message.kind, await held(), await told()) == ("digest", [None, None], [1, 1])
    assert "quiet hours" in message.body


async def test_what_is_held_is_written_down_once(clock: Clock) -> None:
    for order_no in await many(5):
        await raised(order_no, said(china(DAY, 21), "SALES", "L3", Manner.DIRECT))
    clock.at = china(DAY, 21, 1)
    with queries() as first:
        await the_post()
    with queries() as then:
        await the_post()

    assert any(query.startswith("UPDATE") for query in first)
    assert not any(query.startswith("UPDATE") for query in then)


async def test_what_is_urgent_is_told_at_night(clock: Clock) -> None:
    await orders("A")
    clock.at = china(28, 2)  # a Saturday
    await raised("A", said(china(28, 2), "SALES", "L4", Manner.URGENT))

    await the_post()

    assert await sent() == [("chan", "direct")]


async def test_what_is_urgent_is_found_behind_any_number_of_others(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AT_ONCE", 3)
    clock.at = china(DAY, 21)
    for order_no in await many(5):
        await raised(order_no, said(clock.at))
    await orders("A")
    await raised("A", said(clock.at, "SALES", "L4", Manner.URGENT))

    await the_post()

    assert await sent() == [("chan", "direct")]


async def test_who_fills_two_roles_is_told_of_a_claim_once(clock: Clock) -> None:
    await orders("A")
    at = clock.at = china(DAY, 10)
    await raised("A", said(at, "MER", "L2", Manner.DIRECT), said(at, "QC", "L2", Manner.DIRECT))
    await the_post()

    [message] = await messages()
    assert (message.kind, message.tags, await told()) == ("direct", ["wang", "MER", "QC"], [1, 1])


async def test_so_he_is_in_a_digest_and_on_a_virtual_clock(clock: Clock) -> None:
    morning = china(DAY, 8, 30)
    await orders("A", clock=china(DAY, 10))
    await raised("A", said(morning, "MER"), said(morning, "QC"))
    await orders("B")
    await raised("B", said(morning, "MER"), said(morning, "QC"))
    clock.at = china(DAY, 8, 31)

    await the_post()

    virtual, real = await messages()
    assert (virtual.order_no, virtual.kind, real.order_no, real.kind) == ("A", "direct", "B", "digest")
    assert real.body.count("● B ACME") == 1
    assert await told() == [1] * 4


async def test_of_two_rungs_of_one_step_the_higher_is_read(clock: Clock) -> None:
    await orders("A", "B")
    at = clock.at = china(DAY, 10)
    for rung in ("L3", "L4", "L2"):
        await raised("A", said(at, "SALES", rung, Manner.URGENT))
    await raised("B", said(at, "SALES", "L4", Manner.URGENT))
    await the_post()

    three, one = await messages()
    assert (three.order_no, one.order_no, await told()) == ("A", "B", [1, 1, 1, 1])
    assert re.sub(r"\bA\b", "B", three.subject) == one.subject


async def test_an_order_without_a_date_stands_in_the_next_digest(clock: Clock) -> None:
    await orders("A", etd=None, placed_at=china(DAY, 9), came_in=china(DAY, 9))
    file, follow_up = await wake_up("A")
    await record("A", decide(file, follow_up.now), follow_up.now)
    await run("UPDATE follow_ups SET awake_since = NULL")
    await the_post()
    assert await sent() == []

    clock.at = china(DAY, 13, 31)
    await the_post()

    [message] = await messages()
    assert (message.person, message.kind, "● A ACME" in message.body) == ("wang", "digest", True)


# --- the budget


async def test_what_goes_beyond_the_budget_stands_in_the_digest_and_the_administrator_hears_once(clock: Clock) -> None:
    numbers = await many(4)
    for hour, order_no in enumerate(numbers, start=9):
        clock.at = china(DAY, hour)
        await raised(order_no, said(clock.at, "MER", "L2", Manner.DIRECT))
        await asyncio.gather(the_post(), the_post())

    assert await sent() == [("wang", "direct"), ("wang", "direct"), (ADMIN, "note")]
    assert await held() == [None, None, china(DAY, 13, 30), china(DAY, 13, 30)]

    clock.at = china(DAY, 13, 31)
    await the_post()

    *_, note, digest = await messages()
    assert (note.thread, note.tags) == ("budget/wang/2026-11-24", [ADMIN])
    assert (digest.kind, "SO-002" in digest.body, "SO-003" in digest.body) == ("digest", True, True)
    assert await told() == [1] * 4


async def test_what_a_virtual_clock_says_is_not_counted(clock: Clock) -> None:
    await orders("V1", "V2", clock=china(DAY, 10))
    await orders("A")
    for order_no in ("V1", "V2", "A"):
        await raised(order_no, said(china(DAY, 10), "MER", "L2", Manner.DIRECT))
        await the_post()

    assert await sent() == [("wang", "direct")] * 3


# --- again


async def test_what_is_unanswered_stands_again_in_the_first_digest_of_a_day(clock: Clock) -> None:
    await orders("A")
    await raised("A", said(china(DAY, 8, 30), repeat=2))
    at = {}
    for day in range(DAY, DAY + 5):
        for hour, minute in ((8, 31), (11, 0), (13, 31), (21, 0)):
            clock.at = china(day, hour, minute)
            for _ in range((await the_post()).messages):
                at[day, hour] = (await messages())[-1].body

    assert list(at) == [(24, 8), (26, 8)]
    assert ["again" in body for body in at.values()] == [False, True]


async def test_a_day_off_of_a_loaded_list_is_one_for_the_post(clock: Clock) -> None:
    assert library().calendars["cn-office"].is_workday(date(2027, 3, 10))
    await keep_lists([a_list(holidays=a_list().holidays | days("2027-03-10"))])
    await orders("A")
    await raised("A", said(china(10, 8, 30, month=3, year=2027)))

    clock.at = china(10, 8, 31, month=3, year=2027)
    assert await the_post() == Dispatched()
    assert await held() == [china(11, 8, 30, month=3, year=2027)]


async def test_what_may_be_told_again_is_not_even_read_until_somebodys_first_digest(clock: Clock) -> None:
    for order_no in await many(10):
        await raised(order_no, said(china(DAY, 8, 30), repeat=1))
    clock.at = china(DAY, 8, 31)
    await the_post()

    asked = []
    for moment in (china(DAY, 9), china(DAY, 14), china(DAY + 1, 2), china(29, 12)):
        clock.at = moment
        with queries() as made:
            assert await the_post() == Dispatched()
        asked.append(len(made))
    assert asked == [3] * 4

    clock.at = china(DAY + 1, 8, 31)
    assert await the_post() == Dispatched(1, 10)


# --- who reads it


async def test_who_stands_in_reads_what_is_for_who_is_away(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(25, 10), "PUR", "L2", Manner.DIRECT))
    clock.at = china(25, 10)
    await the_post()
    await raised("B", said(china(26, 10), "PUR", "L2", Manner.DIRECT))
    clock.at = china(26, 10)
    await the_post()

    assert [(m.person, m.tags) for m in await messages()] == [("lin", ["lin", "PUR"]), ("mei", ["mei", "PUR"])]


async def test_what_a_handed_over_order_says_goes_to_its_new_merchandiser(clock: Clock) -> None:
    await orders("A", "B", merchandiser="wang")
    await hand_over("A", await plan_hand_over("wang", "lin", ["A"]))
    for order_no in ("A", "B"):
        await raised(order_no, said(china(DAY, 10), "MER", "L2", Manner.DIRECT))

    await the_post()

    assert [(m.order_no, m.person) for m in await messages()] == [("A", "lin"), ("B", "wang")]


# --- waiting for orders that are still to speak


async def test_a_digest_waits_for_orders_that_are_still_to_speak(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(DAY, 8, 30)), said(china(DAY, 8, 30), "SALES", "L4", Manner.URGENT))
    await run("UPDATE follow_ups SET next_wake_up = %s WHERE order_no = 'B'", china(DAY, 8, 30))
    clock.at = china(DAY, 8, 31)
    await the_post()
    assert await sent() == [("chan", "direct")]

    await raised("B", said(china(DAY, 8, 30)))
    await run("UPDATE follow_ups SET next_wake_up = NULL")
    await the_post()
    assert (await sent(), await told()) == ([("chan", "direct"), ("wang", "digest")], [1, 1, 1])


async def test_but_not_for_ever_where_some_order_is_always_awake(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(DAY, 8, 30)))
    made = []
    for minute in range(31, 45):
        clock.at = china(DAY, 8, minute)
        await run("UPDATE follow_ups SET awake_since = %s WHERE order_no = 'B'", clock.at - MINUTES)
        made.append((await the_post()).messages)

    assert made.index(1) == PATIENCE // MINUTES - 1
    assert sum(made) == 1


async def test_a_post_that_has_just_opened_waits_for_orders_that_are_long_overdue(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(20, 19)))
    await run("UPDATE follow_ups SET next_wake_up = %s WHERE order_no = 'B'", china(23, 8, 30))
    opened = china(DAY, 10)

    clock.at = opened + MINUTES
    assert await dispatch.dispatch(opened) == Dispatched()
    await record("B", [said(china(23, 8, 30))], clock.at)
    await run("UPDATE follow_ups SET awake_since = %s WHERE order_no = 'B'", clock.at)
    assert await dispatch.dispatch(opened) == Dispatched()
    await run("UPDATE follow_ups SET awake_since = NULL, next_wake_up = NULL")

    assert await dispatch.dispatch(opened) == Dispatched(messages=1, notices=2)
    [message] = await messages()
    assert message.slot == china(DAY, 8, 30)
    assert "down from Mon 23 Nov 08:30 to Tue 24 Nov 10:01" in message.body


async def test_but_not_for_ever_for_one_that_is_never_woken(clock: Clock) -> None:
    await orders("A", "B")
    await raised("A", said(china(DAY, 8, 30)))
    await run("UPDATE follow_ups SET next_wake_up = %s WHERE order_no = 'B'", china(DAY - 3, 8, 30))
    opened, made = china(DAY, 8, 30), []
    for minute in range(31, 45):
        clock.at = china(DAY, 8, minute)
        made.append((await dispatch.dispatch(opened)).messages)

    assert made.index(1) == PATIENCE // MINUTES - 1


# --- outages


async def test_after_an_outage_of_days_each_person_reads_one_catch_up(clock: Clock) -> None:
    clock.at = china(26, 10)
    since = clock.at - timedelta(hours=60)
    for number, order_no in enumerate(await many(12)):
        meant_for = since + number * timedelta(hours=4)
        manner = Manner.DIRECT if number % 2 else Manner.DIGEST
        tells = [Tell(Claim("FAB_IN", "L2", china(20, 18)), role, manner, meant_for) for role in ("MER", "SALES", "GM")]
        await record(order_no, tells, clock.at)

    for _ in range(3):
        await the_post()
        clock.at += 20 * MINUTES

    assert sorted(await sent()) == [("GM", "digest"), ("chan", "digest"), ("wang", "digest")]
    assert await told() == [1] * 36
    assert all("Gendan was down from" in message.body for message in await messages())


async def test_what_cannot_be_made_is_logged_and_keeps_no_other_message(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await orders("A", "B")
    for order_no, role in (("A", "MER"), ("B", "SALES")):
        await raised(order_no, said(china(DAY, 10), role, "L2", Manner.DIRECT))
    compose = dispatch.compose

    def breaks(facts: Any, languages: Any) -> Any:
        if facts.order_no == "A":
            raise ZeroDivisionError
        return compose(facts, languages)

    monkeypatch.setattr(dispatch, "compose", breaks)
    with caplog.at_level(logging.ERROR):
        await the_post()
    assert (await sent(), await told()) == ([("chan", "direct")], [0, 1])
    assert [record.getMessage() for record in caplog.records] == ["A message to wang could not be made; trying again"]

    monkeypatch.setattr(dispatch, "compose", compose)
    await the_post()
    assert (await sent(), await told()) == ([("chan", "direct"), ("wang", "direct")], [1, 1])


# --- dead letters


async def a_dead_letter(clock: Clock, kind: str = "direct") -> int:
    async with transaction() as connection:
        made = await connection.execute(
            insert(tables.messages)
            .values(
                kind=kind,
                person="chan",
                tags=["chan"],
                made_at=clock.at,
                subject="SO-1",
                body="",
                dead_at=clock.at,
                error="mailto:// refused: 550 no such user",
            )
            .returning(tables.messages.c.id)
        )
        return made.scalar_one()


async def test_the_administrator_hears_once_of_a_message_that_reached_nobody(clock: Clock) -> None:
    dead = await a_dead_letter(clock)
    await asyncio.gather(the_post(), the_post())
    await the_post()

    _, note = await messages()
    assert (note.person, note.kind, note.tags, note.thread) == (ADMIN, "note", [ADMIN], f"dead/{dead}")
    assert "Chan" in note.body
    assert "550 no such user" in note.body
    assert f"gendan messages retry {dead}" in note.body


async def test_of_a_note_that_reached_nobody_no_other_note_is_made(clock: Clock) -> None:
    await a_dead_letter(clock, "note")
    await the_post()

    assert len(await messages()) == 1


# --- what it costs


async def test_the_queries_of_a_dispatch_do_not_grow_with_the_orders(clock: Clock) -> None:
    counts = []
    for day, count in ((24, 2), (25, 40)):
        for order_no in [f"SO-{day}-{number:03d}" for number in range(count)]:
            await orders(order_no)
            await raised(order_no, said(china(day, 8, 30)), said(china(day, 8, 30), "SALES"))
        clock.at = china(day, 8, 31)
        with queries() as asked:
            assert await the_post() == Dispatched(2, 2 * count)
        counts.append(len(asked))

    assert counts[0] == counts[1]
    assert counts[0] <= 5 + 2 * 12
