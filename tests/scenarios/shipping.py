"""Stories from customs and the port: rejected, inspected, rolled, split, a vessel that moves."""

from __future__ import annotations

from datetime import date, timedelta

from models.book.changes import Booking, CreditAdvised, CustomsReceipt, Lot, Split
from models.book.order import OrderState
from models.lots import Shipped, delivery
from models.status.standing import standing
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from models.terms.tolerance import Tolerance
from tests.scenarios.production import BOOKED, PLAIN, PRE_PRODUCTION
from tests.scenarios.stage import LIBRARY, Line, Stage, on

MADE = (
    "PPS_APP",
    "FAB_IN",
    "FAB_QC",
    "TRIM_IN",
    "MAT_READY",
    "PP_MEET",
    "CUT_START",
    "SEW_START",
    "INLINE_QC",
    "FRI_BOOK",
)
READY = (
    "SEW_END",
    "PACK_DONE",
    "FRI_PASS",
    "SHIP_REL",
    "EX_FACTORY",
    "DOCS_BRK",
    "EMPTY_PICK",
    "STUFFED",
    "SI_SUB",
    "VGM_SUB",
)


async def customs_rejects_inspects_and_the_cargo_is_rolled(stage: Stage) -> None:
    """D. Rejected five hours before the cut-off, inspected, rolled: a new voyage, steps open again, 44C evaluated."""
    await stage.order(placed_at=on(8, 1), etd=date(2026, 12, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, *MADE, "BKG_REQ")
    await stage.go_to(on(11, 19, 16))
    cutoffs = {"SI": on(11, 30, 12), "VGM": on(12, 1, 12), "CY": on(12, 1, 16), "CUSTOMS": on(12, 2, 17)}
    await stage.entry(
        Booking,
        vessel="EVER GIFT",
        voyage="0412W",
        etd=date(2026, 12, 3),
        cutoffs=cutoffs,
        sails_every=7,
        source="S/O 7731",
    )
    await stage.entry(CreditAdvised, credit=Credit(latest_shipment=date(2026, 12, 5), expiry=date(2026, 12, 26)))
    await stage.done(*READY)
    await stage.go_to(on(12, 1, 10))
    await stage.done("GATE_IN")
    assert "SO_RCVD" in (await stage.standing()).reached, "the booking is the S/O"
    assert (await stage.standing()).due["CUS_REL"] == on(12, 2, 17), "the cut-off takes the place of the offset"
    assert not (await stage.outlook()).slips

    await stage.go_to(on(12, 1, 17, 30))
    await _customs(stage, "L", CustomsState.LODGED)
    await stage.go_to(on(12, 2, 12))
    await _customs(stage, "E", CustomsState.REJECTED, text="net weight above gross weight")
    at = await stage.standing()
    assert "CUS_DECL" not in at.done
    assert at.round_of("CUS_DECL") == 2
    # Declaring anew takes until after the cut-off, and the next vessel is too late for the credit: it is told.
    assert await _said_of(stage, "LC_44C") == [Line(on(12, 2, 12), "LC_44C", "L4", "GM")]
    await stage.go_to(on(12, 2, 13))
    await _customs(stage, "L", CustomsState.LODGED)
    await stage.go_to(on(12, 2, 14))
    await _customs(stage, "C", CustomsState.INSPECTION)
    ahead = await stage.outlook()
    assert [broken.hard.code for broken in ahead.broken] == ["CUSTOMS", "LC_44C"], "first the cut-off, then the credit"
    assert ahead.sails_at.date() == date(2026, 12, 10), "the next vessel, not the next day"
    alarm = await stage.words("LC_44C", "L4", "GM")
    for fact in (stage.order_no, "ACME", "Sat 5 Dec", "Thu 10 Dec"):
        assert fact in alarm, fact

    await stage.go_to(on(12, 4))
    assert [line for line in await _said_of(stage, "CUS_REL") if line.rung.startswith("T-")] == [
        Line(on(11, 30, 17), "CUS_REL", "T-48", "LOG"),
        *(Line(on(12, 1, 17), "CUS_REL", "T-24", role) for role in ("LOG", "MER")),
        *(Line(on(12, 2, 11), "CUS_REL", "T-6", role) for role in ("SALES", "LOG", "MER")),
        *(Line(on(12, 2, 15), "CUS_REL", "T-2", role) for role in ("SALES", "LOG", "MER")),
        *(Line(on(12, 2, 17), "CUS_REL", "T-0", role) for role in ("SALES", "LOG", "MER")),
    ]
    missed = await stage.words("CUS_REL", "T-0", "LOG")
    for fact in ("Wed 2 Dec 17:00", "Nobody can press customs", "Thu 10 Dec"):
        assert fact in missed, fact
    await _customs(stage, "P", CustomsState.RELEASED)
    assert "CUS_REL" in (await stage.standing()).reached
    await stage.failed("ONBOARD", "rolled: released after the cut-off")
    at = await stage.standing()
    assert not {"SO_RCVD", "SI_SUB", "VGM_SUB", "CUS_DECL", "CUS_REL"} & at.done.keys()
    assert {"GATE_IN", "STUFFED"} <= at.done.keys(), "the box is in the port"
    assert "SO_RCVD" in at.open, "the next vessel is asked for"
    for code in ("SI_SUB", "VGM_SUB"):
        assert not [line for line in await _said_of(stage, code) if line.rung == "T-0"], "those were met in time"

    await stage.go_to(on(12, 4, 15))
    later = {code: instant + timedelta(days=7) for code, instant in cutoffs.items()}
    await stage.entry(
        Booking, vessel="EVER GOLDEN", voyage="0413W", etd=date(2026, 12, 10), cutoffs=later, source="S/O 7802"
    )
    at = await stage.standing()
    assert at.etd == date(2026, 12, 10)
    assert set(at.open) >= {"SI_SUB", "VGM_SUB", "CUS_DECL"}
    assert at.due["SI_SUB"] == on(12, 7, 12)
    ahead = await stage.outlook()
    assert [broken.hard.code for broken in ahead.broken] == ["LC_44C"], "only the applicant can amend the credit"


async def _said_of(stage: Stage, code: str) -> list[Line]:
    return [line for line in await stage.said() if line.milestone == code]


async def _customs(stage: Stage, letter: str, state: CustomsState, text: str = "") -> None:
    known = LIBRARY.letters[letter]
    assert known.state is state
    takes = known.takes or (0, 0)
    await stage.tell(
        lambda file, now: CustomsReceipt(
            recorded_at=now,
            occurred_at=now,
            letter=letter,
            state=known.state,
            takes={"likely": takes[0], "pessimistic": takes[1]},  # type: ignore[arg-type]
            text=text,
        )
    )


async def a_part_ships_and_the_rest_flies(stage: Stage) -> None:
    """E. 3,000 of 3,600 are ready: below the tolerance, so two lots, each with an ETD and a result of its own."""
    await stage.order(placed_at=on(8, 1), etd=date(2026, 12, 1), without=PLAIN, tolerance=Tolerance(less=5, more=5))
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, *MADE, *BOOKED)
    await stage.go_to(on(11, 23))
    await stage.done("SEW_END", quantity=3000)
    await stage.done("PACK_DONE", quantity=3000)
    assert not Tolerance(less=5, more=5).in_full(3600, 3000)

    lots = (
        Lot(order_no=f"{stage.order_no}/A", quantity=3000, etd=date(2026, 12, 1)),
        Lot(order_no=f"{stage.order_no}/B", quantity=600, etd=date(2026, 12, 9), template="EAD"),
    )
    await stage.entry(Split, lots=lots)
    at = await stage.standing()
    assert at.state is OrderState.SPLIT
    assert at.open == ()
    one, other = await stage.lots()
    assert [lot.order.parent for lot in (await one.file(), await other.file())] == [stage.order_no] * 2
    assert (await one.standing()).counted["PACK_DONE"] == 3000, "the first lot is filled first"
    assert "PACK_DONE" in (await one.standing()).reached
    assert "PACK_DONE" not in (await other.standing()).counted
    assert not {"MP_START", "PROD_DONE", "FRI_PASS"} & (await other.standing()).done.keys()

    await one.go_to(on(12, 1, 20))
    await one.done("FRI_PASS", "ONBOARD", "DEPARTED")
    await other.go_to(on(12, 9, 20))
    await other.done("PROD_DONE", "FRI_PASS", "HANDOVER", "UPLIFT")
    ended = [await part.standing() for part in (one, other)]
    assert [lot_at.state for lot_at in ended] == [OrderState.CLOSED, OrderState.CLOSED]
    shipped = [Shipped(lot.quantity, lot.etd, lot_at.departed_at) for lot, lot_at in zip(lots, ended, strict=True)]
    result = delivery(3600, date(2026, 12, 1), shipped, at.agreed.allowed, (await stage.file()).calendar)
    assert result.on_time == (True, True), "each lot left by its own ETD"
    assert (result.otd, result.otif) == (True, False), "but the order was not in full on its date"


