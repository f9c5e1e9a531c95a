"""The digest: all that one person is told in one slot, the worst for the ship date first (domain.md 3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from models.names import Language
from notifications.deadlines import deadline_name
from notifications.html import CALM, colour_of, render
from notifications.message import Message
from notifications.messages import BODY, SUBJECT
from notifications.particulars import Facts, Kind
from notifications.texts import Dates, count, enumerate_, one_line, say, shorten
from notifications.wording import PERSON, left, part, subject_of

_LISTED = 3
_NO_SLACK = 10_000
_BETWEEN = "\n\n"
_WHERE = "gendan chases list"


class DigestLine(NamedTuple):
    """One matter of a digest; `repeated`: it stood in one before, and nobody answered."""

    facts: Facts
    repeated: bool = False


class Section(StrEnum):
    """Where in a digest a matter stands, the most urgent first."""

    DECIDE = "decide"
    LATE = "late"
    SOON = "soon"
    OTHER = "other"


class Occasion(NamedTuple):
    """
    Why a digest comes.

    `slot` is its time on its reader's wall. `held` of its messages were held over quiet hours, `over_budget` are here
    because the day's limit for messages of their own is reached. `down` is from when until when Gendan stood still.
    """

    slot: datetime
    held: int = 0
    over_budget: int = 0
    down: tuple[datetime, datetime] | None = None


class DigestItem(NamedTuple):
    """A matter in words: what it is, of which order and step, its effect, who is asked, and by when."""

    colour: str
    badge: str
    order_no: str
    customer: str
    what: str
    effect: str
    holds_up: str
    who: str
    asks: str
    then: str


class DigestPart(NamedTuple):
    """One language's share of a digest: its first lines, its sections by title, and how to answer."""

    language: Language
    opening: tuple[str, ...]
    sections: Mapping[str, tuple[DigestItem, ...]]
    how: str
    zone: str


def compose_digest(
    name: str,
    lines: Sequence[DigestLine],
    languages: Sequence[Language],
    slot: datetime,
    *,
    held: int = 0,
    over_budget: int = 0,
    down: tuple[datetime, datetime] | None = None,
) -> Message:
    """
    Put all that one person is told at `slot` into one message.

    Of one order's step only the most urgent line stands. `body` and `html` have every line; `short` has the first ones
    that fit into BODY characters per language, and says how many more there are and where. `held`, `over_budget` and
    `down` are told at the top, as in Occasion. Raises ValueError without a line, without a language, and for a slot
    without a zone.
    """
    if not languages:
        raise ValueError("a digest needs at least one language")
    if not lines:
        raise ValueError("a digest needs at least one line")
    if slot.tzinfo is None:
        raise ValueError("a digest's slot needs a zone")
    occasion = Occasion(slot, held, over_budget, down)
    wanted = tuple(dict.fromkeys(languages))
    sorted_ = by_effect(lines)
    parts = tuple(_part(one_line(name), sorted_, language, occasion) for language in wanted)
    first = wanted[0]
    subject = say(
        first, "digest_subject", at=Dates(first, _wall(slot), slot).instant(slot), counts=_counts(sorted_, first)
    )
    fits = _fits(name, sorted_, occasion)
    return Message(
        subject=SUBJECT + subject,
        body=_BETWEEN.join(map(_plain, parts)),
        short=_BETWEEN.join(_short(name, sorted_, language, occasion, fits) for language in wanted),
        html=render("digest.html.j2", lang=first, title=subject, parts=parts, say=say, colour=CALM, more="Gendan"),
        thread=f"digest/{one_line(name)}/{slot:%Y-%m-%dT%H:%M}",
    )


def by_effect(lines: Iterable[DigestLine]) -> list[DigestLine]:
    """
    Sort what stands in a digest: by its section, then by what it does to the ship date.

    That is by how many days the goods are forecast to leave late, then by the slack that is left, then by how late the
    step is. Of one order's step only the most urgent line is kept.
    """
    kept: dict[str, DigestLine] = {}
    for line in sorted(lines, key=_highest):
        kept.setdefault(line.facts.thread, line)
    return sorted(kept.values(), key=_urgency)


