"""Badges: what Prefect's pages show of an order, its milestones and their state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from models.lateness import days_behind, days_late, departs_late
from models.milestone import Milestone
from models.names import Language
from models.order import Etd, OrderState
from models.order_file import OrderFile
from models.report import Hold, Resume
from models.standing import Standing
from models.workdays import Calendar
from notifications.messages import command
from notifications.texts import count, day, enumerate_, say, shorten, when

NAME = 60
"""Characters: what fits a badge in the run list."""

_MESSAGE_STEPS = 4

_STATES = {
    "waiting": "RUNNING",
    "overdue": "SCHEDULED",
    "on hold": "PAUSED",
    "promised": "RUNNING",
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
        case _:
            opening = ""
    awaited = say(language, "also", steps=enumerate_(language, waits, _MESSAGE_STEPS)) if waits else ""
    return Badge(say(language, at.state.value), "\n".join(filter(None, (opening, awaited))))


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
    if at.state is OrderState.OPEN and at.stalled:
        named.append("stalled")
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
    look, rung = _parts(appearance)
    return say(language, f"look_{look.replace(' ', '_')}", rung=rung)


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
    step = what_is_awaited(file.template.by_code[leading], language)
    name = say(language, "stalled" if at.rung_of(leading) else "awaiting", step=step)
    lines = waits[:1]
    if waits[1:]:
        lines.append(say(language, "also", steps=enumerate_(language, waits[1:], _MESSAGE_STEPS - 1)))
    return Badge(shorten(name, NAME), "\n".join(lines))


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
        "name": milestone.name.in_(language),
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
    """Split an appearance into what it is and its rung: only a stall has one."""
    look, _, rung = appearance.partition(" ")
    return (look, rung) if look == "overdue" else (appearance, "")
