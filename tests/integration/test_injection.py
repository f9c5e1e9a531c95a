"""Whatever is put in as text stays text: carried as it was written, or refused with nothing changed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flows.register_orders import register_orders
from flows.report_milestone import report_milestone
from models.errors import GendanError, Refused
from models.names import Language
from models.status.standing import standing
from notifications.channels import Channels
from notifications.facts import gather
from notifications.message import Message
from notifications.messages import compose
from notifications.sheet import sheet
from tasks import database
from tasks.answers import entry_from
from tasks.library import library
from tasks.logbook import record_entry
from tasks.orders import open_file
from tasks.run_page import sheet_key
from tests.books import a_real_order, contents, days_ago, place, to_be_said
from tests.files import written
from tests.terminal import done, gendan, refused

NUMBER = "SO-26-0417"
T = TypeVar("T")

CARRIED = {
    "sql": "'; DROP TABLE entries; SELECT pg_sleep(9); --",
    "sql in JSON": "\"}'::jsonb; DELETE FROM orders; --",
    "a bound parameter": "%(order_no)s %s :order_no $1 ?",
    "jinja": "{{ 7*7 }}{% for x in y %}{{ self.__init__.__globals__ }}",
    "format": "{0.__class__} {order_no!r} %x",
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markdown": "[pay here](https://evil.example) | ![x](https://evil.example/x.png) ## **now** `x`",
    "rich": "[bold red]paid[/] [link=https://evil.example]here[/link] :fire:",
    "path": "../../../../etc/passwd",
    "path, absolute": "/etc/passwd",
    "path, Windows": "..\\..\\x",
    "formula": '=HYPERLINK("https://evil.example","open")',
    "formula, DDE": "+cmd|' /C calc'!A0",
    "formula, function": "@SUM(1+1)*2",
    "shell": "$(touch /tmp/x) `id` ; id && id | id",
    "right to left": "paid \u202egnp.exe",
}
"""What means something to somebody on the way, and nothing to Gendan."""

REFUSED = {"NUL": "a\0b", "escape": "\x1b]0;owned\x07\x1b[2J", "bell": "a\x07", "C1": "a\x9b31m", "backspace": "a\bb"}
"""What no database, or no terminal, takes as text."""


def ran(what: Awaitable[T]) -> T:
    """Wait for it, and leave no connection behind."""

    async def and_close() -> T:
        try:
            return await what
        finally:
            await database.close()

    return asyncio.run(and_close())


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order that is in the book and waits for ORD_RCVD."""
    return ran(place()).order_no


@pytest.fixture
def unchanged(database_url: str) -> Iterator[None]:
    """See to it that the book is after the test what it was before it."""
    before = contents(database_url)
    yield
    assert contents(database_url) == before


def named(texts: dict[str, str]) -> list[Any]:
    return [pytest.param(text, id=name) for name, text in texts.items()]


def said_of(order_no: str) -> tuple[Message, str]:
    """Return the message that is due about an order, and its sheet in Prefect's pages."""

    async def say() -> tuple[Message, str]:
        file, moment, tells = await to_be_said(order_no)
        message = compose(gather(file, standing(file, moment), tells[0], library().parties), list(Language))
        return message, sheet(file, standing(file, moment), library().parties, Language.EN)

    return ran(say())


# --- carried as it was written ---


@pytest.mark.parametrize("text", named(CARRIED))
def test_a_text_that_means_something_elsewhere_is_carried_as_it_is(text: str, order: str, database_url: str) -> None:
    before = {name: len(rows) for name, rows in contents(database_url).items()}

    done("report", order, "ORD_RCVD", f"--note={text}", f"--by={text}")

    (entry,) = json.loads(done("orders", "show", order, "--json"))["log"]
    assert {entry[field] for field in ("note", "by")} == {text}
    after = {name: len(rows) for name, rows in contents(database_url).items()}
    assert after == before | {"entries": before["entries"] + 1}
    shown = done("orders", "show", order)
    assert "\x1b" not in shown
    if text.isprintable():
        assert text in " ".join(shown.split()) or text in shown


@pytest.mark.parametrize("text", named(CARRIED))
def test_a_customer_of_any_name_reaches_reader_and_page_as_text(text: str, database_url: str) -> None:
    ran(place(a_real_order(customer=text)))

    message, page = said_of(NUMBER)

    assert not re.search(r"[\r\n]", message.subject)
    assert not re.search(r"<(script|img)|\b49\b", message.html)
    assert not re.search(r"<(script|img)|(?<!\\)\]\(https|\b49\b", page)
    assert json.loads(done("orders", "list", "--json"))[0]["customer"] == text
    done("orders", "list")
    done("plan", NUMBER)


