"""Rules for official holiday lists: what is one, what is none, and what it makes of the calendars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendars.days_off import days_off, made_up_days, slow_days
from models.calendars.holiday_list import (
    Checked,
    HolidayList,
    Kind,
    ListMistake,
    Stated,
    checked,
    differences,
    stated,
    with_lists,
    years_of,
)
from tests.factories import a_calendar
from tests.notices import a_list, days, lines, the_year_after

LINES = lines(a_list())
OFFICE = a_calendar(official="CN", published=frozenset({2026}), estimated=days("2027-02-05..2027-02-08", "2027-09-15"))


def told(said: Iterable[tuple[date, Kind]] = LINES) -> list[Stated]:
    """Return what a file states, its first day on line 2."""
    return [Stated(day, kind, line) for line, (day, kind) in enumerate(said, start=2)]


def also(*more: tuple[str, Kind]) -> list[Stated]:
    return told([*LINES, *((date.fromisoformat(day), kind) for day, kind in more)])


def without(*dates: str) -> list[Stated]:
    return told([(day, kind) for day, kind in LINES if str(day) not in dates])


def check(said: list[Stated], statutory: Iterable[date] = ()) -> Checked:
    return checked("CN", said, years_of(said), list(statutory))


# --- reading a line


@pytest.mark.parametrize("word", ["holiday", "Holiday ", "off", "休", "放假", "休息"])
def test_a_holiday_is_said_in_many_words(word: str) -> None:
    assert stated("2027-01-01", word, 2) == Stated(date(2027, 1, 1), Kind.HOLIDAY, 2)


@pytest.mark.parametrize("word", ["workday", "WORKDAY", "班", "上班", "补班", "補班"])
def test_a_day_that_is_made_up_is_said_in_many_words(word: str) -> None:
    assert stated(" 2027-01-31", word, 7) == Stated(date(2027, 1, 31), Kind.WORKDAY, 7)


@pytest.mark.parametrize(
    ("day", "kind", "why"),
    [
        ("1 Jan 2027", "holiday", "line 9: '1 Jan 2027' is no date. Write a date like 2026-11-20"),
        ("2027-02-29", "holiday", "line 9: '2027-02-29' is a day that no calendar has"),
        ("2027-01-01T00:00:00+08:00", "holiday", "has a time; a holiday is a whole day, such as 2027-01-01"),
        ("2027-01-01", "closed", "'closed' is no kind of day; write holiday (休, 放假) or workday (班, 上班)"),
        ("2027-01-01", "", "'' is no kind of day"),
        ("", "休", "'' is no date"),
    ],
)
def test_a_line_that_says_nothing_is_refused_with_what_to_write(day: str, kind: str, why: str) -> None:
    with pytest.raises(ListMistake) as refused:
        stated(day, kind, 9)

    assert refused.value.line == 9
    assert why in str(refused.value)


# --- what is a list


def test_what_a_file_states_becomes_a_list_of_its_year() -> None:
    assert check(told()) == ((a_list(),), ())


def test_years_in_one_file_become_a_list_each_in_order() -> None:
    both = told([*lines(the_year_after()), *LINES])

    assert check(both).lists == (a_list(), the_year_after())


def test_the_last_days_of_a_december_belong_to_the_list_of_the_year_after() -> None:
    """The notice for 2019 made Monday, 31 December 2018 a holiday and Saturday the 29th a working day."""
    notice = also(("2026-12-31", Kind.HOLIDAY), ("2026-12-26", Kind.WORKDAY))

    (only,) = check(notice).lists

    assert only.year == 2027
    assert (date(2026, 12, 31) in only.holidays, date(2026, 12, 26) in only.workdays) == (True, True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (also(("2027-10-01", Kind.WORKDAY)), "line 36: 2027-10-01 is a workday here and a holiday in line 28"),
        (also(("2027-01-31", Kind.HOLIDAY)), "line 36: 2027-01-31 is a holiday here and a workday in line 5"),
        (without("2027-05-01"), "line 2: the holidays of 2027 are not whole: 1 May missing"),
        (without("2027-01-01", "2027-10-01"), "1 January, 1 October missing. Load all holidays of a year at once"),
        (also(("2072-06-09", Kind.HOLIDAY)), "line 36: the holidays of 2072 are not whole"),  # a slip of the pen
        (told([(date(2027, 1, 31), Kind.WORKDAY)]), "line 2: 2027 has no holiday"),
        (also(("1999-10-01", Kind.HOLIDAY)), "1999 is no year for a list (2000 to 2090): is it mistyped?"),
        (
            also(*((f"2027-07-{day:02}", Kind.HOLIDAY) for day in range(1, 32)), ("2027-08-01", Kind.HOLIDAY)),
            "2027 has 61 holidays. Leave out the weekends that belong to none",
        ),
        (
            also(*((f"2027-07-{day:02}", Kind.WORKDAY) for day in range(1, 22))),
            "2027 has 26 working days. Name only the weekend days that are worked",
        ),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(said: list[Stated], why: str) -> None:
    with pytest.raises(ListMistake) as refused:
        check(said)

    assert why in str(refused.value)


def test_a_day_outside_the_years_that_the_file_names_is_refused() -> None:
    with pytest.raises(ListMistake, match=r"line 36: 2028-01-01 lies outside 2027\. Put it under its own year"):
        checked("CN", also(("2028-01-01", Kind.HOLIDAY)), [2027])


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    *said, october, february = also(("2027-10-01", Kind.WORKDAY), ("2027-02-05", Kind.WORKDAY))

    with pytest.raises(ListMistake) as refused:
        check([*said, february, october])

    first, *rest = str(refused.value).splitlines()
    assert first == "the list is not taken"
    assert [line.split(":")[0] for line in rest] == ["  line 36", "  line 37"]


@pytest.mark.parametrize(
    ("said", "statutory", "warning"),
    [
        (also(("2027-03-03", Kind.WORKDAY)), [], "line 36: 2027-03-03 is a Wednesday, which is worked anyway"),
        (also(("2027-01-01", Kind.HOLIDAY)), [], "line 36: 2027-01-01 stands in line 2 already"),
        (without("2027-09-15"), days("2027-09-15"), "2027-09-15 is a holiday by law, and this list has it worked"),
    ],
)
def test_what_is_odd_is_said_and_taken(said: list[Stated], statutory: list[date], warning: str) -> None:
    taken = check(said, statutory)

    assert len(taken.lists) == 1
    assert [text.startswith(warning) for text in taken.warnings] == [True]


def test_a_statutory_day_on_a_weekend_need_not_be_named() -> None:
    assert check(without("2027-02-06"), days("2027-02-06")).warnings == ()


# --- two lists of a year


def test_two_lists_differ_in_the_days_of_which_they_say_something_else() -> None:
    corrected = a_list(
        holidays=(a_list().holidays | days("2027-02-14")) - days("2027-09-15"),
        workdays=a_list().workdays - days("2027-01-31"),
    )

    assert [str(difference) for difference in differences(a_list(), corrected)] == [
        "Sun 31 Jan 2027: not named, was working day",
        "Sun 14 Feb 2027: holiday, was not named",
        "Wed 15 Sep 2027: not named, was holiday",
    ]


DAYS_OF_2027 = st.dates(date(2027, 1, 1), date(2027, 12, 31))


@st.composite
def some_lists(draw: st.DrawFn) -> HolidayList:
    holidays = draw(st.frozensets(DAYS_OF_2027, max_size=40))
    workdays = draw(st.frozensets(DAYS_OF_2027, max_size=15)) - holidays
    return a_list(holidays=holidays, workdays=workdays)


@given(old=some_lists(), new=some_lists())
def test_lists_without_a_difference_are_the_same(old: HolidayList, new: HolidayList) -> None:
    assert (not differences(old, new)) == (old == new)
    assert {d.day for d in differences(old, new)} == {d.day for d in differences(new, old)}


# --- calendars with lists


@given(notice=some_lists(), day=DAYS_OF_2027)
def test_with_its_list_a_day_is_what_the_list_says_and_else_what_the_week_says(notice: HolidayList, day: date) -> None:
    office = with_lists({"office": OFFICE}, [notice])["office"]

    said = notice.says(day)
    assert office.is_workday(day) == (said is Kind.WORKDAY or (said is None and day.isoweekday() < 6))
    assert not office.is_provisional(day)


def test_of_a_year_the_last_list_holds_as_if_the_one_before_had_never_been() -> None:
    first = a_list(holidays=a_list().holidays | days("2027-03-01"))

    assert with_lists({"office": OFFICE}, [first, a_list()]) == with_lists({"office": OFFICE}, [a_list()])


def test_a_calendar_of_no_list_stays_the_very_same() -> None:
    bank = a_calendar(code="bank")

    assert with_lists({"bank": bank, "office": OFFICE}, [a_list()])["bank"] is bank


def test_a_year_that_a_calendar_has_published_itself_stays_as_it_is() -> None:
    ahead = a_calendar(official="CN", published=frozenset({2026, 2027}), holidays=days("2027-03-01"))

    assert with_lists({"office": ahead}, [a_list()])["office"] is ahead


def test_a_list_after_a_missing_year_waits_for_it() -> None:
    alone = with_lists({"office": OFFICE}, [the_year_after()])["office"]
    both = with_lists({"office": OFFICE}, [the_year_after(), a_list()])["office"]

    assert alone.published == {2026}
    assert both.published == {2026, 2027, 2028}


def test_a_factory_that_is_closed_on_a_made_up_day_stays_closed() -> None:
    factory = a_calendar(official="CN", published=frozenset({2026}), holidays=days("2027-01-25..2027-02-20"))

    assert not with_lists({"factory": factory}, [a_list()])["factory"].is_workday(date(2027, 1, 31))


# --- listed for people


def test_days_off_are_told_from_one_to_another_and_a_mere_weekend_is_none() -> None:
    office = with_lists({"office": OFFICE}, [a_list()])["office"]

    told_of = list(days_off(office, date(2027, 1, 1), date(2027, 6, 30)))

    assert [(str(off.first), str(off.last)) for off in told_of] == [
        ("2027-01-01", "2027-01-03"),
        ("2027-02-05", "2027-02-14"),  # the Sunday after it with it
        ("2027-04-03", "2027-04-05"),
        ("2027-05-01", "2027-05-05"),
        ("2027-06-09", "2027-06-09"),
    ]
    assert not any(off.provisional for off in told_of)


def test_days_off_of_a_year_without_a_list_are_provisional() -> None:
    (spring, autumn) = days_off(OFFICE, date(2027, 1, 1), date(2027, 12, 31))

    assert (spring.first, spring.last, spring.provisional) == (date(2027, 2, 5), date(2027, 2, 8), True)
    assert (autumn.first, autumn.provisional) == (date(2027, 9, 15), True)


def test_weekend_days_that_are_worked_are_told() -> None:
    office = with_lists({"office": OFFICE}, [a_list()])["office"]

    assert made_up_days(office, date(2027, 1, 1), date(2027, 3, 1)) == sorted(days("2027-01-31", "2027-02-20"))


def test_slow_weeks_go_on_over_their_days_off() -> None:
    slow = {date(2027, 2, 15) + timedelta(days=n): 0.6 for n in range(14)}
    factory = a_calendar(capacity=slow, holidays=days("2027-02-17"))

    assert list(slow_days(factory, date(2027, 1, 1), date(2027, 12, 31))) == [
        (date(2027, 2, 15), date(2027, 2, 28), 0.6)
    ]
