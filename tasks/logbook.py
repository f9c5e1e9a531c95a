"""The log of an order: recording what is told, once, and waking whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.accepting.accept import check_entry, check_report
from models.accepting.letters import unprintable
from models.accepting.reports import beyond_rounds, needs_log
from models.book.changes import Split
from models.book.entry import ENTRY, Entry
from models.book.order import Order
from models.book.order_file import OrderFile, may_reopen
from models.book.report import Report, Withdrawal
from models.calendars.workdays import Calendar
from models.errors import GendanError, Refused, UnknownOrder
from models.planning.plan import Calendars
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.calendar_lists import LATEST_LIST, calendars_as_of
from tasks.clock import now
from tasks.database import WAKE_CHANNEL, notify, transaction
from tasks.orders import assemble, read_order
from tasks.terms import find_all_terms


@dataclass(frozen=True)
class Recorded:
    """
    What became of a report: its line in the log, or `None` for one that was there already.

    `remark` is what whoever told it should know: that a milestone is in more rounds than its template foresees.
    """

    seq: int | None
    remark: str = ""

    @property
    def is_new(self) -> bool:
        """Say whether the log has grown."""
        return self.seq is not None


@dataclass(frozen=True)
class Placed:
    """What a report is checked against: the order, what it is followed by, and its present; whether it was split."""

    order: Order
    template: Template
    policy: Policy
    calendars: Calendars
    now: datetime
    is_split: bool

    @property
    def calendar(self) -> Calendar:
        """The order's own calendar: that of the office which follows it."""
        return self.calendars[self.template.calendar]


Make = Callable[[Placed], Report | Withdrawal]


async def find_placed(connection: AsyncConnection, order_nos: Sequence[str]) -> dict[str, Placed]:
    """Return what reports on these orders are checked against; unknown numbers are left out."""
    split = exists().where(tables.entries.c.order_no == tables.orders.c.order_no, tables.entries.c.kind == "split")
    found = await connection.execute(
        select(
            tables.orders.c.order_no,
            tables.orders.c.body,
            tables.orders.c.terms,
            tables.follow_ups.c.clock,
            split.label("is_split"),
            LATEST_LIST,
        )
        .join(tables.follow_ups, tables.follow_ups.c.order_no == tables.orders.c.order_no)
        .where(tables.orders.c.order_no.in_([number for number in order_nos if not unprintable(number)]))
    )
    rows = found.all()
    if not rows:
        return {}
    calendars = await calendars_as_of(connection, rows[0].latest_list)
    terms = await find_all_terms(connection, {row.terms for row in rows})
    present = now()
    placed: dict[str, Placed] = {}
    for row in rows:
        order, own = Order.model_validate(row.body), terms[row.terms]
        placed[row.order_no] = Placed(order, own.template, own.policy, calendars, row.clock or present, row.is_split)
    return placed


async def record_report(order_no: str, make: Make) -> Recorded:
    """
    Record what `make` says of the order, and wake it.

    `make` is given the order and its present, so that a plain date is read in the order's own calendar. The
    same source and event id again change nothing (`is_new` is false). A report that counts or fails is checked
    against the order's log. Raises UnknownOrder, UnknownMilestone, Refused; nothing is recorded then.
    """
    async with transaction() as connection:
        placed = (await find_placed(connection, [order_no])).get(order_no)
        if placed is None:
            raise UnknownOrder(order_no)
        report = make(placed)
        check_report(placed.order, placed.template, report, placed.now)
        if placed.is_split or needs_log(placed.template, report):
            file, present = await _file_under_lock(connection, order_no)
            return await _check_and_append(connection, file, report, present)
        return Recorded(await _append(connection, order_no, report))


async def record_entry(order_no: str, make: Callable[[OrderFile, datetime], Entry]) -> Recorded:
    """
    Record an entry that is checked against where the order stands: a promise, a hold, a correction.

    Raises UnknownOrder, UnknownMilestone, Refused; nothing is recorded then.
    """
    async with transaction() as connection:
        file, present = await _file_under_lock(connection, order_no)
        return await _check_and_append(connection, file, make(file, present), present)


async def _file_under_lock(connection: AsyncConnection, order_no: str) -> tuple[OrderFile, datetime]:
    row = await read_order(connection, order_no)
    # Two answers at once must see each other: whoever comes second is checked against the first.
    await _lock(connection, [order_no])
    return await assemble(connection, row), row.clock or now()


async def _lock(connection: AsyncConnection, order_nos: Sequence[str]) -> None:
    follow_ups = tables.follow_ups.c
    await connection.execute(
        select(follow_ups.order_no)
        .where(follow_ups.order_no.in_(order_nos))
        .order_by(follow_ups.order_no)
        .with_for_update()
    )


async def _check_and_append(connection: AsyncConnection, file: OrderFile, entry: Entry, present: datetime) -> Recorded:
    check_entry(file, entry, present)
    if isinstance(entry, Split):
        await _numbers_are_free(connection, file.order.order_no, entry)
    seq = await _append(connection, file.order.order_no, entry)
    return Recorded(seq, beyond_rounds(file, entry, present) if seq is not None else "")


async def _numbers_are_free(connection: AsyncConnection, order_no: str, split: Split) -> None:
    taken = await connection.execute(
        select(tables.orders.c.order_no).where(tables.orders.c.order_no.in_([lot.order_no for lot in split.lots]))
    )
    numbers = sorted(taken.scalars())
    if numbers:
        raise Refused(
            f"Order {order_no}: {', '.join(numbers)} {'is' if len(numbers) == 1 else 'are'} in the book already. "
            "Give each lot a number of its own; nothing was changed."
        )


