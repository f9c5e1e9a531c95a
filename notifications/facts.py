"""What a message is about: the facts of an order at one moment, before they are put into words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from models.book.order import Order, OrderKind
from models.book.order_file import OrderFile
from models.book.report import Promise
from models.decide import NO_DATE, NOTE, UNFOLLOWED, Tell
from models.escalation.owner import owner_of
from models.names import Name
from models.planning.hard_dates import HardDate
from models.planning.outlook import Outlook, outlook, slack_days
from models.planning.provisional import ProvisionalDates, provisional_dates
from models.prospect import CONTRACT_SIGNED, DORMANT, NEXT_CONTACT, QUOTE_ENDS, next_contact, silent_for
from models.status.lateness import as_date, days_late
from models.status.standing import Standing
from models.terms.template import Template
from notifications.asking import possible_ways, reply_by
from notifications.particulars import Deadline, Foreseen, NextRung, Note, Plan, Prospect, Sailing, Stall, Step, Waited
from notifications.particulars import Facts as Facts
from notifications.particulars import Kind as Kind
from notifications.particulars import Parties as Parties

PRODUCT = ("item", "product", "article", "style", "description", "品名", "产品", "產品")
REFERENCE = ("customer_po", "po", "po_no", "customer_order", "buyer_po", "客户单号", "客戶單號")
"""The columns of an order's file, in any capitals, that hold what was ordered and the customer's own number."""

PROSPECT_NOTES = (NEXT_CONTACT, QUOTE_ENDS, DORMANT, CONTRACT_SIGNED)
"""What is said about a prospect beside its stalls."""


class Foresight(NamedTuple):
    """What is foreseen for an order as it stands, and which of those dates unpublished holidays may move."""

    ahead: Outlook | None
    unsure: ProvisionalDates


def foresee(file: OrderFile, at: Standing) -> Foresight:
    """Work out what is foreseen: once for all that is said of an order at a time, for it is most of the work."""
    ahead = _ahead(file, at)
    return Foresight(ahead, provisional_dates(file, at, ahead))


def gather(file: OrderFile, at: Standing, tell: Tell, parties: Parties, foresight: Foresight | None = None) -> Facts:
    """
    Gather what the message for `tell` says, as things stand in `at`; `foresight` is what `foresee` says of that.

    A party that `parties` does not hold is called by its code, and taken for one from outside.
    """
    home, order = file.calendar.tz, file.order
    about, rung = tell.claim.milestone, tell.claim.rung
    ahead, unsure = foresight or foresee(file, at)
    kind = _kind(file, tell)
    deadline = _deadline(file, at, tell, kind, ahead)
    step = about if about in file.template.by_code else _to_hurry(file, at, ahead, deadline)
    stall = _stall(file, at, tell, parties, step, unsure) if step and kind is not Kind.NOTE else None
    sailing = _sailing(file, at, stall, ahead, unsure)
    return Facts(
        order_no=order.order_no,
        customer=order.customer,
        reference=_attribute(order, REFERENCE),
        product=_attribute(order, PRODUCT),
        quantity=at.agreed.quantity,
        unit=order.unit,
        value=order.value,
        currency=order.currency,
        kind=kind,
        rung=rung,
        about=about,
        since=tell.claim.due.astimezone(home),
        now=at.now.astimezone(home),
        home=home,
        reply_by=reply_by(file.calendar, at.now, kind, tell.claim.due),
        deadline=deadline,
        ways=possible_ways(file, at, kind, stall, sailing, deadline),
        sailing=sailing,
        note=note_on(file, at, step or about),
        stall=stall,
        prospect=_prospect(file, at, about) if about in PROSPECT_NOTES else None,
        plan=Plan(file, at, parties) if at.due and order.kind is OrderKind.EXPORT else None,
    )


def name_of(code: str, parties: Parties) -> Name:
    """Return what the party `code` is called; its code where nobody gave it a name."""
    party = parties.get(code)
    return party.name if party else Name(en=code, zh_hans=code, zh_hant=code)


def note_on(file: OrderFile, at: Standing, milestone: str) -> Note | None:
    """Return the last note on `milestone`, else the last on the whole order."""
    entry = at.notes.get(milestone) or at.notes.get("")
    if entry is None:
        return None
    return Note(entry.recorded_at.astimezone(file.calendar.tz), entry.by, entry.note)


def _kind(file: OrderFile, tell: Tell) -> Kind:
    rung, about = tell.claim.rung, tell.claim.milestone
    if rung == NOTE or about in (NO_DATE, UNFOLLOWED, *PROSPECT_NOTES):
        return Kind.NOTE
    if rung.startswith("R"):
        return Kind.REMINDER
    if rung.startswith("T-"):
        return Kind.MISSED if rung == "T-0" else Kind.CLOCK
    if about not in file.template.by_code:
        return Kind.DECISION
    last = rung == file.policy.rungs[-1].code
    return Kind.DECISION if last and file.order.kind is OrderKind.EXPORT else Kind.STALL


def _ahead(file: OrderFile, at: Standing) -> Outlook | None:
    if not file.template.foresees or at.departed_at is not None or at.etd is None:
        return None
    return outlook(file, at)


def _deadline(file: OrderFile, at: Standing, tell: Tell, kind: Kind, ahead: Outlook | None) -> Deadline | None:
    claim = tell.claim
    alarm = kind is Kind.DECISION and claim.milestone not in file.template.by_code
    if kind not in (Kind.CLOCK, Kind.MISSED) and not alarm:
        return None
    milestone, code = _meets(file, ahead, claim.milestone)
    hard = (
        next((each for each in ahead.hard if (each.code, each.milestone) == (code, milestone)), None) if ahead else None
    )
    zone = file.calendars[file.template.by_code[milestone].calendar].tz
    limit = claim.due.astimezone(zone)
    forecast = ahead.forecast[milestone].astimezone(zone).date() if ahead else None
    leading = _leading_to(file.template, milestone)
    return Deadline(
        code=code,
        at=limit,
        step=_step(file, milestone),
        forecast=forecast,
        too_late=max(0, (forecast - limit.date()).days) if forecast else 0,
        open=tuple(_step(file, each) for each in at.open if each in leading),
        source=hard.source if hard else "",
    )


def _meets(file: OrderFile, ahead: Outlook | None, about: str) -> tuple[str, str]:
    """Return the milestone that must meet the date that a claim is about, and that date's code."""
    template = file.template
    if about in template.by_code:
        return about, template.by_code[about].cutoff or about
    for hard in ahead.hard if ahead else ():
        if hard.code == about:
            return hard.milestone, about
    keeps = next((m.code for m in template.milestones if m.cutoff == about), template.loads)
    return keeps, about


