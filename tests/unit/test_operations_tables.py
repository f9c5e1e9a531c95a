"""The tables for operations: what hurts most comes first, and nothing in them is taken for markup."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.book.order_file import ChaseState
from models.names import Language
from notifications.operations import (
    DAYS,
    MOST,
    ChaseRow,
    HeldRow,
    PersonDay,
    RuleRow,
    chases_page,
    held_page,
    person_days_page,
    rule_rows,
    rules_page,
)
from tests.factories import CHINA, a_calendar, a_name, china

EN = Language.EN
NOW = china(25)
ETD = date(2026, 12, 31)


def a_chase(**changes: Any) -> ChaseRow:
    """Build a chase for the fabric of an order, at its first rung."""
    fields: dict[str, Any] = {
        "order_no": "SO-26-0417",
        "code": "FAB_IN",
        "step": a_name("Bulk fabric in-house", "面料到厂", "面料到廠"),
        "state": ChaseState.TRIGGERED,
        "rung": "L1",
        "since": china(20, 9),
    }
    return ChaseRow(**(fields | changes))


def a_held(**changes: Any) -> HeldRow:
    """Build a notice that is held until the morning."""
    fields: dict[str, Any] = {
        "state": "held",
        "number": 0,
        "to": "MER",
        "what": "SO-26-0417 FAB_IN",
        "since": china(24),
    }
    return HeldRow(**(fields | changes))


def cells(text: str) -> list[dict[str, str]]:
    """Return the rows of the table, each cell by the title of its column."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    titles, _, *rest = rows
    return [dict(zip(titles, row, strict=True)) for row in rest]


# --- chases


def test_a_chase_tells_order_step_state_rung_since_person_due_and_effect() -> None:
    row = a_chase(people=("mei.lin",), due=china(18, 18), etd=ETD, sails_on=date(2027, 1, 7), slack=-5)

    [told] = cells(chases_page([row], EN, CHINA, NOW))

    assert told == {
        "Order": "SO-26-0417",
        "Step": "FAB_IN Bulk fabric in-house",
        "State": "chased",
        "Rung": "L1",
        "Since": "2026-11-20 09:00",
        "Person": "mei.lin",
        "Due": "2026-11-18 18:00",
        "Effect on ETD": "ETD Thu 31 Dec → forecast Thu 7 Jan; slack -5 working days",
    }


def test_an_acknowledgement_and_a_promise_tell_until_when_they_hold() -> None:
    taken = a_chase(order_no="SO-1", state=ChaseState.ACKNOWLEDGED, until=china(26, 18))
    given = a_chase(order_no="SO-2", state=ChaseState.PROMISED, until=china(30, 18))

    states = [row["State"] for row in cells(chases_page([taken, given], EN, CHINA, NOW))]

    assert states == ["taken on until 2026-11-26 18:00", "promised until 2026-11-30 18:00"]


def test_what_moves_the_ship_date_most_comes_first_then_what_has_least_slack() -> None:
    late = a_chase(order_no="LATE", etd=ETD, sails_on=ETD + timedelta(days=14), slack=-10)
    later = a_chase(order_no="LATER", etd=ETD, sails_on=ETD + timedelta(days=7), slack=-12)
    tight = a_chase(order_no="TIGHT", etd=ETD, sails_on=ETD, slack=0)
    easy = a_chase(order_no="EASY", etd=ETD, sails_on=ETD, slack=9)
    unknown = a_chase(order_no="UNKNOWN")

    told = cells(chases_page([unknown, easy, tight, later, late], EN, CHINA, NOW))

    assert [row["Order"] for row in told] == ["LATE", "LATER", "TIGHT", "EASY", "UNKNOWN"]
    assert told[2]["Effect on ETD"] == "ETD Thu 31 Dec holds; slack 0 working days"
    assert told[4]["Effect on ETD"] == ""


def test_times_are_on_the_wall_of_the_office_and_its_zone_is_named() -> None:
    page = chases_page([a_chase(since=datetime(2026, 11, 20, 16, tzinfo=UTC))], EN, CHINA, NOW)

    assert cells(page)[0]["Since"] == "2026-11-21 00:00"
    assert "UTC(+08)" in page or "CST(+08)" in page


def test_a_long_table_says_how_many_more_there_are() -> None:
    page = chases_page([a_chase(order_no=f"SO-{n}") for n in range(MOST + 3)], EN, CHINA, NOW)

    assert len(cells(page)) == MOST
    assert "\n3 more\n" in page


