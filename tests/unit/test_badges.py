"""What Prefect's pages show of an order."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from models.book.changes import Cancellation, Hold, Lost, Lot, QuotationValid, Resume, Split, Unfollowed, Won
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Outcome, Promise
from models.decide import AT_RISK, CALLED_OFF, DONE, DONE_LATE, ON_HOLD, PASSED, PROMISED, REOPENED, WAITING
from models.names import Language
from models.status.standing import standing
from models.terms.template import Template
from notifications.badges import (
    NAME,
    Badge,
    badge,
    bar_name,
    bar_state,
    by_urgency,
    in_a_sentence,
    tags,
    what_is_awaited,
)
from tasks.library import load_library
from tests.factories import (
    CUSTOMS,
    CUTTING,
    DEPARTURE,
    FABRIC,
    a_calendar,
    a_milestone,
    a_name,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)
from tests.plans import CALL_AGAIN, HELD, NOW, a_prospect, cutting_is_done, mid_season, planned

EN, HANS, HANT = Language.EN, Language.ZH_HANS, Language.ZH_HANT
BEFORE, MONDAY = china(19), china(23, 9)
TRIMS = a_milestone("TRIM_IN", name=a_name("Trims in-house"), offset=-43)


def shown(file: OrderFile, now: datetime = BEFORE, language: Language = EN) -> Badge:
    return badge(file, standing(file, now), language)


def up_to_customs(*entries: Entry) -> OrderFile:
    """Everything is done but the customs' release, due on 30 December."""
    steps = ("FAB_IN", "CUT_START", "SEW_END")
    return an_order_file(None, None, *(a_report(code, china(18)) for code in steps), *entries)


def with_trims(*entries: Entry) -> OrderFile:
    """Trims are due on 18 November, before the fabric on the 20th."""
    cutting = CUTTING.model_copy(update={"after": ("FAB_IN", "TRIM_IN")})
    return an_order_file(
        None, a_template(FABRIC, TRIMS, cutting, DEPARTURE.model_copy(update={"after": ("CUT_START",)})), *entries
    )


@pytest.mark.parametrize(
    ("file", "now", "name"),
    [
        (an_order_file(), BEFORE, "Awaiting bulk fabric in-house"),  # nothing is late
        (an_order_file(), MONDAY, "Stalled: bulk fabric in-house"),  # the first rung has fired
        (up_to_customs(), BEFORE, "Awaiting customs release"),  # further on
        (an_order_file(None, None, Hold(recorded_at=china(18))), MONDAY, "On hold"),  # late, but nobody is chased
        (an_order_file(an_order(etd=None)), MONDAY, "Awaiting an ETD"),  # nothing can be late
        (an_order_file(None, None, Unfollowed(recorded_at=china(18))), MONDAY, "Not followed"),
        (an_order_file(None, None, Cancellation(recorded_at=china(18))), MONDAY, "Cancelled"),
        (up_to_customs(a_report("DEPARTED", china(19))), MONDAY, "Sailed on time"),
    ],
)
def test_a_badge_names_what_is_waited_for_or_what_stands_in_the_way(file: OrderFile, now: datetime, name: str) -> None:
    assert shown(file, now).name == name


@pytest.mark.parametrize(("language", "name"), [(EN, "Stalled: bulk fabric in-house"), (HANS, "停滞: 面料到厂")])
def test_a_badge_speaks_the_language_it_is_asked_for(language: Language, name: str) -> None:
    assert shown(an_order_file(), MONDAY, language).name == name


def test_a_badge_says_what_is_waited_for_where_the_name_says_what_was_done() -> None:
    released = CUSTOMS.model_copy(
        update={"name": a_name("Customs released", "海关放行"), "awaited": "customs release", "after": ()}
    )
    file = an_order_file(None, a_template(released, DEPARTURE))

    assert shown(file).name == "Awaiting customs release"
    assert shown(file, china(31, 9, month=12)).name == "Stalled: customs release"
    assert shown(file, BEFORE, HANS).name.endswith("海关放行")
    assert shown(file).message.startswith("CUS_REL Customs released")  # the message gives the step by its name


@pytest.mark.parametrize("template", load_library().templates.values(), ids=lambda template: template.code)
def test_what_the_library_waits_for_is_a_thing_not_a_deed(template: Template) -> None:
    for milestone in template.milestones:
        phrase = what_is_awaited(milestone, EN)

        assert not re.search(r"(ed|sent|passed|issued|complete|closed|ok)$|\b(done|sent)\b", phrase), phrase
        assert len(f"Awaiting {phrase}") <= NAME
        assert phrase == in_a_sentence(phrase, EN)  # as it stands within a sentence


