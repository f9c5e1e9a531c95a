"""Telling Gendan about changes: each command against a real order book, the log that it leaves, and the lots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.report_milestone import report_milestone
from models.book.changes import Lot, Split
from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Outcome, Promise, Report, Withdrawal
from models.errors import DuplicateOrder, GendanError, NoTemplateFits, Refused
from models.names import Language
from models.status.standing import standing
from models.terms.milestone import Rounds, Takes
from tasks.answers import entry_from, form_schema
from tasks.clock import now
from tasks.follow_ups import take_due
from tasks.library import library
from tasks.logbook import record_entry, record_report, record_reports
from tasks.lots import Delivered, delivery_of, open_lots
from tasks.orders import open_file
from tests.books import a_real_order, all_asleep, at, contents, days_ago, happened, in_the_book, place, run
from tests.factories import CUTTING, DEPARTURE, FABRIC, a_milestone, a_template, an_order_file, china
from tests.files import written
from tests.terminal import done, gendan, refused

NUMBER = "SO-26-0417"
ETD = days_ago(-80).date()
LATER = days_ago(-87).date()


def later(days: float) -> str:
    """Return a day to come, as people type it."""
    return str(days_ago(-days).date())


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order of 3,600 pieces by sea, placed ten days ago, that sails in eighty days."""
    in_the_book(lambda: place(a_real_order(etd=ETD), "AFS"))
    return NUMBER


def shown(number: str = NUMBER) -> dict[str, Any]:
    return dict(json.loads(done("orders", "show", number, "--json")))


def log(number: str = NUMBER) -> list[dict[str, Any]]:
    return list(shown(number)["log"])


def opened(number: str = NUMBER) -> OrderFile:
    return in_the_book(lambda: open_file(number))[0]


# --- rounds, failures, and what is taken back ---


def test_an_approval_fails_and_passes_in_its_rounds(order: str) -> None:
    for step in ("ORD_RCVD", "ORD_REVIEW", "LABDIP_SUB"):
        done("report", order, step, "--at", at(days_ago(8)))
    said = done("report", order, "labdip_app", "--failed", "--at", at(days_ago(7)), "--note", "too yellow")
    assert said == f"{order}: LABDIP_APP failed, recorded (line 4 of the log)\n"
    assert "LABDIP_SUB" in shown()["open"], "the next dip is to be sent"

    done("report", order, "LABDIP_SUB", "--at", at(days_ago(5)))
    done("report", order, "LABDIP_APP", "--round", "2", "--at", at(days_ago(4)), "--note", "approved")

    assert [(entry["outcome"], entry["round"]) for entry in log() if entry["milestone"] == "LABDIP_APP"] == [
        ("failed", None),
        ("done", 2),
    ]
    assert shown()["milestones"]["LABDIP_APP"]["reached_at"]


def test_more_rounds_than_foreseen_are_recorded_and_named(order: str) -> None:
    for n in (1, 2):
        said = done("report", order, "LABDIP_APP", "--failed", "--round", n, "--at", at(days_ago(9 - n)))
        assert "at most" not in said

    said = done("report", order, "LABDIP_APP", "--failed", "--round", "3", "--at", at(days_ago(5)))
    told = json.loads(done("report", order, "LABDIP_APP", "--failed", "--at", at(days_ago(4)), "--json"))

    assert "LABDIP_APP: round 4 of at most 3. Somebody must decide how it goes on." in said
    assert told == {"recorded": True, "line": 4, "remark": told["remark"]}
    assert "round 5 of at most 3" in told["remark"]


def test_what_has_begun_is_not_done(order: str) -> None:
    said = done("report", order, "CUT_START", "--started", "--at", at(days_ago(1)))

    assert "CUT_START has begun, recorded" in said
    assert log()[0]["outcome"] == "started"
    assert shown()["milestones"]["CUT_START"]["reached_at"] is None


def test_rolled_cargo_opens_the_steps_that_are_named(order: str) -> None:
    done("report", order, "ONBOARD", "--failed", "--reopens", "si_sub, VGM_SUB", "--at", at(days_ago(1)))

    assert log()[0]["reopens"] == ["SI_SUB", "VGM_SUB"]


