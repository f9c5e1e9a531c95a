"""What is pasted into a chat with an outside party: its one step, and nothing internal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement, Promise
from models.decide import Tell
from models.names import Language
from models.status.standing import standing
from notifications.facts import Facts, gather
from notifications.messages import compose
from notifications.outward import outward_text
from tests.factories import DEPARTURE, a_milestone, a_name, a_template, an_order, an_order_file, china, some_parties
from tests.plans import CY, at_the_port, mid_season

MONDAY = china(23, 9)
SECRET = "ZQX"
"""Stands in everything that is nobody else's business."""


def late_fabric(**order: object) -> OrderFile:
    fields = {"customer": "Nordvind", "attributes": {"item": "Shell jackets"}, **order}
    return an_order_file(an_order(**fields))


def facts_of(
    file: OrderFile, now: datetime = MONDAY, rung: str = "L1", about: str = "FAB_IN", due: datetime | None = None
) -> Facts:
    at = standing(file, now)
    return gather(file, at, Tell(Claim(about, rung, due or at.due[about]), "PUR"), some_parties())


def test_the_text_asks_the_party_for_its_step_in_chinese_and_english() -> None:
    assert outward_text(facts_of(late_fabric())) == (
        "华兴染厂, 您好:\n"
        "我司订单 SO-26-0417, Shell jackets, 3,600 pcs:“面料到厂”应于 2026-11-20(五) 完成, 目前尚未收到完成的消息。\n"
        "请于 2026-11-23(一) 17:00 CST(+08) 前告知哪一天能完成, 以及贵方保证该日期的方案。\n"
        "谢谢!\n"
        "\n"
        "Hello Huaxing Dyehouse,\n"
        "Our order SO-26-0417, Shell jackets, 3,600 pcs: “Bulk fabric in-house” was due on Fri 20 Nov 2026"
        " and has not been reported as done.\n"
        "Please tell us by Mon 23 Nov 2026 17:00 CST(+08) on which day it will be done,"
        " and what you propose so that it holds.\n"
        "Thank you."
    )


def test_before_the_due_date_it_asks_whether_the_date_holds() -> None:
    text = outward_text(facts_of(late_fabric(), china(18), "R2"))

    assert "is due on Fri 20 Nov 2026." in text
    assert "will the date hold?" in text


def test_the_date_that_the_party_gave_is_held_up_to_it() -> None:
    promise = Promise(recorded_at=china(12), by="wang", milestone="FAB_IN", promised=china(20, 16))
    text = outward_text(facts_of(late_fabric().told(promise.model_copy(update={"seq": 1}))))

    assert "You gave us Fri 20 Nov 2026 16:00 CST(+08) as the date.\n" in text


def test_before_a_cutoff_it_asks_whether_the_cutoff_can_still_be_met() -> None:
    text = outward_text(facts_of(at_the_port(), china(29, 10, month=12), "T-6", "GATE_IN", CY))

    assert "2026-12-29(二) 16:00 CST(+08)" in text
    assert "whether it can still be done before the cut-off" in text


def waits_on(*parties: str) -> OrderFile:
    step = a_milestone("STEP", name=a_name("The step"), offset=-41, waiting_on=parties)
    return an_order_file(None, a_template(step, DEPARTURE.model_copy(update={"after": ("STEP",)})))


@pytest.mark.parametrize(
    "parties",
    [
        (),  # nobody
        ("PROD",),  # a role of our own
        ("CUSTOMS",),  # is never pressed
    ],
)
def test_without_an_outside_party_to_ask_there_is_no_text(parties: tuple[str, ...]) -> None:
    facts = facts_of(waits_on(*parties), about="STEP")

    assert outward_text(facts) == ""
    assert "paste" not in compose(facts, [Language.EN]).body


def test_a_buyer_is_asked_politely() -> None:
    assert "Could you let us have your answer by" in outward_text(facts_of(waits_on("BUYER"), about="STEP"))


def test_the_text_stands_in_the_mail_of_the_chase_and_never_in_the_chat() -> None:
    facts = facts_of(late_fabric())
    message = compose(facts, [Language.ZH_HANT])

    assert "--- 可貼到微信, 發給華興染廠\n华兴染厂, 您好:" in message.body
    assert "华兴染厂, 您好:" in message.html
    assert "您好" not in message.short


@pytest.mark.parametrize("product", ["NORDVIND shell jackets", "jackets for Nordvind Outdoor", "Outdoor jackets"])
def test_a_product_that_names_the_customer_is_left_out(product: str) -> None:
    text = outward_text(facts_of(late_fabric(customer="Nordvind Outdoor", attributes={"item": product})))

    assert "jackets" not in text
    assert "3,600 pcs" in text


secret = st.text("abcXYZ 0189\n<&{}客户密", min_size=1, max_size=12).map(lambda text: f"{SECRET}{text}{SECRET}")


@settings(max_examples=40, deadline=None)
@given(customer=secret, reference=secret, note=secret, by=secret, role=secret, other=secret)
@pytest.mark.parametrize("rung", ["R2", "L1", "L2", "L3", "L4"])
def test_nothing_internal_is_ever_in_it(
    rung: str, customer: str, reference: str, note: str, by: str, role: str, other: str
) -> None:
    file = mid_season(
        Acknowledgement(recorded_at=china(8, month=12), by=by, milestone="FEEDBACK", note=note),
        customer=customer,
        merchandiser=other,
        attributes={"po": reference, "item": f"jackets for {customer}", "remark": other},
        value=918273.0,
        currency="USD",
    )
    facts = facts_of(file, china(9, month=12), rung, "TRIM_IN")
    assert facts.stall
    facts = replace(
        facts,
        stall=replace(facts.stall, accountable=a_name(role)),
        links=(("label_done", f"https://gendan.example/{SECRET}"),),
    )

    text = outward_text(facts)

    assert "SO-26-0417" in text
    assert SECRET not in text
    for number in ("918", "USD", "slack", "余裕", "44C", "LC-4711", "ETD", "Merchandiser", "PP_MEET", "L3"):
        assert number not in text
