"""The clock track: an outside cut-off comes near and is not met; neither holds nor weekends stop it (domain.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from models.book.order_file import Claim
from models.escalation.notice import Due, Manner, View
from models.planning.hard_dates import cutoffs


def ticks_to_say(view: View) -> Iterator[Due]:
    """
    Yield the ticks of the booking's cut-offs that were not said yet, past and to come.

    Of those that are past only the last is said: six hours before a cut-off nobody needs to read that it is less than a
    day. A cut-off that had passed when the order came in, when it was booked, or when its step was opened again (rolled
    goods met the cut-offs of the vessel that left them behind) is no news.
    """
    file, at = view.file, view.at
    booked_at = at.agreed.etds[-1].since if at.agreed.etds else file.order.came_in
    known_at = max(file.order.came_in, booked_at)
    followed = set(file.template.followed)
    for hard in cutoffs(file.template, at.agreed):
        if hard.milestone in at.done or hard.milestone not in followed:
            continue
        if hard.at <= max(known_at, at.voided.get(hard.milestone, known_at)):
            continue
        ticks = [(tick, hard.at - timedelta(hours=tick.hours)) for tick in file.policy.clock]
        past = [tick for tick in ticks if tick[1] <= at.now]
        for tick, instant in past[-1:] + ticks[len(past) :]:
            claim = Claim(hard.milestone, tick.code, hard.at)
            if claim not in file.claimed:
                manner = Manner.URGENT if tick.urgent else Manner.DIGEST
                yield Due(claim, instant, view.roles(tick.told, hard.milestone), manner)