def test_the_message_says_since_when_and_until_when() -> None:
    file = an_order_file(None, None, a_report("FAB_IN", china(20)))

    assert shown(file, MONDAY).message == "CUT_START Cutting started, since Fri 20 Nov 2026, due Thu 26 Nov 2026"


def test_the_message_of_a_stall_says_how_late_it_is_and_on_which_rung() -> None:
    late = "FAB_IN Bulk fabric in-house, since Thu 1 Oct 2026, due Fri 20 Nov 2026, 2 working days late (L2)"

    assert shown(an_order_file(), china(24, 9)).message == late


def test_a_promise_is_shown_beside_the_plan() -> None:
    promise = Promise(recorded_at=china(19), milestone="FAB_IN", promised=china(27, 12))

    message = shown(an_order_file(None, None, promise), MONDAY).message

    assert message.endswith("due Fri 20 Nov 2026, promised Fri 27 Nov 2026 12:00 CST(+08)")


def test_the_highest_rung_leads_then_the_earliest_due() -> None:
    none_late, trims_late, both_late = (standing(with_trims(), now) for now in (china(17), china(19, 9), china(23, 9)))

    assert by_urgency(none_late) == ("TRIM_IN", "FAB_IN")  # the earlier due
    assert by_urgency(trims_late) == ("TRIM_IN", "FAB_IN")  # L1 before none
    assert (both_late.rung_of("TRIM_IN"), both_late.rung_of("FAB_IN")) == ("L2", "L1")
    assert by_urgency(both_late) == ("TRIM_IN", "FAB_IN")

    chased_later = with_trims(Promise(recorded_at=china(17), milestone="TRIM_IN", promised=china(27)))
    assert by_urgency(standing(chased_later, MONDAY)) == ("FAB_IN", "TRIM_IN")  # a promise is not chased before its day


def test_what_else_is_waited_for_stands_below() -> None:
    lines = shown(with_trims(), MONDAY).message.splitlines()

    assert lines[0].startswith("TRIM_IN Trims in-house")
    assert lines[1].startswith("Also awaited: FAB_IN Bulk fabric in-house, since")


def test_many_open_steps_are_counted_not_listed() -> None:
    steps = [a_milestone(f"STEP_{n}") for n in range(9)]
    last = a_milestone("LAST", after=tuple(step.code for step in steps))

    message = shown(an_order_file(None, a_template(*steps, last))).message

    assert message.count("STEP_") == 4
    assert message.endswith("5 more")


def test_a_hold_says_since_when_and_by_whom_and_a_second_one_changes_nothing() -> None:
    file = an_order_file(
        None,
        None,
        Hold(recorded_at=china(2)),
        Resume(recorded_at=china(3)),
        Hold(recorded_at=china(18, 15), by="li"),
        Hold(recorded_at=china(19, 8), by="wang"),
    )

    assert shown(file).message.startswith("On hold since Wed 18 Nov 2026 15:00 CST(+08) (li); nobody is chased.\nAlso")


def test_an_order_without_a_date_says_what_to_do() -> None:
    assert "gendan reschedule 'SO 1' DATE" in shown(an_order_file(an_order(order_no="SO 1", etd=None))).message


def test_a_long_name_is_shortened_to_fit() -> None:
    name = a_name("Prepayment (100 % or agreed part) credited, or credit line released to the factory")
    file = an_order_file(None, a_template(a_milestone("PREPAY", name=name)))

    short = shown(file).name

    assert len(short) <= NAME
    assert short == "Awaiting prepayment (100 % or agreed part) credited, or…"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Customs released", "customs released"),  # an ordinary word
        ("Pre-production meeting", "pre-production meeting"),  # with a hyphen
        ("Print/embroidery strike-off approved", "print/embroidery strike-off approved"),  # two ordinary words
        ("VGM submitted", "VGM submitted"),  # an acronym
        ("B/L issued", "B/L issued"),  # with a slash
        ("T&A plan approved", "T&A plan approved"),  # with a sign
        ("T1/T2 trial shots submitted", "T1/T2 trial shots submitted"),  # with digits
        ("PI / sales contract countersigned", "PI / sales contract countersigned"),  # and a word after it
        ("", ""),  # nothing
    ],
)
def test_a_step_within_a_sentence_keeps_the_capitals_of_a_code_only(name: str, text: str) -> None:
    assert in_a_sentence(name, EN) == text


