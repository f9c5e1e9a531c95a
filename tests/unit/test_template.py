"""Templates: which milestones there are, in which order, and what leaving one out does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import pytest
from pydantic import ValidationError

from models.names import Name
from models.terms.milestone import Milestone, Rounds, Stage
from models.terms.template import Template, TemplateMistake
from tasks.library import load_library

TEMPLATES = load_library().templates
NAME = Name(en="x", zh_hans="x", zh_hant="x")


def a_milestone(
    code: str, offset: int = 0, after: Sequence[str] = (), optional: bool = False, reopens: Sequence[str] | None = None
) -> Milestone:
    return Milestone(
        code=code,
        name=NAME,
        stage=Stage.PRODUCTION,
        accountable="MER",
        waiting_on=(),
        offset=offset,
        after=tuple(after),
        optional=optional,
        calendar="cn-office",
        rounds=Rounds(reopens=tuple(reopens)) if reopens is not None else None,
    )


def a_template(
    *milestones: Milestone, departure: str = "END", follow_to: str = "END", depths: dict[str, str] | None = None
) -> Template:
    return Template(
        code="T",
        name=NAME,
        calendar="cn-office",
        policy="standard",
        departure=departure,
        follow_to=follow_to,
        milestones=milestones,
        depths=depths or {},
    )


def test_leaving_a_milestone_out_ties_its_predecessors_to_its_successors() -> None:
    template = a_template(
        a_milestone("A", -9),
        a_milestone("B", -8),
        a_milestone("C", -5, ["A", "B"], optional=True),
        a_milestone("D", -3, ["C"]),
        a_milestone("END", 0, ["C", "D"]),
    )

    left = template.without(["C"])

    assert left.codes == ("A", "B", "D", "END")
    assert left.by_code["D"].after == ("A", "B")
    assert left.by_code["END"].after == ("A", "B", "D")


def test_leaving_two_neighbours_out_bridges_both() -> None:
    template = a_template(
        a_milestone("A", -9),
        a_milestone("B", -8, ["A"], optional=True),
        a_milestone("C", -5, ["B"], optional=True),
        a_milestone("END", 0, ["C"]),
    )

    for order in (["B", "C"], ["C", "B"]):
        assert template.without(order).by_code["END"].after == ("A",)


def test_a_predecessor_that_is_there_already_is_not_there_twice() -> None:
    template = a_template(
        a_milestone("A", -9), a_milestone("B", -8, ["A"], optional=True), a_milestone("END", 0, ["A", "B"])
    )

    assert template.without(["B"]).by_code["END"].after == ("A",)


def test_an_order_without_deposit_still_waits_for_the_contract_before_production() -> None:
    left = TEMPLATES["AFS"].without(["DEPOSIT"])

    assert "DEPOSIT" not in left.codes
    assert left.by_code["PROD_ORDER"].after == ("PI_SIGNED", "TA_FROZEN")


@pytest.mark.parametrize("code", TEMPLATES)
def test_every_bundled_template_stands_without_its_optional_milestones(code: str) -> None:
    template = TEMPLATES[code]
    optional = [m.code for m in template.milestones if m.optional]

    left = template.without(optional)

    assert set(left.codes) == set(template.codes) - set(optional)
    assert set(left.followed) == set(template.followed) - set(optional)
    assert not any(m.optional for m in left.milestones)


@pytest.mark.parametrize("code", TEMPLATES)
def test_everything_that_waited_still_waits_when_one_or_two_milestones_are_left_out(code: str) -> None:
    template = TEMPLATES[code]
    waited = before(template)

    for leaving in one_or_two([m.code for m in template.milestones if m.optional]):
        left = template.without(leaving)

        assert set(left.codes) == set(template.codes) - leaving
        assert before(left) == {kept: waited[kept] - leaving for kept in left.codes}
        assert not any(set(m.rounds.reopens) & leaving for m in left.milestones if m.rounds)


def before(template: Template) -> dict[str, set[str]]:
    """Return for each milestone all that comes before it, directly or not."""
    found: dict[str, set[str]] = {}
    for code in reversed(template.backwards):
        after = template.by_code[code].after
        found[code] = set(after).union(*(found[other] for other in after))
    return found


def one_or_two(codes: Sequence[str]) -> Iterator[set[str]]:
    for size in (1, 2):
        yield from (set(chosen) for chosen in combinations(codes, size))


def test_what_is_left_out_is_reopened_no_more() -> None:
    template = a_template(
        a_milestone("A", -9, optional=True), a_milestone("B", -8, ["A"], reopens=["A"]), a_milestone("END", 0, ["B"])
    )

    assert template.without(["A"]).by_code["B"].rounds == Rounds(reopens=())


@pytest.mark.parametrize("code", ["PROD_ORDER", "NOTHING"])  # not optional; not there
def test_only_an_optional_milestone_can_be_left_out(code: str) -> None:
    with pytest.raises(TemplateMistake, match="not an optional milestone of AFS") as refusal:
        TEMPLATES["AFS"].without([code])

    assert refusal.value.milestone == code


def test_what_does_not_lead_to_the_last_followed_milestone_is_not_followed() -> None:
    followed = TEMPLATES["AFS"].followed

    assert followed[-1] == "DEPARTED"
    assert "CUS_REL" in followed
    assert "SI_SUB" in followed, "goods without a shipping instruction are not loaded"
    assert not {"BL_DRAFT", "BALANCE", "ORD_CLOSED"} & set(followed)


def test_following_deeper_follows_more() -> None:
    template = TEMPLATES["AFS"].followed_to("ORD_CLOSED")

    assert set(template.followed) == set(template.codes)


@pytest.mark.parametrize(
    ("code", "word", "last"),
    [
        ("AFS", "ex-factory", "EX_FACTORY"),
        ("HCL", "on-board", "DEPARTED"),
        ("HCL", "Money", "ORD_CLOSED"),  # whatever its capitals
        ("EAD", "ex-factory", "PACK_DONE"),  # goods in the express carrier's hands have left the factory packed
        ("EAD", "on-board", "UPLIFT"),
        ("EAD", "ORD_CLOSED", "ORD_CLOSED"),  # a milestone's code is as good
    ],
)
def test_how_deep_an_order_is_followed_may_be_said_in_a_word(code: str, word: str, last: str) -> None:
    template = TEMPLATES[code].followed_to(word)

    assert template.follow_to == last
    assert template.followed[-1] == last


def test_a_milestones_code_goes_before_a_word_that_is_written_like_it() -> None:
    template = a_template(a_milestone("A", -1), a_milestone("END", 0, ["A"]), depths={"A": "END"})

    assert template.followed_to("A").follow_to == "A"
    assert template.followed_to("a").follow_to == "END"


def test_a_word_for_a_depth_leaves_with_its_milestone() -> None:
    template = a_template(
        a_milestone("END"), a_milestone("PAID", 9, ["END"], optional=True), depths={"sea": "END", "money": "PAID"}
    )

    assert template.without(["PAID"]).depths == {"sea": "END"}


@pytest.mark.parametrize(("code", "words"), [("AFS", "nor one of ex-factory, on-board, money"), ("PROSPECT", "")])
def test_following_to_what_is_not_there_is_refused_with_the_words_that_are(code: str, words: str) -> None:
    with pytest.raises(TemplateMistake, match=f"NOWHERE is not one of the milestones of {code}.*{words}$"):
        TEMPLATES[code].followed_to("NOWHERE")


@pytest.mark.parametrize(
    ("code", "days"), [("AFS", 90), ("HCL", 90), ("EAD", 18), ("PROSPECT", 30), ("container-export", 18)]
)
def test_the_lead_time_runs_from_the_earliest_milestone_to_the_etd(code: str, days: int) -> None:
    assert TEMPLATES[code].lead_days == days


@pytest.mark.parametrize("code", TEMPLATES)
def test_backwards_every_milestone_stands_after_its_successors(code: str) -> None:
    template = TEMPLATES[code]
    place = {milestone: n for n, milestone in enumerate(template.backwards)}

    assert set(place) == set(template.codes)
    for milestone, successors in template.successors.items():
        assert all(place[successor] < place[milestone] for successor in successors)


@pytest.mark.parametrize(
    ("milestones", "said"),
    [
        # the departure is not among them
        ([a_milestone("A")], "departure: END"),
        ([a_milestone("END"), a_milestone("END")], "END stands twice"),
        ([a_milestone("END", after=["A"])], "END comes after A, which is not here"),
        ([a_milestone("A", after=["END"]), a_milestone("END", after=["A"])], "wait for each other"),
        # waits for itself
        ([a_milestone("END", after=["END"])], "wait for each other: END -> END"),
        ([a_milestone("END", reopens=["A"])], "END reopens A, which is not here"),
        ([a_milestone("A", 1), a_milestone("END", 0, ["A"])], r"END \(\+0\) is planned before A \(\+1\)"),
    ],
)
def test_a_template_that_cannot_be_followed_is_refused(milestones: list[Milestone], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_template(*milestones)


def test_a_depth_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"depths\.money: PAID is not one of the milestones"):
        a_template(a_milestone("END"), depths={"money": "PAID"})
