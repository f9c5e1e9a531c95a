"""The Resume form in Prefect: what it offers, what an answer in it does, and what a hasty answer does not."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus

from models.book.report import Acknowledgement, NotMine, Problem, Promise, Report
from models.escalation.owner import owner_of
from tasks.database import transaction
from tasks.logbook import append_reports
from tests.factories import CUTTING, DEPARTURE, FABRIC, SEWING, a_milestone, a_report, china
from tests.flows.house import Follow, Following, at_the_office, two_steps

TRIMS = a_milestone("TRIM_IN", offset=-41)


async def form_of(order: Following) -> dict[str, Any]:
    """Return the form that the order's page offers; more than one kept fails."""
    (form,) = (await order.inputs()).values()
    return dict(json.loads(form))


def choices(form: dict[str, Any]) -> list[str]:
    """Return what the form's drop-down offers."""
    field = form["properties"]["milestone"]
    offered = field.get("enum") or next(
        one["enum"] for ref in form["definitions"].values() for one in [ref] if "enum" in one
    )
    return list(offered)


async def test_the_form_offers_what_is_open_and_nothing_else(follow: Follow) -> None:
    cutting = CUTTING.model_copy(update={"after": ("FAB_IN", "TRIM_IN")})
    departure = DEPARTURE.model_copy(update={"after": ("CUT_START",)})
    order = await follow(at_the_office(FABRIC, TRIMS, cutting, departure))
    assert choices(await form_of(order)) == ["FAB_IN Bulk fabric in-house", "TRIM_IN Trim_in"]

    await order.advance(china(5), a_report("FAB_IN", china(5)))
    form = await form_of(order)
    assert choices(form) == ["TRIM_IN Trim_in"]
    assert set(form["properties"]) == {
        "milestone", "answer", "happened_at", "promised", "to", "quantity", "note", "by",
    }  # fmt: skip
    assert form["properties"]["happened_at"]["format"] == "date-time"
    assert not form.get("required"), "a wake-up of ours resumes with an empty form"

    await order.advance(china(6), a_report("TRIM_IN", china(6)))
    assert choices(await form_of(order)) == ["CUT_START Cutting started"]


async def test_an_answer_that_it_happened_is_recorded_as_a_report(follow: Follow) -> None:
    order = await follow()
    await order.advance(china(19))
    await order.answer(
        milestone="FAB_IN Bulk fabric in-house", happened_at="2026-11-18T15:30:00+08:00", note="two rolls short"
    )

    (report,) = (await order.file()).entries
    assert isinstance(report, Report)
    assert (report.milestone, report.occurred_at, report.note) == ("FAB_IN", china(18, 15, 30), "two rolls short")
    assert report.by == "Prefect form"
    assert (await order.state()).name == "Awaiting cutting started"


async def test_an_answer_with_a_part_of_the_quantity_leaves_the_milestone_open(follow: Follow) -> None:
    template = at_the_office(
        SEWING.model_copy(update={"after": ()}), DEPARTURE.model_copy(update={"after": ("SEW_END",)})
    )
    order = await follow(template, quantity=3600)
    await order.advance(china(10, month=12))
    sewing = "SEW_END Sewing done"
    await order.answer(milestone=sewing, happened_at="2026-12-09T18:00:00+08:00", quantity=1200)
    assert choices(await form_of(order)) == [sewing]
    assert "SEW_END" in (await order.looks())

    await order.answer(milestone=sewing, happened_at="2026-12-10T09:00:00+08:00", quantity=2400)
    assert choices(await form_of(order)) == ["DEPARTED Vessel departed"]


async def test_an_answer_with_a_new_date_is_a_promise_and_stops_the_chasing(follow: Follow) -> None:
    order = await follow()
    await order.climb()
    await order.answer(milestone="FAB_IN Bulk fabric in-house", promised="2026-11-27T00:00:00+08:00")

    (promise,) = (await order.file()).entries
    assert isinstance(promise, Promise)
    assert (promise.milestone, promise.promised) == ("FAB_IN", china(27, 0))
    assert (await order.looks())["FAB_IN"] == (StateType.RUNNING, "Promised")
    assert "stalled" not in (await order.run()).tags


