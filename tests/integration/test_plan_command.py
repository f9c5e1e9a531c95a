"""`gendan plan` and `gendan whatif` against a real order book."""

from __future__ import annotations

import asyncio
import io
import json
import re
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gendan.cli import app as common
from gendan.cli import columns, plan
from models.book.changes import Baseline
from models.book.order_file import OrderFile
from models.names import Language
from models.planning.sheet import Sheet, SheetLine, sheet_of
from models.planning.state import MilestoneState
from notifications.plan_table import MARKS
from tasks import database
from tasks.clock import now
from tasks.library import library
from tasks.logbook import record_entry
from tests.books import a_real_order, at, contents, days_ago, place
from tests.plans import CANCELLED, HELD, NOW, mid_season
from tests.terminal import done, gendan, refused

NUMBER = "SO-26-0417"
DONE = {"ORD_RCVD": 9.5, "ORD_REVIEW": 9}


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order for air freight in three weeks, ten days old, of which two steps are done."""

    async def take_in() -> None:
        try:
            await place(a_real_order(NUMBER, came_in=days_ago(10)))
        finally:
            await database.close()

    asyncio.run(take_in())
    for code, days in DONE.items():
        done("report", NUMBER, code, "--at", at(days_ago(days)))
    return NUMBER


def ahead(days: float) -> str:
    return str(days_ago(-days).date())


def planned(*options: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(done("plan", NUMBER, "--json", *options))
    return result


def compared(*options: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(done("whatif", NUMBER, "--json", *options))
    return result


def milestone(of: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [line for line in of["milestones"] if line["code"] == code]
    assert isinstance(found, dict)
    return found


# --- gendan plan


def test_the_plan_has_a_head_a_row_for_each_milestone_and_a_legend(order: str) -> None:
    text = done("plan", order)

    lines = text.splitlines()
    assert lines[0] == f"T&A sheet of {order}"
    assert "Customer: ACME" in lines
    rows = [line for line in lines if re.match(r"(→ )?[A-Z]+(_[A-Z]+)? ", line)]
    assert len(rows) == len(library().templates["EAD"].codes)
    assert re.search(r"^ORD_RCVD Customer order received +[DL] Done", text, re.M)
    assert re.search(r"^States: .*D Done", text, re.M)


def test_into_a_pipe_the_plan_is_plain_and_whole(order: str) -> None:
    text = done("plan", order)

    assert "\x1b" not in text
    assert "…" not in text
    assert "Left out" not in text


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "T&A sheet of"), ("zh-Hans", "跟单进度表"), ("ZH-HANT", "跟單進度表")],  # in any capitals
)
def test_the_plan_speaks_the_language_that_is_asked_for(order: str, language: str, title: str) -> None:
    assert title in done("plan", order, "--lang", language).splitlines()[0]


def test_the_plan_of_another_day_is_that_of_its_end(order: str) -> None:
    before, today = planned("--at", ahead(-10)), planned()

    assert milestone(before, "ORD_REVIEW")["actual_finish"] is None  # it was done the day after
    assert milestone(today, "ORD_REVIEW")["actual_finish"] is not None
    assert milestone(planned("--at", ahead(60)), "PI_SIGNED")["state"] == "overdue"


def test_a_time_without_a_zone_is_refused(order: str) -> None:
    assert "has a time without a zone" in refused("plan", order, "--at", "2026-12-01T10:00")


def test_the_json_has_every_date_of_every_milestone(order: str) -> None:
    of = planned()

    assert (of["order_no"], of["template"], of["state"], of["version"]) == (order, "EAD", "open", 1)
    assert of["etd"] == str(days_ago(-20).date())
    assert [line["code"] for line in of["milestones"]] == list(library().templates["EAD"].codes)
    assert {field.name for field in fields(SheetLine)} - {"hard"} <= set(of["milestones"][0])
    assert {field.name for field in fields(Sheet)} - {"at", "lines", "hard"} <= set(of)
    assert milestone(of, "ORD_RCVD")["cause"] == "done"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", milestone(of, "UPLIFT")["forecast"])


def test_the_keys_of_the_json_are_those_that_are_documented(order: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"^## Plan\n.*?```json\n(.*?)```", text, re.M | re.S)
    documented = json.loads(sample)

    of = planned()

    assert list(documented) == list(of)
    assert list(documented["milestones"][0]) == list(of["milestones"][0])


def test_a_plan_changes_nothing(order: str, database_url: str) -> None:
    before = contents(database_url)

    done("plan", order)
    done("whatif", order, "--etd", ahead(30))

    assert contents(database_url) == before


def test_an_order_is_shown_with_its_plan_and_a_baseline_without_its_dates(order: str) -> None:
    def freeze(file: OrderFile, present: Any) -> Baseline:
        return Baseline(recorded_at=present, version=1, dates={"UPLIFT": now()})

    async def keep() -> None:
        try:
            await record_entry(order, freeze)
        finally:
            await database.close()

    asyncio.run(keep())

    text = done("orders", "show", order)
    shown = json.loads(done("orders", "show", order, "--json"))

    assert f"T&A sheet of {order}" in text
    assert "baseline version=1\n" in text
    assert shown["milestones"]["UPLIFT"]["forecast"] == milestone(planned(), "UPLIFT")["forecast"]
    assert shown["milestones"]["UPLIFT"]["round"] == 1


# --- in a terminal


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, *files: OrderFile, no_color: bool = False) -> str:
    """Return what a terminal is sent for the plans of `files`."""
    screen = io.StringIO()
    console = Console(
        file=screen,
        force_terminal=True,
        color_system="standard",
        width=width,
        soft_wrap=True,
        highlight=False,
        emoji=False,
        no_color=no_color,
    )
    for room in (common, columns, plan):
        monkeypatch.setattr(room, "out", console)
    for file in files or (mid_season(),):
        plan.print_plan(file, sheet_of(file, NOW), Language.EN)
    return screen.getvalue()


ALL = (mid_season(), mid_season(HELD), mid_season(CANCELLED))


def test_all_states_in_one_picture_are_told_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_a_terminal(monkeypatch, 220, *ALL, no_color=True)

    assert not re.search(r"\x1b\[([0-9;]*;)?[349]\dm", text)  # no colour at all
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for state in MilestoneState:
        letter = MARKS[state].letter
        assert re.search(rf"^(→ )?[A-Z_]+ .*  {letter} \w", plain, re.M), state


def test_overdue_and_at_risk_have_colours_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_a_terminal(monkeypatch, 220)

    states = ("O Overdue", "R At risk", "S Due soon", "L Done late")
    colours = {state: re.findall(rf"\x1b\[([0-9;]+)m{state}", text)[0] for state in states}
    assert colours == {"O Overdue": "1;91", "R At risk": "95", "S Due soon": "33", "L Done late": "94"}


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_in_a_narrow_terminal_no_date_is_torn_apart(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(monkeypatch, width))

    table = text.split("\n\n")[1]
    assert all(len(line) <= width for line in table.splitlines())
    assert "Tue 29 Dec" in table
    assert "Thu 7 Jan 2027" in table
    assert "…" not in table


def test_a_narrow_terminal_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    last = on_a_terminal(monkeypatch, 100).splitlines()[-1]

    assert last.startswith("Left out for want of room: ")
    assert last.endswith("Owner, Waiting on.")


# --- gendan whatif


def test_a_later_promise_is_compared_and_not_stored(order: str) -> None:
    text = done("whatif", order, "--promise", "PI_SIGNED", ahead(18))

    assert text.splitlines()[0].startswith("What if PI_SIGNED promised for ")
    assert re.search(r"^Forecast +\w+ \d+ \w+ \d{4} +\w+ \d+ \w+ \d{4}", text, re.M)
    assert re.search(r"^Milestone +.*orecast: Before +.*orecast: After", text, re.M)
    assert text.splitlines()[-1] == "Nothing was stored."


def test_what_moves_is_told_milestone_by_milestone(order: str) -> None:
    result = compared("--promise", "PI_SIGNED", ahead(18))

    assert result["stored"] is False
    assert result["differs"] is True
    assert result["before"]["sails_at"] < result["after"]["sails_at"]
    moved = {line["code"]: line for line in result["moved"]}
    assert moved["PI_SIGNED"]["before"]["promise"] is None
    assert moved["PI_SIGNED"]["after"]["promise"].startswith(ahead(18))
    assert "ORD_RCVD" not in moved  # it is done


def test_a_promise_after_the_late_date_is_compared_and_said(order: str) -> None:
    late = milestone(planned(), "PI_SIGNED")["late_date"][:10]

    text = done("whatif", order, "--promise", "PI_SIGNED", str(date.fromisoformat(late) + timedelta(days=5)))

    assert re.search(r"^PI_SIGNED: .* is after .*, its latest date; ", text, re.M)


def test_another_etd_moves_the_plan(order: str) -> None:
    result = compared("--etd", ahead(30))

    assert (result["before"]["etd"], result["after"]["etd"]) == (ahead(20), ahead(30))
    assert {line["code"] for line in result["moved"]} >= {"UPLIFT", "PI_SIGNED"}


def test_several_changes_go_together(order: str) -> None:
    result = compared(
        "--promise", "PI_SIGNED", ahead(3), "--promise", "COMPLY_OK", ahead(4), "--quantity", 4000,
        "--hold-until", ahead(6), "--closed", "PROD", f"{ahead(10)}..{ahead(12)}",
    )  # fmt: skip

    assert [change["kind"] for change in result["changes"]] == ["amendment", "promise", "promise", "hold"]
    assert (result["after"]["quantity"], result["after"]["version"], result["after"]["state"]) == (4000, 2, "on_hold")
    assert result["closed"] == [{"calendar": "cn-factory", "first": ahead(10), "last": ahead(12)}]


@pytest.mark.parametrize(
    ("day", "classifier"),
    [
        (-1, "ACT"),  # it happened
        (5, "EST"),  # it will
    ],
)
def test_a_report_to_come_is_an_estimate(order: str, day: float, classifier: str) -> None:
    (change,) = compared("--report", "pi_signed", ahead(day))["changes"]

    assert (change["milestone"], change.get("classifier", "ACT")) == ("PI_SIGNED", classifier)


@pytest.mark.parametrize(
    ("who", "calendar"),
    [
        ("cn-factory", "cn-factory"),  # a calendar
        ("prod", "cn-factory"),  # a party, in any capitals
        ("CUSTOMS", "cn-customs"),  # of whom nothing is waited for
    ],
)
def test_a_calendar_or_a_party_may_be_closed(order: str, who: str, calendar: str) -> None:
    closed = compared("--closed", who, ahead(5))["closed"]

    assert {"calendar": calendar, "first": ahead(5), "last": ahead(5)} in closed


def test_no_difference_is_said(order: str) -> None:
    text = done("whatif", order, "--closed", "bd-factory", f"{ahead(5)}..{ahead(6)}")

    assert "No milestone of this order goes by bd-factory." in text
    assert text.splitlines()[-2:] == ["No difference: every date stays as it is.", "Nothing was stored."]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "what if what?"),  # nothing asked
        (("--promise", "GATE_IN", ahead(5)), "has no milestone 'GATE_IN'. It has: ORD_RCVD"),
        (("--promise", "UPLIFT", ahead(5)), "does not wait for UPLIFT now; it waits for"),
        (("--promise", "PI_SIGNED", ahead(-5)), "must lie in the future"),
        (("--promise", "PI_SIGNED", "soon"), "--promise: 'soon' is no date"),
        (("--report", "GATE_IN", ahead(-1)), "--report GATE_IN"),
        (("--report", "PI_SIGNED", "2026-13-01"), "--report: '2026-13-01' is a day that no calendar has"),
        (("--etd", "2026-12-01T10:00"), "--etd: "),  # a time without a zone
        (("--quantity", "0"), "--quantity 0 is no quantity"),
        (("--quantity", "nan"), "--quantity nan is no quantity"),
        (("--hold-until", "x"), "--hold-until: 'x' is no date"),
        (("--closed", "FACTROY", ahead(5)), "no calendar or party 'FACTROY' (did you mean 'FACTORY'?). Calendars: "),
        (("--closed", "PROD", f"{ahead(9)}..{ahead(5)}"), "the first day comes first"),  # reversed
        (("--closed", "PROD", "2026-01-01..2028-01-01"), "for more than a year"),
        (("--closed", "PROD", "2026-12-24.."), "--closed PROD: '' is no date"),  # half a range
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(order: str, options: tuple[str, ...], why: str) -> None:
    assert why in refused("whatif", order, *options)


def test_a_pair_that_is_cut_short_is_wrong_usage(order: str) -> None:
    said = gendan("whatif", order, "--promise", "PI_SIGNED")

    assert said.status == 2
    assert "requires 2 arguments" in said.err


def test_what_if_of_an_unknown_order_names_it(database_url: str) -> None:
    assert refused("whatif", "SO-404", "--etd", ahead(5)).startswith("No order 'SO-404'.")
    assert refused("plan", "SO-404").startswith("No order 'SO-404'.")
