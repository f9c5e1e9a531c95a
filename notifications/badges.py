"""Badges: what Prefect's pages show of an order, its milestones and their state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from models.book.changes import Hold, Lost, Resume, Split, Won
from models.book.order import Etd, OrderKind, OrderState
from models.book.order_file import OrderFile
from models.calendars.workdays import Calendar
from models.names import Language
from models.planning.outlook import Outlook, outlook
from models.prospect import next_contact
from models.status.lateness import as_date, days_behind, days_late, departs_late
from models.status.standing import Standing
from models.terms.milestone import Milestone
from notifications.deadlines import day_of, deadline_at, deadline_name, moved
from notifications.texts import count, day, enumerate_, quantity, sailing_day, say, shorten, when
from notifications.wording import command

NAME = 60
"""Characters: what fits a badge in the run list."""

_MESSAGE_STEPS = 4

_Told = TypeVar("_Told", Lost, Won)

_STATES = {
    "waiting": "RUNNING",
    "overdue": "SCHEDULED",
    "on hold": "PAUSED",
    "promised": "RUNNING",
    # neither the amber of a stall nor the blue of what is well; CRASHED would end the bar for good
    "at risk": "PENDING",
    "done": "COMPLETED",
    "done late": "COMPLETED",
    "passed": "COMPLETED",
    "called off": "CANCELLED",
    "reopened": "PENDING",
}


@dataclass(frozen=True)
class Badge:
    """The name and message of a run's state."""

    name: str
    message: str


def badge(file: OrderFile, at: Standing, language: Language) -> Badge:
    """Return what the order's run shows: what is waited for, the most urgent first, and what stands in its way."""
    order_no = file.order.order_no
    waits = [_awaited(file, at, code, language) for code in by_urgency(at)]
    match at.state:
        case OrderState.OPEN if file.order.kind is OrderKind.PROSPECT:
            return _prospect(file, at, language, waits)
        case OrderState.OPEN:
            return _open(file, at, language, waits)
        case OrderState.ON_HOLD:
            opening = _held(file, at, language)
        case OrderState.WAITING_FOR_DATE:
            opening = say(language, "without_date", command=command("reschedule", order_no, "DATE"))
        case OrderState.NOT_FOLLOWED:
            opening = say(language, "without_run", command=command("follow", order_no))
        case OrderState.CLOSED if at.departed_at is not None and at.etd is not None:
            return _sailed(file, at.etd, at.departed_at, language)
        case OrderState.SPLIT:
            opening = _lots(file, at, language)
        case OrderState.LOST:
            opening = _lost_because(file, at)
        case _:
            opening = ""
    awaited = say(language, "also", steps=enumerate_(language, waits, _MESSAGE_STEPS)) if waits else ""
    name = shorten(state_name(file, at, language), NAME)
    return Badge(name, "\n".join(filter(None, (opening, awaited))))


def state_name(file: OrderFile, at: Standing, language: Language) -> str:
    """Name an order's state: `Open`, `Split into 3 lots`, `Won: order SO-26-0417`, `Lost: too expensive`."""
    match at.state:
        case OrderState.SPLIT if at.agreed.split is not None:
            return count(language, "split_into", len(at.agreed.split.lots))
        case OrderState.WON if (won := _last(file, at, Won)) is not None:
            return say(language, "won_order", order=won.order.order_no)
        case OrderState.LOST if reason := _lost_because(file, at):
            return say(language, "lost_because", reason=reason)
        case _:
            return say(language, at.state.value)


def agreed_call(file: OrderFile, at: Standing) -> date | None:
    """Return the day, not past yet, on which a prospect is to be called again."""
    day = next_contact(file, at.now)
    return day if day is not None and day >= file.calendar.local_date(at.now) else None


def _last(file: OrderFile, at: Standing, kind: type[_Told]) -> _Told | None:
    """Return the last thing of a kind that was told by now."""
    return next((e for e in reversed(file.entries) if isinstance(e, kind) and e.recorded_at <= at.now), None)


def _lost_because(file: OrderFile, at: Standing) -> str:
    lost = _last(file, at, Lost)
    return lost.reason if lost is not None else ""


def _lots(file: OrderFile, at: Standing, language: Language) -> str:
    split = at.agreed.split
    assert isinstance(split, Split), "an order that is split has lots"
    return "\n".join(
        say(
            language,
            "lot",
            order=lot.order_no,
            quantity=quantity(lot.quantity, file.order.unit),
            etd=sailing_day(language, lot.etd, file.calendar.tz),
        )
        for lot in split.lots
    )


