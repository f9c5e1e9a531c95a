"""An order template: which milestones an order passes, in which order, how many days before it sails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.book.order import OrderKind
from models.codes import LOADED
from models.names import Name
from models.terms.milestone import Milestone, Rounds


class TemplateMistake(ValueError):
    """A template that cannot be followed; `milestone` is where the mistake stands."""

    def __init__(self, milestone: str, what: str) -> None:
        super().__init__(what)
        self.milestone = milestone


class Template(BaseModel):
    """
    The milestones of one kind of order.

    `departure` is the milestone at which the goods have left (DEPARTED, UPLIFT); its due date is ETD itself.
    `follow_to` is the last milestone that is followed; what does not lead to it is planned and not chased.
    `chosen_from` is the lead time in days from which this template is chosen for an order that names none; with
    `customers` it is chosen for these alone, and before the general ones.

    `sails_every` is how many days apart the vessels or flights leave where the booking does not say; without it goods
    leave on any day. `shortest` is the least lead time in days in which people can do all of it: a template that has
    one brings its steps closer together for an order with less time than its own.
    `dormant_after` is after how many days without a word a prospect is dormant.

    `depths` are words for how deep an order is followed, each with its last milestone: `money: ORD_CLOSED`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: Name
    version: int = 1
    calendar: str
    policy: str
    departure: str
    follow_to: str
    chosen_from: int | None = None
    customers: tuple[str, ...] = ()
    kind: OrderKind = OrderKind.EXPORT
    sails_every: int | None = Field(default=None, ge=1, le=60)
    shortest: int | None = Field(default=None, ge=1, le=400)
    dormant_after: int | None = Field(default=None, ge=1, le=1000)
    depths: dict[str, str] = {}
    milestones: tuple[Milestone, ...]

    def __hash__(self) -> int:
        return hash((self.code, self.version))

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        seen: set[str] = set()
        for milestone in self.milestones:
            if milestone.code in seen:
                raise TemplateMistake(milestone.code, f"milestone {milestone.code} stands twice")
            seen.add(milestone.code)
        for milestone in self.milestones:
            for code in milestone.after:
                if code not in seen:
                    raise TemplateMistake(milestone.code, f"{milestone.code} comes after {code}, which is not here")
            for code in milestone.rounds.reopens if milestone.rounds else ():
                if code not in seen:
                    raise TemplateMistake(milestone.code, f"{milestone.code} reopens {code}, which is not here")
        try:
            TopologicalSorter({m.code: m.after for m in self.milestones}).prepare()
        except CycleError as error:
            cycle = error.args[1]
            raise TemplateMistake(cycle[0], f"milestones wait for each other: {' -> '.join(reversed(cycle))}") from None
        for field in ("departure", "follow_to"):
            if getattr(self, field) not in seen:
                raise TemplateMistake("", f"{field}: {getattr(self, field)} is not one of the milestones")
        for word, code in self.depths.items():
            if code not in seen:
                raise TemplateMistake("", f"depths.{word}: {code} is not one of the milestones")
        by_code = {m.code: m for m in self.milestones}
        for milestone in self.milestones:
            for code in milestone.after:
                if by_code[code].offset > milestone.offset:
                    raise TemplateMistake(
                        milestone.code,
                        f"{milestone.code} ({milestone.offset:+d}) is planned before {code} "
                        f"({by_code[code].offset:+d}), which it comes after",
                    )
        return self

    @cached_property
    def by_code(self) -> dict[str, Milestone]:
        """The milestones by their codes, in the template's order."""
        return {m.code: m for m in self.milestones}

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The milestones' codes, in the template's order."""
        return tuple(self.by_code)

    @cached_property
    def backwards(self) -> tuple[str, ...]:
        """The codes sorted so that each stands after everything that comes after it in time."""
        forwards = TopologicalSorter({m.code: m.after for m in self.milestones}).static_order()
        return tuple(reversed(tuple(forwards)))

    @cached_property
    def foresees(self) -> bool:
        """Whether the template knows how long its steps take; without that a forecast says no more than the plan."""
        return any(m.takes.likely for m in self.milestones)

    @cached_property
    def loads(self) -> str:
        """The milestone with which the goods are on board: what an L/C calls shipment."""
        return LOADED if LOADED in self.by_code else self.departure

    @cached_property
    def after_loading(self) -> frozenset[str]:
        """The milestones that come after `loads`, directly or not."""
        return self._after(self.loads)

    @cached_property
    def after_departure(self) -> frozenset[str]:
        """The milestones that come after the departure, directly or not."""
        return self._after(self.departure)

    def _after(self, milestone: str) -> frozenset[str]:
        found: set[str] = set()
        rest = list(self.successors[milestone])
        while rest:
            code = rest.pop()
            if code not in found:
                found.add(code)
                rest.extend(self.successors[code])
        return frozenset(found)

    @cached_property
    def forwards(self) -> tuple[str, ...]:
        """The codes, each after everything that it waits for; what comes after the loading stands last."""
        order = tuple(reversed(self.backwards))
        late = self.after_loading
        ahead = [code for code in order if code not in late and code != self.loads]
        return (*ahead, self.loads, *(code for code in order if code in late))

    @cached_property
    def successors(self) -> dict[str, tuple[str, ...]]:
        """For each milestone those that come directly after it."""
        followers: dict[str, list[str]] = {code: [] for code in self.codes}
        for milestone in self.milestones:
            for code in milestone.after:
                followers[code].append(milestone.code)
        return {code: tuple(after) for code, after in followers.items()}

    @cached_property
    def followed(self) -> tuple[str, ...]:
        """The milestones that lead to `follow_to`, and itself, in the template's order."""
        wanted: set[str] = set()
        rest = [self.follow_to]
        while rest:
            code = rest.pop()
            if code not in wanted:
                wanted.add(code)
                rest.extend(self.by_code[code].after)
        return tuple(code for code in self.codes if code in wanted)

    @cached_property
    def lead_days(self) -> int:
        """Calendar days from the earliest milestone to ETD."""
        return -min(m.offset for m in self.milestones)

    def without(self, codes: Iterable[str]) -> Template:
        """
        Leave out optional milestones and bridge their edges.

        The predecessors of what leaves become predecessors of its successors. A milestone that is not
        optional, or not here, raises TemplateMistake.
        """
        template = self
        for code in codes:
            leaving = template.by_code.get(code)
            if leaving is None or not leaving.optional:
                options = ", ".join(m.code for m in template.milestones if m.optional) or "none"
                raise TemplateMistake(code, f"{code} is not an optional milestone of {self.code} (optional: {options})")
            rest = tuple(
                m.model_copy(
                    update={
                        "after": tuple(
                            dict.fromkeys(
                                p for after in m.after for p in (leaving.after if after == code else (after,))
                            )
                        ),
                        "rounds": _not_reopening(m.rounds, code),
                    }
                )
                for m in template.milestones
                if m.code != code
            )
            depths = {word: last for word, last in template.depths.items() if last != code}
            template = template._with(milestones=rest, depths=depths)
        return template

    def followed_to(self, code: str) -> Template:
        """
        Return this template followed to another milestone: how deep the follow-up goes.

        `code` is that milestone's, or one of the words of `depths`, whatever its capitals. Anything else raises
        TemplateMistake.
        """
        words = {word.casefold(): last for word, last in self.depths.items()}
        last = code if code in self.by_code else words.get(code.casefold())
        if last is None:
            or_word = f", nor one of {', '.join(self.depths)}" if self.depths else ""
            raise TemplateMistake(code, f"{code} is not one of the milestones of {self.code}{or_word}")
        return self._with(follow_to=last)

    def squeezed(self, lead_days: int) -> Template:
        """
        Return this template for an order with `lead_days` calendar days from order to ETD.

        With less time than the template has, each step before the departure keeps its place in proportion
        (percentage templates, domain.md 1.5), and takes its part of the usual time, but no less than the `shortest`
        lead time leaves it: whoever orders later than that is told that it cannot be done. Their sequence stays. A
        template without a shortest lead time stays as it is.
        """
        if self.shortest is None or lead_days >= self.lead_days:
            return self
        if lead_days not in self._squeezed:
            self._squeezed[lead_days] = self._closer(lead_days)
        return self._squeezed[lead_days]

    @cached_property
    def _squeezed(self) -> dict[int, Template]:
        return {}

    def _closer(self, lead_days: int) -> Template:
        part = max(lead_days, 0) / self.lead_days
        pace = max(part, min(1, (self.shortest or 0) / self.lead_days))
        closer = (
            m.model_copy(update={"offset": round(m.offset * part), "takes": m.takes.at(pace)}) if m.offset < 0 else m
            for m in self.milestones
        )
        return self._with(milestones=tuple(closer))

    def on_calendars(self, of_party: Mapping[str, str], usual: Mapping[str, str]) -> Template:
        """
        Return this template with the days of this order's own parties: its buyer's country, its factory.

        `of_party` are calendar codes by party, `usual` those that the parties work by otherwise. A milestone that
        its template gave a calendar of its own keeps it.
        """

        def calendar(milestone: Milestone) -> str:
            party = milestone.waiting_on[0] if milestone.waiting_on else ""
            return (
                of_party[party] if party in of_party and milestone.calendar == usual.get(party) else milestone.calendar
            )

        moved = tuple(m.model_copy(update={"calendar": calendar(m)}) for m in self.milestones)
        return self._with(milestones=moved) if moved != self.milestones else self

    def _with(self, **changes: object) -> Template:
        # model_copy would carry the cached properties of the old template along, and validates nothing.
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return Template.model_validate({**fields, **changes})


def _not_reopening(rounds: Rounds | None, code: str) -> Rounds | None:
    if rounds is None or code not in rounds.reopens:
        return rounds
    return rounds.model_copy(update={"reopens": tuple(c for c in rounds.reopens if c != code)})
