"""What people fill in: forms, answers, the options of commands, settings; and what robots answer to us."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import requests
from prefect.exceptions import ParameterTypeError

from flows import report_milestone as form
from gendan.cli.typed import day_of, days_of, made, moment_of, quantity_of, tolerance_of
from models.accepting.accept import check_entry, check_report
from models.accepting.answers import DECISIONS
from models.book.changes import (
    Amendment,
    Booking,
    Cancellation,
    CreditAdvised,
    CustomsReceipt,
    Followed,
    Hold,
    Reschedule,
    Resume,
    Split,
)
from models.book.entry import Entry
from models.book.order_file import OrderFile
from models.book.report import Acknowledgement, LogLine, NotMine, Problem, Promise, Report, Withdrawal
from models.errors import GendanError, Refused
from models.moments import parse_moment
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from notifications.answer import judge
from tasks.answers import DATES, FAILED, NOT_MINE, PROBLEM, TAKEN_ON, entry_from
from tasks.library import library
from tasks.logbook import Placed, Recorded
from tasks.settings import read_settings
from tests.factories import an_order
from tests.fuzz.hostile import hurt_text, value, word
from tests.fuzz.target import Read, Target

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def some_files() -> list[OrderFile]:
    """Return orders of two kinds in different places: just come in, in production, on hold, cancelled."""
    return [file for code in ("EAD", "container-export") for file in _some_files(code)]


def _some_files(code: str) -> list[OrderFile]:
    shelf = library()
    template = shelf.templates[code]
    order = an_order(
        order_no="SO-1",
        placed_at=NOW - timedelta(days=60),
        came_in=NOW - timedelta(days=60),
        etd=NOW.date() + timedelta(30),
    )
    new = OrderFile(order=order, template=template, policy=shelf.policies[template.policy], calendars=shelf.calendars)
    at = NOW - timedelta(days=20)
    reached = [
        Report(seq=number, recorded_at=at, milestone=code, occurred_at=at)
        for number, code in enumerate(template.codes[:6], start=1)
    ]
    busy = new.told(*reached)
    return [
        new,
        busy,
        busy.told(Hold(seq=7, recorded_at=at)),
        busy.told(Cancellation(seq=7, recorded_at=at)),
    ]


def untouched(file: OrderFile, read: Callable[[], Entry]) -> None:
    """Check an entry; whatever comes of it, the order's file is what it was."""
    before = _as_it_is(file)
    try:
        check_entry(file, read(), NOW)
    finally:
        assert _as_it_is(file) == before, "the order's file was changed"


def _as_it_is(file: OrderFile) -> str:
    # Without its terms, which are the library's: writing them out takes longer than reading an input.
    return repr((file.order, file.entries, file.shown, file.closed_as))


# --- dates and the options of commands


def moments(folder: Path) -> Read:
    good = ("2026-11-20", "2026-11-20T10:00:00+08:00", "2026-11-20 10:00Z", "1990-01-01", "2100-12-31T23:59:59.999Z")
    return lambda chance: parse_moment(
        hurt_text(chance, chance.choice(good), 2) if chance.random() < 0.7 else word(chance)
    )


def options(folder: Path) -> Read:
    readers: Mapping[Callable[[str, str], Any], str] = {
        moment_of: "2026-11-20T10:00+08:00",
        day_of: "2026-11-20",
        days_of: "2026-11-20..2026-12-01",
        quantity_of: "1200.5",
        tolerance_of: "-3/+5",
    }

    def one(chance: Random) -> None:
        read, good = chance.choice(list(readers.items()))
        read("--option", hurt_text(chance, good, 2) if chance.random() < 0.7 else word(chance))

    return one


# --- the Resume form, and the form report-milestone


def resume_form(folder: Path) -> Read:
    files = some_files()

    def one(chance: Random) -> None:
        file = chance.choice(files)
        answer: dict[str, Any] = {
            "milestone": chance.choice([f"{code} of it" for code in file.template.codes] + list(DECISIONS)),
            "answer": chance.choice((DATES, TAKEN_ON, PROBLEM, NOT_MINE, None)),
            "happened_at": chance.choice((None, "2026-11-25T10:00:00Z", "2026-11-25")),
            "promised": chance.choice((None, None, "2026-12-20T10:00:00+08:00")),
            "outcome": chance.choice((None, FAILED)),
            "quantity": chance.choice((None, 100)),
            "to": chance.choice(("", "", "LOG Shipping")),
            "note": "late",
            "etd": chance.choice((None,) * 9 + ("2027-02-01",)),
        }
        for _ in range(chance.randint(0, 2)):
            answer[chance.choice(list(answer))] = value(chance)
        untouched(file, lambda: entry_from(answer, "run/1")(file, NOW))

    return one


