"""Answering for a step that is chased: each command and the report form against a real order book, and its log."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from flows.report_milestone import report_milestone
from models.book.order_file import OrderFile
from models.errors import GendanError, Refused, UnknownMilestone, UnknownOrder
from models.escalation.owner import owner_of
from tasks.orders import open_file
from tests.books import a_real_order, days_ago, in_the_book, place
from tests.terminal import done, refused

NUMBER = "SO-26-0417"
STEP = "ORD_RCVD"


@pytest.fixture
def order(database_url: str) -> str:
    """Give the number of an order that waits for its first step, whose template holds promises to late dates."""
    in_the_book(lambda: place(a_real_order(etd=days_ago(-80).date()), "AFS"))
    return NUMBER


def opened() -> OrderFile:
    return in_the_book(lambda: open_file(NUMBER))[0]


def log() -> list[dict[str, Any]]:
    return list(json.loads(done("orders", "show", NUMBER, "--json"))["log"])


def told(*fields: str) -> list[tuple[Any, ...]]:
    return [tuple(entry.get(field) for field in ("kind", "milestone", "by", *fields)) for entry in log()]


# --- the commands


def test_a_problem_is_kept_with_its_words_and_who_told_it(order: str) -> None:
    said = done("problem", order, "ord_rcvd", "the colours are missing", "--by", "Li Wei")

    assert said == f"{order}: ord_rcvd has a problem (line 1 of the log)\n"
    assert told("note") == [("problem", STEP, "Li Wei", "the colours are missing")]
    assert "the colours are missing" in done("orders", "show", order)


def test_a_problem_without_words_is_none(order: str) -> None:
    why = refused("problem", order, STEP, "  ")

    assert f"say what is the problem with {STEP}" in why
    assert log() == []


def test_a_step_goes_to_another_role_and_back_to_the_merchandiser(order: str) -> None:
    assert owner_of(opened(), [], STEP) == "SALES"

    assert done("not-mine", order, STEP, "--to", "log", "--note", "a repeat order") == (
        f"{order}: {STEP} goes to LOG (line 1 of the log)\n"
    )
    assert owner_of(opened(), opened().entries, STEP) == "LOG"
    assert done("not-mine", order, STEP, "--by", "Chen") == (
        f"{order}: {STEP} goes back to the merchandiser (line 2 of the log)\n"
    )

    assert owner_of(opened(), opened().entries, STEP) == "MER"
    assert told("to")[1] == ("not_mine", STEP, "Chen", "")
    assert log()[0]["note"] == "a repeat order"
    assert log()[0]["by"], "the user of this machine, where nobody is named"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["not-mine", NUMBER, STEP, "--to", "BUYER"], "BUYER is an outside party, and a step goes to one of ours: MER"),
        (["not-mine", NUMBER, STEP, "--to", "Mr. Wu"], "there is no role 'Mr. Wu', and a step goes to one of ours"),
        (["not-mine", NUMBER, STEP, "--to", "SALES"], f"SALES is accountable for {STEP} already; nothing was changed"),
        (["problem", NUMBER, "PACK_DONE", "no boxes"], "does not wait for PACK_DONE now"),
        (["not-mine", NUMBER, "PACKING"], "no milestone 'PACKING'"),
        (["problem", "SO-0", STEP, "no boxes"], "No order 'SO-0'"),
        (["ack", NUMBER, "LC_44C"], "has no hard date LC_44C now; nothing was recorded. Its hard dates are: none."),
        (["promise", NUMBER, STEP, "2099-01-01"], "the word of the next level, "),
    ],
)
def test_what_cannot_be_answered_is_refused_and_nothing_is_recorded(order: str, words: list[str], why: str) -> None:
    assert why in refused(*words)
    assert log() == []


def test_an_answer_to_what_was_resolved_says_who_did_it(order: str) -> None:
    done("report", order, STEP, "--by", "Hua Xing mill")

    for words in (
        ["ack", order, STEP],
        ["promise", order, STEP, "2099-01-01"],
        ["problem", order, STEP, "late"],
        ["not-mine", order, STEP],
    ):
        why = refused(*words)
        assert f"{STEP} is done since" in why
        assert f"told by Hua Xing mill in line 1 of its log. Was that wrong? `gendan report {order} {STEP}" in why
    assert len(log()) == 1


def test_a_problem_sent_twice_is_kept_once(order: str) -> None:
    done("problem", order, STEP, "no boxes")

    assert f"that is known of {STEP} since" in refused("problem", order, STEP, "no boxes", "--by", "somebody else")
    assert len(log()) == 1


def test_the_decision_about_the_ship_window_is_taken_on(order: str) -> None:
    done("amend", order, "--ship-window", days_ago(-85).date())

    assert "SHIP_WINDOW acknowledged" in done("ack", order, "SHIP_WINDOW", "--by", "Chen, GM")

    assert told()[-1] == ("acknowledgement", "SHIP_WINDOW", "Chen, GM")
    assert "Its hard dates are: SHIP_WINDOW (2" in refused("ack", order, "CANCEL_DATE")
    assert done("orders", "show", order)


# --- the report form


async def test_the_report_form_takes_every_answer(database_url: str) -> None:
    await place(a_real_order(etd=days_ago(-80).date()), "AFS")

    async def answer(kind: str, step: str = "ord_rcvd", **fields: Any) -> str:
        state = await report_milestone.fn(f" {NUMBER} ", step, answer=kind, **fields)
        return f"{state.name}: {state.message}"

    late = days_ago(-400)
    assert await answer("ack", by=" Li Wei ") == f"Recorded: {NUMBER}: ord_rcvd acknowledged."
    assert await answer("problem", note="colours\0 missing") == f"Recorded: {NUMBER}: ord_rcvd has a problem."
    assert await answer("not-mine", to="LOG") == f"Recorded: {NUMBER}: ord_rcvd is another role's."
    assert await answer("promise", promised_for=late, approved_by="Chen") == f"Recorded: {NUMBER}: ord_rcvd promised."
    state = await report_milestone.fn(NUMBER, "ord_rcvd", by="Zhang")
    assert state.message == f"{NUMBER}: ord_rcvd recorded."

    entries = (await open_file(NUMBER))[0].entries
    assert [(entry.kind, entry.by) for entry in entries] == [
        ("acknowledgement", "Li Wei"),
        ("problem", "Prefect form"),
        ("not_mine", "Prefect form"),
        ("promise", "Prefect form"),
        ("report", "Zhang"),
    ]
    assert entries[1].note == "colours missing"


@pytest.mark.parametrize(
    ("fields", "error", "why"),
    [
        ({"answer": "ack", "happened_at": days_ago(1)}, Refused, "The answer ack takes no date, outcome"),
        ({"answer": "problem", "note": " "}, Refused, "say what is the problem"),
        ({"answer": "problem", "note": "late", "source": "mail"}, Refused, "leave them out"),
        ({"answer": "promise"}, Refused, "A promise needs its date"),
        ({"answer": "promise", "promised_for": datetime(2099, 1, 1)}, Refused, "has no zone"),  # noqa: DTZ001
        ({"answer": "promise", "promised_for": days_ago(1)}, Refused, "must lie in the future"),
        ({"answer": "ack", "promised_for": days_ago(-1)}, Refused, "belong to the answer promise, not to ack"),
        ({"answer": "ack", "to": "QC"}, Refused, "Only what is not-mine goes to another role"),
        ({"promised_for": days_ago(-1)}, Refused, "belong to the answer promise"),
        ({"to": "QC"}, Refused, "to to not-mine"),
        ({"answer": "not-mine", "to": "CUSTOMS"}, Refused, "CUSTOMS is an outside party"),
        ({"answer": "ack", "milestone": "NOTHING"}, UnknownMilestone, "no milestone 'NOTHING'"),
        ({"answer": "ack", "order_no": "SO-0"}, UnknownOrder, "No order 'SO-0'"),
    ],
)
async def test_the_report_form_refuses_what_contradicts_itself(
    database_url: str, fields: dict[str, Any], error: type[GendanError], why: str
) -> None:
    await place()

    with pytest.raises(error, match=why):
        await report_milestone.fn(**({"order_no": NUMBER, "milestone": STEP} | fields))

    assert (await open_file(NUMBER))[0].entries == ()
