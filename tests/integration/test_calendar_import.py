"""Loading an official holiday list: what is taken, what is refused, and that everybody sees it at once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from models.calendars.holiday_list import HolidayList
from models.errors import GendanError, ImportRefused, LibraryError, Refused
from models.planning.sheet import sheet_of
from tasks import database
from tasks.calendar_lists import Kept, calendars_in_force, keep_lists, loaded_lists, read_lists
from tasks.database import transaction
from tasks.follow_ups import wake_up
from tasks.library import library
from tasks.orders import assemble, open_file, read_order
from tests.books import contents, counts, place, queries
from tests.factories import an_order, china
from tests.files import written
from tests.notices import a_list, as_csv, as_yaml, days, lines, the_year_after
from tests.terminal import done, gendan
from tests.terminal import refused as why_refused

pytestmark = pytest.mark.usefixtures("database_url")

PROGRAM = Path(sys.executable).parent / "gendan"
NUMBER = "SO-27-0001"


@pytest.fixture(autouse=True)
def _the_last_notice_is_that_of_2026() -> None:
    """The lists of these tests begin where the library ends."""
    assert max(library().calendars["cn-office"].published or ()) == 2026


async def keep(*lists: HolidayList) -> Kept:
    return await keep_lists(lists or (a_list(),), source="a notice", by="mei")


async def an_order_for_february() -> None:
    """Place an order that sails in February 2027, seen on 24 November 2026."""
    came_in = china(20, year=2026)
    await place(
        an_order(order_no=NUMBER, placed_at=came_in, came_in=came_in, etd=date(2027, 2, 26)), "AFS", clock=china(24)
    )


async def provisional() -> dict[str, frozenset[str]]:
    """Return the dates on the order's sheet that are provisional, by milestone."""
    file, follow_up = await open_file(NUMBER)
    return {line.code: line.provisional for line in sheet_of(file, follow_up.now).lines if line.provisional}


# --- files


def as_workbook(folder: Path) -> Path:
    book = Workbook()
    sheet: Any = book.active
    sheet.append(["date", "kind", "name"])
    for day, kind in lines(a_list()):
        sheet.append([day, kind.value, "a day"])
    book.save(folder / "holidays.xlsx")
    return folder / "holidays.xlsx"


def as_json_file(folder: Path) -> Path:
    said = {
        "year": 2027,
        "holidays": sorted(map(str, a_list().holidays)),
        "workdays": sorted(map(str, a_list().workdays)),
    }
    return written(folder, json.dumps(said, indent="\t"), "holidays.json")