def _sailed(file: OrderFile, etd: Etd, departed_at: datetime, language: Language) -> Badge:
    on = when(language, departed_at.astimezone(file.calendar.tz), file.calendar.tz)
    if not departs_late(etd, departed_at, file.calendar):
        return Badge(say(language, "sailed_on_time"), on)
    days = math.ceil(days_behind(etd, departed_at, file.calendar))
    return Badge(count(language, "sailed_late", days), on)


def tags(file: OrderFile, at: Standing) -> list[str]:
    """Return the run's tags, by which the run list is filtered; alike in every language."""
    named = [f"customer:{file.order.customer}"] if file.order.customer else []
    leading = by_urgency(at)
    if leading:
        named.append(f"stage:{file.template.by_code[leading[0]].stage.value}")
    if file.order.kind is OrderKind.PROSPECT:
        named.append("prospect")
    if at.state is OrderState.OPEN and at.stalled:
        named.append("stalled")
    ahead = _foreseen(file, at)
    if ahead is not None and (ahead.broken or (ahead.slips and at.departed_at is None)):
        named.append("at-risk")
    if at.state is OrderState.ON_HOLD:
        named.append("on-hold")
    if at.state is OrderState.WAITING_FOR_DATE:
        named.append("no-etd")
    return named


def bar_name(milestone: Milestone, due: datetime | None, language: Language, calendar: Calendar) -> str:
    """Name a milestone's bar, `FAB_IN Bulk fabric in-house, due Fri 20 Nov`, the day in `calendar`'s zone."""
    name = milestone.name.in_(language)
    if due is None:
        return say(language, "bar", code=milestone.code, name=name)
    on = day(language, calendar.local_date(due), "short_day")
    return say(language, "bar_due", code=milestone.code, name=name, due=on)


def bar_state(appearance: str, language: Language) -> tuple[str, str]:
    """Return the Prefect state type, which gives a bar its colour, and the state's name for an appearance."""
    return _STATES[_parts(appearance)[0]], look_name(appearance, language)


def look_name(appearance: str, language: Language) -> str:
    """Return how an appearance of `models.decide` is called."""
    _, _, round_ = appearance.partition(", round ")
    look, rung = _parts(appearance)
    name = say(language, f"look_{look.replace(' ', '_')}", rung=rung)
    return say(language, "in_round", what=name, round=round_) if round_ else name


def by_urgency(at: Standing) -> tuple[str, ...]:
    """Return the open milestones, the highest rung first, then the earliest due, then in the template's order."""
    by_due = sorted(at.open, key=lambda code: (code not in at.due, at.effective_due(code) or at.now))
    return tuple(sorted(by_due, key=lambda code: at.rung_of(code) or "", reverse=True))


def what_is_awaited(milestone: Milestone, language: Language) -> str:
    """Return what stands after "Awaiting": `customs release`, not `customs released`."""
    if language is Language.EN and milestone.awaited:
        return milestone.awaited
    return in_a_sentence(milestone.name.in_(language), language)


def in_a_sentence(name: str, language: Language) -> str:
    """Return a step's name as it stands within a sentence: `Customs released` loses its capital, `S/O` does not."""
    if language is not Language.EN:
        return name
    word = name.split(" ", 1)[0]
    plain = word[:1].isupper() and word[1:].islower() and not any(c.isdigit() for c in word)
    return name[:1].lower() + name[1:] if plain else name


def _open(file: OrderFile, at: Standing, language: Language, waits: list[str]) -> Badge:
    leading = next(iter(by_urgency(at)), file.template.follow_to)
    ahead = _foreseen(file, at)
    risky = _most_at_risk(at, ahead)
    if at.rung_of(leading):
        key = "stalled"
    elif risky is not None:
        key, leading = "at_risk", risky
    else:
        key = "awaiting"
    step = what_is_awaited(file.template.by_code[leading], language)
    lines = waits[:1]
    if ahead is not None:
        lines += _forecast(file, at, ahead, language)
    if waits[1:]:
        lines.append(say(language, "also", steps=enumerate_(language, waits[1:], _MESSAGE_STEPS - 1)))
    name = _in_round(say(language, key, step=step), at, leading, language)
    return Badge(shorten(name, NAME), "\n".join(lines))


