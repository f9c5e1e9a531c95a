"""The season that is played under faults: orders that are in mid-season at its end, reports that come in bundles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gendan
from gendan.season import Season, load_season
from models.book.report import Report
from models.seasons.season import Told
from tasks.library import library

SHARED = Path(gendan.__file__).resolve().parents[2] / "shared" / "data" / "container_logistics"
SAMPLES = Path(gendan.__file__).parent / "samples"
TOGETHER = 3
"""So many reports of an order become known at one instant: in which order they arrive is then nobody's."""


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


def bundles(told: list[Told]) -> list[Told]:
    """Let reports become known together, each with the last of its bundle."""
    inorder = sorted(told, key=lambda report: report.recorded_at)
    return [
        report.model_copy(update={"recorded_at": bundle[-1].recorded_at})
        for begin in range(0, len(inorder), TOGETHER)
        for bundle in [inorder[begin : begin + TOGETHER]]
        for report in bundle
    ]


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