def test_an_event_is_retracted_once_whether_it_came_before_or_comes_after(order: str, database_url: str) -> None:
    event = ("--at", at(days_ago(9)), "--source", "edi", "--id", "7")
    done("report", order, "ORD_RCVD", *event)

    said = done("report", order, "ORD_RCVD", "--retract", "edi", "7", "--note", "another order's")
    assert said == f"{order}: event 7 of edi is retracted (line 2 of the log)\n"
    assert shown()["open"] == ["ORD_RCVD"]
    assert done("report", order, "ORD_RCVD", "--retract", "edi", "7") == "Recorded before; nothing changed.\n"

    done("report", order, "ORD_RCVD", "--retract", "edi", "8")
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--source", "edi", "--id", "8")
    assert shown()["open"] == ["ORD_RCVD"], "what was retracted before it came does not count"
    assert [entry["kind"] for entry in log()] == ["report", "withdrawal", "withdrawal", "report"]


async def test_only_what_may_reopen_an_order_wakes_it_once_it_is_over(database_url: str) -> None:
    await place(a_real_order(etd=ETD), "AFS")
    event = {"source": "edi", "source_event_id": "7"}

    async def wakes(tell: Awaitable[object]) -> bool:
        await run("UPDATE follow_ups SET wanted = false, awake_since = NULL, closed_as = 'closed'")
        await tell
        return [woken.order_no for woken in await take_due(10, "a test")] == [NUMBER]

    def retract(file: OrderFile, present: datetime) -> Withdrawal:
        return Withdrawal(recorded_at=present, milestone="ORD_RCVD", source="edi", retracts="7")

    assert not await wakes(record_report(NUMBER, happened("ORD_RCVD", **event)))
    assert await wakes(record_report(NUMBER, happened("LABDIP_APP", outcome=Outcome.FAILED)))
    assert await wakes(record_entry(NUMBER, retract))
    assert not await wakes(record_entry(NUMBER, retract)), "told again it changes nothing"
    assert not await wakes(record_reports([(NUMBER, happened("ORD_RCVD")(None))]))
    assert await wakes(record_reports([(NUMBER, happened("FIT_APP", outcome=Outcome.FAILED)(None))]))


# --- bookings, credits, customs ---


def test_a_booking_gives_the_order_its_vessel_and_its_deadlines(order: str) -> None:
    cutoff = days_ago(-78).replace(microsecond=0)

    said = done(
        *("book", order, "--etd", LATER, "--vessel", "EVER GIVEN", "--voyage", "031E", "--source", "S/O 4711"),
        *("--cutoff", f"si={cutoff.isoformat()}", "--cutoff", f"CY={(cutoff + timedelta(days=1)).isoformat()}"),
        *("--sailing", later(94), "--sailing", later(101), "--every", "7", "--by", "forwarder"),
    )

    assert said == f"{order} is booked to leave on {LATER} (line 1 of the log)\n"
    (entry,) = opened().entries
    assert entry.kind == "booking"
    assert (entry.vessel, entry.voyage, entry.source, entry.by) == ("EVER GIVEN", "031E", "S/O 4711", "forwarder")
    assert entry.cutoffs == {"SI": cutoff, "CY": cutoff + timedelta(days=1)}
    assert (entry.sailings, entry.sails_every) == ((days_ago(-94).date(), days_ago(-101).date()), 7)
    assert shown()["etd"] == str(LATER)
    assert shown()["milestones"]["SO_RCVD"]["reached_at"], "an S/O is the booking confirmed"
    assert shown()["milestones"]["SI_SUB"]["due"] == at(cutoff)


