"""What is told about an order: the entries of its log. The log is only ever added to."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from models.order import Etd


class Classifier(StrEnum):
    """DCSA's event classifier: planned, estimated, actual. Only ACT reaches a milestone."""

    ACT = "ACT"
    EST = "EST"
    PLN = "PLN"


class _Entry(BaseModel):
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


class Report(_Entry):
    """
    A milestone happened (ACT), is expected (EST) or is planned (PLN).

    `source` and `source_event_id` are unique together: the same pair again changes nothing. `corrects` is the
    `seq` of a report that this one replaces. `attributes` are the columns of its file that mean nothing to us.
    """

    kind: Literal["report"] = "report"
    milestone: str
    occurred_at: AwareDatetime
    classifier: Classifier = Classifier.ACT
    quantity: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    source: str = ""
    source_event_id: str = ""
    equipment: str = ""
    attributes: dict[str, str] = {}
    corrects: int | None = None


class Withdrawal(_Entry):
    """A report that was wrong, without another in its place: its milestone is open again."""

    kind: Literal["withdrawal"] = "withdrawal"
    milestone: str
    corrects: int


class Acknowledgement(_Entry):
    """Somebody took the stall on; the climb rests for as long as the ladder allows."""

    kind: Literal["acknowledgement"] = "acknowledgement"
    milestone: str


class Promise(_Entry):
    """The party that is waited on gave a new date for a milestone; until then it is not chased."""

    kind: Literal["promise"] = "promise"
    milestone: str
    promised: AwareDatetime


class Hold(_Entry):
    """The order rests: nobody is chased."""

    kind: Literal["hold"] = "hold"


class Resume(_Entry):
    """The order goes on."""

    kind: Literal["resume"] = "resume"


class Cancellation(_Entry):
    """The order is off: everything waited for falls silent."""

    kind: Literal["cancellation"] = "cancellation"


class Reschedule(_Entry):
    """The order has another ETD."""

    kind: Literal["reschedule"] = "reschedule"
    etd: Etd


class Unfollowed(_Entry):
    """Somebody cancelled the order's run in Prefect: Gendan no longer follows the order, and says so."""

    kind: Literal["unfollowed"] = "unfollowed"


class Followed(_Entry):
    """The order is followed again, from where it is."""

    kind: Literal["followed"] = "followed"


Entry = (
    Report | Withdrawal | Acknowledgement | Promise | Hold | Resume | Cancellation | Reschedule | Unfollowed | Followed
)
ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])
