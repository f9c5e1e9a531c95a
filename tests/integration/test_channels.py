"""Messages on their way through Apprise: to a real HTTP server, and to files."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.errors import ChannelFailed, NoChannel
from notifications.channels import Channels
from notifications.messages import Message
from notifications.outbox_channel import LOG

HELLO = Message("【催單 L1】SO-26-0417", "步驟: FAB_IN 面料到廠\nDue: Fri 20 Nov 2026")
SECRET = "s3cr3tMARK"


class Receiver:
    """An HTTP server that keeps what it is sent, and answers with `status` after `delay` seconds."""

    def __init__(self) -> None:
        self.status, self.delay = 200, 0.0
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.at_a_time = self.most_at_a_time = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.at_a_time += 1
                receiver.most_at_a_time = max(receiver.most_at_a_time, receiver.at_a_time)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.received.append((self.path, body))
                receiver.leave.wait(receiver.delay)
                receiver.at_a_time -= 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self.leave = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.leave.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "channels.yaml"


def channels(file: Path, text: str) -> Channels:
    file.write_text(text, "utf-8")
    return Channels.from_file(file)


def send(to: Channels, *tags: str, message: Message = HELLO, seconds: float = 20) -> None:
    asyncio.run(to.send(message, tags, seconds=seconds))


# --- delivery


def test_a_message_arrives_as_it_was_written(receiver: Receiver, file: Path) -> None:
    send(channels(file, f"urls:\n  - json://{receiver.address}/hook: {{tag: mer}}\n"), "MER")

    [(path, body)] = receiver.received
    assert path == "/hook"
    assert (body["title"], body["message"]) == (HELLO.subject, HELLO.body)


def test_the_person_is_told_and_not_the_role(receiver: Receiver, file: Path) -> None:
    to = channels(
        file,
        f"urls:\n  - json://{receiver.address}/role: {{tag: mer}}\n  - json://{receiver.address}/li: {{tag: li}}\n",
    )

    send(to, "li", "MER")

    assert [path for path, _ in receiver.received] == ["/li"]


def test_the_role_is_told_where_the_person_has_no_address(receiver: Receiver, file: Path) -> None:
    send(channels(file, f"urls:\n  - json://{receiver.address}/role: {{tag: [mer, log]}}\n"), "wang", "MER")

    assert [path for path, _ in receiver.received] == ["/role"]


def test_a_person_whose_name_holds_a_role_is_not_that_role(receiver: Receiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")

    with pytest.raises(NoChannel):
        send(to, "mer, gm")  # Apprise alone would read two tags

    assert not receiver.received


def test_every_address_of_a_tag_is_sent_to_and_so_is_always(receiver: Receiver, file: Path) -> None:
    to = channels(
        file,
        f"groups:\n  - office: [mer, gm]\nurls:\n"
        f"  - json://{receiver.address}/a: {{tag: mer}}\n"
        f"  - json://{receiver.address}/b: {{tag: gm}}\n"
        f"  - json://{receiver.address}/c: {{tag: always}}\n"
        f"  - json://{receiver.address}/d: {{tag: log}}\n",
    )

    send(to, "office")

    assert sorted(path for path, _ in receiver.received) == ["/a", "/b", "/c"]


def test_a_second_choice_is_tried_only_where_the_first_failed(receiver: Receiver, file: Path) -> None:
    text = "urls:\n  - json://{first}/first: {{tag: '1:mer'}}\n  - json://{ours}/second: {{tag: '2:mer'}}\n"

    send(channels(file, text.format(first=receiver.address, ours=receiver.address)), "mer")
    assert [path for path, _ in receiver.received] == ["/first"]

    send(channels(file, text.format(first="127.0.0.1:9", ours=receiver.address)), "mer")
    assert [path for path, _ in receiver.received] == ["/first", "/second"]


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


def test_messages_to_one_address_take_turns(receiver: Receiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")
    receiver.delay = 0.05

    async def all_at_once() -> None:
        await asyncio.gather(*(to.send(HELLO, ["mer"]) for _ in range(5)))

    asyncio.run(all_at_once())

    assert (len(receiver.received), receiver.most_at_a_time) == (5, 1)


# --- what does not arrive


def test_a_refusal_names_the_tag_the_schema_and_the_status(receiver: Receiver, file: Path) -> None:
    receiver.status = 403

    with pytest.raises(ChannelFailed) as failure:
        send(channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n"), "mer")

    assert failure.value.failed == (("json", "answered HTTP 403"),)
    assert "message to mer was not delivered: json:// answered HTTP 403" in str(failure.value)


def test_an_address_where_nobody_listens_is_a_failure(file: Path) -> None:
    with pytest.raises(ChannelFailed, match="json:// did not take it"):
        send(channels(file, "urls:\n  - json://127.0.0.1:9: {tag: mer}\n"), "mer")


def test_one_address_of_two_that_fails_is_a_failure_that_counts_the_other(receiver: Receiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n  - json://127.0.0.1:9: {{tag: mer}}\n")

    with pytest.raises(ChannelFailed) as failure:
        send(to, "mer")

    assert (len(failure.value.failed), failure.value.delivered, len(receiver.received)) == (1, 1, 1)


def test_a_hanging_address_holds_nobody_up(receiver: Receiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - json://{receiver.address}: {{tag: mer}}\n")
    receiver.delay = 30
    began = time.monotonic()

    with pytest.raises(ChannelFailed, match=r"json:// gave no answer within 0\.3 s"):
        send(to, "mer", seconds=0.3)
    assert time.monotonic() - began < 2

    # The next message does not wait for the one that hangs.
    receiver.delay, began = 0, time.monotonic()
    send(to, "mer", seconds=2)
    assert time.monotonic() - began < 2
    assert len(receiver.received) == 2


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


def test_one_wrong_address_does_not_silence_the_others(receiver: Receiver, file: Path) -> None:
    to = channels(file, f"urls:\n  - nosuch://x: {{tag: mer}}\n  - json://{receiver.address}: {{tag: mer}}\n")

    send(to, "mer")

    assert (len(to.check()), len(receiver.received)) == (1, 1)


def test_included_files_are_read_too_and_each_once(receiver: Receiver, file: Path) -> None:
    (file.parent / "more.yaml").write_text(
        f"include: {file.name}\nurls:\n  - json://{receiver.address}: {{tag: gm}}\n", "utf-8"
    )
    to = channels(file, "include: more.yaml\nurls:\n  - json://127.0.0.1:9: {tag: mer}\n")

    assert (to.tags, to.check()) == (frozenset({"mer", "gm"}), [])
    send(to, "gm")
    assert len(receiver.received) == 1


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
    address: str, status: int, listening: bool, receiver: Receiver, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    for name in ("apprise", "urllib3", "urllib3.connectionpool"):
        caplog.set_level(0, logger=name)
    receiver.status = status
    url = address.format(secret=SECRET, receiver=receiver.address if listening else "127.0.0.1:9")
    to = channels(file, f"urls:\n  - '{url}': {{tag: mer}}\n")

    error = ""
    try:
        send(to, "mer")
    except ChannelFailed as failure:
        error = f"{failure} {failure!r} {failure.__dict__} {failure.__cause__!r} {failure.__context__!r}"

    assert bool(error) == (not listening or status != 200)
    assert SECRET not in error + caplog.text + repr(to) + repr(vars(to)) + str(to.check())


def test_other_requests_are_logged_as_ever(receiver: Receiver, file: Path, caplog: pytest.LogCaptureFixture) -> None:
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