def test_a_credit_is_recorded_and_its_amendments_are_counted(order: str) -> None:
    terms = ("--expiry", later(110), "--latest-shipment", later(85), "--presentation-days", "15", "--no-partial")

    said = done("credit", order, "--number", "LC-7731", *terms, "--place", "Hamburg", "--about")
    done("credit", order, "--expiry", later(120), "--latest-shipment", later(95))
    done("credit", order, "--number", "LC-8000", "--expiry", later(120), "--no-transhipment", "--by-measure")

    assert said == f"{order}: L/C LC-7731 recorded, on board by {later(85)} (line 1 of the log)\n"
    first, amended, another = (entry["credit"] for entry in log())
    assert (first["partial_shipments"], first["about"], first["presentation_days"]) == (False, True, 15)
    assert (first["expiry_place"], first["amended"]) == ("Hamburg", 0)
    assert (amended["number"], amended["amended"], amended["partial_shipments"]) == ("LC-7731", 1, True)
    assert (another["number"], another["amended"], another["latest_shipment"]) == ("LC-8000", 0, None)
    assert (another["transhipment"], another["counted_in_units"]) == (False, False)


def test_a_customs_letter_means_what_the_table_says(order: str) -> None:
    event = ("--source", "broker", "--id", "r-1")

    said = done("customs", order, "L", "--at", at(days_ago(2)), "--declaration", "310120260000417001", *event)
    again = json.loads(done("customs", order, "L", "--at", at(days_ago(2)), *event, "--json"))
    inspected = done("customs", order, "c", "--at", at(days_ago(1)), "--text", "查验")
    released = done("customs", order, "P")

    assert said == f"{order}: customs letter L, lodged (line 1 of the log)\n"
    assert again == {"recorded": False, "line": None}
    assert "customs letter C, inspection" in inspected
    assert "customs letter P, released" in released
    lodged, held, out = log()
    assert (lodged["declaration"], lodged["state"]) == ("310120260000417001", "LODGED")
    assert held["takes"]["pessimistic"] > held["takes"]["likely"] > 0
    assert held["text"] == "查验"
    assert out["occurred_at"] == out["recorded_at"]
    assert shown()["milestones"]["CUS_REL"]["reached_at"]


# --- amendments and holds ---


def test_an_amendment_makes_a_version_and_says_what_moves_and_what_is_undone(order: str) -> None:
    done("report", order, "LABDIP_SUB", "--at", at(days_ago(8)))

    said = done(
        *("amend", order, "--etd", LATER, "--quantity", "3400", "--tolerance", "-3/+5", "--undo", "labdip_sub"),
        *("--ship-window", f"{later(70)}..{later(90)}", "--cancel-after", later(95), "--note", "collar changed"),
    )

    lines = said.splitlines()
    assert lines[0] == f"{order} is now version 2 (line 2 of the log)"
    assert f"ETD: {ETD} -> {LATER}" in lines
    assert "quantity: 3600 -> 3400" in lines
    assert f"ship window until: none -> {later(90)}" in lines
    assert "tolerance: none -> -3/+5 %" in lines
    assert "LABDIP_SUB is to be done again" in lines
    assert any(line.startswith("DEPARTED: ") and line.endswith(f"{LATER:%a %d %b %Y}") for line in lines)
    assert shown()["etd"] == str(LATER)


def test_an_amendment_can_be_read_by_a_program(order: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)))

    told = json.loads(done("amend", order, "--etd", LATER, "--undo", "ORD_RCVD", "--json"))

    assert (told["line"], told["version"], told["undone"]) == (2, 2, ["ORD_RCVD"])
    moved = {line["milestone"]: line["plan"] for line in told["moved"]}
    assert [plan[:10] for plan in moved["DEPARTED"]] == [str(ETD), str(LATER)]


def test_an_amendment_that_voids_the_booking_says_so(order: str) -> None:
    done("book", order, "--etd", ETD)

    assert "The booking is void" in done("amend", order, "--etd", LATER)


def test_a_hold_says_until_when(order: str) -> None:
    assert done("hold", order, "--until", later(12)) == f"{order} is on hold until {later(12)} (line 1 of the log)\n"
    assert log()[0]["until"] == later(12)
    assert shown()["state"] == "on_hold"


def test_a_promise_beyond_the_late_date_needs_a_name(order: str) -> None:
    beyond = later(200)

    why = refused("promise", order, "ORD_RCVD", beyond)
    done("promise", order, "ORD_RCVD", beyond, "--approved-by", "Chen, GM")

    assert "is after the late date of ORD_RCVD" in why
    assert "--approved-by NAME" in why
    assert log()[0]["approved_by"] == "Chen, GM"


