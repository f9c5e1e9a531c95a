"""The table of customs letters: what is bundled, a house's own letters over it, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from models.errors import LibraryError
from models.terms.customs import CustomsState, Letter, find_letter
from tasks.library import BUNDLED
from tasks.library_customs import read_letters
from tasks.marked_yaml import read_marked

NAME = "name: {en: Mine, zh_hans: 我的, zh_hant: 我的}"
S = CustomsState


def read(path: Path) -> dict[str, Letter]:
    return read_letters(dict(read_marked(path).entries()))


BUNDLE = read(BUNDLED / "customs.yaml")


def own(folder: Path, *lines: str) -> dict[str, Letter]:
    """Return the letters of a house's own file."""
    path = folder / "customs.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read(path)


@pytest.mark.parametrize(
    ("state", "letters"),
    [
        (S.DRAFT, "S0 F1 1"),
        (S.SUBMITTED, "E0 E1 7 2 3"),
        (S.SUBMIT_FAILED, "Y f0 4 -"),
        (S.RETURNED, "Z"),
        (S.LODGED, "L 120"),
        (S.REJECTED, "E 100 700"),
        (S.SUSPENDED, "H"),
        (S.UNDER_REVIEW, "M 300"),
        (S.AUDITED, "G J W 399"),  # not released, whatever other programs say
        (S.FEES_DUE, "T"),
        (S.DOCS_REQUIRED, "F"),
        (S.FILES_REQUIRED, "N"),
        (S.INSPECTION, "C 500"),
        (S.DETAINED, "501 502 503 599"),
        (S.RELEASED_GUARANTEE, "B K"),
        (S.RELEASED, "P I 800"),
        (S.CLOSED, "R 899"),
        (S.DELETED, "A D"),
        (S.INFORMATION, "X"),
    ],
)
def test_the_bundled_letters_stand_for_what_they_stand_for_in_the_trade(state: CustomsState, letters: str) -> None:
    bundled = {code for code, letter in BUNDLE.items() if letter.state is state and not code.startswith("CUSRES")}

    assert bundled == set(letters.split())


@pytest.mark.parametrize(
    ("indicator", "state"),
    [
        (2, S.REJECTED),
        (3, S.REJECTED),
        (4, S.RELEASED),
        (5, S.INSPECTION),
        (6, S.DOCS_REQUIRED),
        (7, S.DETAINED),
        (8, S.INFORMATION),  # moving under customs transfer is no release for loading
        (14, S.SUBMIT_FAILED),
    ],
)
def test_the_indicators_of_cusres_have_letters_of_their_own(indicator: int, state: CustomsState) -> None:
    assert BUNDLE[f"CUSRES {indicator}"].state is state


def test_every_bundled_letter_is_read_the_same_by_any_yaml() -> None:
    # YAML 1.1 reads a bare Y as true and a bare 7 as a number
    assert list(yaml.safe_load((BUNDLED / "customs.yaml").read_text(encoding="utf-8"))) == list(BUNDLE)


def test_no_two_bundled_letters_differ_in_case_alone() -> None:
    assert len({letter.casefold() for letter in BUNDLE}) == len(BUNDLE)


def test_every_bundled_letter_has_three_names_and_the_traditional_one_is_traditional() -> None:
    simplified = set("单报关舱装厂样验货证后发审结认税费缴预录联请询获过暂传随电码头担无误须转运缉规异处挂删统复")

    for letter in BUNDLE.values():
        assert letter.name.en
        assert letter.name.zh_hans
        assert simplified.isdisjoint(letter.name.zh_hant), letter.name.zh_hant


def test_an_inspection_takes_one_day_and_three_at_worst() -> None:
    takes = {letter.takes for letter in BUNDLE.values() if letter.state is S.INSPECTION}

    assert takes == {(1, 3)}


def test_a_house_changes_a_letter_and_adds_one_of_its_own(tmp_path: Path) -> None:
    letters = BUNDLE | own(
        tmp_path,
        f"'G': {{state: UNDER_REVIEW, {NAME}}}",
        f"'Q': {{state: INSPECTION, {NAME}, takes: [2, 5]}}",
    )

    assert find_letter(letters, "G").state is S.UNDER_REVIEW
    assert find_letter(letters, "q").takes == (2, 5)
    assert find_letter(letters, "J").state is S.AUDITED


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        (
            [f"'P': {{state: RELEASED, {NAME}}}", f"'Q': {{state: RELASED, {NAME}}}"],
            2,
            "there is no customs state 'RELASED' (did you mean 'RELEASED'?). There are: DRAFT, SUBMITTED,",
        ),
        (["'Q':", f"  {NAME}"], 1, "state is missing"),
        (["'Q':", "  state:", f"  {NAME}"], 2, "state should be"),
        (["'Q':", "  state: RELEASED"], 1, "name is missing"),
        (["'Q':", "  state: RELEASED", "  name: {en: Mine, zh_hans: 我的}"], 3, "zh_hant is missing"),
        ([f"'Q': {{state: DRAFT, {NAME}}}", f"Q: {{state: DRAFT, {NAME}}}"], 2, "Q stands twice"),
        (["'Q':", "  state: DRAFT", f"  {NAME}", "  takes: [3, 1]"], 4, "takes likely 3 days, and at worst only 1"),
        (["'Q':", "  state: DRAFT", f"  {NAME}", "  takes: [1]"], 4, "takes should be two numbers of working days"),
        (["'Q':", "  state: DRAFT", f"  {NAME}", "  takes: [soon, 3]"], 4, "takes.1 should be a whole number"),
        (["'Q':", "  state: DRAFT", f"  {NAME}", "  days: 3"], 4, "unknown field 'days'"),
        (["'Q':", "  letter: R", "  state: DRAFT", f"  {NAME}"], 2, "unknown field 'letter': Q is the letter already"),
        (["'Q': RELEASED"], 1, "should be a mapping of fields to values"),
        ([f"'': {{state: DRAFT, {NAME}}}"], 1, "should have at least 1 character"),
    ],
)
def test_a_mistake_in_a_house_s_own_letters_is_shown_where_it_stands(
    tmp_path: Path, lines: list[str], line: int, what: str
) -> None:
    with pytest.raises(LibraryError) as refused:
        own(tmp_path, *lines)

    assert (refused.value.file, refused.value.line) == (str(tmp_path / "customs.yaml"), line)
    assert what in refused.value.what
