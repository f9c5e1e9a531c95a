"""The library: what is bundled holds together, a house's own files lie over it, and every mistake has its line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from models.errors import LibraryError
from models.names import Language, Name
from models.terms.customs import CustomsState
from models.terms.milestone import Rounds, Stage, Takes
from tasks.library import load_library

BUNDLE = load_library()
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put a file into a house's own library, and return that library's folder."""

    def put(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path

    return put


def a_template(*lines: str, code: str = "MINE", head: str = "") -> str:
    """Return a template file; its milestones begin on line 9, or later by the lines of `head`."""
    return (
        f"code: {code}\n"
        "name: {en: Mine, zh_hans: 我的, zh_hant: 我的}\n"
        "calendar: cn-office\n"
        "policy: standard\n"
        "departure: DEPARTED\n"
        "follow_to: DEPARTED\n"
        "chosen_from: null\n" + head + "milestones:\n" + "".join(f"  - {line}\n" for line in lines)
    )


def test_the_bundled_library_has_the_templates_of_the_trade() -> None:
    assert {code: t.chosen_from for code, t in BUNDLE.templates.items()} == {
        "AFS": 45,
        "EAD": 7,
        "HCL": None,
        "PROSPECT": 0,
        "container-export": None,
    }
    assert {code: len(t.milestones) for code, t in BUNDLE.templates.items()} == {
        "AFS": 53,
        "EAD": 26,
        "HCL": 52,
        "PROSPECT": 8,
        "container-export": 9,
    }
    assert {code: t.departure for code, t in BUNDLE.templates.items()} == {
        "AFS": "DEPARTED",
        "EAD": "UPLIFT",
        "HCL": "DEPARTED",
        "PROSPECT": "CONTRACT",
        "container-export": "DEPARTED",
    }


@pytest.mark.parametrize("code", BUNDLE.templates)
def test_no_bundled_step_is_planned_after_its_successor(code: str) -> None:
    template = BUNDLE.templates[code]

    wrong = [
        (before, milestone.code)
        for milestone in template.milestones
        for before in milestone.after
        if template.by_code[before].offset > milestone.offset
    ]
    assert wrong == []


@pytest.mark.parametrize("code", BUNDLE.templates)
def test_a_bundled_template_leaves_on_its_etd(code: str) -> None:
    template = BUNDLE.templates[code]

    assert template.by_code[template.departure].offset == 0
    assert template.follow_to == template.departure


@pytest.mark.parametrize("code", BUNDLE.templates)
def test_every_party_and_calendar_of_a_bundled_template_is_known(code: str) -> None:
    for milestone in BUNDLE.templates[code].milestones:
        assert BUNDLE.parties[milestone.accountable].internal
        assert set(milestone.waiting_on) <= BUNDLE.parties.keys()
        assert milestone.calendar in BUNDLE.calendars


def test_the_standard_policy_climbs_from_the_merchandiser_to_the_general_manager() -> None:
    policy = BUNDLE.policies["standard"]

    assert [(rung.code, rung.after, rung.role) for rung in policy.rungs] == [
        ("L1", 0, "MER"),
        ("L2", 2, "PROD"),
        ("L3", 4, "SALES"),
        ("L4", 7, "GM"),
    ]
    assert policy.acknowledged_for == 2


def test_a_milestone_is_due_on_the_days_of_the_first_party_it_waits_on() -> None:
    milestones = BUNDLE.templates["AFS"].by_code

    assert milestones["LABDIP_APP"].calendar == "mon-fri"  # a buyer abroad
    assert milestones["SEW_END"].calendar == "cn-factory"  # the workshop
    assert milestones["BL_DRAFT"].calendar == "mon-fri"  # BUYER before FWD
    assert milestones["CUS_REL"].calendar == "cn-customs"
    assert milestones["GATE_IN"].calendar == "port"  # the template's own: a closed port stops the trucks
    assert BUNDLE.templates["HCL"].by_code["LC_PRESENT"].calendar == "cn-bank"  # of the bank, not of who presents


def test_the_usual_calendars_are_those_of_the_parties() -> None:
    usual = BUNDLE.usual_calendars

    assert usual.keys() == BUNDLE.parties.keys()
    assert {party: usual[party] for party in ("FACTORY", "PORT", "BANK", "CUSTOMS", "BUYER")} == {
        "FACTORY": "cn-factory",
        "PORT": "port",
        "BANK": "cn-bank",
        "CUSTOMS": "cn-customs",
        "BUYER": "mon-fri",
    }


@pytest.mark.parametrize(
    ("code", "counted"),
    [
        ("AFS", ["SEW_END", "PACK_DONE"]),
        ("HCL", ["PROD_DONE", "PACK_DONE"]),
        ("EAD", ["PROD_DONE", "PACK_DONE"]),
        # every report from the empty container on speaks of one container
        ("container-export", ["EMPTY_PICK", "STUFFED", "GATE_IN", "VGM_SUB", "ONBOARD", "DEPARTED"]),
    ],
)
def test_what_is_counted_is_marked(code: str, counted: list[str]) -> None:
    assert [m.code for m in BUNDLE.templates[code].milestones if m.counted] == counted


def test_customs_steps_stand_in_the_customs_stage_wherever_they_fall() -> None:
    milestones = {**BUNDLE.templates["AFS"].by_code, **BUNDLE.templates["EAD"].by_code}

    customs = {code for code, milestone in milestones.items() if milestone.stage is Stage.CUSTOMS}
    assert customs == {"DOCS_BRK", "CUS_DECL", "CUS_REL", "EXP_CLEAR", "IMP_DOCS", "IMP_REL", "CUS_CLOSED"}


def test_whoever_is_not_listed_is_written_to_in_english_and_simplified_chinese() -> None:
    assert BUNDLE.languages("nobody we know") == (Language.EN, Language.ZH_HANS)


def test_a_house_adds_a_person_with_languages_of_their_own(write: Write) -> None:
    library = load_library(write("people.yaml", "chan: {name: 陳小姐, languages: [zh-Hant]}\n"))

    assert library.languages("chan") == (Language.ZH_HANT,)
    assert library.languages("MER") == (Language.EN, Language.ZH_HANS)


def test_a_house_adds_a_template_beside_the_bundled_ones(write: Write) -> None:
    folder = write("templates/mine.yaml", a_template("{code: ONBOARD, offset: -1}", "{code: DEPARTED, offset: 0}"))

    library = load_library(folder)

    assert library.templates.keys() == BUNDLE.templates.keys() | {"MINE"}
    assert library.templates["MINE"].by_code["ONBOARD"].name.zh_hant == "裝船"


def test_a_house_replaces_a_template_by_its_code_whatever_the_file_is_called(write: Write) -> None:
    folder = write("templates/ours.yml", a_template("{code: DEPARTED, offset: 0}", code="AFS"))

    library = load_library(folder)

    assert library.templates["AFS"].codes == ("DEPARTED",)
    assert library.templates.keys() == BUNDLE.templates.keys()


def test_a_house_replaces_one_milestone_of_the_catalogue_and_every_template_follows(write: Write) -> None:
    folder = write(
        "milestones.yaml",
        "FAB_IN: {en: Cloth in, zh_hans: 布到, zh_hant: 布到, stage: materials, accountable: PMC, waiting_on: [LAB]}\n",
    )

    fabric = load_library(folder).templates["AFS"].by_code["FAB_IN"]

    assert (fabric.name.en, fabric.accountable, fabric.calendar) == ("Cloth in", "PMC", "cn-office")
    assert fabric.offset == -46


def test_a_template_line_overrides_any_field_of_the_catalogue(write: Write) -> None:
    line = (
        "{code: DEPARTED, offset: 0, en: Train left, zh_hans: 火车, zh_hant: 火車, stage: booking, "
        "accountable: MER, waiting_on: [TRUCKER, FWD], calendar: mon-fri, counted: true, complete_at: 95, "
        "cutoff: RAIL, takes: [2, 4], rounds: {takes: 3}, stall: null, "
        "evidence: {en: CIM note, zh_hans: 运单, zh_hant: 運單}}"
    )

    milestone = load_library(write("templates/rail.yaml", a_template(line))).templates["MINE"].by_code["DEPARTED"]

    assert (milestone.name.en, milestone.stage, milestone.accountable) == ("Train left", Stage.BOOKING, "MER")
    assert (milestone.waiting_on, milestone.calendar) == (("TRUCKER", "FWD"), "mon-fri")
    assert (milestone.counted, milestone.complete_at, milestone.cutoff) == (True, 95, "RAIL")
    assert milestone.takes == Takes(likely=2, pessimistic=4)
    assert milestone.rounds == Rounds(takes=Takes(likely=3, pessimistic=3))
    assert (milestone.evidence, milestone.stall) == (Name(en="CIM note", zh_hans="运单", zh_hant="運單"), None)


def test_a_next_attempt_takes_as_long_as_the_first_where_nothing_else_is_said(write: Write) -> None:
    line = "{code: DEPARTED, offset: 0, takes: [2, 4], rounds: {at_most: 5}}"

    milestone = load_library(write("templates/a.yaml", a_template(line))).templates["MINE"].by_code["DEPARTED"]

    assert milestone.rounds == Rounds(at_most=5, takes=Takes(likely=2, pessimistic=4))


def test_a_template_line_may_say_that_a_step_cannot_fail(write: Write) -> None:
    lines = ("{code: ONBOARD, offset: 0, rounds: null}", "{code: DEPARTED, offset: 0}")

    assert (
        load_library(write("templates/a.yaml", a_template(*lines))).templates["MINE"].by_code["ONBOARD"].rounds is None
    )


def test_a_house_names_its_customers_with_their_calendar_and_tolerance(write: Write) -> None:
    library = load_library(
        write(
            "customers.yaml",
            "ACME: {name: Acme Outdoor Inc., calendar: us-office, tolerance: -3/+5, tier: A}\nB: {name: B}\n",
        )
    )

    for written in ("ACME", "acme", " Acme Outdoor Inc. ", "acme outdoor inc."):
        customer = library.customer(written)
        assert customer is not None
        assert (customer.code, customer.calendar, customer.tolerance) == ("ACME", "us-office", "-3/+5")
        assert customer.tier == "A"
    assert library.customer("Acme Indoor") is None
    other = library.customers["B"]
    assert (other.calendar, other.tolerance, other.tier) == ("", "", "")
    assert BUNDLE.customers == {}


def test_a_house_says_what_a_customs_letter_of_its_broker_means(write: Write) -> None:
    folder = write("customs.yaml", "'G': {state: INSPECTION, name: {en: Check, zh_hans: 查验, zh_hant: 查驗}}\n")

    letters = load_library(folder).letters

    assert (BUNDLE.letters["G"].state, letters["G"].state) == (CustomsState.AUDITED, CustomsState.INSPECTION)
    assert letters.keys() == BUNDLE.letters.keys()


def test_a_template_line_with_another_name_is_awaited_by_that_name(write: Write) -> None:
    names = "en: Train left, zh_hans: 火车, zh_hant: 火車"
    lines = (f"{{code: ONBOARD, offset: -1, {names}}}", f"{{code: DEPARTED, offset: 0, {names}, awaited: the train}}")

    template = load_library(write("templates/rail.yaml", a_template(*lines))).templates["MINE"]

    assert BUNDLE.templates["AFS"].by_code["DEPARTED"].awaited == "departure"
    assert [milestone.awaited for milestone in template.milestones] == ["", "the train"]


def test_a_template_may_name_a_milestone_that_no_catalogue_has(write: Write) -> None:
    names = "en: Bless, zh_hans: 祝, zh_hant: 祝"
    line = f"{{code: BLESS, offset: -2, {names}, stage: loading, accountable: GM, waiting_on: []}}"

    library = load_library(write("templates/mine.yaml", a_template(line, "{code: DEPARTED, offset: 0}")))

    assert library.templates["MINE"].by_code["BLESS"].calendar == "cn-office"  # nobody is waited on: the template's


def test_a_calendar_like_another_takes_what_it_does_not_state() -> None:
    office, bank = BUNDLE.calendars["cn-office"], BUNDLE.calendars["cn-bank"]

    assert (bank.code, bank.closes) == ("cn-bank", time(17))
    assert bank == office.model_copy(update={"code": "cn-bank", "name": bank.name, "closes": time(17)})
    assert BUNDLE.calendars["cn-factory"].weekend == {7}


A_NOTICE = (
    "code: cn-office\nlike: cn-office\npublished: [2027]\n"
    "holidays: [2027-02-08, 2027-02-09, 2027-02-10, 2027-02-11, 2027-02-12]\nworkdays: [2027-02-28, 2027-03-07]\n"
)


def test_a_house_adds_the_notice_of_a_new_year_and_the_factory_follows(write: Write) -> None:
    calendars = load_library(write("calendars/notice-2027.yaml", A_NOTICE)).calendars

    for code in ("cn-office", "cn-factory", "cn-bank", "cn-customs"):
        calendar = calendars[code]
        assert not calendar.is_provisional(date(2027, 3, 1))
        assert not calendar.is_workday(date(2027, 2, 12))
        assert calendar.is_workday(date(2027, 2, 28))  # a Sunday
        assert calendar.is_workday(date(2027, 4, 5))  # Qingming: the notice says nothing of it, and no estimate is left
        assert not calendar.is_provisional(date(2026, 3, 1))
        assert max(calendar.estimated).year == 2033  # one year further than before


def test_a_notice_in_a_file_makes_the_same_days_as_one_that_is_loaded(write: Write) -> None:
    read = load_library(write("calendars/notice-2027.yaml", A_NOTICE)).calendars
    holidays = [date(2027, 2, n) for n in range(8, 13)]
    first = date(2026, 12, 1)

    for code in ("cn-office", "cn-factory"):
        loaded = BUNDLE.calendars[code].with_list(2027, holidays, [date(2027, 2, 28), date(2027, 3, 7)])
        assert loaded.published == read[code].published
        for n in range(430):
            day = first + timedelta(days=n)
            assert loaded.is_workday(day) == read[code].is_workday(day), f"{code} {day}"


def test_a_house_closes_its_factory_for_days_and_slows_it_down_for_others(write: Write) -> None:
    folder = write(
        "calendars/mill.yaml",
        "code: mill\nlike: cn-factory\nspring_festival: null\n"
        "closed: [{from: 2027-01-28, to: 2027-02-20}, {from: 2027-08-02, to: 2027-08-02}]\n"
        "capacity:\n- {from: 2027-02-21, to: 2027-03-06, factor: 0.5}\n",
    )

    mill = load_library(folder).calendars["mill"]

    assert mill.count_workdays(date(2027, 1, 27), date(2027, 2, 20)) == 0
    assert not mill.is_workday(date(2027, 8, 2))
    assert mill.is_workday(date(2027, 8, 3))
    assert mill.is_workday(date(2026, 2, 14))  # a make-up Saturday: without the weeks around the festival it is worked
    assert {factor for day, factor in mill.capacity.items()} == {0.5}
    assert (min(mill.capacity), max(mill.capacity)) == (date(2027, 2, 21), date(2027, 3, 6))


def test_a_house_says_otherwise_when_its_factory_is_closed_around_the_spring_festival(write: Write) -> None:
    folder = write(
        "calendars/factory.yaml",
        "code: cn-factory\nlike: cn-factory\nworkdays: [2027-02-06]\n"
        "spring_festival: {closed: [0, 3], slow: [{from: 4, to: 4, factor: 0.25}]}\n"
        "capacity: [{from: 2027-02-10, to: 2027-02-11, factor: 0.9}]\n",
    )

    factory = load_library(folder).calendars["cn-factory"]

    assert [n for n in range(4, 14) if factory.is_workday(date(2027, 2, n))] == [4, 6, 10, 11, 12, 13]  # 5: the eve
    assert factory.capacity[date(2027, 2, 10)] == 0.9  # day 4 of this year; of other years the rule holds
    assert factory.capacity[date(2026, 2, 21)] == 0.25
    assert date(2027, 1, 29) not in factory.capacity


def test_a_calendar_like_that_of_a_country_may_be_of_another(write: Write) -> None:
    folder = write("calendars/ca.yaml", "code: ca-office\nlike: us-office\nzone: America/Toronto\ncountry: CA-ON\n")

    toronto = load_library(folder).calendars["ca-office"]

    assert not toronto.is_workday(date(2027, 7, 1))  # Canada Day
    assert toronto.is_workday(date(2026, 11, 26))  # Thanksgiving is in October there


def test_what_a_nearer_calendar_says_of_a_day_wins(write: Write) -> None:
    folder = write(
        "calendars/mill.yaml",
        "code: mill\nlike: cn-factory\nholidays: [2026-02-14]\nworkdays: [2026-02-23]\n",
    )

    mill = load_library(folder).calendars["mill"]

    assert not mill.is_workday(date(2026, 2, 14))  # a make-up Saturday of the office
    assert mill.is_workday(date(2026, 2, 23))  # a holiday of the office
    assert not mill.is_workday(date(2026, 10, 1))


MISTAKES = {
    # not YAML, or not a file that can be read as text
    "syntax": ("templates/a.yaml", "code: A\nname: {en: A\npolicy: x\n", 3, "is no YAML"),
    "tab": ("templates/a.yaml", "code: A\n\tpolicy: x\n", 2, "is no YAML"),
    "two documents": ("policies/a.yaml", "code: A\n---\ncode: B\n", 2, "is no YAML"),
    "encoding": ("templates/a.yaml", "code: A\n# 跟單\n".encode("big5"), 2, "is not UTF-8"),
    "unprintable": ("people.yaml", b"a:\n  name: x\x00\n", 2, "U+0000"),
    "empty": ("templates/a.yaml", "", 1, "is empty"),
    "only a comment": ("people.yaml", "# nobody yet\n", 1, "is empty"),
    "no mapping": ("templates/a.yaml", "- code: A\n", 1, "should be a mapping"),
    "duplicate key": ("people.yaml", "a: {name: A}\nb: {name: B}\na: {name: C}\n", 3, "a stands twice"),
    "duplicate key deep": ("people.yaml", "a:\n  name: A\n  name: B\n", 3, "name stands twice"),
    # a template's head
    "code missing": ("templates/a.yaml", "# mine\nversion: 1\n", 2, "code is missing"),
    "field missing": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace("departure: DEPARTED\n", ""),
        1,
        "departure is missing",
    ),
    "unknown field": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", head="folow_to: X\n"),
        8,
        "did you mean 'follow_to'?",
    ),
    "name in two languages": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace(", zh_hant: 我的", ""),
        2,
        "zh_hant is missing",
    ),
    "no milestones": ("templates/a.yaml", "code: A\nversion: 1\n", 1, "milestones is missing"),
    "milestones no list": ("templates/a.yaml", "code: A\nmilestones: {a: b}\n", 2, "should be a list"),
    "unknown ladder": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace("standard", "standart"),
        4,
        "there is no policy 'standart' (did you mean 'standard'?)",
    ),
    "unknown calendar": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace("cn-office", "cn"),
        3,
        "there is no calendar 'cn'",
    ),
    "departure elsewhere": ("templates/a.yaml", a_template("{code: UPLIFT, offset: 0}"), 5, "departure: DEPARTED"),
    "chosen_from no number": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace("chosen_from: null", "chosen_from: soon"),
        7,
        "chosen_from should be a whole number, not 'soon'",
    ),
    "depth unknown": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", head="depths:\n  on-board: DEPARTED\n  money: PAID\n"),
        10,
        "depths.money: PAID is not one of the milestones",
    ),
    "unknown kind": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", head="kind: import\n"),
        8,
        "kind should be 'export' or 'prospect', not 'import'",
    ),
    "sails every never": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", head="sails_every: 0\n"),
        8,
        "sails_every should be greater than or equal to 1",
    ),
    "chosen_from taken": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}").replace("chosen_from: null", "chosen_from: 45"),
        7,
        "45 days choose AFS already",
    ),
    # a template's milestones, of which the first stands on line 9
    "unknown milestone": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", "{code: ONBORD, offset: 0}"),
        10,
        "ONBORD is not in the catalogue (did you mean 'ONBOARD'?)",
    ),
    "milestone half described": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", "{code: BLESS, offset: -2, en: Bless, zh_hans: 祝}"),
        10,
        "zh_hant is missing",
    ),
    "milestone without a code": ("templates/a.yaml", a_template("{offset: 0}"), 9, "code is missing"),
    "milestone without an offset": ("templates/a.yaml", a_template("{code: DEPARTED}"), 9, "offset is missing"),
    "offset no number": (
        "templates/a.yaml",
        a_template("{code: ONBOARD, offset: -1}", "code: DEPARTED\n    offset: soon"),
        11,
        "offset should be a whole number, not 'soon'",
    ),
    "after no list": (
        "templates/a.yaml",
        a_template("{code: ONBOARD, offset: 0}", "{code: DEPARTED, offset: 0, after: ONBOARD}"),
        10,
        "after should be a list",
    ),
    "unknown field of a milestone": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, ofset: 1}"),
        9,
        "unknown field 'ofset' (did you mean 'offset'?)",
    ),
    "unknown stage": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, stage: sailing}"),
        9,
        "stage should be 'commercial'",
    ),
    "milestone no mapping": ("templates/a.yaml", a_template("DEPARTED"), 9, "should be a mapping"),
    "unknown predecessor": (
        "templates/a.yaml",
        a_template("{code: ONBOARD, offset: 0, after: [STUFFED]}", "{code: DEPARTED, offset: 0}"),
        9,
        "ONBOARD comes after STUFFED, which is not here",
    ),
    "cycle": (
        "templates/a.yaml",
        a_template(
            "{code: BKG_REQ, offset: -9}",
            "{code: ONBOARD, offset: 0, after: [DEPARTED]}",
            "{code: DEPARTED, offset: 0, after: [ONBOARD]}",
        ),
        (10, 11),
        "wait for each other",
    ),
    "milestone twice": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0}", "{code: ONBOARD, offset: 0}", "{code: DEPARTED, offset: 0}"),
        11,
        "DEPARTED stands twice",
    ),
    "planned before its predecessor": (
        "templates/a.yaml",
        a_template("{code: ONBOARD, offset: 0}", "{code: DEPARTED, offset: -1, after: [ONBOARD]}"),
        10,
        "is planned before ONBOARD",
    ),
    "unknown calendar of a milestone": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, calendar: moon}"),
        9,
        "there is no calendar 'moon'",
    ),
    "reopens what it has not": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, rounds: {reopens: [CUS_REL]}}"),
        9,
        "DEPARTED reopens CUS_REL, which is not here",
    ),
    "pessimistic before likely": (
        "templates/a.yaml",
        a_template("code: DEPARTED\n    offset: 0\n    takes: [5, 3]"),
        11,
        "pessimistic is shorter than likely",
    ),
    "takes three numbers": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, takes: [1, 2, 3]}"),
        9,
        "takes should be one number of working days, or two: likely and pessimistic",
    ),
    "takes some time": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, takes: a while}"),
        9,
        "takes should be a valid number, unable to parse string as a number, not 'a while'",
    ),
    "takes less than nothing": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, takes: -1}"),
        9,
        "takes should be greater than or equal to 0, not '-1'",
    ),
    "no round at all": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, rounds: {at_most: 0}}"),
        9,
        "rounds.at_most should be greater than or equal to 1",
    ),
    "complete before it begins": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, counted: true, complete_at: 0}"),
        9,
        "complete_at should be greater than 0",
    ),
    "unknown party": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, waiting_on: [CARIER]}"),
        9,
        "there is no party 'CARIER' (did you mean 'CARRIER'?)",
    ),
    "outside party asked": (
        "templates/a.yaml",
        a_template("{code: DEPARTED, offset: 0, accountable: BUYER}"),
        9,
        "BUYER is an outside party",
    ),
    # the other files
    "catalogue entry without a stage": (
        "milestones.yaml",
        "X:\n  en: X\n  zh_hans: X\n  zh_hant: X\n  accountable: MER\n  waiting_on: [MER]\n",
        1,
        "stage is missing",
    ),
    "catalogue entry waiting on nobody known": (
        "milestones.yaml",
        "X:\n  en: X\n  zh_hans: X\n  zh_hant: X\n  stage: loading\n  accountable: MER\n"
        "  waiting_on:\n  - MER\n  - ME\n",
        9,
        "there is no party 'ME'",
    ),
    "catalogue entry reopening nothing known": (
        "milestones.yaml",
        "X:\n  en: X\n  zh_hans: X\n  zh_hant: X\n  stage: loading\n  accountable: MER\n  waiting_on: [MER]\n"
        "  rounds:\n    reopens:\n    - CUS_REL\n    - CUS_RELL\n",
        11,
        "there is no milestone 'CUS_RELL' (did you mean 'CUS_REL'?)",
    ),
    "catalogue entry with prose for a cutoff": (
        "milestones.yaml",
        "X:\n  en: X\n  zh_hans: X\n  zh_hant: X\n  stage: loading\n  accountable: MER\n  waiting_on: [MER]\n"
        "  cutoff: before noon\n",
        8,
        "cutoff should be the code of a deadline on the booking, such as SI or CY, not 'before noon'",
    ),
    "catalogue entry with evidence in one language": (
        "milestones.yaml",
        "X:\n  en: X\n  zh_hans: X\n  zh_hant: X\n  stage: loading\n  accountable: MER\n  waiting_on: [MER]\n"
        "  evidence: a photo\n",
        8,
        "evidence should be a mapping",
    ),
    "catalogue entry with a code": ("milestones.yaml", "X:\n  en: X\n  code: Y\n", 3, "X is the code already"),
    "party without a calendar": (
        "parties.yaml",
        "\nX: {name: {en: X, zh_hans: X, zh_hant: X}, internal: true}\n",
        2,
        "calendar is missing",
    ),
    "party with an unknown calendar": (
        "parties.yaml",
        "X:\n  name: {en: X, zh_hans: X, zh_hant: X}\n  internal: true\n  calendar: mars\n",
        4,
        "there is no calendar 'mars'",
    ),
    "party neither in nor out": (
        "parties.yaml",
        "X:\n  name: {en: X, zh_hans: X, zh_hant: X}\n  internal: perhaps\n  calendar: cn-office\n",
        3,
        "internal should be true or false, not 'perhaps'",
    ),
    "customer with an unknown calendar": (
        "customers.yaml",
        "ACME:\n  name: Acme\n  calendar: us-offices\n",
        3,
        "there is no calendar 'us-offices' (did you mean 'us-office'?)",
    ),
    "customer with half a tolerance": (
        "customers.yaml",
        "ACME:\n  name: Acme\n  tolerance: -3\n",
        3,
        "'-3' is no tolerance",
    ),
    "customer with templates": (
        "customers.yaml",
        "ACME:\n  name: Acme\n  templates: [AFS]\n",
        3,
        "unknown field 'templates'",
    ),
    "customer without a name": ("customers.yaml", "ACME:\n  calendar: us-office\n", 1, "name is missing"),
    "customs letter of an unknown state": (
        "customs.yaml",
        "Q:\n  name: {en: Q, zh_hans: Q, zh_hant: Q}\n  state: RELEASE\n",
        3,
        "there is no customs state 'RELEASE'",
    ),
    "unknown language": ("people.yaml", "a:\n  name: A\n  languages: [en, fr]\n", 3, "languages.2 should be 'en'"),
    "three languages": ("people.yaml", "a: {name: A, languages: [en, zh-Hans, zh-Hant]}\n", 1, "languages"),
    "one language twice": ("people.yaml", "a: {name: A, languages: [en, en]}\n", 1, "stands twice"),
    "person without a name": ("people.yaml", "a:\n", 1, "should be a mapping"),
    "role that is none": (
        "people.yaml",
        "wang:\n  name: Wang\n  roles:\n  - MER\n  - SALE\n",
        5,
        "there is no role 'SALE' (did you mean 'SALES'?)",
    ),
    "role of an outside party": (
        "people.yaml",
        "wang:\n  name: Wang\n  roles: [BUYER]\n",
        3,
        "BUYER is an outside party",
    ),
    "role filled twice": (
        "people.yaml",
        "wang:\n  name: Wang\n  roles: [MER]\nchan:\n  name: Chan\n  roles:\n  - PUR\n  - MER\n",
        8,
        "the role MER is filled by wang already",
    ),
    "one role twice": ("people.yaml", "wang:\n  name: Wang\n  roles:\n  - MER\n  - MER\n", 5, "MER stands twice"),
    "person on an unknown calendar": (
        "people.yaml",
        "wang:\n  name: Wang\n  calendar: cn-offices\n",
        3,
        "there is no calendar 'cn-offices' (did you mean 'cn-office'?)",
    ),
    "quiet hours without a time": (
        "people.yaml",
        "wang:\n  name: Wang\n  quiet:\n    start: 20:00\n    end: early\n",
        5,
        "quiet.end should be a time, such as 09:00, not 'early'",
    ),
    "quiet hours in prose": (
        "people.yaml",
        "wang:\n  name: Wang\n  quiet: at night\n",
        3,
        "quiet should be two times of day, such as 20:00-08:30, or none, not 'at night'",
    ),
    "quiet hours with half a time": (
        "people.yaml",
        "wang:\n  name: Wang\n  quiet: 20:00-8\n",
        3,
        "quiet should be a time, such as 09:00, not '8'",
    ),
    "digests without a time": (
        "people.yaml",
        "wang:\n  name: Wang\n  digests: 08:30, noon\n",
        3,
        "digests should be a time, such as 09:00, not 'noon'",
    ),
    "quiet hours of another zone": (
        "people.yaml",
        "wang:\n  name: Wang\n  quiet:\n    start: 20:00Z\n",
        4,
        "should be a time of day by the person's own clock, such as 08:30",
    ),
    "digest in quiet hours": (
        "people.yaml",
        "wang:\n  name: Wang\n  digests:\n  - 08:30\n  - 21:00\n",
        5,
        "the digest at 21:00 falls into the quiet hours, 20:00 to 08:30",
    ),
    "quiet hours over the usual digests": (
        "people.yaml",
        "wang:\n  name: Wang\n  quiet: 20:00-10:00\n",
        3,
        "the digest at 08:30 falls into the quiet hours, 20:00 to 10:00",
    ),
    "digests out of order": (
        "people.yaml",
        "wang:\n  name: Wang\n  digests:\n  - 13:30\n  - 08:30\n",
        5,
        "the digest at 08:30 does not come after the one at 13:30",
    ),
    "no digest": ("people.yaml", "wang:\n  name: Wang\n  digests: []\n", 3, "digests holds too few"),
    "a budget of nothing known": (
        "people.yaml",
        "wang:\n  name: Wang\n  budget: many\n",
        3,
        "should be a whole number",
    ),
    "substitute from the last day to the first": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - {from: 2026-12-31, to: 2026-12-21, by: MER}\n",
        4,
        "goes from 2026-12-31 to 2026-12-21: the last day comes before the first",
    ),
    "substitute without a last day": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - {from: 2026-12-31, by: MER}\n",
        4,
        "to is missing",
    ),
    "overlapping substitutes": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - {from: 2026-12-21, to: 2026-12-31, by: GM}\n"
        "  - {from: 2026-12-31, to: 2027-01-05, by: MER}\n",
        5,
        "MER would stand in from 2026-12-31 to 2027-01-05, and GM does from 2026-12-21 to 2026-12-31",
    ),
    "unknown substitute": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - from: 2026-12-21\n    to: 2026-12-31\n    by: chang\n"
        "chan: {name: Chan}\n",
        6,
        "there is no person 'chang' (did you mean 'chan'?)",
    ),
    "substitute of oneself": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - from: 2026-12-21\n    to: 2026-12-31\n    by: wang\n",
        6,
        "wang cannot stand in for himself",
    ),
    "substitute by the role of somebody": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - {from: 2026-12-21, to: 2026-12-31, by: SALES}\n"
        "chan: {name: Chan, roles: [SALES]}\n",
        4,
        "SALES is a role that chan fills: name chan",
    ),
    "substitutes in a circle": (
        "people.yaml",
        "wang:\n  name: Wang\n  substitutes:\n  - {from: 2026-12-01, to: 2026-12-31, by: chan}\n"
        "chan:\n  name: Chan\n  substitutes:\n  - {from: 2026-12-10, to: 2027-01-31, by: lin}\n"
        "lin:\n  name: Lin\n  substitutes:\n  - {from: 2026-11-01, to: 2026-11-30, by: chan}\n"
        "  - {from: 2026-12-31, to: 2026-12-31, by: wang}\n",
        13,
        "on 2026-12-31 wang stands in for lin, and in the end lin for wang: nobody would be there",
    ),
    "two codes that differ in capitals": (
        "people.yaml",
        "wang: {name: Wang}\nWang: {name: Other}\n",
        2,
        "Wang cannot be told from wang",
    ),
    "customer of an unknown tier": (
        "customers.yaml",
        "ACME:\n  name: Acme\n  tier: AA\n",
        3,
        "tier should be one of A, B, C, not 'AA'",
    ),
    "unknown role": (
        "policies/a.yaml",
        "code: A\nrungs:\n- code: L1\n  after: 0\n  role: BOSS\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        5,
        "there is no party 'BOSS'",
    ),
    "outside party on a ladder": (
        "policies/a.yaml",
        "code: A\nrungs:\n- code: L1\n  after: 0\n  role: BANK\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        5,
        "BANK is an outside party",
    ),
    "ladder that does not climb": (
        "policies/a.yaml",
        "code: A\nrungs:\n"
        "- {code: L1, after: 0, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L2, after: 3, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L3, after: 3, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L4, after: 9, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n",
        5,
        "rung L3 does not come after rung L2",
    ),
    "rung code": (
        "policies/a.yaml",
        "code: A\nrungs:\n- code: first\n  after: 0\n  role: MER\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        3,
        "rungs.1.code",
    ),
    "no rungs": ("policies/a.yaml", "code: A\nrungs: []\n", 2, "rungs"),
    "unknown zone": (
        "calendars/a.yaml",
        "code: a\nname: {en: a, zh_hans: a, zh_hant: a}\nzone: Asia/Shenzen\n",
        3,
        "there is no time zone 'Asia/Shenzen'",
    ),
    "zone that is a folder": (
        "calendars/a.yaml",
        "code: a\nname: {en: a, zh_hans: a, zh_hant: a}\nzone: Asia\n",
        3,
        "there is no time zone 'Asia'",
    ),
    "no such day": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nholidays: [\n  2027-02-27,\n  2027-02-29\n]\n",
        5,
        "holidays.2 should be a date",
    ),
    "no such weekday": ("calendars/a.yaml", "code: a\nlike: cn-office\nweekend: [0, 6]\n", 3, "weekend"),
    "no day to work on": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nweekend: [1, 2, 3, 4, 5, 6, 7]\n",
        3,
        "and not all of them",
    ),
    "holiday and workday at once": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nholidays: [2027-03-01]\nworkdays: [2027-03-01]\n",
        4,
        "2027-03-01 stands under holidays and under workdays",
    ),
    "closes before it opens": ("calendars/a.yaml", "code: a\nlike: cn-office\ncloses: 08:00\n", 3, "closes at 08:00"),
    "no such time": ("calendars/a.yaml", "code: a\nlike: cn-office\nopens: 25:00\n", 3, "opens"),
    "slow days twice": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\ncapacity:\n- {from: 2027-03-01, to: 2027-03-05, factor: 0.5}\n"
        "- {from: 2027-03-06, to: 2027-03-07, factor: 0.7}\n- {from: 2027-03-05, to: 2027-03-05, factor: 0.7}\n",
        6,
        "overlaps with a range above it",
    ),
    "factor above one": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\ncapacity:\n- from: 2027-03-01\n  to: 2027-03-05\n  factor: 1.2\n",
        6,
        "capacity.1.factor should be less than or equal to 1, not '1.2'",
    ),
    "factor of nothing": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\ncapacity:\n- {from: 2027-03-01, to: 2027-03-05, factor: 0}\n",
        4,
        "factor should be greater than 0",
    ),
    "factor finer than hundredths": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\ncapacity:\n- {from: 2027-03-01, to: 2027-03-05, factor: 0.333}\n",
        4,
        "a factor is given in hundredths, such as 0.65, not 0.333",
    ),
    "slow days backwards": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\ncapacity:\n- {from: 2027-03-05, to: 2027-03-01, factor: 0.5}\n",
        4,
        "goes from 2027-03-05 to 2027-03-01: the last day comes before the first",
    ),
    "closed backwards": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\nclosed:\n- {from: 2027-03-05, to: 2027-03-06}\n"
        "- {from: 2027-03-05, to: 2027-03-01}\n",
        5,
        "the last day comes before the first",
    ),
    "closed for good": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\nclosed: [{from: 2027-03-05, to: 2072-03-06}]\n",
        3,
        "more than a year",
    ),
    "closed without an end": (
        "calendars/a.yaml",
        "code: a\nlike: cn-factory\nclosed:\n- {from: 2027-03-05}\n",
        4,
        "to is missing",
    ),
    "closed and a workday at once": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nclosed: [{from: 2027-03-01, to: 2027-03-05}]\nworkdays: [2027-03-02]\n",
        4,
        "2027-03-02 stands under closed and under workdays",
    ),
    "festival backwards": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nspring_festival:\n  closed: [7, -7]\n",
        4,
        "closed goes from day 7 to day -7",
    ),
    "festival without an end": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nspring_festival: {closed: [7]}\n",
        3,
        "spring_festival.closed holds too few",
    ),
    "festival for half a year": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nspring_festival: {closed: [-90, 90]}\n",
        3,
        "spring_festival.closed.1 should be greater than or equal to -60",
    ),
    "festival slow backwards": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nspring_festival:\n  closed: [-7, 7]\n  slow:\n  - {from: 9, to: 8, factor: 0.5}\n",
        6,
        "goes from day 9 to day 8",
    ),
    "festival slow while it is closed": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nspring_festival:\n  closed: [-7, 7]\n  slow:\n"
        "  - {from: 8, to: 9, factor: 0.5}\n  - {from: -9, to: -7, factor: 0.5}\n",
        7,
        "overlaps with the closed days",
    ),
    "unknown country": (
        "calendars/a.yaml",
        "code: a\nlike: us-office\ncountry: UX\n",
        3,
        "there is no country 'UX'",
    ),
    "unknown part of a country": (
        "calendars/a.yaml",
        "code: a\nlike: us-office\ncountry: US-XX\n",
        3,
        "US has no part 'XX'",
    ),
    "country with an official list": (
        "calendars/a.yaml",
        "code: a\nlike: us-office\ncountry: CN\n",
        3,
        "stand in an official list: say official: CN",
    ),
    "unknown official list": (
        "calendars/a.yaml",
        "code: a\nlike: cn-office\nofficial: US\n",
        3,
        "there is no official list 'US' of working days; there is: CN",
    ),
    "official list that is not loaded": (
        "calendars/a.yaml",
        "code: a\nlike: mon-fri\nofficial: CN\n",
        3,
        "follows the official list CN: published says for which years it is loaded",
    ),
    "official list that a house no longer loads": (
        "calendars/a.yaml",
        "code: cn-office\nlike: cn-office\npublished: null\n",
        3,
        "follows the official list CN",
    ),
    "a missing year": (
        "calendars/a.yaml",
        "code: cn-office\nlike: cn-office\nholidays: [2028-01-26]\npublished: [2028]\n",
        4,
        "published leaves out 2027: its list comes before that of 2028",
    ),
    "a missing year among those of one file": (
        "calendars/a.yaml",
        "code: a\nlike: mon-fri\npublished: [2024, 2026]\n",
        3,
        "published leaves out 2025",
    ),
    "no such year": (
        "calendars/a.yaml",
        "code: a\nlike: mon-fri\npublished: [27]\n",
        3,
        "published.1 should be greater than or equal to 2000, not '27'",
    ),
    "a house's mistake in a calendar that others are like": (
        "calendars/office.yaml",
        "code: cn-office\nlike: cn-office\nweekend: [1, 2, 3, 4, 5, 6, 7]\n",
        3,
        "and not all of them",
    ),
    "like nothing": ("calendars/a.yaml", "code: a\nlike: cn-ofice\n", 2, "(did you mean 'cn-office'?)"),
    "like itself": ("calendars/a.yaml", "code: a\nlike: a\n", 2, "there is no calendar 'a' to be like"),
    "nothing to be like": ("calendars/a.yaml", "code: a\nzone: Asia/Shanghai\n", 1, "name is missing"),
}


