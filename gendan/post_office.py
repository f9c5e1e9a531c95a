"""The post office in a worker: makes messages of what orders have to say, and takes them to their readers."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import NoReturn

import anyio
import psycopg

from models.errors import Unavailable
from tasks.clock import now
from tasks.database import POST_CHANNEL, listening
from tasks.deliveries import deliver_waiting
from tasks.dispatch import PATIENCE, dispatch

LOOK_AGAIN = 20.0
"""Seconds after which the post office looks by itself: for digests whose time has come, and for another try."""
GATHERS = 2.0
"""Seconds that it waits once an order has spoken: orders that speak together are told together."""
RECONNECT = 5.0
AT_ONCE = 200

logger = logging.getLogger("gendan.post_office")


async def keep_open() -> NoReturn:
    """
    Serve until cancelled. What goes wrong is logged and tried again: nothing is lost, all of it is in the database.

    Several may be open at a time, in several workers: each message is made once, and each delivery has one sender.
    """
    while True:
        try:
            async with listening(POST_CHANNEL) as connection:
                opened = served = now()
                while True:
                    if now() - served > PATIENCE:  # the machine was asleep
                        opened = now()
                    await serve(opened)
                    served = now()
                    # one batch may hold a hundred words, and they are waited for together
                    if [word async for word in connection.notifies(timeout=LOOK_AGAIN, stop_after=1)]:
                        await anyio.sleep(GATHERS)
        except (psycopg.Error, Unavailable) as error:
            logger.warning("No word from the database (%s); trying again", type(error).__name__)
        except Exception:
            logger.exception("The post could not go out; trying again")
        await anyio.sleep(RECONNECT)


async def serve(opened: datetime) -> None:
    """Make messages of what is to be told now, and deliver what waits; `opened` as in `dispatch`."""
    await dispatch(opened)
    await deliver_waiting(AT_ONCE)
