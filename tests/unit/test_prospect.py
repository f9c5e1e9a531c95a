"""Prospects: who is called again when, which silence is mentioned, and what a signed contract asks for."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as generated
from hypothesis import strategies as st

from models.accepting.prospects import check_prospect_entry
from models.book.changes import Contact, Followed, Hold, Lost, QuotationValid, Resume, Won
from models.book.entry import Entry
from models.book.order import Order, OrderKind, OrderState
from models.book.order_file import OrderFile
from models.book.report import Outcome
from models.decide import DONE, NOTE, Close, Tell, appearances, decide, next_wake_up
from models.errors import Refused
from models.escalation.notice import View
from models.prospect import next_contact, sample_round, silent_for
from models.status.standing import standing
from tests.factories import (
    a_calendar,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)
from tests.seasons import Message, live, messages

ENQUIRY = a_milestone("ENQ_RCVD", offset=-30)
QUOTE = a_milestone("QUOTE_SENT", offset=-24, after=("ENQ_RCVD",))
SAMPLES = a_milestone("SAMPLES_SENT", offset=-18, after=("QUOTE_SENT",))
COMMENTS = a_milestone("SAMPLE_OK", offset=-8, after=("SAMPLES_SENT",), rounds={"reopens": ("SAMPLES_SENT",)})
CONTRACT = a_milestone("CONTRACT", after=("SAMPLE_OK",))
PROSPECT = a_template(
    ENQUIRY, QUOTE, SAMPLES, COMMENTS, CONTRACT, code="PROSPECT", kind=OrderKind.PROSPECT, dormant_after=60
)

CAME_IN = china(2, 10)  # a Monday
NEXT_SUMMER = date(2027, 7, 30)
ENQUIRED = a_report("ENQ_RCVD", china(2, 11))


def a_prospect(**changes: object) -> Order:
    fields: dict[str, object] = {
        "order_no": "P-26-031",
        "kind": OrderKind.PROSPECT,
        "placed_at": CAME_IN,
        "came_in": CAME_IN,
        "etd": NEXT_SUMMER,
    }
    return an_order(**(fields | changes))


def a_file(*entries: Entry, hoped_for: date = NEXT_SUMMER, **changes: object) -> OrderFile:
    """Build a prospect's file; 9 December and the first week of January are holidays."""
    new_year = {date(2027, 1, day) for day in range(1, 8)}
    office = a_calendar(holidays=frozenset({date(2026, 12, 9), *new_year}))
    return an_order_file(a_prospect(etd=hoped_for, **changes), PROSPECT, *entries, calendars=[office])


def said(*entries: Entry, until: datetime, hoped_for: date = NEXT_SUMMER) -> list[Message]:
    return messages(a_file(*entries, hoped_for=hoped_for), until)


def notes(*entries: Entry, until: datetime) -> list[tuple[datetime, str]]:
    return [(message.at, message.milestone) for message in said(*entries, until=until) if message.rung == NOTE]


def call(told: datetime, next_on: date | None = None) -> Contact:
    return Contact(recorded_at=told, next_on=next_on)


def quotation(told: datetime, until: date) -> QuotationValid:
    return QuotationValid(recorded_at=told, until=until)


def won(told: datetime, **changes: object) -> Won:
    fields: dict[str, object] = {"order_no": "SO-26-0481", "placed_at": told, "came_in": told}
    return Won(recorded_at=told, order=an_order(**(fields | changes)))


# --- silence ---


def test_a_customer_is_dormant_after_sixty_days_without_a_word_and_that_is_said_once() -> None:
    # Sixty days after 2 November is New Year's Day, and the office opens again on Friday the 8th.
    assert notes(until=china(30, month=6, year=2027)) == [(china(8, 9, month=1, year=2027), "DORMANT")]


@pytest.mark.parametrize(
    "word",
    [
        call(china(3, month=12)),
        a_report("ENQ_RCVD", china(2), recorded_at=china(3, month=12)),
        quotation(china(3, month=12), date(2027, 6, 30)),
    ],
    ids=lambda word: str(word.kind),
)
def test_every_word_begins_the_days_of_silence_anew(word: Entry) -> None:
    assert notes(word, until=china(1, month=2, year=2027)) == [(china(1, 9, month=2, year=2027), "DORMANT")]


