"""Stories of papers and of the system itself: credits, an outage, unpublished holidays, doubled events, languages."""

from __future__ import annotations

import re
from datetime import date

from models.book.changes import CreditAdvised
from models.book.report import Report
from models.names import Language
from models.terms.credit import Credit, presentation_limit
from notifications.sheet import sheet
from tests.scenarios.production import BOOKED, PLAIN, PRE_PRODUCTION
from tests.scenarios.stage import LIBRARY, Line, OnPaper, Stage, morning, on

BEGUN = (
    "ORD_RCVD", "ORD_REVIEW", "PI_SIGNED", "TA_FROZEN", "LC_RCVD", "LC_REVIEW", "LC_OK", "ARTWORK_APP", "GOLDEN_APP",
    "CERT_OK", "PROD_ORDER", "MAT_PO", "MAT_IN", "MAT_READY", "PP_MEET", "MP_START",
)  # fmt: skip
SEWN = (
    "PPS_APP", "PP_MEET", "TRIM_IN", "FAB_IN", "FAB_QC", "MAT_READY", "CUT_START", "SEW_START", "INLINE_QC", *BOOKED
)  # fmt: skip


async def the_credit_ends_on_a_sunday(stage: Stage) -> None:
    """F. 31D on a Sunday moves to Monday; 44C on a Saturday that is a holiday never moves."""
    await stage.order("HCL", placed_at=on(6, 20), etd=date(2026, 10, 2), without=("DEPOSIT", "TOOL_START", "T1_SAMPLE"))
    credit = Credit(number="LC-88", latest_shipment=date(2026, 10, 3), expiry=date(2026, 10, 25))
    await stage.entry(CreditAdvised, credit=credit)
    ahead = await stage.outlook()
    hard = {date_.code: date_ for date_ in ahead.hard}

    assert date(2026, 10, 3).isoweekday() == 6
    assert not LIBRARY.calendars["cn-bank"].is_workday(date(2026, 10, 3)), "National Day"
    assert hard["LC_44C"].at.date() == date(2026, 10, 3), "the latest shipment date never moves"
    # 21 days after shipment on 2 October is the 23rd, before the expiry on Sunday the 25th.
    assert hard["LC_48"].at.date() == date(2026, 10, 23)
    late = presentation_limit(credit, date(2026, 10, 5), LIBRARY.calendars["cn-bank"])
    assert (late.by, late.extended_from) == (date(2026, 10, 26), date(2026, 10, 25)), "the expiry does"
    assert not ahead.slips
    assert ahead.broken == ()

    # Nobody inspects the goods: the vessel after the 3rd is too late. The general manager is told, once.
    await stage.done(*BEGUN)
    await stage.go_to(on(9, 29))
    about_credit = [line for line in await stage.said() if line.milestone.startswith("LC_")]
    assert about_credit == [Line(morning(9, 21), "LC_44C", "L4", "GM")]
    alarm = await stage.words("LC_44C", "L4", "GM")
    for fact in (
        stage.order_no,
        "latest shipment (44C) Sat 3 Oct",
        "LC-88",
        "have the L/C amended",
        "Decide how the date",
    ):
        assert fact in alarm, fact