def report_form(folder: Path) -> Read:
    files = some_files()
    file = files[0]

    async def record_report(order_no: str, make: Callable[[Placed], Report | Withdrawal]) -> Recorded:
        placed = Placed(file.order, file.template, file.policy, file.calendars, NOW, is_split=False)
        report = make(placed)
        check_report(file.order, file.template, report, NOW)
        untouched(file, lambda: report)
        return Recorded(1, "")

    async def record_entry(order_no: str, make: Callable[[OrderFile, datetime], Entry]) -> Recorded:
        untouched(file, lambda: make(file, NOW))
        return Recorded(1, "")

    def one(chance: Random) -> None:
        nonlocal file
        file = chance.choice(files)
        given: dict[str, Any] = {
            "order_no": "SO-1",
            "milestone": chance.choice(file.template.codes),
            "happened_at": chance.choice((None, "2026-11-25T10:00:00Z")),
            "classifier": chance.choice(("ACT", "ACT", "EST", "PLN")),
            "outcome": chance.choice(("done", "done", "failed", "started")),
            "quantity": chance.choice((None, 3600)),
            "note": "late",
            "source": chance.choice(("", "erp")),
            "source_event_id": chance.choice(("", "e-1")),
            "answer": chance.choice(("report", "report", "ack", "promise", "problem", "not-mine")),
            "promised_for": chance.choice((None, None, "2026-12-20T10:00:00+08:00")),
            "to": chance.choice(("", "LOG")),
        }
        if given["answer"] != "report" and chance.random() < 0.7:
            given |= {"happened_at": None, "classifier": "ACT", "outcome": "done", "quantity": None}
            given |= {"source": "", "source_event_id": ""}
        for _ in range(chance.randint(0, 2)):
            given[chance.choice([*given, "round", "reopens", "retracts", "by", "approved_by"])] = value(chance)
        try:
            checked = form.report_milestone.validate_parameters(given)
        except ParameterTypeError as refused:  # Prefect's own words, before anything of ours is asked
            raise Refused("Not accepted: a field does not fit the form.") from refused
        with (
            patch.object(form, "record_report", record_report),
            patch("tasks.answering.record_entry", record_entry),
        ):
            _run(form.report_milestone.fn(**checked))

    return one


def _run(form: Coroutine[Any, Any, Any]) -> None:
    # It waits for nothing but what stands in for the order book, which answers at once: no loop is needed.
    try:
        form.send(None)
    except StopIteration:
        return
    raise RuntimeError("the form waits for something")


# --- what commands make of their options


