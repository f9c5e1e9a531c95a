"""
The forward pass (domain.md 2.2): from facts, promises, estimates and usual durations to a forecast of each milestone.

A forecast is the latest of what it rests on, so that nothing that comes later can make it earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.calendars.workdays import ONE_DAY
from models.codes import RELEASED
from models.planning.hard_dates import cutoffs
from models.planning.plan import lead_of
from models.planning.sailings import first_sailing, sailings
from models.status.progress import Given, next_attempts
from models.status.standing import Standing
from models.terms.milestone import Milestone, Takes


class Cause(StrEnum):
    """What a forecast rests on."""

    DONE = "done"
    PLAN = "plan"
    PROMISE = "promise"
    ESTIMATE = "estimate"
    TODAY = "today"
    """It could have been done by now and is not: at best it is done today."""
    STEP = "step"
    """The step before it, and how long this one takes."""
    ROUND = "round"
    """It is open again; the next attempt takes its time."""
    CUSTOMS = "customs"
    """Customs holds the goods: an inspection, papers, a suspension."""
    SAILING = "sailing"
    """The vessel on which the goods can be."""


class Foreseen(NamedTuple):
    """
    When a milestone will be done, what that rests on, and the step that pushes it, where one does.

    `some_time` says that it is some time of the day that ends at `at`: no work of days is known to the hour.
    """

    at: datetime
    cause: Cause
    driver: str = ""
    some_time: bool = False


_latest = attrgetter("at")


class Forecast:
    """
    The forward pass of an order that has an ETD, as it stands.

    `seen` has every milestone, those done with their facts. `given` are the dates that somebody gave for the present
    attempt and that are not past, `cutoffs` the booking's deadlines by milestone, `planned_at` the ETD as an instant.
    `to_the_second` are the steps that a vessel waits for: done today may be too late for them. Instants to come are
    in whole seconds, as those of the calendars. `pessimistic` takes the longer duration of every step (P90).
    """

    def __init__(self, file: OrderFile, at: Standing, *, pessimistic: bool = False) -> None:
        assert at.etd is not None, "nothing is foreseen of an order without a date"
        self.file, self.at, self.pessimistic = file, at, pessimistic
        self.template = file.template.squeezed(lead_of(file.order, at.etd, file.calendar))
        self.cutoffs = {hard.milestone: hard.at for hard in cutoffs(self.template, at.agreed)}
        self.planned_at = next(sailings(self.template, at.agreed, file.calendar))
        self.given = self._given()
        self.to_the_second = {*self.cutoffs, self.template.loads, self.template.departure}
        self._present = _whole(_at_the_earliest(file, at))
        self._today: dict[str, datetime] = {}
        self._soonest: dict[str, datetime] = {}
        self._sails = self.planned_at
        self.seen: dict[str, Foreseen] = {}
        for code in self.template.forwards:
            self.seen[code] = self._foresee(self.template.by_code[code])

    def takes(self, milestone: Milestone) -> float:
        """Return how many working days a milestone takes after the one before it."""
        return self._days(milestone.takes)

    def _days(self, takes: Takes) -> float:
        return takes.pessimistic if self.pessimistic else takes.likely

    def _given(self) -> dict[str, Foreseen]:
        told = {code: self._told_last(code) for code in {**self.at.promises, **self.at.estimates}}
        return {
            code: Foreseen(_whole(given.at), cause)
            for code, (given, cause) in told.items()
            if given.at >= self.at.now and self.at.still_counts(code, given)
        }

    def _told_last(self, code: str) -> tuple[Given, Cause]:
        promised, expected = self.at.promises.get(code), self.at.estimates.get(code)
        if promised is None or (expected is not None and expected.told_at > promised.told_at):
            assert expected is not None  # somebody gave a date
            return expected, Cause.ESTIMATE
        return promised, Cause.PROMISE

    def _foresee(self, milestone: Milestone) -> Foreseen:
        done = self.at.done.get(milestone.code)
        if done is not None:
            return Foreseen(done.at, Cause.DONE)
        terms = list(self._terms(milestone))
        found = max(terms, key=_latest)
        cutoff = self.cutoffs.get(milestone.code)
        if cutoff is not None:
            soonest = self._soonest[milestone.code] = max(self._soonest_of(milestone, term) for term in terms)
            if soonest <= cutoff < found.at:
                # What takes until some time of a day is in time for a deadline on that very day.
                found = found._replace(at=_whole(cutoff))
        if milestone.code == self.template.loads:
            return self._on_a_vessel(milestone, terms)
        return self._departs(milestone, found) if milestone.code == self.template.departure else found

    def _terms(self, milestone: Milestone) -> Iterator[Foreseen]:
        """Yield everything before which a milestone cannot be done; of what is equally late the first one counts."""
        code = milestone.code
        driver = max(milestone.after, key=lambda c: self.seen[c].at, default="")
        before = self.seen[driver].at if driver else None
        if code in self.given:
            # A date that somebody gave takes the place of the usual duration, not of what comes before.
            yield self.given[code]
            if before is not None:
                yield Foreseen(_whole(before), Cause.STEP, driver)
        else:
            yield Foreseen(self._planned(milestone), Cause.PLAN)
            if before is not None:
                yield self._work(milestone, before, self.takes(milestone), Cause.STEP, driver)
            if code in self.at.voided:
                yield from self._next_attempt(milestone)
        hold = self.at.customs_hold
        if code == RELEASED and hold is not None and not self._is_told_since(code, hold.since):
            yield self._work(milestone, hold.since, self._days(hold.takes), Cause.CUSTOMS)
        yield Foreseen(self._at_best(milestone), Cause.TODAY)

    def _work(self, milestone: Milestone, start: datetime, days: float, cause: Cause, driver: str = "") -> Foreseen:
        """Return when work of `days` ends that begins at `start`."""
        end = self.file.calendars[milestone.calendar].finish(start, days)
        return Foreseen(_whole(end), cause, driver, some_time=end > start)

    def _next_attempt(self, milestone: Milestone) -> Iterator[Foreseen]:
        """Yield when a milestone that is open again can be done: no earlier than was said before it failed."""
        code, at = milestone.code, self.at
        for since, takes in next_attempts(milestone, at.voided, at.redone):
            yield self._work(milestone, since, self._days(takes), Cause.ROUND)
        if code in at.promises or code in at.estimates:
            former, _ = self._told_last(code)
            if former.at >= at.now:
                yield Foreseen(_whole(former.at), Cause.ROUND)

    def _soonest_of(self, milestone: Milestone, term: Foreseen) -> datetime:
        if not term.some_time:
            return term.at
        calendar = self.file.calendars[milestone.calendar]
        return datetime.combine(calendar.local_date(term.at), time(), calendar.tz)

    def end_of_its_day(self, milestone: Milestone, instant: datetime) -> datetime:
        """Return the end of the day of `instant` in the calendar of a milestone."""
        calendar = self.file.calendars[milestone.calendar]
        return calendar.end_of(calendar.local_date(instant))

    def _is_told_since(self, code: str, instant: datetime) -> bool:
        return code in self.given and self._told_last(code)[0].told_at > instant

    def _planned(self, milestone: Milestone) -> datetime:
        """Return when the milestone is planned: by its own offset, where that is ahead of the deadline it must meet."""
        due = self.at.due[milestone.code]
        if milestone.code not in self.cutoffs:
            return _whole(due)
        home, calendar = self.file.calendar, self.file.calendars[milestone.calendar]
        offset = timedelta(days=milestone.offset)
        return _whole(min(due, calendar.end_of(calendar.on_or_before(home.local_date(self.planned_at) + offset))))

    def _at_best(self, milestone: Milestone) -> datetime:
        """Return the earliest that a step not done can be done: today, to the second where a vessel waits for it."""
        if milestone.code in self.to_the_second:
            return self._present
        if milestone.calendar not in self._today:
            calendar = self.file.calendars[milestone.calendar]
            yesterday = calendar.local_date(self._present) - ONE_DAY
            self._today[milestone.calendar] = calendar.end_of(next(calendar.workdays_after(yesterday)))
        return self._today[milestone.calendar]

    # --- the vessel

    def _on_a_vessel(self, loading: Milestone, terms: list[Foreseen]) -> Foreseen:
        """Return when the goods are on board of the first vessel that they can reach."""
        if self.template.departure in self.at.done:
            return max(terms, key=_latest)
        # Who gives a date for the loading has a vessel in mind; what is not ready by then still misses it.
        waited_for = (t for t in terms if t.cause not in (Cause.PROMISE, Cause.ESTIMATE))
        ready = max((*waited_for, *self._beside_the_loading()), key=_latest)
        missed = [(soonest, self.cutoffs[code]) for code, soonest in self._soonest.items()]
        leaving = sailings(self.template, self.at.agreed, self.file.calendar)
        self._sails = first_sailing(leaving, ready.at, missed, rolled=self._is_rolled(loading.code))
        if self._sails != self.planned_at:
            later = self.at.due[loading.code] + (self._sails - self.planned_at)
            terms.append(Foreseen(_whole(later), Cause.SAILING, self._what_missed(ready)))
        return max(terms, key=_latest)

    def _beside_the_loading(self) -> Iterator[Foreseen]:
        """Yield what the departure waits for beside the loading: goods leave with a vessel after it, not when it is."""
        template = self.template
        rest = [template.departure] if template.departure != template.loads else []
        while rest:
            for before in template.by_code[rest.pop()].after:
                if before in template.after_loading:
                    rest.append(before)
                elif before != template.loads and before not in self.at.done:
                    yield Foreseen(self.seen[before].at, Cause.STEP, before)

    def _departs(self, departure: Milestone, found: Foreseen) -> Foreseen:
        """Return when the vessel leaves; goods on board cannot miss it, however long it then stays in the port."""
        loads, vessel = self.template.loads, self._sails
        if loads in self.at.done or vessel == self.planned_at or vessel < found.at:
            return found
        return Foreseen(_whole(vessel), Cause.SAILING, loads if loads in departure.after else "")

    def _what_missed(self, ready: Foreseen) -> str:
        """Return the step that misses the planned vessel by most: a cut-off, or what the loading waits for; or none."""
        late = [(ready.at - self.planned_at, ready.driver)]
        late += [(soonest - self.cutoffs[code], code) for code, soonest in self._soonest.items()]
        by, code = max(late)
        return code if by > timedelta() else ""

    def _is_rolled(self, loading: str) -> bool:
        """Say whether the goods were left behind by the vessel that is booked: the loading failed since."""
        failed = self.at.failed.get(loading)
        return failed is not None and failed[-1].at >= self.at.agreed.etds[-1].since


def _at_the_earliest(file: OrderFile, at: Standing) -> datetime:
    """Return now, or when an order on hold is expected to go on, where somebody said so."""
    if at.state is not OrderState.ON_HOLD or at.held is None or at.held.until is None:
        return at.now
    return max(at.now, file.calendar.opening(at.held.until))


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0) if instant.microsecond else instant
