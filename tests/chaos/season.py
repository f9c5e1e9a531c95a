"""The seasons that are played from outside: real orders, whose reports come in bundles."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import gendan
from gendan.season import Season, load_season
from models.book.order_file import OrderFile
from models.book.report import Report
from models.seasons.season import Told
from tasks.library import library

SHARED = Path(gendan.__file__).resolve().parents[2] / "shared" / "data" / "container_logistics"
SAMPLES = Path(gendan.__file__).parent / "samples"
TOGETHER = 3
"""So many reports of an order become known at one instant: in which order they arrive is then nobody's."""
ALL_TOGETHER = 6
"""The same in a mid-season, where fewer are told one by one."""
CAME_IN_WITHIN = 4
"""In so many weeks the orders of a mid-season were placed."""
WEEK = timedelta(weeks=1)


def season_of(orders: int) -> Season:
    """
    Return a season of so many orders: all have come in at its end, and half have heard all that there is to hear.

    The real season of container orders where it lies beside the project, else the bundled samples under new numbers.
    """
    folder = SHARED if (SHARED / "orders.csv").exists() else SAMPLES
    whole = load_season(folder / "orders.csv", folder / "reports.csv", library())
    season = _multiplied(whole, orders) if len(whole.files) < orders else _first(whole, orders)
    bundled = {order_no: bundles(told) for order_no, told in season.reports.items()}
    last = sorted(told[-1].recorded_at for told in bundled.values() if told)
    came_in = max(file.order.came_in for file in season.files)
    return replace(season, reports=bundled, until=max(last[len(last) // 2], came_in))


def mid_season(orders: int, played: timedelta) -> Season:
    """
    Return the last days of a season of so many orders: all have come in, most are under way, some are over.

    Orders that came in over more than a year are in season together: each is moved by whole weeks, with all that was
    told of it. An order that was placed before the days that are played comes in at their beginning, in mid-season,
    and what was told of it until then is told at once.
    """
    season = _together(season_of(orders))
    begins = season.until - played
    return replace(
        season,
        files=[_coming_in_from(begins, file) for file in season.files],
        reports={order_no: bundles(told, ALL_TOGETHER) for order_no, told in season.reports.items()},
    )


def bundles(told: list[Told], together: int = TOGETHER) -> list[Told]:
    """Let reports become known together, each with the last of its bundle."""
    inorder = sorted(told, key=lambda report: report.recorded_at)
    return [
        report.model_copy(update={"recorded_at": bundle[-1].recorded_at})
        for begin in range(0, len(inorder), together)
        for bundle in [inorder[begin : begin + together]]
        for report in bundle
    ]


def _together(season: Season) -> Season:
    last = max(file.order.came_in for file in season.files)
    files, reports = [], {}
    for place, file in enumerate(season.files):
        order = file.order
        by = WEEK * ((last - order.came_in) // WEEK - place % CAME_IN_WITHIN)
        dates = {name: getattr(order, name) for name in ("placed_at", "came_in", "etd")}
        moved = order.model_copy(update={name: date + by for name, date in dates.items() if date is not None})
        files.append(replace(file, order=moved))
        reports[order.order_no] = [_told_later(told, by) for told in season.reports.get(order.order_no, [])]
    until = max(file.order.came_in for file in files) + timedelta(days=1)
    return replace(season, files=files, reports=reports, until=until)


def _told_later(told: Told, by: timedelta) -> Told:
    dates = {"recorded_at": told.recorded_at + by}
    if isinstance(told, Report):
        dates["occurred_at"] = told.occurred_at + by
    return told.model_copy(update=dates)


def _coming_in_from(begins: datetime, file: OrderFile) -> OrderFile:
    came_in = max(file.order.came_in, begins)
    return replace(file, order=file.order.model_copy(update={"came_in": came_in}))


def _first(season: Season, orders: int) -> Season:
    files = sorted(season.files, key=lambda file: (file.order.came_in, file.order.order_no))[:orders]
    return replace(season, files=files, reports=_of(season, {file.order.order_no for file in files}))


def _of(season: Season, order_nos: set[str]) -> dict[str, list[Told]]:
    return {order_no: told for order_no, told in season.reports.items() if order_no in order_nos}


def _multiplied(season: Season, orders: int) -> Season:
    files, reports = [], {}
    for number in range(orders):
        file = season.files[number % len(season.files)]
        copy = f"{file.order.order_no}-{number:03d}"
        files.append(replace(file, order=file.order.model_copy(update={"order_no": copy})))
        reports[copy] = [
            report.model_copy(update={"source_event_id": f"{copy}/{place}", "source": "season"})
            if isinstance(report, Report)
            else report
            for place, report in enumerate(season.reports.get(file.order.order_no, []))
        ]
    return replace(season, files=files, reports=reports)