def test_a_customer_who_speaks_again_falls_dormant_again() -> None:
    silent = [at for at, about in notes(call(china(20, month=1, year=2027)), until=china(30, month=6, year=2027))]

    assert silent == [china(8, 9, month=1, year=2027), china(22, 9, month=3, year=2027)]


def test_a_silence_that_was_agreed_is_none_until_the_agreed_day_is_over() -> None:
    agreed = call(china(3), date(2027, 2, 10))

    assert notes(agreed, until=china(30, month=6, year=2027)) == [
        (china(10, 9, month=2, year=2027), "NEXT_CONTACT"),
        (china(11, 9, month=2, year=2027), "DORMANT"),
    ]


def test_a_template_that_names_no_days_calls_nobody_dormant() -> None:
    wakeful = PROSPECT.model_copy(update={"dormant_after": None})

    assert not [m for m in messages(an_order_file(a_prospect(), wakeful), NEXT_YEAR) if m.rung == NOTE]


NEXT_YEAR = china(31, month=12, year=2027)


@pytest.mark.parametrize(
    ("entries", "days"),
    [
        ([], 21),  # since it came in on 2 November
        ([call(china(20, 23))], 3),
        ([call(china(23, 8))], 0),
        ([call(china(24))], 21),  # not said yet
    ],
)
def test_days_of_silence_are_counted_by_the_calendar(entries: list[Entry], days: int) -> None:
    assert silent_for(a_file(*entries), china(23)) == days


# --- the next contact ---


@pytest.mark.parametrize(
    ("agreed", "called"),
    [
        (date(2026, 11, 25), china(25, 9)),  # a Wednesday
        (date(2026, 11, 28), china(27, 9)),  # a Saturday: the Friday before
        (date(2026, 12, 9), china(8, 9, month=12)),  # a holiday: the day before
        (date(2026, 11, 23), china(23, 10)),  # today: at once
    ],
)
def test_the_next_contact_is_asked_for_when_the_office_opens_or_on_the_working_day_before(
    agreed: date, called: datetime
) -> None:
    assert notes(call(china(23, 10), agreed), until=china(20, month=12)) == [(called, "NEXT_CONTACT")]


def test_a_call_agreed_on_a_saturday_for_the_sunday_is_asked_for_on_monday() -> None:
    assert notes(call(china(21), date(2026, 11, 22)), until=china(30)) == [(china(23, 9), "NEXT_CONTACT")]


def test_only_the_contact_that_was_agreed_last_holds() -> None:
    file = a_file(call(china(3), date(2026, 11, 18)), call(china(16), date(2026, 12, 1)))

    assert [m.at for m in messages(file, china(30, month=12)) if m.milestone == "NEXT_CONTACT"] == [
        china(1, 9, month=12)
    ]
    assert next_contact(file, china(15)) == date(2026, 11, 18)
    assert next_contact(file, china(17)) == date(2026, 12, 1)


def test_a_contact_that_agrees_on_nothing_takes_the_agreed_day_back() -> None:
    assert notes(call(china(3), date(2026, 11, 18)), call(china(16)), until=china(30)) == []


# --- the chase ---

HOPED_FOR = date(2026, 12, 24)
"""The quotation is due on Monday, 30 November."""


def rungs(*entries: Entry) -> list[tuple[datetime, str]]:
    quoted = said(ENQUIRED, *entries, until=china(20, month=12), hoped_for=HOPED_FOR)
    return [(message.at, message.rung) for message in quoted if message.milestone == "QUOTE_SENT"]


def test_a_prospect_is_chased_up_the_policy_as_an_order_is() -> None:
    assert rungs() == [
        (china(1, 9, month=12), "L1"),
        (china(2, 9, month=12), "L2"),
        (china(4, 9, month=12), "L3"),
        (china(10, 9, month=12), "L4"),  # the 9th is a holiday
    ]


def test_the_chase_rests_until_the_next_contact_and_goes_on_from_where_it_was() -> None:
    agreed = call(china(1, 10, month=12), date(2026, 12, 11))

    assert rungs(agreed) == [
        (china(1, 9, month=12), "L1"),
        (china(11, 9, month=12), "L2"),
        (china(15, 9, month=12), "L3"),
        (china(18, 9, month=12), "L4"),
    ]


def test_an_earlier_day_agreed_later_ends_the_rest() -> None:
    far, near = call(china(20), date(2027, 3, 1)), call(china(1, 10, month=12), date(2026, 12, 11))

    assert rungs(far, near)[0] == (china(11, 9, month=12), "L1")


