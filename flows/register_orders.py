"""Take orders in from the Prefect UI: its parameters are a form."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.intake import table_of, take_orders


@flow(name="register-orders", persist_result=False)
async def register_orders(csv: str) -> State[Any]:
    """
    Take in the orders of `csv`: a header and one line for each order, as pasted from a file.

    Good rows are taken in; the run fails if any was refused, and says which and why.
    """
    with closing(table_of(csv)) as rows:
        outcome = await take_orders(rows)
    if outcome.refused:
        return Failed(name="Rows refused", message=f"{outcome}\n" + "\n".join(map(str, outcome.refused)))
    return Completed(name="Registered", message=str(outcome))
