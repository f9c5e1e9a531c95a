"""Orders that the first release followed go on under this one, whether Prefect still has their runs or not."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from sqlalchemy import func, select

from gendan.embedded import EmbeddedPostgres
from gendan.house import House
from gendan.replay import write_channels
from gendan.whole import whole_gendan
from models import tables
from models.status.standing import standing
from tasks import database
from tasks.orders import open_file
from tasks.settings import Settings
from tests.factories import a_report
from tests.flows.house import Following, clean_environment, environment, eventually, runs_by_id
from tests.releases.databases import FIRST, load, told

TOLD = told(FIRST)
OPEN = [order_no for order_no, order in TOLD.items() if order["closed_as"] is None]
ON_ITS_OWN_CLOCK = [order_no for order_no in OPEN if order_no.startswith("SO-")]
SOON = 180.0
"""Seconds in which the watch comes round twice."""


@pytest.fixture(params=["its runs are paused", "its runs are gone"])
def left_behind(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Give a GENDAN_HOME as the first release left it; what Prefect knew is there, or lost."""
    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        postgres = EmbeddedPostgres(House(home).postgres)
        postgres.start()
        postgres.ensure_databases("gendan", "prefect")
        load(FIRST, "gendan", postgres.url("gendan"))
        if request.param == "its runs are paused":
            load(FIRST, "prefect", postgres.url("prefect"))
        postgres.stop()
        yield Settings(home=home, port=0, database_url=None, channels=write_channels(home))


async def follow_ups() -> dict[str, Any]:
    async with database.transaction() as connection:
        return {row.order_no: row for row in await connection.execute(select(tables.follow_ups))}


async def undelivered() -> int:
    async with database.transaction() as connection:
        left = select(func.count()).where(tables.messages.c.delivered_at.is_(None))
        return int((await connection.execute(left)).scalar_one())


async def all_wait(client: PrefectClient) -> dict[str, Any] | None:
    """Return the follow-ups once each open order waits in a run that Prefect shows as paused."""
    rows = await follow_ups()
    if any(rows[o].wanted or rows[o].awake_since or rows[o].flow_run_id is None for o in OPEN):
        return None
    runs = await runs_by_id(client, [rows[order_no].flow_run_id for order_no in OPEN])
    alive = [run for run in runs.values() if run.state and run.state.type is StateType.PAUSED]
    return rows if len(alive) == len(OPEN) else None


@pytest.mark.timeout(600)
async def test_orders_of_the_first_release_go_on(left_behind: Settings) -> None:
    with environment(clean_environment()):
        async with whole_gendan(left_behind, print) as running, PrefectClient(running.api_url) as client:
            with environment(running.environment):
                rows = await eventually(lambda: all_wait(client), within=SOON)
                assert {order_no: row.closed_as for order_no, row in rows.items()} == {
                    order_no: order["closed_as"] for order_no, order in TOLD.items()
                }

                for order_no in ON_ITS_OWN_CLOCK:
                    before = TOLD[order_no]
                    at = datetime.fromisoformat(before["at"])
                    order = Following(order_no, client)
                    await order.advance(at + timedelta(hours=2), a_report(before["open"][0], at + timedelta(hours=1)))
                    file, follow_up = await open_file(order_no)
                    now = standing(file, follow_up.now)
                    assert len(now.reached) == len(before["reached"]) + 1
                    assert now.state == before["state"]
                    # the first release showed its messages as bars too
                    bars = [
                        (run.name.split(" ", 1)[0], run.state_type)
                        for run in await order.task_runs()
                        if run.name.split(" ", 1)[0] in file.template.codes
                    ]
                    assert max(Counter(code for code, _ in bars).values()) == 1
                    assert dict(bars)[before["open"][0]] is StateType.COMPLETED
                    assert now.state != "open" or dict(bars)[now.open[0]] is not StateType.COMPLETED

                async def all_sent() -> bool:
                    return await undelivered() == 0

                await eventually(all_sent, within=SOON)
                await eventually(lambda: all_wait(client), within=SOON)
                await database.close()
