"""Prospects in the order book and on the command line: told in one line each, refused with the reason, won once."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.book.changes import Followed, Unfollowed, Won
from models.book.order import OrderKind, OrderState
from models.book.order_file import OrderFile
from models.book.report import Report
from models.errors import DuplicateOrder, Refused
from models.prospect import won_order
from models.status.standing import standing
from tasks.clock import now
from tasks.follow_ups import Woken, awake_too_long, find_by_run, page_of_followed, rest, set_run, take_due, wake_up
from tasks.logbook import record_entry
from tasks.orders import open_file
from tasks.prospects import add_prospect, register_won, win
from tests.books import a_real_order, contents, counts, days_ago, in_the_book, place, place_all
from tests.files import written
from tests.terminal import done, refused

PROSPECT = "P-26-031"
ORDER = "SO-26-0481"
IN_MAY = days_ago(-150).date()


def file_of(number: str = PROSPECT) -> OrderFile:
    return in_the_book(lambda: open_file(number))[0]


def listed(*words: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = json.loads(done("prospects", "list", "--json", *words))
    return lines


@pytest.fixture
def prospect(database_url: str) -> str:
    """Give the number of a prospect who asked for 3,600 pieces."""
    done("prospects", "add", PROSPECT, "--customer", "Nordwind", "--quantity", "3600", "--unit", "pcs")
    return PROSPECT


# --- taking in ---


def test_a_prospect_is_followed_from_the_moment_he_is_in(prospect: str) -> None:
    file = file_of()

    assert (file.order.kind, file.order.customer, file.order.quantity) == (OrderKind.PROSPECT, "Nordwind", 3600)
    assert file.template.code == "PROSPECT"
    assert in_the_book(lambda: take_due(10, "a test")) == [Woken(PROSPECT, None, 0, OrderKind.PROSPECT)]


def test_without_a_day_the_contract_is_hoped_for_as_soon_as_the_template_thinks_possible(prospect: str) -> None:
    file = file_of()
    today = file.calendar.local_date(file.order.placed_at)

    assert file.order.etd == today + timedelta(days=file.template.lead_days)
    assert standing(file, now()).state is OrderState.OPEN


def test_a_prospect_may_name_the_day_that_is_hoped_for(database_url: str) -> None:
    said = done("prospects", "add", PROSPECT, "--customer", "Nordwind", "--hoped-for", IN_MAY)

    assert file_of().order.etd == IN_MAY
    assert f"hoped for on {IN_MAY}" in said


def test_prospects_come_in_from_a_file_like_orders(tmp_path: Path, database_url: str) -> None:
    rows = f"order_no,kind,placed_at,etd,customer\n{PROSPECT},prospect,{days_ago(3).date()},,Nordwind\n"
    done("orders", "import", written(tmp_path, rows))

    assert [line["order_no"] for line in listed()] == [PROSPECT]


def test_a_prospect_may_have_been_heard_of_before(database_url: str) -> None:
    heard = days_ago(9).date()
    done("prospects", "add", PROSPECT, "--customer", "Nordwind", "--since", heard)
    done("report", PROSPECT, "ENQ_RCVD", "--at", heard + timedelta(days=2))

    file = file_of()
    assert file.calendar.local_date(file.order.placed_at) == heard
    assert file.order.etd == heard + timedelta(days=file.template.lead_days)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--since", days_ago(-3).date()], "--since: "),
        (["--hoped-for", "2020-01-01"], "--hoped-for: 2020-01-01 is before the order was placed"),
        (["--hoped-for", "soon"], "--hoped-for: 'soon' is no date"),
        (["--quantity", "a lot"], "--quantity: 'a lot' is no plain number"),
        (["--template", "AFS"], "--template: "),  # follows orders
        (["--template", "PROSPCT"], "--template: There is no template 'PROSPCT'"),
    ],
)
def test_a_prospect_that_cannot_be_followed_is_refused_and_not_taken_in(
    database_url: str, words: list[object], reason: str
) -> None:
    assert reason in refused("prospects", "add", PROSPECT, "--customer", "Nordwind", *words)

    assert counts(database_url)["orders"] == 0


def test_a_number_that_is_taken_is_refused(prospect: str, database_url: str) -> None:
    before = contents(database_url)

    assert "P-26-031 is already followed" in refused("prospects", "add", PROSPECT, "--customer", "Südwind")

    assert contents(database_url) == before


# --- telling ---


def test_the_list_says_when_to_call_how_long_he_is_silent_and_until_when_he_has_a_quotation(prospect: str) -> None:
    in_the_book(lambda: place(a_real_order("SO-1")))
    call, valid = days_ago(-9).date(), days_ago(-30).date()
    done("prospects", "contact", PROSPECT, "--next", call, "--note", "compares three suppliers")
    done("prospects", "quote", PROSPECT, "--valid-until", valid)

    (line,) = listed()
    assert (line["order_no"], line["customer"], line["state"]) == (PROSPECT, "Nordwind", "open")
    assert (line["next_contact"], line["silent_for"], line["quotation_until"]) == (str(call), 0, str(valid))
    shown = done("prospects", "list")
    assert PROSPECT in shown
    assert str(call) in shown
    assert str(valid) in shown
    assert "SO-1" not in shown


def test_the_list_is_narrowed_down(prospect: str) -> None:
    done("prospects", "add", "P-26-032", "--customer", "Südwind")

    assert [line["order_no"] for line in listed("--customer", "Südwind")] == ["P-26-032"]
    assert listed("--state", "lost") == []
    assert len(listed("--state", "open", "--limit", "1")) == 1


def test_a_quotation_that_is_told_was_sent(prospect: str) -> None:
    done("report", PROSPECT, "ENQ_RCVD")
    done("report", PROSPECT, "CLARIFIED")
    done("prospects", "quote", PROSPECT, "--valid-until", IN_MAY)

    file = file_of()
    assert "QUOTE_SENT" in standing(file, now()).reached
    assert standing(file, now()).agreed.quotation_until == IN_MAY


def test_samples_are_registered_with_their_courier_and_round(prospect: str) -> None:
    done("prospects", "samples", PROSPECT, "--courier", "DHL 4417", "--round", "1")
    done("report", PROSPECT, "SAMPLE_OK", "--failed", "--note", "colour too dark")
    done("prospects", "samples", PROSPECT, "--courier", "DHL 9001")

    register = [e for e in file_of().entries if isinstance(e, Report) and e.milestone == "SAMPLES_SENT"]
    assert [(e.equipment, e.attributes["round"]) for e in register] == [("DHL 4417", "1"), ("DHL 9001", "2")]


def test_samples_of_another_round_are_refused(prospect: str, database_url: str) -> None:
    before = contents(database_url)

    said = refused("prospects", "samples", PROSPECT, "--courier", "DHL 4417", "--round", "2")

    assert "the samples now are round 1, not round 2" in said
    assert contents(database_url) == before


def test_what_orders_are_told_prospects_are_told_too(prospect: str) -> None:
    done("report", PROSPECT, "ENQ_RCVD")
    done("promise", PROSPECT, "CLARIFIED", days_ago(-2).date())
    done("ack", PROSPECT, "CLARIFIED")
    done("hold", PROSPECT)
    done("resume", PROSPECT)
    done("reschedule", PROSPECT, IN_MAY)
    assert standing(file_of(), now()).etd == IN_MAY

    done("cancel", PROSPECT)
    done("follow", PROSPECT)
    assert standing(file_of(), now()).state is OrderState.OPEN


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["contact", PROSPECT, "--next", "2020-01-01"], "the next contact 2020-01-01 is past"),
        (["quote", PROSPECT, "--valid-until", "2020-01-01"], "valid until 2020-01-01 is void"),
        (["contact", PROSPECT, "--next", "soon"], "'soon' is no date"),
        (["lost", PROSPECT, "--reason", "  "], "--reason is empty"),
        (["won", PROSPECT, "--order", ORDER], "--etd: is empty and no template is named"),
        (
            ["won", PROSPECT, "--order", ORDER, "--etd", "2020-01-01"],
            "--etd: 2020-01-01 is before the order was placed",
        ),
        (["won", PROSPECT, "--order", ORDER, "--template", "AFZ"], "--template: There is no template 'AFZ'"),
        (["won", PROSPECT, "--order", ORDER, "--template", "PROSPECT"], "--template: "),  # follows no orders
        (["won", PROSPECT, "--order", " ", "--etd", IN_MAY], "--order: is empty"),
        (["won", PROSPECT, "--order", PROSPECT, "--etd", IN_MAY], "P-26-031 is taken by another prospect (Nordwind)"),
        (["won", "P-404", "--order", ORDER, "--etd", IN_MAY], "No order 'P-404'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    prospect: str, database_url: str, words: list[object], reason: str
) -> None:
    before = contents(database_url)

    assert reason in refused("prospects", *words)

    assert contents(database_url) == before


@pytest.mark.parametrize(
    "words",
    [
        ["contact", "SO-1"],
        ["quote", "SO-1", "--valid-until", IN_MAY],
        ["won", "SO-1", "--order", ORDER, "--etd", IN_MAY],
        ["lost", "SO-1", "--reason", "price"],
        ["samples", "SO-1", "--courier", "DHL 4417"],
    ],
    ids=lambda words: str(words[0]),
)
def test_what_is_only_of_prospects_is_refused_for_an_order(database_url: str, words: list[object]) -> None:
    in_the_book(lambda: place(a_real_order("SO-1")))
    before = contents(database_url)

    assert "Order SO-1 " in refused("prospects", *words)

    assert contents(database_url) == before


# --- lost ---


def test_a_lost_prospect_keeps_the_reason_and_is_reopened_by_following_him(prospect: str) -> None:
    done("prospects", "lost", PROSPECT, "--reason", "price  8 % above Dhaka")
    assert listed()[0]["state"] == "lost"
    assert getattr(file_of().entries[-1], "reason", "") == "price 8 % above Dhaka"
    assert "gendan follow P-26-031" in refused("prospects", "contact", PROSPECT)

    done("follow", PROSPECT)
    assert listed()[0]["state"] == "open"
    done("prospects", "contact", PROSPECT)


# --- won ---


def test_the_order_of_a_won_prospect_is_his_with_what_is_told_of_it(prospect: str) -> None:
    done("report", PROSPECT, "CONTRACT")
    done("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY, "--quantity", "3000")

    won = won_order(file_of())
    assert won is not None
    order = won.order
    assert (order.order_no, order.kind, order.customer, order.etd) == (ORDER, OrderKind.EXPORT, "Nordwind", IN_MAY)
    assert (order.quantity, order.unit) == (3000, "pcs")
    assert order.placed_at == standing(file_of(), now()).reached["CONTRACT"].at, "it was placed when it was signed"
    assert order.attributes == {"prospect": PROSPECT}
    assert won.template == "AFS"  # by its lead time


def test_an_order_may_wait_for_its_date_when_its_template_is_named(prospect: str) -> None:
    done("prospects", "won", PROSPECT, "--order", ORDER, "--template", "EAD")
    in_the_book(lambda: registered())

    assert standing(file_of(ORDER), now()).state is OrderState.WAITING_FOR_DATE
    assert file_of(ORDER).template.code == "EAD"


def test_a_prospect_is_won_once(prospect: str, database_url: str) -> None:
    done("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)
    before = contents(database_url)

    for words in (["won", PROSPECT, "--order", ORDER, "--etd", IN_MAY], ["lost", PROSPECT, "--reason", "price"]):
        assert f"goes on as order {ORDER}" in refused("prospects", *words)
    assert f"goes on as order {ORDER}" in refused("follow", PROSPECT)

    assert contents(database_url) == before


def test_a_number_that_another_order_has_is_refused(prospect: str, database_url: str) -> None:
    in_the_book(lambda: place(a_real_order(ORDER, customer="ACME")))
    before = contents(database_url)

    said = refused("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)

    assert f"the number {ORDER} is taken by another order (ACME)" in said
    assert "gendan prospects won P-26-031 --order NUMBER" in said
    assert contents(database_url) == before


def test_an_order_of_his_that_is_in_the_book_already_is_named_by_its_number_alone(
    prospect: str, database_url: str
) -> None:
    in_the_book(lambda: place(a_real_order(ORDER, customer="Nordwind")))
    assert "is taken by another order" in refused("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)

    done("prospects", "won", PROSPECT, "--order", ORDER)
    before = contents(database_url)
    in_the_book(registered)

    assert standing(file_of(), now()).state is OrderState.WON
    assert contents(database_url) == before


async def registered() -> None:
    file, follow_up = await open_file(PROSPECT)
    await register_won(file, follow_up.clock)


def test_the_order_is_registered_once_however_often_that_is_tried(prospect: str, database_url: str) -> None:
    done("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)
    in_the_book(registered)
    before = contents(database_url)

    async def at_once() -> None:
        await asyncio.gather(*(registered() for _ in range(5)))

    in_the_book(at_once)

    assert contents(database_url) == before
    assert file_of(ORDER).template.code == "AFS"
    assert file_of(ORDER).order.came_in == file_of(ORDER).order.placed_at


def test_five_who_register_the_order_at_once_make_one(prospect: str, database_url: str) -> None:
    done("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)

    async def at_once() -> None:
        await asyncio.gather(*(registered() for _ in range(5)))

    in_the_book(at_once)

    assert counts(database_url)["orders"] == 2


def test_a_number_that_was_taken_after_the_prospect_was_won_is_not_taken_over(prospect: str, database_url: str) -> None:
    done("prospects", "won", PROSPECT, "--order", ORDER, "--etd", IN_MAY)
    in_the_book(lambda: place(a_real_order(ORDER)))
    before = contents(database_url)

    with pytest.raises(DuplicateOrder, match=ORDER):
        in_the_book(registered)

    assert contents(database_url) == before


# --- waking ---


async def test_what_is_woken_says_of_what_kind_it_is(database_url: str) -> None:
    await place_all(2)
    await add_prospect({"order_no": PROSPECT, "customer": "Nordwind"})

    taken = {woken.order_no: woken.kind for woken in await take_due(10, "a test")}

    assert taken == {"SO-0000": OrderKind.EXPORT, "SO-0001": OrderKind.EXPORT, PROSPECT: OrderKind.PROSPECT}


async def test_whoever_looks_for_runs_finds_those_of_prospects_with_their_kind(database_url: str) -> None:
    await add_prospect({"order_no": PROSPECT, "customer": "Nordwind"})
    run: UUID = uuid4()
    await set_run(PROSPECT, run, 1)
    expected = [Woken(PROSPECT, run, 1, OrderKind.PROSPECT)]

    assert await find_by_run([run]) == expected
    assert await page_of_followed("", 10) == expected
    await take_due(10, "a test")
    assert await awake_too_long(timedelta(0)) == expected


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_are_taken_than_asked_for_the_longest_due_first(database_url: str, limit: int) -> None:
    numbers = await place_all(5)
    await take_due(10, "a test")
    for days, number in enumerate(numbers):
        await wake_up(number)
        await rest(
            number,
            state=OrderState.OPEN,
            waits_for="",
            next_wake_up=days_ago(9 - days),
            shown={},
            page={},
            closed_as=None,
        )

    assert sorted(woken.order_no for woken in await take_due(limit, "a test")) == numbers[:limit]


async def test_a_prospect_whose_run_was_cancelled_is_won_only_once_he_is_followed_again(database_url: str) -> None:
    """Nobody would register his order."""
    await add_prospect({"order_no": PROSPECT, "customer": "Nordwind"})
    await record_entry(PROSPECT, lambda _file, present: Unfollowed(recorded_at=present))

    with pytest.raises(Refused, match="gendan follow P-26-031"):
        await win(PROSPECT, {"order_no": ORDER, "etd": str(IN_MAY)})

    await record_entry(PROSPECT, lambda _file, present: Followed(recorded_at=present))
    won, _ = await win(PROSPECT, {"order_no": ORDER, "etd": str(IN_MAY)})
    assert isinstance(won, Won)
    assert isinstance(won.order.etd, date)
