"""What operations see of the whole house, as Markdown: chases, what is held or failed, messages a day, idle rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from models.book.order_file import ChaseState
from models.calendars.workdays import Calendar
from models.names import Language, Name
from notifications.sheet import escape
from notifications.texts import count, day, say, zone

MOST = 200
"""Rows that a table shows; below it says how many more there are."""
DAYS = 14
"""Days of the table of messages, today included."""
_PEOPLE = 3


@dataclass(frozen=True)
class ChaseRow:
    """
    Who is being chased for one step of one order.

    `since` is when the chase began. `people` are those who were told, or the roles that will be. `until` is the date
    that was promised, or when an acknowledgement runs out. `etd` is what was agreed, `sails_on` the forecast of it;
    `slack` is in working days.
    """

    order_no: str
    code: str
    step: Name
    state: ChaseState
    rung: str
    since: datetime
    people: tuple[str, ...] = ()
    due: datetime | None = None
    until: datetime | None = None
    etd: date | None = None
    sails_on: date | None = None
    slack: int | None = None

    @property
    def slips(self) -> int:
        """Calendar days by which the goods are forecast to leave after the ETD; 0 where nothing is foreseen."""
        return max(0, (self.sails_on - self.etd).days) if self.sails_on is not None and self.etd is not None else 0


@dataclass(frozen=True)
class HeldRow:
    """
    Something that was to be said and has not arrived.

    `state` is `held` (until `until`), `failing` (tried again at `until`) or `dead` (given up). `number` is the
    message's, 0 for what is no message yet. `why` is what the channel said, never an address.
    """

    state: str
    number: int
    to: str
    what: str
    since: datetime
    until: datetime | None = None
    attempts: int = 0
    why: str = ""


@dataclass(frozen=True)
class PersonDay:
    """How many messages one person got on one day, `direct` of them on their own and not in a digest."""

    person: str
    day: date
    messages: int
    direct: int = 0


@dataclass(frozen=True)
class RuleRow:
    """
    What became of the notices of one rung.

    `in_time` were answered by the end of the next working day, `later` after it, `never` not at all; what has no
    answer and still has time is `open`.
    """

    rung: str
    raised: int
    in_time: int
    later: int
    never: int
    open: int


def rule_rows(
    notices: Iterable[tuple[str, datetime, datetime | None]], calendar: Calendar, now: datetime
) -> list[RuleRow]:
    """Count what became of notices, each given as its rung, when it was raised, and when it was answered, if it was."""
    counted: dict[str, list[int]] = {}
    for rung, raised, answered in notices:
        tally = counted.setdefault(rung, [0, 0, 0, 0])
        limit = calendar.finish(raised, 1)
        if answered is not None:
            tally[0 if answered <= limit else 1] += 1
        else:
            tally[2 if limit < now else 3] += 1
    rows = [RuleRow(rung, sum(tally), *tally) for rung, tally in counted.items()]
    return sorted(rows, key=lambda row: (-_share(row.never, row.raised), row.rung))


def chases_page(rows: Iterable[ChaseRow], language: Language, home: tzinfo, now: datetime) -> str:
    """Return who is being chased for what, what hurts the ship date most first; `home` is the zone of its times."""
    shown = sorted(rows, key=_by_effect)
    cells = [
        [
            row.order_no,
            f"{row.code} {row.step.in_(language)}",
            _people(row.people, language),
            row.rung,
            # Prefect's page is narrow: what stands further to the right is scrolled to.
            _effect(row, language),
            _chase_state(row, language, home),
            _instant(row.due, home) if row.due is not None else "",
            _instant(row.since, home),
        ]
        for row in shown[:MOST]
    ]
    titles = ["order", "step", "person", "rung", "effect", "state", "due", "since"]
    return _page("chases", titles, cells, len(shown), language, [_foot(language, home, now)])


def held_page(rows: Iterable[HeldRow], language: Language, home: tzinfo, now: datetime) -> str:
    """Return what is held, fails or was given up: the given up first, then by when it was said."""
    shown = sorted(rows, key=lambda row: (("dead", "failing", "held").index(row.state), row.since, row.number))
    cells = [
        [
            _held_state(row, language, home),
            str(row.number or ""),
            row.to,
            row.what,
            _instant(row.since, home),
            str(row.attempts or ""),
            row.why,
        ]
        for row in shown[:MOST]
    ]
    titles = ["state", "message", "to", "what", "since", "attempts", "why"]
    foot = (
        [say(language, "ops_retry", command="gendan messages retry")] if any(r.state == "dead" for r in shown) else []
    )
    return _page("held", titles, cells, len(shown), language, [*foot, _foot(language, home, now)])


def person_days_page(rows: Iterable[PersonDay], language: Language, today: date) -> str:
    """Return a row for each person and a column for each of the last DAYS days, today last; the busiest first."""
    first = today - timedelta(days=DAYS - 1)
    days = [first + timedelta(days=n) for n in range(DAYS)]
    table: dict[str, dict[date, PersonDay]] = {}
    for row in rows:
        if first <= row.day <= today:
            table.setdefault(row.person, {})[row.day] = row
    people = sorted(table, key=lambda person: (-_total(table[person]), person))
    cells = [
        [person, *(_number(table[person].get(on)) for on in days), str(_total(table[person]))]
        for person in people[:MOST]
    ]
    titles = [say(language, "ops_person"), *(day(language, on, "short_day") for on in days), say(language, "ops_total")]
    return _laid_out("person_days", titles, cells, len(people), language, [say(language, "ops_person_days_foot")])


def rules_page(rows: Sequence[RuleRow], language: Language) -> str:
    """Return what became of each rung's notices; a rung of which more than half were never answered is bold."""
    cells = [
        [
            _bold(row.rung, row.never * 2 > row.raised - row.open),
            *(str(number) for number in (row.raised, row.in_time, row.later, row.never, row.open)),
        ]
        for row in rows
    ]
    titles = ["rung", "raised", "in_time", "later", "never", "open"]
    head = [say(language, f"ops_{title}") for title in titles]
    return _laid_out("rules", head, cells, len(rows), language, [say(language, "ops_rules_foot")], escaped=True)


