"""What a reader of mail gets: a real conversation with a mail server on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from notifications.answer import Answer, Outcome
from notifications.channels import Channels
from notifications.hearing import with_html
from notifications.message import Message
from tests.receivers import SmtpReceiver

SUBJECT = (
    "【催單 L2·逾期 1 工作日】SO-26-0417 / PO 88231 · ACME · 男裝外套 3,600 件 FAB_IN 面料到廠 Bulk fabric in-house"
)
BODY = '步驟 FAB_IN 面料到廠\n  縮排 & <方括號> "引號"\n.起頭的點\n\nDue: Fri 20 Nov 2026\n' + "長" * 2000
HTML = "<!DOCTYPE html><html><body><table><tr><td>訂單</td><td>SO-26-0417</td></tr></table></body></html>"
MESSAGE = Message(SUBJECT, BODY, short="short", html=HTML, thread="SO-26-0417/FAB_IN")
PASSWORD = "s3cr3tPASS"


@pytest.fixture
def server() -> Iterator[SmtpReceiver]:
    receiver = SmtpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "channels.yaml"


def url(server: SmtpReceiver, *more: str, readers: str = "li@factory.example") -> str:
    options = "&".join(("from=Gendan%3Cgendan@factory.example%3E", f"to={readers}", *more))
    return f"mailto://gendan:{PASSWORD}@{server.address}?{options}"


def channels(file: Path, *urls: str) -> Channels:
    file.write_text("urls:\n" + "".join(f"  - '{each}': {{tag: li}}\n" for each in urls), "utf-8")
    read = Channels.from_file(file)
    assert read.check() == []
    return read


async def post(to: Channels, message: Message = MESSAGE, *, seconds: float = 20) -> Answer:
    [[address]] = to.route(["li"])
    return await to.post(address.id, message, seconds=seconds)


def plain(message: EmailMessage) -> str:
    """The plain text, with line ends as they are outside of mail."""
    part = message.get_body(("plain",))
    assert part is not None
    return "\n".join(str(part.get_content()).splitlines())


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


# --- the letter


async def test_a_letter_holds_our_own_plain_text_and_our_html(server: SmtpReceiver, file: Path) -> None:
    assert await post(channels(file, url(server))) == Answer(Outcome.TAKEN, parts=1)

    [letter] = server.letters
    assert (letter.sender, letter.readers) == ("gendan@factory.example", ("li@factory.example",))
    message = letter.message
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert plain(message) == BODY
    assert html(message).rstrip() == HTML
    assert not message.defects


async def test_the_head_of_a_letter_says_what_it_is_and_who_writes(server: SmtpReceiver, file: Path) -> None:
    await post(channels(file, url(server)))

    message = server.letters[0].message
    assert message["Subject"] == SUBJECT
    assert (message["From"], message["To"]) == ("Gendan <gendan@factory.example>", "li@factory.example")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"]
    assert max(map(len, server.letters[0].content.split(b"\r\n"))) <= 998  # RFC 5322


async def test_letters_of_one_thread_are_one_conversation(server: SmtpReceiver, file: Path) -> None:
    to = channels(file, url(server))
    for thread in ("SO-26-0417/FAB_IN", "SO-26-0417/FAB_IN", "SO-26-0418/FAB_IN", ""):
        await post(to, Message(SUBJECT, BODY, html=HTML, thread=thread))

    first, second, other, alone = (letter.message for letter in server.letters)
    assert first["References"] == first["In-Reply-To"] == second["References"] == second["In-Reply-To"]
    assert first["References"].startswith("<")
    assert first["References"] != other["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert alone["References"] is alone["In-Reply-To"] is None


async def test_the_same_thread_has_the_same_name_in_every_process(server: SmtpReceiver, file: Path) -> None:
    """It must not change: letters of before a restart would be another conversation."""
    await post(channels(file, url(server)))

    assert server.letters[0].message["References"] == "<38648895a4e0993aa3761ad643db0f2b@thread.gendan.invalid>"


async def test_without_html_a_letter_is_plain(server: SmtpReceiver, file: Path) -> None:
    await post(channels(file, url(server)), Message(SUBJECT, BODY, short="short"))

    [letter] = server.letters
    assert letter.message.get_content_type() == "text/plain"
    assert plain(letter.message) == BODY


async def test_an_address_that_asks_for_text_gets_no_html(server: SmtpReceiver, file: Path) -> None:
    await post(channels(file, url(server, "format=text")))

    assert server.letters[0].message.get_content_type() == "text/plain"


async def test_headers_of_the_address_itself_prevail(server: SmtpReceiver, file: Path) -> None:
    await post(channels(file, url(server, "%2BAuto-Submitted=no", "reply=answers@factory.example")))

    message = server.letters[0].message
    assert (message["Auto-Submitted"], message["Reply-To"]) == ("no", "answers@factory.example")


async def test_a_letter_is_never_divided(server: SmtpReceiver, file: Path) -> None:
    body = "\n".join(f"事實 {number}" for number in range(20_000))
    assert (await post(channels(file, url(server)), Message("s", body, html=HTML * 500))).parts == 1

    [letter] = server.letters
    assert plain(letter.message) == body


async def test_a_subject_of_two_lines_adds_no_header(server: SmtpReceiver, file: Path) -> None:
    await post(channels(file, url(server)), Message("one\r\nBcc: all@factory.example", "body"))

    [letter] = server.letters
    assert letter.message["Subject"] == "one Bcc: all@factory.example"
    assert letter.message["Bcc"] is None


def test_a_signed_letter_stays_as_it_was_signed() -> None:
    signed = (
        "Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nbody\n--b\nContent-Type: application/pgp-signature\n\nxyz\n--b--\n"
    )
    assert with_html(signed, HTML) == signed


# --- readers


async def test_each_reader_of_an_address_is_a_delivery_of_its_own(server: SmtpReceiver, file: Path) -> None:
    """Else the mail that one of them refuses would be sent to the others again and again."""
    to = channels(file, url(server, readers="li@factory.example,wang@factory.example"))

    [addresses] = to.route(["li"])
    assert len({address.id for address in addresses}) == 2
    for address in addresses:
        assert (await to.post(address.id, MESSAGE)).outcome is Outcome.TAKEN
    assert [letter.readers for letter in server.letters] == [("li@factory.example",), ("wang@factory.example",)]


async def test_a_copy_that_is_taken_does_not_stand_for_a_letter_that_is_not(server: SmtpReceiver, file: Path) -> None:
    to = channels(file, url(server, "cc=boss@factory.example"))
    server.replies_to = {"li@factory.example": "550 no such user"}
    answer = await post(to)

    assert answer.outcome is Outcome.REFUSED


# --- what the server answers


@pytest.mark.parametrize(
    ("verb", "reply", "outcome"),
    [
        # greylisting
        ("RCPT", "450 try later", Outcome.FAILED),
        ("RCPT", "550 no such user {reader}", Outcome.REFUSED),
        ("MAIL", "451 local error", Outcome.FAILED),
        ("MAIL", "553 sender {reader} not allowed", Outcome.REFUSED),
        ("DATA", "452 no space left", Outcome.FAILED),
        (".", "552 message too large", Outcome.REFUSED),
        (".", "451 not now", Outcome.FAILED),
        # the password: for good, and for a moment
        ("AUTH", "535 wrong password", Outcome.REFUSED),
        ("AUTH", "454 not now", Outcome.FAILED),
        # at the door
        ("CONNECT", "421 too busy", Outcome.FAILED),
        ("CONNECT", "554 you are on a list", Outcome.REFUSED),
    ],
)
async def test_a_code_tells_whether_another_attempt_makes_sense(
    verb: str, reply: str, outcome: Outcome, server: SmtpReceiver, file: Path
) -> None:
    server.replies[verb] = reply.format(reader="li@factory.example")
    answer = await post(channels(file, url(server)))

    assert (answer.outcome, answer.parts) == (outcome, 0)
    assert answer.why == f"answered SMTP {reply[:3]}"
    assert not server.letters


async def test_a_server_without_what_the_address_asks_for_is_no_use_trying_again(
    server: SmtpReceiver, file: Path
) -> None:
    answer = await post(channels(file, url(server, "mode=starttls")))

    assert answer.outcome is Outcome.REFUSED
    assert "STARTTLS" in answer.why


async def test_a_server_that_speaks_no_tls_is_not_spoken_to(server: SmtpReceiver, file: Path) -> None:
    answer = await post(channels(file, url(server, "mode=ssl").replace("mailto:", "mailtos:")))

    assert answer == Answer(Outcome.FAILED, "could not be reached")
    assert not server.letters


async def test_a_server_that_is_down_is_tried_again(server: SmtpReceiver, file: Path) -> None:
    to = channels(file, url(server))
    server.down()
    assert await post(to) == Answer(Outcome.FAILED, "could not be reached")

    server.up()
    assert (await post(to)).outcome is Outcome.TAKEN
    assert len(server.letters) == 1


@pytest.mark.parametrize("verb", ["CONNECT", "AUTH", "RCPT", "."])
async def test_a_server_that_falls_silent_is_left(verb: str, server: SmtpReceiver, file: Path) -> None:
    server.silent_at = verb
    began = time.monotonic()
    answer = await post(channels(file, url(server)), seconds=0.4)

    assert answer == Answer(Outcome.FAILED, "gave no answer within 0.4 s")
    assert time.monotonic() - began < 2


# --- secrets


@pytest.mark.parametrize("verb", ["CONNECT", "AUTH", "MAIL", "RCPT", ".", "nothing"])
async def test_no_password_and_no_reader_is_logged_or_told(
    verb: str, server: SmtpReceiver, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    caplog.set_level(0, logger="apprise")
    server.replies[verb] = f"550 no li@factory.example with {PASSWORD}"
    to = channels(file, url(server))
    answer = await post(to)

    told = f"{answer!r}{to!r}{vars(to)!r}{to.route(['li'])!r}{caplog.text}"
    assert "li@factory" not in told
    assert PASSWORD not in told
