"""
`python -m bench.dbos_worker`: the one process in which DBOS runs its orders, with DBOS's default settings.

The database is named by DBOS_SYSTEM_DATABASE_URL. Each line on standard input is a JSON object with the `orders` to
start and their `milestones`; it is answered with a line once they are started, and the process leaves at its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from dbos import DBOS, DBOSConfig, SetWorkflowID

from bench.dbos_order import follow_order_with_dbos

APPLICATION = "gendan-bench"
READY = "ready"
STARTED = "started"


async def serve() -> None:
    """Launch DBOS on this event loop and start orders as they are named."""
    config: DBOSConfig = {"name": APPLICATION, "system_database_url": os.environ["DBOS_SYSTEM_DATABASE_URL"]}
    DBOS(config=config)
    DBOS.launch()
    _say(READY)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        for order_no in asked["orders"]:
            with SetWorkflowID(order_no):
                await DBOS.start_workflow_async(follow_order_with_dbos, order_no, asked["milestones"])
        _say(STARTED)
    # Whoever started it is gone. `DBOS.destroy` would wait for workflows, and these wait for weeks.
    os._exit(0)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
