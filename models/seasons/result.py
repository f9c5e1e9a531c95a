"""The results file: what became of the orders, and which messages went out (formats.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer

from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.decide import NOTE
from models.status.lateness import days_behind, departs_late
from models.status.standing import Standing, standing


def _to_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Utc = Annotated[
    AwareDatetime, AfterValidator(_to_utc), PlainSerializer(datetime.isoformat, return_type=str, when_used="json")
]
"""An instant, in UTC and written with +00:00."""

_RUNGS = ("L1", "L2", "L3", "L4")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class MilestoneResult(_Value):
    """A milestone's due instant, when it was reached in full, and the quantity counted so far."""

    due: Utc | None
    reached_at: Utc | None
    quantity: int | float | None


class OrderResult(_Value):
    """
    What became of one order.

    `etd` is a date where the customer gave a date. `days_late` are calendar days against `etd`, negative where
    the goods left early, and null while they have not left or there is no `etd`; `late` is false then.
    """

    order_no: str
    state: OrderState
    etd: Utc | date | None
    departed_at: Utc | None
    days_late: float | None
    late: bool
    milestones: dict[str, MilestoneResult]


class MessageResult(_Value):
    """One message: when it was due to be said, of which stall, on which rung, and to which role."""

    at: Utc
    order_no: str
    milestone: str
    rung: str
    recipient: str
    due: Utc


class Summary(_Value):
    """Counts. `open` are all that are not closed, cancelled or lost; `messages` are counted by rung."""

    orders: int
    closed: int
    late: int
    open: int
    waiting_for_date: int
    messages: dict[str, int]


class Result(_Value):
    """A whole results file; `model_dump_json` writes it, `model_validate_json` reads it."""

    orders: tuple[OrderResult, ...]
    messages: tuple[MessageResult, ...]
    summary: Summary


def result_of(files: Iterable[OrderFile], messages: Iterable[MessageResult], at: datetime) -> Result:
    """Say where each order stands at `at`, in the order of `files`; messages are sorted by their time."""
    orders = tuple(_order_result(file, standing(file, at)) for file in files)
    sent = tuple(sorted(messages, key=lambda m: (m.at, m.order_no, m.milestone, m.rung, m.recipient, m.due)))
    return Result(orders=orders, messages=sent, summary=_summary(orders, sent))


def _order_result(file: OrderFile, at: Standing) -> OrderResult:
    departed = at.departed_at
    days_late: float | None = None
    late = False
    if departed is not None and at.etd is not None:
        days_late = days_behind(at.etd, departed, file.calendar)
        late = departs_late(at.etd, departed, file.calendar)
    return OrderResult(
        order_no=file.order.order_no,
        state=at.state,
        etd=at.etd,
        departed_at=departed,
        days_late=days_late,
        late=late,
        milestones={code: _milestone_result(at, code) for code in file.template.codes},
    )


def _milestone_result(at: Standing, code: str) -> MilestoneResult:
    reached = at.reached.get(code)
    quantity = at.counted.get(code, reached.quantity if reached else None)
    return MilestoneResult(
        due=at.due.get(code),
        reached_at=reached.at if reached else None,
        quantity=int(quantity) if quantity is not None and quantity.is_integer() else quantity,
    )


def _summary(orders: tuple[OrderResult, ...], messages: tuple[MessageResult, ...]) -> Summary:
    said = Counter(message.rung for message in messages)
    return Summary(
        orders=len(orders),
        closed=sum(order.state is OrderState.CLOSED for order in orders),
        late=sum(order.late for order in orders),
        open=sum(not order.state.is_over for order in orders),
        waiting_for_date=sum(order.state is OrderState.WAITING_FOR_DATE for order in orders),
        messages={rung: said[rung] for rung in sorted({*_RUNGS, *said} - {NOTE})} | {NOTE: said[NOTE]},
    )


def differences(a: Result, b: Result) -> list[str]:
    """
    Name each difference between the orders and the messages of two results, one readable line each.

    An empty list means that both say the same of every order, and say it to the same people at the same
    instants. The sequence of the orders does not matter.
    """
    return [*_order_differences(a, b), *_message_differences(a, b)]


def _order_differences(a: Result, b: Result) -> Iterator[str]:
    first = _by_order_no(a)
    second = _by_order_no(b)
    for order_no in dict.fromkeys([*first, *second]):
        ours, theirs = first.get(order_no, []), second.get(order_no, [])
        if len(ours) != len(theirs):
            yield f"order {order_no}: {len(ours)} times in the first, {len(theirs)} times in the second"
            continue
        for one, other in zip(ours, theirs, strict=True):
            for name in OrderResult.model_fields:
                if name != "milestones" and getattr(one, name) != getattr(other, name):
                    yield f"order {order_no}: {name} {_said(getattr(one, name))} / {_said(getattr(other, name))}"
            yield from _milestone_differences(one, other)


def _milestone_differences(a: OrderResult, b: OrderResult) -> Iterator[str]:
    for code in dict.fromkeys([*a.milestones, *b.milestones]):
        one, other = a.milestones.get(code), b.milestones.get(code)
        if one is None or other is None:
            yield f"order {a.order_no}: milestone {code} only in the {'second' if one is None else 'first'}"
            continue
        for name in MilestoneResult.model_fields:
            if getattr(one, name) != getattr(other, name):
                said, answered = _said(getattr(one, name)), _said(getattr(other, name))
                yield f"order {a.order_no}: {code} {name} {said} / {answered}"


def _message_differences(a: Result, b: Result) -> Iterator[str]:
    first, second = Counter(a.messages), Counter(b.messages)
    only = [(m, "first") for m in (first - second).elements()] + [(m, "second") for m in (second - first).elements()]
    for message, where in sorted(only, key=lambda one: (one[0].at, one[0].order_no, one[0].milestone, one[0].rung)):
        yield (
            f"message only in the {where}: {_said(message.at)} order {message.order_no} {message.milestone} "
            f"{message.rung} to {message.recipient} (due {_said(message.due)})"
        )


def _by_order_no(result: Result) -> dict[str, list[OrderResult]]:
    found: dict[str, list[OrderResult]] = {}
    for order in result.orders:
        found.setdefault(order.order_no, []).append(order)
    return found


def _said(value: object) -> str:
    if value is None:
        return "none"
    return value.isoformat() if isinstance(value, date) else str(value)
