"""People: their hours, the roles they fill, who stands in for them, and whether an address reaches them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gendan.doctor import told_roles, unreached
from models.book.agreement import agreed
from models.book.changes import HandedOver
from models.names import Language
from models.terms.party import NO_QUIET, Person, Quiet, Substitute, comes_back, on_duty
from tasks.library import Library, load_library
from tests.factories import an_order, china
from tests.files import written

BUNDLE = load_library()
CHANNELS = Path("channels.yaml")
DECEMBER = [date(2026, 12, n) for n in range(1, 32)]

House = Callable[..., Library]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Give the library of a house with these people, and with parties of its own."""

    def read(people: str, parties: str = "") -> Library:
        if parties:
            written(tmp_path, parties, "parties.yaml")
        return load_library(written(tmp_path, people, "people.yaml").parent)

    return read


def a_person(code: str = "chan", *substitutes: tuple[int, int, str], **changes: Any) -> Person:
    """Build a person; substitutes by their first and last day in December."""
    away = tuple(Substitute(first=DECEMBER[a - 1], last=DECEMBER[b - 1], by=by) for a, b, by in substitutes)
    return Person(code=code, name=code.capitalize(), substitutes=away, **changes)


def among(*people: Person) -> dict[str, Person]:
    return {person.code: person for person in people}


# --- hours


def test_whoever_says_nothing_else_has_the_usual_hours() -> None:
    person = a_person()

    assert (person.quiet.start, person.quiet.end, str(person.quiet)) == (time(20), time(8, 30), "20:00 to 08:30")
    assert person.digests == (time(8, 30), time(13, 30))
    assert (person.calendar, person.budget, person.roles) == ("cn-office", 12, ())


@pytest.mark.parametrize(
    ("quiet", "wall", "is_quiet"),
    [
        (Quiet(), time(20), True),  # from its first minute
        (Quiet(), time(8, 29), True),
        (Quiet(), time(8, 30), False),  # until just before its last
        (Quiet(), time(19, 59), False),
        (Quiet(start=time(12), end=time(14)), time(13), True),  # within a day
        (Quiet(start=time(12), end=time(14)), time(14), False),
        (Quiet(start=time(12), end=time(14)), time(11, 59), False),
        (NO_QUIET, time(0), False),
        (NO_QUIET, time(3), False),
    ],
)
def test_quiet_hours_go_from_their_first_minute_until_just_before_their_last(
    quiet: Quiet, wall: time, is_quiet: bool
) -> None:
    assert quiet.holds(wall) is is_quiet


def test_the_same_start_and_end_are_no_quiet_hours() -> None:
    assert Quiet(start=time(7), end=time(7)).never
    assert str(NO_QUIET) == "none"


