"""Many open orders that wait, without the time that it takes to take so many in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import delete, insert, select, text

from gendan.supervisor import Running
from models import tables
from tasks.clock import now
from tasks.database import transaction
from tests.flows.house import Following, prefect_database


@asynccontextmanager
async def many_orders(gendan: Running, like: Following, count: int) -> AsyncIterator[None]:
    """Put `count` more orders, and runs that wait, beside an order for the length of a block."""
    added = {f"MANY-{number:05d}": uuid4() for number in range(count)}
    row = await like.row()
    async with prefect_database(gendan) as prefect, transaction() as connection:
        await prefect.execute(
            """
            INSERT INTO flow_run SELECT (jsonb_populate_record(f, jsonb_build_object(
                'id', copy.id, 'name', 'copy ' || copy.id, 'idempotency_key', NULL))).*
            FROM flow_run f, unnest(%s::uuid[]) AS copy(id) WHERE f.id = %s
            """,
            [list(added.values()), row.flow_run_id],
        )
        order = (await connection.execute(select(tables.orders).where(tables.orders.c.order_no == like.order_no))).one()
        await connection.execute(
            insert(tables.orders),
            [
                {"order_no": number, "terms": order.terms, "customer": "", "body": {**order.body, "order_no": number}}
                for number in added
            ],
        )
        await connection.execute(
            insert(tables.follow_ups),
            [
                {
                    "order_no": number,
                    "state": "open",
                    "flow_run_id": run,
                    "generation": 1,
                    "next_wake_up": now() + timedelta(days=30),
                }
                for number, run in added.items()
            ],
        )
        # as autovacuum would within a minute: else the planner takes the table for an empty one
        await connection.execute(text("ANALYZE follow_ups"))
        await prefect.execute("ANALYZE flow_run")
    try:
        yield
    finally:
        async with prefect_database(gendan) as prefect, transaction() as connection:
            for table in (tables.follow_ups, tables.orders):
                await connection.execute(delete(table).where(table.c.order_no.in_(list(added))))
            await prefect.execute("DELETE FROM flow_run WHERE id = ANY(%s)", [list(added.values())])
