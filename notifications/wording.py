"""What a message says in one language: its facts as labelled lines, for a page of any form to lay out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from models.decide import NO_DATE, UNFOLLOWED
from models.names import Language
from models.planning.hard_dates import HardDate
from models.prospect import CONTRACT_SIGNED, NEXT_CONTACT, QUOTE_ENDS
from notifications.deadlines import deadline_name, moved
from notifications.particulars import (
    BUYER,
    CUSTOMS,
    Deadline,
    Facts,
    Foreseen,
    Kind,
    Note,
    Prospect,
    Sailing,
    Stall,
    Step,
    Way,
)
from notifications.texts import UNSURE, Dates, count, enumerate_, one_line, quantity, say, shorten

PERSON, PRODUCT, NOTE = 40, 60, 200
"""Characters for a person or customer, for what was ordered, and for a note."""
_LISTED = 2
_HOUR = timedelta(hours=1)


class Line(NamedTuple):
    """One line: what it is, its label in the reader's language (none for a sentence), and its text."""

    key: str
    label: str
    text: str


class Room(NamedTuple):
    """
    What there is room for: the characters of the note, and how much is left out (0: nothing).

    In this order go: the names of the steps held up (their codes stay), the answers beside the three most used, the
    steps held up, the next cut-off, what was ordered, the dates given so far, its quantity and the customer's number,
    all answers but two, the note.
    """

    note: int = NOTE
    left_out: int = 0


NAMES, RARE, FOLLOWS, CUTOFF, ITEM, GIVEN, GOODS, ANSWERS, NOTED = range(1, 10)
THINNEST = NOTED


@dataclass(frozen=True)
class Part:
    """
    One language's share of a message.

    `lead` is what it begins with, `goods` what was ordered, `stakes` what a decision is about. `asks` and `reply_by`
    are the request, `ways` the decisions that are possible, `answers` labels with commands, `after` what happens
    without an answer. `decides`: it leads with the time by which a decision is needed. `zone` is that of the times
    which name none.
    """

    language: Language
    lead: str
    goods: str
    stakes: tuple[Line, ...]
    lines: tuple[Line, ...]
    asks: str
    reply_by: str
    ways: tuple[str, ...]
    answers: tuple[Line, ...]
    after: tuple[Line, ...]
    decides: bool
    zone: str


def part(facts: Facts, language: Language, room: Room | None = None) -> Part:
    """Put `facts` into words; with a `room` in the brief form."""
    return _Wording(facts, language, room).part()


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


def subject_of(facts: Facts, languages: tuple[Language, ...]) -> str:
    """Return what a message is about, the same over its rungs and repeats: order, customer, and the step or date."""
    if facts.stall is not None and facts.about == facts.stall.step.code:
        names = [facts.stall.step.name.in_(language) for language in languages]
        what = " ".join([facts.about, *dict.fromkeys(names)])
    elif facts.deadline is not None:
        what = " ".join(dict.fromkeys(deadline_name(facts.deadline.code, language) for language in languages))
    else:
        what = " ".join(dict.fromkeys(say(language, facts.about.lower()) for language in languages))
    return " · ".join(filter(None, (one_line(facts.order_no), shorten(facts.customer, PERSON), what)))


def left(language: Language, now: datetime, until: datetime) -> str:
    """Say how much time is left: in hours, below two of them in minutes."""
    rest = max(timedelta(), until - now)
    if rest < 2 * _HOUR:
        return count(language, "minutes", round(rest / timedelta(minutes=1)))
    return count(language, "hours", round(rest / _HOUR))


def money(value: float, currency: str) -> str:
    """Write an amount, alike in every language: `USD 184,000`."""
    return f"{currency} {quantity(round(value, 2))}".strip()


