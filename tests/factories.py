"""Builders of sample values with defaults: a test states only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.book.entry import Entry
from models.book.order import Order
from models.book.order_file import OrderFile
from models.book.report import Report
from models.calendars.workdays import Calendar
from models.names import Name
from models.terms.milestone import Milestone, Stage
from models.terms.party import Party
from models.terms.policy import Policy, Rung
from models.terms.template import Template

CHINA = ZoneInfo("Asia/Shanghai")


def a_name(en: str, zh_hans: str = "", zh_hant: str = "") -> Name:
    """Build a name; Chinese left out is the English one."""
    return Name(en=en, zh_hans=zh_hans or en, zh_hant=zh_hant or zh_hans or en)


def china(day: int, hour: int = 10, minute: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    """Return an instant on China's wall; November 2026 unless told."""
    return datetime(year, month, day, hour, minute, tzinfo=CHINA)


def a_calendar(**changes: Any) -> Calendar:
    """Build a Chinese office's calendar: Monday to Friday, nine to six, no holidays."""
    fields: dict[str, Any] = {
        "code": "office",
        "name": a_name("Office", "办公室", "辦公室"),
        "zone": "Asia/Shanghai",
        "weekend": frozenset({6, 7}),
    }
    return Calendar(**(fields | changes))


def an_order(**changes: Any) -> Order:
    """Build an order of 3,600 pieces for ACME that sails on Thursday, 31 December 2026."""
    fields: dict[str, Any] = {
        "order_no": "SO-26-0417",
        "customer": "ACME",
        "placed_at": china(1, month=10),
        "came_in": china(1, month=10),
        "etd": date(2026, 12, 31),
        "quantity": 3600,
        "unit": "pcs",
    }
    return Order(**(fields | changes))


def a_milestone(code: str, **changes: Any) -> Milestone:
    """Build a milestone that is due at ETD, on its own."""
    fields: dict[str, Any] = {
        "code": code,
        "name": a_name(code.capitalize()),
        "stage": Stage.PRODUCTION,
        "accountable": "MER",
        "waiting_on": ("SUPPLIER",),
        "offset": 0,
        "calendar": "office",
    }
    return Milestone(**(fields | changes))


FABRIC = a_milestone(
    "FAB_IN",
    name=a_name("Bulk fabric in-house", "面料到厂", "面料到廠"),
    stage=Stage.MATERIALS,
    accountable="PUR",
    waiting_on=("MILL",),
    offset=-41,
)
CUTTING = a_milestone(
    "CUT_START", name=a_name("Cutting started", "开裁", "開裁"), waiting_on=("PROD",), offset=-35, after=("FAB_IN",)
)
SEWING = a_milestone(
    "SEW_END", name=a_name("Sewing done", "车缝完成", "車縫完成"), offset=-14, after=("CUT_START",), counted=True
)
CUSTOMS = a_milestone(
    "CUS_REL",
    name=a_name("Customs release", "海关放行", "海關放行"),
    stage=Stage.CUSTOMS,
    accountable="LOG",
    waiting_on=("CUSTOMS",),
    offset=-1,
    after=("SEW_END",),
)
DEPARTURE = a_milestone(
    "DEPARTED",
    name=a_name("Vessel departed", "开船", "開船"),
    stage=Stage.LOADING,
    accountable="LOG",
    waiting_on=("CARRIER",),
    after=("CUS_REL",),
)


def a_template(*milestones: Milestone, **changes: Any) -> Template:
    """Build a template of the given milestones, the last one its departure; without any, fabric to departure."""
    milestones = milestones or (FABRIC, CUTTING, SEWING, CUSTOMS, DEPARTURE)
    fields: dict[str, Any] = {
        "code": "SAMPLE",
        "name": a_name("Sample", "样例", "樣例"),
        "calendar": "office",
        "policy": "standard",
        "departure": milestones[-1].code,
        "follow_to": milestones[-1].code,
        "milestones": milestones,
    }
    return Template(**(fields | changes))


def a_policy(**changes: Any) -> Policy:
    """Build the standard ladder: at once, and 2, 4 and 7 working days late."""
    fields: dict[str, Any] = {
        "code": "standard",
        "rungs": (
            Rung(code="L1", after=0, role="MER", asks=a_name("Say when it will be done", "请回报日期", "請回報日期")),
            Rung(code="L2", after=2, role="PROD", asks=a_name("Give a firm date", "请给出日期", "請給出日期")),
            Rung(code="L3", after=4, role="SALES", asks=a_name("Tell the customer", "请告知客户", "請告知客戶")),
            Rung(code="L4", after=7, role="GM", asks=a_name("Decide", "请决定", "請決定")),
        ),
    }
    return Policy(**(fields | changes))


def some_parties() -> dict[str, Party]:
    """Build the parties that the sample template and policy name."""
    names = {
        "MER": a_name("Merchandiser", "跟单员", "跟單員"),
        "PUR": a_name("Purchasing", "采购", "採購"),
        "PROD": a_name("Production manager", "生产主管", "生產主管"),
        "SALES": a_name("Sales manager", "业务经理", "業務經理"),
        "LOG": a_name("Shipping", "船务", "船務"),
        "GM": a_name("General manager", "总经理", "總經理"),
        "MILL": a_name("Huaxing Dyehouse", "华兴染厂", "華興染廠"),
        "SUPPLIER": a_name("Supplier", "供应商", "供應商"),
        "CUSTOMS": a_name("Customs", "海关", "海關"),
        "CARRIER": a_name("Carrier", "船公司", "船公司"),
    }
    outside = {"MILL", "SUPPLIER", "CUSTOMS", "CARRIER"}
    return {c: Party(code=c, name=name, calendar="office", internal=c not in outside) for c, name in names.items()}


def an_order_file(
    order: Order | None = None,
    template: Template | None = None,
    *entries: Entry,
    policy: Policy | None = None,
    calendars: Iterable[Calendar] = (),
) -> OrderFile:
    """Build an order's file with these entries in its log; calendars beside the office's are added."""
    return OrderFile(
        order=order or an_order(),
        template=template or a_template(),
        policy=policy or a_policy(),
        calendars={calendar.code: calendar for calendar in (a_calendar(), *calendars)},
    ).told(*(entry.model_copy(update={"seq": number}) for number, entry in enumerate(entries, start=1)))


def a_report(milestone: str, at: datetime, **changes: Any) -> Report:
    """Build a report that `milestone` happened at `at`, known at once."""
    fields: dict[str, Any] = {"milestone": milestone, "occurred_at": at, "recorded_at": at.astimezone(UTC)}
    return Report(**(fields | changes))
