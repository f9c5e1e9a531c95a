"""Rules for reading rows from CSV files, and for telling what kind of file it is."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.accepting.intake import LONGEST_CELL, ORDER_NEEDS, Row, RowRefused
from models.errors import ImportRefused
from tasks.spreadsheets import LONGEST_LINE, read_rows
from tests.files import read, refusal, said, written

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DATA = Path(__file__).parents[3] / "shared" / "data" / "container_logistics"


def test_rows_are_read_with_the_line_that_they_stand_on(tmp_path: Path) -> None:
    rows = read(tmp_path, "Order_No , ETD\nco1,2026-11-20\nco2,\n")

    assert said(rows) == [(2, {"order_no": "co1", "etd": "2026-11-20"}), (3, {"order_no": "co2", "etd": ""})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufefforder_no\nco1\n", [(2, {"order_no": "co1"})]),  # a BOM, as Excel writes it
        ("order_no\r\nco1\r\n", [(2, {"order_no": "co1"})]),  # Windows
        ("order_no\rco1\rco2", [(2, {"order_no": "co1"}), (3, {"order_no": "co2"})]),  # old Mac, no last line end
        ("order_no,note\nco1,跟單员\n", [(2, {"order_no": "co1", "note": "跟單员"})]),
        ("order_no,note\n\n , \n,\nco1,a\n", [(5, {"order_no": "co1", "note": "a"})]),  # empty rows
        ("order_no,note,,\nco1,a,,\n", [(2, {"order_no": "co1", "note": "a"})]),  # empty columns at the end
        ("order_no,note\nco1\n", [(2, {"order_no": "co1", "note": ""})]),  # a short row
        ('order_no,note\nco1,5" pipe\n', [(2, {"order_no": "co1", "note": '5" pipe'})]),  # inches
        ('order_no,note\nco1,"a, ""b"""\n', [(2, {"order_no": "co1", "note": 'a, "b"'})]),
        ("order_no,note\n", []),  # only the header
        ('order_no,"x;y;z"\nco1,a\n', [(2, {"order_no": "co1", "x;y;z": "a"})]),
    ],
)
def test_csv_is_read_as_the_programs_write_it(
    tmp_path: Path, content: str, expected: list[tuple[int, dict[str, str]]]
) -> None:
    path = written(tmp_path, content)

    assert said(read_rows(path, needs=["order_no"])) == expected


def test_a_row_with_lines_in_a_quoted_cell_stands_where_it_begins(tmp_path: Path) -> None:
    rows = read(tmp_path, 'order_no,note\nco1,"one\ntwo\nthree"\nco2,x\n')

    assert said(rows) == [
        (2, {"order_no": "co1", "note": "one\ntwo\nthree"}),
        (5, {"order_no": "co2", "note": "x"}),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("co1,a,b", "cell 3 holds 'b'"),  # more cells than the header
        ("co1,1,200", "cell 3 holds '200'"),  # a thousands separator without quotes
        ('co1,"a"b', "written twice"),
        ("co1," + "x" * (LONGEST_CELL + 1), f"more than {LONGEST_CELL} characters"),
    ],
)
def test_a_broken_row_is_refused_and_the_next_is_read(tmp_path: Path, row: str, reason: str) -> None:
    rows = read(tmp_path, f"order_no,note\nco0,\n{row}\nco2,\n")

    assert isinstance(rows[1], RowRefused)
    assert rows[1].line == 3
    assert reason in rows[1].reason
    assert said([rows[0], rows[2]]) == [(2, {"order_no": "co0", "note": ""}), (4, {"order_no": "co2", "note": ""})]


def test_a_quote_that_is_never_closed_does_not_swallow_rows_in_silence(tmp_path: Path) -> None:
    rows = read(tmp_path, 'order_no,note\nco1,"open\nco2,\nco3,\n')

    assert len(rows) == 1
    assert isinstance(rows[0], RowRefused)
    assert rows[0].line == 2
    assert "never closed" in rows[0].reason
    assert "line 4" in rows[0].reason


def test_a_quote_that_is_closed_too_late_says_which_lines_were_not_read(tmp_path: Path) -> None:
    rows = read(tmp_path, 'order_no,note\nco1,"open\n' + "co2,x\n" * 30_000)

    assert isinstance(rows[0], RowRefused)
    assert "lines 2 to" in rows[0].reason
    assert rows[1].line > 20_000


