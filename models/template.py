"""An order template: which milestones an order passes, in which order, how many days before it sails."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from models.milestone import Milestone
from models.names import Name


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
    `chosen_from` is the lead time in days from which this template is chosen for an order that names none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: Name
    version: int = 1
    calendar: str
    ladder: str
    departure: str
    follow_to: str
    chosen_from: int | None = None
    milestones: tuple[Milestone, ...]

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
        try:
            TopologicalSorter({m.code: m.after for m in self.milestones}).prepare()
        except CycleError as error:
            cycle = error.args[1]
            raise TemplateMistake(cycle[0], f"milestones wait for each other: {' -> '.join(reversed(cycle))}") from None
        for field in ("departure", "follow_to"):
            if getattr(self, field) not in seen:
                raise TemplateMistake("", f"{field}: {getattr(self, field)} is not one of the milestones")
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
                        )
                    }
                )
                for m in template.milestones
                if m.code != code
            )
            template = template._with(milestones=rest)
        return template

    def followed_to(self, code: str) -> Template:
        """Return this template followed to another milestone: how deep the follow-up goes."""
        if code not in self.by_code:
            raise TemplateMistake(code, f"{code} is not one of the milestones of {self.code}")
        return self._with(follow_to=code)

    def _with(self, **changes: object) -> Template:
        # model_copy would carry the cached properties of the old template along, and validates nothing.
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return Template.model_validate({**fields, **changes})
