"""
A Prefect worker that runs wake-ups inside its own process.

A wake-up of an order is short: read, decide, act, wait again. A process for each would cost a hundred times what
the work itself costs. Everything else about this worker is as for any other: `prefect worker start --type gendan`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import anyio
import anyio.abc
import psycopg
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import Pause
from prefect.flows import load_flow_from_flow_run
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

import tasks.automations  # Prefect's server loads this module, and so the block that it notifies through
import tasks.lifeline
from gendan.post_office import keep_open
from gendan.wake_ups import WakeUpLoop, keep_results_at_home, quiet_engine_logs, run_engine
from models.errors import AnotherRelease, Unavailable
from tasks.database import WAKE_CHANNEL, close, database_url, listening
from tasks.follow_ups import WORKER, Woken, awake_too_long, hand_over, let_go, take_due
from tasks.lifeline import LOOK_EVERY, NEXT, Lifeline, Silences, silent_workers, take_over
from tasks.schema import check_schema
from tasks.waking import mend, read_run, wake

DRAIN_SECONDS = 60
DEFAULT_LIMIT = 8
RECONNECT_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 10.0
ORDERS_AT_ONCE = 200

T = TypeVar("T")


def refuse_another_release() -> None:
    """End this process, with one sentence, where the database is in the form of another release."""
    with contextlib.suppress(Unavailable):  # one that cannot be reached yet is waited for
        if trouble := check_schema(database_url()):
            sys.exit(f"gendan: {trouble}")


class GendanWorkerResult(BaseWorkerResult):
    """How a wake-up ended; it always ends in a state that the engine has reported itself."""


class GendanWorker(BaseWorker[BaseJobConfiguration, BaseVariables, GendanWorkerResult]):
    """Runs the flows of its work pool in this process, a bounded number at a time."""

    type = "gendan"
    job_configuration = BaseJobConfiguration
    _description = "Runs Gendan's flows inside the worker's own process: a wake-up starts no process."
    _documentation_url = ""
    _logo_url = ""

    def __init__(
        self,
        work_pool_name: str,
        work_queues: list[str] | None = None,
        name: str | None = None,
        prefetch_seconds: float | None = None,
        create_pool_if_not_found: bool = True,
        limit: int | None = None,
        heartbeat_interval_seconds: int | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(
            work_pool_name,
            work_queues,
            name,
            # Nothing is fetched early: a run that waits for its time would hold a place.
            prefetch_seconds=0,
            create_pool_if_not_found=create_pool_if_not_found,
            # Unbounded, a burst of orders would be a burst of calls to Prefect's API.
            limit=limit or DEFAULT_LIMIT,
            heartbeat_interval_seconds=heartbeat_interval_seconds,
            **rest,
        )
        self._flows: dict[UUID, Flow[..., Any]] = {}
        self._orders: dict[UUID, Woken] = {}
        self._queue: dict[UUID, FlowRun] = {}
        self._wake_ups = WakeUpLoop()
        self._lifeline = Lifeline(self.name, self._forget_what_waits)

    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Run the worker's loops, and listen to the database: a report wakes its order at once."""
        await asyncio.to_thread(refuse_another_release)
        quiet_engine_logs()
        self._lifeline.begin()
        tasks.lifeline.mine = self._lifeline
        async with anyio.create_task_group() as group:
            group.start_soon(self._lifeline.hold)
            group.start_soon(self._listen)
            group.start_soon(self._look_after_others)
            group.start_soon(keep_open)
            await super().start(*args, **kwargs)
            group.cancel_scope.cancel()

    async def setup(self) -> None:
        """Prepare the worker, and take up what a killed worker of the same name left behind."""
        os.environ[WORKER] = self.name
        await super().setup()
        self._wake_ups.start()

    async def teardown(self, *exc_info: Any) -> None:
        """Drain: claim nothing more, let the wake-ups under way finish, then leave."""
        with anyio.CancelScope(shield=True):
            self.is_setup = False
            self._queue.clear()
            with contextlib.suppress(Unavailable):  # without the database, the watch finds them
                await let_go(self._orders.values())
            self._orders.clear()
            if self._wake_ups.busy:
                self._logger.info("Letting %d wake-up(s) finish ...", self._wake_ups.busy)
            await asyncio.to_thread(self._wake_ups.drain, DRAIN_SECONDS)
            await close()
        await super().teardown(*exc_info)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> GendanWorkerResult:
        """Run a flow run in this process and return when it has ended or waits again."""
        if task_status is not None:
            task_status.started(os.getpid())
        await self._run_in_process(flow_run, waited=False)
        return GendanWorkerResult(status_code=0, identifier=str(os.getpid()))

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        # BaseWorker drops what exceeds the limit until its next poll. We keep it, and start it as places fall free.
        for entry in flow_run_response:
            if entry.flow_run.id not in self._submitting_flow_run_ids:
                self._queue.setdefault(entry.flow_run.id, entry.flow_run)
        return self._fill_places()

    def _fill_places(self) -> list[FlowRun]:
        while self._orders and self._take_place(flow_run_id := next(iter(self._orders))):
            self._start(self._wake_order, self._orders.pop(flow_run_id))
        started: list[FlowRun] = []
        while self._queue and self._take_place(flow_run_id := next(iter(self._queue))):
            started.append(self._queue.pop(flow_run_id))
            self._start(self._submit_run, started[-1])
        return started

    def _take_place(self, flow_run_id: UUID) -> bool:
        if not (self.is_setup and self._lifeline.holds) or flow_run_id in self._submitting_flow_run_ids:
            return False
        try:
            self.limiter.acquire_on_behalf_of_nowait(flow_run_id)
        except anyio.WouldBlock:
            return False
        self._submitting_flow_run_ids.add(flow_run_id)
        return True

    def _give_place_back(self, flow_run_id: UUID) -> None:
        self._release_limit_slot(flow_run_id)
        self._submitting_flow_run_ids.discard(flow_run_id)
        self._fill_places()

    def _start(self, run: Callable[[T], Coroutine[Any, Any, None]], subject: T) -> None:
        assert self._runs_task_group is not None
        self._runs_task_group.start_soon(run, subject)

    async def _wake_order(self, order: Woken) -> None:
        # The order was taken in our database, so no other worker has it: its run needs no Scheduled and no Pending.
        assert order.flow_run_id is not None
        try:
            flow_run = await read_run(self.client, order.flow_run_id)
            if flow_run is not None and flow_run.state is not None and flow_run.state.is_paused():
                await self._run_in_process(flow_run, waited=True)
            else:
                await mend(self.client, order, stuck=False)
        except Exception as error:  # one order's trouble must not end the worker
            self._logger.warning("Order %s could not be woken, it is tried again: %s", order.order_no, error)
        finally:
            self._give_place_back(order.flow_run_id)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        # BaseWorker reads the deployment three times, labels the run and reports a process id. A wake-up needs
        # only the claim: of two workers that propose Pending, the server aborts one.
        try:
            if await self._propose_pending_state(flow_run):
                await self._note_as_mine(flow_run.id)
                await self._run_in_process(flow_run, waited=False)
        except Pause:
            pass  # what the poll found scheduled was woken and waits again by now; uncaught, it would end the worker
        except Exception:
            self._logger.exception("Wake-up of %r failed; the watch puts it right", flow_run.name)
        finally:
            self._give_place_back(flow_run.id)

    async def _note_as_mine(self, flow_run_id: UUID) -> None:
        # Until the database is back: a run that is claimed in Prefect and nobody's here is nobody's to put right soon.
        while True:
            try:
                return await hand_over(flow_run_id, to=self.name)
            except AnotherRelease:
                raise
            except Unavailable:
                await anyio.sleep(RECONNECT_SECONDS)

    async def _run_in_process(self, flow_run: FlowRun, *, waited: bool) -> None:
        flow = await self._flow_of(flow_run)
        await self._wake_ups.run(lambda: run_engine(flow, flow_run, waited=waited))

    async def _flow_of(self, flow_run: FlowRun) -> Flow[..., Any]:
        key = flow_run.deployment_id or flow_run.flow_id
        if key not in self._flows:
            await keep_results_at_home(self.client)
            self._flows[key] = await load_flow_from_flow_run(flow_run)
        return self._flows[key]

    async def _listen(self) -> None:
        """Wake orders as soon as the database says that something was told about them."""
        while True:
            try:
                async with listening(WAKE_CHANNEL) as connection:
                    while True:
                        await self._take_up_left_behind()
                        await self._wake()
                        async for _ in connection.notifies(timeout=LOOK_AGAIN_SECONDS):
                            await self._wake()
            except AnotherRelease as error:
                self._logger.error("%s", error)
                await anyio.sleep(LOOK_AGAIN_SECONDS)
            except (psycopg.Error, Unavailable) as error:
                self._logger.warning("No word from the database (%s); trying again", type(error).__name__)
                await anyio.sleep(RECONNECT_SECONDS)
            except Exception:
                self._logger.exception("Listening to the database failed; trying again")
                await anyio.sleep(RECONNECT_SECONDS)

    async def _wake(self) -> None:
        await self._is_known_to_prefect()
        while taken := await take_due(ORDERS_AT_ONCE, self.name):
            self._orders |= {order.flow_run_id: order for order in taken if order.flow_run_id is not None}
            self._fill_places()
            if new := [order for order in taken if order.flow_run_id is None]:
                await wake(self.client, new)
                await self.get_and_submit_flow_runs()

    async def _take_up_left_behind(self) -> None:
        """Wake again what this worker left awake: killed in the middle, or cut off from Prefect or the database."""
        await self._is_known_to_prefect()
        for order in await self._left_behind():
            if order.flow_run_id in self._under_way():
                continue
            self._logger.info("Order %s was left awake; waking it again", order.order_no)
            await mend(self.client, order, stuck=True)
            if order.flow_run_id is not None:
                await hand_over(order.flow_run_id, of=self.name, to=NEXT)  # whichever worker polls first

    async def _left_behind(self) -> list[Woken]:
        left = [order for order in await self._awake_in_my_name() if order.flow_run_id not in self._under_way()]
        if not left:
            return []
        # Asked again: what went to rest between the answer and the look at what is under way was not left behind.
        still = {order.order_no for order in await self._awake_in_my_name()}
        return [order for order in left if order.order_no in still]

    async def _awake_in_my_name(self) -> list[Woken]:
        return await awake_too_long(timedelta(0), by=self.name)

    async def _look_after_others(self) -> None:
        """Take over what workers left awake that are gone; it is then taken up like what this one left behind."""
        silences = Silences()
        while True:
            await anyio.sleep(LOOK_EVERY)
            if not self._lifeline.holds:
                continue
            try:
                for name in silences.gone(await silent_workers(), time.monotonic()):
                    if count := await take_over(name, self.name):
                        self._logger.warning("Worker %s is gone; taking over %d order(s) from it", name, count)
            except Unavailable as error:
                self._logger.warning("The other workers cannot be looked at: %s", error)
            except Exception:
                self._logger.exception("Looking after the other workers failed; trying again")

    def _forget_what_waits(self) -> None:
        # Others may have it by now. What is still ours when the lifeline is back is found left behind.
        self._orders.clear()
        self._queue.clear()

    def _under_way(self) -> set[UUID]:
        return self._submitting_flow_run_ids | self._orders.keys() | self._queue.keys()

    async def _is_known_to_prefect(self) -> None:
        # BaseWorker has no event for it, and repeats its attempts to reach the server by itself. The lifeline likewise.
        while not (self.is_setup and self._has_successfully_synced and self._lifeline.holds):  # noqa: ASYNC110
            await anyio.sleep(0.1)