def entries(folder: Path) -> Read:
    files = some_files()

    def text(chance: Random) -> str:
        return word(chance) if chance.random() < 0.3 else "note"

    def instant(chance: Random) -> datetime:
        return NOW + timedelta(seconds=chance.randint(-(10**8), 10**8))

    def number(chance: Random) -> Any:
        return chance.choice((1, 100, 3600, 0, -1, 1e308, float("nan"), float("inf"), "x", None))

    def code(chance: Random, file: OrderFile) -> str:
        return word(chance) if chance.random() < 0.2 else chance.choice((*file.template.codes, *DECISIONS))

    def make(chance: Random, file: OrderFile) -> Entry:
        line: dict[str, Any] = {"recorded_at": NOW, "by": text(chance), "note": text(chance)}
        step = code(chance, file)
        makers: tuple[Callable[[], LogLine], ...] = (
            partial(Acknowledgement, **line, milestone=step),
            partial(Problem, **line, milestone=step),
            partial(NotMine, **line, milestone=step, to=chance.choice(("", "LOG", word(chance)))),
            partial(Promise, **line, milestone=step, promised=instant(chance), approved_by=text(chance)),
            partial(Report, **line, milestone=step, occurred_at=instant(chance), quantity=number(chance)),
            partial(Withdrawal, **line, milestone=step, corrects=chance.choice((None, 1, 3, 99, -1, 2**70))),
            partial(Hold, **line, until=chance.choice((None, instant(chance).date()))),
            partial(Resume, **line),
            partial(Cancellation, **line),
            partial(Followed, **line),
            partial(Reschedule, **line, etd=chance.choice((instant(chance), instant(chance).date(), text(chance)))),
            partial(
                Booking,
                **line,
                etd=instant(chance),
                vessel=text(chance),
                cutoffs={chance.choice(("SI", "CY", "VGM", text(chance))): instant(chance)},
                sails_every=chance.choice((None, 7, 0, 10**9)),
            ),
            partial(
                CreditAdvised,
                **line,
                credit=partial(
                    Credit,
                    expiry=instant(chance).date(),
                    latest_shipment=chance.choice((None, instant(chance).date())),
                    presentation_days=chance.choice((None, 15, 0, -3, 10**6)),
                ),
            ),
            partial(
                CustomsReceipt,
                **line,
                letter=text(chance),
                state=chance.choice(list(CustomsState)),
                occurred_at=instant(chance),
                declaration=text(chance),
            ),
            partial(
                Amendment,
                **line,
                quantity=number(chance),
                etd=chance.choice((None, instant(chance))),
                ship_by=chance.choice((None, instant(chance).date())),
                undoes=chance.choice(((), (step,), (text(chance),))),
            ),
            partial(
                Split,
                **line,
                lots=[
                    {"order_no": f"SO-1/{text(chance)[:9]}", "quantity": number(chance), "etd": instant(chance).date()}
                    for _ in range(chance.randint(0, 3))
                ],
            ),
        )
        chosen = chance.choice(makers)
        nested = chosen.keywords.get("credit")  # type: ignore[attr-defined]
        if nested is not None:
            return chosen(credit=nested())  # type: ignore[call-arg, return-value]
        return chosen()  # type: ignore[return-value]

    def one(chance: Random) -> None:
        file = chance.choice(files)
        untouched(file, lambda: made("SO-1", lambda: make(chance, file)))

    return one


# --- settings, and what robots answer


def environment(folder: Path) -> Read:
    def one(chance: Random) -> None:
        given: dict[str, Any] = {
            "home": str(folder),
            "port": "4210",
            "host": "127.0.0.1",
            "language": chance.choice(("en", "zh-Hans")),
            "pool": "gendan",
            "worker_limit": "8",
            "database_url": "postgresql://a:s3cr3t@127.0.0.1/gendan",
        }
        for _ in range(chance.randint(0, 2)):
            given[chance.choice(list(given))] = word(chance)
        try:
            read_settings(**given)
        except GendanError as refused:
            if "s3cr3t" in str(refused):
                raise RuntimeError("a password was repeated") from None
            raise

    return one


def answers_of_robots(folder: Path) -> Read:
    schemas = ("wecombot", "dingtalk", "feishu", "slack", "tgram", "mailto", "workflows")

    def heard(chance: Random) -> requests.Response | OSError:
        match chance.randrange(6):
            case 0:
                code = chance.choice((0, 250, 421, 451, 550, 554, 999, -1))
                return smtplib.SMTPRecipientsRefused({word(chance): (code, word(chance).encode("utf-8", "replace"))})
            case 1:
                return smtplib.SMTPResponseException(chance.choice((421, 535, 550)), word(chance))
            case 2:
                return chance.choice((TimeoutError(), ConnectionResetError(), OSError(word(chance))))
            case _:
                response = requests.Response()
                response.status_code = chance.choice((200, 200, 204, 302, 400, 401, 404, 408, 429, 500, 503, 999))
                body = {
                    chance.choice(("errcode", "code", "ok", "parameters", word(chance))): value(chance),
                    "errcode": chance.choice((0, 45009, 130101, 11232, -1, 310000, value(chance))),
                    "errmsg": value(chance),
                    "parameters": chance.choice(({"retry_after": value(chance)}, value(chance))),
                }
                text = json.dumps(body) if chance.random() < 0.8 else word(chance)
                response._content = hurt_text(chance, text, 1).encode("utf-8", "replace")
                response.headers["Retry-After"] = word(chance)
                return response

    def one(chance: Random) -> None:
        answer = judge(
            chance.choice(schemas), chance.random() < 0.5, [heard(chance) for _ in range(chance.randint(0, 3))], 20.0
        )
        assert 0 <= answer.wait <= 3600, answer

    return one


TARGETS = (
    Target("dates and times", moments),
    Target("options of commands", options),
    Target("Resume form", resume_form),
    Target("report-milestone form", report_form),
    Target("answers and changes", entries),
    Target("settings", environment),
    Target("answers of robots", answers_of_robots, refuses=False),
)
