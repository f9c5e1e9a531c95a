"""The digest: one message for one person and slot."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest

from models.book.order_file import Claim, OrderFile
from models.decide import NO_DATE, NOTE, Tell
from models.names import Language
from models.status.standing import standing
from notifications.digest import DigestLine, Section, by_effect, compose_digest, section_of
from notifications.facts import Facts, gather
from notifications.message import Message
from notifications.messages import BODY
from tests.factories import CHINA, an_order, an_order_file, china, some_parties
from tests.plans import CY, at_the_port, cutting_is_done, mid_season

EN, HANS, HANT = Language.EN, Language.ZH_HANS, Language.ZH_HANT
MORNING = china(11, 8, 30, month=12)
SHIP_LIMIT = datetime(2027, 1, 5, 23, 59, 59, tzinfo=CHINA)


def a_line(
    order_no: str,
    rung: str,
    about: str,
    file: OrderFile | None = None,
    due: datetime | None = None,
    *,
    repeated: bool = False,
) -> DigestLine:
    file = file or mid_season()
    file = replace(file, order=file.order.model_copy(update={"order_no": order_no}))
    at = standing(file, MORNING)
    claim = Claim(about, rung, due or at.due.get(about, MORNING))
    return DigestLine(gather(file, at, Tell(claim, "MER"), some_parties()), repeated)


SLIPS = a_line("SO-1", "L1", "PP_MEET")  # moves the departure by a week
CALM = a_line("SO-2", "L1", "INSURED", cutting_is_done())  # has time left
SOON = a_line("SO-3", "R0", "TRIM_IN")
ALARM = a_line("SO-4", "L4", "LC_44C", due=SHIP_LIMIT)
WITHOUT_DATE = a_line("SO-5", NOTE, NO_DATE, an_order_file(an_order(etd=None)))
ALL = (WITHOUT_DATE, SOON, CALM, SLIPS, ALARM)


def a_digest(*lines: DigestLine, languages: tuple[Language, ...] = (EN,), **more: int) -> Message:
    return compose_digest("Mei Lin", lines or ALL, languages, MORNING, **more)


def orders_in(text: str) -> list[str]:
    return re.findall(r"● (SO-\d+)", text)


def test_a_digest_begins_with_what_must_be_decided_then_what_is_late_then_what_is_due() -> None:
    message = a_digest()

    assert message.subject == "[Gendan] Fri 11 Dec 08:30: 1 to decide, 2 late, 1 due soon, 1 to note"
    assert orders_in(message.body) == ["SO-4", "SO-1", "SO-2", "SO-3", "SO-5"]
    assert re.findall(r"^[A-Z].* \(\d\)$", message.body, re.M) == [
        "Decide now (1)",
        "Late (2)",
        "Due soon (1)",
        "To note (1)",
    ]


def changed(line: DigestLine, order_no: str, *, slips: int, slack: int, late: int) -> DigestLine:
    facts = line.facts
    assert facts.sailing
    assert facts.sailing.foreseen
    assert facts.stall
    foreseen = replace(facts.sailing.foreseen, slips=slips, is_late=slips > 0, slack=slack)
    sailing, stall = replace(facts.sailing, foreseen=foreseen), replace(facts.stall, late=late)
    return DigestLine(replace(facts, order_no=order_no, sailing=sailing, stall=stall))


def test_lines_are_sorted_by_their_effect_on_the_ship_date() -> None:
    lines = [
        changed(SLIPS, "SO-5", slips=0, slack=4, late=1),  # the least: none of it
        changed(SLIPS, "SO-4", slips=0, slack=4, late=9),  # as much slack, and later
        changed(SLIPS, "SO-3", slips=0, slack=1, late=1),  # less slack
        changed(SLIPS, "SO-2", slips=3, slack=1, late=1),  # moves the departure
        changed(SLIPS, "SO-1", slips=7, slack=1, late=1),  # moves it further
    ]

    assert [line.facts.order_no for line in by_effect(lines)] == ["SO-1", "SO-2", "SO-3", "SO-4", "SO-5"]


def test_the_sections_of_all_kinds() -> None:
    urgent = a_line("SO-6", "T-6", "GATE_IN", at_the_port(), CY)

    assert [section_of(line.facts) for line in (urgent, ALARM, SLIPS, SOON, WITHOUT_DATE)] == [
        Section.DECIDE,
        Section.DECIDE,
        Section.LATE,
        Section.SOON,
        Section.OTHER,
    ]


def test_a_line_says_step_lateness_effect_consequences_and_who() -> None:
    assert (
        "● SO-1 ACME | PP_MEET Pre-production meeting | L1 · 4 d late | ETD Thu 31 Dec → Thu 7 Jan 2027 | slack -3 | "
        "holds up CUT_START | Merchandiser ← Production manager | reply by Fri 11 Dec 17:00\n"
    ) in a_digest().body


def test_what_must_be_decided_says_what_is_asked_and_the_date() -> None:
    assert "| latest shipment (44C) Tue 5 Jan 2027 |" in a_digest().body
    assert "| Decide how the date is kept, or who asks for another one |" in a_digest().body


def test_a_line_that_stood_there_before_says_so() -> None:
    assert "L1 · 4 d late · again" in a_digest(SLIPS._replace(repeated=True)).body


def test_of_one_step_only_the_most_urgent_line_stands() -> None:
    message = a_digest(*(a_line("SO-1", rung, "PP_MEET") for rung in ("R0", "L1", "L2", "R2")))

    assert len(orders_in(message.body)) == 1
    assert "L2 · 4 d late" in message.body


def test_the_same_order_may_stand_there_with_two_steps() -> None:
    assert orders_in(a_digest(SLIPS, a_line("SO-1", "R0", "TRIM_IN")).body) == ["SO-1", "SO-1"]


def test_after_an_outage_the_first_line_says_so() -> None:
    down = (china(8, 20, month=12), china(11, 8, month=12))

    for language, words in ((EN, "Gendan was down"), (HANS, "停机"), (HANT, "停機")):
        message = compose_digest("Mei Lin", ALL, [language], MORNING, down=down)
        for form in (message.body, message.short):
            first = form.splitlines()[0]
            assert words in first
            assert "20:00" in first


def test_what_was_held_and_what_was_over_the_limit_is_counted() -> None:
    body = a_digest(held=1, over_budget=12).body

    assert "1 message was held over quiet hours and stands here.\n" in body
    assert "12 messages stand here and were not sent alone: the day's limit is reached.\n" in body


MANY = [DigestLine(replace((SLIPS if n % 2 else CALM).facts, order_no=f"SO-26-{n:04}")) for n in range(300)]


def test_three_hundred_lines_all_stand_in_the_mail_and_the_first_in_the_chat() -> None:
    message = a_digest(*MANY, languages=(EN, HANT))

    assert len(orders_in(message.body)) == 600
    assert all(message.html.count(f"<b>SO-26-{n:04}</b>") == 2 for n in range(300))
    english, chinese = message.short.split("\n\n")
    for part in (english, chinese):
        assert len(part) <= BODY
        assert 3 <= part.count("●") < 300
    shown = english.count("●")
    assert chinese.count("●") == shown
    assert english.endswith(f"{300 - shown} more are in the e-mail and in: gendan chases list")


def numbers_in(text: str, language: Language) -> list[str]:
    if language is EN:
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        text = re.sub(
            r"[A-Z][a-z]{2} (\d{1,2}) ([A-Z][a-z]{2})\b(?: (\d{4}))?",
            lambda m: " ".join(filter(None, (m[3], f"{months.index(m[2]) + 1:02}", f"{int(m[1]):02}"))),
            text,
        )
    return sorted(re.findall(r"\d+|[A-Z]+_[A-Z_0-9]+", text))


@pytest.mark.parametrize("form", ["subject", "body", "short", "html"])
def test_every_language_tells_the_same_facts(form: str) -> None:
    found = {}
    for language in Language:
        text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", getattr(a_digest(languages=(language,)), form), flags=re.S)
        found[language] = numbers_in(text, language)

    assert len(found[EN]) > 3
    assert found[EN] == found[HANS] == found[HANT]


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "{{ 7 * 7 }}{% raw %}", "a\nb\r\n\r\nBcc: x", "x" * 500])
def test_names_and_numbers_are_shown_as_they_are_on_one_line(evil: str) -> None:
    facts: Facts = replace(SLIPS.facts, customer=evil, unit=evil)

    message = compose_digest(evil, [DigestLine(facts)], [EN], MORNING)

    assert "<script>" not in message.html
    assert "49" not in message.html.replace("#", "")
    assert "\n" not in message.subject
    assert len([line for line in message.body.splitlines() if line.startswith("●")]) == 1
    assert not any(line.startswith("Bcc") for line in message.body.splitlines())


@pytest.mark.parametrize(
    ("lines", "languages", "slot", "why"),
    [
        ((), (EN,), MORNING, "at least one line"),
        (ALL, (), MORNING, "at least one language"),
        (ALL, (EN,), datetime(2026, 12, 11, 8, 30), "needs a zone"),  # noqa: DTZ001 - refused
    ],
)
def test_a_digest_of_nothing_is_refused(
    lines: tuple[DigestLine, ...], languages: tuple[Language, ...], slot: datetime, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        compose_digest("Mei Lin", lines, languages, slot)