def test_a_contact_without_a_next_day_lets_the_chase_go_on() -> None:
    assert rungs(call(china(20), date(2027, 3, 1)), call(china(30)))[0] == (china(1, 9, month=12), "L1")


# --- quotations ---


@pytest.mark.parametrize(
    ("until", "mentioned"),
    [
        (date(2026, 11, 27), china(24, 9)),  # Friday: Tuesday
        (date(2026, 11, 30), china(25, 9)),  # Monday: Wednesday of the week before
        (date(2026, 11, 29), china(25, 9)),  # Sunday: the same, its last working day is the Friday
        (date(2026, 12, 11), china(7, 9, month=12)),  # Friday, with a holiday between
        (date(2026, 11, 24), china(23, 10)),  # too short for a warning: at once
    ],
)
def test_the_end_of_a_quotation_is_mentioned_three_working_days_before(until: date, mentioned: datetime) -> None:
    sent = quotation(china(23, 10), until)

    assert notes(sent, until=china(20, month=12)) == [(mentioned, "QUOTE_ENDS")]


def test_another_quotation_takes_the_place_of_the_one_before() -> None:
    sent = [quotation(china(3), date(2026, 11, 27)), quotation(china(23), date(2026, 12, 18))]

    assert notes(*sent, until=china(30, month=12)) == [(china(15, 9, month=12), "QUOTE_ENDS")]


def test_a_quotation_that_holds_was_sent() -> None:
    file = a_file(ENQUIRED, quotation(china(3), date(2026, 11, 27)))
    at = standing(file, china(4))

    assert at.reached["QUOTE_SENT"].at == china(3)
    assert at.open == ("SAMPLES_SENT",)


# --- samples ---


def test_samples_are_of_the_round_that_the_comments_have_come_to() -> None:
    sent: list[Entry] = [quotation(china(3), date(2026, 11, 27)), a_report("SAMPLES_SENT", china(4))]
    refused = a_report("SAMPLE_OK", china(9), outcome=Outcome.FAILED)
    file = a_file(ENQUIRED, *sent, refused)

    assert sample_round(file, standing(file, china(5))) == 1
    assert sample_round(file, standing(file, china(10))) == 2
    assert standing(file, china(10)).open == ("SAMPLES_SENT",)


# --- the contract ---

SIGNED = a_report("CONTRACT", china(23))


def test_a_signed_contract_asks_for_its_order_up_the_policy_and_for_nothing_else() -> None:
    signed: list[Entry] = [call(china(20), date(2026, 11, 26)), quotation(china(20), date(2026, 12, 4)), SIGNED]
    file, told = live(a_file(*signed), [], NEXT_YEAR)

    assert [(one.at, one.tell.claim.milestone, one.tell.role) for one in told] == [
        (china(24, 9), "CONTRACT_SIGNED", "MER"),
        (china(25, 9), "CONTRACT_SIGNED", "PROD"),
        (china(27, 9), "CONTRACT_SIGNED", "SALES"),
        (china(2, 9, month=12), "CONTRACT_SIGNED", "GM"),
    ]
    assert {one.tell.claim.rung for one in told} == {NOTE}
    assert standing(file, NEXT_YEAR).state is OrderState.OPEN


def test_a_contract_known_late_is_asked_about_once_at_the_rung_that_it_has_reached() -> None:
    """Nobody woke the prospect for a week: not a burst, but the last of it."""
    tells = [step for step in decide(a_file(SIGNED), china(30)) if isinstance(step, Tell)]

    assert [(step.claim.milestone, step.role) for step in tells] == [("CONTRACT_SIGNED", "SALES")]


def test_a_won_prospect_asks_for_nothing_and_closes_with_its_contract_done() -> None:
    file = a_file(ENQUIRED, won(china(24, 8)))

    assert notes(won(china(24, 8)), until=china(23, 9)) == []
    assert Close(OrderState.WON) in decide(file, china(24, 9))
    assert appearances(View(file, standing(file, china(24, 9))))["CONTRACT"] == DONE


def test_a_lost_prospect_closes_and_follows_on_where_it_was_once_it_is_followed_again() -> None:
    lost = Lost(recorded_at=china(24), reason="too expensive")

    assert Close(OrderState.LOST) in decide(a_file(ENQUIRED, lost), china(24))
    again = standing(a_file(ENQUIRED, lost, Followed(recorded_at=china(30))), china(30))
    assert (again.state, again.open) == (OrderState.OPEN, ("QUOTE_SENT",))


