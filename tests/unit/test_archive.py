"""A backup that somebody else made or changed: read as it was written, or refused before it is unpacked."""

from __future__ import annotations

import hashlib
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gendan.backups.archive import ORDERS, reading
from models.errors import GendanError, Refused

DUMP = b"PGDMP, and what pg_dump writes after it"


def part(dump: bytes = DUMP, **changes: object) -> dict[str, object]:
    return {
        "sha256": hashlib.sha256(dump).hexdigest(), "bytes": len(dump), "server": 18, "pg_dump": 18, "revision": "0001",
    } | changes  # fmt: skip


def manifest(**changes: object) -> bytes:
    told: dict[str, object] = {
        "form": 1, "made_at": "2026-11-23T03:00:00Z", "gendan": "0.2.0", "prefect": "3.8.8",
        "orders": 3, "followed": 2, "entries": 4, "parts": {ORDERS: part()},
    }  # fmt: skip
    return json.dumps(told | changes).encode()


def backup(
    folder: Path, told: bytes | None = None, dump: bytes = DUMP, how: int = zipfile.ZIP_STORED, **others: bytes
) -> Path:
    file = folder / "monday.backup"
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("gendan-backup", "A backup of Gendan", zipfile.ZIP_STORED)
        for name, content in {"manifest.json": manifest() if told is None else told, ORDERS: dump, **others}.items():
            archive.writestr(name, content)
    return file


def why(file: Path) -> str:
    with pytest.raises(Refused) as refusal, reading(file):
        pass
    return str(refusal.value)


def with_headers(file: Path, local: int, central: int, value: int) -> Path:
    """Write a 16-bit value at these offsets of both headers of each entry but the mark."""
    content = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\3\4", local), (b"PK\1\2", central)):
        at = content.find(signature, 1)
        while at != -1:
            content[at + offset : at + offset + 2] = struct.pack("<H", value)
            at = content.find(signature, at + 1)
    file.write_bytes(content)
    return file


def test_a_backup_as_it_was_written_is_read(tmp_path: Path) -> None:
    with reading(backup(tmp_path)) as archive, archive.open(ORDERS) as dump:
        assert dump.read() == DUMP
        assert archive.manifest.orders == 3


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        # as if another program had packed it, in each of the ways that a ZIP knows
        (lambda file: with_headers(file, 8, 10, 8), "packed or encrypted"),
        (lambda file: with_headers(file, 8, 10, 99), "packed or encrypted"),
        (lambda file: with_headers(file, 6, 8, 0x1), "packed or encrypted"),
        (lambda file: with_headers(file, 6, 8, 0x20), "patched"),
        (lambda file: with_headers(file, 4, 6, 99), "zip file version 9.9"),
    ],
)
def test_a_backup_of_a_form_that_none_of_ours_has_is_refused(
    tmp_path: Path, edit: Callable[[Path], Path], reason: str
) -> None:
    said = why(edit(backup(tmp_path)))

    assert reason in said
    assert "Nothing was changed" in said


@pytest.mark.parametrize("bomb", ["the manifest", "the dump"])
def test_what_would_unpack_to_much_more_is_not_unpacked(tmp_path: Path, bomb: str) -> None:
    zeros = bytes(64 << 20)
    told, dump = (zeros, DUMP) if bomb == "the manifest" else (manifest(parts={ORDERS: part(zeros)}), zeros)
    file = backup(tmp_path, told, dump, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 1 << 20

    tracemalloc.start()
    said = why(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "packed or encrypted" in said
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (bytes(2 << 20), "its manifest is too large"),
        (b"[" * 100_000, "its manifest cannot be read"),
        (b"\xff\xfe\0", "its manifest cannot be read"),
        (manifest(orders="'; DROP TABLE orders"), "its manifest cannot be read"),
        (manifest(prefect="the newest"), "its manifest cannot be read"),  # versions are compared
        (manifest(parts={ORDERS: part(bytes=4 << 40)}), "another size than its manifest says"),
        (manifest(parts={ORDERS: part(sha256="0" * 64)}), "the checksum of gendan.dump is another one"),
        (manifest(parts={"../../../etc/cron.d/x": part()}), "There is no item named"),
    ],
)
def test_a_manifest_that_lies_or_is_none_is_damage(tmp_path: Path, told: bytes, reason: str) -> None:
    assert reason in why(backup(tmp_path, told))


def test_a_part_is_no_path(tmp_path: Path) -> None:
    name = "../outside"
    file = backup(tmp_path, manifest(parts={ORDERS: part(), name: part()}), **{name: DUMP})

    with reading(file):
        pass

    assert [found.name for found in tmp_path.rglob("*")] == [file.name]
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("what", ["/dev/zero", "/dev/null", "."])
def test_what_is_no_ordinary_file_is_refused(what: str) -> None:
    assert "backup" in why(Path(what))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), bytes_=st.binary(min_size=1, max_size=8))
def test_every_changed_backup_is_whole_or_refused(tmp_path: Path, at: int, bytes_: bytes) -> None:
    file = backup(tmp_path)
    content = file.read_bytes()
    at %= len(content)
    file.write_bytes(content[:at] + bytes_ + content[at + len(bytes_) :])

    read: list[Any] = []
    try:
        with reading(file) as archive, archive.open(ORDERS) as dump:
            read.append(dump.read())
    except GendanError as refusal:
        assert "Nothing was changed" in str(refusal)  # noqa: PT017 - refused or read, either is right
    assert read in ([], [DUMP])
