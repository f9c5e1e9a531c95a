"""`gendan messages` and `gendan chases`, on an order book with messages, deliveries and turns in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from gendan.cli import chases  # noqa: F401 - it adds its commands
from models import tables
from tasks import database
from tasks.clock import now
from tasks.database import transaction
from tests.books import place
from tests.terminal import done, gendan, refused

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-26-0417"


def book(fill: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Fill the order book before commands are run on it, which have an event loop each."""

    async def run() -> None:
        try:
            await place()
            await fill()
        finally:
            await database.close()

    asyncio.run(run())


async def add(table: Any, **values: Any) -> int:
    async with transaction() as connection:
        added = await connection.execute(insert(table).values(values).returning(table.c.id))
        return int(added.scalar_one())


async def a_message(person: str = "mei", **changes: Any) -> int:
    fields = {
        "kind": "direct",
        "person": person,
        "tags": [person],
        "made_at": now(),
        "subject": f"To {person}",
        "body": "FAB_IN is late",
    }
    return await add(tables.messages, **(fields | changes))


async def a_delivery(message_id: int, **changes: Any) -> int:
    fields = {"message_id": message_id, "channel": "0123456789abcdef", "schema": "wecombot"}
    return await add(tables.deliveries, **(fields | changes))


async def a_dead_letter(person: str = "mei") -> int:
    error = "refused: answered HTTP 404"
    message_id = await a_message(person, dead_at=now(), error=f"wecombot:// {error}")
    await a_delivery(message_id, dead_at=now(), attempts=3, error=error)
    return message_id


async def a_notice(**changes: Any) -> int:
    fields = {
        "order_no": NUMBER,
        "milestone": "FAB_IN",
        "rung": "L1",
        "due": now(),
        "role": "MER",
        "manner": "digest",
        "meant_for": now(),
        "raised_at": now(),
    }
    return await add(tables.notices, **(fields | changes))


async def a_turn(state: str, at: datetime, milestone: str = "FAB_IN", **changes: Any) -> int:
    fields = {"order_no": NUMBER, "milestone": milestone, "rung": "L1", "state": state, "at": at}
    return await add(tables.chases, **(fields | changes))


