"""What was said of an order so far: its claims, those that still hold, and where its chases stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, func, select
from sqlalchemy import cast as as_type
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.book.order_file import Chase, ChaseState, Claim

_notices = tables.notices.c
_chases = tables.chases.c


class Said(NamedTuple):
    """The claims of an order with the instants at which they were raised, those that hold, and its chases."""

    claimed: dict[Claim, datetime]
    holding: frozenset[Claim]
    chases: dict[str, Chase]


async def read_said(connection: AsyncConnection, order_nos: Sequence[str]) -> dict[str, Said]:
    """Return for each order what was said of it: two queries, however many orders."""
    claims: dict[str, dict[Claim, datetime]] = {order_no: {} for order_no in order_nos}
    holding: dict[str, set[Claim]] = {order_no: set() for order_no in order_nos}
    chases: dict[str, dict[str, Chase]] = {order_no: {} for order_no in order_nos}
    which = func.any(as_type(list(order_nos), ARRAY(Text)))
    found = await connection.execute(
        select(
            _notices.order_no, _notices.milestone, _notices.rung, _notices.due,
            func.min(_notices.raised_at), func.bool_or(_notices.holds),
        )
        .where(_notices.order_no == which)
        .group_by(_notices.order_no, _notices.milestone, _notices.rung, _notices.due)
    )  # fmt: skip
    for order_no, milestone, rung, due, raised_at, holds in found:
        claim = Claim(milestone, rung, due)
        claims[order_no][claim] = raised_at
        if holds:
            holding[order_no].add(claim)
    latest = (
        select(_chases.order_no, _chases.milestone, _chases.state, _chases.rung, _chases.by, _chases.until, _chases.why)
        .distinct(_chases.order_no, _chases.milestone)
        .where(_chases.order_no == which)
        .order_by(_chases.order_no, _chases.milestone, _chases.id.desc())
    )
    for order_no, milestone, state, *rest in await connection.execute(latest):
        chases[order_no][milestone] = Chase(ChaseState(state), *rest)
    return {order_no: Said(claims[order_no], frozenset(holding[order_no]), chases[order_no]) for order_no in claims}
