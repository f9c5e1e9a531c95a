"""`gendan restore`: what a backup holds is loaded beside what is there, tried, and then takes its place at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prefect
import psycopg
from packaging.version import Version
from prefect.input.run_input import keyset_from_base_key
from psycopg import sql

from gendan.backups.archive import ORDERS, PREFECT, Archive, Manifest, Part, reading
from gendan.backups.backup import count_orders
from gendan.backups.both_databases import databases_at_rest
from gendan.backups.client_programs import Database, Programs, first_line
from models.errors import Refused, Unavailable
from tasks.schema import knows, migrate
from tasks.settings import Settings

_OUR_FLOWS = ("follow-order", "follow-prospect", "keep-watch", "tidy-up", "report-milestone", "register-orders")
_LONGEST_NAME = 63
"""Of a database, in bytes; PostgreSQL cuts off what is longer."""


@dataclass(frozen=True)
class _Loading:
    """A database that is to be put back, and the one beside it into which it is loaded first."""

    name: str
    part: Part
    target: Database
    is_there: bool

    @property
    def draft(self) -> Database:
        return self._beside("_restoring")

    @property
    def replaced(self) -> Database:
        return self._beside("_replaced")

    def _beside(self, ending: str) -> Database:
        kept = self.target.name.encode()[: _LONGEST_NAME - len(ending)].decode(errors="ignore")
        return self.target.named(kept + ending)


def put_back(settings: Settings, file: Path, *, replace: bool, orders_only: bool) -> Manifest:
    """
    Put a backup in the place of both databases, and return what it holds; an older form is brought to this release's.

    Every open order is marked to be looked at: with the next start each gets a live run, whatever Prefect's part
    knows of it. With `orders_only` Prefect's database stays as it is. Raises Refused or Unavailable, and both
    databases are then as they were.
    """
    with reading(file.expanduser().absolute()) as archive:
        _refuse_newer(file, archive.manifest, orders_only=orders_only)
        with databases_at_rest(settings) as both:
            targets = {ORDERS: both.orders, **({} if orders_only or both.prefect is None else {PREFECT: both.prefect})}
            try:
                loadings = [
                    _Loading(name, part, targets[name], targets[name].is_there())
                    for name, part in archive.manifest.parts.items()
                    if name in targets
                ]
                for loading in loadings:
                    _refuse_what_is_there(loading, replace=replace)
                with _drafts(loadings):
                    for loading in loadings:
                        _load(archive, loading)
                    drafts = {loading.name: loading.draft for loading in loadings}
                    _wake_all(drafts[ORDERS], drafts.get(PREFECT, both.prefect))
                    _swap(loadings)
            except psycopg.errors.InsufficientPrivilege as error:
                raise Unavailable(
                    f"PostgreSQL does not allow it: {first_line(error)}. The role that restores must own both "
                    "databases and be allowed to make others (ALTER ROLE ... CREATEDB). Nothing was changed."
                ) from None
            except psycopg.errors.ObjectInUse as error:
                raise Unavailable(
                    f"Somebody uses the database: {first_line(error)}. Stop Gendan, every worker and Prefect's server "
                    "first; nothing was changed."
                ) from None
            except psycopg.Error as error:
                raise Unavailable(
                    f"The backup could not be restored: {first_line(error)}. Nothing was changed."
                ) from None
        return archive.manifest


def _refuse_newer(file: Path, manifest: Manifest, *, orders_only: bool) -> None:
    if ORDERS not in manifest.parts:
        raise Refused(f"The backup {file} holds no orders. Nothing was changed.")
    revision = manifest.parts[ORDERS].revision
    if not knows(revision):
        raise Refused(
            f"The backup {file} was made by Gendan {manifest.gendan} (revision {revision}), which is "
            "newer than this one. Restore it with that release; nothing was changed."
        )
    if PREFECT in manifest.parts and not orders_only and Version(manifest.prefect) > Version(prefect.__version__):
        raise Refused(
            f"The backup {file} was made with Prefect {manifest.prefect}, and here is {prefect.__version__}. Restore "
            "it with the release that made it, or the orders alone with --orders-only: each gets a new run. Nothing "
            "was changed."
        )


def _refuse_what_is_there(loading: _Loading, *, replace: bool) -> None:
    server = loading.target.major()
    if server < loading.part.server:
        raise Refused(
            f"The backup is of PostgreSQL {loading.part.server}, and this server is {server}. Restore it into a server "
            "that is as new; nothing was changed."
        )
    if not loading.is_there:
        return
    with loading.target.connect() as connection:
        what = _what_is_in(loading, connection)
    if what is not None and not replace:
        raise Refused(
            f"The database {loading.target.name!r} {what}. Give --replace to put the backup in their place (back them "
            "up first); nothing was changed."
        )


def _what_is_in(loading: _Loading, connection: psycopg.Connection[tuple[Any, ...]]) -> str | None:
    """Return what the database holds that somebody might miss; raises Refused where it belongs to something else."""
    tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    known = {ORDERS: {"orders", "follow_ups"}, PREFECT: {"flow", "flow_run"}}[loading.name]
    if not tables:
        return None
    if not {*known, "alembic_version"} <= tables:
        some = ", ".join(sorted(tables)[:3])
        raise Refused(
            f"The database {loading.target.name!r} holds tables of something else ({some}). Give Gendan a database of "
            "its own; nothing was changed."
        )
    if loading.name == ORDERS:
        found = connection.execute("SELECT count(*) FROM orders").fetchone()
        return f"holds {found[0]} orders" if found is not None and found[0] else None
    others = connection.execute(
        "SELECT count(*) FROM flow_run r JOIN flow f ON f.id = r.flow_id WHERE f.name <> ALL(%s)", [list(_OUR_FLOWS)]
    ).fetchone()
    return f"holds runs of other flows ({others[0]})" if others is not None and others[0] else None


@contextlib.contextmanager
def _drafts(loadings: Iterable[_Loading]) -> Iterator[None]:
    """Make an empty database beside each, and remove what is left of them at the end."""
    try:
        for loading in loadings:
            _drop(loading.draft)
            with loading.target.maintenance() as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(loading.draft.name)))
        yield
    finally:
        for loading in loadings:
            # A server that is gone keeps its drafts: the next restore removes them.
            with contextlib.suppress(Unavailable, psycopg.Error):
                _drop(loading.draft)


def _drop(database: Database) -> None:
    with database.maintenance() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database.name)))


def _load(archive: Archive, loading: _Loading) -> None:
    programs = Programs.fitting(
        loading.target.major(), embedded=loading.target.embedded, dumped_by=loading.part.pg_dump
    )
    with archive.open(loading.name) as dumped:
        programs.restore(loading.draft, dumped)
    if loading.name != ORDERS:
        return
    manifest = archive.manifest
    with loading.draft.connect() as connection:
        counts = count_orders(connection)
    if counts != {"orders": manifest.orders, "followed": manifest.followed, "entries": manifest.entries}:
        raise Unavailable(f"The backup holds {counts}, and says otherwise. It is not used; nothing was changed.")
    migrate(loading.draft.url.render_as_string(hide_password=False))


def _wake_all(orders: Database, prefect: Database | None) -> None:
    """
    Let every open order be looked at, and those that are over while Prefect's part knows a run that waits: it ends.

    Where Prefect's part lacks something that an order's page names, because it is older, the page is shown anew.
    """
    known = _Known.by(prefect) if prefect is not None and prefect.is_there() else _Known()
    with orders.connect() as connection:
        pages = connection.execute("SELECT order_no, flow_run_id::text, page FROM follow_ups").fetchall()
        stale = [order_no for order_no, run, page in pages if not known.has_all_of(run, page)]
        connection.execute(
            "UPDATE follow_ups SET wanted = true, awake_since = NULL, awake_by = '', closed_as = NULL "
            "WHERE closed_as IS NULL OR flow_run_id::text = ANY(%s)",
            [list(known.waiting)],
        )
        connection.execute("UPDATE follow_ups SET page = '{}', shown = '{}' WHERE order_no = ANY(%s)", [stale])


@dataclass(frozen=True)
class _Known:
    """What Prefect's part knows: the runs that wait, the bars and sheets, the forms."""

    waiting: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()
    forms: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def by(cls, prefect: Database) -> _Known:
        with prefect.connect() as connection:
            if connection.execute("SELECT to_regclass('public.flow_run_input')").fetchone() == (None,):
                return cls()
            waiting = connection.execute("SELECT id::text FROM flow_run WHERE state_type = 'PAUSED'")
            things = connection.execute("SELECT id::text FROM task_run UNION ALL SELECT id::text FROM artifact")
            forms = connection.execute("SELECT flow_run_id::text, key FROM flow_run_input")
            return cls(
                frozenset(row[0] for row in waiting),
                frozenset(row[0] for row in things),
                frozenset((row[0], row[1]) for row in forms),
            )

    def has_all_of(self, run: str | None, page: dict[str, Any]) -> bool:
        named = {*page.get("bars", {}).values(), *([page["artifact"]] if "artifact" in page else [])}
        form = (run or "", keyset_from_base_key(page["form"])["schema"]) if "form" in page else None
        return named <= self.things and (form is None or form in self.forms)


def _swap(loadings: list[_Loading]) -> None:
    """Let the drafts take the places: on one server all at once, or none."""
    servers = {loading.target.server: loading.target for loading in loadings}
    for server, any_of_it in servers.items():
        here = [loading for loading in loadings if loading.target.server == server]
        with any_of_it.maintenance() as connection:
            for loading in here:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(loading.replaced.name)))
            with connection.transaction():
                for loading in here:
                    if loading.is_there:
                        _rename(connection, loading.target, loading.replaced)
                    _rename(connection, loading.draft, loading.target)
    for loading in loadings:
        # It is done; what was replaced is only room on the disk, and the next restore removes it.
        with contextlib.suppress(Unavailable, psycopg.Error):
            _drop(loading.replaced)


def _rename(connection: psycopg.Connection[tuple[Any, ...]], database: Database, to: Database) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database.name), sql.Identifier(to.name))
    )
