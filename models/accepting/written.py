"""Answers as people write them, made entries: a step in small letters, a role, a text. The door does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from shlex import quote

from models.accepting.answers import DECISIONS
from models.accepting.intake import spelt
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, NotMine, Problem, Promise
from models.errors import Refused
from models.terms.party import Party


def taken_on(file: OrderFile, now: datetime, step: str, *, by: str, note: str = "") -> Acknowledgement:
    """Return that somebody takes a stall on, or the decision about a hard date."""
    return Acknowledgement(recorded_at=now, by=by, note=note, milestone=_step(file, step))


def promised(
    file: OrderFile, now: datetime, step: str, until: datetime, *, by: str, approved_by: str = "", note: str = ""
) -> Promise:
    """Return that a step is promised for an instant, and who approved that."""
    return Promise(
        recorded_at=now,
        by=by,
        note=note,
        milestone=_step(file, step),
        promised=until,
        approved_by=approved_by.strip(),
    )


def has_problem(file: OrderFile, now: datetime, step: str, text: str, *, by: str) -> Problem:
    """Return that a step has a problem; raises Refused where nobody says which."""
    code = _step(file, step)
    if not text.strip():
        raise Refused(
            f"Order {file.order.order_no}: say what is the problem with {code}: "
            f'`gendan problem {quote(file.order.order_no)} {code} "what is wrong"`. Nothing was recorded.'
        )
    return Problem(recorded_at=now, by=by, note=text, milestone=code)


def not_mine(
    file: OrderFile, now: datetime, step: str, to: str, parties: Mapping[str, Party], *, by: str, note: str = ""
) -> NotMine:
    """Return that a step is another role's; raises Refused for one that is not ours."""
    role = _role(file, to.strip(), parties) if to.strip() else ""
    return NotMine(recorded_at=now, by=by, note=note, milestone=_step(file, step), to=role)


def _step(file: OrderFile, step: str) -> str:
    return spelt(step.strip(), (*file.template.codes, *DECISIONS))


def our_roles(parties: Mapping[str, Party]) -> dict[str, Party]:
    """Return the roles that a step can be given to: our own, and no outside party."""
    return {code: party for code, party in parties.items() if party.internal}


def _role(file: OrderFile, written: str, parties: Mapping[str, Party]) -> str:
    role, ours = spelt(written, parties), our_roles(parties)
    if role in ours:
        return role
    what = f"{role} is an outside party" if role in parties else f"there is no role {written[:60]!r}"
    raise Refused(
        f"Order {file.order.order_no}: {what}, and a step goes to one of ours: {', '.join(ours)}. Nothing was recorded."
    )
