"""The escalation policy: what it may say, who stands in whose place, and what makes an order climb faster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import LibraryError
from models.escalation.climb import climb
from models.terms.policy import OWNER, Alarm, Policy, PolicyMistake, Rung, Sooner, Tick, climbed_faster
from tasks.library import load_library
from tests.factories import a_calendar, a_name, a_policy, an_order, an_order_file, china
from tests.seasons import messages

STANDARD = load_library().policies["standard"]
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put a policy into a house's own library, and return that library's folder."""

    def put(text: str) -> Path:
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "mine.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return put


def a_rung(code: str, after: int, **changes: Any) -> Rung:
    return Rung(**({"code": code, "after": after, "role": "MER", "asks": a_name("Do it")} | changes))


def mistake_of(**changes: Any) -> PolicyMistake:
    with pytest.raises(ValidationError) as refused:
        a_policy(**changes)
    mistake = refused.value.errors()[0]["ctx"]["error"]
    assert isinstance(mistake, PolicyMistake)
    return mistake


# What a policy may not say


@pytest.mark.parametrize(
    ("changes", "what", "at"),
    [
        ({"rungs": (a_rung("L1", 0), a_rung("L3", 4))}, "the ladder has a gap", ("rungs", 1, "code")),
        ({"rungs": (a_rung("L2", 0),)}, "rung 1 is L2 and not L1", ("rungs", 0, "code")),
        ({"rungs": (a_rung("L1", 2), a_rung("L2", 2))}, "rung L2 does not come after rung L1", ("rungs", 1)),
        ({"rungs": (a_rung("L2", 0), a_rung("L1", 2))}, "rung L1 does not come after rung L2", ("rungs", 1)),
        ({"rungs": (a_rung("L1", 0, sooner=Sooner(broken=1)),)}, "has none below it", ("rungs", 0, "sooner")),
        (
            {"clock": (Tick(hours=6, told=("LOG",)), Tick(hours=24, told=("LOG",)))},
            "T-24 does not come nearer to the cut-off than T-6",
            ("clock", 1, "hours"),
        ),
        ({"alarm": Alarm(rung="L7", told=("GM",))}, "there is no rung L7", ("alarm", "rung")),
        ({"alarm": Alarm(told=("GM", OWNER))}, "it has no owner", ("alarm", "told", 1)),
        ({"heads": {"LOG": {"PROD": OWNER}}}, "takes nobody's place", ("heads", "LOG", "PROD")),
        (
            {"waiting_on": {"BUYER": {"instead": {"PROD": OWNER}}}},
            "takes nobody's place",
            ("waiting_on", "BUYER", "instead", "PROD"),
        ),
    ],
)
def test_a_policy_that_nobody_can_follow_says_where_its_mistake_stands(
    changes: dict[str, Any], what: str, at: tuple[str | int, ...]
) -> None:
    mistake = mistake_of(**changes)

    assert what in str(mistake)
    assert mistake.at == at


@pytest.mark.parametrize("reminders", [{"long": (5, 5)}, {"short": (1, 2)}])
def test_reminders_come_nearer_to_the_due_date_each_time(reminders: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="does not come nearer to the due date"):
        a_policy(reminders=reminders)


A_FILE = """\
code: mine
rungs:
  - code: L1
    after: 0
    role: {first}
    asks: {{en: Do, zh_hans: 请做, zh_hant: 請做}}
  - code: {second}
    after: 2
    role: PROD
    asks: {{en: Do, zh_hans: 请做, zh_hant: 請做}}
"""


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (A_FILE.format(first="MER", second="L3"), 7, "the ladder has a gap: rung 2 is L3 and not L2"),
        (A_FILE.format(first="MRE", second="L2"), 5, "MRE"),
        (A_FILE.format(first="MILL", second="L2"), 5, "MILL"),  # outside parties are never written to
        (A_FILE.format(first="MER", second="L2") + "clock:\n  - {hours: 6, told: [LGO]}\n", 12, "LGO"),
        (A_FILE.format(first="MER", second="L2") + "reminders: {told: [OWNR]}\n", 11, "OWNR"),
        (A_FILE.format(first="MER", second="L2") + "alarm:\n  rung: L2\n  told: [OWNER]\n", 13, "has no owner"),
        (A_FILE.format(first="MER", second="L2") + "waiting_on:\n  BUYR: {instead: {PROD: SALES}}\n", 12, "BUYR"),
        (A_FILE.format(first="MER", second="L2") + "heads:\n  LOG: {PROD: SALS}\n", 12, "SALS"),
        (A_FILE.format(first="MER", second="L2") + "remind: 3\n", 11, "remind"),
    ],
)
def test_a_mistake_in_a_policys_file_has_its_file_and_line(write: Write, text: str, line: int, what: str) -> None:
    with pytest.raises(LibraryError) as refused:
        load_library(write(text))

    assert (Path(refused.value.file).name, refused.value.line) == ("mine.yaml", line)
    assert what in refused.value.what


