"""What somebody writes about an order calls nobody in a chat."""

from __future__ import annotations

from pathlib import Path

import pytest
from apprise import NotifyBase

from notifications.channels_file import read
from notifications.mentions import uncalled
from notifications.message import Message
from notifications.speaking import parts

CALLS = ("<!channel>", "<!everyone|all>", "<@U123>", "<#C1>", "@everyone", "@here", "@ALL", "@所有人", "<@all>")
FEISHU = '<at user_id="all">everybody</at>'
CHATS = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "wecombot": "wecombot://abcd1234-ab12-ab12-ab12-abcd1234abcd/",
    "feishu": f"feishu://{'a' * 36}/",
    "discord": f"discord://12345678901234567/{'a' * 40}/",
}


def address(url: str, folder: Path) -> NotifyBase:
    """Return an address as the channels file gives it."""
    file = folder / "channels.yaml"
    file.write_text(f"urls:\n  - {url}:\n      - tag: mei\n")
    (channel,) = read(file).channels
    return channel.address


@pytest.mark.parametrize("call", [*CALLS, FEISHU])
def test_a_call_is_words_that_read_the_same(call: str) -> None:
    said = uncalled(f"late, says {call}, again")

    assert call not in said
    assert said.replace("\u2060", "") == f"late, says {call}, again"
    assert uncalled(said) == said


@pytest.mark.parametrize(
    "text", ["a@example.com", "qty < 3,900 @ 2.5", "3<4", "fabric @ mill", "<attached>", "面料 < 5 天"]
)
def test_what_calls_nobody_stays_as_it_is(text: str) -> None:
    assert uncalled(text) == text


@pytest.mark.parametrize("schema", CHATS)
def test_no_chat_is_sent_a_call(schema: str, tmp_path: Path) -> None:
    notes = " ".join([*CALLS, FEISHU])
    message = Message(subject=f"SO-1 {CALLS[0]}", body=notes, short=notes, html="", thread="")

    (part,) = parts(schema, address(CHATS[schema], tmp_path), message)

    assert not [call for call in (*CALLS, "<at ") if call in part.title + part.text]


def test_a_mail_says_it_as_it_was_written(tmp_path: Path) -> None:
    mail = address("mailto://user:word@example.com", tmp_path)
    (part,) = parts("mailto", mail, Message(subject="SO-1", body=CALLS[0], short="", html="", thread=""))

    assert part.text == CALLS[0]
