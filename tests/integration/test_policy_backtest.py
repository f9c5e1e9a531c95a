"""`gendan backtest --policy`: a past season under two policies, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import gendan as gendan_package
from gendan.season import Season, compare, load_season, read_policy_file
from models.seasons.judged import Comparison, Figures
from tasks.library import BUNDLED, load_library
from tests.files import written
from tests.terminal import gendan, refused

SAMPLES = Path(gendan_package.__file__).parent / "samples"
CONTAINERS = Path(__file__).parents[3] / "shared" / "data" / "container_logistics"
SEASON = ("--orders", SAMPLES / "orders.csv", "--reports", SAMPLES / "reports.csv")
STANDARD = BUNDLED / "policies" / "standard.yaml"
LIBRARY = load_library()

PLAIN = """\
# The ladder by lateness alone: no reminders, nothing brings a rung forward, one role is told on each.
code: plain
acknowledged_for: 2
rungs:
  - {code: L1, after: 0, role: MER, asks: {en: Say when, zh_hans: 请回报, zh_hant: 請回報}}
  - {code: L2, after: 2, role: PROD, asks: {en: Get it moving, zh_hans: 请推动, zh_hant: 請推動}}
  - {code: L3, after: 4, role: SALES, asks: {en: Settle it, zh_hans: 请谈妥, zh_hant: 請談妥}}
  - {code: L4, after: 7, role: GM, asks: {en: Decide, zh_hans: 请决定, zh_hant: 請決定}}
"""
LADDER = ("L1", "L2", "L3", "L4")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return written(tmp_path, PLAIN, "plain.yaml")


def season_in(folder: Path) -> Season:
    return load_season(folder / "orders.csv", folder / "reports.csv", LIBRARY)


def ladder(counts: Mapping[str, int]) -> list[int]:
    return [counts.get(rung, 0) for rung in LADDER]


def played(*words: object) -> str:
    """Play a season by the command, and return what it printed; its progress goes to standard error."""
    said = gendan(*words)
    assert said.status == 0, said
    return said.out


# --- the command ---


def test_a_new_policy_stands_beside_the_librarys_own(tmp_path: Path, plain: Path, own_settings: Path) -> None:
    result = tmp_path / "figures.json"

    said = played("backtest", *SEASON, "--policy", plain, "--json", result)

    head, titles, *lines = said.splitlines()
    comparison = Comparison.model_validate_json(result.read_text())
    assert head.startswith("10 orders from 2026-06-")
    assert titles.split(None) == ["the", "library's", "own", "plain.yaml"]
    own, tried = comparison.policies
    assert (own.policy, tried.policy) == ("the library's own", "plain.yaml")
    assert line(lines, "messages   ").split()[-2:] == [str(own.messages), str(tried.messages)]
    assert line(lines, "R1: ").split()[-2:] == ["0", "(0)"]
    assert line(lines, "  stalls with more").split()[-2:] == [str(own.more_than_once), str(tried.more_than_once)]
    assert json.loads(result.read_text())["policies"][1]["warnings"]["in_vain"] == tried.warnings.in_vain
    assert not own_settings.exists()


def line(lines: list[str], begin: str) -> str:
    """Return the one line that begins so."""
    (found,) = [one for one in lines if one.startswith(begin)]
    return found


def test_two_policies_of_files_are_compared_the_present_one_first(plain: Path, own_settings: Path) -> None:
    said = played("backtest", *SEASON, "--policy", STANDARD, "--against", plain)

    assert said.splitlines()[1].split() == ["plain.yaml", "standard.yaml"]


def test_each_person_stands_with_what_he_got_under_either(plain: Path, own_settings: Path) -> None:
    said = played("backtest", *SEASON, "--policy", plain)

    purchasing = [one.split() for one in said.splitlines() if one.startswith("PUR ")]
    assert [words[-6:-3] for words in purchasing][1] == ["0", "0", "0"], "the plain ladder tells no owner"
    assert int(purchasing[0][-6]) > 0, "who is reminded has digests"


def test_the_bundled_policy_against_itself_differs_in_nothing(tmp_path: Path, own_settings: Path) -> None:
    result = tmp_path / "figures.json"

    played("backtest", *SEASON, "--policy", STANDARD, "--json", result)

    own, same = Comparison.model_validate_json(result.read_text()).policies
    assert own.model_copy(update={"policy": same.policy}) == same


def test_answers_are_said_in_the_head_and_leave_nothing_to_escalate(plain: Path, own_settings: Path) -> None:
    said = played("backtest", *SEASON, "--policy", plain, "--answers-within", 1)

    head, _, *lines = said.splitlines()
    assert head.endswith(", everybody answering within a working day")
    assert not any(one.startswith(("L2:", "L3:", "L4:")) for one in lines)


def test_a_backtest_without_a_policy_knows_answers_too(own_settings: Path) -> None:
    silent, answered = (played("backtest", *SEASON, *more) for more in ((), ("--answers-within", 1)))

    assert silent.splitlines()[0] == answered.splitlines()[0], "what became of the orders is the same"
    assert "L4 0" in answered
    assert "L4 0" not in silent


def test_a_refused_row_is_told_and_the_others_are_compared(tmp_path: Path, plain: Path, own_settings: Path) -> None:
    orders = written(tmp_path, "order_no,placed_at,etd\nA,2026-01-05,2026-04-20\nB,2026-01-05,soon\n")
    told = "order_no,milestone,occurred_at,recorded_at\nA,ORD_RCVD,2026-01-05,2026-01-06\n"
    reports = written(tmp_path, told, "reports.csv")

    said = gendan("backtest", "--orders", orders, "--reports", reports, "--policy", plain)

    assert said.status == 1
    assert said.out.startswith("1 orders from ")
    assert f"{orders}, line 3, column etd:" in said.err


# --- what is wrong ---


@pytest.mark.parametrize(
    ("mistake", "repair", "line_no", "said"),
    [
        ("role: GM", "role: BOSS", 8, "there is no party 'BOSS'"),  # nobody fills it
        ("role: GM", "role: CUSTOMS", 8, "CUSTOMS is an outside party"),  # nobody may press it
        ("{code: L3", "{code: L5", 8, "rung L4 does not come after rung L5"),
        ("{code: L4", "{code: L5", 8, "the ladder has a gap: rung 4 is L5 and not L4"),
        ("after: 4", "after: 2", 7, "rung L3 does not come after rung L2"),
        ("after: 4", "after: soon", 7, "whole number"),
        ("acknowledged_for: 2", "acknowledged_fro: 2", 3, "acknowledged_fro"),
    ],
)
@pytest.mark.parametrize("option", ["--policy", "--against"])
def test_a_policy_that_nobody_can_follow_is_told_with_file_and_line(
    tmp_path: Path, own_settings: Path, option: str, mistake: str, repair: str, line_no: int, said: str
) -> None:
    wrong = written(tmp_path, PLAIN.replace(mistake, repair), "wrong.yaml")
    other = ("--policy", STANDARD) if option == "--against" else ()

    refusal = refused("backtest", *SEASON, *other, option, wrong)

    assert refusal.startswith(f"{wrong}:{line_no}:")
    assert said in refusal


def test_a_file_that_is_not_there_is_named(tmp_path: Path, own_settings: Path) -> None:
    assert str(tmp_path / "none.yaml") in refused("backtest", *SEASON, "--policy", tmp_path / "none.yaml")


def test_a_present_policy_without_a_new_one_is_refused(plain: Path, own_settings: Path) -> None:
    assert "--policy" in refused("backtest", *SEASON, "--against", plain)


def test_a_policy_is_not_compared_with_itself(plain: Path, own_settings: Path) -> None:
    assert "compared with itself" in refused("backtest", *SEASON, "--policy", plain, "--against", plain)


def test_figures_that_cannot_be_written_are_told(tmp_path: Path, plain: Path, own_settings: Path) -> None:
    said = gendan("backtest", *SEASON, "--policy", plain, "--json", tmp_path / "no" / "figures.json")

    assert said.status == 1
    assert f"{tmp_path}/no/figures.json: the result cannot be written there" in said.err


# --- what a season shows ---


def figures(season: Season, plain: Path, within: int | None = None) -> tuple[Figures, Figures]:
    """Return the figures of the library's own policy and of the plain ladder."""
    policies = {"own": None, "plain": read_policy_file(plain, LIBRARY)}
    own, ladder_alone = compare(season, LIBRARY, policies, within).policies
    return own, ladder_alone