FAB = "FAB_IN Bulk fabric in-house"


async def test_who_is_asked_takes_it_on_names_a_problem_or_says_that_it_is_not_his(follow: Follow) -> None:
    order = await follow()
    await order.climb()
    form = await form_of(order)
    assert form["properties"]["answer"]["enum"] == ["it happened, or a new date", "taken on", "problem", "not mine"]
    assert "QC Quality control" in form["properties"]["to"]["enum"]
    assert not [role for role in form["properties"]["to"]["enum"] if role.startswith("BUYER")]

    await order.answer(milestone=FAB, answer="taken on", by="Li Wei", note="calling the mill")
    await order.answer(milestone=FAB, answer="problem", note="off shade", by="Li Wei")
    await order.answer(milestone=FAB, answer="not mine", to="QC Quality control")
    await order.answer(milestone=FAB, answer="not mine", by="Zhang")

    file = await order.file()
    taken_on, problem, handed_on, given_back = file.entries
    assert isinstance(taken_on, Acknowledgement)
    assert (taken_on.milestone, taken_on.by, taken_on.note) == ("FAB_IN", "Li Wei", "calling the mill")
    assert isinstance(problem, Problem)
    assert (problem.milestone, problem.by, problem.note) == ("FAB_IN", "Li Wei", "off shade")
    assert isinstance(handed_on, NotMine)
    assert (handed_on.milestone, handed_on.by, handed_on.to) == ("FAB_IN", "Prefect form", "QC")
    assert isinstance(given_back, NotMine)
    assert (given_back.by, given_back.to) == ("Zhang", "")
    assert owner_of(file, file.entries, "FAB_IN") == "MER"


async def test_the_decision_about_a_hard_date_that_breaks_may_be_taken_on(follow: Follow) -> None:
    order = await follow(two_steps(), ship_by=date(2026, 12, 31))
    assert choices(await form_of(order)) == [FAB]

    await order.advance(china(4, month=1, year=2027))
    window = choices(await form_of(order))[-1]
    assert window.startswith("SHIP_WINDOW ")
    await order.answer(milestone=window, answer="taken on", by="Chen, GM")

    (decision,) = (await order.file()).entries
    assert isinstance(decision, Acknowledgement)
    assert (decision.milestone, decision.by) == ("SHIP_WINDOW", "Chen, GM")


HAPPENED = "2026-11-18T15:30:00+08:00"
USELESS: dict[str, tuple[dict[str, Any], str]] = {
    "only a note": ({"note": "on its way"}, "choose the milestone"),
    "no date": ({"milestone": FAB}, "say when it happened, or give a new promised date"),
    "no milestone": ({"happened_at": HAPPENED}, "choose the milestone"),
    "both dates": ({"milestone": FAB, "happened_at": HAPPENED, "promised": "2026-11-27T00:00:00+08:00"}, "not both"),
    "a promise in the past": ({"milestone": FAB, "promised": "2026-11-02T00:00:00+08:00"}, "must lie in the future"),
    "it happens in the future": ({"milestone": FAB, "happened_at": "2026-11-27T00:00:00+08:00"}, "in the future"),
    "before the order": ({"milestone": FAB, "happened_at": "2026-09-01T00:00:00+08:00"}, "before the order was placed"),
    "nothing of it": ({"milestone": FAB, "happened_at": HAPPENED, "quantity": 0}, "more than 0"),
    "less than nothing": ({"milestone": FAB, "happened_at": HAPPENED, "quantity": -5}, "more than 0"),
    "a problem that nobody names": ({"milestone": FAB, "answer": "problem", "note": " "}, "what the problem is"),
    "taken on, with a date": ({"milestone": FAB, "answer": "taken on", "happened_at": HAPPENED}, "not both"),
    "another role for what happened": ({"milestone": FAB, "to": "QC Quality control"}, "answer 'not mine'"),
    "whose it is already": (
        {"milestone": FAB, "answer": "not mine", "to": "PUR Purchasing"},
        "PUR is accountable for FAB_IN already",
    ),
    "no timestamp": ({"milestone": FAB, "happened_at": "last Tuesday"}, "is no date"),
    "no zone": ({"milestone": FAB, "happened_at": "2026-11-18T15:30:00"}, "without a zone"),
    "the year 9999": ({"milestone": FAB, "promised": "9999-12-31T00:00:00Z"}, "outside the years"),
}