@dataclass(frozen=True)
class BulkOutcome:
    """What became of many reports: how many were new, how many there already; the refusals by their place."""

    new: int
    known: int
    refused: Mapping[int, GendanError]


async def take_in_reports(rows: Sequence[tuple[str, Make]]) -> BulkOutcome:
    """
    Make, check and record many reports in one transaction, and wake their orders; those refused are left out.

    The reports of an order count together: each is checked after those before it. Orders without any report that
    counts or fails are not opened.
    """
    async with transaction() as connection:
        placed = await find_placed(connection, sorted({order_no for order_no, _ in rows}))
        told, refused = _made(rows, placed)
        opened = {
            order_no
            for order_no, report in told.values()
            if placed[order_no].is_split or needs_log(placed[order_no].template, report)
        }
        files = await _files_under_lock(connection, {order_no: placed[order_no] for order_no in opened})
        good: list[tuple[str, Report | Withdrawal]] = []
        for place, (order_no, report) in told.items():
            if order_no in files:
                try:
                    files[order_no] = _told(files[order_no], report, placed[order_no])
                except GendanError as refusal:
                    refused[place] = refusal
                    continue
            good.append((order_no, report))
        new = await _append_and_wake(connection, good)
    return BulkOutcome(new, len(good) - new, refused)


def _made(
    rows: Sequence[tuple[str, Make]], placed: Mapping[str, Placed]
) -> tuple[dict[int, tuple[str, Report | Withdrawal]], dict[int, GendanError]]:
    """Return the reports of the rows and the refusals, by their place."""
    told: dict[int, tuple[str, Report | Withdrawal]] = {}
    refused: dict[int, GendanError] = {}
    for place, (order_no, make) in enumerate(rows):
        try:
            there = placed.get(order_no)
            if there is None:
                raise UnknownOrder(order_no)
            report = make(there)
            check_report(there.order, there.template, report, there.now)
            told[place] = (order_no, report)
        except GendanError as refusal:
            refused[place] = refusal
    return told, refused


def _told(file: OrderFile, report: Report | Withdrawal, placed: Placed) -> OrderFile:
    if placed.is_split or needs_log(placed.template, report):
        check_entry(file, report, placed.now)
    seq = max((entry.seq for entry in file.entries), default=0) + 1
    return file.told(report.model_copy(update={"seq": seq}))


async def _files_under_lock(connection: AsyncConnection, placed: Mapping[str, Placed]) -> dict[str, OrderFile]:
    """Open the files of these orders with one query, without what was said and shown of them."""
    if not placed:
        return {}
    await _lock(connection, sorted(placed))
    logs: dict[str, list[Entry]] = {order_no: [] for order_no in placed}
    entries = await connection.execute(
        select(tables.entries.c.order_no, tables.entries.c.seq, tables.entries.c.body)
        .where(tables.entries.c.order_no.in_(placed))
        .order_by(tables.entries.c.seq)
    )
    for row in entries:
        logs[row.order_no].append(ENTRY.validate_python({**row.body, "seq": row.seq}))
    return {
        order_no: OrderFile(there.order, there.template, there.policy, there.calendars, tuple(logs[order_no]))
        for order_no, there in placed.items()
    }


async def record_reports(reports: Sequence[tuple[str, Report | Withdrawal]]) -> BulkOutcome:
    """Record reports that were checked before, in one transaction, and wake their orders."""
    async with transaction() as connection:
        new = await _append_and_wake(connection, reports)
    return BulkOutcome(new, len(reports) - new, {})


async def _append_and_wake(connection: AsyncConnection, reports: Sequence[tuple[str, Report | Withdrawal]]) -> int:
    new = await append_reports(connection, reports)
    reopened = {order_no for order_no, report in reports if may_reopen(report)} & set(new)
    for order_nos, reopens in ((set(new) - reopened, False), (reopened, True)):
        if order_nos:
            await _want(connection, sorted(order_nos), reopens=reopens)
    return len(new)


async def append_reports(connection: AsyncConnection, reports: Sequence[tuple[str, Report | Withdrawal]]) -> list[str]:
    """Add reports to the log, each once, and wake nobody; return the orders of the new ones."""
    if not reports:
        return []
    added = await connection.execute(
        insert(tables.entries)
        .values([row_of(order_no, report) for order_no, report in reports])
        .on_conflict_do_nothing()
        .returning(tables.entries.c.order_no)
    )
    return [row.order_no for row in added]


def row_of(order_no: str, entry: Entry) -> dict[str, Any]:
    """Return an entry as a row of the log."""
    # What takes an event back is itself an event that is told once.
    retraction = f"retracts {entry.retracts}" if isinstance(entry, Withdrawal) and entry.retracts else ""
    return {
        "order_no": order_no,
        "kind": entry.kind,
        "recorded_at": entry.recorded_at,
        "source": getattr(entry, "source", ""),
        "source_event_id": retraction or getattr(entry, "source_event_id", ""),
        "body": entry.model_dump(mode="json", exclude={"seq"}, exclude_defaults=True) | {"kind": entry.kind},
    }


async def _append(connection: AsyncConnection, order_no: str, entry: Entry) -> int | None:
    added = await connection.execute(
        insert(tables.entries).values(row_of(order_no, entry)).on_conflict_do_nothing().returning(tables.entries.c.seq)
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
