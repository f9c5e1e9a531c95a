"""How a calendar's days are shown: its week, its official years, the days off to come, its slow weeks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from rich.table import Column, Table

from gendan.cli.app import as_it_is, out, print_table
from models.calendars.days_off import DaysOff, days_off, made_up_days, slow_days
from models.calendars.workdays import ONE_DAY, Calendar
from tasks.calendar_lists import LoadedList
from tasks.settings import settings

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Span = tuple[date, date]
"""The first and the last day that are shown, both included."""


def list_all(chosen: Sequence[Calendar], span_of: Callable[[Calendar], Span]) -> None:
    """Print a line for each calendar with its first days off in the span that `span_of` gives for it."""
    table = Table(
        Column("Calendar", no_wrap=True), "", "Week", "Official years", "Next days off", box=None, pad_edge=False
    )
    for calendar in chosen:
        coming = list(days_off(calendar, *span_of(calendar)))[:3]
        table.add_row(
            *map(
                as_it_is,
                (
                    calendar.code,
                    calendar.name.in_(settings().language),
                    _week(calendar),
                    _official(calendar),
                    ", ".join(_days(each) for each in coming),
                ),
            )
        )
    print_table(table)
    if any(calendar.published is not None for calendar in chosen):
        out.print("~ is an estimate, until the list of that year is loaded: `gendan calendar import`.")


def show_one(calendar: Calendar, loaded: Sequence[LoadedList], span: Span) -> None:
    """Print everything that makes a calendar's days in `span`."""
    out.print(as_it_is(f"{calendar.code}  {calendar.name.in_(settings().language)}"))
    out.print(as_it_is(f"{_week(calendar)}, {calendar.opens:%H:%M} to {calendar.closes:%H:%M}, {calendar.zone}"))
    if calendar.published is not None:
        out.print(as_it_is(f"Official: {_official(calendar)}; later years are estimates (~)."))
    for each in loaded:
        if calendar.official and each.list.official == calendar.official:
            who = ", ".join(filter(None, (each.source, each.by)))
            out.print(
                as_it_is(f"Loaded: {each.list.official} {each.list.year}, {each.recorded_at:%Y-%m-%d}. {who}".rstrip())
            )
    _print_days("Days off", [_days(each) for each in days_off(calendar, *span)], span)
    _print_days("Weekend days worked", [f"{day:%a %d %b %Y}" for day in made_up_days(calendar, *span)], span)
    slow = [f"{_range(each.first, each.last)} {each.factor:.0%}" for each in slow_days(calendar, *span)]
    _print_days("Slow weeks", slow, span)


def _print_days(what: str, lines: Sequence[str], span: Span) -> None:
    out.print(as_it_is(f"{what}, {span[0]} to {span[1]}:{'' if lines else ' none'}"))
    for line in lines:
        out.print(as_it_is(f"  {line}"))


def _week(calendar: Calendar) -> str:
    """Name the worked days: from the first one after the weekend to the last, where they are in a row."""
    worked = [n for n in range(1, 8) if n not in calendar.weekend]
    first = next((n for n in worked if (n - 2) % 7 + 1 in calendar.weekend), worked[0])
    in_a_row = [(first - 1 + n) % 7 + 1 for n in range(len(worked))]
    if set(in_a_row) == set(worked):
        return f"{WEEKDAYS[first - 1]}-{WEEKDAYS[in_a_row[-1] - 1]}"
    return " ".join(WEEKDAYS[n - 1] for n in worked)


def _official(calendar: Calendar) -> str:
    if calendar.published is None:
        return ""
    years = f"{min(calendar.published)}-{max(calendar.published)}" if calendar.published else "none"
    return f"{calendar.official} {years}".strip()


def _days(each: DaysOff) -> str:
    return f"{'~ ' if each.provisional else ''}{_range(each.first, each.last)}"


def _range(first: date, last: date) -> str:
    if first == last:
        return f"{first:%a %d %b %Y}"
    return f"{first:%a %d %b} - {last:%a %d %b %Y} ({(last - first) // ONE_DAY + 1} days)"


def as_json(calendar: Calendar, loaded: Sequence[LoadedList], span: Span) -> dict[str, Any]:
    """Return the same for a program."""
    return {
        "code": calendar.code,
        "name": calendar.name.in_(settings().language),
        "zone": calendar.zone,
        "weekend": sorted(calendar.weekend),
        "opens": calendar.opens,
        "closes": calendar.closes,
        "official": calendar.official,
        "published": sorted(calendar.published) if calendar.published is not None else None,
        "loaded": [
            {"year": each.list.year, "source": each.source, "by": each.by, "recorded_at": each.recorded_at}
            for each in loaded
            if calendar.official and each.list.official == calendar.official
        ],
        "from": span[0],
        "to": span[1],
        "days_off": [each._asdict() for each in days_off(calendar, *span)],
        "weekend_days_worked": made_up_days(calendar, *span),
        "slow": [each._asdict() for each in slow_days(calendar, *span)],
    }
