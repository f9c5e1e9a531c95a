"""Messages: what one person or role is told, in one language or two."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from models.decide import NO_DATE
from models.names import Language
from models.prospect import CONTRACT_SIGNED, NEXT_CONTACT, QUOTE_ENDS
from notifications.deadlines import deadline_name
from notifications.facts import Facts, Foreseen, Note, Prospect, Sailing, Stall
from notifications.texts import count, day, enumerate_, quantity, sailing_day, say, shorten, when

BODY = 600
"""Characters per language: WeCom takes 2048 bytes, and a Chinese character is three (domain.md 3.5)."""

_NOTE_LEAST, _NOTE_WANTS, _NOTE_MOST = 16, 60, 200
_PERSON = 40
_LISTED = 2


class _Room(NamedTuple):
    """
    Characters for the note, and whether the steps that are held up are named or only given by code.

    Without `all_lines` they are left out, as is the pointer to Prefect: the effect on the ship date says more.
    """

    note: int
    names: bool
    all_lines: bool = True


@dataclass(frozen=True)
class Message:
    """A message in plain text."""

    subject: str
    body: str


def compose(facts: Facts, languages: Sequence[Language]) -> Message:
    """
    Put `facts` into words, once per language; the subject is the first one's, with the step's name in each.

    A part has at most BODY characters: for that the note is shortened and steps further on go by their codes, in
    each language alike. Only an order number or names of unusual length make it longer: those are never cut.
    Raises ValueError without a language.
    """
    if not languages:
        raise ValueError("a message needs at least one language")
    wanted = list(dict.fromkeys(languages))
    room = _room(facts)
    return Message(_subject(facts, wanted), "\n\n".join(_body(facts, language, room) for language in wanted))


def command(verb: str, order_no: str, *rest: str) -> str:
    """Return a `gendan` command (`verb` may be two words) that can be pasted into a shell as it is."""
    words = ["gendan", *verb.split()]
    if not order_no.startswith("-"):
        words += [order_no, *rest]
    elif rest and rest[0].startswith("--"):
        words += [*rest, "--", order_no]
    else:
        words += ["--", order_no, *rest]
    return shlex.join(words)


def _subject(facts: Facts, languages: Sequence[Language]) -> str:
    first = languages[0]
    stall = facts.stall
    if stall is None:
        lead = say(first, "lead_note")
        what = say(first, facts.about.lower())
    else:
        late = count(first, "late", stall.late)
        lead = say(first, "lead_late" if stall.late else "lead", rung=stall.rung, late=late)
        what = " ".join([stall.step.code, *dict.fromkeys(stall.step.name.in_(language) for language in languages)])
    about = " · ".join(part for part in (facts.order_no, shorten(facts.customer, _PERSON), what) if part)
    return f"{lead}{about}"


def _body(facts: Facts, language: Language, room: _Room) -> str:
    lines = _why(facts, language) if facts.stall is None else _step(facts, facts.stall, language)
    if facts.sailing is not None:
        lines.append(_ship_date(facts, facts.sailing, language))
    if facts.stall is not None and facts.stall.follows and room.all_lines:
        steps = [f"{step.code} {step.name.in_(language)}" if room.names else step.code for step in facts.stall.follows]
        lines.append(say(language, "follows", steps=enumerate_(language, steps, _LISTED)))
    if facts.note is not None:
        lines.append(_note(facts, facts.note, language, room.note))
    lines += _answers(facts, language, room)
    return "\n".join(lines)


def _step(facts: Facts, stall: Stall, language: Language) -> list[str]:
    due = when(language, stall.due, facts.home)
    owner = stall.accountable.in_(language)
    waiting = enumerate_(language, [name.in_(language) for name in stall.waiting_on], _LISTED)
    lines = [
        say(language, "step", code=stall.step.code, name=stall.step.name.in_(language)),
        say(language, "due_late", due=due, late=count(language, "late", stall.late))
        if stall.late
        else say(language, "due", due=due),
    ]
    if stall.promised is not None:
        lines.append(say(language, "promised", promised=when(language, stall.promised, facts.home)))
    if stall.done is not None and stall.required is not None:
        done = say(language, "done_of", done=quantity(stall.done), required=quantity(stall.required, facts.unit))
        lines.append(say(language, "quantity", quantity=done))
    lines.append(
        say(language, "owner_waiting", owner=owner, waiting=waiting) if waiting else say(language, "owner", owner=owner)
    )
    return lines


def _ship_date(facts: Facts, sailing: Sailing, language: Language) -> str:
    etd = sailing_day(language, sailing.etd, facts.home)
    if sailing.departed_at is not None:
        return say(language, "departed", etd=etd, departed=when(language, sailing.departed_at, facts.home))
    if sailing.is_hoped:
        return say(language, "hoped", etd=etd, left=_left(sailing, language, "hoped_past"))
    left = _left(sailing, language, "etd_past")
    if sailing.foreseen is not None:
        return _foreseen(facts, sailing.foreseen, etd, left, language)
    if not sailing.days_used:
        return say(language, "etd", etd=etd, left=left)
    return say(language, "etd_used", etd=etd, left=left, used=count(language, "days_used", sailing.days_used))


def _left(sailing: Sailing, language: Language, past: str) -> str:
    if sailing.days_past:
        return count(language, past, sailing.days_past)
    return count(language, "workdays_left", sailing.workdays_left)


def _foreseen(facts: Facts, foreseen: Foreseen, etd: str, left: str, language: Language) -> str:
    """Say the effect of the delay: on the ship date, on which deadline, and how much room is left (domain.md 2.6)."""
    if foreseen.is_late:
        line = say(language, "etd_forecast", etd=etd, forecast=day(language, foreseen.sails_on))
    else:
        line = say(language, "etd", etd=etd, left=left)
    if foreseen.breaks is not None:
        deadline = deadline_name(foreseen.breaks.code, language)
        at = when(language, foreseen.breaks.at, facts.home)
        line = say(language, "etd_breaks", line=line, deadline=deadline, at=at)
    return line if foreseen.slack is None else say(language, "etd_slack", line=line, slack=foreseen.slack)


def _note(facts: Facts, note: Note, language: Language, room: int) -> str:
    text, at = shorten(note.text, room), when(language, note.at, facts.home)
    if note.by:
        return say(language, "note_by", at=at, by=shorten(note.by, _PERSON), text=text)
    return say(language, "note", at=at, text=text)


def _why(facts: Facts, language: Language) -> list[str]:
    if facts.prospect is not None:
        return _about_prospect(facts, facts.prospect, language)
    key = "no_date_why" if facts.about == NO_DATE else "unfollowed_why"
    return [say(language, key, at=when(language, facts.since, facts.home))]


def _about_prospect(facts: Facts, prospect: Prospect, language: Language) -> list[str]:
    said = {
        "day": day(language, prospect.day),
        "days": count(language, "days_silent", prospect.days_silent),
        "left": count(language, "workdays_left", prospect.workdays_left),
    }
    lines = [say(language, f"{facts.about.lower()}_why", **said)]
    if prospect.waits_for:
        steps = [f"{step.code} {step.name.in_(language)}" for step in prospect.waits_for]
        lines.append(say(language, "prospect_waits", steps=enumerate_(language, steps, _LISTED)))
    return lines


def _prospect_answers(facts: Facts, language: Language) -> list[str]:
    def answer(key: str, verb: str, option: str, value: str) -> str:
        return say(language, key, command=command(f"prospects {verb}", facts.order_no, option, value))

    if facts.about == CONTRACT_SIGNED:
        return [answer("prospect_won", "won", "--order", "NUMBER")]
    lines = [answer("prospect_spoken", "contact", "--next", "DATE")]
    if facts.about == QUOTE_ENDS:
        lines.append(answer("prospect_quoted", "quote", "--valid-until", "DATE"))
    if facts.about != NEXT_CONTACT:
        lines.append(answer("prospect_lost", "lost", "--reason", "REASON"))
    return lines


def _answers(facts: Facts, language: Language, room: _Room) -> list[str]:
    order_no, stall = facts.order_no, facts.stall
    if facts.prospect is not None:
        return _prospect_answers(facts, language)
    if stall is None:
        if facts.about == NO_DATE:
            return [say(language, "no_date_answer", command=command("reschedule", order_no, "DATE"))]
        return [
            say(language, "unfollowed_answer", command=command("follow", order_no)),
            say(language, "unfollowed_cancel", command=command("cancel", order_no)),
        ]
    code = stall.step.code
    lines = [
        say(language, "asks", asks=stall.asks.in_(language)),
        say(language, "answer_done", command=command("report", order_no, code)),
        say(language, "answer_date", command=command("promise", order_no, code, "DATE")),
        say(language, "answer_taken", command=command("ack", order_no, code)),
    ]
    if room.all_lines:
        lines.append(say(language, "answer_prefect"))
    if stall.next is not None:
        at = when(language, stall.next.at, facts.home)
        lines.append(say(language, "next", role=stall.next.role.in_(language), rung=stall.next.rung, at=at))
    elif stall.is_last:
        lines.append(say(language, "last"))
    return lines


def _room(facts: Facts) -> _Room:
    """Return the room that the longest language leaves, so that all of them tell the same."""
    wanted = min(_NOTE_WANTS, len(facts.note.text)) if facts.note else 0
    left = 0
    for names in (True, False):
        left = _left_over(facts, _Room(1, names))
        if left >= wanted:
            return _Room(min(left, _NOTE_MOST), names)
    if left >= min(wanted, _NOTE_LEAST):
        return _Room(left, False)
    left = _left_over(facts, _Room(1, False, all_lines=False))
    return _Room(max(_NOTE_LEAST, min(left, _NOTE_MOST)), False, all_lines=False)


def _left_over(facts: Facts, room: _Room) -> int:
    return BODY - max(len(_body(facts, language, room)) for language in Language)
