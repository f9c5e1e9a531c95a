"""The outlook's laws, tried on generated orders in the midst of their season."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from models.book.changes import Hold
from models.book.order import OrderState, sails_by
from models.book.report import Classifier, Outcome, Promise, Report
from models.planning.outlook import Cause, Outlook, outlook, slack_days, turning_points
from models.planning.plan import planned
from models.status.standing import Standing, standing
from models.terms.template import Template
from tests.orders_in_season import CALENDARS, Season, instants, orders, seasons, templates

SECOND = timedelta(seconds=1)
DAYS = st.integers(1, 20 * 86400).map(lambda seconds: timedelta(seconds=seconds))


class Looked(NamedTuple):
    at: Standing
    ahead: Outlook


def look(season: Season, now: datetime | None = None) -> Looked:
    at = standing(season.file, now or season.now)
    ahead = outlook(season.file, at)
    assert ahead is not None
    return Looked(at, ahead)


def moved_earlier(before: Looked, after: Looked) -> dict[str, tuple[datetime, datetime]]:
    """Return the forecasts that moved to an earlier date."""
    pairs = {code: (before.ahead.forecast[code], after.ahead.forecast[code]) for code in before.ahead.forecast}
    return {code: (was, now) for code, (was, now) in pairs.items() if _whole(now) < _whole(was)}


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def leads_to(template: Template, code: str) -> set[str]:
    """Return a milestone and all that come after it."""
    found = {code}
    for later in reversed(template.backwards):
        if any(before in found for before in template.by_code[later].after):
            found.add(later)
    return found


# --- the plan


@given(st.data(), st.booleans())
def test_no_milestone_is_planned_after_what_follows_it(data: st.DataObject, squeezes: bool) -> None:
    template = data.draw(templates(squeezes=squeezes))
    order = data.draw(orders(template))
    assert order.etd is not None
    midnight = order.placed_at.replace(hour=0) + timedelta(days=20)
    hours = st.integers(-24 * 20, 24 * 30).map(lambda h: midnight + timedelta(hours=h))
    cutoffs = data.draw(st.dictionaries(st.sampled_from(["SI", "CY", "CUSTOMS"]), hours))

    due = planned(order, template, order.etd, CALENDARS, cutoffs)

    assert [(code, later) for code in due for later in template.successors[code] if due[code] > due[later]] == []
    assert all(due[m.code] <= cutoffs[m.cutoff] for m in template.milestones if m.cutoff in cutoffs)


# --- the forecast


@given(seasons())
def test_no_forecast_lies_before_that_of_a_step_not_done_before_it(season: Season) -> None:
    at, ahead = look(season)

    assert [
        (before, m.code)
        for m in season.file.template.milestones
        for before in m.after
        if m.code not in at.done and before not in at.done and ahead.forecast[m.code] < ahead.forecast[before]
    ] == []


@given(seasons())
def test_nothing_that_is_not_done_is_forecast_for_the_past(season: Season) -> None:
    at, ahead = look(season)

    assert all(ahead.forecast[code] >= _whole(at.now) for code in ahead.forecast if code not in at.done)


@given(seasons(), DAYS)
def test_waiting_never_moves_a_forecast_earlier(season: Season, later: timedelta) -> None:
    assert moved_earlier(look(season), look(season, season.now + later)) == {}


@given(seasons(), st.data())
def test_a_later_fact_never_moves_a_forecast_earlier(season: Season, data: st.DataObject) -> None:
    code, (at, later) = data.draw(steps_of(season)), data.draw(past(season, 2))

    before, after = (look(season.told(happened(season, code, instant))) for instant in (at, later))

    # A fact that comes after a failure is of another round: that is progress, no delay.
    assume(not any(at <= voided <= later for voided in before.at.voided.values()))
    assert moved_earlier(before, after) == {}


@given(seasons(), st.data(), st.booleans())
def test_a_later_promise_or_estimate_never_moves_a_forecast_earlier(
    season: Season, data: st.DataObject, firmly: bool
) -> None:
    code, (told_at,), wait = data.draw(steps_of(season)), data.draw(past(season, 1)), data.draw(DAYS)
    given_for = season.now + data.draw(DAYS)

    def told(instant: datetime) -> Looked:
        if firmly:
            return look(season.told(Promise(recorded_at=told_at, milestone=code, promised=instant)))
        return look(season.told(happened(season, code, instant, recorded_at=told_at, classifier=Classifier.EST)))

    assert moved_earlier(told(given_for), told(given_for + wait)) == {}


@given(seasons(), st.data())
def test_a_failure_never_moves_a_forecast_earlier(season: Season, data: st.DataObject) -> None:
    """Of a step that is not done; for one that is, see below."""
    before = look(season)
    waited_for = [code for code in season.file.template.codes if code not in before.at.done]
    assume(waited_for)
    code, (at,) = data.draw(st.sampled_from(waited_for)), data.draw(past(season, 1))

    after = look(season.told(happened(season, code, at, outcome=Outcome.FAILED)))

    assert moved_earlier(before, after) == {}


@given(seasons(), st.data())
def test_to_fail_instead_of_passing_never_moves_a_forecast_earlier(season: Season, data: st.DataObject) -> None:
    code, (at,) = data.draw(steps_of(season)), data.draw(past(season, 1))

    passed, failed = (
        look(season.told(happened(season, code, at, outcome=outcome))) for outcome in (Outcome.DONE, Outcome.FAILED)
    )

    assert moved_earlier(passed, failed) == {}


def steps_of(season: Season) -> st.SearchStrategy[str]:
    return st.sampled_from(season.file.template.codes)


def past(season: Season, number: int) -> st.SearchStrategy[list[datetime]]:
    """Give so many instants since the order was placed, earliest first."""
    since = season.file.order.placed_at
    return st.lists(instants(since, season.now), min_size=number, max_size=number).map(sorted)


def happened(season: Season, code: str, at: datetime, **changes: Any) -> Report:
    """Return a report that becomes known only now."""
    fields: dict[str, Any] = {"recorded_at": season.now, "occurred_at": at, "milestone": code}
    return Report(**(fields | changes))


# --- slack


@given(seasons())
def test_slack_is_negative_somewhere_exactly_where_the_etd_or_a_hard_date_breaks(season: Season) -> None:
    at, ahead = look(season)

    negative = [code for code in ahead.late if ahead.forecast[code] > ahead.late[code]]
    assert bool(negative) == breaks(season, at, ahead)
    assert negative == [code for code in ahead.forecast if ahead.at_risk(code)]


def breaks(season: Season, at: Standing, ahead: Outlook) -> bool:
    slips = season.file.template.departure not in at.done and ahead.slips
    return slips or any(ahead.forecast[hard.milestone] > hard.at for hard in ahead.hard)


@given(seasons())
def test_a_step_at_risk_leads_to_a_date_that_breaks(season: Season) -> None:
    at, ahead = look(season)
    broken = {b.hard.milestone for b in ahead.broken}
    if ahead.slips and season.file.template.departure not in at.done:
        broken.add(season.file.template.departure)

    assert all(leads_to(season.file.template, code) & broken for code in ahead.late if ahead.at_risk(code))


@given(seasons())
def test_a_date_that_breaks_puts_its_own_step_at_risk(season: Season) -> None:
    at, ahead = look(season)

    assert all(ahead.at_risk(broken.hard.milestone) for broken in ahead.broken)
    assert season.file.template.departure in at.done or not ahead.slips or ahead.at_risk(season.file.template.departure)


@given(seasons())
def test_slack_days_and_margin_are_below_zero_exactly_where_a_step_is_at_risk(season: Season) -> None:
    _, ahead = look(season)

    for code in ahead.late:
        slack, margin = slack_days(season.file, ahead, code), ahead.margin(code)
        assert slack is not None
        assert margin is not None
        assert (slack < 0) == (margin < timedelta()) == ahead.at_risk(code)


@given(seasons(), st.data())
def test_a_step_done_by_its_late_date_breaks_nothing_and_a_second_later_does(
    season: Season, data: st.DataObject
) -> None:
    """The late date is the latest one: it is tried, with a promise in the place of everything that pushes the step."""
    at, ahead = look(season)
    quiet = [code for code in ahead.late if not any(ahead.at_risk(c) for c in ahead.late) and code not in at.promises]
    assume(quiet)
    code = data.draw(st.sampled_from(quiet))
    late = ahead.late[code]
    assume(late > season.now and not late.microsecond)

    def promised(instant: datetime) -> bool:
        told = season.told(Promise(recorded_at=season.now, milestone=code, promised=instant))
        then = look(told)
        return breaks(told, then.at, then.ahead)

    assume(code not in at.voided)
    assert not promised(late)
    assert promised(late + SECOND)


@given(seasons(), st.data())
def test_between_turning_points_nothing_comes_to_be_at_risk_by_waiting(season: Season, data: st.DataObject) -> None:
    at, ahead = look(season)
    assume(at.state is OrderState.OPEN and season.file.template.foresees)
    until = min(turning_points(season.file, at), default=season.now + timedelta(days=60))
    moment = data.draw(instants(season.now, until - SECOND))

    then = look(season, moment)

    assert risky(then) == risky(Looked(at, ahead))


def risky(looked: Looked) -> set[str]:
    return {code for code in looked.at.open if looked.ahead.at_risk(code)}


@given(seasons())
def test_the_worst_case_is_never_earlier_than_the_likely_one(season: Season) -> None:
    at, ahead = look(season)
    worst = outlook(season.file, at, pessimistic=True)

    assert worst is not None
    assert moved_earlier(Looked(at, ahead), Looked(at, worst)) == {}


@given(seasons(), st.integers(0, 40))
def test_a_hold_puts_off_what_is_not_done_and_moves_no_late_date(season: Season, days: int) -> None:
    assume(look(season).at.state is OrderState.OPEN)
    until = season.now.date() + timedelta(days=days)
    before, during = look(season), look(season.told(Hold(recorded_at=season.now, until=until)))

    assert moved_earlier(before, during) == {}
    goes_on = season.file.calendar.opening(until)
    assert all(at >= goes_on for code, at in during.ahead.forecast.items() if code not in during.at.done)
    firm = [[hard for hard in looked.ahead.hard if not hard.follows_loading] for looked in (before, during)]
    assert firm[0] == firm[1]
    if not any(hard.follows_loading for hard in before.ahead.hard):
        assert {code: during.ahead.late[code] for code in before.ahead.late} == before.ahead.late


# --- sailings


@given(seasons(templates(sails_every=(3, 7))))
def test_goods_leave_with_a_vessel_that_is_known_or_comes_as_often_as_vessels_do(season: Season) -> None:
    at, ahead = look(season)
    template = season.file.template
    assume(not {template.loads, template.departure} & {*at.done, *at.promises, *at.estimates})
    assume(template.loads == template.departure or not template.by_code[template.departure].takes.likely)

    assert ahead.sails_at in vessels(season, at, until=ahead.sails_at)


def vessels(season: Season, at: Standing, until: datetime) -> set[datetime]:
    """Return the ETD, the voyages known after it, and one every few days after the last of them."""
    home, booking = season.file.calendar, at.agreed.booking
    assert at.etd is not None
    known = [
        sails_by(etd, home.end_of(etd)) if not isinstance(etd, datetime) else etd
        for etd in (at.etd, *(booking.sailings if booking else ()))
    ]
    found = {known[0], *(etd for etd in known if etd > known[0])}
    every = booking.sails_every if booking and booking.sails_every else season.file.template.sails_every
    assert every is not None
    last = max(found).astimezone(home.tz)
    while last < until:
        last += timedelta(days=every)
        found.add(last)
    return found


# --- the driving path


@given(seasons())
def test_the_driving_path_leads_from_a_step_not_done_to_the_departure(season: Season) -> None:
    at, ahead = look(season)
    template = season.file.template
    assume(template.departure not in at.done)

    assert ahead.path[-1] == template.departure
    assert not set(ahead.path) & at.done.keys()
    assert len(set(ahead.path)) == len(ahead.path)
    for before, after in zip(ahead.path, ahead.path[1:], strict=False):
        misses_its_vessel = after == template.loads and ahead.causes[after] is Cause.SAILING
        needs_the_vessel = template.by_code[before].cutoff or template.departure in leads_to(template, before)
        assert before in template.by_code[after].after or (misses_its_vessel and needs_the_vessel)


@given(seasons(), DAYS)
@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most seasons do not slip
def test_the_step_that_drives_a_slip_put_off_further_never_brings_the_departure_forward(
    season: Season, more: timedelta
) -> None:
    _, ahead = look(season)
    assume(ahead.slips and ahead.path)
    first = ahead.path[0]
    promise = Promise(recorded_at=season.now, milestone=first, promised=ahead.forecast[first] + more)

    assert look(season.told(promise)).ahead.sails_at >= ahead.sails_at
