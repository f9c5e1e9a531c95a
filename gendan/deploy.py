"""Telling a Prefect server of Gendan: its work pool, the deployments of prefect.yaml, and who watches the watch."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

import models
from gendan.calls import calling
from gendan.worker import GendanWorker
from models.errors import Unavailable
from models.names import Language
from tasks.automations import SILENCE, expect_watch, guard_watch
from tasks.watching import forget_missed

ROOT = Path(models.__file__).resolve().parent.parent
"""Where prefect.yaml lies."""
WATCH = "keep-watch/keep-watch"
TIDY_UP = "tidy-up/tidy-up"


def tell_prefect(environment: Mapping[str, str], pool: str, *, watch: bool = True) -> str | None:
    """
    Make, or bring up to date, all that Prefect is to know of Gendan; can be done again at any time.

    `environment` is that of the worker. Without `watch` the scheduled watch rests. Returns what is wanted for the watch
    to be watched, or `None`.
    """
    asyncio.run(make_pool(environment, pool))
    wanted = asyncio.run(watch_the_watch(environment)) if watch else None
    deploy(environment)
    asyncio.run(begin_watch(environment) if watch else pause_watch(environment))
    return wanted


def deploy(environment: Mapping[str, str]) -> None:
    """
    Make all deployments of prefect.yaml, as `prefect deploy --all` does it.

    Raises Unavailable with Prefect's own words if it refuses.
    """
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise Unavailable("Prefect did not take the deployments:\n" + "\n".join(words))


async def make_pool(environment: Mapping[str, str], name: str) -> None:
    """Make the work pool of our worker's type, unless there is one of that name (of any type: it is then kept)."""
    with calling(environment):
        async with get_client() as client:
            try:
                await client.create_work_pool(
                    WorkPoolCreate(
                        name=name,
                        type=GendanWorker.type,
                        base_job_template=GendanWorker.get_default_base_job_template(),
                    )
                )
            except ObjectAlreadyExists:
                return


async def watch_the_watch(environment: Mapping[str, str], *, within: timedelta = SILENCE) -> str | None:
    """
    Let Prefect tell the administrator when no watch completes within a time.

    `environment` is that of the worker: it names the channels file and the language. Returns what is wanted for it, or
    `None`.
    """
    channels, language = Path(environment["GENDAN_CHANNELS"]), Language(environment["GENDAN_LANGUAGE"])
    with calling(environment):
        async with get_client() as client:
            return await guard_watch(client, channels, language, within=within)


async def begin_watch(environment: Mapping[str, str]) -> None:
    """
    Begin to wait for the scheduled watch: nobody is told of the time in which Gendan was switched off.

    The rounds that were missed are left out: Prefect keeps those that it had planned, an hour of them or more, and
    would run them all at once.
    """
    with calling(environment):
        async with get_client() as client:
            await forget_missed(client, (await client.read_deployment_by_name(WATCH)).id)
            await expect_watch(client, WATCH)


async def pause_watch(environment: Mapping[str, str]) -> None:
    """Let what is scheduled rest: on a virtual clock, whoever moves the clock wakes the orders."""
    with calling(environment):
        async with get_client() as client:
            for name in (WATCH, TIDY_UP):
                await client.pause_deployment((await client.read_deployment_by_name(name)).id)
