"""
Pictures of the messages for the docs: `python -m tests.pictures docs/images/messages`.

Renders the very pages and texts that are sent, of one invented order, in Chromium.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from models.book.entry import Entry
from models.book.order_file import Claim, OrderFile
from models.book.report import Acknowledgement, Promise
from models.decide import Tell
from models.names import Language
from models.status.standing import standing
from notifications.digest import DigestLine, compose_digest
from notifications.facts import Facts, gather
from notifications.message import Message
from notifications.messages import compose
from tasks.library import library
from tests.factories import CHINA, china, some_parties
from tests.plans import NOW, cutting_is_done, mid_season

DESKTOP, PHONE = (1000, 1150), (375, 667)
LIMIT = 200_000
"""Bytes of a picture in the docs."""

ORDER = {
    "customer": "Nordvind Outdoor",
    "attributes": {"item": "Men's 3-layer shell jackets", "po": "NV-88231"},
    "value": 184000,
    "currency": "USD",
}
BROKEN = datetime(2027, 1, 5, 23, 59, 59, tzinfo=CHINA)
"""The end of the last day on which the credit lets the goods be shipped."""
MORNING = china(11, 8, 30, month=12)
PROMISED = Promise(recorded_at=china(4, month=12), by="wang.jun", milestone="PP_MEET", promised=china(8, 16, month=12))
NOTED = Acknowledgement(
    recorded_at=china(8, 17, 12, month=12), by="wang.jun", milestone="PP_MEET", note="蓝色缸差, 回修中, 周四出新缸"
)


def an_example(*entries: Entry, **changes: object) -> OrderFile:
    """Return the order of the pictures: its pre-production meeting is late, which moves the departure."""
    return with_terms(mid_season(PROMISED, NOTED, *entries, **{**ORDER, **changes}))


def with_terms(file: OrderFile) -> OrderFile:
    """Return the file under the policy that comes with Gendan."""
    return replace(file, policy=library().policies["standard"])


def facts_of(file: OrderFile, now: datetime, rung: str, about: str, due: datetime | None = None) -> Facts:
    """Gather what a notice of this rung says."""
    at = standing(file, now)
    claim = Claim(about, rung, due or at.due[about])
    return gather(file, at, Tell(claim, "MER"), {**library().parties, **some_parties()})


def a_chase() -> Facts:
    """Return the facts of a chase on its second rung."""
    return facts_of(an_example(), NOW, "L2", "PP_MEET")


def a_decision() -> Facts:
    """Return the facts of an alarm: the credit's latest shipment date is broken."""
    return facts_of(an_example(), NOW, "L4", "LC_44C", BROKEN)


def a_digest() -> list[DigestLine]:
    """Return the lines of somebody's morning, two days later."""
    chase, calm = an_example(), cutting_is_done()
    return [
        *(DigestLine(facts_of(with_number(calm, f"SO-26-{n:04}"), MORNING, "L1", "INSURED")) for n in range(418, 422)),
        DigestLine(facts_of(chase, MORNING, "R0", "TRIM_IN")),
        DigestLine(facts_of(chase, MORNING, "L3", "PP_MEET"), repeated=True),
        DigestLine(facts_of(chase, MORNING, "L4", "LC_44C", BROKEN)),
    ]


def with_number(file: OrderFile, order_no: str) -> OrderFile:
    """Return the same file under another order number."""
    return replace(with_terms(file), order=file.order.model_copy(update={"order_no": order_no}))


def pictures() -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Yield each picture's name, page and size."""
    for language in Language:
        yield f"mail-{language}", compose(a_chase(), [language]).html, DESKTOP
    for name, scheme in (("phones", "light"), ("phones-dark", "dark")):
        yield name, phones([compose(a_chase(), [language]) for language in Language], scheme), (1200, 705)
    yield "chat", chat([compose(a_chase(), [language]) for language in Language]), (1200, 460)
    yield "decision", compose(a_decision(), [Language.EN]).html, (1000, 640)
    yield "decision-phones", phones([compose(a_decision(), [language]) for language in Language]), (1200, 705)
    yield "digest", digest([Language.EN, Language.ZH_HANT]).html, (1000, 1150)
    yield "digest-phones", phones([digest([language]) for language in Language]), (1200, 705)


def digest(languages: Sequence[Language]) -> Message:
    """Compose the digest of the pictures."""
    return compose_digest("Mei Lin", a_digest(), languages, MORNING, held=2)


def phones(messages: Sequence[Message], scheme: str = "light") -> str:
    """Put mails side by side, each on the screen of a phone as it is opened."""
    width, height = PHONE
    screens = "".join(
        f'<iframe srcdoc="{html.escape(message.html)}" width="{width}" height="{height}"'
        ' style="border:1px solid #888;border-radius:18px;margin:8px;background:#fff"></iframe>'
        for message in messages
    )
    ground = "#0b0c0e" if scheme == "dark" else "#d8dce1"
    return (
        f'<!doctype html><html style="color-scheme:{scheme}"><meta charset="utf-8">'
        f'<body style="margin:0;padding:8px;background:{ground};display:flex">{screens}'
    )


def chat(messages: Sequence[Message]) -> str:
    """Show the short form of messages as bubbles of a chat."""
    bubbles = "".join(
        '<div style="flex:1;background:#fff;border-radius:10px;padding:12px 14px;margin:8px;white-space:pre-wrap;'
        f'overflow-wrap:anywhere;align-self:flex-start"><b>{html.escape(message.subject)}</b>\n'
        f"{html.escape(message.short)}</div>"
        for message in messages
    )
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0;padding:8px;background:#e9ebee;display:flex;'
        f"font:14px/1.5 Arial,'Noto Sans CJK SC',sans-serif\">{bubbles}"
    )


def take(page: str, size: tuple[int, int], file: Path, *, dark: bool) -> None:
    """Render a page in Chromium. Raises subprocess.CalledProcessError where it fails."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, "utf-8")
        dark_too = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
                *dark_too,
                f"--user-data-dir={folder}/profile",
                f"--window-size={size[0]},{size[1]}",
                f"--screenshot={file}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main(folder: Path) -> None:
    """Take all pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page, size in pictures():
        file = folder / f"{name}.png"
        take(page, size, file.resolve(), dark=name.endswith("dark"))
        if file.stat().st_size > LIMIT:
            raise SystemExit(f"{file} has {file.stat().st_size} bytes: more than {LIMIT}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
