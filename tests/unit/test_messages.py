"""What a message says, in each language."""

from __future__ import annotations

import re
import shlex
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.book.changes import Booking, QuotationValid, Unfollowed
from models.book.entry import Entry
from models.book.order import Order
from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement, NotMine, Promise
from models.decide import NO_DATE, NOTE, UNFOLLOWED, Tell
from models.names import Language
from models.prospect import CONTRACT_SIGNED, DORMANT, NEXT_CONTACT, QUOTE_ENDS
from models.status.standing import standing
from models.terms.party import Party
from models.terms.template import Template
from notifications.facts import Facts, gather
from notifications.messages import BODY, Message, command, compose, short_form
from notifications.texts import count, quantity, say, shorten, texts, when, zone
from tasks.library import library
from tests.factories import (
    CHINA,
    CUSTOMS,
    CUTTING,
    DEPARTURE,
    a_calendar,
    a_milestone,
    a_name,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
    some_parties,
)
from tests.plans import CALL_AGAIN, CREDIT, CY, NOW, a_prospect, at_the_port, cutting_is_done, mid_season

EN, HANS, HANT = Language.EN, Language.ZH_HANS, Language.ZH_HANT
MONDAY = china(23, 9)
NOTE_OF_PURCHASING = Acknowledgement(
    recorded_at=china(16, 17, 12), by="wang", note="blue vat off shade, being re-dyed", milestone="FAB_IN"
)


def a_stall(
    file: OrderFile, now: datetime = MONDAY, rung: str = "L1", milestone: str = "FAB_IN", role: str = "MER"
) -> Facts:
    at = standing(file, now)
    return gather(file, at, Tell(Claim(milestone, rung, at.due[milestone]), role), some_parties())


def said(facts: Facts, *languages: Language) -> Message:
    return compose(facts, languages or (EN,))


def part_of(message: Message) -> str:
    """Return what a message says in its first language, without what is pasted to others and the sheet."""
    return message.body.split("\n\n")[0]


def late_fabric(order: Order | None = None, *entries: Entry) -> OrderFile:
    """Bulk fabric, due on Friday, 20 November, and not there."""
    return an_order_file(order, None, *(entries or (NOTE_OF_PURCHASING,)))


# --- the texts


def keys_of(language: Language) -> dict[str, object]:
    """Each key with what is to be filled in; a list's length; a plural's forms."""
    shapes: dict[str, object] = {}
    for key, text in texts(language).items():
        if isinstance(text, str):
            # A day and a list are each language's own matter: they say the same with other parts.
            own = key in ("day", "short_day")
            shapes[key] = None if own else sorted(re.findall(r"\{(\w+)\}", text))
        else:
            shapes[key] = len(text) if isinstance(text, list) else sorted(text)
    return shapes


@pytest.mark.parametrize("language", [HANS, HANT])
def test_each_language_has_the_same_keys_and_fills_in_the_same_values(language: Language) -> None:
    assert keys_of(language) == keys_of(EN)


def test_no_text_is_empty() -> None:
    for language in Language:
        for key, text in texts(language).items():
            assert text, f"{language} {key}"


def test_simplified_and_traditional_texts_do_not_mix() -> None:
    simplified, traditional = "单应计划记录剩负责滞级", "單應計畫記錄剩負責滯級"
    assert not set(str(texts(HANT))) & (set(simplified) - set(traditional))
    assert not set(str(texts(HANS))) & (set(traditional) - set(simplified))


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 working days late"),  # none is plural in English
        (1, "1 working day late"),  # one
        (2, "2 working days late"),  # the first plural
        (21, "21 working days late"),  # ends with 1, and is plural all the same
    ],
)
def test_english_numbers_have_their_plural(n: int, text: str) -> None:
    assert count(EN, "late", n) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (3600.0, "pcs", "3,600 pcs"),  # whole
        (12.5, "kg", "12.5 kg"),  # a part
        (0.0, "", "0"),  # nothing, no unit
        (1e15, "m", "1,000,000,000,000,000 m"),  # never in powers of ten
    ],
)
def test_quantities_are_written_for_people(number: float, unit: str, text: str) -> None:
    assert quantity(number, unit) == text


NEW_YORK = ZoneInfo("America/New_York")
END = (23, 59, 59)


