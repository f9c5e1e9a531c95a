"""What is agreed of an order: each change on top of those before it, and what it does to the plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from models.book.agreement import Agreement, agreed
from models.book.changes import Amendment, Baseline, Booking, CreditAdvised, Reschedule, Retermed
from models.book.entry import Entry
from models.book.order import Etd
from models.book.order_file import OrderFile
from models.decide import Freeze, decide, taken
from models.planning.sheet import sheet_of
from models.status.standing import Standing, standing
from models.terms.credit import Credit
from models.terms.tolerance import Tolerance
from tests.factories import a_milestone, a_report, a_template, an_order, an_order_file, china

NOW = china(30)
JANUARY_7 = date(2027, 1, 7)
CY = china(29, 12, month=12)
BOOKING = Booking(recorded_at=china(20), etd=date(2026, 12, 31), cutoffs={"CY": CY}, source="S/O 7731")

TEMPLATE = a_template(
    a_milestone("TA_FROZEN", offset=-40),
    a_milestone("PPS_APP", offset=-30, after=("TA_FROZEN",)),
    a_milestone("CUT_START", offset=-25, after=("PPS_APP",)),
    a_milestone("GATE_IN", offset=-3, after=("CUT_START",), cutoff="CY"),
    a_milestone("DEPARTED", after=("GATE_IN",)),
)


def now(*entries: Entry, **order: Any) -> Agreement:
    return agreed(an_order(**order), entries)


def told(*entries: Entry) -> OrderFile:
    return an_order_file(None, TEMPLATE, *entries)


def stands(*entries: Entry, at: datetime = NOW) -> Standing:
    return standing(told(*entries), at)


# --- what holds


def test_at_first_what_was_ordered_is_agreed() -> None:
    at = now(ship_by=date(2027, 1, 5), tolerance=Tolerance(less=3, more=5))

    assert (at.version, at.etd, at.quantity, at.ship_by) == (1, date(2026, 12, 31), 3600, date(2027, 1, 5))
    assert at.allowed == Tolerance(less=3, more=5)


def test_an_amendment_makes_a_new_version_and_what_it_does_not_name_stays() -> None:
    at = now(
        Amendment(recorded_at=china(2), quantity=4000),
        Amendment(recorded_at=china(3), ship_by=date(2027, 1, 9)),
        ship_by=date(2027, 1, 5),
        ship_from=date(2026, 12, 20),
    )

    assert (at.version, at.quantity, at.ship_by, at.ship_from) == (3, 4000, date(2027, 1, 9), date(2026, 12, 20))


@pytest.mark.parametrize(
    "change",
    [
        Reschedule(recorded_at=china(25), etd=JANUARY_7),
        Amendment(recorded_at=china(25), etd=JANUARY_7),
    ],
)
def test_another_etd_makes_the_cut_offs_of_the_booking_void(change: Entry) -> None:
    at = now(BOOKING, change)

    assert (at.etd, at.booking) == (JANUARY_7, None)


@pytest.mark.parametrize(
    "change",
    [
        Reschedule(recorded_at=china(25), etd=date(2026, 12, 31)),
        Amendment(recorded_at=china(25), etd=date(2026, 12, 31), quantity=4000),
        Amendment(recorded_at=china(25), quantity=4000),
    ],
)
def test_the_same_etd_again_leaves_the_booking_as_it_is(change: Entry) -> None:
    assert now(BOOKING, change).booking == BOOKING


def test_a_booking_gives_an_order_its_date() -> None:
    assert now(etd=None).etd is None
    assert now(BOOKING, etd=None).etd == date(2026, 12, 31)


def test_all_dates_that_held_are_known_with_the_moment_since_when() -> None:
    at = now(BOOKING, Reschedule(recorded_at=china(25), etd=JANUARY_7))

    assert [(sailing.since, sailing.etd, bool(sailing.cutoffs)) for sailing in at.etds] == [
        (an_order().placed_at, date(2026, 12, 31), False),
        (china(20), date(2026, 12, 31), True),
        (china(25), JANUARY_7, False),
    ]


@pytest.mark.parametrize(
    ("of_order", "credit", "allowed"),
    [
        (Tolerance(less=3, more=5), {}, Tolerance(less=3, more=5)),
        (Tolerance(less=3, more=15), {"about": True}, Tolerance(less=3, more=10)),  # within both
        (None, {"about": True}, Tolerance(less=10, more=10)),
        (None, {}, None),
    ],
)
def test_what_may_be_shipped_is_within_the_orders_tolerance_and_the_credits(
    of_order: Tolerance | None, credit: dict[str, Any], allowed: Tolerance | None
) -> None:
    advised = CreditAdvised(recorded_at=china(2), credit=Credit(expiry=date(2027, 1, 20), **credit))

    assert now(advised, tolerance=of_order).allowed == allowed


# --- what it does to the plan


def test_a_cut_off_takes_the_place_of_the_offset() -> None:
    assert stands().due["GATE_IN"].date() == date(2026, 12, 28)
    assert stands(BOOKING).due["GATE_IN"] == CY


@pytest.mark.parametrize("etd", [JANUARY_7, date(2026, 12, 24)])
def test_a_change_of_date_plans_anew_what_is_open_and_leaves_what_is_done(etd: Etd) -> None:
    before = stands(a_report("TA_FROZEN", china(20)))
    after = stands(a_report("TA_FROZEN", china(20)), Amendment(recorded_at=china(25), etd=etd))

    assert after.due["TA_FROZEN"] == before.due["TA_FROZEN"]
    shift = timedelta(days=(date.fromisoformat(str(etd)) - date(2026, 12, 31)).days)
    assert after.due["DEPARTED"] == before.due["DEPARTED"] + shift
    assert after.due["CUT_START"] != before.due["CUT_START"]


def test_a_box_that_was_in_time_for_its_vessel_stays_so_when_it_is_rolled() -> None:
    """The cut-off that it was in time for belongs to the former booking, and is kept with it."""
    gate_in = a_report("GATE_IN", CY - timedelta(hours=1))
    next_one = Booking(recorded_at=china(31, month=12), etd=JANUARY_7, cutoffs={"CY": CY + timedelta(days=7)})

    at = stands(BOOKING, gate_in, next_one, at=china(31, 12, month=12))

    assert at.due["GATE_IN"] == CY
    assert at.due["DEPARTED"].date() == JANUARY_7


def test_an_amendment_opens_again_what_it_undoes_and_what_is_done_afterwards_counts() -> None:
    undone = Amendment(recorded_at=china(25), undoes=("PPS_APP",))
    done = a_report("TA_FROZEN", china(20)), a_report("PPS_APP", china(24)), undone

    assert stands(*done).open == ("PPS_APP",)
    assert stands(*done, a_report("PPS_APP", china(27))).open == ("CUT_START",)
    assert stands(*done, a_report("CUT_START", china(27))).passed == {"PPS_APP"}


# --- the baseline


def baselines(file: OrderFile) -> Mapping[int, datetime]:
    """Return the frozen date of CUT_START by the version of the order."""
    return {entry.version: entry.dates["CUT_START"] for entry in file.entries if isinstance(entry, Baseline)}


def test_the_plan_is_frozen_when_it_is_agreed_and_once_for_each_version() -> None:
    file = told(a_report("TA_FROZEN", china(20)))
    agreed_plan = standing(file, china(20)).due["CUT_START"]
    file = taken(file, decide(file, china(20)), china(20))
    assert not [step for step in decide(file, china(21)) if isinstance(step, Freeze)]

    file = file.told(Amendment(seq=9, recorded_at=china(25), etd=JANUARY_7))
    file = taken(file, decide(file, china(25)), china(25))

    assert baselines(file) == {1: agreed_plan, 2: standing(file, china(25)).due["CUT_START"]}


def test_the_sheet_shows_the_plan_that_was_frozen_beside_the_one_of_today() -> None:
    file = told(a_report("TA_FROZEN", china(20)))
    file = taken(file, decide(file, china(20)), china(20))
    file = file.told(Reschedule(seq=9, recorded_at=china(25), etd=JANUARY_7))

    line = sheet_of(file, china(26)).line("CUT_START")

    assert (line.baseline, line.plan) == (
        china(4, 23, 59, month=12) + timedelta(seconds=59),
        stands(Reschedule(recorded_at=china(25), etd=JANUARY_7)).due["CUT_START"],
    )


def test_an_order_that_is_moved_to_todays_terms_is_agreed_as_before() -> None:
    retermed = Retermed(recorded_at=china(25), terms="b", was="a")

    assert now(BOOKING, retermed) == now(BOOKING)
