"""The order's T&A sheet, as Markdown."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from models.book.order_file import OrderFile
from models.names import Language
from models.status.standing import standing
from notifications.sheet import escape, sheet
from tests.factories import a_milestone, a_template, an_order, an_order_file, china, some_parties
from tests.plans import NOW, at_the_port, mid_season

EN = Language.EN


def a_sheet(file: OrderFile, language: Language = EN, now: datetime = NOW) -> str:
    return sheet(file, standing(file, now), some_parties(), language)


def cells(text: str) -> dict[str, dict[str, str]]:
    """Return the table's rows by their milestones, each cell by the title of its column."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    titles, _, *rest = rows
    return {row[0].strip("*→ ").split()[0]: dict(zip(titles, row, strict=True)) for row in rest}


def test_the_head_says_when_it_leaves_what_breaks_first_and_what_to_do() -> None:
    head = a_sheet(mid_season()).split("\n|", 1)[0]

    assert head.strip().splitlines()[:9] == [
        "## T&amp;A sheet of SO-26-0417",
        "",
        "- **Customer**: ACME",
        "- **State**: Open",
        "- **ETD**: Thu 31 Dec 2026",
        "- **Forecast**: Thu 7 Jan 2027, 7 days later; at worst Thu 14 Jan 2027, 14 days later",
        "- **Breaks first**: CY cut-off Tue 29 Dec 2026 16:00 CST(+08): forecast Wed 30 Dec 2026, 1 day too late",
        "- **To do**: PP_MEET Pre-production meeting can no longer be done by Tue 8 Dec 2026: make what follows "
        "shorter; or book the next sailing, or ask for a later cut-off",
        "- **Driving path**: PP_MEET → CUT_START → SEW_END → GATE_IN → ONBOARD → DEPARTED; rests on: it could be done "
        "by now, and is not",
    ]


def test_each_hard_date_has_its_source_and_by_how_much_it_is_broken() -> None:
    lines = [line.strip() for line in a_sheet(mid_season()).splitlines() if line.startswith("    - ")]

    assert lines[0] == (
        "- ✖ CY cut-off (GATE_IN): Tue 29 Dec 2026 16:00 CST(+08), by booking S/O COSU 88; BROKEN, forecast "
        "Wed 30 Dec 2026, 1 day too late"
    )
    assert lines[2] == "- ✔ end of the ship window (ONBOARD): Fri 8 Jan 2027"


def test_the_table_has_a_row_for_each_step_in_order() -> None:
    file = mid_season()

    assert tuple(cells(a_sheet(file))) == file.template.codes


def test_a_state_is_a_colour_a_symbol_and_a_letter() -> None:
    rows = cells(a_sheet(mid_season()))

    assert rows["PP_MEET"]["State"] == "🟥 ▲ O Overdue L2"
    assert rows["SEW_END"]["State"] == "🟪 △ R At risk"


def test_the_driving_path_stands_out_without_its_bold_face() -> None:
    text = a_sheet(mid_season())

    assert "| **→ PP_MEET Pre-production meeting** |" in text
    assert "| LABELS Labels printed |" in text
    assert "- → on the driving path" in text


def test_a_legend_stands_under_the_table() -> None:
    below = a_sheet(mid_season()).rsplit("|\n", 1)[1]

    assert below.strip().startswith("States: ⬜ ○ N Not started · 🟨 ◔ S Due soon · ")
    assert "🟥 ▲ O Overdue · " in below


def test_an_order_without_a_date_has_a_sheet_too() -> None:
    file = an_order_file(an_order(etd=None))

    text = a_sheet(file)

    assert "- **ETD**: no ETD" in text
    assert "Forecast" not in text
    assert cells(text)["FAB_IN"] == {
        "Milestone": "FAB_IN Bulk fabric in-house",
        "State": "⚪ ● W Waiting",
        "Quantity": "",
        "Owner": "Purchasing",
        "Waiting on": "Huaxing Dyehouse",
    }


@pytest.mark.parametrize(
    ("file", "morning", "evening"),
    [
        (mid_season(), china(9, 9, month=12), china(9, 23, month=12)),  # forecasts rest on today, not on the hour
        (at_the_port(), china(29, 9, month=12), china(29, 15, 59, month=12)),  # and those that have an hour to keep
    ],
)
def test_the_sheet_is_the_same_all_day_long(file: OrderFile, morning: datetime, evening: datetime) -> None:
    assert a_sheet(file, now=morning) == a_sheet(file, now=evening)


def test_a_deadline_that_goes_by_is_another_fact() -> None:
    before, after = (a_sheet(at_the_port(), now=china(29, hour, month=12)) for hour in (15, 17))

    assert "✔ CY cut-off" in before
    assert (
        "✖ CY cut-off (GATE_IN): Tue 29 Dec 2026 16:00 CST(+08), by booking S/O COSU 88; BROKEN, forecast Tue 29 Dec"
        in (after)
    )
    assert "later that day" in after


def test_the_sheet_is_of_the_day_at_the_office_not_of_the_machine() -> None:
    # five in the afternoon in London is the next day in Shanghai
    assert "- **As of**: Thu 10 Dec 2026" in a_sheet(mid_season(), now=datetime(2026, 12, 9, 17, tzinfo=UTC))


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

    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "<" not in text