def test_the_longest_cell_is_still_read(tmp_path: Path) -> None:
    (row,) = read(tmp_path, f'note\n"{"x" * LONGEST_CELL}"\n')

    assert isinstance(row, Row)
    assert len(row.cells["note"]) == LONGEST_CELL


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),  # a BOM and nothing else
        (b" \n", "is empty"),
        (b"\n\n\n\norder_no\n", "begins with an empty row"),
        (b",,,\nco1,a,b,c\n", "begins with an empty row"),
        ("order_no,客户\nco1,东方\n".encode("gb18030"), "probably GB18030"),
        ("order_no,客戶\nco1,遠東貿易\n".encode("big5"), "probably Big5"),
        ("order_no,客户\nco1,囍\n".encode("gb18030"), "probably GB18030"),  # outside GB 2312
        (b"order_no\n" + b"co\n" * 400_000 + "东\n".encode("gb18030"), "(line 400002)"),  # far into the file
        ("order_no\nco1\n".encode("utf-16"), "is UTF-16"),
        ("order_no\nco1\n".encode("utf-32"), "is UTF-32"),
        ("order_no\nco1\n".encode("utf-16-le"), "NUL byte in line 1"),  # no BOM
        (b"order_no\nco1\nco2\0\n", "NUL byte in line 3"),
        (b"order_no\nco1\n\xff\xff\xff\n", "is not UTF-8 (line 3)."),  # no guess
        (b"order_no\n\xe4\xb8", "is not UTF-8 (line 2)"),  # cut off within a character
        (b"order_no;etd\nco1;2026-11-20\n", "separated by semicolons"),
        (b"order_no;customer, name;etd\nco1;a,b;2026-11-20\n", "separated by semicolons"),
        (b"order_no\tetd\nco1\t2026-11-20\n", "separated by tabs"),
        (b"order_no|etd\nco1|2026-11-20\n", "separated by vertical bars"),
        (b"order_no,etd,Etd\n", "'etd' stands more than once (2 and 3)"),
        (b'order_no,"etd\n', "the header: a quote is opened and never closed"),
        (b"order_no," + b"x" * (LONGEST_CELL + 1) + b"\n", "the header: a cell has more than"),
        (b"order_no\n" + b"x" * (LONGEST_LINE + 1), "longer than 16 MB"),
        (OLE2 + b"\0" * 100, "old Excel file (.xls)"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whole(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(written(tmp_path, content))


def test_the_refusal_of_an_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    assert "CSV UTF-8" in refusal(written(tmp_path, "客户\n".encode("gb18030")))


def test_missing_columns_are_told_although_there_is_no_row(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, "order_no,etd\n"), ORDER_NEEDS)

    assert "placed_at is missing" in said


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere.csv")
    assert "is a folder" in refusal(tmp_path)
    assert "no such file" in refusal(written(tmp_path, "order_no\n") / "below.csv")
    assert "no ordinary file" in refusal(Path("/dev/null"))


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = written(tmp_path, "order_no,note\n" + f"co1,{'x' * 90}\n" * 100_000)

    tracemalloc.start()
    count = sum(1 for _ in read_rows(path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 100_000
    assert most < path.stat().st_size / 2


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.text("order_n,;\t\"'\r\n|x ", max_size=200).map(str.encode)
    | st.text(max_size=50).map(lambda text: text.encode("gb18030", "replace"))
)
@example(b'"')
@example(b'a,b\n"')
@example(b'a\n"x\n')
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_file_is_a_table_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        rows = read(tmp_path, content)
    except ImportRefused:
        return

    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
    assert all(line >= 2 for line in lines)


if DATA.exists():

    @pytest.mark.parametrize(("file", "count"), [("orders.csv", 600), ("reports.csv", 13672)])
    def test_the_container_log_is_read_whole(file: str, count: int) -> None:
        rows = list(read_rows(DATA / file, needs=["order_no"]))

        assert len(rows) == count
        assert all(isinstance(row, Row) for row in rows)
        assert [row.line for row in rows] == list(range(2, count + 2))