@pytest.mark.parametrize(
    ("language", "instant", "text"),
    [
        # The end of a day at home is the day
        (EN, datetime(2026, 11, 20, *END, tzinfo=CHINA), "Fri 20 Nov 2026"),
        (HANT, datetime(2026, 11, 20, *END, tzinfo=CHINA), "2026-11-20(五)"),
        # A time has its zone
        (EN, datetime(2026, 11, 20, 23, 59, tzinfo=CHINA), "Fri 20 Nov 2026 23:59 CST(+08)"),
        (HANS, datetime(2026, 11, 22, 16, 0, tzinfo=CHINA), "2026-11-22(日) 16:00 CST(+08)"),
        # The end of a day elsewhere is not the same day at home, so the zone is named
        (EN, datetime(2026, 11, 20, *END, tzinfo=NEW_YORK), "Fri 20 Nov 2026 EST(-05)"),
    ],
)
def test_dates_have_a_weekday_and_times_a_zone(language: Language, instant: datetime, text: str) -> None:
    assert when(language, instant, CHINA) == text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("Asia/Shanghai", "CST(+08)"),  # a name that four zones share
        ("Asia/Kolkata", "IST(+05:30)"),  # half an hour
        ("Asia/Ho_Chi_Minh", "UTC(+07)"),  # a zone without a name
        ("UTC", "UTC(+00)"),  # none
    ],
)
def test_a_zone_is_named_with_its_offset(place: str, text: str) -> None:
    assert zone(datetime(2026, 11, 20, tzinfo=ZoneInfo(place))) == text


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("short enough", 12, "short enough"),  # fits to the letter
        ("the dyehouse is late again", 15, "the dyehouse…"),  # after a whole word
        ("two\nlines", 20, "two lines"),  # on one line
        ("藍色缸差回修中", 5, "藍色缸差…"),  # a character is a word
        ("wang 藍色缸差回修中", 9, "wang 藍色缸…"),  # both
        ("incomprehensibilities", 8, "incompr…"),  # one word that is too long by itself
    ],
)
def test_a_long_text_ends_after_a_whole_word(text: str, most: int, short: str) -> None:
    assert shorten(text, most) == short
    assert len(short) <= most


# --- a stall


def test_a_first_rung_says_everything_that_its_reader_needs() -> None:
    message = said(a_stall(late_fabric()))

    assert message.subject == "[Gendan] SO-26-0417 · ACME · FAB_IN Bulk fabric in-house"
    assert message.thread == "SO-26-0417/FAB_IN"
    assert part_of(message).splitlines() == [
        "【L1 · 1 working day late】3,600 pcs",
        "Step: FAB_IN Bulk fabric in-house",
        "Due: Fri 20 Nov 2026, 1 working day late",
        "Owner: Purchasing · Waiting on: Huaxing Dyehouse",
        "Effect: ETD Thu 31 Dec 2026: 28 working days left; 3 days of the plan used up",
        "Holds up: CUT_START Cutting started",
        "Last note: Mon 16 Nov 2026 17:12 CST(+08), wang: “blue vat off shade, being re-dyed”",
        "Reply by Mon 23 Nov 2026 17:00 CST(+08): Say when it will be done",
        "Done: gendan report SO-26-0417 FAB_IN",
        "New date: gendan promise SO-26-0417 FAB_IN DATE",
        "Taken on: gendan ack SO-26-0417 FAB_IN",
        "Problem: gendan problem SO-26-0417 FAB_IN REASON",
        "Not mine: gendan not-mine SO-26-0417 FAB_IN",
        "Next: Production manager (L2) on Tue 24 Nov 2026 09:00 CST(+08)",
    ]


def test_the_short_form_leaves_out_year_and_zone_and_names_the_zone_once() -> None:
    short = said(a_stall(late_fabric())).short

    assert short.startswith("【L1 · 1 working day late】")
    assert "Due: Fri 20 Nov\n" in short
    assert "Reply by Mon 23 Nov 17:00: Say when it will be done\n" in short
    assert short.endswith("\nTimes: CST(+08)")
    assert "2026" not in short


def test_the_same_in_traditional_chinese() -> None:
    message = said(a_stall(late_fabric()), HANT)

    assert message.subject == "[Gendan] SO-26-0417 · ACME · FAB_IN 面料到廠"
    lines = part_of(message).splitlines()
    assert lines[:5] == [
        "【催單 L1·逾期1工作日】3,600 pcs",
        "步驟: FAB_IN 面料到廠",
        "應完成: 2026-11-20(五), 逾期1工作日",
        "負責: 採購 · 等待: 華興染廠",
        "影響: ETD 2026-12-31(四): 剩28工作日; 已耗用計畫3天",
    ]
    assert lines[-1] == "未回覆將於 2026-11-24(二) 09:00 CST(+08) 升級至 生產主管 (L2)"


def test_a_chase_keeps_its_subject_and_thread_over_its_rungs() -> None:
    file = late_fabric()
    rungs = [said(a_stall(file, MONDAY + timedelta(days=n), rung)) for n, rung in enumerate(("L1", "L2", "L3", "L4"))]

    assert len({(message.subject, message.thread) for message in rungs}) == 1
    assert len({message.body.splitlines()[0] for message in rungs}) == 4


