"""Rules for the results file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from models.book.changes import Cancellation, Hold, Unfollowed
from models.book.entry import Entry
from models.book.order import Etd, Order, OrderState
from models.book.order_file import OrderFile
from models.book.report import Classifier, Report
from models.calendars.workdays import Calendar
from models.names import Name
from models.seasons.result import MessageResult, OrderResult, Result, differences, result_of
from models.terms.milestone import Milestone, Stage
from models.terms.policy import Policy, Rung
from models.terms.template import Template

EAST_8 = timezone(timedelta(hours=8))
PLACED = datetime(2026, 9, 1, 2, tzinfo=UTC)
AT = datetime(2026, 12, 1, tzinfo=UTC)


def name(text: str) -> Name:
    return Name(en=text, zh_hans=text, zh_hant=text)


SHANGHAI = Calendar(code="cn", name=name("office"), zone="Asia/Shanghai")
POLICY = Policy(code="standard", rungs=(Rung(code="L1", after=0, role="MER", asks=name("Where is it?")),))


def a_milestone(code: str, offset: int, *after: str, counted: bool = False) -> Milestone:
    return Milestone(
        code=code,
        name=name(code),
        stage=Stage.BOOKING,
        accountable="MER",
        waiting_on=("FTY",),
        offset=offset,
        after=after,
        counted=counted,
        calendar="cn",
    )


TEMPLATE = Template(
    code="container-export",
    name=name("container"),
    calendar="cn",
    policy="standard",
    departure="DEPARTED",
    follow_to="DEPARTED",
    milestones=(a_milestone("STUFFED", -10, counted=True), a_milestone("DEPARTED", 0, "STUFFED")),
)


def a_file(order_no: str = "co1", *entries: Entry, etd: Etd | None = date(2026, 11, 20)) -> OrderFile:
    order = Order(order_no=order_no, placed_at=PLACED, came_in=PLACED, etd=etd, quantity=4)
    told = tuple(entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(entries, start=1))
    return OrderFile(order=order, template=TEMPLATE, policy=POLICY, calendars={"cn": SHANGHAI}, entries=told)


def a_report(milestone: str, at: datetime, quantity: float | None = None) -> Report:
    return Report(milestone=milestone, occurred_at=at, recorded_at=at, quantity=quantity)


def a_message(order_no: str = "co1", rung: str = "L1", at: datetime = AT, milestone: str = "STUFFED") -> MessageResult:
    return MessageResult(at=at, order_no=order_no, milestone=milestone, rung=rung, recipient="MER", due=AT)


def a_result(files: Iterable[OrderFile], messages: Iterable[MessageResult] = ()) -> Result:
    return result_of(files, messages, AT)


def only_order(*entries: Entry, etd: Etd | None = date(2026, 11, 20)) -> OrderResult:
    return a_result([a_file("co1", *entries, etd=etd)]).orders[0]


def test_the_file_has_the_keys_and_the_form_that_others_read() -> None:
    etd = datetime(2026, 11, 20, 17, tzinfo=EAST_8)
    file = a_file(
        "co1", a_report("STUFFED", datetime(2026, 11, 10, 8, 12, tzinfo=UTC)), a_report("DEPARTED", etd), etd=etd
    )

    written = json.loads(a_result([file], [a_message()]).model_dump_json())

    assert written == {
        "orders": [
            {
                "order_no": "co1",
                "state": "closed",
                "etd": "2026-11-20T09:00:00+00:00",
                "departed_at": "2026-11-20T09:00:00+00:00",
                "days_late": 0.0,
                "late": False,
                "milestones": {
                    "STUFFED": {
                        "due": "2026-11-10T15:59:59+00:00",
                        "reached_at": "2026-11-10T08:12:00+00:00",
                        "quantity": 4,
                    },
                    "DEPARTED": {
                        "due": "2026-11-20T09:00:00+00:00",
                        "reached_at": "2026-11-20T09:00:00+00:00",
                        "quantity": None,
                    },
                },
            }
        ],
        "messages": [
            {
                "at": "2026-12-01T00:00:00+00:00",
                "order_no": "co1",
                "milestone": "STUFFED",
                "rung": "L1",
                "recipient": "MER",
                "due": "2026-12-01T00:00:00+00:00",
            }
        ],
        "summary": {
            "orders": 1,
            "closed": 1,
            "late": 0,
            "open": 0,
            "waiting_for_date": 0,
            "messages": {"L1": 1, "L2": 0, "L3": 0, "L4": 0, "NOTE": 0},
        },
    }


@pytest.mark.parametrize(
    "etd",
    [
        date(2026, 11, 20),  # a date stays a date
        datetime(2026, 11, 20, tzinfo=UTC),  # midnight stays an instant
        datetime(2026, 11, 20, 9, tzinfo=EAST_8),
        None,
    ],
)
def test_what_was_written_is_read_back_the_same(etd: Etd | None) -> None:
    departed = a_report("DEPARTED", datetime(2026, 11, 20, 9, tzinfo=UTC), quantity=1.5)
    result = a_result([a_file("co1", departed, etd=etd), a_file("co2", etd=etd)], [a_message(), a_message(rung="NOTE")])

    again = Result.model_validate_json(result.model_dump_json())

    assert again == result
    assert type(again.orders[0].etd) is type(result.orders[0].etd)
    assert differences(again, result) == []


@pytest.mark.parametrize(
    ("etd", "departed", "days_late", "late"),
    [
        # a time: to the second
        (datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC), 0.0, False),
        (datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 9, 0, 1, tzinfo=UTC), 1 / 86400, True),
        (datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC), 3.0, True),
        (datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 18, 21, tzinfo=UTC), -1.5, False),
        # a date: to the day, in Shanghai
        (date(2026, 11, 20), datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC), 0.0, False),
        (date(2026, 11, 20), datetime(2026, 11, 20, 16, tzinfo=UTC), 1.0, True),
        # no date: nothing to be late against
        (None, datetime(2026, 11, 20, 16, tzinfo=UTC), None, False),
    ],
)
def test_lateness_is_counted_against_etd(
    etd: Etd | None, departed: datetime, days_late: float | None, late: bool
) -> None:
    order = only_order(a_report("DEPARTED", departed), etd=etd)

    assert order.departed_at == departed
    assert order.days_late == days_late
    assert order.late is late


def test_an_order_that_has_not_left_is_not_late_by_any_number_of_days() -> None:
    order = only_order()

    assert (order.departed_at, order.days_late, order.late) == (None, None, False)


def test_a_half_counted_milestone_shows_its_count_and_is_not_reached() -> None:
    order = only_order(a_report("STUFFED", PLACED, quantity=1), a_report("STUFFED", PLACED, quantity=0.5))

    assert order.milestones["STUFFED"].quantity == 1.5
    assert order.milestones["STUFFED"].reached_at is None


def test_what_is_known_only_later_is_not_in_the_result() -> None:
    late_news = a_report("DEPARTED", PLACED).model_copy(update={"recorded_at": AT + timedelta(seconds=1)})

    assert only_order(late_news).state is OrderState.OPEN


def test_every_order_that_is_not_over_counts_as_open() -> None:
    departed = a_report("DEPARTED", datetime(2026, 11, 23, tzinfo=UTC))
    lost = a_file("lost")
    files = [
        a_file("closed", departed),
        a_file("open"),
        a_file("waiting", etd=None),
        a_file("held", Hold(recorded_at=PLACED)),
        a_file("left alone", Unfollowed(recorded_at=PLACED)),
        a_file("cancelled", Cancellation(recorded_at=PLACED)),
        lost,
    ]

    result = a_result(files)
    summary = result.summary

    assert [order.order_no for order in result.orders] == [file.order.order_no for file in files]
    assert [order.state.value for order in result.orders][:6] == [
        "closed",
        "open",
        "waiting_for_date",
        "on_hold",
        "not_followed",
        "cancelled",
    ]
    assert (summary.orders, summary.closed, summary.late) == (7, 1, 1)
    assert summary.open == 5
    assert summary.waiting_for_date == 1


def test_messages_are_sorted_and_counted_by_rung() -> None:
    later = AT + timedelta(hours=1)
    messages = [
        a_message("co2", "L2", later),
        a_message("co2", "L5"),
        a_message("co1", "NOTE"),
        a_message("co1", "L1", milestone="DEPARTED"),
        a_message("co1", "L2"),
        a_message("co1", "L1"),
    ]

    result = a_result([], messages)

    assert [(m.order_no, m.milestone, m.rung) for m in result.messages] == [
        ("co1", "DEPARTED", "L1"),
        ("co1", "STUFFED", "L1"),
        ("co1", "STUFFED", "L2"),
        ("co1", "STUFFED", "NOTE"),
        ("co2", "STUFFED", "L5"),
        ("co2", "STUFFED", "L2"),
    ]
    assert result.summary.messages == {"L1": 2, "L2": 2, "L3": 0, "L4": 0, "L5": 1, "NOTE": 1}


def test_the_same_is_no_difference_in_whatever_sequence() -> None:
    files = [a_file("co1"), a_file("co2")]
    messages = [a_message("co1"), a_message("co2")]

    assert differences(a_result(files, messages), a_result(reversed(files), reversed(messages))) == []


def test_each_difference_between_orders_is_named() -> None:
    departed = a_report("DEPARTED", datetime(2026, 11, 20, 9, tzinfo=UTC))

    named = differences(a_result([a_file("co1")]), a_result([a_file("co1", departed), a_file("co2")]))

    assert named == [
        "order co1: state open / closed",
        "order co1: departed_at none / 2026-11-20T09:00:00+00:00",
        "order co1: days_late none / 0.0",
        "order co1: DEPARTED reached_at none / 2026-11-20T09:00:00+00:00",
        "order co2: 0 times in the first, 1 times in the second",
    ]


def test_a_milestone_that_only_one_plan_has_is_named() -> None:
    file = a_file("co1")
    plan = TEMPLATE.model_dump(include=set(Template.model_fields))
    shorter = replace(file, template=Template.model_validate({**plan, "milestones": (a_milestone("DEPARTED", 0),)}))

    assert differences(a_result([file]), a_result([shorter])) == ["order co1: milestone STUFFED only in the first"]


def test_each_message_that_only_one_has_is_named_as_often_as_it_was_said() -> None:
    both = a_message("co1")
    other = a_message("co1", "L2", AT + timedelta(minutes=1))

    named = differences(a_result([], [both, both]), a_result([], [both, other]))

    assert named == [
        "message only in the first: 2026-12-01T00:00:00+00:00 order co1 STUFFED L1 to MER "
        "(due 2026-12-01T00:00:00+00:00)",
        "message only in the second: 2026-12-01T00:01:00+00:00 order co1 STUFFED L2 to MER "
        "(due 2026-12-01T00:00:00+00:00)",
    ]


def test_estimates_reach_nothing() -> None:
    estimate = a_report("DEPARTED", PLACED).model_copy(update={"classifier": Classifier.EST})

    assert only_order(estimate).milestones["DEPARTED"].reached_at is None
