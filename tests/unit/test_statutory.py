"""Estimated years: China's statutory days and the lunar New Year, worked out before a notice says more."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest

from tasks.library import load_library
from tasks.statutory import known_country, lunar_new_year, public_holidays, statutory_days

CALENDARS = load_library().calendars
OFFICE = CALENDARS["cn-office"]


STATUTORY = {
    # New Year; Spring Festival with its eve; Qingming; Labour Day; Dragon Boat; Mid-Autumn; National Day
    2025: "01-01 01-28 01-29 01-30 01-31 04-04 05-01 05-02 05-31 10-06 10-01 10-02 10-03",
    2027: "01-01 02-05 02-06 02-07 02-08 04-05 05-01 05-02 06-09 09-15 10-01 10-02 10-03",
    2028: "01-01 01-25 01-26 01-27 01-28 04-04 05-01 05-02 05-28 10-01 10-02 10-03",  # Mid-Autumn falls on 3 October
}


def stated(year: int) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in STATUTORY[year].split()}


@pytest.mark.parametrize("year", STATUTORY)
def test_the_statutory_days_are_those_of_the_rule_of_2025_without_days_in_lieu(year: int) -> None:
    assert statutory_days([year]) == stated(year)


@pytest.mark.parametrize("year", range(2025, 2033))
def test_there_are_thirteen_statutory_days_or_twelve_where_two_meet(year: int) -> None:
    assert len(statutory_days([year])) == (12 if year in (2028, 2031) else 13)


@pytest.mark.parametrize("year", [2025, 2026])
def test_every_statutory_day_is_off_in_the_notice(year: int) -> None:
    assert [day for day in statutory_days([year]) if chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize("year", range(2027, 2033))
def test_qingming_is_where_the_sun_is(year: int) -> None:
    terms = chinese_calendar.get_solar_terms(date(year, 4, 1), date(year, 4, 10))

    assert {day for day, name in terms if name == "清明"} <= statutory_days([year])


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2007, date(2007, 2, 18)),
        (2012, date(2012, 1, 23)),
        (2013, date(2013, 2, 10)),
        (2014, date(2014, 1, 31)),
        (2020, date(2020, 1, 25)),
        (2023, date(2023, 1, 22)),
        (2024, date(2024, 2, 10)),
        (2026, date(2026, 2, 17)),
        (2027, date(2027, 2, 6)),
        (2028, date(2028, 1, 26)),
        (2032, date(2032, 2, 11)),
    ],
)
def test_the_lunar_year_begins_on_its_first_day_not_on_the_eve(year: int, day: date) -> None:
    assert lunar_new_year(year) == day


@pytest.mark.parametrize("year", range(2007, 2027))
def test_the_lunar_new_year_is_a_holiday_between_21_january_and_20_february(year: int) -> None:
    day = lunar_new_year(year)

    assert date(year, 1, 21) <= day <= date(year, 2, 20)
    assert chinese_calendar.get_holiday_detail(day) == (True, "Spring Festival")


@pytest.mark.parametrize("code", ["cn-office", "cn-factory", "cn-bank", "cn-customs"])
def test_the_estimates_are_the_statutory_days_of_the_six_years_after_the_last_notice(code: str) -> None:
    estimated = CALENDARS[code].estimated

    assert estimated == statutory_days(range(2027, 2033))
    assert estimated > stated(2027) | stated(2028)


def test_an_estimated_year_has_its_statutory_days_off_and_no_make_up_days() -> None:
    first = date(2027, 1, 1)
    whole_year = [first + timedelta(days=n) for n in range(365)]

    worked = {day for day in whole_year if OFFICE.is_workday(day)}

    assert worked == {day for day in whole_year if day.isoweekday() <= 5} - stated(2027)


def test_a_country_or_a_part_of_one_is_known_by_its_code() -> None:
    assert known_country("US") == "US"
    assert known_country("GB-ENG") == "GB-ENG"


@pytest.mark.parametrize(
    ("country", "said"),
    [
        ("XX", "there is no country 'XX'; it should be an ISO 3166 code such as US"),
        ("us", "there is no country 'us'"),
        ("", "there is no country ''"),
        ("GB-LON", "GB has no part 'LON' with holidays of its own; there are: ENG, NIR, SCT, WLS"),
        ("CN", "stand in an official list"),
    ],
)
def test_a_country_that_is_not_known_is_refused(country: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        known_country(country)


def test_a_part_of_a_country_has_holidays_of_its_own() -> None:
    easter_monday = date(2026, 4, 6)

    assert easter_monday in public_holidays("GB-ENG", range(2026, 2027))
    assert easter_monday not in public_holidays("GB-SCT", range(2026, 2027))
