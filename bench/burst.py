"""What people get when hundreds of orders stall in the same minute: how much, how fast, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bench.figures import Figure, Spread
from bench.watch import counted_queries
from gendan.embedded import EmbeddedPostgres
from models import tables
from models.book.order import Order
from models.book.report import Report
from models.decide import Freeze, decide, next_wake_up, taken
from models.planning.plan import planned
from models.status.standing import standing
from tasks import database
from tasks.baseline import keep_baseline
from tasks.database import engine, transaction
from tasks.deliveries import deliver_waiting
from tasks.dispatch import DIRECT, dispatch
from tasks.follow_ups import rest
from tasks.library import FOLDER, library
from tasks.logbook import append_reports
from tasks.notices import record
from tasks.orders import open_file, register
from tasks.schema import migrate
from tasks.settings import settings
from tests.receivers import HttpReceiver, Reply, SmtpReceiver, lead_to

NAME = "burst"
TEMPLATE = "AFS"
PACE = 20
"""Parts that a group robot takes a minute (domain.md 3.5)."""
CHINA = ZoneInfo("Asia/Shanghai")
STALLED_ON = date(2026, 11, 23)
MORNINGS = (datetime(2026, 11, 24, 8, 30, tzinfo=CHINA), datetime(2026, 11, 25, 8, 30, tzinfo=CHINA))
"""The first working morning after the orders stalled, and the next one, when nobody has answered."""
STEPS = ("FAB_IN", "PPS_SUB", "CUT_START", "SEW_END", "BKG_REQ", "DEPOSIT")
"""What the orders wait for: steps of five of the six people; the sixth, the boss, is told where a date breaks."""
PEOPLE: Mapping[str, str] = {
    "wang": "[MER]",
    "chan": "[SALES, FIN]",
    "li": "[PUR, PMC]",
    "zhao": "[PROD, QC, TECH]",
    "lin": "[LOG]",
    "boss": "[GM]",
}
ROBOT = "wecombot://12345678-aaaa-bbbb-cccc-1234567890ab"
BATCH = 1000
TICK = timedelta(seconds=5)
TOO_LONG = timedelta(hours=6)


class _Clock:
    """The clock of orders and post: it goes on as on the wall, and is moved where only time is waited for."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def set(self, instant: datetime) -> None:
        self._ahead = instant - datetime.now(CHINA)

    def move(self, by: timedelta) -> None:
        self._ahead += by

    def __call__(self) -> datetime:
        return datetime.now(CHINA) + self._ahead


@dataclass
class _Burst:
    """What one morning gave."""

    notices: int
    said: int
    messages: Sequence[Any]
    parts: int
    most_in_a_minute: int
    dispatching: float
    delivering: float
    minutes: float
    queries: int

    @property
    def per_person(self) -> Counter[str]:
        return Counter(message.person for message in self.messages)


def measure(say: Callable[[str], None], *, quick: bool) -> list[Figure]:
    """Have orders stall together, and follow what they say to receivers on this machine, on two mornings."""
    count = 50 if quick else 500
    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(_measure(say, count, patch))


async def _measure(say: Callable[[str], None], count: int, patch: pytest.MonkeyPatch) -> list[Figure]:
    clock = _Clock()
    for module in ("deliveries", "dispatch", "follow_ups", "orders"):
        patch.setattr(f"tasks.{module}.now", clock)
    robot, mail = HttpReceiver(), SmtpReceiver()
    try:
        lead_to(robot, patch)
        robot.reply = Reply.of({"errcode": 0, "errmsg": "ok"})
        async with _a_house(mail, patch):
            await _stalled_orders(count)
            say(f"{NAME}: {count} orders stalled on {STALLED_ON}")
            bursts = []
            for morning in MORNINGS:
                bursts.append(burst := await _morning(morning, clock))
                say(f"{NAME}: {burst.notices} new notices, {len(burst.messages)} messages, {burst.parts} robot parts")
            await _must_be_whole(len(robot.requests), len(mail.letters))
            return [figure for number, burst in enumerate(bursts) for figure in _figures(count, number, burst)]
    finally:
        robot.down()
        mail.close()


