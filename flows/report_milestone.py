"""Report a milestone, or answer for it: the parameters are a form in the Prefect UI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from models.accepting.intake import spelt
from models.book.report import Classifier, Outcome, Report, Withdrawal
from models.errors import Refused
from models.moments import must_be_of_our_time
from tasks.answering import record_answer
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
    answer: Literal["report", "ack", "promise", "problem", "not-mine"] = "report",
    promised_for: datetime | None = None,
    approved_by: str = "",
    to: str = "",
    by: str = "",
) -> State[Any]:
    """
    Report that a milestone of an order happened, failed, or when it is expected; or answer for one that is chased.

    Without `happened_at` it happened now. What failed is open again, with the steps in `reopens` or those that its
    template names. `retracts` takes an event of `source` back instead, also before it came. The same `source` and
    `source_event_id` again change nothing.

    The other answers take the stall on (`ack`), give a new date (`promise`: `promised_for`, and `approved_by` where
    it is too late for the ship date), name a `problem` (in `note`), or say that the step is another role's (`not-mine`:
    `to`; without it the merchandiser finds out). `by` is who answers.

    What is refused ends the run as failed, with the reason as its message; nothing is recorded then.
    """
    by = by.strip() or BY
    for field, moment in (("happened_at", happened_at), ("promised_for", promised_for)):
        if moment is not None:
            must_be_of_our_time(moment, f"{field} {moment.isoformat()}")
    if answer != "report":
        reported = (happened_at, classifier, outcome, round, reopens, quantity, source, source_event_id, retracts)
        if reported != (None, "ACT", "done", None, None, None, "", "", ""):
            raise Refused(
                f"The answer {answer} takes no date, outcome, quantity or source of a report: leave them out."
            )
        said = await record_answer(
            order_no.strip(), answer, milestone, until=promised_for, approved_by=approved_by, to=to, note=note, by=by
        )
        return Completed(name="Recorded", message=said)
    if promised_for is not None or approved_by or to:
        raise Refused("promised_for and approved_by belong to the answer promise, and to to not-mine: choose it.")
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
                recorded_at=placed.now, by=by, note=note, milestone=code, source=source, retracts=retracts
            )
        return Report(
            recorded_at=placed.now,
            by=by,
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
