"""How long both passes over an order take: forecast, late dates, hard dates and driving path of its 53 steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from bench.figures import Figure, Spread
from models.book.changes import Booking
from models.book.order import Order
from models.book.order_file import OrderFile
from models.book.report import Promise, Report
from models.planning.outlook import outlook
from models.planning.provisional import provisional_dates
from models.planning.sheet import sheet_at
from models.status.standing import standing
from tasks.library import load_library

NAME = "passes"
TARGET = 2.0
CHINA = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 10, tzinfo=CHINA)
ETD = date(2027, 1, 6)
STEPS_DONE = 20


def measure(say: Callable[[str], None], *, quick: bool) -> list[Figure]:
    """Time the passes alone on an order in mid-season, and what stands around them: the standing and the sheet."""
    file = in_mid_season()
    at = standing(file, NOW)
    ahead = outlook(file, at)
    assert ahead is not None  # it has an ETD
    steps = len(file.template.codes)
    say(f"passes: {steps} steps, {len(at.done)} of them done, {len(at.open)} waited for, {len(ahead.hard)} hard dates")
    times = 50 if quick else 500
    passes = _milliseconds(lambda: outlook(file, at), times)
    around: list[tuple[str, Callable[[], object]]] = [
        ("where the order stands, from its log", lambda: standing(file, NOW)),
        ("which of its dates are provisional", lambda: provisional_dates(file, at, ahead)),
        ("its whole sheet: passes, the worst case and the provisional dates", lambda: sheet_at(file, at)),
    ]
    return [
        Figure(
            NAME,
            f"both passes over an order of {steps} steps in mid-season",
            "ms",
            passes,
            target=f"<= {TARGET:.0f} ms",
            met=passes.median <= TARGET,
            note="least / median / greatest of the processor's time",
        ),
        *(Figure(NAME, what, "ms", _milliseconds(work, times)) for what, work in around),
    ]


def in_mid_season() -> OrderFile:
    """Return an order of the apparel template: a part of it done, fabric promised, space booked with its cut-offs."""
    shelf = load_library()
    template = shelf.templates["AFS"]
    placed_at = datetime(2026, 10, 8, 10, tzinfo=CHINA)
    order = Order(
        order_no="BENCH",
        customer="ACME",
        placed_at=placed_at,
        came_in=placed_at,
        etd=ETD,
        quantity=3600,
        ship_by=date(2027, 1, 15),
    )
    facts = [
        Report(seq=seq, recorded_at=at, milestone=code, occurred_at=at)
        for seq, code in enumerate((c for c in template.followed if c not in ("FAB_IN", "SO_RCVD")), start=1)
        if seq <= STEPS_DONE
        for at in [placed_at.replace(day=8 + seq)]
    ]
    cutoffs = {
        "SI": datetime(2027, 1, 2, 12, tzinfo=CHINA),
        "VGM": datetime(2027, 1, 3, 12, tzinfo=CHINA),
        "CY": datetime(2027, 1, 4, 12, tzinfo=CHINA),
        "CUSTOMS": datetime(2027, 1, 4, 17, tzinfo=CHINA),
    }
    told = len(facts)
    promise = Promise(
        seq=told + 1, recorded_at=NOW, milestone="FAB_IN", promised=datetime(2026, 11, 27, 18, tzinfo=CHINA)
    )
    booking = Booking(seq=told + 2, recorded_at=NOW, etd=ETD, cutoffs=cutoffs, sails_every=7, source="S/O 7731")
    return OrderFile(order, template, shelf.policies[template.policy], shelf.calendars).told(*facts, promise, booking)


def _milliseconds(work: Callable[[], object], times: int) -> Spread:
    """Time a piece of work warm, in the processor's time: other programs on the machine do not count."""
    work()
    found = []
    for _ in range(times):
        begun = time.process_time_ns()
        work()
        found.append((time.process_time_ns() - begun) / 1e6)
    return Spread.of(found)
