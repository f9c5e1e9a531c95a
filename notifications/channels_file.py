"""The channels file: Apprise's own configuration, read entry by entry so that what is wrong has a line."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import yaml
from apprise import AppriseAsset, NotifyBase, OverflowMode
from apprise.config.base import ConfigBase
from apprise.manager_plugins import NotificationManager

from notifications.dingtalk_channel import mend_dingtalk
from notifications.hearing import be_discreet, listen_to
from notifications.outbox_channel import open_outbox

Stamp = tuple[int, int, int] | None
"""What shows that a file has changed; None: there is none."""

_MISTAKEN = {
    "wecom": "it belongs to Pushplus; the WeCom group robot is wecombot://",
    "msteams": "it is gone; Teams is workflows://",
}
_URL = re.compile(r"\s*([A-Za-z0-9]{1,32})://")

_KNOWN = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise leaves this class without annotations

MAIL = frozenset({"mailto", "mailtos"})

_DIVIDED = MAIL | {"tgram"}
"""Services whose address may name several readers, who are then sent to one after the other."""

MOST_NODES = 100_000
"""More than any channels file holds. A few lines of aliases (*) can stand for billions of entries."""

_FINGERPRINT = 16
"""Hexadecimal digits that tell one address from another."""


@dataclass
class Channel:
    """
    One address. Its URL stays within Apprise's object and out of `repr`.

    `id` is a fingerprint of what is written in the file, tags apart: it stays as long as the address does, and does
    not give it away. `tags` are in lower case, with Apprise's priority: a higher number is tried where the lower ones
    failed. Whoever sends holds `turn`, so that the parts of one message stay together.
    """

    id: str
    schema: str
    tags: Mapping[str, int]
    address: NotifyBase = field(repr=False)
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass
class ChannelsFile:
    """What a file and those that it includes hold; `stamps` are theirs as they were read."""

    channels: list[Channel] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stamps: dict[Path, Stamp] = field(default_factory=dict)


def read(path: Path) -> ChannelsFile:
    """Read Apprise's YAML configuration at `path`, with the local files that it includes. Never fails."""
    be_discreet()
    open_outbox()
    mend_dingtalk(_KNOWN)
    content = ChannelsFile()
    _read(path, content)
    return content


