"""The sample season that Gendan brings along: it loads whole, and plays as its README says."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import gendan
from gendan.season import Season, backtest, load_season
from models.accepting.intake import Row
from models.book.order import OrderKind, OrderState
from models.seasons.result import Result
from tasks.library import load_library
from tasks.spreadsheets import read_rows

SAMPLES = Path(gendan.__file__).parent / "samples"
CHINA = ZoneInfo("Asia/Shanghai")
LIBRARY = load_library()
NATIONAL_DAY = [date(2026, 10, day) for day in range(1, 8)]
MAKE_UP_SATURDAY = date(2026, 10, 10)


@pytest.fixture(scope="module")
def season() -> Season:
    return load_season(SAMPLES / "orders.csv", SAMPLES / "reports.csv", LIBRARY)


@pytest.fixture(scope="module")
def result(season: Season) -> Result:
    return backtest(season)


def rows(name: str) -> list[Row]:
    return [row for row in read_rows(SAMPLES / name, ()) if isinstance(row, Row)]


def rungs(result: Result, order_no: str, milestone: str) -> list[tuple[str, datetime]]:
    """Return the rungs that were told, each once however many read it."""
    told = [
        (message.rung, message.at.astimezone(CHINA))
        for message in result.messages
        if (message.order_no, message.milestone) == (order_no, milestone)
    ]
    return list(dict.fromkeys(told))


def test_every_row_loads(season: Season) -> None:
    assert season.refused == []
    assert len(season.files) == len(rows("orders.csv")) == 10
    assert sum(len(reports) for reports in season.reports.values()) == len(rows("reports.csv"))


def test_the_files_are_plain_utf_8_with_unix_line_ends() -> None:
    for name in ("orders.csv", "reports.csv"):
        content = (SAMPLES / name).read_bytes()

        assert b"\r" not in content
        assert not content.startswith(b"\xef\xbb\xbf")
        assert content.endswith(b"\n")
        assert content.decode("utf-8")


def test_every_kind_of_order_is_there(season: Season) -> None:
    kinds = Counter(file.template.code for file in season.files)

    assert kinds == {"AFS": 4, "HCL": 2, "EAD": 2, "container-export": 2}
    templates = load_library().templates.values()
    assert set(kinds) == {template.code for template in templates if template.kind is OrderKind.EXPORT}


@pytest.mark.parametrize(
    ("order_no", "state", "days_late"),
    [
        ("SO-26-0417", OrderState.CLOSED, 0),  # a second lab dip and trims told late cost it nothing
        ("SO-26-0423", OrderState.CLOSED, 0),  # its letter of credit had to be amended
        ("SO-26-0428", OrderState.CLOSED, 0),  # nothing happened to it
        ("SO-26-0436", OrderState.CLOSED, 0),  # packed before the holiday, on board after it
        ("SO-26-0440", OrderState.CLOSED, 0),  # told twice, and out of order
        ("SO-26-0445", OrderState.CLOSED, 4),  # dyed again
        ("SO-26-0449", OrderState.OPEN, None),  # no space on any ship
        ("SO-26-0461", OrderState.CLOSED, 12),  # one of its boxes rolled
        ("SO-26-0474", OrderState.CLOSED, 0),  # prepaid short at first
        ("SO-26-0476", OrderState.WAITING_FOR_DATE, None),  # the buyer named no ship window
    ],
)
def test_each_order_ends_as_its_story_goes(
    result: Result, order_no: str, state: OrderState, days_late: int | None
) -> None:
    order = next(order for order in result.orders if order.order_no == order_no)

    assert order.state is state
    assert order.late is bool(days_late)
    assert (None if order.days_late is None else round(order.days_late)) == days_late


def test_the_season_plays_as_its_readme_says(result: Result) -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    s = result.summary

    assert (
        f"{s.orders} orders, {s.closed} closed, {s.late} late, {s.open} open, "
        f"{s.waiting_for_date} waiting for a date." in readme
    )
    assert f"Messages: {', '.join(f'{rung} {count}' for rung, count in s.messages.items())}." in readme


def test_every_rung_is_climbed_to(result: Result) -> None:
    assert all(result.summary.messages[rung.code] > 0 for rung in LIBRARY.policies["standard"].rungs)


def test_the_season_crosses_national_day(season: Season) -> None:
    days = {
        order_no: {report.recorded_at.astimezone(CHINA).date() for report in reports}
        for order_no, reports in season.reports.items()
    }
    known = set[date]().union(*days.values())
    across = {no for no, told in days.items() if min(told) < NATIONAL_DAY[0] and max(told) > NATIONAL_DAY[-1]}

    assert (min(known), max(known)) == (date(2026, 6, 8), date(2026, 11, 6))
    assert across == {"SO-26-0436", "SO-26-0445", "SO-26-0449", "SO-26-0461"}
    assert not known & set(NATIONAL_DAY)
    assert MAKE_UP_SATURDAY in known


def test_a_stall_rests_over_national_day_and_climbs_on_the_make_up_saturday(result: Result) -> None:
    assert rungs(result, "SO-26-0461", "ONBOARD") == [
        ("R1", datetime(2026, 9, 28, 8, 30, tzinfo=CHINA)),
        ("L1", datetime(2026, 9, 30, 8, 30, tzinfo=CHINA)),
        ("L2", datetime(2026, 10, 8, 8, 30, tzinfo=CHINA)),
        ("L3", datetime(2026, 10, 10, 8, 30, tzinfo=CHINA)),
    ]


def test_the_make_up_sunday_counts_on_the_way_to_the_general_manager(result: Result) -> None:
    assert rungs(result, "SO-26-0445", "FAB_IN") == [
        ("R5", datetime(2026, 9, 7, 8, 30, tzinfo=CHINA)),
        ("R2", datetime(2026, 9, 10, 8, 30, tzinfo=CHINA)),
        ("R0", datetime(2026, 9, 14, 8, 30, tzinfo=CHINA)),
        ("L1", datetime(2026, 9, 15, 8, 30, tzinfo=CHINA)),
        ("L2", datetime(2026, 9, 16, 8, 30, tzinfo=CHINA)),
        ("L3", datetime(2026, 9, 17, 16, 30, tzinfo=CHINA)),  # the lot is rejected: the goods are forecast to miss ETD
        ("L4", datetime(2026, 9, 22, 8, 30, tzinfo=CHINA)),
    ]


def test_the_order_left_open_has_reached_the_general_manager(result: Result) -> None:
    assert [rung for rung, _ in rungs(result, "SO-26-0449", "SO_RCVD")] == ["R1", "L1", "L2", "L3", "L4"]


def test_a_report_told_twice_is_counted_once(season: Season, result: Result) -> None:
    told = Counter(
        (order_no, report.source, report.source_event_id)
        for order_no, reports in season.reports.items()
        for report in reports
    )
    order = next(order for order in result.orders if order.order_no == "SO-26-0440")

    assert [key for key, times in told.items() if times > 1] == [("SO-26-0440", "forwarder", "fw-20260808-01")]
    assert order.milestones["GATE_IN"].quantity == 4


def test_the_season_is_short_enough_to_watch(season: Season, result: Result) -> None:
    wakes = {(order_no, r.recorded_at) for order_no, reports in season.reports.items() for r in reports}
    wakes |= {(message.order_no, message.at) for message in result.messages}

    assert len(wakes) <= 450
