"""The official holiday lists that were loaded: read from files, kept, and laid over the library's calendars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.accepting.intake import RowRefused
from models.calendars.holiday_list import (
    Checked,
    Difference,
    HolidayList,
    ListMistake,
    Stated,
    all_of,
    checked,
    differences,
    first_gap,
    stated,
    with_lists,
    years_of,
)
from models.errors import ImportRefused, Refused
from models.planning.plan import Calendars
from tasks.clock import now
from tasks.database import database_url, transaction
from tasks.library import Library, library
from tasks.marked_yaml import Marked, read_marked
from tasks.spreadsheets import read_rows
from tasks.statutory import known_list, statutory_days

COLUMNS = ("date", "kind")
FIELDS = ("year", "holidays", "workdays")

_rows = tables.calendar_lists.c

LATEST_LIST = (
    # With its instant: a number alone comes again where a backup is restored.
    select(func.concat(_rows.id, "@", func.extract("epoch", _rows.recorded_at)))
    .order_by(_rows.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("latest_list")
)
"""A column for any query: which list was loaded last, none where there is no list. For `calendars_as_of`."""


# --- what holds


class _InForce(NamedTuple):
    shelf: Library
    url: str
    latest: str | None
    calendars: Calendars


_known: _InForce | None = None


async def calendars_in_force(connection: AsyncConnection) -> Calendars:
    """Return the library's calendars with the lists that are loaded: one query, and one more when they changed."""
    return await calendars_as_of(connection, (await connection.execute(select(LATEST_LIST))).scalar_one())


async def calendars_as_of(connection: AsyncConnection, latest: str | None) -> Calendars:
    """
    Return the calendars in force, `latest` being the LATEST_LIST that another query brought along.

    Asks nothing unless a list was loaded since: each process reads the lists once.
    """
    global _known
    shelf, url = library(), database_url()
    known = _known
    if known is not None and known.shelf is shelf and (known.url, known.latest) == (url, latest):
        return known.calendars
    calendars = with_lists(shelf.calendars, [each.list for each in await _loaded(connection)]) if latest else None
    _known = _InForce(shelf, url, latest, calendars or shelf.calendars)
    return _known.calendars


class LoadedList(NamedTuple):
    """A list as it was loaded: where it was found, by whom and when it was loaded."""

    list: HolidayList
    source: str
    by: str
    recorded_at: datetime


async def loaded_lists() -> list[LoadedList]:
    """Return the lists that hold, by official list and year."""
    async with transaction() as connection:
        last = {(each.list.official, each.list.year): each for each in await _loaded(connection)}
    return [last[key] for key in sorted(last)]


async def _loaded(connection: AsyncConnection) -> list[LoadedList]:
    """Return every list that was ever loaded, in that order."""
    rows = await connection.execute(select(tables.calendar_lists).order_by(_rows.id))
    return [LoadedList(_list_in(row), row.source, row.by, row.recorded_at) for row in rows]


def _list_in(row: DatabaseRow[Any]) -> HolidayList:
    return HolidayList(official=row.official, year=row.year, holidays=row.holidays, workdays=row.workdays)


# --- loading


@dataclass(frozen=True)
class Corrected:
    """A list that takes the place of one of the same year."""

    list: HolidayList
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Kept:
    """
    What became of the lists of a file.

    `same` held already with the same days. `bundled` are years that every calendar of the library has published
    itself. `before` are the calendars without what these lists say now, `after` those in force.
    """

    new: tuple[HolidayList, ...]
    corrected: tuple[Corrected, ...]
    same: tuple[HolidayList, ...]
    bundled: tuple[int, ...]
    before: Calendars
    after: Calendars


async def keep_lists(lists: Iterable[HolidayList], *, source: str = "", by: str = "") -> Kept:
    """
    Add lists to those that are loaded, all or none; a list that holds already is not added again.

    Raises Refused where there is nothing to load, or a year before it is missing.
    """
    shelf = library()
    given = list(lists)
    wanted = [each for each in given if not _is_bundled(each, shelf)]
    if not wanted:
        raise Refused(
            f"The library has the list of {_years(each.year for each in given)} itself; nothing was loaded. To correct "
            "a day of it, lay a calendar file of your own over it (GENDAN_LIBRARY)."
        )
    async with transaction() as connection:
        # One at a time: a list that is committed after a later one would be seen by nobody.
        await connection.execute(text("LOCK TABLE calendar_lists IN SHARE ROW EXCLUSIVE MODE"))
        history = [each.list for each in await _loaded(connection)]
        held = {(each.official, each.year): each for each in history}
        _must_follow(shelf, [*held.values(), *wanted])
        added = [each for each in wanted if held.get((each.official, each.year)) != each]
        if added:
            values = [_values(each, source, by) for each in added]
            await connection.execute(insert(tables.calendar_lists), values)
    same = [each for each in wanted if each not in added]
    return Kept(
        new=tuple(each for each in added if (each.official, each.year) not in held),
        corrected=tuple(
            Corrected(each, differences(old, each)) for each in added if (old := held.get((each.official, each.year)))
        ),
        same=tuple(same),
        bundled=tuple(each.year for each in given if each not in wanted),
        before=with_lists(shelf.calendars, _without_last(history, same)),
        after=with_lists(shelf.calendars, [*history, *added]),
    )


