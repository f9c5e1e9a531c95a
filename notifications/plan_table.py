"""The plan of an order in words: its head, a row for each milestone, and what the marks mean; in any language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from models.book.order_file import OrderFile
from models.escalation.owner import owner_of
from models.names import Language
from models.planning.outlook import Cause
from models.planning.sheet import Sheet, SheetLine
from models.planning.state import MilestoneState
from notifications.deadlines import zone_of
from notifications.facts import Parties, name_of
from notifications.plan_head import Headline, head
from notifications.texts import END_OF_DAY, UNSURE, day, enumerate_, quantity, say, zone

ON_PATH = "→"
"""Stands before a milestone of the driving path."""


class Mark(NamedTuple):
    """How a state is told: a colour, and for a print or a colour-blind reader a symbol and a letter (domain.md 2.4)."""

    square: str
    symbol: str
    letter: str


MARKS = {
    MilestoneState.NOT_STARTED: Mark("⬜", "○", "N"),
    MilestoneState.DUE_SOON: Mark("🟨", "◔", "S"),
    MilestoneState.IN_PROGRESS: Mark("⚪", "●", "W"),
    MilestoneState.PROMISED: Mark("🔘", "◆", "P"),
    MilestoneState.AT_RISK: Mark("🟪", "△", "R"),
    MilestoneState.OVERDUE: Mark("🟥", "▲", "O"),
    MilestoneState.BLOCKED: Mark("🟫", "◇", "B"),
    MilestoneState.ON_HOLD: Mark("⬛", "‖", "H"),
    MilestoneState.DONE_ON_TIME: Mark("🟩", "✔", "D"),
    MilestoneState.DONE_LATE: Mark("🟦", "✓", "L"),
    MilestoneState.PASSED: Mark("🟢", "…", "U"),
    MilestoneState.SKIPPED: Mark("➖", "–", "X"),
    MilestoneState.CANCELLED: Mark("⚫", "✖", "C"),
}

_WORDS = {
    MilestoneState.IN_PROGRESS: "look_waiting",
    MilestoneState.DONE_ON_TIME: "look_done",
    MilestoneState.SKIPPED: "look_not_followed",
    MilestoneState.CANCELLED: "look_called_off",
}

COLUMNS = (
    "milestone",
    "state",
    "baseline",
    "planned",
    "forecast",
    "latest",
    "slack",
    "promised",
    "late",
    "quantity",
    "owner",
    "waiting",
)
_TITLES = {"forecast": "column_done"}
LOAD_LIST = "gendan calendar import FILE"
_NAMED = 2
_GIVEN = (Cause.PLAN, Cause.PROMISE, Cause.ESTIMATE)


@dataclass(frozen=True)
class Row:
    """A milestone, whether it drives the ship date, and its cells by column; empty ones are left out."""

    code: str
    name: str
    state: MilestoneState
    drives: bool
    cells: Mapping[str, str]


@dataclass(frozen=True)
class PlanTable:
    """
    A plan in words, not yet laid out: plain text that its page escapes.

    `columns` are keys of COLUMNS with their titles; one that no row fills is left out. `states` are the states that
    occur with their names, `foot` says what else is marked.
    """

    title: str
    head: tuple[Headline, ...]
    columns: Mapping[str, str]
    rows: tuple[Row, ...]
    states: Mapping[MilestoneState, str]
    foot: tuple[str, ...]


def plan_table(file: OrderFile, of: Sheet, parties: Parties, language: Language) -> PlanTable:
    """
    Put an order's plan into words.

    It says the day of `of.at.now`, not the time: on one day, the same facts give the same plan.
    """
    write = _Dates(file, of, language)
    rows = tuple(_row(file, of, line, parties, language, write) for line in of.lines)
    filled = {column for row in rows for column in row.cells}
    found = {line.state for line in of.lines}
    return PlanTable(
        title=say(language, "sheet_title", order=file.order.order_no),
        head=head(file, of, parties, language),
        columns={
            column: say(language, _TITLES.get(column, f"column_{column}")) for column in COLUMNS if column in filled
        },
        rows=rows,
        states={state: state_words(state, language) for state in MilestoneState if state in found},
        foot=_foot(file, of, language, write),
    )


def state_words(state: MilestoneState, language: Language, rung: str = "", round_: int = 1) -> str:
    """Name a milestone's state; `Overdue L2, round 2` with its rung and its round after the first."""
    words = say(language, _WORDS.get(state, f"look_{state}"), rung=rung).strip()
    return say(language, "in_round", what=words, round=round_) if round_ > 1 else words