def facts_in(text: str, language: Language) -> tuple[list[str], list[str], list[str]]:
    """Return the days, all the numbers and the codes of a text, each kind sorted."""
    months = texts(EN)["months"]
    assert isinstance(months, list)
    days = []
    if language is EN:
        for number, month, year in re.findall(r"[A-Z][a-z]{2} (\d{1,2}) ([A-Z][a-z]{2})(?: (\d{4}))?", text):
            days.append(f"{year}{months.index(month) + 1:02}-{int(number):02}")
        text = re.sub(r"[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}(?: \d{4})?", "", text)
    else:
        days = [f"{year}{rest}" for year, rest in re.findall(r"(?:(\d{4})-)?(\d\d-\d\d)\(", text)]
        text = re.sub(r"(?:\d{4}-)?\d\d-\d\d\(", "", text)
    codes = sorted(re.findall(r"[A-Z]+_[A-Z_]+|SO-26-\d+", text))
    return sorted(days), sorted(re.findall(r"\d[\d,.:]*\d|\d", text)), codes


def in_sheet(message: Message) -> str:
    """Return what the plain form adds below its parts."""
    return message.body.partition("\n\n--- ")[2].rpartition("\n--- ")[2]


PROMISED = Promise(recorded_at=china(12), by="wang", milestone="FAB_IN", promised=china(19, 16))
DEPARTED = a_report("DEPARTED", china(30, 8, month=12), note="sailed")
STALLS = {
    "late": a_stall(late_fabric()),
    "promised and late again": a_stall(late_fabric(None, PROMISED)),
    "counted": a_stall(
        an_order_file(
            None,
            None,
            a_report("CUT_START", china(24), note="2 lines"),
            a_report("SEW_END", china(1, month=12), quantity=1200),
        ),
        china(21, 9, month=12),
        "L2",
        "SEW_END",
    ),
    "last rung, ETD gone by": a_stall(late_fabric(), china(4, month=1, year=2027), "L4"),
    "ETD with a time": a_stall(late_fabric(an_order(etd=china(31, 16, 30, month=12)))),
    "moves the departure": a_stall(mid_season(), NOW, "L2", "PP_MEET"),
    "has time left": a_stall(cutting_is_done(), china(11, 9, month=12), "L1", "INSURED"),
}


@pytest.mark.parametrize("facts", STALLS.values(), ids=STALLS.keys())
def test_every_language_tells_the_same_facts(facts: Facts) -> None:
    english = said(facts, EN)

    found = facts_in(part_of(english), EN)
    assert len(found[0]) >= 2
    assert len(found[1]) >= 5
    assert len(found[2]) >= 2
    for language in (HANS, HANT):
        message = said(facts, language)
        assert facts_in(part_of(message), language) == found
        assert facts_in(message.short, language) == facts_in(english.short, EN)
        assert facts_in(in_sheet(message), language) == facts_in(in_sheet(english), EN)


@pytest.mark.parametrize("facts", STALLS.values(), ids=STALLS.keys())
def test_a_message_keeps_to_its_length(facts: Facts) -> None:
    for language in Language:
        assert len(said(facts, language).short) <= BODY


@pytest.mark.parametrize("template", library().templates.values(), ids=library().templates)
def test_every_step_of_the_bundled_templates_keeps_to_its_length_with_a_long_note(template: Template) -> None:
    policy, order = library().policies[template.policy], an_order(customer="Nordic Outdoor Trading AB")
    for milestone in template.milestones:
        note = Acknowledgement(recorded_at=china(2), by="chen.wei", milestone=milestone.code, note="a few words " * 30)
        file = OrderFile(order, template, policy, library().calendars, (note,))
        due = standing(file, MONDAY).due[milestone.code]
        at = standing(file, due + timedelta(days=12))
        for rung in policy.rungs:
            facts = gather(file, at, Tell(Claim(milestone.code, rung.code, due), rung.role), library().parties)
            for language in Language:
                assert len(short_form(facts, [language])) <= BODY, (milestone.code, rung.code, language)


@pytest.mark.parametrize("template", library().templates.values(), ids=library().templates)
def test_the_effect_on_ship_date_and_deadline_fits_beside_a_note(template: Template) -> None:
    policy, order = library().policies[template.policy], an_order(customer="Nordic Outdoor Trading AB")
    early = china(2, month=10)
    cutoffs = {m.cutoff: china(28, 16, month=12) for m in template.milestones if m.cutoff}
    booked = Booking(recorded_at=early, seq=1, etd=date(2026, 12, 31), cutoffs=cutoffs, source="S/O COSU 6128837710")
    for milestone in template.milestones:
        note = Acknowledgement(seq=2, recorded_at=early, by="li", milestone=milestone.code, note="a few words " * 30)
        file = OrderFile(order, template, policy, library().calendars, (booked, note))
        due = standing(file, MONDAY).due[milestone.code]
        at = standing(file, due + timedelta(days=12))
        for rung in policy.rungs[:-1]:  # the last is for a decision, where a note counts least
            facts = gather(file, at, Tell(Claim(milestone.code, rung.code, due), rung.role), library().parties)
            for language in Language:
                short = short_form(facts, [language])
                assert len(short) <= BODY, (milestone.code, rung.code, language)
                assert "a few words" in short


