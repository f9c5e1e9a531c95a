"""Which workers are taken to be gone: whoever was silent at every look for long enough."""

from __future__ import annotations

import pytest

from tasks.lifeline import ANSWERS_WITHIN, BEAT, LEASE, LOOK_EVERY, SILENT, Silences


@pytest.mark.parametrize(
    ("looks", "gone"),
    [
        ([(0, {"a"})], []),  # one look is none: it may be connecting again
        ([(0, {"a"}), (8, {"a"}), (16, {"a"}), (24, {"a"})], []),
        ([(0, {"a"}), (8, {"a"}), (16, {"a"}), (24, {"a"}), (32, {"a"})], ["a"]),
        ([(0, {"a"}), (8, set()), (16, {"a"}), (24, {"a"}), (32, {"a"})], []),  # seen in between
        ([(0, {"a"}), (8, {"a"}), (16, {"a", "b"}), (24, {"a", "b"}), (32, {"a", "b"})], ["a"]),
        ([(0, {"a"}), (60, {"a"})], []),  # nobody looked in between
    ],
)
def test_whoever_is_silent_at_every_look_for_long_enough_is_gone(
    looks: list[tuple[float, set[str]]], gone: list[str]
) -> None:
    silences = Silences()
    for at, silent in looks:
        last = silences.gone(silent, at)

    assert last == gone


def test_a_worker_that_is_cut_off_stops_before_others_take_over() -> None:
    assert BEAT + ANSWERS_WITHIN < LEASE, "a beat that is slow is no loss"
    assert LEASE + ANSWERS_WITHIN < SILENT
    assert LOOK_EVERY < SILENT
