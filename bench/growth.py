"""A year of closed orders in Prefect: what it costs the open ones, and what tidying up gives back."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.states import Completed

from bench.bench_orders import FIVE, all_asleep, chain, order_numbers, runs_of, take_in, tell
from bench.figures import Figure, Spread, short
from bench.grown import copies, copy_orders, copy_runs, settle
from bench.latency import waits_again
from bench.scene import Scene
from bench.watch import rounds
from tasks.clock import now
from tasks.tidying import Tidied, tidy

NAME = "growth"
YEAR = timedelta(days=365)
KEEP_RUNS, KEEP_ROUNDS = timedelta(days=90), timedelta(days=1)
KEEP_EVENTS = timedelta(days=7)
WATCH_DAYS = 14
SAMPLES = 5
LIST = "the newest 50 runs, as the run list asks for them"
COUNT = "how many runs there are, as the run list asks for it"
MB = 1e6


async def measure(scene: Scene) -> list[Figure]:
    """
    Measure with a few orders, with a year of closed ones, and after it was tidied up.

    Events are copied for the last week alone: older ones Prefect deletes by itself.
    """
    closed, opened = (500, 50) if scene.quick else (20_000, 1_000)
    watched = 500 if scene.quick else WATCH_DAYS * 1440
    url = scene.running.database_url
    numbers = order_numbers("GROWTH", 5)
    await take_in(numbers, chain(FIVE))
    await all_asleep(numbers)
    played, waiting, *fresh = numbers
    for step in range(1, FIVE + 1):
        await tell(played, step)
        await all_asleep([played])
    await asyncio.sleep(3)  # its last logs and events are on their way
    runs = await runs_of(numbers)
    async with scene.client() as client:
        a_round = await _a_round(client)
        seen = {"few": await _look(scene, client, fresh[0])}

        scene.say(f"growth: copying {closed:,} closed and {opened:,} open orders, {watched:,} rounds of the watch")
        begun = time.monotonic()
        year = copies("C", closed, YEAR)
        lately = [copy for copy in year if copy.ago < KEEP_EVENTS]
        older = [copy for copy in year if copy.ago >= KEEP_EVENTS]
        rows = copy_runs(url, runs[played], played, lately, events=True)
        rows += copy_runs(url, runs[played], played, older, events=False)
        copy_orders(url, played, runs[played], year)
        waits = copies("O", opened, timedelta(days=60))
        # Prefect's rows first: an order without a run would be mended by the watch that Gendan runs itself.
        copy_runs(url, runs[waiting], waiting, waits, events=False)
        copy_orders(url, waiting, runs[waiting], waits)
        copy_runs(url, a_round[0], a_round[1], copies("W", watched, timedelta(days=WATCH_DAYS)), events=False)
        full = settle(url)
        scene.say(f"growth: {rows:,} rows of closed orders, {time.monotonic() - begun:.0f} s")
        seen["full"] = await _look(scene, client, fresh[1])

        scene.say("growth: tidying up")
        tidied, seconds, calls, during = await _tidy_up(scene, client, waiting=fresh[0])
        settle(url, whole=True)
        small = settle(url)
        seen["tidy"] = await _look(scene, client, fresh[2])
    _must_be_right(tidied, sum(copy.ago > KEEP_RUNS for copy in year))
    return [
        *_beside(seen, closed, opened),
        Figure(NAME, "tidying the year up, in as many rounds as it takes", "s", Spread.of([seconds]), note=str(tidied)),
        Figure(NAME, "calls of that", "calls", Spread.of([calls])),
        Figure(NAME, "report to next wait while it is tidied up", "s", Spread.of(during)),
        Figure(
            NAME,
            "Prefect's database after tidying up, packed",
            "MB",
            Spread.of([small["prefect"] / MB]),
            note=f"before: {full['prefect'] / MB:,.0f} MB for {rows:,} rows of closed orders",
        ),
        Figure(
            NAME,
            "the order book, of which nothing is deleted",
            "MB",
            Spread.of([small["gendan"] / MB]),
            note=f"before: {full['gendan'] / MB:,.0f} MB",
        ),
    ]


def _beside(seen: dict[str, dict[str, list[float]]], closed: int, opened: int) -> list[Figure]:
    """Put what was seen after tidying up beside what was seen before, and with few orders."""
    return [
        Figure(
            NAME,
            f"{what}, {closed:,} closed and {opened:,} open, tidied up",
            "s",
            Spread.of(seen["tidy"][what]),
            note=f"before: {_middle(seen['full'][what])} s; with few orders: {_middle(seen['few'][what])} s",
        )
        for what in seen["tidy"]
    ]


def _middle(values: list[float]) -> str:
    return short(statistics.median(values))


async def _a_round(client: PrefectClient) -> tuple[UUID, str]:
    """Return the run of a round of the watch that is over."""
    watch = await client.read_deployment_by_name("keep-watch/keep-watch")
    run = await client.create_flow_run_from_deployment(watch.id, name="a-round-of-the-watch", state=Completed())
    return run.id, run.name


async def _look(scene: Scene, client: PrefectClient, order_no: str) -> dict[str, list[float]]:
    """Ask for what people look at, do rounds of the watch, and wake an order."""
    week = {"expected_start_time": {"after_": (now() - timedelta(days=7)).isoformat()}}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        LIST: ("/flow_runs/paginate", {"sort": "START_TIME_DESC", "limit": 50, "page": 1}),
        f"{LIST}, of the last 7 days": (
            "/flow_runs/paginate",
            {"sort": "START_TIME_DESC", "limit": 50, "page": 1, "flow_runs": week},
        ),
        COUNT: ("/flow_runs/count", {}),
    }
    seen: dict[str, list[float]] = {}
    for what, (path, body) in asked.items():
        seen[what] = [await _ask(client, path, body) for _ in range(SAMPLES + 1)][1:]
    seen["a round of the watch"] = (await rounds(scene))["seconds"]
    seen["report to next wait"] = await waits_again(scene, order_no)
    return seen


async def _ask(client: PrefectClient, path: str, body: dict[str, Any]) -> float:
    begun = time.perf_counter()
    answer = await client.request("POST", path, json=body)  # type: ignore[arg-type]  # any of Prefect's
    answer.raise_for_status()
    return time.perf_counter() - begun


async def _tidy_up(scene: Scene, client: PrefectClient, waiting: str) -> tuple[Tidied, float, int, list[float]]:
    """Tidy up until nothing is left, and finish an order meanwhile; return seconds, calls, and the order's seconds."""
    calls, whole, seconds = scene.calls(), Tidied(), 0.0
    run = (await runs_of([waiting]))[waiting]
    since = await scene.prefect.states_since([run])
    during: list[float] = []

    async def one_round() -> Tidied:
        return await tidy(client, now(), keep_runs=KEEP_RUNS, keep_rounds=KEEP_ROUNDS)

    begun = time.perf_counter()
    tidying = asyncio.create_task(one_round())
    await tell(waiting, FIVE)
    committed = time.time()
    while not during:
        here = await scene.prefect.states_since([run])
        if here[run] > since[run] and await _has_ended(client, run):
            during.append(time.time() - committed)
        await asyncio.sleep(0.02)
    while True:
        done = await tidying
        for name, count in done.runs.items():
            whole.runs[name] = whole.runs.get(name, 0) + count
        whole.artifacts += done.artifacts
        if not done.left:
            break
        tidying = asyncio.create_task(one_round())
    seconds = time.perf_counter() - begun
    return whole, seconds, calls.seen().total(), during


async def _has_ended(client: PrefectClient, run: UUID) -> bool:
    state = (await client.read_flow_run(run)).state
    return state is not None and state.is_final()


def _must_be_right(tidied: Tidied, closed: int) -> None:
    deleted = tidied.runs["follow-order/follow-order"]
    if abs(deleted - closed) > 1 or abs(tidied.artifacts - closed) > 1:
        raise RuntimeError(f"{deleted} runs and {tidied.artifacts} artifacts were deleted, of {closed} orders.")