def test_a_long_note_is_shortened_and_nothing_else() -> None:
    words = " ".join(f"word{n}" for n in range(300))
    short, long = (late_fabric(None, NOTE_OF_PURCHASING.model_copy(update={"note": note})) for note in ("word0", words))
    bodies = [said(a_stall(long), language).short for language in Language]

    kept = [re.search(r"word0[^”」]*…", body) for body in bodies]
    assert all(kept)
    assert len({found.group() for found in kept if found}) == 1  # as much in each language
    for body in bodies:
        assert len(body) <= BODY
        assert "SO-26-0417 FAB_IN" in body
    assert re.sub("“.*”", "", bodies[0]) == re.sub("“.*”", "", said(a_stall(short)).short)


def test_a_long_order_number_is_never_shortened() -> None:
    long = "X" * 64

    message = said(a_stall(late_fabric(an_order(order_no=long))))

    assert long in message.subject
    assert part_of(message).count(long) == 5
    assert long in message.short


def test_two_languages_give_two_parts_and_a_subject_with_both_names() -> None:
    facts = a_stall(late_fabric())

    message = said(facts, EN, HANT)

    assert message.subject == "[Gendan] SO-26-0417 · ACME · FAB_IN Bulk fabric in-house 面料到廠"
    assert message.short == f"{said(facts, EN).short}\n\n{said(facts, HANT).short}"
    assert message.body.startswith(f"{part_of(said(facts, EN))}\n\n{part_of(said(facts, HANT))}\n\n")


def test_the_same_language_twice_is_said_once() -> None:
    facts = a_stall(late_fabric())

    assert said(facts, EN, EN) == said(facts, EN)


def test_a_message_in_no_language_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one language"):
        compose(a_stall(late_fabric()), [])


def test_a_broken_promise_is_named_beside_the_plan_that_it_is_counted_from() -> None:
    body = said(STALLS["promised and late again"]).body

    assert "Due: Fri 20 Nov 2026, 1 working day late\nPromised: Thu 19 Nov 2026 16:00 CST(+08)" in body


def test_a_counted_step_says_how_much_is_done() -> None:
    assert "So far: 1,200 of 3,600 pcs\n" in said(STALLS["counted"]).body


def test_the_last_rung_of_a_prospect_says_that_it_is_the_last() -> None:
    facts = a_stall(a_prospect(), china(15, 9, month=12), "L4", "ENQUIRY")

    assert part_of(said(facts)).endswith("This is the last rung.")


def test_the_last_rung_of_an_order_is_a_decision_and_says_how_long_its_date_is_gone() -> None:
    body = said(STALLS["last rung, ETD gone by"]).body

    assert body.startswith("【L4 · decide by Mon 4 Jan 2027 15:00 CST(+08)】")
    assert "ETD was 4 days ago" in body


def test_a_rung_that_rests_is_not_called_the_last() -> None:
    taken_on = Acknowledgement(recorded_at=china(23, 8), by="wang", milestone="FAB_IN")
    facts = a_stall(an_order_file(None, None, taken_on), china(4, 9, month=12), "L2")

    assert facts.stall
    assert facts.stall.next is None
    assert part_of(said(facts)).endswith("Not mine: gendan not-mine SO-26-0417 FAB_IN")


def test_after_departure_the_ship_date_is_told_as_it_was() -> None:
    papers = a_milestone("PAPERS", name=a_name("Papers sent"), offset=2, after=("DEPARTED",))
    template = a_template(DEPARTURE.model_copy(update={"after": ()}), papers, departure="DEPARTED")
    file = an_order_file(None, template, DEPARTED)

    body = said(a_stall(file, china(5, month=1, year=2027), milestone="PAPERS")).body

    assert "ETD Thu 31 Dec 2026, departed Wed 30 Dec 2026 08:00 CST(+08)\n" in body
    assert "working days left" not in body


def test_a_due_date_elsewhere_is_told_in_the_zone_of_those_who_keep_it() -> None:
    comment = a_milestone("COMMENT", name=a_name("Comment received"), calendar="new-york", offset=-41)
    file = an_order_file(
        None,
        a_template(comment, DEPARTURE.model_copy(update={"after": ("COMMENT",)})),
        calendars=[a_calendar(code="new-york", zone="America/New_York")],
    )

    assert "Due: Fri 20 Nov 2026 EST(-05)" in said(a_stall(file, milestone="COMMENT")).body


