"""A season with marked secrets wherever one can come in: afterwards no log, file, table, message or answer has one."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import pytest_asyncio
from prefect.blocks.abstract import NotificationError
from prefect.client.orchestration import get_client
from psycopg import sql
from sqlalchemy import insert, select

from gendan.calls import calling, directly
from gendan.demo import SAMPLES
from gendan.embedded import EmbeddedPostgres
from gendan.house import House, running_urls
from gendan.password import OF_CLIENTS, OF_SERVER
from gendan.replay import play_season
from gendan.season import load_season
from models import tables
from tasks import database
from tasks.automations import GendanChannel
from tasks.clock import now
from tasks.library import load_library
from tests.flows.house import clean_environment, environment, eventually
from tests.receivers import HttpReceiver, Reply

MARK = "M4RK3D"
"""Stands in every secret, and nowhere else."""
SPOKEN = "Kiwi & Finch"
"""A customer: what is no secret and is carried everywhere is found by the same search."""
ORDERS = ("SO-26-0428", "SO-26-0474")

API = f"admin:{MARK}-api"
ROLE, DATABASE_PASSWORD = "keeper", f"{MARK}-database"
TELLER, MAILER, GATE = f"teller:{MARK}-json", f"mei:{MARK}-mail", f"gate:{MARK}-proxy"
TOKEN = f"{MARK}0123456789abcdef01"
MARKS = [MARK.lower(), *(b64encode(pair.encode()).decode().lower() for pair in (API, TELLER, MAILER, GATE))]
"""As they are searched for: whatever the case, and as HTTP sends users and passwords."""

FAILING = {"json", "wecombot", "dingtalk", "feishu", "slack", "tgram", "workflow", "mailto"}
"""Channels that are called in vain: behind a proxy that lets nothing through, or where nobody listens."""


@pytest.fixture
def gendan() -> None:
    """Keep the Gendan of the other tests from being started: nothing here talks to it."""


@pytest.fixture
def at_home() -> None:
    """Stay where we are."""


def marked(text: str | bytes) -> bool:
    """Say whether a secret stands in a text."""
    lower = (text.encode() if isinstance(text, str) else text).lower()
    return any(mark.encode() in lower for mark in MARKS)


@dataclass
class Site:
    """Where the season is played: folders, receivers, and the environment with every secret in it."""

    home: Path
    beside: Path
    told: HttpReceiver
    proxy: HttpReceiver
    environment: dict[str, str]

    @property
    def said(self) -> Path:
        """What `gendan up` prints."""
        return self.beside / "up.log"

    def gendan(self, *words: str, **changes: str) -> subprocess.Popen[bytes]:
        """Start a command in a shell that has all secrets in its environment."""
        with self.said.open("ab") as log:
            out = log if words[0] == "up" else subprocess.PIPE
            return subprocess.Popen(
                [sys.executable, "-c", "from gendan.cli import main; main()", *words],
                env={**self.environment, "COLUMNS": "250", **changes},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def write_channels(folder: Path, home: Path, told: str) -> Path:
    """Write channels of several kinds: one that works, those that fail, and those that cannot be read."""
    nobody = "127.0.0.1:9"
    failing = (
        f"json://{TELLER}@erp.invalid/hook/{TOKEN}",
        f"wecombot://{TOKEN}",
        f"dingtalk://{TOKEN}@{TOKEN}",
        f"feishu://{TOKEN}",
        f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}",
        f"tgram://123456789:{TOKEN}_abcdefghijkl/12315544/",
        f"workflow://prod-1.westeurope.logic.azure.com:443/{TOKEN}wf/{TOKEN}sig/",
        f"mailto://{MAILER}@{nobody}?to=mei@example.com&from=gendan@example.com",
    )
    malformed = (
        f"tgram://{TOKEN}",
        f"slack://{TOKEN}",
        f"wecom://{TOKEN}",
        f"nosuch://{TELLER}@erp.invalid",
        f"json://{TELLER}@erp.invalid:port/",
    )
    works = f"json://{TELLER}@{told}/hook/{TOKEN}"
    urls = "".join(f'  - "{url}":\n      - tag: mer, admin\n' for url in (works, *failing, *malformed))
    file = folder / "channels.yaml"
    file.write_text(
        f"include: broken.yaml, https://{TELLER}@erp.invalid/channels.yaml\n"
        f"urls:\n  - outbox://{home / 'outbox'}:\n      - tag: always\n{urls}  - json://{TELLER}@untagged.invalid\n",
        "utf-8",
    )
    (folder / "broken.yaml").write_text(f"urls:\n  - json://{TELLER}@erp.invalid: [tag: mer\n - {TOKEN}: :\n", "utf-8")
    return file


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a PostgreSQL that asks for a password, receivers, and the environment that names all of it."""
    beside = Path(tempfile.mkdtemp(prefix="gs-", dir="/tmp")).resolve()
    home = beside / "home"
    home.mkdir()
    (home / "outbox").mkdir()
    postgres = EmbeddedPostgres(beside / "pg")
    postgres.start()
    told, proxy = HttpReceiver(), HttpReceiver()
    # What a service says of a refusal may quote what it was called with.
    proxy.reply = Reply(502, f"gate:{GATE} cannot reach {TOKEN}")
    where = f"host={beside / 'pg'}&port=5432"
    with psycopg.connect(f"postgresql://postgres@/postgres?{where}", autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(DATABASE_PASSWORD))
        )
        for name in ("gendan", "prefect"):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE))
            )
        hba = beside / "pg" / "pg_hba.conf"
        hba.write_text(f"local all {ROLE} scram-sha-256\nlocal all postgres trust\n", "utf-8")
        connection.execute("SELECT pg_reload_conf()")
    login = f"{ROLE}:{DATABASE_PASSWORD}@"
    gate = f"http://{GATE}@{proxy.address}"
    try:
        yield Site(
            home,
            beside,
            told,
            proxy,
            {
                **clean_environment(),
                "GENDAN_HOME": str(home),
                "GENDAN_CHANNELS": str(write_channels(beside, home, told.address)),
                "GENDAN_DATABASE_URL": f"postgresql://{login}/gendan?{where}",
                "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{login}/prefect?{where}",
                OF_SERVER: API,
                **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), gate),
                "PREFECT_LOGGING_LEVEL": "DEBUG",
                "PREFECT_SERVER_LOGGING_LEVEL": "DEBUG",
                "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
            },
        )
    finally:
        told.down()
        proxy.down()
        postgres.stop()
        shutil.rmtree(beside)