def _to_hurry(file: OrderFile, at: Standing, ahead: Outlook | None, deadline: Deadline | None) -> str | None:
    """Return the open step that a date depends on most: the one with the least slack, on the driving path first."""
    if deadline is None:
        return None
    codes = [step.code for step in deadline.open]
    if ahead is None:
        return codes[0] if codes else None

    def urgency(code: str) -> tuple[int, bool]:
        slack = slack_days(file, ahead, code)
        return (slack if slack is not None else 10_000, code not in ahead.path)

    return min(codes, key=urgency, default=None)


def _stall(file: OrderFile, at: Standing, tell: Tell, parties: Parties, code: str, unsure: ProvisionalDates) -> Stall:
    rung, policy = tell.claim.rung, file.policy
    milestone = file.template.by_code[code]
    waits, owner = milestone.waiting_on, owner_of(file, [e for e in file.entries if e.recorded_at <= at.now], code)
    zone = file.calendars[milestone.calendar].tz
    due = at.due.get(code, tell.claim.due)
    promised = at.promised.get(code)
    chased = at.effective_due(code) or due
    on_ladder = rung in {each.code for each in policy.rungs} and code == tell.claim.milestone
    above = rung if on_ladder else ""
    following = next((f for f in at.firings.get(code, ()) if f.at > at.now and f.rung > above), None)
    done_with = at.passed | at.reached.keys()
    counted = milestone.counted and at.agreed.quantity is not None
    return Stall(
        rung=rung,
        step=_step(file, code),
        due=due.astimezone(zone),
        unsure=code in unsure.plan and due > at.now,
        promised=promised.astimezone(zone) if promised else None,
        late=days_late(file, due, at.now) if due < at.now else 0,
        left=file.calendar.count_workdays(file.calendar.local_date(at.now), file.calendar.local_date(chased)),
        dates_given=_dates_given(file, at, code),
        accountable=name_of(owner, parties),
        waiting_on=tuple(Waited(each, name_of(each, parties), _is_outside(each, parties)) for each in waits),
        asks=policy.asks_of(rung, waits) if on_ladder else None,
        next=following
        and NextRung(
            following.rung,
            name_of(policy.told_in_place_of(policy.by_code(following.rung).role, owner, waits), parties),
            following.at.astimezone(file.calendar.tz),
        ),
        is_last=rung == policy.rungs[-1].code,
        follows=tuple(_step(file, each) for each in file.template.successors[code] if each not in done_with),
        done=at.counted.get(code, 0.0) if counted else None,
        required=at.agreed.quantity if counted else None,
    )


