"""How much more or less than ordered may be shipped."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Self
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict, Field

from models.terms.credit import Credit

EXAMPLES = "Write it in percent of the ordered quantity, each less than 100: ±5%, +/-5, -3/+5, 5, or 0 for none."

_NUMBER = r"(\d{1,3}(?:\.\d{1,6})?) ?%?"
_EVEN = re.compile(rf"(?:±|\+ ?/? ?-)? ?{_NUMBER}", re.ASCII)
_LESS_FIRST = re.compile(rf"- ?{_NUMBER} ?/ ?\+ ?{_NUMBER}", re.ASCII)
_MORE_FIRST = re.compile(rf"\+ ?{_NUMBER} ?/ ?- ?{_NUMBER}", re.ASCII)


class Tolerance(BaseModel):
    """
    The band in which a shipped quantity counts as the ordered one (溢短裝).

    `less` and `more` are percent of the ordered quantity, from 0 to below 100; both bounds belong to the band.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    less: float = Field(ge=0, lt=100, allow_inf_nan=False)
    more: float = Field(ge=0, lt=100, allow_inf_nan=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `±5%`, `+/-5`, `5` (as much less as more), `-3/+5` or `+5/-3`; `0` allows nothing.

        Percent signs may be left out, full-width characters are read alike. One side alone is not enough: write
        `-3/+0`. Raises ValueError, with examples, for everything else.
        """
        plain = normalize("NFKC", text).replace("\N{MINUS SIGN}", "-").strip()
        if found := _EVEN.fullmatch(plain):
            less = more = float(found[1])
        elif found := _LESS_FIRST.fullmatch(plain):
            less, more = float(found[1]), float(found[2])
        elif found := _MORE_FIRST.fullmatch(plain):
            more, less = float(found[1]), float(found[2])
        else:
            less = more = 100
        if max(less, more) >= 100:
            raise ValueError(f"{text[:40]!r} is no tolerance. {EXAMPLES}")
        return cls(less=less, more=more)

    def least(self, quantity: float) -> float:
        """Return the smallest shipment that counts as `quantity`, in its unit and not rounded to whole ones."""
        return float(self._band(quantity)[0])

    def most(self, quantity: float) -> float:
        """Return the largest shipment that counts as `quantity`, in its unit and not rounded to whole ones."""
        return float(self._band(quantity)[1])

    def in_full(self, quantity: float, shipped: float) -> bool:
        """Say whether `shipped` lies within the band around `quantity`; too much is outside, too (domain.md 5.1)."""
        least, most = self._band(quantity)
        return least <= _exact(shipped) <= most

    def _band(self, quantity: float) -> tuple[Decimal, Decimal]:
        percent = _exact(quantity) / 100
        return percent * (100 - _exact(self.less)), percent * (100 + _exact(self.more))


def credit_tolerance(credit: Credit) -> Tolerance | None:
    """
    Return the band that UCP 600 art. 30 gives to the quantity of a credit; `None` when it gives none.

    "About" is 10 % either way (30(a)). A quantity by weight, length or volume has 5 % (30(b)), but no more may be
    drawn than the amount of the credit. In packing units or individual items, what the credit states is exact
    unless its own words say otherwise.
    """
    if credit.about:
        return Tolerance(less=10, more=10)
    return None if credit.counted_in_units else Tolerance(less=5, more=5)


def narrower(one: Tolerance, other: Tolerance) -> Tolerance:
    """Return the band that keeps to both: on each side the smaller percentage."""
    return Tolerance(less=min(one.less, other.less), more=min(one.more, other.more))


def _exact(number: float) -> Decimal:
    """Return the number that was written: 5 % less than 0.3 is 0.285."""
    return Decimal(str(number))
