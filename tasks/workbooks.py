"""Reads the rows of an Excel workbook (.xlsx), one at a time."""

from __future__ import annotations

import re
import warnings
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element, iterparse
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from openpyxl.utils.datetime import from_excel

from models.accepting.intake import Row, RowRefused, header_of, row_of
from models.errors import ImportRefused

LARGEST_UNZIPPED = 512 * 1024 * 1024
MOST_ROWS = 1_048_576
SAVE_AS_XLSX = "Open it in Excel, WPS or LibreOffice and save it as 'Excel Workbook (.xlsx)'"

# Chinese, Japanese and Korean Excel number their own date formats without writing them out (ECMA-376 18.8.30).
_EAST_ASIAN_DATES = frozenset({*range(27, 32), 36, *range(50, 55), 57, 58})
# A double keeps 15 digits; Excel turns the 16th and later ones of a number into zeros.
_FIRST_INEXACT = 10**15

# A merged range by its first row, its last row and its name, like "A1:B2".
_Merge = tuple[int, int, str]


class _Unreadable(Exception):
    """A cell whose content cannot be told; the text is the reason."""


def read_workbook(path: Path, needs: Collection[str]) -> Iterator[Row | RowRefused]:
    """
    Yield the rows of a workbook's first visible sheet, each with its row number.

    A row that cannot be read is yielded as RowRefused; what is no sheet with these columns raises ImportRefused.
    """
    with path.open("rb") as file:
        sheet, merges = _open_sheet(file)
        try:
            rows = _sheet_rows(sheet)
            _, first = next(rows, (1, ()))
            header = _sheet_header(first, merges, needs)
            for line, cells in rows:
                row = _sheet_row(line, cells, header, sheet.parent.epoch)
                while merges and merges[0][1] < line:
                    merges.popleft()
                if row is not None and merges and merges[0][0] <= line:
                    row = RowRefused(line, "", f"cells {merges[0][2]} are merged. Unmerge them and fill each cell")
                if row is not None:
                    yield row
        finally:
            sheet.parent.close()


def _open_sheet(file: IO[bytes]) -> tuple[Any, deque[_Merge]]:
    try:
        with ZipFile(file) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
            if unzipped > LARGEST_UNZIPPED:
                raise ImportRefused(
                    f"unpacks to {unzipped // 1024 // 1024} MB; {LARGEST_UNZIPPED // 1024 // 1024} MB is the most. "
                    "Split it, or save it as CSV"
                )
        with warnings.catch_warnings():
            # openpyxl warns of styles and extensions that it drops; only values are read here.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheets = list(book.worksheets)
            if not sheets:
                book.close()
                raise ImportRefused(f"has no sheet with cells. {SAVE_AS_XLSX}")
            sheet: Any = next((one for one in sheets if one.sheet_state == "visible"), sheets[0])
            # The size that a file claims may be wrong, or a million empty rows.
            sheet.reset_dimensions()
            with ZipFile(file) as archive, archive.open(sheet._worksheet_path) as source:
                return sheet, _merges(source)
    except ImportRefused:
        raise
    except OSError as error:
        raise ImportRefused(f"is no Excel workbook ({error}). {SAVE_AS_XLSX}") from error
    except Exception as error:  # openpyxl and zipfile let anything through that a broken file provokes
        if isinstance(error, BadZipFile | KeyError):
            raise ImportRefused(f"is damaged, or no Excel workbook. {SAVE_AS_XLSX}") from error
        # What openpyxl says of it names its own insides, and helps nobody.
        raise ImportRefused(
            f"cannot be read as an Excel workbook: something in it is damaged. {SAVE_AS_XLSX}"
        ) from error


