"""What a wake-up costs: the same on the fiftieth day as on the fifth, and nothing is kept of what did not happen."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta

from gendan.supervisor import Running
from gendan.wake_ups import KEYS_KEPT
from tasks.logbook import record_reports
from tests.factories import a_milestone, a_report, china
from tests.flows.house import Follow, Following, at_the_office, house_of

WITHOUT_NEWS = 6
"""Calls that a wake-up makes which finds nothing new; log lines and the worker's look for work are among them."""
CHANGED = 5
"""Calls for a milestone that is closed and the next that is opened: two bars, the sheet, a new form for the old."""
SETTLE = 2.5
"""Seconds for which calls are counted once the order waits: its log lines are sent every two."""

_CALL = re.compile(r'"(GET|POST|PUT|PATCH|DELETE) (/api/[^ ?"]*)[^"]*" \d{3}')
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=answer-)[0-9a-f]{12}")
_BY_THE_CLOCK = re.compile(r"/api/(work_pools/.*|health|admin/.*|ready|events/.*)$")
"""The worker's heartbeats and its looks for work, which it makes whether orders wake or not."""


class AccessLog:
    """The calls that reach Prefect's server from a moment on, as its access log has them."""

    def __init__(self, gendan: Running) -> None:
        self._log = house_of(gendan).log("server")
        self._begin = self._log.stat().st_size

    def calls(self) -> Counter[str]:
        """Return how often each end point was called, ids left out."""
        with self._log.open("rb") as file:
            file.seek(self._begin)
            text = file.read().decode(errors="replace")
        return Counter(
            f"{call[1]} {_ID.sub('ID', call[2])}" for call in _CALL.finditer(text) if not _BY_THE_CLOCK.match(call[2])
        )


async def calls_of(gendan: Running, order: Following, step: int) -> Counter[str]:
    """Tell an order that a step was done, and return the calls of that wake-up, the worker's one look for it with."""
    await asyncio.sleep(SETTLE)
    log = AccessLog(gendan)
    at = china(1, month=10) + timedelta(days=step)
    await order.advance(at, a_report(f"STEP_{step:02d}", at))
    await asyncio.sleep(SETTLE)
    # Log lines go in batches by the clock: on a busy machine a wake-up may span two of them.
    return Counter({**log.calls(), "POST /api/logs/": 1, "POST get_scheduled_flow_runs": 1})


async def test_a_wake_up_makes_few_calls_and_the_fiftieth_as_many_as_the_fifth(follow: Follow, gendan: Running) -> None:
    """A step closed, the next one opened, each time."""
    steps = [
        a_milestone(f"STEP_{n:02d}", offset=n - 60, after=(f"STEP_{n - 1:02d}",) if n > 1 else ()) for n in range(1, 61)
    ]
    order = await follow(at_the_office(*steps))
    for step in (1, 2, 3):
        at = china(1, month=10) + timedelta(days=step)
        await order.advance(at, a_report(f"STEP_{step:02d}", at))
    fifth = await calls_of(gendan, order, 4)
    rows = len(await order.task_runs())
    for step in range(5, 49):
        at = china(1, month=10) + timedelta(days=step)
        await order.advance(at, a_report(f"STEP_{step:02d}", at))
    fiftieth = await calls_of(gendan, order, 49)

    assert (await order.row()).wakes == 50
    assert fifth.total() <= WITHOUT_NEWS + CHANGED, fifth
    assert fiftieth == fifth
    assert len(await order.task_runs()) - rows == 45, "a row for each milestone that was opened"
    assert len(await order.sheets()) == 1
    assert len(await order.inputs()) == 1


async def test_wake_ups_without_news_leave_nothing_behind(follow: Follow, gendan: Running) -> None:
    order = await follow()
    rows = [run.id for run in await order.task_runs()]
    sheet = (await order.sheets())[0].id
    for minute in range(1, 51):
        await order.advance(china(1, 10, minute, month=10))

    row = await order.row()
    assert row.wakes == 51
    assert [run.id for run in await order.task_runs()] == rows
    assert [artifact.id for artifact in await order.sheets()] == [sheet]
    assert len(await order.inputs()) == 1
    assert await order.notices() == []
    await asyncio.sleep(SETTLE)
    log = AccessLog(gendan)
    await order.advance(china(1, 11, month=10))
    await asyncio.sleep(SETTLE)
    assert log.calls().total() + 1 <= WITHOUT_NEWS, log.calls()
    assert len((await order.run()).empirical_policy.pause_keys or ()) <= KEYS_KEPT


async def test_many_reports_at_once_make_one_wake_up_and_in_a_row_few(follow: Follow) -> None:
    steps = [a_milestone(f"STEP_{n:02d}", offset=n - 60) for n in range(1, 51)]
    order = await follow(at_the_office(*steps))
    at = china(2, month=10)
    told = [(order.order_no, a_report(f"STEP_{n:02d}", at)) for n in range(1, 51)]
    await order.advance(at)
    before = (await order.row()).wakes

    await record_reports(told[:25])
    await order.asleep()
    assert (await order.row()).wakes == before + 1

    for one in told[25:]:
        await record_reports([one])
    await order.asleep()
    assert (await order.row()).wakes <= before + 8
    assert len((await order.file()).entries) >= 50