def _by_effect(row: ChaseRow) -> tuple[int, float, datetime, str, str]:
    slack = float("inf") if row.slack is None else row.slack
    return -row.slips, slack, row.since if row.due is None else row.due, row.order_no, row.code


def _chase_state(row: ChaseRow, language: Language, home: tzinfo) -> str:
    state = say(language, f"ops_{row.state.value}")
    return state if row.until is None else say(language, "ops_until", state=state, until=_instant(row.until, home))


def _held_state(row: HeldRow, language: Language, home: tzinfo) -> str:
    state = say(language, f"ops_{row.state}")
    if row.until is None:
        return state
    key = "ops_until" if row.state == "held" else "ops_next"
    return say(language, key, state=state, until=_instant(row.until, home))


def _effect(row: ChaseRow, language: Language) -> str:
    if row.etd is None:
        return ""
    etd = day(language, row.etd, "short_day")
    if row.slips and row.sails_on is not None:
        line = say(language, "ops_etd_slips", etd=etd, forecast=day(language, row.sails_on, "short_day"))
    else:
        line = say(language, "ops_etd", etd=etd)
    return line if row.slack is None else say(language, "ops_slack", line=line, slack=row.slack)


def _people(people: Sequence[str], language: Language) -> str:
    named = list(people[:_PEOPLE])
    if len(people) > _PEOPLE:
        named.append(count(language, "more", len(people) - _PEOPLE))
    return say(language, "list").join(named)


def _number(row: PersonDay | None) -> str:
    if row is None:
        return ""
    return f"{row.messages} ({row.direct})" if row.direct else str(row.messages)


def _total(days: Mapping[date, PersonDay]) -> int:
    return sum(row.messages for row in days.values())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _bold(text: str, yes: bool) -> str:
    return f"**{escape(text)}**" if yes else escape(text)


def _instant(instant: datetime, home: tzinfo) -> str:
    return f"{instant.astimezone(home):%Y-%m-%d %H:%M}"


def _foot(language: Language, home: tzinfo, now: datetime) -> str:
    return say(language, "ops_zone", zone=zone(now.astimezone(home)))


def _page(
    name: str, titles: Sequence[str], cells: list[list[str]], total: int, language: Language, foot: Sequence[str]
) -> str:
    return _laid_out(name, [say(language, f"ops_{title}") for title in titles], cells, total, language, foot)


def _laid_out(
    name: str,
    titles: Sequence[str],
    cells: Sequence[Sequence[str]],
    total: int,
    language: Language,
    foot: Sequence[str],
    *,
    escaped: bool = False,
) -> str:
    """Lay a table out as Markdown; of an empty one it says so."""
    lines = [f"## {escape(say(language, f'ops_{name}_title'))}", ""]
    if not cells:
        return "\n".join([*lines, escape(say(language, f"ops_{name}_none")), ""])
    rows = [[escape(title) for title in titles], ["---"] * len(titles)]
    rows += [[cell if escaped else escape(cell) for cell in row] for row in cells]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    if total > len(cells):
        lines += ["", escape(count(language, "more", total - len(cells)))]
    return "\n".join([*lines, "", *(f"- {escape(line)}" for line in foot), ""])
