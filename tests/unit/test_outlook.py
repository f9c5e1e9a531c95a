"""The outlook of an order: what will happen when, what must happen by when, and what drives the ship date."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from models.book.changes import Amendment, Booking, CreditAdvised, CustomsReceipt, Hold, Reschedule, Resume
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Promise, Report
from models.planning.outlook import Cause, Outlook, outlook, slack_days, turning_points
from models.planning.sheet import sheet_of
from models.planning.state import MilestoneState
from models.status.standing import Standing, standing
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from models.terms.milestone import Rounds, Takes
from tests.factories import CHINA, a_calendar, a_milestone, a_report, a_template, an_order, an_order_file, china

SECOND = timedelta(seconds=1)
PORT = a_calendar(code="port", weekend=frozenset())


def days(likely: float, pessimistic: float | None = None) -> Takes:
    return Takes(likely=likely, pessimistic=pessimistic if pessimistic is not None else likely)


TEMPLATE = a_template(
    a_milestone("SEW_END", offset=-14, takes=days(5, 8)),
    a_milestone("FRI_PASS", offset=-8, after=("SEW_END",), takes=days(1, 2), rounds=Rounds(takes=days(3))),
    a_milestone("SO_RCVD", offset=-12, takes=days(1)),
    a_milestone("SI_SUB", offset=-5, after=("SO_RCVD",), takes=days(1), cutoff="SI"),
    a_milestone("GATE_IN", offset=-4, after=("FRI_PASS",), takes=days(1), cutoff="CY", calendar="port"),
    a_milestone("CUS_REL", offset=-3, after=("GATE_IN",), takes=days(1), cutoff="CUSTOMS"),
    a_milestone(
        "ONBOARD",
        after=("CUS_REL", "SI_SUB"),
        calendar="port",
        rounds=Rounds(reopens=("SO_RCVD", "SI_SUB", "CUS_REL")),
    ),
    a_milestone("DEPARTED", after=("ONBOARD",), calendar="port"),
    a_milestone("DOCS_SET", offset=4, after=("DEPARTED",), takes=days(2)),
    a_milestone("LC_PRESENT", offset=8, after=("DOCS_SET",), takes=days(1)),
    departure="DEPARTED",
    follow_to="DEPARTED",
    sails_every=7,
)
BOOKING = Booking(
    recorded_at=china(18, month=12),
    etd=date(2026, 12, 31),
    cutoffs={"SI": china(28, 12, month=12), "CY": china(29, 12, month=12), "CUSTOMS": china(30, 17, month=12)},
    source="S/O 7731",
)
READY = (a_report("SEW_END", china(17, month=12)), a_report("FRI_PASS", china(23, month=12)), BOOKING)
"""Sewn and inspected in time, with space on the vessel of the 31st, a Thursday."""


class Look(NamedTuple):
    file: OrderFile
    at: Standing
    ahead: Outlook

    def day(self, code: str) -> date:
        return self.ahead.forecast[code].astimezone(CHINA).date()

    def slack(self, code: str) -> int | None:
        return slack_days(self.file, self.ahead, code)

    @property
    def broken(self) -> list[str]:
        return [broken.hard.code for broken in self.ahead.broken]


def look(*entries: Entry, now: datetime, **order: Any) -> Look:
    file = an_order_file(an_order(**order), TEMPLATE, *entries, calendars=[PORT])
    at = standing(file, now)
    ahead = outlook(file, at)
    assert ahead is not None
    return Look(file, at, ahead)


def promise(code: str, at: datetime, told: datetime) -> Promise:
    return Promise(recorded_at=told, milestone=code, promised=at)


# --- the forward pass


def test_an_order_without_a_date_has_no_outlook() -> None:
    file = an_order_file(an_order(etd=None), TEMPLATE, calendars=[PORT])

    assert outlook(file, standing(file, china(20))) is None


def test_what_is_in_time_is_foreseen_as_planned() -> None:
    seen = look(now=china(1, month=12))

    assert (seen.day("FRI_PASS"), seen.ahead.causes["FRI_PASS"]) == (date(2026, 12, 23), Cause.PLAN)
    assert seen.ahead.sails_at == seen.ahead.planned_at
    assert not seen.ahead.slips


def test_what_was_due_and_is_not_done_is_done_today_at_best() -> None:
    seen = look(now=china(19, month=12))  # a Saturday

    assert (seen.day("SEW_END"), seen.ahead.causes["SEW_END"]) == (date(2026, 12, 21), Cause.TODAY)


def test_a_late_step_pushes_the_next_by_the_days_that_it_takes() -> None:
    seen = look(promise("SEW_END", china(24, 18, month=12), china(16, month=12)), now=china(16, month=12))

    assert (seen.day("FRI_PASS"), seen.ahead.causes["FRI_PASS"]) == (date(2026, 12, 25), Cause.STEP)
    assert seen.ahead.drivers["FRI_PASS"] == "SEW_END"


def test_the_last_date_that_somebody_gave_takes_the_place_of_the_usual_duration() -> None:
    promised = promise("FRI_PASS", china(28, month=12), china(16, month=12))
    estimated = a_report("FRI_PASS", china(25, month=12), recorded_at=china(17, month=12), classifier=Classifier.EST)

    assert look(promised, estimated, now=china(18, month=12)).day("FRI_PASS") == date(2026, 12, 25)
    assert look(promised, now=china(18, month=12)).day("FRI_PASS") == date(2026, 12, 28)


def test_a_date_that_went_by_says_nothing_any_more() -> None:
    sewn, noon = a_report("SEW_END", china(23, month=12)), china(23, 12, month=12)
    promised = promise("FRI_PASS", noon, china(22, month=12))

    assert look(sewn, promised, now=noon).day("FRI_PASS") == date(2026, 12, 23)
    assert look(sewn, promised, now=noon + SECOND).day("FRI_PASS") == date(2026, 12, 24)  # a day after the sewing


def test_the_worst_case_takes_the_longer_durations() -> None:
    file = look(promise("SEW_END", china(23, month=12), china(16, month=12)), now=china(16, month=12)).file
    worst = outlook(file, standing(file, china(16, month=12)), pessimistic=True)

    assert worst is not None
    assert worst.forecast["FRI_PASS"].date() == date(2026, 12, 25)  # two days of inspection instead of one


# --- cut-offs and sailings


@pytest.mark.parametrize("order", list(permutations(["SI", "CY", "CUSTOMS"])), ids="-".join)
def test_cut_offs_take_the_place_of_the_offsets_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    cutoffs = {code: china(28 + number, 12, month=12) for number, code in enumerate(order)}
    seen = look(BOOKING.model_copy(update={"cutoffs": cutoffs}), now=china(18, 12, month=12))

    assert seen.at.due["SI_SUB"] == cutoffs["SI"]
    assert seen.at.due["CUS_REL"] == cutoffs["CUSTOMS"]
    assert seen.at.due["GATE_IN"] == min(cutoffs["CY"], cutoffs["CUSTOMS"])  # the box goes in before it is released
    assert {hard.milestone: hard.at for hard in seen.ahead.hard} == {
        "SI_SUB": cutoffs["SI"],
        "GATE_IN": cutoffs["CY"],
        "CUS_REL": cutoffs["CUSTOMS"],
    }
    assert not seen.ahead.slips


def test_the_cut_off_missed_by_a_second_moves_the_ship_date_by_a_sailing() -> None:
    cy = BOOKING.cutoffs["CY"]

    in_time, late = (
        look(*READY, promise("GATE_IN", at, china(24, month=12)), now=china(28, month=12)) for at in (cy, cy + SECOND)
    )

    assert in_time.ahead.sails_at == in_time.ahead.planned_at
    assert late.ahead.sails_at == late.ahead.planned_at + timedelta(days=7)
    assert (late.broken, late.ahead.causes["DEPARTED"]) == (["CY"], Cause.SAILING)


def test_a_step_of_days_is_in_time_on_the_very_day_of_its_cut_off() -> None:
    """Nobody knows by noon what takes until some time of the day."""
    seen = look(
        *READY[:1], BOOKING, promise("FRI_PASS", china(28, 18, month=12), china(24, month=12)), now=china(24, month=12)
    )

    assert seen.ahead.forecast["GATE_IN"] == BOOKING.cutoffs["CY"]
    assert not seen.ahead.slips


def test_what_is_ready_after_the_vessel_leaves_with_the_next_and_not_a_day_later() -> None:
    seen = look(
        *READY[:2], promise("CUS_REL", china(1, month=1, year=2027), china(28, month=12)), now=china(28, month=12)
    )

    assert (seen.day("ONBOARD"), seen.day("DEPARTED")) == (date(2027, 1, 7), date(2027, 1, 7))


def test_what_only_the_departure_waits_for_misses_the_vessel_as_well() -> None:
    """Packing is no part of the loading here, and the vessel of a Saturday waits for it no more than for a box."""
    template = a_template(
        a_milestone("FAB_IN", offset=-1),
        a_milestone("PACK_DONE", offset=-1, after=("FAB_IN",), takes=days(0.5)),
        a_milestone("ONBOARD", calendar="port"),
        a_milestone("DEPARTED", after=("PACK_DONE", "ONBOARD"), calendar="port"),
        sails_every=3,
    )
    file = an_order_file(an_order(placed_at=china(9, 9, month=10), etd=date(2026, 10, 10)), template, calendars=[PORT])
    at = standing(file, china(9, 10, month=10))
    ahead = outlook(file, at)

    assert ahead is not None
    seen = Look(file, at, ahead)
    assert (seen.day("PACK_DONE"), seen.day("ONBOARD")) == (date(2026, 10, 12), date(2026, 10, 13))
    assert ahead.sails_at == file.calendar.end_of(date(2026, 10, 13))
    assert (ahead.causes["ONBOARD"], ahead.path) == (Cause.SAILING, ("FAB_IN", "PACK_DONE", "ONBOARD", "DEPARTED"))


def test_a_missed_cut_off_of_papers_alone_is_what_drives_the_ship_date() -> None:
    seen = look(*READY, promise("SI_SUB", china(28, 13, month=12), china(24, month=12)), now=china(24, month=12))

    assert seen.broken == ["SI"]
    assert seen.ahead.path == ("SI_SUB", "ONBOARD", "DEPARTED")


def test_who_gives_a_date_for_the_loading_has_a_vessel_in_mind() -> None:
    estimate = a_report(
        "ONBOARD", china(2, month=1, year=2027), recorded_at=china(28, month=12), classifier=Classifier.EST
    )

    assert look(*READY, estimate, now=china(28, month=12)).day("DEPARTED") == date(2027, 1, 2)


def test_a_vessel_expected_to_leave_early_is_foreseen_early() -> None:
    estimate = a_report("DEPARTED", china(30, 20, month=12), recorded_at=china(28, month=12), classifier=Classifier.EST)
    released = (a_report("CUS_REL", china(29, month=12)), a_report("ONBOARD", china(30, 12, month=12)))

    assert look(*READY, estimate, *released, now=china(30, 13, month=12)).ahead.sails_at == china(30, 20, month=12)


# --- rolled


def rolled() -> tuple[Entry, ...]:
    done = ("SI_SUB", "GATE_IN", "CUS_REL")
    reports = tuple(a_report(code, china(28, month=12)) for code in done)
    return (
        *READY,
        *reports,
        Report(
            recorded_at=china(31, 20, month=12),
            occurred_at=china(31, 20, month=12),
            milestone="ONBOARD",
            outcome=Outcome.FAILED,
            note="overbooked",
        ),
    )


def test_rolled_cargo_leaves_with_the_next_vessel_and_opens_what_that_one_needs() -> None:
    seen = look(*rolled(), now=china(31, 21, month=12))

    assert seen.ahead.sails_at.astimezone(CHINA).date() == date(2027, 1, 7)
    assert seen.at.open == ("SO_RCVD", "CUS_REL")
    assert "GATE_IN" in seen.at.done  # the box is in the port
    assert not {"SI_SUB", "CUS_REL"} & seen.at.done.keys()


def test_rolled_cargo_is_not_on_its_vessel_though_that_has_not_left() -> None:
    *before, failure = rolled()
    failed = failure.model_copy(update={"reopens": ()})

    seen = look(*before, failed, now=china(31, 21, month=12))

    assert (seen.day("ONBOARD"), seen.ahead.causes["ONBOARD"]) == (date(2027, 1, 7), Cause.SAILING)


def test_the_next_booking_says_when_rolled_cargo_leaves() -> None:
    week = timedelta(days=7)
    cutoffs = {code: at + week for code, at in BOOKING.cutoffs.items()}
    rebooked = Booking(recorded_at=china(2, month=1, year=2027), etd=date(2027, 1, 8), cutoffs=cutoffs)

    seen = look(*rolled(), rebooked, now=china(2, 12, month=1, year=2027))

    assert seen.ahead.sails_at == seen.ahead.planned_at
    assert seen.day("DEPARTED") == date(2027, 1, 8)
    assert seen.at.due["SI_SUB"] == china(4, 12, month=1, year=2027)
    assert set(seen.at.open) == {"SI_SUB", "CUS_REL"}


# --- customs


def a_receipt(state: CustomsState, at: datetime, takes: Takes) -> CustomsReceipt:
    return CustomsReceipt(recorded_at=at, occurred_at=at, letter=state.value, state=state, takes=takes)


INSPECTED = a_receipt(CustomsState.INSPECTION, china(29, 10, month=12), days(1, 3))
IN_THE_PORT = (*READY, a_report("SI_SUB", china(28, 9, month=12)), a_report("GATE_IN", china(28, month=12)))


def test_an_inspection_pushes_the_release_by_what_inspections_take() -> None:
    seen = look(*IN_THE_PORT, INSPECTED, now=china(29, 11, month=12))
    worst = outlook(seen.file, seen.at, pessimistic=True)

    assert seen.ahead.causes["CUS_REL"] is Cause.CUSTOMS
    assert seen.ahead.forecast["CUS_REL"] == BOOKING.cutoffs["CUSTOMS"]  # tomorrow: still in time
    assert worst is not None
    assert worst.sails_at.astimezone(CHINA).date() == date(2027, 1, 7)


def test_an_estimate_from_before_the_inspection_does_not_shorten_it() -> None:
    before, since = (
        a_report("CUS_REL", china(29, 18, month=12), recorded_at=told, classifier=Classifier.EST)
        for told in (china(28, 18, month=12), china(29, 11, month=12))
    )

    assert look(*IN_THE_PORT, before, INSPECTED, now=china(29, 12, month=12)).ahead.causes["CUS_REL"] is Cause.CUSTOMS
    assert look(*IN_THE_PORT, INSPECTED, since, now=china(29, 12, month=12)).ahead.causes["CUS_REL"] is Cause.ESTIMATE


def test_a_release_ends_the_wait() -> None:
    released = a_receipt(CustomsState.RELEASED, china(29, 16, month=12), Takes())

    assert look(*IN_THE_PORT, INSPECTED, released, now=china(29, 17, month=12)).ahead.causes["CUS_REL"] is Cause.DONE


# --- the backward pass


def test_a_late_date_leaves_what_follows_the_time_that_it_takes() -> None:
    late = look(now=china(1, month=12)).ahead.late

    assert late["DEPARTED"] == late["ONBOARD"] == late["CUS_REL"] == PORT.end_of(date(2026, 12, 31))
    assert late["GATE_IN"] == PORT.end_of(date(2026, 12, 30))  # a day for customs
    assert late["FRI_PASS"] == PORT.end_of(date(2026, 12, 29))
    assert late["SEW_END"] == PORT.end_of(date(2026, 12, 28))


def test_a_cut_off_brings_the_late_dates_before_it_forward() -> None:
    late = look(BOOKING, now=china(18, 12, month=12)).ahead.late

    assert late["GATE_IN"] == BOOKING.cutoffs["CY"]
    assert late["FRI_PASS"] == PORT.end_of(date(2026, 12, 28))


def test_what_nothing_depends_on_has_no_late_date() -> None:
    seen = look(now=china(1, month=12))

    assert "DOCS_SET" not in seen.ahead.late
    assert seen.slack("DOCS_SET") is None
    assert seen.ahead.margin("DOCS_SET") is None


@pytest.mark.parametrize(
    ("promised", "slack"),
    [
        (china(23, 18, month=12), 4),  # the 24th, 25th, 28th and 29th are left
        (china(29, 18, month=12), 0),  # on its last day
        (china(30, 18, month=12), -1),
        (china(4, 18, month=1, year=2027), -4),  # the 30th, the 31st, the 1st and Monday the 4th
    ],
)
def test_slack_counts_working_days_and_is_below_zero_once_the_late_date_is_missed(
    promised: datetime, slack: int
) -> None:
    seen = look(promise("FRI_PASS", promised, china(16, month=12)), now=china(16, month=12))

    assert seen.slack("FRI_PASS") == slack
    assert seen.ahead.at_risk("FRI_PASS") == (slack < 0) == seen.ahead.slips


# --- hard dates


@pytest.mark.parametrize(
    ("latest", "window", "first"),
    [
        (date(2027, 1, 3), date(2027, 1, 5), ["LC_44C", "SHIP_WINDOW"]),
        (date(2027, 1, 5), date(2027, 1, 3), ["SHIP_WINDOW", "LC_44C"]),
        (date(2027, 1, 5), date(2027, 1, 7), ["LC_44C"]),  # the window lasts until the next vessel
        (date(2027, 1, 7), date(2027, 1, 7), []),
    ],
)
def test_of_the_credit_and_the_ship_window_the_first_to_end_is_the_first_to_break(
    latest: date, window: date, first: list[str]
) -> None:
    credit = CreditAdvised(recorded_at=china(1), credit=Credit(latest_shipment=latest, expiry=date(2027, 1, 28)))
    late = promise("CUS_REL", china(1, month=1, year=2027), china(28, month=12))

    seen = look(*READY[:2], credit, late, now=china(28, month=12), ship_by=window)

    assert [code for code in seen.broken if code != "CUSTOMS"] == first


@pytest.mark.parametrize(
    ("on_board", "by"),
    [
        (china(31, month=12), date(2027, 1, 11)),  # ten days are over on a Sunday
        (china(2, month=1, year=2027), date(2027, 1, 12)),
    ],
)
def test_documents_are_due_at_the_bank_counted_from_the_day_on_which_the_goods_will_be_on_board(
    on_board: datetime, by: date
) -> None:
    credit = CreditAdvised(recorded_at=china(1), credit=Credit(expiry=date(2027, 1, 28), presentation_days=10))
    estimate = a_report("ONBOARD", on_board, recorded_at=china(28, month=12), classifier=Classifier.EST)

    hard = {h.code: h.at.date() for h in look(*READY[:2], credit, estimate, now=china(28, month=12)).ahead.hard}

    assert hard["LC_48"] == by
    assert hard["LC_31D"] == date(2027, 1, 28)


def test_too_short_a_time_for_the_papers_is_a_risk_of_the_papers_and_not_of_the_goods() -> None:
    """Goods that are on board earlier have their papers due earlier as well."""
    credit = CreditAdvised(recorded_at=china(1), credit=Credit(expiry=date(2027, 1, 28), presentation_days=2))

    seen = look(credit, now=china(1, month=12))

    assert seen.broken == ["LC_48"]
    assert [code for code in TEMPLATE.codes if seen.ahead.at_risk(code)] == ["DEPARTED", "DOCS_SET", "LC_PRESENT"]


def test_an_expiry_that_leaves_no_time_for_the_papers_is_a_risk_of_everything_before_them() -> None:
    credit = CreditAdvised(
        recorded_at=china(1), credit=Credit(latest_shipment=date(2027, 1, 1), expiry=date(2027, 1, 4))
    )

    late = look(credit, now=china(1, month=12)).ahead.late

    assert late["ONBOARD"] == PORT.end_of(date(2026, 12, 30))  # two days for the papers, one to present them


# --- hold


def test_on_hold_the_forecasts_wait_and_the_outside_deadlines_do_not() -> None:
    before = look(*READY[:1], BOOKING, now=china(21, month=12), ship_by=date(2027, 1, 3))
    hold = Hold(recorded_at=china(21, month=12), until=date(2026, 12, 30))
    during = look(*READY[:1], BOOKING, hold, now=china(21, month=12), ship_by=date(2027, 1, 3))

    assert during.day("FRI_PASS") == date(2026, 12, 30)
    assert during.ahead.hard == before.ahead.hard
    assert during.ahead.late == before.ahead.late
    assert during.broken == ["SI", "CY", "CUSTOMS", "SHIP_WINDOW"]


def test_a_hold_without_an_end_is_foreseen_to_end_today() -> None:
    seen = look(Hold(recorded_at=china(21, month=12)), now=china(21, month=12))

    assert seen.day("SEW_END") == date(2026, 12, 21)


def test_after_a_hold_the_policy_goes_on_where_it_stood() -> None:
    """L1 on the first working day late, L2 on the second: the days on hold are none of them."""
    hold, resume = Hold(recorded_at=china(18, 12, month=12)), Resume(recorded_at=china(24, 8, month=12))

    firings = look(hold, resume, now=china(24, 8, month=12)).at.firings["SEW_END"]

    assert [(firing.rung, firing.at) for firing in firings[:2]] == [
        ("L1", china(18, 9, month=12)),
        ("L2", china(24, 9, month=12)),
    ]


# --- the driving path


def test_the_driving_path_leads_from_the_step_that_pushes_the_ship_date_to_the_departure() -> None:
    seen = look(promise("SEW_END", china(30, month=12), china(16, month=12)), now=china(16, month=12))

    assert seen.ahead.path == ("SEW_END", "FRI_PASS", "GATE_IN", "CUS_REL", "ONBOARD", "DEPARTED")


def test_without_a_slip_the_path_has_the_least_time_left() -> None:
    seen = look(a_report("SEW_END", china(17, month=12)), now=china(17, 12, month=12))

    assert seen.ahead.path == ("FRI_PASS", "GATE_IN", "CUS_REL", "ONBOARD", "DEPARTED")


def test_once_the_goods_have_left_nothing_drives_their_date() -> None:
    left = (a_report("ONBOARD", china(31, month=12)), a_report("DEPARTED", china(31, 18, month=12)))

    seen = look(*READY, *left, now=china(31, 19, month=12))

    assert seen.ahead.path == ()
    assert seen.ahead.sails_at == china(31, 18, month=12)


# --- turning points, states and the sheet


def test_a_promise_turns_a_second_after_it_went_by() -> None:
    seen = look(promise("SEW_END", china(16, month=12), china(14, month=12)), now=china(14, 12, month=12))

    assert china(16, month=12) + SECOND in turning_points(seen.file, seen.at)


def test_a_step_turns_when_not_even_today_is_in_time() -> None:
    """Sewing must end on Monday the 28th: from the first second of Tuesday it is at risk."""
    seen = look(now=china(18, month=12))
    tuesday = china(29, 0, month=12)

    assert tuesday in turning_points(seen.file, seen.at)
    assert not look(now=tuesday - SECOND).ahead.at_risk("SEW_END")
    assert look(now=tuesday).ahead.at_risk("SEW_END")


def test_a_step_with_a_cut_off_turns_a_second_after_it() -> None:
    seen = look(*READY, now=china(24, month=12))

    assert {BOOKING.cutoffs["SI"] + SECOND, BOOKING.cutoffs["CY"] + SECOND} <= {*turning_points(seen.file, seen.at)}


@pytest.mark.parametrize(
    ("entries", "now", "code", "state"),
    [
        ((), china(1, month=12), "SEW_END", MilestoneState.IN_PROGRESS),  # it is waited for
        ((), china(1, month=12), "FRI_PASS", MilestoneState.NOT_STARTED),
        ((), china(14, month=12), "SEW_END", MilestoneState.DUE_SOON),  # a long step, five working days before
        ((), china(18, month=12), "SEW_END", MilestoneState.OVERDUE),  # a fact
        ((), china(24, month=12), "FRI_PASS", MilestoneState.BLOCKED),  # its date has passed, and it waits for sewing
        (
            (promise("SEW_END", china(30, month=12), china(16, month=12)),),
            china(16, month=12),
            "FRI_PASS",
            MilestoneState.AT_RISK,
        ),
        (
            (promise("SEW_END", china(18, month=12), china(16, month=12)),),
            china(16, month=12),
            "SEW_END",
            MilestoneState.PROMISED,
        ),
        (
            (a_report("FRI_PASS", china(2, month=12), outcome=Outcome.STARTED),),
            china(3, month=12),
            "FRI_PASS",
            MilestoneState.IN_PROGRESS,
        ),
        ((a_report("SEW_END", china(17, month=12)),), china(18, month=12), "SEW_END", MilestoneState.DONE_ON_TIME),
        ((a_report("SEW_END", china(18, month=12)),), china(18, month=12), "SEW_END", MilestoneState.DONE_LATE),
        ((a_report("FRI_PASS", china(18, month=12)),), china(18, month=12), "SEW_END", MilestoneState.PASSED),
        ((Hold(recorded_at=china(1, month=12)),), china(18, month=12), "SEW_END", MilestoneState.ON_HOLD),
        ((), china(18, month=12), "DOCS_SET", MilestoneState.SKIPPED),  # beyond how far the order is followed
    ],
)
def test_a_milestone_shows_a_fact_before_a_forecast_and_a_forecast_before_the_plan(
    entries: tuple[Entry, ...], now: datetime, code: str, state: MilestoneState
) -> None:
    seen = look(*entries, now=now)

    assert sheet_of(seen.file, now).line(code).state is state


def test_the_sheet_says_how_far_the_ship_date_moves_and_which_dates_break() -> None:
    seen = look(*READY, promise("GATE_IN", china(29, 13, month=12), china(24, month=12)), now=china(24, month=12))
    sheet = sheet_of(seen.file, china(24, month=12))

    assert sheet.days_moved == 7
    assert [broken.hard.code for broken in sheet.broken] == ["CY"]
    assert sheet.line("GATE_IN").slack == -1
    assert [line.code for line in sheet.lines if line.drives] == ["GATE_IN", "ONBOARD", "DEPARTED"]


def test_an_amended_order_is_foreseen_for_its_new_date() -> None:
    amended = Amendment(recorded_at=china(24, month=12), etd=date(2027, 1, 14))

    assert look(*READY, amended, now=china(24, month=12)).day("DEPARTED") == date(2027, 1, 14)
    assert look(
        *READY, Reschedule(recorded_at=china(24, month=12), etd=date(2027, 1, 14)), now=china(24, month=12)
    ).day("DEPARTED") == date(2027, 1, 14)
