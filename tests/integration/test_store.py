"""The order book and its log in a real PostgreSQL: what is kept once, what is refused, who is woken when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import DBAPIError

from models import tables
from models.book.changes import Cancellation, Followed, Hold, Reschedule, Resume
from models.book.entry import Entry
from models.book.order import OrderState
from models.book.report import Acknowledgement, Classifier, Promise, Report, Withdrawal
from models.errors import DuplicateOrder, GendanError, Refused, UnknownMilestone, UnknownOrder
from models.status.standing import standing
from tasks import database
from tasks.clock import now
from tasks.follow_ups import (
    awake_too_long,
    count_followed,
    find_by_run,
    hand_over,
    let_go,
    page_of_followed,
    rest,
    set_run,
    take_due,
    wake_up,
)
from tasks.library import library
from tasks.logbook import record_entry, record_report, record_reports
from tasks.orders import list_orders, open_file, register
from tests.books import (
    TABLES,
    a_real_order,
    all_asleep,
    contents,
    counts,
    days_ago,
    due,
    happened,
    place,
    place_all,
    run,
)

pytestmark = pytest.mark.usefixtures("database_url")

NUMBER = "SO-26-0417"


async def go_to_rest(order_no: str = NUMBER, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "state": OrderState.OPEN,
        "waits_for": "ORD_RCVD",
        "next_wake_up": None,
        "shown": {},
        "page": {},
        "closed_as": None,
    }
    await rest(order_no, **(fields | changes))


async def close(closed_as: OrderState = OrderState.CLOSED) -> None:
    await wake_up(NUMBER)
    await go_to_rest(state=closed_as, closed_as=closed_as)


def says(kind: type[Any], **fields: Any) -> Callable[..., Entry]:
    """Return what makes an entry of `kind`, known at the order's present."""
    return lambda _file, present: kind(recorded_at=present, **fields)  # type: ignore[no-any-return]


# --- taking in ---


async def test_an_order_that_is_taken_in_twice_is_there_once(database_url: str) -> None:
    shelf = library()
    template, policy = shelf.templates["EAD"], shelf.policies["standard"]
    order = a_real_order()

    assert await register(order, template, policy) is True
    before = contents(database_url)

    # It is heard of a second time later; that is no change.
    assert await register(order.model_copy(update={"came_in": now()}), template, policy) is False
    assert contents(database_url) == before


@pytest.mark.parametrize(
    "change",
    [
        {"customer": "EMCA"},
        {"quantity": 3601},
        {"quantity": None},
        {"etd": None},
        {"etd": date(2099, 12, 31)},
        {"merchandiser": "mei"},
        {"attributes": {"po": "77"}},
    ],
    ids=str,
)
async def test_another_order_under_a_number_that_is_taken_is_refused(
    database_url: str, change: dict[str, object]
) -> None:
    order = await place()
    before = contents(database_url)

    with pytest.raises(DuplicateOrder, match=NUMBER):
        await place(order.model_copy(update=change))

    assert contents(database_url) == before


async def test_an_order_that_eight_bring_at_once_is_taken_in_once(database_url: str) -> None:
    shelf = library()
    order = a_real_order()

    taken = await asyncio.gather(
        *(register(order, shelf.templates["EAD"], shelf.policies["standard"]) for _ in range(8))
    )

    assert sorted(taken) == [False] * 7 + [True]
    assert counts(database_url) == dict.fromkeys(TABLES, 0) | {"terms": 1, "orders": 1, "follow_ups": 1}


@pytest.mark.parametrize(
    "etd",
    [
        date(2027, 1, 7),  # a day stays a day
        datetime(2027, 1, 7, tzinfo=UTC),  # and midnight, which looks like one, an instant
        datetime(2027, 1, 7, 9, 30, 0, 123456, tzinfo=UTC),
        None,
    ],
    ids=str,
)
async def test_an_order_is_read_as_it_was_written(etd: datetime | date | None) -> None:
    order = await place(
        a_real_order(etd=etd, customer="客户 “A” \\ ' ; --", quantity=0.1, attributes={"备注": 'quote " and \\'})
    )

    file, _ = await open_file(NUMBER)

    assert file.order == order
    assert type(file.order.etd) is type(etd)