def test_a_house_has_a_policy_of_its_own(write: Write) -> None:
    policy = load_library(write(A_FILE.format(first="OWNER", second="L2"))).policies["mine"]

    assert [rung.code for rung in policy.rungs] == ["L1", "L2"]
    assert policy.told_in_place_of(policy.rungs[0].role, "PUR", ()) == "PUR"
    assert policy.clock == ()
    assert policy.alarm is None


# Who stands in whose place


@pytest.mark.parametrize(
    ("role", "owner", "waits", "told"),
    [
        (OWNER, "PUR", ("MILL",), "PUR"),
        ("PROD", "PUR", ("MILL",), "PROD"),
        ("PROD", "MER", ("BUYER",), "SALES"),  # a late buyer's comment is no matter of production
        ("PROD", "MER", ("MILL", "BUYER"), "SALES"),
        ("PROD", "LOG", ("CARRIER",), "SALES"),
        ("PROD", "LOG", ("CUSTOMS",), "LOG"),  # what is waited for counts before whose it is
        ("GM", "LOG", ("CUSTOMS",), "GM"),
    ],
)
def test_who_is_told_depends_on_what_is_waited_for_and_whose_it_is(
    role: str, owner: str, waits: tuple[str, ...], told: str
) -> None:
    assert STANDARD.told_in_place_of(role, owner, waits) == told


@pytest.mark.parametrize(
    ("waits", "asks"),
    [
        (("MILL",), "Get it moving today"),
        (("BUYER",), "Sales asks the buyer"),
        (("CUSTOMS",), "Nobody can press customs"),
    ],
)
def test_what_is_asked_depends_on_what_is_waited_for(waits: tuple[str, ...], asks: str) -> None:
    assert STANDARD.asks_of("L2", waits).en.startswith(asks)


def test_a_role_that_is_named_twice_on_a_rung_is_told_once() -> None:
    assert a_rung("L1", 0, also=("MER", OWNER, OWNER)).told == ("MER", OWNER)


# What climbs faster


@pytest.mark.parametrize(
    ("order", "levels"),
    [
        ({}, 0),
        ({"tier": "A"}, 1),
        ({"tier": "B"}, 0),
        ({"value": 200_000, "currency": "USD"}, 1),  # from so much on
        ({"value": 199_999, "currency": "USD"}, 0),
        ({"value": 500_000, "currency": "JPY"}, 0),  # nothing is converted
        ({"first_order": True}, 1),
        ({"tier": "A", "first_order": True, "value": 300_000, "currency": "EUR"}, 1),  # the most of them, not the sum
    ],
)
def test_an_order_climbs_faster_by_its_customer_its_value_or_as_the_first(order: dict[str, Any], levels: int) -> None:
    fields: dict[str, Any] = {"tier": "", "value": None, "currency": "", "first_order": False} | order

    assert STANDARD.levels_faster(**fields) == levels


def test_one_level_faster_brings_each_rung_to_the_day_of_the_one_below_it_and_leaves_nobody_out() -> None:
    assert climbed_faster(STANDARD.rungs, 0) == {"L1": 0, "L2": 2, "L3": 4, "L4": 7}
    # L2 on the morning of L1 would leave it no day: it comes on the next.
    assert climbed_faster(STANDARD.rungs, 1) == {"L1": 0, "L2": 2, "L3": 3, "L4": 4}
    # From Monday on: L1 on Tuesday, and one each working day.
    fired = climb(a_policy(), a_calendar(), china(16, 12), (), 1)
    assert fired == [china(17, 9), china(18, 9), china(19, 9), china(20, 9)]


def test_an_order_of_a_customer_who_matters_climbs_faster() -> None:
    policy = a_policy(faster=({"tiers": ("A",)},))

    told = {
        tier: [m.at for m in messages(an_order_file(an_order(tier=tier), policy=policy), china(9, month=12))]
        for tier in ("A", "B")
    }

    assert told["B"] == [china(23, 9), china(24, 9), china(26, 9), china(1, 9, month=12)]
    assert told["A"] == [china(23, 9), china(24, 9), china(25, 9), china(26, 9)]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9, unique=True).map(sorted), st.integers(0, 3))
def test_however_fast_an_order_climbs_each_rung_has_a_morning_of_its_own(after: list[int], levels: int) -> None:
    rungs = tuple(a_rung(f"L{number}", days) for number, days in enumerate(after, start=1))

    mornings = climb(Policy(code="any", rungs=rungs), a_calendar(), china(16, 12), (), levels)

    assert None not in mornings
    assert len(set(mornings)) == len(rungs)
    assert sorted(at for at in mornings if at is not None) == mornings
    usual = climbed_faster(rungs, 0)
    assert all(days <= usual[code] for code, days in climbed_faster(rungs, levels).items())


def test_people_are_told_at_the_policys_morning_on_working_days() -> None:
    calendar = load_library().calendars["cn-office"]

    fired = climb(STANDARD, calendar, calendar.end_of(date(2026, 9, 30)), ())

    # National Day is the 1st to the 7th of October; Saturday the 10th is worked.
    assert fired == [china(day, 8, 30, month=10) for day in (8, 9, 12, 15)]
