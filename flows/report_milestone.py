"""Report a milestone: its parameters are a form in the Prefect UI."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from models.errors import Refused
from models.report import Classifier, Report
from tasks.logbook import Placed, record_report


@flow(name="report-milestone", persist_result=False)
async def report_milestone(
    order_no: str,
    milestone: str,
    happened_at: datetime | None = None,
    classifier: Literal["ACT", "EST", "PLN"] = "ACT",
    quantity: float | None = None,
    note: str = "",
    source: str = "",
    source_event_id: str = "",
) -> State[Any]:
    """
    Report that a milestone of an order happened, or when it is expected.

    Without `happened_at` it happened now. The same `source` and `source_event_id` again change nothing. What is
    refused ends the run as failed, with the reason as its message; nothing is recorded then.
    """
    if happened_at is not None and happened_at.tzinfo is None:
        raise Refused(f"happened_at {happened_at.isoformat()} has no zone: add Z or an offset such as +08:00.")

    def make(placed: Placed) -> Report:
        return Report(
            recorded_at=placed.now,
            by="Prefect form",
            note=note,
            milestone=milestone.strip(),
            occurred_at=happened_at or placed.now,
            classifier=Classifier(classifier),
            quantity=quantity,
            source=source,
            source_event_id=source_event_id,
        )

    recorded = await record_report(order_no.strip(), make)
    if recorded.is_new:
        return Completed(name="Recorded", message=f"{order_no}: {milestone} recorded.")
    return Completed(name="Known already", message=f"{source} {source_event_id} was recorded before; nothing changed.")
