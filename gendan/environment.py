"""The environment that Prefect's server, the worker and the command line run in."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gendan.calls import directly
from gendan.house import House, Urls
from gendan.password import OF_CLIENTS, OF_SERVER, password
from models.errors import Refused
from tasks.settings import Settings

# Both names mean the same to Prefect; only its server is told.
_PREFECT_DATABASE = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")

# These name another Prefect than ours, or another account; none of them may reach our processes.
_OF_ANOTHER_PREFECT = (
    *_PREFECT_DATABASE,
    # both from `password`
    *(OF_SERVER, OF_CLIENTS),
    *("PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_SERVER_API_HOST", "PREFECT_SERVER_API_PORT"),
    "PREFECT_SERVER_API_BASE_PATH",
    *("PREFECT_SERVER_DATABASE_DRIVER", "PREFECT_API_DATABASE_DRIVER", "PREFECT_TEST_MODE", "PREFECT_UNIT_TEST_MODE"),
    # nothing here listens to heartbeats: the watch finds runs whose worker died
    *("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "PREFECT_RUNNER_HEARTBEAT_FREQUENCY"),
)

# What Gendan relies on; an operator's own value is overridden.
_RELIED_ON = {
    # usage figures of the server to Prefect, and of its client to Amplitude
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # metrics of the operating system, sampled every 10 s beside each run
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    # advertisements in the pages
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_UI_ENABLED": "true",
    # reads every paused run every 5 s; each open order is one, and none has a pause timeout
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    # the truth is in Gendan's tables: a stored result would be returned instead of them, for ever
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # nobody sits at a child's terminal
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_LOGGING_COLORS": "false",
    "PYTHONUNBUFFERED": "1",
}

# Good values, which an operator may set otherwise in the environment of `gendan up`.
_SUGGESTED = {
    # from 10 s: how long a resumed order waits for its worker
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # The services of Prefect's server look at the database every few seconds, orders or none. What each of them finds
    # may wait: runs that nobody fetched are marked late, from every 5 s; our watch sees them by itself
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
    # subflows and tasks of cancelled runs, from every 20 s; ours have no code under way
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    # workers that are silent are shown as offline, from every 15 s; a lifeline tells ours within 25 s
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "60",
    # places of concurrency limits that were not given back, from every 15 s; Gendan has no such limits
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "60",
    # what was to be cleaned up for workers of kinds that have infrastructure, from every 5 s; ours has none
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "60",
    # the first rounds of a deployment that was just made, from every 5 s; the watch begins half a minute after it
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "30",
    # automations that wait for silence, from every 5 s; the watch's own waits for a quarter of an hour
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT30S",
    # From `events`. What a run that was deleted leaves behind (logs, artifacts, collections) goes once a day as well.
    # Without `flow_runs`: Prefect knows one age for all runs, and the watch alone makes 1,440 a day. flows/tidy_up.py
    # knows whose run may go, and when.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans",
    # Prefect's own default, written down: events grow with every wake-up, and nothing of ours reads one that is older
    # than the quarter of an hour that the watch may be silent. A week is for people who look at a run's page.
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
}

# Below INFO uvicorn and websockets log every frame of Prefect's websockets, and the first of each holds the password.
_LEVELS_OF_FRAMES = ("PREFECT_SERVER_LOGGING_LEVEL", "PREFECT_LOGGING_SERVER_LEVEL", "PREFECT_LOGGING_ROOT_LEVEL")
_ABOVE_FRAMES = frozenset({"INFO", "WARNING", "ERROR", "CRITICAL"})


def api_url(host: str, port: int) -> str:
    """Return the address of Prefect's API for a client on this machine."""
    return f"http://{_reachable(host)}:{port}/api"


