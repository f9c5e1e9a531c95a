"""A stage on which an order's story is played: on paper with the core alone, or in Prefect with the real flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from models.accept import check_entry
from models.decide import Tell, decide, next_wake_up, taken
from models.entry import Entry
from models.ladder import Ladder
from models.lots import inherited, order_of_lot
from models.order import Order
from models.order_file import OrderFile
from models.outlook import Outlook, outlook
from models.report import Outcome, Promise, Report
from models.sheet import Sheet, sheet_at
from models.standing import Standing, standing
from models.template import Template
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
    async def begin(self, order: Order, template: Template, ladder: Ladder) -> None:
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
        await self.begin(Order(**fields), chosen, LIBRARY.ladders[chosen.ladder])

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

    async def begin(self, order: Order, template: Template, ladder: Ladder) -> None:
        """Take the order in."""
        self._file = OrderFile(order, template, ladder, LIBRARY.calendars)
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
                order_of_lot(self._file, lot, self.now), template, LIBRARY.ladders[template.ladder], LIBRARY.calendars
            ).told(*(report.model_copy(update={"seq": seq}) for seq, report in enumerate(told, start=1)))
            part._look()
            parts.append(part)
        return parts

    def _look(self) -> None:
        steps = decide(self._file, self.now)
        for step in steps:
            if isinstance(step, Tell):
                self._said.append(Line(self.now, step.claim.milestone, step.claim.rung, step.role))
        self._file = taken(self._file, steps)


def on(month: int, day: int, hour: int = 10, minute: int = 0, year: int = 2026) -> datetime:
    """Return an instant on China's wall, in 2026 unless told."""
    return china(day, hour, minute, month=month, year=year)


def morning(month: int, day: int, year: int = 2026) -> datetime:
    """Return nine o'clock, when the office opens."""
    return on(month, day, 9, year=year)
