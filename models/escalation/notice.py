"""Notices: what is to be said about an order, to which role, and how urgently."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from models.book.entry import Entry
from models.book.order_file import Claim, OrderFile
from models.escalation.owner import owner_of
from models.planning.outlook import Outlook, outlook
from models.status.standing import Standing


class Manner(StrEnum):
    """How a notice reaches its reader; the words are stored."""

    DIGEST = "digest"
    DIRECT = "direct"
    URGENT = "urgent"


class Due(NamedTuple):
    """A notice that was not raised yet: its claim, the instant of it, and the roles that are told."""

    claim: Claim
    at: datetime
    roles: tuple[str, ...]
    manner: Manner = Manner.DIRECT
    repeat: int = 0


@dataclass(frozen=True)
class Tell:
    """
    Somebody is to be told. The claim's rung is one of the policy's, or NOTE for what is no stall.

    `at` is when it was to be said, which is earlier than now where nobody was there to say it. `repeat` is after how
    many working days it stands in the digest again; 0 is never.
    """

    claim: Claim
    role: str
    manner: Manner = field(default=Manner.DIRECT, compare=False)
    at: datetime | None = field(default=None, compare=False)
    repeat: int = field(default=0, compare=False)


@dataclass(frozen=True)
class View:
    """An order as it stands, with what is foreseen for it: worked out once, and only where somebody asks."""

    file: OrderFile
    at: Standing

    @cached_property
    def ahead(self) -> Outlook | None:
        """The outlook; `None` where the template foresees nothing, or the order has no date."""
        return outlook(self.file, self.at) if self.file.template.foresees else None

    @cached_property
    def known(self) -> list[Entry]:
        """The order's log up to now."""
        return [entry for entry in self.file.entries if entry.recorded_at <= self.at.now]

    def roles(self, roles: tuple[str, ...], milestone: str) -> tuple[str, ...]:
        """Return who is told about a milestone where the policy names `roles`, each once."""
        step = self.file.template.by_code[milestone]
        owner = owner_of(self.file, self.known, milestone)
        policy = self.file.policy
        return tuple(dict.fromkeys(policy.told_in_place_of(role, owner, step.waiting_on) for role in roles))
