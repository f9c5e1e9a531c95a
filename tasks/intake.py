"""Taking whole tables in: good rows are recorded, bad ones refused with line, column and reason."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from models.accepting.intake import ORDER_NEEDS, Row, RowRefused, order_from, order_no_of, told_from
from models.book.report import Report, Withdrawal
from models.errors import GendanError, ImportRefused, Refused, Unavailable, UnknownOrder
from tasks.choosing import template_for, with_customers_terms
from tasks.clock import now
from tasks.library import library
from tasks.logbook import Placed, take_in_reports
from tasks.orders import register
from tasks.spreadsheets import read_rows

BATCH = 500


@dataclass
class Outcome:
    """How many rows were new, how many were there already, and which were refused."""

    what: str
    new: int = 0
    known: int = 0
    refused: list[RowRefused] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"{self.new} {self.what} taken in"]
        if self.known:
            parts.append(f"{self.known} there already")
        if self.refused:
            parts.append(f"{len(self.refused)} refused")
        return ", ".join(parts)


async def take_orders(rows: Iterable[Row | RowRefused]) -> Outcome:
    """Take in the orders of a table; each is followed from the moment it is in."""
    outcome = Outcome("orders")
    seen: set[str] = set()
    # Read before any row: a mistake in it is the library's, not each row's.
    shelf = library()
    for row in rows:
        try:
            if isinstance(row, RowRefused):
                raise row
            accepted = order_from(row, now=now(), choose=partial(template_for, shelf), calendars=shelf.calendars)
            accepted = with_customers_terms(shelf, accepted)
            order_no = accepted.order.order_no
            if order_no in seen:
                raise RowRefused(row.line, "order_no", f"{order_no} stands twice in this file")
            seen.add(order_no)
            if await register(accepted.order, accepted.template, shelf.policies[accepted.template.policy]):
                outcome.new += 1
            else:
                outcome.known += 1
        except RowRefused as refusal:
            outcome.refused.append(refusal)
        except Unavailable:
            raise
        except GendanError as refusal:
            assert isinstance(row, Row)
            outcome.refused.append(RowRefused(row.line, "order_no", str(refusal)))
    return outcome


async def take_reports(rows: Iterable[Row | RowRefused]) -> Outcome:
    """Take in the reports of a table, a few hundred in a transaction."""
    outcome = Outcome("reports")
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        usable: list[Row] = []
        for row in batch:
            try:
                if isinstance(row, RowRefused):
                    raise row
                order_no_of(row)
                usable.append(row)
            except RowRefused as refusal:
                outcome.refused.append(refusal)
        taken = await take_in_reports([(order_no_of(row), partial(_told, row)) for row in usable])
        outcome.new += taken.new
        outcome.known += taken.known
        outcome.refused += [_refused(usable[place], refusal) for place, refusal in taken.refused.items()]
    outcome.refused.sort(key=lambda refusal: refusal.line)
    return outcome


def _refused(row: Row, refusal: GendanError) -> RowRefused:
    if isinstance(refusal, RowRefused):
        return refusal
    return RowRefused(row.line, "order_no" if isinstance(refusal, UnknownOrder) else "", str(refusal))


def _told(row: Row, placed: Placed) -> Report | Withdrawal:
    told = told_from(
        row,
        now=placed.now,
        order_calendar=placed.calendar,
        placed_at=placed.order.placed_at,
        codes=placed.template.codes,
    )
    if isinstance(told, Withdrawal) or told.recorded_at >= placed.now:
        return told
    # Known elsewhere since then, to us since now: nobody is chased for days on which we did not know.
    attributes = {"recorded_at": told.recorded_at.isoformat(), **told.attributes}
    return told.model_copy(update={"recorded_at": placed.now, "attributes": attributes})


def table_of(csv: str) -> Generator[Row | RowRefused, None, None]:
    """Read a table that was pasted as text; raises ImportRefused where it is none."""
    if not csv.strip():
        raise Refused("Nothing was pasted: give a header line and one line for each order.")
    if not all(ord(letter) < 0xD800 or ord(letter) > 0xDFFF for letter in csv):  # no file can hold one
        raise ImportRefused("what was pasted holds half a character: paste it anew.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pasted.csv"
        path.write_text(csv.strip() + "\n", encoding="utf-8")
        try:
            yield from read_rows(path, ORDER_NEEDS)
        except ImportRefused as refusal:
            # Nobody knows the file that it stood in for this moment.
            raise ImportRefused(str(refusal).replace(str(path), "what was pasted")) from None
