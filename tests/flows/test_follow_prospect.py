"""A prospect's run in Prefect from the enquiry to a registered order or a reason, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import date, datetime, timedelta
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed, Failed, Running
from sqlalchemy import func, select

from gendan.supervisor import Running as House
from models import tables
from models.book.changes import Contact, Followed, Hold, Lost, QuotationValid, Resume, Won
from models.book.order import OrderKind
from models.terms.milestone import Milestone
from models.terms.template import Template
from tasks.clock import now
from tasks.database import transaction
from tasks.logbook import record_entry
from tasks.prospects import win
from tasks.waking import DEPLOYMENTS
from tasks.watching import mend_ended, mend_missing, mend_stuck
from tests.factories import a_milestone, a_report, an_order, china
from tests.flows.house import Follow, Following, at_the_office, eventually, house_of, outbox_of

RUNNING, PAUSED, COMPLETED = StateType.RUNNING, StateType.PAUSED, StateType.COMPLETED
CAME_IN = china(1, month=10)
HOPED_FOR = date(2026, 12, 24)

STEPS = (
    a_milestone("ENQ_RCVD", offset=-30),
    a_milestone("QUOTE_SENT", offset=-24, after=("ENQ_RCVD",)),
    a_milestone("CONTRACT", after=("QUOTE_SENT",)),
)


def prospects_template(*milestones: Milestone, **changes: Any) -> Template:
    fields: dict[str, Any] = {"code": "PROSPECT", "kind": OrderKind.PROSPECT, "dormant_after": 60}
    return at_the_office(*(milestones or STEPS), **(fields | changes))


async def a_prospect(follow: Follow, **changes: Any) -> Following:
    """Take a prospect in on 1 October 2026, on a clock of his own, and wait until he waits."""
    fields: dict[str, Any] = {"kind": OrderKind.PROSPECT, "etd": HOPED_FOR, "clock": CAME_IN}
    return await follow(prospects_template(), **(fields | changes))


async def until(prospect: Following, moment: datetime) -> None:
    """Let his time pass until `moment`: he wakes whenever he has something to say."""
    while True:
        row = await prospect.row()
        if row.next_wake_up is None or row.next_wake_up > moment:
            return
        await prospect.climb()


async def told(prospect: Following) -> list[tuple[str, str, str, datetime]]:
    return [(m.milestone, m.rung, m.role, m.raised_at) for m in await prospect.notices()]


async def deployment_of(prospect: Following) -> str:
    run = await prospect.run()
    assert run.deployment_id is not None
    return (await prospect.client.read_deployment(run.deployment_id)).name


async def registered(order_no: str) -> int:
    """Count the orders of a number and their follow-ups: one, or none yet."""
    async with transaction() as connection:
        orders = await connection.execute(
            select(func.count())
            .select_from(tables.orders.join(tables.follow_ups))
            .where(tables.orders.c.order_no == order_no)
        )
        return orders.scalar_one()


async def sign(prospect: Following, order_no: str) -> None:
    """Say that he signed; his order sails in May."""
    await win(prospect.order_no, {"order_no": order_no, "etd": "2027-05-28"})


def order_of(prospect: Following) -> str:
    return prospect.order_no.replace("T-", "SO-")


# --- waiting ---


async def test_a_prospect_has_a_run_of_his_own_flow_and_an_order_of_its_own(follow: Follow) -> None:
    prospect, order = await a_prospect(follow), await follow()

    assert (await deployment_of(prospect), await deployment_of(order)) == ("follow-prospect", "follow-order")
    run = await prospect.run()
    assert run.name == prospect.order_no
    assert run.state is not None
    assert run.state.type is PAUSED
    assert await prospect.looks() == {"ENQ_RCVD": (RUNNING, "Waiting")}


async def test_a_silent_prospect_is_called_dormant_once(follow: Follow, gendan: House) -> None:
    prospect = await a_prospect(follow, etd=date(2027, 12, 31))

    await until(prospect, china(30, month=6, year=2027))

    # Sixty days after 1 October, a Monday
    assert await told(prospect) == [("DORMANT", "NOTE", "MER", china(30, 9))]
    assert (await prospect.messages())[0].subject in outbox_of(gendan)


async def test_the_chase_rests_until_the_next_contact_which_is_asked_for_the_working_day_before(follow: Follow) -> None:
    """The quotation is due on 30 November; Saturday 12 December is the day that was agreed."""
    prospect = await a_prospect(follow)
    await prospect.advance(china(23), a_report("ENQ_RCVD", china(23)))
    await until(prospect, china(1, 9, month=12))
    await prospect.advance(china(1, 11, month=12))
    await prospect.record(lambda file, at: Contact(recorded_at=at, next_on=date(2026, 12, 12)))

    await until(prospect, china(15, month=12))

    assert await told(prospect) == [
        ("QUOTE_SENT", "L1", "MER", china(1, 9, month=12)),
        ("NEXT_CONTACT", "NOTE", "MER", china(11, 9, month=12)),
        ("QUOTE_SENT", "L2", "PROD", china(14, 9, month=12)),
    ]


async def test_a_quotation_closes_its_bar_and_its_end_is_mentioned_three_working_days_before(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.advance(china(23), a_report("ENQ_RCVD", china(23)))
    await prospect.record(lambda file, at: QuotationValid(recorded_at=at, until=date(2026, 12, 11)))

    assert (await prospect.looks())["QUOTE_SENT"] == (COMPLETED, "Done")
    await until(prospect, china(20, month=12))
    assert await told(prospect) == [("QUOTE_ENDS", "NOTE", "MER", china(8, 9, month=12))]


async def test_a_prospect_on_hold_says_nothing_until_he_goes_on(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.record(lambda file, at: Contact(recorded_at=at, next_on=date(2026, 10, 12)))
    await prospect.record(lambda file, at: Hold(recorded_at=at))
    assert (await prospect.row()).next_wake_up is None

    await prospect.advance(china(20, month=10))
    assert await told(prospect) == []
    await prospect.record(lambda file, at: Resume(recorded_at=at))
    assert await told(prospect) == [("NEXT_CONTACT", "NOTE", "MER", china(20, month=10))]


async def test_a_contract_without_an_order_is_asked_about_up_the_policy(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.advance(china(23), a_report("CONTRACT", china(23)))
    assert (await prospect.state()).type is PAUSED
    assert (await prospect.looks())["CONTRACT"] == (COMPLETED, "Done")

    await until(prospect, china(31, month=12))

    assert await told(prospect) == [
        ("CONTRACT_SIGNED", "NOTE", "MER", china(24, 9)),
        ("CONTRACT_SIGNED", "NOTE", "PROD", china(25, 9)),
        ("CONTRACT_SIGNED", "NOTE", "SALES", china(27, 9)),
        ("CONTRACT_SIGNED", "NOTE", "GM", china(2, 9, month=12)),
    ]
    assert f"gendan prospects won {prospect.order_no}" in (await prospect.messages())[0].body


# --- lost ---


async def test_a_lost_prospect_ends_with_the_reason_and_starts_again_when_he_is_followed(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.record(lambda file, at: Lost(recorded_at=at, reason="price 8 % above Dhaka"))

    state = await prospect.ended()
    assert state.type is COMPLETED
    assert "price 8 % above Dhaka" in f"{state.name} {state.message}"
    assert (await prospect.row()).closed_as == "lost"
    assert await prospect.inputs() == {}
    lost = (await prospect.run()).id

    await prospect.record(lambda file, at: Followed(recorded_at=at))
    run = await prospect.run()
    assert run.id != lost
    assert await deployment_of(prospect) == "follow-prospect"
    assert (await prospect.looks())["ENQ_RCVD"] == (RUNNING, "Waiting")


# --- won ---


async def test_a_won_prospect_ends_in_an_order_that_is_followed(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.advance(china(23), a_report("ENQ_RCVD", china(23)))
    order = Following(order_of(prospect), prospect.client)
    await sign(prospect, order.order_no)
    await prospect.asleep()

    state = await prospect.ended()
    assert state.type is COMPLETED
    assert order.order_no in str(state.name)
    assert (await prospect.row()).closed_as == "won"
    assert (await prospect.looks())["CONTRACT"][0] is COMPLETED
    await order.asleep()
    assert await deployment_of(order) == "follow-order"
    assert (await order.state()).type is PAUSED
    file = await order.file()
    assert (file.order.customer, file.order.quantity, file.template.code) == ("ACME", 3600, "AFS")
    assert file.order.attributes == {"prospect": prospect.order_no}
    assert (await order.row()).clock == china(23), "it lives on the same clock"


async def test_a_contract_that_was_asked_about_ends_when_its_order_is_named(follow: Follow) -> None:
    prospect = await a_prospect(follow)
    await prospect.advance(china(23), a_report("CONTRACT", china(23)))
    await until(prospect, china(24, 9))
    await sign(prospect, order_of(prospect))
    await prospect.asleep()

    assert (await prospect.ended()).type is COMPLETED
    assert (await Following(order_of(prospect), prospect.client).file()).order.placed_at == china(23)
    assert len(await prospect.notices()) == 1


async def test_the_order_is_registered_once_though_the_wake_up_is_cut_off_after_it(
    follow: Follow, client: PrefectClient
) -> None:
    prospect = await a_prospect(follow)
    await sign(prospect, order_of(prospect))
    await prospect.asleep()
    await prospect.ended()
    order = Following(order_of(prospect), client)
    await order.asleep()
    before = await order.row()

    # As if the worker had been killed before it wrote down that the prospect is over
    run = await prospect.run()
    await prospect.set(closed_as=None, awake_since=now() - timedelta(minutes=10), awake_by="worker-9")
    await client.set_flow_run_state(run.id, Running(), force=True)
    assert await mend_stuck(client) == 1
    await eventually(lambda: closed(prospect, "won"))

    assert (await prospect.ended()).type is COMPLETED
    assert await registered(order.order_no) == 1
    assert (await order.row()) == before


async def closed(prospect: Following, state: str) -> bool:
    row = await prospect.row()
    return row.closed_as == state and row.awake_since is None


async def test_each_order_is_registered_once_though_the_worker_is_killed_while_they_are_won(
    follow: Follow, gendan: House
) -> None:
    prospects = await asyncio.gather(*(a_prospect(follow) for _ in range(8)))
    household = house_of(gendan).household()
    assert household is not None
    worker = psutil.Process(household.children["worker"].pid)
    for prospect in prospects:
        await sign(prospect, order_of(prospect))

    async def one_is_registered() -> bool:
        return sum([await registered(order_of(prospect)) for prospect in prospects]) > 0

    await eventually(one_is_registered, every=0.01)
    os.kill(worker.pid, signal.SIGKILL)

    for prospect in prospects:
        await eventually(lambda prospect=prospect: closed(prospect, "won"))  # type: ignore[misc]
        assert (await prospect.ended()).type is COMPLETED
        assert await registered(order_of(prospect)) == 1
        await Following(order_of(prospect), prospect.client).asleep()


async def test_a_number_that_was_taken_meanwhile_fails_the_run_and_says_so(
    follow: Follow, client: PrefectClient
) -> None:
    """The prospect must not end as if his order were followed."""
    prospect, other = await a_prospect(follow), await follow()
    stranger = an_order(order_no=other.order_no, customer="Nordwind")
    await record_entry(prospect.order_no, lambda file, at: Won(recorded_at=at, order=stranger, template="AFS"))

    async def failed() -> Any:
        state = await prospect.state()
        return state if state.type is StateType.FAILED else None

    state = await eventually(failed)
    assert f"Order {other.order_no} is already followed" in str(state.message)
    assert (await prospect.row()).closed_as is None
    await prospect.set(closed_as="won", wanted=False, awake_since=None)  # the watch of other tests is to leave it alone


# --- the watch ---


@pytest.mark.parametrize("state", [Failed(), Crashed()], ids=["Failed", "Crashed"])
async def test_the_run_of_a_prospect_that_failed_is_put_right(
    follow: Follow, client: PrefectClient, state: Any
) -> None:
    prospect = await a_prospect(follow)
    run = await prospect.run()
    await client.set_flow_run_state(run.id, state, force=True)

    assert await mend_ended(client) == 1

    await eventually(lambda: woke(prospect, 2))
    assert ((await prospect.run()).id, (await prospect.state()).type) == (run.id, PAUSED)


async def woke(prospect: Following, times: int) -> bool:
    row = await prospect.row()
    return bool(row.wakes == times and row.awake_since is None)


async def test_the_run_of_a_prospect_that_was_deleted_is_replaced_by_one_of_his_own_flow(
    follow: Follow, client: PrefectClient
) -> None:
    prospect, order = await a_prospect(follow), await follow()
    kept = (await order.run()).id
    lost = (await prospect.run()).id
    assert await mend_missing(client) == 0, "prospects and orders are counted together"
    await client.delete_flow_run(lost)

    assert await mend_missing(client) == 1

    await eventually(lambda: woke(prospect, 2))
    assert (await prospect.run()).id != lost
    assert await deployment_of(prospect) == "follow-prospect"
    assert (await order.run()).id == kept


async def test_every_kind_has_a_deployment(client: PrefectClient) -> None:
    for kind in OrderKind:
        deployment = await client.read_deployment_by_name(DEPLOYMENTS[kind])
        assert deployment.entrypoint == f"flows.{deployment.name.replace('-', '_')}.{deployment.name.replace('-', '_')}"
