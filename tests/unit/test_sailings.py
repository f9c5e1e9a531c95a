"""Sailings: which vessels leave, and the first one that the goods can be on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.book.agreement import agreed
from models.book.changes import Booking
from models.book.order import Etd
from models.calendars.workdays import Calendar
from models.planning.sailings import first_sailing, sailings
from tests.factories import a_calendar, a_template, an_order, china

SECOND = timedelta(seconds=1)
WEEKLY = a_template(sails_every=7)
DAILY = a_template()
HOME = a_calendar()


def leaving(
    *, etd: Etd = date(2026, 12, 31), weekly: bool = True, booking: Booking | None = None, home: Calendar = HOME
) -> list[datetime]:
    """Return the first five vessels, or all."""
    known = agreed(an_order(etd=etd), [booking] if booking else [])
    return list(islice(sailings(WEEKLY if weekly else DAILY, known, home), 5))


def a_booking(**fields: object) -> Booking:
    return Booking.model_validate({"recorded_at": china(1), "etd": date(2026, 12, 31)} | fields)


def ends(*days: date) -> list[datetime]:
    return [HOME.end_of(day) for day in days]


def test_the_planned_vessel_comes_first_and_then_one_every_week() -> None:
    assert leaving()[:3] == ends(date(2026, 12, 31), date(2027, 1, 7), date(2027, 1, 14))


def test_a_template_without_vessels_knows_only_the_planned_day() -> None:
    assert leaving(weekly=False) == ends(date(2026, 12, 31))


def test_known_voyages_come_before_the_usual_ones() -> None:
    booking = a_booking(sailings=(date(2027, 1, 10), date(2027, 1, 4)))

    assert leaving(booking=booking)[:4] == ends(
        date(2026, 12, 31), date(2027, 1, 4), date(2027, 1, 10), date(2027, 1, 17)
    )


def test_a_voyage_before_the_booked_one_is_none_for_these_goods() -> None:
    booking = a_booking(sailings=(date(2026, 12, 24), date(2026, 12, 31)))

    assert leaving(booking=booking)[:2] == ends(date(2026, 12, 31), date(2027, 1, 7))


def test_a_booking_says_how_often_its_vessels_leave() -> None:
    assert leaving(weekly=False, booking=a_booking(sails_every=10))[:2] == ends(date(2026, 12, 31), date(2027, 1, 10))
    assert leaving(booking=a_booking(sails_every=10))[:2] == ends(date(2026, 12, 31), date(2027, 1, 10))


def test_the_next_vessel_leaves_at_the_same_hour_of_the_wall_when_clocks_change() -> None:
    new_york = ZoneInfo("America/New_York")
    home = a_calendar(zone="America/New_York")

    vessels = leaving(etd=datetime(2026, 10, 29, 18, tzinfo=new_york), home=home)

    assert vessels[1] == datetime(2026, 11, 5, 18, tzinfo=new_york)
    assert vessels[1].astimezone(ZoneInfo("UTC")) - vessels[0].astimezone(ZoneInfo("UTC")) == timedelta(days=7, hours=1)


FIRST, NEXT, THIRD = china(31, 18, month=12), china(7, 18, month=1, year=2027), china(14, 18, month=1, year=2027)
VESSELS = (FIRST, NEXT, THIRD)
CY = china(30, 12, month=12)


@pytest.mark.parametrize(
    ("ready", "gate_in", "sails"),
    [
        (FIRST, CY, FIRST),  # on the last second of both
        (FIRST + SECOND, CY, NEXT),  # a second too late for the loading
        (FIRST, CY + SECOND, NEXT),  # a second too late at the gate
        (FIRST, CY + timedelta(days=7), NEXT),  # the next vessel's cut-off lies as far before it
        (FIRST, CY + timedelta(days=7) + SECOND, THIRD),
        (NEXT + SECOND, CY, THIRD),
    ],
)
def test_goods_that_miss_a_vessel_by_a_second_leave_with_the_next(
    ready: datetime, gate_in: datetime, sails: datetime
) -> None:
    assert first_sailing(VESSELS, ready, [(gate_in, CY)]) == sails


def test_rolled_goods_are_not_on_the_vessel_that_left_them_behind() -> None:
    assert first_sailing(VESSELS, FIRST, [(CY, CY)], rolled=True) == NEXT


@pytest.mark.parametrize(
    ("ready", "gate_in", "sails"),
    [
        (FIRST + timedelta(hours=5), CY, FIRST + timedelta(hours=5)),  # ready later: they leave when they are ready
        (FIRST, CY + timedelta(hours=5), FIRST + timedelta(hours=5)),  # as much later as the cut-off is missed by
        (china(1, month=12), CY, FIRST),  # ready early: no earlier than planned
    ],
)
def test_without_another_vessel_goods_leave_as_late_as_they_are(
    ready: datetime, gate_in: datetime, sails: datetime
) -> None:
    assert first_sailing([FIRST], ready, [(gate_in, CY)]) == sails


HOURS = st.integers(-200, 700).map(lambda hours: timedelta(hours=hours))


@given(HOURS, HOURS, st.lists(HOURS, min_size=2, max_size=2), st.booleans())
def test_being_later_never_catches_an_earlier_vessel(
    ready: timedelta, more: timedelta, gate: list[timedelta], rolled: bool
) -> None:
    def sails(ready: timedelta, gate: timedelta, rolled: bool) -> datetime:
        weekly = (FIRST + timedelta(days=7 * n) for n in range(100))
        return first_sailing(weekly, FIRST + ready, [(CY + gate, CY)], rolled=rolled)

    earlier, later = sorted(gate)
    assert sails(ready, earlier, False) <= sails(max(ready, more), later, rolled)
