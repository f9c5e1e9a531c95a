"""Rules for reading rows from Excel workbooks."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from models.accepting.intake import ORDER_NEEDS, Row, RowRefused
from models.errors import ImportRefused
from tasks.spreadsheets import read_rows
from tests.files import read, refusal, said, written

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def clock(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """Return what a cell holds: it shows a time, and knows no zone."""
    return datetime(year, month, day, hour)  # noqa: DTZ001  no zone: that is the rule under test


def workbook(folder: Path, *rows: Sequence[object], change: Callable[[Worksheet], None] | None = None) -> Path:
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    if change is not None:
        change(sheet)
    path = folder / "orders.xlsx"
    book.save(path)
    return path


def repacked(path: Path, replace: dict[str, Callable[[bytes], bytes]]) -> Path:
    """Change parts of a workbook in a way that openpyxl would not write."""
    packed = io.BytesIO()
    with ZipFile(path) as old, ZipFile(packed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, replace.get(name, bytes)(content))
    path.write_bytes(packed.getvalue())
    return path


def sheet_xml(path: Path, old: bytes, new: bytes) -> Path:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return repacked(path, {"xl/worksheets/sheet1.xml": change})


def cell(folder: Path, value: object, number_format: str | None = None) -> Row | RowRefused:
    def shape(sheet: Any) -> None:
        if number_format is not None:
            sheet["B2"].number_format = number_format

    (row,) = read_rows(workbook(folder, ["order_no", "etd"], ["co1", value], change=shape))
    return row


def test_a_sheet_says_the_same_as_its_csv(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["Order_No ", "ETD", "note"], ["co1", "2026-11-20", "跟單"], ["co2", None, "a\nb"])

    assert said(read_rows(path, needs=["order_no"])) == [
        (2, {"order_no": "co1", "etd": "2026-11-20", "note": "跟單"}),
        (3, {"order_no": "co2", "etd": "", "note": "a\nb"}),
    ]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (4, None, "4"),
        (4.0, None, "4"),
        (12.5, None, "12.5"),
        (0.1 + 0.2, None, "0.3"),  # as Excel shows it
        (0.0000001, None, "0.0000001"),  # never 1e-07
        (4500012345, None, "4500012345"),
        (123, "00000", "00123"),  # an order number with leading zeros
        (-5, "00000", "-5"),
        (1234.5, "#,##0.00", "1234.5"),
        (True, None, "TRUE"),
        ("#N/A", None, "#N/A"),  # refused where it matters, by the intake
        (date(2026, 11, 20), None, "2026-11-20"),
        (clock(2026, 11, 20), "yyyy-mm-dd", "2026-11-20"),
        (clock(2026, 11, 20), 'yyyy"年"m"月"d"日"', "2026-11-20"),
        (clock(2026, 11, 20), "[$-zh-CN]yyyy/m/d;@", "2026-11-20"),  # the h of zh shows no hour
        (clock(2026, 11, 20), "yyyy-mm-dd hh:mm", "2026-11-20T00:00:00"),  # shown with a time: no plain date
        (clock(2026, 11, 20, 10), "yyyy-mm-dd hh:mm", "2026-11-20T10:00:00"),  # no zone: refused where it is read
        (clock(2026, 11, 20, 10), "yyyy-mm-dd", "2026-11-20T10:00:00"),  # a time that is not shown is there
        (time(10), None, "10:00:00"),
        (46346, None, "46346"),  # a date that lost its format
    ],
)
def test_a_cell_becomes_the_text_that_a_csv_would_have(
    tmp_path: Path, value: object, number_format: str | None, text: str
) -> None:
    row = cell(tmp_path, value, number_format)

    assert isinstance(row, Row)
    assert row.cells["etd"] == text


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        (46346, "2026-11-20"),
        (46346.5, "2026-11-20T12:00:00"),
    ],
)
def test_the_date_formats_that_chinese_excel_only_numbers_are_dates(tmp_path: Path, serial: float, text: str) -> None:
    def number(content: bytes) -> bytes:
        assert b'numFmtId="2"' in content
        return content.replace(b'numFmtId="2"', b'numFmtId="31"')

    def shape(sheet: Any) -> None:
        sheet["B2"].number_format = "0.00"  # built in as number 2

    path = workbook(tmp_path, ["order_no", "etd"], ["co1", serial], change=shape)
    (row,) = read_rows(repacked(path, {"xl/styles.xml": number}))

    assert isinstance(row, Row)
    assert row.cells["etd"] == text


@pytest.mark.parametrize("value", [10**15, 4500012345678901, 1e300])
def test_a_number_that_excel_does_not_keep_is_refused(tmp_path: Path, value: float) -> None:
    row = cell(tmp_path, value)

    assert isinstance(row, RowRefused)
    assert (row.line, row.column) == (2, "etd")
    assert "15 digits" in row.reason


def test_empty_rows_and_columns_of_a_sheet_are_left_out(tmp_path: Path) -> None:
    def shape(sheet: Any) -> None:
        sheet["A5"] = "co2"
        sheet["Z900"] = " "
        sheet["D1"].number_format = "0.00"  # a format alone makes no column

    rows = read_rows(workbook(tmp_path, ["order_no", "etd"], ["co1"], change=shape))

    assert said(rows) == [(2, {"order_no": "co1", "etd": ""}), (5, {"order_no": "co2", "etd": ""})]


def test_a_cell_outside_the_named_columns_refuses_its_row(tmp_path: Path) -> None:
    rows = list(read_rows(workbook(tmp_path, ["order_no", None, "etd"], ["co1", "x"], ["co2", None, "", "y"])))

    assert [type(row) for row in rows] == [RowRefused, RowRefused]
    assert "cell 2 holds 'x'" in str(rows[0])
    assert "cell 4 holds 'y'" in str(rows[1])


def test_only_the_first_sheet_that_people_see_is_read(tmp_path: Path) -> None:
    book = Workbook()
    lists: Any = book.active
    lists.append(["a list of codes"])
    lists.sheet_state = "hidden"
    for code in ("co1", "co2"):
        sheet = book.create_sheet()
        sheet.append(["order_no"])
        sheet.append([code])
    path = tmp_path / "orders.xlsx"
    book.save(path)

    assert said(read_rows(path)) == [(2, {"order_no": "co1"})]


def test_a_formula_counts_with_the_value_that_was_calculated(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no", "quantity"], ["co1", "=2+2"])

    (row,) = read_rows(sheet_xml(path, b"<f>2+2</f><v />", b"<f>2+2</f><v>4</v>"))

    assert isinstance(row, Row)
    assert row.cells["quantity"] == "4"


def test_a_formula_that_gives_an_empty_text_is_an_empty_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no", "etd"], ["co1", '=""'])

    (row,) = read_rows(sheet_xml(path, b'<c r="B2"><f>', b'<c r="B2" t="str"><f>'))

    assert isinstance(row, Row)
    assert row.cells["etd"] == ""


def test_a_formula_that_was_never_calculated_is_no_empty_cell(tmp_path: Path) -> None:
    said = refusal(workbook(tmp_path, ["order_no", "etd"], ["co1", "=TODAY()"]))

    assert "cell B2 was never calculated" in said


def test_merged_header_cells_are_named(tmp_path: Path) -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_cells("A1:B1")
        sheet.merge_cells("C1:D1")

    said = refusal(workbook(tmp_path, ["order_no", "", "etd", ""], ["co1", "", "", ""], change=merge))

    assert "A1:B1, C1:D1" in said


def test_a_row_of_merged_cells_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    def merge(sheet: Any) -> None:
        sheet.merge_cells("A3:A4")
        sheet.merge_cells("B4:B5")

    rows = read_rows(workbook(tmp_path, ["order_no", "etd"], *[[f"co{n}", "x"] for n in range(2, 8)], change=merge))

    assert [(row.line, isinstance(row, Row)) for row in rows] == [
        (2, True),
        (3, False),
        (4, False),
        (5, False),
        (6, True),
        (7, True),
    ]


@pytest.mark.parametrize(
    ("claimed", "rows"),
    [
        (b'<dimension ref="A1:XFD1048576" />', 2),  # a million empty rows
        (b'<dimension ref="A1" />', 2),  # too small: rows beyond it are there all the same
        (b"", 2),
    ],
)
def test_the_size_that_a_sheet_claims_is_not_believed(tmp_path: Path, claimed: bytes, rows: int) -> None:
    path = workbook(tmp_path, ["order_no", "etd"], ["co1", "x"], ["co2", "y"])

    found = list(read_rows(sheet_xml(path, b'<dimension ref="A1:B3" />', claimed)))

    assert len(found) == rows


def test_the_needed_columns_are_looked_for_in_a_sheet_too(tmp_path: Path) -> None:
    assert "placed_at is missing" in refusal(workbook(tmp_path, ["order_no", "etd"]), ORDER_NEEDS)
    assert "stands more than once" in refusal(workbook(tmp_path, ["etd", "ETD"]))


def test_a_sheet_without_a_header_is_refused(tmp_path: Path) -> None:
    assert "begins with an empty row" in refusal(workbook(tmp_path))
    assert "begins with an empty row" in refusal(workbook(tmp_path, [], ["order_no"]))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'<row r="3"', b'<row r="2"', "row 2 comes after row 2"),
        (b'<row r="3"', b'<row r="99999999999"', "the sheet is damaged"),  # would be counted through for hours
        (b"</sheetData>", b"", "cannot be read as an Excel workbook"),
        (b"<v>7</v>", b"<v>seven</v>", "cannot be read to its end"),
        (b"<sheetData>", b"<sheetData>&nope;", "cannot be read as an Excel workbook"),
    ],
)
def test_a_damaged_sheet_is_refused(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    path = workbook(tmp_path, ["order_no", "quantity"], ["co1", 6], ["co2", 7])

    assert reason in refusal(sheet_xml(path, old, new))


def test_a_cell_whose_style_is_missing_refuses_the_workbook(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no", "quantity"], ["co1", 6])

    said = refusal(sheet_xml(path, b'<c r="B2"', b'<c r="B2" s="99"'))

    assert "cell B2 is damaged" in said


def test_an_entity_bomb_is_refused_at_once(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no"], ["co1"])
    levels = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))
    bomb = b'<!DOCTYPE s [<!ENTITY e0 "haha">' + levels + b"]><worksheet"

    path = repacked(
        path,
        {
            "xl/worksheets/sheet1.xml": lambda xml: xml.replace(b"<worksheet", bomb, 1).replace(
                b"<sheetData>", b"<sheetData>&e11;", 1
            )
        },
    )

    assert "cannot be read as an Excel workbook" in refusal(path)


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("orders.xlsx", b"order_no\nco1\n", "rename it to .csv"),
        ("orders.xls", b"<html><table></table></html>", "is no Excel workbook"),  # as many web systems export
        ("orders.xlsx", b"", "is no Excel workbook"),
        ("orders.xls", OLE2 + b"\0" * 4096, "old Excel file (.xls)"),
        ("orders.xlsx", OLE2 + b"\0" * 4096 + "EncryptedPackage".encode("utf-16-le"), "protected with a password"),
        ("orders.xlsx", zipped(), "is damaged, or no Excel workbook"),
        ("orders.xlsx", zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "no Excel workbook"),
        ("orders.zip", zipped(orders=b"order_no\n"), "no Excel workbook"),
        ("orders.xlsx", b"PK\x03\x04" + b"x" * 50, "is damaged, or no Excel workbook"),
    ],
)
def test_what_is_no_workbook_is_refused_with_the_remedy(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    said = refusal(written(tmp_path, content, name))

    assert reason in said
    assert "save" in said.lower()


def test_a_workbook_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no"], ["co1"]).rename(tmp_path / "orders.csv")

    assert said(read_rows(path)) == [(2, {"order_no": "co1"})]


def test_a_workbook_that_unpacks_to_more_than_512_mb_is_not_unpacked(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no"], ["co1"])
    zeros = bytes(1024 * 1024)
    with ZipFile(path, "a", ZIP_DEFLATED, compresslevel=1) as archive, archive.open("xl/media/big", "w") as big:
        for _ in range(513):
            big.write(zeros)

    assert "unpacks to 513 MB" in refusal(path)


def test_a_workbook_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["order_no"], *[["co1"]] * 5000)
    with ZipFile(path) as archive:
        real = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    content = path.read_bytes()
    lie = (1000).to_bytes(4, "little")
    path.write_bytes(content.replace(real.to_bytes(4, "little"), lie))

    assert "no Excel workbook" in refusal(path)


@pytest.mark.filterwarnings("always::ResourceWarning")
def test_a_reader_that_stops_early_leaves_no_open_file(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    for path in (workbook(tmp_path, ["order_no"], ["co1"], ["co2"]), written(tmp_path, "order_no\nco1\nco2\n")):
        rows = read_rows(path)
        next(rows)
        del rows

    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@given(at=st.integers(0, 100_000), byte=st.integers(0, 255), length=st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_every_damaged_workbook_is_a_table_or_refused(tmp_path: Path, at: int, byte: int, length: int) -> None:
    whole = workbook(tmp_path, ["order_no", "etd"], ["co1", date(2026, 11, 20)], ["co2", 7]).read_bytes()
    place = at % len(whole)
    damaged = whole[:place] + bytes([byte]) * length + whole[place + length :]

    try:
        rows = list(read(tmp_path, damaged, "orders.xlsx"))
    except ImportRefused:
        return

    assert all(row.line >= 2 for row in rows)


@given(
    part=st.sampled_from(["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml", "xl/sharedStrings.xml"]),
    at=st.integers(0, 100_000),
    text=st.text('<>/="r0123456789v ', max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_every_workbook_of_strange_parts_is_a_table_or_refused(tmp_path: Path, part: str, at: int, text: str) -> None:
    path = workbook(tmp_path, ["order_no", "etd"], ["co1", date(2026, 11, 20)], ["co2", 7])

    def change(xml: bytes) -> bytes:
        place = at % len(xml)
        return xml[:place] + text.encode() + xml[place + len(text) :]

    try:
        rows = list(read_rows(repacked(path, {part: change})))
    except ImportRefused:
        return

    assert all(row.line >= 2 for row in rows)
