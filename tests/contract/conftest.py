"""The Prefect server that the contract is tested on: that of the session's Gendan, with its worker beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prefect.client.orchestration import PrefectClient

from gendan.supervisor import Running
from tests.flows.house import shared_house


@pytest.fixture(scope="session")
def gendan(request: pytest.FixtureRequest) -> Running:
    """Return the Gendan that the whole session shares."""
    return shared_house(request.config)


@pytest_asyncio.fixture
async def client(gendan: Running) -> AsyncIterator[PrefectClient]:
    """Return a client of that server."""
    async with PrefectClient(gendan.api_url) as client:
        yield client
