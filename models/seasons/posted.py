"""The post of a season: which messages people would have got of what was said, each by his own hours."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import itemgetter

from models.book.order_file import Claim
from models.escalation.notice import Manner
from models.post.dispatch import Parcel, Reader, Waiting, next_post, post
from models.seasons.season import Played, Said


class Kind(StrEnum):
    """What a message is: a digest, a message of its own, or one that came in quiet hours, too."""

    DIGEST = "digest"
    DIRECT = "direct"
    URGENT = "urgent"


@dataclass(frozen=True)
class Notice:
    """
    A notice that was raised in a season: what it says to which role, and when it held.

    `spans` are as in Played: from an instant until just before another. What has ended is not told any more; what holds
    anew is told if it never was, and repeated if it was.
    """

    order_no: str
    claim: Claim
    role: str
    manner: Manner
    meant_for: datetime
    spans: tuple[tuple[datetime, datetime | None], ...]
    repeat: int = 0


@dataclass(frozen=True)
class Posted:
    """One message to one person, with the notices that stand in it."""

    at: datetime
    person: str
    kind: Kind
    notices: tuple[Notice, ...]


def raised(played: Played) -> Iterator[Notice]:
    """Yield the notices that were raised of an order, in the order in which they were."""
    for said in played.said:
        yield _notice(said, tuple(played.held.get(said.tell.claim, ())))


def _notice(said: Said, spans: tuple[tuple[datetime, datetime | None], ...]) -> Notice:
    tell = said.tell
    return Notice(said.order_no, tell.claim, tell.role, tell.manner, tell.at or said.at, spans, tell.repeat)


def messages_to(reader: Reader, notices: Sequence[Notice], until: datetime) -> list[Posted]:
    """
    Return what `reader` gets of the notices that are for him, up to `until`, in the order of time.

    Looks only at the instants at which the post may have something to do: when a notice begins to hold, when a slot or
    the end of his quiet hours has come while something waits. What ends before it was told is told to nobody.
    """
    coming = _changes(notices)
    begins = [at for at, begun, _ in coming if begun]
    waiting: dict[int, Waiting] = {}
    told: dict[int, Waiting] = {}
    sent: list[Posted] = []
    passed, begun_by_now = 0, 0
    now = begins[0] if begins else None
    while now is not None and now <= until:
        while passed < len(coming) and coming[passed][0] <= now:
            _, begun, number = coming[passed]
            passed += 1
            if not begun:
                waiting.pop(number, None)
            elif number not in told or notices[number].repeat:
                waiting[number] = told.get(number) or _waiting(number, notices[number])
        for parcel in post(_on_the_day(reader, sent, now), waiting.values(), now).parcels:
            sent.append(_posted(reader, parcel, [notices[inside.id] for inside in parcel.notices], now))
            if parcel.slot is not None:
                reader = replace(reader, last_digest=parcel.slot)
            for inside in parcel.notices:
                told[inside.id] = replace(inside, told=inside.told + 1, told_at=now)
                if inside.repeat:
                    waiting[inside.id] = told[inside.id]
                else:
                    del waiting[inside.id]
        begun_by_now = bisect_right(begins, now, lo=begun_by_now)
        later = begins[begun_by_now] if begun_by_now < len(begins) else None
        now = min((at for at in (later, next_post(reader, waiting.values(), now)) if at is not None), default=None)
    return sent


def _changes(notices: Sequence[Notice]) -> list[tuple[datetime, bool, int]]:
    """Return when each notice, by its number, begins to hold and ends, in the order of time."""
    found: list[tuple[datetime, bool, int]] = []
    for number, notice in enumerate(notices):
        for since, end in notice.spans:
            found.append((since, True, number))
            if end is not None:
                found.append((end, False, number))
    # By time alone: at the same instant a notice ends after it began, or begins anew after it ended.
    return sorted(found, key=itemgetter(0))


def _waiting(number: int, notice: Notice) -> Waiting:
    return Waiting(
        id=number,
        order_no=notice.order_no,
        milestone=notice.claim.milestone,
        rung=notice.claim.rung,
        manner=notice.manner,
        meant_for=notice.meant_for,
        repeat=notice.repeat,
    )


def _on_the_day(reader: Reader, sent: Sequence[Posted], now: datetime) -> Reader:
    """Return the reader with the messages of their own that he got on the day of `now` so far."""
    today = reader.calendar.local_date(now)
    direct = 0
    for message in reversed(sent):
        if reader.calendar.local_date(message.at) != today:
            break
        direct += message.kind is not Kind.DIGEST
    return replace(reader, direct_today=direct)


def _posted(reader: Reader, parcel: Parcel, notices: Sequence[Notice], now: datetime) -> Posted:
    steps = {(notice.order_no, notice.claim.milestone) for notice in notices}
    if parcel.slot is not None or len(steps) > 1:
        kind = Kind.DIGEST
    else:
        kind = Kind.URGENT if any(notice.manner is Manner.URGENT for notice in notices) else Kind.DIRECT
    return Posted(now, reader.person.code, kind, tuple(notices))