async def the_carrier_sails_a_day_earlier(stage: Stage) -> None:
    """I. ETD a day earlier: the old cut-offs are void until the carrier gives new ones, which are then checked."""
    await stage.order(placed_at=on(8, 1), etd=date(2026, 12, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, *MADE, "BKG_REQ")
    await stage.go_to(on(11, 24))
    cutoffs = {"SI": on(11, 30, 12), "CY": on(12, 1, 16), "CUSTOMS": on(12, 2, 17)}
    await stage.entry(Booking, etd=date(2026, 12, 3), cutoffs=cutoffs, source="S/O 7731")
    await stage.done("SEW_END", "PACK_DONE")
    before = await stage.outlook()
    assert {hard.code for hard in before.hard} == {"SI", "CY", "CUSTOMS"}

    earlier = {"SI": on(11, 27, 12), "CY": on(11, 30, 16), "CUSTOMS": on(12, 1, 17)}
    await stage.entry(Booking, etd=date(2026, 12, 2), cutoffs=earlier, source="S/O 7731 rev. 1")
    after = await stage.outlook()
    at = await stage.standing()
    assert at.etd == date(2026, 12, 2)
    assert {hard.code: hard.at for hard in after.hard} == earlier
    assert {hard.source for hard in after.hard} == {"S/O 7731 rev. 1"}
    assert at.due["CUS_REL"] == on(12, 1, 17)
    assert all(after.late[code] <= before.late[code] for code in after.late), "everything must be done earlier"

    await stage.go_to(on(11, 24, 12))
    said = len(await stage.said())
    await stage.tell(lambda file, now: Booking(recorded_at=now, etd=date(2026, 12, 2), cutoffs=earlier, source="again"))
    assert len(await stage.said()) == said, "told again, nobody hears of it again"
    await stage.go_to(on(12, 2))
    ticks = [(line.milestone, line.rung, line.role) for line in await stage.said() if line.rung.startswith("T-")]
    assert len(ticks) == len(set(ticks)), "each tick once: of the new cut-offs, never of the old"
    assert [line.at for line in await _said_of(stage, "CUS_REL") if line.rung == "T-0"] == [on(12, 1, 17)] * 3
    assert standing(await stage.file(), stage.now).due == at.due
