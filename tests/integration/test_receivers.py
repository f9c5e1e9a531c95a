"""Receivers that are down, slow, angry or silent: what was not taken arrives once after recovery, and nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifications.answer import Answer, Outcome
from notifications.channels import Channels
from notifications.message import Message
from tests.receivers import HttpReceiver, Reply, SmtpReceiver, lead_to

AGAIN = {Outcome.THROTTLED, Outcome.FAILED}


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    server = SmtpReceiver()
    yield server
    server.close()


@pytest.fixture
def robot() -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    server.reply = Reply.of({"errcode": 0})
    yield server
    server.down()


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    yield server
    server.down()


@pytest.fixture
def channels(
    mail: SmtpReceiver, robot: HttpReceiver, hook: HttpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Channels:
    """A mail address (li), a WeCom robot (group) and a plain JSON address (erp)."""
    monkeypatch.setattr(
        "apprise.plugins.wecombot.NotifyWeComBot.notify_url", f"http://{robot.address}/cgi-bin/webhook/send?key={{key}}"
    )
    file = tmp_path / "channels.yaml"
    file.write_text(
        "urls:\n"
        f"  - 'mailto://{mail.address}?from=gendan@factory.example&to=li@factory.example': {{tag: li}}\n"
        "  - wecombot://robotkey: {tag: group}\n"
        f"  - json://{hook.address}/erp: {{tag: erp}}\n",
        "utf-8",
    )
    return Channels.from_file(file)


async def post(to: Channels, tag: str, message: Message, seconds: float = 0.5, skip: int = 0) -> Answer:
    [[address]] = to.route([tag])
    return await to.post(address.id, message, seconds=seconds, skip=skip)


def numbered(count: int) -> list[Message]:
    return [Message(f"message {number}", f"the body of {number}") for number in range(count)]


async def rounds(to: Channels, tag: str, waiting: list[Message]) -> list[Message]:
    """Try each message once; return those that are to be tried again."""
    answers = [await post(to, tag, message) for message in waiting]
    assert all(answer.outcome in AGAIN | {Outcome.TAKEN} for answer in answers)
    return [message for message, answer in zip(waiting, answers, strict=True) if answer.outcome in AGAIN]


async def test_each_mail_of_an_outage_arrives_once_after_it(mail: SmtpReceiver, channels: Channels) -> None:
    messages = numbered(5)
    waiting = await rounds(channels, "li", messages[:1])

    mail.down()
    for _ in range(3):
        waiting = await rounds(channels, "li", waiting or messages[1:])
    assert waiting == messages[1:]

    mail.up()
    assert await rounds(channels, "li", waiting) == []
    assert Counter(letter.message["Subject"] for letter in mail.letters) == {each.subject: 1 for each in messages}


async def test_each_message_to_a_robot_that_answers_429_and_500_arrives_once(
    robot: HttpReceiver, channels: Channels
) -> None:
    fast = Reply.of({"errcode": 45009, "errmsg": "api freq out of limit"})
    robot.replies = [Reply(429), Reply(500), fast, robot.reply, Reply(503), Reply(429)]
    waiting = numbered(3)

    attempts = 0
    while waiting:
        waiting = await rounds(channels, "group", waiting)
        attempts += 1
    assert attempts == 3
    told = [request.json["text"]["content"].split()[1] for request in robot.requests]
    # All three in trouble; the first taken, two in trouble again; both taken.
    assert told == ["0", "1", "2", "0", "1", "2", "1", "2"]


async def test_a_receiver_that_hangs_delays_nobody_else(
    mail: SmtpReceiver, robot: HttpReceiver, hook: HttpReceiver, channels: Channels
) -> None:
    mail.silent_at, hook.reply = "CONNECT", Reply(delay=30)
    began = time.monotonic()
    hanging = [asyncio.create_task(post(channels, tag, numbered(1)[0], 2.5)) for tag in ("li", "erp", "li", "erp")]
    await asyncio.sleep(0.1)

    for message in numbered(10):
        assert (await post(channels, "group", message)).outcome is Outcome.TAKEN
    assert time.monotonic() - began < 2.2
    assert len(robot.requests) == 10

    answers = await asyncio.gather(*hanging)
    assert {answer.outcome for answer in answers} == {Outcome.FAILED}
    assert {answer.why for answer in answers} == {"gave no answer within 2.5 s"}
    assert time.monotonic() - began < 8


async def test_a_receiver_that_stops_hanging_is_reached_at_once(hook: HttpReceiver, channels: Channels) -> None:
    hook.reply = Reply(delay=30)
    assert (await post(channels, "erp", numbered(1)[0], 0.3)).outcome is Outcome.FAILED

    hook.reply, began = Reply(), time.monotonic()
    assert (await post(channels, "erp", numbered(1)[0], 2)).outcome is Outcome.TAKEN
    assert time.monotonic() - began < 1


async def test_a_message_that_was_left_sends_no_more_parts(robot: HttpReceiver, channels: Channels) -> None:
    """Else the next attempt and this one would send the same parts side by side."""
    long = Message("long", "\n".join(f"fact {number:04}" for number in range(500)))
    [[address]] = channels.route(["group"])
    assert channels.parts(address.id, long) > 2
    robot.reply = Reply(200, robot.reply.body, delay=0.8)

    answer = await channels.post(address.id, long, seconds=1.2)
    assert (answer.outcome, answer.parts) == (Outcome.FAILED, 1)
    await asyncio.sleep(1)
    assert len(robot.requests) == 2


async def test_a_receiver_that_drips_is_left_as_well(hook: HttpReceiver, channels: Channels) -> None:
    """Each byte in time, and never an end: only the whole time counts."""
    dripping = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not dripping.is_set():
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = channels.file
    file.write_text(f"urls:\n  - json://127.0.0.1:{port}/: {{tag: erp}}\n", "utf-8")

    began = time.monotonic()
    answer = await post(Channels.from_file(file), "erp", numbered(1)[0], 0.4)
    dripping.set()
    server.close()
    await server.wait_closed()
    assert (answer.outcome, answer.why) == (Outcome.FAILED, "gave no answer within 0.4 s")
    assert time.monotonic() - began < 3


async def test_whoever_gives_up_waiting_sends_nothing_any_more(hook: HttpReceiver, channels: Channels) -> None:
    hook.reply = Reply(delay=0.4)
    first = asyncio.create_task(post(channels, "erp", numbered(1)[0], 5))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(post(channels, "erp", numbered(2)[1], 5))
    await asyncio.sleep(0.1)
    second.cancel()

    assert (await first).outcome is Outcome.TAKEN
    await asyncio.sleep(0.2)
    assert [request.json["title"] for request in hook.requests] == ["message 0"]


async def test_requests_led_elsewhere_keep_their_own_address(
    hook: HttpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tests of the robots rest on this: what is led here was meant for the real address."""
    lead_to(hook, monkeypatch)
    file = tmp_path / "other.yaml"
    file.write_text("urls:\n  - jsons://erp.example/in: {tag: erp}\n", "utf-8")

    assert (await post(Channels.from_file(file), "erp", numbered(1)[0])).outcome is Outcome.TAKEN
    assert [request.url for request in hook.requests] == ["https://erp.example/in"]
