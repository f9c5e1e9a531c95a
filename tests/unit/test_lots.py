"""An order in lots: what each lot is, what it knows of the order's past, and how all of them were delivered."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book.changes import Amendment, Booking, CreditAdvised, Hold, Lot, Resume, Split
from models.book.entry import Entry
from models.book.order import Etd, OrderState
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, Classifier, Outcome, Promise, Report, Withdrawal
from models.codes import FROZEN
from models.lots import Shipped, delivery, inherited, missing_from, order_of_lot, passed_on, shipped
from models.status.progress import progress
from models.status.standing import standing
from models.terms.credit import Credit
from models.terms.milestone import Rounds
from models.terms.template import Template
from models.terms.tolerance import Tolerance
from tests.factories import (
    CUTTING,
    FABRIC,
    SEWING,
    a_calendar,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)

HOME = a_calendar()
NOW = china(24)
SPLIT_AT = china(23, 12)
AGREED = a_milestone(FROZEN, offset=-50)
SEWN = SEWING.model_copy(update={"rounds": Rounds()})
UPLIFT = a_milestone("UPLIFT", after=("SEW_END",))
SAILS = a_milestone("DEPARTED", counted=True, after=("SEW_END",))
BY_SEA = a_template(AGREED, FABRIC, CUTTING, SEWN, SAILS)
BY_AIR = a_template(FABRIC, SEWN.model_copy(update={"after": ("FAB_IN",)}), UPLIFT, code="AIR")

FIRST = Lot(order_no="SO-1/A", quantity=3000, etd=date(2026, 12, 24))
SECOND = Lot(order_no="SO-1/B", quantity=600, etd=date(2027, 1, 7), template="AIR")


def an_order_in_lots(*before: Entry, lots: tuple[Lot, ...] = (FIRST, SECOND), **order: Any) -> tuple[OrderFile, Split]:
    """Build an order of 3,600 pieces that is split into lots after all that happened `before`."""
    split = Split(recorded_at=SPLIT_AT, lots=lots)
    file = an_order_file(an_order(order_no="SO-1", **order), BY_SEA, *before, split)
    told = file.entries[-1]
    assert isinstance(told, Split)
    return file, told


def known_of(file: OrderFile, split: Split, lot: Lot, template: Template = BY_SEA) -> OrderFile:
    """Return the file that a lot begins with."""
    return an_order_file(order_of_lot(file, lot, SPLIT_AT), template, *passed_on(file, split, lot, template))


def sewn(quantity: float | None, at: datetime | None = None, **changes: Any) -> Report:
    return a_report("SEW_END", at or china(20), quantity=quantity, **changes)


# --- the lot as an order ---


def test_a_lot_is_an_order_of_its_own_that_names_its_parent() -> None:
    file, split = an_order_in_lots(customer="ACME", merchandiser="mei.lin")

    lot = order_of_lot(file, SECOND, split.recorded_at)

    assert (lot.order_no, lot.parent, lot.quantity, lot.etd) == ("SO-1/B", "SO-1", 600, date(2027, 1, 7))
    assert (lot.customer, lot.merchandiser, lot.placed_at) == ("ACME", "mei.lin", file.order.placed_at)
    assert lot.came_in == SPLIT_AT, "nobody is chased for days on which there was no lot"


def test_a_lot_keeps_what_was_agreed_last() -> None:
    band, day = Tolerance(less=3, more=5), date(2027, 1, 20)
    amended = Amendment(recorded_at=china(20), quantity=3600, tolerance=band, ship_by=day, cancel_after=day)
    file, split = an_order_in_lots(amended, quantity=4000, ship_by=date(2026, 12, 31))

    lot = order_of_lot(file, FIRST, split.recorded_at)

    assert (lot.tolerance, lot.ship_by, lot.cancel_after) == (band, day, day)


def test_the_order_is_over_once_it_is_split() -> None:
    file, _ = an_order_in_lots()

    at = standing(file, NOW)

    assert (at.state, at.open) == (OrderState.SPLIT, ())


# --- what a lot inherits ---


def test_what_was_done_as_a_whole_is_done_for_every_lot() -> None:
    file, split = an_order_in_lots(a_report("FAB_IN", china(10)), a_report("CUT_START", china(16)))

    for lot in split.lots:
        at = standing(known_of(file, split, lot), NOW)
        assert at.open == ("SEW_END",)
        assert at.reached["FAB_IN"].at == china(10)
        assert at.reached["FAB_IN"].known_at == china(10), "recorded when it was recorded for the order"


def test_what_a_lot_inherits_says_where_it_comes_from_and_may_be_told_again() -> None:
    event = a_report("FAB_IN", china(10), source="mill", source_event_id="7", attributes={"bales": "40"})
    file, split = an_order_in_lots(event)

    (report,) = inherited(file, split, FIRST, BY_SEA)

    assert (report.seq, report.source, report.source_event_id) == (0, "", "")
    assert report.attributes == {"bales": "40", "order": "SO-1", "line": "1"}


def test_a_lot_inherits_only_the_steps_that_it_has() -> None:
    file, split = an_order_in_lots(a_report("FAB_IN", china(10)), a_report("CUT_START", china(16)))

    assert [report.milestone for report in inherited(file, split, SECOND, BY_AIR)] == ["FAB_IN"]


@pytest.mark.parametrize(
    ("parts", "of_first", "of_second"),
    [
        ([], 0, 0),
        ([2000], 2000, 0),  # the first is filled first
        ([2000, 1000], 3000, 0),
        ([2000, 1200], 3000, 200),  # a part falls into both
        ([3600], 3000, 600),
        ([3000, 300, 300], 3000, 600),
        ([3700], 3000, 700),  # more than ordered, within a tolerance: it is in the last one
    ],
)
def test_parts_fill_the_lots_in_their_order(parts: list[float], of_first: float, of_second: float) -> None:
    file, split = an_order_in_lots(*(sewn(part, china(10 + n)) for n, part in enumerate(parts)))

    counted = [progress(lot, list(lot.entries)).counted for lot in (known_of(file, split, each) for each in split.lots)]

    assert [each.get("SEW_END", 0) for each in counted] == [of_first, of_second]


def test_a_step_that_was_done_in_part_is_done_for_the_lots_that_it_fills() -> None:
    file, split = an_order_in_lots(sewn(3200))

    assert "SEW_END" in standing(known_of(file, split, FIRST), NOW).reached
    assert "SEW_END" not in standing(known_of(file, split, SECOND), NOW).reached


def test_metres_of_fabric_are_no_pieces_and_came_for_the_whole_order() -> None:
    file, split = an_order_in_lots(a_report("FAB_IN", china(10), quantity=90))

    for lot in split.lots:
        assert "FAB_IN" in standing(known_of(file, split, lot), NOW).reached


def test_what_was_taken_back_or_failed_is_not_done_for_any_lot() -> None:
    file, split = an_order_in_lots(
        a_report("FAB_IN", china(10)),
        Withdrawal(recorded_at=china(11), milestone="FAB_IN", corrects=1),
        sewn(3600, china(12)),
        sewn(None, china(14), outcome=Outcome.FAILED),
        sewn(3100, china(16)),
    )

    first, second = (known_of(file, split, lot) for lot in split.lots)

    assert "FAB_IN" not in standing(first, NOW).reached
    assert progress(first, list(first.entries)).counted["SEW_END"] == 3000
    assert progress(second, list(second.entries)).counted["SEW_END"] == 100
    assert standing(second, NOW).round_of("SEW_END") == 2


def test_a_plan_that_was_agreed_for_the_order_is_not_agreed_for_the_lot() -> None:
    file, split = an_order_in_lots(a_report(FROZEN, china(5)))

    assert inherited(file, split, FIRST, BY_SEA) == []


PARTS = st.lists(st.integers(min_value=1, max_value=3_600_000), max_size=8)
LOTS = st.lists(st.integers(min_value=1, max_value=1_000_000), min_size=2, max_size=6)


@given(PARTS, LOTS)
def test_nothing_that_was_counted_is_lost_or_counted_twice(parts: list[int], thousandths: list[int]) -> None:
    lots = tuple(
        Lot(order_no=f"L{n}", quantity=each / 1000, etd=date(2026, 12, 24)) for n, each in enumerate(thousandths)
    )
    file, split = an_order_in_lots(
        *(sewn(part / 1000, china(1, minute=n)) for n, part in enumerate(parts)),
        lots=lots,
        quantity=sum(thousandths) / 1000,
    )

    shares = [
        sum(Decimal(str(r.quantity)) for r in inherited(file, split, lot, BY_SEA) if r.quantity) for lot in split.lots
    ]

    assert sum(shares) == sum(Decimal(part) / 1000 for part in parts)
    for share, lot, following in zip(shares, split.lots, shares[1:], strict=False):
        assert share <= Decimal(str(lot.quantity))
        assert not following or share == Decimal(str(lot.quantity)), "a lot is filled before the next one"


# --- what else still holds for a lot ---


def kinds(file: OrderFile, split: Split, lot: Lot, template: Template = BY_SEA) -> list[str]:
    return [entry.kind for entry in passed_on(file, split, lot, template)]


def test_a_lot_is_under_the_credit_as_it_was_amended_last() -> None:
    old, new = Credit(number="LC-1", expiry=date(2027, 1, 10)), Credit(number="LC-1", expiry=date(2027, 1, 31))
    file, split = an_order_in_lots(
        CreditAdvised(recorded_at=china(5), credit=old), CreditAdvised(recorded_at=china(6), credit=new)
    )

    for lot in split.lots:
        assert standing(known_of(file, split, lot), NOW).agreed.credit == new
        assert kinds(file, split, lot) == ["credit"]


def test_a_lot_rests_while_its_order_rested() -> None:
    held = Hold(recorded_at=china(20), until=date(2026, 12, 1))

    file, split = an_order_in_lots(held)
    assert standing(known_of(file, split, FIRST), NOW).held is not None
    assert standing(known_of(file, split, FIRST), NOW).state is OrderState.ON_HOLD

    file, split = an_order_in_lots(held, Resume(recorded_at=china(21)))
    assert kinds(file, split, FIRST) == []


def test_the_last_promise_for_each_step_holds_for_every_lot_that_has_it() -> None:
    def promised(milestone: str, day: int) -> Promise:
        return Promise(recorded_at=china(day), milestone=milestone, promised=china(day, month=12))

    file, split = an_order_in_lots(
        promised("FAB_IN", 10),
        promised("FAB_IN", 12),
        Acknowledgement(recorded_at=china(13), milestone="FAB_IN"),
        promised("CUT_START", 14),
    )

    assert standing(known_of(file, split, FIRST), NOW).promised == {
        "FAB_IN": china(12, month=12),
        "CUT_START": china(14, month=12),
    }
    assert standing(known_of(file, split, SECOND, BY_AIR), NOW).promised == {"FAB_IN": china(12, month=12)}


def test_what_an_amendment_undid_is_to_be_done_again_by_every_lot() -> None:
    file, split = an_order_in_lots(
        a_report("FAB_IN", china(10)), Amendment(recorded_at=china(15), undoes=("FAB_IN",), quantity=3600)
    )

    at = standing(known_of(file, split, SECOND, BY_AIR), NOW)

    assert at.open == ("FAB_IN",)
    assert at.agreed.quantity == 600, "the quantity of the order is not the lot's"


def test_the_lot_that_leaves_on_the_booked_vessel_keeps_the_booking() -> None:
    file, split = an_order_in_lots(Booking(recorded_at=china(18), etd=FIRST.etd, vessel="EVER GIVEN"))

    assert kinds(file, split, FIRST) == ["booking"]
    assert kinds(file, split, SECOND, BY_AIR) == []


def test_the_log_of_a_lot_is_in_the_order_in_which_it_became_known() -> None:
    file, split = an_order_in_lots(
        CreditAdvised(recorded_at=china(5), credit=Credit(expiry=date(2027, 1, 31))),
        Promise(recorded_at=china(7), milestone="FAB_IN", promised=china(9)),
        a_report("FAB_IN", china(10)),
    )

    assert kinds(file, split, FIRST) == ["credit", "promise", "report"]


# --- how the lots were delivered (domain.md 5.1) ---


ETD = date(2026, 12, 31)
IN_TIME, A_DAY_LATE = china(31, 23, month=12), china(1, 0, month=1, year=2027)


def left(quantity: float, at: datetime | None = IN_TIME, etd: Etd = ETD) -> Shipped:
    return Shipped(quantity, etd, at)


@pytest.mark.parametrize(
    ("ordered", "lots", "tolerance", "on_time", "in_full"),
    [
        # one lot, in time and in full
        (3600, [left(3600)], None, [True], True),
        # late
        (3600, [left(3600, A_DAY_LATE)], None, [False], False),
        # not gone yet: an order that is due is late now
        (3600, [left(3600, None)], None, [False], False),
        # 3,000 of 3,600 leave, the rest by air on its own later date (scenario E): each lot in time, not in full
        (3600, [left(3000), left(600, china(7, month=1, year=2027), date(2027, 1, 7))], None, [True, True], False),
        # both by the order's ETD
        (3600, [left(3000), left(600)], None, [True, True], True),
        # one lot late by its own ETD, but by the order's in time
        (3600, [left(3000), left(600, IN_TIME, date(2026, 12, 30))], None, [True, False], True),
        # short by 5 %, which is allowed; by more, which is not
        (3600, [left(3420)], Tolerance(less=5, more=5), [True], True),
        (3600, [left(3419)], Tolerance(less=5, more=5), [True], False),
        # too much is not in full either
        (3600, [left(3781)], Tolerance(less=5, more=5), [True], False),
        # nobody knows how many: all that there is has left
        (None, [left(0), left(0)], None, [True, True], True),
        (None, [left(0), left(0, A_DAY_LATE)], None, [True, False], False),
    ],
)
def test_on_time_is_judged_per_lot_and_in_full_by_the_whole_order(
    ordered: float | None, lots: list[Shipped], tolerance: Tolerance | None, on_time: list[bool], in_full: bool
) -> None:
    outcome = delivery(ordered, ETD, lots, tolerance, HOME)

    assert list(outcome.on_time) == on_time
    assert outcome.in_full is in_full
    assert outcome.otd is all(on_time)
    assert outcome.otif is (all(on_time) and in_full)


@given(
    st.lists(
        st.builds(
            left,
            st.integers(min_value=1, max_value=4000).map(float),
            st.sampled_from([IN_TIME, A_DAY_LATE, None]),
            st.sampled_from([ETD, date(2026, 12, 30), date(2027, 1, 7)]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_otif_is_never_better_than_otd(lots: list[Shipped]) -> None:
    outcome = delivery(3600, ETD, lots, Tolerance(less=5, more=5), HOME)

    assert outcome.otd or not outcome.otif
    assert outcome.in_full or not outcome.otif


def test_a_lot_ships_what_left_and_before_that_what_was_agreed() -> None:
    order = an_order(order_no="SO-1/A", quantity=3000)
    part = a_report("DEPARTED", china(20), quantity=2950)
    tolerated = order.model_copy(update={"tolerance": Tolerance(less=5, more=5)})

    assert shipped(standing(an_order_file(order, BY_SEA), NOW), "DEPARTED") == Shipped(3000, ETD, None)
    assert shipped(standing(an_order_file(tolerated, BY_SEA, part), NOW), "DEPARTED") == Shipped(2950, ETD, None)
    whole = standing(an_order_file(order, BY_SEA, a_report("DEPARTED", china(20))), NOW)
    assert shipped(whole, "DEPARTED") == Shipped(3000, ETD, china(20))
    assert shipped(standing(an_order_file(order.model_copy(update={"etd": None}), BY_SEA), NOW), "DEPARTED") is None


def test_lots_miss_what_is_in_none_of_them() -> None:
    assert missing_from([FIRST, SECOND], 3600) == 0
    assert missing_from([FIRST, SECOND], 3600.5) == 0.5
    assert missing_from([FIRST, SECOND], 3500) == -100


def test_an_estimate_for_the_order_is_one_for_each_lot() -> None:
    expected = a_report("FAB_IN", china(4, month=12), recorded_at=china(20), classifier=Classifier.EST)
    file, split = an_order_in_lots(expected)

    for lot in split.lots:
        assert standing(known_of(file, split, lot), NOW).expected == {"FAB_IN": china(4, month=12)}
