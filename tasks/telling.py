"""Telling people: claim a message, then send it, shown in Prefect as a task run of its own."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from models.decide import Tell
from models.order_file import OrderFile
from models.standing import Standing
from tasks.outbox import Sending, claim, deliver, take_waiting


async def tell(file: OrderFile, at: Standing, step: Tell) -> None:
    """Claim the message of a step and send it. Claimed by somebody else: nothing to do."""
    message_id = await claim(file, at, step)
    if message_id is None:
        return
    for sending in await take_waiting(1, message_id):
        await send_message(sending, sending.rung, sending.recipient)


@task(name="send-message", task_run_name="{rung} to {recipient}", persist_result=False, cache_policy=NO_CACHE)
async def send_message(sending: Sending, rung: str, recipient: str) -> bool:
    """Send one claimed message; one that does not go out stays in the outbox, and the watch tries again."""
    went_out = await deliver(sending)
    logger = get_run_logger()
    if went_out:
        logger.info("%s told: %s", recipient, sending.message.subject)
    else:
        logger.warning("%s could not be told; kept in the outbox, see `gendan messages list --failed`", recipient)
    return went_out
