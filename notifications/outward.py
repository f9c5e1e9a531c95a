"""
Text to paste into a chat with the outside party that is waited on, in Chinese and English.

It is about this one step and nothing else. No customer, value, note, role, slack, deadline of ours or other order is
ever in it (domain.md 3.6): the party may work for the customer's competitors, or for the customer himself.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.names import Language
from notifications.particulars import BUYER, CUSTOMS, Facts, Kind, Stall, Waited
from notifications.texts import Dates, one_line, quantity, say, shorten

_LANGUAGES = (Language.ZH_HANS, Language.EN)
_PRODUCT = 60
_PARTY = 60
_TELLING = 3
"""Letters from which a word of the customer's name says who he is."""


def outward_text(facts: Facts) -> str:
    """
    Return the text, Chinese first; empty where no outside party is waited on, and where that is customs.

    Customs is never pressed.
    """
    stall = facts.stall
    if stall is None or facts.reply_by is None or _party(stall) is None:
        return ""
    return "\n\n".join(_text(facts, stall, language) for language in _LANGUAGES)


def outward_to(facts: Facts, language: Language) -> str:
    """Return whom the text is for; empty where there is none."""
    party = _party(facts.stall) if facts.stall is not None else None
    return shorten(party.name.in_(language), _PARTY) if party is not None else ""


def _party(stall: Stall) -> Waited | None:
    return next((each for each in stall.waiting_on if each.outside and each.code != CUSTOMS), None)


def _text(facts: Facts, stall: Stall, language: Language) -> str:
    opening = say(language, "outward_hello", party=outward_to(facts, language))
    return "\n".join([opening, *_lines(facts, stall, language)])


def _lines(facts: Facts, stall: Stall, language: Language) -> Iterator[str]:
    dates = Dates(language, facts.home)
    order = say(language, "outward_order", order=one_line(facts.order_no))
    goods = _goods(facts)
    if goods:
        order = say(language, "outward_order_of", order=one_line(facts.order_no), goods=goods)
    step, due = one_line(stall.step.name.in_(language)), dates.instant(stall.due)
    is_past = stall.due < facts.now
    yield say(language, "outward_due" if is_past else "outward_soon", order=order, step=step, due=due)
    if stall.promised is not None:
        yield say(language, "outward_promised", promised=dates.instant(stall.promised))
    if facts.kind is Kind.CLOCK and facts.deadline is not None and facts.deadline.at != stall.due:
        yield say(language, "outward_cutoff", at=dates.instant(facts.deadline.at))
    assert facts.reply_by is not None
    yield say(language, _asks(facts, stall), reply=dates.instant(facts.reply_by))
    yield say(language, "outward_thanks")


def _asks(facts: Facts, stall: Stall) -> str:
    if stall.waits_on(BUYER):
        return "outward_asks_buyer"
    match facts.kind:
        case Kind.CLOCK:
            return "outward_asks_now"
        case Kind.MISSED:
            return "outward_asks_again"
        case _:
            return "outward_asks" if stall.due < facts.now else "outward_asks_soon"


def _goods(facts: Facts) -> str:
    """Return what was ordered; its name is left out where it names the customer."""
    product = shorten(facts.product, _PRODUCT)
    named = one_line(facts.customer).casefold()
    words = [named, *(word for word in named.split() if len(word) >= _TELLING)]
    if named and any(word in one_line(facts.product).casefold() for word in words):
        product = ""
    amount = quantity(facts.quantity, one_line(facts.unit)) if facts.quantity is not None else ""
    return ", ".join(filter(None, (product, amount)))
