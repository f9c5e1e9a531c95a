"""`gendan prepare`: a database and a running Prefect of one's own, brought into the form that this release needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from gendan.deploy import tell_prefect
from models.errors import Refused, Unavailable
from tasks.schema import migrate, refuse_newer
from tasks.settings import Settings


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """
    Bring the database that is named, and the Prefect server that is named, into form; `say` gets a line for each step.

    All of it can be done again, and while workers are at work.

    Raises:
        Refused: no database or no server is named.
        Unavailable: one of them cannot be reached or used, or the database is of a newer release; says which, and what
            to do. Nothing was changed where it is the server or the release.

    """
    url = _named_database(settings)
    refuse_newer(url)
    api_url = _named_server()
    # the server before the database is changed: who named a wrong one is to find his database as it was
    asyncio.run(_answers(api_url))
    before = migrate(url)
    say("The database has all tables now." if before is None else "The database is in this release's form.")
    environment = {
        **os.environ,
        "PREFECT_API_URL": api_url,
        "PREFECT_CLI_COLORS": "false",
        "GENDAN_CHANNELS": str(settings.channels),
        "GENDAN_LANGUAGE": settings.language.value,
    }
    try:
        wanted = tell_prefect(environment, settings.pool)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        raise _silent(api_url, error) from None
    say(f"Prefect at {api_url} knows the work pool {settings.pool!r} and all deployments; the watch goes round.")
    if wanted is not None:
        say(wanted.replace("start Gendan again", "run `gendan prepare` again"))


def _named_database(settings: Settings) -> str:
    if settings.database_url is None:
        raise Refused(
            "No database is named. Set GENDAN_DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE. "
            "(`gendan up` brings a PostgreSQL of its own and prepares it by itself.)"
        )
    return settings.database_url.get_secret_value()


def _named_server() -> str:
    api_url = PREFECT_API_URL.value()
    if not api_url:
        raise Refused("No Prefect server is named. Set PREFECT_API_URL=http://HOST:4200/api.")
    return str(api_url)


async def _answers(api_url: str) -> None:
    with temporary_settings({PREFECT_API_URL: api_url}):
        try:
            async with get_client() as client:
                answer = await client.request("GET", "/admin/version")
                answer.raise_for_status()
        except (httpx.HTTPError, PrefectHTTPStatusError, OSError) as error:
            raise _silent(api_url, error) from None


def _silent(api_url: str, error: Exception) -> Unavailable:
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403):
        return Unavailable(f"Prefect at {api_url} lets nobody in without a password: set PREFECT_API_AUTH_STRING.")
    reason = f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
    return Unavailable(
        f"Prefect at {api_url} cannot be used ({reason}). Is `prefect server start` running there, and does "
        "PREFECT_API_URL end in /api? `gendan prepare` can be run again at any time."
    )