@pytest.mark.parametrize("text", named(CARRIED))
def test_a_number_of_any_form_is_no_path_and_no_other_key(text: str, database_url: str, tmp_path: Path) -> None:
    number = text[:64]
    outbox = tmp_path / "outbox"
    channels = tmp_path / "channels.yaml"
    channels.write_text(f"urls:\n  - outbox://{outbox}:\n      - tag: always\n", "utf-8")
    ran(place(a_real_order(number)))

    message, _ = said_of(number)
    ran(Channels.from_file(channels).send(message, ["MER"]))

    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "channels.yaml",
        "outbox/000001.txt",
        "outbox/all.log",
    }
    assert number in (outbox / "000001.txt").read_text("utf-8")
    assert re.fullmatch(r"[a-z0-9-]+", sheet_key(number))
    assert sheet_key(number) != sheet_key(f"{number}."), "two orders never share a page"


# --- refused, and nothing changed ---


@pytest.mark.parametrize("text", named(REFUSED))
@pytest.mark.parametrize("command", ["report", "ack", "hold"])
def test_a_command_with_signs_that_nobody_can_show_is_refused(
    command: str, text: str, order: str, database_url: str
) -> None:
    before = contents(database_url)
    words = [command, order, *(["ORD_RCVD"] if command != "hold" else [])]

    said = refused(*words, f"--note={text}")

    assert re.search(r"note:? '.*holds the invisible character U\+00[0-9A-F]{2}", said)
    assert said.isprintable()
    assert contents(database_url) == before


@pytest.mark.parametrize("text", named(REFUSED | {"half a character": "\ud800"}))
@pytest.mark.parametrize("field", ["note", "by"])
async def test_a_form_with_signs_that_nobody_can_show_is_refused(text: str, field: str, database_url: str) -> None:
    await place()
    before = contents(database_url)

    with pytest.raises(Refused, match=rf"{field} .*invisible character U\+"):
        await report_milestone.fn(NUMBER, "ORD_RCVD", **{field: text})
    # the Resume form: a run that fell over would follow its order no more
    answer = {"milestone": "ORD_RCVD", "happened_at": days_ago(1).isoformat(), field: text.replace("\0", "\1")}
    with pytest.raises(Refused, match=rf"{field} .*invisible character U\+"):
        await record_entry(NUMBER, entry_from(answer, "1"))

    await database.close()
    assert contents(database_url) == before


@pytest.mark.parametrize("text", named({name: text for name, text in REFUSED.items() if name != "NUL"}))
@pytest.mark.usefixtures("unchanged")
async def test_a_pasted_row_with_signs_that_nobody_can_show_is_refused(text: str) -> None:
    state = await register_orders.fn(f"order_no,placed_at,etd\n{text},{days_ago(9).date()},{days_ago(-60).date()}\n")
    await database.close()

    assert state.name == "Rows refused"
    assert "line 2, column order_no" in str(state.message)


@pytest.mark.parametrize("text", named(REFUSED | {"half a character": "\ud800"}))
async def test_a_number_that_nobody_can_show_is_unknown(text: str, database_url: str) -> None:
    with pytest.raises(GendanError) as refusal:
        await report_milestone.fn(text, "ORD_RCVD")
    await database.close()

    assert str(refusal.value).startswith("No order '")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("text", named(REFUSED))
@pytest.mark.usefixtures("unchanged")
def test_a_prospect_with_signs_that_nobody_can_show_is_refused(text: str) -> None:
    outcome = gendan("prospects", "add", f"P{text}", "--customer=Harbour")
    assert (outcome.status, outcome.out) == (1, ""), outcome
    outcome = gendan("prospects", "add", "P-26-001", f"--customer={text}")
    assert (outcome.status, outcome.out) == (1, ""), outcome


def test_a_file_with_formulas_is_carried_as_text(tmp_path: Path, database_url: str) -> None:
    formula = CARRIED["formula, DDE"]
    file = written(
        tmp_path, f"order_no,placed_at,etd,customer\nF,{days_ago(9).date()},{days_ago(-60).date()},{formula}\n"
    )

    done("orders", "import", file)

    file_of, _ = ran(open_file("F"))
    assert file_of.order.customer == formula
