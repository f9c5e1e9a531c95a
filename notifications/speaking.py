"""Speaking: a message in the form that an address takes, and sent there through Apprise."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from apprise import Apprise, NotifyBase, NotifyFormat, OverflowMode

from notifications.answer import Answer, Outcome, judge
from notifications.channels_file import MAIL
from notifications.hearing import listening
from notifications.mentions import uncalled
from notifications.message import Message
from notifications.overflow import Unit, as_card, pages

_MAIL_SERVICES = frozenset(
    {"brevo", "mailersend", "mailgun", "o365", "azure", "postmark", "resend", "sendgrid", "sendpulse", "ses", "smtp2go"}
)
_KEPT = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "outbox"})
_FULL = MAIL | _MAIL_SERVICES | _KEPT
"""Mail services, and what keeps messages rather than showing them. All others are for reading on a phone."""

_CARDS = frozenset({"workflow", "workflows"})
"""A card of Teams cuts its title off at the end of the line: there the subject belongs to the text."""

_ROBOT_BYTES = 6600
"""
A request to DingTalk and Feishu may have 20,000 bytes, and Apprise writes Chinese characters as six each, emoji as
twelve (UTF-8: three and four).
"""

_SHORTEST = 60
"""What a page is made for at least; a service that takes less may cut it."""

_SLACK_BLOCK, _SLACK_HEADER = 3000, 150

_LEAST_TIME = 0.05
"""Seconds that a request is given at least: a timeout of 0 means none."""


class Limit(NamedTuple):
    """How long the text of one part may be; None: as long as it likes."""

    most: int | None
    unit: Unit


class Part(NamedTuple):
    """What is sent in one request."""

    title: str
    text: str


@dataclass
class Progress:
    """How many parts an address has taken so far, and whether those who wait for it have left."""

    parts: int = 0
    left: bool = False


def limit(schema: str, address: NotifyBase) -> Limit:
    """Return how much text `address` takes, in the unit that its service counts in."""
    if schema in MAIL:
        return Limit(None, Unit.CHARACTERS)
    if schema == "wecombot":
        return Limit(2048, Unit.BYTES)
    if schema in ("dingtalk", "feishu", "lark"):
        return Limit(_ROBOT_BYTES, Unit.BYTES)
    if _in_blocks(schema, address):
        return Limit(_SLACK_BLOCK, Unit.CHARACTERS)
    if schema in _CARDS:
        return Limit(address.body_maxlen, Unit.CARD)
    return Limit(address.body_maxlen, Unit.TELEGRAM if schema == "tgram" else Unit.CHARACTERS)


def parts(schema: str, address: NotifyBase, message: Message) -> list[Part]:
    """
    Return what is sent of `message` to `address`, request by request: the same at every attempt.

    Where a service shows no title, the subject is the first line of each part. An address that states another
    overflow than splitting gets the text whole, for Apprise to treat as it says.
    """
    subject = " ".join(message.subject.split())
    text = message.body if schema in _FULL else message.short or message.body
    if schema not in _FULL:
        subject, text = uncalled(subject), uncalled(text)
    most, unit = limit(schema, address)
    titled = len(subject) <= _title(schema, address)
    title, head = (subject, "") if titled else ("", subject)
    if most is None or address.overflow_mode != OverflowMode.SPLIT:
        divided = ["\n".join(filter(None, (head, text)))]
    else:
        divided = pages(text, max(most, _SHORTEST), unit, head)
    return [Part(title, as_card(page) if unit is Unit.CARD else page) for page in divided]


def speak(schema: str, address: NotifyBase, message: Message, seconds: float, progress: Progress) -> Answer:
    """
    Send the parts of `message` that `address` has not taken yet, until one is not taken or everybody has left.

    Blocks, each request for at most `seconds`. Never raises.
    """
    try:
        ours = _prepared(schema, address, message, seconds)
        html = message.html if schema in MAIL and not _plain(address) else ""
        for part in parts(schema, address, message)[progress.parts :]:
            if progress.left:
                return Answer(Outcome.FAILED, "was left before it had all parts", progress.parts)
            answer = _send(schema, ours, part, html, seconds)
            if answer.outcome is not Outcome.TAKEN:
                return Answer(answer.outcome, answer.why, progress.parts, answer.wait)
            progress.parts += 1
    except Exception:
        # Apprise lets no plugin's exception through; if one comes all the same, its text may hold the address.
        return Answer(Outcome.FAILED, "did not take it", progress.parts)
    return Answer(Outcome.TAKEN, parts=progress.parts)


def _send(schema: str, address: NotifyBase, part: Part, html: str, seconds: float) -> Answer:
    one = Apprise()
    one.add(address)
    with listening(html) as heard:
        taken = bool(one.notify(body=part.text, title=part.title, body_format=NotifyFormat.TEXT))
        return judge(schema, taken, heard.answers, seconds)


def _prepared(schema: str, address: NotifyBase, message: Message, seconds: float) -> NotifyBase:
    """
    Return `address` as it is wanted for `message`: a copy, because the object serves all messages.

    The pace and the attempts are the caller's: Apprise neither sleeps between requests nor repeats them, and a
    failure is told even of an address that Apprise is to forgive (`optional`).
    """
    ours = copy.copy(address)
    ours.request_rate_per_sec, ours.retry, ours.optional = 0, 0, False
    # In one part: it has been divided already.
    if address.overflow_mode == OverflowMode.SPLIT:
        ours.overflow_mode = OverflowMode.UPSTREAM
    if "socket_read_timeout" not in vars(address):
        ours.socket_read_timeout = max(seconds, _LEAST_TIME)
    if "socket_connect_timeout" not in vars(address):
        ours.socket_connect_timeout = max(min(seconds, address.socket_connect_timeout), _LEAST_TIME)
    if schema in MAIL:
        ours.notify_format = NotifyFormat.TEXT
        stated: dict[str, str] = vars(address)["headers"]
        vars(ours)["headers"] = {"Auto-Submitted": "auto-generated", **_threading(message.thread), **stated}
    return ours


def _plain(address: NotifyBase) -> bool:
    """Tell whether a mail address asks for plain text alone (`format=text`)."""
    return vars(address).get("notify_format") == NotifyFormat.TEXT


def _threading(thread: str) -> dict[str, str]:
    """
    Return the headers that put mails of one thread into one conversation.

    All of them answer a letter that was never sent: no mail has to be first, whoever gets how many of them.
    """
    if not thread:
        return {}
    root = f"<{hashlib.sha256(thread.encode()).hexdigest()[:32]}@thread.gendan.invalid>"
    return {"In-Reply-To": root, "References": root}


def _title(schema: str, address: NotifyBase) -> int:
    """Return how many characters of a title `address` shows beside the text; 0 where it shows none."""
    if schema in _CARDS or address.overflow_amalgamate_title:
        return 0
    return _SLACK_HEADER if _in_blocks(schema, address) else int(address.title_maxlen)


def _in_blocks(schema: str, address: NotifyBase) -> bool:
    return schema == "slack" and bool(getattr(address, "use_blocks", False))
