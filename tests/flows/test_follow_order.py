"""An order's run in Prefect from the day it comes in to the day it sails, as operations see it."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta

import pytest
from prefect.client.schemas.objects import StateType

from gendan.supervisor import Running
from models.book.changes import Cancellation, Hold, Reschedule, Resume
from models.book.report import Report
from models.terms.milestone import Milestone
from tasks.logbook import record_report
from tests.factories import a_milestone, a_report, china
from tests.flows.house import Follow, at_the_office, outbox_of, two_steps

COMPLETED, RUNNING, SCHEDULED, PAUSED, CANCELLED = (
    StateType.COMPLETED,
    StateType.RUNNING,
    StateType.SCHEDULED,
    StateType.PAUSED,
    StateType.CANCELLED,
)


def a_chain(length: int) -> list[Milestone]:
    """Build milestones one after the other, a day apart, up to departure."""
    return [
        a_milestone(f"STEP_{n:02d}", offset=n - length, after=(f"STEP_{n - 1:02d}",) if n > 1 else ())
        for n in range(1, length + 1)
    ]


async def test_a_run_has_its_orders_number_and_waits_under_the_name_of_what_is_awaited(follow: Follow) -> None:
    order = await follow()
    run = await order.run()

    assert run.name == order.order_no
    assert run.parameters == {"order_no": order.order_no}
    assert run.state is not None
    assert (run.state.type, run.state.name) == (PAUSED, "Awaiting bulk fabric in-house")
    assert "FAB_IN Bulk fabric in-house" in (run.state.message or "")
    assert set(run.tags) == {"customer:ACME", "stage:materials"}
    assert (await order.row()).waits_for == run.state.name


async def test_a_milestone_that_is_waited_for_is_one_running_bar_however_often_the_order_wakes(follow: Follow) -> None:
    order = await follow()
    first = await order.bars()
    for day in (2, 3, 4):
        await order.advance(china(day, month=10))

    again = await order.bars()
    assert {code: bar.id for code, bar in again.items()} == {"FAB_IN": first["FAB_IN"].id}
    assert again["FAB_IN"].name == "FAB_IN Bulk fabric in-house, due Fri 20 Nov"
    assert await order.looks() == {"FAB_IN": (RUNNING, "Waiting")}
    assert again["FAB_IN"].state_id == first["FAB_IN"].state_id, "the bar was drawn again without news"
    assert (await order.row()).wakes == 4


async def test_a_stall_is_an_amber_bar_a_badge_a_tag_and_a_message_rung_by_rung(
    follow: Follow, gendan: Running
) -> None:
    order = await follow()
    bar = (await order.bars())["FAB_IN"].id
    for rung, role in (("L1", "MER"), ("L2", "PROD"), ("L3", "SALES"), ("L4", "GM")):
        await order.climb()

        assert await order.looks() == {"FAB_IN": (SCHEDULED, f"Overdue {rung}")}
        told = (await order.notices())[-1]
        assert (told.rung, told.role, told.milestone) == (rung, role, "FAB_IN")
        sent = (await order.messages())[-1]
        assert sent.kind == "direct"
        assert sent.subject in outbox_of(gendan)
        assert f"{rung} to {role}" in {run.name for run in await order.task_runs()}

    run = await order.run()
    assert run.state is not None
    assert run.state.name == "Stalled: bulk fabric in-house"
    assert "(L4)" in (run.state.message or "")
    assert set(run.tags) == {"customer:ACME", "stage:materials", "stalled"}
    assert (await order.bars())["FAB_IN"].id == bar
    assert (await order.row()).next_wake_up is None, "after the last rung only a report can change anything"


@pytest.mark.parametrize(
    ("day", "look"),
    [
        (20, "Done"),  # the day that it was due
        (23, "Done late"),  # the working day after
    ],
)
async def test_a_report_closes_its_bar_and_opens_the_next(follow: Follow, day: int, look: str) -> None:
    order = await follow()
    await order.advance(china(day), a_report("FAB_IN", china(day)))

    assert await order.looks() == {"FAB_IN": (COMPLETED, look), "CUT_START": (RUNNING, "Waiting")}
    assert (await order.state()).name == "Awaiting cutting started"
    assert set((await order.run()).tags) == {"customer:ACME", "stage:production"}


async def test_a_stall_that_is_reported_done_is_stalled_no_more(follow: Follow) -> None:
    order = await follow()
    await order.climb()
    assert "stalled" in (await order.run()).tags

    await order.advance(china(23, 11), a_report("FAB_IN", china(23, 10)))

    assert "stalled" not in (await order.run()).tags
    assert (await order.looks())["FAB_IN"] == (COMPLETED, "Done late")


async def test_the_sheet_is_one_artifact_that_is_kept_up_to_date(follow: Follow) -> None:
    order = await follow()
    (first,) = await order.sheets()
    await order.advance(china(1, 17, month=10))
    (unchanged,) = await order.sheets()
    await order.advance(china(19), a_report("FAB_IN", china(19)))
    (updated,) = await order.sheets()

    assert first.type == "markdown"
    assert order.order_no in str(first.data)
    assert unchanged.updated == first.updated, "the sheet was written again without news"
    assert updated.id == first.id
    assert updated.data != first.data


async def test_a_hold_turns_the_bar_grey_and_resuming_gives_it_its_colour_back(follow: Follow) -> None:
    order = await follow()
    await order.record(lambda file, now: Hold(recorded_at=now, by="Wang"))

    run = await order.run()
    assert run.state is not None
    assert (run.state.type, run.state.name) == (PAUSED, "On hold")
    assert "Wang" in (run.state.message or "")
    assert "on-hold" in run.tags
    assert await order.looks() == {"FAB_IN": (PAUSED, "On hold")}

    await order.record(lambda file, now: Resume(recorded_at=now))
    assert await order.looks() == {"FAB_IN": (RUNNING, "Waiting")}
    assert (await order.state()).name == "Awaiting bulk fabric in-house"
    assert "on-hold" not in (await order.run()).tags


async def test_a_cancelled_order_ends_its_run_and_calls_off_what_it_waited_for(follow: Follow) -> None:
    order = await follow()
    await order.record(lambda file, now: Cancellation(recorded_at=now))

    state = await order.ended()
    assert (state.type, state.name) == (COMPLETED, "Cancelled")
    assert await order.looks() == {"FAB_IN": (CANCELLED, "Called off")}
    assert await order.inputs() == {}, "a run that has ended offers no form"


async def test_another_etd_moves_the_dates_and_takes_the_stall_back(follow: Follow) -> None:
    order = await follow()
    await order.climb()
    before = (await order.sheets())[0].data

    await order.record(lambda file, now: Reschedule(recorded_at=now, etd=date(2027, 1, 31)))

    assert await order.looks() == {"FAB_IN": (RUNNING, "Waiting")}
    assert "stalled" not in (await order.run()).tags
    (sheet,) = await order.sheets()
    assert sheet.data != before
    assert "31 Jan 2027" in str(sheet.data)
    (bar,) = (await order.bars()).values()
    assert bar.name == "FAB_IN Bulk fabric in-house, due Mon 21 Dec"


async def test_an_order_without_etd_says_so_once_and_its_form_takes_the_date(follow: Follow) -> None:
    order = await follow(etd=None)
    run = await order.run()
    assert run.state is not None
    assert (run.state.type, run.state.name) == (PAUSED, "Awaiting an ETD")
    assert "no-etd" in run.tags
    assert [(told.rung, told.role) for told in await order.notices()] == [("NOTE", "MER")]
    (form,) = (await order.inputs()).values()
    assert '"etd"' in form
    assert '"milestone"' not in form

    await order.answer(etd="2026-12-31T00:00:00+08:00", note="as the customer wrote")

    assert (await order.state()).name == "Awaiting bulk fabric in-house"
    assert "no-etd" not in (await order.run()).tags
    assert (await order.bars())["FAB_IN"].name == "FAB_IN Bulk fabric in-house, due Fri 20 Nov"
    assert len(await order.notices()) == 1


async def test_an_order_that_has_sailed_ends_completed(follow: Follow) -> None:
    order = await follow(two_steps())
    await order.advance(china(20), a_report("FAB_IN", china(20)))
    await order.advance(china(30, month=12), a_report("DEPARTED", china(30, month=12)))

    state = await order.ended()
    assert (state.type, state.name) == (COMPLETED, "Sailed on time")
    assert await order.looks() == {"FAB_IN": (COMPLETED, "Done"), "DEPARTED": (COMPLETED, "Done")}
    assert (await order.row()).closed_as == "closed"
    assert {tag for tag in (await order.run()).tags if tag.startswith("stage:")} == set()


async def test_a_bar_left_by_a_wake_up_that_was_cut_off_is_taken_over(follow: Follow) -> None:
    order = await follow()
    bar = (await order.bars())["FAB_IN"].id
    await order.set(shown={}, page={})
    await order.advance(china(20), a_report("FAB_IN", china(20)))

    assert (await order.bars())["FAB_IN"].id == bar
    assert await order.looks() == {"FAB_IN": (COMPLETED, "Done"), "CUT_START": (RUNNING, "Waiting")}


async def test_an_order_taken_in_in_mid_season_shows_all_that_is_done_in_its_first_wake_up(follow: Follow) -> None:
    chain = a_chain(24)
    done = [a_report(step.code, china(day, month=12)) for day, step in enumerate(chain[:20], start=1)]
    order = await follow(at_the_office(*chain), *done, clock=china(21, month=12))

    looks = await order.looks()
    assert len(looks) == 21
    assert [looks[step.code][0] for step in chain[:20]] == [COMPLETED] * 20
    assert looks["STEP_21"][0] is not COMPLETED
    row = await order.row()
    assert row.wakes == 1
    assert len([run for run in await order.task_runs() if run.name.startswith("STEP_")]) == 21


async def test_no_report_is_lost_that_comes_while_its_order_is_awake(follow: Follow) -> None:
    chain = a_chain(6)
    clock = china(23, month=12)
    orders = await asyncio.gather(*(follow(at_the_office(*chain), clock=clock) for _ in range(5)))
    dice = random.Random(417)

    async def tell(order_no: str, milestone: str) -> None:
        await asyncio.sleep(dice.uniform(0, 2))
        recorded = await record_report(
            order_no,
            lambda placed: Report(
                recorded_at=placed.now, milestone=milestone, occurred_at=placed.now - timedelta(hours=1)
            ),
        )
        assert recorded.is_new

    await asyncio.gather(*(tell(order.order_no, step.code) for order in orders for step in chain))

    for order in orders:
        await order.asleep()
        state = await order.ended()
        assert (state.type, state.name) == (COMPLETED, "Sailed on time")
        assert len((await order.file()).entries) == len(chain)
        assert (await order.row()).wakes > 2, "it was to be woken while it was told"