async def test_a_useless_answer_puts_the_order_back_to_waiting_and_says_why_and_the_next_is_taken(
    follow: Follow,
) -> None:
    """All at once, an order for each: the worker looks for what a person resumed once in a second."""

    async def answer(fields: dict[str, Any]) -> Following:
        order = await follow()
        await order.advance(china(19))
        await order.answer(**fields)
        return order

    orders = dict(zip(USELESS, await asyncio.gather(*(answer(f) for f, _ in USELESS.values())), strict=True))
    for name, order in orders.items():
        state = await order.state()
        assert (state.type, state.name) == (StateType.PAUSED, "Awaiting bulk fabric in-house"), name
        assert USELESS[name][1] in (state.message or ""), name
        assert "FAB_IN" in (state.message or "").split(" — ")[-1], f"{name}: it still says what it waits for"
        assert (await order.file()).entries == (), name
        assert choices(await form_of(order)) == [FAB], name

    await asyncio.gather(*(order.answer(milestone=FAB, happened_at=HAPPENED) for order in orders.values()))
    for name, order in orders.items():
        state = await order.state()
        assert (state.type, state.name) == (StateType.PAUSED, "Awaiting cutting started"), name
        assert "Not accepted" not in (state.message or ""), name
        assert len(await order.inputs()) == 1, f"{name}: of all forms and answers only the present form is kept"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"milestone": "DEPARTED Vessel departed", "happened_at": HAPPENED}, "is not one of"),  # not open
        ({"milestone": FAB, "happened_at": HAPPENED, "quantity": "many"}, "is not"),  # not a number
        ({"milestone": FAB, "answer": "not mine", "to": "BUYER Buyer"}, "is not one of"),  # no role of ours
    ],
)
async def test_what_the_form_cannot_hold_is_refused_by_prefect_and_wakes_nobody(
    follow: Follow, fields: dict[str, Any], why: str
) -> None:
    order = await follow()
    refused = await order.submit(**fields)

    assert refused.status is SetStateStatus.REJECT
    assert why in refused.details.reason
    assert (await order.state()).type is StateType.PAUSED
    assert (await order.row()).wakes == 1


async def test_a_promise_for_what_was_reported_meanwhile_is_refused(follow: Follow) -> None:
    order = await follow()
    await order.advance(china(19))
    async with transaction() as connection:  # told, and its order was not woken yet
        await append_reports(connection, [(order.order_no, a_report("FAB_IN", china(19)))])
    await order.answer(milestone=FAB, promised="2026-11-27T00:00:00+08:00")

    state = await order.state()
    assert (state.type, state.name) == (StateType.PAUSED, "Awaiting cutting started")
    assert "does not wait for FAB_IN now; it waits for CUT_START. FAB_IN is done since" in (state.message or "")
    assert [entry.kind for entry in (await order.file()).entries] == ["report"]


async def test_an_empty_form_wakes_the_order_and_changes_nothing(follow: Follow) -> None:
    order = await follow()
    await order.answer()

    state = await order.state()
    assert (state.type, state.name) == (StateType.PAUSED, "Awaiting bulk fabric in-house")
    assert "Not accepted" not in (state.message or "")
    assert await order.looks() == {"FAB_IN": (StateType.RUNNING, "Waiting")}


async def test_an_answer_after_many_wake_ups_is_taken_and_nothing_is_kept_of_it(follow: Follow) -> None:
    order = await follow()
    for day in range(2, 8):
        await order.advance(china(day, month=10))
    await order.answer(milestone=FAB, happened_at="2026-10-06T09:00:00+08:00")
    await order.answer(
        milestone="CUT_START Cutting started", promised=(china(8, month=10) + timedelta(days=9)).isoformat()
    )

    kinds = [entry.kind for entry in (await order.file()).entries]
    assert kinds == ["report", "promise"]
    assert len(await order.inputs()) == 1
    assert isinstance((await order.row()).next_wake_up, datetime)