def section_of(facts: Facts) -> Section:
    """Return where in a digest a matter stands."""
    match facts.kind:
        case Kind.CLOCK | Kind.MISSED | Kind.DECISION:
            return Section.DECIDE
        case Kind.STALL:
            return Section.LATE
        case Kind.REMINDER:
            return Section.LATE if facts.stall is not None and facts.stall.late else Section.SOON
        case _:
            return Section.OTHER


def _highest(line: DigestLine) -> tuple[int, int]:
    """Sort the highest rung first: L4 before L1, T-2 before T-6, R0 before R5."""
    number = int("".join(filter(str.isdecimal, line.facts.rung)) or 0)
    return tuple(Section).index(section_of(line.facts)), -number if line.facts.rung.startswith("L") else number


def _urgency(line: DigestLine) -> tuple[int, int, int, int, datetime, str, str]:
    facts = line.facts
    foreseen = facts.sailing.foreseen if facts.sailing is not None else None
    slips = foreseen.slips if foreseen is not None and foreseen.is_late else 0
    slack = foreseen.slack if foreseen is not None and foreseen.slack is not None else _NO_SLACK
    late = facts.stall.late if facts.stall is not None else 0
    section = tuple(Section).index(section_of(facts))
    return section, -slips, slack, -late, facts.since, facts.order_no, facts.about


def _counts(lines: Sequence[DigestLine], language: Language) -> str:
    sections = [section_of(line.facts) for line in lines]
    found = [(section, sections.count(section)) for section in Section]
    return say(language, "list").join(count(language, f"digest_n_{section}", n) for section, n in found if n)


def _part(name: str, lines: Sequence[DigestLine], language: Language, occasion: Occasion) -> DigestPart:
    dates = Dates(language, _wall(occasion.slot), occasion.slot)
    sections: dict[str, tuple[DigestItem, ...]] = {}
    for section in Section:
        items = tuple(_item(line, language, dates) for line in lines if section_of(line.facts) is section)
        if items:
            title = say(language, f"digest_{section}")
            sections[say(language, "digest_title", title=title, n=len(items))] = items
    return DigestPart(
        language,
        tuple(_opening(name, lines, language, occasion)),
        sections,
        say(language, "digest_how", command="gendan report | promise | ack | problem | not-mine ORDER STEP"),
        dates.zone,
    )


def _opening(name: str, lines: Sequence[DigestLine], language: Language, occasion: Occasion) -> Iterator[str]:
    """Yield the first lines: an outage before everything else."""
    if occasion.down is not None:
        dates = Dates(language, _wall(occasion.slot), occasion.slot)
        since, until = (dates.instant(at.astimezone(occasion.slot.tzinfo)) for at in occasion.down)
        yield say(language, "digest_catch_up", since=since, until=until)
    yield say(language, "digest_hello", name=shorten(name, PERSON), counts=_counts(lines, language))
    if occasion.held:
        yield count(language, "digest_held", occasion.held)
    if occasion.over_budget:
        yield count(language, "digest_budget", occasion.over_budget)


def _item(line: DigestLine, language: Language, dates: Dates) -> DigestItem:
    facts = line.facts
    return DigestItem(
        colour=colour_of(facts),
        badge=_badge(line, language),
        order_no=one_line(facts.order_no),
        customer=shorten(facts.customer, PERSON),
        what=_what(facts, language, dates),
        effect=_effect(facts, language, dates),
        holds_up=_holds_up(facts, language),
        who=_who(facts, language),
        asks=part(facts, language).asks if section_of(facts) is Section.DECIDE else "",
        then=_then(facts, language, dates),
    )


def _badge(line: DigestLine, language: Language) -> str:
    """Say how urgent a matter is, in a few characters."""
    facts, stall = line.facts, line.facts.stall
    parts = [] if facts.kind in (Kind.NOTE, Kind.REMINDER, Kind.CLOCK, Kind.MISSED) else [facts.rung]
    if facts.kind is Kind.CLOCK and facts.deadline is not None:
        rest = left(language, facts.now, facts.deadline.at)
        parts.append(say(language, "lead_clock", deadline=deadline_name(facts.deadline.code, language), left=rest))
    elif facts.kind is Kind.MISSED and facts.deadline is not None:
        parts.append(say(language, "lead_missed", deadline=deadline_name(facts.deadline.code, language)))
    elif stall is not None and stall.late:
        parts.append(count(language, "digest_late_by", stall.late))
    elif stall is not None and facts.kind is Kind.REMINDER:
        parts.append(count(language, "digest_soon_in", stall.left) if stall.left else say(language, "digest_today"))
    if line.repeated:
        parts.append(say(language, "digest_again"))
    return " · ".join(parts)


