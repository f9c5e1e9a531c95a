"""What is written of an order holds nothing that a database, a terminal or a message does not bear."""

from __future__ import annotations

import pytest

from models.accepting.accept import check_entry
from models.accepting.letters import LONGEST
from models.book.changes import Booking, Hold
from models.book.entry import Entry
from models.book.report import Problem
from models.errors import Refused
from tasks.answers import PROBLEM, TAKEN_ON, entry_from
from tests.factories import an_order_file, china

NOW = china(1, month=9)


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\x07", "\udcff", "\x85"])
@pytest.mark.parametrize("field", ["note", "by"])
def test_an_invisible_character_is_refused_with_its_field(field: str, text: str) -> None:
    with pytest.raises(Refused, match=rf"{field} .*U\+"):
        check_entry(an_order_file(), Hold(recorded_at=NOW, **{field: text}), NOW)


@pytest.mark.parametrize(
    "entry",
    [
        Booking(recorded_at=NOW, etd=NOW, vessel="Ever\x1bGiven"),
        Booking(recorded_at=NOW, etd=NOW, cutoffs={"SI\x00": NOW}),
        Problem(recorded_at=NOW, milestone="FAB_IN", note="x" * (LONGEST + 1)),
    ],
)
def test_so_it_is_wherever_it_stands(entry: Entry) -> None:
    with pytest.raises(Refused, match=r"invisible|characters"):
        check_entry(an_order_file(), entry, NOW)


def test_lines_and_every_script_are_taken() -> None:
    check_entry(an_order_file(), Hold(recorded_at=NOW, note="布料遲到\r\n\tعند المورد\n🚢"), NOW)


@pytest.mark.parametrize("answer", [PROBLEM, TAKEN_ON])
@pytest.mark.parametrize("field", ["note", "by"])
def test_half_a_character_in_a_form_is_refused(answer: str, field: str) -> None:
    given = {"milestone": "FAB_IN", "answer": answer, "note": "off", field: "off \ud83d again"}

    with pytest.raises(Refused, match=rf"{field} .*U\+D83D"):
        entry_from(given, "run/1")(an_order_file(), NOW)
