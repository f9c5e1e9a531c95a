"""Prefect's API with a password: all of Gendan's processes and commands know it, and nobody else gets in."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType

from gendan.password import OF_CLIENTS, OF_SERVER
from gendan.supervisor import Running
from gendan.whole import whole_gendan
from tests.factories import a_report, china
from tests.flows.house import Follow, a_house, clean_environment, eventually, house_of, outbox_of, two_steps

SECRET = "admin:marked-s3cret"


@pytest.fixture(scope="module")
def gendan() -> Iterator[Running]:
    """Return a Gendan whose operator named a password once, as Prefect's server knows it; its watch goes round."""
    with a_house(whole_gendan, **{OF_SERVER: SECRET}) as running:
        yield running


def doctor(running: Running, **passwords: str) -> tuple[bool, dict[str, str]]:
    """Ask `gendan doctor` in a shell that knows the folder and these passwords: is Prefect well, and what is said."""
    done = subprocess.run(
        [sys.executable, "-c", "from gendan.cli import main; main()", "doctor", "--json"],
        env={**clean_environment(), "GENDAN_HOME": running.environment["GENDAN_HOME"], **passwords},
        capture_output=True,
        text=True,
        check=False,
    )
    assert SECRET not in done.stdout + done.stderr
    findings = {one["what"]: one for one in json.loads(done.stdout)}
    assert findings["database"]["ok"], "the rest is looked at all the same"
    return findings["prefect"]["ok"], {what: one["words"] for what, one in findings.items()}


async def test_an_order_is_stalled_told_answered_and_done_with(follow: Follow, gendan: Running) -> None:
    order = await follow(two_steps())
    await order.climb()
    (message,) = await order.messages()
    await order.answer(milestone="FAB_IN Bulk fabric in-house", happened_at="2026-11-20T15:30:00+08:00")
    await order.advance(china(31, month=12), a_report("DEPARTED", china(31, month=12)))

    assert message.subject in outbox_of(gendan)
    assert (await order.ended()).type == StateType.COMPLETED


async def test_the_watch_goes_round_and_is_watched(client: PrefectClient) -> None:
    watch = await client.read_deployment_by_name("keep-watch/keep-watch")
    run = await client.create_flow_run_from_deployment(watch.id)

    async def ended() -> State | None:
        state = (await client.read_flow_run(run.id)).state
        return state if state is not None and state.is_final() else None

    assert (await eventually(ended)).name == "Watched"
    assert await client.read_automations_by_name("gendan-watch-silent")


@pytest.mark.parametrize("sent", [None, f"{SECRET}x", "admin:", ":"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/settings"),
        ("GET", "/admin/version"),
        ("POST", "/flow_runs/filter"),
        ("POST", "/artifacts/filter"),
        ("POST", "/admin/database/clear"),
    ],
)
async def test_who_calls_without_it_is_refused(gendan: Running, method: str, path: str, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": f"Basic {b64encode(sent.encode()).decode()}"}
    async with httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.request(method, gendan.api_url + path, headers=headers, json={})

    assert (answer.status_code, answer.json()) == (401, {"exception_message": "Unauthorized"})


@pytest.mark.parametrize("path", ["/health", "/ready"])  # what a load balancer and a healthcheck ask
async def test_whether_the_server_is_well_is_told_to_everybody(gendan: Running, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.get(gendan.api_url + path)).status_code == 200


@pytest.mark.parametrize("name", [OF_SERVER, OF_CLIENTS])
def test_the_doctor_who_knows_it_finds_all_well(gendan: Running, name: str) -> None:
    well, words = doctor(gendan, **{name: SECRET})

    assert well
    assert "worker-1 at work" in words["worker"]


@pytest.mark.parametrize(
    ("passwords", "to_do"),
    [
        ({}, f"set {OF_CLIENTS} to the server's"),
        ({OF_CLIENTS: "admin:marked-0ther"}, f"set it to that of its {OF_SERVER}"),
        ({OF_CLIENTS: "admin:marked-0ther", OF_SERVER: SECRET}, "give both the same value"),
    ],
)
def test_the_doctor_who_does_not_says_what_to_do(gendan: Running, passwords: dict[str, str], to_do: str) -> None:
    well, words = doctor(gendan, **passwords)

    assert not well
    assert to_do in words["prefect"]
    assert "marked-0ther" not in str(words)


def test_it_stands_on_no_command_line_in_no_log_and_in_no_file_of_the_folder(gendan: Running) -> None:
    house = house_of(gendan)
    household = house.household()
    assert household is not None
    for resident in household.children.values():
        process = resident.process()
        assert process is not None
        for one in (process, *process.children(recursive=True)):
            assert SECRET not in " ".join(one.cmdline())

    files = [path for path in house.home.rglob("*") if path.is_file()]
    assert {house.register, *house.logs.glob("*.log")} <= set(files)
    marks = (SECRET.encode(), SECRET.partition(":")[2].encode(), b64encode(SECRET.encode()))
    assert [path for path in files if any(mark in path.read_bytes() for mark in marks)] == []
    for file in (house.register, house.log("server"), house.log("worker")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_all_of_ours_were_let_in(gendan: Running) -> None:
    for name in ("server", "worker"):
        log = house_of(gendan).log(name).read_text(encoding="utf-8")
        assert not [line for line in log.splitlines() if "nauthorized" in line or "Authentication" in line]
