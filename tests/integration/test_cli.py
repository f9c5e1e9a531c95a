"""Every command against a real order book: what it does, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import gendan as package
from gendan import __version__
from gendan.cli.app import app
from tasks import database
from tests.books import a_real_order, at, contents, days_ago, place
from tests.files import written
from tests.terminal import done, gendan
from tests.terminal import refused as why_refused

NUMBER = "SO-26-0417"
SAMPLES = Path(package.__file__).parent / "samples"
PROGRAM = Path(sys.executable).parent / "gendan"


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that call it."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order that is in the book."""
    in_the_book()
    return NUMBER


def in_the_book(number: str = NUMBER, **changes: object) -> None:
    async def take_in() -> None:
        try:
            await place(a_real_order(number, **changes))
        finally:
            await database.close()

    asyncio.run(take_in())


def shown(number: str = NUMBER) -> dict[str, object]:
    result: dict[str, object] = json.loads(done("orders", "show", number, "--json"))
    return result


def log(number: str = NUMBER) -> list[dict[str, object]]:
    entries = shown(number)["log"]
    assert isinstance(entries, list)
    return entries


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program."""
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, env=os.environ | environment, check=False)


# --- the program ---


def test_the_program_says_its_version_and_what_it_can_do() -> None:
    version, usage = run("--version"), run("orders", "import", "--help")

    assert (version.returncode, version.stdout) == (0, f"gendan {__version__}\n")
    assert usage.returncode == 0
    assert "Example: gendan orders import orders.csv" in usage.stdout


def test_the_exit_status_tells_done_from_refused_from_mistyped(order: str) -> None:
    listed = run("orders", "list", "--json")
    unknown = run("orders", "show", "SO-404")
    mistyped = run("orders", "list", "--stat", "open")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line["order_no"] for line in json.loads(listed.stdout)] == [order]
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("gendan: No order 'SO-404'.")
    assert "Traceback" not in unknown.stderr
    assert (mistyped.returncode, mistyped.stdout) == (2, "")
    assert "--stat" in mistyped.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example_that_can_be_typed(words: tuple[str, ...]) -> None:
    text = done(*words, "--help")

    (example,) = [
        line.split("Example: ")[1] for line in (COMMANDS[words].help or "").splitlines() if "Example:" in line
    ]
    typed = shlex.split(example)
    assert "Example: gendan " in text
    assert tuple(typed[: len(words) + 1]) == ("gendan", *words)
    COMMANDS[words].make_context("gendan", typed[len(words) + 1 :])


def test_all_commands_are_there() -> None:
    assert set(COMMANDS) >= {
        ("orders", "import"),
        ("orders", "list"),
        ("orders", "show"),
        ("reports", "import"),
        ("messages", "list"),
        *((name,) for name in ("report", "ack", "promise", "hold", "resume", "cancel", "follow", "reschedule")),
        *((name,) for name in ("up", "demo", "doctor", "backtest", "replay")),
    }


def test_without_a_command_the_help_is_shown() -> None:
    said = gendan()

    assert "Usage: gendan" in said.out + said.err


# --- orders ---


def test_orders_come_in_from_a_file_once(tmp_path: Path, database_url: str) -> None:
    file = written(tmp_path, f"order_no,placed_at,etd,customer\nA,{days_ago(9).date()},{days_ago(-60).date()},ACME\n")

    assert done("orders", "import", file) == "1 orders taken in.\n"
    assert done("orders", "import", file) == "0 orders taken in, 1 there already.\n"
    assert json.loads(done("orders", "import", file, "--json")) == {"new": 0, "known": 1, "refused": []}


def test_refused_rows_are_named_and_the_others_are_in(tmp_path: Path, database_url: str) -> None:
    rows = f"A,{days_ago(9).date()},{days_ago(-60).date()}\nB,{days_ago(9).date()},soon\n"
    file = written(tmp_path, "order_no,placed_at,etd\n" + rows)

    said = gendan("orders", "import", file)
    again = gendan("orders", "import", file, "--json")

    assert (said.status, said.out) == (1, "1 orders taken in, 1 refused.\n")
    assert said.err.startswith(f"{file}, line 3, column etd: 'soon' is no date.")
    assert said.err.count("\n") == 1
    assert again.status == 1
    assert [(row["line"], row["column"]) for row in json.loads(again.out)["refused"]] == [(3, "etd")]


def test_the_samples_come_in_whole(database_url: str) -> None:
    # their year may be over or yet to come by the clock on the wall
    said = gendan("orders", "import", SAMPLES / "orders.csv", "--json")

    assert json.loads(said.out)["new"] + len(json.loads(said.out)["refused"]) == 10


def test_orders_are_listed(order: str) -> None:
    in_the_book("SO-2", customer="EMCA")

    lines = done("orders", "list").splitlines()

    assert lines[0].split() == ["Order", "Customer", "State", "Waits", "for", "Next", "look"]
    assert [line.split()[:3] for line in lines[1:]] == [["SO-2", "EMCA", "open"], [order, "ACME", "open"]]
    assert done("orders", "list", "--customer", "EMCA", "--state", "open").count("\n") == 2
    assert json.loads(done("orders", "list", "--state", "on_hold", "--json")) == []
    assert set(json.loads(done("orders", "list", "--json"))[0]) == {
        *("order_no", "customer", "state", "waits_for", "next_wake_up")
    }


def test_a_list_that_is_cut_says_so(order: str) -> None:
    in_the_book("SO-2")

    said = gendan("orders", "list", "--limit", "1")

    assert said.err == "Only the first 1; see --limit.\n"
    assert order not in said.out + "SO-2"


def test_a_list_in_a_pipe_holds_every_number_whole(database_url: str) -> None:
    long = ["N" * 64, "订单 " * 10 + "号"]
    for number in long:
        in_the_book(number, customer="A very long name of a customer in a far away place " * 2)

    text = done("orders", "list")

    assert all(number in text for number in long)
    assert len(text.splitlines()) == 3


def test_an_order_is_shown_with_what_was_told_of_it(order: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--note", "by mail", "--by", "mei")

    text = done("orders", "show", order)
    whole = shown(order)

    assert order in text
    assert "report" in text
    assert "by mail" in text
    assert (whole["state"], whole["template"]) == ("open", "EAD")
    assert whole["open"] == ["ORD_REVIEW", "COMPLY_OK"]
    assert [(entry["kind"], entry["by"], entry["note"]) for entry in log(order)] == [("report", "mei", "by mail")]


# --- reports ---


def test_a_report_is_recorded_once(order: str) -> None:
    first = done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--source", "mill", "--id", "7", "--json")
    again = done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--source", "mill", "--id", "7", "--json")
    in_words = done("report", order, "ORD_RCVD", "--source", "mill", "--id", "7")

    assert json.loads(first)["recorded"] is True
    assert json.loads(again) == {"recorded": False, "line": None}
    assert in_words == "Recorded before; nothing changed.\n"
    assert len(log(order)) == 1


def test_a_report_without_a_date_happened_now(order: str) -> None:
    said = done("report", order, "ord_rcvd")

    (entry,) = log(order)
    assert said == f"{order}: ORD_RCVD recorded (line 1 of the log)\n"
    assert at(days_ago(1)) < str(entry["occurred_at"])
    assert (entry["milestone"], entry["classifier"]) == ("ORD_RCVD", "ACT")


def test_what_is_expected_and_a_part_can_be_reported(order: str) -> None:
    done("report", order, "UPLIFT", "--at", at(days_ago(-30)), "--as", "EST")
    done("report", order, "PROD_DONE", "--quantity", "1200.5")

    expected, part = log(order)
    assert (expected["classifier"], part["quantity"]) == ("EST", 1200.5)
    assert "PROD_DONE" not in [code for code, m in shown(order)["milestones"].items() if m["reached_at"]]  # type: ignore[attr-defined]


def test_a_report_is_corrected_and_withdrawn(order: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)))
    done("report", order, "ORD_RCVD", "--at", at(days_ago(8)), "--corrects", "1")
    assert shown(order)["open"] == ["ORD_REVIEW", "COMPLY_OK"]

    done("report", order, "ORD_RCVD", "--withdraw", "2", "--note", "another order's")

    assert [entry["kind"] for entry in log(order)] == ["report", "report", "withdrawal"]
    assert shown(order)["open"] == ["ORD_RCVD"]


def test_reports_come_in_from_a_file_once(tmp_path: Path, order: str) -> None:
    file = written(
        tmp_path,
        f"order_no,milestone,occurred_at,source,source_event_id\n{order},ORD_RCVD,{at(days_ago(9))},mill,1\n",
        "reports.csv",
    )

    assert done("reports", "import", file) == "1 reports taken in.\n"
    assert done("reports", "import", file) == "0 reports taken in, 1 there already.\n"


# --- the larger decisions ---


def test_a_stall_is_taken_on_and_a_date_promised(order: str) -> None:
    done("ack", order, "ORD_RCVD", "--note", "calling")
    done("promise", order, "ORD_RCVD", days_ago(-3).date(), "--by", "Hua Xing")

    acknowledged, promised = log(order)
    assert (acknowledged["kind"], promised["kind"], promised["by"]) == ("acknowledgement", "promise", "Hua Xing")
    assert shown(order)["milestones"]["ORD_RCVD"]["promised"]  # type: ignore[index]


def test_an_order_is_held_goes_on_is_cancelled_and_followed_again(order: str) -> None:
    for words, state in (
        (("hold", order, "--note", "new label"), "on_hold"),
        (("resume", order), "open"),
        (("cancel", order), "cancelled"),
        (("follow", order), "open"),
        (("reschedule", order, str(days_ago(-90).date())), "open"),
    ):
        said = done(*words)

        assert said.startswith(order)
        assert shown(order)["state"] == state

    assert shown(order)["etd"] == str(days_ago(-90).date())
    assert [entry["seq"] for entry in log(order)] == [1, 2, 3, 4, 5]


def test_who_speaks_is_the_user_of_this_machine_unless_told(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "wang.jun")

    done("hold", order)
    done("resume", order, "--by", "mei.lin")

    assert [entry["by"] for entry in log(order)] == ["wang.jun", "mei.lin"]


# --- a past season ---


def test_a_past_season_is_played_without_any_database(tmp_path: Path, own_settings: Path) -> None:
    result = tmp_path / "result.json"

    said = gendan(
        "backtest", "--orders", SAMPLES / "orders.csv", "--reports", SAMPLES / "reports.csv", "--json", result
    )

    assert said.status == 0
    assert "10 orders: 8 departed whole, 2 of them late" in said.out
    assert json.loads(result.read_text())["summary"]["orders"] == 10
    assert not own_settings.exists()


def test_a_season_with_refused_rows_is_played_with_the_others(tmp_path: Path, own_settings: Path) -> None:
    orders = written(tmp_path, "order_no,placed_at,etd\nA,2026-01-05,2026-04-20\nB,2026-01-05,soon\n")
    reports = written(tmp_path, "order_no,milestone,occurred_at\nA,ORD_RCVD,2026-01-05\n", "reports.csv")

    said = gendan("backtest", "--orders", orders, "--reports", reports)

    assert said.status == 1
    assert f"{orders}, line 3, column etd:" in said.err
    assert said.out.startswith("1 orders:")


def test_a_result_that_cannot_be_written_is_told(tmp_path: Path, own_settings: Path) -> None:
    season = ("--orders", SAMPLES / "orders.csv", "--reports", SAMPLES / "reports.csv")

    said = gendan("backtest", *season, "--json", tmp_path / "no" / "folder.json")

    assert said.status == 1
    assert f"{tmp_path}/no/folder.json" in said.err


# --- what is wrong ---


def test_the_doctor_tells_what_is_there_and_what_is_not(order: str, own_settings: Path) -> None:
    said = gendan("doctor", "--json")

    findings = {finding["what"]: finding for finding in json.loads(said.out)}
    assert said.status == 1
    assert findings["database"]["ok"] is True
    assert findings["orders"]["words"] == "1 followed, none stuck"
    assert (findings["prefect"]["ok"], "`gendan up`" in findings["prefect"]["words"]) == (False, True)
    assert findings["channels"]["ok"] is False
    assert str(own_settings / "channels.yaml") in findings["channels"]["words"]


def test_the_doctor_changes_nothing(order: str, database_url: str) -> None:
    before = contents(database_url)

    gendan("doctor")

    assert contents(database_url) == before


def test_a_command_for_an_unknown_order_names_it(database_url: str) -> None:
    before = contents(database_url)

    for words in (
        ("orders", "show", "SO-404"),
        ("report", "SO-404", "ORD_RCVD"),
        ("report", "SO-404", "ORD_RCVD", "--withdraw", "1"),
        ("ack", "SO-404", "ORD_RCVD"),
        ("promise", "SO-404", "ORD_RCVD", "2099-01-01"),
        *((word, "SO-404") for word in ("hold", "resume", "cancel", "follow")),
        ("reschedule", "SO-404", "2099-01-01"),
    ):
        assert why_refused(*words).startswith("No order 'SO-404'. See `gendan orders list`")

    assert contents(database_url) == before