def test_what_is_already_reached_is_not_said_to_be_held_up() -> None:
    second = a_milestone("FAB_QC", name=a_name("Fabric inspected"), offset=-38, after=("FAB_IN",))
    file = an_order_file(
        None,
        a_template(*(m for m in a_template().milestones if m.code != "DEPARTED"), second, DEPARTURE),
        a_report("FAB_QC", china(19)),
        a_report("CUT_START", china(19)),
    )

    assert standing(file, MONDAY).passed == {"FAB_IN"}
    assert "Holds up" not in said(a_stall(file)).body


def test_a_party_without_a_name_is_called_by_its_code() -> None:
    file = late_fabric()
    at = standing(file, MONDAY)

    facts = gather(file, at, Tell(Claim("FAB_IN", "L1", at.due["FAB_IN"]), "MER"), {})

    assert "Owner: PUR · Waiting on: MILL" in said(facts).body


@pytest.mark.parametrize(
    "order_no",
    [
        "SO 26 0417",  # spaces
        'PO "88231"; rm -rf $HOME',  # quotes, and what a shell would do
        "訂單-7",  # not ASCII
        "-7",  # looks like an option
        "a'b",  # the shell's own quote
    ],
)
def test_a_command_can_be_pasted_whatever_the_order_is_called(order_no: str) -> None:
    line = command("promise", order_no, "FAB_IN", "DATE")

    words = [word for word in shlex.split(line) if word != "--"]
    assert words == ["gendan", "promise", order_no, "FAB_IN", "DATE"]
    assert ("--" in shlex.split(line)) == order_no.startswith("-")
    assert command("ack", order_no, "FAB_IN") in said(a_stall(late_fabric(an_order(order_no=order_no)))).body


def test_order_data_is_never_read_as_a_text_of_ours() -> None:
    facts = a_stall(late_fabric(an_order(order_no="{rung}", customer="{0} {late!r}")))

    message = said(facts)

    assert "{rung} · {0} {late!r}" in message.subject
    assert "gendan ack '{rung}' FAB_IN" in message.body


# --- what a delay does to the ship date


def test_a_stall_that_moves_the_departure_names_forecast_deadline_and_slack() -> None:
    assert (
        "ETD Thu 31 Dec 2026 → forecast Thu 7 Jan 2027, breaks CY cut-off Tue 29 Dec 2026 16:00 CST(+08); slack -1\n"
        in said(STALLS["moves the departure"]).body
    )


def test_the_same_effect_in_traditional_chinese() -> None:
    assert (
        "ETD 2026-12-31(四) → 預測 2027-01-07(四), 突破截港(CY) 2026-12-29(二) 16:00 CST(+08); 餘裕 -1\n"
        in said(STALLS["moves the departure"], HANT).body
    )


def test_a_stall_with_time_left_says_how_much() -> None:
    assert "\nEffect: ETD Thu 31 Dec 2026: 14 working days left; slack 14\n" in said(STALLS["has time left"]).body


def test_the_sheet_of_a_mail_marks_the_steps_that_drive_the_ship_date() -> None:
    sheet = said(a_stall(mid_season(), china(9, 9, month=12), "L2", "PP_MEET")).body.partition("---")[2]

    assert "→ on the driving path" in sheet
    assert "\n→ PP_MEET" in sheet
    assert "\nORD_RCVD" in sheet


def test_a_step_with_time_left_is_not_blamed_for_what_another_breaks() -> None:
    body = said(a_stall(mid_season(), china(11, 9, month=12), "L1", "INSURED")).body

    assert "→ forecast ~Thu 7 Jan 2027; slack 14\n" in body
    assert "breaks" not in body


def test_a_template_that_foresees_nothing_promises_no_forecast() -> None:
    facts = a_stall(late_fabric(), china(4, month=1, year=2027), "L4")

    assert facts.sailing
    assert facts.sailing.foreseen is None
    assert "forecast" not in said(facts).body


# --- notes: no stall


def a_note(file: OrderFile, about: str, since: datetime) -> Facts:
    return gather(file, standing(file, MONDAY), Tell(Claim(about, NOTE, since), "MER"), some_parties())


def test_an_order_without_a_date_asks_for_one() -> None:
    file = an_order_file(an_order(etd=None))

    message = said(a_note(file, NO_DATE, file.order.came_in))

    assert message.subject == "[Gendan] SO-26-0417 · ACME · no ETD"
    assert "came in on Thu 1 Oct 2026 10:00 CST(+08) without an ETD" in message.body
    assert "Give it a date: gendan reschedule SO-26-0417 DATE" in message.body


