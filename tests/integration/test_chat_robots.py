"""What chat services and robots get: the real calls of Apprise's plugins, led to a receiver on this machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from notifications.answer import Answer, Outcome
from notifications.channels import Channels
from notifications.message import Message
from tests.receivers import HttpReceiver, Reply, Request, lead_to

SUBJECT = "【催单 L2】SO-26-0417 FAB_IN 面料到厂"
SHORT = "应完成 11-20(五) → 逾期 1 个工作日\n影响: ETD 12-31 余裕 3 天 <急> & 'x'\n请于今日 17:00 前回复"
FULL = "the full form"
MESSAGE = Message(SUBJECT, FULL, short=SHORT, html="<p>the form for mail</p>", thread="SO-26-0417/FAB_IN")
LONG = Message(SUBJECT, FULL, short="\n\n".join(["\n".join(f"事实 {n:03} 面料回修中" for n in range(90))] * 2))

TOKEN = "s3cr3tTOKEN"
SIGNING = "SEC0123456789abcdef"

URLS = {
    "wecombot": f"wecombot://{TOKEN}",
    "dingtalk": f"dingtalk://{SIGNING}@{TOKEN}",
    "feishu": f"feishu://{TOKEN}",
    "lark": f"lark://{TOKEN}",
    "slack": f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}0000000000000/",
    "workflows": f"workflows://prod-1.westeurope.logic.azure.com:443/{TOKEN}wf/{TOKEN}sig",
    "tgram": f"tgram://123456789:{TOKEN}_abcdefghijklmnopqrstuv/12315544/",
    "json": "json://user:pw@erp.example/hook?-key=v",
    "jsons": "jsons://erp.example:8443/hook",
}

CALLED = {
    "wecombot": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={TOKEN}",
    "dingtalk": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}&timestamp=",
    "feishu": f"https://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}/",
    "lark": f"https://open.larksuite.com/open-apis/bot/v2/hook/{TOKEN}",
    "slack": f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{TOKEN}0000000000000",
    "workflows": (
        f"https://prod-1.westeurope.logic.azure.com:443/workflows/{TOKEN}wf/triggers/manual/paths/invoke"
        f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={TOKEN}sig"
    ),
    "tgram": f"https://api.telegram.org/bot123456789:{TOKEN}_abcdefghijklmnopqrstuv/sendMessage",
    "json": "http://erp.example/hook?key=v",
    "jsons": "https://erp.example:8443/hook",
}

WELL = {
    "wecombot": Reply.of({"errcode": 0, "errmsg": "ok"}),
    "dingtalk": Reply.of({"errcode": 0, "errmsg": "ok"}),
    "feishu": Reply.of({"code": 0, "msg": "success", "data": {}}),
    "lark": Reply.of({"StatusCode": 0, "code": 0, "msg": "success"}),
    "slack": Reply(200, "ok"),
    "workflows": Reply(202),
    "tgram": Reply.of({"ok": True, "result": {}}),
    "json": Reply(204),
    "jsons": Reply(200),
}
"""What each service answers when it has taken a message."""


def card(body: dict[str, Any]) -> str:
    blocks = body["attachments"][0]["content"]["body"]
    assert [block["type"] for block in blocks] == ["TextBlock"]  # no icon from elsewhere, no title that is cut off
    assert blocks[0]["wrap"]
    return str(blocks[0]["text"]).replace("\n\n", "\n")


def telegram(body: dict[str, Any]) -> str:
    assert (body["chat_id"], body["parse_mode"]) == (12315544, "HTML")
    assert not re.search(r"<(?!/?(b|i|u|s|a|code|pre)\b)", body["text"])  # no tag that Telegram refuses
    return unescape(body["text"]).replace("\r\n", "\n")


def slack(body: dict[str, Any]) -> str:
    said = body["attachments"][0]
    return unescape(f"{said['title']}\n{said['text']}")


SAID: dict[str, Callable[[dict[str, Any]], str]] = {
    "wecombot": lambda body: str(body["text"]["content"]) if body["msgtype"] == "text" else "",
    "dingtalk": lambda body: str(body["text"]["content"]) if body["msgtype"] == "text" else "",
    "feishu": lambda body: str(body["content"]["text"]) if body["msg_type"] == "text" else "",
    "lark": lambda body: str(body["content"]["text"]) if body["msg_type"] == "text" else "",
    "slack": slack,
    "workflows": card,
    "tgram": telegram,
    "json": lambda body: f"{body['title']}\n{body['message']}",
    "jsons": lambda body: f"{body['title']}\n{body['message']}",
}
"""What a reader sees of a request's body."""

