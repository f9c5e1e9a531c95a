"""
Make the databases of the first release in mid-season, with its own code. They are kept; nobody has to make them again.

    git worktree add /tmp/first 3e21f6f; here=$PWD; cd /tmp/first
    PYTHONPATH=. $here/.venv/bin/python $here/tests/releases/first/make.py $here/tests/releases/first

Its code is of the last commit whose newest migration is 0001 and that was fit for work. The sample season is played
through real flows until 10 September 2026, with orders that are on time, stalled, acknowledged, promised, on hold,
cancelled, closed and no longer followed, and with messages that nobody could be told; two orders live on the clock on
the wall. Written are a dump of each database, and `told.json`: where the release itself says each stands.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.states import Cancelled
from sqlalchemy import text

import gendan
from gendan.embedded import _PROGRAMS
from gendan.replay import OrderPlay, write_channels
from gendan.season import load_season
from gendan.whole import whole_gendan
from models.standing import standing
from tasks import database
from tasks.database import transaction
from tasks.library import library
from tasks.orders import open_file
from tasks.settings import Settings
from tasks.virtual import sleepers
from tasks.watching import mend_ended

MID_SEASON = datetime.fromisoformat("2026-09-10T12:00:00+08:00")
LATER = datetime.fromisoformat("2026-09-24T12:00:00+08:00")
LOOKED_AT = datetime(2026, 11, 25, tzinfo=UTC)
"""When the orders on the wall's clock are looked at."""
CLI = "from gendan.cli import main; main()"
ON_THE_WALL = (
    "order_no,template,customer,placed_at,etd\n"
    "WALL-1,AFS,Nordvind Outdoor,2026-11-02T10:00:00+08:00,2027-02-20\n"
    "WALL-2,EAD,Kiwi & Finch,2026-11-16T10:00:00+08:00,\n"
)
BY_HAND = (
    ("hold", "SO-26-0445", "--note", "buyer redesigns the label"),
    ("cancel", "SO-26-0449", "--note", "buyer withdrew"),
    ("report", "WALL-1", "ORD_RCVD", "--at", "2026-11-03T09:00:00+08:00", "--source", "erp", "--id", "7"),
)


ASLEEP = "SELECT NOT wanted AND awake_since IS NULL AND flow_run_id IS NOT NULL FROM follow_ups WHERE order_no = :no"
NEXT = "SELECT next_wake_up FROM follow_ups WHERE order_no = :no"


async def ask(query: str, order_no: str) -> Any:
    async with transaction() as connection:
        return (await connection.execute(text(query), {"no": order_no})).scalar_one()


async def asleep(order_no: str) -> None:
    for _ in range(600):
        if await ask(ASLEEP, order_no):
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"{order_no} does not go back to wait")


def say(*words: str) -> None:
    subprocess.run([sys.executable, "-c", CLI, *words], check=True)


async def play(home: Path) -> None:
    samples = Path(gendan.__file__).parent / "samples"
    season = load_season(samples / "orders.csv", samples / "reports.csv", library())
    async with sleepers() as heard:
        files = [file for file in season.files if file.order.came_in <= MID_SEASON]
        plays = [OrderPlay(file, season.timeline(file.order.order_no), MID_SEASON, heard) for file in files]

        async def one(order: OrderPlay) -> None:
            while order.next_at is not None:
                await order.step()

        await asyncio.gather(*map(one, plays))
        (home / "wall.csv").write_text(ON_THE_WALL)
        await asyncio.to_thread(say, "orders", "import", str(home / "wall.csv"))
        for order_no in ("WALL-1", "WALL-2"):
            await asleep(order_no)
        for words in BY_HAND:
            await asyncio.to_thread(say, *words)
            await asleep(words[1])
        for order_no in ("SO-26-0423", "SO-26-0436", "SO-26-0461"):
            file, _ = await open_file(order_no)
            first = standing(file, MID_SEASON).open[0]
            words = ("ack", order_no, first) if order_no != "SO-26-0461" else ("promise", order_no, first, "2026-09-15")
            await asyncio.to_thread(say, *words)
            await asleep(order_no)
        # nobody can be told any more
        (home / "channels.yaml").write_text("urls: []\n")
        for order_no in ("SO-26-0423", "SO-26-0417"):
            clock = MID_SEASON
            for _ in range(8):
                upcoming = await ask(NEXT, order_no)
                if upcoming is None or upcoming > LATER:
                    break
                clock = max(clock, upcoming)
                await heard.advance(order_no, clock, ())
                await heard.wait(order_no)
    # somebody cancels a run in Prefect's pages
    async with PrefectClient(os.environ["PREFECT_API_URL"]) as client:
        _, follow_up = await open_file("WALL-2")
        await client.set_flow_run_state(follow_up.flow_run_id, Cancelled(), force=True)
        await mend_ended(client)


async def told() -> dict[str, Any]:
    async with transaction() as connection:
        rows = (await connection.execute(text("SELECT * FROM follow_ups ORDER BY order_no"))).mappings().all()
        messages = (await connection.execute(text("SELECT * FROM messages ORDER BY id"))).mappings().all()
    orders = {}
    for row in rows:
        file, follow_up = await open_file(row["order_no"])
        at = standing(file, follow_up.clock or LOOKED_AT)
        orders[row["order_no"]] = {
            "at": at.now.isoformat(),
            "state": at.state.value,
            "open": list(at.open),
            "reached": {code: reached.at.isoformat() for code, reached in at.reached.items()},
            "due": {code: due.isoformat() for code, due in at.due.items()},
            "badge": row["waits_for"],
            "closed_as": row["closed_as"],
            "entries": len(file.entries),
            "said": [
                [m["milestone"], m["rung"], m["due"].isoformat(), m["recipient"], m["delivered_at"] is not None]
                for m in messages
                if m["order_no"] == row["order_no"]
            ],
        }
    return orders


def dump(name: str, folder: Path, to: Path) -> None:
    words = [str(_PROGRAMS / "pg_dump"), "--no-owner", "--no-privileges", "-h", str(folder), "-U", "postgres", name]
    # what happened to runs is history: nothing reads it again
    words += ["--exclude-table-data=events", "--exclude-table-data=event_resources", "--exclude-table-data=log"]
    sql = subprocess.run(words, capture_output=True, check=True, cwd="/").stdout
    # psql's own commands, which pg_dump writes since 18.1: a driver does not know them
    lines = [line for line in sql.splitlines(keepends=True) if not line.startswith((b"\\restrict", b"\\unrestrict"))]
    with gzip.GzipFile(to / f"{name}.sql.gz", "wb", compresslevel=9, mtime=0) as file:
        file.write(b"".join(lines))


def make(to: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gx-", dir="/tmp") as folder:
        home = Path(folder).resolve()
        settings = Settings(home=home, port=0, database_url=None, channels=write_channels(home))
        with whole_gendan(settings, print, watch=False) as running:
            os.environ.update(running.environment)

            async def all_of_it() -> dict[str, Any]:
                await play(home)
                try:
                    return await told()
                finally:
                    await database.close()

            orders = asyncio.run(all_of_it())
        from gendan.embedded import EmbeddedPostgres

        postgres = EmbeddedPostgres(home / "postgres")
        postgres.start()
        try:
            for name in ("gendan", "prefect"):
                dump(name, home / "postgres", to)
        finally:
            postgres.stop()
    (to / "told.json").write_text(json.dumps(orders, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
