"""A policy judged by a season: how much it said to whom, how early it warned of what left late, how often in vain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from math import ceil
from statistics import mean, median

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, computed_field

from models.book.order_file import Claim, OrderFile
from models.calendars.workdays import ONE_DAY
from models.post.dispatch import Reader
from models.seasons.posted import Kind, Posted
from models.seasons.result import OrderResult
from models.seasons.season import Played

OWN = (Kind.DIRECT, Kind.URGENT)
"""Messages of their own, in contrast to digests."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Spread(_Value):
    """How a number is spread over days or orders; `p95` is the value that 95 of 100 of them do not exceed."""

    mean: float = 0.0
    p95: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """Return the spread of some numbers; of none it is 0."""
        if not numbers:
            return cls()
        ranked = sorted(numbers)
        return cls(mean=mean(ranked), p95=ranked[ceil(0.95 * len(ranked)) - 1], max=ranked[-1])


class PersonLoad(_Value):
    """What one person got, and how his messages are spread over `days`: his working days, and others with a message."""

    person: str
    digests: int
    direct: int
    urgent: int
    days: int
    per_day: Spread


class Warned(_Value):
    """
    How early the first warning of a kind came before `late` late departures.

    `days` is the median in calendar days, null where none was warned of; `without` had no such warning before it.
    """

    late: int
    without: int
    days: float | None


class Warnings(_Value):
    """Warnings above the first rung, by what became of their orders. `open` are those that have not departed yet."""

    late: int
    on_time: int
    open: int

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
    @property
    def in_vain(self) -> float | None:
        """The share of false alarms among those whose order departed; `None` where none did."""
        known = self.late + self.on_time
        return self.on_time / known if known else None


class Figures(_Value):
    """
    What a policy did in a season.

    `told_of` counts by rung the due dates that were told of, `notices` each role that was told of one. A message is
    what one person gets at a time; for an order it counts in full if the order stands in it. `own_per_order` leaves
    the digests out. `first_warning` is by kind: L1 (or above), L2 (or above, an alarm, too), alarm. A stall is a step
    of an order: `above_first` counts the messages in which it stood above the first rung, `more_than_once` the stalls
    with more than one.
    """

    policy: str
    orders: int
    told_of: dict[str, int]
    notices: dict[str, int]
    messages: int
    per_order: Spread
    own_per_order: Spread
    per_person_day: Spread
    people: tuple[PersonLoad, ...]
    first_warning: dict[str, Warned]
    warnings: Warnings
    above_first: Spread
    more_than_once: int


class Comparison(_Value):
    """One season under several policies, the one that holds now first; `answers_within` as it was played."""

    began: AwareDatetime
    ended: AwareDatetime
    answers_within: int | None = Field(default=None, ge=1)
    policies: tuple[Figures, ...]


def judge(
    policy: str,
    season: Sequence[Played],
    outcomes: Iterable[OrderResult],
    posts: Sequence[tuple[Reader, Sequence[Posted]]],
    span: tuple[datetime, datetime],
) -> Figures:
    """
    Return the figures of a season that was played by `policy`.

    `posts` is what each reader got, `span` from when to when the season lasts.
    """
    raised = {played.file.order.order_no: _raised(played) for played in season}
    by_number = {outcome.order_no: outcome for outcome in outcomes}
    late = [outcome for outcome in by_number.values() if outcome.late]
    messages = list(chain.from_iterable(got for _, got in posts))
    days = {reader.person.code: _by_day(reader, got, span) for reader, got in posts}
    files = {played.file.order.order_no: played.file for played in season}
    climbed = _above_first(messages, files)
    return Figures(
        policy=policy,
        orders=len(season),
        told_of=_sorted(Counter(claim.rung for claims in raised.values() for claim in claims)),
        notices=_sorted(Counter(said.tell.claim.rung for played in season for said in played.said)),
        messages=len(messages),
        per_order=_per_order(messages, files),
        own_per_order=_per_order([message for message in messages if message.kind in OWN], files),
        per_person_day=Spread.of([count for counts in days.values() for count in counts]),
        people=tuple(_load(reader, got, days[reader.person.code]) for reader, got in posts),
        first_warning={kind: _warned(late, raised, files, kind) for kind in ("L1", "L2", "alarm")},
        warnings=_warnings(by_number, raised, files),
        above_first=Spread.of(list(climbed.values())),
        more_than_once=sum(count > 1 for count in climbed.values()),
    )


