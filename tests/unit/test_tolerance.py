"""Tolerance: how far a shipment may be from the order and still be all of it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.terms.credit import Credit
from models.terms.tolerance import Tolerance, credit_tolerance, narrower

EXPIRY = date(2026, 10, 30)


@pytest.mark.parametrize(
    ("text", "less", "more"),
    [
        ("±5%", 5, 5),
        ("± 5 %", 5, 5),
        ("+/-5", 5, 5),
        ("+-5%", 5, 5),
        ("5", 5, 5),
        (" 2.5 % ", 2.5, 2.5),
        ("0", 0, 0),
        ("-3/+5", 3, 5),
        ("-3% / +5%", 3, 5),
        ("+5/-3", 3, 5),
        ("-0/+10", 0, 10),
        ("−3/+5", 3, 5),  # a typographer's minus
        ("±５％", 5, 5),  # as a Chinese keyboard writes it
        ("99.9", 99.9, 99.9),
    ],
)
def test_a_tolerance_is_read_as_people_write_it(text: str, less: float, more: float) -> None:
    assert Tolerance.parse(text) == Tolerance(less=less, more=more)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "five",
        "-5",  # one side alone: is nothing more allowed, or was it forgotten?
        "+5",
        "-3/-5",
        "3/5",
        "±2,5%",  # a decimal comma, or two numbers
        "100",  # nothing at all would be in full
        "-3/+100",
        "5 pcs",
        "5%%",
        "nan",
        "1e1",
        "٥",  # a digit, but not one of ours
    ],
)
def test_what_is_no_tolerance_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no tolerance\. Write it in percent .*±5%, \+/-5, -3/\+5, 5, or 0"):
        Tolerance.parse(text)


@pytest.mark.parametrize(("less", "more"), [(-1, 5), (5, -1), (100, 5), (5, 100), (float("nan"), 5)])
def test_a_tolerance_is_from_0_to_below_100_percent(less: float, more: float) -> None:
    with pytest.raises(ValidationError):
        Tolerance(less=less, more=more)


@pytest.mark.parametrize(
    ("tolerance", "quantity", "least", "most"),
    [
        ("±5%", 3600, 3420, 3780),
        ("-3/+5", 3600, 3492, 3780),
        ("0", 3600, 3600, 3600),
        ("±5%", 3333, 3166.35, 3499.65),  # 3166 pieces would be too few
        ("5", 0.3, 0.285, 0.315),  # as floats, 0.3 * 1.05 is more than that
        ("10", 1.1, 0.99, 1.21),
    ],
)
def test_the_band_is_what_was_written_to_the_last_digit(
    tolerance: str, quantity: float, least: float, most: float
) -> None:
    band = Tolerance.parse(tolerance)

    assert (band.least(quantity), band.most(quantity)) == (least, most)
    assert band.in_full(quantity, least)
    assert band.in_full(quantity, most)


@pytest.mark.parametrize(
    ("shipped", "in_full"),
    [
        (3000, False),  # five sixths of the order
        (3419, False),
        (3420, True),
        (3600, True),
        (3780, True),
        (3781, False),  # too much is not as ordered either
    ],
)
def test_an_order_of_3600_is_in_full_within_5_percent(shipped: float, in_full: bool) -> None:
    assert Tolerance.parse("±5%").in_full(3600, shipped) is in_full


def test_about_before_the_quantity_gives_10_percent_also_to_pieces() -> None:
    assert credit_tolerance(Credit(expiry=EXPIRY, about=True)) == Tolerance(less=10, more=10)
    assert credit_tolerance(Credit(expiry=EXPIRY, about=True, counted_in_units=False)) == Tolerance(less=10, more=10)


def test_a_quantity_by_weight_or_length_has_5_percent_and_pieces_have_none() -> None:
    assert credit_tolerance(Credit(expiry=EXPIRY, counted_in_units=False)) == Tolerance(less=5, more=5)
    assert credit_tolerance(Credit(expiry=EXPIRY)) is None


def test_two_bands_are_kept_by_the_smaller_percentage_on_each_side() -> None:
    assert narrower(Tolerance.parse("-3/+10"), Tolerance.parse("±5")) == Tolerance(less=3, more=5)


tenths = st.integers(0, 999).map(lambda n: n / 10)
bands = st.builds(Tolerance, less=tenths, more=tenths)
quantities = st.integers(1, 10_000_000).map(lambda n: n / 100)


@given(bands, quantities)
def test_what_was_ordered_and_both_ends_of_the_band_are_in_full(band: Tolerance, quantity: float) -> None:
    assert 0 < band.least(quantity) <= quantity <= band.most(quantity)
    assert all(band.in_full(quantity, shipped) for shipped in (band.least(quantity), quantity, band.most(quantity)))


@given(bands, bands, quantities, quantities)
def test_the_narrower_band_holds_exactly_what_both_hold(
    one: Tolerance, other: Tolerance, quantity: float, shipped: float
) -> None:
    both = one.in_full(quantity, shipped) and other.in_full(quantity, shipped)

    assert narrower(one, other).in_full(quantity, shipped) is both


@given(tenths, tenths)
def test_what_is_written_is_what_is_read(less: float, more: float) -> None:
    assert Tolerance.parse(f"-{less}/+{more}") == Tolerance(less=less, more=more)
    assert Tolerance.parse(f"+{more}%/-{less}%") == Tolerance(less=less, more=more)
