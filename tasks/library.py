"""The library that orders are followed by: what is bundled, with the house's own files laid over it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import models
from models.book.order import OrderKind
from models.calendars.workdays import Calendar
from models.errors import LibraryError, NoTemplateFits
from models.names import Language
from models.terms.customs import Letter
from models.terms.party import MERCHANDISER, Customer, Party, Person, on_duty
from models.terms.policy import Policy
from models.terms.template import Template
from tasks.library_calendars import read_calendars
from tasks.library_customs import read_letters
from tasks.library_entries import read_catalogue, read_customer, read_party, read_policy, read_template
from tasks.library_people import read_people
from tasks.marked_yaml import Marked, did_you_mean, read_marked

FOLDER = "GENDAN_LIBRARY"
BUNDLED = Path(models.__file__).parent / "library"

LISTS = ("milestones", "parties", "people", "customers", "customs")
"""Read from one file each: a mapping of codes to entries."""
SHELVES = ("calendars", "policies", "templates")
"""Read from a folder each: one file for each code."""

Layer = Mapping[str, Mapping[str, Marked]]


@dataclass(frozen=True)
class Library:
    """Everything that orders are followed by, each kind by its codes."""

    templates: Mapping[str, Template]
    policies: Mapping[str, Policy]
    calendars: Mapping[str, Calendar]
    parties: Mapping[str, Party]
    people: Mapping[str, Person]
    customers: Mapping[str, Customer]
    letters: Mapping[str, Letter]

    @property
    def usual_calendars(self) -> dict[str, str]:
        """The codes of the calendars that the parties work by, by party."""
        return {code: party.calendar for code, party in self.parties.items()}

    def customer(self, written: str) -> Customer | None:
        """Return the customer whose code or name an order gives as `written`; `None` where nothing is known of him."""
        return _customer(self.customers, written)

    def find_person(self, written: str) -> Person | None:
        """
        Return who is called `written`, by code or, if only one is called so, by name; `None` where nobody is.

        The mailbox of a role that somebody fills is that somebody.
        """
        written = written.strip()
        found = [self.people[written]] if written in self.people else []
        found = found or [each for code, each in self.people.items() if code.casefold() == written.casefold()]
        found = found or [each for each in self.people.values() if each.is_called(written)]
        return self._fills.get(found[0].code, found[0]) if len(found) == 1 else None

    def person(self, code: str) -> Person:
        """
        Return who is called `code`, as `find_person` does; nobody knows him: a person with the usual hours.

        A role without anybody is a person, too, by the role's name.
        """
        return self.find_person(code) or self._unlisted(code.strip())

    def filled_by(self, role: str) -> Person:
        """Return who fills a role of our own; where nobody does, a person by the role's name with the usual hours."""
        return self._fills.get(role) or self._unlisted(role)

    def holder(self, merchandiser: str) -> Person:
        """Return whose an order is, `merchandiser` being whom it names: where it names nobody, who fills the role."""
        return self.person(merchandiser) if merchandiser.strip() else self.filled_by(MERCHANDISER)

    def on_duty(self, person: Person, day: date) -> Person:
        """Return who reads what is for `person` on `day`, a date in his zone: himself, or who stands in for him."""
        return on_duty(person, self.people, day)

    def languages(self, code: str) -> tuple[Language, ...]:
        """Return the languages in which a role or person is written to, the first one first."""
        return self.person(code).languages

    @cached_property
    def _fills(self) -> dict[str, Person]:
        return {role: person for person in self.people.values() for role in person.roles}

    def _unlisted(self, code: str) -> Person:
        party = self.parties.get(code)
        if party is None:
            return Person(code=code, name=code)
        return Person(code=code, name=party.name.en, roles=(code,) if party.internal else ())


def library() -> Library:
    """
    Return this process's library: the bundled one, under the folder that GENDAN_LIBRARY names.

    It is read once; a process that shall see a changed file is started again.
    """
    return _library_of(os.environ.get(FOLDER) or None)


@lru_cache(maxsize=8)
def _library_of(folder: str | None) -> Library:
    return load_library(Path(folder) if folder else None)


def load_library(folder: Path | None = None) -> Library:
    """
    Read the bundled library, and lay the files in `folder` over it.

    `folder` is arranged like the bundled one. What it holds is added, or takes the place of what has the same
    code: a whole template, policy or calendar, one milestone, party, person, customer or customs letter.

    Raises LibraryError, with file and line, for the first mistake.
    """
    layers = [_read_layer(BUNDLED)]
    if folder is not None:
        layers.append(_read_layer(folder))
    over = {kind: _laid_over([layer[kind] for layer in layers]) for kind in LISTS + SHELVES}
    calendars = read_calendars([layer["calendars"] for layer in layers])
    parties = {code: read_party(code, marked, calendars) for code, marked in over["parties"].items()}
    customers = {code: read_customer(code, marked, calendars) for code, marked in over["customers"].items()}
    catalogue = read_catalogue(over["milestones"], parties)
    policies = {code: read_policy(marked, parties) for code, marked in over["policies"].items()}
    templates = {
        code: read_template(marked, catalogue, parties, calendars, policies)
        for code, marked in over["templates"].items()
    }
    _chosen_from_differ(templates, over["templates"], customers)
    return Library(
        templates=dict(sorted(templates.items())),
        policies=policies,
        calendars=calendars,
        parties=parties,
        people=read_people(over["people"], parties, calendars),
        customers=customers,
        letters=read_letters(over["customs"]),
    )


