"""Rules for rows that become orders and reports."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accepting.intake import (
    ORDER_COLUMNS,
    ORDER_NEEDS,
    REPORT_COLUMNS,
    REPORT_NEEDS,
    Accepted,
    Asked,
    Row,
    RowRefused,
    header_of,
    order_from,
    order_no_of,
    report_from,
    told_from,
)
from models.book.order import OrderKind
from models.book.report import Classifier, Outcome, Report, Withdrawal
from models.calendars.workdays import Calendar
from models.errors import GendanError, ImportRefused, NoTemplateFits
from models.names import Name
from models.terms.milestone import Milestone, Stage
from models.terms.template import Template
from models.terms.tolerance import Tolerance

DATA = Path(__file__).parents[3] / "shared" / "data" / "container_logistics"
NOW = datetime(2026, 10, 1, 4, tzinfo=UTC)  # noon in Shanghai
PLACED = datetime(2026, 9, 20, 2, tzinfo=UTC)  # 10:00 in Shanghai


def name(text: str) -> Name:
    return Name(en=text, zh_hans=text, zh_hant=text)


SHANGHAI = Calendar(code="cn-office", name=name("office"), zone="Asia/Shanghai")
CALENDARS = {"cn-office": SHANGHAI}


def a_milestone(code: str, offset: int, *after: str, optional: bool = False, counted: bool = False) -> Milestone:
    return Milestone(
        code=code,
        name=name(code),
        stage=Stage.BOOKING,
        accountable="MER",
        waiting_on=("FTY",),
        offset=offset,
        after=after,
        optional=optional,
        counted=counted,
        calendar="cn-office",
    )


TEMPLATE = Template(
    code="container-export",
    name=name("container"),
    calendar="cn-office",
    policy="standard",
    departure="DEPARTED",
    follow_to="DEPARTED",
    milestones=(
        a_milestone("ORD_RCVD", -19),
        a_milestone("BKG_REQ", -16, "ORD_RCVD"),
        a_milestone("SO_RCVD", -15, "BKG_REQ"),
        a_milestone("EMPTY_PICK", -11, "SO_RCVD", counted=True),
        a_milestone("STUFFED", -10, "EMPTY_PICK", counted=True),
        a_milestone("GATE_IN", -10, "STUFFED", counted=True),
        a_milestone("VGM_SUB", -10, "STUFFED", optional=True, counted=True),
        a_milestone("ONBOARD", -1, "GATE_IN", "VGM_SUB", optional=True, counted=True),
        a_milestone("DEPARTED", 0, "ONBOARD", counted=True),
        a_milestone("BL_ISSD", 2, "DEPARTED", optional=True),
    ),
)


def choose(asked: Asked) -> Template:
    if asked.kind is OrderKind.PROSPECT:
        return TEMPLATE.model_copy(update={"code": "PROSPECT", "kind": OrderKind.PROSPECT})
    if asked.code == "container-export" or (not asked.code and asked.lead_days is not None and asked.lead_days >= 19):
        return TEMPLATE
    raise NoTemplateFits(f"No template for {asked.code or f'{asked.lead_days} days'}.")


def order_row(**cells: str) -> Row:
    usual = {"order_no": "PO-1", "placed_at": "2026-09-20", "etd": "2026-11-20", "template": "container-export"}
    return Row(2, {**usual, **cells})


def report_row(**cells: str) -> Row:
    return Row(2, {"order_no": "PO-1", "milestone": "STUFFED", "occurred_at": "2026-09-30", **cells})


def order(**cells: str) -> Accepted:
    return order_from(order_row(**cells), now=NOW, choose=choose, calendars=CALENDARS)


def report(**cells: str) -> Report:
    return report_from(report_row(**cells), now=NOW, order_calendar=SHANGHAI, placed_at=PLACED, codes=TEMPLATE.codes)


def told(**cells: str) -> Report | Withdrawal:
    return told_from(report_row(**cells), now=NOW, order_calendar=SHANGHAI, placed_at=PLACED, codes=TEMPLATE.codes)


def refusal(read: Callable[..., object], **cells: str) -> RowRefused:
    with pytest.raises(RowRefused) as refused:
        read(**cells)
    return refused.value


# Orders


def test_an_order_says_its_window_tolerance_and_the_days_of_its_own_parties() -> None:
    asked: list[Asked] = []

    def note(what: Asked) -> Template:
        asked.append(what)
        return TEMPLATE

    cells = {
        "tolerance": "-3/+5",
        "ship_window": "2026-11-10..2026-11-20",
        "cancel_after": "2026-11-25",
        "calendars": "buyer=us-office; PROD = bd-factory",
        "customer": "ACME",
    }
    taken = order_from(order_row(**cells), now=NOW, choose=note, calendars=CALENDARS).order

    assert taken.tolerance == Tolerance(less=3, more=5)
    assert (taken.ship_from, taken.ship_by) == (date(2026, 11, 10), date(2026, 11, 20))
    assert taken.cancel_after == date(2026, 11, 25)
    assert asked[0].customer == "ACME"
    assert asked[0].calendars == {"BUYER": "us-office", "PROD": "bd-factory"}


def test_a_prospect_without_a_date_is_hoped_for_as_soon_as_its_template_allows() -> None:
    taken = order(kind="prospect", template="", placed_at="2026-09-20", etd="").order

    assert taken.kind is OrderKind.PROSPECT
    assert taken.etd == date(2026, 10, 9)  # 19 days later


def test_an_order_is_read_with_everything_that_its_row_says() -> None:
    accepted = order(
        kind="Export",
        customer=" Ocean\nTrading  Ltd ",
        placed_at="2026-09-20T10:00:00+08:00",
        etd="2026-11-20T09:00:00Z",
        quantity="1200.5",
        unit="pcs",
        merchandiser="王小明",
        reference="td6",
        remark="",
    )

    assert accepted.template == TEMPLATE
    assert accepted.order.customer == "Ocean Trading Ltd"
    assert accepted.order.placed_at == PLACED
    assert accepted.order.came_in == NOW
    assert accepted.order.etd == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert accepted.order.quantity == 1200.5
    assert (accepted.order.unit, accepted.order.merchandiser) == ("pcs", "王小明")
    assert accepted.order.attributes == {"reference": "td6"}


def test_dates_mean_days_in_the_templates_calendar() -> None:
    accepted = order(placed_at="2026-09-20", etd="2026-11-20")

    assert accepted.order.placed_at == datetime(2026, 9, 19, 16, tzinfo=UTC)
    assert accepted.order.etd == date(2026, 11, 20)
    assert not isinstance(accepted.order.etd, datetime)


def test_a_backtest_says_when_the_order_came_in() -> None:
    came_in = NOW - timedelta(days=3)

    accepted = order_from(order_row(), now=NOW, choose=choose, calendars=CALENDARS, came_in=came_in)

    assert accepted.order.came_in == came_in


@pytest.mark.parametrize(
    ("placed_at", "etd", "lead_days"),
    [
        ("2026-09-20", "2026-11-20", 61),
        ("2026-09-20T23:00:00+08:00", "2026-11-20", 61),  # the hour does not count
        ("2026-09-20", "2026-11-20T01:00:00Z", 61),
        ("2026-09-20", "2026-09-20", 0),
    ],
)
def test_a_template_is_chosen_by_days_from_placing_to_etd(placed_at: str, etd: str, lead_days: int) -> None:
    asked: list[tuple[str, int | None]] = []

    def note(what: Asked) -> Template:
        asked.append((what.code, what.lead_days))
        return TEMPLATE

    order_from(order_row(placed_at=placed_at, etd=etd, template=""), now=NOW, choose=note, calendars=CALENDARS)

    assert asked == [("", lead_days)]


def test_an_order_may_wait_for_its_date_where_its_template_is_named() -> None:
    assert order(etd="").order.etd is None


@pytest.mark.parametrize("quantity", ["", "0", "0.0"])
def test_an_order_of_unknown_quantity_is_taken(quantity: str) -> None:
    assert order(quantity=quantity).order.quantity is None


def test_an_order_says_what_it_is_worth_and_how_important_its_customer_is() -> None:
    taken = order(value="186000.50", currency="usd", tier="A", first_order="yes").order

    assert (taken.value, taken.currency) == (186000.5, "USD")
    assert (taken.tier, taken.first_order) == ("A", True)


def test_an_order_that_says_nothing_of_that_is_taken() -> None:
    for cells in ({}, {"value": "", "currency": "", "tier": "", "first_order": ""}, {"value": "0", "currency": "EUR"}):
        taken = order(**cells).order
        assert (taken.value, taken.tier, taken.first_order) == (None, "", False)


@pytest.mark.parametrize(
    ("written", "first"),
    [("yes", True), ("Y", True), ("TRUE", True), ("1", True), ("是", True), ("x", True), ("no", False), ("否", False)],
)
def test_a_first_order_is_said_in_either_language(written: str, first: bool) -> None:
    assert order(first_order=written).order.first_order is first


@pytest.mark.parametrize(
    ("cells", "column", "why"),
    [
        ({"value": "186,000", "currency": "USD"}, "value", "186,000"),
        ({"value": "-5", "currency": "USD"}, "value", "-5"),
        ({"value": "much", "currency": "USD"}, "value", "much"),
        ({"value": "186000"}, "currency", "such as USD"),
        ({"value": "186000", "currency": "dollars"}, "currency", "DOLLARS"),
        ({"value": "186000", "currency": "$"}, "currency", "$"),
        ({"first_order": "perhaps"}, "first_order", "neither yes nor no"),
        ({"tier": "very important"}, "tier", "very important"),
    ],
)
def test_worth_and_importance_that_cannot_be_meant_are_refused(cells: dict[str, str], column: str, why: str) -> None:
    refused = refusal(order, **cells)

    assert refused.column == column
    assert why in refused.reason


def test_an_order_may_sail_on_the_day_that_it_was_placed() -> None:
    accepted = order(placed_at="2026-09-20T18:00:00+08:00", etd="2026-09-20T12:00:00+08:00")

    assert accepted.order.etd == datetime(2026, 9, 20, 4, tzinfo=UTC)


def test_a_clock_may_be_an_hour_ahead_and_no_more() -> None:
    assert order(placed_at="2026-10-01T05:00:00Z").order.placed_at > NOW
    assert refusal(order, placed_at="2026-10-01T05:00:01Z").column == "placed_at"


def test_optional_milestones_are_left_out_and_the_depth_is_set() -> None:
    accepted = order(without="vgm_sub; ONBOARD VGM_SUB", follow_to="bl_issd")

    assert "VGM_SUB" not in accepted.template.codes
    assert "ONBOARD" not in accepted.template.codes
    assert accepted.template.follow_to == "BL_ISSD"


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"order_no": ""}, "order_no", "is empty"),
        ({"order_no": "  "}, "order_no", "is empty"),
        ({"order_no": "x" * 65}, "order_no", "65 characters"),
        ({"order_no": "PO\u200b1"}, "order_no", "U+200B"),  # a zero-width space: nobody could type it
        ({"order_no": "PO\n1"}, "order_no", "U+000A"),
        ({"order_no": "PO\x001"}, "order_no", "U+0000"),
        ({"order_no": "#N/A"}, "order_no", "formula that failed"),
        ({"kind": "offer"}, "kind", "no kind of order"),
        ({"tolerance": "a lot"}, "tolerance", "a lot"),
        ({"ship_window": "2026-11-20..2026-11-10"}, "ship_window", "ends before it begins"),
        ({"ship_window": "end of November"}, "ship_window", "no date"),
        ({"cancel_after": "2026-11-20T10:00:00+08:00"}, "cancel_after", "it is a day"),
        ({"calendars": "us-office"}, "calendars", "not like BUYER=us-office"),
        ({"kind": "import"}, "kind", "no kind of order"),
        ({"template": "sea"}, "template", "No template for sea"),
        ({"template": "", "etd": "2026-09-25"}, "template", "No template for 5 days"),
        ({"template": "", "etd": ""}, "etd", "without a lead time"),
        ({"placed_at": ""}, "placed_at", "is empty"),
        ({"placed_at": "2026-09-20T10:00:00"}, "placed_at", "without a zone"),
        ({"placed_at": "20.9.2026"}, "placed_at", "is no date"),
        ({"placed_at": "2026-10-02"}, "placed_at", "in the future"),
        ({"etd": "2026-11-20 10:00"}, "etd", "without a zone"),
        ({"etd": "2026-09-19"}, "etd", "before the order was placed"),
        ({"etd": "2026-09-19", "template": ""}, "etd", "before the order was placed"),  # and not "no template fits"
        ({"etd": "2026-09-19T15:59:59Z"}, "etd", "before the order was placed"),  # 23:59:59 of the 19th in Shanghai
        ({"etd": "#REF!"}, "etd", "formula that failed"),
        ({"quantity": "-5"}, "quantity", "negative"),
        ({"quantity": "nan"}, "quantity", "no quantity"),
        ({"quantity": "Infinity"}, "quantity", "no quantity"),
        ({"quantity": "1,200"}, "quantity", "separators"),
        ({"quantity": "1 200"}, "quantity", "separators"),
        ({"quantity": "12,5"}, "quantity", "separators"),
        ({"quantity": "1e3"}, "quantity", "no plain number"),
        ({"quantity": "1200 pcs"}, "quantity", "no plain number"),
        ({"quantity": "１２"}, "quantity", "no plain number"),  # full-width digits
        ({"quantity": "1" * 16}, "quantity", "digits"),
        ({"customer": "A\x07"}, "customer", "U+0007"),
        ({"reference": "A\ud800"}, "reference", "U+D800"),  # half a character: no database takes it
        ({"without": "STUFFED"}, "without", "not an optional milestone"),
        ({"without": "NOPE"}, "without", "not an optional milestone"),
        ({"without": "BL_ISSD", "follow_to": "BL_ISSD"}, "without", "not one of the milestones"),
        ({"follow_to": "NOPE"}, "follow_to", "not one of the milestones"),
    ],
)
def test_a_bad_order_is_refused_with_column_and_reason(cells: dict[str, str], column: str, reason: str) -> None:
    refused = refusal(order, **cells)

    assert refused.line == 2
    assert refused.column == column
    assert reason in refused.reason


def test_a_template_whose_calendar_is_not_loaded_takes_no_order() -> None:
    with pytest.raises(RowRefused, match="calendar cn-office"):
        order_from(order_row(), now=NOW, choose=choose, calendars={})


def test_unknown_columns_keep_even_what_excel_could_not_compute() -> None:
    assert order(remark="#N/A").order.attributes == {"remark": "#N/A"}


# Reports


def test_a_report_is_read_with_everything_that_its_row_says() -> None:
    told = report(
        milestone="stuffed",
        occurred_at="2026-09-30T08:00:00Z",
        recorded_at="2026-09-30T09:00:00Z",
        classifier="act",
        quantity="2",
        source="edi",
        source_event_id="e-1",
        equipment="MSKU 1234567",
        note="two\nboxes",
    )

    assert told == Report(
        milestone="STUFFED",
        occurred_at=datetime(2026, 9, 30, 8, tzinfo=UTC),
        recorded_at=datetime(2026, 9, 30, 9, tzinfo=UTC),
        classifier=Classifier.ACT,
        quantity=2.0,
        source="edi",
        source_event_id="e-1",
        equipment="MSKU 1234567",
        note="two\nboxes",
    )


def test_unknown_columns_of_a_report_are_kept() -> None:
    assert report(driver="Chen", truck="#N/A", seal="").attributes == {"driver": "Chen", "truck": "#N/A"}


def test_empty_cells_mean_actual_and_known_now() -> None:
    told = report()

    assert told.classifier is Classifier.ACT
    assert told.recorded_at == NOW
    assert told.quantity is None


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-09-30", datetime(2026, 9, 29, 16, tzinfo=UTC)),  # the start of that day in Shanghai
        ("2026-09-20", PLACED),  # the day of the order: not before it was placed
        ("2026-10-01", datetime(2026, 9, 30, 16, tzinfo=UTC)),  # today
    ],
)
def test_a_plain_date_happened_on_that_day(written: str, stored: datetime) -> None:
    assert report(occurred_at=written).occurred_at == stored


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-09-30", datetime(2026, 9, 30, 15, 59, 59, tzinfo=UTC)),  # known at the end of that day
        ("2026-10-01", NOW),  # today is not over
        ("2026-10-01T05:00:00Z", datetime(2026, 10, 1, 5, tzinfo=UTC)),  # a clock an hour ahead
    ],
)
def test_a_plain_date_was_known_by_the_end_of_that_day(written: str, stored: datetime) -> None:
    assert report(recorded_at=written).recorded_at == stored


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        ("", Outcome.DONE),
        ("done", Outcome.DONE),
        ("Passed", Outcome.DONE),
        ("APPROVED", Outcome.DONE),
        ("合格", Outcome.DONE),
        ("通過", Outcome.DONE),
        ("failed", Outcome.FAILED),
        ("Rejected", Outcome.FAILED),
        ("不合格", Outcome.FAILED),
        ("退回", Outcome.FAILED),
        ("started", Outcome.STARTED),
        ("开始", Outcome.STARTED),
    ],
)
def test_an_outcome_is_read_as_people_write_it(written: str, outcome: Outcome) -> None:
    assert report(outcome=written, round="2").outcome is outcome
    assert report(outcome=written, round="2").round == 2


def test_a_row_that_retracts_takes_the_event_of_its_source_back() -> None:
    assert told() == report()
    assert told(
        milestone="stuffed", source="edi", retracts="e-1", source_event_id="e-9", note="wrong box"
    ) == Withdrawal(recorded_at=NOW, milestone="STUFFED", source="edi", retracts="e-1", note="wrong box")


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"retracts": "e-1"}, "source", "whose event"),
        ({"retracts": "e-1", "source": "edi", "quantity": "5"}, "quantity", "only takes one back"),
        ({"retracts": "e-1", "source": "edi", "outcome": "failed"}, "outcome", "only takes one back"),
        ({"retracts": "e-1", "source": "edi", "round": "1"}, "round", "only takes one back"),
        ({"retracts": "e-1", "source": "edi", "milestone": "LOADED"}, "milestone", "ORD_RCVD, BKG_REQ"),
        ({"retracts": "e-1", "source": "edi", "order_no": ""}, "order_no", "is empty"),
    ],
)
def test_a_bad_retraction_is_refused_with_column_and_reason(cells: dict[str, str], column: str, reason: str) -> None:
    refused = refusal(told, **cells)

    assert refused.column == column
    assert reason in refused.reason


def test_a_row_that_retracts_is_no_report() -> None:
    assert refusal(report, retracts="e-1", source="edi").column == "retracts"


@pytest.mark.parametrize("classifier", ["EST", "pln"])
def test_what_is_expected_or_planned_may_lie_in_the_future(classifier: str) -> None:
    told = report(classifier=classifier, occurred_at="2026-12-24")

    assert told.occurred_at == datetime(2026, 12, 23, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"order_no": ""}, "order_no", "is empty"),
        ({"milestone": ""}, "milestone", "ORD_RCVD, BKG_REQ"),
        ({"milestone": "LOADED"}, "milestone", "ORD_RCVD, BKG_REQ"),  # what the order has is named
        ({"occurred_at": ""}, "occurred_at", "is empty"),
        ({"occurred_at": "2026-09-30T10:00:00"}, "occurred_at", "without a zone"),
        ({"occurred_at": "2026-09-19"}, "occurred_at", "before the order was placed"),
        ({"occurred_at": "2026-09-20T01:59:59Z"}, "occurred_at", "before the order was placed"),  # one second
        ({"occurred_at": "2026-10-02"}, "occurred_at", "in the future"),
        ({"occurred_at": "2026-10-01T05:00:01Z"}, "occurred_at", "in the future"),
        ({"classifier": "EST", "occurred_at": "2026-09-19"}, "occurred_at", "before the order was placed"),
        ({"recorded_at": "2026-10-02"}, "recorded_at", "in the future"),
        ({"recorded_at": "2026-10-01T05:00:01Z"}, "recorded_at", "in the future"),
        ({"recorded_at": "yesterday"}, "recorded_at", "is no date"),
        ({"classifier": "DONE"}, "classifier", "none of ACT, EST, PLN"),
        ({"quantity": "0"}, "quantity", "0 says nothing"),
        ({"quantity": "-1"}, "quantity", "negative"),
        ({"quantity": "−1"}, "quantity", "negative"),  # the typographic minus
        ({"quantity": "abc"}, "quantity", "no plain number"),
        ({"outcome": "perhaps"}, "outcome", "done, passed"),  # and the other words that mean something
        ({"outcome": "failed", "classifier": "EST"}, "outcome", "only expected (EST) has no outcome yet"),
        ({"outcome": "started", "classifier": "PLN"}, "outcome", "only expected (PLN)"),
        ({"round": "0"}, "round", "the first is 1"),
        ({"round": "second"}, "round", "is no round"),
        ({"round": "100"}, "round", "99 the most"),
        ({"round": "-1"}, "round", "is no round"),
        ({"round": "1.5"}, "round", "is no round"),
        ({"source": "edi"}, "source_event_id", "only together"),
        ({"source_event_id": "e-1"}, "source", "only together"),
        ({"note": "a\x00"}, "note", "U+0000"),
        ({"equipment": "#VALUE!"}, "equipment", "formula that failed"),
    ],
)
def test_a_bad_report_is_refused_with_column_and_reason(cells: dict[str, str], column: str, reason: str) -> None:
    refused = refusal(report, **cells)

    assert refused.column == column
    assert reason in refused.reason


# Both


def test_a_refusal_is_printed_with_its_line_and_column() -> None:
    assert str(RowRefused(7, "etd", "is empty")) == "line 7, column etd: is empty"
    assert str(RowRefused(7, "", "is too long")) == "line 7: is too long"
    assert isinstance(RowRefused(7, "etd", "is empty"), GendanError)


def test_a_refusal_survives_the_way_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(RowRefused(7, "etd", "is empty")))

    assert (again.line, again.column, again.reason) == (7, "etd", "is empty")


def test_column_names_are_trimmed_and_their_capitals_do_not_count() -> None:
    assert header_of(["\ufeffOrder_No ", " ETD", ""], needs=["order_no"]) == ("order_no", "etd", "")


@pytest.mark.parametrize(
    ("names", "needs", "reason"),
    [
        (["order_no"], REPORT_NEEDS, "milestone, occurred_at are missing. It has: order_no"),
        (["etd", ""], ORDER_NEEDS, "order_no, placed_at are missing"),
        ([], ["order_no"], "order_no is missing"),
        (["etd", "order_no", " ETD "], [], "'etd' stands more than once (1 and 3)"),
        (["order\x00no"], [], "U+0000"),
    ],
)
def test_a_bad_header_refuses_the_whole_file(names: list[str], needs: list[str], reason: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        header_of(names, needs)

    assert reason in str(refused.value)


def test_two_columns_without_a_name_are_not_the_same_column_twice() -> None:
    assert header_of(["", "etd", ""]) == ("", "etd", "")


PLAUSIBLE = (
    st.text(max_size=70)
    | st.sampled_from(["2026-09-30", "2026-09-30T10:00:00Z", "2099-01-01", "EST", "export", "STUFFED", "BL_ISSD"])
    | st.decimals(allow_nan=True, allow_infinity=True).map(str)
    | st.dates().map(str)
    | st.datetimes(timezones=st.timezones()).map(lambda instant: instant.isoformat())
)


@given(st.dictionaries(st.sampled_from([*ORDER_COLUMNS, "remark"]), PLAUSIBLE))
def test_every_row_is_an_order_or_a_refusal(cells: dict[str, str]) -> None:
    try:
        accepted = order_from(order_row(**cells), now=NOW, choose=choose, calendars=CALENDARS)
    except RowRefused as error:
        refused = error
    else:
        assert accepted.order.order_no.isprintable()
        assert accepted.order.placed_at <= NOW + timedelta(hours=1)
        return

    assert refused.column in {*ORDER_COLUMNS, "remark"}
    assert str(refused).startswith("line 2, column ")


@given(st.dictionaries(st.sampled_from(REPORT_COLUMNS), PLAUSIBLE | st.sampled_from(["failed", "2", "edi"])))
def test_every_row_is_a_report_a_retraction_or_a_refusal(cells: dict[str, str]) -> None:
    try:
        read = told(**cells)
    except RowRefused as error:
        refused = error
    else:
        assert read.milestone in TEMPLATE.codes
        if isinstance(read, Report):
            assert read.occurred_at >= PLACED
            assert bool(read.source) == bool(read.source_event_id)
        return

    assert str(refused).startswith("line 2, column ")


@given(st.lists(st.text(max_size=8), max_size=6))
def test_every_header_is_read_or_refused(names: list[str]) -> None:
    try:
        header = header_of(names)
    except ImportRefused:
        return

    assert len(header) == len(names)
    assert len(set(filter(None, header))) == len(list(filter(None, header)))


if DATA.exists():

    def rows_of(file: str) -> list[Row]:
        with (DATA / file).open(encoding="utf-8", newline="") as opened:
            return [Row(line, cells) for line, cells in enumerate(csv.DictReader(opened), start=2)]

    def test_every_order_and_report_of_the_container_log_is_taken() -> None:
        now = datetime(2024, 9, 1, tzinfo=UTC)
        accepted = [order_from(row, now=now, choose=choose, calendars=CALENDARS) for row in rows_of("orders.csv")]
        by_no = {one.order.order_no: one for one in accepted}
        reports = [
            report_from(
                row,
                now=now,
                order_calendar=SHANGHAI,
                placed_at=by_no[order_no_of(row)].order.placed_at,
                codes=by_no[order_no_of(row)].template.codes,
            )
            for row in rows_of("reports.csv")
        ]

        assert len(by_no) == 600
        assert sum(one.order.etd is None for one in accepted) == 26
        assert sum(one.order.quantity is None for one in accepted) == 9  # without a booking, or with none of its boxes
        assert accepted[0].order.attributes == {"reference": "td6"}
        assert len(reports) == 13672
        assert sum(told.milestone == "DEPARTED" for told in reports) == 1956