def test_chinese_is_left_as_it_is() -> None:
    assert in_a_sentence("Sample 到廠", HANT) == "Sample 到廠"


@pytest.mark.parametrize(
    ("file", "now", "expected"),
    [
        (an_order_file(), BEFORE, ["customer:ACME", "stage:materials"]),
        (an_order_file(), MONDAY, ["customer:ACME", "stage:materials", "stalled"]),
        (up_to_customs(), BEFORE, ["customer:ACME", "stage:customs"]),
        # On hold nothing is chased, so nothing stalls
        (
            an_order_file(None, None, Hold(recorded_at=china(23, 10))),
            china(24),
            ["customer:ACME", "stage:materials", "on-hold"],
        ),
        (an_order_file(an_order(etd=None)), MONDAY, ["customer:ACME", "stage:materials", "no-etd"]),
        (an_order_file(an_order(customer="")), BEFORE, ["stage:materials"]),  # no customer
        (up_to_customs(a_report("DEPARTED", china(19))), MONDAY, ["customer:ACME"]),  # nothing is waited for
    ],
)
def test_tags_say_customer_stage_and_what_is_wrong(file: OrderFile, now: datetime, expected: list[str]) -> None:
    assert tags(file, standing(file, now)) == expected


@pytest.mark.parametrize(
    ("language", "due", "name"),
    [
        (EN, china(20, 23, 59), "FAB_IN Bulk fabric in-house, due Fri 20 Nov"),
        (HANT, china(20, 23, 59), "FAB_IN 面料到廠, 應完成 11-20(五)"),
        (EN, None, "FAB_IN Bulk fabric in-house"),  # an order without a date
        # The day is that of the calendar, not of UTC
        (EN, datetime(2026, 11, 20, 17, tzinfo=UTC), "FAB_IN Bulk fabric in-house, due Sat 21 Nov"),
    ],
)
def test_a_bar_is_named_after_its_step_and_due_day(language: Language, due: datetime | None, name: str) -> None:
    assert bar_name(FABRIC, due, language, a_calendar()) == name


@pytest.mark.parametrize(
    ("appearance", "state"),
    [
        (WAITING, ("RUNNING", "Waiting")),  # blue
        ("overdue L1", ("SCHEDULED", "Overdue L1")),  # amber
        ("overdue L4", ("SCHEDULED", "Overdue L4")),
        (ON_HOLD, ("PAUSED", "On hold")),  # grey
        (PROMISED, ("RUNNING", "Promised")),
        (DONE, ("COMPLETED", "Done")),  # green
        (DONE_LATE, ("COMPLETED", "Done late")),
        (PASSED, ("COMPLETED", "Passed, not reported")),
        (CALLED_OFF, ("CANCELLED", "Called off")),
        (REOPENED, ("PENDING", "Not yet")),
        (AT_RISK, ("PENDING", "At risk")),  # grey: not the amber of a stall
        ("overdue L2, round 2", ("SCHEDULED", "Overdue L2, round 2")),  # an approval that came back with comments
        ("waiting, round 3", ("RUNNING", "Waiting, round 3")),
        ("at risk, round 2", ("PENDING", "At risk, round 2")),
    ],
)
def test_each_appearance_has_its_colour_and_name(appearance: str, state: tuple[str, str]) -> None:
    assert bar_state(appearance, EN) == state
    assert bar_state(appearance, HANT)[0] == state[0]


def test_what_is_at_risk_is_not_coloured_like_what_is_overdue() -> None:
    assert bar_state(AT_RISK, EN)[0] != bar_state("overdue L1", EN)[0]


# --- what is foreseen


def test_an_order_that_slips_names_its_forecast_and_the_deadline_that_breaks() -> None:
    lines = shown(mid_season(), NOW).message.splitlines()

    assert lines[1] == "Forecast Thu 7 Jan 2027, 7 days later than ETD Thu 31 Dec 2026"
    assert lines[2] == "Breaks CY cut-off Tue 29 Dec 2026 16:00 CST(+08): forecast Wed 30 Dec 2026"


