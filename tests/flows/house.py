"""A whole Gendan for the tests, in a folder of its own, and orders that are followed in it."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact, FlowRun, State, StateType, TaskRun
from sqlalchemy import Row, select, update
from sqlalchemy.engine import make_url

from gendan.house import House
from gendan.replay import write_channels
from gendan.supervisor import Running, Supervisor
from gendan.whole import whole_gendan
from models import tables
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Report
from models.terms.milestone import Milestone
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.database import transaction
from tasks.logbook import record_entry
from tasks.notices import list_notices
from tasks.orders import open_file, register
from tasks.settings import Settings, settings
from tasks.virtual import Sleepers
from tests.factories import CUSTOMS, CUTTING, DEPARTURE, FABRIC, SEWING, a_policy, a_template, an_order, china

PATIENCE = 120.0
"""Seconds after which what does not happen is given up; the worker may be starting again."""
OFFICE = "cn-office"

T = TypeVar("T")

_shared = pytest.StashKey[Running]()
_numbers = itertools.count(1)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anything that names a Gendan or a Prefect."""
    ours = ("GENDAN_", "PREFECT_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let this process have `values` for its environment, for the length of a block."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    settings.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


@contextmanager
def a_house(
    make: Callable[[Settings, Callable[[str], None]], Supervisor] | None = None, **changes: str
) -> Iterator[Running]:
    """
    Run a Gendan in a new folder, for the length of a block; its messages are written to files.

    `changes` are added to the environment of its processes.
    """
    make = make or (lambda settings, say: whole_gendan(settings, say, watch=False))
    with tempfile.TemporaryDirectory(prefix="gendan-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        ours = Settings(home=home, port=0, database_url=None, channels=write_channels(home))
        with environment(clean_environment() | changes):
            supervisor = make(ours, print)
            running = supervisor.start()
        try:
            yield running
        finally:
            supervisor.stop()


def shared_house(config: pytest.Config) -> Running:
    """Return the Gendan that the whole session shares: it is started once, and stopped at the end."""
    if _shared not in config.stash:
        # Its server writes a line for each call, which test_costs counts; the worker looks for what a person resumed
        # twice as often as usual, and the server for silences as often as it comes.
        kept = ExitStack()
        house = a_house(
            PREFECT_SERVER_LOGGING_LEVEL="INFO",
            PREFECT_WORKER_QUERY_SECONDS="1",
            PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY="PT5S",
        )
        config.stash[_shared] = kept.enter_context(house)
        config.add_cleanup(kept.close)
    return config.stash[_shared]


def house_of(running: Running) -> House:
    """Return the folder of a running Gendan."""
    return House(Path(running.environment["GENDAN_HOME"]))


def outbox_of(running: Running) -> list[str]:
    """Return the first lines (the subjects) of all messages that were delivered."""
    outbox = house_of(running).outbox
    return [path.read_text(encoding="utf-8").split("\n", 1)[0] for path in sorted(outbox.glob("*.txt"))]


@asynccontextmanager
async def prefect_database(running: Running) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Give a connection to the database of Prefect's server: for what its API does not tell."""
    url = make_url(running.database_url).set(drivername="postgresql", database="prefect")
    text = url.render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(text, autocommit=True) as connection:
        yield connection


async def eventually(look: Callable[[], Awaitable[T | None]], *, within: float = PATIENCE, every: float = 0.05) -> T:
    """Look again and again until there is something true to be seen, and return it."""
    give_up = time.monotonic() + within
    while not (seen := await look()):
        assert time.monotonic() < give_up, f"not within {within:.0f} s"
        await asyncio.sleep(every)
    return seen


def at_the_office(*milestones: Milestone, **changes: Any) -> Template:
    """Build a template on the bundled calendar of Chinese offices; without milestones, from fabric to departure."""
    chosen = milestones or (FABRIC, CUTTING, SEWING, CUSTOMS, DEPARTURE)
    kept = [milestone.model_copy(update={"calendar": OFFICE}) for milestone in chosen]
    return a_template(*kept, **({"calendar": OFFICE} | changes))


def two_steps() -> Template:
    """Build a template of fabric and departure."""
    return at_the_office(FABRIC, DEPARTURE.model_copy(update={"after": ("FAB_IN",)}))


class Following:
    """One order that is followed, as seen from our tables and from Prefect's API."""

    def __init__(self, order_no: str, client: PrefectClient) -> None:
        self.order_no = order_no
        self.client = client

    # --- moving it ---

    async def wake(self, at: datetime, *reports: Report) -> None:
        """Move its clock to `at`, record reports, and do not wait."""
        await Sleepers().advance(self.order_no, at, reports)

    async def advance(self, at: datetime, *reports: Report) -> None:
        """Move its clock to `at`, record reports, and wait until it waits again."""
        await self.wake(at, *reports)
        await self.asleep()

    async def climb(self) -> None:
        """Move its clock to the next instant at which it has something to say."""
        next_wake_up = (await self.row()).next_wake_up
        assert next_wake_up is not None, "it has nothing more to say"
        await self.advance(next_wake_up)

    async def record(self, make: Callable[[OrderFile, datetime], Entry]) -> None:
        """Tell something about it, and wait until it waits again."""
        await record_entry(self.order_no, make)
        await self.asleep()

    async def answer(self, **fields: Any) -> None:
        """Answer the Resume form as Prefect's page does it, and wait until the answer is seen."""
        before = (await self.row()).wakes
        await self.submit(**fields)
        await eventually(lambda: self._woke_since(before))
        await self.asleep()

    async def submit(self, **fields: Any) -> Any:
        """Send the Resume form; return what Prefect says of it."""
        flow_run_id = (await self.row()).flow_run_id
        return await self.client.resume_flow_run(flow_run_id, run_input=fields)

    async def _woke_since(self, wakes: int) -> bool:
        return bool((await self.row()).wakes > wakes)

    async def asleep(self, *, within: float = PATIENCE) -> None:
        """Wait until it waits, or has ended."""
        await eventually(self._is_asleep, within=within)

    async def _is_asleep(self) -> bool:
        row = await self.row()
        return not row.wanted and row.awake_since is None and row.flow_run_id is not None

    async def set(self, **values: Any) -> None:
        """Change its follow-up by hand, as an accident would."""
        async with transaction() as connection:
            await connection.execute(
                update(tables.follow_ups).where(tables.follow_ups.c.order_no == self.order_no).values(values)
            )

    # --- looking at it ---

    async def row(self) -> Row[Any]:
        """Return its follow-up."""
        async with transaction() as connection:
            return (
                await connection.execute(select(tables.follow_ups).where(tables.follow_ups.c.order_no == self.order_no))
            ).one()

    async def file(self) -> OrderFile:
        """Return its file."""
        return (await open_file(self.order_no))[0]

    async def run(self) -> FlowRun:
        """Return its run."""
        return await self.client.read_flow_run((await self.row()).flow_run_id)

    async def state(self) -> State[Any]:
        """Return its run's state."""
        state = (await self.run()).state
        assert state is not None
        return state

    async def ended(self) -> State[Any]:
        """Wait until its run has ended: the order's row says so a moment earlier."""

        async def look() -> State[Any] | None:
            state = await self.state()
            return state if state.is_final() else None

        return await eventually(look)

    async def task_runs(self) -> list[TaskRun]:
        """Return all task runs of its run."""
        run = (await self.row()).flow_run_id
        return await self.client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))

    async def bars(self) -> dict[str, TaskRun]:
        """Return the bars of its milestones by their codes; a milestone with two bars fails."""
        runs = [run for run in await self.task_runs() if not run.task_key.startswith("raise")]
        codes = [run.name.split(" ", 1)[0] for run in runs]
        assert len(set(codes)) == len(codes), f"a milestone has two bars: {codes}"
        return dict(zip(codes, runs, strict=True))

    async def looks(self) -> dict[str, tuple[StateType, str | None]]:
        """Return how its milestones look: the colour and the word of each bar."""
        bars = await self.bars()
        return {code: (bar.state.type, bar.state.name) for code, bar in bars.items() if bar.state}

    async def sheets(self) -> list[Artifact]:
        """Return the artifacts of its run."""
        run = (await self.row()).flow_run_id
        return await self.client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        )

    async def notices(self) -> list[Row[Any]]:
        """Return what was said about it, in the order in which it was said."""
        return await list_notices(self.order_no)

    async def messages(self) -> list[Row[Any]]:
        """Return what went out about it, once the post has made a message of every notice and delivered it."""

        made = select(tables.messages).where(tables.messages.c.order_no == self.order_no)

        async def all_delivered() -> tuple[list[Row[Any]]] | None:
            waiting = [notice for notice in await self.notices() if notice.holds and not notice.told]
            async with transaction() as connection:
                messages = list(await connection.execute(made.order_by(tables.messages.c.id)))
            return None if waiting or any(message.delivered_at is None for message in messages) else (messages,)

        return (await eventually(all_delivered))[0]

    async def inputs(self) -> dict[str, str]:
        """Return what is kept of its Resume form: the form, and an answer that was not read yet."""
        run = (await self.row()).flow_run_id
        kept = await self.client.filter_flow_run_input(run, key_prefix="", limit=100, exclude_keys=set())
        return {one.key: one.value for one in kept}


