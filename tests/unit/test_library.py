"""The library: what is bundled holds together, a house's own files lie over it, and every mistake has its line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from models.errors import LibraryError, NoTemplateFits
from models.milestone import Stage
from models.names import Language
from tasks.library import BUNDLED, Library, choose_template, load_library
from tasks.marked_yaml import read_marked

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
        "ladder: standard\n"
        "departure: DEPARTED\n"
        "follow_to: DEPARTED\n"
        "chosen_from: null\n" + head + "milestones:\n" + "".join(f"  - {line}\n" for line in lines)
    )


def test_the_bundled_library_has_the_templates_of_the_trade() -> None:
    assert {code: t.chosen_from for code, t in BUNDLE.templates.items()} == {
        "AFS": 45,
        "EAD": 7,
        "HCL": None,
        "container-export": None,
    }
    assert {code: len(t.milestones) for code, t in BUNDLE.templates.items()} == {
        "AFS": 53,
        "EAD": 26,
        "HCL": 52,
        "container-export": 9,
    }
    assert {code: t.departure for code, t in BUNDLE.templates.items()} == {
        "AFS": "DEPARTED",
        "EAD": "UPLIFT",
        "HCL": "DEPARTED",
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


def test_the_catalogue_holds_79_milestones_and_each_has_three_names() -> None:
    entries = read_marked(BUNDLED / "milestones.yaml").mapping()

    assert len(entries) == 79
    assert all(entry["en"] and entry["zh_hans"] and entry["zh_hant"] for entry in entries.values())


# Characters that machine conversion leaves or makes, and that no traditional text of the trade has.
@pytest.mark.parametrize("wrong", ["籤", "单", "报", "关", "舱", "装", "厂", "样", "验", "货", "证", "后", "发"])
def test_no_traditional_name_has_a_simplified_or_misconverted_character(wrong: str) -> None:
    names = [milestone.name for template in BUNDLE.templates.values() for milestone in template.milestones]
    names += [party.name for party in BUNDLE.parties.values()]
    names += [calendar.name for calendar in BUNDLE.calendars.values()]
    names += [rung.asks for ladder in BUNDLE.ladders.values() for rung in ladder.rungs]

    assert [name.zh_hant for name in names if wrong in name.zh_hant] == []


def test_the_standard_ladder_climbs_from_the_merchandiser_to_the_general_manager() -> None:
    ladder = BUNDLE.ladders["standard"]

    assert [(rung.code, rung.after, rung.role) for rung in ladder.rungs] == [
        ("L1", 0, "MER"),
        ("L2", 2, "PROD"),
        ("L3", 4, "SALES"),
        ("L4", 7, "GM"),
    ]
    assert ladder.acknowledged_for == 2


def test_a_milestone_is_due_on_the_days_of_the_first_party_it_waits_on() -> None:
    milestones = BUNDLE.templates["AFS"].by_code

    assert milestones["LABDIP_APP"].calendar == "mon-fri"  # a buyer abroad
    assert milestones["SEW_END"].calendar == "cn-factory"  # the workshop
    assert milestones["BL_DRAFT"].calendar == "mon-fri"  # BUYER before FWD
    assert milestones["CUS_REL"].calendar == "every-day"  # customs


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
        "accountable: MER, waiting_on: [TRUCKER, FWD], calendar: mon-fri, evidence: CIM note}"
    )

    milestone = load_library(write("templates/rail.yaml", a_template(line))).templates["MINE"].by_code["DEPARTED"]

    assert (milestone.name.en, milestone.stage, milestone.accountable) == ("Train left", Stage.BOOKING, "MER")
    assert (milestone.waiting_on, milestone.calendar) == (("TRUCKER", "FWD"), "mon-fri")


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
    office, factory = BUNDLE.calendars["cn-office"], BUNDLE.calendars["cn-factory"]

    assert factory.weekend == {7}
    assert (factory.zone, factory.opens, factory.holidays, factory.workdays, factory.published) == (
        office.zone,
        office.opens,
        office.holidays,
        office.workdays,
        office.published,
    )


def test_a_house_adds_the_notice_of_a_new_year_and_the_factory_follows(write: Write) -> None:
    folder = write(
        "calendars/notice-2027.yaml",
        "code: cn-office\nlike: cn-office\npublished: [2027]\nholidays: [2027-02-12]\nworkdays: [2027-02-14]\n",
    )

    calendars = load_library(folder).calendars

    for code in ("cn-office", "cn-factory"):
        assert not calendars[code].is_provisional(date(2027, 3, 1))
        assert not calendars[code].is_workday(date(2027, 2, 12))
        assert calendars[code].is_workday(date(2027, 2, 14))  # a Sunday
        assert not calendars[code].is_workday(date(2027, 2, 5))  # the estimate stands
        assert not calendars[code].is_provisional(date(2026, 3, 1))


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
    "syntax": ("templates/a.yaml", "code: A\nname: {en: A\nladder: x\n", 3, "is no YAML"),
    "tab": ("templates/a.yaml", "code: A\n\tladder: x\n", 2, "is no YAML"),
    "two documents": ("ladders/a.yaml", "code: A\n---\ncode: B\n", 2, "is no YAML"),
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
        "there is no ladder 'standart' (did you mean 'standard'?)",
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
    "unknown language": ("people.yaml", "a:\n  name: A\n  languages: [en, fr]\n", 3, "languages.2 should be 'en'"),
    "three languages": ("people.yaml", "a: {name: A, languages: [en, zh-Hans, zh-Hant]}\n", 1, "languages"),
    "one language twice": ("people.yaml", "a: {name: A, languages: [en, en]}\n", 1, "stands twice"),
    "person without a name": ("people.yaml", "a:\n", 1, "should be a mapping"),
    "unknown role": (
        "ladders/a.yaml",
        "code: A\nrungs:\n- code: L1\n  after: 0\n  role: BOSS\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        5,
        "there is no party 'BOSS'",
    ),
    "outside party on a ladder": (
        "ladders/a.yaml",
        "code: A\nrungs:\n- code: L1\n  after: 0\n  role: BANK\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        5,
        "BANK is an outside party",
    ),
    "ladder that does not climb": (
        "ladders/a.yaml",
        "code: A\nrungs:\n"
        "- {code: L1, after: 0, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L2, after: 3, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L3, after: 3, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n"
        "- {code: L4, after: 9, role: MER, asks: {en: a, zh_hans: a, zh_hant: a}}\n",
        5,
        "rung L3 does not come after rung L2",
    ),
    "rung code": (
        "ladders/a.yaml",
        "code: A\nrungs:\n- code: first\n  after: 0\n  role: MER\n  asks: {en: a, zh_hans: a, zh_hant: a}\n",
        3,
        "rungs.1.code",
    ),
    "no rungs": ("ladders/a.yaml", "code: A\nrungs: []\n", 2, "rungs"),
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


@pytest.mark.parametrize(
    ("code", "lead_days", "chosen"),
    [
        ("", 7, "EAD"),  # the shortest lead time that has a template
        ("", 44, "EAD"),  # one day short of apparel
        ("", 45, "AFS"),  # the largest that is not longer than the lead time
        ("", 400, "AFS"),
        ("HCL", 3, "HCL"),  # named: the lead time does not matter
        ("HCL", None, "HCL"),  # named, and no ETD yet
        (" AFS ", 90, "AFS"),
    ],
)
def test_a_template_is_the_one_named_or_the_longest_that_fits(code: str, lead_days: int | None, chosen: str) -> None:
    assert choose_template(BUNDLE, code, lead_days).code == chosen


@pytest.mark.parametrize(
    ("code", "lead_days", "said"),
    [
        ("", 6, "lead time of 6 days. Chosen by lead time: EAD from 7 days, AFS from 45 days."),
        ("", -3, "lead time of -3 days"),  # an ETD before the order
        ("", None, "Without an ETD"),
        ("afs", 90, "There is no template 'afs' (did you mean 'AFS'?). There are: AFS, EAD, HCL, container-export."),
    ],
)
def test_an_order_that_no_template_fits_is_refused_with_what_there_is(
    code: str, lead_days: int | None, said: str
) -> None:
    with pytest.raises(NoTemplateFits) as refusal:
        choose_template(BUNDLE, code, lead_days)

    assert said in str(refusal.value)
    assert "AFS, EAD, HCL, container-export" in str(refusal.value)


def test_a_library_without_a_template_to_choose_says_so() -> None:
    none = Library(
        templates={"HCL": BUNDLE.templates["HCL"]},
        ladders=BUNDLE.ladders,
        calendars=BUNDLE.calendars,
        parties=BUNDLE.parties,
        people=BUNDLE.people,
    )

    with pytest.raises(NoTemplateFits, match="Chosen by lead time: none"):
        choose_template(none, "", 90)
