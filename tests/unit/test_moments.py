"""Rules for dates and instants as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.calendars.workdays import Calendar
from models.errors import BadClock
from models.moments import EARLIEST_YEAR, LATEST_YEAR, parse_moment, shown, whole_day
from models.names import Name

SHANGHAI = Calendar(code="cn", name=Name(en="China", zh_hans="中国", zh_hant="中國"), zone="Asia/Shanghai")
EAST_8 = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", date(2026, 11, 20)),  # a plain date stays a date
        ("2028-02-29", date(2028, 2, 29)),  # leap day
        ("1990-01-01", date(1990, 1, 1)),  # first year
        ("2100-12-31", date(2100, 12, 31)),  # last year
        (" 2026-11-20\u3000", date(2026, 11, 20)),  # blanks around it, a full-width one too
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20t10:00:00z", datetime(2026, 11, 20, 10, tzinfo=UTC)),  # small letters
        ("2026-11-20T10:00:00+08:00", datetime(2026, 11, 20, 10, tzinfo=EAST_8)),
        ("2026-11-20 10:00:00+08:00", datetime(2026, 11, 20, 10, tzinfo=EAST_8)),  # space in the place of T
        ("2026-11-20 10:00:00 +0800", datetime(2026, 11, 20, 10, tzinfo=EAST_8)),  # as Ruby and git print it
        ("2026-11-20T10:00+08", datetime(2026, 11, 20, 10, tzinfo=EAST_8)),  # no seconds, hours of zone only
        ("2026-11-20T10:00:00.5Z", datetime(2026, 11, 20, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2026-11-20T10:00:00.1234567Z", datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),  # 7 digits, as .NET
        ("2026-11-20T10:00:00-09:30", datetime(2026, 11, 20, 19, 30, tzinfo=UTC)),  # west, with minutes
        ("2026-11-20T10:00:00-00:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00+14:00", datetime(2026, 11, 19, 20, tzinfo=UTC)),  # Kiritimati
    ],
)
def test_a_date_or_a_time_with_its_zone_is_read(text: str, meant: datetime | date) -> None:
    moment = parse_moment(text)

    assert moment == meant
    assert type(moment) is type(meant)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no date"),
        ("tomorrow", "is no date"),
        ("46346", "is no date"),  # an Excel serial number
        ("20.11.2026", "is no date"),
        ("11/20/2026", "is no date"),
        ("20261120", "is no date"),  # ISO 8601 basic form: too easily an order number
        ("2026-1-2", "is no date"),
        ("２０２６-11-20", "is no date"),  # full-width digits
        ("2026-11-20x", "neither a date nor a time"),
        ("2026-11-20T", "neither a date nor a time"),
        ("2026-11-20T10", "neither a date nor a time"),
        ("2026-11-20T10:00:00 CST", "neither a date nor a time"),  # three zones have this name
        ("2026-11-20  10:00:00Z", "neither a date nor a time"),
        ("2026-11-20T10:00:00,5Z", "neither a date nor a time"),
        ("2026-02-29", "a day that no calendar has"),
        ("2026-13-01", "a day that no calendar has"),
        ("0000-01-01", "a day that no calendar has"),
        ("1989-12-31", "outside the years 1990 to 2100"),
        ("2101-01-01", "outside the years 1990 to 2100"),
        ("0206-11-20", "outside the years 1990 to 2100"),
        ("2026-11-20T24:00:00Z", "a time that no clock shows"),
        ("2026-11-20T10:61:00Z", "a time that no clock shows"),
        ("2026-12-31T23:59:60Z", "a time that no clock shows"),  # a leap second
        ("2026-11-20T10:00:00+80:00", "a zone that no place has"),
        ("2026-11-20T10:00:00+14:01", "a zone that no place has"),
        ("2026-11-20T10:00:00-12:30", "a zone that no place has"),
        ("2026-11-20T10:00:00+08:60", "a zone that no place has"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadClock) as refused:
        parse_moment(text)

    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["2026-11-20T10:00:00", "2026-11-20 10:00", "2026-11-20T10:00:00.000"])
def test_a_time_without_a_zone_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadClock, match="without a zone") as refused:
        parse_moment(text)

    assert "2026-11-20T10:00:00+08:00" in str(refused.value)


@given(st.text() | st.from_regex(r"\A\d{4}-\d{2}-\d{2}([T ][\d:.]{4,12})?[Z+\-\d:]{0,6}\Z"))
@example("2026-11-20T10:00:00+08:00")
def test_every_text_is_a_moment_or_a_bad_clock(text: str) -> None:
    try:
        moment = parse_moment(text)
    except BadClock:
        return

    assert EARLIEST_YEAR <= moment.year <= LATEST_YEAR
    assert not isinstance(moment, datetime) or moment.utcoffset() is not None


@given(st.dates(date(1990, 1, 1), date(2100, 12, 31)), st.times(), st.integers(-12 * 60, 14 * 60))
def test_what_isoformat_writes_is_read_back(day: date, of_day: time, minutes: int) -> None:
    instant = datetime.combine(day, of_day, timezone(timedelta(minutes=minutes)))

    assert parse_moment(instant.isoformat()) == instant
    assert parse_moment(day.isoformat()) == day


def test_a_date_is_its_whole_day_in_the_calendars_zone() -> None:
    day = date(2026, 11, 20)

    assert whole_day(day, SHANGHAI, end=False) == datetime(2026, 11, 19, 16, tzinfo=UTC)
    assert whole_day(day, SHANGHAI, end=True) == datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("end", [False, True])
def test_an_instant_stays_what_it_is(end: bool) -> None:
    instant = datetime(2026, 11, 20, 10, tzinfo=EAST_8)

    assert whole_day(instant, SHANGHAI, end) is instant


def test_a_naive_datetime_never_becomes_an_instant() -> None:
    with pytest.raises(BadClock, match="no zone"):
        whole_day(datetime(2026, 11, 20, 10, tzinfo=UTC).replace(tzinfo=None), SHANGHAI, end=False)


def test_long_text_is_shown_short_and_on_one_line() -> None:
    said = shown("a\nb" * 1000)

    assert len(said) < 100
    assert "\n" not in said
