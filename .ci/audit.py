"""
Asks whether a known weakness is in what requirements.lock names; exit status 1 if there is.

Where no advisory service can be reached, as on a closed network, nothing is known: that is said, and is no failure
unless `--strict` is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"
SERVICES = ("pypi", "osv")
ACCEPTED: dict[str, str] = {}
"""Weaknesses that we live with, by their id, each with the reason: none."""

Ask = Callable[[str], list[dict[str, Any]]]


def ask(service: str) -> list[dict[str, Any]]:
    """Return what a service says of each package; empty where it cannot be reached."""
    command = ["-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip", "--vulnerability-service"]
    asked = subprocess.run(
        [sys.executable, *command, service, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return []
    return packages


def audit(ask: Ask = ask, *, strict: bool = False, say: Callable[[str], object] = print) -> int:
    """Ask one service after the other until one knows the packages; say what it knows, and return the exit status."""
    packages: list[dict[str, Any]] = []
    for service in SERVICES:
        packages = ask(service) or packages
        if any("vulns" in package for package in packages):
            break
    looked_at = [package for package in packages if "vulns" in package]
    found = [
        (package, weakness)
        for package in looked_at
        for weakness in package["vulns"]
        if weakness["id"] not in ACCEPTED and not set(weakness.get("aliases", ())) & ACCEPTED.keys()
    ]
    for package, weakness in found:
        mended = ", ".join(weakness.get("fix_versions", ())) or "no release yet"
        say(f"{package['name']} {package['version']}: {weakness['id']}, mended in {mended}")
    unknown = len(packages) - len(looked_at)
    if not looked_at:
        many = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
        say(f"NOT AUDITED: no advisory service could be reached from here; nothing is known of any of {many} packages.")
    else:
        left = f"{unknown} that the service does not know"
        say(f"{len(looked_at)} packages audited, {len(found)} known weaknesses, {left}.")
    return 1 if found or (strict and (unknown or not looked_at)) else 0


def main(words: Sequence[str]) -> int:
    """Read the command line, and audit."""
    return audit(strict="--strict" in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
