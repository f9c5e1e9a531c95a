"""Stories from production: fabric that slips, a buyer who is slow, a failed inspection, holds and ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from models.book.changes import Cancellation, Hold, Resume
from models.book.order import OrderState
from models.book.order_file import ChaseState
from models.errors import Refused
from models.planning.outlook import Cause
from tests.scenarios.stage import Line, Stage, morning, on

PRE_PRODUCTION = ("ORD_REVIEW", "PI_SIGNED", "TA_FROZEN", "PROD_ORDER", "LABDIP_APP", "FIT_APP", "FAB_PO", "TRIM_PO")
BOOKED = ("BKG_REQ", "SO_RCVD")
PLAIN = ("DEPOSIT", "STRIKE_APP", "SIZESET_APP", "TEST_OK")
"""Optional steps that these orders do not have."""


async def fabric_is_promised_twice_and_slips(stage: Stage) -> None:
    """A. The ladder counts working days across the National Day block of 2026 and its make-up days."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_APP", "PP_MEET", "TRIM_IN")
    due = (await stage.standing()).due["FAB_IN"]
    assert due.date() == date(2026, 9, 18)  # a Friday, 46 days before ETD

    await stage.go_to(on(9, 20, 8))
    reminded = [
        Line(morning(9, 11), "FAB_IN", "R5", "PUR"),
        Line(morning(9, 16), "FAB_IN", "R2", "PUR"),
        Line(morning(9, 18), "FAB_IN", "R0", "PUR"),
    ]
    assert await stage.said() == reminded
    await stage.go_to(on(9, 20, 10))  # a Sunday on which China works, in the place of a National Day holiday
    late = [Line(morning(9, 20), "FAB_IN", "L1", "MER"), Line(morning(9, 20), "FAB_IN", "L1", "PUR")]
    assert await stage.said() == [*reminded, *late]
    asked = await stage.words("FAB_IN", "L1", "MER")
    for fact in (
        stage.order_no,
        "ACME",
        "L1",
        "FAB_IN",
        "Fri 18 Sep",
        "ETD Tue 3 Nov",
        "slack 3",
        "Say when it will be done",
    ):
        assert fact in asked, fact

    await stage.promised("FAB_IN", date(2026, 9, 24), approved_by="sales")
    assert (await stage.chase("FAB_IN")).state is ChaseState.PROMISED
    await stage.go_to(on(9, 28, 10))  # Mid-Autumn is the 25th to the 27th
    await stage.promised("FAB_IN", date(2026, 9, 30), approved_by="sales")
    await stage.go_to(on(10, 13))

    assert await stage.said() == [
        *reminded,
        *late,
        # The 24th is promised: there is time for two reminders of it.
        Line(morning(9, 22), "FAB_IN", "R2", "PUR"),
        Line(morning(9, 24), "FAB_IN", "R0", "PUR"),
        Line(morning(9, 28), "FAB_IN", "L1", "MER"),
        Line(morning(9, 28), "FAB_IN", "L1", "PUR"),
        Line(morning(9, 30), "FAB_IN", "R0", "PUR"),
        Line(morning(10, 8), "FAB_IN", "L1", "MER"),  # National Day is the 1st to the 7th
        Line(morning(10, 8), "FAB_IN", "L1", "PUR"),
        Line(morning(10, 9), "FAB_IN", "L2", "PROD"),
        # Saturday the 10th is worked. By its lateness L3 would come on the 12th: the second broken promise brings it.
        Line(morning(10, 10), "FAB_IN", "L3", "SALES"),
    ]
    assert (await stage.standing()).broken["FAB_IN"] == 2
    ahead = await stage.outlook()
    assert ahead.slips
    assert ahead.path[0] == "FAB_IN"
    assert ahead.path[-1] == "DEPARTED"


async def the_buyers_comment_is_late(stage: Stage) -> None:
    """B. The buyer sits on the sample: sales is told, production is neither told nor asked for what follows from it."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_SUB", "FAB_IN", "FAB_QC", "TRIM_IN", "MAT_READY")
    await stage.go_to(on(9, 30))

    template = (await stage.file()).template
    assert template.by_code["PPS_APP"].waiting_on == ("BUYER",)
    assert await stage.said() == [
        Line(morning(9, 16), "PPS_APP", "R5", "MER"),
        Line(morning(9, 20), "PPS_APP", "R2", "MER"),
        Line(morning(9, 22), "PPS_APP", "R0", "MER"),
        Line(morning(9, 23), "PPS_APP", "L1", "MER"),  # the merchandiser owns the step: told once
        Line(morning(9, 24), "PPS_APP", "L2", "SALES"),  # in the place of the production manager
        Line(morning(9, 29), "PPS_APP", "L3", "SALES"),
    ]
    asked = await stage.words("PPS_APP", "L2", "SALES")
    for fact in ("Waiting on: Buyer", "Tue 22 Sep", "Sales asks the buyer for the answer today", "forecast Tue 10 Nov"):
        assert fact in asked, fact
    at = await stage.standing()
    assert at.open == ("PPS_APP", "BKG_REQ")
    ahead = await stage.outlook()
    assert ahead.at_risk("PPS_APP")
    assert ahead.causes["CUT_START"] is Cause.STEP
    assert ahead.path[0] == "PPS_APP"


async def the_inspection_fails_and_the_goods_miss_a_vessel(stage: Stage) -> None:
    """C. FAIL, rework, PASS: the release is open again, and ETD moves by a sailing, not by the days of the rework."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done(
        "ORD_RCVD", *PRE_PRODUCTION, *BOOKED, "PPS_APP", "FAB_IN", "FAB_QC", "TRIM_IN", "MAT_READY", "PP_MEET",
        "CUT_START", "SEW_START", "INLINE_QC", "FRI_BOOK", "EMPTY_PICK",
    )  # fmt: skip
    await stage.go_to(on(10, 28))
    await stage.done("SEW_END", "PACK_DONE", "SHIP_REL")
    await stage.failed("FRI_PASS", "AQL 2.5: open seams, 14 of 200")

    at = await stage.standing()
    assert "FRI_PASS" in at.open
    assert "SHIP_REL" not in at.done, "the release is open again"
    assert at.round_of("FRI_PASS") == 2
    assert at.failed["FRI_PASS"][0].note.startswith("AQL 2.5")

    ahead = await stage.outlook()
    assert ahead.causes["FRI_PASS"] is Cause.ROUND
    assert (ahead.sails_at.date(), ahead.causes["ONBOARD"]) == (date(2026, 11, 10), Cause.SAILING)

    await stage.go_to(on(11, 2))
    await stage.done("FRI_PASS", "SHIP_REL")
    at = await stage.standing()
    assert {"FRI_PASS", "SHIP_REL"} <= at.reached.keys()
    assert at.round_of("FRI_PASS") == 2
    assert (await stage.outlook()).sails_at.date() == date(2026, 11, 10)