# --- the forms in Prefect's pages ---


def form_fields(file: OrderFile) -> dict[str, Any]:
    properties = form_schema(file, standing(file, china(23)), Language.EN)["properties"]
    return dict(properties)


DIP = a_milestone("LABDIP_APP", offset=-60, rounds=Rounds())
APPROVED = a_template(DIP, DEPARTURE.model_copy(update={"after": ("LABDIP_APP",)}))
FORESEEN = a_template(
    *(each.model_copy(update={"takes": Takes(likely=2, pessimistic=3)}) for each in (FABRIC, CUTTING)),
    DEPARTURE.model_copy(update={"after": ("CUT_START",)}),
)


def test_the_form_asks_for_a_result_where_something_can_fail_and_for_a_name_where_a_date_can_be_too_late() -> None:
    plain = form_fields(an_order_file())
    assert not {"outcome", "approved_by"} & plain.keys()
    assert form_fields(an_order_file(None, APPROVED))["outcome"]["enum"] == ["done", "failed, with comments"]
    assert "approved_by" in form_fields(an_order_file(None, FORESEEN))


def test_an_answer_with_comments_is_a_failed_attempt() -> None:
    file = an_order_file(None, APPROVED)
    comments = {"milestone": "LABDIP_APP Lab dip", "outcome": "failed, with comments", "note": "too yellow"}

    told = entry_from({**comments, "happened_at": "2026-11-20T10:00:00+08:00"}, "run/1")(file, china(23))
    assert isinstance(told, Report)
    assert (told.outcome, told.note, told.occurred_at) == (Outcome.FAILED, "too yellow", china(20))
    with pytest.raises(Refused, match="Not accepted: say when it failed"):
        entry_from({**comments, "promised": "2026-12-20T10:00:00+08:00"}, "run/1")(file, china(23))


def test_an_answer_names_who_accepts_a_date_that_is_too_late() -> None:
    answer = {"milestone": "FAB_IN", "promised": "2027-12-20T10:00:00+08:00", "approved_by": " Chen, GM "}

    told = entry_from(answer, "run/1")(an_order_file(None, FORESEEN), china(23))

    assert isinstance(told, Promise)
    assert told.approved_by == "Chen, GM"


async def test_the_report_form_tells_of_failures_and_takes_events_back(database_url: str) -> None:
    await place(a_real_order(etd=ETD), "AFS")

    async def report(milestone: str, **fields: Any) -> str:
        state = await report_milestone.fn(NUMBER, milestone, **fields)
        return f"{state.name}: {state.message}"

    assert await report("labdip_app", outcome="failed", round=1, reopens=["labdip_sub"]) == (
        f"Recorded: {NUMBER}: labdip_app recorded."
    )
    await report("LABDIP_APP", outcome="failed")
    assert "round 4 of at most 3" in await report("LABDIP_APP", outcome="failed", source="mail", source_event_id="3")
    assert (await report("LABDIP_APP", source="mail", retracts="3")) == f"Recorded: {NUMBER}: mail 3 is taken back."
    assert (await report("LABDIP_APP", source="mail", retracts="3")).startswith("Known already: mail 3 was recorded")
    with pytest.raises(Refused, match="only expected \\(EST\\) cannot have failed"):
        await report("LABDIP_APP", outcome="failed", classifier="EST")
    with pytest.raises(Refused, match="give its source"):
        await report("LABDIP_APP", retracts="3")

    file, _ = await open_file(NUMBER)
    assert [entry.kind for entry in file.entries] == ["report", "report", "report", "withdrawal"]
    assert standing(file, now()).round_of("LABDIP_APP") == 3


# --- many reports at once ---