class _Dates:
    """How the dates of one plan are written: short, and with what cannot be taken for granted."""

    def __init__(self, file: OrderFile, of: Sheet, language: Language) -> None:
        self.file, self.language = file, language
        self.home = file.calendar.tz
        self.today = file.calendar.local_date(of.at.now)

    def day(self, on: date) -> str:
        """Write a day, with its year only where it is not this one."""
        return day(self.language, on, "short_day" if on.year == self.today.year else "day")

    def instant(self, instant: datetime | None, *, unsure: bool = False, day_only: bool = False) -> str:
        """Write an instant on its own wall; the end of a day as the day, a zone only where it is not the office's."""
        if instant is None:
            return ""
        text = (UNSURE if unsure else "") + self.day(instant.date())
        if instant.time() != END_OF_DAY and not day_only:
            text += f" {instant:%H:%M}"
        away = instant.utcoffset() != instant.astimezone(self.home).utcoffset()
        return f"{text} {zone(instant)}" if away else text


def _row(file: OrderFile, of: Sheet, line: SheetLine, parties: Parties, language: Language, write: _Dates) -> Row:
    milestone = file.template.by_code[line.code]
    runs = not of.at.state.is_over and line.state is not MilestoneState.CANCELLED
    ahead = runs and line.actual_finish is None
    drives = line.drives and runs
    name = f"{line.code} {milestone.name.in_(language)}"
    cells = {
        "milestone": f"{ON_PATH} {name}" if drives else name,
        "state": _state(of, line, language),
        "baseline": write.instant(_other_day(line.baseline, line.plan)),
        "planned": write.instant(line.plan, unsure="plan" in line.provisional),
        # A step has an actual date or a forecast, never both: they share a column, so that the slack fits on the page.
        "forecast": write.instant(line.actual_finish, day_only=not milestone.cutoff),
        "promised": write.instant(line.promise) if line.actual_finish is None else "",
        "late": str(line.late_by) if line.late_by else "",
        "quantity": _quantity(file, line, language),
        "owner": name_of(owner_of(file, file.entries, milestone.code), parties).in_(language),
        "waiting": enumerate_(
            language, [name_of(code, parties).in_(language) for code in milestone.waiting_on], _NAMED
        ),
    }
    if ahead:
        # The time of day of what is only worked out would move with the clock.
        cells["forecast"] = write.instant(
            line.forecast, unsure="forecast" in line.provisional, day_only=line.cause not in _GIVEN
        )
        cells["latest"] = write.instant(line.late_date, unsure="late_date" in line.provisional)
        cells["slack"] = "" if line.slack is None else str(line.slack)
    return Row(line.code, name, line.state, drives, {key: cells[key] for key in COLUMNS if cells.get(key)})


def _state(of: Sheet, line: SheetLine, language: Language) -> str:
    return state_words(line.state, language, of.at.rung_of(line.code) or "", line.round)


def _other_day(baseline: datetime | None, plan: datetime | None) -> datetime | None:
    """Return the baseline where it is another day than the plan."""
    return baseline if baseline is None or plan is None or baseline.date() != plan.date() else None


def _quantity(file: OrderFile, line: SheetLine, language: Language) -> str:
    if line.quantity_done is None or line.quantity_required is None:
        return ""
    required = quantity(line.quantity_required, file.order.unit)
    return say(language, "done_of", done=quantity(line.quantity_done), required=required)


def _foot(file: OrderFile, of: Sheet, language: Language, write: _Dates) -> tuple[str, ...]:
    foot = []
    if of.path and not of.at.state.is_over:
        foot.append(say(language, "legend_path", mark=ON_PATH))
    if of.sails_at is not None and not of.at.state.is_over:
        foot.append(say(language, "foot_forecast"))
    foot.append(say(language, "foot_zone", zone=file.calendar.zone, year=write.today.year))
    years = unpublished_years(file, of)
    if years:
        named = say(language, "list").join(str(year) for year in years)
        foot.append(say(language, "foot_provisional", mark=UNSURE, years=named, command=LOAD_LIST))
    return tuple(foot)


def unpublished_years(file: OrderFile, of: Sheet) -> tuple[int, ...]:
    """Return the years whose official holidays the provisional dates of a plan wait for."""
    dates = [
        date_.astimezone(zone_of(file, line.code)).date()
        for line in of.lines
        for field, date_ in (("plan", line.plan), ("forecast", line.forecast), ("late_date", line.late_date))
        if field in line.provisional and date_ is not None
    ]
    dates += [hard.at.astimezone(zone_of(file, hard.milestone)).date() for hard in of.hard if hard.provisional]
    if not dates:
        return ()
    calendars = {file.calendars[milestone.calendar] for milestone in file.template.milestones}
    ends = [line.plan.date() for line in of.lines if line.plan is not None]
    years: Iterable[int] = range(min(dates).year, max([*dates, *ends]).year + 1)
    return tuple(year for year in years if any(calendar.is_provisional(date(year, 1, 1)) for calendar in calendars))
