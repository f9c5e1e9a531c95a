"""Answers: what became of a message at one address, read from what the service said."""

from __future__ import annotations

import math
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import requests


class Outcome(StrEnum):
    """What became of a message at one address."""

    TAKEN = "taken"
    THROTTLED = "throttled"
    """Too many at a time: the address is to be left alone for a while."""
    FAILED = "failed"
    """Nothing wrong with the message: it is worth trying again."""
    REFUSED = "refused"
    """It will be refused again as long as neither the address nor the message changes."""


@dataclass(frozen=True)
class Answer:
    """
    What an address did with a message.

    `why` says it in words and never holds an address. `parts` counts the parts that it has taken, those of earlier
    attempts included; `wait` is for how many seconds the service asked to be left alone, 0 where it did not say.
    """

    outcome: Outcome
    why: str = ""
    parts: int = 0
    wait: float = 0.0


_TOO_FAST = {
    "wecombot": {45009, 45033},
    "dingtalk": {130101, 410100},
    "feishu": {11232, 11233, 99991400},
    "lark": {11232, 11233, 99991400},
}
"""The robots' own codes for more messages than they take. They come with HTTP 200, which Apprise takes for success."""

_BUSY = {"wecombot": {-1}, "dingtalk": {-1}, "feishu": {2200}, "lark": {2200}}
"""Their codes for trouble of their own, which passes."""

_FREQUENT = 9499
"""Feishu's code for a request that it does not like, and for one too many: only the words beside it tell which."""

_DEAF = {"dingtalk": 600.0}
"""For how many seconds a robot takes nothing after one message too many; it does not say so itself (domain.md 3.5)."""

_AGAIN = {408, 425}
_LONGEST_WAIT = 3600.0


def judge(schema: str, taken: bool, heard: Sequence[requests.Response | OSError], seconds: float) -> Answer:
    """
    Tell what became of a message from what was `heard` while Apprise sent it; `taken` is Apprise's own opinion.

    Apprise looks at the HTTP status alone: a robot that refuses with HTTP 200 is only found out here. Where several
    answers are heard, the one that leaves most hope counts: what is worth trying again is tried again.
    """
    told = [said for each in heard if (said := _said(schema, each, seconds)) is not None]
    if taken and schema not in _TOO_FAST:
        return Answer(Outcome.TAKEN)
    for outcome in (Outcome.THROTTLED, Outcome.FAILED, Outcome.REFUSED):
        for said in told:
            if said.outcome is outcome:
                return said
    return Answer(Outcome.TAKEN) if taken else Answer(Outcome.FAILED, "did not take it")


def _said(schema: str, heard: requests.Response | OSError, seconds: float) -> Answer | None:
    """Return what is wrong according to `heard`; None where it is content."""
    if isinstance(heard, requests.Response):
        return _response(schema, heard)
    # smtplib tells a silent server as one that has closed the connection.
    if isinstance(heard, TimeoutError | requests.Timeout) or isinstance(heard.__context__, TimeoutError):
        return Answer(Outcome.FAILED, f"gave no answer within {seconds:g} s")
    if isinstance(heard, smtplib.SMTPException):
        return _mail(heard)
    return Answer(Outcome.FAILED, "could not be reached")


def _response(schema: str, response: requests.Response) -> Answer | None:
    status, body = response.status_code, _json(response)
    coded = _code(schema, body)
    if status == requests.codes.too_many_requests:
        return Answer(Outcome.THROTTLED, f"answered HTTP {status}: too many messages", wait=_wait(response, body))
    if coded is not None:
        return replace(coded, wait=max(coded.wait, _wait(response, body)))
    if status >= 500 or status in _AGAIN:
        return Answer(Outcome.FAILED, f"answered HTTP {status}", wait=_wait(response, body))
    if status >= 400:
        return Answer(Outcome.REFUSED, f"answered HTTP {status}")
    if body.get("ok") is False:  # Slack and Telegram
        return Answer(Outcome.REFUSED, f"answered HTTP {status} and did not take it")
    return None


def _code(schema: str, body: dict[str, Any]) -> Answer | None:
    """Return what the code in a robot's answer means; None where it has none or all is well."""
    code = body.get("errcode", body.get("code"))
    if schema not in _TOO_FAST or not isinstance(code, int) or code == 0:
        return None
    text = str(body.get("errmsg", body.get("msg", ""))).lower()
    if code in _TOO_FAST[schema] or (code == _FREQUENT and "too many" in text):
        return Answer(Outcome.THROTTLED, f"answered code {code}: too many messages", wait=_DEAF.get(schema, 0.0))
    return Answer(Outcome.FAILED if code in _BUSY[schema] else Outcome.REFUSED, f"answered code {code}")


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _wait(response: requests.Response, body: dict[str, Any]) -> float:
    """Return for how many seconds the service asks to be left alone."""
    parameters = body.get("parameters")
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None  # Telegram's
    try:
        seconds = float(str(asked or response.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0  # a date, which only the clock could tell
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else 0.0


def _mail(error: smtplib.SMTPException) -> Answer:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [int(code) for code, _ in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPResponseException):
        codes = [int(error.smtp_code)]
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        return Answer(Outcome.REFUSED, "does not offer what the address asks for (STARTTLS or a login)")
    else:
        codes = []
    if not codes or min(codes) < 400:
        return Answer(Outcome.FAILED, "broke the connection off")
    # What the server adds in words holds the address.
    refused = all(500 <= code < 600 for code in codes)
    code = max(codes) if refused else min(codes)
    return Answer(Outcome.REFUSED if refused else Outcome.FAILED, f"answered SMTP {code}")
