"""YAML files read with the line of everything in them, so that a mistake is shown where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from models.errors import LibraryError

Place = tuple[str | int, ...]
"""The way to an entry: keys and list positions from the top of its file, as pydantic's `loc`."""

Model = TypeVar("Model", bound=BaseModel)

MOST_PLACES = 100_000
"""More than any library holds. A few lines of aliases (*) can stand for billions of entries."""

_NOTHING = ("", "~", "null", "Null", "NULL")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUBJECT = re.compile("^[A-Z][a-z]+ should")
_PLAINLY = {
    "too_short": "holds too few",
    "too_long": "holds too many",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "bool_parsing": "should be true or false",
    "string_type": "should be text",
    "tuple_type": "should be a list, such as [A, B]",
    "frozen_set_type": "should be a list, such as [A, B]",
    "model_type": "should be a mapping of fields to values",
    "model_attributes_type": "should be a mapping of fields to values",
    "date_from_datetime_parsing": "should be a date, such as 2026-10-01",
    "date_from_datetime_inexact": "should be a date, such as 2026-10-01",
    "date_parsing": "should be a date, such as 2026-10-01",
    "time_parsing": "should be a time, such as 09:00",
}


@dataclass(frozen=True)
class Marked:
    """
    What one file, or one entry of it, says: mappings, lists, and text or `None` at their ends.

    Numbers, dates and truth are left as text: the models read them, and name the field where they cannot.
    `lines` holds the line, from 1, on which each place of the file begins; `at` is where `value` stands in it.
    """

    file: str
    value: Any
    lines: Mapping[Place, int]
    at: Place = ()

    def entry(self, *way: str | int) -> Marked:
        """Return what stands at `way` from here."""
        value = self.value
        for step in way:
            value = value[step]
        return Marked(self.file, value, self.lines, self.at + way)

    def entries(self) -> Iterator[tuple[str, Marked]]:
        """Yield the keys of this mapping and what each holds; raises LibraryError where it is none."""
        for key in self.mapping():
            yield key, self.entry(key)

    def items(self) -> Iterator[Marked]:
        """Yield the members of this list; raises LibraryError where it is none."""
        if not isinstance(self.value, list):
            raise self.mistake("should be a list")
        for position in range(len(self.value)):
            yield self.entry(position)

    def mapping(self) -> dict[str, Any]:
        """Return this mapping; raises LibraryError where it is none."""
        if not isinstance(self.value, dict):
            raise self.mistake("should be a mapping of fields to values")
        return self.value

    def line(self, *way: str | int) -> int:
        """Return the line of what stands at `way` from here; where nothing does, of what it should stand in."""
        place = self.at + way
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def mistake(self, what: str, *way: str | int) -> LibraryError:
        """Return the refusal of what stands at `way` from here."""
        return LibraryError(self.file, self.line(*way), what)

    def read_as(self, model: type[Model], **given: Any) -> Model:
        """Return this mapping as a `model`, with the fields `given`; raises LibraryError where it is none."""
        try:
            return model.model_validate({**self.mapping(), **given})
        except ValidationError as error:
            raise self.refusal(error, model) from None

    def refusal(self, error: ValidationError, model: type[BaseModel]) -> LibraryError:
        """Return the refusal for the first of pydantic's complaints about this value, in the file's order."""
        complaints = error.errors()
        ways = [complaint["loc"] for complaint in complaints]
        # A list with a bad member is also reported as too short: the member is the mistake.
        ends = [c for c in complaints if not any(w != c["loc"] and w[: len(c["loc"])] == c["loc"] for w in ways)]
        first = min(ends, key=lambda complaint: self.line(*complaint["loc"]))
        # Pydantic also names the members of a union, which stand in no file.
        way: Place = tuple(step for n, step in enumerate(first["loc"]) if self.at + first["loc"][: n + 1] in self.lines)
        field = str(first["loc"][-1]) if first["loc"] else ""
        if first["type"] == "missing":
            return self.mistake(f"{field} is missing", *first["loc"])
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(field, model.model_fields) if len(first["loc"]) == 1 else ""
            return self.mistake(f"unknown field {field!r}{hint}", *first["loc"])
        if first["type"] == "value_error":
            return self.mistake(str(first["ctx"]["error"]), *first["loc"])
        named = ".".join(str(step) if isinstance(step, str) else f"{step + 1}" for step in way)
        what = _PLAINLY.get(first["type"]) or _SUBJECT.sub("should", first["msg"])
        value = first["input"]
        found = f", not {value!r}" if isinstance(value, str) else ""
        return self.mistake(f"{named or 'this'} {what}{found}", *first["loc"])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that is nearest to `word`, or nothing where none is near."""
    by_upper = {name.upper(): name for name in known}
    near = get_close_matches(word.upper(), by_upper, n=1)
    return f" (did you mean {by_upper[near[0]]!r}?)" if near else ""


def read_marked(path: Path) -> Marked:
    """
    Read one YAML file.

    Raises LibraryError, with the line, for a file that cannot be read, is not UTF-8, is no YAML, says one
    thing twice or says nothing.
    """
    file = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LibraryError(file, None, f"cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LibraryError(file, raw.count(b"\n", 0, error.start) + 1, "is not UTF-8; save it as UTF-8") from None
    if odd := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise LibraryError(file, line, f"holds the unprintable character U+{ord(odd.group()):04X}")
    lines: dict[Place, int] = {}
    try:
        # The C parser: twenty times as fast as the pure one, with the same nodes.
        top = YAML(typ="safe").compose(text)
        value = _plain(top, (), lines, file) if top is not None else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise LibraryError(file, mark.line + 1 if mark else None, f"is no YAML: {error.problem}") from None
    except YAMLError as error:
        raise LibraryError(file, None, f"is no YAML: {error}") from None
    except RecursionError:
        raise LibraryError(file, 1, "is nested too deep") from None
    if value is None:
        raise LibraryError(file, 1, "is empty")
    return Marked(file, value, lines)


def _plain(node: Node, at: Place, lines: dict[Place, int], file: str) -> Any:
    lines.setdefault(at, node.start_mark.line + 1)
    if len(lines) > MOST_PLACES:
        raise LibraryError(file, node.start_mark.line + 1, f"holds more than {MOST_PLACES:,} entries: split the file")
    match node:
        case ScalarNode():
            quoted = node.style in ("'", '"', "|", ">")
            return None if not quoted and node.value in _NOTHING else node.value
        case SequenceNode():
            return [_plain(item, (*at, n), lines, file) for n, item in enumerate(node.value)]
        case MappingNode():
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                key = key_node.value
                if not isinstance(key, str):
                    raise LibraryError(file, line, "a field's name should be text")
                if key in mapping:
                    raise LibraryError(file, line, f"{key} stands twice")
                lines[(*at, key)] = line
                mapping[key] = _plain(value_node, (*at, key), lines, file)
            return mapping
    raise LibraryError(file, node.start_mark.line + 1, "is no YAML that the library knows")
