"""What we rest on in Prefect that its documentation does not promise: a new version that fails here is not for us."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from packaging.version import Version
from prefect import flow, task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State, StateDetails, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import Abort
from prefect.input.run_input import keyset_from_base_key
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled
from prefect.utilities.engine import propose_state
from prefect.workers.base import BaseWorker
from sqlalchemy.engine import make_url

from gendan.supervisor import Running as House
from gendan.worker import GendanWorker
from tasks.clock import now
from tests.flows.house import eventually, prefect_database

POOL = "contract"
"""A pool that no worker looks at."""


@flow(name="contract", persist_result=False)
async def contract() -> str:
    """Stand for a flow of ours."""
    return "done"


@task(name="bar")
def bar() -> None:
    """Stand for a milestone's bar."""


@pytest_asyncio.fixture
async def deployment(client: PrefectClient) -> AsyncIterator[UUID]:
    """Return a deployment without a worker."""
    await client.create_work_pool(WorkPoolCreate(name=POOL, type=GendanWorker.type), overwrite=True)
    flow_id = await client.create_flow_from_name(contract.name)
    yield await client.create_deployment(flow_id=flow_id, name=f"contract-{uuid4().hex[:6]}", work_pool_name=POOL)
    await client.delete_work_pool(POOL)


@pytest_asyncio.fixture
async def run(client: PrefectClient, deployment: UUID) -> FlowRun:
    """Return a run of that deployment that has been claimed and is running."""
    made = await client.create_flow_run_from_deployment(deployment, state=Scheduled(scheduled_time=now()))
    await client.set_flow_run_state(made.id, Pending())
    await client.set_flow_run_state(made.id, Running())
    return await client.read_flow_run(made.id)


def paused(name: str = "Awaiting customs release", key: str = "1", form: str | None = None) -> State[Any]:
    """Build the state in which an order waits."""
    keyset = dict(keyset_from_base_key(form)) if form else None
    details = StateDetails(pause_reschedule=True, pause_key=key, run_input_keyset=keyset)
    return State(type=StateType.PAUSED, name=name, message="since Monday", state_details=details)


async def state_of(client: PrefectClient, run: FlowRun) -> State[Any]:
    """Return the run's present state."""
    state = (await client.read_flow_run(run.id)).state
    assert state is not None
    return state


# --- the worker


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_submit_run", ["self", "flow_run"]),  # ours runs the engine in its place
        ("_propose_pending_state", ["self", "flow_run"]),  # the claim
        ("_release_limit_slot", ["self", "flow_run_id"]),
        ("_submit_scheduled_flow_runs", ["self", "flow_run_response"]),  # ours keeps what exceeds the limit
        ("get_and_submit_flow_runs", ["self"]),  # called when the database says that something was told
        ("setup", ["self"]),
        ("teardown", ["self", "exc_info"]),
    ],
)
def test_the_parts_of_baseworker_that_ours_calls_or_replaces_are_there(method: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(BaseWorker, method)).parameters) == parameters


def test_baseworker_submits_through_the_parts_that_ours_replaces() -> None:
    """A renamed part would not fail: the worker would run Prefect's own way, slower and unbounded."""
    poll = inspect.getsource(BaseWorker.get_and_submit_flow_runs)
    assert "self._submit_scheduled_flow_runs(" in poll
    submit = inspect.getsource(BaseWorker._submit_scheduled_flow_runs)
    assert "self._submit_run," in submit
    assert "self._submitting_flow_run_ids.add(" in submit
    assert "self._limiter.acquire_on_behalf_of_nowait(flow_run.id)" in submit
    assert "self._propose_pending_state(flow_run)" in inspect.getsource(BaseWorker._submit_run)


