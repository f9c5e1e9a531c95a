"""Messages: what one person is told of one matter, in one language or two, in every form that a channel takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.names import Language
from notifications.html import message_page
from notifications.mail_sheet import mail_sheet, plain_sheet
from notifications.message import Message
from notifications.outward import outward_text, outward_to
from notifications.particulars import Facts, Kind
from notifications.texts import one_line, say
from notifications.wording import NOTE, THINNEST, Line, Part, Room, part, subject_of
from notifications.wording import command as command

BODY = 600
"""Characters per language: WeCom takes 2048 bytes, and a Chinese character is three (domain.md 3.5)."""
SUBJECT = "[Gendan] "

_NOTE_LEAST, _NOTE_WANTS = 16, 60
_BETWEEN = "\n\n"


def compose(facts: Facts, languages: Sequence[Language]) -> Message:
    """
    Put `facts` into words, once per language.

    The subject stays the same over the rungs and repeats of a chase; how late it is leads the first line. Raises
    ValueError without a language.
    """
    if not languages:
        raise ValueError("a message needs at least one language")
    wanted = tuple(dict.fromkeys(languages))
    parts = tuple(part(facts, language) for language in wanted)
    sheet, paste = mail_sheet(facts, wanted), _paste(facts)
    below = [*_links(facts, wanted[0]), *_pasted(facts, paste, wanted[0])]
    if sheet is not None:
        below.append(plain_sheet(sheet))
    return Message(
        subject=SUBJECT + subject_of(facts, wanted),
        body=_BETWEEN.join([*map(plain, parts), *below]),
        short=short_form(facts, wanted),
        html=message_page(facts, parts, paste, sheet),
        thread=facts.thread,
    )


def short_form(facts: Facts, languages: Sequence[Language]) -> str:
    """
    Return the form for chat robots: at most BODY characters for each language.

    For that the note is shortened and the least needed is left out, in each language alike. Only an order number or
    names of unusual length make it longer: those are never cut.
    """
    room = _room(facts)
    return _BETWEEN.join(plain(part(facts, language, room)) for language in languages)


def plain(of: Part) -> str:
    """Lay a part out as plain text: what it is, the facts, the request, and how to answer."""
    request = [_request(of), *_ways(of)]
    facts = [*map(_labelled, of.stakes), *request, *_together(of)] if of.decides else [*_together(of), *request]
    lines = [_lead(of), *facts]
    lines += [_labelled(line) for line in (*of.answers, *of.after)]
    if of.zone:
        lines.append(say(of.language, "times_in", zone=of.zone))
    return "\n".join(filter(None, lines))


def _lead(of: Part) -> str:
    return f"【{of.lead}】{of.goods}" if of.lead else of.goods


def _labelled(line: Line) -> str:
    return f"{line.label}: {line.text}" if line.label else line.text


def _together(of: Part) -> Iterator[str]:
    """Yield the lines; who is responsible and who is waited on share one."""
    held = ""
    for line in of.lines:
        text = _labelled(line)
        if line.key == "owner":
            held = text
        elif line.key == "waiting" and held:
            yield f"{held} · {text}"
            held = ""
        else:
            yield from filter(None, (held,))
            held = ""
            yield text
    yield from filter(None, (held,))


def _request(of: Part) -> str:
    if of.asks and of.reply_by and not of.decides:
        return say(of.language, "reply_by_asks", at=of.reply_by, asks=of.asks)
    return say(of.language, "asks_only", asks=of.asks) if of.asks else ""


def _ways(of: Part) -> Iterator[str]:
    if of.ways:
        numbered = "; ".join(f"{number}) {way}" for number, way in enumerate(of.ways, start=1))
        yield f"{say(of.language, 'label_ways')}: {numbered}"


def _paste(facts: Facts) -> str:
    return outward_text(facts) if facts.kind is not Kind.DECISION else ""


def _pasted(facts: Facts, paste: str, language: Language) -> Iterator[str]:
    if paste:
        yield f"--- {say(language, 'mail_paste', party=outward_to(facts, language))}\n{paste}"


def _links(facts: Facts, language: Language) -> Iterator[str]:
    if facts.links:
        yield "\n".join(f"{say(language, key)}: {one_line(url)}" for key, url in facts.links)


def _room(facts: Facts) -> Room:
    """Return the room that the longest language leaves, so that all of them tell the same."""
    length = len(one_line(facts.note.text)) if facts.note else 0
    space = [_space(facts, Room(1, left_out)) for left_out in range(THINNEST)]
    for least in (_NOTE_WANTS, _NOTE_LEAST):
        for left_out, rest in enumerate(space):
            if rest >= min(least, length):
                return Room(min(rest + 1, NOTE), left_out)
    return Room(0, THINNEST)


def _space(facts: Facts, room: Room) -> int:
    return BODY - max(len(plain(part(facts, language, room))) for language in Language)
