"""The outbox: an Apprise channel of our own that writes each message to a file; for the demo and for tests."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from apprise.decorators import notify

SCHEMA = "outbox"
LOG = "all.log"


def write(body: str, title: str, notify_type: str, meta: Mapping[str, Any], **rest: object) -> bool:
    """
    Write a message to the folder of its URL: `000001.txt`, `000002.txt`, and a line each in `all.log`.

    `outbox:///var/outbox` is a folder from the root, `outbox://./outbox` one under the current folder. Any number
    of processes may write at a time. Apprise turns an OSError into a failed delivery.
    """
    folder = folder_of(meta)
    folder.mkdir(parents=True, exist_ok=True)
    number = _keep(folder, f"{title}\n\n{body}\n")
    tags = ",".join(sorted(str(tag) for tag in meta.get("tag", ())))
    line = f"{number:06} [{tags}] {' '.join(title.split())}\n"
    # The message is there: what fails from here on must not let it be written again.
    with contextlib.suppress(OSError):
        # One write to a file opened for appending: lines of other processes do not come between.
        log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(log, line.encode())
        finally:
            os.close(log)
    return True


def folder_of(meta: Mapping[str, Any]) -> Path:
    """Return the folder of an outbox URL. Raises OSError where it names none."""
    first, rest = str(meta.get("host") or ""), unquote(str(meta.get("fullpath") or ""))
    if not first:
        raise FileNotFoundError(f"{SCHEMA}:// without a folder")
    path = f"{unquote(first)}{rest}"
    return Path(path) if first in (".", "..") else Path("/", path)


def _keep(folder: Path, text: str) -> int:
    """Store `text` under the next free number; nobody ever sees half of it."""
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="utf-8", prefix=".", delete=False) as draft:
        draft.write(text)
    try:
        number = max((int(p.stem) for p in folder.glob("*.txt") if p.stem.isdecimal()), default=0) + 1
        while True:
            try:
                # A link fails where the name is taken: another process was faster.
                os.link(draft.name, folder / f"{number:06}.txt")
                return number
            except FileExistsError:
                number += 1
    finally:
        with contextlib.suppress(OSError):
            Path(draft.name).unlink()


@cache
def open_outbox() -> None:
    """Make the schema known to Apprise, which loads all of its plugins for that."""
    with warnings.catch_warnings():
        # One of the plugins imports imghdr, which Python 3.11 and 3.12 complain of.
        warnings.simplefilter("ignore", DeprecationWarning)
        notify(on=SCHEMA, name="Gendan outbox")(write)  # type: ignore[no-untyped-call]  # it has no annotations