@pytest.mark.parametrize("etd", [date(2027, 1, 7), datetime(2027, 1, 7, tzinfo=UTC)], ids=str)
async def test_a_new_etd_is_read_as_it_was_written(etd: datetime | date) -> None:
    await place()

    await record_entry(NUMBER, says(Reschedule, etd=etd))

    file, _ = await open_file(NUMBER)
    assert standing(file, now()).etd == etd
    assert type(standing(file, now()).etd) is type(etd)


async def test_terms_that_many_orders_share_are_kept_once(database_url: str) -> None:
    await place_all(5)
    await place(a_real_order("SO-AFS"), "AFS")

    assert counts(database_url)["terms"] == 2


async def test_orders_are_listed_by_number_and_narrowed_down() -> None:
    for number, customer in (("B", "ACME"), ("A", "EMCA"), ("C", "ACME")):
        await place(a_real_order(number, customer=customer))
    await go_to_rest("C", state=OrderState.ON_HOLD)

    async def listed(**narrow: Any) -> list[str]:
        return [line.order_no for line in await list_orders(**narrow)]

    assert await listed() == ["A", "B", "C"]
    assert await listed(limit=2) == ["A", "B"]
    assert await listed(customer="ACME") == ["B", "C"]
    assert await listed(states=["on_hold"]) == ["C"]
    assert await listed(states=["open"], customer="ACME") == ["B"]
    assert await listed(customer="ACM%") == []


# --- the log ---


async def test_the_same_source_and_event_again_change_nothing(database_url: str) -> None:
    await place()
    first = await record_report(NUMBER, happened(source="mill", source_event_id="1"))
    await all_asleep()
    before = contents(database_url)

    # other words, the same event
    again = await record_report(NUMBER, happened(note="once more", source="mill", source_event_id="1"))

    assert (first.is_new, again.is_new, again.seq) == (True, False, None)
    assert contents(database_url) == before
    assert await due() == []


async def test_an_event_that_eight_tell_at_once_is_recorded_once(database_url: str) -> None:
    await place()

    told = await asyncio.gather(
        *(record_report(NUMBER, happened(source="mill", source_event_id="1")) for _ in range(8))
    )

    assert sorted(recorded.is_new for recorded in told) == [False] * 7 + [True]
    assert counts(database_url)["entries"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"source": "carrier", "source_event_id": "1"},  # another source counts for itself
        {"source": "mill", "source_event_id": "2"},
        {},  # a report without a number is never taken for another
    ],
    ids=str,
)
async def test_another_event_is_recorded(database_url: str, other: dict[str, str]) -> None:
    await place()

    await record_report(NUMBER, happened(source="mill", source_event_id="1"))
    await record_report(NUMBER, happened(**other))
    await record_report(NUMBER, happened(source=other.get("source", "")))

    assert counts(database_url)["entries"] == 3


async def test_many_reports_are_recorded_together_each_once(database_url: str) -> None:
    numbers = await place_all(3)
    await all_asleep()
    some = [
        (number, happened(source="edi", source_event_id=f"{number}-{n}")(None))
        for number in numbers[:2]
        for n in (1, 2)
    ]

    # twice in one go, too
    first = await record_reports([*some, some[0]])
    again = await record_reports(some)

    assert (first.new, first.known) == (4, 1)
    assert (again.new, again.known) == (0, 4)
    assert await due() == numbers[:2]


