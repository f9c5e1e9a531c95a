"""Order files for the tests of what is shown of a plan: one in mid-season, with a booking and a letter of credit."""

from __future__ import annotations

from datetime import date
from typing import Any

from models.book.changes import Amendment, Booking, Cancellation, Contact, CreditAdvised, Hold
from models.book.entry import Entry
from models.book.order import OrderKind
from models.book.order_file import OrderFile
from models.book.report import Outcome, Promise
from models.codes import LOADED
from models.terms.credit import Credit
from models.terms.milestone import Milestone, Rounds, Stage, Takes
from models.terms.template import Template
from tests.factories import a_calendar, a_milestone, a_name, a_report, a_template, an_order, an_order_file, china

NOW = china(9, month=12)
"""Wednesday, 9 December 2026, ten in the morning."""
CY = china(29, 16, month=12)


def a_step(code: str, names: tuple[str, str, str], offset: int, *after: str, **changes: Any) -> Milestone:
    """Build a milestone that takes three working days, or five at worst."""
    fields: dict[str, Any] = {"takes": Takes(likely=3, pessimistic=5)}
    return a_milestone(code, name=a_name(*names), offset=offset, after=after, **(fields | changes))


PLANNED = (
    a_step("ORD_RCVD", ("Customer order received", "收到订单", "收到訂單"), -80, stage=Stage.COMMERCIAL),
    a_step("LABDIP_SUB", ("Lab dips submitted", "色样寄出", "色樣寄出"), -60, "ORD_RCVD", stage=Stage.SAMPLES),
    a_step(
        "LABDIP_APP",
        ("Lab dip approved", "色样批复", "色樣批覆"),
        -50,
        "LABDIP_SUB",
        stage=Stage.SAMPLES,
        rounds=Rounds(takes=Takes(likely=4, pessimistic=6)),
    ),
    a_step(
        "FAB_IN",
        ("Bulk fabric in-house", "面料到厂", "面料到廠"),
        -41,
        "LABDIP_APP",
        stage=Stage.MATERIALS,
        accountable="PUR",
        waiting_on=("MILL",),
    ),
    a_step("TRIM_IN", ("Trims in-house", "辅料到厂", "輔料到廠"), -20, "ORD_RCVD", accountable="PUR"),
    a_step("PP_MEET", ("Pre-production meeting", "产前会", "產前會"), -24, "FAB_IN", waiting_on=("PROD",)),
    a_step("CUT_START", ("Cutting started", "开裁", "開裁"), -23, "PP_MEET", waiting_on=("PROD",)),
    a_step(
        "SEW_END",
        ("Sewing done", "车缝完成", "車縫完成"),
        -10,
        "CUT_START",
        "TRIM_IN",
        counted=True,
        takes=Takes(likely=11, pessimistic=16),
    ),
    a_step(
        "ARTWORK",
        ("Artwork approved", "包装稿确认", "包裝稿確認"),
        -8,
        "ORD_RCVD",
        takes=Takes(likely=2, pessimistic=4),
    ),
    a_step("LABELS", ("Labels printed", "标签印好", "標籤印好"), -7, "ARTWORK", takes=Takes(likely=1, pessimistic=2)),
    a_step("INSURED", ("Insurance issued", "保险单", "保險單"), -21, "ORD_RCVD", accountable="LOG"),
    a_step(
        "GATE_IN",
        ("Gate-in", "进港", "進港"),
        -3,
        "SEW_END",
        "LABELS",
        accountable="LOG",
        cutoff="CY",
        takes=Takes(likely=1, pessimistic=2),
    ),
    a_step(
        LOADED, ("Loaded on board", "装船", "裝船"), 0, "GATE_IN", "INSURED", waiting_on=("CARRIER",), takes=Takes()
    ),
    a_step("DEPARTED", ("Vessel departed", "开船", "開船"), 0, LOADED, waiting_on=("CARRIER",), takes=Takes()),
    a_step("LC_PRESENT", ("Documents presented", "交单", "交單"), 8, "DEPARTED", takes=Takes(likely=3, pessimistic=4)),
    a_step("FEEDBACK", ("Feedback", "客户反馈", "客戶反饋"), 40, "DEPARTED"),
)


