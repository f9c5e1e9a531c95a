"""A what-if in words: the plan before and after changes that nobody has made, side by side; in any language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from models.book.changes import Amendment, Hold, Reschedule
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Classifier, Promise, Report
from models.names import Language
from models.planning.hard_dates import HardDate
from models.planning.outlook import Broken
from models.planning.sheet import Sheet
from models.planning.state import MilestoneState
from models.planning.what_if import Closed, Comparison
from models.status.lateness import departs_late
from notifications.badges import state_name
from notifications.deadlines import day_of, deadline_at, deadline_name, missed_by, moved, zone_of
from notifications.facts import Parties
from notifications.plan_head import days_from
from notifications.plan_table import PlanTable, plan_table
from notifications.texts import day, quantity, sailing_day, say, when

COMPARED = ("state", "planned", "forecast", "latest", "slack")
"""What is compared of each milestone."""


class Fate(StrEnum):
    """What becomes of a hard date; empty: what it was."""

    SAME = ""
    BROKEN = "broken"
    SAVED = "saved"
    GONE = "gone"
    NEW = "new"


class ShipLine(NamedTuple):
    """A line of what becomes of the ship date and the hard dates."""

    label: str
    before: str
    after: str
    fate: Fate = Fate.SAME
    verdict: str = ""


@dataclass(frozen=True)
class Moved:
    """A milestone that differs: its cells before and after, by column."""

    code: str
    name: str
    before: dict[str, str]
    after: dict[str, str]
    states: tuple[MilestoneState, MilestoneState]


@dataclass(frozen=True)
class ComparisonTable:
    """
    A comparison in words, not yet laid out.

    `columns` are those in which some milestone differs, with their titles; `remarks` what whoever asked should know.
    """

    title: str
    before: str
    after: str
    ship: tuple[ShipLine, ...]
    milestone: str
    columns: dict[str, str]
    rows: tuple[Moved, ...]
    remarks: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Say whether anything is another date, or another state."""
        return bool(self.rows) or any(line.before != line.after for line in self.ship)


def comparison_table(
    file: OrderFile,
    compared: Comparison,
    entries: Sequence[Entry],
    closed: Sequence[Closed],
    parties: Parties,
    language: Language,
) -> ComparisonTable:
    """Put what `entries` and closed days would change of an order into words."""
    old = plan_table(file, compared.before, parties, language)
    new = plan_table(file, compared.after, parties, language)
    rows = _moved(compared, old, new)
    titles = {**old.columns, **new.columns}
    shown = [column for column in COMPARED if any(row.before.get(column) != row.after.get(column) for row in rows)]
    changes = say(language, "list").join(_changes(file, entries, closed, language))
    return ComparisonTable(
        title=say(language, "what_if_title", changes=changes, order=file.order.order_no),
        before=say(language, "before"),
        after=say(language, "after"),
        ship=tuple(_ship(file, compared, language)),
        milestone=say(language, "column_milestone"),
        columns={column: titles[column] for column in shown},
        rows=rows,
        remarks=tuple(_remarks(file, compared.before, entries, closed, language)),
    )


def fates(compared: Comparison) -> dict[str, Fate]:
    """Return what becomes of each hard date, by its code."""
    was, is_ = _by_code(compared.before.hard), _by_code(compared.after.hard)
    broke = {each.hard.code for each in compared.before.broken}
    breaks = {each.hard.code for each in compared.after.broken}
    found: dict[str, Fate] = {}
    for code in {**was, **is_}:
        if code in breaks - broke:
            found[code] = Fate.BROKEN
        elif code not in is_:
            found[code] = Fate.GONE
        elif code in broke - breaks:
            found[code] = Fate.SAVED
        else:
            found[code] = Fate.SAME if code in was else Fate.NEW
    return found


def _by_code(hard: Sequence[HardDate]) -> dict[str, HardDate]:
    return {each.code: each for each in hard}


