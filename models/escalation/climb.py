"""The ladder's clock: on which mornings a stall climbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice

from models.book.order import Order
from models.calendars.workdays import ONE_DAY, Calendar
from models.terms.policy import Policy, climbed_faster

Pause = tuple[datetime, datetime | None]
"""From when until when the ladder's clock stands still; no end is "until further notice"."""


def morning_of(policy: Policy, calendar: Calendar, day: date) -> datetime:
    """Return when people are told on a working day: the policy's morning, else the office's opening."""
    return calendar.opening(day) if policy.morning is None else datetime.combine(day, policy.morning, calendar.tz)


def mornings_after(policy: Policy, calendar: Calendar, instant: datetime) -> Iterator[datetime]:
    """Yield the mornings of the working days after the day of `instant`, without end."""
    for day in calendar.workdays_after(calendar.local_date(instant)):
        yield morning_of(policy, calendar, day)


def morning_before(policy: Policy, calendar: Calendar, due: datetime, days: int) -> datetime:
    """Return the morning `days` working days before the day of `due`; 0 is its own, or the working day before it."""
    day = calendar.on_or_before(calendar.local_date(due))
    for _ in range(days):
        day = calendar.on_or_before(day - ONE_DAY)
    return morning_of(policy, calendar, day)


def next_chance(policy: Policy, calendar: Calendar, instant: datetime) -> datetime:
    """Return when somebody can next be told, `instant` itself where that is on a working day after its morning."""
    at_work = calendar.next_working_moment(instant)
    day = calendar.local_date(at_work)
    morning = morning_of(policy, calendar, day)
    return max(instant if at_work == calendar.opening(day) else at_work, morning)


def climb(
    policy: Policy, calendar: Calendar, stalls_at: datetime, pauses: Sequence[Pause], faster: int = 0
) -> list[datetime | None]:
    """
    Return the instant of each rung for a stall that begins at `stalls_at`, by its lateness alone.

    A rung is due on the morning of its working day after the day of `stalls_at` (the first one for a rung of 0 days),
    each of them earlier where the order climbs `faster`. Mornings within a pause do not count. `None` means: not
    while the pause lasts.
    """
    after = climbed_faster(policy.rungs, faster)
    wanted = [max(1, after[rung.code]) for rung in policy.rungs]
    mornings = list(counted(mornings_after(policy, calendar, stalls_at), pauses, wanted[-1]))
    return [mornings[n - 1] if n <= len(mornings) else None for n in wanted]


def counted(mornings: Iterable[datetime], pauses: Sequence[Pause], at_most: int) -> Iterator[datetime]:
    """Yield the first of these mornings that stand in no pause; none after one that has no end."""
    standstill = min((start for start, end in pauses if end is None), default=None)
    found = 0
    for morning in mornings:
        if standstill is not None and morning >= standstill:
            return
        if not any(start <= morning < end for start, end in pauses if end is not None):
            yield morning
            found += 1
            if found == at_most:
                return


def levels_faster(policy: Policy, order: Order) -> int:
    """Return by how many levels an order climbs faster: its customer, its value, his first order."""
    return policy.levels_faster(
        tier=order.tier, value=order.value, currency=order.currency, first_order=order.first_order
    )


def rests_until(policy: Policy, calendar: Calendar, acknowledged_at: datetime) -> datetime:
    """Return when an acknowledgement given at `acknowledged_at` stops resting the climb."""
    if policy.acknowledged_for == 0:
        return acknowledged_at
    days = calendar.workdays_after(calendar.local_date(acknowledged_at))
    last = next(islice(days, policy.acknowledged_for - 1, None))
    return calendar.end_of(last)
