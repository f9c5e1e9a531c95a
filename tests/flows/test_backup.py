"""Orders in mid-season, backed up while Gendan runs, destroyed and restored: each goes on, whatever Prefect knows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
import pytest_asyncio
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from sqlalchemy import select

from gendan.backups.archive import ORDERS, PREFECT, Manifest
from gendan.backups.backup import back_up
from gendan.backups.restore import put_back
from gendan.replay import write_channels
from gendan.whole import whole_gendan
from models import tables
from models.book.order import OrderState
from tasks import database
from tasks.settings import Settings
from tests.factories import a_report, china
from tests.flows.house import Follow, Following, clean_environment, environment, eventually, runs_by_id, two_steps

BEGUN = china(1, month=10)
SOON = 180.0
"""Seconds in which the watch comes round twice."""


@dataclass(frozen=True)
class Season:
    """What was backed up: earlier, and later."""

    earlier: Path
    later: Path
    #: What was said by then, of each order.
    said: dict[str, int]
    stalled: str
    on_its_way: str
    closed_between: str
    new_between: str
    on_the_wall: str

    @property
    def open(self) -> list[str]:
        return [self.stalled, self.on_its_way, self.new_between, self.on_the_wall]


def a_home(folder: str) -> Settings:
    home = Path(folder).resolve()
    home.mkdir(exist_ok=True)
    return Settings(home=home, port=0, database_url=None, channels=write_channels(home))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def season(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Season]:
    """Give backups of a season that a Gendan followed which is no more."""
    kept = tmp_path_factory.mktemp("backups")
    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        settings = a_home(folder)
        with environment(clean_environment()):
            async with whole_gendan(settings, print) as running, PrefectClient(running.api_url) as client:
                with environment(running.environment):
                    follow = Follow(client)
                    stalled, on_its_way, closed = [await follow(two_steps()) for _ in range(3)]
                    wall = await follow.real()
                    while not await stalled.messages():
                        await stalled.climb()
                    back_up(settings, kept / "earlier", replace=False)
                    fabric, sailed = china(20, month=10), china(30, month=10)
                    await on_its_way.advance(fabric, a_report("FAB_IN", fabric))
                    await closed.advance(sailed, a_report("FAB_IN", fabric), a_report("DEPARTED", sailed))
                    assert (await closed.row()).closed_as == OrderState.CLOSED
                    new = await follow(two_steps())
                    orders = [stalled, on_its_way, closed, new, wall]
                    said = {order.order_no: len(await order.messages()) for order in orders}
                    back_up(settings, kept / "later", replace=False)
                    # what is told after the last backup is lost with the disk
                    await new.advance(fabric, a_report("FAB_IN", fabric))
                    await database.close()
        numbers = [order.order_no for order in (stalled, on_its_way, closed, new, wall)]
    yield Season(kept / "earlier", kept / "later", said, *numbers)


def mixed(season: Season) -> Path:
    """Return a backup with the later order book and the earlier part of Prefect's."""
    file = season.later.with_name("mixed")
    with ZipFile(season.earlier) as earlier, ZipFile(season.later) as later, ZipFile(file, "w") as to:
        before, after = (Manifest.model_validate_json(each.read("manifest.json")) for each in (earlier, later))
        to.writestr("gendan-backup", "")
        to.writestr(PREFECT, earlier.read(PREFECT))
        to.writestr(ORDERS, later.read(ORDERS))
        parts = {PREFECT: before.parts[PREFECT], ORDERS: after.parts[ORDERS]}
        to.writestr("manifest.json", after.model_copy(update={"parts": parts}).model_dump_json())
    return file


@pytest.fixture(params=["both as they were", "Prefect's part is older", "the orders alone"])
def restored(season: Season, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Give a new home with what was backed up."""
    folder = tempfile.mkdtemp(prefix="gx-", dir="/tmp")
    settings = a_home(folder)
    file = mixed(season) if request.param == "Prefect's part is older" else season.later
    with environment(clean_environment()):
        put_back(settings, file, replace=False, orders_only=request.param == "the orders alone")
    yield settings
    shutil.rmtree(folder, ignore_errors=True)


async def all_wait(client: PrefectClient, season: Season) -> dict[str, Any] | None:
    """Return the follow-ups once each open order waits in a paused run, and no other run waits."""
    async with database.transaction() as connection:
        rows = {row.order_no: row for row in await connection.execute(select(tables.follow_ups))}
    if any(row.wanted or row.awake_since is not None for row in rows.values()):
        return None
    paused = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    )
    return rows if {run.id for run in paused} == {rows[order_no].flow_run_id for order_no in season.open} else None


async def has_completed(client: PrefectClient, run: UUID) -> bool:
    return (await runs_by_id(client, [run]))[run].state_type is StateType.COMPLETED


@pytest.mark.timeout(600)
async def test_a_season_that_was_destroyed_goes_on(season: Season, restored: Settings) -> None:
    with environment(clean_environment()):
        async with whole_gendan(restored, print) as running, PrefectClient(running.api_url) as client:
            with environment(running.environment):
                rows = await eventually(lambda: all_wait(client, season), within=SOON)
                assert {o: row.closed_as for o, row in rows.items() if row.closed_as} == {
                    season.closed_between: OrderState.CLOSED
                }

                for order_no in (season.stalled, season.new_between):
                    order = Following(order_no, client)
                    at = (await order.row()).clock + timedelta(hours=1)
                    await order.advance(at, a_report("FAB_IN", at))
                    assert (await order.looks())["FAB_IN"][0] is StateType.COMPLETED
                sailed = china(30, month=10)
                last = Following(season.on_its_way, client)
                await last.advance(sailed, a_report("DEPARTED", sailed))
                row = await last.row()
                assert row.closed_as == OrderState.CLOSED
                # the order is closed first, its run a moment later
                await eventually(lambda: has_completed(client, row.flow_run_id), within=SOON)

                # what was said before is known to have been said
                for order_no, said in season.said.items():
                    assert len(await Following(order_no, client).messages()) == said
                await database.close()
