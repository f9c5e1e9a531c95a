"""Lots: an order that leaves in parts, each followed by itself, all of them together the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from models.book.agreement import agreed
from models.book.changes import Amendment, Booking, CreditAdvised, Hold, Lot, Resume, Split
from models.book.entry import Entry
from models.book.order import Etd, Order
from models.book.order_file import OrderFile
from models.book.report import Classifier, NotMine, Outcome, Promise, Report
from models.calendars.workdays import Calendar
from models.codes import FROZEN
from models.status.lateness import departs_late
from models.status.progress import progress, valid_reports
from models.status.standing import Standing
from models.terms.template import Template
from models.terms.tolerance import Tolerance


def order_of_lot(file: OrderFile, lot: Lot, split_at: datetime) -> Order:
    """Return the order that a lot is followed as: a part of `file`'s order as agreed by then, known since the split."""
    now = agreed(file.order, file.entries)
    return file.order.model_copy(
        update={
            "order_no": lot.order_no,
            "parent": file.order.order_no,
            "quantity": lot.quantity,
            "etd": lot.etd,
            "came_in": split_at,
            "tolerance": now.tolerance,
            "ship_from": now.ship_from,
            "ship_by": now.ship_by,
            "cancel_after": now.cancel_after,
            "merchandiser": now.merchandiser,
        }
    )


def passed_on(file: OrderFile, split: Split, lot: Lot, template: Template) -> list[Entry]:
    """
    Return the log that a lot begins with, in the order in which it became known.

    Those are the facts that it inherits, and what was said of the order and still holds for it: the credit, the hold,
    the last promise for each of its steps and who has it, the steps that an amendment undid, and the booking of the lot
    that leaves on it.
    """
    entries = [entry for entry in file.entries if entry.seq < split.seq]
    now = agreed(file.order, entries)
    kept: list[Entry] = [*inherited(file, split, lot, template)]
    promises: dict[str, Promise] = {}
    owners: dict[str, NotMine] = {}
    held: Hold | None = None
    credit: CreditAdvised | None = None
    for entry in entries:
        match entry:
            case Promise() if entry.milestone in template.by_code:
                promises[entry.milestone] = entry
            case NotMine() if entry.milestone in template.by_code:
                owners[entry.milestone] = entry
            case Hold():
                held = held or entry
            case Resume():
                held = None
            case CreditAdvised():
                credit = entry
            case Amendment() if undone := tuple(code for code in entry.undoes if code in template.by_code):
                kept.append(Amendment(recorded_at=entry.recorded_at, by=entry.by, note=entry.note, undoes=undone))
            case Booking() if entry is now.booking and entry.etd == lot.etd and not lot.template:
                kept.append(entry)
            case _:
                pass
    kept += [entry for entry in (credit, held, *owners.values(), *promises.values()) if entry is not None]
    return sorted((entry.model_copy(update={"seq": 0}) for entry in kept), key=lambda entry: entry.recorded_at)


def inherited(file: OrderFile, split: Split, lot: Lot, template: Template) -> list[Report]:
    """
    Return what a lot knows of the order's past: the facts of every step that it has itself.

    Quantities done so far go to the lots in the order in which the split names them: the first is filled first.
    A step that was done as a whole is done for every lot; one done in part only for those that it fills.
    """
    known = [entry for entry in file.entries if entry.seq < split.seq]
    facts = [r for r in valid_reports(known) if r.milestone in template.by_code and r.milestone != FROZEN]
    voided = progress(file, known).voided
    ahead = _quantity_ahead(split, lot)
    # What is done beyond the order's quantity, within its tolerance, is in the last lot.
    room = Decimal(str(lot.quantity)) if lot != split.lots[-1] else Decimal("Infinity")
    told: list[Report] = []
    for code in template.codes:
        mine = [r for r in facts if r.milestone == code]
        # What does not count pieces (rolls of fabric, metres) came for the whole order.
        parts = [r for r in mine if r.quantity is not None and template.by_code[code].counted]
        told.extend(r for r in mine if r not in parts)
        told.extend(_share([r for r in parts if code not in voided or r.occurred_at > voided[code]], ahead, room))
    return [
        report.model_copy(
            update={
                "seq": 0,
                "corrects": None,
                "source": "",
                "source_event_id": "",
                "attributes": _origin(file, report),
            }
        )
        for report in sorted(told, key=lambda r: r.seq)
    ]


