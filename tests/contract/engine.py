"""
Runs flows on Prefect's engine as our worker does: given runs, on an event loop outside the main thread.

A program of its own, because the engine leaves services and sockets behind in its process. Takes a deployment's id
and prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import httpx
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State, StateDetails, StateType
from prefect.context import AsyncClientContext, FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Pending, Scheduled
from prefect.utilities.engine import propose_state

from gendan.wake_ups import run_engine, spare_what_is_known
from tasks.clock import now

saw: dict[str, Any] = {}


@flow(name="contract", persist_result=False)
async def ends() -> State[Any]:
    """End in a state of a name of its own."""
    saw["sigterm"] = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    saw["in the main thread"] = threading.current_thread() is threading.main_thread()
    return Completed(name="Sailed on time", message="two days early")


@flow(name="contract", persist_result=False)
async def waits() -> None:
    """Wait under a name of its own."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    assert isinstance(context.client, PrefectClient)
    details = StateDetails(pause_reschedule=True, pause_key="1")
    state = State[Any](type=StateType.PAUSED, name="Awaiting customs release", state_details=details)
    raise Pause(state=await propose_state(context.client, state, flow_run_id=context.flow_run.id))


@flow(name="contract", persist_result=False)
async def counts(what: str) -> None:
    """Count the threads that beat."""
    stacks = [traceback.extract_stack(frame) for frame in sys._current_frames().values()]
    saw[what] = sum(any("heartbeat_loop" in call.name for call in stack) for stack in stacks)


async def claimed(client: PrefectClient, deployment: UUID) -> FlowRun:
    """Return a new run as our worker hands it to the engine."""
    made = await client.create_flow_run_from_deployment(deployment, state=Scheduled(scheduled_time=now()))
    await client.set_flow_run_state(made.id, Pending())
    run = await client.read_flow_run(made.id)
    return run.model_copy(update={"deployment_id": None, "empirical_policy": FlowRunPolicy()})


async def engine(which: Any, run: FlowRun, **parameters: str) -> None:
    """Run a flow run as our worker does."""
    with contextlib.suppress(Pause, Abort):
        outcome: Any = run_flow(which, flow_run=run, parameters=parameters, return_type="state")
        await outcome


async def spared(client: PrefectClient, deployment: UUID) -> None:
    """Run a run that ends up waiting, then wake it, and write down which calls the engine made for either."""
    run = await claimed(client, deployment)
    async with AsyncClientContext() as context:
        spare_what_is_known(context.client)
        made: list[str] = []

        async def note(request: httpx.Request) -> None:
            if not request.url.path.endswith("/csrf-token"):  # once for each client
                made.append(f"{request.method} {request.url.path.removeprefix('/api/').replace(str(run.id), 'ID')}")

        context.client._client.event_hooks["request"].append(note)
        await run_engine(waits, run, waited=False)
        saw["calls of the engine"] = made.copy()
        run = await client.read_flow_run(run.id)
        made.clear()
        await run_engine(ends, run, waited=True)
        saw["calls of a wake-up"] = made.copy()
    await remember(client, "woken", run)


async def remember(client: PrefectClient, name: str, run: FlowRun) -> None:
    """Write down what the server says of a run."""
    there = await client.read_flow_run(run.id)
    assert there.state is not None
    saw[name] = [there.state.type.value, there.state.name, str(there.deployment_id)]


async def artifact_changed_in_place(client: PrefectClient, run: FlowRun) -> list[Any]:
    """Make an artifact and change it; return what the server then has of the run."""
    made = await client.create_artifact(ArtifactCreate(key="sheet", type="markdown", data="one", flow_run_id=run.id))
    await client.update_artifact(made.id, ArtifactUpdate(data="two"))
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    return [artifact.data for artifact in await client.read_artifacts(artifact_filter=mine)]


async def everything(deployment: UUID) -> None:
    """Run all flows, one after the other."""
    async with get_client() as client:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            for name, which in (("ends", ends), ("waits", waits)):
                run = await claimed(client, deployment)
                await engine(which, run)
                await remember(client, name, run)
            await engine(counts, await claimed(client, deployment), what="without a heartbeat")
            await spared(client, deployment)
        saw["artifact"] = await artifact_changed_in_place(client, run)
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):
            await engine(counts, await claimed(client, deployment), what="with a heartbeat")


def outside_the_main_thread(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on an event loop of another thread, and wait for its end."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(asyncio.run, make()), name="wake-ups")
    thread.start()
    thread.join()


if __name__ == "__main__":
    outside_the_main_thread(lambda: everything(UUID(sys.argv[1])))
    sys.stdout.write(f"\n{json.dumps(saw)}\n")
