"""`gendan people` against a real order book: who is there, and the orders of somebody who leaves."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.book.agreement import agreed
from models.book.changes import Cancellation
from tasks import handing_over
from tasks.clock import now
from tasks.follow_ups import take_due
from tasks.handing_over import hand_over, held_orders, plan_hand_over
from tasks.library import library
from tasks.logbook import record_entry
from tasks.orders import open_file
from tests.books import a_real_order, all_asleep, contents, in_the_book, place, run
from tests.files import written
from tests.terminal import done, gendan, refused

TODAY = now().date()


@pytest.fixture(autouse=True)
def house(own_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a house with three people: wang follows what names nobody, and lin stands in for mei these days."""
    folder = tmp_path / "library"
    folder.mkdir()
    away = f"{{from: {TODAY - timedelta(days=2)}, to: {TODAY + timedelta(days=2)}, by: lin}}"
    written(
        folder,
        "wang:\n  name: 王小明\n  languages: [zh-Hans]\n  roles: [MER, PUR]\n"
        "chan:\n  name: 陳小姐\n  calendar: de-office\n  quiet: none\n  digests: 09:00\n"
        f"mei:\n  name: Mei\n  substitutes: [{away}]\n"
        "lin: {name: Lin}\n",
        "people.yaml",
    )
    monkeypatch.setenv("GENDAN_LIBRARY", str(folder))
    return folder


ORDERS = {"A": "wang", "B": "王小明", "C": "", "D": "chan", "E": "mei", "F": "bo"}


@pytest.fixture
def orders(database_url: str) -> None:
    """Put six orders into the book: wang by code, by name and by his role; chan, mei, and bo whom nobody listed."""

    async def take_in() -> None:
        for number, merchandiser in ORDERS.items():
            await place(a_real_order(number, merchandiser=merchandiser))
        await all_asleep()

    in_the_book(take_in)


def holders() -> dict[str, str]:
    async def ask() -> dict[str, str]:
        return {order.order_no: order.holder.code for order in await held_orders()}

    return in_the_book(ask)


def told(number: str) -> list[dict[str, Any]]:
    return list(json.loads(done("orders", "show", number, "--json"))["log"])


PLACED = {"A": "wang", "B": "wang", "C": "wang", "D": "chan", "E": "mei", "F": "bo"}


@pytest.mark.usefixtures("orders")
def test_all_open_orders_of_who_leaves_go_to_whom_they_are_handed_over() -> None:
    said = done("people", "hand-over", "wang", "chan", "--by", "Lin Hua", "--note", "leaves")

    assert said == "3 orders were handed over from 王小明 (wang) to 陳小姐 (chan).\n"
    assert holders() == PLACED | {"A": "chan", "B": "chan", "C": "chan"}
    (entry,) = told("B")
    assert (entry["kind"], entry["to"], entry["by"], entry["note"]) == ("handed_over", "chan", "Lin Hua", "leaves")
    assert told("D") == []


@pytest.mark.usefixtures("orders")
def test_an_order_is_woken_when_it_is_handed_over() -> None:
    done("people", "hand-over", "wang", "chan")

    async def woken() -> list[str]:
        return sorted(each.order_no for each in await take_due(100, "a test"))

    assert in_the_book(woken) == ["A", "B", "C"]


@pytest.mark.usefixtures("orders")
def test_only_the_orders_that_are_named_are_handed_over() -> None:
    done("people", "hand-over", "王小明", "CHAN", "--only", "C", "--only", "A", "--only", "C")

    assert holders() == PLACED | {"A": "chan", "C": "chan"}


@pytest.mark.usefixtures("orders")
def test_an_order_may_be_handed_over_again_and_back() -> None:
    done("people", "hand-over", "wang", "chan", "--only", "A")
    done("people", "hand-over", "chan", "mei")
    done("people", "hand-over", "mei", "wang", "--only", "A")

    assert holders() == PLACED | {"D": "mei"}
    assert [entry["to"] for entry in told("A")] == ["chan", "mei", "wang"]


@pytest.mark.usefixtures("orders")
def test_who_left_before_anybody_listed_him_hands_over_as_well() -> None:
    assert done("people", "hand-over", "bo", "lin") == "1 order was handed over from bo (bo) to Lin (lin).\n"
    assert holders()["F"] == "lin"


@pytest.mark.usefixtures("orders")
def test_an_order_that_is_over_stays_with_who_had_it() -> None:
    async def cancelled() -> None:
        await record_entry("A", lambda file, present: Cancellation(recorded_at=present))  # its run has not seen it yet
        await run("UPDATE follow_ups SET closed_as = 'closed', state = 'closed' WHERE order_no = 'B'")

    in_the_book(cancelled)

    assert json.loads(done("people", "hand-over", "wang", "chan", "--json")) == {
        "from": "wang",
        "to": "chan",
        "moved": ["C"],
        "there": [],
    }
    assert "is not open any more" in refused("people", "hand-over", "wang", "chan", "--only", "B")


@pytest.mark.usefixtures("orders")
def test_what_was_cut_short_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(Exception):
        pass

    record = handing_over.record_entry

    async def records_one(order_no: str, make: Any) -> Any:
        if order_no != "A":
            raise PowerCut
        return await record(order_no, make)

    with monkeypatch.context() as patched:
        patched.setattr(handing_over, "record_entry", records_one)
        with pytest.raises(PowerCut):
            done("people", "hand-over", "wang", "chan")

    assert "2 orders were" in done("people", "hand-over", "wang", "chan")
    assert [len(told(number)) for number in "ABC"] == [1, 1, 1]
    again = done("people", "hand-over", "wang", "chan", "--only", "A", "--only", "B")
    assert again.startswith("0 orders were handed over")
    assert again.endswith("; 2 had been before.\n")


