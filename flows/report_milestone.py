"""Report a milestone: its parameters are a form in the Prefect UI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from models.errors import Refused
from models.intake import spelt
from models.report import Classifier, Outcome, Report, Withdrawal
from tasks.logbook import Placed, record_report

BY = "Prefect form"


@flow(name="report-milestone", persist_result=False)
async def report_milestone(
    order_no: str,
    milestone: str,
    happened_at: datetime | None = None,
    classifier: Literal["ACT", "EST", "PLN"] = "ACT",
    outcome: Literal["done", "failed", "started"] = "done",
    round: Annotated[int, Field(ge=1, le=99)] | None = None,
    reopens: list[str] | None = None,
    quantity: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
    note: str = "",
    source: str = "",
    source_event_id: str = "",
    retracts: str = "",
) -> State[Any]:
    """
    Report that a milestone of an order happened, failed, or when it is expected.

    Without `happened_at` it happened now. What failed is open again, with the steps in `reopens` or those that its
    template names. `retracts` takes an event of `source` back instead, also before it came. The same `source` and
    `source_event_id` again change nothing. What is refused ends the run as failed, with the reason as its message;
    nothing is recorded then.
    """
    if happened_at is not None and happened_at.tzinfo is None:
        raise Refused(f"happened_at {happened_at.isoformat()} has no zone: add Z or an offset such as +08:00.")
    if classifier != "ACT" and outcome != "done":
        raise Refused(f"What is only expected ({classifier}) cannot have {outcome}; report it as ACT once it has.")
    if retracts and not source:
        raise Refused(f"Event {retracts} is to be taken back, and nobody says whose it is: give its source.")

    def make(placed: Placed) -> Report | Withdrawal:
        codes = placed.template.codes
        code = spelt(milestone.strip(), codes)
        if retracts:
            return Withdrawal(
                recorded_at=placed.now, by=BY, note=note, milestone=code, source=source, retracts=retracts
            )
        return Report(
            recorded_at=placed.now,
            by=BY,
            note=note,
            milestone=code,
            occurred_at=happened_at or placed.now,
            classifier=Classifier(classifier),
            outcome=Outcome(outcome),
            round=round,
            reopens=tuple(spelt(step.strip(), codes) for step in reopens) if reopens else None,
            quantity=quantity,
            source=source,
            source_event_id=source_event_id,
        )

    recorded = await record_report(order_no.strip(), make)
    event = f"{source} {source_event_id or retracts}"
    if not recorded.is_new:
        return Completed(name="Known already", message=f"{event} was recorded before; nothing changed.")
    said = f"{order_no}: {event} is taken back." if retracts else f"{order_no}: {milestone} recorded."
    return Completed(name="Recorded", message=f"{said} {recorded.remark}".strip())