def choose_template(
    library: Library,
    code: str,
    lead_days: int | None,
    *,
    customer: str = "",
    kind: OrderKind = OrderKind.EXPORT,
) -> Template:
    """
    Return the template called `code`; for an empty code the one that suits the customer and the lead time.

    The customer's own templates come first, then the general ones. Among these it is the one with the largest
    `chosen_from` that is not longer than `lead_days`, the calendar days from order to ETD (a prospect may be without).
    `customer` is a code or name as the order gives it. Only templates of this `kind` are chosen. Raises
    NoTemplateFits where there is none: an order is not left without a plan in silence.
    """
    of_kind = {name: template for name, template in library.templates.items() if template.kind is kind}
    known = ", ".join(of_kind) or "none"
    code = code.strip()
    if code:
        return _named(library, code, kind, known)
    if lead_days is None and kind is OrderKind.PROSPECT:
        lead_days = 0
    if lead_days is None:
        raise NoTemplateFits(
            f"Without an ETD there is no lead time to choose a template by. Name the order's template: {known}."
        )
    general = [template for template in of_kind.values() if not template.customers]
    for templates in (_of_customer(library, of_kind.values(), customer), general):
        fitting = [t for t in templates if t.chosen_from is not None and t.chosen_from <= lead_days]
        if fitting:
            return max(fitting, key=_lead)
    raise NoTemplateFits(
        f"No template fits a lead time of {lead_days} days. Chosen by lead time: {_offer(of_kind.values())}. "
        f"Name the order's template: {known}."
    )


def _named(library: Library, code: str, kind: OrderKind, known: str) -> Template:
    template = library.templates.get(code)
    if template is None:
        raise NoTemplateFits(
            f"There is no template {code!r}{did_you_mean(code, library.templates)}. There are: {known}. "
            "Name one of them, or put the template into your own library."
        )
    if template.kind is not kind:
        raise NoTemplateFits(
            f"Template {code} is of the kind {template.kind}, and this is of the kind {kind}. Of that kind there are: "
            f"{known}."
        )
    return template


def _of_customer(library: Library, templates: Iterable[Template], customer: str) -> list[Template]:
    if not customer.strip():
        return []
    who = _who(library.customers, customer)
    return [t for t in templates if any(_who(library.customers, named) == who for named in t.customers)]


def _offer(templates: Iterable[Template]) -> str:
    offered = sorted((t for t in templates if t.chosen_from is not None), key=_lead)
    return ", ".join(f"{t.code} from {t.chosen_from} days{_for_whom(t)}" for t in offered) or "none"


def _for_whom(template: Template) -> str:
    return f" (for {', '.join(template.customers)})" if template.customers else ""


def _lead(template: Template) -> int:
    return template.chosen_from or 0


def _customer(customers: Mapping[str, Customer], written: str) -> Customer | None:
    written = written.strip()
    return customers.get(written) or next((known for known in customers.values() if known.is_called(written)), None)


def _who(customers: Mapping[str, Customer], written: str) -> str:
    """Return what tells one customer from another, however he is written."""
    known = _customer(customers, written)
    return known.code if known is not None else written.strip().casefold()


def _laid_over(layers: Sequence[Mapping[str, Marked]]) -> dict[str, Marked]:
    """Return the entries of all layers, those of the uppermost last: where two clash, the mistake is the house's."""
    laid: dict[str, Marked] = {}
    for layer in layers:
        for code, marked in layer.items():
            laid.pop(code, None)
            laid[code] = marked
    return laid


def _read_layer(folder: Path) -> Layer:
    if not folder.is_dir():
        raise LibraryError(str(folder), None, "is no folder; a library is a folder of YAML files")
    layer: dict[str, dict[str, Marked]] = {kind: {} for kind in LISTS + SHELVES}
    for path in _yaml_files(folder):
        kind = _kind(path.relative_to(folder))
        if kind is None:
            places = ", ".join([f"{name}.yaml" for name in LISTS] + [f"{name}/*.yaml" for name in SHELVES])
            raise LibraryError(str(path), None, f"stands where nothing reads it; a library holds {places}")
        marked = read_marked(path)
        for code, entry in _coded(kind, marked):
            if code in layer[kind]:
                raise entry.mistake(f"{code} stands in {layer[kind][code].file} already", "code")
            layer[kind][code] = entry
    return layer


def _yaml_files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _kind(path: Path) -> str | None:
    match path.parts:
        case (_,) if path.stem in LISTS:
            return path.stem
        case (shelf, _) if shelf in SHELVES:
            return shelf
    return None


def _coded(kind: str, marked: Marked) -> Iterator[tuple[str, Marked]]:
    if kind in SHELVES:
        code = marked.mapping().get("code")
        if not isinstance(code, str) or not code:
            raise marked.mistake("code is missing", "code")
        yield code, marked
        return
    for code, entry in marked.entries():
        if "code" in entry.mapping():
            raise entry.mistake(f"unknown field 'code': {code} is the code already", "code")
        yield code, entry


def _chosen_from_differ(
    templates: Mapping[str, Template], marked: Mapping[str, Marked], customers: Mapping[str, Customer]
) -> None:
    """Refuse two templates that the same lead time chooses for one customer, or for everybody."""
    taken: dict[tuple[OrderKind, int, str], str] = {}
    for code, template in templates.items():
        if template.chosen_from is None:
            continue
        for named in template.customers or ("",):
            other = taken.setdefault((template.kind, template.chosen_from, _who(customers, named)), code)
            if other != code:
                raise marked[code].mistake(
                    f"{template.chosen_from} days choose {other} already{f' for {named}' if named else ''}; "
                    "give another number, or null",
                    "chosen_from",
                )
