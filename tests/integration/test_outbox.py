"""The outbox in a real PostgreSQL: claimed once, delivered by a real channel, tried again until it went out."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from models.standing import standing
from tasks import outbox
from tasks.clock import now
from tasks.outbox import LEASE, claim, count_messages, deliver, deliver_waiting, list_messages, take_waiting
from tests.books import a_real_order, contents, days_ago, place, place_all, run, to_be_said

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-26-0417"
NOWHERE = "outbox:///dev/null/no-folder"


@pytest.fixture
def channels(own_settings: Path) -> Path:
    own_settings.mkdir()
    return own_settings / "channels.yaml"


@pytest.fixture
def folder(tmp_path: Path, channels: Path) -> Path:
    """Give the folder into which everybody's messages are written."""
    reach(channels, always=f"outbox://{tmp_path}/said")
    return tmp_path / "said"


def reach(channels: Path, **addresses: str) -> None:
    """Write the channels file: one address for each tag."""
    channels.write_text("urls:\n" + "".join(f"  - {url}: {{tag: {tag}}}\n" for tag, url in addresses.items()))


def said(folder: Path) -> list[str]:
    """Return the subject of every message that arrived, in the order in which they came."""
    return [path.read_text().split("\n", 1)[0] for path in sorted(folder.glob("*.txt"))]


async def put_in(order_no: str = NUMBER) -> int:
    """Claim the first message of an order whose first milestone is overdue."""
    file, moment, tells = await to_be_said(order_no)
    message_id = await claim(file, standing(file, moment), tells[0])
    assert message_id is not None
    return message_id


async def let_time_pass(how_long: timedelta) -> None:
    await run(
        "UPDATE messages SET next_attempt_at = next_attempt_at - make_interval(secs => %s)", how_long.total_seconds()
    )


async def test_a_message_is_claimed_once(database_url: str) -> None:
    await place()
    file, moment, tells = await to_be_said(NUMBER)
    first = await claim(file, standing(file, moment), tells[0])
    before = contents(database_url)

    # later, by somebody who has not seen the claim
    assert await claim(file, standing(file, moment + timedelta(hours=1)), tells[0]) is None

    assert first is not None
    assert contents(database_url) == before


async def test_of_eight_that_claim_at_once_one_wins() -> None:
    await place()
    file, moment, tells = await to_be_said(NUMBER)

    claimed = await asyncio.gather(*(claim(file, standing(file, moment), tells[0]) for _ in range(8)))

    assert len([message_id for message_id in claimed if message_id is not None]) == 1
    assert len(await list_messages()) == 1


async def test_another_rung_or_due_date_is_another_message() -> None:
    await place()
    file, moment, tells = await to_be_said(NUMBER)
    claimed = [await claim(file, standing(file, moment), tell) for tell in tells]
    moved = tells[0].__class__(tells[0].claim._replace(due=tells[0].claim.due + timedelta(days=1)), tells[0].role)

    claimed.append(await claim(file, standing(file, moment), moved))

    assert len(tells) > 1
    assert None not in claimed
    assert await count_messages() == {
        rung: [tell.claim.rung for tell in [*tells, moved]].count(rung) for rung in {t.claim.rung for t in tells}
    }
    assert await count_messages(since=moment + timedelta(seconds=1)) == {}


async def test_what_was_claimed_is_not_decided_again() -> None:
    await place()
    _, _, tells = await to_be_said(NUMBER)

    await put_in()

    _, _, rest = await to_be_said(NUMBER)
    assert tells[0] not in rest


async def test_a_message_goes_out_once(folder: Path) -> None:
    await place()
    await put_in()

    assert await deliver_waiting(10) == (1, 0)
    assert await deliver_waiting(10) == (0, 0)

    (row,) = await list_messages()
    assert said(folder) == [row.subject]
    assert NUMBER in row.subject
    assert (row.attempts, row.error, row.delivered_at is not None) == (1, "", True)
    assert await list_messages(undelivered=True) == []


async def test_a_claim_whose_maker_died_is_delivered_by_the_watch(folder: Path) -> None:
    await place()
    await put_in()
    assert said(folder) == []
    assert len(await list_messages(undelivered=True)) == 1

    await deliver_waiting(10)

    assert len(said(folder)) == 1


async def test_the_merchandiser_of_the_order_is_told_before_the_role(channels: Path, tmp_path: Path) -> None:
    reach(channels, mei=f"outbox://{tmp_path}/hers", mer=f"outbox://{tmp_path}/theirs")
    await place(a_real_order(merchandiser="mei"))
    await place(a_real_order("SO-2"))
    await put_in()
    await put_in("SO-2")

    assert await deliver_waiting(10) == (2, 0)

    assert [NUMBER in subject for subject in said(tmp_path / "hers")] == [True]
    assert ["SO-2" in subject for subject in said(tmp_path / "theirs")] == [True]


async def test_a_channel_that_fails_is_tried_again_with_growing_pauses(channels: Path) -> None:
    reach(channels, always=NOWHERE)
    await place()
    await put_in()

    pauses: list[timedelta] = []
    for attempt in range(1, 5):
        assert await deliver_waiting(10) == (0, 1)
        (row,) = await list_messages(failed=True)
        assert row.attempts == attempt
        assert "outbox" in row.error
        assert "/dev/null" not in row.error  # an address may hold a secret
        pauses.append(row.next_attempt_at - now())
        assert await deliver_waiting(10) == (0, 0)  # not before its time
        await let_time_pass(timedelta(hours=1))

    assert pauses == sorted(pauses)
    assert timedelta(seconds=40) < pauses[0] < timedelta(seconds=80)
    assert pauses[3] > 4 * pauses[0]


