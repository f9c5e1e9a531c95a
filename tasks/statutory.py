"""Public holidays that can be worked out: China's statutory days, the lunar New Year, other countries' holidays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from holidays import country_holidays, list_supported_countries

OFFICIAL_LISTS = ("CN",)
"""The countries whose list is official: each year's working days stand in a notice, with days that are made up."""
FIRST_YEAR = 2007
"""The first year for which holidays are worked out: that of the oldest notice in the library."""

_SPRING_FESTIVAL = "Chinese New Year (Spring Festival)"
_STATUTORY = frozenset(
    {
        "New Year's Day",
        "Chinese New Year's Eve",
        _SPRING_FESTIVAL,
        "Tomb-Sweeping Day",
        "Labor Day",
        "Dragon Boat Festival",
        "Mid-Autumn Festival",
        "National Day",
    }
)
"""The names of the statutory days alone: a day off in lieu, or taken from a weekend, has a name of its own."""


def statutory_days(years: Iterable[int]) -> frozenset[date]:
    """
    Return China's statutory holidays in `years`, without days in lieu and make-up days.

    Thirteen a year since 2025: New Year 1, Spring Festival 4 with its eve, Qingming 1, Labour Day 2, Dragon Boat 1,
    Mid-Autumn 1, National Day 3; one day less where Mid-Autumn falls on National Day. Which days are added to
    them, and which weekends are worked for it, says the State Council's notice of each year (domain.md 3.3).
    """
    return frozenset(day for year in years for day, names in _named(year).items() if not _STATUTORY.isdisjoint(names))


def lunar_new_year(year: int) -> date:
    """Return the first day of the lunar year that begins in `year`, on China's wall: day 0 of a Spring Festival."""
    return min(day for day, names in _named(year).items() if _SPRING_FESTIVAL in names)


def known_list(country: str) -> str:
    """Return `country`, whose holidays stand in an official list of each year; raises ValueError for any other."""
    if country not in OFFICIAL_LISTS:
        raise ValueError(
            f"there is no official list {country!r} of working days; there is: {', '.join(OFFICIAL_LISTS)}"
        )
    return country


def known_country(country: str) -> str:
    """
    Return `country`, a code of ISO 3166 (US), or of one of its parts (GB-ENG).

    Raises ValueError for one whose holidays are not known, or stand in an official list.
    """
    code, _, part = country.partition("-")
    known = list_supported_countries(include_aliases=False)
    if code in OFFICIAL_LISTS:
        raise ValueError(
            f"the holidays of {code} stand in an official list: say official: {code}, or be like cn-office"
        )
    if code not in known:
        raise ValueError(
            f"there is no country {code!r}; it should be an ISO 3166 code such as US, or GB-ENG for a part"
        )
    if part not in ("", *known[code]):
        parts = ", ".join(known[code]) or "none"
        raise ValueError(f"{code} has no part {part!r} with holidays of its own; there are: {parts}")
    return country


@lru_cache(maxsize=64)
def public_holidays(country: str, years: range) -> frozenset[date]:
    """
    Return a country's public holidays in `years`, with the days that are off in lieu; GB-ENG is a part of one.

    Days that hang on the sight of the moon (Eid) are estimates, and may come a day earlier or later.
    """
    code, _, part = country.partition("-")
    return frozenset(country_holidays(code, subdiv=part or None, years=years))


@lru_cache(maxsize=256)
def _named(year: int) -> dict[date, list[str]]:
    """Return the days that China has off in `year`, with their English names."""
    china = country_holidays("CN", years=year, observed=False, language="en_US")
    return {day: china.get_list(day) for day in china}