def test_a_baseworker_knows_whether_it_has_synced_and_what_it_is_submitting(gendan: House) -> None:
    class Plain(BaseWorker[Any, Any, Any]):
        type = "contract"
        job_configuration = GendanWorker.job_configuration

        async def run(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    with temporary_settings({PREFECT_API_URL: gendan.api_url}):
        worker = Plain(work_pool_name=POOL, limit=3)
        assert worker._has_successfully_synced is False
        assert worker._submitting_flow_run_ids == set()
        assert worker._runs_task_group is None
        assert worker.is_setup is False


async def test_of_two_workers_that_claim_a_run_one_is_told_no(client: PrefectClient, deployment: UUID) -> None:
    made = await client.create_flow_run_from_deployment(deployment, state=Scheduled(scheduled_time=now()))
    first = await propose_state(client, Pending(), flow_run_id=made.id)

    assert first.type is StateType.PENDING
    with pytest.raises(Abort):
        await propose_state(client, Pending(), flow_run_id=made.id)


async def test_a_run_that_waits_cannot_be_claimed(client: PrefectClient, run: FlowRun) -> None:
    """A worker may hold an old answer of the server in which the run was still scheduled."""
    await client.set_flow_run_state(run.id, paused())

    answer = await client.set_flow_run_state(run.id, Pending())
    assert answer.status is not SetStateStatus.ACCEPT
    assert (await state_of(client, run)).type is StateType.PAUSED


# --- the engine


@pytest_asyncio.fixture
async def engine(gendan: House, deployment: UUID) -> dict[str, Any]:
    """Return what an engine saw that was run as our worker runs it: see engine.py."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.contract.engine", str(deployment)],
        env=gendan.environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


async def test_the_engine_runs_a_run_that_it_is_given_as_we_need_it(engine: dict[str, Any], deployment: UUID) -> None:
    # run_flow takes a run without its deployment, and the server still knows it; a returned state keeps its name
    assert engine["ends"] == ["COMPLETED", "Sailed on time", str(deployment)]
    # Pause leaves a run in the state that was proposed
    assert engine["waits"] == ["PAUSED", "Awaiting customs release", str(deployment)]
    # outside the main thread no handler for SIGTERM is installed
    assert engine["in the main thread"] is False
    assert engine["sigterm"] is True
    # what the engine calls, and that a wake-up which leaves two of them out comes to the same end
    assert engine["calls of the engine"] == [
        "PATCH flow_runs/ID",
        "POST flow_runs/ID/set_state",
        "GET flow_runs/ID",
        "POST flow_runs/ID/set_state",
    ]
    assert engine["calls of a wake-up"] == ["POST flow_runs/ID/set_state"] * 2
    assert engine["woken"] == engine["ends"]
    # an artifact can be changed in place: no version is added
    assert engine["artifact"] == ["two"]
    # flows.heartbeat_frequency None starts no thread
    assert (engine["with a heartbeat"], engine["without a heartbeat"]) == (1, 0)


# --- pausing and resuming


async def test_a_paused_state_may_have_any_name(client: PrefectClient, run: FlowRun) -> None:
    answer = await client.set_flow_run_state(run.id, paused("等待海关放行"))

    assert answer.status is SetStateStatus.ACCEPT
    state = await state_of(client, run)
    assert (state.type, state.name, state.message) == (StateType.PAUSED, "等待海关放行", "since Monday")


async def test_a_pause_key_is_refused_the_second_time(client: PrefectClient, run: FlowRun) -> None:
    """So ours is the number of the attempt."""
    await client.set_flow_run_state(run.id, paused(key="1"))
    await client.resume_flow_run(run.id)
    await client.set_flow_run_state(run.id, Pending())
    await client.set_flow_run_state(run.id, Running())

    again = await client.set_flow_run_state(run.id, paused(key="1"))
    assert again.status is not SetStateStatus.ACCEPT
    assert (await client.set_flow_run_state(run.id, paused(key="2"))).status is SetStateStatus.ACCEPT


async def test_resuming_schedules_the_run_again_and_needs_no_input_where_every_field_is_optional(
    client: PrefectClient, run: FlowRun
) -> None:
    form = {"type": "object", "title": "Answer", "properties": {"note": {"type": "string", "title": "Note"}}}
    keyset = keyset_from_base_key("answer-1")
    await client.create_flow_run_input(run.id, keyset["schema"], json.dumps(form))
    await client.set_flow_run_state(run.id, paused(form="answer-1"))

    answer = await client.resume_flow_run(run.id)

    assert answer.status is SetStateStatus.ACCEPT
    state = await state_of(client, run)
    assert (state.type, state.name) == (StateType.SCHEDULED, "Resuming")
    kept = await client.filter_flow_run_input(run.id, key_prefix="", limit=10, exclude_keys=set())
    assert [one.key for one in kept] == [keyset["schema"]], "an empty answer is not kept: it is no answer"


async def test_a_form_without_its_schema_cannot_be_resumed(client: PrefectClient, run: FlowRun) -> None:
    """So it is saved before the state is proposed."""
    await client.set_flow_run_state(run.id, paused(form="answer-1"))

    assert (await client.resume_flow_run(run.id)).status is SetStateStatus.REJECT


async def test_resuming_a_run_that_does_not_wait_is_aborted(client: PrefectClient, run: FlowRun) -> None:
    assert (await client.resume_flow_run(run.id)).status is SetStateStatus.ABORT
    assert (await state_of(client, run)).type is StateType.RUNNING


async def test_resuming_a_run_without_its_deployment_is_refused(client: PrefectClient) -> None:
    """So the run keeps its deployment on the server, whatever the engine is told."""
    run = await client.create_flow_run(contract, state=Running())
    await client.set_flow_run_state(run.id, paused())

    assert (await state_of(client, run)).type is not StateType.PAUSED or (
        (await client.resume_flow_run(run.id)).status is not SetStateStatus.ACCEPT
    )


async def test_cancelling_a_run_that_waits_makes_it_cancelled_at_once(client: PrefectClient, run: FlowRun) -> None:
    """There is no process to be ended, and nobody who would say that it has."""
    await client.set_flow_run_state(run.id, paused())
    await client.set_flow_run_state(run.id, Cancelling())

    state = await state_of(client, run)
    assert (state.type, state.name) == (StateType.CANCELLED, "Cancelled")


async def test_forced_scheduling_takes_a_run_out_of_any_state(client: PrefectClient, run: FlowRun) -> None:
    states: list[State[Any]] = [Running(), Completed()]
    for state in states:
        await client.set_flow_run_state(run.id, state, force=True)
        answer = await client.set_flow_run_state(run.id, Scheduled(name="Resuming", scheduled_time=now()), force=True)
        assert answer.status is SetStateStatus.ACCEPT
        assert (await state_of(client, run)).type is StateType.SCHEDULED


# --- bars


async def test_a_task_run_with_the_same_dynamic_key_is_the_same_and_keeps_its_state(
    client: PrefectClient, run: FlowRun
) -> None:
    """So a wake-up that was cut off opens no second bar, and the one that is there is to be given its state."""
    first = await client.create_task_run(
        bar, run.id, dynamic_key="FAB_IN", name="FAB_IN", state=State(type=StateType.RUNNING, name="Waiting")
    )
    again = await client.create_task_run(
        bar, run.id, dynamic_key="FAB_IN", name="other", state=State(type=StateType.COMPLETED, name="Done")
    )

    assert again.id == first.id
    assert again.name == "FAB_IN"
    assert again.state is not None
    assert (again.state.type, again.state.name) == (StateType.RUNNING, "Waiting")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (StateType.SCHEDULED, "Overdue L1"),
        (StateType.PAUSED, "On hold"),
        (StateType.COMPLETED, "Done late"),
        (StateType.CANCELLED, "Called off"),
        (StateType.RUNNING, "Waiting"),
    ],
)
async def test_a_task_run_takes_any_state_by_force_and_another_name(
    client: PrefectClient, run: FlowRun, kind: StateType, name: str
) -> None:
    made = await client.create_task_run(
        bar, run.id, dynamic_key="FAB_IN", name="FAB_IN, due Fri", state=State(type=StateType.COMPLETED, name="Done")
    )
    await client.set_task_run_state(made.id, State(type=kind, name=name), force=True)
    await client.request("PATCH", "/task_runs/{id}", path_params={"id": made.id}, json={"name": "FAB_IN, due Mon"})

    there = await client.read_task_run(made.id)
    assert there.state is not None
    assert (there.state.type, there.state.name) == (kind, name)
    assert there.name == "FAB_IN, due Mon"


# --- the server


async def test_a_run_with_the_same_idempotency_key_is_the_same(client: PrefectClient, deployment: UUID) -> None:
    key = uuid4().hex
    first = await client.create_flow_run_from_deployment(deployment, idempotency_key=key)
    again = await client.create_flow_run_from_deployment(deployment, idempotency_key=key)

    assert first.id == again.id


async def test_a_schedule_makes_runs(client: PrefectClient, gendan: House, deployment: UUID) -> None:
    """On SQLAlchemy 2.1 the scheduler of Prefect 3.8 made none: "Can't evaluate bulk DML statement"."""
    schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(minutes=1)), active=True)
    flow_id = await client.create_flow_from_name(contract.name)
    scheduled = await client.create_deployment(
        flow_id=flow_id, name=f"scheduled-{uuid4().hex[:6]}", work_pool_name=POOL, schedules=[schedule]
    )

    async def made() -> int:
        wanted = DeploymentFilter(id=DeploymentFilterId(any_=[scheduled]))
        return len(await client.read_flow_runs(deployment_filter=wanted, limit=5))

    try:
        assert await eventually(made, within=90, every=0.5) > 0
    finally:
        await client.delete_deployment(scheduled)


def test_sqlalchemy_is_one_that_prefects_scheduler_works_with() -> None:
    assert Version(importlib.metadata.version("sqlalchemy")) < Version("2.1")


async def test_no_pause_expires_unless_it_was_given_a_time(client: PrefectClient, gendan: House, run: FlowRun) -> None:
    """The service that looks for those is off: it reads every paused run every 5 s."""
    assert gendan.environment["PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED"] == "false"
    await client.set_flow_run_state(run.id, paused())

    assert (await state_of(client, run)).state_details.pause_timeout is None


async def test_prefects_tables_stand_in_a_database_of_their_own(gendan: House) -> None:
    assert make_url(gendan.database_url).database != "prefect"
    async with prefect_database(gendan) as prefect:
        rows = await prefect.execute("SELECT count(*) FROM alembic_version")
        assert await rows.fetchone() == (1,)
