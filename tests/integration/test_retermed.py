"""Moving running orders to today's template: what they keep, what is written down, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models import tables
from models.book.changes import Cancellation, Retermed
from models.book.order_file import OrderFile
from models.book.report import Classifier, Promise, Report, Withdrawal
from models.decide import CALLED_OFF, Show, Tell, decide, next_wake_up
from models.errors import Refused, UnknownOrder
from models.migration import Migration
from models.status.standing import standing
from models.terms.template import Template
from tasks import database
from tasks.database import transaction
from tasks.library import FOLDER, library
from tasks.logbook import record_entry
from tasks.orders import assemble, open_file, read_order
from tasks.retermed import migrate, outdated
from tests.books import all_asleep, contents, due, place, run
from tests.factories import an_order, china
from tests.terminal import done, gendan
from tests.terminal import refused as why_refused

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-1"
NOW = china(24)
HEAD = "code: HOUSE\nname: {en: Ours, zh_hans: 本厂, zh_hant: 本廠}\ncalendar: cn-office\npolicy: standard\n"
FIRST = """version: 1
departure: DEPARTED
follow_to: DEPARTED
milestones:
  - {code: FAB_IN, offset: -40}
  - {code: TEST_OK, offset: -30, after: [FAB_IN], optional: true}
  - {code: CUT_START, offset: -20, after: [TEST_OK]}
  - {code: SEW_END, offset: -10, after: [CUT_START]}
  - {code: DEPARTED, offset: 0, after: [SEW_END]}
"""
SECOND = """version: 2
departure: DEPARTED
follow_to: DEPARTED
milestones:
  - {code: FAB_IN, offset: -40}
  - {code: FAB_QC, offset: -38, after: [FAB_IN]}
  - {code: TEST_OK, offset: -30, after: [FAB_QC], optional: true}
  - {code: CUT_START, offset: -24, after: [TEST_OK]}
  - {code: PACK_DONE, offset: -10, after: [CUT_START]}
  - {code: DEPARTED, offset: 0, after: [PACK_DONE]}
"""
POLICY = """code: standard
rungs:
  - {code: L1, after: 1, role: MER, asks: {en: Say when, zh_hans: 请回报, zh_hant: 請回報}}
