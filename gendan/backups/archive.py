"""The file of a backup: a ZIP with one dump for each database and a manifest, whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal

from packaging.version import Version
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from models.errors import Refused, Unavailable

ORDERS = "gendan.dump"
PREFECT = "prefect.dump"

_MARK = "gendan-backup"
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 1 << 20
"""Bytes; ours have about one thousand."""
_ENCRYPTED = 0x1


def _a_version(text: str) -> str:
    Version(text)  # raises ValueError
    return text


class Part(BaseModel):
    """The dump of one database."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    bytes: int
    #: Major versions of the server that it is of, and of the pg_dump that wrote it.
    server: int
    pg_dump: int
    #: Of the database's form; None for one without tables.
    revision: str | None


class Manifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True)

    #: Of the file: a release knows its own.
    form: Literal[1] = 1
    made_at: datetime
    gendan: str
    prefect: Annotated[str, AfterValidator(_a_version)]
    #: Rows of the order book at the instant of the dump.
    orders: int
    followed: int
    entries: int
    #: By their names in the file.
    parts: dict[str, Part]


@dataclass
class Writing:
    """A backup that is being written."""

    _zip: zipfile.ZipFile
    parts: dict[str, Part] = field(default_factory=dict)

    def add(
        self, name: str, dump: Callable[[Callable[[bytes], object]], None], *, server: int, pg_dump: int,
        revision: str | None,
    ) -> None:  # fmt: skip
        """Add the part `name`: `dump` is called with what takes its chunks."""
        digest, length = hashlib.sha256(), 0

        def take(chunk: bytes) -> None:
            nonlocal length
            digest.update(chunk)
            length += len(chunk)
            stream.write(chunk)

        with self._zip.open(name, "w", force_zip64=True) as stream:
            dump(take)
        self.parts[name] = Part(
            sha256=digest.hexdigest(), bytes=length, server=server, pg_dump=pg_dump, revision=revision
        )

    def seal(self, manifest: Manifest) -> None:
        """Add the manifest: without it the file is no backup."""
        self._zip.writestr(_MANIFEST, manifest.model_dump_json(indent=2))


@contextmanager
def writing(file: Path, *, replace: bool) -> Iterator[Writing]:
    """
    Write a backup: it has its name once it is whole and on the disk, and only its owner may read it.

    Raises:
        Refused: something of that name is there (and `replace` is not given), or another backup is writing it.
        Unavailable: its folder is missing or cannot be written, or the disk is full; what was written is removed.

    """
    draft = file.with_name(f"{file.name}.partial")
    try:
        if file.is_dir() or (file.exists() and not replace):
            what = "is a folder" if file.is_dir() else "is there already: give another name, or --replace"
            raise Refused(f"{file} {what}. Nothing was written.")
        with _alone(draft) as stream:
            try:
                with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                    archive.writestr(_MARK, "A backup of Gendan: `gendan restore` reads it.\n")
                    yield Writing(archive)
                stream.flush()
                os.fsync(stream.fileno())
                _give_its_name(draft, file, replace=replace)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
    except OSError as refused:
        if refused.errno == errno.EEXIST:
            raise Refused(f"{file} has appeared meanwhile. Nothing was written.") from None
        reason = f"the folder {file.parent} is not there" if refused.errno == errno.ENOENT else refused.strerror
        raise Unavailable(
            f"The backup {file} cannot be written: {reason}. Nothing is left of it; choose another place."
        ) from None


@contextmanager
def _alone(draft: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with contextlib.ExitStack() as kept:
        stream = os.fdopen(descriptor, "w+b")
        # What was not flushed fails a second time at the end, and was told the first time.
        kept.callback(_close, stream)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another backup is writing {draft} at this moment. Nothing was written.") from None
        os.fchmod(descriptor, 0o600)
        stream.truncate(0)
        yield stream


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stream.close()


def _give_its_name(draft: Path, file: Path, *, replace: bool) -> None:
    if replace:
        draft.replace(file)
    else:
        try:
            os.link(draft, file)  # unlike a rename it never takes the place of a file
        except FileExistsError:
            raise
        except OSError:  # FAT and some network folders have no links
            draft.rename(file)
        draft.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Archive:
    """A backup that was read through and is whole."""

    manifest: Manifest
    _zip: zipfile.ZipFile

    def open(self, name: str) -> IO[bytes]:
        """Open a part."""
        return self._zip.open(name)


@contextmanager
def reading(file: Path) -> Iterator[Archive]:
    """
    Open a backup and read it through: every checksum is looked at before anything is done with it.

    Raises Refused for a file that is none, is damaged, or was written by a release that this one does not know.
    """
    try:
        with file.open("rb") as stream:
            if _MARK.encode() not in stream.read(30 + len(_MARK)):
                raise Refused(f"{file} is no backup of Gendan. Nothing was changed.")
            archive, manifest = _read_through(file, stream)
            with archive:
                yield Archive(manifest, archive)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError) as damage:
        raise _damaged(file, str(damage) or "it breaks off") from None
    except OSError as error:
        raise Refused(f"The backup {file} cannot be read: {error.strerror}. Nothing was changed.") from None


def _read_through(file: Path, stream: IO[bytes]) -> tuple[zipfile.ZipFile, Manifest]:
    try:
        archive = zipfile.ZipFile(stream)
        manifest = _manifest(file, archive)
        for name, part in manifest.parts.items():
            _check(file, archive, name, part)
    except (Refused, OSError, zipfile.BadZipFile, KeyError, EOFError, NotImplementedError):
        raise
    except Exception as damage:
        # A flipped bit may ask for any method, password or offset, and zipfile lets through whatever comes of it.
        raise _damaged(file, "it is no ZIP file that was written by Gendan") from damage
    return archive, manifest


def _manifest(file: Path, archive: zipfile.ZipFile) -> Manifest:
    if _as_written(archive, _MANIFEST).file_size > _LARGEST_MANIFEST:
        raise _damaged(file, "its manifest is too large")
    text = archive.read(_MANIFEST)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as fault:
        if any(error["loc"] == ("form",) for error in fault.errors()):
            raise Refused(
                f"{file} was written by a newer release of Gendan than this one. Restore it with that release; "
                "nothing was changed."
            ) from None
        raise _damaged(file, "its manifest cannot be read") from None


def _check(file: Path, archive: zipfile.ZipFile, name: str, part: Part) -> None:
    if _as_written(archive, name).file_size != part.bytes:
        raise _damaged(file, f"{name} has another size than its manifest says")
    digest = hashlib.sha256()
    with archive.open(name) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != part.sha256:
        raise _damaged(file, f"the checksum of {name} is another one")


def _as_written(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Find an entry that is stored as it is, as `writing` does: a packed one may unpack to more than any disk holds."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile(f"{name} is packed or encrypted, which no backup of Gendan is")
    return entry


def _damaged(file: Path, how: str) -> Refused:
    return Refused(f"The backup {file} is damaged ({how}). Nothing was changed; take an earlier one.")
