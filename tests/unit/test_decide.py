"""The decision: who is told what, when, and what each milestone looks like."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from models.book.changes import Cancellation, Followed, Hold, Reschedule, Resume, Unfollowed
from models.book.entry import Entry
from models.book.order import Order, OrderState
from models.book.order_file import Chase, ChaseState, Claim, OrderFile
from models.book.report import Acknowledgement, Promise, Withdrawal
from models.decide import (
    CALLED_OFF,
    DONE,
    DONE_LATE,
    NO_DATE,
    NOTE,
    ON_HOLD,
    PASSED,
    PROMISED,
    REOPENED,
    UNFOLLOWED,
    WAITING,
    Close,
    Keep,
    Show,
    Tell,
    Turn,
    decide,
    next_wake_up,
    taken,
)
from models.status.standing import standing
from tasks.library import load_library
from tests.factories import (
    CUTTING,
    DEPARTURE,
    FABRIC,
    a_calendar,
    a_milestone,
    a_report,
    a_template,
    an_order,
    an_order_file,
    china,
)
from tests.seasons import Message, messages

# The fabric is due on Friday, 20 November 2026; the cutting after it on Thursday the 26th.
POLICY = [
    Message(china(23, 9), "FAB_IN", "L1"),
    Message(china(24, 9), "FAB_IN", "L2"),
    Message(china(26, 9), "FAB_IN", "L3"),
    Message(china(1, 9, month=12), "FAB_IN", "L4"),
]
DECEMBER = china(9, month=12)
END_OF_FRIDAY = china(20, 23, 59) + timedelta(seconds=59)
TRIMS = a_milestone("TRIM_IN", offset=-41)
BOTH_IN = a_template(
    FABRIC,
    TRIMS,
    CUTTING.model_copy(update={"after": ("FAB_IN", "TRIM_IN")}),
    DEPARTURE.model_copy(update={"after": ("CUT_START",)}),
)


def said(*entries: Entry, order: Order | None = None, until: datetime = DECEMBER) -> list[Message]:
    return messages(an_order_file(order, None, *entries), until)


def came_in(at: datetime, **changes: object) -> Order:
    return an_order(came_in=at, **changes)


def promise(told: datetime, until: datetime) -> Promise:
    return Promise(recorded_at=told, milestone="FAB_IN", promised=until)


def acknowledge(at: datetime) -> Acknowledgement:
    return Acknowledgement(recorded_at=at, milestone="FAB_IN")


def hold(at: datetime) -> Hold:
    return Hold(recorded_at=at)


def resume(at: datetime) -> Resume:
    return Resume(recorded_at=at)


# The climb


def test_a_stall_climbs_on_its_working_mornings_and_asks_each_rung_once() -> None:
    assert said() == POLICY


def test_each_rung_is_told_to_its_role_about_its_due_date() -> None:
    file = an_order_file()
    file = taken(file, decide(file, china(22)), china(22))

    claim = Claim("FAB_IN", "L1", standing(file, china(22)).due["FAB_IN"])

    assert decide(file, china(23, 9)) == (
        Show("FAB_IN", "overdue L1"),
        Tell(claim, "MER"),
        Turn("FAB_IN", Chase(ChaseState.TRIGGERED, "L1")),
        Keep(frozenset({claim})),
    )


def test_a_stalled_milestone_never_skips_a_rung() -> None:
    """Nobody woke the order for two weeks: every rung is told, the lowest first."""
    file = an_order_file()
    file = taken(file, decide(file, china(20)), china(20))

    tells = [step.claim.rung for step in decide(file, DECEMBER) if isinstance(step, Tell)]

    assert tells == ["L1", "L2", "L3", "L4"]


def test_the_climb_keeps_national_day_and_its_make_up_days() -> None:
    office = load_library().calendars["cn-office"]
    order = an_order(placed_at=china(1, month=8), came_in=china(1, month=8), etd=date(2026, 11, 10))
    file = an_order_file(order, a_template(FABRIC, DEPARTURE_AFTER_FABRIC))
    file = OrderFile(file.order, file.template, file.policy, {"office": office})  # due on Wednesday, 30 September

    fired = [one.at for one in messages(file, china(31, month=10)) if one.milestone == "FAB_IN"]

    # The 1st to the 7th are holidays, Saturday the 10th is worked
    assert fired == [china(day, 9, month=10) for day in (8, 9, 12, 15)]


DEPARTURE_AFTER_FABRIC = DEPARTURE.model_copy(update={"after": ("FAB_IN",)})


def test_a_report_ends_the_climb_and_the_next_step_has_its_own() -> None:
    assert said(a_report("FAB_IN", china(25, 15)), until=china(30)) == [
        *POLICY[:2],
        Message(china(27, 9), "CUT_START", "L1"),
        Message(china(30, 9), "CUT_START", "L2"),
    ]


def test_a_step_that_could_not_begin_in_time_is_chased_from_when_it_could() -> None:
    fabric_late = a_report("FAB_IN", china(27, 15))

    assert said(fabric_late, until=china(30)) == [*POLICY[:3], Message(china(30, 9), "CUT_START", "L1")]


def test_milestones_that_stall_side_by_side_climb_on_their_own() -> None:
    file = an_order_file(None, BOTH_IN, acknowledge(china(23, 10)))

    both = messages(file, china(24, 9))

    assert both == [*POLICY[:1], Message(china(23, 9), "TRIM_IN", "L1"), Message(china(24, 9), "TRIM_IN", "L2")]


@pytest.mark.parametrize("classifier", ["EST", "PLN"])
def test_an_estimate_silences_nobody(classifier: str) -> None:
    assert said(a_report("FAB_IN", china(22), classifier=classifier)) == POLICY


def test_a_part_does_not_end_a_counted_stall_and_the_whole_does() -> None:
    up_to_sewing = [a_report("FAB_IN", china(2)), a_report("CUT_START", china(3))]
    part = a_report("SEW_END", china(18, 10, month=12), quantity=3599)
    rest = a_report("SEW_END", china(21, 10, month=12), quantity=1)

    assert said(*up_to_sewing, part, rest, until=china(30, month=12)) == [
        Message(china(18, 9, month=12), "SEW_END", "L1"),
        Message(china(21, 9, month=12), "SEW_END", "L2"),
    ]


# Orders that come in late


@pytest.mark.parametrize(
    ("at", "first"),
    [
        (china(27, 15), [Message(china(30, 9), "FAB_IN", "L3")]),  # five working days late: its reports may come today
        (china(27, 22), [Message(china(30, 9), "FAB_IN", "L3")]),  # at night: at the next opening
        (china(28, 12), [Message(china(30, 9), "FAB_IN", "L3")]),  # on Saturday
        (china(25, 22), [Message(china(26, 9), "FAB_IN", "L3")]),  # it climbs overnight: L3 alone, not L2 and L3
        (china(26, 9), [Message(china(27, 9), "FAB_IN", "L3")]),  # as the office opens
        (china(21, 12), [Message(china(23, 9), "FAB_IN", "L1")]),  # late since yesterday: the ordinary climb
    ],
)
def test_an_order_that_comes_in_late_begins_at_its_present_rung_once(at: datetime, first: list[Message]) -> None:
    everything = said(order=came_in(at))

    assert everything[:1] == first
    assert everything[1:] == POLICY[[one.rung for one in POLICY].index(first[0].rung) + 1 :]


def test_nothing_is_said_of_what_was_over_before_the_order_came_in() -> None:
    done = a_report("FAB_IN", china(24), recorded_at=china(24))

    # Cutting is four working days late on 2 December; of the fabric, late itself, nobody speaks
    assert said(done, order=came_in(china(2, 12, month=12)))[:1] == [Message(china(3, 9, month=12), "CUT_START", "L3")]


def test_nobody_is_chased_for_what_is_reported_on_the_day_on_which_the_order_comes_in() -> None:
    """The orders are imported at nine, and their reports in the afternoon."""
    done = a_report("FAB_IN", china(18), recorded_at=china(2, 15, month=12))
    cut = a_report("CUT_START", china(24), recorded_at=china(2, 15, month=12))

    assert [m.milestone for m in said(done, cut, order=came_in(china(2, 9, month=12)), until=china(4, month=12))] == []


def test_an_order_looks_overdue_from_when_that_is_known_and_is_told_at_the_opening() -> None:
    file = an_order_file(came_in(china(27, 22)))

    assert decide(file, china(27, 22)) == (Show("FAB_IN", "overdue L3"),)
    assert next_wake_up(file, china(27, 22)) == china(30, 9)


def test_what_becomes_known_late_begins_at_its_present_rung() -> None:
    """The fabric was in on Monday the 16th and nobody said so until Wednesday, 2 December."""
    told_late = a_report("FAB_IN", china(16), recorded_at=china(2, 15, month=12))

    assert said(told_late) == [*POLICY, Message(china(2, 15, month=12), "CUT_START", "L3"), *CUTTING_L4]


CUTTING_L4 = [Message(china(7, 9, month=12), "CUT_START", "L4")]


# Answers


def test_an_acknowledgement_rests_the_climb_for_two_working_days_and_then_it_goes_on() -> None:
    # Monday, 10:00: Tuesday and Wednesday rest. Thursday is the second day that counts, then Monday, then Thursday
    assert said(acknowledge(china(23, 10))) == [
        POLICY[0],
        Message(china(26, 9), "FAB_IN", "L2"),
        Message(china(30, 9), "FAB_IN", "L3"),
        Message(china(3, 9, month=12), "FAB_IN", "L4"),
    ]


def test_an_acknowledgement_of_a_stall_that_is_reported_and_reopened_still_rests_it() -> None:
    reported = a_report("FAB_IN", china(23, 11))
    wrong = Withdrawal(recorded_at=china(23, 12), milestone="FAB_IN", corrects=2)

    assert said(acknowledge(china(23, 10)), reported, wrong) == said(acknowledge(china(23, 10)))


def test_a_promise_moves_the_chase() -> None:
    assert said(promise(china(19), china(25, 23))) == [
        Message(china(26, 9), "FAB_IN", "L1"),
        Message(china(27, 9), "FAB_IN", "L2"),
        Message(china(1, 9, month=12), "FAB_IN", "L3"),
        Message(china(4, 9, month=12), "FAB_IN", "L4"),
    ]


def test_a_broken_promise_begins_a_new_policy_about_the_new_date() -> None:
    file = an_order_file(None, None, promise(china(24, 11), china(27, 18)))

    assert messages(file, china(1, month=12)) == [
        *POLICY[:2],
        Message(china(30, 9), "FAB_IN", "L1"),
        Message(china(1, 9, month=12), "FAB_IN", "L2"),
    ]
    tells = [step for step in decide(file, china(30, 9)) if isinstance(step, Tell)]
    assert [tell.claim.due for tell in tells] == [china(27, 18)]


def test_a_second_promise_takes_the_place_of_the_first() -> None:
    assert said(promise(china(19), china(23)), promise(china(20), china(30)), until=china(1, month=12)) == [
        Message(china(1, 9, month=12), "FAB_IN", "L1")
    ]


# Holding and going on


def test_a_hold_silences_and_going_on_does_not_count_the_held_days() -> None:
    # Held over Thursday and Friday, when L3 would have been: it comes on the second morning after
    assert said(hold(china(25, 10)), resume(china(30, 12))) == [
        *POLICY[:2],
        Message(china(1, 9, month=12), "FAB_IN", "L3"),
        Message(china(4, 9, month=12), "FAB_IN", "L4"),
    ]


def test_nothing_is_said_while_an_order_is_held() -> None:
    assert said(hold(china(22))) == []
    assert next_wake_up(an_order_file(None, None, hold(china(22))), china(25)) is None


def test_two_holds_in_a_row_are_one_and_going_on_before_a_hold_means_nothing() -> None:
    once = said(hold(china(25, 10)), resume(china(30, 12)))

    assert said(hold(china(25, 10)), hold(china(27, 10)), resume(china(30, 12))) == once
    assert said(resume(china(24, 10)), hold(china(25, 10)), resume(china(30, 12))) == once


def test_an_acknowledgement_goes_on_resting_while_the_order_is_held() -> None:
    # The rest ends on Wednesday the 25th, the hold on Thursday at noon: Friday is the first day that counts
    assert said(acknowledge(china(23, 10)), hold(china(24)), resume(china(26, 12)))[:2] == [
        POLICY[0],
        Message(china(27, 9), "FAB_IN", "L2"),
    ]


def test_a_promise_that_runs_out_while_the_order_is_held_is_chased_when_it_goes_on() -> None:
    assert said(promise(china(19), china(25, 12)), hold(china(24)), resume(china(1, 12, month=12)))[:1] == [
        Message(china(2, 9, month=12), "FAB_IN", "L1")
    ]


def test_a_late_order_that_is_held_as_it_comes_in_begins_when_it_goes_on_and_the_office_is_open() -> None:
    night = resume(china(30, 22))

    # It came in on Thursday evening at L3 and was held at once
    assert said(hold(china(26, 20)), night, order=came_in(china(26, 19)))[:2] == [
        Message(china(1, 9, month=12), "FAB_IN", "L3"),
        Message(china(3, 9, month=12), "FAB_IN", "L4"),
    ]


# Ends and beginnings


def test_a_cancellation_silences_everything_at_once() -> None:
    file = an_order_file(None, BOTH_IN, Cancellation(recorded_at=china(23, 9)))

    assert messages(file, DECEMBER) == []
    assert decide(file, china(23, 9)) == (Close(OrderState.CANCELLED),)
    assert next_wake_up(file, china(23, 9)) is None


def test_what_was_shown_of_a_cancelled_order_is_called_off_and_what_is_done_stays_done() -> None:
    file = an_order_file(None, None, a_report("FAB_IN", china(2)))
    file = taken(file, decide(file, china(3)), china(3))

    steps = decide(file.told(Cancellation(recorded_at=china(4))), china(4))

    assert steps == (Show("CUT_START", CALLED_OFF), Close(OrderState.CANCELLED))


def test_an_order_is_closed_once() -> None:
    file = an_order_file(None, None, a_report("DEPARTED", china(2)))

    steps = decide(file, china(2))

    assert steps[-1] == Close(OrderState.CLOSED)
    assert decide(taken(file, steps, china(2)), china(2)) == ()


def test_a_report_that_comes_late_for_a_closed_order_only_shows() -> None:
    file = an_order_file(None, None, a_report("DEPARTED", china(2)))
    file = taken(file, decide(file, china(2)), china(2))

    steps = decide(file.told(a_report("FAB_IN", china(1), recorded_at=china(5), seq=2)), china(5))

    assert steps == (Show("FAB_IN", DONE),)


def test_a_withdrawal_after_the_close_takes_up_the_chase_where_it_is_and_closes_again() -> None:
    sailed = an_order_file(None, None, a_report("DEPARTED", china(2)))
    closed = taken(sailed, decide(sailed, china(2)), china(2))
    reopened = closed.told(Withdrawal(seq=2, recorded_at=china(26, 12), milestone="DEPARTED", corrects=1))

    steps = decide(reopened, china(26, 12))

    assert Show("FAB_IN", "overdue L3") in steps
    assert Show("DEPARTED", REOPENED) in steps
    assert [step.claim.rung for step in steps if isinstance(step, Tell)] == ["L3"]
    sailed_again = taken(reopened, steps, china(26, 12)).told(a_report("DEPARTED", china(27), seq=3))
    assert decide(sailed_again, china(27))[-1] == Close(OrderState.CLOSED)


def test_a_corrected_date_elsewhere_changes_nothing_that_was_said() -> None:
    """The trims' date is corrected at night; the fabric's stall neither begins again nor looks different."""
    trims = a_report("TRIM_IN", china(18))
    file = an_order_file(None, BOTH_IN, trims)
    for now in (china(18), china(23, 9), china(24, 9)):
        file = taken(file, decide(file, now), now)

    corrected = file.told(a_report("TRIM_IN", china(17), recorded_at=china(24, 22), corrects=1, seq=2))

    assert decide(corrected, china(24, 22)) == ()
    assert next_wake_up(corrected, china(24, 22)) == china(26, 9)


def test_a_stall_that_was_told_and_reopened_is_not_told_again() -> None:
    reported = a_report("FAB_IN", china(24, 12))
    wrong = Withdrawal(recorded_at=china(25, 12), milestone="FAB_IN", corrects=1)

    assert said(reported, wrong) == POLICY


def test_a_correction_that_moves_a_stall_down_asks_no_lower_rung_again() -> None:
    """The fabric was said to be in on the 19th; it came on 2 December, so cutting is not that late after all."""
    wrong = a_report("FAB_IN", china(19), recorded_at=china(2, 12, month=12))
    right = a_report("FAB_IN", china(2, 10, month=12), recorded_at=china(2, 13, month=12), corrects=1)

    assert said(wrong, right, order=came_in(china(1, 12, month=12)), until=china(15, month=12)) == [
        Message(china(2, 9, month=12), "FAB_IN", "L4"),
        Message(china(2, 12, month=12), "CUT_START", "L3"),
        Message(china(11, 9, month=12), "CUT_START", "L4"),
    ]


def test_a_rung_that_was_told_stands_although_a_correction_moves_its_stall_down() -> None:
    """Two rungs were told; by the right date it would have been one. The next comes by the right date."""
    file = an_order_file(None, None, a_report("FAB_IN", china(19)))
    for now in (china(19), china(27, 9), china(30, 9)):
        file = taken(file, decide(file, now), now)
    right = a_report("FAB_IN", china(27, 10), recorded_at=china(30, 12), corrects=1, seq=2)

    file = file.told(right)

    assert decide(file, china(30, 12)) == (Show("FAB_IN", DONE_LATE),)
    file = taken(file, decide(file, china(30, 12)), china(30, 12))
    assert next_wake_up(file, china(30, 12)) == china(3, 9, month=12)
    assert Show("CUT_START", "overdue L3") in decide(file, china(3, 9, month=12))


def test_a_correction_elsewhere_skips_no_rung_that_nobody_was_awake_to_tell() -> None:
    trims = a_report("TRIM_IN", china(18))
    corrected = a_report("TRIM_IN", china(17), recorded_at=china(25, 15), corrects=1)

    steps = decide(an_order_file(None, BOTH_IN, trims, corrected), china(26, 9))

    assert [step.claim.rung for step in steps if isinstance(step, Tell)] == ["L1", "L2", "L3"]


# Dates


def test_an_order_without_a_date_says_so_once_and_chases_nobody() -> None:
    order = an_order(etd=None)
    file = an_order_file(order)

    assert messages(file, DECEMBER) == [Message(order.came_in, NO_DATE, NOTE)]
    assert next_wake_up(file, order.came_in) is None


def test_an_order_that_is_given_its_date_begins_at_its_present_rung() -> None:
    dated = Reschedule(recorded_at=china(26, 15), etd=date(2026, 12, 31))

    assert said(dated, order=an_order(etd=None)) == [
        Message(an_order().came_in, NO_DATE, NOTE),
        Message(china(26, 15), "FAB_IN", "L3"),
        POLICY[3],
    ]


def test_an_order_without_a_date_can_be_held_and_goes_on_waiting() -> None:
    file = an_order_file(an_order(etd=None), None, hold(china(2)), resume(china(5)))

    assert [one.milestone for one in messages(file, DECEMBER)] == [NO_DATE]


def test_a_later_etd_begins_a_new_policy_and_an_earlier_chase_is_forgotten() -> None:
    week_later = Reschedule(recorded_at=china(24, 12), etd=date(2027, 1, 7))  # the fabric is due on the 27th

    assert said(week_later, until=china(1, month=12)) == [
        *POLICY[:2],
        Message(china(30, 9), "FAB_IN", "L1"),
        Message(china(1, 9, month=12), "FAB_IN", "L2"),
    ]


@pytest.mark.parametrize(
    ("etd", "rung"),
    [
        (date(2026, 12, 24), "L4"),  # the fabric would have been due on the 13th, seven working days ago
        (date(2026, 12, 30), "L2"),  # the 19th
        (date(2020, 1, 1), "L4"),  # far in the past
    ],
)
def test_steps_that_a_new_etd_makes_overdue_begin_at_their_present_rung_once_each(etd: date, rung: str) -> None:
    file = an_order_file(None, BOTH_IN, Reschedule(recorded_at=china(24, 15), etd=etd))

    told = [one for one in messages(file, china(24, 18)) if one.at > china(24, 9)]

    assert told == [Message(china(24, 15), "FAB_IN", rung), Message(china(24, 15), "TRIM_IN", rung)]


def test_the_same_etd_again_says_nothing_again() -> None:
    assert said(Reschedule(recorded_at=china(24, 22), etd=date(2026, 12, 31))) == POLICY


# Not followed


def test_an_order_whose_run_was_cancelled_says_so_once_and_falls_silent() -> None:
    left = Unfollowed(recorded_at=china(23, 15))

    assert said(left) == [POLICY[0], Message(china(23, 15), UNFOLLOWED, NOTE)]
    file = an_order_file(None, None, left)
    steps = decide(file, china(23, 15))
    assert steps[-1] == Close(OrderState.NOT_FOLLOWED)
    assert decide(taken(file, steps, china(23, 15)), china(25)) == ()


def test_an_order_that_is_followed_again_goes_on_at_its_present_rung() -> None:
    entries = (Unfollowed(recorded_at=china(23, 15)), Followed(recorded_at=china(27, 15)))

    assert said(*entries) == [
        POLICY[0],
        Message(china(23, 15), UNFOLLOWED, NOTE),
        Message(china(27, 15), "FAB_IN", "L3"),
        POLICY[3],
    ]


def test_an_order_that_loses_its_run_twice_says_so_twice() -> None:
    entries = (
        Unfollowed(recorded_at=china(2)),
        Followed(recorded_at=china(3)),
        Unfollowed(recorded_at=china(4)),
    )

    assert said(*entries) == [Message(china(2), UNFOLLOWED, NOTE), Message(china(4), UNFOLLOWED, NOTE)]


def test_an_order_that_was_called_off_can_be_followed_again() -> None:
    entries = (Cancellation(recorded_at=china(19)), Followed(recorded_at=china(27, 15)))

    assert said(*entries) == [Message(china(27, 15), "FAB_IN", "L3"), POLICY[3]]


# Looks


@pytest.mark.parametrize(
    ("entries", "now", "looks"),
    [
        ([], china(20), {"FAB_IN": WAITING}),
        ([], china(23, 9), {"FAB_IN": "overdue L1"}),
        ([], DECEMBER, {"FAB_IN": "overdue L4"}),
        ([hold(china(19))], china(23, 9), {"FAB_IN": ON_HOLD}),
        ([promise(china(19), china(25))], china(23, 9), {"FAB_IN": PROMISED}),
        ([promise(china(19), china(25))], china(26, 9), {"FAB_IN": "overdue L1"}),
        ([a_report("FAB_IN", END_OF_FRIDAY)], china(21), {"FAB_IN": DONE, "CUT_START": WAITING}),  # at the last second
        ([a_report("FAB_IN", china(21, 0))], china(21), {"FAB_IN": DONE_LATE, "CUT_START": WAITING}),
        ([a_report("CUT_START", china(20))], china(21), {"FAB_IN": PASSED, "CUT_START": DONE, "SEW_END": WAITING}),
        ([Unfollowed(recorded_at=china(19))], china(20), {}),  # it was never shown, so nothing is called off
    ],
)
def test_each_milestone_that_has_begun_looks_like_where_it_stands(
    entries: list[Entry], now: datetime, looks: dict[str, str]
) -> None:
    steps = decide(an_order_file(None, None, *entries), now)

    assert {step.milestone: step.appearance for step in steps if isinstance(step, Show)} == looks


def test_what_is_shown_already_is_not_shown_again() -> None:
    file = an_order_file()
    file = taken(file, decide(file, china(19)), china(19))

    assert dict(file.shown) == {"FAB_IN": WAITING}
    assert decide(file, china(20)) == ()


def test_a_claim_is_the_same_in_every_zone() -> None:
    """The database gives instants back in UTC; a message must not be sent twice for that."""
    file = an_order_file()
    told = taken(file, decide(file, DECEMBER), DECEMBER).claimed
    claims = {claim._replace(due=claim.due.astimezone(UTC)): at.astimezone(UTC) for claim, at in told.items()}

    again = [
        step
        for step in decide(OrderFile(file.order, file.template, file.policy, file.calendars, claimed=claims), DECEMBER)
        if isinstance(step, Tell)
    ]

    assert len(claims) == 4
    assert again == []


# Waking


def test_an_order_sleeps_until_the_next_rung_and_no_shorter() -> None:
    file = an_order_file()

    assert [next_wake_up(file, now) for now in (china(1), china(23, 8), china(23, 9), DECEMBER)] == [
        china(23, 9),
        china(23, 9),
        china(24, 9),
        None,
    ]


def test_an_order_is_not_woken_for_what_was_said_already() -> None:
    reported = a_report("FAB_IN", china(24, 12))
    wrong = Withdrawal(seq=2, recorded_at=china(24, 22), milestone="FAB_IN", corrects=1)
    file = an_order_file(None, None, reported)
    for now in (china(19), china(23, 9), china(24, 9), china(24, 12)):
        file = taken(file, decide(file, now), now)

    file = file.told(wrong)

    assert Show("FAB_IN", "overdue L2") in decide(file, china(24, 22))
    assert next_wake_up(file, china(24, 22)) == china(26, 9)  # not at the opening of the 25th


def test_an_order_is_woken_when_something_becomes_known() -> None:
    file = an_order_file(None, None, a_report("FAB_IN", china(2), recorded_at=china(6)))

    assert next_wake_up(file, china(5)) == china(6)


def test_deciding_for_another_zone_keeps_that_offices_mornings() -> None:
    """An office in New York is asked at nine in New York."""
    new_york = a_calendar(zone="America/New_York")
    file = an_order_file()
    file = OrderFile(file.order, file.template, file.policy, {"office": new_york})

    first = messages(file, DECEMBER)[0].at

    assert first == datetime(2026, 11, 23, 14, tzinfo=UTC)
    assert first - timedelta(hours=5) == datetime(2026, 11, 23, 9, tzinfo=UTC)
