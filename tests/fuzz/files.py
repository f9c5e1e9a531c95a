"""The files that people bring: tables, workbooks, the library, channels, holiday lists, backups."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from openpyxl import Workbook

from gendan.backups.archive import ORDERS, Manifest, reading, writing
from models.accepting.intake import ORDER_NEEDS, REPORT_NEEDS, RowRefused, order_from, order_no_of, told_from
from models.errors import LibraryError
from notifications.channels_file import read as read_channels
from tasks.calendar_lists import read_lists
from tasks.choosing import template_for
from tasks.intake import table_of
from tasks.library import BUNDLED, _coded, _read_layer, library
from tasks.library_calendars import read_calendars
from tasks.library_customs import read_letters
from tasks.library_entries import read_catalogue, read_customer, read_party, read_policy, read_template
from tasks.library_people import read_people
from tasks.marked_yaml import Marked, read_marked
from tasks.spreadsheets import read_rows
from tests import notices
from tests.fuzz.hostile import hurt_bytes, hurt_lines, hurt_text, in_bytes, word
from tests.fuzz.target import Read, Target

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
PLACED = datetime(2026, 9, 1, tzinfo=UTC)
Rows = Sequence[Sequence[str]]

ORDER_ROWS: Rows = (
    ("order_no", "kind", "template", "customer", "placed_at", "etd", "quantity", "unit", "merchandiser", "tolerance",
     "ship_window", "value", "currency", "tier", "first_order", "without", "follow_to", "cancel_after", "season"),
    ("SO-1", "export", "", "ACME", "2026-09-01", "2027-01-20", "3600", "pcs", "mei", "-3/+5", "2027-01-10..2027-01-20",
     "12000", "USD", "A", "yes", "", "", "2027-02-01", "AW26"),
    ("P-2", "prospect", "PROSPECT", "Harbour & Pine", "2026-11-20T09:00:00+08:00", "", "", "", "", "", "", "", "", "",
     "", "", "", "", ""),
)  # fmt: skip
REPORT_ROWS: Rows = (
    ("order_no", "milestone", "occurred_at", "recorded_at", "classifier", "quantity", "source", "source_event_id",
     "equipment", "note", "outcome", "round", "retracts", "mill"),
    ("SO-1", "FAB_IN", "2026-11-20", "2026-11-21T10:00:00Z", "ACT", "120.5", "erp", "e-1", "MSKU1", "all colours", "",
     "", "", "Huaxing"),
    ("SO-1", "FRI_PASS", "2026-11-24T10:00:00+08:00", "", "ACT", "", "qc", "e-2", "", "", "failed", "2", "", ""),
)  # fmt: skip


# --- tables


def hurt_rows(chance: Random, rows: Rows) -> list[list[str]]:
    """Put hostile words into cells; take columns and rows out, double them, change their order."""
    hurt = [list(row) for row in rows]
    for _ in range(chance.randint(0, 3)):
        row = chance.randrange(0 if chance.random() < 0.2 else 1, len(hurt)) if len(hurt) > 1 else 0
        if hurt[row]:
            hurt[row][chance.randrange(len(hurt[row]))] = word(chance)
    if chance.random() < 0.1:
        column = chance.randrange(len(rows[0]))
        for line in hurt:
            del line[column : column + 1]
    if chance.random() < 0.1:
        hurt.insert(chance.randrange(len(hurt) + 1), list(chance.choice(hurt)))
    if chance.random() < 0.05:
        chance.shuffle(hurt)
    if chance.random() < 0.05:
        hurt[chance.randrange(len(hurt))].append(word(chance))
    return hurt


def as_csv(chance: Random, rows: Rows) -> str:
    def cell(text: str) -> str:
        quoted = chance.random() < 0.02 or any(sign in text for sign in ',"\r\n')
        return f'"{text.replace(chr(34), chr(34) * 2)}"' if quoted else text

    separator = "," if chance.random() < 0.95 else chance.choice(";\t|")
    text = "\n".join(separator.join(cell(one) for one in row) for row in rows) + "\n"
    return hurt_text(chance, text, 2) if chance.random() < 0.1 else text


def read_orders(rows: Any) -> None:
    shelf = library()
    refusal: RowRefused | None = None
    for row in rows:
        try:
            if isinstance(row, RowRefused):
                raise row
            order_from(row, now=NOW, choose=partial(template_for, shelf), calendars=shelf.calendars)
        except RowRefused as refused:
            refusal = refused
    if refusal is not None:
        raise refusal


def read_reports(rows: Any) -> None:
    shelf = library()
    template = shelf.templates["AFS"]
    calendar = shelf.calendars[template.calendar]
    refusal: RowRefused | None = None
    for row in rows:
        try:
            if isinstance(row, RowRefused):
                raise row
            order_no_of(row)
            told_from(row, now=NOW, order_calendar=calendar, placed_at=PLACED, codes=template.codes)
        except RowRefused as refused:
            refusal = refused
    if refusal is not None:
        raise refusal


def csv_target(name: str, rows: Rows, read: Callable[[Any], None], needs: Sequence[str]) -> Target:
    def make(folder: Path) -> Read:
        file = folder / "table.csv"

        def one(chance: Random) -> None:
            file.write_bytes(in_bytes(chance, as_csv(chance, hurt_rows(chance, rows))))
            read(read_rows(file, needs))

        return one

    return Target(name, make)


def pasted(folder: Path) -> Read:
    return lambda chance: read_orders(table_of(as_csv(chance, hurt_rows(chance, ORDER_ROWS))))


# --- workbooks


def _book(rows: Rows) -> dict[str, bytes]:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    held = io.BytesIO()
    book.save(held)
    with zipfile.ZipFile(held) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def hurt_book(chance: Random, parts: Mapping[str, bytes]) -> bytes:
    """Hurt the parts inside the container, or the container itself."""
    chosen = dict(parts)
    for _ in range(chance.randint(0, 2)):
        name = chance.choice([*chosen, "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
        if name not in chosen:
            continue
        match chance.randrange(8):
            case 0:
                del chosen[name]
            case 1:
                chosen[name] = hurt_bytes(chance, chosen[name], 2)
            case 2:
                chosen[name] = chosen[name].replace(b"</c>", f"</c>{_cell(chance)}".encode("utf-8", "replace"), 1)
            case _:
                text = chosen[name].decode("utf-8", "replace")
                at = text.find(">", chance.randrange(len(text) + 1)) + 1
                filled = word(chance).replace("&", "&amp;").replace("<", "&lt;")
                chosen[name] = (text[:at] + filled + text[at:]).encode("utf-8", "replace")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in chosen.items():
            archive.writestr(name, data)
    whole = held.getvalue()
    return hurt_bytes(chance, whole, 2) if chance.random() < 0.1 else whole


def _cell(chance: Random) -> str:
    return chance.choice(
        (
            '<c r="C2" t="b"><v>1</v></c>',
            '<c r="B2" t="e"><v>#REF!</v></c>',
            '<c r="D2"><f>NOW()</f></c>',
            '<c r="D2" s="9"><v>45000.5</v></c>',
            '<c r="XFD1048576"><v>1</v></c>',
            '<c r="A0"><v>1e400</v></c>',
            '<c r="??" t="s"><v>999999</v></c>',
            '<c r="E2" t="d"><v>2026-13-01</v></c>',
            '<c r="E2"><v>-1</v></c>',
        )
    )


def workbooks(folder: Path) -> Read:
    file = folder / "table.xlsx"
    orders, reports = _book(ORDER_ROWS), _book(REPORT_ROWS)

    def one(chance: Random) -> None:
        if chance.random() < 0.5:
            file.write_bytes(hurt_book(chance, orders))
            read_orders(read_rows(file, ORDER_NEEDS))
        else:
            file.write_bytes(hurt_book(chance, reports))
            read_reports(read_rows(file, REPORT_NEEDS))

    return one


# --- the library, channels, holiday lists


def _examples(*names: str) -> list[str]:
    return [(BUNDLED / name).read_text("utf-8") for name in names]


LIBRARY: Mapping[str, Sequence[str]] = {
    "people": (
        "wang:\n  name: 王小明\n  languages: [zh-Hans, en]\n  roles: [MER]\n  calendar: cn-office\n"
        "  quiet: 20:00-08:30\n"
        "  digests: 08:30, 13:30\n  budget: 12\n  substitutes:\n    - {from: 2026-12-21, to: 2026-12-31, by: chan}\n"
        "chan: {name: 陳小姐, languages: [zh-Hant, en]}\n",
    ),
    "customers": ("ACME: {name: Acme Outdoor Inc., calendar: us-office, tolerance: -3/+5, tier: A}\n",),
    "parties": ("MILL2: {name: {en: Mill, zh_hans: 厂, zh_hant: 廠}, calendar: cn-factory, internal: false}\n",),
    "customs": ("'Q': {state: LODGED, name: {en: Got, zh_hans: 已收, zh_hant: 已收}, takes: [1, 3]}\n",),
    "policies": _examples("policies/prospect.yaml", "policies/standard.yaml"),
    "calendars": [
        "code: mine\nlike: cn-office\nname: {en: Mine, zh_hans: 我, zh_hant: 我}\nweekend: [7]\n"
        "closed:\n- {from: 2027-01-28, to: 2027-02-20}\ncapacity:\n- {from: 2027-02-21, to: 2027-03-06, factor: 0.5}\n"
    ],
    "templates": _examples("templates/PROSPECT.yaml", "templates/container-export.yaml"),
}


def library_files(folder: Path) -> Read:
    shelf = library()
    layer = _read_layer(BUNDLED)
    catalogue = read_catalogue(layer["milestones"], shelf.parties)

    def take(kind: str, entries: dict[str, Marked]) -> None:
        match kind:
            case "people":
                read_people(entries, shelf.parties, shelf.calendars)
            case "customers":
                for code, marked in entries.items():
                    read_customer(code, marked, shelf.calendars)
            case "parties":
                for code, marked in entries.items():
                    read_party(code, marked, shelf.calendars)
            case "customs":
                read_letters(entries)
            case "policies":
                for marked in entries.values():
                    read_policy(marked, shelf.parties)
            case "calendars":
                read_calendars([layer["calendars"], entries])
            case _:
                for marked in entries.values():
                    read_template(marked, catalogue, shelf.parties, shelf.calendars, shelf.policies)

    def one(chance: Random) -> None:
        # the small ones more often: they take a tenth of the time
        kind = chance.choice([*LIBRARY, *(["people", "customers", "parties", "customs"] * 3)])
        file = folder / f"{kind}.yaml"
        text = hurt_lines(chance, chance.choice(LIBRARY[kind]))
        file.write_bytes(in_bytes(chance, hurt_text(chance, text, 2) if chance.random() < 0.5 else text))
        entries: dict[str, Marked] = {}
        for code, marked in _coded(kind, read_marked(file)):
            entries[code] = marked
        take(kind, entries)

    return one


CHANNELS = (
    "urls:\n  - mailtos://user:password@example.com:\n      - tag: MER, mei.lin, admin\n"
    "  - wecombot://abcd1234-ab12-ab12-ab12-abcd1234abcd:\n      - tag: PROD\n        overflow: split\n"
    "  - json://127.0.0.1:9/?rto=3:\n      - tag: 2:GM\n      - tag: SALES\n",
    "urls: json://127.0.0.1:9\n",
)


def channels(folder: Path) -> Read:
    file = folder / "channels.yaml"

    def one(chance: Random) -> None:
        text = hurt_lines(chance, chance.choice(CHANNELS))
        file.write_bytes(in_bytes(chance, hurt_text(chance, text, 2)))
        found = read_channels(file)
        if found.problems:
            raise LibraryError(str(file), None, "; ".join(found.problems))

    return one


HOLIDAYS = (
    notices.as_csv(notices.a_list()),
    notices.as_yaml(notices.a_list()),
    json.dumps(
        [
            {
                "year": 2027,
                "holidays": sorted(map(str, notices.a_list().holidays)),
                "workdays": sorted(map(str, notices.a_list().workdays)),
            }
        ],
        indent=1,
    ),
)


def holiday_lists(folder: Path) -> Read:
    def one(chance: Random) -> None:
        which = chance.randrange(3)
        file = folder / ("list.csv", "list.yaml", "list.json")[which]
        text = hurt_lines(chance, HOLIDAYS[which])
        file.write_bytes(in_bytes(chance, hurt_text(chance, text, 2) if chance.random() < 0.5 else text))
        read_lists(file, "CN" if chance.random() < 0.9 else word(chance))

    return one


# --- backups


def backups(folder: Path) -> Read:
    whole = folder / "whole.backup"
    with writing(whole, replace=True) as archive:
        archive.add(ORDERS, lambda take: take(b"PGDMP" * 200), server=18, pg_dump=18, revision="0003")
        archive.seal(
            Manifest(made_at=NOW, gendan="0.1.0", prefect="3.8.8", orders=2, followed=1, entries=3, parts=archive.parts)
        )
    data = whole.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive_:
        parts = {name: archive_.read(name) for name in archive_.namelist()}
    file = folder / "hurt.backup"

    def one(chance: Random) -> None:
        match chance.randrange(3):
            case 0:
                hurt = hurt_bytes(chance, data)
            case 1:
                hurt = hurt_book(chance, parts)
            case _:
                manifest = hurt_text(chance, parts["manifest.json"].decode(), 2)
                held = io.BytesIO()
                with zipfile.ZipFile(held, "w") as made:
                    for name, content in parts.items():
                        made.writestr(name, manifest.encode("utf-8", "replace") if name == "manifest.json" else content)
                hurt = held.getvalue()
        file.write_bytes(hurt)
        with reading(file) as archive:
            for name in archive.manifest.parts:
                archive.open(name).close()

    return one


TARGETS = (
    csv_target("orders, CSV", ORDER_ROWS, read_orders, ORDER_NEEDS),
    csv_target("reports, CSV", REPORT_ROWS, read_reports, REPORT_NEEDS),
    Target("orders, pasted into the form", pasted),
    Target("orders and reports, XLSX", workbooks),
    Target("library, YAML", library_files),
    Target("channels.yaml", channels),
    Target("holiday lists", holiday_lists),
    Target("backups", backups),
)
