"""Deliveries in a real PostgreSQL, to receivers on this machine: each message once, at the pace of each address."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.errors import Unavailable
from tasks import deliveries
from tasks.clock import now
from tasks.database import engine, transaction
from tasks.deliveries import (
    HANDS_OF_A_KIND,
    LEASE,
    Sending,
    deliver,
    deliver_waiting,
    retry,
    route_waiting,
    take,
)
from tasks.message_lists import find_message, list_held, list_messages
from tests.books import place, run
from tests.receivers import HttpReceiver, Reply, SmtpReceiver, lead_to

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-26-0417"
ROBOT = "wecombot://12345678-aaaa-bbbb-cccc-1234567890ab"
OTHER_ROBOT = "wecombot://87654321-aaaa-bbbb-cccc-1234567890ab"
WELCOME = Reply.of({"errcode": 0, "errmsg": "ok"})
THROTTLED, BROKEN, GONE = Reply(429), Reply(500), Reply(404)
MINUTE = timedelta(minutes=1)
HANGS = 3.0
"""Seconds that an address has in the tests of those that hang."""


@pytest.fixture
def channels(own_settings: Path) -> Path:
    own_settings.mkdir()
    return own_settings / "channels.yaml"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    server = HttpReceiver()
    yield server
    server.down()


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch, receiver: HttpReceiver) -> HttpReceiver:
    """Give a receiver that everything on HTTP comes to, whoever it is for."""
    lead_to(receiver, monkeypatch)
    receiver.reply = WELCOME
    return receiver


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    server = SmtpReceiver()
    yield server
    server.close()


def reach(channels: Path, *addresses: tuple[str, str]) -> None:
    """Write the channels file: addresses with their tags."""
    channels.write_text("urls:\n" + "".join(f"  - '{url}': {{tag: '{tags}'}}\n" for tags, url in addresses), "utf-8")


def spoil(channels: Path) -> None:
    channels.write_text("urls: [", "utf-8")


def at(receiver: HttpReceiver, path: str = "") -> str:
    return f"json://{receiver.address}/{path}"


def by_mail(server: SmtpReceiver, *readers: str) -> str:
    return f"mailto://{server.address}?from=gendan@factory.example&to={','.join(readers)}"


async def write(number: int = 1, tags: tuple[str, ...] = ("mei", "MER"), **changes: Any) -> list[int]:
    """Make messages, as the dispatcher does; return their ids."""
    fields = {"kind": "direct", "person": tags[0], "tags": list(tags), "made_at": now(), "body": "FAB_IN is late"}
    rows = [{**fields, "subject": f"Message {each} to {tags[0]}", **changes} for each in range(number)]
    async with transaction() as connection:
        return [
            (await connection.execute(insert(tables.messages).values(row).returning(tables.messages.c.id))).scalar_one()
            for row in rows
        ]


async def let_time_pass(how_long: timedelta) -> None:
    for table, columns in (
        ("deliveries", ("next_attempt_at", "attempted_at", "delivered_at", "dead_at")),
        ("channels", ("paused_until",)),
        ("messages", ("made_at", "delivered_at")),
    ):
        moved = ", ".join(
            f"{column} = {column} - make_interval(secs => {how_long.total_seconds()})" for column in columns
        )
        await run(f"UPDATE {table} SET {moved}")


async def until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so, for less time than a hanging address is given."""
    end = time.monotonic() + HANGS - 0.1
    while not true():
        assert time.monotonic() < end, otherwise
        await asyncio.sleep(0.02)


async def on_its_way(message_id: int) -> list[Any]:
    _, found = await find_message(message_id)
    return found


async def only(message_id: int) -> Any:
    (one,) = await on_its_way(message_id)
    return one


async def state(message_id: int) -> str:
    message, _ = await find_message(message_id)
    return str(message.state)


async def one_channel() -> Any:
    async with transaction() as connection:
        return (await connection.execute(select(tables.channels))).one()