@pytest.mark.parametrize("language", Language)
def test_an_empty_table_says_so_in_each_language(language: Language) -> None:
    pages = [
        chases_page([], language, CHINA, NOW),
        held_page([], language, CHINA, NOW),
        person_days_page([], language, NOW.date()),
        rules_page([], language),
    ]

    assert len(set(pages)) == 4
    for page in pages:
        title, empty, words, _ = page.split("\n")
        assert title.startswith("## ")
        assert empty == ""
        assert words
        assert "|" not in page


def test_the_facts_are_the_same_in_every_language() -> None:
    row = a_chase(people=("mei.lin",), due=china(18, 18))

    told = [cells(chases_page([row], language, CHINA, NOW))[0] for language in Language]

    for line in told:
        assert next(iter(line.values())) == "SO-26-0417"
        values = list(line.values())
        assert (values[2], values[3], values[6], values[7]) == (
            "mei.lin", "L1", "2026-11-18 18:00", "2026-11-20 09:00"
        )  # fmt: skip
    assert [next(iter(line)) for line in told] == ["Order", "订单", "訂單"]


def test_what_somebody_wrote_is_never_markup() -> None:
    page = held_page([a_held(what="a|b <script> *x*", why="line\nbreak")], EN, CHINA, NOW)

    [told] = cells(page)
    assert told["About"] == r"a\|b &lt;script&gt; \*x\*"
    assert told["Why"] == "line break"


# --- held and failed


def test_what_was_given_up_comes_first_and_says_how_to_send_it_again() -> None:
    dead = a_held(state="dead", number=7, to="li", attempts=9, why="json: answered HTTP 500", since=china(24, 12))
    failing = a_held(state="failing", number=8, attempts=2, until=china(25, 11), since=china(24, 11))
    held = a_held(until=china(26, 9), since=china(23))

    page = held_page([held, failing, dead], EN, CHINA, NOW)

    told = cells(page)
    assert [row["State"] for row in told] == [
        "given up",
        "failing, again at 2026-11-25 11:00",
        "held until 2026-11-26 09:00",
    ]
    assert [row["Message"] for row in told] == ["7", "8", ""]
    assert told[0]["Why"] == "json: answered HTTP 500"
    assert "gendan messages retry" in page
    assert "gendan messages retry" not in held_page([held, failing], EN, CHINA, NOW)


# --- messages per person and day


def test_each_person_has_a_row_and_each_of_the_last_days_a_column_today_last() -> None:
    today = date(2026, 11, 25)
    rows = [
        PersonDay("mei.lin", today, 3, direct=1),
        PersonDay("mei.lin", today - timedelta(days=DAYS - 1), 2),
        PersonDay("mei.lin", today - timedelta(days=DAYS), 50),
        PersonDay("wang", today, 9, direct=9),
    ]

    told = cells(person_days_page(rows, EN, today))

    assert [row["Person"] for row in told] == ["wang", "mei.lin"]
    assert list(told[0])[-2:] == ["Wed 25 Nov", "Total"]
    assert len(told[0]) == DAYS + 2
    assert (told[1]["Thu 12 Nov"], told[1]["Wed 25 Nov"], told[1]["Total"]) == ("2", "3 (1)", "5")


# --- rules


def test_a_notice_is_answered_in_time_within_a_working_day() -> None:
    """Raised on Friday, it may be answered until the end of Monday."""
    calendar, friday = a_calendar(), china(20, 10)
    answers = [china(23, 23, 59), china(24, 0), None]

    [row] = rule_rows([("L1", friday, answer) for answer in answers], calendar, china(25))

    assert row == RuleRow("L1", raised=3, in_time=1, later=1, never=1, open=0)


def test_a_notice_that_is_not_a_working_day_old_is_still_open() -> None:
    [row] = rule_rows([("L1", china(25, 9), None)], a_calendar(), china(25, 17))

    assert (row.never, row.open) == (0, 1)


def test_the_rule_that_nobody_acts_on_comes_first_and_is_bold() -> None:
    raised, later = china(2, 10), china(2, 11)
    notices = [("L1", raised, later)] * 3 + [("R5", raised, None)] * 2 + [("R5", raised, later)]

    page = rules_page(rule_rows(notices, a_calendar(), china(25)), EN)

    assert [row["Rung"] for row in cells(page)] == ["**R5**", "L1"]
    assert cells(page)[0]["Never answered"] == "2"
    assert cells(page)[1]["Answered within a working day"] == "3"


def test_a_rule_of_which_all_notices_are_still_open_is_no_idle_rule() -> None:
    [row] = rule_rows([("L2", china(25, 9), None)], a_calendar(), china(25, 10))

    assert [told["Rung"] for told in cells(rules_page([row], EN))] == ["L2"]
