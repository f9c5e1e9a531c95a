"""A year of closed orders in Prefect: what it costs where nobody tidies up, and where it is done daily."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.states import Completed

from bench.bench_orders import FIVE, LIMIT, all_asleep, chain, order_numbers, runs_of, take_in, tell
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
    Measure with few orders, with what is kept of a year where it is tidied up daily, and with the whole year.

    Then tidy up a part of that year. Events are copied for the last week alone: older ones Prefect deletes by itself.
    """
    closed, opened, most = (500, 50, 100) if scene.quick else (20_000, 1_000, 1_000)
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
        round_id, round_name = await _a_round(client)
        seen = {"few": await _look(scene, client, fresh[0])}

        year = copies("C", closed, YEAR)
        lately = [copy for copy in year if copy.ago < KEEP_EVENTS]
        recent = [copy for copy in year if KEEP_EVENTS <= copy.ago < KEEP_RUNS]
        older = [copy for copy in year if copy.ago >= KEEP_RUNS]
        waits = copies("O", opened, timedelta(days=60))
        looks = copies("W", watched, timedelta(days=WATCH_DAYS))
        scene.say(f"growth: what is kept: {len(lately) + len(recent):,} closed and {opened:,} open orders")
        # Prefect's rows first: an order without a run would be mended by the watch that Gendan runs itself.
        copy_runs(url, runs[waiting], waiting, waits, events=False)
        copy_orders(url, waiting, runs[waiting], waits)
        rows = copy_runs(url, runs[played], played, lately, events=True)
        rows += copy_runs(url, runs[played], played, recent, events=False)
        copy_orders(url, played, runs[played], year)
        copy_runs(url, round_id, round_name, [copy for copy in looks if copy.ago < KEEP_ROUNDS], events=False)
        kept = settle(url)
        seen["kept"] = await _look(scene, client, fresh[1])

        scene.say(f"growth: and {len(older):,} more, with {watched:,} rounds of the watch")
        rows += copy_runs(url, runs[played], played, older, events=False)
        copy_runs(url, round_id, round_name, [copy for copy in looks if copy.ago >= KEEP_ROUNDS], events=False)
        full = settle(url)
        seen["full"] = await _look(scene, client, fresh[2])

        scene.say(f"growth: tidying up, at most {most:,} runs of each deployment")
        tidied, seconds, calls, during = await _tidy_up(scene, client, fresh[0], most)
    _must_be_right(tidied, min(most, len(older)))
    return [
        *_beside(seen, closed, opened),
        Figure(NAME, f"tidying up {most:,} runs of each", "s", Spread.of([seconds]), note=str(tidied)),
        Figure(NAME, "calls of that", "calls", Spread.of([calls])),
        Figure(NAME, "report to the end of an order's run while it is tidied up", "s", Spread.of(during)),
        Figure(
            NAME,
            "Prefect's database, tidied up daily",
            "MB",
            Spread.of([kept["prefect"] / MB]),
            note=f"never: {full['prefect'] / MB:,.0f} MB; {rows:,} rows of closed orders",
        ),
        Figure(NAME, "the order book, of which nothing is deleted", "MB", Spread.of([full["gendan"] / MB])),
    ]


def _beside(seen: dict[str, dict[str, list[float]]], closed: int, opened: int) -> list[Figure]:
    """Put what was seen where it is tidied up beside what was seen where it never is, and with few orders."""
    return [
        Figure(
            NAME,
            f"{what}, {closed:,} closed in a year and {opened:,} open, tidied up daily",
            "s",
            Spread.of(seen["kept"][what]),
            note=f"never: {_middle(seen['full'][what])} s; with few orders: {_middle(seen['few'][what])} s",
        )
        for what in seen["kept"]
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
    scene.say("growth: " + "; ".join(f"{what} {_middle(values)} s" for what, values in seen.items()))
    return seen


async def _ask(client: PrefectClient, path: str, body: dict[str, Any]) -> float:
    begun = time.perf_counter()
    answer = await client.request("POST", path, json=body)  # type: ignore[arg-type]  # any of Prefect's
    answer.raise_for_status()
    return time.perf_counter() - begun


async def _tidy_up(
    scene: Scene, client: PrefectClient, waiting: str, most: int
) -> tuple[Tidied, float, int, list[float]]:
    """Do one round, and finish an order meanwhile; return what was deleted, seconds, calls, and the order's seconds."""
    calls = scene.calls()
    run = (await runs_of([waiting]))[waiting]

    async def one_round() -> tuple[Tidied, float]:
        begun = time.perf_counter()
        tidied = await tidy(client, now(), keep_runs=KEEP_RUNS, keep_rounds=KEEP_ROUNDS, most=most)
        return tidied, time.perf_counter() - begun

    tidying = asyncio.create_task(one_round())
    await asyncio.sleep(1)  # it is in the midst of it
    await tell(waiting, FIVE)
    committed = time.time()
    while not await _has_ended(client, run):
        if time.time() - committed > LIMIT:
            raise TimeoutError(f"Order {waiting} has not ended after {LIMIT:.0f} s; see the worker's log.")
        await asyncio.sleep(0.05)
    ended = time.time() - committed
    tidied, seconds = await tidying
    return tidied, seconds, calls.seen().total(), [ended]


async def _has_ended(client: PrefectClient, run: UUID) -> bool:
    state = (await client.read_flow_run(run)).state
    return state is not None and state.is_final()


def _must_be_right(tidied: Tidied, expected: int) -> None:
    deleted = tidied.runs["follow-order/follow-order"]
    if deleted != expected or tidied.artifacts != expected:
        raise RuntimeError(f"{deleted} runs and {tidied.artifacts} artifacts were deleted, not {expected} of each.")
