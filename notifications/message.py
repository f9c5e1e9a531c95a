"""A message: what one recipient is told, in the forms that the channels take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """
    A message in all its forms; a channel takes the one that suits it and never makes another.

    Messages of one `thread` (like "SO-26-0417/FAB_IN") are one conversation where the channel knows conversations.
    """

    subject: str
    body: str
    """Plain text: the full form."""
    short: str = ""
    """For chat robots, at most 600 characters per language; where it is empty, `body` is sent."""
    html: str = ""
    """For e-mail, beside `body`; where it is empty, the mail is plain text."""
    thread: str = ""