def _ship(file: OrderFile, compared: Comparison, language: Language) -> Iterator[ShipLine]:
    before, after = compared.before, compared.after
    for key, write in (
        ("head_etd", _etd),
        ("ship_forecast", _likely),
        ("ship_worst", _worst),
        ("ship_moved", _against_etd),
    ):
        yield ShipLine(say(language, key), write(file, before, language), write(file, after, language))
    states = state_name(file, before.at, language), state_name(file, after.at, language)
    if states[0] != states[1]:
        yield ShipLine(say(language, "ship_state"), *states)
    was, is_ = _by_code(before.hard), _by_code(after.hard)
    for code, fate in fates(compared).items():
        yield ShipLine(
            deadline_name(code, language),
            _hard(file, before, was.get(code), language),
            _hard(file, after, is_.get(code), language),
            fate,
            say(language, f"fate_{fate}") if fate else "",
        )


def _etd(file: OrderFile, of: Sheet, language: Language) -> str:
    return sailing_day(language, of.at.etd, file.calendar.tz) if of.at.etd is not None else say(language, "no_date")


def _likely(file: OrderFile, of: Sheet, language: Language) -> str:
    return _departure(file, of.sails_at, language)


def _worst(file: OrderFile, of: Sheet, language: Language) -> str:
    return _departure(file, of.sails_at_worst, language)


def _departure(file: OrderFile, instant: datetime | None, language: Language) -> str:
    return day_of(file, file.template.departure, instant, language) if instant is not None else ""


def _against_etd(file: OrderFile, of: Sheet, language: Language) -> str:
    if of.at.etd is None or of.sails_at is None:
        return ""
    late = departs_late(of.at.etd, of.sails_at, file.calendar)
    return moved(days_from(of.at.etd, of.sails_at, file), language, late=late)


def _hard(file: OrderFile, of: Sheet, hard: HardDate | None, language: Language) -> str:
    if hard is None:
        return ""
    missed: Broken | None = next((each for each in of.broken if each.hard == hard), None)
    late = missed_by(file, missed, language) if missed else ""
    holds = say(language, "breaks", late=late) if missed else say(language, "holds")
    return f"{deadline_at(file, hard, language)}: {holds}"


def _moved(compared: Comparison, old: PlanTable, new: PlanTable) -> tuple[Moved, ...]:
    codes = {line.code for line, _ in compared.moved}
    rows: list[Moved] = []
    for was, is_ in zip(old.rows, new.rows, strict=True):
        before, after = ({column: row.cells.get(column, "") for column in COMPARED} for row in (was, is_))
        # What moves within a day is the same day.
        if was.code in codes and before != after:
            rows.append(Moved(was.code, is_.name, before, after, (was.state, is_.state)))
    return tuple(rows)


def _changes(file: OrderFile, entries: Sequence[Entry], closed: Sequence[Closed], language: Language) -> Iterator[str]:
    for entry in entries:
        match entry:
            case Promise():
                at = _here(file, entry.milestone, entry.promised, language)
                yield say(language, "what_if_promise", code=entry.milestone, at=at)
            case Report():
                key = "what_if_report" if entry.classifier is Classifier.ACT else "what_if_estimate"
                at = _here(file, entry.milestone, entry.occurred_at, language)
                yield say(language, key, code=entry.milestone, at=at)
            case Reschedule():
                yield say(language, "what_if_etd", etd=sailing_day(language, entry.etd, file.calendar.tz))
            case Amendment() if entry.quantity is not None:
                ordered = quantity(entry.quantity, file.order.unit)
                yield say(language, "what_if_quantity", quantity=ordered)
            case Hold() if entry.until is not None:
                yield say(language, "what_if_hold", day=day(language, entry.until))
            case _:
                raise AssertionError(f"a what-if has no words for {entry.kind}")
    for each in closed:
        first, last = day(language, each.first), day(language, each.last)
        yield say(language, "what_if_closed", calendar=each.calendar, first=first, last=last)


def _remarks(
    file: OrderFile, before: Sheet, entries: Sequence[Entry], closed: Sequence[Closed], language: Language
) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, Promise):
            late = before.line(entry.milestone).late_date
            if late is not None and entry.promised > late:
                yield say(
                    language,
                    "promise_past_late",
                    code=entry.milestone,
                    promised=_here(file, entry.milestone, entry.promised, language),
                    late=when(language, late, file.calendar.tz),
                )
    used = {milestone.calendar for milestone in file.template.milestones}
    for each in closed:
        if each.calendar not in used:
            yield say(language, "closed_unused", calendar=each.calendar)


def _here(file: OrderFile, milestone: str, instant: datetime, language: Language) -> str:
    return when(language, instant.astimezone(zone_of(file, milestone)), file.calendar.tz)
