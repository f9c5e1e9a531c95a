"""Alarms: the forecast breaks a hard date that money hangs on, whether a step is late or not (domain.md 3.2, L4)."""

from __future__ import annotations

from collections.abc import Iterator

from models.book.order_file import Claim
from models.escalation.climb import next_chance
from models.escalation.notice import Due, Manner, View
from models.escalation.stalls import settled_at
from models.planning.hard_dates import HardDate, Origin

MONEY = frozenset({Origin.ORDER, Origin.CREDIT})
"""The buyer's dates and the credit's. The cut-offs of a booking have the clock track."""


def alarms_to_say(view: View) -> Iterator[Due]:
    """Yield the alarm of the first hard date that the forecast breaks, if it was not raised yet."""
    alarm = view.file.policy.alarm
    if alarm is None:
        return
    for hard in broken_dates(view)[:1]:
        claim = Claim(hard.code, alarm.rung, hard.at)
        if claim not in view.file.claimed:
            # The forecast may turn at midnight; what it says of a day weeks ahead can wait for the morning.
            chance = next_chance(view.file.policy, view.file.calendar, view.at.now)
            yield Due(claim, max(settled_at(view.file), chance), alarm.told, Manner.URGENT, alarm.repeat)


def broken_dates(view: View) -> list[HardDate]:
    """Return the dates of the order and of its credit that the forecast breaks, the first to pass first."""
    return [broken.hard for broken in view.ahead.broken if broken.hard.origin in MONEY] if view.ahead else []
