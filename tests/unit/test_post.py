"""What one person is written at a moment: alone, in one digest, or later; and that nothing is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.escalation.notice import Manner
from models.post.dispatch import AT_ONCE, Parcel, Reader, Waiting, next_post, post
from models.post.windows import may_write
from models.terms.party import Person
from tasks.library import load_library
from tests.factories import china

OFFICE = load_library().calendars["cn-office"]
WANG = Person(code="wang", name="Wang")
"""Quiet from 20:00 to 08:30, digests at 08:30 and 13:30, twelve messages a day."""
MONDAY = china(23, 8, 30)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def a_notice(id_: int = 1, manner: Manner = Manner.DIGEST, meant_for: datetime = MONDAY, **changes: Any) -> Waiting:
    fields: dict[str, Any] = {
        "id": id_,
        "order_no": f"SO-{id_:02}",
        "milestone": "FAB_IN",
        "rung": "L1",
        "manner": manner,
        "meant_for": meant_for,
    }
    return Waiting(**(fields | changes))


def direct(id_: int, meant_for: datetime = MONDAY, **changes: Any) -> Waiting:
    return a_notice(id_, Manner.DIRECT, meant_for, **changes)


def urgent(id_: int, meant_for: datetime = MONDAY, **changes: Any) -> Waiting:
    return a_notice(id_, Manner.URGENT, meant_for, **changes)


def reader(**changes: Any) -> Reader:
    return replace(Reader(WANG, OFFICE), **changes)


# The digest


def test_what_can_wait_comes_together_in_one_digest_of_the_slot() -> None:
    notices = [a_notice(n) for n in range(1, 21)]

    sent = post(reader(), notices, MONDAY)

    assert sent.parcels == (Parcel(tuple(notices), MONDAY),)
    assert not sent.held


def test_a_slot_has_one_digest_and_what_comes_after_it_waits_for_the_next() -> None:
    late = a_notice(meant_for=MONDAY + HOUR)

    sent = post(reader(last_digest=MONDAY), [late], MONDAY + HOUR)

    assert sent.parcels == ()
    assert sent.held == {1: china(23, 13, 30)}
    assert post(reader(last_digest=MONDAY), [late], china(23, 13, 30)).parcels == (Parcel((late,), china(23, 13, 30)),)


def test_what_is_raised_at_night_is_held_until_the_morning_and_merged() -> None:
    """J. Two stalls at night, of which one is to be said directly: one digest at 08:30."""
    at_night = [a_notice(1, meant_for=china(20, 22)), direct(2, china(20, 23))]  # on Friday

    sent = post(reader(), at_night, china(20, 23))
    assert sent.parcels == ()
    assert sent.held == {1: MONDAY, 2: MONDAY}, "held until Monday 08:30"
    assert next_post(reader(), at_night, china(20, 23)) == MONDAY
    assert post(reader(), at_night, china(21, 12)).parcels == (), "on Saturday nobody is written to"

    assert post(reader(), at_night, MONDAY).parcels == (Parcel(tuple(at_night), MONDAY),)


def test_what_is_urgent_is_said_at_night_and_on_a_holiday() -> None:
    tick = urgent(1, china(21, 3), rung="T-6")

    assert post(reader(), [tick, a_notice(2, meant_for=china(21, 3))], china(21, 3)).parcels == (Parcel((tick,)),)


def test_after_an_outage_of_days_a_person_reads_one_digest_that_says_so() -> None:
    """L. Sixty hours: everything that was to be said meanwhile, in one message."""
    missed = [a_notice(1, meant_for=china(20, 22)), *(direct(n, china(23, 8, 30)) for n in range(2, 9))]
    now = china(23, 10, 15)

    sent = post(reader(), missed, now)

    assert sent.parcels == (Parcel(tuple(missed), MONDAY, caught_up=True),)
    assert not post(reader(), missed, MONDAY + MINUTE).parcels[0].caught_up


def test_until_every_order_has_spoken_only_what_is_urgent_goes_out() -> None:
    notices = [a_notice(1), direct(2), urgent(3)]

    sent = post(reader(), notices, MONDAY, complete=False)

    assert sent.parcels == (Parcel((notices[2],)),)
    assert set(sent.held) == {1, 2}


# Messages of their own


def test_a_direct_notice_is_a_message_of_its_own_while_it_is_news() -> None:
    notice = direct(1, china(23, 10))

    assert post(reader(last_digest=MONDAY), [notice], china(23, 10)).parcels == (Parcel((notice,)),)
    assert post(reader(last_digest=MONDAY), [notice], china(23, 11, 1)).held == {1: china(23, 13, 30)}


def test_two_rungs_of_one_step_are_one_message() -> None:
    rungs = (direct(1, rung="L2", order_no="SO"), direct(2, rung="L3", order_no="SO"))

    assert post(reader(), rungs, MONDAY).parcels == (Parcel(rungs),)


def test_more_than_a_few_at_a_time_are_one_message_together() -> None:
    few = [direct(n, china(23, 10)) for n in range(AT_ONCE)]
    many = [direct(n, china(23, 10)) for n in range(AT_ONCE + 1)]
    after_the_digest = reader(last_digest=MONDAY)

    assert len(post(after_the_digest, few, china(23, 10)).parcels) == AT_ONCE
    assert post(after_the_digest, many, china(23, 10)).parcels == (Parcel(tuple(many)),)


def test_more_than_a_few_at_a_slot_are_in_its_digest() -> None:
    many = [direct(n) for n in range(AT_ONCE + 1)]

    assert post(reader(), [*many, a_notice(9)], MONDAY).parcels == (Parcel((*many, a_notice(9)), MONDAY),)


def test_who_has_had_his_budget_reads_the_rest_in_the_digest_and_the_administrator_hears_of_it() -> None:
    two = [direct(1, china(23, 10)), direct(2, china(23, 10))]
    nearly = reader(direct_today=WANG.budget - 1, last_digest=MONDAY)

    sent = post(nearly, two, china(23, 10))

    assert sent.parcels == (Parcel((two[0],)),)
    assert sent.held == {2: china(23, 13, 30)}
    assert sent.over_budget
    assert post(replace(nearly, direct_today=WANG.budget), [two[1]], china(23, 13, 30)).parcels == (
        Parcel((two[1],), china(23, 13, 30)),
    )
    assert not post(reader(last_digest=MONDAY), two, china(23, 10)).over_budget


def test_what_is_urgent_has_no_budget() -> None:
    assert post(reader(direct_today=99), [urgent(1)], MONDAY).parcels == (Parcel((urgent(1),)),)


# Once more


@pytest.mark.parametrize(
    ("now", "again"),
    [
        (china(23, 13, 30), False),  # not twice a day
        (china(24, 8, 30), False),
        (china(25, 8, 30), True),  # two working days after
        (china(25, 13, 30), False),  # in the first digest of a day
    ],
)
def test_an_unanswered_notice_stands_again_in_a_days_first_digest(now: datetime, again: bool) -> None:
    told = direct(1, told=1, told_at=MONDAY, repeat=2)
    before = reader(last_digest=now - HOUR)

    assert post(before, [told], now).parcels == ((Parcel((told,), now),) if again else ())


def test_what_is_not_repeated_is_said_once() -> None:
    told = direct(1, told=1, told_at=MONDAY)

    assert post(reader(), [told], china(30, 8, 30)).parcels == ()
    assert next_post(reader(), [told], MONDAY) is None


# Whatever comes, and whenever somebody looks

notices = st.lists(st.tuples(st.sampled_from(list(Manner)), st.integers(0, 5 * 24 * 4), st.integers(1, 4)), max_size=14)
START = china(20)  # a Friday morning


@given(notices, st.integers(0, 3), st.lists(st.integers(0, 5 * 24), max_size=2))
@settings(deadline=None, max_examples=60)
def test_nothing_is_lost_nothing_is_said_twice_and_nothing_at_night_but_the_urgent(
    made: list[tuple[Manner, int, int]], budget: int, outages: list[int]
) -> None:
    person = WANG.model_copy(update={"budget": budget, "digests": (time(8, 30), time(13, 30))})
    waiting = {
        number: a_notice(number, manner, START + quarters * 15 * MINUTE, order_no=f"SO-{order}", rung=f"L{number}")
        for number, (manner, quarters, order) in enumerate(made)
    }
    told: dict[int, datetime] = {}
    last_digest: datetime | None = None
    direct_on: dict[object, int] = {}
    slots: list[datetime] = []
    now, end = START, START + timedelta(days=10)
    while now <= end:
        hour = (now - START) // HOUR
        if not any(start <= hour < start + 60 for start in outages):
            due = [n for n in waiting.values() if n.meant_for <= now and n.id not in told]
            today = OFFICE.local_date(now)
            sent = post(Reader(person, OFFICE, direct_on.get(today, 0), last_digest), due, now)
            for parcel in sent.parcels:
                if any(n.manner is not Manner.URGENT for n in parcel.notices):
                    assert may_write(person, OFFICE, now)
                if parcel.slot is not None:
                    slots.append(parcel.slot)
                    last_digest = parcel.slot
                elif any(n.manner is not Manner.URGENT for n in parcel.notices):
                    direct_on[today] = direct_on.get(today, 0) + 1
                for notice in parcel.notices:
                    assert notice.id not in told, "said twice"
                    told[notice.id] = now
            assert {n.id for n in due} == set(sent.held) | {n.id for p in sent.parcels for n in p.notices}
            assert all(until > now for until in sent.held.values())
        now += 15 * MINUTE

    assert set(told) == set(waiting), "nothing is lost"
    assert len(slots) == len(set(slots)), "one digest for each slot"
    assert all(count <= budget for count in direct_on.values())
