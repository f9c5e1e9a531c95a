"""The log of an order: recording what is told, once, and waking whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.accept import check_entry, check_report
from models.errors import GendanError, UnknownOrder
from models.order import Order
from models.order_file import OrderFile, may_reopen
from models.report import Entry, Report
from models.template import Template
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, transaction
from tasks.orders import assemble, notify, read_order
from tasks.terms import find_terms


@dataclass(frozen=True)
class Recorded:
    """What became of a report: its line in the log, or `None` for one that was there already."""

    seq: int | None

    @property
    def is_new(self) -> bool:
        """Say whether the log has grown."""
        return self.seq is not None


@dataclass(frozen=True)
class Placed:
    """What a report is checked against: the order, its template, and the order's present."""

    order: Order
    template: Template
    now: datetime


async def find_placed(connection: AsyncConnection, order_nos: Sequence[str]) -> dict[str, Placed]:
    """Return what reports on these orders are checked against; unknown numbers are left out."""
    rows = await connection.execute(
        select(tables.orders.c.order_no, tables.orders.c.body, tables.orders.c.terms, tables.follow_ups.c.clock)
        .join(tables.follow_ups, tables.follow_ups.c.order_no == tables.orders.c.order_no)
        .where(tables.orders.c.order_no.in_(order_nos))
    )
    present = now()
    return {
        row.order_no: Placed(
            Order.model_validate(row.body),
            (await find_terms(connection, row.terms)).template,
            row.clock or present,
        )
        for row in rows.all()
    }


async def record_report(order_no: str, make: Callable[[Placed], Report]) -> Recorded:
    """
    Record what `make` says of the order, and wake it.

    `make` is given the order and its present, so that a plain date is read in the order's own calendar. The
    same source and event id again change nothing (`is_new` is false). Raises UnknownOrder, UnknownMilestone,
    Refused; nothing is recorded then.
    """
    async with transaction() as connection:
        placed = (await find_placed(connection, [order_no])).get(order_no)
        if placed is None:
            raise UnknownOrder(order_no)
        report = make(placed)
        check_report(placed.order, placed.template, report, placed.now)
        return Recorded(await _append(connection, order_no, report))


async def record_entry(order_no: str, make: Callable[[OrderFile, datetime], Entry]) -> Recorded:
    """
    Record an entry that is checked against where the order stands: a promise, a hold, a correction.

    Raises UnknownOrder, UnknownMilestone, Refused; nothing is recorded then.
    """
    async with transaction() as connection:
        row = await read_order(connection, order_no)
        # Two answers at once must see each other: whoever comes second is checked against the first.
        await connection.execute(
            select(tables.follow_ups.c.order_no).where(tables.follow_ups.c.order_no == order_no).with_for_update()
        )
        file = await assemble(connection, row)
        present = row.clock or now()
        entry = make(file, present)
        check_entry(file, entry, present)
        return Recorded(await _append(connection, order_no, entry))


@dataclass(frozen=True)
class BulkOutcome:
    """What became of many reports: how many were new, how many were there already."""

    new: int
    known: int


async def record_reports(reports: Sequence[tuple[str, Report]]) -> BulkOutcome:
    """Record reports that were checked before, in one transaction, and wake their orders."""
    async with transaction() as connection:
        new = await append_reports(connection, reports)
        if new:
            await _want(connection, sorted(set(new)), reopens=False)
    return BulkOutcome(len(new), len(reports) - len(new))


async def append_reports(connection: AsyncConnection, reports: Sequence[tuple[str, Report]]) -> list[str]:
    """Add reports to the log, each once, and wake nobody; return the orders of the new ones."""
    if not reports:
        return []
    added = await connection.execute(
        insert(tables.entries)
        .values([_values(order_no, report) for order_no, report in reports])
        .on_conflict_do_nothing()
        .returning(tables.entries.c.order_no)
    )
    return [row.order_no for row in added]


async def check_reports(
    rows: Sequence[tuple[str, Callable[[Placed], Report]]],
) -> list[tuple[str, Report] | GendanError]:
    """Make and check many reports with one query; each is a report with its order number, or its refusal."""
    async with transaction() as connection:
        placed = await find_placed(connection, sorted({order_no for order_no, _ in rows}))
    outcome: list[tuple[str, Report] | GendanError] = []
    for order_no, make in rows:
        try:
            there = placed.get(order_no)
            if there is None:
                raise UnknownOrder(order_no)
            report = make(there)
            check_report(there.order, there.template, report, there.now)
            outcome.append((order_no, report))
        except GendanError as refusal:
            outcome.append(refusal)
    return outcome


def _values(order_no: str, entry: Entry) -> dict[str, Any]:
    return {
        "order_no": order_no,
        "kind": entry.kind,
        "recorded_at": entry.recorded_at,
        "source": getattr(entry, "source", ""),
        "source_event_id": getattr(entry, "source_event_id", ""),
        "body": entry.model_dump(mode="json", exclude={"seq"}, exclude_defaults=True) | {"kind": entry.kind},
    }


async def _append(connection: AsyncConnection, order_no: str, entry: Entry) -> int | None:
    added = await connection.execute(
        insert(tables.entries).values(_values(order_no, entry)).on_conflict_do_nothing().returning(tables.entries.c.seq)
    )
    seq = added.scalar_one_or_none()
    if seq is not None:
        await _want(connection, [order_no], reopens=may_reopen(entry))
    return seq


async def _want(connection: AsyncConnection, order_nos: Sequence[str], *, reopens: bool) -> None:
    wake = update(tables.follow_ups).where(tables.follow_ups.c.order_no.in_(order_nos)).values(wanted=True)
    if not reopens:
        # What comes late for an order that is over is kept in its log and starts nothing; nor does it take back
        # what reopened the order and was not seen yet.
        wake = wake.where(tables.follow_ups.c.closed_as.is_(None))
    await connection.execute(wake)
    await notify(connection, WAKE_CHANNEL, order_nos[0] if len(order_nos) == 1 else "")
