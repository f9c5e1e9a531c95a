"""The short form of `make fuzz`: every parser and form with a few hundred inputs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.fuzz.target import Target, play
from tests.fuzz.targets import TARGETS

INPUTS = 300


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_but_a_result_or_a_refusal_comes_of_an_input(target: Target, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tally = play(target, tmp_path, INPUTS, "short")

    assert tally.faults == []
    assert tally.inputs == INPUTS


def test_a_fault_is_found_and_names_its_input(tmp_path: Path) -> None:
    def breaks(folder: Path):  # type: ignore[no-untyped-def]
        def one(chance) -> None:  # type: ignore[no-untyped-def]
            if chance.random() < 0.1:
                raise ZeroDivisionError

        return one

    tally = play(Target("breaks", breaks), tmp_path, 1000, "seed")

    assert tally.inputs < 1000
    assert "ZeroDivisionError" in tally.faults[0]
    assert "seed/breaks/" in tally.faults[0]


def test_a_target_that_takes_everything_is_none(tmp_path: Path) -> None:
    assert play(Target("takes all", lambda folder: lambda chance: None), tmp_path, 100, "seed").faults
