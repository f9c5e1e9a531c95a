"""`gendan prepare`: a database and a running Prefect of one's own, brought into the form that this release needs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from gendan.calls import calling, directly, shown, shut
from gendan.deploy import tell_prefect
from gendan.password import OF_CLIENTS, password
from models.errors import Refused, Unavailable
from tasks.schema import migrate, refuse_newer
from tasks.settings import Settings


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """
    Bring the database that is named, and the Prefect server that is named, into form; `say` gets a line for each step.

    All of it can be done again, and while workers are at work.

    Raises:
        Refused: no database or no server is named, or two passwords.
        Unavailable: one of them cannot be reached or used, or the database is of a newer release; says which, and what
            to do. Nothing was changed where it is the server or the release.

    """
    url = _named_database(settings)
    refuse_newer(url)
    api_url = _named_server()
    # a profile of Prefect's may name it too
    secret = password(os.environ) or PREFECT_API_AUTH_STRING.value()
    environment = {
        **os.environ,
        **directly(os.environ),
        "PREFECT_API_URL": api_url,
        **({OF_CLIENTS: secret} if secret else {}),
        "PREFECT_CLI_COLORS": "false",
        "GENDAN_CHANNELS": str(settings.channels),
        "GENDAN_LANGUAGE": settings.language.value,
    }
    # the server before the database is changed: who named a wrong one is to find his database as it was
    asyncio.run(_answers(environment))
    before = migrate(url)
    say("The database has all tables now." if before is None else "The database is in this release's form.")
    try:
        wanted = tell_prefect(environment, settings.pool)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        raise _silent(environment, error) from None
    say(f"Prefect at {shown(api_url)} knows the work pool {settings.pool!r} and all deployments; the watch goes round.")
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


async def _answers(environment: Mapping[str, str]) -> None:
    with calling(environment):
        try:
            async with get_client() as client:
                answer = await client.request("GET", "/admin/version")
                answer.raise_for_status()
        except (httpx.HTTPError, PrefectHTTPStatusError, OSError) as error:
            raise _silent(environment, error) from None


def _silent(environment: Mapping[str, str], error: Exception) -> Unavailable:
    api_url = environment["PREFECT_API_URL"]
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403):
        return Unavailable(shut(api_url, environment.get(OF_CLIENTS)))
    reason = f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
    return Unavailable(
        f"Prefect at {shown(api_url)} cannot be used ({reason}). Is `prefect server start` running there, and does "
        "PREFECT_API_URL end in /api? `gendan prepare` can be run again at any time."
    )