@pytest.mark.parametrize(
    ("report", "refusal"),
    [
        (happened("NO_SUCH"), UnknownMilestone),
        (happened(occurred_at=days_ago(11)), Refused),  # before the order was placed
        (happened(occurred_at=days_ago(-1)), Refused),  # tomorrow
        (happened(occurred_at=days_ago(-1 / 8)), Refused),  # in three hours: the table is made when the tests begin
    ],
    ids=["unknown milestone", "before placed", "tomorrow", "in three hours"],
)
async def test_a_refused_report_changes_nothing(
    database_url: str, report: Callable[..., Report], refusal: type[GendanError]
) -> None:
    await place()
    await all_asleep()
    before = contents(database_url)

    with pytest.raises(refusal, match=NUMBER):
        await record_report(NUMBER, report)

    assert contents(database_url) == before


async def test_a_report_from_a_clock_that_is_59_minutes_ahead_is_taken() -> None:
    await place()

    assert (await record_report(NUMBER, happened(occurred_at=now() + timedelta(minutes=59)))).is_new


async def test_what_is_expected_may_lie_ahead() -> None:
    await place()

    recorded = await record_report(NUMBER, happened(occurred_at=days_ago(-30), classifier=Classifier.EST))

    file, _ = await open_file(NUMBER)
    assert recorded.is_new
    assert standing(file, now()).reached == {}


@pytest.mark.parametrize(
    ("before", "entry"),
    [
        ([], says(Acknowledgement, milestone="POD")),  # not waited for yet
        ([], says(Acknowledgement, milestone="NO_SUCH")),
        ([], says(Promise, milestone="ORD_RCVD", promised=datetime(2020, 1, 1, tzinfo=UTC))),
        ([], says(Reschedule, etd=date(2020, 1, 1))),
        ([], says(Resume)),
        ([], says(Followed)),
        ([], says(Withdrawal, milestone="ORD_RCVD", corrects=1)),
        ([says(Hold)], says(Hold)),
        ([says(Cancellation)], says(Cancellation)),
        ([says(Cancellation)], says(Hold)),
    ],
    ids=[
        "ack of what is not open",
        "ack of nothing",
        "promise in the past",
        "etd before placed",
        "resume without hold",
        "follow what is followed",
        "withdraw nothing",
        "hold twice",
        "cancel twice",
        "hold what is cancelled",
    ],
)
async def test_a_refused_entry_changes_nothing(
    database_url: str, before: list[Callable[..., Entry]], entry: Callable[..., Entry]
) -> None:
    await place()
    for earlier in before:
        await record_entry(NUMBER, earlier)
    await all_asleep()
    there = contents(database_url)

    with pytest.raises(GendanError, match=NUMBER):
        await record_entry(NUMBER, entry)

    assert contents(database_url) == there


async def test_an_order_that_is_not_in_the_book_is_named(database_url: str) -> None:
    before = contents(database_url)

    for attempt in (
        record_report("SO-404", happened()),
        record_entry("SO-404", says(Hold)),
        open_file("SO-404"),
        wake_up("SO-404"),
    ):
        with pytest.raises(UnknownOrder, match="'SO-404'"):
            await attempt

    assert contents(database_url) == before


async def test_of_two_holds_at_once_the_second_sees_the_first(database_url: str) -> None:
    await place()

    answers = await asyncio.gather(*(record_entry(NUMBER, says(Hold)) for _ in range(4)), return_exceptions=True)

    assert len([answer for answer in answers if isinstance(answer, Refused)]) == 3
    assert counts(database_url)["entries"] == 1


async def test_the_log_is_only_added_to(database_url: str) -> None:
    await place()
    told: list[Callable[..., Entry]] = [
        says(Hold, note="wait"),
        says(Resume),
        says(Acknowledgement, milestone="ORD_RCVD"),
        says(Report, milestone="ORD_RCVD", occurred_at=days_ago(9)),
    ]
    for entry in told:
        await record_entry(NUMBER, entry)
    before = contents(database_url)["entries"]
    wrong = (await open_file(NUMBER))[0].entries[-1].seq

    await record_entry(NUMBER, says(Report, milestone="ORD_RCVD", occurred_at=days_ago(8), corrects=wrong))
    await record_entry(NUMBER, says(Cancellation))

    file, _ = await open_file(NUMBER)
    after = contents(database_url)["entries"]
    assert [entry.kind for entry in file.entries] == [
        *("hold", "resume", "acknowledgement", "report", "report", "cancellation")
    ]
    assert [entry.seq for entry in file.entries] == sorted(entry.seq for entry in file.entries)
    assert set(before) < set(after)


