"""PostgreSQL's pg_dump and pg_restore: those that fit a server, run with the password in their environment only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL, make_url

from gendan.embedded import PROGRAMS
from models.errors import Unavailable

_CHUNK = 1 << 20
_ENVIRONMENT = {
    option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar
}
"""What libpq reads each part of an address from."""

# From 17 on they say `SET transaction_timeout`, which a server before 17 refuses.
_SPLIT = 17


@dataclass(frozen=True)
class Database:
    """One database, and how it is reached."""

    #: For SQLAlchemy, with psycopg; may hold a password.
    url: URL = field(repr=False)
    #: Whether its server is the one that Gendan brings with it.
    embedded: bool

    @classmethod
    def of(cls, url: str, *, embedded: bool) -> Database:
        """Return the database at `url`, which may be written for asyncpg."""
        parsed = make_url(url)
        query = {"sslmode" if name == "ssl" else name: value for name, value in parsed.query.items()}
        if query.get("sslmode") in ("true", "True"):
            query["sslmode"] = "require"  # asyncpg takes a yes
        known = {name: value for name, value in query.items() if name in _ENVIRONMENT}
        return cls(parsed.set(drivername="postgresql+psycopg", query=known), embedded)

    @property
    def name(self) -> str:
        """Its name on its server."""
        return self.url.database or ""

    @property
    def server(self) -> tuple[object, ...]:
        """What tells its server from others."""
        return (self.url.host, self.url.port, self.url.query.get("host"), self.url.query.get("port"))

    def named(self, name: str) -> Database:
        """Return another database of the same server."""
        return Database(self.url.set(database=name), self.embedded)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection that commits by itself; raises Unavailable, without the password."""
        try:
            return psycopg.connect(self._libpq(), autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            raise Unavailable(f"The database {self.name!r} cannot be reached: {first_line(error)}") from None

    def is_there(self) -> bool:
        """Say whether the server has a database of this name."""
        with self.maintenance() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.name])
            return found.fetchone() is not None

    @contextmanager
    def maintenance(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give a connection to the server's own database, from which others are made, renamed and dropped."""
        with self.named("postgres").connect() as connection:
            yield connection

    def major(self) -> int:
        """Return the major version of its server."""
        with self.maintenance() as connection:
            return connection.info.server_version // 10_000

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that is to reach it. It may hold a password: not shown, not logged."""
        ours = {_ENVIRONMENT[name]: str(value) for name, value in conninfo_to_dict(self._libpq()).items()}
        # PGPORT, PGOPTIONS and the like speak of another PostgreSQL than the embedded one
        others = {name: value for name, value in os.environ.items() if not (self.embedded and name.startswith("PG"))}
        return others | ours | {"LC_ALL": "C"}

    def _libpq(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)


@dataclass(frozen=True)
class Programs:
    """A folder with pg_dump and pg_restore of one version."""

    folder: Path
    major: int

    @classmethod
    def fitting(cls, server: int, *, embedded: bool, dumped_by: int = 0) -> Programs:
        """
        Return the programs for a server of this major version: Gendan's own for its own, else first those on PATH.

        `dumped_by` is the major version that wrote what is to be read. Raises Unavailable where none fit.
        """
        found = [programs for folder in _folders(embedded) if (programs := cls._in(folder)) is not None]
        fitting = [programs for programs in found if programs._fit(server, dumped_by)]
        if fitting:
            return min(fitting, key=lambda programs: programs.major)
        wanted = max(server, dumped_by)
        there = ", ".join(f"{programs.major} in {programs.folder}" for programs in found) or "none"
        raise Unavailable(
            f"PostgreSQL {server} wants pg_dump and pg_restore of version {wanted}; found: {there}. Install "
            f"PostgreSQL {wanted}'s client programs (Debian: postgresql-client-{wanted}) and put them on PATH."
        )

    @classmethod
    def _in(cls, folder: Path) -> Programs | None:
        try:
            told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, cwd="/")
        except OSError:
            return None
        major = re.search(r"\(PostgreSQL\D*\) (\d+)", told.stdout)
        return cls(folder, int(major.group(1))) if major and (folder / "pg_restore").exists() else None

    def _fit(self, server: int, dumped_by: int) -> bool:
        return self.major >= max(server, dumped_by) and (server < _SPLIT) == (self.major < _SPLIT)

    def dump(self, database: Database, take: Callable[[bytes], object], snapshot: str | None = None) -> None:
        """Dump a database, chunk by chunk, as `snapshot` sees it; raises Unavailable if it breaks off."""
        words = ["--format=custom", *_NOBODYS, *([f"--snapshot={snapshot}"] if snapshot else [])]
        with self._running("pg_dump", words, database) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(_CHUNK):
                take(chunk)

    def restore(self, database: Database, dumped: IO[bytes]) -> None:
        """Load a dump into an empty database, in one transaction; raises Unavailable if it cannot be loaded."""
        words = [f"--dbname={database.name}", "--exit-on-error", "--single-transaction", *_NOBODYS]
        with self._running("pg_restore", words, database) as process:
            assert process.stdin is not None
            try:
                shutil.copyfileobj(dumped, process.stdin, _CHUNK)
                process.stdin.close()
            except BrokenPipeError:
                process.stdin = None  # it gave up, and says why

    @contextmanager
    def _running(self, name: str, words: list[str], database: Database) -> Iterator[subprocess.Popen[bytes]]:
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    [str(self.folder / name), *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    cwd="/",
                    env=database.environment(),
                )
            except OSError as error:
                raise Unavailable(f"{self.folder / name} cannot be run: {error.strerror}.") from None
            try:
                yield process
            except BaseException:
                process.kill()
                raise
            finally:
                for stream in (process.stdout, process.stdin):
                    if stream is not None:
                        stream.close()
                process.wait()
            if process.returncode != 0:
                said.seek(0)
                reason = said.read().decode(errors="replace").strip() or f"exit {process.returncode}"
                raise Unavailable(f"{name} gave up on the database {database.name!r}: {reason.splitlines()[0]}")


# Owners and grants are those of the server that it is loaded into; nobody sits there to type a password.
_NOBODYS = ("--no-owner", "--no-privileges", "--no-password")


def _folders(embedded: bool) -> list[Path]:
    if embedded:
        return [PROGRAMS]
    on_path = shutil.which("pg_dump")
    return [*([Path(on_path).parent] if on_path else []), PROGRAMS]


def first_line(error: Exception) -> str:
    """Return the first line of what the database says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
