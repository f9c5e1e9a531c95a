"""Channels: how a message reaches a person or a role, through Apprise and its own configuration file."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, OverflowMode
from apprise.config.base import ConfigBase
from apprise.manager_plugins import NotificationManager

from models.errors import ChannelFailed, NoChannel
from notifications.messages import Message
from notifications.outbox_channel import open_outbox

ALWAYS = "always"
"""Apprise's own tag: an address that hears everything that is sent to anybody."""

_MISTAKEN = {
    "wecom": "it belongs to Pushplus; the WeCom group robot is wecombot://",
    "msteams": "it is gone; Teams is workflows://",
}
_URL = re.compile(r"\s*([A-Za-z0-9]{1,32})://")
_STATUS = re.compile(r"\berror=(\d{3})\b")
_WIRE = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")

_KNOWN = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise leaves this class without annotations

_PATIENCE = 60.0
"""Seconds that a message waits for its turn at an address; services allow few a minute (domain.md 3.5)."""

_speaking = threading.local()

_T = TypeVar("_T")
_Stamp = tuple[int, int, int] | None


@dataclass
class _Channel:
    """
    One address. Its URL stays within Apprise's object and out of `repr`.

    `tags` are in lower case, with Apprise's priority: a higher number is tried where the lower ones failed.
    Whoever sends holds `turn`: Apprise keeps a service's pace only between sends that follow one another.
    """

    schema: str
    tags: Mapping[str, int]
    address: NotifyBase = field(repr=False)
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)


class Channels:
    """
    The addresses of an Apprise configuration file, by tag: roles and people.

    No text of this class, its errors or its logs holds an address, because addresses hold secrets.
    """

    def __init__(self, file: Path, channels: Sequence[_Channel], problems: Sequence[str]) -> None:
        self.file = file
        self._channels = tuple(channels)
        self._problems = tuple(problems)

    @classmethod
    def from_file(cls, path: Path) -> Channels:
        """
        Read Apprise's YAML configuration at `path`, with the local files that it includes.

        Never fails: what cannot be read is left out and told by `check`. As long as the files stay as they are,
        the same object is returned, since it knows when each address was last sent to.
        """
        known = _read_before.get(path)
        if known is not None and all(_stamp(file) == stamp for file, stamp in known[0].items()):
            return known[1]
        _be_discreet()
        open_outbox()
        channels: list[_Channel] = []
        problems: list[str] = []
        stamps: dict[Path, _Stamp] = {}
        _read(path, channels, problems, stamps)
        read = cls(path, channels, problems)
        _read_before[path] = (stamps, read)
        return read

    def __repr__(self) -> str:
        return f"Channels({str(self.file)!r}, tags={sorted(self.tags)})"

    @property
    def tags(self) -> frozenset[str]:
        """All tags that some address carries, in lower case, as Apprise compares them."""
        return frozenset(tag for channel in self._channels for tag in channel.tags)

    def check(self) -> list[str]:
        """Return what is wrong with the configuration: file, line and entry, never an address."""
        return list(self._problems)

    async def send(self, message: Message, tags: Sequence[str], *, seconds: float = 20.0) -> None:
        """
        Send `message` to the first of `tags` that any address carries: the person first, then the role.

        Messages to one address take turns. From its turn on, each has `seconds`: an address that hangs is left
        behind, and may still deliver later.
        Raises NoChannel when no address carries any of the tags, and ChannelFailed when one did not take it.
        """
        tag, chains = self._addressed(tags)
        results = await asyncio.gather(*(_try_in_turn(chain, message, seconds) for chain in chains))
        failed = [failure for failures, _ in results for failure in failures]
        if failed:
            raise ChannelFailed(tag, failed, delivered=sum(delivered for _, delivered in results))

    def _addressed(self, tags: Sequence[str]) -> tuple[str, list[list[list[_Channel]]]]:
        always = self._by_priority(ALWAYS)
        for tag in tags:
            chain = self._by_priority(tag.strip().lower())
            if chain:
                return tag, [chain, always]
        if always:
            return ALWAYS, [always]
        if not self.file.exists():
            why = "there is no such file yet"
        elif self._problems:
            why = "no address that can be read carries such a tag (`gendan check` says what cannot be read)"
        else:
            why = f"no address carries such a tag; known are: {', '.join(sorted(self.tags)) or 'none'}"
        raise NoChannel(tags, self.file, why)

    def _by_priority(self, tag: str) -> list[list[_Channel]]:
        groups: dict[int, list[_Channel]] = {}
        for channel in self._channels:
            if tag in channel.tags:
                groups.setdefault(channel.tags[tag], []).append(channel)
        return [groups[priority] for priority in sorted(groups)]


