"""Letters of credit: the last day on board, the last day at the bank, and what a split may not do."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.calendars.workdays import Calendar
from models.terms.credit import (
    Consignment,
    Credit,
    Limit,
    Presentation,
    ShipmentRefusal,
    date_of_shipment,
    examined_by,
    latest_on_board,
    presentation_limit,
    shipment_refusals,
    working_margin,
)
from tasks.library import load_library
from tests.factories import a_calendar

BANK = load_library().calendars["cn-office"]
"""Closed from 1 to 7 October 2026 and from 25 to 27 September; Saturday 10 October is worked."""
OFFICE = a_calendar()

OPEN_DAY = date(2026, 10, 30)


def a_credit(**changes: Any) -> Credit:
    """Build a credit that ships until 15 October 2026, expires on the 30th, and is silent about all else."""
    return Credit(**({"latest_shipment": date(2026, 10, 15), "expiry": OPEN_DAY} | changes))


def october(day: int) -> date:
    return date(2026, 10, day)


def september(day: int) -> date:
    return date(2026, 9, day)


# The last day on board


def test_the_goods_are_on_board_by_44c() -> None:
    assert latest_on_board(a_credit(), None) == october(15)


@pytest.mark.parametrize(
    ("window_end", "latest"),
    [
        (october(12), october(12)),  # the buyer wants it earlier than the credit
        (october(15), october(15)),
        (october(20), october(15)),  # the buyer would wait, the bank does not
    ],
)
def test_a_ship_window_only_narrows_the_credit(window_end: date, latest: date) -> None:
    assert latest_on_board(a_credit(), window_end) == latest


def test_44c_on_a_saturday_in_a_holiday_does_not_move() -> None:
    credit = a_credit(latest_shipment=october(3))

    assert not BANK.is_workday(october(3))
    assert latest_on_board(credit, None) == october(3)


def test_a_ship_window_that_ends_on_a_sunday_does_not_move() -> None:
    assert latest_on_board(a_credit(), october(11)) == october(11)


def test_a_credit_with_only_an_expiry_ships_until_then_and_leaves_nothing_for_the_documents() -> None:
    credit = a_credit(latest_shipment=None)

    assert latest_on_board(credit, None) == OPEN_DAY
    assert working_margin(credit, OPEN_DAY, BANK) == 0


def test_an_expiry_on_a_sunday_extends_no_shipment() -> None:
    credit = a_credit(latest_shipment=None, expiry=october(11))

    assert latest_on_board(credit, None) == october(11)
    assert presentation_limit(credit, october(11), BANK).by == october(12)


# The last day at the bank


@pytest.mark.parametrize(
    ("expiry", "by"),
    [
        (september(24), september(24)),  # Thursday: stays
        (october(18), october(19)),  # Sunday: Monday
        (september(20), september(20)),  # a Sunday on which the bank makes up for Mid-Autumn: stays
        (september(26), september(28)),  # Mid-Autumn: Monday
        (october(1), october(8)),  # the first day of the National Day holiday: the day after its last
        (october(7), october(8)),
        (october(10), october(10)),  # a Saturday on which the bank makes up for it: stays
        (october(11), october(12)),  # the Sunday after it
    ],
)
def test_an_expiry_on_a_closed_day_moves_to_the_next_banking_day(expiry: date, by: date) -> None:
    credit = a_credit(latest_shipment=september(10), expiry=expiry, presentation_days=60)

    limit = presentation_limit(credit, september(10), BANK)

    assert limit == Presentation(by, Limit.EXPIRY, expiry if by != expiry else None, provisional=False)


@pytest.mark.parametrize(
    ("days", "on_board", "by", "extended_from"),
    [
        (None, september(8), september(29), None),  # silent: 21 days
        (15, september(8), september(23), None),
        (15, september(11), september(28), september(26)),  # its last day is Mid-Autumn
        (15, september(20), october(8), october(5)),  # its last day is in the National Day holiday
        (None, september(10), october(8), october(1)),
        (15, september(25), october(10), None),  # a make-up Saturday
        (1, september(24), september(28), september(25)),
        (15, october(15), OPEN_DAY, None),  # both limits end on one day: the expiry's rule
    ],
)
def test_documents_are_presented_within_the_period_after_shipment(
    days: int | None, on_board: date, by: date, extended_from: date | None
) -> None:
    limit = presentation_limit(a_credit(presentation_days=days), on_board, BANK)

    assert (limit.by, limit.extended_from) == (by, extended_from)
    assert limit.rule is (Limit.EXPIRY if by == OPEN_DAY else Limit.PERIOD)


def test_a_credit_that_is_silent_gives_21_days_but_not_beyond_its_expiry() -> None:
    limit = presentation_limit(a_credit(), october(15), BANK)

    assert limit == Presentation(OPEN_DAY, Limit.EXPIRY, None, provisional=False)


def test_goods_on_board_late_leave_the_documents_less_than_the_period() -> None:
    credit = a_credit(presentation_days=15, expiry=october(20))

    assert presentation_limit(credit, september(28), BANK).rule is Limit.PERIOD
    assert working_margin(credit, september(28), BANK) == 15
    assert presentation_limit(credit, october(14), BANK) == Presentation(october(20), Limit.EXPIRY, None, False)
    assert working_margin(credit, october(14), BANK) == 6


def test_a_period_is_not_extended_beyond_an_expiry_that_is_open() -> None:
    # Its last day is a Sunday; the bank is open on the Monday, and the credit has expired on the Saturday before.
    credit = a_credit(presentation_days=15, latest_shipment=september(30), expiry=october(10))

    assert presentation_limit(credit, september(26), BANK) == Presentation(october(10), Limit.EXPIRY, None, False)


def test_where_both_limits_end_in_one_holiday_the_statement_names_the_first() -> None:
    # The period ends on the 3rd; the expiry on the 5th lies before the 8th, but is extended to it as well.
    credit = a_credit(presentation_days=15, latest_shipment=september(20), expiry=october(5))

    assert presentation_limit(credit, september(18), BANK) == Presentation(october(8), Limit.PERIOD, october(3), False)


def test_a_period_that_ends_on_the_sunday_before_the_expiry_is_extended_all_the_same() -> None:
    credit = a_credit(presentation_days=15, expiry=october(19))

    assert presentation_limit(credit, october(3), BANK) == Presentation(october(19), Limit.PERIOD, october(18), False)


@pytest.mark.parametrize(
    ("on_board", "by"),
    [
        (date(2024, 2, 8), date(2024, 2, 29)),  # 21 days end on the leap day
        (date(2024, 2, 9), date(2024, 3, 1)),
        (date(2023, 2, 8), date(2023, 3, 1)),  # a year without one
    ],
)
def test_a_leap_day_is_a_day_of_the_period(on_board: date, by: date) -> None:
    credit = Credit(expiry=date(2024, 12, 31))

    assert presentation_limit(credit, on_board, BANK).by == by


def test_goods_on_board_after_the_expiry_are_too_late_for_any_presentation() -> None:
    assert presentation_limit(a_credit(), date(2026, 11, 5), BANK).by == OPEN_DAY
    assert working_margin(a_credit(), date(2026, 11, 5), BANK) == -6


def test_31d_on_a_sunday_moves_and_44c_on_a_saturday_in_a_holiday_does_not() -> None:
    credit = a_credit(latest_shipment=october(3), expiry=october(18), presentation_days=15)

    shipped = latest_on_board(credit, None)

    assert shipped == october(3)
    assert presentation_limit(credit, shipped, BANK) == Presentation(october(19), Limit.EXPIRY, october(18), False)
    assert shipment_refusals(credit, [Consignment(october(4))]) == (ShipmentRefusal.LATE_SHIPMENT,)


# Years whose holidays are not published


@pytest.mark.parametrize(
    ("expiry", "holidays", "provisional"),
    [
        (date(2026, 12, 31), [], False),  # open on a day that is known
        (date(2027, 1, 4), [], True),  # open, as far as anybody knows
        (date(2026, 12, 31), [date(2026, 12, 31)], True),  # closed on a day that is known, and moved to one that is not
    ],
)
def test_a_limit_is_provisional_when_it_rests_on_a_year_without_a_list(
    expiry: date, holidays: list[date], provisional: bool
) -> None:
    bank = a_calendar(holidays=frozenset(holidays), published=frozenset({2026}))
    credit = Credit(expiry=expiry, presentation_days=90)

    assert presentation_limit(credit, date(2026, 12, 1), bank).provisional is provisional


def test_a_limit_is_firm_when_only_the_one_that_does_not_bind_lies_in_such_a_year() -> None:
    bank = a_calendar(published=frozenset({2026}))

    assert not presentation_limit(Credit(expiry=date(2026, 12, 31)), date(2026, 12, 20), bank).provisional
    assert not presentation_limit(Credit(expiry=date(2027, 1, 31)), date(2026, 12, 1), bank).provisional


def test_a_limit_between_two_lists_is_provisional_when_it_crosses_the_gap() -> None:
    closed = frozenset(date(2027, 12, 27) + timedelta(days=n) for n in range(5))
    bank = a_calendar(holidays=closed, published=frozenset({2026, 2028}))

    limit = presentation_limit(Credit(expiry=date(2027, 12, 31)), date(2027, 12, 20), bank)

    assert limit.by == date(2028, 1, 3)
    assert limit.provisional


# Examination


@pytest.mark.parametrize(
    ("presented", "by"),
    [
        (october(12), october(19)),  # Monday: the next one
        (october(16), october(23)),  # Friday
        (september(30), october(13)),  # the eve of the holiday: 8, 9, the make-up Saturday, 12, 13
        (october(30), date(2026, 11, 6)),  # on the last day of the credit: the bank has its days all the same
    ],
)
def test_a_bank_has_five_banking_days_after_the_day_of_presentation(presented: date, by: date) -> None:
    assert examined_by(presented, BANK) == by


# Lots

FIRST = Consignment(september(29), "EVER GIVEN", "012W", "Hamburg")


@pytest.mark.parametrize(
    "second",
    [
        FIRST,
        FIRST._replace(on_board=october(2)),  # another port of loading, another date: the same journey
        FIRST._replace(vessel="Ever  Given ", voyage="012w", destination="HAMBURG"),
        FIRST._replace(on_board=october(2), destination=""),  # not said again
        Consignment(september(29)),  # no vessel yet, but planned for the same day
    ],
)
def test_lots_on_one_vessel_and_voyage_to_one_destination_are_no_partial_shipment(second: Consignment) -> None:
    assert shipment_refusals(a_credit(partial_shipments=False), [FIRST, second]) == ()


@pytest.mark.parametrize(
    "second",
    [
        FIRST._replace(vessel="Ever Glory"),  # even on the same day
        FIRST._replace(voyage="014W"),
        FIRST._replace(destination="Rotterdam"),
        Consignment(october(2)),  # no vessel yet, and planned for another day
        FIRST._replace(on_board=october(2), voyage=""),  # the same vessel, who knows on which voyage
    ],
)
def test_lots_on_another_vessel_voyage_or_destination_are_refused_where_43p_prohibits_them(second: Consignment) -> None:
    prohibited, allowed = a_credit(partial_shipments=False), a_credit()

    assert shipment_refusals(prohibited, [FIRST, second]) == (ShipmentRefusal.PARTIAL_SHIPMENT,)
    assert shipment_refusals(prohibited, [second, FIRST]) == (ShipmentRefusal.PARTIAL_SHIPMENT,)
    assert shipment_refusals(allowed, [FIRST, second]) == ()


def test_the_last_of_three_lots_may_be_the_one_that_travels_alone() -> None:
    lots = [FIRST, FIRST, FIRST._replace(vessel="Ever Glory")]

    assert shipment_refusals(a_credit(partial_shipments=False), lots) == (ShipmentRefusal.PARTIAL_SHIPMENT,)


def test_one_lot_on_board_after_44c_is_late_for_the_credit() -> None:
    late = FIRST._replace(on_board=october(16))

    assert shipment_refusals(a_credit(), [FIRST, late]) == (ShipmentRefusal.LATE_SHIPMENT,)
    assert shipment_refusals(a_credit(), [FIRST._replace(on_board=october(15))]) == ()


def test_a_lot_that_is_late_on_another_vessel_is_refused_for_both() -> None:
    late = FIRST._replace(on_board=october(16), vessel="Ever Glory")

    assert shipment_refusals(a_credit(partial_shipments=False), [FIRST, late]) == tuple(ShipmentRefusal)


def test_what_is_shipped_whole_is_never_a_partial_shipment() -> None:
    assert shipment_refusals(a_credit(partial_shipments=False), [FIRST]) == ()
    assert shipment_refusals(a_credit(partial_shipments=False), []) == ()


def test_lots_presented_together_were_shipped_on_the_latest_of_their_dates() -> None:
    assert date_of_shipment([FIRST, FIRST._replace(on_board=october(2)), FIRST]) == october(2)


# What no credit says


def test_shipment_after_the_expiry_is_refused_with_both_fields() -> None:
    with pytest.raises(ValidationError, match=r"44C allows shipment until 2026-10-31.*31D: 2026-10-30"):
        a_credit(latest_shipment=october(31))
    assert a_credit(latest_shipment=OPEN_DAY).latest_shipment == OPEN_DAY


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_an_impossible_presentation_period_is_refused_by_its_field(days: int) -> None:
    with pytest.raises(ValidationError, match=rf"field 48 .* and {days} is not"):
        a_credit(presentation_days=days)


@pytest.mark.parametrize("days", [1, 365])
def test_a_presentation_period_may_be_a_day_or_a_year(days: int) -> None:
    assert a_credit(presentation_days=days).presentation_days == days


# Whatever the dates

dates = st.dates(date(2020, 1, 1), date(2028, 12, 31))
periods = st.none() | st.integers(1, 365)
banks = st.sampled_from([BANK, OFFICE])


@st.composite
def credits(draw: st.DrawFn) -> Credit:
    expiry = draw(dates)
    latest = draw(st.none() | st.integers(0, 120).map(lambda days: expiry - timedelta(days=days)))
    return Credit(expiry=expiry, latest_shipment=latest, presentation_days=draw(periods))


@given(credits(), dates, banks)
@settings(deadline=None)
def test_the_limit_is_the_first_banking_day_from_the_earlier_of_expiry_and_period(
    credit: Credit, on_board: date, bank: Calendar
) -> None:
    limit = presentation_limit(credit, on_board, bank)

    earlier = min(credit.expiry, on_board + timedelta(days=credit.presentation_days or 21))
    assert bank.is_workday(limit.by)
    assert limit.by >= earlier
    assert not any(bank.is_workday(earlier + timedelta(days=n)) for n in range((limit.by - earlier).days))
    assert limit.extended_from == (None if limit.by == earlier else earlier)


@given(credits(), dates, banks)
@settings(deadline=None)
def test_extending_each_limit_alone_and_taking_the_earlier_gives_the_same_day(
    credit: Credit, on_board: date, bank: Calendar
) -> None:
    period_ends = on_board + timedelta(days=credit.presentation_days or 21)
    expires_alone = presentation_limit(
        Credit(expiry=credit.expiry), credit.expiry + timedelta(days=1), bank
    )  # so late that the period does not bind
    ends_alone = presentation_limit(Credit(expiry=period_ends), period_ends, bank)

    assert presentation_limit(credit, on_board, bank).by == min(expires_alone.by, ends_alone.by)


@given(credits(), dates, banks)
@settings(deadline=None)
def test_goods_on_board_by_the_latest_day_leave_at_least_that_day_for_the_documents(
    credit: Credit, on_board: date, bank: Calendar
) -> None:
    in_time = min(on_board, latest_on_board(credit, None))

    assert working_margin(credit, in_time, bank) >= 0


@given(credits(), st.lists(dates, min_size=2, max_size=6), banks)
@settings(deadline=None)
def test_goods_on_board_later_are_never_to_be_presented_earlier(
    credit: Credit, on_board: list[date], bank: Calendar
) -> None:
    limits = [presentation_limit(credit, day, bank).by for day in sorted(on_board)]

    assert all(earlier <= later for earlier, later in pairwise(limits))


@given(credits(), st.none() | dates)
def test_the_last_day_on_board_is_one_of_the_days_that_were_given_on_whatever_day_it_falls(
    credit: Credit, window_end: date | None
) -> None:
    given_ = [day for day in (credit.latest_shipment, credit.expiry, window_end) if day is not None]

    assert latest_on_board(credit, window_end) == min(given_)


@given(dates, banks)
@settings(deadline=None)
def test_an_examination_takes_five_banking_days_from_whatever_day(presented: date, bank: Calendar) -> None:
    assert bank.count_workdays(presented, examined_by(presented, bank)) == 5
    assert bank.is_workday(examined_by(presented, bank))
