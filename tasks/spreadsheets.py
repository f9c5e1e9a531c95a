"""Reads the rows of a table, CSV here and XLSX in tasks/workbooks.py: a large file never stands in memory whole."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO

from models.accepting.intake import LONGEST_CELL, Row, RowRefused, header_of, row_of
from models.errors import ImportRefused
from tasks.workbooks import SAVE_AS_XLSX, read_workbook

LONGEST_LINE = 16 * 1024 * 1024

_CHUNK = 1024 * 1024
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAVE_AS_UTF8 = (
    "Save it as UTF-8: in Excel as 'CSV UTF-8 (Comma delimited)', in WPS or LibreOffice with the character set UTF-8"
)

_Reader = Callable[[Path, Collection[str]], Iterator[Row | RowRefused]]


def read_rows(path: Path, needs: Collection[str] = ()) -> Iterator[Row | RowRefused]:
    """
    Yield the rows below the header, each with the line (in a sheet, the row number) where it begins.

    A row that cannot be read is yielded as RowRefused, the rows after it follow. Empty rows are left out, and a
    row shorter than the header is filled with empty cells. What is no table, or lacks a column of `needs`,
    raises ImportRefused with the first row that is asked for. Of a workbook the first visible sheet is read.
    """
    try:
        if not path.exists():
            raise ImportRefused("there is no such file. Check the path")
        if not path.is_file():
            raise ImportRefused(f"is {'a folder' if path.is_dir() else 'no ordinary file'}. Give the path of one file")
        yield from _reader_for(path)(path, needs)
    except ImportRefused as refusal:
        raise ImportRefused(f"{path}: {refusal}") from refusal.__cause__
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read ({error.strerror or error})") from error


def _reader_for(path: Path) -> _Reader:
    with path.open("rb") as file:
        start = file.read(8)
        if start == _OLE2:
            if _holds(file, "EncryptedPackage".encode("utf-16-le")):
                raise ImportRefused("is protected with a password. Save a copy without one")
            raise ImportRefused(f"is an old Excel file (.xls). {SAVE_AS_XLSX}")
    if start.startswith(_ZIP):
        return read_workbook
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods", ".et"):
        raise ImportRefused(
            f"is named {path.suffix} but is no Excel workbook. {SAVE_AS_XLSX}; if it is text, rename it to .csv"
        )
    return _read_csv


def _holds(file: IO[bytes], wanted: bytes) -> bool:
    tail = b""
    while chunk := file.read(_CHUNK):
        if wanted in tail + chunk:
            return True
        tail = chunk[-len(wanted) :]
    return False


def _read_csv(path: Path, needs: Collection[str]) -> Iterator[Row | RowRefused]:
    _must_be_utf8(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        # Strict: otherwise a quote that is never closed would swallow the rest of the file without a word.
        table = csv.reader(file, strict=True)
        try:
            names = next(table, None)
        except csv.Error as error:
            raise ImportRefused(f"the header: {_csv_reason(error, 1, table.line_num)}") from None
        header = _csv_header(names, needs)
        while True:
            line = table.line_num + 1
            try:
                texts = next(table, None)
            except csv.Error as error:
                yield RowRefused(line, "", _csv_reason(error, line, table.line_num))
                continue
            if texts is None:
                return
            row = row_of(line, texts, header)
            if row is not None:
                yield row


def _csv_header(names: list[str] | None, needs: Collection[str]) -> tuple[str, ...]:
    if names is None:
        raise ImportRefused("is empty. The first row must name the columns")
    written = ",".join(names)
    if not written.strip(" ,"):
        raise ImportRefused("begins with an empty row. The first row must name the columns")
    complete = needs and {name.strip().lower() for name in names}.issuperset(needs)
    for character, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if not complete and written.count(character) >= len(names):
            raise ImportRefused(f"is separated by {name}. Save it with commas, or as .xlsx")
    return header_of(names, needs)


def _csv_reason(error: csv.Error, first: int, last: int) -> str:
    reason = str(error)
    if "unexpected end of data" in reason:
        return f"a quote is opened and never closed, so nothing from here to the end (line {last}) was read"
    if "field larger than field limit" in reason:
        where = f"; lines {first} to {last} were not read. Is a quote not closed?" if last > first else ""
        return f"a cell has more than {LONGEST_CELL} characters{where}"
    if "expected after" in reason:
        return 'text follows a closing quote; a quote inside a quoted cell is written twice ("")'
    return f"is no CSV ({reason})"


def _must_be_utf8(path: Path) -> None:
    """Read the file once before a row is given: half an import is worse than none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    line_length = 0
    with path.open("rb") as file:
        start = file.read(4)
        for bom, name in _BOMS:
            if start.startswith(bom):
                raise ImportRefused(f"is {name}, not UTF-8. {_SAVE_AS_UTF8}")
        file.seek(0)
        size = 0
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if b"\0" in chunk:
                line = lines + chunk[: chunk.index(b"\0")].count(b"\n")
                raise ImportRefused(f"holds a NUL byte in line {line}: no text, or UTF-16. {_SAVE_AS_UTF8}")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                raise ImportRefused(f"is not UTF-8 (line {line}){_probably(path)}. {_SAVE_AS_UTF8}") from None
            newline = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            lines += chunk.count(b"\n")
            line_length = line_length + len(chunk) if newline < 0 else len(chunk) - newline
            if line_length > LONGEST_LINE:
                raise ImportRefused(f"line {lines} is longer than {LONGEST_LINE // 1024 // 1024} MB: this is no table")
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise ImportRefused(f"is not UTF-8 (line {lines}){_probably(path)}. {_SAVE_AS_UTF8}") from None
    if size <= len(codecs.BOM_UTF8) and start.strip() in (b"", codecs.BOM_UTF8):
        raise ImportRefused("is empty. The first row must name the columns")


def _probably(path: Path) -> str:
    with path.open("rb") as file:
        sample = file.read(_CHUNK)
    # Big5 mostly reads as GB18030 too, but not as its old core.
    guesses = [
        name
        for encoding, name in (("gb2312", "GB18030 (GBK)"), ("big5hkscs", "Big5"), ("gb18030", "GB18030 (GBK)"))
        if _decodes(sample, encoding)
    ]
    if not guesses:
        return ""
    probable = guesses[:1] if guesses[0] != "Big5" else guesses
    return f"; it is probably {' or '.join(probable)}"


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=len(sample) < _CHUNK)
    except UnicodeDecodeError:
        return False
    return True