async def _try_in_turn(
    chain: Sequence[Sequence[_Channel]], message: Message, seconds: float
) -> tuple[list[tuple[str, str]], int]:
    """Send to one group after the other until one took it whole; return what failed if none did, and who took it."""
    failed: list[tuple[str, str]] = []
    delivered = 0
    for group in chain:
        answers = await asyncio.gather(*(_deliver(channel, message, seconds) for channel in group))
        failures = [(channel.schema, why) for channel, why in zip(group, answers, strict=True) if why is not None]
        delivered += len(group) - len(failures)
        if not failures:
            return [], delivered
        failed += failures
    return failed, delivered


async def _deliver(channel: _Channel, message: Message, seconds: float) -> str | None:
    """Return why `channel` did not take the message within `seconds` of its turn; None when it did."""
    loop = asyncio.get_running_loop()
    has_turn: asyncio.Future[bool] = loop.create_future()
    answer: asyncio.Future[str | None] = loop.create_future()
    turn = channel.turn

    def speak() -> None:
        # The loop may be gone by the time a hanging address gives up.
        with suppress(RuntimeError):
            mine = turn.acquire(timeout=_PATIENCE)
            loop.call_soon_threadsafe(_settle, has_turn, mine)
            if not mine:
                return
            try:
                why = _speak(channel, message)
            finally:
                turn.release()
            loop.call_soon_threadsafe(_settle, answer, why)

    # A thread of its own: hanging addresses must neither fill the pool that others use nor keep the process alive.
    threading.Thread(target=speak, name="gendan-channel", daemon=True).start()
    if not await has_turn:
        return "has too many messages before this one"
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        # The hanging send keeps the old turn; the next message is not to wait for it.
        channel.turn = threading.Lock() if channel.turn is turn else channel.turn
        return f"gave no answer within {seconds:g} s"


def _settle(future: asyncio.Future[_T], value: _T) -> None:
    if not future.done():
        future.set_result(value)


def _speak(channel: _Channel, message: Message) -> str | None:
    _speaking.status = ""
    try:
        one = Apprise()
        one.add(channel.address)
        taken = one.notify(body=message.body, title=message.subject, body_format=NotifyFormat.TEXT)
    except Exception:
        # Apprise lets no plugin's exception through; if one comes all the same, its text may hold the address.
        taken = False
    status = _speaking.status
    del _speaking.status
    if taken:
        return None
    return f"answered HTTP {status}" if status else "did not take it"


def _read(path: Path, channels: list[_Channel], problems: list[str], stamps: dict[Path, _Stamp]) -> None:
    """Read one file and those that it includes, each once; `stamps` tells afterwards which they were."""
    if path.resolve() in stamps:
        return
    stamps[path.resolve()] = _stamp(path)
    try:
        text = path.read_text("utf-8-sig")
        content = yaml.safe_load(text)
        lines = _lines(text)
    except FileNotFoundError:
        problems.append(f"{path}: there is no such file, so nobody can be told")
        return
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: cannot be read ({type(error).__name__})")
        return
    except (yaml.YAMLError, ValueError) as error:
        # Only the place: the parser's own text quotes the line, and with it the address.
        mark = getattr(error, "problem_mark", None)
        problems.append(f"{path}: line {mark.line + 1 if mark else '?'}: is not YAML")
        return
    urls = content.get("urls") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(urls or [], list):
        problems.append(f"{path}: has no list `urls:`")
        return
    for number, entry in enumerate(urls or [], start=1):
        where = f"{path}: line {lines.get(number, '?')}, entry {number}"
        channels.extend(_read_entry(content, entry, where, problems))
    for other in _includes(content):
        if "://" in other:
            problems.append(f"{path}: include: only files on this machine are read; copy the addresses here")
        else:
            _read(path.parent / other, channels, problems, stamps)


