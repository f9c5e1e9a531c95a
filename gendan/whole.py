"""The whole of Gendan as one supervisor runs it: database in form, Prefect told, worker at work."""

from __future__ import annotations

from collections.abc import Callable

from gendan.deploy import tell_prefect
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

    def deploy(running: Running) -> None:
        wanted = tell_prefect(running.environment, settings.pool, watch=watch)
        if wanted is not None:
            say(wanted)

    return Supervisor(settings, say, prepare=prepare, deploy=deploy, started=started)
