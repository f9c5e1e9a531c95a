"""Everything that Gendan refuses, as one tree. A message says what happened and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class GendanError(Exception):
    """
    Base of every refusal. Its text is shown to people as it is.

    It names the order and the remedy, and never holds an Apprise URL or a password.
    """


class UnknownOrder(GendanError):
    """The order number is not in the book."""

    def __init__(self, order_no: str) -> None:
        super().__init__(
            f"No order {order_no!r}. See `gendan orders list`, or bring it in with `gendan orders import FILE`."
        )


class UnknownMilestone(GendanError):
    """The order's template has no such milestone."""

    def __init__(self, order_no: str, milestone: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"Order {order_no} has no milestone {milestone!r}. It has: {', '.join(known)}. Nothing was recorded."
        )


class DuplicateOrder(GendanError):
    """An order number that is already in the book, with other contents."""

    def __init__(self, order_no: str) -> None:
        super().__init__(
            f"Order {order_no} is already followed, with other contents. "
            "Use `gendan reschedule` or `gendan cancel` to change it, or give the new order a number of its own."
        )


class Refused(GendanError):
    """A request that is understood but cannot be granted; nothing was changed."""


class LibraryError(GendanError):
    """A mistake in a template, policy, calendar or parties file, with its file and line."""

    def __init__(self, file: str, line: int | None, what: str) -> None:
        super().__init__(f"{file}{f':{line}' if line else ''}: {what}")
        self.file, self.line, self.what = file, line, what


class NoTemplateFits(GendanError):
    """No template can be chosen for an order, so it would have no plan."""


class ImportRefused(GendanError):
    """A whole file that cannot be read as a table."""


class Unavailable(GendanError):
    """The database or Prefect cannot be reached, or is not ours to use."""


class AnotherRelease(Unavailable):
    """The database is in the form of another release; nothing was changed."""


class BadClock(GendanError):
    """A timestamp without a zone, or text that is no date."""


class NoChannel(GendanError):
    """Nobody can be told: no address carries any of the tags. `file` is where one is to be written."""

    def __init__(self, tags: Sequence[str], file: Path, why: str) -> None:
        wanted = " or ".join(tags) or "nobody"
        first = next(iter(tags), "mer")
        super().__init__(
            f"No channel for {wanted}: {why}. Write one address per line into {file}, for example:\n"
            f"urls:\n  - mailto://user:password@example.com: {{tag: {first.lower()}}}"
        )
        self.tags, self.file = tuple(tags), file


class ChannelFailed(GendanError):
    """
    A message was not delivered on every channel of its tag, and is to be sent again.

    `failed` holds the schema of each channel that failed and why; `delivered` counts those that took it.
    """

    def __init__(self, tag: str, failed: Sequence[tuple[str, str]], delivered: int) -> None:
        reasons = "; ".join(f"{schema}:// {why}" for schema, why in failed)
        super().__init__(
            f"The message to {tag} was not delivered: {reasons}. It will be sent again; "
            "`gendan doctor` looks at the addresses."
        )
        self.tag, self.failed, self.delivered = tag, tuple(failed), delivered
