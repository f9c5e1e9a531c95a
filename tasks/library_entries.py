"""The entries of the library: a party, policy or template made from what its file says, or refused there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from models.calendars.workdays import Calendar
from models.names import Name
from models.terms.milestone import Milestone, Rounds, Stage, Takes
from models.terms.party import Customer, Party
from models.terms.policy import OWNER, Policy, PolicyMistake
from models.terms.template import Template, TemplateMistake
from tasks.marked_yaml import Marked, did_you_mean

_CUTOFF = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


def _likely_and_pessimistic(stated: Any) -> Any:
    match stated:
        case str():
            return {"likely": stated, "pessimistic": stated}
        case [likely, pessimistic]:
            return {"likely": likely, "pessimistic": pessimistic}
        case list():
            raise ValueError("takes should be one number of working days, or two: likely and pessimistic, as in [3, 5]")
    return stated


def _code_of_a_deadline(cutoff: str) -> str:
    if cutoff and not _CUTOFF.fullmatch(cutoff):
        raise ValueError(f"cutoff should be the code of a deadline on the booking, such as SI or CY, not {cutoff!r}")
    return cutoff


StatedTakes = Annotated[Takes, BeforeValidator(_likely_and_pessimistic)]
"""`3`, or `[3, 5]`: likely and pessimistic."""
Cutoff = Annotated[str, AfterValidator(_code_of_a_deadline)]


class StatedRounds(Rounds):
    """The rounds of a milestone, as a file states them; without `takes` the next attempt takes as long as the first."""

    takes: StatedTakes = Takes()


class Catalogued(BaseModel):
    """
    What the catalogue says of a milestone, whichever template it stands in.

    `awaited` is what a badge says in English. `evidence` and `stall` are for people: what closes the step, and why
    it stands still. The other fields are those of Milestone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str = Field(min_length=1)
    zh_hans: str = Field(min_length=1)
    zh_hant: str = Field(min_length=1)
    stage: Stage
    accountable: str
    waiting_on: tuple[str, ...]
    awaited: str = ""
    evidence: Name | None = None
    stall: Name | None = None
    cutoff: Cutoff = ""
    takes: StatedTakes = Takes()
    rounds: StatedRounds | None = None


class TemplateLine(Catalogued):
    """One line of a template, with what the catalogue says of its milestone."""

    code: str = Field(min_length=1, max_length=32)
    offset: int
    after: tuple[str, ...] = ()
    optional: bool = False
    counted: bool = False
    complete_at: float = Field(default=100, gt=0, le=100)
    calendar: str | None = None


def read_party(code: str, marked: Marked, calendars: Mapping[str, Calendar]) -> Party:
    """Return a role or outside party. Raises LibraryError."""
    party = marked.read_as(Party, code=code)
    _must_be_known(marked, "calendar", party.calendar, calendars, "calendar")
    return party


def read_customer(code: str, marked: Marked, calendars: Mapping[str, Calendar]) -> Customer:
    """Return a customer. Raises LibraryError."""
    customer = marked.read_as(Customer, code=code)
    if customer.calendar:
        _must_be_known(marked, "calendar", customer.calendar, calendars, "calendar")
    return customer


def read_catalogue(entries: Mapping[str, Marked], parties: Mapping[str, Party]) -> dict[str, Catalogued]:
    """Return the milestone catalogue. Raises LibraryError."""
    return {code: _catalogued(marked, entries, parties) for code, marked in entries.items()}


def _catalogued(marked: Marked, codes: Collection[str], parties: Mapping[str, Party]) -> Catalogued:
    entry = marked.read_as(Catalogued)
    _parties_are_known(marked, entry, parties)
    for position, code in enumerate(entry.rounds.reopens if entry.rounds else ()):
        _must_be_known(marked, "milestone", code, codes, "rounds", "reopens", position)
    return entry


def read_policy(marked: Marked, parties: Mapping[str, Party]) -> Policy:
    """Return an escalation policy, which names only roles of our own. Raises LibraryError."""
    try:
        policy = Policy.model_validate(marked.mapping())
    except ValidationError as error:
        complaint = error.errors()[0]
        mistake = complaint.get("ctx", {}).get("error")
        if isinstance(mistake, PolicyMistake):
            raise marked.mistake(str(mistake), *mistake.at) from None
        raise marked.refusal(error, Policy) from None
    for role, where in _roles_of(policy):
        if role != OWNER:
            _must_be_ours(marked, role, parties, *where)
    for party in policy.waiting_on:
        _must_be_known(marked, "party", party, parties, "waiting_on", party)
    return policy


