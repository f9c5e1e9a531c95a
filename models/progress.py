"""Progress: which milestones were reached, when, and since when that is known, out of the reports alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from models.order_file import OrderFile
from models.report import Classifier, Entry, Report, Withdrawal
from models.template import Template


class Reached(NamedTuple):
    """When a milestone was reached, since when that is known, and the quantity counted."""

    at: datetime
    known_at: datetime
    quantity: float | None


def _valid_reports(known: Iterable[Entry]) -> list[Report]:
    """Return the reports that nothing corrected or withdrew."""
    entries = list(known)
    wrong = {e.corrects for e in entries if isinstance(e, (Report, Withdrawal)) and e.corrects is not None}
    return [e for e in entries if isinstance(e, Report) and e.seq not in wrong]


def progress(file: OrderFile, known: list[Entry]) -> tuple[dict[str, Reached], dict[str, float], dict[str, datetime]]:
    """Return what was reached, the quantities counted so far, and the last estimates, each by milestone."""
    actual: dict[str, list[Report]] = {}
    expected: dict[str, Report] = {}
    for report in _valid_reports(known):
        if report.classifier is Classifier.ACT:
            actual.setdefault(report.milestone, []).append(report)
        elif report.recorded_at >= expected.get(report.milestone, report).recorded_at:
            expected[report.milestone] = report
    reached: dict[str, Reached] = {}
    counted: dict[str, float] = {}
    for code, reports in actual.items():
        milestone = file.template.by_code.get(code)
        if milestone is None:
            continue
        ordered = file.order.quantity if milestone.counted else None
        wanted = _exact(ordered) if ordered is not None else None
        total = float(sum(_told_of(report, wanted) for report in reports))
        if milestone.counted:
            counted[code] = total
        # By the time of the fact, not of its telling: the same reports in any order give the same state.
        reaching = _reaching(sorted(reports, key=lambda r: (r.occurred_at, r.recorded_at, r.seq)), wanted)
        if reaching is not None:
            first = _reaching(sorted(reports, key=lambda r: (r.recorded_at, r.seq)), wanted)
            assert first is not None  # what is reached in one order is reached in any
            reached[code] = Reached(reaching.occurred_at, _known_at(file, known, first), total or None)
    return reached, counted, {code: report.occurred_at for code, report in expected.items()}


def _exact(quantity: float) -> Decimal:
    """Return the number that was written: ten times 0.1 is 1."""
    return Decimal(str(quantity))


def _told_of(report: Report, wanted: Decimal | None) -> Decimal:
    """Return the quantity of a report; one without a quantity speaks of all that was ordered."""
    return _exact(report.quantity) if report.quantity is not None else (wanted or Decimal())


def _reaching(reports: Iterable[Report], wanted: Decimal | None) -> Report | None:
    """Return the report with which a milestone is reached, taking them in this order."""
    total = Decimal()
    for report in reports:
        total += _told_of(report, wanted)
        if wanted is None or total >= wanted:
            return report
    return None


def _known_at(file: OrderFile, known: list[Entry], first: Report) -> datetime:
    """Return since when a milestone is known to be reached, `first` being the report that says so."""
    if first.corrects is not None:
        # A corrected date of what was reached before tells of nothing new.
        before, _, _ = progress(file, [e for e in known if e.seq < first.seq])
        if first.milestone in before:
            return before[first.milestone].known_at
    return first.recorded_at


def what_is_done(template: Template, reached: Mapping[str, Reached]) -> dict[str, Reached]:
    """
    Return what was reached, and what must have been because something after it was, although nobody said so.

    What is only implied happened by the first of what follows it, and is known since that is.
    """
    done: dict[str, Reached] = {}
    for code in template.backwards:
        after = [done[follower] for follower in template.successors[code] if follower in done]
        own = reached.get(code)
        if own is not None:
            done[code] = own._replace(known_at=min([own.known_at, *(r.known_at for r in after)]))
        elif after:
            done[code] = Reached(min(r.at for r in after), min(r.known_at for r in after), None)
    return done
