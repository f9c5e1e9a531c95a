"""What people type after an option: days, moments, tolerances; what cannot be is refused under the option's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from pydantic import ValidationError

from models.errors import BadClock, Refused
from models.moments import parse_moment
from models.terms.tolerance import Tolerance

T = TypeVar("T")

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_MOST_DIGITS = 15
"""A double keeps these exactly."""


def moment_of(option: str, text: str) -> datetime | date:
    """Read a day, or a time with its zone; raises Refused, naming the option, for anything else."""
    try:
        return parse_moment(text)
    except BadClock as error:
        raise Refused(f"{option}: {error}") from None


def day_of(option: str, text: str) -> date:
    """Read a whole day; raises Refused, naming the option, for anything else."""
    moment = moment_of(option, text)
    if isinstance(moment, datetime):
        raise Refused(f"{option}: {text} has a time; it is a whole day, like {moment.date()}.")
    return moment


def days_of(option: str, text: str) -> tuple[date | None, date | None]:
    """Read the first and the last day of `A..B`; one day alone is the last, and `A..` has none. Raises Refused."""
    first, dots, last = text.partition("..")
    if not dots:
        first, last = "", text
    return (
        day_of(option, first) if first.strip() else None,
        day_of(option, last) if last.strip() else None,
    )


def quantity_of(option: str, text: str) -> float:
    """Read a quantity, more than 0 and at most 15 digits; raises Refused, naming the option, for anything else."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain) or len(plain.replace(".", "")) > _MOST_DIGITS or not float(plain):
        raise Refused(f"{option}: {text[:60]!r} is no quantity; write 1200 or 12.5, without separators and unit.")
    return float(plain)


def tolerance_of(option: str, text: str) -> Tolerance:
    """Read a tolerance, such as -3/+5; raises Refused, naming the option, for anything else."""
    try:
        return Tolerance.parse(text)
    except ValueError as error:
        raise Refused(f"{option}: {error}") from None


def made(order: str, make: Callable[[], T]) -> T:
    """Make what was told; what its model refuses is refused in the model's words."""
    try:
        return make()
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"])
        why = str(first.get("ctx", {}).get("error", first["msg"]))
        raise Refused(f"{order}: {f'{what}: ' if what else ''}{why}. Nothing was recorded.") from None
