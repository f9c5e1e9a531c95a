"""Hard dates: the outside deadlines of an order, which of them move, and which never do."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from models.book.agreement import Agreement, agreed
from models.book.changes import Booking, CreditAdvised, Reschedule
from models.book.entry import Entry
from models.planning.hard_dates import Origin, cutoffs, presentation_dates, shipment_dates
from models.terms.credit import Credit
from models.terms.template import Template
from tests.factories import a_calendar, a_milestone, a_template, an_order, china

HOME = a_calendar()
BANK = a_calendar(code="bank", holidays=frozenset({date(2027, 1, 21), date(2027, 1, 22)}))
STEPS = (
    a_milestone("SI_SUB", offset=-5, cutoff="SI"),
    a_milestone("GATE_IN", offset=-3, cutoff="CY"),
    a_milestone("CUS_REL", offset=-2, after=("GATE_IN",), cutoff="CUSTOMS"),
    a_milestone("ONBOARD", after=("CUS_REL",)),
    a_milestone("DEPARTED", after=("ONBOARD",)),
    a_milestone("LC_PRESENT", offset=8, after=("DEPARTED",), calendar="bank"),
)
TEMPLATE = a_template(*STEPS, departure="DEPARTED")
BOOKING = Booking(
    recorded_at=china(20),
    etd=date(2026, 12, 31),
    cutoffs={"CY": china(30, 12, month=12), "CUSTOMS": china(29, 17, month=12), "AMS": china(28, 9, month=12)},
    source="S/O 7731",
)


def now(*entries: Entry, **order: Any) -> Agreement:
    return agreed(an_order(**order), entries)


def credit(**fields: Any) -> CreditAdvised:
    return CreditAdvised(
        recorded_at=china(1), credit=Credit(**({"number": "LC 1", "expiry": date(2027, 1, 20)} | fields))
    )


def test_the_cut_offs_of_a_booking_bind_the_steps_that_must_meet_them_in_the_order_that_it_gives() -> None:
    found = {hard.milestone: (hard.code, hard.at, hard.source) for hard in cutoffs(TEMPLATE, now(BOOKING))}

    assert found == {
        "GATE_IN": ("CY", china(30, 12, month=12), "S/O 7731"),
        "CUS_REL": ("CUSTOMS", china(29, 17, month=12), "S/O 7731"),  # before the gate closes: that is what it says
    }


def test_a_cut_off_goes_with_its_vessel() -> None:
    assert all(hard.follows_vessel for hard in cutoffs(TEMPLATE, now(BOOKING)))
    assert cutoffs(TEMPLATE, now(BOOKING, Reschedule(recorded_at=china(21), etd=date(2027, 1, 7)))) == ()


def test_the_ship_window_and_the_cancel_date_are_whole_days_on_which_the_goods_must_be_on_board() -> None:
    found = shipment_dates(TEMPLATE, now(ship_by=date(2027, 1, 2), cancel_after=date(2027, 1, 9)), HOME)

    assert [(hard.code, hard.milestone, hard.at, hard.origin) for hard in found] == [
        ("SHIP_WINDOW", "ONBOARD", HOME.end_of(date(2027, 1, 2)), Origin.ORDER),  # a Saturday: no reason to move it
        ("CANCEL_DATE", "ONBOARD", HOME.end_of(date(2027, 1, 9)), Origin.ORDER),
    ]


@pytest.mark.parametrize(
    ("fields", "latest"),
    [
        ({"latest_shipment": date(2027, 1, 2)}, date(2027, 1, 2)),  # a Saturday holiday does not move it (art. 29(c))
        ({}, date(2027, 1, 20)),  # without 44C the expiry is the latest shipment as well
    ],
)
def test_the_latest_shipment_of_a_credit_never_moves(fields: dict[str, Any], latest: date) -> None:
    (hard,) = shipment_dates(TEMPLATE, now(credit(**fields)), HOME)

    assert (hard.code, hard.at, hard.origin, hard.source) == ("LC_44C", HOME.end_of(latest), Origin.CREDIT, "LC 1")


def test_without_an_on_board_step_the_departure_is_the_shipment() -> None:
    flight = a_template(a_milestone("HANDOVER", offset=-1), a_milestone("UPLIFT", after=("HANDOVER",)))

    assert [hard.milestone for hard in shipment_dates(flight, now(ship_by=date(2027, 1, 2)), HOME)] == ["UPLIFT"]


def presented(
    template: Template = TEMPLATE, on_board: date = date(2026, 12, 31), **fields: Any
) -> list[tuple[Any, ...]]:
    found = presentation_dates(template, now(credit(**fields)), HOME.end_of(on_board), HOME, BANK)
    return [(hard.code, hard.at, hard.extended_from, hard.follows_loading) for hard in found]


def test_documents_are_presented_by_the_end_of_the_period_and_by_the_expiry() -> None:
    assert presented(presentation_days=10) == [
        ("LC_48", BANK.end_of(date(2027, 1, 11)), date(2027, 1, 10), True),  # the 10th is a Sunday
        ("LC_31D", BANK.end_of(date(2027, 1, 20)), None, False),
    ]


def test_a_period_that_ends_with_the_expiry_or_after_it_says_nothing_more() -> None:
    assert presented(expiry=date(2027, 1, 21)) == [
        ("LC_31D", BANK.end_of(date(2027, 1, 25)), date(2027, 1, 21), False)  # two closed bank days and a weekend
    ]


def test_later_on_board_leaves_the_period_later_too_but_never_after_the_expiry() -> None:
    assert [hard[0] for hard in presented(presentation_days=10, on_board=date(2027, 1, 9))] == ["LC_48", "LC_31D"]
    assert [hard[0] for hard in presented(presentation_days=10, on_board=date(2027, 1, 10))] == ["LC_31D"]


def test_without_a_credit_or_a_step_for_it_nothing_is_presented() -> None:
    without = a_template(*STEPS[:-1], departure="DEPARTED")

    assert presented(without) == []
    assert presentation_dates(TEMPLATE, now(), HOME.end_of(date(2026, 12, 31)), HOME, BANK) == ()
