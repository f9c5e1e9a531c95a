"""The clock track: the hours before a cut-off, that neither nights nor holds stop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.book.changes import Booking, Cancellation, Hold
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Outcome
from models.escalation.notice import Manner
from models.terms.policy import Tick
from tests.factories import (
    CUSTOMS,
    DEPARTURE,
    SEWING,
    a_milestone,
    a_policy,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)
from tests.rungs import followed, raised, tells

CUTOFF = china(28, 16)  # a Saturday
SAILS = china(30).date()
POLICY = a_policy(
    clock=(
        Tick(hours=48, told=("LOG",), urgent=False),
        Tick(hours=24, told=("LOG", "MER")),
        Tick(hours=6, told=("SALES", "LOG")),
        Tick(hours=0, told=("SALES",)),
    )
)
HOUR = timedelta(hours=1)
TEMPLATE = a_template(
    SEWING.model_copy(update={"after": (), "counted": False}),
    CUSTOMS.model_copy(update={"cutoff": "CUSTOMS"}),
    a_milestone("ONBOARD", after=("CUS_REL",), rounds={"reopens": ("CUS_REL",)}),
    DEPARTURE.model_copy(update={"after": ("ONBOARD",)}),
)
TICKS = [
    (CUTOFF - 48 * HOUR, "T-48", "LOG"),
    (CUTOFF - 24 * HOUR, "T-24", "LOG"),
    (CUTOFF - 24 * HOUR, "T-24", "MER"),
    (CUTOFF - 6 * HOUR, "T-6", "SALES"),
    (CUTOFF - 6 * HOUR, "T-6", "LOG"),
    (CUTOFF, "T-0", "SALES"),
]


def booked(*entries: Entry, at: object = None) -> OrderFile:
    booking = Booking(recorded_at=at or china(20), etd=SAILS, cutoffs={"CUSTOMS": CUTOFF})
    return an_order_file(an_order(etd=SAILS), TEMPLATE, booking, *entries, policy=POLICY)


def ticks(file: OrderFile) -> list[tuple[object, str, str]]:
    return [(line.at, line.rung, line.role) for line in raised(file, china(9, month=12), "T-")]


def test_a_cut_off_that_comes_near_is_told_hour_by_hour_although_it_is_a_weekend() -> None:
    assert ticks(booked()) == TICKS


def test_a_hold_does_not_stop_it() -> None:
    assert ticks(booked(Hold(recorded_at=china(25)))) == TICKS


def test_a_cancellation_does() -> None:
    assert ticks(booked(Cancellation(recorded_at=china(27, 18)))) == TICKS[:3]


def test_a_cut_off_that_was_met_is_no_matter_any_more() -> None:
    assert ticks(booked(a_report("CUS_REL", china(28, 9)))) == TICKS[:3]


def test_all_but_the_first_tick_break_quiet_hours() -> None:
    manners = {rung: {t.manner for t in tells(booked(), at) if t.claim.rung == rung} for at, rung, _ in TICKS}  # type: ignore[arg-type]

    assert manners == {
        "T-48": {Manner.DIGEST},
        "T-24": {Manner.URGENT},
        "T-6": {Manner.URGENT},
        "T-0": {Manner.URGENT},
    }


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (CUTOFF - 5 * HOUR, {"T-6"}),  # nobody reads that it is less than two days
        (CUTOFF + HOUR, {"T-0"}),
        (CUTOFF - 49 * HOUR, set()),
    ],
)
def test_of_the_ticks_that_nobody_was_there_to_say_only_the_last_is_said(now: object, told: set[str]) -> None:
    found = tells(booked(), now)  # type: ignore[arg-type]

    assert {tell.claim.rung for tell in found if tell.claim.rung.startswith("T-")} == told


def test_a_cut_off_that_had_passed_when_it_was_booked_is_no_news() -> None:
    assert ticks(booked(at=CUTOFF + HOUR)) == []


def test_another_cut_off_has_ticks_of_its_own() -> None:
    later = CUTOFF + timedelta(days=3)
    moved = Booking(recorded_at=china(27, 18), etd=SAILS, cutoffs={"CUSTOMS": later})

    assert ticks(booked(moved)) == [*TICKS[:3], *((at + timedelta(days=3), rung, role) for at, rung, role in TICKS)]  # type: ignore[operator]


def test_goods_that_were_rolled_met_the_cut_off_of_the_vessel_that_left_without_them() -> None:
    met, rolled = a_report("CUS_REL", china(28, 9)), a_report("ONBOARD", china(30), outcome=Outcome.FAILED)
    file = booked(met, rolled)

    assert "CUS_REL" in followed(file, china(30, 12)).template.by_code
    assert ticks(file) == TICKS[:3], "it was not missed"


def test_a_tick_holds_until_its_cut_off_is_met() -> None:
    missed = followed(booked(), CUTOFF + HOUR)
    met = followed(booked(a_report("CUS_REL", CUTOFF + HOUR)), CUTOFF + 2 * HOUR)

    assert {claim.rung for claim in missed.standing_claims if claim.rung.startswith("T-")} == {
        "T-48",
        "T-24",
        "T-6",
        "T-0",
    }
    assert not {claim.rung for claim in met.standing_claims if claim.rung.startswith("T-")}