def test_an_order_whose_run_was_cancelled_says_how_to_go_on() -> None:
    file = an_order_file(None, None, Unfollowed(recorded_at=china(20, 15)))

    message = said(a_note(file, UNFOLLOWED, china(20, 15)), EN, HANS)

    assert message.subject == "[Gendan] SO-26-0417 · ACME · no longer followed 已停止跟单"
    assert "cancelled in Prefect on Fri 20 Nov 2026 15:00 CST(+08)" in message.body
    assert message.body.count("gendan follow SO-26-0417") == 2


def test_every_text_of_a_message_can_be_said_in_each_language() -> None:
    for language in Language:
        for key, text in texts(language).items():
            if isinstance(text, str):
                names = re.findall(r"\{(\w+)\}", text)
                assert "{" not in say(language, key, **dict.fromkeys(names, "x"))


def test_the_step_that_holds_up_two_others_names_both() -> None:
    second = a_milestone("FAB_QC", name=a_name("Fabric inspected"), offset=-38, after=("FAB_IN",))
    milestones = [m for m in a_template().milestones if m.code != CUTTING.code]
    cutting = CUTTING.model_copy(update={"after": ("FAB_IN", "FAB_QC")})
    file = an_order_file(None, a_template(milestones[0], second, cutting, *milestones[1:]))

    assert "Holds up: FAB_QC Fabric inspected, CUT_START Cutting started\n" in said(a_stall(file)).body


# --- notes about prospects


QUOTED = QuotationValid(recorded_at=china(2, month=12), until=date(2026, 12, 18))
SIGNED = a_report("CONTRACT", china(8, month=12))


def about(note: str, file: OrderFile, now: datetime = NOW) -> Facts:
    return gather(file, standing(file, now), Tell(Claim(note, NOTE, now), "MER"), some_parties())


NOTES = {
    NEXT_CONTACT: about(NEXT_CONTACT, a_prospect(CALL_AGAIN), china(16, 9, month=12)),
    QUOTE_ENDS: about(QUOTE_ENDS, a_prospect(QUOTED), china(15, 9, month=12)),
    DORMANT: about(DORMANT, a_prospect(CALL_AGAIN), china(30, 9, month=12)),
    CONTRACT_SIGNED: about(CONTRACT_SIGNED, a_prospect(SIGNED)),
}


@pytest.mark.parametrize(
    ("note", "subject", "lines"),
    [
        (
            NEXT_CONTACT,
            "call the customer",
            ["It was agreed to speak with the customer on Wed 16 Dec 2026."],
        ),
        (
            QUOTE_ENDS,
            "the quotation ends soon",
            ["The quotation holds until Fri 18 Dec 2026: 3 working days left."],
        ),
        (
            DORMANT,
            "no word from the customer",
            ["Nothing was heard or told of this prospect for 23 days, since Mon 7 Dec 2026."],
        ),
        (
            CONTRACT_SIGNED,
            "contract signed, no order yet",
            ["The contract was signed on Tue 8 Dec 2026, and no order came of it yet: nobody follows the goods."],
        ),
    ],
)
def test_a_note_about_a_prospect_says_why_it_comes(note: str, subject: str, lines: list[str]) -> None:
    message = said(NOTES[note])

    assert message.subject == f"[Gendan] P-26-031 · ACME · {subject}"
    assert message.body.splitlines()[: len(lines)] == lines


@pytest.mark.parametrize(
    ("note", "commands"),
    [
        (NEXT_CONTACT, ["gendan prospects contact P-26-031 --next DATE"]),
        (
            QUOTE_ENDS,
            [
                "gendan prospects contact P-26-031 --next DATE",
                "gendan prospects quote P-26-031 --valid-until DATE",
                "gendan prospects lost P-26-031 --reason REASON",
            ],
        ),
        (
            DORMANT,
            [
                "gendan prospects contact P-26-031 --next DATE",
                "gendan prospects lost P-26-031 --reason REASON",
            ],
        ),
        (CONTRACT_SIGNED, ["gendan prospects won P-26-031 --order NUMBER"]),
    ],
)
def test_a_note_about_a_prospect_says_how_to_answer(note: str, commands: list[str]) -> None:
    assert re.findall(r"gendan .*", said(NOTES[note]).body) == commands


@pytest.mark.parametrize("facts", NOTES.values(), ids=NOTES.keys())
def test_every_language_tells_the_same_of_a_prospect(facts: Facts) -> None:
    english = facts_in(said(facts, EN).body, EN)

    assert english[0]
    assert facts_in(said(facts, HANS).body, HANS) == english
    assert facts_in(said(facts, HANT).body, HANT) == english


def test_a_prospect_has_no_etd_but_a_hope() -> None:
    body = said(NOTES[NEXT_CONTACT]).body

    assert "Contract hoped for Thu 31 Dec 2026: 11 working days left\n" in body
    assert "ETD" not in body


