"""Whatever is put in wrongly is refused in words that say what to do, and everything stays as it was."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from openpyxl import Workbook
from sqlalchemy.engine import make_url

from gendan.house import House
from models.names import Language
from models.status.standing import standing
from notifications.facts import gather
from notifications.messages import compose
from tasks import database
from tasks.clock import now
from tasks.library import library
from tasks.schema import migrate
from tests.books import a_real_order, at, contents, days_ago, place, to_be_said
from tests.files import written
from tests.terminal import done, gendan, refused

NUMBER = "SO-26-0417"
SECRET = "s3cr3tMARK"
SAMPLES = Path(__file__).parents[2] / "gendan" / "samples"
PROGRAM = Path(sys.executable).parent / "gendan"
PLACED = days_ago(9).date()
ETD = days_ago(-60).date()


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order that is in the book and waits for ORD_RCVD."""

    async def take_in() -> None:
        try:
            await place()
        finally:
            await database.close()

    asyncio.run(take_in())
    return NUMBER


@pytest.fixture
def unchanged(database_url: str) -> Iterator[None]:
    """See to it that the book is after the test what it was before it."""
    before = contents(database_url)
    yield
    assert contents(database_url) == before


def up(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `gendan up` where it cannot start."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GENDAN_")}
    given = inherited | {"GENDAN_HOME": str(home)} | environment
    return subprocess.run([PROGRAM, "up"], capture_output=True, text=True, env=given, check=False, timeout=60)


