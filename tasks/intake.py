"""Taking whole tables in: good rows are recorded, bad ones refused with line, column and reason."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from models.errors import GendanError, ImportRefused, Refused, Unavailable, UnknownOrder
from models.intake import ORDER_NEEDS, Row, RowRefused, order_from, order_no_of, report_from
from models.plan import Calendars
from models.report import Report
from tasks.clock import now
from tasks.library import choose_template, library
from tasks.logbook import Placed, check_reports, record_reports
from tasks.orders import register
from tasks.spreadsheets import read_rows

BATCH = 500


@dataclass
class Outcome:
    """How many rows were new, how many were there already, and which were refused."""

    what: str
    new: int = 0
    known: int = 0
    refused: list[RowRefused] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"{self.new} {self.what} taken in"]
        if self.known:
            parts.append(f"{self.known} there already")
        if self.refused:
            parts.append(f"{len(self.refused)} refused")
        return ", ".join(parts)


async def take_orders(rows: Iterable[Row | RowRefused]) -> Outcome:
    """Take in the orders of a table; each is followed from the moment it is in."""
    outcome = Outcome("orders")
    seen: set[str] = set()
    # Read before any row: a mistake in it is the library's, not each row's.
    shelf = library()
    for row in rows:
        try:
            if isinstance(row, RowRefused):
                raise row
            accepted = order_from(row, now=now(), choose=partial(choose_template, shelf), calendars=shelf.calendars)
            order_no = accepted.order.order_no
            if order_no in seen:
                raise RowRefused(row.line, "order_no", f"{order_no} stands twice in this file")
            seen.add(order_no)
            if await register(accepted.order, accepted.template, shelf.ladders[accepted.template.ladder]):
                outcome.new += 1
            else:
                outcome.known += 1
        except RowRefused as refusal:
            outcome.refused.append(refusal)
        except Unavailable:
            raise
        except GendanError as refusal:
            assert isinstance(row, Row)
            outcome.refused.append(RowRefused(row.line, "order_no", str(refusal)))
    return outcome


async def take_reports(rows: Iterable[Row | RowRefused]) -> Outcome:
    """Take in the reports of a table, a few hundred in a transaction."""
    outcome = Outcome("reports")
    calendars = library().calendars
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        usable: list[Row] = []
        for row in batch:
            try:
                if isinstance(row, RowRefused):
                    raise row
                order_no_of(row)
                usable.append(row)
            except RowRefused as refusal:
                outcome.refused.append(refusal)
        checked = await check_reports([(order_no_of(row), partial(_report, row, calendars)) for row in usable])
        good: list[tuple[str, Report]] = []
        for row, result in zip(usable, checked, strict=True):
            if isinstance(result, RowRefused):
                outcome.refused.append(result)
            elif isinstance(result, GendanError):
                column = "order_no" if isinstance(result, UnknownOrder) else ""
                outcome.refused.append(RowRefused(row.line, column, str(result)))
            else:
                good.append(result)
        recorded = await record_reports(good)
        outcome.new += recorded.new
        outcome.known += recorded.known
    outcome.refused.sort(key=lambda refusal: refusal.line)
    return outcome


def _report(row: Row, calendars: Calendars, placed: Placed) -> Report:
    report = report_from(
        row,
        now=placed.now,
        order_calendar=calendars[placed.template.calendar],
        placed_at=placed.order.placed_at,
        codes=placed.template.codes,
    )
    if report.recorded_at >= placed.now:
        return report
    # Known elsewhere since then, to us since now: nobody is chased for days on which we did not know.
    told = {"recorded_at": report.recorded_at.isoformat(), **report.attributes}
    return report.model_copy(update={"recorded_at": placed.now, "attributes": told})


def table_of(csv: str) -> Iterator[Row | RowRefused]:
    """Read a table that was pasted as text; raises ImportRefused where it is none."""
    if not csv.strip():
        raise Refused("Nothing was pasted: give a header line and one line for each order.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pasted.csv"
        path.write_text(csv.strip() + "\n", encoding="utf-8")
        try:
            yield from read_rows(path, ORDER_NEEDS)
        except ImportRefused as refusal:
            # Nobody knows the file that it stood in for this moment.
            raise ImportRefused(str(refusal).replace(str(path), "what was pasted")) from None