async def test_a_plain_report_is_taken_without_reading_the_log(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place(a_real_order(etd=ETD), "AFS")
    monkeypatch.delattr("tasks.logbook.assemble")

    assert (await record_report(NUMBER, happened())).is_new
    with pytest.raises(NameError, match="assemble"):
        await record_report(NUMBER, happened("SEW_END", quantity=1))


def reports(tmp_path: Path, *rows: str) -> Path:
    header = "order_no,milestone,occurred_at,classifier,outcome,round,quantity,source,source_event_id,retracts"
    return written(tmp_path, "\n".join([header, *rows]) + "\n", "reports.csv")


def test_a_file_of_reports_is_counted_as_a_whole(tmp_path: Path, order: str) -> None:
    when = at(days_ago(1))
    done("report", order, "SEW_END", "--quantity", "1000", "--at", at(days_ago(2)))
    file = reports(
        tmp_path,
        f"{order},SEW_END,{when},,,,2000,erp,1,",
        f"{order},SEW_END,{when},,,,601,erp,2,",  # one too many
        f"{order},SEW_END,{when},,,,600,erp,3,",
        f"{order},PACK_DONE,{when},,,,3601,erp,4,",
        f"{order},SEW_END,{when},,,,2000,erp,1,",  # told before
    )

    said = gendan("reports", "import", file)

    assert (said.status, said.out) == (1, "2 reports taken in, 1 there already, 2 refused.\n")
    assert "line 3: Order SO-26-0417: SEW_END would be 3601 of 3600 pcs" in said.err
    assert "line 5: Order SO-26-0417: PACK_DONE would be 3601 of 3600 pcs" in said.err
    assert shown()["milestones"]["SEW_END"]["reached_at"]
    assert len(log()) == 3

    again = gendan("reports", "import", file)
    assert again.out == "0 reports taken in, 3 there already, 2 refused.\n"
    assert len(log()) == 3


def test_rounds_of_a_file_follow_each_other_and_what_is_retracted_does_not_count(tmp_path: Path, order: str) -> None:
    when = at(days_ago(1))
    file = reports(
        tmp_path,
        f"{order},FIT_APP,{at(days_ago(4))},,rejected,1,,mail,1,",
        f"{order},FIT_APP,{at(days_ago(3))},,approved,2,,mail,2,",
        f"{order},FIT_APP,{when},,failed,4,,mail,3,",  # round 3 was never told
        f"{order},FAB_IN,{when},,failed,,,mail,4,",  # cannot fail
        f"{order},PI_SIGNED,{when},,,,,edi,9,",
        f"{order},PI_SIGNED,,,,,,edi,,9",
    )

    said = gendan("reports", "import", file)

    assert said.out == "4 reports taken in, 2 refused.\n"
    assert "line 4: Order SO-26-0417: FIT_APP is in round 2, not yet in round 4" in said.err
    assert "line 5: Order SO-26-0417: FAB_IN has no rounds" in said.err
    assert "PI_SIGNED" in shown()["open"]
    assert shown()["milestones"]["FIT_APP"]["reached_at"]


async def test_two_that_count_at_once_do_not_count_too_much_together(database_url: str) -> None:
    await place(a_real_order(etd=ETD), "AFS")

    outcomes = await asyncio.gather(
        *(record_report(NUMBER, happened("SEW_END", quantity=1000)) for _ in range(8)), return_exceptions=True
    )

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 3
    assert all(isinstance(outcome, Refused) for outcome in outcomes if isinstance(outcome, BaseException))
    assert len((await open_file(NUMBER))[0].entries) == 3


# --- lots ---

LOTS = ("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=600@{later(40)}:EAD")


async def lots_of(number: str = NUMBER) -> list[str]:
    return await open_lots((await open_file(number))[0])


def test_a_split_is_recorded_and_its_lots_are_followed_as_orders_of_their_own(order: str, database_url: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--source", "mail", "--id", "1")
    done("report", order, "PACK_DONE", "--at", at(days_ago(2)), "--quantity", "3200")

    said = done("split", order, *LOTS, "--note", "the rest by air")
    assert said == f"{order} leaves in 2 lots, each followed by itself (line 3 of the log)\n"
    assert len(contents(database_url)["orders"]) == 1, "its flow takes them in"

    assert in_the_book(lots_of) == ["SO-1/A", "SO-1/B"]
    before = contents(database_url)
    assert in_the_book(lots_of) == []
    assert contents(database_url) == before

    first, second = opened("SO-1/A"), opened("SO-1/B")
    assert [(lot.order.parent, lot.order.quantity, lot.order.etd) for lot in (first, second)] == [
        (NUMBER, 3000, ETD),
        (NUMBER, 600, date.fromisoformat(later(40))),
    ]
    assert (first.template, first.policy) == (opened().template, opened().policy)
    assert second.template.code == "EAD"
    assert [(e.kind, e.recorded_at) for e in first.entries] == [
        (e.kind, e.recorded_at) for e in opened().entries if e.kind == "report"
    ]
    assert [getattr(e, "quantity", None) for e in first.entries] == [None, 3000]
    assert [getattr(e, "quantity", None) for e in second.entries] == [None, 200]


def test_the_lots_of_an_order_are_wanted_at_once_on_its_clock(database_url: str) -> None:
    clock = days_ago(5)

    async def split() -> list[tuple[str, bool]]:
        await place(a_real_order(etd=ETD), "AFS", clock=clock)
        lots = (Lot(order_no="L-1", quantity=3000, etd=ETD), Lot(order_no="L-2", quantity=600, etd=LATER))
        await record_entry(NUMBER, lambda file, present: Split(recorded_at=present, lots=lots))
        await all_asleep()
        await lots_of()
        woken = sorted(order.order_no for order in await take_due(10, "a test"))
        return [(number, (await open_file(number))[1].clock == clock) for number in woken]

    assert in_the_book(split) == [("L-1", True), ("L-2", True)]


def test_a_lot_is_followed_as_deep_as_its_order(database_url: str) -> None:
    deep = library().templates["AFS"].followed_to("ORD_CLOSED")
    in_the_book(lambda: place(a_real_order(etd=ETD), deep))
    done("split", NUMBER, *LOTS)
    in_the_book(lots_of)

    assert opened("SO-1/A").template.follow_to == "ORD_CLOSED"
    assert opened("SO-1/B").template.follow_to == "ORD_CLOSED"


@pytest.mark.parametrize(
    ("lots", "said"),
    [
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=601@{ETD}"), "the lots have 1 too many"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=599@{ETD}"), "1 are in no lot"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/A=600@{ETD}"), "two lots are called SO-1/A"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"{NUMBER}=600@{ETD}"), "needs a number of its own"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-2=600@{ETD}"), "SO-2 is in the book already"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=600@{ETD}:AIR"), "There is no template 'AIR'"),
        (("--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=600@{ETD}:PROSPECT"), "PROSPECT is of the kind prospect"),
        (("--lot", f"SO-1/A=3600@{ETD}"), "at least 2 items"),
        (("--lot", "SO-1/A,3000", "--lot", f"SO-1/B=600@{ETD}"), "is not like SO-26-0417/A=3000@"),
        (("--lot", f"SO-1/A=3,000@{ETD}", "--lot", f"SO-1/B=600@{ETD}"), "is no quantity; write 1200"),
        (("--lot", f"SO-1/A=0@{ETD}", "--lot", f"SO-1/B=3600@{ETD}"), "is no quantity"),
        (("--lot", "SO-1/A=3000@soon", "--lot", f"SO-1/B=600@{ETD}"), "--lot SO-1/A: 'soon' is no date"),
        (("--lot", f"SO-1/A=3000@{later(-20)}", "--lot", f"SO-1/B=600@{ETD}"), "is before the order was placed"),
    ],
)
def test_lots_that_cannot_be_are_refused_and_nothing_is_changed(
    order: str, database_url: str, lots: tuple[str, ...], said: str
) -> None:
    in_the_book(lambda: place(a_real_order("SO-2")))
    before = contents(database_url)

    assert said in refused("split", order, *lots)
    assert contents(database_url) == before


