"""The entries of the library: a calendar, party, ladder or template made from what its file says, or refused there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.ladder import Ladder
from models.milestone import Milestone, Stage
from models.names import Name
from models.party import Party
from models.template import Template, TemplateMistake
from models.workdays import Calendar
from tasks.marked_yaml import Marked, did_you_mean


class StatedCalendar(BaseModel):
    """What one calendar file states; the rest comes from the calendar that it is like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    like: str | None = None
    name: Name | None = None
    zone: str | None = None
    weekend: frozenset[Annotated[int, Field(ge=1, le=7)]] | None = None
    opens: time | None = None
    closes: time | None = None
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    published: frozenset[int] | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"there is no time zone {zone!r}; it should be one such as Asia/Shanghai") from None
        return zone


class Catalogued(BaseModel):
    """
    What the catalogue says of a milestone, whichever template it stands in.

    `awaited` is what a badge says in English. `evidence`, `stall` and `cutoff` are for people: what closes the
    step, why it stands still, and the outside deadline that it must meet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str = Field(min_length=1)
    zh_hans: str = Field(min_length=1)
    zh_hant: str = Field(min_length=1)
    stage: Stage
    accountable: str
    waiting_on: tuple[str, ...]
    awaited: str = ""
    evidence: str = ""
    stall: str = ""
    cutoff: str = ""


class TemplateLine(Catalogued):
    """One line of a template, with what the catalogue says of its milestone."""

    code: str = Field(min_length=1, max_length=32)
    offset: int
    after: tuple[str, ...] = ()
    optional: bool = False
    counted: bool = False
    calendar: str | None = None


def read_calendars(layers: Sequence[Mapping[str, Marked]]) -> dict[str, Calendar]:
    """Return the calendars of all layers, the upper ones over the lower. Raises LibraryError."""
    tops = {code: level for level, layer in enumerate(layers) for code in layer}
    calendars: dict[str, Calendar] = {}
    for code, level in tops.items():
        marked = layers[level][code]
        try:
            calendar = Calendar.model_validate(_calendar_fields(code, level, layers, tops, ()))
        except ValidationError as error:
            raise marked.refusal(error, Calendar) from None
        if calendar.opens >= calendar.closes:
            raise marked.mistake(f"closes at {calendar.closes:%H:%M}, but opens at {calendar.opens:%H:%M}", "closes")
        calendars[code] = calendar
    return calendars


def _calendar_fields(
    code: str, level: int, layers: Sequence[Mapping[str, Marked]], tops: Mapping[str, int], way: tuple[str, ...]
) -> dict[str, Any]:
    """
    Return a calendar's fields, with those of the calendar it is like.

    Holidays, make-up days and published years add to each other, and what the nearer file says of a day wins:
    a factory adds the weeks it closes, a house adds the notice of a year. Every other field takes the place.
    """
    marked = layers[level][code]
    stated = marked.read_as(StatedCalendar)
    both = stated.holidays & stated.workdays
    if both:
        raise marked.mistake(f"{min(both)} stands under holidays and under workdays", "workdays")
    fields = stated.model_dump(exclude_unset=True, exclude={"like"})
    if stated.like is None:
        return fields
    # A calendar that is like its own code stands over the one of that code beneath it.
    beneath = level - 1 if stated.like == code else tops.get(stated.like, -1)
    while beneath >= 0 and stated.like not in layers[beneath]:
        beneath -= 1
    if beneath < 0:
        raise marked.mistake(
            f"there is no calendar {stated.like!r} to be like{did_you_mean(stated.like, tops)}", "like"
        )
    step = f"{code} {level}"
    if step in way:
        raise marked.mistake(f"{code} is like {stated.like}, which in the end is like {code}", "like")
    base = _calendar_fields(stated.like, beneath, layers, tops, (*way, step))
    merged = {**base, **fields}
    merged["holidays"] = (base.get("holidays", frozenset()) - stated.workdays) | stated.holidays
    merged["workdays"] = (base.get("workdays", frozenset()) - stated.holidays) | stated.workdays
    if stated.published is not None and base.get("published") is not None:
        merged["published"] = base["published"] | stated.published
    return merged


def read_party(code: str, marked: Marked, calendars: Mapping[str, Calendar]) -> Party:
    """Return a role or outside party. Raises LibraryError."""
    party = marked.read_as(Party, code=code)
    _must_be_known(marked, "calendar", party.calendar, calendars, "calendar")
    return party


def read_catalogued(marked: Marked, parties: Mapping[str, Party]) -> Catalogued:
    """Return an entry of the milestone catalogue. Raises LibraryError."""
    entry = marked.read_as(Catalogued)
    _parties_are_known(marked, entry, parties)
    return entry


def read_ladder(marked: Marked, parties: Mapping[str, Party]) -> Ladder:
    """Return an escalation ladder, whose rungs are all roles of our own. Raises LibraryError."""
    try:
        ladder = Ladder.model_validate(marked.mapping())
    except ValidationError as error:
        complaint = error.errors()[0]
        if complaint["loc"] == ():
            raise marked.mistake(str(complaint["ctx"]["error"]), "rungs", _first_bad_rung(marked)) from None
        raise marked.refusal(error, Ladder) from None
    for position, rung in enumerate(ladder.rungs):
        _must_be_ours(marked, rung.role, parties, "rungs", position, "role")
    return ladder


def _first_bad_rung(marked: Marked) -> int:
    """Return the position of the rung up to which the ladder is none: the rule itself does not name it."""
    fields = marked.mapping()
    for position in range(len(fields["rungs"])):
        try:
            Ladder.model_validate({**fields, "rungs": fields["rungs"][: position + 1]})
        except ValidationError:
            return position
    return 0


def read_template(
    marked: Marked,
    catalogue: Mapping[str, Catalogued],
    parties: Mapping[str, Party],
    calendars: Mapping[str, Calendar],
    ladders: Mapping[str, Ladder],
) -> Template:
    """
    Return an order template, its milestones filled in from the catalogue. Raises LibraryError.

    A milestone that states no calendar is due on the days of the first party it waits on.
    """
    head = marked.mapping()
    if "milestones" not in head:
        raise marked.mistake("milestones is missing")
    home = head.get("calendar")
    if isinstance(home, str):
        _must_be_known(marked, "calendar", home, calendars, "calendar")
    ladder = head.get("ladder")
    if isinstance(ladder, str):
        _must_be_known(marked, "ladder", ladder, ladders, "ladder")
    lines = marked.entry("milestones").items()
    milestones = tuple(_milestone(line, str(home), catalogue, parties, calendars) for line in lines)
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
    return (str(mistake).partition(":")[0],)  # a field of the template's head: the mistake begins with its name


def _milestone(
    line: Marked,
    home: str,
    catalogue: Mapping[str, Catalogued],
    parties: Mapping[str, Party],
    calendars: Mapping[str, Calendar],
) -> Milestone:
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
    known = entry.model_dump() if entry else {}
    if "en" in stated:
        known.pop("awaited", None)  # it spoke of the catalogue's name
    step = line.read_as(TemplateLine, **{**known, **stated})
    _parties_are_known(line, step, parties)
    if step.calendar is not None:
        _must_be_known(line, "calendar", step.calendar, calendars, "calendar")
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
        awaited=step.awaited,
        calendar=step.calendar or (parties[step.waiting_on[0]].calendar if step.waiting_on else home),
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