@pytest_asyncio.fixture
async def up(site: Site) -> AsyncIterator[Site]:
    """Run `gendan up` on the site, and be connected to it."""
    process = site.gendan("up", "--port", "0")
    house = House(site.home)
    try:

        async def there() -> bool:
            assert process.poll() is None, site.said.read_text()
            return running_urls(house) is not None

        await eventually(there)
        urls = running_urls(house)
        assert urls is not None
        ours = {**site.environment, "GENDAN_DATABASE_URL": urls.database_url, "PREFECT_API_URL": urls.api_url}
        ours |= {OF_CLIENTS: API, **directly(ours)}
        with environment(ours), calling(ours):
            yield site
            await database.close()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)
    assert not house.register.exists()


async def play(home: Path) -> None:
    """Play a short season of the bundled samples, and wait until every channel was called and every notice told."""
    library = load_library(None)
    whole = load_season(SAMPLES / "orders.csv", SAMPLES / "reports.csv", library)
    season = replace(whole, files=[file for file in whole.files if file.order.order_no in ORDERS])
    played = await play_season(season, len(ORDERS), lambda done, wakes: None)
    assert sum(played.result.summary.messages.values()) > 0

    # At most hours of the day the season's notices wait for the next digest: one message is for now.
    async with database.transaction() as connection:
        await connection.execute(
            insert(tables.messages).values(
                kind="direct",
                person="mer",
                tags=["mer"],
                made_at=now(),
                subject=f"{SPOKEN}: late",
                body=f"{SPOKEN} asks",
            )
        )
        await database.notify(connection, database.POST_CHANNEL, "")

    # an attempt that begins takes the error of the one before away
    failed: set[str] = set()

    async def all_called() -> bool:
        async with database.transaction() as connection:
            in_vain = select(tables.deliveries.c.schema).where(tables.deliveries.c.error != "").distinct()
            untold = select(tables.notices.c.id).where(tables.notices.c.holds, tables.notices.c.told == 0).limit(1)
            failed.update((await connection.execute(in_vain)).scalars())
            return failed >= FAILING and (await connection.execute(untold)).first() is None

    await eventually(all_called, within=300)