def planned(**changes: Any) -> Template:
    """Build a template whose steps know how long they take, by sea: a vessel leaves every seven days."""
    fields = {"departure": "DEPARTED", "follow_to": "LC_PRESENT", "sails_every": 7}
    return a_template(*PLANNED, **(fields | changes))


def unpublished() -> Any:
    """Build the office's calendar with official lists up to 2026 only."""
    return a_calendar(published=frozenset(range(2020, 2027)), estimated=frozenset({date(2027, 1, 1)}))


BOOKED = Booking(
    recorded_at=china(1, month=12),
    vessel="COSCO ARIES",
    voyage="088W",
    etd=date(2026, 12, 31),
    cutoffs={"CY": CY},
    source="S/O COSU 88",
)
CREDIT = CreditAdvised(
    recorded_at=china(2),
    credit=Credit(
        number="LC-4711", latest_shipment=date(2027, 1, 5), expiry=date(2027, 1, 24), expiry_place="Shanghai"
    ),
)


def mid_season(*more: Entry, **changes: Any) -> OrderFile:
    """
    Build an order on 9 December 2026 in which every state occurs that an open order can have.

    The pre-production meeting is two working days late, which moves the departure to the next vessel.
    """
    fields = {"ship_by": date(2027, 1, 8), "placed_at": china(8, month=10), "came_in": china(8, month=10)}
    return an_order_file(
        an_order(**(fields | changes)),
        planned(),
        a_report("ORD_RCVD", china(9, month=10)),
        CREDIT,
        a_report("LABDIP_APP", china(9), outcome=Outcome.FAILED, note="too red"),
        a_report("LABDIP_APP", china(16)),
        a_report("FAB_IN", china(18)),
        Amendment(recorded_at=china(20), quantity=3600, note="one carton mark less"),
        Promise(recorded_at=china(27), milestone="TRIM_IN", promised=china(11, 18, month=12)),
        BOOKED,
        *more,
        calendars=[unpublished()],
    )


def cutting_is_done() -> OrderFile:
    """Build the same order, had the meeting been held and the cutting begun: nothing slips."""
    return mid_season(*(a_report(code, china(8, month=12)) for code in ("PP_MEET", "CUT_START")))


def at_the_port() -> OrderFile:
    """Build the same order with all done but what happens at the port, from 29 December on."""
    done = ("PP_MEET", "CUT_START", "SEW_END", "TRIM_IN", "LABELS", "INSURED")
    return mid_season(*(a_report(code, china(24, month=12)) for code in done))


HELD = Hold(recorded_at=china(8, month=12), by="mei.lin", note="new label", until=date(2026, 12, 15))
CANCELLED = Cancellation(recorded_at=china(8, month=12), by="mei.lin", note="buyer withdrew")


def a_prospect(*entries: Entry, **changes: Any) -> OrderFile:
    """Build a prospect that hopes for a contract on 31 December 2026."""
    steps = (
        a_step("ENQUIRY", ("Enquiry received", "收到询价", "收到詢價"), -30, stage=Stage.COMMERCIAL),
        a_step("QUOTE_SENT", ("Quotation sent", "报价", "報價"), -20, "ENQUIRY", stage=Stage.COMMERCIAL),
        a_step("CONTRACT", ("Contract signed", "签约", "簽約"), 0, "QUOTE_SENT", stage=Stage.COMMERCIAL),
    )
    template = a_template(*steps, kind=OrderKind.PROSPECT, dormant_after=21)
    fields = {"kind": OrderKind.PROSPECT, "placed_at": china(1), "came_in": china(1)}
    return an_order_file(an_order(order_no="P-26-031", **(fields | changes)), template, *entries)


CALL_AGAIN = Contact(recorded_at=china(7, month=12), by="mei.lin", next_on=date(2026, 12, 16))