async def the_system_is_down_for_sixty_hours(stage: Stage) -> None:
    """L. After an outage an order says each thing once, and nothing that was overtaken meanwhile."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION, "PPS_APP", "PP_MEET", "TRIM_IN")
    await stage.go_to(on(9, 19))
    assert isinstance(stage, OnPaper)
    stage.now = on(9, 21, 22)  # nobody looked since: the 20th and 21st went by
    await stage.done("LABDIP_SUB")
    said = await stage.said()
    assert said[-3:] == [  # what was due on both mornings, and no reminder of a date that went by
        Line(on(9, 21, 22), "FAB_IN", "L1", "MER"),
        Line(on(9, 21, 22), "FAB_IN", "L1", "PUR"),
        Line(on(9, 21, 22), "FAB_IN", "L2", "PROD"),
    ]
    assert len(said) == len(set(said))
    await stage.go_to(on(9, 21, 23))
    assert await stage.said() == said


async def the_order_sails_in_january_2027(stage: Stage) -> None:
    """M. The holidays of 2027 are not published: the dates that rest on them say so, the others do not."""
    await stage.order(placed_at=on(10, 9), etd=date(2027, 1, 20), without=PLAIN)
    lines = {line.code: line for line in (await stage.sheet()).lines}
    marked = {code for code, line in lines.items() if "plan" in line.provisional}
    in_2027 = {code for code, line in lines.items() if line.plan is not None and line.plan.year == 2027}

    assert "EX_FACTORY" in marked
    assert "FAB_IN" not in marked
    assert lines["FAB_IN"].plan is not None
    assert lines["FAB_IN"].plan.year == 2026
    every_day = {code for code in in_2027 if LIBRARY.calendars[_calendar(code)].published is None}
    assert in_2027 - every_day <= marked

    await stage.done("ORD_RCVD", *PRE_PRODUCTION, *SEWN)
    await stage.go_to(on(12, 31))
    assert [line for line in await stage.said() if line.milestone == "SEW_END"] == [
        Line(morning(12, 29), "SEW_END", "R5", "PROD")
    ]
    for language, due, why in (
        (Language.EN, "Due: ~Wed 6 Jan 2027", "~ provisional: holidays are not published yet"),
        (Language.ZH_HANS, "应完成: ~2027-01-06(三)", "~ 暂定: 放假安排尚未公布"),
        (Language.ZH_HANT, "應完成: ~2027-01-06(三)", "~ 暫定: 放假安排尚未公布"),
    ):
        asked = await stage.words("SEW_END", "R5", "PROD", language)
        assert due in asked
        assert why in asked


def _calendar(code: str) -> str:
    return LIBRARY.templates["AFS"].by_code[code].calendar


async def the_same_event_comes_three_times_and_out_of_order(stage: Stage) -> None:
    """N. Departure before loading, each event three times: the state is that of each event once."""
    events = [("DEPARTED", 4, 9), ("ONBOARD", 3, 22), ("GATE_IN", 1, 8)]
    plain = OnPaper()
    for each, told in ((plain, sorted(events, key=lambda e: e[1])), (stage, events * 3)):
        await each.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
        await each.done("ORD_RCVD")
        await each.go_to(on(11, 4, 12))
        for number, (code, day, hour) in enumerate(told):
            report = Report(
                recorded_at=each.now,
                milestone=code,
                occurred_at=on(11, day, hour),
                source="carrier",
                source_event_id=f"E-{code}",
                note=f"delivery {number}",
            )
            await each.tell(lambda file, now, report=report: report)
    expected, found = await plain.standing(), await stage.standing()
    assert found.reached == expected.reached
    assert found.done == expected.done
    assert found.state == expected.state
    assert "STUFFED" in found.passed, "implied by the gate-in, not proven"


async def the_sheet_says_the_same_in_three_languages(stage: Stage) -> None:
    """O. Dates, quantities and codes are the same facts in English, 简体 and 繁體."""
    await stage.order(placed_at=on(6, 20), etd=date(2026, 11, 3), without=PLAIN)
    await stage.done("ORD_RCVD", *PRE_PRODUCTION)
    await stage.go_to(on(9, 30))
    file, at = await stage.file(), await stage.standing()
    pages = {language: sheet(file, at, LIBRARY.parties, language) for language in Language}
    codes = {language: re.findall(r"[A-Z]{2,}\\?_[A-Z0-9_\\]+", page) for language, page in pages.items()}
    assert codes[Language.EN] == codes[Language.ZH_HANS] == codes[Language.ZH_HANT]
    assert pages[Language.ZH_HANS] != pages[Language.ZH_HANT]
    assert pages[Language.EN].count("\n") == pages[Language.ZH_HANS].count("\n") == pages[Language.ZH_HANT].count("\n")
    asked = {language: await stage.words("FAB_IN", "L1", "PUR", language) for language in Language}
    numbers = {language: sorted(re.findall(r"[A-Z]{2,}[A-Z0-9_-]+", words)) for language, words in asked.items()}
    assert numbers[Language.EN] == numbers[Language.ZH_HANS] == numbers[Language.ZH_HANT]
    assert len(set(asked.values())) == 3