def test_a_list_is_the_same_in_every_form(tmp_path: Path) -> None:
    forms = [
        written(tmp_path, as_csv(a_list()), "zh.csv"),
        written(tmp_path, "\ufeff" + as_csv(a_list(), words=("holiday", "workday")), "en.csv"),
        written(tmp_path, as_yaml(a_list()), "list.yaml"),
        written(tmp_path, as_yaml(a_list()).replace("- year", "year").replace("\n  ", "\n"), "one.yml"),
        as_workbook(tmp_path),
        as_json_file(tmp_path),
    ]

    for path in forms:
        assert read_lists(path, "CN") == ((a_list(),), ()), path


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "date,kind\n2027-01-01,休\n2027-02-30,休\n", "line 3: '2027-02-30' is a day that no calendar has"),
        ("a.csv", "date,kind\n01/02/2027,休\n", "line 2: '01/02/2027' is no date"),
        ("a.csv", "date,kind\n2027-01-01,\n", "line 2: '' is no kind of day; write holiday (休, 放假)"),
        ("a.csv", "day,kind\n2027-01-01,休\n", "The first row must name the columns, and date is missing"),
        ("a.csv", "date,kind\n", "holds no day"),
        ("a.csv", "", "is empty"),
        ("a.csv", "date;kind\n2027-01-01;休\n", "is separated by semicolons"),
        (
            "a.csv",
            as_csv(a_list()).encode("gb18030"),
            "is not UTF-8 (line 2); it is probably GB18030 (GBK)",
        ),
        ("a.csv", as_csv(a_list()).encode("utf-16"), "is UTF-16, not UTF-8. Save it as UTF-8"),
        ("a.csv", as_csv(a_list()).replace("2027-10-01,休\n", ""), "the holidays of 2027 are not whole: 1 October"),
        ("a.xlsx", as_csv(a_list()), "is named .xlsx but is no Excel workbook"),
        (
            "a.yaml",
            "year: 2027\nholidays: [2027-01-01, 2027-13-01]\n",
            "line 2: '2027-13-01' is a day that no calendar",
        ),
        ("a.yaml", "year: 2027\n", "2027 has no holiday"),
        (
            "a.yaml",
            "years: 2027\nholidays: []\n",
            "a.yaml:1: unknown field 'years'; a year has year",
        ),
        ("a.yaml", "holidays: [2027-01-01]\n", "a.yaml:1: year should be one such as 2027"),
        ("a.yaml", "year: 27\nholidays: [2027-01-01]\n", "a.yaml:1: year should be one such as 2027, not '27'"),
        ("a.yaml", "year: 2027\nholidays: 2027-01-01\n", "a.yaml:2: should be a list"),
        ("a.yaml", "year: 2027\nholidays: [{}]\n", "line 2: '{}' is no date"),
        ("a.yaml", as_yaml(a_list()) + as_yaml(a_list()), "a.yaml:4: 2027 stands twice; put all its days together"),
        ("a.yaml", "year: 2027\nholidays: [2028-01-01]\n", "line 2: 2028-01-01 lies outside 2027"),
        ("a.yaml", "[]", "a.yaml:1: holds no year"),
        ("a.yaml", as_yaml(a_list()).encode("utf-16"), "is not UTF-8; save it as UTF-8"),
        ("a.json", '{"year": 2027, "holidays": [}', "a.json:1: is no YAML"),
    ],
)
def test_a_file_that_is_no_list_is_refused_and_nothing_changes(
    tmp_path: Path, database_url: str, name: str, content: str | bytes, why: str
) -> None:
    before = contents(database_url)
    path = written(tmp_path, content, name)

    said = why_refused("calendar", "import", path)

    assert str(path) in said
    assert why in said
    assert contents(database_url) == before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("no.csv", "no.yaml"):
        with pytest.raises((ImportRefused, LibraryError), match=name):
            read_lists(tmp_path / name, "CN")


def test_a_list_of_nobody_is_refused(tmp_path: Path) -> None:
    said = why_refused("calendar", "import", written(tmp_path, as_csv(a_list())), "--official", "XX")

    assert said == "--official: there is no official list 'XX' of working days; there is: CN."


# --- what is kept


async def test_a_list_is_kept_with_where_it_comes_from(database_url: str) -> None:
    kept = await keep()

    (loaded,) = await loaded_lists()
    assert (kept.new, kept.corrected, kept.same) == ((a_list(),), (), ())
    assert (loaded.list, loaded.source, loaded.by) == (a_list(), "a notice", "mei")


async def test_the_same_list_again_changes_nothing(database_url: str) -> None:
    first = await keep()
    before = contents(database_url)

    again = await keep()

    assert (again.new, again.corrected, again.same) == ((), (), (a_list(),))
    assert contents(database_url) == before
    # What it changes is told the second time too: the first may have been cut off.
    assert (again.before, again.after) == (first.before, first.after)


async def test_a_corrected_list_takes_the_place_of_the_first_and_both_stay_in_the_book(database_url: str) -> None:
    first = await keep()
    other = a_list(workdays=a_list().workdays - days("2027-01-31"))

    (corrected,) = (second := await keep(other)).corrected

    assert [str(difference) for difference in corrected.differences] == ["Sun 31 Jan 2027: not named, was working day"]
    assert counts(database_url)["calendar_lists"] == 2
    assert [loaded.list for loaded in await loaded_lists()] == [other]
    assert (second.before, second.after["cn-office"].is_workday(date(2027, 1, 31))) == (first.after, False)


async def test_of_the_same_list_loaded_by_four_at_once_one_is_kept(database_url: str) -> None:
    kept = await asyncio.gather(*(keep() for _ in range(4)))

    assert sorted(len(each.new) for each in kept) == [0, 0, 0, 1]
    assert counts(database_url)["calendar_lists"] == 1


