"""Progress: which milestones were reached, in which round, when, and since when that is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from models.book.agreement import Agreement, agreed
from models.book.changes import Booking, CustomsReceipt, QuotationValid, Won
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Report, Withdrawal
from models.codes import BOOKED, CONTRACT, CUSTOMS_CLOSED, DECLARED, QUOTED, RELEASED
from models.status.clearance import Clearance, Receipt, clearance
from models.terms.milestone import Milestone, Takes
from models.terms.template import Template

# By name a member is looked for each time, and a log is read often.
_ACT, _DONE, _FAILED = Classifier.ACT, Outcome.DONE, Outcome.FAILED


class Reached(NamedTuple):
    """When a milestone was reached, since when that is known, and the quantity counted."""

    at: datetime
    known_at: datetime
    quantity: float | None


class Given(NamedTuple):
    """A date that somebody gave for a milestone, and when he said so."""

    at: datetime
    told_at: datetime


class Attempt(NamedTuple):
    """An attempt at a milestone that failed, and what was said about it."""

    at: datetime
    known_at: datetime
    note: str


class CustomsHold(NamedTuple):
    """Since when customs holds the goods, and how long that usually takes; the letter that says so."""

    since: datetime
    letter: str
    takes: Takes


@dataclass(frozen=True)
class Progress:
    """
    How far an order is.

    `counted` are the quantities so far, `expected` the last estimates, `started` when a milestone was begun.
    `failed` are the attempts that failed, earliest first: the present round is one more than these. `voided` says
    since when a milestone is open again: what was reported of it before counts no longer. `redone` are those that
    something else than their own failure opened, and when.
    """

    reached: Mapping[str, Reached]
    counted: Mapping[str, float]
    expected: Mapping[str, Given]
    started: Mapping[str, datetime]
    failed: Mapping[str, tuple[Attempt, ...]]
    voided: Mapping[str, datetime]
    redone: Mapping[str, datetime]
    customs: Clearance | None
    customs_hold: CustomsHold | None

    def round_of(self, code: str) -> int:
        """Return the number of the present attempt at a milestone; the first is 1."""
        return len(self.failed.get(code, ())) + 1


def valid_reports(known: Iterable[Entry]) -> list[Report]:
    """Return the reports that nothing corrected, withdrew or retracted; each event of a source once."""
    entries = list(known)
    reports = [e for e in entries if isinstance(e, Report)]
    withdrawals = [e for e in not_reports(entries) if isinstance(e, Withdrawal)]
    wrong = {report.corrects for report in reports} | {withdrawal.corrects for withdrawal in withdrawals}
    retracted = _retracted(withdrawals)
    told: set[tuple[str, str]] = set()
    valid: list[Report] = []
    for report in reports:
        if report.source_event_id:
            event = (report.source, report.source_event_id)
            # Told again, a report that was corrected or withdrawn since stays so.
            if event in retracted or (event in told and report.corrects is None):
                continue
            told.add(event)
        if report.seq not in wrong:
            valid.append(report)
    return valid


def not_reports(known: Iterable[Entry]) -> list[Entry]:
    """Return what else a log holds: little, beside its reports. Asking each entry what it is takes time."""
    return [entry for entry in known if not isinstance(entry, Report)]


def _retracted(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    return {(e.source, e.retracts) for e in entries if isinstance(e, Withdrawal) and e.retracts}


def progress(file: OrderFile, known: list[Entry], now: Agreement | None = None) -> Progress:
    """Return how far the order is, once everything in `known` is taken into account."""
    others = not_reports(known)
    now = now or agreed(file.order, others)
    receipts = _receipts(others)
    customs = _customs(receipts)
    actual: defaultdict[str, list[Report]] = defaultdict(list)
    failed: defaultdict[str, list[Report]] = defaultdict(list)
    expected: dict[str, Report] = {}
    for report in [*valid_reports(known), *_told_otherwise(file.template, others, receipts, customs)]:
        if report.classifier is _ACT:
            actual[report.milestone].append(report)
            if report.outcome is _FAILED:
                failed[report.milestone].append(report)
        elif report.recorded_at >= expected.get(report.milestone, report).recorded_at:
            expected[report.milestone] = report
    for attempts in failed.values():
        attempts.sort(key=lambda report: (_place(report), report.note))
    redone = _undone(file.template, failed, now)
    voided = _voided(failed, redone)
    reached: dict[str, Reached] = {}
    counted: dict[str, float] = {}
    started: dict[str, datetime] = {}
    for code, reports in actual.items():
        milestone = file.template.by_code.get(code)
        counting = [r for r in reports if _place(r) > voided[code]] if code in voided else reports
        if milestone is None or not counting:
            continue
        started[code] = min(r.occurred_at for r in counting)
        tally = _Tally.of([r for r in counting if r.outcome is _DONE], _wanted(milestone, now.quantity))
        total = tally.total
        if milestone.counted and tally.parts:
            counted[code] = total
        if (reaching := tally.reaching) is not None:
            known_at = _known_at(file, known, tally.first_told)
            reached[code] = Reached(reaching.occurred_at, known_at, total or None)
    return Progress(
        reached=reached,
        counted=counted,
        expected={code: Given(report.occurred_at, report.recorded_at) for code, report in expected.items()},
        started=started,
        failed={code: tuple(Attempt(r.occurred_at, r.recorded_at, r.note) for r in f) for code, f in failed.items()},
        voided={code: place[0] for code, place in voided.items()},
        redone=redone,
        customs=customs,
        customs_hold=_customs_hold(receipts, customs),
    )


_Place = tuple[datetime, int, int]
_LAST_ROUND = 100
_RANKS = {Outcome.STARTED: 0, _FAILED: 1, _DONE: 2}


def _place(report: Report) -> _Place:
    """
    Return where a report stands among those of its milestone, whenever it was told.

    What failed and passed at one instant passed last, unless their rounds say otherwise.
    """
    unsaid = _LAST_ROUND if report.outcome is _DONE else 0
    return (report.occurred_at, report.round or unsaid, _RANKS[report.outcome])


def _undone(template: Template, failed: Mapping[str, list[Report]], now: Agreement) -> dict[str, datetime]:
    """Return what an amendment or the failure of another milestone opened again, and when it last did."""
    undone = dict(now.undone)
    for code, failures in failed.items():
        rounds = template.by_code[code].rounds if code in template.by_code else None
        for report in failures:
            reopened = report.reopens if report.reopens is not None else (rounds.reopens if rounds else ())
            for each in (other for other in reopened if other != code):
                undone[each] = max(undone.get(each, report.occurred_at), report.occurred_at)
    return undone


def _voided(failed: Mapping[str, list[Report]], redone: Mapping[str, datetime]) -> dict[str, _Place]:
    # Of a step that is done again nothing of that instant counts: it was done for the attempt that failed.
    voided: dict[str, _Place] = {code: _after_all(at) for code, at in redone.items()}
    for code, failures in failed.items():
        last = _place(failures[-1])
        voided[code] = max(voided.get(code, last), last)
    return voided


def _after_all(instant: datetime) -> _Place:
    return (instant, _LAST_ROUND, max(_RANKS.values()))


def _receipts(known: list[Entry]) -> list[CustomsReceipt]:
    receipts = [e for e in known if isinstance(e, CustomsReceipt)]
    if not receipts:
        return []
    retracted = _retracted(known)
    return [e for e in receipts if not e.source_event_id or (e.source, e.source_event_id) not in retracted]


def _customs(told: list[CustomsReceipt]) -> Clearance | None:
    receipts = [
        Receipt(
            occurred_at=e.occurred_at,
            state=e.state,
            letter=e.letter,
            declaration=e.declaration,
            text=e.text,
            recorded_at=e.recorded_at,
            seq=e.seq,
        )
        for e in told
    ]
    return clearance(receipts) if receipts else None


def _customs_hold(told: list[CustomsReceipt], customs: Clearance | None) -> CustomsHold | None:
    if customs is None or not customs.holds or customs.released_at is not None:
        return None
    holding = [e for e in told if e.state is customs.holds[-1]]
    last = max(holding, key=lambda e: (e.occurred_at, e.seq))
    return CustomsHold(last.occurred_at, last.letter, last.takes)


def _told_otherwise(
    template: Template, known: list[Entry], receipts: list[CustomsReceipt], customs: Clearance | None
) -> list[Report]:
    """Return the reports that a booking, a quotation, a won prospect or the receipts of customs amount to."""
    told = [
        Report(seq=e.seq, recorded_at=e.recorded_at, by=e.by, milestone=code, occurred_at=e.recorded_at)
        for e in known
        for kind, code in ((Booking, BOOKED), (QuotationValid, QUOTED), (Won, CONTRACT))
        if isinstance(e, kind) and code in template.by_code
    ]
    if customs is None:
        return told
    known_at: dict[datetime, datetime] = {}
    for receipt in receipts:
        at = receipt.occurred_at
        known_at[at] = min(receipt.recorded_at, known_at.get(at, receipt.recorded_at))
    failures = [
        Report(
            recorded_at=known_at[failure.at],
            milestone=DECLARED,
            occurred_at=failure.at,
            outcome=Outcome.FAILED,
            reopens=(RELEASED,),
            note=failure.text,
        )
        for failure in customs.failures
    ]
    done = [
        Report(recorded_at=known_at[at], milestone=code, occurred_at=at)
        for code, at in (
            (DECLARED, customs.declared_at),
            (RELEASED, customs.released_at),
            (CUSTOMS_CLOSED, customs.closed_at),
        )
        if at is not None
    ]
    return told + [report for report in failures + done if report.milestone in template.by_code]


@lru_cache(maxsize=1024)
def _exact(quantity: float) -> Decimal:
    """Return the number that was written: ten times 0.1 is 1."""
    return Decimal(str(quantity))


def _wanted(milestone: Milestone, ordered: float | None) -> Decimal | None:
    if not milestone.counted or ordered is None:
        return None
    whole = _exact(ordered)
    return whole if milestone.complete_at == 100 else whole * _exact(milestone.complete_at) / 100


class _Tally(NamedTuple):
    """The reports of what was done of a milestone, each with its quantity, and the quantity that reaches it."""

    parts: list[tuple[Report, Decimal]]
    wanted: Decimal | None

    @classmethod
    def of(cls, done: Iterable[Report], wanted: Decimal | None) -> _Tally:
        """Take reports; one without a quantity speaks of all that was ordered."""
        whole = wanted or Decimal()
        return cls([(r, _exact(r.quantity) if r.quantity is not None else whole) for r in done], wanted)

    @property
    def total(self) -> float:
        return float(sum(quantity for _, quantity in self.parts))

    @property
    def reaching(self) -> Report | None:
        """The report that reaches it, by the time of the facts: told in any order they give the same state."""
        return self._reaching(_place)

    @property
    def first_told(self) -> Report:
        """The report with which it was known to be reached."""
        first = self._reaching(lambda report: (report.recorded_at, report.seq))
        assert first is not None  # what is reached in one order is reached in any
        return first

    def _reaching(self, place: Callable[[Report], Any]) -> Report | None:
        parts = self.parts if len(self.parts) == 1 else sorted(self.parts, key=lambda part: place(part[0]))
        total = Decimal()
        for report, quantity in parts:
            total += quantity
            if self.wanted is None or total >= self.wanted:
                return report
        return None


def _known_at(file: OrderFile, known: list[Entry], first: Report) -> datetime:
    """Return since when a milestone is known to be reached, `first` being the report that says so."""
    if first.corrects is not None:
        # A corrected date of what was reached before tells of nothing new.
        before = progress(file, [e for e in known if e.seq < first.seq]).reached
        if first.milestone in before:
            return before[first.milestone].known_at
    return first.recorded_at


def next_attempts(
    milestone: Milestone, voided: Mapping[str, datetime], redone: Mapping[str, datetime]
) -> list[tuple[datetime, Takes]]:
    """
    Return from when a milestone that is open again takes how long; both must be over, where there are two.

    After its own failure it takes the next round. What something else undid takes as long as the first time.
    """
    code = milestone.code
    attempts = [(redone[code], milestone.takes)] if code in redone else []
    if code in voided and voided[code] != redone.get(code):
        attempts.append((voided[code], milestone.rounds.takes if milestone.rounds is not None else milestone.takes))
    return attempts


def what_is_done(
    template: Template, reached: Mapping[str, Reached], voided: Mapping[str, datetime] | None = None
) -> dict[str, Reached]:
    """
    Return what was reached, and what must have been because something after it was, although nobody said so.

    What is only implied happened by the first of what follows it, and is known since that is. A milestone that was
    opened again is implied by what happened since then alone.
    """
    done: dict[str, Reached] = {}
    for code in template.backwards:
        again = (voided or {}).get(code)
        after = [
            done[follower]
            for follower in template.successors[code]
            if follower in done and (again is None or done[follower].at > again)
        ]
        own = reached.get(code)
        if own is not None:
            done[code] = own._replace(known_at=min([own.known_at, *(r.known_at for r in after)]))
        elif after:
            done[code] = Reached(min(r.at for r in after), min(r.known_at for r in after), None)
    return done