ROBOTS = ["wecombot", "dingtalk", "feishu", "lark"]
EVERY = pytest.mark.parametrize("schema", list(URLS))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    lead_to(server, monkeypatch)
    yield server
    server.down()


@pytest.fixture
def channels(tmp_path: Path) -> Channels:
    file = tmp_path / "channels.yaml"
    file.write_text("urls:\n" + "".join(f"  - '{url}': {{tag: {tag}}}\n" for tag, url in URLS.items()), "utf-8")
    read = Channels.from_file(file)
    assert read.check() == []
    return read


async def post(to: Channels, tag: str, message: Message = MESSAGE, *, seconds: float = 20, skip: int = 0) -> Answer:
    [[address]] = to.route([tag])
    return await to.post(address.id, message, seconds=seconds, skip=skip)


def said(schema: str, request: Request) -> str:
    return SAID[schema](request.json)


# --- what is called, and what is said


@EVERY
async def test_the_service_is_called_at_its_own_address(
    schema: str, receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = WELL[schema]

    assert await post(channels, schema) == Answer(Outcome.TAKEN, parts=1)

    [request] = receiver.requests
    if schema == "dingtalk":
        assert request.url.startswith(CALLED[schema])
    else:
        assert request.url == CALLED[schema]
    assert request.headers["User-Agent"] == "Gendan"


@EVERY
async def test_what_is_written_is_what_is_read(schema: str, receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = WELL[schema]
    await post(channels, schema)

    text = FULL if schema in ("json", "jsons") else SHORT
    assert [said(schema, request) for request in receiver.requests] == [f"{SUBJECT}\n{text}"]


async def test_without_a_short_form_a_robot_gets_the_full_one(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = WELL["wecombot"]
    await post(channels, "wecombot", Message("subject", "body"))

    assert [said("wecombot", request) for request in receiver.requests] == ["subject\nbody"]


async def test_dingtalk_can_check_the_signature(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = WELL["dingtalk"]
    await post(channels, "dingtalk")

    [request] = receiver.requests
    timestamp = request.query["timestamp"]
    ours = hmac.new(SIGNING.encode(), f"{timestamp}\n{SIGNING}".encode(), hashlib.sha256).digest()
    assert request.query["sign"] == base64.b64encode(ours).decode()
    assert abs(int(timestamp) / 1000 - time.time()) < 60


async def test_a_login_goes_with_the_request(receiver: HttpReceiver, channels: Channels) -> None:
    await post(channels, "json")

    assert receiver.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(b"user:pw").decode()


# --- length


@pytest.mark.parametrize(
    ("schema", "limit", "counted"),
    [
        # bytes of UTF-8
        ("wecombot", 2048, lambda body: len(body["text"]["content"].encode())),
        # a card's line breaks are two characters
        ("workflows", 1000, lambda body: len(body["attachments"][0]["content"]["body"][0]["text"])),
    ],
)
async def test_a_long_message_comes_in_parts_that_the_service_takes(
    schema: str, limit: int, counted: Callable[[dict[str, Any]], int], receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = WELL[schema]
    answer = await post(channels, schema, LONG)

    count = len(receiver.requests)
    assert answer == Answer(Outcome.TAKEN, parts=count)
    assert count > 1
    assert channels.parts(channels.route([schema])[0][0].id, LONG) == count
    assert max(counted(request.json) for request in receiver.requests) <= limit
    read = [said(schema, request).split("\n") for request in receiver.requests]
    assert {lines[0] for lines in read} == {SUBJECT}
    assert [lines[-1] for lines in read] == [f"({number}/{count})" for number in range(1, count + 1)]
    facts = [line for lines in read for line in lines[1:-1] if line]
    assert facts == [line for line in LONG.short.split("\n") if line]


@pytest.mark.parametrize("schema", ["dingtalk", "feishu", "lark"])
async def test_a_request_to_a_robot_keeps_within_20000_bytes(
    schema: str, receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = WELL[schema]
    text = "\n".join(["面" * 100, "🔴" * 100] * 40)
    answer = await post(channels, schema, Message(SUBJECT, text))

    assert answer.parts == len(receiver.requests) > 1
    assert max(len(request.content) for request in receiver.requests) <= 20_000


async def test_telegram_counts_most_emoji_twice(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = WELL["tgram"]
    await post(channels, "tgram", Message("s", "\n".join(["🔴" * 30] * 100)))

    lengths = [len(request.json["text"].encode("utf-16-le")) // 2 for request in receiver.requests]
    assert len(lengths) == 2
    assert max(lengths) <= 4096


@pytest.mark.parametrize("schema", list(URLS))
async def test_what_fits_is_never_divided(schema: str, receiver: HttpReceiver, channels: Channels) -> None:
    """600 characters in one language, as messages are composed, are one message everywhere."""
    receiver.reply = WELL[schema]
    await post(channels, schema, Message(SUBJECT, FULL, short="\n".join(["面料回修中, 等待染厂"] * 50)[:600]))

    assert len(receiver.requests) == 1


async def test_a_subject_that_is_too_long_for_a_title_is_said_in_the_text(
    receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = WELL["slack"]
    await post(channels, "slack", Message("long " * 60, "body"))

    said = receiver.requests[0].json["attachments"][0]
    assert (said["title"], said["text"]) == ("", "long " * 59 + "long\nbody")


async def test_each_reader_of_a_telegram_address_is_a_delivery_of_its_own(
    receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = WELL["tgram"]
    channels.file.write_text(f"urls:\n  - '{URLS['tgram']}777:5/': {{tag: two}}\n", "utf-8")
    to = Channels.from_file(channels.file)

    [addresses] = to.route(["two"])
    for address in addresses:
        assert (await to.post(address.id, MESSAGE)).outcome is Outcome.TAKEN
    assert [request.json["chat_id"] for request in receiver.requests] == [12315544, 777]


# --- what the service answers


@EVERY
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (408, Outcome.FAILED),
        (410, Outcome.REFUSED),
        (413, Outcome.REFUSED),
        (429, Outcome.THROTTLED),
        (500, Outcome.FAILED),
        (503, Outcome.FAILED),
    ],
)
async def test_a_status_tells_whether_another_attempt_makes_sense(
    schema: str, status: int, outcome: Outcome, receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = Reply(status, "<html>no</html>")
    answer = await post(channels, schema)

    assert (answer.outcome, answer.parts) == (outcome, 0)
    assert f"HTTP {status}" in answer.why
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("schema", "body", "outcome"),
    [
        ("wecombot", {"errcode": 45009, "errmsg": "api freq out of limit"}, Outcome.THROTTLED),
        # no such robot
        ("wecombot", {"errcode": 93000, "errmsg": "invalid webhook url"}, Outcome.REFUSED),
        # too long
        ("wecombot", {"errcode": 40058, "errmsg": "text.content exceed max length 2048"}, Outcome.REFUSED),
        # the service is busy
        ("wecombot", {"errcode": -1, "errmsg": "system busy"}, Outcome.FAILED),
        ("dingtalk", {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}, Outcome.THROTTLED),
        # signature or keyword
        ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, Outcome.REFUSED),
        ("dingtalk", {"errcode": -1, "errmsg": "系统繁忙"}, Outcome.FAILED),
        ("feishu", {"code": 11232, "msg": "frequency limited psm"}, Outcome.THROTTLED),
        # one code for two things
        ("feishu", {"code": 9499, "msg": "too many request"}, Outcome.THROTTLED),
        ("feishu", {"code": 9499, "msg": "Bad Request"}, Outcome.REFUSED),
        ("feishu", {"code": 2200, "msg": "internal error"}, Outcome.FAILED),
        ("lark", {"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}, Outcome.REFUSED),
    ],
)
async def test_a_robot_that_refuses_with_http_200_is_not_believed(
    schema: str, body: dict[str, Any], outcome: Outcome, receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = Reply.of(body)
    answer = await post(channels, schema)

    assert (answer.outcome, answer.parts) == (outcome, 0)
    assert f"code {body.get('errcode', body.get('code'))}" in answer.why


async def test_a_robots_code_counts_with_another_status_too(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = Reply.of({"code": 11232, "msg": "frequency limited"}, status=400)

    assert (await post(channels, "feishu")).outcome is Outcome.THROTTLED


async def test_slack_that_says_no_with_http_200_is_not_believed(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = Reply(200, "no_service")
    assert (await post(channels, "slack")).outcome is Outcome.FAILED

    receiver.reply = Reply.of({"ok": False, "error": "channel_not_found"})
    assert (await post(channels, "slack")).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("schema", "reply", "wait"),
    [
        # in a header
        ("slack", Reply(429, "", {"Retry-After": "30"}), 30),
        # in the body
        ("tgram", Reply.of({"ok": False, "error_code": 429, "parameters": {"retry_after": 7}}, 429), 7),
        # not said at all: DingTalk's robots take nothing for ten minutes
        ("dingtalk", Reply.of({"errcode": 130101, "errmsg": "send too fast"}), 600),
        # of a service that is being repaired
        ("json", Reply(503, "", {"Retry-After": "120"}), 120),
        # a date, a number that is none, and one beyond reason
        ("json", Reply(429, "", {"Retry-After": "Fri, 27 Nov 2026 08:00:00 GMT"}), 0),
        ("json", Reply(429, "", {"Retry-After": "-5"}), 0),
        ("json", Reply(429, "", {"Retry-After": "NaN"}), 0),
        ("json", Reply(429, "", {"Retry-After": "1e999"}), 0),
        ("json", Reply(429, "", {"Retry-After": "999999"}), 3600),
    ],
)
async def test_how_long_a_service_wants_to_be_left_alone_is_told(
    schema: str, reply: Reply, wait: float, receiver: HttpReceiver, channels: Channels
) -> None:
    receiver.reply = reply

    assert (await post(channels, schema)).wait == wait


@EVERY
async def test_what_a_service_answers_is_not_repeated_where_it_could_hold_an_address(
    schema: str, receiver: HttpReceiver, channels: Channels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    for name in ("apprise", "urllib3.connectionpool"):
        caplog.set_level(0, logger=name)
    told = f"no robot {TOKEN}"
    receiver.reply = Reply.of({"errcode": 93000, "code": 19001, "errmsg": told, "msg": told, "description": told}, 400)
    answer = await post(channels, schema)

    assert answer.outcome is Outcome.REFUSED
    assert TOKEN not in f"{answer!r}{channels!r}{channels.route([schema])!r}{caplog.text}"


# --- parts that were taken


async def test_another_attempt_goes_on_where_the_first_one_stopped(receiver: HttpReceiver, channels: Channels) -> None:
    busy = Reply.of({"errcode": 45009, "errmsg": "api freq out of limit"})
    receiver.reply, receiver.replies = WELL["wecombot"], [WELL["wecombot"], busy]
    first = await post(channels, "wecombot", LONG)
    assert (first.outcome, first.parts) == (Outcome.THROTTLED, 1)

    second = await post(channels, "wecombot", LONG, skip=first.parts)
    count = channels.parts(channels.route(["wecombot"])[0][0].id, LONG)
    assert (second.outcome, second.parts) == (Outcome.TAKEN, count)
    numbers = [said("wecombot", request).split("\n")[-1] for request in receiver.requests]
    assert count == 3
    assert numbers == ["(1/3)", "(2/3)", "(2/3)", "(3/3)"]


async def test_parts_of_two_messages_do_not_mix(receiver: HttpReceiver, channels: Channels) -> None:
    receiver.reply = Reply(200, WELL["wecombot"].body, delay=0.05)
    other = Message("another", LONG.short)
    await asyncio.gather(post(channels, "wecombot", LONG), post(channels, "wecombot", other))

    heads = [said("wecombot", request).split("\n")[0] for request in receiver.requests]
    assert sorted(heads) in (heads, heads[::-1])


async def test_a_second_message_does_not_wait_for_apprise_to_sleep(receiver: HttpReceiver, channels: Channels) -> None:
    """Apprise alone pauses 5.5 s between two messages to a robot; here the caller keeps the pace."""
    began = time.monotonic()
    for schema in ROBOTS:
        receiver.reply = WELL[schema]
        for _ in range(3):
            assert (await post(channels, schema)).outcome is Outcome.TAKEN

    assert time.monotonic() - began < 4
    assert len(receiver.requests) == 3 * len(ROBOTS)
