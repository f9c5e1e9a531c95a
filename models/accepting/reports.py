"""Which reports can be true: the refusals of facts, of rounds out of their order, and of more than was ordered."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from shlex import quote

from models.accepting.letters import check_letters
from models.accepting.running import must_not_be_split
from models.book.agreement import agreed
from models.book.entry import Entry
from models.book.order import Order
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Report, Withdrawal
from models.errors import Refused, UnknownMilestone
from models.status.progress import progress, valid_reports
from models.terms.template import Template

SKEW = timedelta(hours=1)
"""How far a clock elsewhere may be ahead of ours."""


def check_report(order: Order, template: Template, report: Report | Withdrawal, now: datetime) -> None:
    """
    Refuse a report that cannot be true, whatever else is known of the order.

    Raises UnknownMilestone, or Refused for a fact from before the order was placed or more than an hour ahead, and
    for a failure of what cannot fail and for signs that cannot be carried.
    """
    check_letters(report)
    if report.milestone not in template.by_code:
        raise UnknownMilestone(order.order_no, report.milestone, template.codes)
    if isinstance(report, Withdrawal):
        return
    if report.classifier is Classifier.ACT and report.occurred_at > now + SKEW:
        raise Refused(
            f"Order {order.order_no}: {report.milestone} cannot have happened at "
            f"{report.occurred_at:%Y-%m-%d %H:%M %Z}, which is in the future. If it is expected then, report it as an "
            "estimate (EST)."
        )
    if report.occurred_at < order.placed_at:
        raise Refused(
            f"Order {order.order_no}: {report.milestone} at {report.occurred_at:%Y-%m-%d %H:%M %Z} is before the order "
            f"was placed ({order.placed_at:%Y-%m-%d %H:%M %Z}). Check the date and the order number."
        )
    if report.outcome is Outcome.FAILED:
        _must_be_able_to_fail(order, template, report)
    elif report.reopens is not None:
        raise Refused(
            f"Order {order.order_no}: only what failed opens other steps again, and {report.milestone} is reported as "
            f"{report.outcome.value}. Report it as failed, or leave {', '.join(report.reopens) or 'them'} out."
        )


def _must_be_able_to_fail(order: Order, template: Template, report: Report) -> None:
    if template.by_code[report.milestone].rounds is None:
        can = ", ".join(m.code for m in template.milestones if m.rounds is not None) or "none of its steps"
        raise Refused(
            f"Order {order.order_no}: {report.milestone} has no rounds, so no attempt at it can fail. Those that can: "
            f"{can}. If it only comes later, say by when: "
            f"`gendan promise {quote(order.order_no)} {report.milestone} DATE`."
        )
    for code in report.reopens or ():
        if code not in template.by_code:
            raise UnknownMilestone(order.order_no, code, template.codes)


def needs_log(template: Template, report: Report | Withdrawal) -> bool:
    """Say whether the order's log must be known to accept a report: those that count, fail, or correct another."""
    if isinstance(report, Withdrawal):
        return True
    counts = report.quantity is not None and _counts_goods(template, report.milestone)
    return counts or report.round is not None or report.corrects is not None or report.outcome is not Outcome.DONE


def check_told(file: OrderFile, report: Report | Withdrawal, now: datetime) -> None:
    """
    Refuse a report that cannot be true after all that is in the order's log.

    Raises UnknownMilestone or Refused. What was told before, by its source and event id, is never refused for what
    has happened since: telling a thing twice changes nothing.
    """
    check_report(file.order, file.template, report, now)
    if _was_told(file, report):
        return
    must_not_be_split(file)
    _check_correction(file, report)
    known = [entry for entry in file.entries if entry.recorded_at <= now]
    if isinstance(report, Withdrawal):
        _check_retraction(file, report)
    else:
        _check_round(file, known, report)
        _check_quantity(file, known, report)


def beyond_rounds(file: OrderFile, report: Entry, now: datetime) -> str:
    """Say so where `report` leaves its milestone in more rounds than its template foresees; else an empty text."""
    rounds = file.template.by_code[report.milestone].rounds if isinstance(report, Report) else None
    if not isinstance(report, Report) or rounds is None:
        return ""
    present = progress(file, _with(file, [e for e in file.entries if e.recorded_at <= now], report)).round_of(
        report.milestone
    )
    if present <= rounds.at_most:
        return ""
    return f"{report.milestone}: round {present} of at most {rounds.at_most}. Somebody must decide how it goes on."


def _was_told(file: OrderFile, report: Report | Withdrawal) -> bool:
    if isinstance(report, Withdrawal):
        return bool(report.retracts) and any(
            isinstance(e, Withdrawal) and (e.source, e.retracts) == (report.source, report.retracts)
            for e in file.entries
        )
    return bool(report.source_event_id) and any(
        isinstance(e, Report) and (e.source, e.source_event_id) == (report.source, report.source_event_id)
        for e in file.entries
    )


def _with(file: OrderFile, known: list[Entry], report: Report) -> list[Entry]:
    return [*known, report.model_copy(update={"seq": max((e.seq for e in file.entries), default=0) + 1})]


