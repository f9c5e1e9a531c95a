"""All parsers and forms, and a share of the inputs of one of them."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

from tests.fuzz import files, forms
from tests.fuzz.target import Tally, Target, play

TARGETS: tuple[Target, ...] = (*forms.TARGETS, *files.TARGETS)
BY_NAME = {target.name: target for target in TARGETS}


def share(name: str, inputs: int, seed: str) -> Tally:
    """Give a target a share of its inputs, in this process."""
    logging.getLogger("prefect.flows").disabled = True  # says of each input that does not fit a form what it was
    warnings.simplefilter("ignore")  # Apprise's plugins and openpyxl warn of what they are given
    with tempfile.TemporaryDirectory(prefix="gendan-fuzz-") as folder:
        return play(BY_NAME[name], Path(folder), inputs, seed)
