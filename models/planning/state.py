"""The state of each milestone on the T&A sheet (domain.md 2.4): what is a fact and what is a forecast, told apart."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.planning.outlook import Outlook
from models.status.standing import Standing

LONG_STEP = 5
"""Likely working days from which a step is long: it is due soon earlier than a short one (domain.md 3.1)."""
NOTICE_LONG, NOTICE_SHORT = 5, 2
"""Working days before its date from which a milestone is due soon."""


class MilestoneState(StrEnum):
    """What a milestone looks like on the sheet."""

    NOT_STARTED = "not_started"
    DUE_SOON = "due_soon"
    IN_PROGRESS = "in_progress"
    PROMISED = "promised"
    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    BLOCKED = "blocked"
    ON_HOLD = "on_hold"
    DONE_ON_TIME = "done_on_time"
    DONE_LATE = "done_late"
    PASSED = "passed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


def state_of(file: OrderFile, at: Standing, ahead: Outlook | None, code: str) -> MilestoneState:
    """
    Return the state of a milestone: a fact before a forecast, a forecast before a plan.

    OVERDUE has passed its date and is waited for; BLOCKED has passed it too, and waits for a step before it. AT_RISK
    has time left, but its forecast breaks the ETD or a hard date. SKIPPED is beyond how far the order is followed.
    """
    if code in at.reached:
        due = at.due.get(code)
        return (
            MilestoneState.DONE_LATE if due is not None and at.reached[code].at > due else MilestoneState.DONE_ON_TIME
        )
    if code in at.done:
        return MilestoneState.PASSED
    if code not in file.template.followed:
        return MilestoneState.SKIPPED
    if at.state.is_over or at.state is OrderState.NOT_FOLLOWED:
        return MilestoneState.CANCELLED
    if at.state is OrderState.ON_HOLD:
        return MilestoneState.ON_HOLD
    due = at.effective_due(code)
    if due is not None and due < at.now:
        return MilestoneState.OVERDUE if code in at.open else MilestoneState.BLOCKED
    if ahead is not None and ahead.at_risk(code):
        return MilestoneState.AT_RISK
    if code in at.open and code in at.promised:
        return MilestoneState.PROMISED
    if due is not None and at.now >= notice_from(file, code, due):
        return MilestoneState.DUE_SOON
    begun = code in at.open or code in at.started
    return MilestoneState.IN_PROGRESS if begun else MilestoneState.NOT_STARTED


def notice_from(file: OrderFile, code: str, due: datetime) -> datetime:
    """Return the instant from which a milestone is due soon, on its own calendar."""
    milestone = file.template.by_code[code]
    calendar = file.calendars[milestone.calendar]
    days = NOTICE_LONG if milestone.takes.likely >= LONG_STEP else NOTICE_SHORT
    return calendar.latest_start(due, days)
