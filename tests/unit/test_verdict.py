"""The judge of the fault tests overlooks nothing: a message too few, one too many, one said without need."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tests.chaos.site import Arrival
from tests.chaos.verdict import Claim, compare_claims, compare_texts

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
L1: Claim = ("SO-1", "FAB_IN", "L1", "2026-06-01", "MER")
L2: Claim = ("SO-1", "FAB_IN", "L2", "2026-06-01", "PROD")


def arrivals(*texts: str) -> list[Arrival]:
    return [Arrival("outbox", text, NOON) for text in texts]


def test_what_arrived_once_is_no_difference_however_its_lines_are_broken() -> None:
    assert compare_texts(arrivals("Fabric is late\n\nAsk the mill\n", "b"), ["b", "Fabric is late Ask the mill"]) == (
        [],
        [],
    )


def test_one_that_is_lost_is_not_made_up_for_by_one_that_arrived_twice() -> None:
    wrong, twice = compare_texts(arrivals("a", "a"), ["a", "b"])

    assert wrong == ["never arrived at outbox: b"]
    assert twice == ["arrived twice at outbox: a, 12:00:00.000000 and 12:00:00.000000"]


def test_two_messages_of_the_same_words_arrive_twice() -> None:
    assert compare_texts(arrivals("a", "a"), ["a", "a"]) == ([], [])
    assert compare_texts(arrivals("a"), ["a", "a"])[0] == ["never arrived at outbox: a"]


def test_what_nobody_made_is_found() -> None:
    assert compare_texts(arrivals("a"), ["b"])[0] == [
        "never arrived at outbox: b",
        "nobody made what arrived at outbox: a",
    ]


def test_claims_too_few_too_many_and_made_twice_are_found() -> None:
    assert compare_claims(Counter([L1, L2]), Counter([L1, L2]), set()) == []
    assert compare_claims(Counter([L1, L1]), Counter([L1, L2]), set()) == [
        f"claimed 2 times: {' '.join(L1)}",
        f"never said: {' '.join(L2)}",
    ]
    assert compare_claims(Counter([L1, L2]), Counter([L1]), set()) == [f"said without need: {' '.join(L2)}"]


def test_a_claim_between_two_reports_of_one_instant_is_excused_but_none_that_is_wanted_may_be_missing() -> None:
    assert compare_claims(Counter([L1, L2]), Counter([L1]), {L2}) == []
    assert compare_claims(Counter([L2]), Counter([L1]), {L1, L2}) == [f"never said: {' '.join(L1)}"]
