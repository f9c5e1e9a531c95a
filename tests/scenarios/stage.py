"""A stage on which an order's story is played: on paper with the core alone, or in Prefect with the real flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from models.accepting.accept import check_entry
from models.book.entry import Entry
from models.book.order import Order
from models.book.order_file import Chase, OrderFile
from models.book.report import Outcome, Promise, Report
from models.decide import Tell, decide, next_wake_up, taken
from models.lots import inherited, order_of_lot
from models.names import Language
from models.planning.outlook import Outlook, outlook
from models.planning.sheet import Sheet, sheet_at
from models.status.standing import Standing, standing
from models.terms.policy import Policy
from models.terms.template import Template
from notifications.facts import Facts, gather
from notifications.messages import compose
from tasks.library import load_library
from tests.factories import china

LIBRARY = load_library()


class Line(NamedTuple):
    """A message: when it was claimed, about which milestone, on which rung, to whom."""

    at: datetime
    milestone: str
    rung: str
    role: str


class Stage(ABC):
    """Where one order lives its life; `now` is its clock."""

    now: datetime
    order_no = "SO-26-0417"

    @abstractmethod
    async def begin(self, order: Order, template: Template, policy: Policy) -> None:
        """Take the order in, at its `came_in`."""

    @abstractmethod
    async def tell(self, make: Callable[[OrderFile, datetime], Entry]) -> None:
        """Tell something about the order; raises what refuses it."""

    @abstractmethod
    async def go_to(self, instant: datetime) -> None:
        """Let time pass: every wake-up until `instant` takes place."""

    @abstractmethod
    async def file(self) -> OrderFile:
        """Return the order's file."""

    @abstractmethod
    async def said(self) -> list[Line]:
        """Return everything said so far."""

    @abstractmethod
    async def lots(self) -> list[Stage]:
        """Return the lots of the order, each on a stage of its own, at the same moment."""

    async def standing(self) -> Standing:
        """Return where the order stands now."""
        return standing(await self.file(), self.now)

    async def outlook(self) -> Outlook:
        """Return what is foreseen now."""
        ahead = outlook(await self.file(), await self.standing())
        assert ahead is not None, "the order has no ETD"
        return ahead

    async def sheet(self) -> Sheet:
        """Return the T&A sheet as it is now."""
        return sheet_at(await self.file(), await self.standing())

    async def chase(self, milestone: str) -> Chase:
        """Return how the chase of a milestone stands."""
        return (await self.file()).chases[milestone]

    async def facts_of(self, milestone: str, rung: str, role: str) -> Facts:
        """Return what a message says now of a notice that was raised: the last with this milestone and rung."""
        file = await self.file()
        claim = max((c for c in file.claimed if (c.milestone, c.rung) == (milestone, rung)), key=lambda c: c.due)
        return gather(file, await self.standing(), Tell(claim, role), LIBRARY.parties)

    async def words(self, milestone: str, rung: str, role: str, language: Language = Language.EN) -> str:
        """Return the subject and the short form of that message in one language."""
        message = compose(await self.facts_of(milestone, rung, role), (language,))
        return f"{message.subject}\n{message.short}"

    async def order(self, template: str = "AFS", *, without: tuple[str, ...] = (), **changes: Any) -> None:
        """Take in an order of 3,600 jackets for ACME, followed by a template of the library."""
        fields: dict[str, Any] = {
            "order_no": self.order_no,
            "customer": "ACME",
            "quantity": 3600,
            "unit": "pcs",
        } | changes
        fields.setdefault("came_in", fields["placed_at"])
        chosen = LIBRARY.templates[template].without(without)
        self.now = fields["came_in"]
        await self.begin(Order(**fields), chosen, LIBRARY.policies[chosen.policy])

    async def done(self, *milestones: str, at: datetime | None = None, **changes: Any) -> None:
        """Report milestones as done at `at`: now, unless told."""
        for code in milestones:
            await self.tell(_report(code, at, **changes))

    async def failed(self, milestone: str, note: str = "", **changes: Any) -> None:
        """Report that an attempt at a milestone failed just now."""
        await self.tell(_report(milestone, None, outcome=Outcome.FAILED, note=note, **changes))

    async def promised(self, milestone: str, on: date, **changes: Any) -> None:
        """Record a promise for a whole day."""

        def make(file: OrderFile, now: datetime) -> Entry:
            return Promise(recorded_at=now, milestone=milestone, promised=file.calendar.end_of(on), **changes)

        await self.tell(make)

    async def entry(self, kind: Callable[..., Entry], **fields: Any) -> None:
        """Tell an entry of this kind."""
        await self.tell(lambda file, now: kind(recorded_at=now, **fields))


def _report(code: str, at: datetime | None, **changes: Any) -> Callable[[OrderFile, datetime], Entry]:
    return lambda file, now: Report(recorded_at=now, milestone=code, occurred_at=at or now, **changes)


class OnPaper(Stage):
    """The core alone, on a virtual clock: `decide`, and nothing else."""

    _file: OrderFile

    def __init__(self) -> None:
        self._said: list[Line] = []

    async def begin(self, order: Order, template: Template, policy: Policy) -> None:
        """Take the order in."""
        self._file = OrderFile(order, template, policy, LIBRARY.calendars)
        self._look()

    async def tell(self, make: Callable[[OrderFile, datetime], Entry]) -> None:
        """Check it as the logbook does, and take it in."""
        entry = make(self._file, self.now)
        check_entry(self._file, entry, self.now)
        seq = max((e.seq for e in self._file.entries), default=0) + 1
        self._file = self._file.told(entry.model_copy(update={"seq": seq}))
        self._look()

    async def go_to(self, instant: datetime) -> None:
        """Wake up whenever there is something new to say."""
        while (wake_up := next_wake_up(self._file, self.now)) is not None and wake_up <= instant:
            self.now = wake_up
            self._look()
        self.now = instant
        self._look()

    async def file(self) -> OrderFile:
        """Return the order's file."""
        return self._file

    async def said(self) -> list[Line]:
        """Return everything said so far."""
        return self._said

    async def lots(self) -> list[Stage]:
        """Begin each lot with what it knows of the order's past."""
        split = standing(self._file, self.now).agreed.split
        assert split is not None, "the order is not split"
        parts: list[Stage] = []
        for lot in split.lots:
            template = LIBRARY.templates[lot.template] if lot.template else self._file.template
            part = OnPaper()
            part.now = self.now
            told = inherited(self._file, split, lot, template)
            part._file = OrderFile(
                order_of_lot(self._file, lot, self.now), template, LIBRARY.policies[template.policy], LIBRARY.calendars
            ).told(*(report.model_copy(update={"seq": seq}) for seq, report in enumerate(told, start=1)))
            part._look()
            parts.append(part)
        return parts

    def _look(self) -> None:
        steps = decide(self._file, self.now)
        for step in steps:
            if isinstance(step, Tell):
                self._said.append(Line(self.now, step.claim.milestone, step.claim.rung, step.role))
        self._file = taken(self._file, steps, self.now)


def on(month: int, day: int, hour: int = 10, minute: int = 0, year: int = 2026) -> datetime:
    """Return an instant on China's wall, in 2026 unless told."""
    return china(day, hour, minute, month=month, year=year)


def morning(month: int, day: int, year: int = 2026) -> datetime:
    """Return half past eight, when the standard policy tells people."""
    return on(month, day, 8, 30, year=year)
