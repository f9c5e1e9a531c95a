"""Windows: who is written to at what hour, on which days, wherever the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendars.workdays import ONE_DAY, Calendar
from models.post.windows import held_until, last_slot, may_write, next_slot
from models.terms.party import NO_QUIET, Person, Quiet
from tasks.library import load_library
from tests.factories import a_calendar, china

OFFICE = load_library().calendars["cn-office"]
MINUTE = timedelta(minutes=1)
SUNDAYS_OFF = frozenset({7})


def a_person(**changes: Any) -> Person:
    """Build somebody with the hours that hold where nobody says otherwise."""
    return Person(code="chan", name="陳小姐", **changes)


def on_the_wall_of(zone: str, *when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc,arg-type]


CHAN = a_person()


# --- in China, on the days of the State Council's notice


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (china(23, 10), china(23, 10)),  # Monday morning: at once
        (china(23, 8, 30), china(23, 8, 30)),  # the quiet hours end with the minute before
        (china(23, 8, 29), china(23, 8, 30)),
        (china(23, 19, 59), china(23, 19, 59)),
        (china(23, 20), china(24, 8, 30)),  # Monday evening
        (china(24, 0), china(24, 8, 30)),
        (china(20, 20), china(23, 8, 30)),  # Friday evening: Monday
        (china(21, 12), china(23, 8, 30)),  # noon on a Saturday
        (china(30, 20, month=9), china(8, 8, 30, month=10)),  # before National Day
        (china(5, 12, month=10), china(8, 8, 30, month=10)),
        (china(9, 21, month=10), china(10, 8, 30, month=10)),  # Saturday 10 October makes a day up
        (china(19, 12, month=9), china(20, 8, 30, month=9)),  # and so does Sunday 20 September
    ],
    ids=lambda at: f"{at:%a %d %b %H:%M}",
)
def test_what_comes_in_quiet_hours_or_on_a_day_off_is_held_until_they_are_over(now: datetime, until: datetime) -> None:
    assert held_until(CHAN, OFFICE, now) == until
    assert may_write(CHAN, OFFICE, now) is (now == until)


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        (china(23, 8, 29), china(20, 13, 30), china(23, 8, 30)),  # before Monday's first: Friday's last
        (china(23, 8, 30), china(23, 8, 30), china(23, 13, 30)),  # on the minute it is that one
        (china(23, 13, 29), china(23, 8, 30), china(23, 13, 30)),
        (china(23, 22), china(23, 13, 30), china(24, 8, 30)),
        (china(22, 12), china(20, 13, 30), china(23, 8, 30)),  # a Sunday
        (china(4, 12, month=10), china(30, 13, 30, month=9), china(8, 8, 30, month=10)),
        (china(10, 9, month=10), china(10, 8, 30, month=10), china(10, 13, 30, month=10)),  # made up
    ],
    ids=lambda at: f"{at:%a %d %b %H:%M}",
)
def test_digests_come_on_working_days_only(now: datetime, last: datetime, following: datetime) -> None:
    assert (last_slot(CHAN, OFFICE, now), next_slot(CHAN, OFFICE, now)) == (last, following)


def test_a_digest_is_not_made_up_for_after_fourteen_days() -> None:
    calendar = a_calendar().with_closed(date(2026, 11, 3), date(2026, 11, 22))

    assert last_slot(CHAN, calendar, china(16, 23)) == china(2, 13, 30)
    assert last_slot(CHAN, calendar, china(17, 0)) is None
    assert next_slot(CHAN, calendar, china(17, 0)) == china(23, 8, 30)


# --- other hours


def test_without_quiet_hours_a_working_day_is_open_from_its_first_minute_to_its_last() -> None:
    awake = a_person(quiet=NO_QUIET)

    assert may_write(awake, OFFICE, china(23, 0))
    assert may_write(awake, OFFICE, china(23, 23, 59))
    assert held_until(awake, OFFICE, china(21, 12)) == china(23, 0)


def test_quiet_hours_within_a_day_leave_its_night_open() -> None:
    night = a_person(quiet=Quiet(start=time(9), end=time(17)), digests=(time(17), time(23)))

    assert may_write(night, OFFICE, china(23, 3))
    assert held_until(night, OFFICE, china(23, 9)) == china(23, 17)
    assert held_until(night, OFFICE, china(22, 12)) == china(23, 0)


def test_each_is_held_by_his_own_clock() -> None:
    berlin, new_york = (
        a_calendar(code="de", zone="Europe/Berlin"),
        a_calendar(code="us", zone="America/New_York"),
    )

    # nine in the evening in China: the afternoon in Berlin, and not yet half past eight in New York
    now = china(23, 21)
    assert held_until(CHAN, OFFICE, now) == china(24, 8, 30)
    assert held_until(CHAN, berlin, now) == now
    assert held_until(CHAN, new_york, now) == on_the_wall_of("America/New_York", 2026, 11, 23, 8, 30)


# --- where the clocks change

US = a_calendar(code="us", zone="America/New_York", weekend=frozenset())
DE = a_calendar(code="de", zone="Europe/Berlin", weekend=frozenset())
CUBA = a_calendar(code="cu", zone="America/Havana", weekend=frozenset())
EARLY = a_person(quiet=NO_QUIET, digests=(time(0, 10), time(1, 30), time(2, 30), time(3)))


@pytest.mark.parametrize(
    ("calendar", "day", "in_utc"),
    [
        (US, date(2026, 3, 7), ["05:10", "06:30", "07:30", "08:00"]),
        (US, date(2026, 3, 8), ["05:10", "06:30", "07:00"]),  # from two to three: half past two and three are one
        (US, date(2026, 11, 1), ["04:10", "05:30", "07:30", "08:00"]),  # from two back to one
        (DE, date(2026, 3, 29), ["23:10", "00:30", "01:00"]),
        (DE, date(2026, 10, 25), ["22:10", "23:30", "00:30", "02:00"]),  # from three back to two
        (CUBA, date(2026, 3, 8), ["05:00", "05:30", "06:30", "07:00"]),  # from midnight to one: the day begins then
        (CUBA, date(2026, 11, 1), ["04:10", "06:30", "07:30", "08:00"]),  # from one back to midnight
    ],
    ids=str,
)
def test_a_digest_comes_once_on_the_day_on_which_the_clocks_change(
    calendar: Calendar, day: date, in_utc: list[str]
) -> None:
    end = calendar.end_of(day)
    slots = [next_slot(EARLY, calendar, calendar.end_of(day - ONE_DAY))]
    while (following := next_slot(EARLY, calendar, slots[-1])) <= end:
        slots.append(following)

    assert [f"{slot:%H:%M}" for slot in slots] == in_utc
    assert [last_slot(EARLY, calendar, slot) for slot in slots] == slots


def test_quiet_hours_that_end_in_an_hour_that_comes_twice_do_not_begin_again() -> None:
    early = a_person(quiet=Quiet(start=time(22), end=time(1, 30)))
    first = on_the_wall_of("America/New_York", 2026, 11, 1, 1, 30).astimezone(UTC)
    again = on_the_wall_of("America/New_York", 2026, 11, 1, 1, 10, fold=1)

    assert not may_write(early, US, first - MINUTE)
    assert held_until(early, US, first - MINUTE) == first
    assert may_write(early, US, again)


def test_quiet_hours_that_end_in_an_hour_that_never_comes_end_as_the_clocks_change() -> None:
    early = a_person(quiet=Quiet(start=time(22), end=time(2, 30)))
    change = on_the_wall_of("America/New_York", 2026, 3, 8, 3).astimezone(UTC)

    assert not may_write(early, US, change - timedelta(seconds=1))
    assert held_until(early, US, change - timedelta(hours=3)) == change


def test_a_day_that_a_zone_leaves_out_has_no_digest() -> None:
    samoa = a_calendar(code="ws", zone="Pacific/Apia", weekend=frozenset())  # 30 December 2011 was left out

    last = on_the_wall_of("Pacific/Apia", 2011, 12, 29, 13, 30).astimezone(UTC)
    assert next_slot(CHAN, samoa, last) == on_the_wall_of("Pacific/Apia", 2011, 12, 31, 8, 30).astimezone(UTC)
    evening = on_the_wall_of("Pacific/Apia", 2011, 12, 29, 21)
    assert held_until(CHAN, samoa, evening) == on_the_wall_of("Pacific/Apia", 2011, 12, 31, 8, 30).astimezone(UTC)


# --- whatever the hours, days and zones

ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "America/Havana",  # changes at midnight
    "Africa/Cairo",  # changes at midnight, and back at its end
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",  # is three quarters of an hour off
)
CHANGES = (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 4, 24), date(2026, 9, 27))
walls = st.builds(time, st.integers(0, 23), st.sampled_from((0, 10, 15, 30, 45, 59)))


@st.composite
def days(draw: st.DrawFn) -> date:
    """Draw a day of 2026, often one near a change of the clocks."""
    near = draw(st.sampled_from((*CHANGES, date(2026, 10, 4), date(2026, 10, 25), date(2026, 11, 1), date(2026, 7, 1))))
    return near + draw(st.integers(-9, 9)) * ONE_DAY


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Draw a week, with holidays and make-up days, in any of the zones."""
    holidays = draw(st.frozensets(days(), max_size=8))
    made_up = draw(st.frozensets(days(), max_size=4)) - holidays
    return a_calendar(
        zone=draw(st.sampled_from(ZONES)),
        weekend=draw(st.sampled_from((frozenset({6, 7}), SUNDAYS_OFF, frozenset({5}), frozenset[int]()))),
        holidays=holidays,
        workdays=made_up,
    )