def _roles_of(policy: Policy) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield every role that a policy names, with its place in the file."""
    for position, rung in enumerate(policy.rungs):
        yield rung.role, ("rungs", position, "role")
        yield from ((role, ("rungs", position, "also", n)) for n, role in enumerate(rung.also))
    yield from ((role, ("reminders", "told", n)) for n, role in enumerate(policy.reminders.told))
    for position, tick in enumerate(policy.clock):
        yield from ((role, ("clock", position, "told", n)) for n, role in enumerate(tick.told))
    if policy.alarm is not None:
        yield from ((role, ("alarm", "told", n)) for n, role in enumerate(policy.alarm.told))
    for party, waiting in policy.waiting_on.items():
        for role, other in waiting.instead.items():
            yield role, ("waiting_on", party, "instead", role)
            yield other, ("waiting_on", party, "instead", role)
    for owner, places in policy.heads.items():
        yield owner, ("heads", owner)
        for role, other in places.items():
            yield role, ("heads", owner, role)
            yield other, ("heads", owner, role)


def read_template(
    marked: Marked,
    catalogue: Mapping[str, Catalogued],
    parties: Mapping[str, Party],
    calendars: Mapping[str, Calendar],
    policies: Mapping[str, Policy],
) -> Template:
    """
    Return an order template, its milestones filled in from the catalogue. Raises LibraryError.

    A milestone that states no calendar is due on the days of the first party it waits on. Of the milestones that the
    catalogue lets a failure reopen, those that stand in this template count.
    """
    head = marked.mapping()
    if "milestones" not in head:
        raise marked.mistake("milestones is missing")
    home = head.get("calendar")
    if isinstance(home, str):
        _must_be_known(marked, "calendar", home, calendars, "calendar")
    policy = head.get("policy")
    if isinstance(policy, str):
        _must_be_known(marked, "policy", policy, policies, "policy")
    lines = tuple(marked.entry("milestones").items())
    steps = [_step(line, catalogue, parties, calendars) for line in lines]
    codes = {step.code for step in steps}
    milestones = tuple(
        _milestone(step, _rounds(step, codes, own="rounds" in line.mapping()), str(home), parties)
        for line, step in zip(lines, steps, strict=True)
    )
    try:
        return Template.model_validate({**head, "milestones": milestones})
    except ValidationError as error:
        mistake = error.errors()[0].get("ctx", {}).get("error")
        if isinstance(mistake, TemplateMistake):
            raise marked.mistake(str(mistake), *_place_of(mistake, milestones)) from None
        raise marked.refusal(error, Template) from None


def _place_of(mistake: TemplateMistake, milestones: Sequence[Milestone]) -> tuple[str | int, ...]:
    places = [n for n, milestone in enumerate(milestones) if milestone.code == mistake.milestone]
    if places:
        return ("milestones", places[-1])  # of two with one code, the later one is the mistake
    # A field of the template's head, or one of its entries: the mistake begins with its name.
    return tuple(str(mistake).partition(":")[0].split(".", 1))


def _step(
    line: Marked, catalogue: Mapping[str, Catalogued], parties: Mapping[str, Party], calendars: Mapping[str, Calendar]
) -> TemplateLine:
    stated = line.mapping()
    code = stated.get("code")
    if not isinstance(code, str):
        raise line.mistake("code is missing", "code")
    entry = catalogue.get(code)
    if entry is None and "en" not in stated:
        raise line.mistake(
            f"{code} is not in the catalogue{did_you_mean(code, catalogue)}: put it into milestones.yaml, "
            "or state its en, zh_hans, zh_hant, stage, accountable and waiting_on here",
            "code",
        )
    known = entry.model_dump(exclude_unset=True) if entry else {}
    if "en" in stated:
        known.pop("awaited", None)  # it spoke of the catalogue's name
    step = line.read_as(TemplateLine, **{**known, **stated})
    _parties_are_known(line, step, parties)
    if step.calendar is not None:
        _must_be_known(line, "calendar", step.calendar, calendars, "calendar")
    return step


def _rounds(step: TemplateLine, codes: Collection[str], *, own: bool) -> Rounds | None:
    """Return the rounds of a step. Only those that the template's own line states may name what is not there."""
    stated = step.rounds
    if stated is None:
        return None
    return Rounds(
        at_most=stated.at_most,
        reopens=stated.reopens if own else tuple(code for code in stated.reopens if code in codes),
        takes=stated.takes if "takes" in stated.model_fields_set else step.takes,
    )


def _milestone(step: TemplateLine, rounds: Rounds | None, home: str, parties: Mapping[str, Party]) -> Milestone:
    return Milestone(
        code=step.code,
        name=Name(en=step.en, zh_hans=step.zh_hans, zh_hant=step.zh_hant),
        stage=step.stage,
        accountable=step.accountable,
        waiting_on=step.waiting_on,
        offset=step.offset,
        after=step.after,
        optional=step.optional,
        counted=step.counted,
        complete_at=step.complete_at,
        awaited=step.awaited,
        calendar=step.calendar or (parties[step.waiting_on[0]].calendar if step.waiting_on else home),
        takes=step.takes,
        cutoff=step.cutoff,
        evidence=step.evidence,
        stall=step.stall,
        rounds=rounds,
    )


def _parties_are_known(marked: Marked, entry: Catalogued, parties: Mapping[str, Party]) -> None:
    _must_be_ours(marked, entry.accountable, parties, "accountable")
    for position, code in enumerate(entry.waiting_on):
        _must_be_known(marked, "party", code, parties, "waiting_on", position)


def _must_be_ours(marked: Marked, code: str, parties: Mapping[str, Party], *way: str | int) -> None:
    _must_be_known(marked, "party", code, parties, *way)
    if not parties[code].internal:
        raise marked.mistake(f"{code} is an outside party; who is asked must be one of our own roles", *way)


def _must_be_known(marked: Marked, what: str, code: str, known: Iterable[str], *way: str | int) -> None:
    if code not in known:
        raise marked.mistake(f"there is no {what} {code!r}{did_you_mean(code, known)}", *way)