async def test_the_pauses_between_attempts_grow_to_an_hour_and_no_further(channels: Path) -> None:
    reach(channels, always=NOWHERE)
    await place()
    await put_in()
    await run("UPDATE messages SET attempts = 1000")

    await deliver_waiting(1)

    (row,) = await list_messages(failed=True)
    assert timedelta(minutes=45) < row.next_attempt_at - now() < timedelta(minutes=75)


async def test_once_the_channel_is_repaired_the_message_goes_out_once(channels: Path, tmp_path: Path) -> None:
    reach(channels, always=NOWHERE)
    await place()
    await put_in()
    await deliver_waiting(10)

    reach(channels, always=f"outbox://{tmp_path}/said")
    await let_time_pass(timedelta(hours=1))

    assert await deliver_waiting(10) == (1, 0)
    assert await deliver_waiting(10) == (0, 0)
    assert len(said(tmp_path / "said")) == 1
    (row,) = await list_messages()
    assert (row.attempts, row.error) == (2, "")
    assert await list_messages(failed=True) == []


async def test_nobody_to_tell_is_no_secret(own_settings: Path) -> None:
    await place()
    await put_in()

    assert await deliver_waiting(10) == (0, 1)

    (row,) = await list_messages(failed=True)
    assert "MER" in row.error
    assert str(own_settings / "channels.yaml") in row.error


async def test_two_watches_at_once_send_each_message_once(folder: Path) -> None:
    for number in await place_all(20):
        await put_in(number)

    outcome = await asyncio.gather(deliver_waiting(50), deliver_waiting(50), deliver_waiting(50))

    assert sum(went_out for went_out, _ in outcome) == 20
    subjects = said(folder)
    assert len(subjects) == len(set(subjects)) == 20


async def test_no_more_is_sent_at_a_time_than_asked_for(folder: Path) -> None:
    for number in await place_all(5):
        await put_in(number)

    assert [await deliver_waiting(2) for _ in range(4)] == [(2, 0), (2, 0), (1, 0), (0, 0)]
    assert len(said(folder)) == 5


async def test_the_oldest_messages_go_first(folder: Path) -> None:
    numbers = await place_all(3)
    for number in reversed(numbers):
        await put_in(number)

    for _ in numbers:
        await deliver_waiting(1)

    assert [number for subject in said(folder) for number in numbers if number in subject] == numbers[::-1]


async def test_a_message_that_is_being_sent_is_left_alone_until_its_sender_is_taken_for_dead(folder: Path) -> None:
    await place()
    message_id = await put_in()
    (taken,) = await take_waiting(1, message_id)

    assert await take_waiting(10) == []
    await let_time_pass(LEASE - timedelta(seconds=5))
    assert await deliver_waiting(10) == (0, 0)

    # its sender was killed before anything was sent
    await let_time_pass(timedelta(seconds=5))
    assert await deliver_waiting(10) == (1, 0)

    (row,) = await list_messages()
    assert (taken.id, row.attempts) == (message_id, 2)
    assert len(said(folder)) == 1


async def test_a_message_waits_for_its_turn_outside_its_lease(
    folder: Path, channels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages a slow channel keeps waiting, another watch does not take them for abandoned."""
    monkeypatch.setattr(outbox, "LEASE", timedelta(seconds=1.2))
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        received.append(await reader.readexactly(size))
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reach(channels, always=f"json://127.0.0.1:{port}/")
        for number in await place_all(12):
            await put_in(number)

        async def the_other_watch() -> tuple[int, int]:
            await asyncio.sleep(1.4)
            return await deliver_waiting(50)

        outcome = await asyncio.gather(deliver_waiting(50), the_other_watch())

    assert sum(went_out for went_out, _ in outcome) == 12
    assert len(received) == 12


async def test_messages_are_listed_newest_first_and_narrowed_down(folder: Path, channels: Path) -> None:
    numbers = await place_all(3)
    for number in numbers:
        await put_in(number)
    (sending,) = await take_waiting(1)
    await deliver(sending)

    async def listed(**narrow: object) -> list[str]:
        return [row.order_no for row in await list_messages(**narrow)]  # type: ignore[arg-type]

    assert await listed() == numbers[::-1]
    assert await listed(limit=1) == numbers[-1:]
    assert await listed(order_no=numbers[1]) == [numbers[1]]
    assert await listed(undelivered=True) == numbers[:0:-1]
    assert await listed(failed=True) == []


async def test_a_message_keeps_the_moment_of_its_order_and_goes_out_by_the_clock_on_the_wall(folder: Path) -> None:
    virtual: datetime = days_ago(300)
    await place(a_real_order(placed_at=days_ago(330), came_in=days_ago(330), etd=days_ago(305).date()), clock=virtual)
    file, _, tells = await to_be_said(NUMBER, days=-300)
    await claim(file, standing(file, virtual), tells[0])

    assert await deliver_waiting(1) == (1, 0)

    (row,) = await list_messages()
    assert row.claimed_at == virtual
    assert row.delivered_at > now() - timedelta(minutes=1)