@st.composite
def people(draw: st.DrawFn) -> Person:
    """Draw somebody with quiet hours, within a day or over midnight, and digests outside them."""
    quiet = Quiet(start=draw(walls), end=draw(walls))
    digests = draw(st.lists(walls.filter(lambda wall: not quiet.holds(wall)), min_size=1, max_size=4, unique=True))
    return a_person(quiet=quiet, digests=tuple(sorted(digests)))


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Draw an instant."""
    minutes = draw(st.integers(0, 2 * 24 * 60))
    return datetime.combine(draw(days()), time(), UTC) + minutes * MINUTE


def is_plain(calendar: Calendar, instant: datetime) -> bool:
    """Say whether no clock of the calendar's zone is changed within a day of `instant`."""
    offsets = {(instant + n * timedelta(hours=1)).astimezone(calendar.tz).utcoffset() for n in range(-25, 26)}
    return len(offsets) == 1


@given(people(), calendars(), moments())
def test_on_a_plain_day_the_wall_says_who_may_be_written_to(person: Person, calendar: Calendar, now: datetime) -> None:
    wall = now.astimezone(calendar.tz)

    if is_plain(calendar, now):
        expected = calendar.is_workday(wall.date()) and not person.quiet.holds(wall.time())
        assert may_write(person, calendar, now) is expected


