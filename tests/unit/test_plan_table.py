"""The plan of an order in words: its head, its rows, what is marked; the same facts in every language."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime

import pytest

from models.book.changes import Baseline, CustomsReceipt, QuotationValid, Reschedule
from models.book.order_file import OrderFile
from models.book.report import Promise
from models.names import Language
from models.planning.sheet import sheet_of
from models.planning.state import MilestoneState
from models.planning.what_if import Closed, what_if
from models.status.standing import standing
from models.terms.customs import CustomsState
from notifications.comparison import ComparisonTable, Fate, comparison_table, fates
from notifications.plan_table import MARKS, PlanTable, plan_table
from notifications.sheet import sheet
from notifications.texts import texts
from tests.factories import a_milestone, a_report, a_template, an_order, an_order_file, china, some_parties
from tests.plans import CALL_AGAIN, CANCELLED, HELD, NOW, a_prospect, at_the_port, cutting_is_done, mid_season

AT_PORT = china(29, month=12)
EN, HANS, HANT = Language.EN, Language.ZH_HANS, Language.ZH_HANT


def a_plan(file: OrderFile, language: Language = EN, now: datetime = NOW) -> PlanTable:
    return plan_table(file, sheet_of(file, now), some_parties(), language)


def heads(file: OrderFile, now: datetime = NOW) -> dict[str, str]:
    return {line.label: line.text for line in a_plan(file, now=now).head}


def cells(file: OrderFile, code: str, now: datetime = NOW) -> dict[str, str]:
    return dict(next(row for row in a_plan(file, now=now).rows if row.code == code).cells)


# --- states


def test_every_state_occurs_in_one_picture_and_is_told_by_its_letter() -> None:
    plans = [a_plan(mid_season(*end)) for end in ((), (HELD,), (CANCELLED,))]

    states = {row.state for plan in plans for row in plan.rows}
    assert states == set(MilestoneState)
    assert states == {state for plan in plans for state in plan.states}  # each is in a legend


def test_no_two_states_share_colour_symbol_or_letter() -> None:
    assert set(MARKS) == set(MilestoneState)
    for marks in zip(*MARKS.values(), strict=True):
        assert len(set(marks)) == len(MARKS)


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        ("FAB_IN", MilestoneState.DONE_ON_TIME, "Done"),
        ("LABDIP_APP", MilestoneState.DONE_LATE, "Done late, round 2"),  # in the second round
        ("LABDIP_SUB", MilestoneState.PASSED, "Passed, not reported"),
        ("TRIM_IN", MilestoneState.PROMISED, "Promised"),
        ("PP_MEET", MilestoneState.OVERDUE, "Overdue L2"),  # a fact
        ("SEW_END", MilestoneState.AT_RISK, "At risk"),  # a forecast
        ("CUT_START", MilestoneState.BLOCKED, "Blocked"),
        ("INSURED", MilestoneState.DUE_SOON, "Due soon"),
        ("ARTWORK", MilestoneState.IN_PROGRESS, "Waiting"),
        ("LABELS", MilestoneState.NOT_STARTED, "Not started"),
        ("FEEDBACK", MilestoneState.SKIPPED, "Not followed"),
    ],
)
def test_what_is_overdue_is_not_told_like_what_is_at_risk(code: str, state: MilestoneState, words: str) -> None:
    row = next(row for row in a_plan(mid_season()).rows if row.code == code)

    assert (row.state, row.cells["state"]) == (state, words)


# --- rows


def test_an_open_step_shows_plan_forecast_latest_and_slack() -> None:
    assert cells(mid_season(), "SEW_END") == {
        "milestone": "→ SEW_END Sewing done",
        "state": "At risk",
        "planned": "Mon 21 Dec",
        "forecast": "Tue 29 Dec",
        "latest": cells(mid_season(), "SEW_END")["latest"],
        "slack": "-1",
        "quantity": "0 of 3,600 pcs",
        "owner": "Merchandiser",
        "waiting": "Supplier",
    }
    assert cells(mid_season(), "SEW_END")["latest"].lstrip("~") == "Mon 28 Dec"


def test_a_step_that_is_done_shows_its_fact_and_no_forecast() -> None:
    assert cells(mid_season(), "LABDIP_APP") == {
        "milestone": "LABDIP_APP Lab dip approved",
        "state": "Done late, round 2",
        "planned": "Wed 11 Nov",
        "forecast": "Mon 16 Nov",
        "late": "3",
        "owner": "Merchandiser",
        "waiting": "Supplier",
    }


def test_the_time_of_day_is_told_where_somebody_gave_it_or_a_deadline_has_it() -> None:
    assert cells(mid_season(), "TRIM_IN")["promised"] == "Fri 11 Dec 18:00"
    assert cells(mid_season(), "GATE_IN")["planned"] == "Tue 29 Dec 16:00"
    assert cells(at_the_port(), "GATE_IN", AT_PORT)["forecast"] == "Tue 29 Dec"  # planned for the whole day before


def test_a_day_of_another_year_has_its_year() -> None:
    assert cells(mid_season(), "DEPARTED")["forecast"] == "Thu 7 Jan 2027"


def test_what_is_promised_is_only_shown_until_it_is_done() -> None:
    assert "promised" not in cells(at_the_port(), "TRIM_IN", AT_PORT)


def test_a_baseline_stands_only_where_the_plan_has_left_it() -> None:
    frozen = Baseline(
        recorded_at=china(3),
        version=1,
        dates={
            "SEW_END": china(18, 23, 59, month=12).replace(second=59),
            "LABELS": sheet_of(mid_season(), NOW).line("LABELS").plan or NOW,
        },
    )
    file = mid_season(frozen)

    assert cells(file, "SEW_END")["baseline"] == "Fri 18 Dec"
    assert "baseline" not in cells(file, "LABELS")
    assert "baseline" not in a_plan(mid_season()).columns


def test_an_order_that_is_over_foresees_nothing() -> None:
    plan = a_plan(mid_season(CANCELLED))

    assert not {"latest", "slack"} & set(plan.columns)
    done = {line.code for line in sheet_of(mid_season(CANCELLED), NOW).lines if line.actual_finish is not None}
    assert {row.code for row in plan.rows if "forecast" in row.cells} <= done, "only what happened"
    assert "Forecast" not in heads(mid_season(CANCELLED))
    assert not any(row.drives for row in plan.rows)


def test_what_many_are_waited_on_is_counted() -> None:
    file = an_order_file(None, a_template(a_milestone("REVIEW", waiting_on=("SALES", "MER", "PUR", "PROD"))))

    assert cells(file, "REVIEW")["waiting"] == "Sales manager, Merchandiser, 2 more"


# --- what is provisional


def test_a_provisional_date_is_marked_and_the_year_is_named() -> None:
    plan = a_plan(mid_season())

    assert cells(mid_season(), "LC_PRESENT")["planned"].startswith("~")
    assert not cells(mid_season(), "PP_MEET")["forecast"].startswith("~")
    assert plan.foot[-1] == (
        "~ provisional: the official holidays of 2027 are not published yet. Load them: gendan calendar import FILE"
    )


def test_without_a_provisional_date_there_is_no_mark_to_explain() -> None:
    assert not any("provisional" in line for line in a_plan(an_order_file()).foot)


# --- the head


def test_the_step_to_hurry_is_named_with_who_must_act_and_by_when() -> None:
    late_trims = Promise(recorded_at=china(9, 9, month=12), milestone="TRIM_IN", promised=china(16, month=12))

    told = heads(cutting_is_done().told(late_trims))

    assert told["To do"] == (
        "TRIM_IN Trims in-house by Fri 11 Dec 2026, 3 working days before its forecast: Purchasing with Supplier; "
        "or book the next sailing, or ask for a later cut-off"
    )
    assert told["Driving path"].startswith("TRIM_IN → SEW_END → ")
    assert told["Driving path"].endswith("; rests on: a promise")


def test_nothing_breaks_nothing_is_to_be_done() -> None:
    told = heads(cutting_is_done())

    assert told["Forecast"].startswith("Thu 31 Dec 2026, on the ETD")
    assert not {"Breaks first", "To do"} & set(told)


def test_the_letter_of_credit_stands_with_its_dates() -> None:
    assert heads(mid_season())["L/C"] == (
        "No. LC-4711 · 44C latest shipment Tue 5 Jan 2027 · 31D expiry Sun 24 Jan 2027 in Shanghai · "
        "48 not stated: 21 days count"
    )


def test_customs_stands_with_its_letter_and_what_it_waits_for() -> None:
    inspected = CustomsReceipt(
        recorded_at=china(8, month=12),
        occurred_at=china(8, month=12),
        letter="C",
        state=CustomsState.INSPECTION,
        declaration="222920250123456789",
    )

    assert heads(mid_season(inspected))["Customs"] == (
        "inspection (C) · declaration 222920250123456789 · present the goods"
    )


def test_an_etd_that_was_changed_names_the_first_one() -> None:
    moved = Reschedule(recorded_at=china(8, month=12), etd=date(2027, 1, 14))

    assert heads(mid_season(moved))["ETD"] == "Thu 14 Jan 2027 (at first Thu 31 Dec 2026)"


def test_a_version_is_told_from_the_second_on() -> None:
    assert heads(mid_season())["Version"] == "2"
    assert "Version" not in heads(an_order_file())


def test_after_departure_the_head_says_how_it_left() -> None:
    gone = a_report("DEPARTED", china(2, 8, month=1, year=2027))
    file = at_the_port().told(gone.model_copy(update={"seq": 99}))

    told = heads(file, china(3, month=1, year=2027))

    assert told["Departed"] == "Sat 2 Jan 2027 08:00 CST(+08), 2 days later"
    assert "Forecast" not in told


def test_a_prospect_has_no_etd_but_a_hope() -> None:
    quoted = QuotationValid(recorded_at=china(2, month=12), until=date(2026, 12, 18))

    told = heads(a_prospect(quoted, CALL_AGAIN))

    assert told["Contract hoped for"] == "Thu 31 Dec 2026"
    assert told["Next contact"] == "Wed 16 Dec 2026"
    assert told["Quotation valid until"] == "Fri 18 Dec 2026"
    assert "ETD" not in told


# --- the same facts in every language (scenario O)


def facts_in(text: str, language: Language) -> tuple[list[str], list[str]]:
    """Return the days, and all other numbers and codes of a text, sorted: languages put them in another order."""
    months = texts(EN)["months"]
    assert isinstance(months, list)
    days: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if language is EN:
            day = f"{months.index(found[2]) + 1:02}-{int(found[1]):02}"
            days.append(f"{found[3]}-{day}" if found[3] else day)
        else:
            days.append(found[0].split("(")[0])
        return " "

    if language is EN:
        pattern = rf"\b[A-Z][a-z]{{2}} (\d{{1,2}}) ({'|'.join(months)})(?: (\d{{4}}))?"
    else:
        pattern = r"(?:\d{4}-)?\d{2}-\d{2}\([一二三四五六日]\)"
    text = re.sub(pattern, keep, text)
    return sorted(days), sorted(re.findall(r"[A-Z][A-Z]+_[A-Z]+|-?\d(?:[\d,.:]*\d)?", text))


FILES = {
    "mid-season": mid_season(),
    "on hold": mid_season(HELD),
    "cancelled": mid_season(CANCELLED),
    "at the port": at_the_port(),
    "without a date": an_order_file(an_order(etd=None)),
    "a prospect": a_prospect(CALL_AGAIN),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
def test_every_language_of_the_sheet_tells_the_same_facts(file: OrderFile) -> None:
    at = standing(file, NOW)
    english = facts_in(sheet(file, at, some_parties(), EN), EN)

    assert english[1]
    for language in (HANS, HANT):
        assert facts_in(sheet(file, at, some_parties(), language), language) == english


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
def test_every_language_of_the_table_has_the_same_rows_columns_and_states(file: OrderFile) -> None:
    plans = [a_plan(file, language) for language in Language]

    assert len({tuple(plan.columns) for plan in plans}) == 1
    assert len({tuple(plan.states) for plan in plans}) == 1
    assert len({tuple((row.code, row.state, row.drives, *row.cells) for row in plan.rows) for plan in plans}) == 1
    assert len({tuple(len(line.items) for line in plan.head) for plan in plans}) == 1


# --- what if


def promised(day: int, milestone: str = "TRIM_IN") -> Promise:
    return Promise(
        recorded_at=NOW, milestone=milestone, promised=china(day, 18, month=12), approved_by="what-if", by="what-if"
    )


def compared(
    file: OrderFile, *entries: Promise, closed: tuple[Closed, ...] = (), language: Language = EN
) -> ComparisonTable:
    return comparison_table(file, what_if(file, entries, closed, NOW), entries, closed, some_parties(), language)


def test_a_what_if_says_what_becomes_of_the_ship_date_and_of_each_hard_date() -> None:
    table = compared(cutting_is_done(), promised(16))

    ship = {line.label: line for line in table.ship}
    assert table.title == "What if TRIM_IN promised for Wed 16 Dec 2026 18:00 CST(+08): SO-26-0417"
    assert (ship["Forecast"].before, ship["Forecast"].after) == ("Thu 31 Dec 2026", "Thu 7 Jan 2027")
    assert (ship["Against ETD"].before, ship["Against ETD"].after) == ("on the ETD", "7 days later")
    assert ship["CY cut-off"].fate is Fate.BROKEN
    assert ship["CY cut-off"].verdict == "newly broken"
    assert ship["CY cut-off"].after.startswith("Tue 29 Dec 2026 16:00 CST(+08): broken, ")
    assert ship["end of the ship window"].fate is Fate.SAME


def test_a_what_if_says_what_is_saved() -> None:
    file = cutting_is_done().told(promised(18).model_copy(update={"recorded_at": china(9, 9, month=12), "seq": 40}))

    assert fates(what_if(file, [promised(10)], [], NOW))["CY"] is Fate.SAVED


def test_another_etd_voids_the_booking_and_its_cut_offs() -> None:
    moved = Reschedule(recorded_at=NOW, etd=date(2027, 1, 7))

    assert fates(what_if(mid_season(), [moved], [], NOW))["CY"] is Fate.GONE


def test_only_what_differs_is_shown() -> None:
    table = compared(mid_season(), promised(10))

    assert [row.code for row in table.rows] == ["TRIM_IN"]
    assert "planned" not in table.columns
    assert (table.rows[0].before["forecast"], table.rows[0].after["forecast"]) == (
        "Fri 11 Dec 18:00",
        "Thu 10 Dec 18:00",
    )


def test_a_promise_after_the_late_date_is_compared_and_said() -> None:
    table = compared(mid_season(), promised(18))

    assert table.remarks[0].startswith("TRIM_IN: Fri 18 Dec 2026 18:00 CST(+08) is after ")
    assert not compared(mid_season(), promised(10)).remarks


def test_a_calendar_that_the_order_does_not_go_by_is_said() -> None:
    file = mid_season()
    elsewhere = file.calendar.model_copy(update={"code": "elsewhere"})
    table = compared(
        replace(file, calendars={**file.calendars, "elsewhere": elsewhere}),
        closed=(Closed("elsewhere", date(2026, 12, 10), date(2026, 12, 11)),),
    )

    assert table.remarks == ("No milestone of this order goes by elsewhere.",)
    assert not table.differs


@pytest.mark.parametrize("language", [HANS, HANT])
def test_every_language_of_a_what_if_tells_the_same_facts(language: Language) -> None:
    closed = (Closed("office", date(2026, 12, 17), date(2026, 12, 18)),)
    english, other = (compared(mid_season(), promised(18), closed=closed, language=each) for each in (EN, language))

    def facts(table: ComparisonTable, spoken: Language) -> tuple[list[str], list[str]]:
        cells = [cell for row in table.rows for side in (row.before, row.after) for cell in side.values()]
        lines = [text for line in table.ship for text in (line.before, line.after)]
        return facts_in("\n".join([table.title, *table.remarks, *lines, *cells]), spoken)

    assert facts(other, language) == facts(english, EN)
    assert [line.fate for line in other.ship] == [line.fate for line in english.ship]