async def test_a_list_waits_for_the_year_before_it(database_url: str) -> None:
    with pytest.raises(Refused, match=r"has no list of 2027; nothing was loaded\. Load the list of 2027 first"):
        await keep(the_year_after())
    assert counts(database_url)["calendar_lists"] == 0

    kept = await keep(the_year_after(), a_list())

    assert {each.year for each in kept.new} == {2027, 2028}
    assert kept.after["cn-factory"].published == frozenset(range(2007, 2029))


async def test_a_year_that_the_library_has_itself_is_left_as_it_is(database_url: str) -> None:
    bundled = a_list(year=2026, holidays=days("2026-01-01", "2026-05-01", "2026-10-01"), workdays=frozenset())

    with pytest.raises(Refused, match=r"The library has the list of 2026 itself; nothing was loaded"):
        await keep(bundled)
    kept = await keep(bundled, a_list())

    assert (kept.bundled, [each.year for each in kept.new]) == ((2026,), [2027])


async def test_a_year_before_the_oldest_list_is_refused() -> None:
    with pytest.raises(Refused, match=r"begins with 2007; nothing was loaded. Leave 2006 out"):
        await keep(a_list(year=2006))


# --- what holds


async def test_the_dates_of_february_are_provisional_until_the_list_is_loaded_and_then_none_is() -> None:
    await an_order_for_february()
    before = await provisional()

    await keep()

    assert before["EX_FACTORY"] == {"plan", "forecast", "late_date"}
    assert await provisional() == {}


async def test_the_order_is_planned_by_the_list() -> None:
    await an_order_for_february()
    file, _ = await open_file(NUMBER)
    estimated = file.calendars["cn-office"]

    await keep()

    file, _ = await open_file(NUMBER)
    office = file.calendars["cn-office"]
    assert (estimated.is_workday(date(2027, 2, 9)), office.is_workday(date(2027, 2, 9))) == (True, False)
    assert (estimated.is_workday(date(2027, 2, 20)), office.is_workday(date(2027, 2, 20))) == (False, True)


async def test_calendars_that_follow_no_list_are_the_library_s_own() -> None:
    await keep()

    async with transaction() as connection:
        in_force = await calendars_in_force(connection)

    assert in_force["port"] is library().calendars["port"]
    assert in_force["us-office"] is library().calendars["us-office"]


def test_a_process_that_runs_already_sees_what_another_one_loads(tmp_path: Path, database_url: str) -> None:
    async def look() -> bool:
        try:
            file, _ = await open_file(NUMBER)
            return file.calendars["cn-office"].is_provisional(date(2027, 3, 1))
        finally:
            await database.close()

    asyncio.run(an_order_and_close())
    before = asyncio.run(look())
    path = written(tmp_path, as_csv(a_list()), "holidays.csv")
    loading = subprocess.run(
        [PROGRAM, "calendar", "import", path, "--by", "mei"],
        capture_output=True,
        text=True,
        env=os.environ | {"GENDAN_DATABASE_URL": database_url},
        check=False,
    )

    assert (loading.returncode, loading.stderr) == (0, "")
    assert (before, asyncio.run(look())) == (True, False)


async def an_order_and_close() -> None:
    try:
        await an_order_for_february()
    finally:
        await database.close()


async def test_a_wake_up_that_began_before_the_list_sees_it() -> None:
    """Its `wanted` may be what the list had set: it must not be taken back unseen."""
    await an_order_for_february()
    async with transaction() as connection:
        row = await read_order(connection, NUMBER)
        await keep()
        file = await assemble(connection, row)

    assert not file.calendars["cn-office"].is_provisional(date(2027, 3, 1))


async def test_a_wake_up_asks_no_more_for_it_but_once() -> None:
    await an_order_for_february()
    await wake_up(NUMBER)
    with queries() as without_list:
        await wake_up(NUMBER)
    await keep()
    with queries() as first:
        await wake_up(NUMBER)
    with queries() as second:
        await wake_up(NUMBER)

    assert (len(first), len(second)) == (len(without_list) + 1, len(without_list))