def test_an_order_at_risk_names_the_step_that_is_furthest_behind() -> None:
    # the trims are promised too late, and nothing is overdue yet
    late = Promise(recorded_at=china(9, 9, month=12), milestone="TRIM_IN", promised=china(16, month=12))
    file = cutting_is_done().told(late)

    assert shown(file, NOW).name == "At risk: trims in-house"
    assert tags(file, standing(file, NOW)) == ["customer:ACME", "stage:production", "at-risk"]


def test_an_order_that_holds_its_dates_is_not_tagged() -> None:
    file = cutting_is_done()

    assert "at-risk" not in tags(file, standing(file, NOW))
    assert "Forecast" not in shown(file, NOW).message


def test_hard_dates_run_on_while_an_order_is_on_hold() -> None:
    file = mid_season(HELD)

    assert tags(file, standing(file, NOW))[-2:] == ["at-risk", "on-hold"]


def test_a_template_that_foresees_nothing_tags_nothing() -> None:
    file = an_order_file()

    assert "at-risk" not in tags(file, standing(file, china(4, month=1, year=2027)))


def test_a_step_in_its_second_round_says_so() -> None:
    failed = a_report("LABDIP_APP", china(9, 12), outcome=Outcome.FAILED, note="too red")
    file = an_order_file(
        an_order(placed_at=china(8, month=10), came_in=china(8, month=10)),
        planned(),
        a_report("LABDIP_SUB", china(2)),
        failed,
    )

    told = shown(file, china(10))
    assert told.name == "Awaiting lab dip approved, round 2"
    assert "LABDIP_APP Lab dip approved, round 2, since" in told.message


# --- ends and prospects


def test_a_split_order_says_into_how_many_lots_and_which() -> None:
    lots = (
        Lot(order_no="SO-26-0417/1", quantity=3000, etd=date(2026, 12, 31)),
        Lot(order_no="SO-26-0417/2", quantity=600, etd=date(2027, 1, 7)),
    )
    file = an_order_file(None, None, Split(recorded_at=china(18), lots=lots))

    assert shown(file) == Badge(
        "Split into 2 lots",
        "SO-26-0417/1: 3,000 pcs, ETD Thu 31 Dec 2026\nSO-26-0417/2: 600 pcs, ETD Thu 7 Jan 2027",
    )


@pytest.mark.parametrize(
    ("language", "won", "lost"),
    [
        (EN, "Won: order SO-26-0481", "Lost: price 8 % above Dhaka"),
        (HANS, "已成交: 订单 SO-26-0481", "未成交: price 8 % above Dhaka"),
        (HANT, "已成交: 訂單 SO-26-0481", "未成交: price 8 % above Dhaka"),
    ],
)
def test_a_prospect_ends_with_its_order_or_its_reason(language: Language, won: str, lost: str) -> None:
    signed = Won(recorded_at=china(18), order=an_order(order_no="SO-26-0481"))
    gone = Lost(recorded_at=china(18), reason="price 8 % above Dhaka")

    assert shown(a_prospect(signed), BEFORE, language).name == won
    assert shown(a_prospect(gone), BEFORE, language).name == lost


def test_a_long_reason_is_shortened_in_the_name_and_whole_in_the_message() -> None:
    reason = "the price is 8 % above Dhaka and the delivery two weeks after what the season needs"
    file = a_prospect(Lost(recorded_at=china(18), reason=reason))

    assert len(shown(file).name) <= NAME
    assert shown(file).message == reason


def test_a_prospect_says_what_it_waits_for() -> None:
    file = a_prospect()

    assert shown(file, china(2)).name == "Prospect: awaiting enquiry received"
    assert tags(file, standing(file, china(2))) == ["customer:ACME", "stage:commercial", "prospect"]


def test_a_prospect_rests_until_the_call_that_was_agreed() -> None:
    quoted = QuotationValid(recorded_at=china(2, month=12), until=date(2026, 12, 18))

    told = shown(a_prospect(quoted, CALL_AGAIN), NOW)
    after = shown(a_prospect(quoted, CALL_AGAIN), china(17, month=12))

    assert told.name == "Prospect: next contact Wed 16 Dec 2026"
    assert told.message.endswith("Quotation valid until Fri 18 Dec 2026")
    assert "next contact" not in after.name  # the day is past


def test_a_contract_without_an_order_asks_for_it() -> None:
    file = a_prospect(a_report("CONTRACT", china(18)))

    assert shown(file, china(19)) == Badge(
        "Contract signed: its order is wanted", "Register its order: gendan prospects won P-26-031 --order NUMBER"
    )
