"""Channels: how a message reaches a person or a role, through Apprise and its own configuration file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.errors import ChannelFailed, NoChannel
from notifications.answer import Answer, Outcome
from notifications.channels_file import Channel, ChannelsFile, Stamp, read, stamp
from notifications.message import Message
from notifications.overflow import Unit
from notifications.speaking import Progress, limit, parts, speak

ALWAYS = "always"
"""Apprise's own tag: an address that hears everything that is sent to anybody."""

_ROBOTS_PER_MINUTE = 20
_ROBOTS = frozenset({"wecombot", "dingtalk", "feishu", "lark"})
"""Group robots: what comes faster is dropped, and DingTalk's are deaf for ten minutes then (domain.md 3.5)."""

_PATIENCE = 60.0
"""Seconds that a message waits for those before it at the same address."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Address:
    """
    An address as others may know it: never its URL.

    `id` is the same in every process and after every restart, as long as the address is written as it is.
    `per_minute` counts parts of messages; None: the service names no such limit. `limit` is how much text one part
    may have, counted in `unit`; None: any amount.
    """

    id: str
    schema: str
    per_minute: int | None
    limit: int | None
    unit: Unit


class Channels:
    """
    The addresses of an Apprise configuration file, by tag: roles and people.

    No text of this class, its errors or its logs holds an address, because addresses hold secrets.
    """

    def __init__(self, file: Path, content: ChannelsFile) -> None:
        self.file = file
        self.files = tuple(content.stamps)
        self._channels = tuple(content.channels)
        self._problems = tuple(content.problems)
        self._by_id = {channel.id: channel for channel in reversed(self._channels)}

    @classmethod
    def from_file(cls, path: Path) -> Channels:
        """
        Read Apprise's YAML configuration at `path`, with the local files that it includes.

        Never fails: what cannot be read is left out and told by `check`. As long as the files stay as they are,
        the same object is returned, since it knows who is just being sent to.
        """
        known = _read_before.get(path)
        if known is not None and all(stamp(file) == before for file, before in known[0].items()):
            return known[1]
        content = read(path)
        channels = cls(path, content)
        _read_before[path] = (content.stamps, channels)
        return channels

    def __repr__(self) -> str:
        return f"Channels({str(self.file)!r}, tags={sorted(self.tags)})"

    @property
    def tags(self) -> frozenset[str]:
        """All tags that some address carries, in lower case, as Apprise compares them."""
        return frozenset(tag for channel in self._channels for tag in channel.tags)

    def check(self) -> list[str]:
        """Return what is wrong with the configuration: file, line and entry, never an address."""
        return list(self._problems)

    def route(self, tags: Sequence[str]) -> list[list[Address]]:
        """
        Return where a message to the first of `tags` that any address carries goes: the person first, then the role.

        All addresses of the first group are sent to; those of the next only where one of them did not take it, and so
        on. Where nobody carries any of the tags it is the ALWAYS addresses; otherwise those hear it too: `always`.
        Raises NoChannel when there is no address at all.
        """
        _, chain = self._addressed(tags)
        return [[_address(channel) for channel in group] for group in chain]

    def always(self) -> list[list[Address]]:
        """Return the addresses that hear whatever is sent to anybody, in groups as `route` does."""
        return [[_address(channel) for channel in group] for group in self._by_priority(ALWAYS)]

    def parts(self, address_id: str, message: Message) -> int:
        """Return in how many requests `message` goes to an address, for the pace; 1 where the address is gone."""
        channel = self._by_id.get(address_id)
        return 1 if channel is None else len(parts(channel.schema, channel.address, message))

    async def post(self, address_id: str, message: Message, *, seconds: float = 20.0, skip: int = 0) -> Answer:
        """
        Send `message` to one address, without its first `skip` parts: those that it has taken at an earlier attempt.

        Messages to one address take turns. From its turn on it has `seconds`: an address that hangs is left behind,
        and may still deliver the part that it was given. Nobody waits here for the pace of a service.
        Never raises for a channel's trouble, and no text of the answer holds an address.
        """
        channel = self._by_id.get(address_id)
        if channel is None:
            why = f"this address is no longer in {self.file.name}: write it there again, or discard the message"
            return Answer(Outcome.REFUSED, why, skip)
        return await _deliver(channel, message, seconds, Progress(skip))

    async def send(self, message: Message, tags: Sequence[str], *, seconds: float = 20.0) -> None:
        """
        Send `message` to the first of `tags` that any address carries, and to the ALWAYS addresses, at once.

        Raises NoChannel when no address carries any of the tags, and ChannelFailed when one did not take it.
        """
        tag, chain = self._addressed(tags)
        told = {channel.id for group in chain for channel in group}
        others = [[channel for channel in group if channel.id not in told] for group in self._by_priority(ALWAYS)]
        chains = [chain, [group for group in others if group]]
        results = await asyncio.gather(*(_try_in_turn(each, message, seconds) for each in chains))
        failed = [failure for failures, _ in results for failure in failures]
        if failed:
            raise ChannelFailed(tag, failed, delivered=sum(delivered for _, delivered in results))

    def _addressed(self, tags: Sequence[str]) -> tuple[str, list[list[Channel]]]:
        for tag in (*tags, ALWAYS):
            chain = self._by_priority(tag.strip().lower())
            if chain:
                return tag, chain
        if not self.file.exists():
            why = "there is no such file yet"
        elif self._problems:
            why = "no address that can be read carries such a tag (`gendan doctor` says what cannot be read)"
        else:
            why = f"no address carries such a tag; known are: {', '.join(sorted(self.tags)) or 'none'}"
        raise NoChannel(tags, self.file, why)

    def _by_priority(self, tag: str) -> list[list[Channel]]:
        """Return the addresses that carry `tag`, each once, though it may be written in the file twice."""
        priorities: dict[str, int] = {}
        for channel in self._channels:
            if tag in channel.tags:
                priorities[channel.id] = min(channel.tags[tag], priorities.get(channel.id, channel.tags[tag]))
        groups: dict[int, list[Channel]] = {}
        for address_id, priority in priorities.items():
            groups.setdefault(priority, []).append(self._by_id[address_id])
        return [groups[priority] for priority in sorted(groups)]


def _address(channel: Channel) -> Address:
    most, unit = limit(channel.schema, channel.address)
    return Address(channel.id, channel.schema, _ROBOTS_PER_MINUTE if channel.schema in _ROBOTS else None, most, unit)


async def _try_in_turn(
    chain: Sequence[Sequence[Channel]], message: Message, seconds: float
) -> tuple[list[tuple[str, str]], int]:
    """Send to one group after the other until one took it whole; return what failed if none did, and who took it."""
    failed: list[tuple[str, str]] = []
    delivered = 0
    for group in chain:
        answers = await asyncio.gather(*(_deliver(channel, message, seconds, Progress()) for channel in group))
        failures = [
            (channel.schema, answer.why)
            for channel, answer in zip(group, answers, strict=True)
            if answer.outcome is not Outcome.TAKEN
        ]
        delivered += len(group) - len(failures)
        if not failures:
            return [], delivered
        failed += failures
    return failed, delivered


async def _deliver(channel: Channel, message: Message, seconds: float, progress: Progress) -> Answer:
    """Send `message` when it is its turn; it has `seconds` from then on."""
    loop = asyncio.get_running_loop()
    has_turn: asyncio.Future[bool] = loop.create_future()
    answer: asyncio.Future[Answer] = loop.create_future()
    turn = channel.turn

    def say() -> None:
        # The loop may be gone by the time a hanging address gives up.
        with suppress(RuntimeError):
            mine = turn.acquire(timeout=_PATIENCE)
            try:
                loop.call_soon_threadsafe(_settle, has_turn, mine)
                if mine and not progress.left:
                    said = speak(channel.schema, channel.address, message, seconds, progress)
                    loop.call_soon_threadsafe(_settle, answer, said)
            finally:
                if mine:
                    turn.release()

    # A thread of its own: hanging addresses must neither fill the pool that others use nor keep the process alive.
    threading.Thread(target=say, name="gendan-channel", daemon=True).start()
    try:
        if not await has_turn:
            return Answer(Outcome.FAILED, "has too many messages before this one", progress.parts)
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        # The hanging send keeps the old turn; the next message is not to wait for it.
        channel.turn = threading.Lock() if channel.turn is turn else channel.turn
        return Answer(Outcome.FAILED, f"gave no answer within {seconds:g} s", progress.parts)
    finally:
        progress.left = True


def _settle(future: asyncio.Future[_T], value: _T) -> None:
    if not future.done():
        future.set_result(value)


_read_before: dict[Path, tuple[dict[Path, Stamp], Channels]] = {}
