"""What a season under faults has to be at its end, compared with the core alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
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
from sqlalchemy import func, select

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

DOUBLES = 1 / 1000
"""Deliveries that may arrive twice, as a part of all."""
PAGE = 200

Claim = tuple[str, str, str, str, str]
"""Order, milestone, rung, due version and role."""


@dataclass
class Verdict:
    """What was found, and every difference in words; none: nothing was lost."""

    differences: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


def claims_of(messages: Iterable[MessageResult]) -> Counter[Claim]:
    """Count what was said, whenever it was."""
    return Counter((m.order_no, m.milestone, m.rung, m.due.isoformat(), m.recipient) for m in messages)


def compare_claims(played: Counter[Claim], expected: Counter[Claim], held: set[Claim]) -> list[str]:
    """
    Name what was not said, said twice, or said without need.

    Reports that were told one after the other, in any order, may let an order say for a moment what the next of them
    settles: that is no difference once it holds no more. `held` are the claims that hold at the end.
    """
    twice = [f"claimed {count} times: {' '.join(claim)}" for claim, count in played.items() if count > 1]
    missing = [f"never said: {' '.join(claim)}" for claim in expected.keys() - played.keys()]
    extra = [f"said without need, and it holds: {' '.join(claim)}" for claim in (played.keys() - expected) & held]
    return sorted([*twice, *missing, *extra])


def compare_states(played: Result, expected: Result) -> list[str]:
    """Name every order that does not stand where it would stand without faults."""
    silent = [result.model_copy(update={"messages": ()}) for result in (played, expected)]
    return differences(*silent)


def doubles(heard: Sequence[bytes], made: int) -> int:
    """Count what arrived more than once, of so many messages that were made."""
    return len(heard) - made if len(heard) > made else 0


async def judge(season: Season, client: PrefectClient, heard: Sequence[bytes], written: int) -> Verdict:
    """
    Compare all that is in both databases with the season as the core alone plays it.

    `heard` is what the receiver got, `written` how many messages lie in the outbox.
    """
    verdict = Verdict()
    numbers = [file.order.order_no for file in season.files if file.order.came_in <= season.until]
    expected = backtest(season)
    played = await read_result(numbers, season.until)
    verdict.differences += compare_states(played, expected)

    notices = await list_notices()
    said = claims_of(played.messages)
    held = {(n.order_no, n.milestone, n.rung, n.due.astimezone(UTC).isoformat(), n.role) for n in notices if n.holds}
    wanted = claims_of(expected.messages)
    verdict.differences += compare_claims(said, wanted, held)
    verdict.figures["notices"] = said.total()
    verdict.figures["said while a report was on its way"] = len(said.keys() - wanted.keys())

    verdict.differences += await _reports(season, verdict)
    verdict.differences += await _deliveries(heard, written, verdict)
    verdict.differences += await _runs(client, verdict)
    return verdict


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


async def _deliveries(heard: Sequence[bytes], written: int, verdict: Verdict) -> list[str]:
    messages = tables.messages.c
    async with transaction() as connection:
        made = (await connection.execute(select(func.count()).select_from(tables.messages))).scalar_one()
        left = (await connection.execute(select(func.count()).where(messages.delivered_at.is_(None)))).scalar_one()
    twice = doubles(heard, made) + max(0, written - made)
    verdict.figures |= {"messages": made, "deliveries": len(heard) + written, "delivered twice": twice}
    wrong = []
    if left:
        wrong.append(f"{left} messages were never delivered")
    if min(len(heard), written) < made:
        wrong.append(f"{made} messages were made, {len(heard)} arrived at the receiver and {written} in the outbox")
    if twice > DOUBLES * (len(heard) + written):
        wrong.append(f"{twice} of {len(heard) + written} deliveries arrived twice: more than 1 in 1,000")
    return wrong


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