class _Wording:
    def __init__(self, facts: Facts, language: Language, room: Room | None) -> None:
        self.facts = facts
        self.language = language
        self.brief = room is not None
        self.room = room or Room()
        self.dates = Dates(language, facts.home, facts.now if room is not None else None)

    def part(self) -> Part:
        facts = self.facts
        return Part(
            language=self.language,
            lead=self._lead(),
            goods=self._goods() if facts.kind is not Kind.NOTE else "",
            stakes=tuple(self._stakes()) if facts.kind is Kind.DECISION else (),
            lines=tuple(self._lines()),
            asks=self._asks(),
            reply_by=self.dates.instant(facts.reply_by) if facts.reply_by else "",
            ways=tuple(self._way(way) for way in facts.ways),
            answers=tuple(self._answers()),
            after=tuple(self._after()),
            decides=facts.kind is Kind.DECISION,
            zone=self.dates.zone,
        )

    def _say(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def _line(self, key: str, text: str) -> Line:
        return Line(key, self._say(f"label_{key}"), text)

    # --- what it leads with

    def _lead(self) -> str:
        facts, stall = self.facts, self.facts.stall
        match facts.kind:
            case Kind.NOTE:
                return ""
            case Kind.CLOCK | Kind.MISSED:
                assert facts.deadline is not None
                name = deadline_name(facts.deadline.code, self.language)
                if facts.kind is Kind.MISSED:
                    return self._say("lead_missed", deadline=name)
                rest = left(self.language, facts.now, facts.deadline.at)
                return self._say("lead_clock", deadline=name, left=rest)
            case Kind.DECISION:
                assert facts.reply_by is not None
                return self._say("lead_decision", rung=facts.rung, at=self.dates.instant(facts.reply_by))
            case Kind.REMINDER:
                assert stall is not None
                if stall.late:
                    return self._say("lead_reminder_late", late=count(self.language, "late", stall.late))
                due = count(self.language, "due_in", stall.left) if stall.left else self._say("due_today")
                return self._say("lead_reminder", due=due)
            case _:
                assert stall is not None
                if not stall.late:
                    return self._say("lead_rung", rung=facts.rung)
                return self._say("lead_stall", rung=facts.rung, late=count(self.language, "late", stall.late))

    def _goods(self) -> str:
        facts, left_out = self.facts, self.room.left_out
        decides = facts.kind is Kind.DECISION
        value = self._value() if decides else ""
        amount = quantity(facts.quantity, one_line(facts.unit)) if facts.quantity is not None else ""
        if left_out >= GOODS:
            return value or (amount if decides else "")
        reference = shorten(facts.reference, PERSON)
        ordered = self._say("goods_reference", reference=reference) if reference else ""
        product = shorten(facts.product, PRODUCT) if left_out < ITEM else ""
        return " · ".join(filter(None, (value, ordered, product, amount)))

    def _value(self) -> str:
        if self.facts.value is None:
            return ""
        return self._say("at_stake", value=money(self.facts.value, self.facts.currency))

    # --- the facts

    def _lines(self) -> Iterator[Line]:
        facts, stall = self.facts, self.facts.stall
        if facts.kind is Kind.DECISION:
            yield from self._page()
            return
        if facts.kind is Kind.NOTE:
            yield from self._why()
        if facts.deadline is not None:
            yield self._line("deadline", self._limit(facts.deadline))
            others = [step for step in facts.deadline.open if stall is None or step.code != stall.step.code]
            if others:
                steps = [f"{step.code} {step.name.in_(self.language)}" for step in others]
                yield self._line("open", enumerate_(self.language, steps, _LISTED))
        if stall is not None:
            yield from self._step(stall)
        if facts.sailing is not None:
            yield self._line("effect", self._ship_date(facts.sailing))
        yield from self._ahead()
        yield from self._noted()

    def _noted(self) -> Iterator[Line]:
        if self.facts.note is not None and self.room.left_out < NOTED:
            yield self._line("note", self._note(self.facts.note))

    def _step(self, stall: Stall) -> Iterator[Line]:
        due = self._due(stall)
        yield self._line("step", f"{stall.step.code} {stall.step.name.in_(self.language)}")
        if stall.late and not self.brief:  # there the first line says it
            due = self._say("due_late", due=due, late=count(self.language, "late", stall.late))
        if self.facts.deadline is None or self.facts.deadline.at != stall.due:
            yield self._line("due", due)
        if stall.promised is not None:
            yield self._line("promised", self._promised(stall, stall.promised))
        if stall.done is not None and stall.required is not None:
            required = quantity(stall.required, one_line(self.facts.unit))
            yield self._line("quantity", self._say("done_of", done=quantity(stall.done), required=required))
        yield from self._who(stall)

    def _who(self, stall: Stall) -> Iterator[Line]:
        yield self._line("owner", one_line(stall.accountable.in_(self.language)))
        others = [each.name for each in stall.waiting_on if each.name != stall.accountable]
        waiting = enumerate_(self.language, [one_line(name.in_(self.language)) for name in others], _LISTED)
        if waiting:
            yield self._line("waiting", waiting)

    def _promised(self, stall: Stall, promised: datetime) -> str:
        text = self.dates.instant(promised)
        if stall.dates_given < 2 or self.room.left_out >= GIVEN:
            return text
        given = count(self.language, "dates_given", stall.dates_given)
        return self._say("promised_again", promised=text, given=given)

    def _ahead(self) -> Iterator[Line]:
        facts, stall = self.facts, self.facts.stall
        foreseen = facts.sailing.foreseen if facts.sailing is not None else None
        if foreseen is not None and foreseen.next is not None and self.room.left_out < CUTOFF and not facts.deadline:
            name, at = deadline_name(foreseen.next.code, self.language), self.dates.instant(foreseen.next.at)
            yield self._line("cutoff", self._say("hard_line", deadline=name, at=at))
        if stall is not None and stall.follows and self.room.left_out < FOLLOWS:
            yield self._line("follows", enumerate_(self.language, map(self._named, stall.follows), _LISTED))

    def _limit(self, deadline: Deadline) -> str:
        name, at = deadline_name(deadline.code, self.language), self.dates.instant(deadline.at)
        source = shorten(deadline.source, PERSON)
        if source:
            return self._say("hard_of", deadline=name, at=at, source=source)
        return self._say("hard_line", deadline=name, at=at)

    def _ship_date(self, sailing: Sailing) -> str:
        etd = self.dates.etd(sailing.etd)
        if sailing.departed_at is not None:
            return self._say("departed", etd=etd, departed=self.dates.instant(sailing.departed_at))
        if sailing.is_hoped:
            return self._say("hoped", etd=etd, left=self._left(sailing, "hoped_past"))
        rest = self._left(sailing, "etd_past")
        if sailing.foreseen is not None:
            return self._foreseen(sailing.foreseen, etd, rest)
        if not sailing.days_used:
            return self._say("etd", etd=etd, left=rest)
        used = count(self.language, "days_used", sailing.days_used)
        return self._say("etd_used", etd=etd, left=rest, used=used)

    def _left(self, sailing: Sailing, past: str) -> str:
        if sailing.days_past:
            return count(self.language, past, sailing.days_past)
        return count(self.language, "workdays_left", sailing.workdays_left)

    def _foreseen(self, foreseen: Foreseen, etd: str, rest: str) -> str:
        """Say the effect of the delay: on the ship date, on which deadline, and how much room is left."""
        if foreseen.is_late:
            line = self._say("etd_forecast", etd=etd, forecast=self._sails(foreseen))
        else:
            line = self._say("etd", etd=etd, left=rest)
        if foreseen.breaks is not None and not self._is_named(foreseen.breaks):
            deadline = deadline_name(foreseen.breaks.code, self.language)
            at = self.dates.instant(foreseen.breaks.at)
            line = self._say("etd_breaks", line=line, deadline=deadline, at=at)
        return line if foreseen.slack is None else self._say("slack_after", line=line, slack=foreseen.slack)

    def _is_named(self, hard: HardDate) -> bool:
        """Say whether the message is about this very date, and names it anyway."""
        return self.facts.deadline is not None and self.facts.deadline.code == hard.code

    def _note(self, note: Note) -> str:
        text, at = shorten(note.text, self.room.note), self.dates.instant(note.at)
        by = shorten(note.by, PERSON)
        return self._say("note_by_text", at=at, by=by, text=text) if by else self._say("note_text", at=at, text=text)

    # --- the page for a decision: money and date first

    def _page(self) -> Iterator[Line]:
        stall = self.facts.stall
        if stall is not None:
            yield self._line("cause", self._cause(stall))
            yield from self._who(stall)
        yield from self._noted()

    def _stakes(self) -> Iterator[Line]:
        """Yield what is at stake: the ship date, and the date that breaks."""
        sailing, deadline = self.facts.sailing, self.facts.deadline
        if sailing is not None:
            yield self._line("effect", self._moves(sailing))
        if deadline is not None:
            yield self._line("hard", self._missed(deadline))
        elif sailing is not None and sailing.foreseen is not None and sailing.foreseen.breaks is not None:
            hard = sailing.foreseen.breaks
            name, at = deadline_name(hard.code, self.language), self.dates.instant(hard.at)
            yield self._line("hard", self._say("hard_line", deadline=name, at=at))

    def _moves(self, sailing: Sailing) -> str:
        foreseen = sailing.foreseen
        if foreseen is None or not foreseen.is_late or sailing.departed_at is not None:
            return self._ship_date(sailing)
        return self._say(
            "etd_moves",
            etd=self.dates.etd(sailing.etd),
            forecast=self._sails(foreseen),
            moved=moved(foreseen.slips, self.language, late=True),
        )

    def _missed(self, deadline: Deadline) -> str:
        line = self._limit(deadline)
        sailing = self.facts.sailing
        sails_on = sailing.foreseen.sails_on if sailing is not None and sailing.foreseen is not None else None
        if deadline.forecast is not None and deadline.forecast != sails_on:
            line = self._say("hard_forecast", line=line, forecast=self.dates.day(deadline.forecast))
        if not deadline.too_late:
            return line
        return self._say("hard_missed", line=line, late=count(self.language, "days_too_late", deadline.too_late))

    def _cause(self, stall: Stall) -> str:
        due = self._due(stall)
        if stall.late:
            due = self._say("due_late", due=due, late=count(self.language, "late", stall.late))
        return self._say("cause", step=self._named(stall.step), due=due)

    def _due(self, stall: Stall) -> str:
        return (UNSURE if stall.unsure else "") + self.dates.instant(stall.due)

    def _sails(self, foreseen: Foreseen) -> str:
        return (UNSURE if foreseen.unsure else "") + self.dates.day(foreseen.sails_on)

    def _way(self, way: Way) -> str:
        days = count(self.language, "calendar_days", way.days)
        return self._say(way.key, days=days, step=self._named(way.step) if way.step else "")

    def _named(self, step: Step) -> str:
        """Name a step; where there is little room, by its code."""
        return f"{step.code} {step.name.in_(self.language)}" if self.room.left_out < NAMES else step.code

    # --- what is asked, and how to answer

    def _asks(self) -> str:
        facts, stall = self.facts, self.facts.stall
        if stall is not None and stall.asks is not None:
            return one_line(stall.asks.in_(self.language))
        if stall is not None and facts.kind is not Kind.DECISION:
            if stall.waits_on(CUSTOMS):
                return self._say("asks_customs")
            if stall.waits_on(BUYER) and facts.kind is not Kind.MISSED:
                return self._say("asks_buyer")
        match facts.kind:
            case Kind.REMINDER | Kind.STALL:
                return self._say("asks_reminder")
            case Kind.CLOCK:
                return self._say("asks_clock", steps=enumerate_(self.language, self._open_codes(), _LISTED))
            case Kind.MISSED:
                foreseen = facts.sailing.foreseen if facts.sailing is not None else None
                if foreseen is None or not foreseen.is_late:
                    return self._say("asks_missed")
                return self._say("asks_missed_on", forecast=self._sails(foreseen))
            case Kind.DECISION:
                return self._say("asks_alarm")
            case _:
                return ""

    def _open_codes(self) -> list[str]:
        facts = self.facts
        open_ = [step.code for step in facts.deadline.open] if facts.deadline is not None else []
        return open_ or [facts.about]

    def _answer(self, key: str, verb: str, *rest: str) -> Line:
        return self._line(key, command(verb, self.facts.order_no, *rest))

    def _answers(self) -> Iterator[Line]:
        facts, stall = self.facts, self.facts.stall
        if facts.prospect is not None:
            yield from self._prospect_answers()
        elif facts.about == NO_DATE:
            yield self._answer("no_date_answer", "reschedule", "DATE")
        elif facts.about == UNFOLLOWED:
            yield self._answer("unfollowed_answer", "follow")
            yield self._answer("unfollowed_cancel", "cancel")
        elif stall is not None:
            code = stall.step.code
            if facts.kind is not Kind.DECISION:
                yield self._answer("done", "report", code)
            yield self._answer("date", "promise", code, "DATE")
            if self.room.left_out < ANSWERS:
                yield self._answer("taken", "ack", facts.about)
            if self.room.left_out >= RARE:
                return
            if facts.kind is Kind.DECISION:
                yield self._answer("plan", "plan")
            else:
                yield self._answer("problem", "problem", code, "REASON")
                yield self._answer("not_mine", "not-mine", code)
        elif facts.plan is not None:
            yield self._answer("plan", "plan")

    def _after(self) -> Iterator[Line]:
        yield from self._goes_on()
        stall, sailing = self.facts.stall, self.facts.sailing
        foreseen = sailing.foreseen if sailing is not None else None
        # as these are the dates that carry the mark
        if (stall is not None and stall.unsure) or (foreseen is not None and foreseen.unsure and foreseen.is_late):
            yield Line("unsure", "", self._say("unsure", mark=UNSURE))

    def _goes_on(self) -> Iterator[Line]:
        stall = self.facts.stall
        if stall is None or self.facts.kind is Kind.DECISION:
            return
        if stall.next is not None and self.facts.kind in (Kind.STALL, Kind.REMINDER):
            role, at = one_line(stall.next.role.in_(self.language)), self.dates.instant(stall.next.at)
            yield Line("next", "", self._say("next", role=role, rung=stall.next.rung, at=at))
        elif stall.is_last:
            yield Line("last", "", self._say("last"))

    # --- notes

    def _why(self) -> Iterator[Line]:
        facts = self.facts
        if facts.prospect is not None:
            yield from self._about_prospect(facts.prospect)
            return
        key = "no_date_why" if facts.about == NO_DATE else "unfollowed_why"
        yield Line("why", "", self._say(key, at=self.dates.instant(facts.since)))

    def _about_prospect(self, prospect: Prospect) -> Iterator[Line]:
        said = {
            "day": self.dates.day(prospect.day),
            "days": count(self.language, "days_silent", prospect.days_silent),
            "left": count(self.language, "workdays_left", prospect.workdays_left),
        }
        yield Line("why", "", self._say(f"{self.facts.about.lower()}_why", **said))
        if prospect.waits_for:
            steps = [f"{step.code} {step.name.in_(self.language)}" for step in prospect.waits_for]
            yield self._line("prospect_waits", enumerate_(self.language, steps, _LISTED))

    def _prospect_answers(self) -> Iterator[Line]:
        about = self.facts.about
        if about == CONTRACT_SIGNED:
            yield self._answer("prospect_won", "prospects won", "--order", "NUMBER")
            return
        yield self._answer("prospect_spoken", "prospects contact", "--next", "DATE")
        if about == QUOTE_ENDS:
            yield self._answer("prospect_quoted", "prospects quote", "--valid-until", "DATE")
        if about != NEXT_CONTACT:
            yield self._answer("prospect_lost", "prospects lost", "--reason", "REASON")
