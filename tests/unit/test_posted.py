"""The post of a season: who gets what at which moment, without looking at every moment."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.book.order_file import Claim
from models.book.report import Acknowledgement
from models.decide import NOTE
from models.escalation.climb import rests_until
from models.escalation.notice import Manner
from models.post.dispatch import Reader
from models.seasons.posted import Kind, Notice, Posted, messages_to, raised
from models.seasons.season import Timeline, play_out
from models.terms.party import Person
from tests.factories import a_calendar, a_report, an_order, an_order_file, china

UNTIL = china(30, 23)
QUARTER = timedelta(minutes=15)
MONDAY, FRIDAY = 9, 13  # of November 2026


def a_reader(budget: int = 12) -> Reader:
    """Wang works Monday to Friday, has digests at 08:30 and 13:30, and is not written to from 20:00 to 08:30."""
    return Reader(Person(code="wang", name="Wang", calendar="office", budget=budget), a_calendar())


def a_notice(
    at: datetime,
    until: datetime | None = None,
    *,
    manner: Manner = Manner.DIGEST,
    rung: str = "L1",
    milestone: str = "FAB_IN",
    order_no: str = "A",
    repeat: int = 0,
) -> Notice:
    return Notice(order_no, Claim(milestone, rung, china(1)), "MER", manner, at, ((at, until),), repeat)


def brief(messages: list[Posted]) -> list[tuple[datetime, str, int]]:
    return [(message.at, message.kind.value, len(message.notices)) for message in messages]


def test_what_may_wait_comes_together_at_the_next_slot() -> None:
    notices = [a_notice(china(MONDAY, 9)), a_notice(china(MONDAY, 11), order_no="B"), a_notice(china(MONDAY, 14))]

    got = messages_to(a_reader(), notices, UNTIL)

    assert brief(got) == [(china(MONDAY, 13, 30), "digest", 2), (china(MONDAY + 1, 8, 30), "digest", 1)]
    assert [notice.order_no for notice in got[0].notices] == ["A", "B"]


def test_what_ended_before_it_was_told_is_told_to_nobody() -> None:
    ended = a_notice(china(MONDAY, 9), china(MONDAY, 13, 29))
    ends_with_the_slot = a_notice(china(MONDAY, 9), china(MONDAY, 13, 30))
    ends_after_it = a_notice(china(MONDAY, 9), china(MONDAY, 13, 31), order_no="B")

    assert messages_to(a_reader(), [ended, ends_with_the_slot], UNTIL) == []
    assert brief(messages_to(a_reader(), [ended, ends_after_it], UNTIL)) == [(china(MONDAY, 13, 30), "digest", 1)]


def test_a_direct_notice_comes_at_once_by_day_and_with_the_first_digest_after_the_night() -> None:
    by_day = a_notice(china(MONDAY, 15), manner=Manner.DIRECT, rung="L2")
    by_night = a_notice(china(MONDAY, 21), manner=Manner.DIRECT, rung="L2", order_no="B")

    got = messages_to(a_reader(), [by_day, by_night], UNTIL)

    assert brief(got) == [(china(MONDAY, 15), "direct", 1), (china(MONDAY + 1, 8, 30), "digest", 1)]


def test_what_is_urgent_breaks_the_night_and_the_weekend() -> None:
    saturday_night = china(FRIDAY + 1, 23)

    got = messages_to(a_reader(), [a_notice(saturday_night, manner=Manner.URGENT, rung="T-6")], UNTIL)

    assert brief(got) == [(saturday_night, "urgent", 1)]


def test_what_stands_stands_again_in_the_first_digest_after_so_many_working_days_while_it_holds() -> None:
    notice = a_notice(china(MONDAY, 8), china(FRIDAY + 4, 8), repeat=2)

    got = messages_to(a_reader(), [notice], UNTIL)

    assert [message.at for message in got] == [china(day, 8, 30) for day in (MONDAY, MONDAY + 2, FRIDAY)]
    assert all(message.kind is Kind.DIGEST for message in got)


def test_what_holds_anew_is_repeated_and_not_told_as_news() -> None:
    spans = ((china(MONDAY, 9), china(MONDAY, 17)), (china(MONDAY + 2, 8), None))
    once = Notice("A", Claim("FAB_IN", "L2", china(1)), "MER", Manner.DIRECT, china(MONDAY, 9), spans)
    again = Notice("B", Claim("FAB_IN", "L2", china(1)), "MER", Manner.DIRECT, china(MONDAY, 9), spans, repeat=1)

    got = messages_to(a_reader(), [once, again], china(MONDAY + 2, 12))

    assert brief(got) == [
        (china(MONDAY, 9), "direct", 1),
        (china(MONDAY, 9), "direct", 1),
        (china(MONDAY + 2, 8, 30), "digest", 1),
    ]
    assert got[-1].notices[0].order_no == "B"


def test_what_is_beyond_the_budget_of_a_day_waits_for_the_digest_and_the_next_day_has_its_own() -> None:
    notices = [
        a_notice(china(day, hour), manner=Manner.DIRECT, rung="L2", order_no=f"{day}-{hour}")
        for day in (MONDAY, MONDAY + 1)
        for hour in (9, 10, 11)
    ]

    got = messages_to(a_reader(budget=2), notices, UNTIL)

    assert [(message.at, message.kind) for message in got] == [
        (at, kind)
        for day in (MONDAY, MONDAY + 1)
        for at, kind in (
            (china(day, 9), Kind.DIRECT),
            (china(day, 10), Kind.DIRECT),
            (china(day, 13, 30), Kind.DIGEST),
        )
    ]


def test_nothing_is_sent_after_the_season() -> None:
    assert messages_to(a_reader(), [a_notice(china(MONDAY, 9))], china(MONDAY, 13, 29)) == []
    assert messages_to(a_reader(), [], UNTIL) == []


# Looking only where something may happen gives what looking every quarter of an hour gives


moments = st.integers(0, 14 * 24 * 4).map(lambda quarters: china(MONDAY, 0) + quarters * QUARTER)


@st.composite
def _notices(draw: st.DrawFn) -> Notice:
    begins = draw(moments)
    ends = [begins + draw(st.integers(1, 500)) * QUARTER for _ in range(draw(st.integers(0, 1)))]
    anew = [(ends[0] + QUARTER * draw(st.integers(1, 300)), None)] if ends and draw(st.booleans()) else []
    return Notice(
        order_no=draw(st.sampled_from("ABCD")),
        claim=Claim(
            draw(st.sampled_from(["FAB_IN", "CUT_START"])), draw(st.sampled_from(["R1", "L1", "L2"])), china(1)
        ),
        role="MER",
        manner=draw(st.sampled_from(list(Manner))),
        meant_for=begins,
        spans=((begins, ends[0] if ends else None), *anew),
        repeat=draw(st.integers(0, 2)),
    )


@given(st.lists(_notices(), max_size=10), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_nothing_is_missed_between_the_moments_that_are_looked_at(notices: list[Notice], budget: int) -> None:
    until = china(MONDAY, 0) + timedelta(days=18)
    # A notice that changes nothing: it makes the post look at every quarter of an hour.
    ticking = [a_notice(china(MONDAY, 0) + n * QUARTER, china(MONDAY, 0) + n * QUARTER) for n in range(18 * 24 * 4)]

    assert messages_to(a_reader(budget), notices, until) == messages_to(a_reader(budget), [*notices, *ticking], until)


# What of a played order held when


def test_a_notice_holds_from_when_it_is_raised_until_its_step_is_done() -> None:
    file = an_order_file(an_order(etd=date(2026, 12, 31), came_in=china(1)))
    done = a_report("FAB_IN", china(25))

    notices = [
        notice for notice in raised(play_out(file, Timeline.of([done]), UNTIL)) if notice.claim.milestone == "FAB_IN"
    ]

    assert [notice.claim.rung for notice in notices] == ["L1", "L2"]
    assert [notice.spans for notice in notices] == [((notice.meant_for, done.recorded_at),) for notice in notices]


def test_a_notice_holds_anew_when_the_acknowledgement_lapses() -> None:
    file = an_order_file(
        an_order(came_in=china(1)), None, Acknowledgement(recorded_at=china(23, 17), milestone="FAB_IN")
    )

    first = next(notice for notice in raised(play_out(file, Timeline.of([]), UNTIL)))

    lapses = rests_until(file.policy, file.calendar, china(23, 17))
    assert first.spans == ((first.meant_for, china(23, 17)), (lapses, None))


def test_every_notice_that_is_raised_holds_at_first() -> None:
    played = play_out(an_order_file(an_order(etd=None, came_in=china(1))), Timeline.of([]), UNTIL)

    assert [notice.claim.rung for notice in raised(played)] == [NOTE]
    assert all(notice.spans == ((notice.meant_for, None),) for notice in raised(played))
