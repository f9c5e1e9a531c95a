"""The loop in which a worker's wake-ups run, and Prefect's engine with the calls left out that carry nothing."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy
from prefect.context import AsyncClientContext
from prefect.exceptions import Abort, Pause
from prefect.filesystems import LocalFileSystem
from prefect.flow_engine import run_flow
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK,
    temporary_settings,
)

from models.errors import Unavailable
from tasks.database import close

RESULTS = "gendan-results"
KEYS_KEPT = 20
"""Past pauses whose keys may stand in a run's policy; then they are cleared away."""

_just_read: ContextVar[FlowRun | None] = ContextVar("just_read", default=None)


async def keep_results_at_home(client: PrefectClient) -> None:
    """Name a place for results to Prefect, so that it need not be asked for one; no flow of ours stores any."""
    place = LocalFileSystem(basepath=str(PREFECT_LOCAL_STORAGE_PATH.value()))
    await place.asave(RESULTS, overwrite=True, client=client)


async def run_engine(flow: Flow[..., Any], flow_run: FlowRun, *, waited: bool) -> None:
    """
    Run a flow run on Prefect's engine until it has ended or waits again.

    `waited` says that it was read a moment ago and was found waiting: then it is neither read nor written again only
    for the engine's sake.
    """
    # With its deployment's id the engine would open a thread and a websocket for each run; and what stands in its
    # policy of past pauses only grows.
    lean = flow_run.model_copy(update={"deployment_id": None, "empirical_policy": FlowRunPolicy()})
    keys = flow_run.empirical_policy.pause_keys or set()
    if waited and flow_run.flow_version == flow.version and len(keys) < KEYS_KEPT:
        _just_read.set(lean)
    with contextlib.suppress(Pause, Abort):
        outcome = run_flow(flow, flow_run=lean, parameters=lean.parameters, return_type="state")
        if asyncio.iscoroutine(outcome):
            await outcome


def spare_what_is_known(client: PrefectClient) -> None:
    """
    Let a client leave out two calls that the engine makes for each run, where nothing would come of them.

    Before a run it writes the flow's version and the run's policy; once the run is Running it reads the whole of it
    again, of which only the state has changed, and that it has set itself. Which calls it makes is not documented:
    `tests/contract/` counts them.
    """
    read, write = client.read_flow_run, client.update_flow_run

    async def read_flow_run(flow_run_id: UUID) -> FlowRun:
        known = _just_read.get()
        if known is None or known.id != flow_run_id:
            return await read(flow_run_id)
        _just_read.set(None)
        return known

    async def update_flow_run(flow_run_id: UUID, *args: Any, **changes: Any) -> httpx.Response:
        known = _just_read.get()
        of_the_engine = not args and changes.keys() == {"flow_version", "empirical_policy"}
        if of_the_engine and known is not None and known.id == flow_run_id:
            return httpx.Response(204)
        return await write(flow_run_id, *args, **changes)

    client.read_flow_run = read_flow_run  # type: ignore[method-assign]
    client.update_flow_run = update_flow_run  # type: ignore[method-assign]


class WakeUpLoop:
    """
    An event loop in a thread of its own, in which the engines run.

    Outside the main thread an engine installs no signal handler: one SIGTERM must not turn the wake-ups under way
    into crashed orders.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._context: contextvars.Context | None = None
        # Which Prefect is talked to is known to a context: a thread begins with an empty one, and would start a server.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._serve,), name="wake-ups", daemon=True
        )
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._under_way: set[Future[None]] = set()

    @property
    def busy(self) -> int:
        """How many wake-ups are under way."""
        return len(self._under_way)

    def start(self) -> None:
        """Start the thread; returns when its loop runs. Raises Unavailable where Prefect does not answer."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise Unavailable(f"Prefect cannot be reached: {self._failure}") from self._failure

    async def run(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine in the loop, in a context of its own, and wait for its end; raises what it raises."""
        future: Future[None] = Future()
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        self._loop.call_soon_threadsafe(self._begin, make, future)
        # Shielded: a worker that is told to stop does not cancel what it has begun.
        await asyncio.shield(asyncio.wrap_future(future))

    def drain(self, seconds: float) -> None:
        """Wait for the wake-ups under way, at most so many seconds, then end the thread."""
        wait(list(self._under_way), timeout=seconds)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)
        elif not self._loop.is_closed():
            self._loop.close()  # it never ran

    def _begin(self, make: Callable[[], Coroutine[Any, Any, None]], future: Future[None]) -> None:
        assert self._context is not None
        task = self._loop.create_task(make(), context=self._context.copy())

        def finish(task: asyncio.Task[None]) -> None:
            if task.cancelled():
                future.cancel()
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(None)

        task.add_done_callback(finish)

    def _serve(self) -> None:
        try:
            self._open_and_run()
        except Exception as error:
            if self._ready.is_set():
                raise
            # Whoever waits for the loop would wait for ever: a worker that neither works nor ends.
            self._failure = error
            self._loop.close()
            self._ready.set()

    def _open_and_run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # One client for all wake-ups: making one costs more than a wake-up's other work.
        client = AsyncClientContext()
        spare_what_is_known(client.client)
        context = contextvars.copy_context()
        quiet = temporary_settings(
            {
                # A heartbeat is a thread for each run; ours take a second, and the watch finds what was cut off.
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                # Unnamed, the server is asked for a default at every wake-up, although nothing is stored.
                PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK: f"local-file-system/{RESULTS}",
            }
        )
        context.run(quiet.__enter__)
        self._loop.run_until_complete(self._loop.create_task(client.__aenter__(), context=context))
        self._context = context
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            context.run(quiet.__exit__, None, None, None)
            self._loop.run_until_complete(close())
            leave = client.__aexit__(None, None, None)
            self._loop.run_until_complete(self._loop.create_task(leave, context=context))
            self._loop.close()


class _EngineNoise(logging.Filter):
    """Drops what the engine says at every wake-up: an order's log is for what happened to the order."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is about the order."""
        return not record.getMessage().startswith(("Beginning flow run", "Finished in state", "View at "))


def quiet_engine_logs() -> None:
    """Keep the engine's own lines out of the orders' logs."""
    logging.getLogger("prefect.flow_runs").addFilter(_EngineNoise())
