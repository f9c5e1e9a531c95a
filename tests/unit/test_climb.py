"""The escalation ladder: on which mornings a stall climbs."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.calendars.workdays import Calendar
from models.escalation.climb import Pause, climb, rests_until
from models.terms.policy import Policy, Rung
from tasks.library import load_library
from tests.factories import CHINA, a_calendar, a_name, a_policy, china

LIBRARY = load_library()
LADDER = a_policy()
OFFICE = a_calendar()
CN_OFFICE = LIBRARY.calendars["cn-office"]
HOUR = timedelta(hours=1)


def mornings(stalls_at: datetime, *pauses: Pause, calendar: Calendar = OFFICE) -> list[datetime | None]:
    return climb(LADDER, calendar, stalls_at, pauses)


@pytest.mark.parametrize(
    ("stalls_at", "days"),
    [
        (china(16, 23, 59), [17, 18, 20, 25]),  # Monday: the last rung lies beyond the weekend
        (china(19, 23, 59), [20, 23, 25, 30]),  # Thursday: the second rung is on Monday
        (china(20, 23, 59), [23, 24, 26, 1]),  # Friday: the first working morning is Monday, the last is in December
        (china(21, 12), [23, 24, 26, 1]),  # Saturday: the same
        (china(20, 0, 1), [23, 24, 26, 1]),  # in the morning of a day: its own opening does not count
    ],
)
def test_the_rungs_fire_at_the_opening_of_the_first_second_fourth_and_seventh_working_day(
    stalls_at: datetime, days: list[int]
) -> None:
    fired = mornings(stalls_at)

    assert [at and at.astimezone(CHINA).day for at in fired] == days
    assert {at and (at.astimezone(CHINA).hour, at.astimezone(CHINA).minute) for at in fired} == {(9, 0)}


@pytest.mark.parametrize(
    ("stalls_on", "days"),
    [
        # From 1 to 7 October nobody works; Saturday the 10th is made up
        (date(2026, 9, 30), [date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 12), date(2026, 10, 15)]),
        # Sunday 20 September is made up; from the 25th to the 27th is Mid-Autumn
        (date(2026, 9, 18), [date(2026, 9, 20), date(2026, 9, 21), date(2026, 9, 23), date(2026, 9, 29)]),
        # A stall that begins in the holiday climbs when it is over
        (date(2026, 10, 3), [date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 12), date(2026, 10, 15)]),
    ],
)
def test_the_climb_keeps_the_holidays_and_the_make_up_days_of_national_day(stalls_on: date, days: list[date]) -> None:
    fired = mornings(CN_OFFICE.end_of(stalls_on), calendar=CN_OFFICE)

    assert fired == [CN_OFFICE.opening(day) for day in days]


def test_days_that_open_during_a_pause_do_not_count() -> None:
    tuesday_to_thursday = (china(17, 10), china(19, 18))

    assert mornings(china(13, 23, 59), tuesday_to_thursday) == [
        china(16, 9),
        china(17, 9),  # it opened before the pause began
        china(23, 9),  # Friday is the third, Monday the fourth
        china(26, 9),
    ]


@pytest.mark.parametrize(
    ("pause", "first"),
    [
        ((china(16, 9), china(16, 10)), china(17, 9)),  # it begins with the opening
        ((china(16, 8), china(16, 9)), china(16, 9)),  # it ends with the opening
        ((china(16, 9, 1), china(16, 10)), china(16, 9)),  # it begins after
        ((china(14, 9), china(15, 9)), china(16, 9)),  # on a weekend it holds up nothing
    ],
)
def test_a_morning_counts_unless_the_office_opens_during_the_pause(pause: Pause, first: datetime) -> None:
    assert mornings(china(13, 23, 59), pause)[0] == first


def test_nothing_fires_while_a_pause_has_no_end() -> None:
    assert mornings(china(13, 23, 59), (china(18, 12), None)) == [china(16, 9), china(17, 9), None, None]
    assert mornings(china(13, 23, 59), (china(17, 9), None)) == [china(16, 9), None, None, None]  # as it opens
    assert mornings(china(13, 23, 59), (china(10), None)) == [None] * 4


pauses = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 200)).map(
        lambda hours: (china(2) + hours[0] * HOUR, china(2) + (hours[0] + hours[1]) * HOUR)
    ),
    max_size=4,
)


@given(st.integers(0, 400), pauses)
@settings(deadline=None)
def test_a_climb_goes_up_on_working_mornings_outside_the_pauses(hours: int, rests: list[Pause]) -> None:
    stalls_at = china(2) + hours * HOUR

    fired = [at for at in mornings(stalls_at, *rests) if at is not None]

    assert len(fired) == 4
    assert fired == sorted(set(fired))
    for at in fired:
        assert at > stalls_at
        assert at == OFFICE.opening(at.astimezone(CHINA).date())
        assert OFFICE.is_workday(at.astimezone(CHINA).date())
        assert not any(start <= at < (end or at + HOUR) for start, end in rests)


@pytest.mark.parametrize(
    ("rest", "acknowledged_at", "until"),
    [
        (2, china(16, 10), china(18, 23, 59)),  # Monday: through Wednesday
        (2, china(19, 10), china(23, 23, 59)),  # Thursday: through Monday
        (2, china(21, 10), china(24, 23, 59)),  # Saturday: Monday and Tuesday
        (1, china(16, 23), china(17, 23, 59)),
        (0, china(16, 10), china(16, 10)),  # a ladder on which saying "received" rests nothing
    ],
)
def test_an_acknowledgement_rests_the_climb_for_working_days(
    rest: int, acknowledged_at: datetime, until: datetime
) -> None:
    end = rests_until(a_policy(acknowledged_for=rest), OFFICE, acknowledged_at)

    assert end.replace(second=0) == until


@pytest.mark.parametrize(
    "rungs",
    [
        [("L1", 0), ("L2", 0)],  # two on one day
        [("L1", 4), ("L2", 2)],  # downwards
        [("L2", 0), ("L1", 2)],  # out of sequence
        [("L1", 0), ("L1", 2)],  # twice the same
        [],  # none
    ],
)
def test_a_policy_that_does_not_climb_is_refused(rungs: list[tuple[str, int]]) -> None:
    with pytest.raises(ValidationError):
        Policy(
            code="flat",
            rungs=tuple(Rung(code=code, after=after, role="MER", asks=a_name("Do")) for code, after in rungs),
        )