def _what(facts: Facts, language: Language, dates: Dates) -> str:
    """Name the step, the matter, or the date that a line is about, with that date."""
    what = _name(facts, language)
    if facts.deadline is None:
        return what
    deadline = deadline_name(facts.deadline.code, language)
    limit = say(language, "hard_line", deadline=deadline, at=dates.instant(facts.deadline.at))
    return limit if what == deadline else f"{what} | {limit}"


def _name(facts: Facts, language: Language) -> str:
    return subject_of(facts, (language,)).split(" · ")[-1]


def _effect(facts: Facts, language: Language, dates: Dates) -> str:
    sailing = facts.sailing
    if sailing is None or sailing.departed_at is not None:
        return ""
    etd, foreseen = dates.etd(sailing.etd), sailing.foreseen
    if foreseen is None:
        return f"ETD {etd}"
    parts = [f"ETD {etd}"]
    if foreseen.is_late:
        parts = [say(language, "digest_slips", etd=etd, forecast=dates.day(foreseen.sails_on))]
    if foreseen.slack is not None:
        parts.append(say(language, "digest_slack", slack=foreseen.slack))
    return " | ".join(parts)


def _holds_up(facts: Facts, language: Language) -> str:
    if facts.stall is None or not facts.stall.follows:
        return ""
    steps = enumerate_(language, [step.code for step in facts.stall.follows], _LISTED)
    return say(language, "digest_holds", steps=steps)


def _who(facts: Facts, language: Language) -> str:
    if facts.stall is None:
        return ""
    owner = one_line(facts.stall.accountable.in_(language))
    others = [each.name for each in facts.stall.waiting_on if each.name != facts.stall.accountable]
    waiting = enumerate_(language, [one_line(name.in_(language)) for name in others], _LISTED)
    return say(language, "digest_owner", owner=owner, waiting=waiting) if waiting else owner


def _then(facts: Facts, language: Language, dates: Dates) -> str:
    if facts.reply_by is None:
        return ""
    return say(language, "digest_reply", at=dates.instant(facts.reply_by))


def _plain(of: DigestPart) -> str:
    lines = list(of.opening)
    for title, items in of.sections.items():
        lines += ["", title, *map(_plain_item, items)]
    lines += ["", of.how, say(of.language, "times_in", zone=of.zone)]
    return "\n".join(lines)


def _plain_item(item: DigestItem) -> str:
    order = f"{item.order_no} {item.customer}".strip()
    cells = (order, item.what, item.badge, item.effect, item.holds_up, item.who, item.asks, item.then)
    return f"● {' | '.join(filter(None, cells))}"


def _wall(slot: datetime) -> tzinfo:
    assert slot.tzinfo is not None  # compose_digest refuses one without
    return slot.tzinfo


# --- the short form


def _short(name: str, lines: Sequence[DigestLine], language: Language, occasion: Occasion, most: int) -> str:
    dates = Dates(language, _wall(occasion.slot), occasion.slot)
    text = [*_opening(one_line(name), lines, language, occasion)]
    text += [_short_item(line, language, dates) for line in lines[:most]]
    if rest := len(lines) - most:
        text.append(count(language, "digest_more", rest, command=_WHERE))
    else:
        text.append(say(language, "digest_how", command="gendan report | promise | ack ORDER STEP"))
    return "\n".join(text)


def _short_item(line: DigestLine, language: Language, dates: Dates) -> str:
    facts = line.facts
    order = f"{one_line(facts.order_no)} {shorten(facts.customer, PERSON)}".strip()
    step = facts.about if facts.stall is not None or facts.deadline is not None else _name(facts, language)
    what = f"{step} {_badge(line, language)}".strip()
    return f"● {' | '.join(filter(None, (order, what, _effect(facts, language, dates))))}"


def _fits(name: str, lines: Sequence[DigestLine], occasion: Occasion) -> int:
    """Return how many lines fit in the longest language, so that all of them have the same; at least one."""
    most = 1
    while most < len(lines) and all(
        len(_short(name, lines, language, occasion, most + 1)) <= BODY for language in Language
    ):
        most += 1
    return most