def _is_bundled(each: HolidayList, shelf: Library) -> bool:
    following = [calendar for calendar in shelf.calendars.values() if calendar.official == each.official]
    return bool(following) and all(each.year in (calendar.published or ()) for calendar in following)


def _must_follow(shelf: Library, lists: Sequence[HolidayList]) -> None:
    """Refuse lists that would leave a year out, or come before the first one, in any calendar that follows them."""
    for calendar in shelf.calendars.values():
        years = sorted({each.year for each in lists if each.official == calendar.official})
        if (gap := first_gap(calendar, years)) is not None:
            raise Refused(
                f"Calendar {calendar.code} has no list of {gap}; nothing was loaded. Load the list of {gap} first, or "
                "put it into the same file."
            )
        first = min(calendar.published or years, default=0)
        if years and years[0] < first:
            raise Refused(f"Calendar {calendar.code} begins with {first}; nothing was loaded. Leave {years[0]} out.")


def _without_last(history: Sequence[HolidayList], lists: Sequence[HolidayList]) -> list[HolidayList]:
    """Return the history as it was before the last version of each of `lists` came."""
    left = list(history)
    for each in lists:
        of_year = [n for n, old in enumerate(left) if (old.official, old.year) == (each.official, each.year)]
        del left[of_year[-1]]
    return left


def _values(each: HolidayList, source: str, by: str) -> dict[str, Any]:
    return {
        "official": each.official,
        "year": each.year,
        "holidays": [day.isoformat() for day in sorted(each.holidays)],
        "workdays": [day.isoformat() for day in sorted(each.workdays)],
        "source": source,
        "by": by,
        "recorded_at": now(),
    }


def _years(years: Iterable[int]) -> str:
    return ", ".join(map(str, years))


# --- reading


def read_lists(path: Path, official: str) -> Checked:
    """
    Read the official list of one or more whole years.

    A table (CSV or XLSX) has the columns date and kind; YAML and JSON a year with its holidays and workdays, or a list
    of such years. Raises Refused for a list that is not known, else ImportRefused or LibraryError with the line.
    """
    try:
        known_list(official)
    except ValueError as error:
        raise Refused(f"--official: {error}.") from None
    try:
        if path.suffix.lower() in (".yaml", ".yml", ".json"):
            return _from_years(read_marked(path), official)
        return _from_table(path, official)
    except ListMistake as mistake:
        raise ImportRefused(f"{path}: {mistake}") from None


def _from_table(path: Path, official: str) -> Checked:
    days: list[Stated] = []
    mistakes: list[ListMistake] = []
    for row in read_rows(path, COLUMNS):
        try:
            if isinstance(row, RowRefused):
                raise ListMistake(row.line, row.reason)
            days.append(stated(row.cells["date"], row.cells["kind"], row.line))
        except ListMistake as mistake:
            mistakes.append(mistake)
    if mistakes:
        raise all_of(mistakes)
    if not days:
        raise ListMistake(0, "holds no day. Write one line for each holiday and each weekend day that is worked")
    years = years_of(days)
    return checked(official, days, years, _statutory(years))


def _from_years(top: Marked, official: str) -> Checked:
    sections = [top] if isinstance(top.value, dict) else list(top.items())
    lists: dict[int, Checked] = {}
    for section in sections:
        for name in section.mapping():
            if name not in FIELDS:
                raise section.mistake(f"unknown field {name!r}; a year has {', '.join(FIELDS)}", name)
        year = _year(section)
        if year in lists:
            raise section.mistake(f"{year} stands twice; put all its days together", "year")
        try:
            lists[year] = checked(official, _days(section), [year], _statutory([year]))
        except ListMistake as mistake:
            # What speaks of the whole year stands where the year does.
            raise mistake if mistake.line else section.mistake(mistake.what, "year") from None
    if not lists:
        raise top.mistake("holds no year")
    in_order = [lists[year] for year in sorted(lists)]
    return Checked(
        tuple(each for part in in_order for each in part.lists),
        tuple(warning for part in in_order for warning in part.warnings),
    )


def _year(section: Marked) -> int:
    written = str(section.mapping().get("year") or "")
    if len(written) != 4 or not written.isdecimal():
        raise section.mistake(f"year should be one such as 2027{f', not {written!r}' if written else ''}", "year")
    return int(written)


def _days(section: Marked) -> Iterator[Stated]:
    for field, kind in (("holidays", "holiday"), ("workdays", "workday")):
        if section.mapping().get(field) is not None:
            for item in section.entry(field).items():
                yield stated(str(item.value), kind, item.line())


def _statutory(years: Iterable[int]) -> frozenset[date]:
    return statutory_days(year for year in years if 2000 <= year <= 2090)
