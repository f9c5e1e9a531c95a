"""Keeping the baseline: the plan as it was agreed, written into the order's log once for each version."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from models import tables
from models.book.changes import Baseline
from tasks.database import transaction

SOURCE = "gendan:baseline"


async def keep_baseline(order_no: str, baseline: Baseline) -> None:
    """Add the baseline to the order's log, unless that version has one; nobody is woken by it."""
    async with transaction() as connection:
        await connection.execute(
            insert(tables.entries)
            .values(
                order_no=order_no,
                kind=baseline.kind,
                recorded_at=baseline.recorded_at,
                source=SOURCE,
                source_event_id=f"{order_no}/{baseline.version}",
                body=baseline.model_dump(mode="json", exclude={"seq"}),
            )
            .on_conflict_do_nothing()
        )
