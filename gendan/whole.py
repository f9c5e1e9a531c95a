"""The whole of Gendan as one supervisor runs it: database in form, Prefect told, worker at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gendan.deploy import begin_watch, deploy, make_pool, pause_watch, watch_the_watch
from gendan.supervisor import Running, Supervisor
from tasks.schema import migrate
from tasks.settings import Settings


def whole_gendan(
    settings: Settings,
    say: Callable[[str], None],
    *,
    watch: bool = True,
    started: Callable[[Running], None] = lambda running: None,
) -> Supervisor:
    """
    Return a supervisor of everything that Gendan needs.

    Without `watch` the scheduled watch rests: whoever moves a virtual clock wakes the orders.
    """

    def prepare(running: Running) -> None:
        migrate(running.database_url)

    def tell_prefect(running: Running) -> None:
        asyncio.run(make_pool(running.api_url, settings.pool))
        wanted = asyncio.run(watch_the_watch(running.environment)) if watch else None
        if wanted is not None:
            say(wanted)
        deploy(running.environment)
        asyncio.run(begin_watch(running.api_url) if watch else pause_watch(running.api_url))

    return Supervisor(settings, say, prepare=prepare, deploy=tell_prefect, started=started)