def test_an_option_is_not_lost_behind_a_number_that_looks_like_one() -> None:
    assert command("prospects contact", "-7", "--next", "DATE") == "gendan prospects contact --next DATE -- -7"


# --- before the due date, before a cut-off, and for a decision


GOODS = {"attributes": {"item": "Men's shell jackets", "customer_po": "88231"}, "value": 184000, "currency": "USD"}
SHIP_LIMIT = datetime(2027, 1, 5, 23, 59, 59, tzinfo=CHINA)


def a_notice(
    file: OrderFile, now: datetime, rung: str, about: str, due: datetime | None = None, **parties: Party
) -> Facts:
    at = standing(file, now)
    claim = Claim(about, rung, due or at.due[about])
    return gather(file, at, Tell(claim, "MER"), {**some_parties(), **parties})


def at_customs() -> OrderFile:
    """Build an order whose customs release is waited for, with a cut-off for it."""
    release = CUSTOMS.model_copy(update={"cutoff": "CUSTOMS"})
    steps = [release if m.code == "CUS_REL" else m for m in a_template().milestones]
    booked = Booking(recorded_at=china(1, month=12), etd=date(2026, 12, 31), cutoffs={"CUSTOMS": CY}, source="S/O 7")
    sewn = a_report("SEW_END", china(24, month=12), quantity=3600)
    return an_order_file(None, a_template(*steps), booked, sewn)


REMINDER = a_notice(mid_season(**GOODS), NOW, "R2", "TRIM_IN")
URGENT = a_notice(at_the_port(), china(29, 10, month=12), "T-6", "GATE_IN", CY)
MISSED = a_notice(at_the_port(), china(29, 17, month=12), "T-0", "GATE_IN", CY)
ALARM = a_notice(mid_season(**GOODS), NOW, "L4", "LC_44C", SHIP_LIMIT)
AT_CUSTOMS = a_notice(at_customs(), china(29, 10, month=12), "T-6", "CUS_REL", CY)
OTHERS = {"reminder": REMINDER, "clock": URGENT, "missed": MISSED, "alarm": ALARM, "customs": AT_CUSTOMS}


