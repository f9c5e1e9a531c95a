"""The people of the library: each made from what his entry says, or refused there; who fills which role of our own."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from models.calendars.workdays import Calendar
from models.terms.party import Party, Person, PersonMistake, comes_back
from tasks.marked_yaml import Marked, did_you_mean


def read_people(
    entries: Mapping[str, Marked], parties: Mapping[str, Party], calendars: Mapping[str, Calendar]
) -> dict[str, Person]:
    """
    Return the people by their codes. Raises LibraryError.

    An entry whose code is that of a role is the role's mailbox: it fills the role unless somebody else says that he
    does.
    """
    _can_be_told_apart(entries)
    people = {code: _read_person(code, marked, parties, calendars) for code, marked in entries.items()}
    filled = _filled_by(entries, people)
    for code, person in people.items():
        if code in parties and parties[code].internal and code not in filled:
            people[code] = person.model_copy(update={"roles": (code, *person.roles)})
    _substitutes_are_there(entries, people, filled)
    return people


def _can_be_told_apart(entries: Mapping[str, Marked]) -> None:
    known: dict[str, str] = {}
    for code, marked in entries.items():
        other = known.setdefault(code.casefold(), code)
        if other != code:
            raise marked.mistake(
                f"{code} cannot be told from {other}: capitals make no difference in the channels file"
            )


def _read_person(code: str, marked: Marked, parties: Mapping[str, Party], calendars: Mapping[str, Calendar]) -> Person:
    try:
        person = Person.model_validate({**marked.mapping(), "code": code})
    except ValidationError as error:
        mistake = error.errors()[0].get("ctx", {}).get("error")
        if isinstance(mistake, PersonMistake):
            raise marked.mistake(str(mistake), *mistake.at) from None
        raise marked.refusal(error, Person) from None
    if person.calendar not in calendars:
        raise marked.mistake(
            f"there is no calendar {person.calendar!r}{did_you_mean(person.calendar, calendars)}", "calendar"
        )
    for position, role in enumerate(person.roles):
        if role not in parties:
            ours = [each for each, party in parties.items() if party.internal]
            raise marked.mistake(f"there is no role {role!r}{did_you_mean(role, ours)}", "roles", position)
        if not parties[role].internal:
            raise marked.mistake(f"{role} is an outside party; a person fills roles of our own", "roles", position)
    return person


def _filled_by(entries: Mapping[str, Marked], people: Mapping[str, Person]) -> dict[str, str]:
    """Return the code of who says that he fills a role, by role; of two, the one below in the files is the mistake."""
    filled: dict[str, str] = {}
    for code, person in people.items():
        for position, role in enumerate(person.roles):
            other = filled.setdefault(role, code)
            if other != code:
                raise entries[code].mistake(
                    f"the role {role} is filled by {other} already; one person fills it, and substitutes stand in",
                    "roles",
                    position,
                )
    return filled


def _substitutes_are_there(
    entries: Mapping[str, Marked], people: Mapping[str, Person], filled: Mapping[str, str]
) -> None:
    for code, person in people.items():
        for position, each in enumerate(person.substitutes):
            what = ""
            if each.by == code:
                what = f"{code} cannot stand in for himself"
            elif each.by not in people:
                what = f"there is no person {each.by!r}{did_you_mean(each.by, people)}"
            elif filled.get(each.by, each.by) != each.by:
                what = f"{each.by} is a role that {filled[each.by]} fills: name {filled[each.by]}"
            if what:
                raise entries[code].mistake(what, "substitutes", position, "by")
    # From the first day of the last range of a circle on, all of it is a circle: no other day needs a look.
    for code, person in people.items():
        for position, each in enumerate(person.substitutes):
            if comes_back(code, each, people):
                raise entries[code].mistake(
                    f"on {each.first} {each.by} stands in for {code}, and in the end {code} for {each.by}: "
                    "nobody would be there",
                    "substitutes",
                    position,
                )
