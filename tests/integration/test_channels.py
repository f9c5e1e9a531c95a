"""Messages on their way through Apprise: to a real HTTP server, and to files."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import ChannelFailed, NoChannel
from notifications.answer import Outcome
from notifications.channels import Channels
from notifications.message import Message
from notifications.outbox_channel import LOG
from notifications.overflow import Unit
from tests.receivers import HttpReceiver, Reply

HELLO = Message("【催單 L1】SO-26-0417", "步驟: FAB_IN 面料到廠\nDue: Fri 20 Nov 2026")
SECRET = "s3cr3tMARK"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    yield server
    server.down()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "channels.yaml"


def channels(file: Path, text: str) -> Channels:
    file.write_text(text, "utf-8")
    return Channels.from_file(file)


def send(to: Channels, *tags: str, message: Message = HELLO, seconds: float = 20) -> None:
    asyncio.run(to.send(message, tags, seconds=seconds))


# --- delivery


def test_a_message_arrives_as_it_was_written(receiver: HttpReceiver, file: Path) -> None:
    send(channels(file, f"urls:\n  - json://{receiver.address}/hook: {{tag: mer}}\n"), "MER")

    [request] = receiver.requests
    assert request.path == "/hook"
    assert (request.json["title"], request.json["message"]) == (HELLO.subject, HELLO.body)


def test_the_person_is_told_and_not_the_role(receiver: HttpReceiver, file: Path) -> None:
    to = channels(
        file,
        f"urls:\n  - json://{receiver.address}/role: {{tag: mer}}\n  - json://{receiver.address}/li: {{tag: li}}\n",
    )

    send(to, "li", "MER")

    assert receiver.paths == ["/li"]


def test_the_role_is_told_where_the_person_has_no_address(receiver: HttpReceiver, file: Path) -> None:
    send(channels(file, f"urls:\n  - json://{receiver.address}/role: {{tag: [mer, log]}}\n"), "wang", "MER")

    assert receiver.paths == ["/role"]


def test_a_person_whose_name_holds_a_role_is_not_that_role(receiver: HttpReceiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")

    with pytest.raises(NoChannel):
        send(to, "mer, gm")  # Apprise alone would read two tags

    assert not receiver.requests


def test_every_address_of_a_tag_is_sent_to_and_so_is_always(receiver: HttpReceiver, file: Path) -> None:
    to = channels(
        file,
        f"groups:\n  - office: [mer, gm]\nurls:\n"
        f"  - json://{receiver.address}/a: {{tag: mer}}\n"
        f"  - json://{receiver.address}/b: {{tag: gm}}\n"
        f"  - json://{receiver.address}/c: {{tag: always}}\n"
        f"  - json://{receiver.address}/d: {{tag: log}}\n",
    )

    send(to, "office")

    assert sorted(receiver.paths) == ["/a", "/b", "/c"]


def test_a_second_choice_is_tried_only_where_the_first_failed(receiver: HttpReceiver, file: Path) -> None:
    text = "urls:\n  - json://{first}/first: {{tag: '1:mer'}}\n  - json://{ours}/second: {{tag: '2:mer'}}\n"

    send(channels(file, text.format(first=receiver.address, ours=receiver.address)), "mer")
    assert receiver.paths == ["/first"]

    send(channels(file, text.format(first="127.0.0.1:9", ours=receiver.address)), "mer")
    assert receiver.paths == ["/first", "/second"]


def test_a_long_message_is_split_not_cut(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "out"
    long = Message("long", "\n".join(f"line {n}" for n in range(5000)))

    send(channels(file, f"urls:\n  - outbox://{folder}: {{tag: mer}}\n"), "mer", message=long)

    parts = [path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))]
    assert len(parts) == 2
    assert "line 0\n" in parts[0]
    assert "line 4999\n" in parts[1]


def test_an_address_that_states_its_own_overflow_keeps_it(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "out"
    long = Message("long", "x" * 40000)

    send(channels(file, f"urls:\n  - outbox://{folder}: {{tag: mer, overflow: truncate}}\n"), "mer", message=long)

    assert len(list(folder.glob("*.txt"))) == 1


def test_messages_to_one_address_take_turns(receiver: HttpReceiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")
    receiver.reply = Reply(delay=0.05)

    async def all_at_once() -> None:
        await asyncio.gather(*(to.send(HELLO, ["mer"]) for _ in range(5)))

    asyncio.run(all_at_once())

    assert (len(receiver.requests), receiver.most_at_a_time) == (5, 1)


# --- who is sent to


def test_a_route_is_a_chain_of_groups_by_priority(file: Path) -> None:
    to = channels(
        file,
        "urls:\n  - json://c: {tag: '2:mer'}\n  - json://a: {tag: mer}\n  - json://b: {tag: mer}\n"
        "  - json://d: {tag: gm}\n  - json://e: {tag: always}\n",
    )

    first, second = to.route(["li", "MER", "gm"])
    assert (len(first), len(second)) == (2, 1)
    assert to.route(["GM"]) != to.route(["mer"])
    assert to.route(["nobody"]) == to.always()
    assert [len(group) for group in to.always()] == [1]


def test_without_any_address_there_is_no_route(file: Path) -> None:
    to = channels(file, "urls:\n  - json://127.0.0.1: {tag: mer}\n")

    assert to.always() == []
    with pytest.raises(NoChannel, match="No channel for wang or GM"):
        to.route(["wang", "GM"])


def test_an_address_that_is_written_twice_is_one(receiver: HttpReceiver, file: Path) -> None:
    to = channels(
        file, f"urls:\n  - json://{receiver.address}: {{tag: '2:mer'}}\n  - json://{receiver.address}: {{tag: mer}}\n"
    )

    assert [len(group) for group in to.route(["mer"])] == [1]
    send(to, "mer")
    assert len(receiver.requests) == 1


def test_an_address_keeps_its_name_wherever_it_stands(file: Path) -> None:
    """What is waiting for it must find it again after a restart."""
    one = "  - mailto://li:pw@example.com: {tag: li}\n"
    other = "  - wecombot://key:\n    - {tag: [mer, li], overflow: split}\n    - {tag: gm}\n"
    before = channels(file, f"urls:\n{one}{other}")
    names = {tag: [address.id for [address] in [*before.route([tag])]] for tag in ("mer", "gm")}
    mail = before.route(["li"])[0][0].id

    after = channels(file, f"urls:\n{other}{one.replace('tag: li', 'tag: [wang, boss]')}")
    assert {tag: [address.id for [address] in [*after.route([tag])]] for tag in ("mer", "gm")} == names
    assert after.route(["wang"])[0][0].id == mail
    changed = channels(file, f"urls:\n{one.replace('pw', 'other')}")
    assert changed.route(["li"])[0][0].id != mail


def test_the_name_of_an_address_is_the_same_in_every_process(file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from notifications.channels import Channels\n"
        "print(*(a.id for g in Channels.from_file(Path(sys.argv[1])).route(['li']) for a in g))"
    )
    to = channels(
        file,
        "urls:\n  - 'mailto://u:pw@example.com?to=a@example.com,b@example.com&cc=c@example.com,d@example.com':\n"
        "      {tag: li, format: html, rto: 5}\n",
    )
    ours = [address.id for address in to.route(["li"])[0]]
    assert len(set(ours)) == 2

    for seed in ("1", "2"):
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", script, file], env=env, check=True, capture_output=True, text=True)
        assert told.stdout.split() == ours


def test_an_address_says_what_it_takes_and_not_what_it_is(file: Path) -> None:
    to = channels(
        file,
        f"urls:\n  - wecombot://{SECRET}: {{tag: a}}\n  - dingtalk://{SECRET}: {{tag: b}}\n"
        f"  - feishu://{SECRET}: {{tag: c}}\n  - mailto://u:{SECRET}@example.com: {{tag: d}}\n"
        f"  - tgram://123456789:{SECRET}_abcdefghijklmnopqrstuvwx/1/: {{tag: e}}\n"
        f"  - workflows://example.com/{SECRET}/{SECRET}: {{tag: f}}\n"
        f"  - slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}0000000000000/?blocks=yes: {{tag: g}}\n",
    )

    assert to.check() == []
    addresses = [to.route([tag])[0][0] for tag in "abcdefg"]
    assert [(each.schema, each.per_minute, each.limit, each.unit) for each in addresses] == [
        ("wecombot", 20, 2048, Unit.BYTES),
        ("dingtalk", 20, 6600, Unit.BYTES),
        ("feishu", 20, 6600, Unit.BYTES),
        ("mailto", None, None, Unit.CHARACTERS),
        ("tgram", None, 4096, Unit.TELEGRAM),
        ("workflows", None, 1000, Unit.CARD),
        ("slack", None, 3000, Unit.CHARACTERS),
    ]
    assert SECRET not in repr(addresses)


def test_an_address_as_the_service_shows_it_is_known_for_what_it_is(file: Path) -> None:
    to = channels(
        file,
        f"urls:\n  - https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={SECRET}: {{tag: a}}\n"
        f"  - https://open.larksuite.com/open-apis/bot/v2/hook/{SECRET}: {{tag: b}}\n",
    )

    assert to.check() == []
    assert [to.route([tag])[0][0].schema for tag in "ab"] == ["wecombot", "lark"]


def test_an_address_that_is_gone_says_what_to_do(file: Path) -> None:
    to = channels(file, "urls:\n  - json://127.0.0.1:9: {tag: mer}\n")
    [[address]] = to.route(["mer"])
    answer = asyncio.run(channels(file, "urls: []\n").post(address.id, HELLO, skip=1))

    assert (answer.outcome, answer.parts) == (Outcome.REFUSED, 1)
    assert answer.why == "this address is no longer in channels.yaml: write it there again, or discard the message"


def test_an_address_that_apprise_would_forgive_or_repeat_is_told_and_tried_once(
    receiver: HttpReceiver, file: Path
) -> None:
    receiver.reply = Reply(500)

    with pytest.raises(ChannelFailed, match="answered HTTP 500"):
        send(channels(file, f"urls:\n  - json://{receiver.address}?optional=yes&retry=3: {{tag: mer}}\n"), "mer")
    assert len(receiver.requests) == 1


def test_who_hears_everything_hears_nothing_twice(receiver: HttpReceiver, file: Path) -> None:
    send(channels(file, f"urls:\n  - json://{receiver.address}: {{tag: [mer, always]}}\n"), "mer")

    assert len(receiver.requests) == 1


# --- what does not arrive


def test_a_refusal_names_the_tag_the_schema_and_the_status(receiver: HttpReceiver, file: Path) -> None:
    receiver.reply = Reply(403)

    with pytest.raises(ChannelFailed) as failure:
        send(channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n"), "mer")

    assert failure.value.failed == (("json", "answered HTTP 403"),)
    assert "message to mer was not delivered: json:// answered HTTP 403" in str(failure.value)


def test_an_address_where_nobody_listens_is_a_failure(file: Path) -> None:
    with pytest.raises(ChannelFailed, match="json:// could not be reached"):
        send(channels(file, "urls:\n  - json://127.0.0.1:9: {tag: mer}\n"), "mer")


def test_one_address_of_two_that_fails_is_a_failure_that_counts_the_other(receiver: HttpReceiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n  - json://127.0.0.1:9: {{tag: mer}}\n")

    with pytest.raises(ChannelFailed) as failure:
        send(to, "mer")

    assert (len(failure.value.failed), failure.value.delivered, len(receiver.requests)) == (1, 1, 1)


def test_a_hanging_address_holds_nobody_up(receiver: HttpReceiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")
    receiver.reply = Reply(delay=30)
    began = time.monotonic()

    with pytest.raises(ChannelFailed, match=r"json:// gave no answer within 0\.3 s"):
        send(to, "mer", seconds=0.3)
    assert time.monotonic() - began < 2

    # The next message does not wait for the one that hangs.
    receiver.reply, began = Reply(), time.monotonic()
    send(to, "mer", seconds=2)
    assert time.monotonic() - began < 2
    assert len(receiver.requests) == 2


def test_a_tag_without_an_address_says_where_to_write_one(file: Path) -> None:
    to = channels(file, "urls:\n  - json://127.0.0.1: {tag: mer}\n")

    with pytest.raises(NoChannel) as refusal:
        send(to, "wang", "GM")

    assert "No channel for wang or GM" in str(refusal.value)
    assert "known are: mer" in str(refusal.value)
    assert str(file) in str(refusal.value)


def test_a_missing_file_says_what_to_write_and_that_then_works(tmp_path: Path, file: Path) -> None:
    nowhere = Channels.from_file(file)

    assert nowhere.tags == frozenset()
    assert nowhere.check() == [f"{file}: there is no such file, so nobody can be told"]
    with pytest.raises(NoChannel) as refusal:
        send(nowhere, "GM")

    example = str(refusal.value).split("for example:\n")[1]
    assert len(example.splitlines()) == 2
    written = channels(file, example)
    assert (written.tags, written.check()) == (frozenset({"gm"}), [])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        # Apprise does not know it
        (f"urls:\n  - nosuch://{SECRET}: {{tag: mer}}\n", 2, "Apprise knows no nosuch://"),
        # Known, but a part is missing
        (f"urls:\n  - json://ok: {{tag: a}}\n  - tgram://{SECRET}: {{tag: mer}}\n", 3, "cannot read this tgram://"),
        # No address at all
        (f"urls:\n  - {SECRET}\n", 2, "no address (schema://...) is found here"),
        # Half a slash
        (f"urls:\n  - https:/{SECRET}: {{tag: mer}}\n", 2, "no address (schema://...) is found here"),
        # One of two targets of one address
        (
            f"urls:\n  - json://{SECRET}:\n    - {{tag: a}}\n    - {{tag: b, overflow: {SECRET}}}\n",
            2,
            "cannot read this json://",
        ),
        # Nobody is ever sent there
        (f"urls:\n  - json://{SECRET}\n", 2, "carries no tag"),
        # Another service's schema
        (f"urls:\n  - wecom://{SECRET}: {{tag: mer}}\n", 2, "the WeCom group robot is wecombot://"),
        # Not YAML: the parser's own words quote the line
        (f"urls:\n  - json://{SECRET}: {{tag: mer\n", None, "is not YAML"),
        # Apprise itself stumbles over it
        (f"urls:\n  - outbox://{SECRET}?x=y: {{tag: mer}}\n", 2, "cannot read this outbox://"),
        # No list
        (f"urls: json://{SECRET}\n", None, "has no list `urls:`"),
        (f"json://{SECRET}\n", None, "has no list `urls:`"),
        # An include that is missing, and one from elsewhere
        ("include: other.yaml\n", None, "other.yaml: there is no such file"),
        (f"include: https://{SECRET}/x.yaml\n", None, "only files on this machine are read"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_place_and_never_quoted(
    file: Path, text: str, line: int | None, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    problems = channels(file, text).check()

    assert len(problems) == 1
    assert what in problems[0]
    assert str(file.parent) in problems[0]
    assert line is None or f"line {line}, entry {line - 1}" in problems[0]
    assert SECRET.lower() not in (problems[0] + caplog.text).lower()


def test_one_wrong_address_does_not_silence_the_others(receiver: HttpReceiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - nosuch://x: {{tag: mer}}\n  - json://{receiver.address}: {{tag: mer}}\n")

    send(to, "mer")

    assert (len(to.check()), len(receiver.requests)) == (1, 1)


def test_included_files_are_read_too_and_each_once(receiver: HttpReceiver, file: Path) -> None:
    (file.parent / "more.yaml").write_text(
        f"include: {file.name}\nurls:\n  - json://{receiver.address}: {{tag: gm}}\n", "utf-8"
    )
    to = channels(file, "include: more.yaml\nurls:\n  - json://127.0.0.1:9: {tag: mer}\n")

    assert (to.tags, to.check()) == (frozenset({"mer", "gm"}), [])
    send(to, "gm")
    assert len(receiver.requests) == 1


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(file: Path) -> None:
    first = channels(file, "urls:\n  - json://127.0.0.1:9: {tag: mer}\n")

    assert Channels.from_file(file) is first
    changed = channels(file, "urls:\n  - json://127.0.0.1:9: {tag: general}\n")
    assert changed.tags == {"general"}


# --- secrets


@pytest.mark.parametrize(
    "address",
    [
        "json://user:{secret}@{receiver}/",  # a password
        "json://{receiver}/robot/{secret}/",  # a path
        "json://{receiver}/?-key={secret}",  # a query
        "json://{receiver}/?+X-Token={secret}",  # a header
    ],
)
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("listening", [True, False])
def test_no_secret_is_ever_logged_or_told(
    address: str, status: int, listening: bool, receiver: HttpReceiver, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    for name in ("apprise", "urllib3", "urllib3.connectionpool"):
        caplog.set_level(0, logger=name)
    receiver.reply = Reply(status)
    url = address.format(secret=SECRET, receiver=receiver.address if listening else "127.0.0.1:9")
    to = channels(file, f"urls:\n  - '{url}': {{tag: mer}}\n")

    error = ""
    try:
        send(to, "mer")
    except ChannelFailed as failure:
        error = f"{failure} {failure!r} {failure.__dict__} {failure.__cause__!r} {failure.__context__!r}"

    assert bool(error) == (not listening or status != 200)
    assert SECRET not in error + caplog.text + repr(to) + repr(vars(to)) + str(to.check())


def test_other_requests_are_logged_as_ever(
    receiver: HttpReceiver, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels(file, "urls: []\n")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("urllib3.connectionpool").debug("somebody else's request")

    assert "somebody else's request" in caplog.text


# --- the outbox


def test_the_outbox_keeps_each_message_and_a_line_of_it(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "Aus Gang 出"
    to = channels(file, f"urls:\n  - 'outbox://{folder}': {{tag: [mer, li]}}\n")

    send(to, "mer")
    send(to, "li", message=Message("two\nlines", "body"))

    assert (folder / "000001.txt").read_text("utf-8") == f"{HELLO.subject}\n\n{HELLO.body}\n"
    assert (folder / LOG).read_text("utf-8") == f"000001 [li,mer] {HELLO.subject}\n000002 [li,mer] two lines\n"
    assert sorted(path.name for path in folder.iterdir()) == ["000001.txt", "000002.txt", LOG]


def test_the_outbox_may_stand_under_the_current_folder(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    send(channels(file, "urls:\n  - outbox://./out/box: {tag: mer}\n"), "mer")

    assert (tmp_path / "out/box/000001.txt").exists()


def test_a_message_that_lies_in_the_outbox_is_there_although_its_line_could_not_be_written(
    tmp_path: Path, file: Path
) -> None:
    """Told that it was not taken, its sender would bring it again."""
    (tmp_path / "outbox" / LOG).mkdir(parents=True)

    send(channels(file, f"urls:\n  - 'outbox://{tmp_path / 'outbox'}': {{tag: mer}}\n"), "mer")

    assert len(list((tmp_path / "outbox").glob("*.txt"))) == 1


@pytest.mark.parametrize("url", ["outbox://", "outbox:///dev/null/x"])  # no folder; no folder there
def test_an_outbox_that_cannot_be_written_is_a_failure(url: str, file: Path) -> None:
    with pytest.raises(ChannelFailed, match="outbox://"):
        send(channels(file, f"urls:\n  - {url}: {{tag: mer}}\n"), "mer")


def test_processes_that_write_at_a_time_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from notifications.outbox_channel import write\n"
        "for n in range(40): write(f'body {n}', f'{sys.argv[1]}-{n}', 'info', {'host': sys.argv[2], 'fullpath': ''})"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(name), str(tmp_path / "out").lstrip("/")], env=env)
        for name in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]

    folder = tmp_path / "out"
    titles = {path.read_text("utf-8").splitlines()[0] for path in folder.glob("*.txt")}
    assert len(list(folder.glob("*.txt"))) == len(titles) == 160
    lines = (folder / LOG).read_text("utf-8").splitlines()
    assert {line.split("] ")[1] for line in lines} == titles