async def the_order_rests_for_twelve_days(stage: Stage) -> None:
    """G. A hold stops the ladder and no outside deadline; afterwards the ladder goes on where it stood."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN, ship_by=date(2026, 11, 6))
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_APP", "PP_MEET", "TRIM_IN")
    await stage.go_to(on(9, 20, 10))
    before = await stage.outlook()
    assert await _rungs(stage) == ["L1"]

    await stage.entry(Hold, note="the buyer redesigns the label", until=date(2026, 10, 2))
    await stage.go_to(on(10, 2, 8))
    assert await _rungs(stage) == ["L1"], "nobody is chased on hold"
    resting = await stage.chase("FAB_IN")
    assert (resting.state, resting.why) == (ChaseState.SUPPRESSED, OrderState.ON_HOLD.value)
    assert (await stage.file()).standing_claims == frozenset()
    during = await stage.outlook()
    assert (await stage.standing()).state is OrderState.ON_HOLD
    assert during.planned_at == before.planned_at
    assert [h.at for h in during.hard if h.code == "SHIP_WINDOW"] == [
        h.at for h in before.hard if h.code == "SHIP_WINDOW"
    ]
    assert during.forecast["FAB_IN"] >= before.forecast["FAB_IN"] + timedelta(days=11)

    await stage.entry(Resume)
    await stage.go_to(on(10, 12))
    # Working days late before the hold: the 20th. After it the 8th, 9th and 10th of October.
    assert [line for line in await stage.said() if line.rung.startswith("L")] == [
        Line(morning(9, 20), "FAB_IN", "L1", "MER"),
        Line(morning(9, 20), "FAB_IN", "L1", "PUR"),
        Line(morning(10, 8), "FAB_IN", "L2", "PROD"),
        Line(morning(10, 8), "SHIP_WINDOW", "L4", "GM"),  # twelve days cost the vessel, and the next is too late
        Line(morning(10, 9), "FAB_IN", "L3", "SALES"),  # brought forward: the goods are forecast to miss their vessel
    ]
    assert (await stage.chase("FAB_IN")).state is ChaseState.TRIGGERED


async def the_order_is_cancelled_while_it_is_chased(stage: Stage) -> None:
    """H. Everything falls silent at once."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_APP", "PP_MEET", "TRIM_IN")
    await stage.go_to(on(9, 21, 10))
    said = await stage.said()
    assert await _rungs(stage) == ["L1", "L2"]
    assert {claim.rung for claim in (await stage.file()).standing_claims} == {"L1", "L2"}

    await stage.entry(Cancellation, note="the buyer withdrew")
    assert (await stage.file()).standing_claims == frozenset(), "what was raised and not sent is sent to nobody"
    assert (await stage.chase("FAB_IN")).state is ChaseState.SUPPRESSED
    at = await stage.standing()
    assert at.state is OrderState.CANCELLED
    assert at.open == ()
    await stage.go_to(on(12, 1))
    assert await stage.said() == said


async def a_promise_beyond_the_late_date_is_refused(stage: Stage) -> None:
    """K. Chasing may sleep until a promised date, but not past the date that protects the vessel."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_APP", "PP_MEET", "TRIM_IN")
    await stage.go_to(on(9, 15))
    late = (await stage.outlook()).late["FAB_IN"]
    before = await stage.file()

    with pytest.raises(Refused, match=f"{late:%Y-%m-%d}"):
        await stage.promised("FAB_IN", late.date() + timedelta(days=1))
    assert await stage.file() == before

    await stage.promised("FAB_IN", late.date())
    assert (await stage.standing()).promised["FAB_IN"].date() == late.date()
    await stage.promised("FAB_IN", late.date() + timedelta(days=1), approved_by="Chen, sales manager")
    assert (await stage.outlook()).at_risk("FAB_IN")
    await stage.go_to(on(9, 21, 10))
    assert await _rungs(stage) == [], "it was due on the 18th, and sleeps until the date that was promised"


async def _rungs(stage: Stage) -> list[str]:
    """Return the rungs of the ladder that were told so far, each once."""
    return list(dict.fromkeys(line.rung for line in await stage.said() if line.rung.startswith("L")))
