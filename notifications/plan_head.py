"""The head of a plan in words: when the goods leave, what breaks first, what drives it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from models.book.order import Etd, OrderKind, sails_by
from models.book.order_file import OrderFile
from models.escalation.owner import owner_of
from models.names import Language
from models.planning.hard_dates import HardDate, Origin
from models.planning.outlook import Broken
from models.planning.sheet import Sheet, SheetLine
from models.status.clearance import Clearance, Need
from models.status.lateness import as_date, departs_late
from models.terms.credit import SILENT, Credit
from notifications.badges import agreed_call, state_name
from notifications.deadlines import KEPT, MISSED, day_of, deadline_at, deadline_name, missed_by, moved, origin
from notifications.facts import Parties, name_of, note_on
from notifications.texts import UNSURE, count, day, enumerate_, quantity, sailing_day, say, when

_ARROW = " → "
_CUSTOMS = "CUSTOMS"


class Headline(NamedTuple):
    """A line of the head: what it is about, its text, and what stands below it, item by item."""

    label: str
    text: str
    items: tuple[str, ...] = ()


def head(file: OrderFile, of: Sheet, parties: Parties, language: Language) -> tuple[Headline, ...]:
    """Return the head of an order's plan, the most urgent lines first; lines without anything to say are left out."""
    lines: list[tuple[str, str]] = [
        ("customer", file.order.customer),
        ("state", state_name(file, of.at, language)),
        *_ship_date(file, of, language),
        *_trouble(file, of, parties, language),
    ]
    if of.path and not of.at.state.is_over:
        why = of.line(of.path[0]).cause
        path = _ARROW.join(of.path)
        lines.append(("path", say(language, "path_why", path=path, why=say(language, f"cause_{why}")) if why else path))
    below = [
        *_agreed(file, of, language),
        ("template", f"{file.template.code} {file.template.name.in_(language)}"),
        ("at", day(language, file.calendar.local_date(of.at.now))),
        ("note", _note(file, of, language)),
    ]
    hard = () if of.at.state.is_over else tuple(_deadline(file, of, each, language) for each in of.hard)
    deadlines = [Headline(say(language, "head_hard"), "", hard)] if hard else []
    return (*_told(lines, language), *deadlines, *_told(below, language))


def days_from(etd: Etd, instant: datetime, file: OrderFile) -> int:
    """Return the calendar days from an ETD to an instant, in the order's zone."""
    return (file.calendar.local_date(instant) - as_date(etd, file.calendar)).days


def _told(lines: list[tuple[str, str]], language: Language) -> Iterator[Headline]:
    return (Headline(say(language, f"head_{key}"), text) for key, text in lines if text)


def _ship_date(file: OrderFile, of: Sheet, language: Language) -> Iterator[tuple[str, str]]:
    at, home = of.at, file.calendar.tz
    is_prospect = file.order.kind is OrderKind.PROSPECT
    if at.etd is None:
        yield "etd", say(language, "no_date")
        return
    etd = sailing_day(language, at.etd, home)
    first = at.agreed.etds[0].etd
    if first != at.etd:
        etd = say(language, "etd_was", etd=etd, first=sailing_day(language, first, home))
    yield ("hoped" if is_prospect else "etd"), etd
    if at.departed_at is not None:
        left = when(language, at.departed_at.astimezone(home), home)
        late = departs_late(at.etd, at.departed_at, file.calendar)
        yield "departed", say(language, "sails", day=left, moved=moved(of.days_moved, language, late=late))
    elif of.sails_at is not None and not at.state.is_over:
        yield "forecast", _forecast(file, of, at.etd, language)


def _forecast(file: OrderFile, of: Sheet, etd: Etd, language: Language) -> str:
    departure = file.template.departure
    mark = UNSURE if "forecast" in of.line(departure).provisional else ""

    def sails(instant: datetime) -> str:
        on = mark + day_of(file, departure, instant, language)
        days, late = days_from(etd, instant, file), departs_late(etd, instant, file.calendar)
        if not days and file.order.kind is OrderKind.PROSPECT:
            return on
        return say(language, "sails", day=on, moved=moved(days, language, late=late))

    assert of.sails_at is not None
    likely = sails(of.sails_at)
    if of.sails_at_worst is None or days_from(etd, of.sails_at_worst, file) == of.days_moved:
        return likely
    return say(language, "sails_at_worst", likely=likely, worst=sails(of.sails_at_worst))


def _trouble(file: OrderFile, of: Sheet, parties: Parties, language: Language) -> Iterator[tuple[str, str]]:
    """Say what breaks first, and what to do about it."""
    if of.at.state.is_over or of.at.etd is None or of.sails_at is None:
        return
    first = of.broken[0] if of.broken else None
    leaves = sails_by(of.at.etd, file.calendar.end_of(as_date(of.at.etd, file.calendar)))
    slips = of.at.departed_at is None and of.sails_at > leaves
    if first is not None and not (slips and leaves < first.hard.at):
        yield "breaks", broken(file, first, language)
        yield "do", _what_to_do(file, of, first.hard.milestone, f"do_{first.hard.origin}", parties, language)
    elif slips and file.order.kind is not OrderKind.PROSPECT:
        departure = file.template.departure
        yield (
            "breaks",
            say(
                language,
                "breaks_etd",
                etd=sailing_day(language, of.at.etd, file.calendar.tz),
                forecast=day_of(file, departure, of.sails_at, language),
                moved=moved(of.days_moved, language, late=True),
            ),
        )
        yield "do", _what_to_do(file, of, departure, "do_etd", parties, language)


