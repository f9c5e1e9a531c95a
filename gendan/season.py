"""A past season read from files: the orders, and what was told about each, in the order in which it became known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.accepting.intake import ORDER_NEEDS, REPORT_NEEDS, Row, RowRefused, order_from, order_no_of, told_from
from models.book.order_file import OrderFile
from models.errors import Refused
from models.post.dispatch import Reader
from models.seasons.answered import Prompt
from models.seasons.judged import Comparison, Figures, judge
from models.seasons.posted import Notice, Posted, messages_to, raised
from models.seasons.result import MessageResult, Result, result_of
from models.seasons.season import Played, Said, Timeline, Told, play_out
from models.terms.party import MERCHANDISER, Person
from models.terms.policy import Policy
from tasks.choosing import template_for, with_customers_terms
from tasks.library import Library
from tasks.library_entries import read_policy
from tasks.marked_yaml import read_marked
from tasks.spreadsheets import read_rows

LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""A season is history: its own reports say when it ends, not the clock on the wall."""


@dataclass
class Season:
    """
    Orders with their reports, and the instant of the last report, at which the season ends.

    Every order comes in when it was placed. `refused` are the rows that could not be used.
    """

    files: list[OrderFile]
    reports: dict[str, list[Told]]
    until: datetime
    refused: list[tuple[Path, RowRefused]] = field(default_factory=list)

    def timeline(self, order_no: str) -> Timeline:
        """Return what is told about an order, from the beginning."""
        return Timeline.of(self.reports.get(order_no, ()))

    def under(self, policy: Policy) -> Season:
        """Return the same season with this policy in the place of every order's own, whatever its code."""
        return replace(self, files=[replace(file, policy=policy) for file in self.files])


def load_season(orders: Path, reports: Path, library: Library, limit: int | None = None) -> Season:
    """
    Read a season; `limit` keeps its first so many orders and leaves its end where it is.

    Raises ImportRefused for a file that is no table, Refused where there is nothing to play.
    """
    refused: list[tuple[Path, RowRefused]] = []
    files: dict[str, OrderFile] = {}
    for row in _usable(orders, ORDER_NEEDS, refused):
        try:
            accepted = order_from(row, now=LAST, choose=partial(template_for, library), calendars=library.calendars)
            order, template = with_customers_terms(library, accepted)
            if order.order_no in files:
                raise RowRefused(row.line, "order_no", f"{order.order_no} stands twice")
            order = order.model_copy(update={"came_in": order.placed_at})
            files[order.order_no] = OrderFile(order, template, library.policies[template.policy], library.calendars)
        except RowRefused as refusal:
            refused.append((orders, refusal))
    told: dict[str, list[Told]] = {}
    until: datetime | None = None
    for row in _usable(reports, REPORT_NEEDS, refused):
        try:
            report = _report(row, files)
            told.setdefault(order_no_of(row), []).append(report)
            until = report.recorded_at if until is None else max(until, report.recorded_at)
        except RowRefused as refusal:
            refused.append((reports, refusal))
    if not files or until is None:
        raise Refused(f"Nothing to play: {orders} gave {len(files)} orders and {reports} {len(told)} with reports.")
    return Season(list(files.values())[:limit], told, until, refused)


def _usable(path: Path, needs: tuple[str, ...], refused: list[tuple[Path, RowRefused]]) -> Iterator[Row]:
    for row in read_rows(path, needs):
        if isinstance(row, RowRefused):
            refused.append((path, row))
        else:
            yield row


def _report(row: Row, files: dict[str, OrderFile]) -> Told:
    file = files.get(order_no_of(row))
    if file is None:
        raise RowRefused(row.line, "order_no", f"{order_no_of(row)} is not among the orders")
    return told_from(
        row,
        now=LAST,
        order_calendar=file.calendar,
        placed_at=file.order.placed_at,
        codes=file.template.codes,
    )


def backtest(
    season: Season, progress: Callable[[int], None] = lambda done: None, answers_within: int | None = None
) -> Result:
    """Play every order with the core alone: no Prefect, no server, no database."""
    return _result(season, play_all(season, answers_within, progress))


def play_all(
    season: Season, answers_within: int | None = None, progress: Callable[[int], None] = lambda done: None
) -> list[Played]:
    """Play every order; with `answers_within` as if everybody answered within so many working days."""
    ended: list[Played] = []
    for done, file in enumerate(season.files, start=1):
        timeline = season.timeline(file.order.order_no)
        prompt = None
        if answers_within is not None:
            prompt = Prompt.in_season(file, timeline.entries, season.until, answers_within)
        ended.append(play_out(file, timeline, season.until, prompt))
        progress(done)
    return ended


def read_policy_file(path: Path, library: Library) -> Policy:
    """Return the policy in a file of its own. Raises LibraryError, with file and line, for the first mistake."""
    return read_policy(read_marked(path), library.parties)


def compare(
    season: Season,
    library: Library,
    policies: Mapping[str, Policy | None],
    answers_within: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Comparison:
    """
    Play a season once by each of these policies, called as they are; `None` leaves each order its own.

    `progress` is told of each order that was played.
    """
    began = min(file.order.came_in for file in season.files)
    figures: list[Figures] = []
    for name, policy in policies.items():
        ended = play_all(season.under(policy) if policy else season, answers_within, lambda done: progress())
        posts = post_all(ended, library, season.until)
        figures.append(judge(name, ended, _result(season, ended).orders, posts, (began, season.until)))
    return Comparison(began=began, ended=season.until, answers_within=answers_within, policies=tuple(figures))


def post_all(ended: Sequence[Played], library: Library, until: datetime) -> list[tuple[Reader, list[Posted]]]:
    """
    Return what everybody would have been written of a season, person by person, by his own hours.

    Whoever was on duty on the day on which a notice was to be said reads it.
    """
    people: dict[str, Person] = {}
    notices: dict[str, list[Notice]] = defaultdict(list)
    for played in ended:
        for notice in raised(played):
            mine = notice.role == MERCHANDISER
            holder = library.holder(played.file.order.merchandiser) if mine else library.filled_by(notice.role)
            day = library.calendars[holder.calendar].local_date(notice.meant_for)
            person = library.on_duty(holder, day)
            people[person.code] = person
            notices[person.code].append(notice)
    readers = [Reader(people[code], library.calendars[people[code].calendar]) for code in sorted(people)]
    return [(reader, messages_to(reader, notices[reader.person.code], until)) for reader in readers]


def _result(season: Season, ended: Sequence[Played]) -> Result:
    said = (message_result(word) for played in ended for word in played.said)
    return result_of([played.file for played in ended], said, season.until)


def message_result(said: Said) -> MessageResult:
    """Return a message as the result file has it."""
    claim = said.tell.claim
    return MessageResult(
        at=said.at,
        order_no=said.order_no,
        milestone=claim.milestone,
        rung=claim.rung,
        recipient=said.tell.role,
        due=claim.due,
    )