def subjects(receiver: HttpReceiver, path: str = "") -> list[str]:
    """Return the subjects that arrived at a path, in their order."""
    return [request.json["title"] for request in receiver.requests if request.path == f"/{path}"]


def lines(robot: HttpReceiver) -> list[str]:
    """Return the first line of everything that a robot of WeCom was sent."""
    return [request.json["text"]["content"].split("\n")[0] for request in robot.requests]


# --- where a message goes


async def test_a_message_goes_out_once(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    (message_id,) = await write()

    assert await deliver_waiting(10) == (1, 0)
    assert await deliver_waiting(10) == (0, 0)

    assert subjects(receiver) == ["Message 0 to mei"]
    message, [delivery] = await find_message(message_id)
    assert (message.state, message.error, delivery.attempts, delivery.error) == ("delivered", "", 1, "")
    assert await list_messages(undelivered=True) == []


async def test_the_person_is_told_before_the_role(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver, "hers")), ("mer", at(receiver, "theirs")))
    await write(tags=("mei", "MER"))
    await write(tags=("wang", "MER"))

    assert await deliver_waiting(10) == (2, 0)

    assert subjects(receiver, "hers") == ["Message 0 to mei"]
    assert subjects(receiver, "theirs") == ["Message 0 to wang"]


async def test_who_hears_everything_hears_it_too(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver, "hers")), ("always", at(receiver, "all")))
    await write()

    assert await deliver_waiting(10) == (2, 0)

    assert Counter(receiver.paths) == {"/hers": 1, "/all": 1}


async def test_nobody_to_tell_is_no_secret_and_nothing_is_lost(channels: Path, receiver: HttpReceiver) -> None:
    (message_id,) = await write()

    assert await deliver_waiting(10) == (0, 0)

    (row,) = await list_messages(failed=True)
    assert (row.id, row.state) == (message_id, "failed")
    assert "MER" in row.error
    assert str(channels) in row.error
    reach(channels, ("mer", at(receiver)))
    assert await deliver_waiting(10) == (1, 0)
    assert await list_messages(failed=True) == []


