"""What other calendars do to an order: the dates that move, the day it sails, and what comes to be at risk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from models.book.order_file import OrderFile
from models.planning.outlook import Outlook, outlook
from models.planning.plan import Calendars
from models.status.standing import Standing, plan_of


@dataclass(frozen=True)
class Effect:
    """
    How an order differs once its calendars do.

    `moved` are the milestones not done whose planned date is another one, `waited_for` those among them that are open
    now. `sails` is the forecast of the departure, before and after; none while the order has no ETD.
    """

    moved: tuple[str, ...] = ()
    waited_for: tuple[str, ...] = ()
    sails: tuple[datetime, datetime] | None = None
    newly_at_risk: bool = False

    @property
    def sails_otherwise(self) -> bool:
        """Whether the forecast of the departure is another one."""
        return self.sails is not None and self.sails[0] != self.sails[1]


def effect(file: OrderFile, at: Standing, before: Calendars) -> Effect:
    """Return how `file`, which stands as `at` says on its own calendars, differs from the same on those of `before`."""
    if at.state.is_over or not _works_by_others(file, before):
        return Effect()
    former = replace(file, calendars=before)
    was = replace(at, due=plan_of(former, at.agreed, at.reached))  # nothing else that is looked at below hangs on days
    moved = tuple(code for code, due in at.due.items() if code not in at.done and due != was.due.get(code))
    earlier, ahead = outlook(former, was), outlook(file, at)
    return Effect(
        moved=moved,
        waited_for=tuple(code for code in moved if code in at.open),
        sails=(earlier.sails_at, ahead.sails_at) if earlier is not None and ahead is not None else None,
        newly_at_risk=_at_risk(file, at, ahead) and not _at_risk(former, was, earlier),
    )


def _works_by_others(file: OrderFile, before: Calendars) -> bool:
    codes = {file.template.calendar, *(milestone.calendar for milestone in file.template.milestones)}
    return any(file.calendars[code] is not before[code] for code in codes)


def _at_risk(file: OrderFile, at: Standing, ahead: Outlook | None) -> bool:
    """Say whether anything waited for is at risk, as its look in Prefect says."""
    return file.template.foresees and ahead is not None and any(ahead.at_risk(code) for code in at.open)
