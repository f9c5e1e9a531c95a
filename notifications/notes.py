"""Notes to the administrator: what Gendan cannot put right by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from models.names import Language
from notifications.message import Message
from notifications.texts import day, say, shorten

_NAME = 60


def budget_is_used_up(code: str, name: str, budget: int, today: date, languages: Sequence[Language]) -> Message:
    """Say that somebody's messages of their own are used up for `today`, and that the rest stands in his digest."""
    lines = [
        say(language, "budget_used_up", name=shorten(name, _NAME), n=budget, day=day(language, today))
        for language in languages
    ]
    return Message(
        subject=say(languages[0], "budget_subject", name=shorten(name, _NAME)),
        body="\n\n".join(lines),
        thread=f"budget/{code}/{today.isoformat()}",
    )


def letter_is_dead(message_id: int, recipient: str, subject: str, why: str, languages: Sequence[Language]) -> Message:
    """Say that a message reached nobody, why, and how it is sent again."""
    lines = [
        say(
            language,
            "dead_letter",
            id=message_id,
            recipient=shorten(recipient, _NAME),
            subject=shorten(subject, 120),
            why=shorten(why, 300),
            command=f"gendan messages retry {message_id}",
        )
        for language in languages
    ]
    return Message(
        subject=say(languages[0], "dead_letter_subject", recipient=shorten(recipient, _NAME)),
        body="\n\n".join(lines),
        thread=f"dead/{message_id}",
    )