async def test_messages_without_an_address_keep_nobody_else_waiting(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mer", at(receiver)))
    await write(5, tags=("nobody", "GM"))
    await write(2, tags=("mei", "MER"))

    assert await deliver_waiting(2) == (2, 0)
    assert len(receiver.requests) == 2


async def test_with_nothing_to_do_two_queries_are_asked(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    await write(3)
    await deliver_waiting(10)
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(engine().sync_engine, "before_cursor_execute", note)
    try:
        assert await deliver_waiting(10) == (0, 0)
    finally:
        event.remove(engine().sync_engine, "before_cursor_execute", note)

    assert len(asked) == 2


async def test_what_is_taken_takes_as_many_queries_for_one_channel_as_for_many(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, *((f"p{number}", at(receiver, str(number))) for number in range(30)))
    for number in range(30):
        await write(tags=(f"p{number}",))
    await route_waiting(100)
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(engine().sync_engine, "before_cursor_execute", note)
    try:
        taken = await take(100)
    finally:
        event.remove(engine().sync_engine, "before_cursor_execute", note)

    assert [sending.tags for sending in taken] == [(f"p{number}",) for number in range(30)]
    assert len(asked) == 2


async def test_the_oldest_messages_go_first_and_no_more_than_asked_for(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    await write(5)

    assert [await deliver_waiting(2) for _ in range(4)] == [(2, 0), (2, 0), (1, 0), (0, 0)]
    assert subjects(receiver) == [f"Message {number} to mei" for number in range(5)]


# --- what fails


async def test_a_robot_that_gets_too_much_is_left_alone_for_a_minute_and_the_message_is_not_to_blame(
    channels: Path, robot: HttpReceiver
) -> None:
    reach(channels, ("mei", ROBOT))
    robot.replies = [THROTTLED]
    first, second = await write(2)

    assert await deliver_waiting(10) == (0, 1)

    assert (await only(first)).attempts == 0
    assert (await only(second)).attempted_at is None
    paused = (await one_channel()).paused_until - now()
    assert timedelta(seconds=55) < paused <= MINUTE
    assert await deliver_waiting(10) == (0, 0)
    await let_time_pass(MINUTE)
    assert await deliver_waiting(10) == (2, 0)
    assert sorted(lines(robot)) == ["Message 0 to mei", "Message 0 to mei", "Message 1 to mei"]
    assert (await only(first)).error == ""


async def test_a_robot_that_goes_on_getting_too_much_is_left_alone_for_longer_up_to_ten_minutes(
    channels: Path, robot: HttpReceiver
) -> None:
    reach(channels, ("mei", ROBOT))
    robot.replies = [THROTTLED] * 6
    (message_id,) = await write()

    pauses = []
    for _ in range(6):
        assert await deliver_waiting(10) == (0, 1)
        pauses.append(round(((await one_channel()).paused_until - now()) / MINUTE))
        await let_time_pass(timedelta(minutes=10))

    assert pauses == [1, 2, 4, 8, 10, 10]
    assert await state(message_id) == "failed"  # and not dead, however often
    assert await deliver_waiting(10) == (1, 0)
    assert (await one_channel()).failures == 0


async def test_a_robot_says_itself_for_how_long_it_is_to_be_left_alone(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT))
    robot.replies = [Reply(429, headers={"Retry-After": "900"})]
    await write()

    await deliver_waiting(10)

    assert timedelta(minutes=14) < (await one_channel()).paused_until - now() <= timedelta(minutes=15)


async def test_what_failed_is_tried_again_and_arrives_once(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT))
    robot.replies = [BROKEN]
    (message_id,) = await write()

    assert await deliver_waiting(10) == (0, 1)
    (row,) = await list_messages(failed=True)
    assert row.error == "wecombot:// failed: answered HTTP 500"
    assert (row.attempts, row.state) == (1, "failed")
    assert timedelta(seconds=45) < row.next_attempt_at - now() < timedelta(seconds=75)
    assert await deliver_waiting(10) == (0, 0)  # not before its time
    await let_time_pass(timedelta(seconds=75))
    assert await deliver_waiting(10) == (1, 0)

    assert await deliver_waiting(10) == (0, 0)
    assert (await state(message_id), len(robot.requests)) == ("delivered", 2)


async def test_the_pauses_of_a_message_grow_to_half_an_hour_and_those_of_its_channel_to_five_minutes(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = BROKEN
    (message_id,) = await write()

    pauses, rests = [], []
    for _ in range(8):
        assert await deliver_waiting(10) == (0, 1)
        pauses.append((await only(message_id)).next_attempt_at - now())
        rests.append(round(((await one_channel()).paused_until - now()).total_seconds()))
        await let_time_pass(timedelta(minutes=40))

    assert rests == [15, 30, 60, 120, 240, 300, 300, 300]
    usual = [MINUTE * minutes for minutes in (1, 2, 4, 8, 16, 30, 30, 30)]
    assert all(0.7 * most < pause <= 1.2 * most for pause, most in zip(pauses, usual, strict=True))


async def test_once_a_channel_takes_something_what_failed_there_need_not_wait_any_longer(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = BROKEN
    (message_id,) = await write()
    for _ in range(6):
        await let_time_pass(40 * MINUTE)
        await deliver_waiting(10)
    await let_time_pass(6 * MINUTE)
    assert (await only(message_id)).next_attempt_at > now() + 15 * MINUTE
    receiver.reply = Reply()
    assert await deliver_waiting(10) == (0, 0)

    await write()

    assert await deliver_waiting(10) == (2, 0)


async def test_two_addresses_of_which_one_fails_only_that_one_is_tried_again(
    channels: Path, receiver: HttpReceiver, robot: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver, "good")), ("mei", ROBOT))
    robot.reply = Reply()
    robot.replies = []
    (message_id,) = await write()
    await route_waiting(10)
    for sending in await take(10):
        robot.reply = BROKEN if sending.schema == "wecombot" else WELCOME
        await deliver(sending)

    assert await state(message_id) == "failed"
    robot.reply = WELCOME
    await let_time_pass(2 * MINUTE)
    assert await deliver_waiting(10) == (1, 0)

    assert Counter(request.path for request in robot.requests) == {"/good": 1, "/cgi-bin/webhook/send": 2}
    assert await state(message_id) == "delivered"


async def test_after_the_second_failure_the_next_group_is_tried(channels: Path, receiver: HttpReceiver) -> None:
    other = HttpReceiver()
    reach(channels, ("mei", at(receiver)), ("2:mei", at(other, "phone")))
    receiver.reply = BROKEN
    (message_id,) = await write()
    try:
        assert await deliver_waiting(10) == (0, 1)
        await let_time_pass(2 * MINUTE)
        assert other.requests == []

        assert await deliver_waiting(10) == (1, 1)
    finally:
        other.down()

    assert subjects(other, "phone") == ["Message 0 to mei"]
    assert [(row.rank, row.delivered_at is not None) for row in await on_its_way(message_id)] == [(0, False), (1, True)]


async def test_where_a_message_is_refused_the_next_group_is_tried_at_once(
    channels: Path, receiver: HttpReceiver
) -> None:
    other = HttpReceiver()
    reach(channels, ("mei", at(receiver)), ("2:mei", at(other, "phone")))
    receiver.reply = GONE
    (message_id,) = await write()
    try:
        assert await deliver_waiting(10) == (1, 1)
    finally:
        other.down()

    for _ in range(2):
        await let_time_pass(5 * MINUTE)
        assert await deliver_waiting(10) == (0, 1)
    # refused for good by one, taken by the other: told
    assert await state(message_id) == "delivered"
    (row,) = await list_messages(dead=True)
    assert row.error == "json:// refused: answered HTTP 404"


async def test_what_is_refused_three_times_is_a_dead_letter_until_somebody_brings_it_back(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = GONE
    (message_id,) = await write()
    for attempt in range(1, 4):
        assert await state(message_id) != "dead"
        assert await deliver_waiting(10) == (0, 1)
        assert (await only(message_id)).attempts == attempt
        await let_time_pass(5 * MINUTE)

    (row,) = await list_messages(dead=True)
    assert (row.state, row.next_attempt_at) == ("dead", None)
    assert row.error == "json:// refused: answered HTTP 404"
    assert await deliver_waiting(10) == (0, 0)
    receiver.reply = Reply()
    assert await retry() == 1
    assert await retry() == 0
    assert await deliver_waiting(10) == (1, 0)
    assert (await state(message_id), len(receiver.requests)) == ("delivered", 4)
    assert await list_messages(dead=True) == []


async def test_what_was_refused_after_it_had_failed_for_long_is_refused_for_the_first_time(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.replies = [BROKEN, BROKEN, BROKEN, GONE, GONE]
    (message_id,) = await write()
    for _ in range(5):
        await deliver_waiting(10)
        await let_time_pass(30 * MINUTE)

    assert await state(message_id) == "failed"
    assert await deliver_waiting(10) == (1, 0)


async def test_what_still_fails_after_three_days_is_a_dead_letter(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = BROKEN
    (message_id,) = await write()
    for _ in range(3):
        await deliver_waiting(10)
        await let_time_pass(30 * MINUTE)
    await let_time_pass(timedelta(hours=70, minutes=25))
    await deliver_waiting(10)
    assert await state(message_id) == "failed"
    await let_time_pass(30 * MINUTE)

    await deliver_waiting(10)

    assert await state(message_id) == "dead"
    assert "given up after 72 hours" in (await only(message_id)).error
    assert await deliver_waiting(10) == (0, 0)


async def test_what_is_older_than_three_days_at_its_first_attempt_is_tried_all_the_same(
    channels: Path, receiver: HttpReceiver
) -> None:
    """After an outage of days the network may need a minute, too."""
    reach(channels, ("mei", at(receiver)))
    receiver.replies = [BROKEN, BROKEN]
    (message_id,) = await write(made_at=now() - timedelta(days=5))
    for _ in range(3):
        await deliver_waiting(10)
        await let_time_pass(5 * MINUTE)

    assert await state(message_id) == "delivered"


async def test_an_address_that_took_a_message_does_not_get_it_again_when_another_is_brought_back(
    channels: Path, receiver: HttpReceiver
) -> None:
    other = HttpReceiver()
    other.reply = GONE
    reach(channels, ("mei", at(receiver, "good")), ("mei", at(other, "bad")))
    first, second = await write(2)
    try:
        for _ in range(3):
            await deliver_waiting(10)
            await let_time_pass(5 * MINUTE)
        other.reply = Reply()

        assert await retry([first]) == 1
        assert await deliver_waiting(10) == (1, 0)
    finally:
        other.down()

    assert Counter(subjects(receiver, "good")) == {"Message 0 to mei": 1, "Message 1 to mei": 1}
    assert [row.dead_at is None for row in await on_its_way(first)] == [True, True]
    assert [row.dead_at is None for row in await on_its_way(second)] == [True, False]


async def test_what_failed_is_tried_at_once_when_somebody_asks_for_it(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.replies = [BROKEN]
    (message_id,) = await write()
    await deliver_waiting(10)

    assert await retry() == 0  # only what is dead
    assert await retry([message_id]) == 1

    assert await deliver_waiting(10) == (1, 0)


async def test_what_is_being_sent_is_not_brought_back_beside_it(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.replies = [BROKEN]
    (message_id,) = await write()
    await deliver_waiting(10)
    await let_time_pass(2 * MINUTE)
    (taken,) = await take(10)

    assert await retry([message_id]) == 0
    assert await take(10) == []
    assert await deliver(taken)


# --- addresses that change


async def test_a_message_goes_to_the_new_address_once_the_old_one_is_out_of_the_file(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver, "old")))
    receiver.replies = [BROKEN]
    (message_id,) = await write()
    await deliver_waiting(10)

    reach(channels, ("mei", at(receiver, "new")))
    await let_time_pass(2 * MINUTE)
    assert await deliver_waiting(10) == (1, 1)

    assert receiver.paths == ["/old", "/new"]
    assert await state(message_id) == "delivered"
    assert len(await on_its_way(message_id)) == 1


async def test_while_somebody_is_at_the_channels_file_messages_wait(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    (message_id,) = await write()
    await route_waiting(10)
    spoil(channels)
    for _ in range(4):
        assert await deliver_waiting(10) == (0, 1)
        await let_time_pass(10 * MINUTE)

    assert await state(message_id) == "failed"
    reach(channels, ("mei", at(receiver)))
    assert await deliver_waiting(10) == (1, 0)


async def test_a_reason_never_holds_an_address(channels: Path) -> None:
    reach(channels, ("mei", "json://user:s3cr3tMARK@127.0.0.1:9/s3cr3tPATH"))
    (message_id,) = await write()

    assert await deliver_waiting(10) == (0, 1)

    message, [delivery] = await find_message(message_id)
    assert "could not be reached" in message.error
    for said in (repr(message), repr(delivery), repr(await one_channel())):
        assert "s3cr3t" not in said


# --- pace


async def windows(most: int) -> None:
    """Check that no minute has more parts than `most`, by the instants of the attempts."""
    async with transaction() as connection:
        rows = (
            await connection.execute(
                select(tables.deliveries.c.attempted_at, tables.deliveries.c.parts).where(
                    tables.deliveries.c.attempted_at.is_not(None)
                )
            )
        ).all()
    for end, _ in rows:
        assert sum(parts for instant, parts in rows if end - MINUTE < instant <= end) <= most


async def test_fifty_messages_to_one_robot_go_at_its_pace_and_all_of_them(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT))
    await write(50)

    went_out = []
    for _ in range(3):
        went_out.append(await deliver_waiting(200))
        assert await deliver_waiting(200) == (0, 0)
        await windows(20)
        await let_time_pass(MINUTE)

    assert went_out == [(20, 0), (20, 0), (10, 0)]
    assert lines(robot) == [f"Message {number} to mei" for number in range(50)]


async def test_several_processes_keep_the_pace_together(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT), ("li", OTHER_ROBOT))
    await write(30)
    await write(30, tags=("li",))

    outcome = await asyncio.gather(*(deliver_waiting(200) for _ in range(4)))

    assert sum(went_out for went_out, _ in outcome) == 40
    assert Counter(request.query["key"][:8] for request in robot.requests) == {"12345678": 20, "87654321": 20}


async def test_a_message_in_several_parts_counts_as_many(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT))
    await write(10, body="\n".join(f"{line:04} FAB_IN 面料到廠 is late" for line in range(130)))

    (out, failed) = await deliver_waiting(200)

    in_parts = len(robot.requests)
    assert (failed, in_parts % out) == (0, 0)
    each = in_parts // out
    assert each > 1
    assert out == 20 // each
    await windows(20)


async def test_a_message_longer_than_a_minutes_pace_goes_out_when_nothing_else_did(
    channels: Path, robot: HttpReceiver
) -> None:
    reach(channels, ("mei", ROBOT))
    await write(2, body="\n".join(f"{line:04} FAB_IN 面料到廠 is late" for line in range(1400)))

    assert await deliver_waiting(200) == (1, 0)
    assert await deliver_waiting(200) == (0, 0)
    await let_time_pass(MINUTE)
    assert await deliver_waiting(200) == (1, 0)
    assert len(robot.requests) > 40


async def test_of_a_message_in_parts_only_those_are_sent_again_that_were_not_taken(
    channels: Path, robot: HttpReceiver
) -> None:
    reach(channels, ("mei", ROBOT))
    robot.replies = [WELCOME, BROKEN]
    (message_id,) = await write(body="\n".join(f"{line:04} FAB_IN 面料到廠 is late" for line in range(130)))
    assert await deliver_waiting(10) == (0, 1)
    assert (await one_channel()).paused_until - now() > timedelta(seconds=55)  # a whole minute, to begin anew
    await let_time_pass(2 * MINUTE)

    assert await deliver_waiting(10) == (1, 0)

    texts = [request.json["text"]["content"] for request in robot.requests]
    assert texts[1] == texts[2]
    assert len(texts) - 1 == len(set(texts)) == int(texts[-1].rsplit("/", 1)[1].rstrip(")"))
    assert await state(message_id) == "delivered"


async def test_a_channel_at_the_end_of_its_pace_keeps_no_other_waiting(channels: Path, robot: HttpReceiver) -> None:
    reach(channels, ("mei", ROBOT), ("li", at(robot, "li")))
    await write(30)
    assert await deliver_waiting(100) == (20, 0)
    await write(3, tags=("li",))

    assert await deliver_waiting(5) == (3, 0)


# --- addresses that hang, and those who send


async def test_a_receiver_that_hangs_keeps_no_other_waiting(
    channels: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "PATIENCE", HANGS)
    hanging = HttpReceiver()
    hanging.reply = Reply(delay=60)
    reach(channels, ("mei", at(hanging, "x")), ("li", at(receiver, "y")))
    stuck = await write(3)
    await write(30, tags=("li",))
    try:
        sending = asyncio.create_task(deliver_waiting(200))
        await until(lambda: len(receiver.requests) == 30, "others were kept waiting")
        # what comes in meanwhile goes out too
        await write(1, tags=("li",))
        assert await sending == (31, 1)
    finally:
        hanging.down()

    # the other messages to it did not each find out that it hangs
    assert [(await only(message_id)).attempts for message_id in stuck] == [1, 0, 0]
    assert (await only(stuck[0])).error == "failed: gave no answer within 3 s"


async def test_many_addresses_of_a_server_that_hangs_leave_hands_for_others(
    channels: Path, receiver: HttpReceiver, mail: SmtpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "PATIENCE", HANGS)
    mail.silent_at = "CONNECT"
    readers = [f"p{number}" for number in range(8)]
    reach(channels, *((each, by_mail(mail, f"{each}@factory.example")) for each in readers), ("li", at(receiver)))
    for each in readers:
        await write(tags=(each,))
    await write(tags=("li",))

    sending = asyncio.create_task(deliver_waiting(200))
    await until(lambda: len(receiver.requests) == 1, "all hands were at the mail server")
    assert mail.sessions <= HANDS_OF_A_KIND

    assert await sending == (1, 8)


async def test_a_mail_server_that_is_down_for_an_hour_delays_mails_alone_and_each_arrives_once(
    channels: Path, mail: SmtpReceiver, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", by_mail(mail, "mei@factory.example", "boss@factory.example")), ("li", at(receiver)))
    mail.down()
    letters = await write(5)
    for minute in range(0, 60, 2):
        await write(tags=("li",), subject=f"Minute {minute}")
        went_out, _ = await deliver_waiting(100)
        assert went_out == 1  # the robot's, in the minute in which it was made
        await let_time_pass(2 * MINUTE)
    assert "delivered" not in {await state(letter) for letter in letters}
    assert await state(letters[0]) == "failed"

    mail.up()
    for _ in range(6):
        await deliver_waiting(100)
        await let_time_pass(MINUTE)

    arrived = Counter((letter.readers, str(letter.message["Subject"])) for letter in mail.letters)
    assert set(arrived.values()) == {1}
    assert len(arrived) == 10
    assert {await state(letter) for letter in letters} == {"delivered"}


async def test_two_senders_at_once_deliver_each_message_once(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, *((f"p{number}", at(receiver, f"{number}")) for number in range(4)))
    for number in range(4):
        await write(10, tags=(f"p{number}",))

    outcome = await asyncio.gather(deliver_waiting(100), deliver_waiting(100))

    assert sum(went_out for went_out, _ in outcome) == 40
    assert len(receiver.requests) == 40
    assert set(Counter((request.path, request.json["title"]) for request in receiver.requests).values()) == {1}
    assert {row.state for row in await list_messages()} == {"delivered"}


async def test_what_several_senders_find_out_at_a_time_is_one_failure(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = BROKEN
    await write(3)
    await route_waiting(10)
    taken = [sending for _ in range(3) for sending in await take(10)]

    await asyncio.gather(*(deliver(sending) for sending in taken))

    assert (len(receiver.requests), (await one_channel()).failures) == (3, 1)
    await let_time_pass(MINUTE * 2)
    assert await deliver_waiting(10) == (0, 1)
    assert (await one_channel()).failures == 2


async def test_a_message_whose_addresses_are_settled_at_the_same_time_is_delivered(
    channels: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = deliveries._settle_message

    async def settle_slowly(*what: Any) -> None:
        await settle(*what)
        await asyncio.sleep(0.1)  # what the others do before this is committed must not go unseen

    monkeypatch.setattr(deliveries, "_settle_message", settle_slowly)
    reach(channels, *(("mei", at(receiver, f"{number}")) for number in range(4)))
    await write(2)

    assert await deliver_waiting(100) == (8, 0)

    assert {row.state for row in await list_messages()} == {"delivered"}


async def test_what_a_killed_sender_had_taken_is_sent_when_its_lease_ends(
    channels: Path, receiver: HttpReceiver
) -> None:
    reach(channels, ("mei", at(receiver)))
    (message_id,) = await write()
    await route_waiting(10)
    (taken,) = await take(10)
    assert isinstance(taken, Sending)

    await let_time_pass(LEASE - timedelta(seconds=5))
    assert await deliver_waiting(10) == (0, 0)
    await let_time_pass(timedelta(seconds=5))
    assert await deliver_waiting(10) == (1, 0)

    assert ((await only(message_id)).attempts, len(receiver.requests)) == (2, 1)


async def test_what_went_out_while_the_database_was_away_is_noted_once_it_is_back_and_goes_out_once(
    channels: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach(channels, ("mei", at(receiver)), ("mei", at(receiver, "slow")))
    (message_id,) = await write()
    lock, cut_off = deliveries._lock_message, 0

    async def cut_off_twice(connection: AsyncConnection, *what: Any) -> None:
        nonlocal cut_off
        cut_off += 1
        if cut_off <= 2:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        await lock(connection, *what)

    monkeypatch.setattr(deliveries, "_lock_message", cut_off_twice)

    assert await deliver_waiting(10) == (2, 0)
    await let_time_pass(LEASE)
    assert await deliver_waiting(10) == (0, 0)

    assert cut_off == 4
    assert (len(receiver.requests), await state(message_id)) == (2, "delivered")


async def test_who_finds_the_database_away_waits_for_those_who_are_still_sending(
    channels: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_LAST_WORDS", 0.1)
    reach(channels, ("mei", at(receiver)))
    (message_id,) = await write()
    receiver.reply = Reply(delay=1.5)
    routed = deliveries.route_waiting

    async def away_once_something_is_sent(limit: int) -> int:
        if receiver.requests:
            raise Unavailable("The database cannot be used.")
        return await routed(limit)

    monkeypatch.setattr(deliveries, "route_waiting", away_once_something_is_sent)

    with pytest.raises(Unavailable):
        await deliver_waiting(10)

    assert (len(receiver.requests), await state(message_id)) == (1, "delivered")


async def test_who_is_to_stop_notes_what_is_under_way(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    receiver.reply = Reply(delay=0.5)
    (message_id,) = await write()
    sending = asyncio.create_task(deliver_waiting(10))
    await until(lambda: len(receiver.requests) == 1, "nothing was sent")

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert await state(message_id) == "delivered"


# --- what is listed


async def test_messages_are_listed_newest_first_and_narrowed_down(channels: Path, receiver: HttpReceiver) -> None:
    reach(channels, ("mei", at(receiver)))
    await place()
    (told,) = await write(order_no=NUMBER)
    await deliver_waiting(10)
    (digest,) = await write(kind="digest", tags=("Li",))
    await run(
        "INSERT INTO notices (order_no, milestone, rung, due, role, manner, meant_for, raised_at)"
        " VALUES (%s, 'FAB_IN', 'L1', now(), 'MER', 'digest', now(), now())",
        NUMBER,
    )
    await run(f"INSERT INTO message_notices (message_id, notice_id) SELECT {digest}, max(id) FROM notices")
    (unheard,) = await write(tags=("nobody",))
    await route_waiting(10)

    async def listed(**narrow: Any) -> list[int]:
        return [row.id for row in await list_messages(**narrow)]

    assert await listed() == [unheard, digest, told]
    assert await listed(limit=1) == [unheard]
    assert await listed(order_no=NUMBER) == [digest, told]
    assert await listed(person="li") == [digest]
    assert await listed(kind="digest") == [digest]
    assert await listed(undelivered=True) == [unheard, digest]
    assert await listed(failed=True, person="nobody") == [unheard]
    assert await listed(dead=True) == []


async def test_what_waits_for_somebodys_hours_is_listed_until_then() -> None:
    await place()
    present = now()
    held = {"R1": present + timedelta(hours=9), "L1": present + timedelta(hours=1), "L2": present - timedelta(hours=1)}
    for rung, until in held.items():
        await run(
            "INSERT INTO notices (order_no, milestone, rung, due, role, manner, meant_for, raised_at, held_until)"
            " VALUES (%s, 'FAB_IN', %s, now(), 'MER', 'digest', now(), now(), %s)",
            NUMBER, rung, until,
        )  # fmt: skip

    rows = await list_held()

    assert [(row.order_no, row.milestone, row.rung, row.role, row.held_until) for row in rows] == [
        (NUMBER, "FAB_IN", rung, "MER", held[rung]) for rung in ("L1", "R1")
    ]
    assert await list_held(order_no="SO-2") == []
    await run("UPDATE notices SET told = 1 WHERE rung = 'L1'")
    assert [row.rung for row in await list_held(limit=5)] == ["R1"]