@pytest.mark.parametrize("within", [1, 2])
def test_with_everyone_answering_no_stall_has_more_than_one_message_above_l1(within: int, plain: Path) -> None:
    for one in figures(season_in(SAMPLES), plain, within):
        assert one.told_of["L1"] > 0
        assert one.above_first.max == (within > 1)
        assert one.more_than_once == 0
        assert ladder(one.told_of)[2:] == [0, 0]


def test_everyone_is_told_of_the_same_stalls_whether_they_answer_or_not(plain: Path) -> None:
    season = season_in(SAMPLES)

    silent, _ = figures(season, plain)
    answered, _ = figures(season, plain, within=1)

    assert silent.told_of["L1"] == answered.told_of["L1"]
    assert answered.messages < silent.messages


if CONTAINERS.exists():

    @pytest.fixture(scope="module")
    def container_season() -> Season:
        return season_in(CONTAINERS)

    def test_with_everyone_answering_no_container_order_has_more_than_one_message_above_l1(
        container_season: Season,
    ) -> None:
        (own,) = compare(container_season, LIBRARY, {"own": None}, answers_within=1).policies

        assert own.told_of["L1"] == 406
        assert own.above_first.max == own.more_than_once == 0, "nothing above L1 at all"

    def test_the_plain_ladder_says_of_the_containers_what_it_always_said(container_season: Season, plain: Path) -> None:
        own, by_lateness = figures(container_season, plain)

        assert by_lateness.told_of == by_lateness.notices == {"L1": 405, "L2": 130, "L3": 18, "L4": 2, "NOTE": 26}
        # The standard policy asks at 08:30 and the plain one at 09:00, when the office opens: two steps (co290, co579)
        # are reported within that half hour. L1 goes to the merchandiser and to the owner of the step.
        assert own.told_of == {"L1": 406, "L2": 131, "L3": 18, "L4": 2, "NOTE": 26, "R1": 806}
        assert own.notices == {**own.told_of, "L1": 2 * 406}
        # 17 orders leave late, and each of them is warned of under either.
        for one in (own, by_lateness):
            assert {kind: (warned.late, warned.without) for kind, warned in one.first_warning.items()} == {
                "L1": (17, 0),
                "L2": (17, 0),
                "alarm": (17, 17),  # this log has neither a ship window nor a credit
            }
            assert one.warnings.late + one.warnings.on_time + one.warnings.open == sum(ladder(one.told_of)[1:])
        # What can wait comes in digests: of messages of their own there are fewer than half as many.
        assert own.own_per_order.mean < by_lateness.own_per_order.mean / 2