@given(people(), calendars(), moments())
def test_nothing_is_held_longer_than_it_must_be(person: Person, calendar: Calendar, now: datetime) -> None:
    until = held_until(person, calendar, now)

    assert until >= now
    assert may_write(person, calendar, until)
    assert held_until(person, calendar, until) == until
    step = max((until - now) / 200, MINUTE)
    waiting = [now + n * step for n in range(int((until - now) / step) + 1)]
    assert not any(may_write(person, calendar, moment) for moment in waiting if moment < until)
    if until > now:
        assert not may_write(person, calendar, until - timedelta(seconds=1))


@given(people(), calendars(), moments())
def test_between_the_last_digest_and_the_next_there_is_none(person: Person, calendar: Calendar, now: datetime) -> None:
    following = next_slot(person, calendar, now)
    last = last_slot(person, calendar, now)

    assert following > now
    assert last_slot(person, calendar, following) == following
    if last is None:
        assert last_slot(person, calendar, following - timedelta(seconds=1)) is None
    else:
        assert last <= now
        assert next_slot(person, calendar, last) == following
        assert last_slot(person, calendar, following - timedelta(seconds=1)) == last or following - last > 14 * ONE_DAY
    assert may_write(person, calendar, following) or not is_plain(calendar, following)


@given(people(), calendars(), days())
def test_every_working_day_has_each_of_its_digests_once(person: Person, calendar: Calendar, first: date) -> None:
    last = first + 4 * ONE_DAY
    end = calendar.end_of(last)
    slots: list[datetime] = []
    moment = calendar.end_of(first - ONE_DAY)
    while (moment := next_slot(person, calendar, moment)) <= end:
        slots.append(moment)

    worked = [day for n in range(5) if calendar.is_workday(day := first + n * ONE_DAY)]
    plain = [day for day in worked if is_plain(calendar, datetime.combine(day, time(12), calendar.tz))]
    stated = [(day, digest) for day in plain for digest in person.digests]
    came = [(slot.date(), slot.time()) for slot in (slot.astimezone(calendar.tz) for slot in slots)]
    assert [pair for pair in came if pair[0] in plain] == stated
    assert all(day in worked for day, _ in came)
    assert len(set(came)) == len(came) <= len(worked) * len(person.digests)
