"""Customs: the receipts of a declaration, and where they leave the order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import GendanError
from models.status.clearance import Clearance, Failure, Need, Receipt, clearance
from models.terms.customs import RELEASES, CustomsState, Letter, UnknownLetter, find_letter
from tasks.library import BUNDLED
from tasks.library_customs import read_letters
from tasks.marked_yaml import read_marked
from tests.factories import a_name, china

LETTERS = read_letters(dict(read_marked(BUNDLED / "customs.yaml").entries()))
S = CustomsState


def receipts(*lines: str) -> list[Receipt]:
    """Read lines of hour, letter and declaration, such as "9 L A": all on Monday, 23 November 2026, in China."""
    told = []
    for seq, line in enumerate(lines, start=1):
        hour, letter, *declaration = line.split()
        at = china(23, int(hour))
        told.append(
            Receipt(
                occurred_at=at,
                state=find_letter(LETTERS, letter).state,
                letter=letter,
                declaration=" ".join(declaration),
                text=f"receipt {letter}",
                recorded_at=at + timedelta(minutes=5),
                seq=seq,
            )
        )
    return told


def after(*lines: str) -> Clearance:
    return clearance(receipts(*lines))


def failed(told: Clearance) -> list[tuple[int, CustomsState, str]]:
    return [(failure.at.hour, failure.state, failure.letter) for failure in told.failures]


def released_at(*lines: str) -> int | None:
    at = after(*lines).released_at
    return at.hour if at else None


def test_before_the_first_receipt_nothing_is_declared_and_nothing_is_needed() -> None:
    assert clearance([]) == Clearance()
    assert Clearance().state is None


def test_a_clean_declaration_is_submitted_lodged_audited_released_and_closed() -> None:
    told = after("8 S0", "9 E0", "9 7", "10 L", "11 J", "12 P", "17 R")

    assert told.state is S.CLOSED
    assert told.declared_at == china(23, 10)
    assert told.released_at == china(23, 12)
    assert told.closed_at == china(23, 17)
    assert (told.attempts, told.failures, told.need) == (1, (), Need.NOTHING)


@pytest.mark.parametrize(
    ("last", "state", "declared"),
    [
        ("9 S0", S.DRAFT, False),
        ("9 E0", S.SUBMITTED, False),  # with the port's system, not with customs
        ("9 L", S.LODGED, True),
        ("9 J", S.AUDITED, True),
    ],
)
def test_it_is_declared_once_customs_has_it(last: str, state: CustomsState, declared: bool) -> None:
    told = after(last)

    assert told.state is state
    assert (told.declared_at is not None) is declared


def test_rejected_it_is_not_declared_any_more_until_it_was_corrected_and_declared_again() -> None:
    rejected = after("9 E0", "10 L", "11 E")
    again = after("9 E0", "10 L", "11 E", "13 S0", "14 E0", "15 L", "16 J", "17 P")

    assert (rejected.state, rejected.declared_at, rejected.attempts) == (S.REJECTED, None, 1)
    assert rejected.need is Need.CORRECT_AND_DECLARE_AGAIN
    assert rejected.failures == (Failure(at=china(23, 11), state=S.REJECTED, letter="E", text="receipt E"),)
    assert (again.state, again.declared_at, again.released_at) == (S.RELEASED, china(23, 15), china(23, 17))
    assert (again.attempts, again.failures, again.need) == (2, rejected.failures, Need.NOTHING)


def test_a_draft_of_the_next_declaration_does_not_make_good_the_failed_one() -> None:
    assert after("10 L", "11 E", "12 S0").need is Need.CORRECT_AND_DECLARE_AGAIN
    assert after("12 S0").need is Need.NOTHING


def test_every_failed_submission_and_every_return_is_an_attempt_of_its_own() -> None:
    told = after("8 E0", "9 Y", "10 E0", "11 Z", "12 E0", "13 L")

    assert failed(told) == [(9, S.SUBMIT_FAILED, "Y"), (11, S.RETURNED, "Z")]
    assert (told.attempts, told.state) == (3, S.LODGED)


def test_one_failure_told_by_two_channels_is_one_failure() -> None:
    told = after("10 L", "11 E", "12 Z")

    assert failed(told) == [(11, S.REJECTED, "E")]
    assert told.attempts == 1


def test_two_reasons_of_one_rejection_are_one_failure() -> None:
    assert after("10 L", "11 E", "11 100").attempts == 1


def test_a_second_rejection_proves_that_it_was_declared_again_in_between() -> None:
    told = after("10 L", "11 E", "14 E")

    assert failed(told) == [(11, S.REJECTED, "E"), (14, S.REJECTED, "E")]
    assert told.attempts == 2


def test_a_client_that_fails_does_not_undo_what_customs_has() -> None:
    assert after("10 L", "11 P", "12 Y", "13 S0", "14 E0") == after("10 L", "11 P")


@pytest.mark.parametrize(
    ("letter", "state", "need"),
    [
        ("H", S.SUSPENDED, Need.CONTACT_CUSTOMS),
        ("M", S.UNDER_REVIEW, Need.NOTHING),  # customs is at work
        ("F", S.DOCS_REQUIRED, Need.HAND_IN_PAPERS),
        ("N", S.FILES_REQUIRED, Need.UPLOAD_FILES),
        ("T", S.FEES_DUE, Need.PAY_DUTIES),
        ("C", S.INSPECTION, Need.PRESENT_GOODS),
        ("501", S.DETAINED, Need.CONTACT_CUSTOMS),
    ],
)
def test_a_hold_says_what_customs_waits_for_and_the_release_ends_it(
    letter: str, state: CustomsState, need: Need
) -> None:
    held = after("10 L", f"11 {letter}")
    released = after("10 L", f"11 {letter}", "12 P")

    assert (held.state, held.letter, held.need, held.holds) == (state, letter, need, (state,))
    assert (held.declared_at, held.released_at) == (china(23, 10), None)
    assert (released.state, released.need, released.holds) == (S.RELEASED, Need.NOTHING, ())


@pytest.mark.parametrize("letter", ["H", "M", "F", "N", "T"])
def test_what_holds_the_papers_ends_with_the_next_audit(letter: str) -> None:
    assert after("10 L", f"11 {letter}", "12 G").state is S.AUDITED


@pytest.mark.parametrize("letter", ["C", "501"])
def test_what_holds_the_goods_does_not_end_with_an_audit_of_the_papers(letter: str) -> None:
    held = after("10 L", f"11 {letter}", "12 T", "13 G")

    assert held.state is find_letter(LETTERS, letter).state
    assert held.letter == letter


def test_the_newest_hold_comes_first_and_none_is_forgotten() -> None:
    told = after("10 L", "11 C", "12 T")

    assert (told.state, told.need) == (S.FEES_DUE, Need.PAY_DUTIES)
    assert told.holds == (S.INSPECTION, S.FEES_DUE)
    assert after("10 L", "11 C", "12 T", "13 C").holds == (S.FEES_DUE, S.INSPECTION)


@pytest.mark.parametrize("letters", ["G", "J", "W", "GJW", "WWW"])
def test_audited_is_not_released(letters: str) -> None:
    told = after("9 L", *(f"{10 + n} {letter}" for n, letter in enumerate(letters)))

    assert (told.state, told.released_at) == (S.AUDITED, None)


@pytest.mark.parametrize("letter", ["P", "I", "B", "K", "CUSRES 4", "800"])
def test_only_a_release_lets_the_box_load(letter: str) -> None:
    assert find_letter(LETTERS, letter).state in RELEASES


def test_released_is_not_closed() -> None:
    assert after("9 L", "10 P").closed_at is None


@pytest.mark.parametrize("letter", ["B", "K"])
def test_released_on_guarantee_it_may_load_and_the_guarantee_ends_with_the_full_release(letter: str) -> None:
    guaranteed = after("9 L", f"10 {letter}")
    given_back = after("9 L", f"10 {letter}", "15 P")

    assert (guaranteed.state, guaranteed.released_at) == (S.RELEASED_GUARANTEE, china(23, 10))
    assert guaranteed.on_guarantee
    assert (given_back.state, given_back.released_at) == (S.RELEASED, china(23, 10))
    assert not given_back.on_guarantee


def test_a_guarantee_is_given_back_after_closing_too() -> None:
    told = after("9 L", "10 B", "12 R", "15 P")

    assert (told.state, told.closed_at) == (S.CLOSED, china(23, 12))
    assert not told.on_guarantee


@pytest.mark.parametrize(
    ("letter", "state"),
    [("H", S.SUSPENDED), ("M", S.UNDER_REVIEW), ("C", S.INSPECTION), ("501", S.DETAINED)],
)
def test_a_box_that_customs_stops_after_the_release_needs_another_release(letter: str, state: CustomsState) -> None:
    stopped = after("9 L", "10 J", "11 B", f"12 {letter}")

    assert (stopped.state, stopped.released_at, stopped.on_guarantee) == (state, None, False)
    assert stopped.declared_at == china(23, 9)
    assert released_at("9 L", "10 J", "11 P", f"12 {letter}", "13 G") is None
    assert released_at("9 L", "10 J", "11 P", f"12 {letter}", "14 P") == 14


def test_a_suspended_release_is_only_audited_once_the_audit_was_done_again() -> None:
    assert after("9 L", "10 J", "11 P", "12 H", "13 G").state is S.AUDITED


@pytest.mark.parametrize("letter", ["F", "N", "T", "G", "W", "L"])
def test_papers_and_duties_after_the_release_leave_it_as_it_is(letter: str) -> None:
    told = after("9 L", "10 P", f"12 {letter}")

    assert (told.state, told.released_at) == (S.RELEASED, china(23, 10))


def test_papers_asked_for_after_the_release_are_still_to_be_handed_in() -> None:
    assert after("9 L", "10 P", "12 F").need is Need.HAND_IN_PAPERS


@pytest.mark.parametrize("letter", ["E", "Z", "D"])
def test_what_customs_takes_back_after_the_release_is_not_released(letter: str) -> None:
    told = after("9 L", "10 P", f"12 {letter}")

    assert (told.declared_at, told.released_at, told.attempts) == (None, None, 1)
    assert told.need is Need.CORRECT_AND_DECLARE_AGAIN


@pytest.mark.parametrize("letter", ["H", "M", "C", "501", "E", "Z", "L", "S0", "L B", "R"])
def test_what_is_closed_has_left(letter: str) -> None:
    closed = ("9 L A", "10 P A", "12 R A")

    assert after(*closed, f"15 {letter}") == after(*closed)


def test_a_closed_declaration_can_still_be_deleted() -> None:
    told = after("9 L", "10 P", "12 R", "15 D")

    assert (told.state, told.released_at, told.closed_at) == (S.DELETED, None, None)


def test_deleted_after_the_release_and_declared_again_it_must_be_released_again() -> None:
    deleted = ("9 L A", "10 P A", "12 D A")
    again = after(*deleted, "14 L B", "15 J B")

    assert (again.state, again.declaration) == (S.AUDITED, "B")
    assert (again.declared_at, again.released_at) == (china(23, 14), None)
    assert (again.attempts, failed(again)) == (2, [(12, S.DELETED, "D")])
    assert released_at(*deleted, "14 L B", "15 J B", "16 P B") == 16


@pytest.mark.parametrize("letter", ["L", "J", "C", "P", "R", "E", "D", "S0"])
@pytest.mark.parametrize(
    "so_far",
    [
        ("9 L A", "10 P A", "12 D A"),  # not declared again yet
        ("9 L A", "10 P A", "12 D A", "13 E0"),  # on its way
        ("9 L A", "10 P A", "12 D A", "14 L B"),
        ("9 L A", "10 P A", "12 D", "14 L B"),  # the deletion does not name it
        ("9 L", "12 D A", "14 L B"),  # only the deletion names it
        ("9 L A", "12 E A", "14 L B"),  # rejected, and declared under another number
        ("9 L A", "10 P A", "14 L B", "15 C B"),  # nobody reported the deletion
    ],
)
def test_a_late_receipt_of_the_old_declaration_changes_nothing(so_far: Sequence[str], letter: str) -> None:
    assert after(*so_far, f"18 {letter} A") == after(*so_far)


def test_lodging_another_number_takes_the_place_of_the_old_one_even_before_its_deletion_is_reported() -> None:
    told = after("9 L A", "10 P A", "14 L B")

    assert (told.declared_at, told.released_at, told.attempts) == (china(23, 14), None, 2)
    assert told.failures == (Failure(at=china(23, 14), state=S.DELETED),)


@pytest.mark.parametrize("deletion", ["13 D A", "13 D", "13 D X"])
def test_an_old_declaration_deleted_while_the_new_one_is_on_its_way_does_not_end_the_new_one(deletion: str) -> None:
    told = after("9 L A", "10 E A", "12 E0", deletion)

    assert (told.state, told.attempts) == (S.SUBMITTED, 2)
    assert failed(told) == [(10, S.REJECTED, "E")]
    assert after("9 L A", "10 E A", "12 E0", deletion, "14 L", "15 P").released_at == china(23, 15)


def test_an_old_number_deleted_says_nothing_of_a_new_declaration_whose_number_is_not_known() -> None:
    assert after("9 L A", "10 E A", "12 L", "13 D A").state is S.LODGED


def test_a_declaration_deleted_under_its_own_number_is_gone_wherever_it_is() -> None:
    assert failed(after("9 L A", "10 E A", "12 E0 A", "13 D A")) == [(10, S.REJECTED, "E"), (13, S.DELETED, "D")]


def test_a_number_that_was_deleted_is_never_lodged_again() -> None:
    assert after("9 L A", "10 D B", "11 L B") == after("9 L A")


def test_an_ending_under_another_number_is_the_end_of_another_declaration() -> None:
    told = after("9 L A", "10 E A", "13 D B")

    assert failed(told) == [(10, S.REJECTED, "E"), (13, S.DELETED, "D")]


def test_a_deletion_implies_that_customs_had_what_was_submitted() -> None:
    assert failed(after("9 E0", "12 A")) == [(12, S.DELETED, "A")]


@pytest.mark.parametrize("letter", ["J", "C", "P", "R", "E", "Z", "D", "E0"])
def test_only_lodging_lets_another_number_take_the_place_of_what_customs_has(letter: str) -> None:
    assert after("9 L A", "10 J A", f"12 {letter} B") == after("9 L A", "10 J A")


def test_once_the_old_one_has_ended_any_receipt_begins_the_next_declaration() -> None:
    told = after("9 L A", "10 E A", "15 P B")

    assert (told.declared_at, told.released_at, told.attempts) == (china(23, 15), china(23, 15), 2)


def test_a_rejected_declaration_may_be_declared_again_under_its_number() -> None:
    told = after("9 L A", "10 E A", "11 L A", "12 P A")

    assert (told.released_at, told.attempts) == (china(23, 12), 2)


def test_deleting_what_was_rejected_is_no_second_failure() -> None:
    told = after("9 L A", "10 E A", "11 D A")

    assert (told.state, failed(told), told.attempts) == (S.DELETED, [(10, S.REJECTED, "E")], 1)


@pytest.mark.parametrize(
    ("lines", "declared", "released"),
    [
        (["12 P"], 12, 12),  # released without a word of its lodging
        (["12 R"], 12, 12),  # closed without a word of its release
        (["10 C", "12 R"], 10, 12),
        (["10 J"], 10, None),
        (["10 H"], 10, None),
    ],
)
def test_a_state_implies_those_that_come_before_it(lines: list[str], declared: int, released: int | None) -> None:
    told = after(*lines)

    assert told.declared_at == china(23, declared)
    assert told.released_at == (released and china(23, released))
    assert told.attempts == 1


def test_a_notice_changes_nothing() -> None:
    assert after("9 X") == Clearance()
    assert after("9 L", "10 P", "11 X", "11 X B") == after("9 L", "10 P")


def test_within_one_second_it_went_the_way_of_the_trade() -> None:
    # Customs' own stamps are often the same to the second
    assert after("9 P", "9 J", "9 L", "9 E0").state is S.RELEASED
    assert after("9 E", "9 L").state is S.REJECTED
    assert after("9 C", "9 G", "9 L").state is S.INSPECTION


def test_one_instant_told_in_two_zones_is_one_receipt() -> None:
    (here,) = receipts("11 E")
    there = here.model_copy(update={"occurred_at": here.occurred_at.astimezone(UTC), "seq": 9})

    assert clearance([here, there]) == clearance([here])


WAYS = st.lists(
    st.tuples(
        st.integers(0, 23),
        st.sampled_from([letter for letter in LETTERS if " " not in letter]),
        st.sampled_from(["", "A", "B"]),
    ).map(lambda way: f"{way[0]} {way[1]} {way[2]}"),
    max_size=12,
)


@given(ways=WAYS, data=st.data())
def test_any_order_of_arrival_and_any_repetition_leave_the_order_where_it_is(
    ways: list[str], data: st.DataObject
) -> None:
    told = receipts(*ways)
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    again = data.draw(st.permutations(told + repeated))
    arrived = [
        receipt.model_copy(update={"seq": seq, "recorded_at": china(24) + timedelta(minutes=seq)})
        for seq, receipt in enumerate(again)
    ]

    assert clearance(arrived) == clearance(told)


@given(ways=WAYS)
def test_what_is_said_of_an_order_at_customs_holds_together(ways: list[str]) -> None:
    told = clearance(receipts(*ways))

    # Every declaration begun has ended, but for the one at hand
    assert told.attempts - len(told.failures) in (0, 1)
    # Closed is released before, and released is declared before
    assert told.closed_at is None or (told.released_at is not None and told.released_at <= told.closed_at)
    assert told.released_at is None or (told.declared_at is not None and told.declared_at <= told.released_at)
    assert (told.state in RELEASES | {S.CLOSED}) is (told.released_at is not None)
    assert [failure.at for failure in told.failures] == sorted(failure.at for failure in told.failures)


NOT_RELEASED = st.sampled_from([code for code, letter in LETTERS.items() if letter.state not in RELEASES | {S.CLOSED}])


@given(letters=st.lists(NOT_RELEASED, max_size=10))
def test_nothing_but_a_release_or_a_closing_ever_releases(letters: list[str]) -> None:
    told = [
        Receipt(
            occurred_at=china(23, hour),
            state=LETTERS[letter].state,
            letter=letter,
            recorded_at=china(24),
        )
        for hour, letter in enumerate(letters)
    ]

    assert clearance(told).released_at is None


@pytest.mark.parametrize(
    ("given_letter", "meant"),
    [
        ("F", "F"),
        ("f0", "f0"),
        ("F0", "f0"),
        ("f1", "F1"),
        ("p", "P"),
        (" E ", "E"),
        ("Ｅ", "E"),  # as a Chinese keyboard writes it
        ("cusres 4", "CUSRES 4"),
    ],
)
def test_a_letter_is_found_as_it_stands_and_else_where_only_one_fits(given_letter: str, meant: str) -> None:
    assert find_letter(LETTERS, given_letter).letter == meant


def test_a_small_and_a_capital_letter_are_two_where_the_table_has_both() -> None:
    letters = LETTERS | {"e": Letter(letter="e", state=S.INFORMATION, name=a_name("Seen"))}

    assert find_letter(letters, "e").state is S.INFORMATION
    assert find_letter(letters, "E").state is S.REJECTED


def test_a_letter_that_could_be_either_of_two_is_unknown() -> None:
    letters = {code: Letter(letter=code, state=S.DRAFT, name=a_name("Draft")) for code in ("aB", "Ab")}

    with pytest.raises(UnknownLetter, match="'AB' is not in the table, which has aB, Ab"):
        find_letter(letters, "AB")


def test_a_number_below_zero_is_an_error_in_processing() -> None:
    assert find_letter(LETTERS, "-304001").state is S.SUBMIT_FAILED
    with pytest.raises(UnknownLetter):
        find_letter(LETTERS, "-P")


@pytest.mark.parametrize("given_letter", ["Q", "", "504", "PP", "CUSRES"])
def test_an_unknown_letter_is_refused_with_what_is_known_and_how_to_add_it(given_letter: str) -> None:
    with pytest.raises(GendanError) as refused:
        find_letter(LETTERS, given_letter)

    message = str(refused.value)
    assert f"Customs letter {given_letter!r} is not in the table, which has S0, F1, E0, E1, 7" in message
    assert "Nothing was recorded" in message
    assert f'add the letter to customs.yaml in your own library, for example\n"{given_letter or "Q"}": {{' in message


def test_a_receipt_without_a_zone_is_none() -> None:
    with pytest.raises(ValidationError):
        Receipt(occurred_at=china(23).replace(tzinfo=None), state=S.LODGED, letter="L", recorded_at=china(23))
