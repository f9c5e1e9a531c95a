"""Official holiday lists for the tests: 2027 and 2028 as a notice might have them. No notice says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from models.calendars.holiday_list import HolidayList, Kind


def days(*ranges: str) -> frozenset[date]:
    """Return the days of ranges such as `2027-10-01..2027-10-07`, or of single days."""
    found: set[date] = set()
    for text in ranges:
        first, _, last = text.partition("..")
        day, end = date.fromisoformat(first), date.fromisoformat(last or first)
        while day <= end:
            found.add(day)
            day += timedelta(days=1)
    return frozenset(found)


def a_list(**changes: Any) -> HolidayList:
    """Build a list of 2027, with nine days for the Spring Festival; New Year's Day is Friday, 1 January."""
    fields: dict[str, Any] = {
        "official": "CN",
        "year": 2027,
        "holidays": days(
            "2027-01-01..2027-01-03",
            "2027-02-05..2027-02-13",
            "2027-04-03..2027-04-05",
            "2027-05-01..2027-05-05",
            "2027-06-09",
            "2027-09-15",
            "2027-10-01..2027-10-07",
        ),
        "workdays": days("2027-01-31", "2027-02-20", "2027-05-08", "2027-09-26", "2027-10-09"),
    }
    return HolidayList(**(fields | changes))


def the_year_after() -> HolidayList:
    """Build a list of 2028, which begins on a Saturday."""
    return a_list(
        year=2028,
        holidays=days(
            "2028-01-01..2028-01-03",
            "2028-01-25..2028-01-31",
            "2028-04-04",
            "2028-05-01..2028-05-03",
            "2028-05-28",
            "2028-10-01..2028-10-07",
        ),
        workdays=days("2028-01-22", "2028-02-05", "2028-09-30"),
    )


def lines(each: HolidayList) -> list[tuple[date, Kind]]:
    """Return what a list says, day by day."""
    said = [(day, each.says(day)) for day in sorted(each.holidays | each.workdays)]
    return [(day, kind) for day, kind in said if kind is not None]


def as_csv(*lists: HolidayList, words: tuple[str, str] = ("休", "班")) -> str:
    """Write lists as a table of dates and kinds; `words` are what a holiday and a working day are called."""
    rows = (f"{day},{words[kind is Kind.WORKDAY]}" for each in lists for day, kind in lines(each))
    return "date,kind\n" + "".join(f"{row}\n" for row in rows)


def as_yaml(*lists: HolidayList) -> str:
    """Write lists as YAML: a list of years."""
    return "".join(
        f"- year: {each.year}\n  holidays: [{_commas(each.holidays)}]\n  workdays: [{_commas(each.workdays)}]\n"
        for each in lists
    )


def _commas(of: Iterable[date]) -> str:
    return ", ".join(map(str, sorted(of)))
