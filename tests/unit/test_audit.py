"""What `make audit` makes of what advisory services say."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AUDIT: Callable[..., int] = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "audit.py"))["audit"]

SOUND = {"name": "rich", "version": "14.0", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.1"]}]}
UNKNOWN = {"name": "gendan", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("said", "strict", "status", "words"),
    [
        ({"pypi": [SOUND]}, True, 0, "1 packages audited, 0 known weaknesses, 0 that"),
        ({"pypi": [SOUND, WEAK]}, False, 1, "jinja2 3.0: PYSEC-1, mended in 3.1"),
        ({"pypi": [SOUND, UNKNOWN]}, False, 0, "1 that the service does not know"),
        ({"pypi": [SOUND, UNKNOWN]}, True, 1, "1 that the service does not know"),
        ({"pypi": [UNKNOWN], "osv": [WEAK]}, False, 1, "PYSEC-1"),  # a mirror that knows no advisories: the next one
        ({"pypi": [UNKNOWN]}, False, 0, "NOT AUDITED"),
        ({}, False, 0, "NOT AUDITED"),
        ({}, True, 1, "NOT AUDITED"),
    ],
)
def test_a_known_weakness_fails_and_what_is_not_known_is_said(
    said: dict[str, list[dict[str, Any]]], strict: bool, status: int, words: str
) -> None:
    lines: list[str] = []

    assert AUDIT(lambda service: said.get(service, []), strict=strict, say=lines.append) == status
    assert words in "\n".join(lines)