async def go_round() -> None:
    """Let the watch go round once (it writes the pages for operations), and the administrator's block fail to send."""
    async with get_client() as client:
        watch = await client.read_deployment_by_name("keep-watch/keep-watch")
        run = await client.create_flow_run_from_deployment(watch.id)

        async def ended() -> bool:
            state = (await client.read_flow_run(run.id)).state
            return state is not None and state.is_final()

        await eventually(ended)
        blocks = await client.read_block_documents(include_secrets=True)
        assert "gendan-administrator" in {block.name for block in blocks}
        assert not marked(json.dumps([block.model_dump(mode="json") for block in blocks]))
    block = await GendanChannel.aload("gendan-administrator")
    with pytest.raises(NotificationError) as failed:
        await block.notify("the watch is silent")
    assert not marked(f"{failed.value} {block!r}")


def rows(url: str) -> dict[str, list[str]]:
    """Return all rows of all tables of a database, as text."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name: [
                text for (text,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
            ]
            for (name,) in names
        }


def answers(site: Site) -> dict[str, str]:
    """Return what commands say to somebody who has all secrets right, and to one who has them wrong."""
    wrong_database = site.environment["GENDAN_DATABASE_URL"].replace(DATABASE_PASSWORD, f"{MARK}-wrong")
    asked = {
        "doctor": site.gendan("doctor"),
        "doctor, wrong password": site.gendan("doctor", **{OF_SERVER: f"{MARK}-wrong"}),
        "doctor, wrong database": site.gendan("doctor", GENDAN_DATABASE_URL=wrong_database),
        "failed": site.gendan("messages", "list", "--failed"),
        "failed, for a program": site.gendan("messages", "list", "--failed", "--json"),
        "orders, wrong database": site.gendan("orders", "list", GENDAN_DATABASE_URL=wrong_database),
    }
    return {name: command.communicate(timeout=120)[0].decode() for name, command in asked.items()}


def files(site: Site) -> list[Path]:
    """Return every file of the folder, and what `gendan up` and PostgreSQL said."""
    return [path for path in [*site.home.rglob("*"), site.said, site.beside / "pg.log"] if path.is_file()]


def with_marks(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return the lines that hold a secret, by where they stand."""
    return {where: lines for where, text in found.items() if (lines := [x[:400] for x in text if marked(x)])}


async def test_no_secret_is_written_anywhere(up: Site) -> None:
    await play(up.home)
    await go_round()
    printed = await asyncio.to_thread(answers, up)

    # The secrets were in use, and what is no secret is found by the same search.
    assert "could not be reached" in printed["failed, for a program"]
    assert f"that of its {OF_SERVER}" in printed["doctor, wrong password"]
    assert not [name for name, text in printed.items() if "Traceback" in text]
    assert {request.path for request in up.told.requests} == {f"/hook/{TOKEN}"}
    assert up.proxy.requests
    assert all(request.host != "127.0.0.1" for request in up.proxy.requests), "our own server is called directly"
    databases = {
        name: rows(f"postgresql://postgres@/{name}?host={up.beside / 'pg'}&port=5432") for name in ("gendan", "prefect")
    }
    for name, its_tables in databases.items():
        assert any(SPOKEN in row for its_rows in its_tables.values() for row in its_rows), name
    assert any(SPOKEN in path.read_text() for path in (up.home / "outbox").glob("*"))

    for name, its_tables in databases.items():
        assert with_marks(its_tables) == {}, name
    assert with_marks({name: text.splitlines() for name, text in printed.items()}) == {}
    assert not [one for one in psutil.Process().children(recursive=True) if marked(" ".join(one.cmdline()))]
    register = House(up.home).register
    assert stat.S_IMODE(register.stat().st_mode) == 0o600
    there = files(up)
    assert {House(up.home).log("server"), House(up.home).log("worker"), up.said} <= set(there)
    # The register holds the database's URL, for commands in other shells; it goes when Gendan stops.
    read = {str(path): path.read_bytes().split(b"\n") for path in there if path != register}
    assert with_marks(read) == {}