@pytest.mark.parametrize(("name", "text", "line", "what"), MISTAKES.values(), ids=MISTAKES.keys())
def test_every_mistake_is_refused_with_its_file_and_line(
    write: Write, name: str, text: str | bytes, line: int | tuple[int, ...], what: str
) -> None:
    folder = write(name, text)

    with pytest.raises(LibraryError) as refusal:
        load_library(folder)

    assert refusal.value.file == str(folder / name)
    assert refusal.value.line in (line if isinstance(line, tuple) else (line,))
    assert what in refusal.value.what
    assert str(refusal.value).startswith(f"{folder / name}:{refusal.value.line}: ")


def test_calendars_that_are_like_each_other_are_refused(write: Write) -> None:
    write("calendars/a.yaml", "code: a\nlike: b\n")

    with pytest.raises(LibraryError, match="which in the end is like"):
        load_library(write("calendars/b.yaml", "code: b\nlike: a\n"))


def test_one_code_in_two_files_of_a_house_is_refused(write: Write) -> None:
    write("templates/a.yaml", a_template("{code: DEPARTED, offset: 0}"))

    with pytest.raises(LibraryError, match=r"b\.yaml:1: MINE stands in .*a\.yaml already"):
        load_library(write("templates/b.yaml", a_template("{code: DEPARTED, offset: 0}")))


