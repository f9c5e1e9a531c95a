"""A plain process worker, and runs of the plain form on it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import psutil
from prefect import Flow
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

import bench
from bench.plain_order import follow_order_plainly
from bench.scene import Scene
from gendan.child import open_log

POOL = "plain"
ROOT = Path(bench.__file__).resolve().parent.parent
POLLS: Mapping[str, float | None] = {"polling as shipped": None, "polling every 2 s": 2.0}
"""
How often the plain worker looks for work, in seconds.

As shipped, every 10 s. Every 2 s is what `gendan up` sets for its own worker: the two then differ in form alone.
"""

LIMIT = 300.0
_LOOK = 0.05


@asynccontextmanager
async def plain_worker(scene: Scene, poll_seconds: float | None) -> AsyncIterator[psutil.Process]:
    """Run a process worker with no limit, as Prefect starts it, for the length of a block; give its process."""
    await _make_pool(scene)
    environment = {name: value for name, value in scene.running.environment.items() if not name.startswith("GENDAN_")}
    # results are what the plain form lives by; how often it looks is what was asked for
    for name in ("PREFECT_RESULTS_PERSIST_BY_DEFAULT", "PREFECT_WORKER_QUERY_SECONDS"):
        environment.pop(name, None)
    if poll_seconds is not None:
        environment["PREFECT_WORKER_QUERY_SECONDS"] = str(poll_seconds)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool", POOL]
    with open_log(scene.house.log("plain")) as log:
        # a session of its own: Ctrl-C is for the measurement to pass on
        process = await anyio.to_thread.run_sync(
            lambda: subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        with anyio.CancelScope(shield=True):
            try:
                await anyio.to_thread.run_sync(lambda: process.wait(timeout=30))
            except subprocess.TimeoutExpired:
                process.kill()


async def start_plain(scene: Scene, count: int, form: Flow[..., Any] = follow_order_plainly) -> list[UUID]:
    """Start so many runs of a plain form and return when all of them wait for their first milestone."""
    source = f"{form.fn.__module__.replace('.', '/')}.py"
    async with scene.client() as client:
        flow_id = await client.create_flow(form)
        deployment = await client.create_deployment(
            flow_id,
            "plain",
            work_pool_name=POOL,
            entrypoint=f"{source}:{form.fn.__name__}",
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
        )
        runs = [
            await client.create_flow_run_from_deployment(deployment, parameters={"order_no": f"PLAIN-{number}"})
            for number in range(1, count + 1)
        ]
    ids = [run.id for run in runs]
    await scene.prefect.wait_until_paused({}, ids, every=_LOOK, limit=LIMIT)
    return ids


async def resume_plain(scene: Scene, flow_run_ids: Sequence[UUID]) -> float:
    """Resume runs together; return the seconds from the last answer until all of them wait again."""
    since = await scene.prefect.states_since(flow_run_ids)
    async with scene.client() as client:
        async with anyio.create_task_group() as group:
            for flow_run_id in flow_run_ids:
                group.start_soon(client.resume_flow_run, flow_run_id)
        resumed = time.time()
    return await scene.prefect.wait_until_paused(since, flow_run_ids, every=_LOOK, limit=LIMIT) - resumed


async def _make_pool(scene: Scene) -> None:
    async with scene.client() as client:
        try:
            await client.create_work_pool(
                WorkPoolCreate(
                    name=POOL,
                    type=ProcessWorker.type,
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )
        except ObjectAlreadyExists:
            return