def test_a_prospect_on_hold_says_nothing_and_says_what_is_due_when_it_goes_on() -> None:
    held: list[Entry] = [
        call(china(20), date(2026, 11, 25)),
        Hold(recorded_at=china(23)),
        Resume(recorded_at=china(30, 11)),
    ]

    assert notes(*held, until=china(30, month=12)) == [(china(30, 11), "NEXT_CONTACT")]
    assert next_wake_up(a_file(*held[:2]), china(24)) is None


def test_an_order_has_no_notes_of_a_prospect() -> None:
    order = an_order_file(None, a_template(*PROSPECT.milestones, dormant_after=60), call(china(3), date(2026, 11, 6)))

    assert [m for m in messages(order, NEXT_YEAR) if m.rung == NOTE] == []


# --- whoever wakes it ---

OPENING = china(2, 9)
WORDS = st.one_of(
    st.builds(lambda days: ("call", days), st.integers(0, 90)),
    st.builds(lambda days: ("quote", days), st.integers(0, 60)),
    st.sampled_from([("contact", 0), ("hold", 0), ("resume", 0), ("lost", 0), ("again", 0), ("signed", 0)]),
)


def _says(word: tuple[str, int], file: OrderFile, now: datetime) -> Entry:
    what, days = word
    on = now.date() + timedelta(days=days)
    says: dict[str, Entry] = {
        "call": call(now, on),
        "quote": quotation(now, on),
        "contact": call(now),
        "hold": Hold(recorded_at=now),
        "resume": Resume(recorded_at=now),
        "lost": Lost(recorded_at=now, reason="price"),
        "again": Followed(recorded_at=now),
        "signed": a_report("CONTRACT", now),
    }
    return says[what]


@generated(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 8 * 90), WORDS), max_size=6))
def test_however_often_a_prospect_is_woken_the_same_is_said_and_each_thing_once(
    words: list[tuple[int, tuple[str, int]]],
) -> None:
    told = [
        (OPENING + 3 * timedelta(hours=n), lambda file, now, word=word: _says(word, file, now)) for n, word in words
    ]
    file = a_file(came_in=OPENING)
    until = OPENING + timedelta(days=110)

    _, at_need = live(file, told, until)
    _, often = live(file, told, until, every=timedelta(hours=3))

    assert at_need == often
    claims = [one.tell.claim for one in at_need]
    assert len(set(claims)) == len(claims)


# --- what may be told ---

NOW = china(23, 12)


@pytest.mark.parametrize(
    "entry",
    [
        call(NOW),
        call(NOW, date(2026, 11, 23)),  # this afternoon
        quotation(NOW, date(2026, 11, 23)),  # the last day on which it holds
        Lost(recorded_at=NOW, reason="price"),
        won(NOW),
        Won(recorded_at=NOW, order=an_order(order_no="SO-1", etd=None), template="AFS"),  # the date is open
    ],
)
def test_what_can_be_of_a_prospect_is_accepted(entry: Contact | QuotationValid | Lost | Won) -> None:
    check_prospect_entry(a_file(), entry, NOW)


@pytest.mark.parametrize(
    ("entry", "reason", "remedy"),
    [
        (call(NOW, date(2026, 11, 22)), "the next contact 2026-11-22 is past", "Give a day to come"),
        (quotation(NOW, date(2026, 11, 22)), "valid until 2026-11-22 is void", "Send a new one"),
        (won(NOW, etd=None), "order SO-26-0481 has neither an ETD nor a template", "Give --etd, or --template"),
        (won(NOW, etd=date(2026, 11, 22)), "ETD 2026-11-22 of order SO-26-0481 is before it was placed", "Check"),
        (won(NOW, order_no="P-26-031"), "needs a number of its own", "gendan prospects won P-26-031 --order"),
        (won(NOW, kind=OrderKind.PROSPECT), "what it became (SO-26-0481) is no order", "nothing was changed"),
    ],
)
def test_what_cannot_be_of_a_prospect_is_refused_with_the_reason_and_the_remedy(
    entry: Contact | QuotationValid | Lost | Won, reason: str, remedy: str
) -> None:
    with pytest.raises(Refused) as refused:
        check_prospect_entry(a_file(), entry, NOW)

    message = str(refused.value)
    assert message.startswith("Prospect P-26-031:")
    assert reason in message
    assert remedy in message