@asynccontextmanager
async def _a_house(mail: SmtpReceiver, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Give an order book of its own, six people with a mailbox each, and a robot in the group of them all."""
    with tempfile.TemporaryDirectory(prefix="gendan-") as folder:
        home, shelf = Path(folder) / "home", Path(folder) / "library"
        home.mkdir()
        shelf.mkdir()
        shelf.joinpath("people.yaml").write_text(
            "".join(f"{code}: {{name: {code.title()}, roles: {roles}}}\n" for code, roles in PEOPLE.items()), "utf-8"
        )
        mailboxes = (
            f"  - 'mailto://{mail.address}?from=gendan@factory.example&to={code}@factory.example': {{tag: {code}}}\n"
            for code in PEOPLE
        )
        everybody = ", ".join(PEOPLE)
        home.joinpath("channels.yaml").write_text(
            "urls:\n" + "".join(mailboxes) + f"  - '{ROBOT}': {{tag: '{everybody}'}}\n", "utf-8"
        )
        patch.setenv("GENDAN_HOME", str(home))
        patch.delenv("GENDAN_CHANNELS", raising=False)  # what was measured before had its own
        patch.setenv(FOLDER, str(shelf))
        settings.cache_clear()
        postgres = EmbeddedPostgres(Path(folder) / "postgres", log=Path(folder) / "postgres.log")
        await asyncio.to_thread(postgres.start)
        try:
            await asyncio.to_thread(postgres.ensure_databases, "gendan")
            os.environ[database.URL] = postgres.url("gendan")
            await asyncio.to_thread(migrate, postgres.url("gendan"))
            yield
        finally:
            await database.close()
            del os.environ[database.URL]
            await asyncio.to_thread(postgres.stop)
            settings.cache_clear()


async def _stalled_orders(count: int) -> None:
    """Bring orders in that did all but the one step that was due, one of STEPS each."""
    shelf = library()
    template = shelf.templates[TEMPLATE]
    placed = datetime(2026, 8, 3, 10, tzinfo=CHINA)
    facts: list[tuple[str, Report]] = []
    for number in range(count):
        step = STEPS[number % len(STEPS)]
        order = Order(
            order_no=f"SO-26-{number:04d}",
            customer="ACME",
            placed_at=placed,
            came_in=placed,
            etd=_etd(step),
            quantity=3600,
        )
        await register(order, template, shelf.policies[template.policy], wake=False)
        assert order.etd is not None  # given above
        due = planned(order, template, order.etd, shelf.calendars)
        for code in template.forwards:
            if due[code] < due[step] and code != step:
                at = max(due[code], placed)
                facts.append((order.order_no, Report(recorded_at=at, milestone=code, occurred_at=at)))
    async with transaction() as connection:
        for begin in range(0, len(facts), BATCH):
            await append_reports(connection, facts[begin : begin + BATCH])


def _etd(step: str) -> date:
    """Return the first ETD with which a step is due on the day on which all stall."""
    shelf = library()
    template = shelf.templates[TEMPLATE]
    placed = datetime(2026, 8, 3, 10, tzinfo=CHINA)
    for ahead in range(200):
        etd = STALLED_ON + timedelta(days=ahead)
        order = Order(order_no="ETD", customer="ACME", placed_at=placed, came_in=placed, etd=etd, quantity=1)
        if planned(order, template, etd, shelf.calendars)[step].astimezone(CHINA).date() == STALLED_ON:
            return etd
    raise RuntimeError(f"{step} of template {TEMPLATE} is never due on {STALLED_ON}")


async def _morning(morning: datetime, clock: _Clock) -> _Burst:
    """Have every order say what it has to say at that minute, and the post tell it all."""
    notices = 0
    async with transaction() as connection:
        numbers = list((await connection.execute(select(tables.orders.c.order_no))).scalars())
        before = (await connection.execute(select(func.max(tables.messages.c.id)))).scalar_one() or 0
    for order_no in numbers:
        clock.set(morning)
        notices += await _look(order_no)
    clock.set(morning + timedelta(minutes=1))
    with counted_queries(engine().sync_engine) as queries:
        begun = time.perf_counter()
        done = await dispatch()
        dispatching = time.perf_counter() - begun
    opened, begun = clock(), time.perf_counter()
    while await _on_their_way():
        sent, _ = await deliver_waiting(200)
        if not sent:
            clock.move(TICK)
        if clock() - opened > TOO_LONG:
            raise RuntimeError(f"After {TOO_LONG} some messages are still on their way; the deliveries say why.")
    delivering, minutes = time.perf_counter() - begun, (clock() - opened) / timedelta(minutes=1)
    messages, parts = await _sent_since(before)
    return _Burst(
        notices=notices,
        said=done.notices,
        messages=messages,
        parts=sum(part for _, part in parts),
        most_in_a_minute=_most_in_a_minute(parts),
        dispatching=dispatching,
        delivering=delivering,
        minutes=minutes,
        queries=len(queries),
    )


async def _look(order_no: str) -> int:
    """Do in the database what a wake-up does there; return how many notices are new."""
    file, follow_up = await open_file(order_no)
    steps = decide(file, follow_up.now)
    for step in steps:
        if isinstance(step, Freeze):
            await keep_baseline(order_no, step.baseline)
    raised = await record(order_no, steps, follow_up.now)
    after = taken(file, steps, follow_up.now)
    await rest(
        order_no,
        state=standing(file, follow_up.now).state,
        waits_for="",
        next_wake_up=next_wake_up(after, follow_up.now),
        shown=after.shown,
        page={},
        closed_as=None,
    )
    return raised


async def _on_their_way() -> int:
    messages = tables.messages.c
    query = select(func.count()).where(messages.delivered_at.is_(None), messages.dead_at.is_(None))
    async with transaction() as connection:
        return (await connection.execute(query)).scalar_one()


async def _sent_since(before: int) -> tuple[Sequence[Any], list[tuple[datetime, int]]]:
    """Return the messages after number `before`, and what the robot took of them: when, and how many parts."""
    messages, deliveries = tables.messages, tables.deliveries.c
    query = (
        select(deliveries.attempted_at, deliveries.parts)
        .where(deliveries.message_id > before, deliveries.schema == "wecombot")
        .order_by(deliveries.attempted_at)
    )
    async with transaction() as connection:
        made = await connection.execute(select(messages).where(messages.c.id > before).order_by(messages.c.id))
        return made.all(), [(row.attempted_at, row.parts) for row in await connection.execute(query)]


def _most_in_a_minute(parts: Sequence[tuple[datetime, int]]) -> int:
    minute = timedelta(minutes=1)
    return max((sum(n for at, n in parts if begin <= at < begin + minute) for begin, _ in parts), default=0)


async def _must_be_whole(robot_parts: int, letters: int) -> None:
    """Raise if a notice was not told, or a message did not arrive once at each address."""
    notices, messages, deliveries = tables.notices.c, tables.messages, tables.deliveries.c
    async with transaction() as connection:
        untold = await connection.execute(select(func.count()).where(notices.told == 0, notices.holds))
        made = await connection.execute(select(func.count()).select_from(messages))
        parts = await connection.execute(select(func.sum(deliveries.parts)).where(deliveries.schema == "wecombot"))
        counted = (untold.scalar_one(), made.scalar_one(), parts.scalar_one())
    if counted != (0, letters, robot_parts):
        raise RuntimeError(
            f"{counted[0]} notices were not told; of {counted[1]} messages in {counted[2]} robot parts "
            f"{letters} letters and {robot_parts} parts arrived."
        )


def _figures(count: int, number: int, burst: _Burst) -> list[Figure]:
    occasion = f"{count} orders stall in the same minute" if number == 0 else "the next morning, nobody has answered"
    most = max(burst.per_person.values())
    alone = Counter(message.person for message in burst.messages if message.kind == DIRECT)
    budget = min(library().people[code].budget for code in PEOPLE)
    longest = max(burst.messages, key=lambda message: len(message.body))
    lines = longest.body.count("\n● ")
    return [
        Figure(
            NAME,
            f"{occasion}: messages for {burst.said} notices; plain: one for each",
            "messages",
            Spread.of([len(burst.messages)]),
            Spread.of([burst.said]),
            ratio=burst.said / len(burst.messages),
            target="1 digest each",
            met=most == 1 and not alone,
            note=f"{len(burst.per_person)} people, at most {most} each; {burst.notices} notices are new; all arrived",
        ),
        Figure(
            NAME,
            "of these, messages of their own for one person",
            "messages",
            Spread.of([max(alone.values(), default=0)]),
            target=f"<= {budget}, the budget",
            met=max(alone.values(), default=0) <= budget,
        ),
        Figure(
            NAME,
            "parts that the robot got within any 60 s",
            "parts",
            Spread.of([burst.most_in_a_minute]),
            target=f"<= {PACE}",
            met=burst.most_in_a_minute <= PACE,
            note=f"{burst.parts} parts in {burst.minutes:.1f} min; a part for each notice: {burst.said / PACE:.0f} min",
        ),
        Figure(
            NAME,
            "the longest digest",
            "KiB",
            Spread.of([(len(longest.body.encode()) + len(longest.html.encode())) / 1024]),
            note=f"{lines} lines, both languages together; text and HTML",
        ),
        Figure(
            NAME,
            "from notices to messages",
            "s",
            Spread.of([burst.dispatching]),
            note=f"{burst.queries} queries",
        ),
        Figure(
            NAME, "from messages to receivers, time waited for the pace left out", "s", Spread.of([burst.delivering])
        ),
    ]
