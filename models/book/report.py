"""What is told about an order's milestones: the facts, promises and answers in its log. The log only grows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Classifier(StrEnum):
    """DCSA's event classifier: planned, estimated, actual. Only ACT reaches a milestone."""

    ACT = "ACT"
    EST = "EST"
    PLN = "PLN"


class Outcome(StrEnum):
    """How an attempt at a milestone went: it has only begun, it is done, or it failed and is tried again."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class LogLine(BaseModel):
    """
    One line of an order's log.

    `seq` orders the lines and is given by the log. `recorded_at` is when the fact became known: nobody can
    know of it earlier. `by` is who said it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int = 0
    recorded_at: AwareDatetime
    by: str = ""
    note: str = ""


class Report(LogLine):
    """
    A milestone happened (ACT), is expected (EST) or is planned (PLN).

    `source` and `source_event_id` are unique together: the same pair again changes nothing. `corrects` is the
    `seq` of a report that this one replaces. `attributes` are the columns of its file that mean nothing to us.

    A report that FAILED opens its milestone again, with those that the template or `reopens` names, for the next
    round; `round` says which attempt it speaks of (the first is 1) and may be left out.
    """

    kind: Literal["report"] = "report"
    milestone: str
    occurred_at: AwareDatetime
    classifier: Classifier = Classifier.ACT
    outcome: Outcome = Outcome.DONE
    round: int | None = Field(default=None, ge=1, le=99)
    reopens: tuple[str, ...] | None = None
    quantity: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    source: str = ""
    source_event_id: str = ""
    equipment: str = ""
    attributes: dict[str, str] = {}
    corrects: int | None = None

    @model_validator(mode="after")
    def _only_what_happened_has_an_outcome(self) -> Self:
        if self.classifier is not Classifier.ACT and self.outcome is not Outcome.DONE:
            raise ValueError(f"what is only expected cannot have {self.outcome.value}")
        return self


class Withdrawal(LogLine):
    """
    A report that was wrong, without another in its place: its milestone is open again.

    It names the report by its line in the log (`corrects`), or by its `source` and the event id there (`retracts`),
    as DCSA's retractedEventID does: then it may come before what it retracts.
    """

    kind: Literal["withdrawal"] = "withdrawal"
    milestone: str
    corrects: int | None = None
    source: str = ""
    retracts: str = ""

    @model_validator(mode="after")
    def _names_one_report(self) -> Self:
        if (self.corrects is None) == (not self.retracts) or bool(self.retracts) != bool(self.source):
            raise ValueError("a withdrawal names a line of the log, or a source and its event id")
        return self


class Acknowledgement(LogLine):
    """
    Somebody took the stall on; the climb rests for as long as the policy allows.

    `milestone` may also be the code of a hard date that the forecast breaks (LC_44C ...): the decision is taken on.
    """

    kind: Literal["acknowledgement"] = "acknowledgement"
    milestone: str


class Promise(LogLine):
    """
    The party that is waited on gave a new date for a milestone; until then it is not chased.

    `approved_by` is who accepted a date with which the goods would miss their vessel or a hard date.
    """

    kind: Literal["promise"] = "promise"
    milestone: str
    promised: AwareDatetime
    approved_by: str = ""


class Problem(LogLine):
    """A step has a problem, and `note` says which. That is an answer, but it does not stop the climb."""

    kind: Literal["problem"] = "problem"
    milestone: str
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class NotMine(LogLine):
    """
    A step is not the business of whoever was asked: from now on the internal role `to` is accountable for it.

    An empty `to` gives it back to the merchandiser, who finds out whose it is.
    """

    kind: Literal["not_mine"] = "not_mine"
    milestone: str
    to: str = ""
