"""A past season read from files: the orders, and what was told about each, in the order in which it became known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.errors import Refused
from models.intake import ORDER_NEEDS, REPORT_NEEDS, Row, RowRefused, order_from, order_no_of, told_from
from models.order_file import OrderFile
from models.result import MessageResult, Result, result_of
from models.season import Said, Timeline, Told, play
from tasks.choosing import template_for, with_customers_terms
from tasks.library import Library
from tasks.spreadsheets import read_rows

LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""A season is history: its own reports say when it ends, not the clock on the wall."""


@dataclass
class Season:
    """
    Orders with their reports, and the instant of the last report, at which the season ends.

    Every order comes in when it was placed. `refused` are the rows that could not be used.
    """

    files: list[OrderFile]
    reports: dict[str, list[Told]]
    until: datetime
    refused: list[tuple[Path, RowRefused]] = field(default_factory=list)

    def timeline(self, order_no: str) -> Timeline:
        """Return what is told about an order, from the beginning."""
        return Timeline.of(self.reports.get(order_no, ()))


def load_season(orders: Path, reports: Path, library: Library, limit: int | None = None) -> Season:
    """
    Read a season; `limit` keeps its first so many orders and leaves its end where it is.

    Raises ImportRefused for a file that is no table, Refused where there is nothing to play.
    """
    refused: list[tuple[Path, RowRefused]] = []
    files: dict[str, OrderFile] = {}
    for row in _usable(orders, ORDER_NEEDS, refused):
        try:
            accepted = order_from(row, now=LAST, choose=partial(template_for, library), calendars=library.calendars)
            order, template = with_customers_terms(library, accepted)
            if order.order_no in files:
                raise RowRefused(row.line, "order_no", f"{order.order_no} stands twice")
            order = order.model_copy(update={"came_in": order.placed_at})
            files[order.order_no] = OrderFile(order, template, library.ladders[template.ladder], library.calendars)
        except RowRefused as refusal:
            refused.append((orders, refusal))
    told: dict[str, list[Told]] = {}
    until: datetime | None = None
    for row in _usable(reports, REPORT_NEEDS, refused):
        try:
            report = _report(row, files)
            told.setdefault(order_no_of(row), []).append(report)
            until = report.recorded_at if until is None else max(until, report.recorded_at)
        except RowRefused as refusal:
            refused.append((reports, refusal))
    if not files or until is None:
        raise Refused(f"Nothing to play: {orders} gave {len(files)} orders and {reports} {len(told)} with reports.")
    return Season(list(files.values())[:limit], told, until, refused)


def _usable(path: Path, needs: tuple[str, ...], refused: list[tuple[Path, RowRefused]]) -> Iterator[Row]:
    for row in read_rows(path, needs):
        if isinstance(row, RowRefused):
            refused.append((path, row))
        else:
            yield row


def _report(row: Row, files: dict[str, OrderFile]) -> Told:
    file = files.get(order_no_of(row))
    if file is None:
        raise RowRefused(row.line, "order_no", f"{order_no_of(row)} is not among the orders")
    return told_from(
        row,
        now=LAST,
        order_calendar=file.calendar,
        placed_at=file.order.placed_at,
        codes=file.template.codes,
    )


def backtest(season: Season, progress: Callable[[int], None] = lambda done: None) -> Result:
    """Play every order with the core alone: no Prefect, no server, no database."""
    ended: list[OrderFile] = []
    said: list[Said] = []
    for done, file in enumerate(season.files, start=1):
        end, words = play(file, season.timeline(file.order.order_no), season.until)
        ended.append(end)
        said.extend(words)
        progress(done)
    return result_of(ended, [message_result(word) for word in said], season.until)


def message_result(said: Said) -> MessageResult:
    """Return a message as the result file has it."""
    claim = said.tell.claim
    return MessageResult(
        at=said.at,
        order_no=said.order_no,
        milestone=claim.milestone,
        rung=claim.rung,
        recipient=said.tell.role,
        due=claim.due,
    )
