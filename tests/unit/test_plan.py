"""The plan: due dates counted backwards from ETD."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.book.order import Etd
from models.calendars.workdays import Calendar
from models.planning.plan import due_dates
from models.terms.template import Template
from tasks.library import load_library
from tests.factories import CHINA, a_calendar, a_milestone, a_template, china

LIBRARY = load_library()
OFFICE = a_calendar()
FACTORY = a_calendar(code="factory", weekend=frozenset({7}))
PORT = a_calendar(code="port", weekend=frozenset())
NEW_YORK = a_calendar(code="new-york", zone="America/New_York")
CALENDARS = {calendar.code: calendar for calendar in (OFFICE, FACTORY, PORT, NEW_YORK)}
THURSDAY = date(2026, 12, 31)


def due(template: Template, etd: Etd = THURSDAY) -> dict[str, datetime]:
    return due_dates(template, etd, CALENDARS)


def day_of(template: Template, code: str, etd: Etd = THURSDAY) -> date:
    return due(template, etd)[code].astimezone(CHINA).date()


@pytest.mark.parametrize(
    ("offset", "calendar", "day"),
    [
        (-41, "office", date(2026, 11, 20)),  # a Friday
        (-40, "office", date(2026, 11, 20)),  # a Saturday moves back to Friday
        (-39, "office", date(2026, 11, 20)),  # a Sunday too
        (-38, "office", date(2026, 11, 23)),  # a Monday
        (-40, "factory", date(2026, 11, 21)),  # a factory works on Saturdays
        (-39, "factory", date(2026, 11, 21)),  # and rests on Sundays
        (-39, "port", date(2026, 11, 22)),  # a port never rests
        (0, "office", date(2026, 12, 31)),  # on the day it sails
        (2, "office", date(2027, 1, 1)),  # after it sailed: a Saturday moves back as well
    ],
)
def test_a_due_date_is_counted_from_etd_and_moves_back_to_a_working_day(offset: int, calendar: str, day: date) -> None:
    template = a_template(a_milestone("STEP", offset=offset, calendar=calendar), a_milestone("DEPARTED"))

    assert day_of(template, "STEP") == day


def test_a_due_date_lasts_until_the_end_of_its_day_where_its_party_works() -> None:
    template = a_template(
        a_milestone("HERE", offset=-3), a_milestone("THERE", offset=-3, calendar="new-york"), a_milestone("DEPARTED")
    )

    assert due(template)["HERE"] == china(28, 23, 59, month=12) + timedelta(seconds=59)
    assert due(template)["THERE"] == datetime(2026, 12, 28, 23, 59, 59, tzinfo=ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("etd", "instant"),
    [
        (date(2026, 12, 31), china(31, 23, 59, month=12) + timedelta(seconds=59)),  # a date is its whole day
        (date(2027, 1, 3), china(3, 23, 59, month=1, year=2027) + timedelta(seconds=59)),  # ships sail on Sundays
        (china(31, 18, month=12), china(31, 18, month=12)),  # a vessel's time is that time
        (datetime(2026, 12, 31, 20, tzinfo=UTC), china(1, 4, month=1, year=2027)),  # whatever its zone
    ],
)
def test_the_departure_is_due_at_the_etd_itself(etd: Etd, instant: datetime) -> None:
    assert due(a_template(), etd)["DEPARTED"] == instant


def test_what_must_be_done_on_the_day_of_departure_is_done_before_the_vessel_sails() -> None:
    template = a_template(a_milestone("ONBOARD"), a_milestone("DEPARTED", after=("ONBOARD",)))

    assert due(template, china(31, 18, month=12))["ONBOARD"] == china(31, 18, month=12)


def test_no_milestone_is_due_after_what_follows_it() -> None:
    # The port's gate is due on Sunday; the office's stamp after it on that Sunday, so on the Friday before
    gate = a_milestone("GATE_IN", offset=-11, calendar="port")
    stamp = a_milestone("STAMP", offset=-11, after=("GATE_IN",))
    template = a_template(gate, stamp, a_milestone("DEPARTED", after=("STAMP",)))

    assert day_of(template, "STAMP") == date(2026, 12, 18)
    assert day_of(template, "GATE_IN") == date(2026, 12, 18)


def test_what_follows_the_departure_is_not_due_before_it() -> None:
    """Over National Day the bank is closed and the vessel sails: the B/L does not pull the loading to September."""
    onboard = a_milestone("ONBOARD", calendar="port")
    bl = a_milestone("BL_ISSUED", offset=2, after=("ONBOARD",))
    departed = a_milestone("DEPARTED", after=("ONBOARD",))
    template = a_template(onboard, bl, departed, departure="DEPARTED", follow_to="DEPARTED")
    calendars = {"office": LIBRARY.calendars["cn-office"], "port": PORT}

    plan = due_dates(template, date(2026, 10, 3), calendars)

    assert plan["ONBOARD"].date() == plan["DEPARTED"].date() == date(2026, 10, 3)
    assert plan["BL_ISSUED"].date() == date(2026, 10, 8)


etds = st.dates(date(2026, 1, 1), date(2027, 12, 31)) | st.integers(0, 2 * 365 * 24).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


@given(st.sampled_from(list(LIBRARY.templates.values())), etds)
# Over the Spring Festival the customs rest for longer than until the delivery that follows them
@example(LIBRARY.templates["EAD"], datetime(2026, 2, 14, 16, tzinfo=UTC))
@settings(deadline=None)
def test_every_plan_of_the_library_runs_forward_on_working_days(template: Template, etd: Etd) -> None:
    plan = due_dates(template, etd, LIBRARY.calendars)

    for milestone in template.milestones:
        calendar: Calendar = LIBRARY.calendars[milestone.calendar]
        for before in milestone.after:
            assert plan[before] <= plan[milestone.code], f"{before} after {milestone.code}"
        if milestone.code != template.departure and milestone.offset <= 0:
            assert calendar.is_workday(calendar.local_date(plan[milestone.code]))
    assert list(plan) == list(template.codes)


@given(etds)
def test_a_later_etd_makes_nothing_due_earlier(etd: Etd) -> None:
    template = LIBRARY.templates["AFS"]
    later = etd + timedelta(days=1)

    plan, moved = (due_dates(template, one, LIBRARY.calendars) for one in (etd, later))

    assert all(plan[code] <= moved[code] for code in template.codes)


def test_the_day_of_a_vessels_time_is_that_of_the_orders_own_calendar() -> None:
    late_evening = datetime.combine(date(2026, 12, 30), time(20), UTC)  # already the 31st in China

    assert due(a_template(), late_evening)["CUS_REL"].date() == date(2026, 12, 30)