def _prospect(file: OrderFile, at: Standing, language: Language, waits: list[str]) -> Badge:
    """Return what the run of a prospect shows: the call that was agreed, else what is waited for."""
    leading = next(iter(by_urgency(at)), file.template.follow_to)
    call = agreed_call(file, at)
    if file.template.follow_to in at.done:
        order_wanted = command("prospects won", file.order.order_no, "--order", "NUMBER")
        return Badge(say(language, "prospect_signed"), say(language, "prospect_won", command=order_wanted))
    step = what_is_awaited(file.template.by_code[leading], language)
    if call is not None:
        name = say(language, "prospect_rests", day=day(language, call))
    else:
        name = say(language, "stalled" if at.rung_of(leading) else "prospect_awaiting", step=step)
    lines = [enumerate_(language, waits, _MESSAGE_STEPS)] if waits else []
    if at.agreed.quotation_until is not None:
        lines.append(say(language, "prospect_quotation", day=day(language, at.agreed.quotation_until)))
    return Badge(shorten(name, NAME), "\n".join(lines))


def _foreseen(file: OrderFile, at: Standing) -> Outlook | None:
    """Return the outlook of an order that goes on, where its template knows how long its steps take."""
    if at.state not in (OrderState.OPEN, OrderState.ON_HOLD) or not file.template.foresees:
        return None
    return outlook(file, at) if file.order.kind is OrderKind.EXPORT else None


def _most_at_risk(at: Standing, ahead: Outlook | None) -> str | None:
    """Return the open milestone whose forecast is furthest past its latest date."""
    if ahead is None:
        return None
    risky = [code for code in at.open if ahead.at_risk(code)]
    return min(risky, key=lambda code: ahead.late[code] - ahead.forecast[code], default=None)


def _forecast(file: OrderFile, at: Standing, ahead: Outlook, language: Language) -> list[str]:
    """Say when the goods will leave if that is after the ETD, and which hard date breaks first."""
    lines = []
    if ahead.slips and at.departed_at is None and at.etd is not None:
        home = file.calendar
        days = (home.local_date(ahead.sails_at) - as_date(at.etd, home)).days
        lines.append(
            say(
                language,
                "forecast_slips",
                forecast=day_of(file, file.template.departure, ahead.sails_at, language),
                moved=moved(days, language, late=True),
                etd=sailing_day(language, at.etd, home.tz),
            )
        )
    if ahead.broken:
        first = ahead.broken[0]
        lines.append(
            say(
                language,
                "forecast_breaks",
                deadline=deadline_name(first.hard.code, language),
                at=deadline_at(file, first.hard, language),
                forecast=day_of(file, first.hard.milestone, first.forecast, language),
            )
        )
    return lines


def _in_round(name: str, at: Standing, code: str, language: Language) -> str:
    """Add the present round to what is said of a milestone, after the first."""
    round_ = at.round_of(code)
    return say(language, "in_round", what=name, round=round_) if round_ > 1 else name


def _held(file: OrderFile, at: Standing, language: Language) -> str:
    since: Hold | None = None
    for entry in file.entries:
        if isinstance(entry, Resume) and entry.recorded_at <= at.now:
            since = None
        elif isinstance(entry, Hold) and entry.recorded_at <= at.now:
            since = since or entry
    assert since is not None, "an order on hold has a hold"
    home = file.calendar.tz
    text = when(language, since.recorded_at.astimezone(home), home)
    if since.by:
        return say(language, "held_since_by", at=text, by=since.by)
    return say(language, "held_since", at=text)


def _awaited(file: OrderFile, at: Standing, code: str, language: Language) -> str:
    home = file.calendar.tz
    milestone = file.template.by_code[code]
    zone = file.calendars[milestone.calendar].tz
    began = max((at.reached[p].at for p in milestone.after if p in at.reached), default=file.order.placed_at)
    said = {
        "code": code,
        "name": _in_round(milestone.name.in_(language), at, code, language),
        "since": day(language, file.calendar.local_date(began)),
    }
    due, promised, rung = at.due.get(code), at.promised.get(code), at.rung_of(code)
    if due is None:
        return say(language, "awaited", **said)
    said["due"] = when(language, due.astimezone(zone), home)
    key = "awaited"
    if promised is not None:
        said["promised"] = when(language, promised.astimezone(zone), home)
        key += "_promised"
    if rung is not None and at.state is OrderState.OPEN:
        said |= {"late": count(language, "late", days_late(file, due, at.now)), "rung": rung}
        key += "_late"
    return say(language, "awaited_due" if key == "awaited" else key, **said)


def _parts(appearance: str) -> tuple[str, str]:
    """Split an appearance, its round left out, into what it is and its rung: only a stall has one."""
    what, _, _ = appearance.partition(", round ")
    look, _, rung = what.partition(" ")
    return (look, rung) if look == "overdue" else (what, "")