def _quantity_ahead(split: Split, lot: Lot) -> Decimal:
    ahead = Decimal()
    for each in split.lots:
        if each.order_no == lot.order_no:
            break
        ahead += Decimal(str(each.quantity))
    return ahead


def _share(reports: Sequence[Report], ahead: Decimal, wanted: Decimal) -> list[Report]:
    """Return the part of counted reports that falls to a lot, `ahead` being what the lots before it take."""
    shares: list[Report] = []
    total = Decimal()
    for report in reports:
        if report.classifier is not Classifier.ACT or report.outcome is not Outcome.DONE:
            shares.append(report)
            continue
        first, total = total, total + Decimal(str(report.quantity))
        part = min(total, ahead + wanted) - max(first, ahead)
        if part > 0:
            shares.append(report.model_copy(update={"quantity": float(part)}))
    return shares


def _origin(file: OrderFile, report: Report) -> dict[str, str]:
    return {**report.attributes, "order": file.order.order_no, "line": str(report.seq)}


@dataclass(frozen=True)
class Shipped:
    """A lot, or a whole order, that has left or is to leave: what was agreed and what came of it."""

    quantity: float
    etd: Etd
    departed_at: datetime | None


def shipped(at: Standing, departure: str) -> Shipped | None:
    """Return what an order or lot ships: what its departure counted, else what is agreed; `None` without an ETD."""
    if at.etd is None:
        return None
    return Shipped(at.counted.get(departure, at.agreed.quantity or 0.0), at.etd, at.departed_at)


@dataclass(frozen=True)
class Delivery:
    """
    How an order was delivered (domain.md 5.1).

    `on_time` says of each lot whether it left by its own ETD; `otd` is all of them. `in_full` says whether what left
    by the order's ETD is within the tolerance of what was ordered. OTIF is both, so never better than either.
    """

    on_time: tuple[bool, ...]
    in_full: bool

    @property
    def otd(self) -> bool:
        """Whether every lot left by its own ETD."""
        return all(self.on_time)

    @property
    def otif(self) -> bool:
        """Whether the order left on time and in full."""
        return self.otd and self.in_full


def delivery(
    ordered: float | None, etd: Etd, lots: Sequence[Shipped], tolerance: Tolerance | None, calendar: Calendar
) -> Delivery:
    """
    Return how an order of `ordered` pieces, agreed for `etd`, was delivered in `lots`.

    Without a tolerance in full is everything; an order without a quantity is in full when all of it left in time.
    """

    def left_by(lot: Shipped, by: Etd) -> bool:
        return lot.departed_at is not None and not departs_late(by, lot.departed_at, calendar)

    on_time = tuple(left_by(lot, lot.etd) for lot in lots)
    in_time = [lot for lot in lots if left_by(lot, etd)]
    if ordered is None:
        return Delivery(on_time, len(in_time) == len(lots))
    shipped = float(sum(Decimal(str(lot.quantity)) for lot in in_time))
    return Delivery(on_time, (tolerance or Tolerance(less=0, more=0)).in_full(ordered, shipped))


def missing_from(lots: Sequence[Lot], quantity: float) -> float:
    """Return by how much the lots' quantities miss the order's: more than 0 is not in any lot, less is too much."""
    return float(Decimal(str(quantity)) - sum((Decimal(str(lot.quantity)) for lot in lots), Decimal()))
