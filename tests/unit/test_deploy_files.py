"""The files in deploy/ name what there is: commands, settings, files; and their own programs read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import prefect.settings
import pytest
import yaml
from prefect.settings.legacy import _get_valid_setting_names
from prefect_redis.client import RedisMessagingSettings
from typer.main import get_command

from gendan.cli import processes  # noqa: F401 - it adds its commands
from gendan.cli.app import app
from gendan.environment import _RELIED_ON, _SUGGESTED
from tasks.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
GIVEN = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (DEPLOY / "gendan.env.example").read_text(), re.MULTILINE))


def commands() -> list[Any]:
    """Return every command of ours or Prefect's that a file in deploy/ starts, without its folder."""
    of_units = [re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE) for unit in UNITS]
    found = [(unit.stem, line) for unit, lines in zip(UNITS, of_units, strict=True) for line in lines]
    for name, service in COMPOSE["services"].items():
        if service.get("image") == "gendan":
            inner = re.fullmatch(r"sh -c 'exec (.*)'", service["command"])
            found.append((name, inner[1] if inner else service["command"]))
    return [pytest.param(line.replace("/opt/gendan/.venv/bin/", "").split(), id=name) for name, line in found]


@pytest.mark.parametrize("words", commands())
def test_every_command_there_is_takes_these_options(words: list[str]) -> None:
    program, *rest = words
    named = [word for word in rest if not word.startswith("-")]
    if program == "gendan":
        assert set(named) <= get_command(app).commands.keys()  # type: ignore[attr-defined]
        return
    assert program == "prefect"
    command = rest[: next((place for place, word in enumerate(rest) if word.startswith("-")), len(rest))]
    shown = subprocess.run(
        [sys.executable, "-m", "prefect", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "PREFECT_CLI_COLORS": "false"},
    )
    assert shown.returncode == 0, shown.stderr
    for option in (word for word in rest if word.startswith("-")):
        assert re.search(rf"(^|\s|,){option}\b", shown.stdout), f"{' '.join(command)} has no {option}"


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_every_setting_in_the_example_is_known(name: str) -> None:
    prefects = _get_valid_setting_names(prefect.settings.Settings)
    gendans = {f"GENDAN_{field.upper()}" for field in Settings.model_fields}
    redis = {f"PREFECT_REDIS_MESSAGING_{field.upper()}" for field in RedisMessagingSettings.model_fields}

    assert name in prefects | gendans | redis | {"DO_NOT_TRACK", "PYTHONUNBUFFERED"}


def test_what_gendan_relies_on_stands_in_the_example_as_gendan_up_sets_it() -> None:
    assert _RELIED_ON.items() <= GIVEN.items()
    assert _SUGGESTED.keys() - GIVEN.keys() == {"PREFECT_LOGGING_LEVEL"}, "its default is what is suggested"


def test_gendans_own_settings_in_the_example_are_valid() -> None:
    ours = {name.removeprefix("GENDAN_").lower(): value for name, value in GIVEN.items() if name.startswith("GENDAN_")}

    assert Settings(**ours).worker_limit == 8  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in GIVEN if GIVEN[name].startswith("prefect_redis.")])
def test_what_is_shared_through_redis_is_installed(name: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {GIVEN[name]}"], check=True)


def test_what_compose_starts_waits_for_what_it_needs() -> None:
    services = COMPOSE["services"]
    named = {needed for service in services.values() for needed in service.get("depends_on", {})}

    assert named <= services.keys()
    assert {service["image"] for service in services.values()} == {"gendan", "postgres:16", "redis:7", "nginx:1.26"}
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source == "./etc" or (DEPLOY / source).exists(), source


def test_the_image_has_every_room_of_the_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))

    assert copied == {"models", "tasks", "flows", "notifications", "gendan", "migrations"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = tmp_path / "bin"
    program.mkdir()
    for name in ("prefect", "gendan"):
        (program / name).write_text("#!/bin/sh\n")
        (program / name).chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/gendan/.venv/bin", str(program)))
    files = [tmp_path / unit.name for unit in UNITS]
    verified = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)

    assert len(files) == 5
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="there is no nginx")
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    # the servers' names are those of the compose file, which nobody knows here
    (tmp_path / "gendan.conf").write_text(re.sub(r"api-\d", "127.0.0.1", (DEPLOY / "nginx.conf").read_text()))
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/*.conf; }}"
    (tmp_path / "main").write_text(whole)
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program
    tested = subprocess.run(
        [program, "-t", "-p", tmp_path, "-c", tmp_path / "main"], capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stderr