@pytest.mark.parametrize(
    ("given_", "what"),
    [
        ({"digests": [time(13, 30), time(8, 30)]}, "08:30 does not come after the one at 13:30"),
        ({"digests": [time(9), time(9)]}, "09:00 does not come after"),
        ({"digests": [time(20)]}, "20:00 falls into the quiet hours, 20:00 to 08:30"),
        ({"quiet": {"end": time(9)}}, "08:30 falls into the quiet hours, 20:00 to 09:00"),
        ({"digests": []}, "at least 1"),
        ({"digests": [time(9, 0, 30)]}, "a time of day by the person's own clock"),
        ({"digests": [time(9, tzinfo=china(1).tzinfo)]}, "a time of day by the person's own clock"),
        ({"budget": -1}, "greater than or equal to 0"),
        ({"roles": ["MER", "PUR", "MER"]}, "the role MER stands twice"),
    ],
)
def test_hours_that_nobody_can_keep_are_refused(given_: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Person.model_validate({"code": "a", "name": "A", **given_})


# --- substitutes


def test_a_substitute_reads_from_his_first_day_to_his_last() -> None:
    chan, lin = a_person("chan", (7, 11, "lin")), a_person("lin")
    people = among(chan, lin)

    readers = {day.day: on_duty(chan, people, day).code for day in DECEMBER}

    assert [day for day, code in readers.items() if code == "lin"] == [7, 8, 9, 10, 11]
    assert {on_duty(lin, people, day).code for day in DECEMBER} == {"lin"}


def test_a_substitute_who_is_away_has_a_substitute_in_turn() -> None:
    chan, lin, mei = a_person("chan", (7, 11, "lin")), a_person("lin", (10, 20, "mei")), a_person("mei")
    people = among(chan, lin, mei)

    assert [on_duty(chan, people, DECEMBER[day - 1]).code for day in (6, 9, 10, 11, 12)] == [
        "chan", "lin", "mei", "mei", "chan",
    ]  # fmt: skip


def test_two_may_stand_in_for_each_other_on_different_days() -> None:
    chan, lin = a_person("chan", (7, 11, "lin")), a_person("lin", (12, 20, "chan"))

    assert not comes_back("chan", chan.substitutes[0], among(chan, lin))
    assert not comes_back("lin", lin.substitutes[0], among(chan, lin))


CODES = ("a", "b", "c", "d")


@st.composite
def teams(draw: st.DrawFn) -> dict[str, Person]:
    """Draw four people with up to two substitutes each, who may well stand in for each other in a circle."""
    people = []
    for code in CODES:
        bounds = draw(st.lists(st.integers(1, 12), min_size=0, max_size=4, unique=True).map(sorted))
        ranges = zip(bounds[::2], bounds[1::2], strict=False)
        others = st.sampled_from([each for each in CODES if each != code])
        people.append(a_person(code, *((first, last, draw(others)) for first, last in ranges)))
    return among(*people)


@given(teams())
def test_a_circle_is_found_exactly_where_some_day_leaves_nobody_there(people: dict[str, Person]) -> None:
    circles = {code for code, person in people.items() for away in person.substitutes if comes_back(code, away, people)}
    nobody_there = [
        (person, day)
        for person in people.values()
        for day in DECEMBER
        if on_duty(person, people, day).away(day) is not None
    ]

    assert bool(circles) == bool(nobody_there)


# --- roles


def test_a_role_goes_to_the_person_who_fills_it_and_else_to_its_mailbox(house: House) -> None:
    shelf = house("wang: {name: 王小明, languages: [zh-Hans], roles: [MER, PUR]}\n")

    assert [shelf.filled_by(role).code for role in ("MER", "PUR", "SALES")] == ["wang", "wang", "SALES"]
    assert (shelf.people["MER"].roles, shelf.people["SALES"].roles) == ((), ("SALES",))
    assert shelf.person("MER").code == "wang"  # the mailbox is his
    assert shelf.languages("MER") == (Language.ZH_HANS,)


def test_a_role_without_anybody_is_written_to_by_its_name_at_the_usual_hours(house: House) -> None:
    shelf = house(
        "chan: {name: 陳小姐}\n",
        parties="HR: {name: {en: Personnel, zh_hans: 人事, zh_hant: 人事}, calendar: cn-office, internal: true}\n",
    )

    assert shelf.filled_by("HR") == Person(code="HR", name="Personnel", roles=("HR",))
    assert shelf.person("HR") == shelf.filled_by("HR")


def test_whom_nobody_listed_is_written_to_by_the_code_he_has() -> None:
    assert BUNDLE.person("mei") == Person(code="mei", name="mei")
    assert BUNDLE.find_person("mei") is None


@pytest.mark.parametrize("written_", ["chan", "Chan", " CHAN ", "陳小姐"])
def test_a_person_is_known_by_his_code_or_his_name(house: House, written_: str) -> None:
    person = house("chan: {name: 陳小姐}\n").find_person(written_)

    assert person is not None
    assert person.code == "chan"


def test_of_two_with_one_name_the_code_tells_who_is_meant(house: House) -> None:
    shelf = house("chan: {name: Chan}\nchan2: {name: Mei}\nmei: {name: Mei}\n")

    assert shelf.find_person("Mei") == shelf.people["mei"]
    assert house("a1: {name: Mei}\na2: {name: Mei}\n").find_person("Mei") is None


def test_an_order_is_of_whom_it_names_and_else_of_who_fills_the_merchandisers_role(house: House) -> None:
    shelf = house("wang: {name: 王小明, roles: [MER]}\nchan: {name: 陳小姐}\n")

    assert [shelf.holder(named).code for named in ("", " ", "chan", "陳小姐", "mei")] == [
        "wang", "wang", "chan", "chan", "mei",
    ]  # fmt: skip


def test_production_is_written_to_on_the_days_of_the_factory() -> None:
    assert {code: BUNDLE.filled_by(code).calendar for code in ("MER", "PROD", "QC", "GM")} == {
        "MER": "cn-office",
        "PROD": "cn-factory",
        "QC": "cn-factory",
        "GM": "cn-office",
    }


def test_a_house_says_all_about_a_person(house: House) -> None:
    shelf = house(
        "wang:\n  name: Wang\n  roles: [MER]\n  calendar: de-office\n  quiet: 19:00-07:15\n"
        "  digests: 07:15, 12:00\n  budget: 5\n  substitutes:\n"
        "  - {from: 2026-12-21, to: 2026-12-31, by: chan}\n  - {from: 2026-11-02, to: 2026-11-02, by: GM}\n"
        "chan: {name: Chan, quiet: none}\nlin: {name: Lin, quiet: null}\n"
        "mei:\n  name: Mei\n  quiet:\n    start: 22:00\n  digests:\n  - 09:00\n"
    )
    wang = shelf.people["wang"]

    assert (wang.calendar, wang.quiet, wang.budget) == ("de-office", Quiet(start=time(19), end=time(7, 15)), 5)
    assert wang.digests == (time(7, 15), time(12))
    assert [shelf.on_duty(wang, day).code for day in (date(2026, 12, 20), date(2026, 12, 21))] == ["wang", "chan"]
    assert shelf.on_duty(wang, date(2026, 11, 2)).code == "GM"
    assert (shelf.people["mei"].quiet, shelf.people["mei"].digests) == (Quiet(start=time(22)), (time(9),))
    assert shelf.people["chan"].quiet == shelf.people["lin"].quiet == NO_QUIET


# --- addresses


def test_a_person_without_an_address_is_named_with_what_to_add(house: House) -> None:
    shelf = house("wang: {name: 王小明, roles: [MER, PUR]}\nchan: {name: Chan}\n")
    roles = {role.lower() for role in told_roles(shelf)}

    assert unreached(shelf, roles | {"chan"}, CHANNELS) == []  # wang is reached by his roles
    assert unreached(shelf, roles - {"mer", "pur"} | {"wang", "chan"}, CHANNELS) == []
    assert unreached(shelf, roles - {"mer", "pur"} | {"chan"}, CHANNELS) == [
        "channels.yaml: no address reaches 王小明 (wang): add one with the tag wang or mer or pur"
    ]
    assert unreached(shelf, roles, CHANNELS) == [
        "channels.yaml: no address reaches Chan (chan): add one with the tag chan"
    ]


def test_the_roles_that_nobody_reads_are_named_together() -> None:
    (words,) = unreached(BUNDLE, {role.lower() for role in told_roles(BUNDLE)} - {"gm", "sales"}, CHANNELS)

    assert words.startswith("channels.yaml: nobody is reached as GM, SALES: add an address")


def test_an_address_that_hears_everything_reaches_everybody() -> None:
    assert unreached(BUNDLE, {"always"}, CHANNELS) == []
    assert unreached(BUNDLE, set(), CHANNELS) != []


# --- whose an order is


def test_an_order_is_of_whom_it_was_last_handed_over_to() -> None:
    order = an_order(merchandiser="wang")
    to_chan = HandedOver(recorded_at=china(20), to="chan")
    to_lin = HandedOver(recorded_at=china(25), to="lin")

    assert [agreed(order, log).merchandiser for log in ([], [to_chan], [to_chan, to_lin])] == ["wang", "chan", "lin"]