class Follow:
    """Takes orders in and follows them."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client

    async def register(
        self, template: Template | None = None, *, policy: Policy | None = None, clock: datetime | None, **changes: Any
    ) -> Following:
        """Take an order in; with a virtual clock it sleeps until somebody moves that."""
        order = an_order(**({"order_no": f"T-{next(_numbers):04d}"} | changes))
        await register(order, template or at_the_office(), policy or a_policy(), clock=clock, wake=clock is None)
        return Following(order.order_no, self.client)

    async def __call__(self, template: Template | None = None, *reports: Report, **changes: Any) -> Following:
        """Take an order in on its own clock, 1 October 2026 unless told, and wait until it waits."""
        clock = changes.pop("clock", china(1, month=10))
        order = await self.register(template, clock=clock, **changes)
        await order.advance(clock, *reports)
        return order

    async def real(self, template: Template | None = None, **changes: Any) -> Following:
        """Take an order in on the wall's clock, sailing in three months, and wait until it waits."""
        now = datetime.now(tz=china(1).tzinfo)
        fields: dict[str, Any] = {
            "placed_at": now - timedelta(hours=1),
            "came_in": now,
            "etd": (now + timedelta(days=90)).date(),
        }
        order = await self.register(template, clock=None, **(fields | changes))
        await order.asleep()
        return order


async def runs_by_id(client: PrefectClient, ids: list[UUID]) -> dict[UUID, FlowRun]:
    """Return these runs by their ids."""
    runs = await client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=200)
    return {run.id: run for run in runs}
