"""What a target is: something that makes an input from chance, and something that reads it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from models.errors import GendanError

Read = Callable[[Random], Any]
"""Makes an input and gives it to a parser; raises GendanError where it is refused, and nothing else."""

SECRETIVE = ("Traceback", "object at 0x", "<class '", "pydantic", "sqlalchemy", "ruamel", "openpyxl")
"""What no message to a user holds: it speaks of insides."""


@dataclass(frozen=True)
class Target:
    """A parser or a form. `make` is given a folder of its own, and returns what reads one input after the other."""

    name: str
    make: Callable[[Path], Read]
    refuses: bool = True
    """Whether there is anything that it refuses: some parsers take everything."""


@dataclass
class Tally:
    """What became of the inputs of a target."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def play(target: Target, folder: Path, inputs: int, seed: str) -> Tally:
    """
    Give a target so many inputs; the same seed gives the same ones. Ends at the first fault, which names its seed.

    Each input has a seed of its own: a fault is played again alone.
    """
    tally = Tally(target.name)
    read = target.make(folder)
    begun = time.process_time()
    for number in range(inputs):
        own = f"{seed}/{target.name}/{number}"
        tally.inputs += 1
        try:
            read(Random(own))
            tally.accepted += 1
        except GendanError as refusal:
            tally.refused += 1
            if trouble := _unhelpful(str(refusal)):
                tally.faults.append(f"{target.name}: input {own}: {trouble}: {str(refusal)[:300]!r}")
                break
        except Exception:
            tally.faults.append(f"{target.name}: input {own}:\n{traceback.format_exc()[-3000:]}")
            break
    tally.seconds = round(time.process_time() - begun, 1)
    if not tally.faults and inputs >= 100 and not (tally.accepted and (tally.refused or not target.refuses)):
        tally.faults.append(
            f"{target.name}: {tally.accepted} accepted, {tally.refused} refused: one of both was never tried"
        )
    return tally


def _unhelpful(message: str) -> str:
    if not message.strip():
        return "a refusal without a word"
    return next((f"a refusal that speaks of {word!r}" for word in SECRETIVE if word in message), "")