def _step(file: OrderFile, code: str) -> Step:
    return Step(code, file.template.by_code[code].name)


def _is_outside(code: str, parties: Parties) -> bool:
    party = parties.get(code)
    return party is None or not party.internal


def _dates_given(file: OrderFile, at: Standing, code: str) -> int:
    """Count the dates promised for the present attempt."""
    voided = at.voided.get(code)
    given = [e.recorded_at for e in file.entries if isinstance(e, Promise) and e.milestone == code]
    return sum(told <= at.now and (voided is None or told > voided) for told in given)


def _attribute(order: Order, names: tuple[str, ...]) -> str:
    written = {key.strip().casefold(): value for key, value in order.attributes.items()}
    return next((written[name] for name in names if written.get(name, "").strip()), "")


def _sailing(
    file: OrderFile, at: Standing, stall: Stall | None, ahead: Outlook | None, unsure: ProvisionalDates
) -> Sailing | None:
    if at.etd is None:
        return None
    calendar = file.calendar
    today, ship_day = calendar.local_date(at.now), as_date(at.etd, calendar)
    used = (today - calendar.local_date(stall.due)).days if stall else 0
    return Sailing(
        etd=at.etd.astimezone(calendar.tz) if isinstance(at.etd, datetime) else at.etd,
        workdays_left=calendar.count_workdays(today, ship_day),
        days_past=max(0, (today - ship_day).days),
        days_used=max(0, used),
        departed_at=at.departed_at.astimezone(calendar.tz) if at.departed_at else None,
        foreseen=_foreseen(file, at, ahead, stall.step.code, unsure) if stall and ahead else None,
        is_hoped=file.order.kind is OrderKind.PROSPECT,
    )


def _foreseen(file: OrderFile, at: Standing, ahead: Outlook, code: str, unsure: ProvisionalDates) -> Foreseen:
    assert at.etd is not None
    ahead_of = _leads_to(file.template, code)
    broken = [b.hard for b in ahead.broken if b.hard.milestone in ahead_of] if ahead.at_risk(code) else []
    missed = {b.hard for b in ahead.broken}
    coming = [h for h in ahead.hard if h.milestone in ahead_of and h.at > at.now and h not in missed]
    sails_on = file.calendar.local_date(ahead.sails_at)
    return Foreseen(
        sails_on=sails_on,
        unsure=file.template.departure in unsure.forecast,
        is_late=ahead.slips,
        slips=(sails_on - as_date(at.etd, file.calendar)).days,
        slack=slack_days(file, ahead, code),
        breaks=_at_its_place(file, broken[0]) if broken else None,
        next=_at_its_place(file, min(coming, key=lambda h: (h.at, h.code))) if coming else None,
    )


def _at_its_place(file: OrderFile, hard: HardDate) -> HardDate:
    zone = file.calendars[file.template.by_code[hard.milestone].calendar].tz
    return hard._replace(at=hard.at.astimezone(zone))


def _leading_to(template: Template, code: str) -> frozenset[str]:
    """Return a milestone and all that come before it, directly or not."""
    found = {code}
    rest = [code]
    while rest:
        for before in template.by_code[rest.pop()].after:
            if before not in found:
                found.add(before)
                rest.append(before)
    return frozenset(found)


def _leads_to(template: Template, code: str) -> frozenset[str]:
    """Return a milestone and all that come after it, directly or not."""
    found = {code}
    rest = [code]
    while rest:
        for after in template.successors[rest.pop()]:
            if after not in found:
                found.add(after)
                rest.append(after)
    return frozenset(found)


def _prospect(file: OrderFile, at: Standing, about: str) -> Prospect:
    calendar = file.calendar
    today, silent = calendar.local_date(at.now), silent_for(file, at.now)
    signed = at.done.get(file.template.follow_to)
    days = {
        NEXT_CONTACT: next_contact(file, at.now),
        QUOTE_ENDS: at.agreed.quotation_until,
        CONTRACT_SIGNED: calendar.local_date(signed.at) if signed else None,
    }
    day = days.get(about) or today - timedelta(days=silent)
    return Prospect(
        day=day,
        workdays_left=calendar.count_workdays(today, day),
        days_silent=silent,
        waits_for=tuple(Step(code, file.template.by_code[code].name) for code in at.open),
    )