def _merges(source: IO[bytes]) -> deque[_Merge]:
    """
    Read a sheet through for what openpyxl's streaming reader does not tell, before a row is given.

    Returns the merged ranges from the top down, each row in one of them at most. Formulas without a value, and
    rows out of their sequence, which openpyxl would drop without a word, raise ImportRefused.
    """
    found: list[_Merge] = []
    data: Element | None = None
    last = 0
    for event, element in iterparse(source, events=("start", "end")):  # noqa: S314  expat stops entity bombs itself
        tag = element.tag.rpartition("}")[2]
        if event == "start":
            data = element if tag == "sheetData" else data
        elif tag == "c":
            _must_be_calculated(element)
        elif tag == "row":
            line = int(element.get("r") or last + 1)
            if not last < line <= MOST_ROWS:
                raise ImportRefused(f"row {line} comes after row {last}: the sheet is damaged. {SAVE_AS_XLSX}")
            last = line
            if data is not None:
                data.clear()
        elif tag == "mergeCell":
            name = element.get("ref", "")
            _, top, _, bottom = range_boundaries(name)
            found.append((int(top or 1), int(bottom or MOST_ROWS), name))
    merges: deque[_Merge] = deque()
    for top, bottom, name in sorted(found):
        above = merges[-1][1] if merges else 0
        if bottom > above:
            merges.append((max(top, above + 1), bottom, name))
        elif (top, bottom) == merges[-1][:2]:
            merges[-1] = (top, bottom, f"{merges[-1][2]}, {name}")
    return merges


def _must_be_calculated(cell: Element) -> None:
    formula = next((part for part in cell if part.tag.endswith("}f")), None)
    if formula is None or cell.get("t") == "str":
        return
    if not any(part.text for part in cell if part.tag.endswith("}v")):
        raise ImportRefused(
            f"the formula in cell {cell.get('r', '?')} was never calculated, so its value is unknown. "
            "Open the file in Excel, WPS or LibreOffice, save it, and import it again"
        )


def _sheet_rows(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    rows = enumerate(sheet.iter_rows(), start=1)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                numbered = next(rows, None)
        except Exception as error:  # as above: the file is damaged further down
            raise ImportRefused(f"cannot be read to its end: it is damaged. {SAVE_AS_XLSX}") from error
        if numbered is None:
            return
        yield numbered


def _sheet_header(cells: Sequence[Any], merges: deque[_Merge], needs: Collection[str]) -> tuple[str, ...]:
    if merges and merges[0][0] == 1:
        raise ImportRefused(
            f"the header has merged cells ({merges[0][2]}). Unmerge them: one row of names, one name for each column"
        )
    names = [str(cell.value) if cell.value is not None else "" for cell in cells]
    while names and not names[-1].strip():
        names.pop()
    if not names:
        raise ImportRefused("begins with an empty row. The first row must name the columns")
    return header_of(names, needs)


def _sheet_row(line: int, cells: Sequence[Any], header: tuple[str, ...], epoch: datetime) -> Row | RowRefused | None:
    texts: list[str] = []
    for place, cell in enumerate(cells):
        try:
            texts.append(_text_of(cell, epoch))
        except _Unreadable as error:
            return RowRefused(line, header[place] if place < len(header) else "", str(error))
        except (LookupError, TypeError, AttributeError) as error:
            # openpyxl looks a cell's style up as late as here, and a broken file may not have it.
            raise ImportRefused(f"cell {cell.coordinate} is damaged. {SAVE_AS_XLSX}") from error
    return row_of(line, texts, header)


def _text_of(cell: Any, epoch: datetime) -> str:
    value = cell.value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        if cell.style_array.numFmtId in _EAST_ASIAN_DATES:
            try:
                return _date_text(from_excel(value, epoch), shows_time=False)
            except (OverflowError, ValueError):
                raise _Unreadable(f"holds {value} in the form of a date, and that is none") from None
        return _number_text(value, cell.number_format)
    if isinstance(value, date):
        return _date_text(value, shows_time=_shows_time(cell.number_format))
    return "" if value is None else str(value)


def _number_text(value: int | float, number_format: str) -> str:
    if abs(value) >= _FIRST_INEXACT:
        raise _Unreadable("is a number of more than 15 digits, of which Excel keeps 15. Format the column as text")
    text = format(Decimal(format(value, ".15g")), "f")
    # 00123 is kept by Excel as 123 with the format 00000, and everybody calls the order 00123.
    return text.zfill(len(number_format)) if re.fullmatch("0+", number_format) and text.isdigit() else text


def _date_text(value: Any, *, shows_time: bool) -> str:
    """Return a plain date, or a timestamp without a zone, which is refused where a date is read."""
    if isinstance(value, datetime) and value.time() == time() and not shows_time:
        return value.date().isoformat()
    return str(value.isoformat()) if isinstance(value, date) else str(value)


def _shows_time(number_format: str | None) -> bool:
    bare = re.sub(r'\[[^\]]*\]|"[^"]*"|\\.|_.|\*.', "", (number_format or "").split(";")[0])
    return re.search("[hs]", bare, re.IGNORECASE) is not None