@pytest.mark.usefixtures("orders")
def test_two_who_hand_over_at_once_move_an_order_once() -> None:
    async def both() -> list[bool]:
        made = await plan_hand_over("wang", "chan", ["A"])
        other = await plan_hand_over("wang", "mei", ["A"])
        return [await hand_over("A", made), await hand_over("A", other), await hand_over("A", made)]

    assert in_the_book(both) == [True, False, False]
    assert holders()["A"] == "chan"


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wnag", "chan"], ["There is no person 'wnag' (did you mean 'wang'?)", "bo, chan", "Nothing was changed"]),
        (["wang", "chna"], ["There is no person 'chna' (did you mean 'chan'?)", "lin, ", "mei", "Nothing was changed"]),
        (["wang", "bo"], ["There is no person 'bo'", "people.yaml"]),  # his orders are there, he himself is not listed
        (["wang", "wang"], ["王小明 (wang) has these orders already"]),
        (["wang", "MER"], ["王小明 (wang) has these orders already"]),  # his own mailbox
        (["wang", "chan", "--only", "A", "--only", "X"], ["No order 'X'"]),
        (["wang", "lin", "--only", "A", "--only", "D"], ["Order D is followed by 陳小姐 (chan), not by 王小明 (wang)"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_handed_over_changes_nothing(words: list[str], said: list[str], database_url: str) -> None:
    before = contents(database_url)

    why = refused("people", "hand-over", *words)

    assert all(part in why for part in said), why
    assert contents(database_url) == before


@pytest.mark.usefixtures("orders")
def test_the_list_says_who_is_there_with_how_many_orders() -> None:
    listed = {row["code"]: row for row in json.loads(done("people", "list", "--json"))}

    assert {code: row["open_orders"] for code, row in listed.items() if row["open_orders"]} == {
        "wang": 3,
        "chan": 1,
        "mei": 1,
        "bo": 1,
    }
    assert listed["wang"]["roles"] == ["MER", "PUR"]
    assert listed["wang"]["quiet"] == ["20:00", "08:30"]
    assert (listed["chan"]["zone"], listed["chan"]["quiet"]) == ("Europe/Berlin", None)
    assert listed["chan"]["digests"] == ["09:00"]
    assert listed["mei"]["substitute"] == {"code": "lin", "last": str(TODAY + timedelta(days=2))}
    assert list(listed)[:5] == ["wang", "chan", "mei", "lin", "bo"]  # the mailboxes of roles come after the people
    assert listed["SALES"]["roles"] == ["SALES"]
    assert "MER" not in listed  # wang reads what is for the role


@pytest.mark.usefixtures("orders")
def test_the_list_is_read_by_people() -> None:
    lines = {line.split()[0]: line for line in done("people", "list").splitlines()}

    assert lines["Code"].split()[-2:] == ["Open", "orders"]
    for part in ("王小明", "MER, PUR", "zh-Hans", "Asia/Shanghai", "20:00-08:30", "08:30, 13:30", "there"):
        assert part in lines["wang"]
    assert lines["wang"].split()[-1] == "3"
    assert f"lin until {TODAY + timedelta(days=2)}" in lines["mei"]
    assert " none " in lines["chan"]


@pytest.mark.usefixtures("orders")
def test_an_orders_file_knows_in_whose_hands_it_is() -> None:
    done("people", "hand-over", "mei", "chan")

    async def merchandiser() -> str:
        file, _ = await open_file("E")
        return agreed(file.order, file.entries).merchandiser

    assert in_the_book(merchandiser) == "chan"
    assert library().holder("chan").name == "陳小姐"


def test_the_doctor_names_whom_no_address_reaches_and_no_address(database_url: str, own_settings: Path) -> None:
    tags = "mer, sales, tech, pmc, prod, qc, log, fin, gm, mei, lin"
    own_settings.mkdir()
    file = written(own_settings, f"urls:\n  - json://user:secret@localhost/: {{tag: '{tags}'}}\n", "channels.yaml")

    said = gendan("doctor", "--json")

    words = [finding["words"] for finding in json.loads(said.out) if finding["what"] == "channels"]
    assert words == [f"{file}: no address reaches 陳小姐 (chan): add one with the tag chan"]
    assert "secret" not in said.out + said.err


@pytest.mark.parametrize(
    ("file", "folder", "told"),
    [
        (0o644, 0o755, True),
        (0o644, 0o751, True),  # who knows its name can read it
        (0o640, 0o755, False),  # a group of its own, as under /etc
        (0o600, 0o755, False),
        (0o644, 0o700, False),  # as Gendan makes its folder
    ],
)
def test_the_doctor_names_addresses_that_every_user_can_read(
    file: int, folder: int, told: bool, database_url: str, own_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as place:  # where tests keep their files, others see nothing
        house = Path(place)
        other = written(house, "urls: []\n", "more.yaml")
        channels = written(
            house, "include: more.yaml\nurls:\n  - json://user:secret@localhost/: {tag: always}\n", "c.yaml"
        )
        other.chmod(0o600)
        channels.chmod(file)
        house.chmod(folder)
        monkeypatch.setenv("GENDAN_CHANNELS", str(channels))

        said = gendan("doctor", "--json")

    words = [finding["words"] for finding in json.loads(said.out) if finding["what"] == "channels"]
    open_ = f"{channels}: every user of this machine can read these addresses: `chmod o-rwx {channels}`"
    assert words == ([open_] if told else [f"everybody is reached ({channels})"])
