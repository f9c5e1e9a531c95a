"""The bundled templates for every lead time: plans run forward, steps are reached, ordinary orders are in time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest

from models.book.order import Etd
from models.book.order_file import OrderFile
from models.calendars.workdays import Calendar
from models.planning.outlook import Outlook, outlook
from models.planning.plan import Calendars, due_dates
from models.status.standing import standing
from models.terms.template import Template
from tasks.library import load_library
from tests.factories import CHINA, a_report, an_order

LIBRARY = load_library()
TEMPLATES = LIBRARY.templates
FORESEEING = [code for code, template in TEMPLATES.items() if template.foresees]
SQUEEZING = [code for code, template in TEMPLATES.items() if template.shortest is not None]
LEAD_TIMES = range(7, 180 + 1)
MONDAY = date(2026, 6, 15)
ETDS = [
    date(2026, 6, 18),  # an ordinary week
    date(2026, 10, 3),  # amid National Day
    date(2026, 10, 9),  # just after it, before the Saturday that makes up for it
    date(2026, 2, 17),  # lunar New Year's Day
    date(2026, 3, 1),  # the factories come back
    date(2027, 2, 10),  # the Spring Festival of a year that is not published
    datetime(2026, 9, 30, 18, tzinfo=CHINA),  # a vessel's hour on the eve of a holiday
]


@cache
def every_length(code: str) -> tuple[Template, ...]:
    """Return a template for each lead time, each different one once."""
    return tuple({id(t): t for t in (TEMPLATES[code].squeezed(days) for days in LEAD_TIMES)}.values())


@pytest.mark.parametrize("code", SQUEEZING)
@pytest.mark.parametrize("days", LEAD_TIMES)
def test_a_template_fills_the_days_of_its_order_and_never_more_than_its_own(code: str, days: int) -> None:
    template = TEMPLATES[code]

    assert template.squeezed(days).lead_days == min(days, template.lead_days)


@pytest.mark.parametrize("code", SQUEEZING)
def test_squeezing_moves_steps_closer_together_and_none_past_another(code: str) -> None:
    template = TEMPLATES[code]
    in_time = sorted(template.codes, key=lambda each: template.by_code[each].offset)

    for squeezed in every_length(code):
        offsets = [squeezed.by_code[each].offset for each in in_time]
        assert offsets == sorted(offsets)
        for before, after in pairwise(in_time):
            apart = squeezed.by_code[after].offset - squeezed.by_code[before].offset
            assert apart <= template.by_code[after].offset - template.by_code[before].offset + 1  # days are whole


@pytest.mark.parametrize("code", SQUEEZING)
def test_squeezing_leaves_what_follows_the_departure_and_all_but_the_days(code: str) -> None:
    template = TEMPLATES[code]

    for squeezed in every_length(code):
        assert squeezed.by_code[squeezed.departure].offset == 0
        for each, milestone in squeezed.by_code.items():
            usual = template.by_code[each]
            assert milestone.model_copy(update={"offset": usual.offset, "takes": usual.takes}) == usual
            assert (milestone.offset, milestone.takes) == (usual.offset, usual.takes) or usual.offset < 0


@pytest.mark.parametrize("code", SQUEEZING)
def test_people_work_faster_only_down_to_the_shortest_lead_time(code: str) -> None:
    template = TEMPLATES[code]
    assert template.shortest is not None
    fastest = template.squeezed(template.shortest)

    for milestone in template.milestones:
        if milestone.offset < 0:
            pace = template.shortest / template.lead_days
            assert fastest.by_code[milestone.code].takes.likely == pytest.approx(milestone.takes.likely * pace)
    faster = template.squeezed(template.shortest // 2)
    assert [m.takes for m in faster.milestones] == [m.takes for m in fastest.milestones]


def test_a_template_that_does_not_squeeze_stays_as_it_is() -> None:
    assert TEMPLATES["container-export"].squeezed(7) is TEMPLATES["container-export"]


@pytest.mark.parametrize("etd", ETDS, ids=str)
@pytest.mark.parametrize("code", TEMPLATES)
def test_for_no_lead_time_is_a_step_due_after_its_successor(code: str, etd: Etd) -> None:
    for template in every_length(code):
        due = due_dates(template, etd, LIBRARY.calendars)
        late = [(p, m.code) for m in template.milestones for p in m.after if due[p] > due[m.code]]
        assert late == [], template.lead_days
        ship_day = etd.date() if isinstance(etd, datetime) else etd
        early = [m.code for m in template.milestones if m.offset > 0 and due[m.code].date() < ship_day]
        assert early == [], template.lead_days


@pytest.mark.parametrize("code", TEMPLATES)
def test_every_step_leads_to_the_end_of_the_deepest_follow_up(code: str) -> None:
    assert deepest(TEMPLATES[code]).followed == TEMPLATES[code].codes


@pytest.mark.parametrize("without", [False, True], ids=["whole", "without what is optional"])
@pytest.mark.parametrize("code", TEMPLATES)
def test_every_step_is_reached_by_reporting_what_is_waited_for(code: str, without: bool) -> None:
    template = deepest(TEMPLATES[code])
    if without:
        template = template.without([m.code for m in template.milestones if m.optional])
    file = an_order_at_its_start(template, MONDAY, LIBRARY.calendars)
    now = file.order.placed_at

    while waited := standing(file, now).open:
        now += timedelta(days=1)
        for each in waited:
            file = file.told(a_report(each, now, seq=len(file.entries) + 1))
    at = standing(file, now)

    assert at.reached.keys() == set(template.codes)
    assert at.passed == set()


@pytest.mark.parametrize("weekday", range(7), ids=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
@pytest.mark.parametrize("code", FORESEEING)
def test_an_order_of_the_usual_lead_time_is_in_time_when_no_holiday_is_in_the_way(code: str, weekday: int) -> None:
    file = an_order_at_its_start(deepest(TEMPLATES[code]), MONDAY + timedelta(days=weekday), without_holidays())

    ahead = forecast(file)

    assert ahead.sails_at == ahead.planned_at
    assert [each for each in file.template.codes if ahead.at_risk(each)] == []


@pytest.mark.parametrize("code", ["AFS", "HCL", "EAD"])
def test_half_the_usual_lead_time_is_too_little_and_the_next_sailing_is_missed(code: str) -> None:
    template = TEMPLATES[code]
    file = an_order_at_its_start(template, MONDAY, without_holidays(), days=template.lead_days // 2)

    ahead = forecast(file)

    late = ahead.sails_at - ahead.planned_at
    assert late > timedelta()
    assert late.days % (template.sails_every or 1) == 0
    assert ahead.path[-1] == template.departure


def deepest(template: Template) -> Template:
    """Return a template followed as deep as it goes."""
    return template.followed_to("money") if template.depths else template


def an_order_at_its_start(template: Template, etd: date, calendars: Calendars, days: int | None = None) -> OrderFile:
    """Return the file of an order that was placed this morning, as many days ahead of its ETD as its template has."""
    office = calendars[template.calendar]
    placed = office.opening(etd - timedelta(days=days or template.lead_days))
    order = an_order(etd=etd, placed_at=placed, came_in=placed, quantity=None, kind=template.kind)
    return OrderFile(order, template.squeezed(days or template.lead_days), LIBRARY.policies["standard"], calendars)


def forecast(file: OrderFile) -> Outlook:
    ahead = outlook(file, standing(file, file.order.placed_at))
    assert ahead is not None
    return ahead


@cache
def without_holidays() -> Calendars:
    """Return the library's calendars with their weekends alone."""
    return {
        code: Calendar(code=code, name=calendar.name, zone=calendar.zone, weekend=calendar.weekend)
        for code, calendar in LIBRARY.calendars.items()
    }