"""

Today = Callable[..., None]


@pytest.fixture
def today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Today:
    """Give what lays another library over the bundled one, as a house does between two starts."""
    folders = iter(range(9))

    def lay(template: str, policy: str = "", code: str = "HOUSE") -> None:
        folder = tmp_path / f"library{next(folders)}"
        (folder / "templates").mkdir(parents=True)
        (folder / "templates" / "house.yaml").write_text(HEAD.replace("HOUSE", code) + template, encoding="utf-8")
        if policy:
            (folder / "policies").mkdir()
            (folder / "policies" / "standard.yaml").write_text(policy, encoding="utf-8")
        monkeypatch.setenv(FOLDER, str(folder))

    lay(FIRST)
    return lay


async def running(number: str = NUMBER, template: Template | None = None, **changes: Any) -> None:
    """Bring an order in that sails on Tuesday, 29 December, and is followed by the first version."""
    placed = china(1, month=10)
    fields = {"order_no": number, "placed_at": placed, "came_in": placed, "etd": date(2026, 12, 29)}
    await place(an_order(**(fields | changes)), template or "HOUSE", clock=NOW)
    await all_asleep()


async def tell(make: Callable[[OrderFile, datetime], Any], number: str = NUMBER) -> int:
    seq = (await record_entry(number, make)).seq
    assert seq is not None
    return seq


async def happened(milestone: str, day: int, **changes: Any) -> int:
    return await tell(
        lambda _file, now: Report(recorded_at=now, milestone=milestone, occurred_at=china(day), **changes)
    )


async def the_file(number: str = NUMBER) -> OrderFile:
    file, _ = await open_file(number)
    return file


async def moved(number: str = NUMBER, **how: Any) -> Migration:
    made = await migrate(number, **how)
    assert made is not None
    return made


# --- moving


async def test_an_order_keeps_its_template_until_somebody_moves_it(today: Today) -> None:
    await running()
    today(SECOND)
    before = await the_file()

    made = await moved()

    after = await the_file()
    assert (before.template.version, after.template) == (1, library().templates["HOUSE"])
    assert (list(made.added), list(made.removed)) == (["FAB_QC", "PACK_DONE"], ["SEW_END"])
    assert [(each.code, each.was.date(), each.now.date()) for each in made.moved] == [
        ("CUT_START", date(2026, 12, 9), date(2026, 12, 5))
    ]


async def test_it_is_written_into_the_log_with_both_terms_and_the_order_is_woken(today: Today) -> None:
    await running()
    was = await terms_of(NUMBER)
    today(SECOND)

    await moved(by="mei", note="new inspection")

    (entry,) = (await the_file()).entries
    assert isinstance(entry, Retermed)
    assert (entry.was, entry.terms, entry.by, entry.note) == (was, await terms_of(NUMBER), "mei", "new inspection")
    assert entry.recorded_at == NOW
    assert was != entry.terms
    assert await due() == [NUMBER]


async def terms_of(number: str) -> str:
    async with transaction() as connection:
        terms = await connection.execute(select(tables.orders.c.terms).where(tables.orders.c.order_no == number))
        return str(terms.scalar_one())


async def test_what_was_told_stays_told(today: Today) -> None:
    await running()
    await happened("FAB_IN", 20)
    await tell(lambda _file, now: Promise(recorded_at=now, milestone="TEST_OK", promised=china(30)))
    today(SECOND)

    await moved()

    at = standing(await the_file(), NOW)
    assert (at.reached["FAB_IN"].at, at.promised["TEST_OK"]) == (china(20), china(30))


async def test_an_order_without_a_date_is_moved_without_one(today: Today) -> None:
    await running(etd=None)
    today(SECOND)

    made = await moved()

    assert (made.added, made.moved) == ({"FAB_QC": None, "PACK_DONE": None}, ())


async def test_a_wake_up_that_began_before_sees_the_new_template(today: Today) -> None:
    await running()
    today(SECOND)

    async with transaction() as connection:
        row = await read_order(connection, NUMBER)
        await moved()
        file = await assemble(connection, row)

    assert file.template.version == 2


# --- what it had chosen


async def test_a_step_that_was_left_out_stays_out(today: Today) -> None:
    await running(template=library().templates["HOUSE"].without(["TEST_OK"]))
    today(SECOND)

    await moved()

    template = (await the_file()).template
    assert "TEST_OK" not in template.by_code
    assert template.by_code["CUT_START"].after == ("FAB_QC",)


async def test_a_new_step_that_is_optional_is_not_forced_upon_a_running_order(today: Today) -> None:
    await running()
    today(SECOND.replace("after: [FAB_IN]}", "after: [FAB_IN], optional: true}"))

    await moved()

    assert "FAB_QC" not in (await the_file()).template.by_code


async def test_it_is_followed_as_far_as_before(today: Today) -> None:
    await running(template=library().templates["HOUSE"].followed_to("CUT_START"))
    today(SECOND)

    await moved()

    assert (await the_file()).template.follow_to == "CUT_START"


async def test_its_own_parties_keep_their_days_in_new_steps_too(today: Today) -> None:
    shelf = library()
    mill = shelf.templates["HOUSE"].by_code["FAB_IN"].waiting_on[0]
    await running(template=shelf.templates["HOUSE"].on_calendars({mill: "bd-factory"}, shelf.usual_calendars))
    today(SECOND.replace("FAB_QC, offset", f"FAB_QC, waiting_on: [{mill}], offset"))

    await moved()

    template = (await the_file()).template
    calendars = {code: template.by_code[code].calendar for code in ("FAB_IN", "FAB_QC", "DEPARTED")}
    assert calendars == {
        "FAB_IN": "bd-factory",
        "FAB_QC": "bd-factory",
        "DEPARTED": library().templates["HOUSE"].by_code["DEPARTED"].calendar,
    }


async def test_a_step_that_the_library_gives_another_calendar_takes_it(today: Today) -> None:
    await running()
    today(SECOND.replace("CUT_START, offset", "CUT_START, calendar: mon-fri, offset"))

    await moved()

    assert (await the_file()).template.by_code["CUT_START"].calendar == "mon-fri"


async def test_another_policy_is_taken_over(today: Today) -> None:
    await running()
    today(FIRST, POLICY)

    made = await moved()

    assert (made.other_policy, made.added, made.removed, made.moved) == (True, {}, {}, ())
    assert [rung.code for rung in (await the_file()).policy.rungs] == ["L1"]


# --- what follows from it


async def test_a_new_step_that_is_late_already_is_said_once_at_the_rung_that_it_has_reached(today: Today) -> None:
    await running()
    await happened("FAB_IN", 5)  # FAB_QC would have been due on the 21st
    today(SECOND)
    await run("UPDATE follow_ups SET clock = %s", china(7, 15, month=12))

    await moved()

    file = await the_file()
    told = [step for step in decide(file, china(7, 15, month=12)) if isinstance(step, Tell)]
    assert [(step.claim.milestone, step.claim.rung) for step in told] == [
        ("FAB_QC", "L3")  # L4 is for a step on which the ship date depends
    ]


async def test_a_stall_that_was_said_goes_on_where_it_is(today: Today) -> None:
    await running()
    claim = next(
        step.claim for step in decide(await the_file(), NOW) if isinstance(step, Tell) and step.claim.rung == "L2"
    )
    await run(
        "INSERT INTO notices (order_no, milestone, rung, due, role, manner, meant_for, raised_at) "
        "SELECT %s, %s, 'L' || n, %s, 'MER', 'direct', %s, %s FROM generate_series(1, 2) n",
        *(NUMBER, claim.milestone, claim.due, NOW, NOW),
    )
    before = next_wake_up(await the_file(), NOW)
    today(SECOND)

    await moved()

    file = await the_file()
    assert [step for step in decide(file, NOW) if isinstance(step, Tell)] == []
    assert next_wake_up(file, NOW) == before


async def test_a_step_that_is_no_more_is_called_off_where_it_is_shown(today: Today) -> None:
    await running()
    await happened("CUT_START", 20)
    await run("UPDATE follow_ups SET shown = %s::jsonb", json.dumps({"SEW_END": "waiting"}))
    today(SECOND)

    await moved()

    file = await the_file()
    assert Show("SEW_END", CALLED_OFF) in decide(file, NOW)


# --- what is refused


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        ([("SEW_END", {})], "SEW_END was reported, and HOUSE version 2 does not have it"),
        ([("SEW_END", {"classifier": Classifier.EST})], None),
    ],
    ids=["a fact", "an estimate"],
)
async def test_an_order_whose_fact_the_new_version_does_not_know_keeps_its_template(
    today: Today, database_url: str, told: list[tuple[str, dict[str, Any]]], lost: str | None
) -> None:
    await running()
    for milestone, changes in told:
        await happened(milestone, 20, **changes)
    today(SECOND)
    before = contents(database_url)

    if lost is None:
        await moved()
        return
    with pytest.raises(Refused, match=lost):
        await migrate(NUMBER)
    assert contents(database_url) == before


async def test_a_fact_that_was_taken_back_hinders_nothing(today: Today) -> None:
    await running()
    wrong = await happened("SEW_END", 20)
    await tell(lambda _file, now: Withdrawal(recorded_at=now, milestone="SEW_END", corrects=wrong))
    today(SECOND)

    assert list((await moved()).removed) == ["SEW_END"]


async def test_what_cannot_be_had_of_today_s_version_is_refused_with_the_reason(
    today: Today, database_url: str
) -> None:
    await running(template=library().templates["HOUSE"].followed_to("SEW_END"))
    today(SECOND)
    before = contents(database_url)

    with pytest.raises(Refused, match="cannot be moved to today's HOUSE: SEW_END is not one of the milestones"):
        await migrate(NUMBER)

    assert contents(database_url) == before


async def test_an_order_whose_template_is_no_more_keeps_it(today: Today) -> None:
    await running()
    today(SECOND, code="OTHER")

    with pytest.raises(Refused, match=r"keeps its template: the library has no HOUSE any more\. It has: "):
        await migrate(NUMBER)


async def test_an_order_that_is_over_keeps_its_template(today: Today) -> None:
    await running()
    await tell(lambda _file, now: Cancellation(recorded_at=now))
    today(SECOND)

    with pytest.raises(Refused, match="is cancelled: it keeps the template that it has"):
        await migrate(NUMBER)


async def test_an_order_on_today_s_terms_is_left_as_it_is(today: Today, database_url: str) -> None:
    await running()
    before = contents(database_url)

    assert await migrate(NUMBER) is None
    assert await outdated() == []
    assert contents(database_url) == before


async def test_the_same_terms_as_another_release_wrote_them_down_are_today_s(today: Today) -> None:
    await running()
    await run("INSERT INTO terms SELECT 'older', body || '{}' FROM terms")
    await run("UPDATE orders SET terms = 'older'")

    assert await migrate(NUMBER) is None
    assert await outdated() == []


async def test_moving_an_order_twice_moves_it_once(today: Today) -> None:
    await running()
    today(SECOND)

    made = await asyncio.gather(*(migrate(NUMBER) for _ in range(4)))

    assert len([each for each in made if each is not None]) == 1
    assert len((await the_file()).entries) == 1


async def test_an_order_that_is_not_in_the_book_is_named(today: Today) -> None:
    with pytest.raises(UnknownOrder, match="SO-404"):
        await migrate("SO-404")


async def test_a_dry_run_shows_the_same_and_changes_nothing(today: Today, database_url: str) -> None:
    await running()
    today(SECOND)
    before = contents(database_url)

    would = await migrate(NUMBER, dry_run=True)

    assert contents(database_url) == before
    assert would == await migrate(NUMBER)


async def test_the_orders_that_are_behind_are_found_by_template(today: Today) -> None:
    await running("SO-1")
    await running("SO-2", template=library().templates["EAD"])
    await running("SO-3", template=library().templates["HOUSE"].without(["TEST_OK"]))
    await running("SO-4")
    await run("UPDATE follow_ups SET closed_as = 'closed' WHERE order_no = 'SO-4'")
    today(SECOND)

    assert await outdated() == ["SO-1", "SO-3"]
    assert await outdated("HOUSE") == ["SO-1", "SO-3"]
    assert await outdated("EAD") == []


# --- the command


def in_the_book(*numbers: str) -> None:
    async def bring() -> None:
        try:
            for number in numbers:
                await running(number)
        finally:
            await database.close()

    asyncio.run(bring())


def test_a_dry_run_prints_what_would_change(today: Today) -> None:
    in_the_book("SO-1")
    today(SECOND)

    would = done("orders", "migrate", "SO-1", "--dry-run")
    did = done("orders", "migrate", "SO-1")

    first, *rest = would.splitlines()
    assert first == "SO-1: HOUSE version 1 -> 2 (nothing is changed yet)"
    assert did.splitlines() == ["SO-1: HOUSE version 1 -> 2", *rest]
    assert rest[0].startswith("  + FAB_QC ")
    assert rest[0].endswith(", Sat 21 Nov 2026")
    assert "  - SEW_END, Sat 19 Dec 2026" in rest
    assert "  CUT_START: Wed 09 Dec 2026 -> Sat 05 Dec 2026" in rest


def test_all_that_are_behind_are_moved_and_counted(today: Today) -> None:
    in_the_book("SO-1", "SO-2")
    today(SECOND)

    would = done("orders", "migrate", "--all", "--dry-run")
    did = done("orders", "migrate", "--all", "--template", "HOUSE").splitlines()
    again = done("orders", "migrate", "--all")

    assert would.splitlines()[-1] == "2 orders would be moved, 0 refused."
    assert did == [
        "SO-1: HOUSE version 1 -> 2: 2 steps added, 1 removed, 1 dates moved",
        "SO-2: HOUSE version 1 -> 2: 2 steps added, 1 removed, 1 dates moved",
        "2 orders moved, 0 refused.",
    ]
    assert again == "0 orders moved, 0 refused.\n"


def test_what_is_refused_is_named_and_the_others_are_moved(today: Today) -> None:
    in_the_book("SO-1", "SO-2")
    done("report", "SO-1", "SEW_END", "--at", "2026-11-20")
    today(SECOND)

    said = gendan("orders", "migrate", "SO-1", "SO-2", "SO-404", "--json")

    assert said.status == 1
    told = json.loads(said.out)
    assert [each["order_no"] for each in told["moved"]] == ["SO-2"]
    assert [each["milestone"] for each in told["moved"][0]["added"]] == ["FAB_QC", "PACK_DONE"]
    assert list(told["refused"]) == ["SO-1", "SO-404"]
    assert [line.split()[2] for line in said.err.splitlines()] == ["SO-1", "order"]


def test_an_order_on_today_s_template_is_told_so(today: Today) -> None:
    in_the_book("SO-1")

    assert why_refused("orders", "migrate", "SO-1") == (
        "Order SO-1 is on today's template and policy already; nothing was changed."
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "give either order numbers or --all"),
        (["SO-1", "--all"], "give either order numbers or --all"),
        (["SO-1", "--template", "AFS"], "--template goes with --all"),
    ],
)
def test_what_makes_no_sense_together_is_wrong_usage(words: list[str], why: str) -> None:
    said = gendan("orders", "migrate", *words)

    assert said.status == 2
    assert why in said.err


def test_a_template_that_is_not_there_is_refused() -> None:
    assert "did you mean 'AFS'?" in why_refused("orders", "migrate", "--all", "--template", "AFSS")
