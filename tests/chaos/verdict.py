"""What a season under faults has to be at its end, compared with the core alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from sqlalchemy import Row, func, select

from gendan.replay import read_result
from gendan.season import Season, backtest
from models import tables
from models.book.order import OrderKind
from models.book.report import Report
from models.seasons.result import MessageResult, Result, differences
from tasks.database import transaction
from tasks.notices import list_notices
from tasks.waking import deployment_id
from tasks.watching import ALIVE
from tests.chaos.site import Arrival

DOUBLES = 1 / 1000
"""Deliveries that may arrive twice, as a part of all."""
PAGE = 200
HOUR = timedelta(hours=1)

Claim = tuple[str, str, str, str, str]
"""Order, milestone, rung, due version and role."""


@dataclass
class Verdict:
    """What was found, and every difference in words; none: nothing was lost."""

    differences: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    """What was delivered twice, and when."""
    figures: dict[str, int] = field(default_factory=dict)


def claims_of(messages: Iterable[MessageResult]) -> Counter[Claim]:
    """Count what was said, whenever it was."""
    return Counter((m.order_no, m.milestone, m.rung, m.due.isoformat(), m.recipient) for m in messages)


def compare_claims(played: Counter[Claim], expected: Counter[Claim], excused: Set[Claim]) -> list[str]:
    """
    Name what was not said, said twice, or said without need.

    Eight writers tell the reports of one instant one after the other, in any order, and each report wakes its order:
    between two of them it may truly say what the next one settles. The core alone hears all of an instant at once and
    never does. Such a claim is `excused`, and counted; any other that the core does not make is a difference.
    """
    twice = [f"claimed {count} times: {' '.join(claim)}" for claim, count in played.items() if count > 1]
    missing = [f"never said: {' '.join(claim)}" for claim in expected.keys() - played.keys()]
    extra = [f"said without need: {' '.join(claim)}" for claim in played.keys() - expected.keys() - excused]
    return sorted([*twice, *missing, *extra])


def excused_claims(season: Season, notices: Sequence[Row[Any]]) -> set[Claim]:
    """
    Return the claims that may have been made between two reports of one instant.

    They were made at an instant at which reports of their order became known (or within the hour before it, where
    the order's clock had stepped back), and hold no more: what settled them has come.
    """
    return {
        _claim(notice)
        for notice in notices
        if not notice.holds
        and any(instant - HOUR <= notice.raised_at <= instant for instant in _hears_at(season, notice.order_no))
    }


def _hears_at(season: Season, order_no: str) -> set[datetime]:
    """Return when an order hears of something: at its reports' instants, and of all that was before as it comes in."""
    came_in = next(file.order.came_in for file in season.files if file.order.order_no == order_no)
    return {max(told.recorded_at, came_in) for told in season.reports.get(order_no, ())}


def _claim(notice: Row[Any]) -> Claim:
    return (notice.order_no, notice.milestone, notice.rung, notice.due.astimezone(UTC).isoformat(), notice.role)


def compare_states(played: Result, expected: Result) -> list[str]:
    """Name every order that does not stand where it would stand without faults."""
    silent = [result.model_copy(update={"messages": ()}) for result in (played, expected)]
    return differences(*silent)


def compare_texts(arrived: Sequence[Arrival], made: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Name what did not arrive at an address or was made by nobody; and what arrived there more often than it was made.

    `arrived` is all that arrived at one address, `made` the texts of all messages.
    """
    where = arrived[0].where
    there, wanted = _counted([arrival.text for arrival in arrived]), _counted(made)
    lost = [f"never arrived at {where}: {text[:100]}" for text in (wanted - there)]
    strange = [f"nobody made what arrived at {where}: {text[:100]}" for text in there.keys() - wanted.keys()]
    twice = [f"arrived twice at {where}: {text[:60]}, {_when(arrived, text)}" for text in (there - wanted).elements()]
    return sorted([*lost, *strange]), twice


def _counted(texts: Iterable[str]) -> Counter[str]:
    return Counter(map(_plain, texts))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _when(arrived: Sequence[Arrival], text: str) -> str:
    return " and ".join(f"{arrival.at:%H:%M:%S.%f}" for arrival in arrived if _plain(arrival.text) == text)


async def judge(season: Season, client: PrefectClient, arrived: Sequence[Arrival]) -> Verdict:
    """Compare all that is in both databases, and what arrived, with the season as the core alone plays it."""
    verdict = Verdict()
    numbers = [file.order.order_no for file in season.files if file.order.came_in <= season.until]
    expected = backtest(season)
    played = await read_result(numbers, season.until)
    verdict.differences += compare_states(played, expected)

    notices = await list_notices()
    said = claims_of(played.messages)
    wanted = claims_of(expected.messages)
    verdict.differences += compare_claims(said, wanted, excused_claims(season, notices))
    verdict.figures["notices"] = said.total()
    verdict.figures["said while a report was on its way"] = len(said.keys() - wanted.keys())
    verdict.figures["ended before they were told"] = sum(not notice.told for notice in notices)

    verdict.differences += await _follow_ups(expected)
    verdict.differences += await _reports(season, verdict)
    verdict.differences += await _deliveries(arrived, verdict)
    verdict.differences += await _runs(client, verdict)
    return verdict


async def _follow_ups(expected: Result) -> list[str]:
    """Name every order of which its follow-up says another state than its file, or that is over and still followed."""
    follow_ups = tables.follow_ups.c
    async with transaction() as connection:
        rows = await connection.execute(select(follow_ups.order_no, follow_ups.state, follow_ups.closed_as))
        found = {row.order_no: (row.state, row.closed_as) for row in rows}
    wanted = {
        order.order_no: (order.state.value, order.state.value if order.state.is_over else None)
        for order in expected.orders
    }
    return [
        f"follow-up of {order_no}: {found.get(order_no)} instead of {state}"
        for order_no, state in sorted(wanted.items())
        if found.get(order_no) != state
    ]


async def _reports(season: Season, verdict: Verdict) -> list[str]:
    entries = tables.entries.c
    async with transaction() as connection:
        rows = await connection.execute(
            select(entries.order_no, entries.source, entries.source_event_id).where(entries.kind == "report")
        )
        there = Counter(tuple(row) for row in rows)
    told = {
        (order_no, report.source, report.source_event_id)
        for order_no, reports in season.reports.items()
        for report in reports
        if isinstance(report, Report) and report.recorded_at <= season.until
    }
    verdict.figures["reports"] = len(told)
    return [
        *(f"report lost: {' '.join(one)}" for one in sorted(told - there.keys())),
        *(f"report {count} times: {' '.join(one)}" for one, count in there.items() if count > 1),
        *(f"report from nowhere: {' '.join(one)}" for one in sorted(there.keys() - told)),
    ]


async def _deliveries(arrived: Sequence[Arrival], verdict: Verdict) -> list[str]:
    messages, notices = tables.messages.c, tables.notices.c
    async with transaction() as connection:
        made = list(await connection.execute(select(messages.subject, messages.body, messages.delivered_at)))
        addresses = await connection.execute(select(func.count()).select_from(tables.channels))
        untold = await connection.execute(select(func.count()).where(notices.holds, notices.told == 0))
        known, still = addresses.scalar_one(), untold.scalar_one()
    by_address: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrived:
        by_address[arrival.where].append(arrival)
    wrong = []
    for there in by_address.values():
        wrong_there, twice = compare_texts(there, [f"{row.subject} {row.body}" for row in made])
        wrong += wrong_there
        verdict.twice += twice
    verdict.figures |= {
        "messages": len(made),
        "deliveries": len(arrived),
        "delivered twice": len(verdict.twice),
    }
    if len(by_address) != known:
        wrong.append(f"something arrived at {len(by_address)} of {known} addresses")
    if left := sum(row.delivered_at is None for row in made):
        wrong.append(f"{left} messages were never delivered")
    if still:
        wrong.append(f"{still} notices hold and were never told")
    if verdict.twice and len(verdict.twice) >= DOUBLES * len(arrived):
        wrong.append(f"{len(verdict.twice)} of {len(arrived)} deliveries arrived twice: 1 in 1,000 or more")
    return wrong


async def stray_runs(client: PrefectClient) -> list[str]:
    """Name each open order without a live run, and each live run without an open order."""
    return await _runs(client, Verdict())


async def _runs(client: PrefectClient, verdict: Verdict) -> list[str]:
    follow_ups = tables.follow_ups.c
    async with transaction() as connection:
        rows = list(await connection.execute(select(follow_ups.order_no, follow_ups.flow_run_id, follow_ups.closed_as)))
    open_ = {row.flow_run_id: row.order_no for row in rows if row.closed_as is None}
    alive = await alive_runs(client)
    verdict.figures |= {"open orders": len(open_), "live runs": len(alive)}
    return [
        *(f"order {open_[run]} has no live run" for run in open_.keys() - alive),
        *(f"run {run} lives without an order" for run in alive - open_.keys()),
    ]


async def alive_runs(client: PrefectClient) -> set[UUID]:
    """Return the runs of orders that have not ended in Prefect."""
    ours = DeploymentFilter(id=DeploymentFilterId(any_=[await deployment_id(client, kind) for kind in OrderKind]))
    found: set[UUID] = set()
    while True:
        page = await client.read_flow_runs(
            deployment_filter=ours,
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ALIVE)),
                id=FlowRunFilterId(not_any_=list(found)) if found else None,
            ),
            limit=PAGE,
        )
        if not page:
            return found
        found |= {run.id for run in page}