def for_clients(settings: Settings, house: House, urls: Urls) -> dict[str, str]:
    """
    Return the environment of the worker, and of anything else that talks to this Gendan.

    It holds the database URL and Prefect's password, so it is not to be shown or logged. Raises as `password` does.
    """
    secret = password(os.environ)
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_PREFECT}
    if settings.database_url is None:
        # PGPORT, PGOPTIONS and the like speak of another PostgreSQL than the embedded one
        environment = {name: value for name, value in environment.items() if not name.startswith("PG")}
    environment = _SUGGESTED | environment | _RELIED_ON
    environment |= {
        "PREFECT_HOME": str(house.prefect),
        "PREFECT_PROFILES_PATH": str(house.prefect / "profiles.toml"),
        "PREFECT_API_URL": urls.api_url,
        "GENDAN_HOME": str(house.home),
        "GENDAN_DATABASE_URL": urls.database_url,
        "GENDAN_CHANNELS": str(settings.channels),
        "GENDAN_LANGUAGE": settings.language.value,
        "GENDAN_POOL": settings.pool,
        "GENDAN_KEEP_RUNS_DAYS": str(settings.keep_runs_days),
        "GENDAN_KEEP_WATCH_DAYS": str(settings.keep_watch_days),
    }
    if secret is not None:
        environment[OF_CLIENTS] = secret
        frames = {name for name in _LEVELS_OF_FRAMES if environment.get(name, "INFO").upper() not in _ABOVE_FRAMES}
        environment |= dict.fromkeys(frames, "INFO")
    if settings.library is not None:
        environment["GENDAN_LIBRARY"] = str(settings.library)
    return environment | directly(environment)


def for_server(clients: Mapping[str, str], settings: Settings, urls: Urls, prefect_database_url: str) -> dict[str, str]:
    """Return the environment of Prefect's server: that of its clients, and its own database."""
    environment = {name: value for name, value in clients.items() if name != "GENDAN_DATABASE_URL"}
    environment["PREFECT_API_DATABASE_CONNECTION_URL"] = prefect_database_url
    if OF_CLIENTS in clients:
        environment[OF_SERVER] = clients[OF_CLIENTS]
    if not {"PREFECT_UI_API_URL", "PREFECT_SERVER_UI_API_URL"} & environment.keys():
        environment["PREFECT_UI_API_URL"] = urls.api_url
    # By default any web page that an operator has open may call the API; ours may, under both names of this machine.
    pages = {urls.ui_url, urls.ui_url.replace("//127.0.0.1:", "//localhost:")}
    if "PREFECT_SERVER_CORS_ALLOWED_ORIGINS" not in environment and settings.host in ("127.0.0.1", "localhost", "::1"):
        environment.setdefault("PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS", ",".join(sorted(pages)))
    return environment


def prefect_database_is_named(environment: Mapping[str, str]) -> bool:
    """Say whether the operator has given Prefect a database."""
    return any(environment.get(name) for name in _PREFECT_DATABASE)


def prefect_database_of_the_operator() -> str:
    """
    Return the database that the operator gave to Prefect.

    Raises:
        Refused: none was given, or one that Prefect's server would not survive with.

    """
    given = next((os.environ[name] for name in _PREFECT_DATABASE if os.environ.get(name)), None)
    if given is None:
        raise Refused(
            "GENDAN_DATABASE_URL is set, so Gendan starts no PostgreSQL of its own, and Prefect's server needs one"
            " as well. Set PREFECT_API_DATABASE_CONNECTION_URL=postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE "
            "(another database than Gendan's), or unset GENDAN_DATABASE_URL."
        )
    if not given.startswith("postgresql+asyncpg://"):
        raise Refused(
            "PREFECT_API_DATABASE_CONNECTION_URL must begin with postgresql+asyncpg:// (SQLite answers "
            "'database is locked' as soon as a few orders wake up together)."
        )
    return given


def _reachable(host: str) -> str:
    """Return the address at which a server that listens on `host` is reached from this machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - nothing is bound to it here
    host = everywhere.get(host, host)
    return f"[{host}]" if ":" in host else host
