"""Telling a Prefect server of Gendan: its work pool and the deployments of prefect.yaml."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, temporary_settings

import models
from gendan.worker import GendanWorker
from models.errors import Unavailable

ROOT = Path(models.__file__).resolve().parent.parent
"""Where prefect.yaml lies."""
WATCH = "keep-watch/keep-watch"


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


async def make_pool(api_url: str, name: str) -> None:
    """Make the work pool of our worker's type, unless there is one of that name (of any type: it is then kept)."""
    with temporary_settings({PREFECT_API_URL: api_url}):
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


async def pause_watch(api_url: str) -> None:
    """Let the scheduled watch rest: on a virtual clock, whoever moves the clock wakes the orders."""
    with temporary_settings({PREFECT_API_URL: api_url}):
        async with get_client() as client:
            watch = await client.read_deployment_by_name(WATCH)
            await client.pause_deployment(watch.id)
