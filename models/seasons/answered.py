"""A season as if everybody answered: taken on in time, and promised truly where it is not done when that lapses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, Promise
from models.decide import Tell
from models.escalation.climb import next_chance, rests_until
from models.escalation.owner import owner_of
from models.status.standing import Standing, standing

BEFORE_CLOSING = timedelta(hours=1)


@dataclass
class Prompt:
    """
    Everybody answers what he is told of a stall within so many working days of the order's office.

    The working day on which it is told is the first: on the last of them, an hour before the office closes (at its
    closing, if it was told later than that), the step is taken on. If it is not done when that lapses, the day is
    promised on which `known_at` says that it was done; of what the season never tells, its last day. A promise beyond
    the late date has the word of whoever stands on the next rung.
    """

    within: int
    known_at: Mapping[str, datetime]
    until: datetime
    _quiet_until: dict[tuple[str, datetime], datetime] = field(default_factory=dict)

    @classmethod
    def in_season(cls, file: OrderFile, told: Iterable[Entry], until: datetime, within: int) -> Prompt:
        """Return the answers for an order of which `told` is all that its season tells."""
        reports = (entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(told, start=1))
        in_the_end = standing(file.told(*reports), until)
        return cls(within, {code: done.known_at for code, done in in_the_end.done.items()}, until)

    def answers(self, file: OrderFile, said: Sequence[Tell], now: datetime) -> Iterable[Entry]:
        """Return the acknowledgement of each stall that is told of, and the promise once that lapses."""
        rungs = [rung.code for rung in file.policy.rungs]
        found: list[Entry] = []
        for tell in said:
            stall = (tell.claim.milestone, tell.claim.due)
            if tell.claim.rung not in rungs or now <= self._quiet_until.get(stall, file.order.placed_at):
                continue
            at = answered_at(file, now, self.within)
            lapses = rests_until(file.policy, file.calendar, at)
            found.append(Acknowledgement(recorded_at=at, by=self._asked(file, tell), milestone=tell.claim.milestone))
            if tell.claim.milestone in file.template.by_code:
                above = file.policy.above(tell.claim.rung) or file.policy.rungs[-1]
                promised = file.calendar.end_of(file.calendar.local_date(self._done_by(tell.claim.milestone, lapses)))
                found.append(
                    Promise(
                        recorded_at=lapses,
                        by=self._asked(file, tell),
                        milestone=tell.claim.milestone,
                        promised=promised,
                        approved_by=above.role,
                    )
                )
            self._quiet_until[stall] = lapses
        return found

    def still_fits(self, answer: Entry, at: Standing) -> bool:
        """Say whether the step of an answer is still open; a hard date is answered in any case."""
        if not isinstance(answer, Acknowledgement | Promise):
            return True
        return answer.milestone in at.open or answer.milestone not in at.due

    def _done_by(self, milestone: str, lapses: datetime) -> datetime:
        """Return when a step is known to be done: later than now, or else at the end of the season."""
        known_at = self.known_at.get(milestone, self.until)
        return known_at if known_at > lapses else max(self.until, lapses)

    def _asked(self, file: OrderFile, tell: Tell) -> str:
        """Return who answers: the owner of the step; of a hard date, whoever is told."""
        if tell.claim.milestone not in file.template.by_code:
            return tell.role
        return owner_of(file, file.entries, tell.claim.milestone)


def answered_at(file: OrderFile, told_at: datetime, within: int) -> datetime:
    """Return when somebody answers within so many working days, the one on which he is told being the first."""
    calendar = file.calendar
    read_at = next_chance(file.policy, calendar, told_at)
    day = calendar.local_date(read_at)
    if within > 1:
        day = next(islice(calendar.workdays_after(day), within - 2, None))
    closes = datetime.combine(day, calendar.closes, calendar.tz)
    return closes - BEFORE_CLOSING if closes - BEFORE_CLOSING > read_at else closes
