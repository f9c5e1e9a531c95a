"""Whole tables on their way into the book: good rows are in, bad ones named, a second time changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models.accepting.intake import ORDER_COLUMNS, ORDER_NEEDS, REPORT_COLUMNS, REPORT_NEEDS, Row, RowRefused
from models.book.report import Report
from models.errors import ImportRefused, LibraryError, Refused, Unavailable
from tasks import database
from tasks.clock import now
from tasks.intake import BATCH, Outcome, table_of, take_orders, take_reports
from tasks.library import library
from tasks.orders import open_file
from tests.books import a_real_order, all_asleep, at, contents, counts, days_ago, due, place
from tests.files import read

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-26-0417"
PLACED = at(days_ago(10))
ETD = days_ago(-60).date()


def orders(tmp_path: Path, text: str) -> Iterator[Row | RowRefused]:
    return iter(read(tmp_path, text))


def refused(outcome: Outcome) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.column) for refusal in outcome.refused]


async def test_good_rows_are_taken_in_and_bad_ones_named(tmp_path: Path) -> None:
    rows = orders(
        tmp_path,
        "order_no,placed_at,etd,customer\n"
        f"A,{PLACED},{ETD},ACME\n"
        f"B,{PLACED},2020-01-01,ACME\n"
        f"C,yesterday,{ETD},ACME\n"
        f"A,{PLACED},{ETD},EMCA\n"
        f",{PLACED},{ETD},ACME\n"
        f"D,{PLACED},{ETD},ACME\n",
    )

    outcome = await take_orders(rows)

    assert (outcome.new, outcome.known) == (2, 0)
    assert refused(outcome) == [(3, "etd"), (4, "placed_at"), (5, "order_no"), (6, "order_no")]
    assert "twice in this file" in outcome.refused[2].reason
    assert str(outcome) == "2 orders taken in, 4 refused"
    assert await due() == ["A", "D"]


async def test_the_same_file_again_changes_nothing(tmp_path: Path, database_url: str) -> None:
    text = f"order_no,placed_at,etd,po\nA,{PLACED},{ETD},77\nB,{days_ago(20).date()},{ETD},\n"
    await take_orders(orders(tmp_path, text))
    before = contents(database_url)

    outcome = await take_orders(orders(tmp_path, text))

    assert (outcome.new, outcome.known, outcome.refused) == (0, 2, [])
    assert contents(database_url) == before


async def test_a_number_that_is_taken_by_another_order_is_refused_in_its_line(
    tmp_path: Path, database_url: str
) -> None:
    await take_orders(orders(tmp_path, f"order_no,placed_at,etd\nA,{PLACED},{ETD}\n"))
    before = contents(database_url)

    outcome = await take_orders(orders(tmp_path, f"order_no,placed_at,etd\nA,{PLACED},{ETD + timedelta(days=1)}\n"))

    assert refused(outcome) == [(2, "order_no")]
    assert "gendan reschedule" in outcome.refused[0].reason
    assert contents(database_url) == before


async def test_an_order_comes_in_now_whenever_it_was_placed(tmp_path: Path) -> None:
    await take_orders(orders(tmp_path, f"order_no,placed_at,etd\nA,{PLACED},{ETD}\n"))

    file, _ = await open_file("A")

    assert now() - file.order.came_in < timedelta(minutes=1)


async def test_an_order_is_followed_without_what_its_row_leaves_out_and_as_far_as_it_says(tmp_path: Path) -> None:
    await take_orders(
        orders(
            tmp_path,
            "order_no,template,placed_at,etd,without,follow_to\n"
            f"A,EAD,{PLACED},{ETD},mat_po; PHOTO_APP,POD\n"
            f"B,EAD,{PLACED},{ETD},UPLIFT,\n",
        )
    )

    file, _ = await open_file("A")
    assert file.template.follow_to == "POD"
    assert not {"MAT_PO", "PHOTO_APP"} & set(file.template.codes)
    assert library().templates["EAD"].follow_to == "UPLIFT"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("A,NO_SUCH,{placed},{etd},,", "template"),
        ("A,,{placed},,,", "etd"),  # no lead time to choose a template by
        ("A,,{placed},{soon},,", "template"),  # too short for any template
        ("A,EAD,{placed},{etd},UPLIFT,", "without"),  # not optional
        ("A,EAD,{placed},{etd},,NO_SUCH", "follow_to"),
    ],
)
async def test_an_order_without_a_plan_is_refused(tmp_path: Path, database_url: str, row: str, column: str) -> None:
    before = contents(database_url)
    cells = row.format(placed=PLACED, etd=ETD, soon=days_ago(9).date())

    outcome = await take_orders(orders(tmp_path, f"order_no,template,placed_at,etd,without,follow_to\n{cells}\n"))

    assert refused(outcome) == [(2, column)]
    assert contents(database_url) == before


async def test_reports_are_taken_in_and_bad_ones_named(tmp_path: Path, database_url: str) -> None:
    await place()
    await all_asleep()
    placed_before = days_ago(40).date()
    rows = orders(
        tmp_path,
        "order_no,milestone,occurred_at,source,source_event_id,note,box\n"
        f"{NUMBER},ord_rcvd,{at(days_ago(9))},mill,1,first,TCLU\n"
        f"{NUMBER},ORD_RCVD,{at(days_ago(9))},mill,1,told twice,\n"
        f"SO-404,ORD_RCVD,{at(days_ago(9))},mill,2,,\n"
        f"{NUMBER},NO_SUCH,{at(days_ago(9))},mill,3,,\n"
        f"{NUMBER},ORD_RCVD,{placed_before},mill,4,,\n"
        f"{NUMBER},ORD_RCVD,2026-11-20T10:00:00,mill,5,,\n"
        f"{NUMBER},ORD_RCVD,{at(days_ago(-1))},mill,6,,\n"
        f"{NUMBER},ORD_RCVD,{at(days_ago(9))},mill,,,\n"
        f",ORD_RCVD,{at(days_ago(9))},mill,8,,\n",
    )

    outcome = await take_reports(rows)

    assert (outcome.new, outcome.known) == (1, 1)
    assert refused(outcome) == [
        (4, "order_no"),
        (5, "milestone"),
        (6, "occurred_at"),
        (7, "occurred_at"),
        (8, "occurred_at"),
        (9, "source_event_id"),
        (10, "order_no"),
    ]
    assert "SO-404" in next(refusal.reason for refusal in outcome.refused if refusal.line == 4)
    assert counts(database_url)["entries"] == 1
    file, _ = await open_file(NUMBER)
    (report,) = file.entries
    assert isinstance(report, Report)
    assert (report.milestone, report.note, report.attributes["box"]) == ("ORD_RCVD", "first", "TCLU")
    assert await due() == [NUMBER]


async def test_refusals_stand_in_the_order_of_their_lines(tmp_path: Path) -> None:
    rows = orders(tmp_path, "order_no,milestone,occurred_at\nX,A,2026-01-01\n,A,2026-01-01\nY,A,2026-01-01\n")

    outcome = await take_reports(rows)

    assert [refusal.line for refusal in outcome.refused] == [2, 3, 4]


async def test_the_same_reports_again_change_nothing(tmp_path: Path, database_url: str) -> None:
    await place()
    text = "order_no,milestone,occurred_at,source,source_event_id\n" + "".join(
        f"{NUMBER},ORD_RCVD,{at(days_ago(9))},mill,{n}\n" for n in range(BATCH + 3)
    )
    first = await take_reports(orders(tmp_path, text))
    await all_asleep()
    before = contents(database_url)

    again = await take_reports(orders(tmp_path, text))

    assert (first.new, first.known) == (BATCH + 3, 0)
    assert (again.new, again.known) == (0, BATCH + 3)
    assert contents(database_url) == before


async def test_a_mistake_in_the_library_is_told_once_and_nothing_is_taken_in(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place(a_real_order("A"))
    before = contents(database_url)
    (tmp_path / "mine" / "templates").mkdir(parents=True)
    (tmp_path / "mine" / "templates" / "x.yaml").write_text("code: X\nnonsense: true\n")
    monkeypatch.setenv("GENDAN_LIBRARY", str(tmp_path / "mine"))

    with pytest.raises(LibraryError, match=r"x\.yaml"):
        await take_orders(orders(tmp_path, f"order_no,placed_at,etd\nB,{PLACED},{ETD}\nC,{PLACED},{ETD}\n"))
    with pytest.raises(LibraryError, match=r"x\.yaml"):
        await take_reports(orders(tmp_path, f"order_no,milestone,occurred_at\nA,ORD_RCVD,{at(days_ago(9))}\n"))

    assert contents(database_url) == before


async def test_a_database_that_goes_away_is_not_blamed_on_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(database.URL, "postgresql+psycopg://gendan@127.0.0.1:1/orders")

    with pytest.raises(Unavailable, match="'orders'"):
        await take_orders(orders(tmp_path, f"order_no,placed_at,etd\nB,{PLACED},{ETD}\n"))
    with pytest.raises(Unavailable, match="'orders'"):
        await take_reports(orders(tmp_path, f"order_no,milestone,occurred_at\nA,ORD_RCVD,{at(days_ago(9))}\n"))


async def test_a_table_can_be_pasted() -> None:
    outcome = await take_orders(table_of(f"\n  order_no,placed_at,etd\nA,{PLACED},{ETD}\n\n"))

    assert outcome.new == 1


def test_what_was_pasted_and_is_no_table_is_refused_as_such() -> None:
    with pytest.raises(Refused, match="Nothing was pasted"):
        list(table_of(" \n\t"))
    with pytest.raises(ImportRefused, match=r"^what was pasted: .*placed_at") as refusal:
        list(table_of("order_no,etd\nA,2026-01-01"))

    assert "/" not in str(refusal.value)
    with pytest.raises(ImportRefused, match="half a character"):
        list(table_of("order_no,placed_at\nA\ud800,2026-01-01"))


def test_every_column_is_written_down() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")

    missing = [
        name for name in (*ORDER_COLUMNS, *REPORT_COLUMNS, *ORDER_NEEDS, *REPORT_NEEDS) if f"`{name}`" not in text
    ]

    assert missing == []
