"""
Hearing: what services answer while Apprise speaks to them; Apprise itself only tells whether it thinks they took it.

Apprise's plugins call `requests` and `smtplib` by these names of their own modules. What stands there is replaced by
something that does the same and keeps what it hears, for the thread that listens; nobody else's requests are touched.
That way the plugins' own calls are made: address, signature and body are Apprise's.
"""

from __future__ import annotations

import logging
import smtplib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from typing import Any

import requests
from apprise import NotifyBase

_WIRE = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
_CALLS = ("request", "get", "post", "put", "patch", "delete")

_thread = threading.local()


@dataclass
class Heard:
    """What was answered, in its order; `html` is put into each letter that is sent meanwhile."""

    html: str = ""
    answers: list[requests.Response | OSError] = field(default_factory=list, repr=False)


@contextmanager
def listening(html: str = "") -> Iterator[Heard]:
    """Listen to what this thread sends through Apprise, and keep it out of all logs."""
    _thread.heard = heard = Heard(html)
    try:
        yield heard
    finally:
        del _thread.heard


def listen_to(plugin: type[NotifyBase]) -> None:
    """Have what `plugin` sends heard from now on."""
    for each in plugin.__mro__:
        module = sys.modules[each.__module__]
        if not each.__module__.startswith("apprise."):
            continue
        if getattr(module, "requests", None) is requests:
            module.requests = _REQUESTS  # type: ignore[attr-defined]  # the plugin's own import
        if getattr(module, "smtplib", None) is smtplib:
            module.smtplib = _SMTPLIB  # type: ignore[attr-defined]  # the same


def _keep(answer: requests.Response | OSError) -> None:
    heard = getattr(_thread, "heard", None)
    if heard is not None:
        heard.answers.append(answer)


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # requests' and smtplib's errors are of that kind
        _keep(error)
        raise


class _Requests:
    """`requests` as a plugin sees it."""

    def __getattr__(self, name: str) -> Any:
        original = getattr(requests, name)
        return _heard(original) if name in _CALLS else original


def _heard(call: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    def listen(*args: Any, **options: Any) -> requests.Response:
        with _trouble():
            response = call(*args, **options)
        _keep(response)
        return response

    return listen


class _Conversation(smtplib.SMTP):
    """A mail server's trouble is kept; a letter gets its HTML form beside the plain one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        with _trouble():
            super().__init__(*args, **options)

    def starttls(self, *args: Any, **options: Any) -> Any:
        with _trouble():
            return super().starttls(*args, **options)

    def login(self, *args: Any, **options: Any) -> Any:
        with _trouble():
            return super().login(*args, **options)

    def sendmail(self, from_addr: str, to_addrs: Any, msg: Any, *args: Any, **options: Any) -> Any:
        heard = getattr(_thread, "heard", None)
        with _trouble():
            letter = with_html(msg, heard.html) if heard is not None and heard.html else msg
            refused = super().sendmail(from_addr, to_addrs, letter, *args, **options)
            if to_addrs[0] in refused:
                # The copies went out, the letter did not: smtplib only mentions it, and Apprise does not look.
                raise smtplib.SMTPRecipientsRefused(refused)
            return refused


class _SafeConversation(_Conversation, smtplib.SMTP_SSL):
    """The same from its first byte over TLS."""


class _Smtplib:
    """`smtplib` as Apprise's mail plugin sees it."""

    SMTP, SMTP_SSL = _Conversation, _SafeConversation

    def __getattr__(self, name: str) -> Any:
        return getattr(smtplib, name)


_REQUESTS, _SMTPLIB = _Requests(), _Smtplib()


def with_html(letter: str, html: str) -> str:
    """
    Return `letter` as multipart/alternative: its own plain text, and `html`.

    Apprise sends either plain text, or HTML with plain text that it makes of it (rows of a table become one word
    a line): so it is given our plain text, and the HTML is added to the letter that it wrote. A letter that is
    signed or encrypted stays as it is.
    """
    parsed = message_from_string(letter, policy=policy.SMTP)
    if parsed.get_content_type() != "text/plain":
        return letter
    parsed.make_alternative()
    parsed.add_alternative(html, subtype="html", cte="base64")
    return parsed.as_string()


class _Discreet(logging.Filter):
    """Apprise logs addresses, and at debug level what it sends."""

    def filter(self, record: logging.LogRecord) -> bool:
        return False


class _DiscreetWire(logging.Filter):
    """urllib3 logs the paths that it asks for, and a robot's path is its secret; other requests are not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not hasattr(_thread, "heard")


_DISCREET, _DISCREET_WIRE = _Discreet(), _DiscreetWire()


def be_discreet() -> None:
    """Keep addresses out of the logs: a filter, not a level, so that debug logs for everything do not undo it."""
    logging.getLogger("apprise").addFilter(_DISCREET)
    for name in _WIRE:
        logging.getLogger(name).addFilter(_DISCREET_WIRE)
