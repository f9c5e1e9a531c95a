"""The e-mail: pages that a phone and a desktop show, by day and by night; everything in them is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from notifications.mail_sheet import MailSheet
from notifications.outward import outward_to
from notifications.particulars import Facts, Kind
from notifications.texts import one_line, say, shorten
from notifications.wording import PERSON, Part, subject_of

CALM, WARM, HOT = "#1d5fb4", "#a8500a", "#b3261e"
"""What is still to come, what is late, and what must be decided; each is read on white and carries white."""

WIDE_ONLY = ("promised", "owner")
"""The columns of the sheet that a phone leaves out."""

_TIME = r"(?: \d\d:\d\d)?"
_DATE = re.compile(
    rf"(?:\d{{4}}-)?\d\d-\d\d\(\w\){_TIME}|[A-Z][a-z]{{2}} \d{{1,2}} [A-Z][a-z]{{2}}(?: \d{{4}})?{_TIME}"
)
_SCHEMES = ("https://", "http://")


def message_page(facts: Facts, parts: Sequence[Part], paste: str, sheet: MailSheet | None) -> str:
    """
    Return the page of one matter: a card for each language, and below it `paste` for an outside party and the sheet.

    Both stand there once, whatever the languages: Gmail clips what is longer than 102 kB.
    """
    languages = tuple(part.language for part in parts)
    return render(
        "message.html.j2",
        lang=languages[0],
        title=subject_of(facts, languages),
        colour=colour_of(facts),
        order_no=one_line(facts.order_no),
        customer=shorten(facts.customer, PERSON),
        goods=next((part.goods for part in parts), ""),
        parts=parts,
        say=say,
        paste_for=outward_to(facts, languages[0]),
        paste=paste,
        links=[(say(languages[0], key), url) for key, url in facts.links if url.startswith(_SCHEMES)],
        sheet=sheet,
        wide=WIDE_ONLY,
        more=say(languages[0], "mail_more", thread=one_line(facts.thread)),
    )


def render(template: str, **values: object) -> str:
    """Fill in a page of `templates/`: every value is escaped, and one that is missing is an error."""
    return _pages().get_template(template).render(values)


def colour_of(facts: Facts) -> str:
    """Return the colour that a matter is set in: how urgent it is."""
    match facts.kind:
        case Kind.REMINDER | Kind.NOTE:
            return CALM
        case Kind.STALL:
            return WARM if facts.rung < "L3" else HOT
        case _:
            return HOT


def unbroken(text: str) -> Markup:
    """Keep a day with its time and zone on one line of the page; the text is escaped."""
    return Markup(_DATE.sub(r'<span class="nb">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped just before


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("notifications", "templates"),
        autoescape=True,  # for every page: by its ending Jinja would take *.j2 for plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["unbroken"] = unbroken
    return pages