def _read_entry(content: Mapping[str, Any], entry: object, where: str, problems: list[str]) -> Iterator[_Channel]:
    """Let Apprise read one entry at a time, in the surroundings of its file, to know which of them it refuses."""
    schema = _schema(entry)
    alone = yaml.safe_dump({**content, "urls": [entry], "include": None}, allow_unicode=True)
    try:
        addresses, _ = ConfigBase.config_parse_yaml(alone, asset=AppriseAsset(storage_mode="memory"))
    except Exception:
        # Apprise stumbles over some mistakes, and the text of its error may quote the address.
        addresses = []
    if schema in _MISTAKEN:
        problems.append(f"{where}: {schema}:// is mistaken: {_MISTAKEN[schema]}")
    elif len(addresses) < _count(entry):
        problems.append(f"{where}: {_refused(schema)}")
    for address in addresses:
        assert isinstance(address, NotifyBase)
        if "overflow_mode" not in vars(address):
            # Apprise's own default passes over-long text on, for the service to refuse.
            address.overflow_mode = OverflowMode.SPLIT
        tags = {str(tag).lower(): getattr(tag, "priority", 0) for tag in address.tags}
        if not tags:
            problems.append(f"{where}: {schema}:// carries no tag, so nothing is ever sent there")
        yield _Channel(schema, tags, address)


def _schema(entry: object) -> str:
    urls = [entry] if isinstance(entry, str) else list(entry) if isinstance(entry, dict) else []
    found = next(filter(None, (_URL.match(str(url)) for url in urls)), None)
    return found.group(1).lower() if found else ""


def _count(entry: object) -> int:
    """Count the addresses that an entry stands for: a URL with a list of options is one for each."""
    if isinstance(entry, dict):
        options = next((value for key, value in entry.items() if _URL.match(str(key))), None)
        if isinstance(options, list):
            return len(options)
    return 1


def _refused(schema: str) -> str:
    if not schema:
        return "no address (schema://...) is found here"
    if schema not in _KNOWN:
        return f"Apprise knows no {schema}://"
    return f"Apprise cannot read this {schema}:// address; something is missing in it or wrong"


def _includes(content: Mapping[str, Any]) -> list[str]:
    includes = content.get("include")
    if isinstance(includes, str):
        includes = includes.split(",")
    return [str(each).strip() for each in includes or []]


def _lines(text: str) -> dict[int, int]:
    """Return the line of each entry of `urls:`, both counted from 1."""
    root = yaml.compose(text, yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "urls" and isinstance(value, yaml.SequenceNode):
            return {number: item.start_mark.line + 1 for number, item in enumerate(value.value, start=1)}
    return {}


def _stamp(file: Path) -> _Stamp:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


_read_before: dict[Path, tuple[dict[Path, _Stamp], Channels]] = {}


class _Discreet(logging.Filter):
    """Apprise logs addresses, and at debug level what it sends: of all that, only the HTTP status is kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(_speaking, "status"):
            found = _STATUS.search(record.getMessage())
            _speaking.status = found.group(1) if found else _speaking.status
        return False


class _DiscreetWire(logging.Filter):
    """urllib3 logs the paths that it asks for, and a robot's path is its secret; other requests are not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not hasattr(_speaking, "status")


_DISCREET, _DISCREET_WIRE = _Discreet(), _DiscreetWire()


def _be_discreet() -> None:
    # A filter, not a level: whoever turns on debug logs for everything must not turn this off.
    logging.getLogger("apprise").addFilter(_DISCREET)
    for name in _WIRE:
        logging.getLogger(name).addFilter(_DISCREET_WIRE)