def as_rows(*words: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(done(*words, "--json"))
    return rows


def words_of(text: str) -> str:
    return " ".join(text.split())


# --- messages


def test_messages_are_listed_with_where_they_stand() -> None:
    async def fill() -> None:
        await a_message("mei", order_no=NUMBER, delivered_at=now())
        failing = await a_message("li", kind="digest", error="wecombot:// failed: answered HTTP 500")
        await a_delivery(
            failing, attempts=2, next_attempt_at=now() + timedelta(minutes=4), error="failed: answered HTTP 500"
        )
        await a_dead_letter("wang")
        await a_message("chan")

    header = ["ID", "Made", "Person", "Kind", "Order", "Subject", "State", "Attempts", "Error"]
    assert done("messages", "list").split() == header
    book(fill)

    listed = done("messages", "list").splitlines()
    assert [line.split()[0] for line in listed] == ["ID", "4", "3", "2", "1"]
    assert "direct  SO-26-0417  To mei   delivered " in listed[4]
    assert "failed, again " in listed[3]
    assert listed[3].rstrip().endswith("2  wecombot:// failed: answered HTTP 500")
    assert [row["state"] for row in as_rows("messages", "list")] == ["waiting", "dead", "failed", "delivered"]
    assert "body" not in as_rows("messages", "list")[0]


@pytest.mark.parametrize(
    ("words", "people"),
    [
        ((), ["wang", "li", "mei"]),
        (("--order", NUMBER), ["mei"]),
        (("--order", "SO-2"), []),
        (("--person", "LI"), ["li"]),
        (("--kind", "digest"), ["li"]),
        (("--undelivered",), ["wang", "li"]),
        (("--waiting",), ["wang", "li"]),  # its former name
        (("--failed",), ["wang"]),
        (("--failed", "--person", "li"), []),
    ],
)
def test_messages_are_narrowed_down(words: tuple[str, ...], people: list[str]) -> None:
    async def fill() -> None:
        await a_message("mei", order_no=NUMBER, delivered_at=now())
        await a_message("li", kind="digest")
        await a_dead_letter("wang")

    book(fill)

    assert [row["person"] for row in as_rows("messages", "list", *words)] == people


def test_what_is_held_is_listed_until_when() -> None:
    until = now() + timedelta(hours=9)

    async def fill() -> None:
        await a_notice(held_until=until)
        await a_notice(rung="L2", held_until=now() - timedelta(hours=1))
        await a_dead_letter()

    book(fill)

    (header, line) = done("messages", "list", "--held").splitlines()
    assert header.split() == ["Order", "Step", "Rung", "For", "Held", "until"]
    assert words_of(line) == f"{NUMBER} FAB_IN L1 MER {until.astimezone():%d %b %Y %H:%M %Z}"
    both = json.loads(done("messages", "list", "--held", "--failed", "--json"))
    assert ([row["rung"] for row in both["held"]], [row["state"] for row in both["messages"]]) == (["L1"], ["dead"])
    assert json.loads(done("messages", "list", "--held", "--json"))["messages"] == []
    assert "answered HTTP 404" in done("messages", "list", "--held", "--failed")


def test_a_message_is_shown_as_it_was_sent_with_what_became_of_it(tmp_path: Path) -> None:
    async def fill() -> None:
        message_id = await a_message(
            order_no=NUMBER,
            subject="[red]FAB_IN[/]",
            body="面料 late\nreply by 17:00",
            short="short",
            html="<p>面料</p>",
        )
        await a_delivery(message_id, delivered_at=now(), attempts=1)
        await a_delivery(
            message_id, channel="f" * 16, schema="mailto", attempts=2, error="failed: could not be reached"
        )

    book(fill)

    shown = done("messages", "show", 1)
    assert shown.startswith("[red]FAB_IN[/]\n")
    assert f"direct to mei · {NUMBER} · made " in shown
    assert "面料 late\nreply by 17:00\n" in shown
    assert "In chats:\nshort\n" in shown
    assert "mailto:// failed 2 failed: could not be reached" in words_of(shown)
    told = json.loads(done("messages", "show", 1, "--json"))
    assert (told["html"], [each["schema"] for each in told["deliveries"]]) == ("<p>面料</p>", ["wecombot", "mailto"])

    file = tmp_path / "message.html"
    done("messages", "show", 1, "--html", file)
    assert file.read_text("utf-8") == "<p>面料</p>"


def test_what_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    async def fill() -> None:
        await a_message()
        await a_message(html="<p></p>")

    book(fill)

    assert refused("messages", "show", 7).startswith("There is no message 7.")
    assert "has no form for e-mail" in refused("messages", "show", 1, "--html", tmp_path / "message.html")
    assert "cannot be written there" in refused("messages", "show", 2, "--html", tmp_path / "none" / "message.html")


def test_dead_letters_are_sent_again_all_or_one() -> None:
    async def fill() -> None:
        for person in ("mei", "li", "wang"):
            await a_dead_letter(person)
        await a_message("chan")

    book(fill)

    assert done("messages", "retry", 1) == "1 message is sent again.\n"
    assert [row["person"] for row in as_rows("messages", "list") if row["state"] == "dead"] == ["wang", "li"]
    assert done("messages", "retry", "--all") == "2 messages are sent again.\n"
    assert [row["person"] for row in as_rows("messages", "list") if row["state"] == "dead"] == []
    assert "nothing to send again" in done("messages", "retry", "--all")
    assert "nothing to send again" in done("messages", "retry", 4)
    assert refused("messages", "retry", 4, 9).startswith("There is no message 9.")


@pytest.mark.parametrize("words", [(), ("1", "--all")])
def test_what_is_to_be_sent_again_is_said_one_way(words: tuple[str, ...]) -> None:
    assert "not both" in refused("messages", "retry", *words)


# --- chases


@pytest.fixture
def chased(database_url: str) -> datetime:
    """Give an order with three chases; return when the last of their turns was."""
    last = now().replace(microsecond=0)

    async def fill() -> None:
        await a_turn("triggered", last - timedelta(days=3))
        await a_turn("acknowledged", last - timedelta(days=2), by="mei", until=last + timedelta(days=1))
        await a_turn("triggered", last - timedelta(days=1), "CUT_START", rung="L2")
        await a_turn("triggered", last - timedelta(days=9), "ORD_RCVD")
        await a_turn("resolved", last, "ORD_RCVD", by="li")
        notice = await a_notice()
        await a_notice(rung="L2", role="PRD")
        await a_notice(rung="L3", role="SAL", holds=False)
        await a_notice(milestone="CUT_START", role="PUR")
        message = await a_message("wang")
        async with transaction() as connection:
            await connection.execute(insert(tables.message_notices).values(message_id=message, notice_id=notice))

    book(fill)
    return last


def test_who_is_chased_for_what_is_listed_the_longest_first(chased: datetime) -> None:
    header, *lines = done("chases", "list").splitlines()

    assert header.split() == ["Order", "Step", "Chased", "State", "Rung", "By", "Since", "Until"]
    since, until = (f"{(chased + timedelta(days=days)).astimezone():%d %b %Y %H:%M %Z}" for days in (-2, 1))
    assert words_of(lines[0]) == f"{NUMBER} FAB_IN MER, PRD acknowledged L1 mei {since} {until}"
    assert words_of(lines[1]).startswith(f"{NUMBER} CUT_START PUR triggered L2 ")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        (("--all",), ["FAB_IN", "CUT_START", "ORD_RCVD"]),
        (("--state", "resolved"), ["ORD_RCVD"]),
        (("--state", "triggered", "--state", "acknowledged"), ["FAB_IN", "CUT_START"]),
        (("--state", "promised"), []),
        (("--order", "SO-2"), []),
        (("--order", NUMBER), ["FAB_IN", "CUT_START"]),
        (("--person", "prd"), ["FAB_IN"]),
        (("--person", "wang"), ["FAB_IN"]),  # who was told of it
        (("--person", "GM"), []),
        (("--limit", "1"), ["FAB_IN"]),
    ],
)
@pytest.mark.usefixtures("chased")
def test_chases_are_narrowed_down(words: tuple[str, ...], steps: list[str]) -> None:
    assert [row["milestone"] for row in json.loads(gendan("chases", "list", *words, "--json").out)] == steps


def test_every_turn_of_a_chase_is_shown_with_who_and_when(chased: datetime) -> None:
    _, *lines = done("chases", "history", NUMBER, "FAB_IN").splitlines()

    assert words_of(lines[0]) == f"{(chased - timedelta(days=3)).astimezone():%d %b %Y %H:%M %Z} triggered L1"
    assert " acknowledged L1 mei " in words_of(lines[1])
    assert [row["state"] for row in as_rows("chases", "history", NUMBER, "ORD_RCVD")] == ["triggered", "resolved"]


@pytest.mark.usefixtures("chased")
def test_a_step_that_was_never_chased_has_no_history() -> None:
    assert refused("chases", "history", NUMBER, "PACK_DONE").startswith("'PACK_DONE' of order 'SO-26-0417' was never")