def broken(file: OrderFile, first: Broken, language: Language) -> str:
    """Say which hard date the forecast breaks, and by how much."""
    return say(
        language,
        "breaks_deadline",
        deadline=deadline_name(first.hard.code, language),
        at=deadline_at(file, first.hard, language),
        forecast=day_of(file, first.hard.milestone, first.forecast, language),
        late=missed_by(file, first, language),
    )


def _what_to_do(file: OrderFile, of: Sheet, target: str, otherwise: str, parties: Parties, language: Language) -> str:
    that = say(language, otherwise)
    line = _to_hurry(file, of, target)
    if line is None or line.late_date is None or line.slack is None:
        return that
    milestone = file.template.by_code[line.code]
    said = {"code": line.code, "name": milestone.name.in_(language)}
    late = when(language, line.late_date, file.calendar.tz)
    if milestone.waiting_on == (_CUSTOMS,):
        this = say(language, "do_customs")
    elif line.late_date < of.at.now:
        this = say(language, "do_past", late=late, **said)
    else:
        waiting = enumerate_(language, [name_of(code, parties).in_(language) for code in milestone.waiting_on])
        this = say(
            language,
            "do_speed_with" if waiting else "do_speed",
            late=late,
            earlier=count(language, "workdays", -line.slack),
            owner=name_of(owner_of(file, file.entries, milestone.code), parties).in_(language),
            waiting=waiting,
            **said,
        )
    return say(language, "do_or", this=this, that=that)


def _to_hurry(file: OrderFile, of: Sheet, target: str) -> SheetLine | None:
    """Return the open step before `target` that would have to be done earlier: the one that drives, else the latest."""
    wanted = {target}
    rest = [target]
    while rest:
        for code in file.template.by_code[rest.pop()].after:
            if code not in wanted:
                wanted.add(code)
                rest.append(code)
    late = [line for line in of.lines if line.code in wanted and line.slack is not None and line.slack < 0]
    open_ = [line for line in late if line.code in of.at.open]
    return min(open_ or late[:1], key=lambda line: (not line.drives, line.slack or 0), default=None)


def _deadline(file: OrderFile, of: Sheet, hard: HardDate, language: Language) -> str:
    missed = next((each for each in of.broken if each.hard == hard), None)
    text = say(
        language,
        "deadline_line",
        mark=MISSED if missed else KEPT,
        deadline=deadline_name(hard.code, language),
        milestone=hard.milestone,
        at=(UNSURE if hard.provisional else "") + deadline_at(file, hard, language),
    )
    if hard.origin is not Origin.ORDER or hard.source:
        text = say(language, "deadline_source", line=text, source=origin(hard, language))
    if hard.extended_from is not None:
        text = say(language, "deadline_moved", line=text, day=day(language, hard.extended_from))
    if missed is not None:
        forecast = day_of(file, hard.milestone, missed.forecast, language)
        late = missed_by(file, missed, language)
        text = say(language, "deadline_broken", line=text, forecast=forecast, late=late)
    return text


def _agreed(file: OrderFile, of: Sheet, language: Language) -> Iterator[tuple[str, str]]:
    agreed = of.at.agreed
    if agreed.booking is not None:
        booked = agreed.booking
        yield "booking", " · ".join(filter(None, (f"{booked.vessel} {booked.voyage}".strip(), booked.source)))
    if agreed.credit is not None:
        yield "credit", _credit(agreed.credit, language)
    if of.at.customs is not None and of.at.customs.state is not None:
        yield "customs", _customs(of.at.customs, language)
    if (call := agreed_call(file, of.at)) is not None:
        yield "contact", day(language, call)
    if agreed.quotation_until is not None:
        yield "quotation", day(language, agreed.quotation_until)
    if agreed.quantity is not None:
        ordered = quantity(agreed.quantity, file.order.unit)
        if agreed.allowed is not None:
            less, more = quantity(agreed.allowed.less), quantity(agreed.allowed.more)
            ordered = say(language, "tolerance", quantity=ordered, less=less, more=more)
        yield "quantity", ordered
    if agreed.version > 1:
        yield "version", str(agreed.version)


def _credit(credit: Credit, language: Language) -> str:
    parts = [say(language, "credit_number", number=credit.number)] if credit.number else []
    if credit.latest_shipment is not None:
        parts.append(say(language, "credit_44c", day=day(language, credit.latest_shipment)))
    expiry = day(language, credit.expiry)
    parts.append(
        say(language, "credit_31d_at", day=expiry, place=credit.expiry_place)
        if credit.expiry_place
        else say(language, "credit_31d", day=expiry)
    )
    parts.append(
        say(language, "credit_48", days=credit.presentation_days)
        if credit.presentation_days is not None
        else say(language, "credit_48_silent", days=SILENT)
    )
    if not credit.partial_shipments:
        parts.append(say(language, "credit_no_partial"))
    return " · ".join(parts)


def _customs(customs: Clearance, language: Language) -> str:
    state = say(language, f"customs_{str(customs.state).lower()}")
    parts = [say(language, "customs_letter", state=state, letter=customs.letter) if customs.letter else state]
    if customs.declaration:
        parts.append(say(language, "customs_declaration", number=customs.declaration))
    if customs.attempts > 1:
        parts.append(say(language, "customs_attempt", n=customs.attempts))
    if customs.need is not Need.NOTHING:
        parts.append(say(language, f"need_{customs.need.lower()}"))
    return " · ".join(parts)


def _note(file: OrderFile, of: Sheet, language: Language) -> str:
    note = note_on(file, of.at, "")
    if note is None:
        return ""
    return " · ".join(filter(None, (when(language, note.at, file.calendar.tz), note.by, note.text)))
