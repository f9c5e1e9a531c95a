"""A season of sample orders, played before one's eyes in three to five minutes."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from prefect.client.orchestration import get_client

import gendan
from gendan.calls import calling
from gendan.replay import OrderPlay, must_be_empty, read_result, stopped_in_order, write_channels
from gendan.season import Season, load_season
from gendan.whole import whole_gendan
from models.book.order_file import OrderFile
from models.names import Language
from models.seasons.result import Result
from models.status.lateness import days_late
from models.status.standing import Standing, standing
from notifications.badges import badge
from tasks import database
from tasks.clock import now
from tasks.library import library
from tasks.notices import list_notices
from tasks.operations import OperationsPages
from tasks.settings import Settings
from tasks.virtual import sleepers

SAMPLES = Path(gendan.__file__).parent / "samples"
USUAL_PORT = 4200
PACE = 1.8
"""Seconds that a day on which something happens lasts at least, so that a person can watch."""


@dataclass(frozen=True)
class Line:
    """One thing that happened in the season: a milestone, a message, a departure."""

    at: datetime
    order_no: str
    mark: str
    words: str


@contextmanager
def demo(
    settings: Settings,
    *,
    pace: float,
    say: Callable[[str], None],
    begin: Callable[[str], None],
    tell: Callable[[Line], None],
) -> Iterator[Result]:
    """
    Play the sample season and give its result; everything goes on serving until the block ends.

    `begin` is told where Prefect's pages are, `tell` what happens, in the order in which it happens. `pace` is
    how many seconds an eventful day lasts at least.
    """
    port = USUAL_PORT if _is_free(settings.host, USUAL_PORT) else 0
    settings = settings.model_copy(update={"port": port, "channels": write_channels(settings.home)})
    season = load_season(SAMPLES / "orders.csv", SAMPLES / "reports.csv", library())
    with stopped_in_order(), whole_gendan(settings, say) as running:
        os.environ.update(running.environment)
        begin(running.ui_url)
        yield asyncio.run(_play(season, running.environment, pace, tell))


async def _play(season: Season, environment: Mapping[str, str], pace: float, tell: Callable[[Line], None]) -> Result:
    await must_be_empty("A demo")
    said = 0
    async with sleepers() as heard:
        plays = [OrderPlay(f, season.timeline(f.order.order_no), season.until, heard) for f in season.files]
        while (day := _next_day(plays)) is not None:
            begun = time.monotonic()
            lines = [line for lines in await asyncio.gather(*(_play_until(p, day) for p in plays)) for line in lines]
            notices = await list_notices(after=said)
            said = max([said, *(row.id for row in notices)])
            for row in notices:
                lines.append(Line(row.raised_at, row.order_no, row.rung, f"{row.role} ← {row.milestone}"))
            for line in sorted(lines, key=lambda line: line.at):
                tell(line)
            await asyncio.sleep(max(0.0, pace - (time.monotonic() - begun)))
    result = await read_result([file.order.order_no for file in season.files], season.until)
    with calling(environment):
        async with get_client() as client:
            await OperationsPages().refresh(client, now())  # the watch would, within ten minutes
    await database.close()
    return result


def _next_day(plays: list[OrderPlay]) -> datetime | None:
    """Return the end of the next day on which anything happens, on the wall of the orders' own office."""
    upcoming = [(play.next_at, play.file.calendar) for play in plays if play.next_at is not None]
    if not upcoming:
        return None
    at, calendar = min(upcoming, key=lambda pair: pair[0])
    return calendar.end_of(calendar.local_date(at)) + timedelta(seconds=1)


async def _play_until(play: OrderPlay, end: datetime) -> list[Line]:
    lines: list[Line] = []
    while play.next_at is not None and play.next_at < end:
        now = play.next_at
        before = standing(play.file, now - timedelta(microseconds=1))
        is_new = now == play.file.order.came_in
        await play.step()
        lines.extend(_happened(play.file, before, standing(play.file, now), is_new=is_new))
    return lines


def _happened(file: OrderFile, before: Standing, after: Standing, *, is_new: bool) -> Iterator[Line]:
    order_no, now = file.order.order_no, after.now
    if is_new:
        etd = f"ETD {after.etd:%d %b %Y}" if after.etd else "no ETD yet"
        yield Line(now, order_no, "new", f"{file.order.customer}, {file.template.name.en}, {etd}")
    for code, reached in after.reached.items():
        if code in before.reached:
            continue
        due = after.due.get(code)
        late = days_late(file, due, reached.at) if due is not None and reached.at > due else 0
        words = f"{code} {file.template.by_code[code].name.en}"
        yield Line(now, order_no, "late" if late else "done", f"{words}, {late} working days late" if late else words)
    if after.state.is_over and not before.state.is_over:
        end = badge(file, after, Language.EN)
        yield Line(now, order_no, "sailed", f"{end.name}: {end.message}")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # Like a server that starts again: a port that only lingers is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