# --- reports ---


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NO_SUCH"], ["NO_SUCH", "ORD_RCVD"]),  # and which there are
        (["ORD_RCVD", "--at", "{before}"], ["--at", "before the order was placed"]),
        (["ORD_RCVD", "--at", "{tomorrow}"], ["--at", "in the future", "EST"]),
        (["ORD_RCVD", "--at", "{in_61_minutes}"], ["--at", "in the future"]),
        (["ORD_RCVD", "--at", "2026-11-20T10:00:00"], ["--at", "without a zone", "+08:00"]),
        (["ORD_RCVD", "--at", "2026-02-30"], ["--at", "no calendar"]),
        (["ORD_RCVD", "--at", "20/11/2026"], ["--at", "is no date"]),
        (["ORD_RCVD", "--at", "yesterday"], ["--at", "is no date"]),
        (["ORD_RCVD", "--at", "2206-11-20"], ["--at", "mistyped"]),
        (["ORD_RCVD", "--quantity", "12 pcs"], ["quantity", "no plain number"]),
        (["ORD_RCVD", "--quantity", "1,200"], ["quantity", "separators"]),
        (["ORD_RCVD", "--quantity", "-5"], ["quantity", "negative"]),
        (["ORD_RCVD", "--quantity", "0"], ["quantity"]),
        (["ORD_RCVD", "--quantity", "nan"], ["quantity"]),
        (["ORD_RCVD", "--source", "mill"], ["--id"]),
        (["ORD_RCVD", "--id", "7"], ["source"]),
        (["ORD_RCVD", "--corrects", "404"], ["404", "gendan orders show"]),
        (["ORD_RCVD", "--withdraw", "404"], ["404", "gendan orders show"]),
        (["ORD_RCVD", "--failed"], ["ORD_RCVD has no rounds", "Those that can", "FRI_PASS"]),
        (["FRI_PASS", "--failed", "--started"], ["--failed or --started"]),
        (["FRI_PASS", "--failed", "--as", "EST"], ["--failed", "only expected (EST)"]),
        (["FRI_PASS", "--failed", "--reopens", "MP_START,NO_SUCH"], ["NO_SUCH", "ORD_RCVD"]),
        (["FRI_PASS", "--reopens", "MP_START"], ["only what failed opens other steps"]),
        (["FRI_PASS", "--round", "2"], ["FRI_PASS is in round 1, not yet in round 2", "--failed --round 1"]),
        (["FRI_PASS", "--round", "0"], ["--round", "the first is 1"]),
        (["PROD_DONE", "--quantity", "3601"], ["PROD_DONE would be 3601 of 3600 pcs", f"gendan amend {NUMBER}"]),
        (["PROD_DONE", "--quantity", "3601", "--as", "EST"], ["3601 of 3600 pcs"]),
        (["UPLIFT", "--quantity", "3600.5"], ["UPLIFT would be 3600.5 of 3600 pcs"]),
        (["ORD_RCVD", "--retract", "mill", ""], ["--retract", "event id"]),
        (["ORD_RCVD", "--retract", "mill", "7", "--withdraw", "1"], ["not both"]),
        (["NO_SUCH", "--retract", "mill", "7"], ["NO_SUCH", "ORD_RCVD"]),
        (["ORD_RCVD", "--note", "\udcff"], ["NOTE", "UTF-8"]),
        (["ORD_RCVD", "--note", "x" * 1_000_000], ["NOTE", "1000000 characters"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else str(value),
)
@pytest.mark.usefixtures("order", "unchanged")
def test_a_report_that_cannot_be_is_refused(words: list[str], said: list[str]) -> None:
    moments = {
        "before": at(days_ago(11)),
        "tomorrow": at(days_ago(-1)),
        "in_61_minutes": at(now() + timedelta(minutes=61)),
    }

    why = refused("report", NUMBER, *(word.format(**moments) if "{" in word else word for word in words))

    assert all(part in why for part in said), why


def test_a_report_from_a_clock_59_minutes_ahead_is_taken(order: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(now() + timedelta(minutes=59)))


# --- decisions ---


@pytest.mark.parametrize(
    ("before", "words", "said"),
    [
        ([], ["ack", NUMBER, "POD"], ["does not wait for POD", "ORD_RCVD"]),
        ([], ["ack", NUMBER, "NO_SUCH"], ["NO_SUCH", "ORD_RCVD"]),
        ([], ["promise", NUMBER, "ORD_RCVD", "2020-01-01"], ["future", f"gendan report {NUMBER} ORD_RCVD"]),
        ([], ["promise", NUMBER, "ORD_RCVD", "next week"], ["'next week' is no date"]),
        ([], ["promise", NUMBER, "ORD_RCVD", "2099-01-01T10:00"], ["without a zone"]),
        ([], ["promise", NUMBER, "POD", "2099-01-01"], ["does not wait for POD"]),
        ([], ["reschedule", NUMBER, "2020-01-01"], ["2020-01-01", "before the order was placed"]),
        ([], ["reschedule", NUMBER, "2026-13-01"], ["'2026-13-01'"]),
        ([], ["resume", NUMBER], ["not on hold", f"gendan hold {NUMBER}"]),
        ([], ["follow", NUMBER], ["followed already"]),
        (["hold"], ["hold", NUMBER], ["on hold already", f"gendan resume {NUMBER}"]),
        (["cancel"], ["cancel", NUMBER], ["cancelled", f"gendan follow {NUMBER}"]),
        (["cancel"], ["hold", NUMBER], ["cancelled", f"gendan follow {NUMBER}"]),
        (["cancel"], ["reschedule", NUMBER, "2099-01-01"], ["cancelled"]),
        (["cancel"], ["ack", NUMBER, "ORD_RCVD"], ["cancelled"]),
        (["cancel"], ["book", NUMBER, "--etd", "2099-01-01"], ["cancelled", f"gendan follow {NUMBER}"]),
        (["cancel"], ["credit", NUMBER, "--expiry", "2099-01-01"], ["cancelled"]),
        (["cancel"], ["amend", NUMBER, "--quantity", "5"], ["cancelled"]),
        ([], ["promise", NUMBER, "ORD_RCVD", "2099-01-01"], ["after the late date of ORD_RCVD", "--approved-by NAME"]),
        ([], ["hold", NUMBER, "--until", "2020-01-01"], ["2020-01-01, which is past"]),
        ([], ["hold", NUMBER, "--until", "2099-01-01T10:00+08:00"], ["--until", "a whole day, like 2099-01-01"]),
        ([], ["hold", NUMBER, "--note", "x" * 1_000_000], ["NOTE", "1000000 characters"]),
        ([], ["hold", "\udcff"], ["ORDER", "UTF-8"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else str(value),
)
def test_a_decision_that_makes_no_sense_is_refused(
    order: str, database_url: str, before: list[str], words: list[str], said: list[str]
) -> None:
    for word in before:
        done(word, order)
    there = contents(database_url)

    why = refused(*words)

    assert all(part in why for part in said), why
    assert contents(database_url) == there


@pytest.mark.parametrize(
    "words",
    [
        ["orders", "list", "--state", "opne"],
        ["orders", "list", "--limit", "0"],
        ["report", NUMBER, "ORD_RCVD", "--as", "MAYBE"],
        ["report", NUMBER, "ORD_RCVD", "--corrects", "first"],
        ["report", NUMBER],
        ["repot", NUMBER],
        ["up", "--port", "70000"],
        ["backtest", "--orders", "orders.csv"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("order", "unchanged")
def test_a_mistyped_command_is_told_as_such(words: list[str]) -> None:
    said = gendan(*words)

    assert said.status == 2
    assert "Usage: " in said.err


# --- what changes an order ---


BOOK = ["book", NUMBER, "--etd"]
DAY = str(ETD)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*BOOK, "2020-01-01"], ["the booked ETD 2020-01-01 is before the order was placed"]),
        ([*BOOK, "soon"], ["--etd", "'soon' is no date"]),
        ([*BOOK, DAY, "--cutoff", "AIR_CARGO"], ["--cutoff", "is not like SI=2026-12-28T12:00+08:00"]),
        ([*BOOK, DAY, "--cutoff", f"AIR_CARGO={DAY}"], ["--cutoff AIR_CARGO", "is a day", f"{DAY}T12:00+08:00"]),
        ([*BOOK, DAY, "--cutoff", f"AIR_CARGO={DAY}T12:00"], ["--cutoff AIR_CARGO", "without a zone"]),
        ([*BOOK, DAY, "--cutoff", f"SI={DAY}T12:00Z"], ["no step of template EAD", "'SI'", "AIR_CARGO, AIR_CUSTOMS"]),
        ([*BOOK, DAY, "--cutoff", "AIR_CARGO=2099-01-01T12:00Z"], ["AIR_CARGO", "after the vessel leaves", "S/O"]),
        (
            [*BOOK, DAY, "--cutoff", f"AIR_CARGO={DAY}T01:00Z", "--cutoff", f"air_cargo={DAY}T02:00Z"],
            ["air_cargo is given twice"],
        ),
        ([*BOOK, DAY, "--sailing", DAY], [f"{DAY} is not after the booked ETD"]),
        (["credit", NUMBER, "--expiry", "31 January"], ["--expiry", "is no date"]),
        (["credit", NUMBER, "--expiry", "2099-01-31T10:00Z"], ["--expiry", "a whole day"]),
        (
            ["credit", NUMBER, "--expiry", "2099-01-31", "--latest-shipment", "2099-02-01"],
            ["44C", "31D", "Nothing was recorded"],
        ),
        (["credit", NUMBER, "--expiry", "2099-01-31", "--presentation-days", "0"], ["field 48", "1 to 365"]),
        (["customs", NUMBER, "QQ"], ["'QQ' is not in the table", "customs.yaml"]),
        (["customs", NUMBER, ""], ["'' is not in the table"]),
        (["customs", NUMBER, "P", "--at", "2099-01-01T10:00Z"], ["is in the future"]),
        (["customs", NUMBER, "P", "--at", "2020-01-01"], ["before the order was placed", "order number"]),
        (["customs", NUMBER, "P", "--at", "yesterday"], ["--at", "is no date"]),
        (["customs", NUMBER, "P", "--id", "7"], ["--source and --id"]),
        (["amend", NUMBER], ["changes nothing is none"]),
        (["amend", NUMBER, "--quantity", "3600"], ["agreed already (version 1)"]),
        (["amend", NUMBER, "--quantity", "0"], ["--quantity", "no quantity"]),
        (["amend", NUMBER, "--quantity", "3,400"], ["--quantity", "without separators"]),
        (["amend", NUMBER, "--etd", "2020-01-01"], ["before the order was placed"]),
        (["amend", NUMBER, "--undo", "MP_START"], ["MP_START is not done", "Done: nothing"]),
        (["amend", NUMBER, "--undo", "NO_SUCH"], ["NO_SUCH", "ORD_RCVD"]),
        (["amend", NUMBER, "--ship-window", "2099-02-01..2099-01-01"], ["would end (2099-01-01) before it begins"]),
        (["amend", NUMBER, "--ship-window", "in spring"], ["--ship-window", "is no date"]),
        (["amend", NUMBER, "--cancel-after", "2020-01-01"], ["the cancel date 2020-01-01 is before"]),
        (["amend", NUMBER, "--tolerance", "some"], ["--tolerance", "'some' is no tolerance"]),
        (["split", NUMBER, "--lot", f"A=3000@{DAY}", "--lot", f"B=500@{DAY}"], ["100 are in no lot", "gendan amend"]),
        (["split", NUMBER, "--lot", f"{NUMBER}=3000@{DAY}", "--lot", f"B=600@{DAY}"], ["a number of its own"]),
        (["split", NUMBER, "--lot", f"A=3000@{DAY}", "--lot", f"B=600@{DAY}:EAT"], ["'EAT'", "EAD"]),
        (["split", NUMBER, "--lot", f"A=3000@{DAY}", "--lot", "B=600@2020-01-01"], ["before the order was placed"]),
        (["split", NUMBER, "--lot", "all of it"], ["'all of it' is not like"]),
        (["split", NUMBER, "--lot", f"A\u200b=3000@{DAY}", "--lot", f"B=600@{DAY}"], ["--lot", "U+200B"]),
        (["split", NUMBER, "--lot", f"{'A' * 65}=3000@{DAY}", "--lot", f"B=600@{DAY}"], ["--lot", "65 characters"]),
        *[
            ([words[0], "SO-404", *words[1:]], ["No order 'SO-404'", "gendan orders list"])
            for words in (
                ["book", "--etd", DAY],
                ["credit", "--expiry", DAY],
                ["customs", "P"],
                ["amend", "--quantity", "5"],
                ["split", "--lot", f"A=1@{DAY}", "--lot", f"B=1@{DAY}"],
                ["report", "ORD_RCVD", "--failed"],
                ["report", "ORD_RCVD", "--retract", "mill", "7"],
            )
        ],
    ],
    ids=lambda value: " ".join(value)[:70] if isinstance(value, list) else str(value),
)
@pytest.mark.usefixtures("order", "unchanged")
def test_a_change_that_cannot_be_is_refused(words: list[str], said: list[str]) -> None:
    why = refused(*words)

    assert all(part in why for part in said), why


# --- files ---


def merged_header(folder: Path) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["order_no", "placed_at", "etd", ""])
    sheet.append(["A", str(PLACED), str(ETD), ""])
    sheet.merge_cells("C1:D1")
    book.save(folder / "orders.xlsx")
    return folder / "orders.xlsx"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("orders.csv", b"", ["is empty"]),
        ("orders.csv", b"\xef\xbb\xbf", ["is empty"]),
        ("orders.csv", "order_no,placed_at,customer\nA,2026-01-01,中华服装\n".encode("gb18030"), ["GB18030", "UTF-8"]),
        ("orders.csv", "order_no,placed_at\nA,2026-01-01\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
        ("orders.csv", b"number,date\nA,2026-01-01\n", ["order_no, placed_at are missing", "number, date"]),
        ("orders.csv", b"order_no;placed_at\nA;2026-01-01\n", ["semicolons"]),
        ("orders.csv", b"order_no,placed_at,ORDER_NO\nA,2026-01-01,B\n", ["more than once"]),
        ("orders.csv", b"order_no,placed_at\0\nA,2026-01-01\n", ["NUL"]),
        ("orders.xlsx", b"order_no,placed_at\nA,2026-01-01\n", ["no Excel workbook"]),
        ("orders.xlsx", b"PK\x03\x04 and no more", ["damaged"]),
        ("orders.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [".xls", ".xlsx"]),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
@pytest.mark.usefixtures("unchanged")
def test_a_file_that_is_no_table_is_refused_whole(tmp_path: Path, name: str, content: bytes, said: list[str]) -> None:
    file = written(tmp_path, content, name)

    why = refused("orders", "import", file)

    assert why.startswith(f"{file}: ")
    assert all(part in why for part in said), why


@pytest.mark.usefixtures("unchanged")
def test_a_workbook_with_merged_header_cells_is_refused(tmp_path: Path) -> None:
    why = refused("orders", "import", merged_header(tmp_path))

    assert "C1:D1" in why
    assert "Unmerge" in why


@pytest.mark.usefixtures("unchanged")
def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no such file" in refused("orders", "import", tmp_path / "oders.csv")
    assert "is a folder" in refused("reports", "import", tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"A,{PLACED},{days_ago(10).date()},", ["column etd", "before the order was placed"]),
        (f"A,{PLACED},,", ["column etd", "no template is named"]),
        (f"A,{PLACED},{days_ago(8).date()},", ["column template", "No template fits", "EAD"]),
        (f"A,{PLACED},{ETD},NO_SUCH", ["column template", "NO_SUCH", "EAD"]),
        (f"A,{days_ago(-2).date()},{ETD},", ["column placed_at", "in the future"]),
        (f"A,2026-11-20T10:00:00,{ETD},", ["column placed_at", "without a zone"]),
        (f"A,,{ETD},", ["column placed_at", "is empty"]),
        (f",{PLACED},{ETD},", ["column order_no", "is empty"]),
        (f"{'A' * 65},{PLACED},{ETD},", ["column order_no", "65 characters"]),
        (f"A\u200b,{PLACED},{ETD},", ["column order_no", "U+200B"]),
        (f"A,{PLACED},{ETD},,{'x' * 1_000_000}", ["line 2", "characters"]),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.usefixtures("unchanged")
def test_a_row_that_is_no_order_is_refused(tmp_path: Path, row: str, said: list[str]) -> None:
    file = written(tmp_path, f"order_no,placed_at,etd,template,remark\n{row}\n")

    outcome = gendan("orders", "import", file)

    assert (outcome.status, outcome.out) == (1, "0 orders taken in, 1 refused.\n")
    assert outcome.err.startswith(f"{file}, line 2")
    assert all(part in outcome.err for part in said), outcome.err


def test_an_order_number_that_stands_twice_or_is_taken_is_refused(
    order: str, tmp_path: Path, database_url: str
) -> None:
    file = written(
        tmp_path,
        f"order_no,placed_at,etd,customer\nB,{PLACED},{ETD},ACME\nB,{PLACED},{ETD},EMCA\n{order},{PLACED},{ETD},ACME\n",
    )
    before = contents(database_url)

    outcome = gendan("orders", "import", file)

    assert (outcome.status, outcome.out) == (1, "1 orders taken in, 2 refused.\n")
    assert "line 3, column order_no: B stands twice in this file" in outcome.err
    assert f"line 4, column order_no: Order {order} is already followed, with other contents" in outcome.err
    assert set(before["orders"]) < set(contents(database_url)["orders"])


# --- order numbers that mean something to somebody else ---


@pytest.mark.parametrize(
    "number",
    [
        "'; DROP TABLE orders; --",
        '" OR "1"="1',
        "%s %(order)s {order}",
        "$1::text",
        "订单 2026/417",
        "🚢 417",
        ":fire:",
        "[red]x[/]",
        "[/]",
        "\\[bold]",
        "ends with \\",
        'O\'Neill "Bros" & Co <b>',
        "*a* _b_ `c` # | d",
        "a, b;c",
        "../../etc/passwd",
        "-x",
    ],
)
def test_any_printable_order_number_is_kept_and_shown_as_it_is(number: str, tmp_path: Path, database_url: str) -> None:
    quoted = '"' + number.replace('"', '""') + '"'
    file = written(tmp_path, f"order_no,placed_at,etd,customer\n{quoted},{PLACED},{ETD},{quoted}\n")

    assert done("orders", "import", file) == "1 orders taken in.\n"
    listed = done("orders", "list")
    assert f"\n{number}" in listed
    assert json.loads(done("orders", "list", "--json"))[0]["order_no"] == number
    assert json.loads(done("orders", "show", "--json", "--", number))["order"]["customer"] == number
    done("orders", "show", "--", number)
    assert number in done("report", "--note", number, "--", number, "ORD_RCVD")
    assert done("hold", "--note", number, "--", number) == f"{number} is on hold (line 2 of the log)\n"
    assert "on hold already" in refused("hold", "--", number)
    assert number in done("orders", "show", "--", number)
    assert json.loads(done("messages", "list", "--order", number, "--json")) == []
    assert [row[0] for row in contents(database_url)["orders"]] != []


@pytest.mark.parametrize("number", ["[red]x[/]", "SO'; DELETE FROM entries; --", ":fire:", "\\[bold]", "\x1b[31m"])
@pytest.mark.usefixtures("unchanged")
def test_an_unknown_order_is_named_as_it_was_typed(number: str) -> None:
    assert refused("orders", "show", number).startswith(f"No order {number!r}.")


def test_a_long_note_is_kept_whole_and_cut_in_messages(order: str) -> None:
    note = "面料迟到 " * 20_000

    async def say() -> str:
        try:
            file, moment, tells = await to_be_said(order)
            return compose(gather(file, standing(file, moment), tells[0], library().parties), [Language.EN]).body
        finally:
            await database.close()

    done("ack", order, "ORD_RCVD", "--note", note)

    (entry,) = json.loads(done("orders", "show", order, "--json"))["log"]
    assert entry["note"] == note
    assert len(asyncio.run(say())) < 10_000


# --- the library ---


TEMPLATE = """\
code: MINE
name: {{en: Mine, zh_hans: 我的, zh_hant: 我的}}
calendar: cn-office
policy: standard
departure: DEPARTED
follow_to: DEPARTED
milestones:
  - {{code: FAB_IN, offset: -30, after: [{fabric}]}}
  - {{code: CUT_START, offset: -30, after: [{cutting}]}}
  - {{code: DEPARTED, offset: 0, after: [CUT_START]}}
"""


@pytest.mark.parametrize(
    ("fabric", "cutting", "line", "said"),
    [
        ("CUT_START", "FAB_IN", None, ["FAB_IN", "CUT_START", "wait for each other"]),
        ("SEW_END", "FAB_IN", 8, ["FAB_IN comes after SEW_END, which is not here"]),
    ],
    ids=["cycle", "unknown predecessor"],
)
@pytest.mark.usefixtures("unchanged")
def test_a_template_that_cannot_be_followed_is_told_with_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fabric: str, cutting: str, line: int | None, said: list[str]
) -> None:
    file = tmp_path / "mine" / "templates" / "MINE.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(TEMPLATE.format(fabric=fabric, cutting=cutting), encoding="utf-8")
    season = ("--orders", SAMPLES / "orders.csv", "--reports", SAMPLES / "reports.csv")
    orders = written(tmp_path, f"order_no,placed_at,etd\nA,{PLACED},{ETD}\n")

    backtested = refused("backtest", *season, "--library", tmp_path / "mine")
    monkeypatch.setenv("GENDAN_LIBRARY", str(tmp_path / "mine"))
    imported = refused("orders", "import", orders)

    assert backtested == imported
    assert backtested.startswith(f"{file}:{line or ''}")
    assert backtested.removeprefix(f"{file}:").split(":")[0] in ("8", "9")
    assert all(part in backtested for part in said), backtested


def test_a_library_that_is_no_folder_is_named(tmp_path: Path, own_settings: Path) -> None:
    said = gendan("backtest", "--orders", "o", "--reports", "r", "--library", written(tmp_path, "x", "file"))
    missing = gendan("backtest", "--orders", "o", "--reports", "r", "--library", tmp_path / "nowhere")

    assert (said.status, "file" in said.err) == (2, True)
    assert (missing.status, "nowhere" in missing.err) == (1, True)


# --- channels ---


def test_an_address_that_cannot_be_read_is_told_by_its_place(own_settings: Path, database_url: str) -> None:
    own_settings.mkdir()
    (own_settings / "channels.yaml").write_text(
        f"urls:\n  - outbox:///tmp/x: {{tag: always}}\n  - nosuch://{SECRET}@host: {{tag: mer}}\n  - mailto://{SECRET}\n"
    )

    said = gendan("doctor")

    assert said.status == 1
    assert f"{own_settings}/channels.yaml: line 3, entry 2: Apprise knows no nosuch://" in said.out
    assert f"{own_settings}/channels.yaml: line 4, entry 3:" in said.out
    assert SECRET not in said.out + said.err


# --- the database ---


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://gendan:{SECRET}@127.0.0.1:1/orders", ["'orders' at 127.0.0.1:1", "gendan up"]),
        (f"postgresql://gendan:{SECRET}@/orders?host=/no/such/folder", ["'orders' at /no/such/folder"]),
        (f"sqlite:///{SECRET}.db", ["GENDAN_DATABASE_URL", "sqlite", "PostgreSQL"]),
        (f"mysql://gendan:{SECRET}@127.0.0.1/orders", ["GENDAN_DATABASE_URL", "mysql"]),
        (f"postgresql://gendan:{SECRET}@127.0.0.1:1/", ["GENDAN_DATABASE_URL", "no database"]),
        (f"127.0.0.1 {SECRET}", ["GENDAN_DATABASE_URL", "postgresql://USER:PASSWORD@HOST/DATABASE"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value),
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(
    own_settings: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: list[str]
) -> None:
    monkeypatch.setenv("GENDAN_DATABASE_URL", url)

    why = refused("orders", "list")

    assert all(part in why for part in said), why
    assert SECRET not in why
    assert "Traceback" not in why


def test_the_doctor_looks_at_the_rest_when_the_database_is_gone(
    own_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENDAN_DATABASE_URL", f"postgresql://gendan:{SECRET}@127.0.0.1:1/orders")

    said = gendan("doctor", "--json")

    findings = {finding["what"]: finding for finding in json.loads(said.out)}
    assert said.status == 1
    assert findings["database"]["ok"] is False
    assert "'orders'" in findings["database"]["words"]
    assert findings["library"]["ok"] is True
    assert SECRET not in said.out + said.err


def test_without_a_gendan_in_its_folder_the_folder_is_named(
    own_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENDAN_DATABASE_URL", raising=False)

    why = refused("orders", "list")

    assert why.startswith(f"No Gendan is running in {own_settings}. Start it with `gendan up`")
    assert not own_settings.exists()


def test_a_database_of_a_newer_release_is_not_used(empty_database_url: str) -> None:
    migrate(empty_database_url)
    plain = make_url(empty_database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("ALTER TABLE follow_ups RENAME COLUMN waits_for TO waiting_for")

    why = refused("orders", "list")
    said = gendan("doctor", "--json")

    assert "newer release of Gendan (revision 9999)" in why
    assert "newer release" in {finding["what"]: finding for finding in json.loads(said.out)}["database"]["words"]


@pytest.mark.usefixtures("empty_database_url")
def test_a_database_without_tables_is_told(tmp_path: Path) -> None:
    orders = written(tmp_path, f"order_no,placed_at,etd\nA,{PLACED},{ETD}\n")

    for words in (("orders", "list"), ("orders", "import", orders), ("hold", NUMBER), ("messages", "list")):
        assert "`gendan up` migrates it" in refused(*words)


# --- the folder ---


def test_a_second_gendan_in_one_folder_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    with house.lock():
        before = sorted(house.home.rglob("*"))

        second = up(house.home)

        assert sorted(house.home.rglob("*")) == before
    assert second.returncode == 1
    assert f"Gendan is already running in {house.home} (pid {os.getpid()})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_folder_that_is_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 30)

    said = up(home)

    assert said.returncode == 1
    assert "is too deep" in said.stderr
    assert "GENDAN_HOME" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (home / "postgres").exists()


def test_orders_of_their_own_are_told_apart_by_the_smallest_difference(tmp_path: Path, database_url: str) -> None:
    file = written(
        tmp_path, "order_no,placed_at,etd\n" + "".join(f"{n},{PLACED},{ETD}\n" for n in ("a", "A", "á", "ａ"))
    )

    assert done("orders", "import", file) == "4 orders taken in.\n"
    assert len(json.loads(done("orders", "list", "--json"))) == 4
    assert a_real_order().order_no not in done("orders", "list")
