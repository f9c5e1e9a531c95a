"""What is wrong, and what to do about it: the database, Prefect, the worker, the channels, the calendars."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING
from sqlalchemy.exc import SQLAlchemyError

from gendan.calls import calling, shown, shut
from gendan.house import House, running_urls
from gendan.password import OF_CLIENTS, password
from models.errors import GendanError
from models.planning.plan import Calendars
from models.terms.party import Person
from models.terms.policy import OWNER
from notifications.channels import ALWAYS, Channels
from tasks import database
from tasks.automations import ADMIN, nobody_is_told
from tasks.calendar_lists import calendars_in_force
from tasks.clock import now
from tasks.follow_ups import awake_too_long, count_followed
from tasks.library import Library, load_library
from tasks.message_lists import list_messages
from tasks.schema import check_schema
from tasks.settings import Settings
from tasks.waking import DEPLOYMENTS, STUCK

SEEN_LATELY = timedelta(minutes=2)
RUNS_OUT = timedelta(days=120)
"""An order is planned about four months ahead."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    words: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing that is wrong keeps the rest from being looked at."""
    urls = running_urls(House(settings.home))
    if settings.database_url is not None:
        os.environ[database.URL] = settings.database_url.get_secret_value()
    elif urls is not None:
        os.environ[database.URL] = urls.database_url
    findings: list[Finding] = []

    async def look(what: str, at: Callable[[], Awaitable[list[Finding]]]) -> None:
        try:
            findings.extend(await at())
        except (GendanError, httpx.HTTPError, OSError) as error:
            findings.append(Finding(what, False, str(error) or type(error).__name__))

    api_url = os.environ.get("PREFECT_API_URL") or (urls.api_url if urls else "")
    await look("database", _database)
    await look("orders", _orders)
    await look("prefect", lambda: _prefect(api_url, settings))
    await look("library", lambda: _library(settings))
    await look("channels", lambda: _channels(settings))
    await database.close()
    return findings


async def _database() -> list[Finding]:
    trouble = check_schema(database.database_url())
    return [Finding("database", trouble is None, trouble or "reached, in this release's form")]


async def _orders() -> list[Finding]:
    stuck = await awake_too_long(STUCK)
    waiting = await list_messages(failed=True)
    followed = await count_followed()
    return [
        Finding(
            "orders",
            not stuck,
            f"{len(stuck)} wake-ups are overdue ({', '.join(o.order_no for o in stuck[:5])}): is the worker running?"
            if stuck
            else f"{followed} followed, none stuck",
        ),
        Finding(
            "messages",
            not waiting,
            f"{len(waiting)} could not be sent yet: see `gendan messages list --failed`"
            if waiting
            else "none is waiting in vain",
        ),
    ]


async def _prefect(api_url: str, settings: Settings) -> list[Finding]:
    if not api_url:
        return [Finding("prefect", False, f"no Gendan runs in {settings.home}: start it with `gendan up`")]
    # a profile of Prefect's may name it too
    secret = password(os.environ) or PREFECT_API_AUTH_STRING.value()
    with calling({"PREFECT_API_URL": api_url, **({OF_CLIENTS: secret} if secret else {})}):
        try:
            return await _looked_at(api_url, settings)
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            words = shut(api_url, secret) if status in (401, 403) else f"{shown(api_url)} answers HTTP {status}"
            return [Finding("prefect", False, words)]


async def _looked_at(api_url: str, settings: Settings) -> list[Finding]:
    async with get_client() as client:
        trouble = await client.api_healthcheck()
        if trouble is not None:
            return [Finding("prefect", False, f"{shown(api_url)} does not answer: start it with `gendan up`")]
        findings = [Finding("prefect", True, f"answers at {shown(api_url)}")]
        names = {f"{d.name}" for d in await client.read_deployments()}
        following = {deployment.rpartition("/")[2] for deployment in DEPLOYMENTS.values()}
        missing = sorted({*following, "keep-watch", "tidy-up", "report-milestone", "register-orders"} - names)
        findings.append(
            Finding(
                "deployments",
                not missing,
                f"missing: {', '.join(missing)}; run `prefect deploy --all`"
                if missing
                else f"all there ({', '.join(DEPLOYMENTS.values())})",
            )
        )
        workers = await client.read_workers_for_work_pool(settings.pool) if not missing else []
        seen = [w for w in workers if w.last_heartbeat_time and now() - w.last_heartbeat_time < SEEN_LATELY]
        findings.append(
            Finding(
                "worker",
                bool(seen),
                f"{', '.join(w.name for w in seen)} at work on pool {settings.pool}"
                if seen
                else f"none has been seen on pool {settings.pool} for {SEEN_LATELY}: "
                f"start one with `prefect worker start --type gendan --pool {settings.pool}`",
            )
        )
        return findings


