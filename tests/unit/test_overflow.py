"""What a channel does not take in one piece goes out in pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.overflow import MORE, Unit, as_card, pages

FACTS = [f"事实 {number}: FAB_IN 面料到厂, 逾期 {number} 个工作日" for number in range(1, 31)]
NUMBER = re.compile(r"\n\((\d+)/(\d+)\)$")


def without_number(page: str) -> str:
    return NUMBER.sub("", page)


@pytest.mark.parametrize(
    ("text", "unit", "size"),
    [
        ("面料 ok", Unit.CHARACTERS, 5),
        # three bytes a Chinese character
        ("面料 ok", Unit.BYTES, 9),
        # an emoji is two of Telegram's, and so is a line break
        ("料\n🔴", Unit.TELEGRAM, 5),
        # a line break of a card is two
        ("a\nb", Unit.CARD, 4),
    ],
)
def test_a_text_is_measured_as_the_channel_measures_it(text: str, unit: Unit, size: int) -> None:
    assert unit.size(text) == size


def test_a_card_is_as_long_as_it_was_measured() -> None:
    assert len(as_card("a\nb\n\nc")) == Unit.CARD.size("a\nb\n\nc")


def test_what_fits_is_one_page_without_a_number() -> None:
    assert pages("one\ntwo\n", 40, Unit.CHARACTERS) == ["one\ntwo"]
    assert pages("one\ntwo", 40, Unit.CHARACTERS, head="head") == ["head\none\ntwo"]


def test_the_last_character_that_fits_still_fits() -> None:
    assert len(pages("面" * 100, 300, Unit.BYTES)) == 1
    assert len(pages("面" * 100 + "x", 300, Unit.BYTES)) == 2


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("limit", [120, 300, 701])
def test_no_fact_is_ever_divided(unit: Unit, limit: int) -> None:
    divided = pages("\n".join(FACTS), limit, unit)

    assert [line for page in divided for line in without_number(page).split("\n")] == FACTS
    assert max(unit.size(page) for page in divided) <= limit


def test_every_page_says_which_it_is_and_of_how_many() -> None:
    divided = pages("\n".join(FACTS), 200, Unit.CHARACTERS)

    numbers = [NUMBER.search(page) for page in divided]
    assert [match and match.groups() for match in numbers] == [
        (str(number), str(len(divided))) for number in range(1, len(divided) + 1)
    ]


def test_every_page_says_what_it_is_about() -> None:
    divided = pages("\n".join(FACTS), 200, Unit.CHARACTERS, head="SO-26-0417 FAB_IN")

    assert {page.split("\n")[0] for page in divided} == {"SO-26-0417 FAB_IN"}
    assert [line for page in divided for line in without_number(page).split("\n")[1:]] == FACTS


def test_a_language_is_kept_on_one_page_where_it_fits() -> None:
    english, chinese = "\n".join(["a fact in English"] * 6), "\n".join(["一件中文的事实"] * 6)

    assert [without_number(page) for page in pages(f"{english}\n\n{chinese}", 150, Unit.CHARACTERS)] == [
        english,
        chinese,
    ]


def test_short_languages_share_a_page() -> None:
    text = "\n\n".join(["short"] * 3 + ["x " * 45])

    assert without_number(pages(text, 100, Unit.CHARACTERS)[0]) == "short\n\nshort\n\nshort"


def test_a_line_that_no_page_holds_is_cut_between_words_and_goes_on() -> None:
    line = " ".join(f"word{number:03}" for number in range(60))
    divided = [without_number(page) for page in pages(f"before\n{line}\nafter", 100, Unit.CHARACTERS)]

    pieces = "\n".join(divided).split("\n")
    assert (pieces[0], pieces[-1]) == ("before", "after")
    assert all(piece.endswith(MORE) for piece in pieces[1:-2])
    assert all(piece.startswith(MORE) for piece in pieces[2:-1])
    assert "".join(piece.strip(MORE) for piece in pieces[1:-1]) == line
    assert all(re.fullmatch(r"word\d{3}", word) for piece in pieces[1:-1] for word in piece.strip(MORE).split())


@pytest.mark.parametrize("unit", list(Unit))
def test_a_line_without_spaces_is_cut_between_characters_and_never_within_one(unit: Unit) -> None:
    line = "👩🏽‍🔧面料回修中" * 60
    divided = pages(line, 130, unit)

    pieces = [without_number(page).strip(MORE) for page in divided]
    assert "".join(pieces) == line
    assert max(unit.size(page) for page in divided) <= 130
    assert {piece[0] for piece in pieces} <= set("👩面料回修中")
    assert {piece[-1] for piece in pieces} <= set("🔧面料回修中")


def test_a_number_is_not_cut_even_in_chinese_text() -> None:
    text = "数量" * 20 + "123456" + "件" * 60

    assert any("123456" in page for page in pages(text, 60, Unit.CHARACTERS))


def test_more_than_nine_pages_still_keep_the_limit() -> None:
    divided = pages("\n".join(FACTS * 4), 80, Unit.CHARACTERS)

    assert len(divided) >= 10
    assert max(map(len, divided)) <= 80


def test_a_head_that_fills_the_page_is_said_once() -> None:
    head = "a very long subject " * 4

    divided = pages("\n".join(FACTS), 140, Unit.CHARACTERS, head=head)
    assert ["a very long subject" in page for page in divided] == [True] + [False] * (len(divided) - 1)


def test_a_limit_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        pages("x" * 100, 30, Unit.CHARACTERS)


@given(
    text=st.text(alphabet="ab 面料,12🔴\n", max_size=600),
    limit=st.integers(min_value=64, max_value=300),
    unit=st.sampled_from(Unit),
)
def test_nothing_is_lost_and_no_page_is_too_long(text: str, limit: int, unit: Unit) -> None:
    divided = pages(text, limit, unit)

    assert all(unit.size(page) <= limit for page in divided)
    told = "".join(without_number(page) for page in divided) if len(divided) > 1 else divided[0]
    assert re.sub(r"\s", "", told).replace(MORE, "") == re.sub(r"\s", "", text)
