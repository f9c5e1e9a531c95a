"""The states of a chase, and which of the notices that were raised still hold (domain.md 3.4)."""

from __future__ import annotations

from models.book.order import OrderState
from models.book.order_file import Chase, ChaseState, Claim
from models.book.report import Acknowledgement, Promise, Report
from models.escalation.alarms import broken_dates
from models.escalation.notice import View
from models.planning.hard_dates import cutoffs

NOT_DUE = "not due"
"""Why a chase is suppressed whose step is open and has a new date."""


def chases(view: View) -> dict[str, Chase]:
    """
    Return the chase of each milestone that was ever chased, as it stands now.

    Triggered once its stall was told of; then acknowledged until its own time limit, promised until the date that
    was given, suppressed while the order rests, since it is off, or while its new date has not come, resolved when the
    step is done.
    """
    found = {code: _chase(view, code, former) for code, former in view.file.chases.items()}
    for code, firings in view.at.firings.items():
        if code not in found and any(firing.at <= view.at.now and not firing.depends for firing in firings):
            found[code] = _chase(view, code, None)
    return found


def _chase(view: View, code: str, former: Chase | None) -> Chase:
    at = view.at
    rung = at.rung_of(code) or (former.rung if former is not None else "")
    if code in at.done:
        return Chase(ChaseState.RESOLVED, rung, _who_said(view, code, Report))
    if at.state is OrderState.ON_HOLD:
        return Chase(ChaseState.SUPPRESSED, rung, at.held.by if at.held is not None else "", why=at.state.value)
    if at.state is not OrderState.OPEN or code not in at.open:
        # Off, or waiting for a date, or open no longer because what comes before it was undone.
        return Chase(ChaseState.SUPPRESSED, rung, why=at.state.value if at.state is not OrderState.OPEN else "reopened")
    if code in at.acknowledged:
        return Chase(ChaseState.ACKNOWLEDGED, rung, _who_said(view, code, Acknowledgement), at.acknowledged[code])
    if at.rung_of(code) is not None:
        return Chase(ChaseState.TRIGGERED, rung)
    if code in at.promised:
        return Chase(ChaseState.PROMISED, rung, _who_said(view, code, Promise), at.promised[code])
    return Chase(ChaseState.SUPPRESSED, rung, why=NOT_DUE)  # its date was moved away from, or it was opened again


def _who_said(view: View, code: str, kind: type[Report | Promise | Acknowledgement]) -> str:
    """Return who last said something of this kind about a milestone."""
    return next((e.by for e in reversed(view.known) if isinstance(e, kind) and e.milestone == code), "")


def standing_claims(view: View, notes: frozenset[Claim]) -> frozenset[Claim]:
    """
    Return which of the notices that were raised still hold; `notes` are those of them that are no stalls.

    A stall's hold while its date is the same and nobody has taken it on, a reminder's until the step is due or
    done, a tick's until its cut-off is met, an alarm's while the forecast breaks the date and nobody has decided.
    """
    file, at = view.file, view.at
    if at.state not in (OrderState.OPEN, OrderState.ON_HOLD):
        return notes
    ladder = {rung.code for rung in file.policy.rungs}
    cut = {(hard.milestone, hard.at) for hard in cutoffs(file.template, at.agreed) if hard.milestone not in at.done}
    alarming = {(hard.code, hard.at) for hard in broken_dates(view) if hard.code not in at.acknowledged}

    def holds(claim: Claim) -> bool:
        if claim.rung.startswith("T-"):
            return (claim.milestone, claim.due) in cut
        if claim.milestone not in file.template.by_code:
            return (claim.milestone, claim.due) in alarming
        if at.state is not OrderState.OPEN or claim.milestone not in at.open or claim.milestone in at.acknowledged:
            return False
        if at.effective_due(claim.milestone) != claim.due:
            return False
        return at.rung_of(claim.milestone) is not None if claim.rung in ladder else claim.due > at.now

    return notes | {claim for claim in file.claimed if claim not in notes and holds(claim)}
