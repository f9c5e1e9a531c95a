"""Reminders: steps that are due soon, in three stages where they take long (跟催, domain.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from models.book.order_file import Claim
from models.escalation.climb import morning_before
from models.escalation.notice import Due, Manner, View
from models.escalation.stalls import settled_at


def reminders_to_say(view: View) -> Iterator[Due]:
    """
    Yield the reminders of the open steps that were not said yet, past and to come.

    Of those that are past only the last is said, and only while the step is not due: a reminder that a rung has
    overtaken is dropped. Nobody is reminded of a step before it could begin, or of one that he has taken on.
    """
    file, at, reminders = view.file, view.at, view.file.policy.reminders
    for code in at.open:
        due = at.effective_due(code)
        if due is None or due <= at.now or code in at.acknowledged:
            continue
        takes = file.template.by_code[code].takes.likely
        offsets = reminders.long if takes >= reminders.long_from else reminders.short
        mornings = [(f"R{days}", morning_before(file.policy, file.calendar, due, days)) for days in offsets]
        since = _open_since(view, code)
        wanted = [(rung, morning) for rung, morning in mornings if since < morning < due]
        past = [reminder for reminder in wanted if reminder[1] <= at.now]
        for rung, morning in past[-1:] + wanted[len(past) :]:
            claim = Claim(code, rung, due)
            if claim not in file.claimed:
                yield Due(claim, morning, view.roles(reminders.told, code), Manner.DIGEST)


def _open_since(view: View, code: str) -> datetime:
    """Return since when a step can be worked at, or done again, or since when its date is known: whichever is last."""
    before = [view.at.done[p].known_at for p in view.file.template.by_code[code].after]
    given = view.at.promises.get(code)
    since = [settled_at(view.file), *before, *([given.told_at] if given is not None else [])]
    since += [sailing.since for sailing in view.at.agreed.etds[-1:]]
    since += [view.at.voided[code]] if code in view.at.voided else []
    return max(since)
