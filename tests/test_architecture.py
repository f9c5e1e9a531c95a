"""The rooms of the house: who may know whom."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("gendan", "flows", "tasks", "notifications", "models")
"""From the door inwards: each may know those after it, none those before it."""
MODULES = sorted(path.relative_to(ROOT) for room in (*ROOMS, "migrations") for path in (ROOT / room).rglob("*.py"))

CLOCK = Path("tasks/clock.py")
CLOCK_READS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "pendulum.now",
}
"""What tells the time of day. time.monotonic measures how long something takes, and is nobody's present."""


def named(paths: Iterator[Path]) -> list[object]:
    return [pytest.param(path, id=str(path)) for path in paths]


def tree(path: Path) -> ast.Module:
    # CPython gh-106905: a collection in the middle of a parse can end it with "recursion depth mismatch".
    gc.disable()
    try:
        return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))
    finally:
        gc.enable()


def imports(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, within functions too."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which room it comes from"
            found.add(node.module or "")
    return found


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def in_room(room: str) -> Iterator[Path]:
    return (path for path in MODULES if path.parts[0] == room)


def test_the_house_was_found() -> None:
    assert {path.parts[0] for path in MODULES} == {*ROOMS, "migrations"}
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", named(in_room("models")))
def test_the_core_knows_the_standard_library_and_pydantic_only(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"models", "pydantic"}
    if path == Path("models/tables.py"):  # the shape of the tables, which tasks and migrations share
        allowed |= {"sqlalchemy"}

    assert packages(path) <= allowed


@pytest.mark.parametrize("path", named(iter(MODULES)))
def test_a_room_knows_only_the_rooms_further_in(path: Path) -> None:
    room = path.parts[0]
    # A migration outlives what the tasks of today look like: it knows the tables alone.
    allowed = {"models"} if room == "migrations" else set(ROOMS[ROOMS.index(room) :])
    if room in ("tasks", "gendan"):
        allowed |= {"migrations"}  # only for where the migrations lie

    assert packages(path) & {*ROOMS, "migrations"} <= allowed | {room}


@pytest.mark.parametrize("path", named(iter(MODULES)))
def test_only_notifications_speak_through_apprise(path: Path) -> None:
    assert path.parts[0] == "notifications" or "apprise" not in packages(path)


@pytest.mark.parametrize("room", ["models", "notifications"])
def test_the_rooms_within_know_nothing_of_prefect_and_the_database(room: str) -> None:
    for path in in_room(room):
        if path != Path("models/tables.py"):
            assert packages(path).isdisjoint({"prefect", "sqlalchemy", "psycopg", "asyncpg"}), path


@pytest.mark.parametrize("path", named(path for path in MODULES if path != CLOCK))
def test_one_place_reads_the_clock(path: Path) -> None:
    reads = {
        f"{ast.unparse(node)} (line {node.lineno})"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCK_READS
    }

    assert reads == set()
    assert not {"time", "now", "today"} & _names_from(path, "time")


def _names_from(path: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_the_clock_is_read_where_it_should_be() -> None:
    assert "datetime.now" in (ROOT / CLOCK).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", named(in_room("flows")))
def test_no_flow_is_named_like_a_package(path: Path) -> None:
    """Prefect puts the folder of an entry point first on the path: flows/calendar.py would be everybody's calendar."""
    taken = sys.stdlib_module_names | packages_distributions().keys()

    assert path.stem == "__init__" or path.stem not in taken


@pytest.mark.parametrize("path", named(iter(MODULES)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "its first line says what the room is for"


@pytest.mark.parametrize("path", named(in_room("flows")))
def test_flows_hold_functions_only(path: Path) -> None:
    assert not [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("path", named(iter(MODULES)))
def test_no_room_is_called_after_nothing(path: Path) -> None:
    assert not {"utils", "util", "helpers", "helper", "manager", "common", "misc"} & set(path.with_suffix("").parts)