def _raised(played: Played) -> dict[Claim, datetime]:
    first: dict[Claim, datetime] = {}
    for said in played.said:
        first.setdefault(said.tell.claim, said.at)
    return first


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {rung: counts[rung] for rung in sorted(counts)}


def is_alarm(file: OrderFile, claim: Claim) -> bool:
    """Say whether a claim is about a hard date that the forecast breaks."""
    return _stands_on_ladder(file, claim) and claim.milestone not in file.template.by_code


def is_above_first(file: OrderFile, claim: Claim) -> bool:
    """Say whether a claim stands above the first rung of the ladder; an alarm always does."""
    return _stands_on_ladder(file, claim) and (claim.rung != file.policy.rungs[0].code or is_alarm(file, claim))


def _stands_on_ladder(file: OrderFile, claim: Claim) -> bool:
    return any(rung.code == claim.rung for rung in file.policy.rungs)


def _per_order(messages: Iterable[Posted], files: Mapping[str, OrderFile]) -> Spread:
    counts = Counter(number for message in messages for number in {notice.order_no for notice in message.notices})
    return Spread.of([counts[number] for number in files])


def _above_first(messages: Iterable[Posted], files: Mapping[str, OrderFile]) -> Counter[tuple[str, str]]:
    """Count by order and step the messages in which the step stood above the first rung."""
    counts: Counter[tuple[str, str]] = Counter()
    for message in messages:
        counts.update(
            {
                (notice.order_no, notice.claim.milestone)
                for notice in message.notices
                if is_above_first(files[notice.order_no], notice.claim)
            }
        )
    return counts


def _by_day(reader: Reader, got: Iterable[Posted], span: tuple[datetime, datetime]) -> list[int]:
    """Count the messages of each of a reader's working days, and of every other day with one."""
    calendar = reader.calendar
    counts = Counter(calendar.local_date(message.at) for message in got)
    day, last = (calendar.local_date(instant) for instant in span)
    while day <= last:
        if calendar.is_workday(day):
            counts.setdefault(day, 0)
        day += ONE_DAY
    return list(counts.values())


def _load(reader: Reader, got: Sequence[Posted], days: Sequence[int]) -> PersonLoad:
    kinds = Counter(message.kind for message in got)
    return PersonLoad(
        person=reader.person.code,
        digests=kinds[Kind.DIGEST],
        direct=kinds[Kind.DIRECT],
        urgent=kinds[Kind.URGENT],
        days=len(days),
        per_day=Spread.of(days),
    )


def _warned(
    late: Iterable[OrderResult],
    raised: Mapping[str, Mapping[Claim, datetime]],
    files: Mapping[str, OrderFile],
    kind: str,
) -> Warned:
    counts = {"L1": _stands_on_ladder, "L2": is_above_first, "alarm": is_alarm}[kind]
    days: list[float] = []
    without = 0
    for outcome in late:
        departed = outcome.departed_at
        assert departed is not None  # late is said of a departure
        file, claims = files[outcome.order_no], raised[outcome.order_no]
        warned_at = [at for claim, at in claims.items() if at < departed and counts(file, claim)]
        if warned_at:
            days.append((departed - min(warned_at)) / ONE_DAY)
        else:
            without += 1
    return Warned(late=without + len(days), without=without, days=median(days) if days else None)


def _warnings(
    outcomes: Mapping[str, OrderResult],
    raised: Mapping[str, Mapping[Claim, datetime]],
    files: Mapping[str, OrderFile],
) -> Warnings:
    ends: dict[str, int] = defaultdict(int)
    for number, claims in raised.items():
        outcome = outcomes[number]
        end = "open" if outcome.departed_at is None else "late" if outcome.late else "on_time"
        ends[end] += sum(is_above_first(files[number], claim) for claim in claims)
    return Warnings(late=ends["late"], on_time=ends["on_time"], open=ends["open"])