def test_a_credit_without_partial_shipments_lets_lots_go_on_one_vessel_only(order: str, database_url: str) -> None:
    done("credit", order, "--number", "LC-1", "--expiry", later(200), "--latest-shipment", later(83), "--no-partial")
    before = contents(database_url)

    why = refused("split", order, "--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=600@{LATER}")
    assert "LC-1 prohibits partial shipments (field 43P)" in why
    assert "Have the L/C amended" in why
    assert contents(database_url) == before

    done("credit", order, "--expiry", later(200), "--latest-shipment", later(83))
    said = done("split", order, "--lot", f"SO-1/A=3000@{ETD}", "--lot", f"SO-1/B=600@{LATER}")
    assert f"SO-1/B leaves on {LATER}, after the L/C's last day of shipment (44C: {later(83)})" in said


def test_a_number_that_somebody_took_after_the_split_keeps_no_other_lot_from_being_followed(order: str) -> None:
    done("split", order, *LOTS)

    async def take_it() -> None:
        await place(a_real_order("SO-1/A"))
        with pytest.raises(DuplicateOrder, match="SO-1/A"):
            await lots_of()

    in_the_book(take_it)
    assert opened("SO-1/B").order.parent == NUMBER


def test_a_template_that_is_gone_leaves_nothing_half_taken_in(
    order: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("split", order, "--lot", f"SO-1/A=3000@{ETD}:EAD", "--lot", f"SO-1/B=600@{ETD}")
    before = contents(database_url)

    def gone(*_: object) -> None:
        raise NoTemplateFits("There is no template 'EAD'.")

    monkeypatch.setattr("tasks.lots.template_for", gone)

    async def refuse() -> None:
        with pytest.raises(GendanError):
            await lots_of()

    in_the_book(refuse)
    assert contents(database_url) == before


def delivered(number: str = NUMBER) -> Delivered:
    return in_the_book(lambda: delivery_of(number))


def test_an_order_in_lots_is_judged_by_all_of_them(order: str) -> None:
    assert delivered().lots == ()
    assert delivered().delivery is not None, "one that leaves as a whole is judged too"

    done("split", order, "--lot", f"SO-1/A=3000@{later(-5)}", "--lot", f"SO-1/B=600@{LATER}")
    assert [(lot.order_no, lot.state) for lot in delivered().lots] == [("SO-1/A", None), ("SO-1/B", None)]

    in_the_book(lots_of)
    left_at = days_ago(6).replace(microsecond=0)
    done("report", "SO-1/A", "DEPARTED", "--at", at(left_at))
    first, second = delivered().lots
    assert (first.state, first.quantity, first.departed_at) == (OrderState.CLOSED, 3000, left_at)
    assert (second.state, second.quantity, second.departed_at) == (OrderState.OPEN, 600, None)
    judged = delivered().delivery
    assert judged is not None
    assert (judged.on_time, judged.in_full, judged.otif) == ((True, False), False, False)

    done("cancel", "SO-1/B")
    judged = delivered().delivery
    assert judged is not None
    assert (judged.otd, judged.in_full, judged.otif) == (True, False, False), "600 of 3,600 are missing"


def test_a_lot_may_be_split_again(order: str) -> None:
    done("split", order, *LOTS)
    in_the_book(lots_of)
    done("split", "SO-1/A", "--lot", f"SO-1/A1=1000@{ETD}", "--lot", f"SO-1/A2=2000@{LATER}")
    in_the_book(lambda: lots_of("SO-1/A"))

    assert [lot.order_no for lot in delivered().lots] == ["SO-1/A1", "SO-1/A2", "SO-1/B"]
    assert delivered("SO-1/A").delivery is not None


def test_what_is_told_of_the_order_after_its_split_is_told_of_its_lots(tmp_path: Path, order: str) -> None:
    done("report", order, "ORD_RCVD", "--at", at(days_ago(9)), "--source", "mail", "--id", "1")
    done("split", order, *LOTS)

    assert "is split into SO-1/A, SO-1/B" in refused("report", order, "ORD_REVIEW")
    said = gendan(
        *("reports", "import"),
        reports(
            tmp_path, f"{order},ORD_RCVD,{at(days_ago(9))},,,,,mail,1,", f"{order},ORD_REVIEW,{at(days_ago(8))},,,,,,,"
        ),
    )
    assert said.out == "0 reports taken in, 1 there already, 1 refused.\n"
    assert "is split into SO-1/A, SO-1/B" in said.err