def test_a_file_that_nothing_reads_is_refused_not_overlooked(write: Write) -> None:
    with pytest.raises(LibraryError, match="stands where nothing reads it"):
        load_library(write("template/mine.yaml", a_template("{code: DEPARTED, offset: 0}")))


def test_what_is_no_yaml_file_is_left_alone(write: Write) -> None:
    write(".git/templates/x.yaml", "not ours")

    assert load_library(write("README.md", "about our library")) == BUNDLE


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="is no folder"):
        load_library(tmp_path / "nowhere")


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(write: Write) -> None:
    text = "\ufeff" + a_template("{code: DEPARTED, offset: 0}").replace("\n", "\r\n")

    assert "MINE" in load_library(write("templates/a.yaml", text)).templates


def test_two_templates_chosen_by_one_lead_time_for_one_customer_are_refused(write: Write) -> None:
    for code, customers in (("A", "[Acme Outdoor Inc.]"), ("B", "[BETA]"), ("Z", "[GAMMA, acme]")):
        template = a_template("{code: DEPARTED, offset: 0}", code=code, head=f"customers: {customers}\n")
        write(f"templates/{code}.yaml", template.replace("chosen_from: null", "chosen_from: 45"))
    folder = write("customers.yaml", "ACME: {name: Acme Outdoor Inc.}\n")

    with pytest.raises(LibraryError) as refusal:
        load_library(folder)

    assert (refusal.value.file, refusal.value.line) == (str(folder / "templates/Z.yaml"), 7)
    assert refusal.value.what == "45 days choose A already for acme; give another number, or null"