async def _library(settings: Settings) -> list[Finding]:
    library = load_library(settings.library)
    findings = [Finding("library", True, f"{len(library.templates)} templates: {', '.join(sorted(library.templates))}")]
    horizon = now() + RUNS_OUT
    calendars = await _calendars(library)
    ending: dict[str, int] = {}
    for calendar in calendars.values():
        if calendar.published is not None and calendar.is_provisional(calendar.local_date(horizon)):
            ending.setdefault(calendar.official or calendar.code, max(calendar.published))
    for official, year in ending.items():
        findings.append(
            Finding(
                f"holidays {official}",
                False,
                f"the official list ends with {year}, and orders are planned until {_month(horizon)}: later dates are "
                "estimates, and marked so. When the notice is out, load it: `gendan calendar import FILE`",
            )
        )
    return findings


async def _calendars(library: Library) -> Calendars:
    """Return the calendars with the lists that were loaded; without a database those of the library."""
    try:
        async with database.transaction() as connection:
            return await calendars_in_force(connection)
    except (GendanError, SQLAlchemyError):
        return library.calendars  # said already, where the database is looked at


def _month(instant: datetime) -> str:
    return instant.strftime("%b %Y")


async def _channels(settings: Settings) -> list[Finding]:
    channels = Channels.from_file(settings.channels)
    library = load_library(settings.library)
    findings = [Finding("channels", False, problem) for problem in channels.check()]
    findings += [Finding("channels", False, words) for words in unreached(library, channels.tags, settings.channels)]
    findings += [Finding("channels", False, words) for words in open_to_others(channels.files)]
    if not channels.tags & {ADMIN, ALWAYS}:
        findings.append(Finding("watch", False, nobody_is_told(settings.channels)))
    return findings or [Finding("channels", True, f"everybody is reached ({settings.channels})")]


def open_to_others(files: Collection[Path]) -> list[str]:
    """Return which of these files, that hold passwords, every user of this machine may read, and what to do."""
    return [
        f"{file}: every user of this machine can read these addresses: `chmod o-rwx {shlex.quote(str(file))}`"
        for file in files
        if _lets(file, stat.S_IROTH) and all(_lets(folder, stat.S_IXOTH) for folder in file.parents)
    ]


def _lets(path: Path, bit: int) -> bool:
    try:
        return bool(path.stat().st_mode & bit)
    except OSError:
        return False  # not there: told where the file is read


def unreached(library: Library, tags: Collection[str], file: Path) -> list[str]:
    """
    Return who is not reached by any of the `tags` of the channels `file`, and what to add there.

    A person is reached by his code or by any of his roles. The mailboxes of roles that nobody is told as need none.
    """
    if ALWAYS in tags:
        return []
    people = [person for code in library.people if (person := library.person(code)).code == code]
    named = [person for person in people if person.code not in library.parties]
    # Roles that a named person fills are looked at with him.
    told = {code: library.filled_by(code) for code in told_roles(library)}
    mailboxes = sorted(code for code, person in told.items() if person not in named and not _is_reached(person, tags))
    words = [
        f"{file}: no address reaches {person.name} ({person.code}): add one with the tag "
        f"{' or '.join(tag.lower() for tag in (person.code, *person.roles))}"
        for person in named
        if not _is_reached(person, tags)
    ]
    if mailboxes:
        words.append(
            f"{file}: nobody is reached as {', '.join(mailboxes)}: add an address with each as its tag, such as "
            f"{mailboxes[0].lower()}, or name people who fill these roles in people.yaml"
        )
    return words


def _is_reached(person: Person, tags: Collection[str]) -> bool:
    return any(tag.lower() in tags for tag in (person.code, *person.roles))


def told_roles(library: Library) -> set[str]:
    """Return the roles of our own that some policy of the library tells of a stall or a deadline."""
    roles: set[str] = set()
    for policy in library.policies.values():
        roles |= {role for rung in policy.rungs for role in rung.told} | set(policy.reminders.told)
        roles |= {role for tick in policy.clock for role in tick.told}
        roles |= set(policy.alarm.told) if policy.alarm is not None else set()
        roles |= {role for waiting in policy.waiting_on.values() for role in waiting.instead.values()}
        roles |= {role for instead in policy.heads.values() for role in instead.values()}
    if OWNER in roles:
        roles |= {m.accountable for template in library.templates.values() for m in template.milestones}
    return roles & {code for code, party in library.parties.items() if party.internal}
