"""When no watch completes any more, Prefect's own server tells the administrator, once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prefect.blocks.abstract import NotificationError
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.events.schemas.automations import EventTrigger

from gendan.deploy import WATCH, begin_watch, deploy, pause_watch, watch_the_watch
from gendan.supervisor import Running
from models.names import Language
from tasks.automations import BLOCK, GUARD, WATCHED, GendanChannel, guard_watch
from tests.flows.house import eventually

SECRET = "s3cr3tMARK"
SHORTEST = timedelta(seconds=10)
"""Prefect takes no shorter time for what should have happened."""
LATEST = 30.0
"""Seconds within which the alarm comes: the time itself, and the server's look every five seconds."""


class Administrator:
    """An HTTP server that keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.told: list[dict[str, Any]] = []
        administrator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                administrator.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(administrator.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://{SECRET}:{SECRET}@127.0.0.1:{self._server.server_address[1]}/admin"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def administrator() -> Iterator[Administrator]:
    """Return an administrator's address."""
    server = Administrator()
    yield server
    server.close()


@pytest.fixture
def channels(gendan: Running, administrator: Administrator) -> Iterator[Path]:
    """Give the administrator's address to the channels file of the running Gendan, for one test."""
    path = Path(gendan.environment["GENDAN_CHANNELS"])
    before = path.read_text("utf-8")
    path.write_text(f"{before}  - {administrator.url}:\n      - tag: admin\n", "utf-8")
    yield path
    path.write_text(before, "utf-8")


@pytest_asyncio.fixture
async def unguarded(client: PrefectClient) -> AsyncIterator[None]:
    """Leave the server without the automation, whatever a test has made."""
    yield
    for automation in await client.read_automations_by_name(GUARD):
        await client.delete_automation(automation.id)


def nobody(channels: Path) -> None:
    """Leave no address of an administrator in the channels file."""
    channels.write_text("urls:\n  - json://127.0.0.1/mer:\n      - tag: MER\n", "utf-8")


async def a_watch_completes(client: PrefectClient) -> None:
    """Let a run of the watch end as it ends when nothing is wrong."""
    deployment = await client.read_deployment_by_name(WATCH)
    run = await client.create_flow_run_from_deployment(deployment.id, state=State(type=StateType.RUNNING))
    await client.set_flow_run_state(run.id, State(type=StateType.COMPLETED, name=WATCHED), force=True)


@pytest.mark.usefixtures("channels", "unguarded")
async def test_the_watch_is_watched_by_one_automation_however_often_gendan_is_deployed(
    gendan: Running, client: PrefectClient
) -> None:
    for _ in range(2):
        assert await watch_the_watch(gendan.environment) is None
        await asyncio.to_thread(deploy, gendan.environment)
        await pause_watch(gendan.environment)

    [automation] = await client.read_automations()
    assert (automation.name, automation.enabled) == (GUARD, True)
    trigger = automation.trigger
    assert isinstance(trigger, EventTrigger)
    assert (trigger.posture.value, trigger.within, trigger.threshold) == ("Proactive", timedelta(minutes=15), 1)
    blocks = await client.read_block_documents()
    assert [block.name for block in blocks if block.name == BLOCK] == [BLOCK]


@pytest.mark.usefixtures("unguarded")
async def test_the_administrator_is_told_once_for_each_silence(
    gendan: Running, client: PrefectClient, administrator: Administrator, channels: Path
) -> None:
    async def told(times: int) -> bool:
        return len(administrator.told) == times

    assert await guard_watch(client, channels, Language.EN, within=SHORTEST) is None
    await asyncio.sleep(2)  # the server hears of its automations by itself
    await begin_watch(gendan.environment)

    # Gendan starts, and no watch comes at all
    await eventually(lambda: told(1), within=LATEST)
    assert administrator.told[0]["title"] == "Gendan: its watch has stopped"
    assert "gendan doctor" in administrator.told[0]["message"]
    assert "{{" not in administrator.told[0]["message"]

    # the silence lasts, and is not told again
    await asyncio.sleep(LATEST)
    assert await told(1)

    # as long as watches complete, nobody is told
    for _ in range(4):
        await a_watch_completes(client)
        await asyncio.sleep(5)
    assert await told(1)

    # they stop once more
    await eventually(lambda: told(2), within=LATEST)


@pytest.mark.usefixtures("unguarded")
async def test_without_an_administrator_there_is_no_automation_and_it_is_said_what_to_add(
    client: PrefectClient, channels: Path
) -> None:
    assert await guard_watch(client, channels, Language.EN) is None
    assert await client.read_automations_by_name(GUARD)
    nobody(channels)

    wanted = await guard_watch(client, channels, Language.EN)

    assert wanted is not None
    assert "`admin`" in wanted
    assert str(channels) in wanted
    assert await client.read_automations_by_name(GUARD) == []


@pytest.mark.usefixtures("unguarded")
async def test_an_automation_that_somebody_switched_off_stays_off_and_is_brought_up_to_date(
    client: PrefectClient, channels: Path
) -> None:
    await guard_watch(client, channels, Language.EN)
    [made] = await client.read_automations_by_name(GUARD)
    await client.pause_automation(made.id)

    await guard_watch(client, channels, Language.ZH_HANS)

    [kept] = await client.read_automations_by_name(GUARD)
    assert (kept.id, kept.enabled) == (made.id, False)
    assert kept.actions != made.actions


@pytest.mark.usefixtures("unguarded")
async def test_no_address_is_kept_in_prefect(client: PrefectClient, channels: Path) -> None:
    """The block names a tag; whoever sends reads the channels file."""
    await guard_watch(client, channels, Language.EN)

    block = await client.read_block_document_by_name(BLOCK, GendanChannel.get_block_type_slug(), include_secrets=True)
    [automation] = await client.read_automations_by_name(GUARD)
    assert block.data == {"tag": "admin"}
    assert SECRET not in automation.model_dump_json()


@pytest.mark.usefixtures("channels")
async def test_an_address_that_does_not_take_the_alarm_is_not_named_in_the_failure(
    administrator: Administrator,
) -> None:
    administrator.status = 500

    with pytest.raises(NotificationError) as failed:
        await GendanChannel().notify("body", "subject")

    assert "json" in failed.value.log
    assert SECRET not in failed.value.log
    assert len(administrator.told) == 1


async def test_an_alarm_for_a_tag_that_nobody_has_fails_aloud(channels: Path) -> None:
    nobody(channels)

    with pytest.raises(NotificationError) as failed:
        await GendanChannel().notify("body", "subject")

    assert "admin" in failed.value.log


@pytest.mark.usefixtures("gendan")
async def test_a_gendan_on_a_virtual_clock_is_not_watched(client: PrefectClient) -> None:
    """Its watch rests; whoever moves the clock wakes the orders."""
    assert await client.read_automations() == []