@pytest.mark.parametrize("facts", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_the_rung_each_language_tells_the_same_within_its_length(facts: Facts) -> None:
    english = said(facts, EN)

    assert len(english.short) <= BODY
    for language in (HANS, HANT):
        message = said(facts, language)
        assert len(message.short) <= BODY
        assert facts_in(part_of(message), language) == facts_in(part_of(english), EN)
        assert facts_in(message.short, language) == facts_in(english.short, EN)


def test_a_reminder_asks_whether_the_step_is_on_its_way() -> None:
    body = said(REMINDER).body

    assert body.startswith("【Reminder · due in 2 working days】PO 88231 · Men's shell jackets · 3,600 pcs\n")
    assert "Reply by Wed 9 Dec 2026 17:00 CST(+08): Is it on its way? Say so, or give the date" in body


def test_a_reminder_on_the_day_says_today() -> None:
    facts = a_notice(mid_season(**GOODS), china(11, 8, 30, month=12), "R0", "TRIM_IN")

    assert said(facts, HANT).body.startswith("【提醒·今天到期】")


def test_the_clock_track_says_how_many_hours_are_left_and_what_is_still_open() -> None:
    body = said(URGENT).body

    assert body.startswith("【Urgent · CY cut-off in 6 h】")
    assert "Deadline: CY cut-off Tue 29 Dec 2026 16:00 CST(+08), S/O COSU 88\n" in body
    assert "Reply by Tue 29 Dec 2026 12:00 CST(+08): GATE_IN still open: do it now, or rebook\n" in body


@pytest.mark.parametrize(
    ("now", "reply_by"),
    [
        (china(28, 16, month=12), "Mon 28 Dec 2026 18:00"),  # a day before: within two hours
        (china(29, 14, month=12), "Tue 29 Dec 2026 15:00"),  # two hours before: half of what is left
        (china(29, 15, 50, month=12), "Tue 29 Dec 2026 15:55"),  # ten minutes before: five
        (china(28, 23, 30, month=12), "Tue 29 Dec 2026 01:30"),  # at night too
    ],
)
def test_before_a_cutoff_an_answer_is_asked_for_while_there_is_time_left(now: datetime, reply_by: str) -> None:
    assert f"Reply by {reply_by} CST(+08)" in said(a_notice(at_the_port(), now, "T-24", "GATE_IN", CY)).body


def test_a_missed_cutoff_names_the_next_vessel_and_the_ways_out() -> None:
    body = said(MISSED).body

    assert body.startswith("【Missed · CY cut-off】")
    assert "Say who decides, and book the next vessel, now forecast for Thu 7 Jan 2027\n" in body
    assert "Possible: 1) book the next vessel; 2) send all or a part by air; 3) split the order;" in body


def test_customs_is_never_pressed() -> None:
    message = said(AT_CUSTOMS)

    assert (
        "Nobody can press customs: tell the others, look for the next sailing, keep the papers ready\n" in message.body
    )
    assert "paste" not in message.body
    assert "rebook" not in message.body


def test_where_the_buyer_is_waited_for_sales_asks_him() -> None:
    comment = a_milestone("COMMENT", name=a_name("Comment"), offset=-41, waiting_on=("BUYER",))
    file = an_order_file(None, a_template(comment, DEPARTURE.model_copy(update={"after": ("COMMENT",)})))

    body = said(a_notice(file, china(18), "R2", "COMMENT")).body

    assert "Sales asks the buyer for the answer today\n" in body


@pytest.mark.parametrize(
    ("now", "reply_by"),
    [
        (china(23, 8, 30), "Mon 23 Nov 2026 17:00"),  # in the morning: today
        (china(23, 16, 30), "Tue 24 Nov 2026 17:00"),  # less than an hour before: tomorrow
        (china(28, 10), "Mon 30 Nov 2026 17:00"),  # on a Saturday: the next working day
    ],
)
def test_an_answer_is_asked_for_by_five_on_a_working_day(now: datetime, reply_by: str) -> None:
    assert f"Reply by {reply_by} CST(+08)" in said(a_stall(late_fabric(), now)).body


def test_a_decision_leads_with_money_and_date_and_fits_on_a_page() -> None:
    message = said(ALARM)

    assert part_of(message).splitlines() == [
        "【L4 · decide by Wed 9 Dec 2026 15:00 CST(+08)】"
        "order value USD 184,000 · PO 88231 · Men's shell jackets · 3,600 pcs",
        "Effect: ETD Thu 31 Dec 2026 → forecast Thu 7 Jan 2027 (7 days later)",
        "Hard date: latest shipment (44C) Tue 5 Jan 2027, LC-4711: 2 days too late",
        "Asked: Decide how the date is kept, or who asks for another one",
        "Possible: 1) make PP_MEET Pre-production meeting faster; 2) send all or a part by air; 3) split the order; "
        "4) have the L/C amended by 2 days",
        "Cause: PP_MEET Pre-production meeting, due Mon 7 Dec 2026, 2 working days late",
        "Owner: Merchandiser · Waiting on: Production manager",
        "Last note: Fri 20 Nov 2026 10:00 CST(+08): “one carton mark less”",
        "New date: gendan promise SO-26-0417 PP_MEET DATE",
        "Taken on: gendan ack SO-26-0417 LC_44C",
        "Whole plan: gendan plan SO-26-0417",
    ]
    assert message.body == part_of(message)
    assert message.short.startswith("【L4 · decide by Wed 9 Dec 15:00】order value USD 184,000")
    assert message.thread == "SO-26-0417/LC_44C"


def test_a_credit_that_forbids_partial_shipments_leaves_no_split() -> None:
    credit = CREDIT.model_copy(update={"credit": CREDIT.credit.model_copy(update={"partial_shipments": False})})
    facts = a_notice(mid_season(credit, **GOODS), NOW, "L4", "LC_44C", SHIP_LIMIT)

    assert "split" not in said(facts).body


@pytest.mark.parametrize("code", ["LC_44C", "LC_31D", "LC_48", "SHIP_WINDOW", "CANCEL_DATE"])
def test_an_alarm_can_be_told_of_every_hard_date(code: str) -> None:
    facts = a_notice(mid_season(**GOODS), NOW, "L4", code, SHIP_LIMIT)

    for language in Language:
        assert said(facts, language).thread == f"SO-26-0417/{code}"
        assert len(said(facts, language).short) <= BODY


def test_an_order_without_a_value_leads_with_its_date() -> None:
    facts = a_notice(mid_season(), NOW, "L4", "LC_44C", SHIP_LIMIT)

    assert said(facts).short.splitlines()[0] == "【L4 · decide by Wed 9 Dec 15:00】3,600 pcs"


def test_a_date_given_again_says_how_often() -> None:
    again = Promise(recorded_at=china(14), by="wang", milestone="FAB_IN", promised=china(20, 16))

    assert "Promised: Fri 20 Nov 2026 16:00 CST(+08) · 2 dates given so far\n" in (
        said(a_stall(late_fabric(None, PROMISED, again))).body
    )


def test_a_step_that_was_handed_on_names_its_new_owner() -> None:
    handed_on = NotMine(recorded_at=china(20), by="wang", milestone="FAB_IN", to="PROD")

    body = said(a_stall(late_fabric(None, handed_on))).body

    assert "Owner: Production manager · Waiting on: Huaxing Dyehouse\n" in body
