"""The Gendan that these tests talk to: started once, with a real server, worker and database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from prefect.client.orchestration import PrefectClient

from gendan.password import OF_CLIENTS
from gendan.supervisor import Running
from tasks import database
from tasks.settings import settings
from tests.flows.house import Follow, shared_house


@pytest.fixture(scope="session")
def gendan(request: pytest.FixtureRequest) -> Running:
    """Return the Gendan that the whole session shares."""
    return shared_house(request.config)


@pytest.fixture(autouse=True)
def at_home(gendan: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connect this process to it for one test: other tests know nothing of it."""
    for name, value in gendan.environment.items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest_asyncio.fixture
async def client(gendan: Running, at_home: None) -> AsyncIterator[PrefectClient]:
    """Return a client of its Prefect server."""
    async with PrefectClient(gendan.api_url, auth_string=gendan.environment.get(OF_CLIENTS)) as client:
        yield client
    await database.close()


@pytest.fixture
def follow(client: PrefectClient) -> Follow:
    """Return what takes orders in."""
    return Follow(client)