# --- who is due ---


async def test_an_order_that_came_in_or_was_told_of_is_due_once() -> None:
    await place()
    assert await due() == [NUMBER]
    # taken: somebody wakes it now
    assert await due() == []

    await wake_up(NUMBER)
    await go_to_rest()
    assert await due() == []

    await record_report(NUMBER, happened())
    assert await due() == [NUMBER]


async def test_two_that_look_at_once_never_take_the_same_order() -> None:
    numbers = await place_all(60)

    taken = await asyncio.gather(*(take_due(20, f"worker {n}") for n in range(4)))

    orders = [woken.order_no for share in taken for woken in share]
    assert sorted(orders) == numbers
    assert all(len(share) <= 20 for share in taken)


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("analyzed", [False, True])
async def test_no_more_are_taken_than_asked_for(analyzed: bool, limit: int) -> None:
    # A small table tempts the planner to ask the inner question once for each row.
    numbers = await place_all(7)
    if analyzed:
        await run("ANALYZE")

    shares: list[list[str]] = []
    while share := await take_due(limit, "a worker"):
        shares.append([woken.order_no for woken in share])

    assert [len(share) for share in shares] == [limit] * (7 // limit) + [1] * (7 % limit)
    assert sorted(order_no for share in shares for order_no in share) == numbers


async def test_the_longest_overdue_are_taken_first() -> None:
    numbers = await place_all(3)
    await all_asleep()
    for days, number in enumerate(numbers, start=1):
        await go_to_rest(number, next_wake_up=days_ago(days))

    assert [woken.order_no for woken in await take_due(1, "a worker")] == numbers[-1:]


async def test_an_order_is_due_by_the_clock_not_before() -> None:
    await place()
    await wake_up(NUMBER)
    await go_to_rest(next_wake_up=now() + timedelta(hours=1))
    assert await due() == []

    await go_to_rest(next_wake_up=now() - timedelta(milliseconds=1))

    assert await due() == [NUMBER]


async def test_an_order_with_a_clock_of_its_own_is_woken_by_news_only() -> None:
    virtual = days_ago(400)
    await place(a_real_order(placed_at=days_ago(420), came_in=days_ago(420)), clock=virtual, wake=False)
    assert await due() == []

    await go_to_rest(next_wake_up=days_ago(300))
    assert await due() == []

    _, follow_up = await open_file(NUMBER)
    assert follow_up.now == virtual
    await record_report(NUMBER, happened(occurred_at=days_ago(410)))
    assert await due() == [NUMBER]


async def test_the_future_of_an_order_with_a_clock_of_its_own_begins_at_that_clock(database_url: str) -> None:
    await place(a_real_order(placed_at=days_ago(420), came_in=days_ago(420)), clock=days_ago(400), wake=False)
    before = contents(database_url)

    with pytest.raises(Refused, match="future"):
        await record_report(NUMBER, happened(occurred_at=days_ago(399)))

    assert contents(database_url) == before


async def test_a_report_during_a_wake_up_is_seen_by_the_next() -> None:
    await place()
    await take_due(1, "a worker")
    await wake_up(NUMBER)

    await record_report(NUMBER, happened())
    assert await due() == []  # it is awake still
    await go_to_rest()

    assert await due() == [NUMBER]


async def test_what_was_told_before_a_wake_up_is_seen_by_it() -> None:
    await place()
    await record_report(NUMBER, happened())
    await take_due(1, "a worker")

    file, _ = await wake_up(NUMBER)
    await go_to_rest()

    assert len(file.entries) == 1
    assert await due() == []


async def test_going_to_rest_is_written_down(database_url: str) -> None:
    await place()
    await wake_up(NUMBER)
    later = now() + timedelta(days=3)

    await go_to_rest(
        state=OrderState.WAITING_FOR_DATE, waits_for="Date?", next_wake_up=later, shown={"A": "done"}, page={"x": 1}
    )

    file, follow_up = await open_file(NUMBER)
    (line,) = await list_orders()
    assert (line.state, line.waits_for, line.next_wake_up) == ("waiting_for_date", "Date?", later)
    assert (file.shown, follow_up.page, follow_up.wakes) == ({"A": "done"}, {"x": 1}, 1)


@pytest.mark.parametrize("closed_as", [OrderState.CLOSED, OrderState.CANCELLED, OrderState.LOST])
async def test_a_late_report_of_an_order_that_is_over_is_kept_and_wakes_nobody(
    database_url: str, closed_as: OrderState
) -> None:
    await place()
    await close(closed_as)

    assert (await record_report(NUMBER, happened())).is_new
    await record_reports([(NUMBER, happened(source="edi", source_event_id="1")(None))])

    assert counts(database_url)["entries"] == 2
    assert await due() == []


@pytest.mark.parametrize("correction", ["correction", "withdrawal"])
async def test_a_correction_wakes_an_order_that_is_over(correction: str) -> None:
    await place()
    wrong = (await record_report(NUMBER, happened())).seq
    await close()
    entry = (
        says(Report, milestone="ORD_RCVD", occurred_at=days_ago(8), corrects=wrong)
        if correction == "correction"
        else says(Withdrawal, milestone="ORD_RCVD", corrects=wrong)
    )

    await record_entry(NUMBER, entry)

    assert await due() == [NUMBER]


async def test_following_an_order_again_wakes_it() -> None:
    await place()
    await record_entry(NUMBER, says(Cancellation))
    await close(OrderState.CANCELLED)

    await record_entry(NUMBER, says(Followed))

    assert await due() == [NUMBER]


async def test_a_report_right_after_following_again_does_not_put_the_order_back_to_sleep() -> None:
    await place()
    await record_entry(NUMBER, says(Cancellation))
    await close(OrderState.CANCELLED)
    await record_entry(NUMBER, says(Followed))

    await record_report(NUMBER, happened())
    await record_reports([(NUMBER, happened(source="edi", source_event_id="1")(None))])

    assert await due() == [NUMBER]


async def test_orders_that_could_not_be_woken_are_wanted_again() -> None:
    numbers = await place_all(2)
    taken = await take_due(2, "a worker")

    await let_go(taken)

    assert await due() == numbers


async def test_who_could_not_wake_an_order_leaves_it_to_the_worker_that_has_it_by_now() -> None:
    """A call to Prefect may arrive although its answer is lost: the run is resumed, and a worker has claimed it."""
    numbers = await place_all(2)
    runs = {number: uuid4() for number in numbers}
    for number, run_id in runs.items():
        await set_run(number, run_id, 1)
    taken = await take_due(2, "watch")
    await hand_over(runs[numbers[0]], to="worker-1")

    await let_go(taken)

    assert await due() == numbers[1:]
    assert [woken.order_no for woken in await awake_too_long(timedelta(0), "worker-1")] == numbers[:1]


async def test_a_clock_that_is_moved_while_an_order_wakes_up_is_seen() -> None:
    """Whoever moves it waits for a wake-up that began before and is told of one that begins now."""
    await place()
    moved_to = now() - timedelta(days=30)
    async with database.transaction() as connection:
        await connection.execute(
            update(tables.follow_ups).where(tables.follow_ups.c.order_no == NUMBER).values(clock=moved_to, wanted=True)
        )
        waking = asyncio.create_task(wake_up(NUMBER))
        await asyncio.sleep(0.5)
        assert not waking.done()

    _, follow_up = await waking

    assert follow_up.now == moved_to
    assert await due() == []


async def test_who_is_awake_too_long_is_found_by_the_worker_that_left_them() -> None:
    numbers = await place_all(3)
    await take_due(2, "first")
    await take_due(1, "second")

    async def left(limit: timedelta, by: str | None = None) -> list[str]:
        return sorted(woken.order_no for woken in await awake_too_long(limit, by))

    assert await left(timedelta(minutes=5)) == []
    assert await left(timedelta(0)) == numbers
    assert len(await left(timedelta(0), "first")) == 2
    assert len(await left(timedelta(0), "second")) == 1


async def test_those_that_are_followed_are_counted_paged_and_found_by_their_runs() -> None:
    numbers = await place_all(5)
    runs = {number: uuid4() for number in numbers}
    for number, run_id in runs.items():
        await set_run(number, run_id, 1)
    await go_to_rest(numbers[0], closed_as=OrderState.CLOSED)

    pages = [[woken.order_no for woken in await page_of_followed(after, 2)] for after in ("", numbers[2], numbers[4])]
    found = await find_by_run([runs[numbers[0]], runs[numbers[3]], uuid4()])

    assert await count_followed() == 4
    assert pages == [numbers[1:3], numbers[3:5], []]
    assert [(woken.order_no, woken.flow_run_id, woken.generation) for woken in found] == [
        (numbers[3], runs[numbers[3]], 1)
    ]


async def test_whoever_listens_hears_of_news_once_it_is_committed() -> None:
    async with database.listening(database.WAKE_CHANNEL) as connection:
        await place()
        await record_report(NUMBER, happened())
        with pytest.raises(UnknownMilestone):
            await record_report(NUMBER, happened("NO_SUCH"))
        heard = [said.payload async for said in connection.notifies(timeout=0.2)]
    async with database.listening(database.ASLEEP_CHANNEL) as connection:
        await wake_up(NUMBER)
        await go_to_rest()
        slept = [said.payload async for said in connection.notifies(timeout=0.2)]

    assert heard == [NUMBER, NUMBER]
    assert slept == [NUMBER]


async def plan_of(question: Callable[[], Awaitable[object]]) -> str:
    """Return PostgreSQL's plan for what `question` asks last."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
        asked.append((statement, values))

    engine = database.engine().sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await question()
    event.remove(engine, "before_cursor_execute", note)
    statement, values = asked[-1]
    async with database.transaction() as connection:
        return "\n".join(row[0] for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", values))


async def test_who_is_due_is_found_by_index_however_many_wait() -> None:
    await place()
    await all_asleep()
    await run(
        "INSERT INTO orders (order_no, terms, customer, body) "
        "SELECT 'W-' || n, terms, customer, body FROM orders, generate_series(1, 10000) n"
    )
    # all but 10 wait for an hour to come; of 4 of these, something was told as well
    await run(
        "INSERT INTO follow_ups (order_no, state, wanted, next_wake_up) "
        "SELECT 'W-' || n, 'open', n > 9996, now() + make_interval(hours => 9991 - n) FROM generate_series(1, 10000) n"
    )
    await run("ANALYZE")

    plan = await plan_of(lambda: take_due(200, "a worker"))
    stuck = await plan_of(lambda: awake_too_long(timedelta(minutes=5)))

    assert "Seq Scan" not in plan + stuck, plan + stuck
    assert "ix_follow_ups_due" in plan, plan
    assert "ix_follow_ups_wanted" in plan, plan
    assert "ix_follow_ups_awake" in stuck, stuck
    await run("UPDATE follow_ups SET awake_since = NULL WHERE awake_since IS NOT NULL")
    assert len(await due()) == 10


@pytest.mark.parametrize("change", ["UPDATE entries SET kind = 'x'", "DELETE FROM entries", "TRUNCATE entries"])
async def test_the_database_itself_refuses_to_change_the_log(database_url: str, change: str) -> None:
    await place()
    await record_report(NUMBER, happened())
    before = contents(database_url)

    with pytest.raises(DBAPIError, match="only ever added to"):
        await run(change)

    assert contents(database_url) == before
