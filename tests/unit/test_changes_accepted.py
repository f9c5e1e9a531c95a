"""What may change an order, and why not: bookings, credits, customs receipts, amendments, lots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.accepting.accept import check_entry
from models.book.changes import (
    Amendment,
    Booking,
    Cancellation,
    CreditAdvised,
    CustomsReceipt,
    Followed,
    Hold,
    Lot,
    Reschedule,
    Split,
    Unfollowed,
)
from models.book.entry import Entry
from models.book.order import Etd
from models.book.report import Report, Withdrawal
from models.errors import Refused, UnknownMilestone
from models.planning.what_if import what_if
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from models.terms.milestone import Stage
from models.terms.tolerance import Tolerance
from tests.factories import (
    CUTTING,
    DEPARTURE,
    FABRIC,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)

NOW = china(23, 12)
PLACED = china(1, month=10)
SI = a_milestone("SI_SUB", offset=-5, stage=Stage.BOOKING, cutoff="SI", after=("CUT_START",))
GATE = a_milestone("GATE_IN", offset=-3, stage=Stage.LOADING, cutoff="CY", after=("CUT_START",))
DECLARED = a_milestone("CUS_DECL", offset=-3, stage=Stage.CUSTOMS, after=("GATE_IN",))
RELEASED = a_milestone("CUS_REL", offset=-2, stage=Stage.CUSTOMS, cutoff="CUSTOMS", after=("CUS_DECL",))
ONBOARD = a_milestone("ONBOARD", stage=Stage.LOADING, counted=True, after=("SI_SUB", "CUS_REL"))
SAILS = DEPARTURE.model_copy(update={"after": ("ONBOARD",)})
SHIPPING = a_template(FABRIC, CUTTING, SI, GATE, DECLARED, RELEASED, ONBOARD, SAILS)
ORDER = an_order(order_no="SO-1")


def tell(entry: Entry, *before: Entry, **order: Any) -> None:
    """Check a change of an order of 3,600 pieces that sails on 31 December, to which `before` happened."""
    check_entry(an_order_file(ORDER.model_copy(update=order), SHIPPING, *before), entry, NOW)


def reason(entry: Entry, *before: Entry, **order: Any) -> str:
    """Return why a change is refused."""
    with pytest.raises(Refused) as refused:
        tell(entry, *before, **order)
    return str(refused.value)


def booking(etd: Etd = date(2026, 12, 31), **fields: Any) -> Booking:
    return Booking(recorded_at=NOW, etd=etd, **fields)


def credit(**fields: Any) -> CreditAdvised:
    terms: dict[str, Any] = {"number": "LC-7731", "expiry": date(2027, 1, 31)}
    return CreditAdvised(recorded_at=NOW, credit=Credit(**(terms | fields)))


def receipt(at: datetime = NOW, **fields: Any) -> CustomsReceipt:
    told: dict[str, Any] = {"letter": "P", "state": CustomsState.RELEASED}
    return CustomsReceipt(recorded_at=NOW, occurred_at=at, **(told | fields))


def amendment(**fields: Any) -> Amendment:
    return Amendment(recorded_at=NOW, **fields)


def a_lot(letter: str, quantity: float, etd: Etd = date(2026, 12, 31), template: str = "") -> Lot:
    return Lot(order_no=f"SO-1/{letter}", quantity=quantity, etd=etd, template=template)


def split(*lots: Lot) -> Split:
    return Split(recorded_at=NOW, lots=lots or (a_lot("A", 3000), a_lot("B", 600, date(2027, 1, 12))))


SAILED = a_report("DEPARTED", china(20))
CALLED_OFF = Cancellation(recorded_at=china(20))
LEFT = Unfollowed(recorded_at=china(20))
HELD = Hold(recorded_at=china(20))
IN_LOTS = split().model_copy(update={"recorded_at": china(20)})

CHANGES: list[Entry] = [booking(), credit(), amendment(quantity=3400), split()]


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        *[(entry, before) for entry in CHANGES for before in ([], [HELD])],
        (booking(cutoffs={"SI": china(28, month=12), "CY": china(30, 23, month=12)}), []),
        (booking(cutoffs={"CUSTOMS": china(1, 23, month=1, year=2027)}), []),  # a day after: the vessel is alongside
        (booking(datetime(2026, 12, 30, 16, tzinfo=UTC)), []),
        (booking(sailings=(date(2027, 1, 7), date(2027, 1, 14)), sails_every=7), []),
        (booking(), [booking()]),  # another S/O
        (credit(), [credit()]),  # its amendment
        (receipt(), []),
        (receipt(NOW + timedelta(hours=1)), []),  # their clock is ahead of ours
        (receipt(PLACED), []),
        (receipt(), [SAILED]),  # what customs says after the vessel left
        (receipt(), [CALLED_OFF]),
        (receipt(source="broker", source_event_id="1"), [receipt(source="broker", source_event_id="1"), IN_LOTS]),
        (amendment(undoes=("FAB_IN",)), [a_report("FAB_IN", china(20))]),
        (amendment(undoes=("FAB_IN",)), [a_report("CUT_START", china(20))]),  # nobody said so, but it was
        (amendment(quantity=3000), [a_report("ONBOARD", china(20), quantity=3000)]),
        (
            amendment(quantity=2900, tolerance=Tolerance(less=5, more=5)),
            [a_report("ONBOARD", china(20), quantity=3000)],
        ),
        (amendment(ship_from=date(2026, 12, 20), ship_by=date(2026, 12, 31), cancel_after=date(2027, 1, 5)), []),
        (amendment(etd=date(2026, 12, 31), quantity=3400), []),  # one of both is new
        (split(a_lot("A", 1200.4), a_lot("B", 1200.3), a_lot("C", 1199.3)), []),
        (split(a_lot("A", 3000, date(2026, 10, 1)), a_lot("B", 600)), []),  # on the day the order was placed
        (split(a_lot("A", 3000), a_lot("B", 400)), [amendment(quantity=3400)]),  # they add up to what holds now
        (split(), [credit()]),  # partial shipments are allowed unless prohibited
        (split(a_lot("A", 3000), a_lot("B", 600)), [credit(partial_shipments=False)]),  # one day, one vessel
        (split(), [credit(partial_shipments=False), credit()]),  # amended
    ],
)
def test_what_can_be_is_accepted(entry: Entry, before: list[Entry]) -> None:
    tell(entry, *before)


def test_an_order_without_a_date_is_booked_amended_and_split() -> None:
    for entry in CHANGES:
        tell(entry, etd=None)


@pytest.mark.parametrize("entry", CHANGES, ids=lambda entry: entry.kind)
@pytest.mark.parametrize(
    ("before", "why"),
    [
        (SAILED, "Order SO-1 is closed; nothing was changed."),
        (CALLED_OFF, "Order SO-1 is cancelled; nothing was changed. `gendan follow SO-1`"),
        (LEFT, "Order SO-1 is not followed; nothing was changed. `gendan follow SO-1`"),
        (IN_LOTS, "Order SO-1 is split into SO-1/A, SO-1/B; nothing was changed. Tell it of the lot"),
    ],
)
def test_an_order_that_is_over_changes_no_more(entry: Entry, before: Entry, why: str) -> None:
    assert why in reason(entry, before)


@pytest.mark.parametrize(
    "entry",
    [
        a_report("FAB_IN", china(21)),
        a_report("FAB_IN", china(21), corrects=1),
        Withdrawal(recorded_at=NOW, milestone="FAB_IN", corrects=1),
        Withdrawal(recorded_at=NOW, milestone="FAB_IN", source="mill", retracts="7"),
        receipt(),
        Hold(recorded_at=NOW),
        Cancellation(recorded_at=NOW),
        Followed(recorded_at=NOW),
        Reschedule(recorded_at=NOW, etd=date(2027, 2, 1)),
    ],
    ids=lambda entry: entry.kind,
)
def test_what_is_told_of_an_order_in_lots_belongs_to_a_lot(entry: Entry) -> None:
    assert "is split into SO-1/A, SO-1/B" in reason(entry, a_report("FAB_IN", china(19)), IN_LOTS)


def test_a_report_that_was_told_before_the_split_is_known_and_not_refused() -> None:
    event: dict[str, Any] = {"source": "mill", "source_event_id": "7"}

    tell(a_report("FAB_IN", china(19), **event), a_report("FAB_IN", china(19), **event), IN_LOTS)


@pytest.mark.parametrize(
    ("entry", "before", "why", "remedy"),
    [
        (booking(date(2026, 9, 30)), [], "the booked ETD 2026-09-30 is before the order was placed", "Check the date"),
        (
            booking(cutoffs={"SI": china(2, 0, month=1, year=2027)}),
            [],
            "the cut-off SI at 2027-01-02 00:00 CST is after the vessel leaves (2026-12-31)",
            "Check both dates on the S/O",
        ),
        (
            booking(cutoffs={"VGM": china(28, month=12)}),
            [],
            "no step of template SAMPLE has a cut-off 'VGM'",
            "It has: CUSTOMS, CY, SI",
        ),
        (
            booking(cutoffs={"SI": china(30, month=9)}),
            [],
            "is before the order was placed (2026-10-01",
            "Check the date",
        ),
        (booking(sailings=(date(2026, 12, 31),)), [], "2026-12-31 is not after the booked ETD", "leave later"),
        (
            receipt(NOW + timedelta(hours=1, seconds=1)),
            [],
            "customs letter P at 2026-11-23 13:00 CST is in the future",
            "zone",
        ),
        (receipt(PLACED - timedelta(seconds=1)), [], "is before the order was placed", "order number"),
        (amendment(undoes=("CUT_START",)), [], "CUT_START is not done, so nothing can undo it. Done: nothing.", ""),
        (
            amendment(undoes=("CUT_START",)),
            [a_report("FAB_IN", china(20))],
            "CUT_START is not done, so nothing can undo it. Done: FAB_IN.",
            "",
        ),
        (
            amendment(quantity=2999),
            [a_report("ONBOARD", china(20), quantity=3000)],
            "3000 pcs are on board already, so it cannot be amended to 2999",
            "gendan report SO-1 ONBOARD --corrects LINE",
        ),
        (amendment(quantity=3000), [a_report("ONBOARD", china(20))], "3600 pcs are on board already", "--corrects"),
        (
            amendment(etd=date(2026, 9, 30)),
            [],
            "the new ETD 2026-09-30 is before the order was placed",
            "Check the date",
        ),
        (amendment(ship_by=date(2026, 9, 30)), [], "the end of the ship window 2026-09-30 is before", "Check the date"),
        (amendment(cancel_after=date(2026, 9, 30)), [], "the cancel date 2026-09-30 is before", "Check the date"),
        (
            amendment(ship_by=date(2026, 12, 1)),
            [amendment(ship_from=date(2026, 12, 2))],
            "the ship window would end (2026-12-01) before it begins (2026-12-02)",
            "",
        ),
        (
            amendment(ship_from=date(2026, 12, 2), cancel_after=date(2026, 12, 1)),
            [],
            "the cancel date 2026-12-01 would be before the ship window begins",
            "Give both",
        ),
        (amendment(quantity=3600), [], "that is agreed already (version 1)", "gendan orders show SO-1"),
        (amendment(quantity=3400), [amendment(quantity=3400)], "that is agreed already (version 2)", ""),
        (split(a_lot("A", 3000), a_lot("B", 599)), [], "of 3600 pcs 1 are in no lot", "gendan amend SO-1 --quantity"),
        (split(a_lot("A", 3000), a_lot("B", 600.5)), [], "of 3600 pcs the lots have 0.5 too many", "Change the lots"),
        (split(), [amendment(quantity=3400)], "of 3400 pcs the lots have 200 too many", "gendan amend"),
        (split(a_lot("A", 3000), a_lot("A", 600)), [], "two lots are called SO-1/A", "a number of its own"),
        (
            split(a_lot("A", 3000), Lot(order_no="SO-1", quantity=600, etd=date(2026, 12, 31))),
            [],
            "a lot needs a number of its own",
            "SO-1/A",
        ),
        (
            split(a_lot("A", 3000), a_lot("B", 600, date(2026, 9, 30))),
            [],
            "the ETD of SO-1/B, 2026-09-30 is before the order was placed",
            "Check the date",
        ),
        (
            split(),
            [credit(partial_shipments=False)],
            "L/C LC-7731 prohibits partial shipments (field 43P)",
            "Have the L/C amended",
        ),
        (
            # the same day, but not the same vessel
            split(a_lot("A", 3000), a_lot("B", 600, template="EAD")),
            [credit(partial_shipments=False)],
            "field 43P",
            "ship all lots on one vessel",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_the_remedy(
    entry: Entry, before: list[Entry], why: str, remedy: str
) -> None:
    said = reason(entry, *before)

    assert said.startswith("Order SO-1")
    assert why in said
    assert remedy in said


def test_an_order_without_a_quantity_is_not_split() -> None:
    assert "gendan amend SO-1 --quantity NUMBER" in reason(split(), quantity=None)


def test_steps_that_the_order_does_not_have_are_named() -> None:
    with pytest.raises(UnknownMilestone, match="no milestone 'PPS_APP'"):
        tell(amendment(undoes=("PPS_APP",)))
    without_customs = an_order_file(ORDER, a_template(FABRIC, DEPARTURE.model_copy(update={"after": ("FAB_IN",)})))
    with pytest.raises(UnknownMilestone, match="no milestone 'CUS_DECL'"):
        check_entry(without_customs, receipt(), NOW)


def test_an_amendment_that_says_nothing_is_none() -> None:
    with pytest.raises(ValidationError, match="an amendment that changes nothing is none"):
        amendment()


def test_what_an_amendment_undoes_is_open_again_and_what_was_done_keeps_its_date() -> None:
    before: Sequence[Entry] = (a_report("FAB_IN", china(10)), a_report("CUT_START", china(20)))
    file = an_order_file(ORDER, SHIPPING, *before)

    change = what_if(file, [amendment(undoes=("CUT_START",), etd=date(2027, 1, 14))], [], NOW)

    assert change.after.at.agreed.version == 2
    assert change.before.at.open == ("SI_SUB", "GATE_IN")
    assert change.after.at.open == ("CUT_START",)
    moved = {new.code for old, new in change.moved if old.plan != new.plan}
    assert "FAB_IN" not in moved
    assert {"SI_SUB", "ONBOARD", "DEPARTED"} <= moved


CUTS = st.lists(st.integers(min_value=1, max_value=500_000), min_size=2, max_size=8)


@given(CUTS, st.integers(min_value=-3, max_value=3))
def test_lots_are_taken_exactly_where_they_add_up(thousandths: list[int], off: int) -> None:
    ordered = (sum(thousandths) + off) / 1000
    lots = [a_lot(str(n), part / 1000) for n, part in enumerate(thousandths)]

    assume(ordered > 0)
    if off == 0:
        tell(split(*lots), quantity=ordered)
    else:
        assert "in no lot" in (said := reason(split(*lots), quantity=ordered)) or "too many" in said


@given(st.lists(st.integers(min_value=1, max_value=4000), min_size=1, max_size=6))
def test_nothing_is_counted_beyond_what_was_ordered(parts: list[int]) -> None:
    file = an_order_file(ORDER, SHIPPING)
    total = 0
    for minute, part in enumerate(parts):
        report: Report = a_report("ONBOARD", china(20, minute=minute), quantity=part)
        if total + part <= 3600:
            check_entry(file, report, NOW)
            total += part
            file = file.told(report.model_copy(update={"seq": minute + 1}))
        else:
            with pytest.raises(Refused, match=f"ONBOARD would be {total + part} of 3600 pcs"):
                check_entry(file, report, NOW)
