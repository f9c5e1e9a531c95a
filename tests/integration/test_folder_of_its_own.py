"""A season on a virtual clock, demo or replay, touches nobody's orders and nobody's addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendan.replay import must_be_empty, write_channels
from models.errors import Refused
from tests.books import place
from tests.factories import an_order


def test_a_channels_file_that_is_somebodys_is_left_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "channels.yaml"
    theirs.write_text("urls:\n  - json://127.0.0.1/mine:\n      - tag: MER\n", "utf-8")
    before = theirs.read_text("utf-8")

    with pytest.raises(Refused, match="GENDAN_HOME"):
        write_channels(tmp_path)

    assert theirs.read_text("utf-8") == before


def test_its_own_channels_file_is_written_again(tmp_path: Path) -> None:
    assert write_channels(tmp_path) == write_channels(tmp_path)


@pytest.mark.usefixtures("database_url")
async def test_a_book_with_orders_is_refused() -> None:
    await must_be_empty("A demo")
    await place(an_order(), "AFS", wake=False)

    with pytest.raises(Refused, match="A demo needs a folder of its own"):
        await must_be_empty("A demo")
