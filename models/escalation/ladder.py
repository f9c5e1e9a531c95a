"""The ladder: the rungs that are still to be said of each stall, by its lateness or brought forward (domain.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest

from models.book.order_file import Claim, OrderFile
from models.book.report import Problem
from models.escalation.climb import counted, mornings_after, next_chance
from models.escalation.notice import Due, Manner, View
from models.escalation.stalls import Firing, pauses_of
from models.planning.outlook import slack_days
from models.status.progress import not_reports
from models.terms.policy import Rung


def rungs_to_say(view: View) -> Iterator[Due]:
    """Yield the rungs that were not said yet, past and to come, of an order that is open."""
    policy, at = view.file.policy, view.at
    for code, firings in at.firings.items():
        due = at.effective_due(code)
        assert due is not None  # a milestone without a date has no firings
        sooner = _brought_forward(view, code, due)
        for firing, above in zip_longest(firings, firings[1:]):
            rung = policy.by_code(firing.rung)
            claim = Claim(code, rung.code, due)
            # A stall that was known overnight may climb before anybody could be told: it begins at its present rung.
            outgrown = above is not None and above.at == firing.at and _climbs_by_lateness(view, above, code)
            if claim in view.file.claimed or outgrown or _overtaken(view.file, claim):
                continue
            instants = [_by_day(view, firing)] if _climbs_by_lateness(view, firing, code) else []
            if sooner is not None and sooner[0] is rung:
                instants.append(sooner[1])
            if instants:
                yield Due(claim, min(instants), view.roles(rung.told, code), manner_of(rung), rung.repeat)


def looks_again_at(view: View) -> datetime | None:
    """
    Return the next morning on which a rung may be brought forward merely because time has passed.

    `None` where no stall has a rung above it on which the forecast has a say.
    """
    if not view.file.template.foresees:
        return None
    for code in view.at.firings:
        due = view.at.effective_due(code)
        said = _said(view.file, code, due) if due is not None else []
        above = view.file.policy.above(said[-1].code) if said else None
        if above is not None and (above.sooner.foresees or above.critical):
            return next(mornings_after(view.file.policy, view.file.calendar, view.at.now))
    return None


def manner_of(rung: Rung) -> Manner:
    """Return how the readers of a rung are told."""
    if rung.urgent:
        return Manner.URGENT
    return Manner.DIRECT if rung.direct else Manner.DIGEST


def _said(file: OrderFile, code: str, due: datetime) -> list[Rung]:
    return [rung for rung in file.policy.rungs if Claim(code, rung.code, due) in file.claimed]


def _climbs_by_lateness(view: View, firing: Firing, code: str) -> bool:
    return not firing.depends or view.ahead is None or (view.ahead.slips and code in view.ahead.path)


def _by_day(view: View, firing: Firing) -> datetime:
    """Return when a rung is told; where the forecast has let it through only now, which may be at midnight, by day."""
    if not firing.depends or firing.at >= view.at.now:
        return firing.at
    return next_chance(view.file.policy, view.file.calendar, view.at.now)


def _brought_forward(view: View, code: str, due: datetime) -> tuple[Rung, datetime] | None:
    """Return the rung above the highest that was said and when it is told, where something brings it forward."""
    file, at = view.file, view.at
    said = _said(file, code, due)
    rung = file.policy.above(said[-1].code) if said else None
    if rung is None:
        return None
    told_at = file.claimed[Claim(code, said[-1].code, due)]
    others = not_reports(view.known)
    problems = [e.recorded_at for e in others if isinstance(e, Problem) and e.milestone == code]
    if any(told_at < said_at for said_at in problems):
        return rung, next_chance(file.policy, file.calendar, max(problems))
    if code in at.acknowledged:
        return None
    wanted = rung.sooner.unanswered or 1
    mornings = mornings_after(file.policy, file.calendar, told_at)
    chances = list(counted(mornings, pauses_of(file, others, code), wanted))
    if not chances:
        return None
    if _is_pressing(view, rung, code):
        # The forecast may turn at midnight; people are told by day.
        return rung, max(chances[0], next_chance(file.policy, file.calendar, at.now))
    if rung.sooner.unanswered is not None and len(chances) == wanted:
        return rung, chances[-1]
    return None


def _is_pressing(view: View, rung: Rung, code: str) -> bool:
    sooner = rung.sooner
    if sooner.broken is not None and view.at.broken.get(code, 0) >= sooner.broken:
        return True
    if not sooner.foresees or view.ahead is None:
        return False
    slack = slack_days(view.file, view.ahead, code)
    if sooner.slack is not None and slack is not None and slack <= sooner.slack:
        return True
    return sooner.slips and view.ahead.slips and code in view.ahead.path


def _overtaken(file: OrderFile, claim: Claim) -> bool:
    """Say whether a higher rung was said of the same date, as where a correction moved the stall down."""
    rungs = [rung.code for rung in file.policy.rungs]
    higher = rungs[rungs.index(claim.rung) + 1 :]
    return any(Claim(claim.milestone, rung, claim.due) in file.claimed for rung in higher)
