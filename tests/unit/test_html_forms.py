"""The e-mail's pages: everything in them is escaped, and every language tells the same."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement
from models.decide import Tell
from models.names import Language
from models.status.standing import standing
from notifications.facts import Facts, gather
from notifications.html import unbroken
from notifications.messages import compose
from tasks.library import library
from tests.factories import an_order_file, china, some_parties
from tests.plans import NOW, mid_season

EN, HANS, HANT = Language.EN, Language.ZH_HANS, Language.ZH_HANT
LARGEST = 102_000
"""Bytes: Gmail clips what is longer."""


def facts_of(file: OrderFile, rung: str = "L2", about: str = "PP_MEET") -> Facts:
    at = standing(file, NOW)
    return gather(file, at, Tell(Claim(about, rung, at.due.get(about, NOW)), "MER"), some_parties())


class Page(HTMLParser):
    """What a page shows, its tags, and what they carry; fails on a tag that is left open."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.tags: list[str] = []
        self.carried: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.carried += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())


EVIL = "<script>alert('x')</script>{{ 7*7 }}{% for %}&amp;\"'\n\r\n.\nBcc: a@b.c\u202e" + "w" * 300


def an_evil_order() -> OrderFile:
    return mid_season(
        Acknowledgement(recorded_at=china(8, month=12), by=EVIL, milestone="PP_MEET", note=EVIL),
        order_no='<b>{{order_no}}</b>"',
        customer=EVIL,
        unit=EVIL,
        attributes={"item": EVIL, "po": EVIL},
        value=5.0,
    )


@pytest.mark.parametrize(("rung", "about"), [("L2", "PP_MEET"), ("L4", "LC_44C"), ("R2", "TRIM_IN")])
def test_order_data_is_escaped_and_stays_on_its_line(rung: str, about: str) -> None:
    message = compose(facts_of(an_evil_order(), rung, about), [EN, HANT])
    page = Page(message.html)

    assert "script" not in page.tags
    assert not any("{{" in value for _, value in page.carried)
    assert '<b>{{order_no}}</b>"' in page.text  # shown as it is, and not filled in
    assert "49" not in re.sub(r"#\w+", "", page.text)
    assert "\u202e" not in message.html + message.body + message.short + message.subject
    assert "\n" not in message.subject
    for form in (message.body, message.short):
        assert not any(line.startswith(("Bcc", ".")) for line in form.splitlines())


def test_a_page_has_what_its_reader_needs_at_its_top() -> None:
    facts = facts_of(mid_season(attributes={"po": "88231", "item": "Shell jackets"}))
    for language, asks in ((EN, "Give a firm date"), (HANS, "请给出日期"), (HANT, "請給出日期")):
        text = Page(compose(facts, [language]).html).text
        top = text[: text.index("gendan report")]
        for wanted in ("SO-26-0417", "ACME", "PO 88231", "Shell jackets", "3,600 pcs", "L2", asks, "PP_MEET"):
            assert wanted in top
        assert facts.stall
        assert facts.stall.accountable.in_(language) in top


def test_a_page_is_readable_on_a_phone_and_at_night() -> None:
    page = compose(facts_of(mid_season()), [EN]).html

    assert 'name="viewport" content="width=device-width' in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="color-scheme" content="light dark"' in page
    assert "http" not in page  # nothing is fetched from anywhere


def test_each_language_has_its_own_card_and_the_sheet_stands_once() -> None:
    page = Page(compose(facts_of(mid_season()), [EN, HANT]).html)

    assert [value for name, value in page.carried if name == "lang"] == ["en", "en", "zh-Hant"]
    assert page.text.count("T&A sheet") == 1
    assert "PP_MEET Pre-production meeting 產前會" in page.text
    assert all(code in page.text for code in mid_season().template.codes)


def test_a_decision_is_one_page_without_the_sheet() -> None:
    page = Page(compose(facts_of(mid_season(), "L4", "LC_44C"), [EN]).html)

    assert "T&A sheet" not in page.text
    assert "have the L/C amended" in page.text
    assert len(page.text) < 1200


@pytest.mark.parametrize(("rung", "about"), [("L2", "PP_MEET"), ("L4", "LC_44C"), ("R2", "TRIM_IN")])
def test_every_language_tells_the_same_numbers_and_codes(rung: str, about: str) -> None:
    facts = facts_of(mid_season(value=184000.0, currency="USD"), rung, about)
    found = []
    for language in Language:
        text = Page(compose(facts, [language]).html).text
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        text = re.sub(
            r"[A-Z][a-z]{2} (\d{1,2}) ([A-Z][a-z]{2})\b(?: (\d{4}))?",
            lambda m: " ".join(filter(None, (m[3], f"{months.index(m[2]) + 1:02}", f"{int(m[1]):02}"))),  # noqa: B023
            text,
        )
        found.append(sorted(re.findall(r"\d+|[A-Z]+_[A-Z_0-9]+", text)))

    assert len(found[0]) > 10
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", ["AFS", "EAD", "HCL"])
def test_the_largest_mail_is_not_clipped(name: str) -> None:
    template = library().templates[name]
    file = replace(an_order_file(None, template, policy=library().policies["standard"]), calendars=library().calendars)
    now = china(2, month=12)
    at = standing(file, now)
    code = at.open[0]
    facts = gather(file, at, Tell(Claim(code, "L3", at.due[code]), "SALES"), library().parties)

    for languages in ([EN, HANS], [HANT, EN], [HANS, HANT]):
        message = compose(facts, languages)
        assert all(code in message.html for code in template.codes)
        assert len(message.html.encode()) < LARGEST
        assert len(message.body.encode()) < LARGEST


def test_links_are_shown_once_there_are_any_and_only_such_as_a_browser_opens() -> None:
    facts = facts_of(mid_season())
    done = "https://gendan.example/a/x?b=1&c=2"
    linked = replace(facts, links=(("label_done", done), ("label_date", "javascript:x")))

    assert "<a " not in compose(facts, [EN]).html
    message = compose(linked, [EN])
    assert [value for name, value in Page(message.html).carried if name == "href"] == [done]
    assert f"Done: {done}" in message.body


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("on Fri 20 Nov 2026 16:00 CST(+08)", "Fri 20 Nov 2026 16:00"),
        ("于 2026-11-20(五) 16:00 完成", "2026-11-20(五) 16:00"),
        ("<b> Fri 20 Nov", "Fri 20 Nov"),
    ],
)
def test_a_date_is_not_broken_over_two_lines(text: str, whole: str) -> None:
    marked = str(unbroken(text))

    assert f'<span class="nb">{whole}</span>' in marked
    assert unescape(re.sub("</?span[^>]*>", "", marked)) == text
    assert "<b>" not in marked
