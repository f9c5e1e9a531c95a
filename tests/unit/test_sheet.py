"""The order's T&A sheet."""

from __future__ import annotations

import re

import pytest

from models.names import Language
from models.order_file import OrderFile
from models.report import Classifier, Hold, Promise
from models.standing import standing
from notifications.sheet import MARKS, escape, sheet
from tests.factories import a_milestone, a_report, a_template, an_order, an_order_file, china, some_parties

EN, HANT = Language.EN, Language.ZH_HANT
NOW = china(9, month=12)


def a_sheet(file: OrderFile, language: Language = EN) -> str:
    return sheet(file, standing(file, NOW), some_parties(), language)


def cells(text: str) -> dict[str, list[str]]:
    """Return the table's rows by the code that they start with."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return {row[0].split()[0]: [cell.strip() for cell in row] for row in rows}


IN_THE_MIDST = an_order_file(
    None,
    None,
    a_report("FAB_IN", china(23, 16, 30)),
    a_report("CUT_START", china(25, 8)),
    a_report("SEW_END", china(7, month=12), quantity=1200),
    a_report("CUS_REL", china(28, month=12), recorded_at=china(8, month=12), classifier=Classifier.EST),
    Promise(recorded_at=china(8, month=12), milestone="SEW_END", promised=china(18, 12, month=12)),
)


def test_the_head_says_which_order_and_how_it_stands() -> None:
    head = a_sheet(IN_THE_MIDST).split("\n|", 1)[0]

    assert head.strip().splitlines() == [
        "## T&A sheet of SO-26-0417",
        "",
        "- **Customer**: ACME",
        "- **ETD**: Thu 31 Dec 2026",
        "- **Quantity**: 3,600 pcs",
        "- **State**: Open",
        "- **Template**: SAMPLE Sample",
        "- **As of**: Wed 9 Dec 2026",
    ]


def test_the_table_has_a_row_for_each_step_in_order() -> None:
    assert list(cells(a_sheet(IN_THE_MIDST)))[2:] == ["FAB_IN", "CUT_START", "SEW_END", "CUS_REL", "DEPARTED"]


def test_a_step_done_late_shows_plan_fact_and_days() -> None:
    assert cells(a_sheet(IN_THE_MIDST))["FAB_IN"] == [
        "FAB_IN Bulk fabric in-house",
        "✔ L Done late",
        "Fri 20 Nov 2026",
        "Mon 23 Nov 2026 16:30 CST(+08)",
        "1",
        "",
        "",
        "",
        "Purchasing",
        "Huaxing Dyehouse",
    ]


def test_an_open_step_shows_its_promise_and_what_is_counted() -> None:
    assert cells(a_sheet(IN_THE_MIDST))["SEW_END"] == [
        "SEW_END Sewing done",
        "◆ P Promised",
        "Thu 17 Dec 2026",
        "",
        "",
        "Fri 18 Dec 2026 12:00 CST(+08)",
        "",
        "1,200 of 3,600 pcs",
        "Merchandiser",
        "Supplier",
    ]


def test_a_step_to_come_shows_what_is_expected() -> None:
    row = cells(a_sheet(IN_THE_MIDST))["CUS_REL"]

    assert (row[6], row[1]) == ("Mon 28 Dec 2026 10:00 CST(+08)", "○ T To come")


@pytest.mark.parametrize(
    ("file", "code", "state"),
    [
        (an_order_file(), "FAB_IN", "▲ O Overdue L4"),  # late by more than seven days
        (an_order_file(None, None, a_report("FAB_IN", china(20))), "FAB_IN", "✔ D Done"),  # on the day
        (an_order_file(None, None, a_report("CUT_START", china(20))), "FAB_IN", "✔ U Passed, not reported"),
        (an_order_file(None, None, Hold(recorded_at=china(2))), "FAB_IN", "‖ H On hold"),
        (an_order_file(None, a_template(follow_to="CUS_REL")), "DEPARTED", "– N Not followed"),
        (an_order_file(an_order(etd=None)), "FAB_IN", "● W Waiting"),  # waited for without a date
    ],
)
def test_each_state_is_told_without_its_colour(file: OrderFile, code: str, state: str) -> None:
    assert cells(a_sheet(file))[code][1] == state


def test_no_two_states_share_their_mark() -> None:
    assert len(set(MARKS.values())) == len({mark.split()[1] for mark in MARKS.values()}) == len(MARKS)


def test_the_sheet_is_the_same_all_day_long() -> None:
    morning, evening = (
        sheet(IN_THE_MIDST, standing(IN_THE_MIDST, china(9, hour, month=12)), some_parties(), EN) for hour in (7, 20)
    )

    assert morning == evening


def test_the_sheet_in_chinese_has_the_same_rows_and_numbers() -> None:
    english, chinese = cells(a_sheet(IN_THE_MIDST)), cells(a_sheet(IN_THE_MIDST, HANT))

    assert list(english)[2:] == list(chinese)[2:]
    assert chinese["FAB_IN"][3:5] == ["2026-11-23(一) 16:30 CST(+08)", "1"]
    assert chinese["SEW_END"][7] == "1,200 / 3,600 pcs"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("a|b", "a\\|b"),  # no new column
        ("a\nb", "a b"),  # no new row
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),  # no HTML
        ("R&D", "R&amp;D"),  # no entity
        ("*SO* `1` [x](y) ~z~ #1", "\\*SO\\* \\`1\\` \\[x\\](y) \\~z\\~ \\#1"),  # no markup
        ("a\\|b", "a\\\\\\|b"),  # a backslash does not undo the escape
        ("FAB_IN _x_", "FAB_IN \\_x\\_"),  # an underscore within a word is none
    ],
)
def test_order_data_is_shown_as_it_is(data: str, shown: str) -> None:
    assert escape(data) == shown


def test_hostile_order_data_adds_no_column_and_no_html() -> None:
    evil = "x | y\n| <script>"
    step = a_milestone("EVIL", waiting_on=("a|b",), accountable="<b>")
    file = an_order_file(an_order(order_no="SO|<1>", customer=evil, unit="p|c"), a_template(step))

    text = a_sheet(file)

    assert all(len(row) == 10 for row in cells(text).values())
    assert "<" not in text