def _check_correction(file: OrderFile, entry: Report | Withdrawal) -> None:
    if entry.corrects is None:
        return
    wrong = next((e for e in file.entries if e.seq == entry.corrects), None)
    if not isinstance(wrong, Report) or wrong.milestone != entry.milestone:
        reports = ", ".join(
            str(e.seq) for e in file.entries if isinstance(e, Report) and e.milestone == entry.milestone
        )
        raise Refused(
            f"Order {file.order.order_no}: line {entry.corrects} of its log is no report of {entry.milestone}"
            f"{f' (those are {reports})' if reports else ''}. See `gendan orders show {quote(file.order.order_no)}`."
        )
    if any(isinstance(e, Report | Withdrawal) and e.corrects == entry.corrects for e in file.entries):
        raise Refused(
            f"Order {file.order.order_no}: line {entry.corrects} was corrected already; correct the line that replaced "
            f"it. See `gendan orders show {quote(file.order.order_no)}`."
        )


def _check_retraction(file: OrderFile, entry: Withdrawal) -> None:
    """Refuse to retract what was told of another milestone; an event that is still to come may be retracted."""
    for told in file.entries:
        if not entry.retracts or not isinstance(told, Report):
            continue
        if (told.source, told.source_event_id) == (entry.source, entry.retracts) and told.milestone != entry.milestone:
            raise Refused(
                f"Order {file.order.order_no}: event {entry.retracts} of {entry.source} is about {told.milestone}, not "
                f"about {entry.milestone}. Retract it there."
            )


def _check_round(file: OrderFile, known: list[Entry], report: Report) -> None:
    if report.round is None:
        return
    order_no, code = file.order.order_no, report.milestone
    present = progress(file, known).round_of(code)
    wrong = next((e for e in known if isinstance(e, Report) and e.seq == report.corrects), None)
    if wrong is not None:
        # What it corrects may speak of a round that is over.
        if report.round == wrong.round or (wrong.round is None and report.round <= present):
            return
        raise Refused(
            f"Order {order_no}: line {wrong.seq} speaks of round {wrong.round or present} of {code}, and this of "
            f"round {report.round}. Give that round, or none."
        )
    if report.round < present:
        raise Refused(
            f"Order {order_no}: {code} is in round {present}, and round {report.round} is over: it failed. Leave the "
            f"round out, or correct the line that told of it: `gendan report {quote(order_no)} {code} --corrects LINE`."
        )
    if report.round > present:
        number = quote(order_no)
        remedy = (
            f"Tell first how round {present} ended: `gendan report {number} {code} --failed --round {present}`."
            if file.template.by_code[code].rounds is not None
            else f"No attempt at {code} can fail, so it has one round only: leave the round out."
        )
        raise Refused(f"Order {order_no}: {code} is in round {present}, not yet in round {report.round}. {remedy}")


def _counts_goods(template: Template, code: str) -> bool:
    """Say whether a quantity of this step is one of the order's goods; elsewhere it may be metres, rolls or boxes."""
    return template.by_code[code].counted or code in (template.loads, template.departure)


def _check_quantity(file: OrderFile, known: list[Entry], report: Report) -> None:
    """Refuse more than was ordered and its tolerance allows, in this report or in all of its step together."""
    code = report.milestone
    now = agreed(file.order, known)
    if report.quantity is None or now.quantity is None or not _counts_goods(file.template, code):
        return
    most = now.allowed.most(now.quantity) if now.allowed is not None else now.quantity
    total = report.quantity
    if report.classifier is Classifier.ACT and report.outcome is Outcome.DONE:
        together = _told_so_far(file, _with(file, known, report), code)
        # A correction may leave too much, as long as it is less than before.
        if together > most and together > _told_so_far(file, known, code):
            total = max(total, together)
    if total <= most:
        return
    order_no, unit = file.order.order_no, f" {file.order.unit}" if file.order.unit else ""
    number = quote(order_no)
    raise Refused(
        f"Order {order_no}: {code} would be {amount(total)} of {amount(now.quantity)}{unit}"
        f"{f', of which at most {amount(most)} are allowed' if most > now.quantity else ''}. Was a part told twice? "
        f"`gendan report {number} {code} --withdraw LINE` takes it back. Did the customer order more? "
        f"`gendan amend {number} --quantity NUMBER`."
    )


def _told_so_far(file: OrderFile, known: list[Entry], code: str) -> float:
    """Return the quantity of all parts told of a step since it was opened last; a report without one is no part."""
    since = progress(file, known).voided.get(code)
    parts = (
        Decimal(str(report.quantity))
        for report in valid_reports(known)
        if report.milestone == code
        and report.quantity is not None
        and report.classifier is Classifier.ACT
        and report.outcome is Outcome.DONE
        and (since is None or report.occurred_at > since)
    )
    return float(sum(parts, Decimal()))


def amount(quantity: float) -> str:
    """Return a quantity as it is written: 3600, not 3600.0."""
    return f"{quantity:.15g}"