def stamp(file: Path) -> Stamp:
    """Return what tells whether `file` has changed."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read(path: Path, into: ChannelsFile) -> None:
    """Read one file and those that it includes, each once; the stamps tell afterwards which they were."""
    if path.resolve() in into.stamps:
        return
    into.stamps[path.resolve()] = stamp(path)
    problems = into.problems
    try:
        text = path.read_text("utf-8-sig")
        root = yaml.compose(text, yaml.SafeLoader)
        if _spread(root, {}) > MOST_NODES:
            problems.append(f"{path}: its aliases (*) stand for more than {MOST_NODES:,} entries; write them out")
            return
        content = yaml.safe_load(text)
        lines = _lines(root)
    except FileNotFoundError:
        problems.append(f"{path}: there is no such file, so nobody can be told")
        return
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problems.append(f"{path}: cannot be read ({why})")
        return
    except Exception as error:
        # PyYAML lets through whatever a value provokes that is not of the kind that its tag says.
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
        into.channels.extend(_read_entry(content, entry, where, problems))
    for other in _includes(content):
        if not other.strip("./") or not other.isprintable():
            problems.append(f"{path}: include: {other[:60]!r} is no file; name files beside this one")
        elif "://" in other:
            problems.append(f"{path}: include: only files on this machine are read; copy the addresses here")
        else:
            _read(path.parent / other, into)


def _read_entry(content: Mapping[str, Any], entry: object, where: str, problems: list[str]) -> Iterator[Channel]:
    """Let Apprise read one address at a time, in the surroundings of its file, to know which of them it refuses."""
    schema = _schema(entry)
    refused = False
    for one in _each(entry):
        addresses = _addresses(content, one)
        refused = refused or not addresses
        for address in addresses:
            if "overflow_mode" not in vars(address):
                # Apprise's own default passes over-long text on, for the service to refuse.
                address.overflow_mode = OverflowMode.SPLIT
            listen_to(type(address))
            tags = {str(tag).lower(): getattr(tag, "priority", 0) for tag in address.tags}
            if not tags:
                problems.append(f"{where}: {schema}:// carries no tag, so nothing is ever sent there")
            service = _service(schema, address)
            for name, reader in _readers(service, address):
                yield Channel(_fingerprint(one, name), service, tags, reader)
    if schema in _MISTAKEN:
        problems.append(f"{where}: {schema}:// is mistaken: {_MISTAKEN[schema]}")
    elif refused:
        problems.append(f"{where}: {_refused(schema)}")


def _addresses(content: Mapping[str, Any], entry: object) -> list[NotifyBase]:
    alone = yaml.safe_dump({**content, "urls": [entry], "include": None}, allow_unicode=True)
    # The mails' sender and the cards' footer say who writes; no icon is fetched from somebody else's server.
    asset = AppriseAsset(storage_mode="memory", app_id="Gendan", image_url_mask="")
    try:
        addresses, _ = ConfigBase.config_parse_yaml(alone, asset=asset)
    except Exception:
        # Apprise stumbles over some mistakes, and the text of its error may quote the address.
        return []
    return [address for address in addresses if isinstance(address, NotifyBase)]


def _each(entry: object) -> Iterator[object]:
    """Yield an entry for each address that `entry` stands for: a URL with a list of options is one for each."""
    if isinstance(entry, dict):
        url = next((key for key in entry if _URL.match(str(key))), None)
        if url is not None and isinstance(entry[url], list) and entry[url]:
            yield from ({**entry, url: [options]} for options in entry[url])
            return
    yield entry


def _service(schema: str, address: NotifyBase) -> str:
    """Return Apprise's schema of `address`; another one is written where its web address (https://...) is pasted."""
    names: list[str] = []
    for protocol in (address.protocol, address.secure_protocol):
        names += [protocol] if isinstance(protocol, str) else list(protocol or ())
    return schema if schema in names or not names else names[-1]


def _readers(schema: str, address: NotifyBase) -> Iterator[tuple[str, NotifyBase]]:
    """Yield an address for each of its readers: what one of them refuses is not sent to the others again."""
    targets: list[tuple[object, object]] = getattr(address, "targets", []) if schema in _DIVIDED else []
    if len(targets) < 2:
        yield "", address
        return
    for target in targets:
        one = copy.copy(address)
        vars(one)["targets"] = [target]
        yield repr(target), one


def _fingerprint(entry: object, reader: str) -> str:
    """Return what tells this address from others, as long as it is written as it is; its tags may change."""
    written = [str(entry).strip(), reader]
    if isinstance(entry, dict):
        url = next((key for key in entry if _URL.match(str(key))), "")
        options = entry.get(url)
        first = options[0] if isinstance(options, list) and options else options
        stated = {str(key): str(value) for key, value in (first if isinstance(first, dict) else {}).items()}
        written = [str(url).strip(), reader, *(f"{key}={stated[key]}" for key in sorted(stated) if key != "tag")]
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()[:_FINGERPRINT]


def _schema(entry: object) -> str:
    urls = [entry] if isinstance(entry, str) else list(entry) if isinstance(entry, dict) else []
    found = next(filter(None, (_URL.match(str(url)) for url in urls)), None)
    return found.group(1).lower() if found else ""


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
    # What is neither is named as it stands, and then is no file.
    return [str(each).strip() for each in (includes if isinstance(includes, list) else [includes] if includes else [])]


def _spread(node: yaml.Node | None, known: dict[int, float]) -> float:
    """Return how many entries a node stands for with its aliases followed; without end where it holds itself."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = inf
        parts = [each for pair in node.value for each in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_spread(part, known) for part in parts)
    return known[id(node)]


def _lines(root: yaml.Node | None) -> dict[int, int]:
    """Return the line of each entry of `urls:`, both counted from 1."""
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "urls" and isinstance(value, yaml.SequenceNode):
            return {number: item.start_mark.line + 1 for number, item in enumerate(value.value, start=1)}
    return {}