async def test_a_restored_book_with_another_list_under_the_same_number_is_read_anew(database_url: str) -> None:
    await keep()
    async with transaction() as connection:
        assert not (await calendars_in_force(connection))["cn-office"].is_workday(date(2027, 2, 9))
        await connection.exec_driver_sql("TRUNCATE calendar_lists RESTART IDENTITY")

    await keep(a_list(holidays=a_list().holidays - days("2027-02-09")))

    async with transaction() as connection:
        assert (await calendars_in_force(connection))["cn-office"].is_workday(date(2027, 2, 9))


# --- the commands


def test_importing_says_what_was_loaded_and_what_it_changed(tmp_path: Path, database_url: str) -> None:
    asyncio.run(an_order_and_close())
    path = written(tmp_path, as_csv(a_list()), "holidays.csv")

    first, *rest = done("calendar", "import", path, "--source", "国办发明电〔2026〕7号").splitlines()
    again = done("calendar", "import", path).splitlines()

    assert first == "CN 2027 loaded: 29 days off, 5 weekend days worked."
    assert rest[0] == "Planning all open orders anew; if this is cut off, give the same command again."
    assert rest[1].startswith("1 open orders planned anew: ")
    assert again[0] == "CN 2027 holds already; its orders are planned once more."
    assert rest[1].split(":")[1].split(",")[0] == again[2].split(":")[1].split(",")[0], "the dates that the list moved"


def test_what_is_odd_in_a_list_is_said_on_standard_error(tmp_path: Path) -> None:
    odd = a_list(workdays=a_list().workdays | days("2027-03-03"), holidays=a_list().holidays - days("2027-06-09"))

    said = gendan("calendar", "import", written(tmp_path, as_csv(odd), "odd.csv"), "--json")

    assert said.status == 0
    line = [day for day, _ in lines(odd)].index(date(2027, 3, 3)) + 2
    assert [text.split(", ", 1)[1] for text in said.err.splitlines()] == [
        f"line {line}: 2027-03-03 is a Wednesday, which is worked anyway",
        "2027-06-09 is a holiday by law, and this list has it worked: is the list whole?",
    ]
    assert [each["is"] for each in json.loads(said.out)["lists"]] == ["new"]


def test_a_calendar_is_shown_with_its_lists(tmp_path: Path) -> None:
    estimated = done("calendar", "show", "cn-factory", "--year", "2027")
    done("calendar", "import", written(tmp_path, as_csv(a_list())), "--source", "a notice", "--by", "mei")
    official = done("calendar", "show", "cn-factory", "--year", "2027")

    assert "Official: CN 2007-2026; later years are estimates (~)." in estimated
    assert "  ~ Sat 30 Jan - Tue 16 Feb 2027 (18 days)" in estimated
    assert "Official: CN 2007-2027; later years are estimates (~)." in official
    assert "Loaded: CN 2027" in official
    assert "a notice, mei" in official
    assert "  Sat 30 Jan - Tue 16 Feb 2027 (18 days)" in official
    assert "  Sun 26 Sep 2027" in official
    assert "  Sat 23 Jan - Fri 29 Jan 2027 (7 days) 80%" in official


def test_all_calendars_are_listed() -> None:
    shown = json.loads(done("calendar", "show", "--json", "--year", "2026"))
    text = done("calendar", "show")

    assert {each["code"] for each in shown} == set(library().calendars)
    assert all(code in text for code in library().calendars)
    weeks = {line.split()[0]: line for line in text.splitlines()}
    assert [week in weeks[code] for code, week in (("cn-factory", "Mon-Sat"), ("bd-factory", "Sat-Thu"))] == [True] * 2
    office = next(each for each in shown if each["code"] == "cn-office")
    assert (office["official"], office["published"][-1], office["weekend"]) == ("CN", 2026, [6, 7])
    assert {"first": "2026-10-01", "last": "2026-10-07", "provisional": False} in office["days_off"]


def test_a_calendar_that_is_not_there_is_refused() -> None:
    assert "did you mean 'cn-office'?" in why_refused("calendar", "show", "cn-offce")


def test_a_refusal_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(GendanError):
        read_lists(tmp_path, "CN")
