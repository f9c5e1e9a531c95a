"""Gendan's database and Prefect's, for a backup or a restore: those of the running Gendan, or started for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gendan.backups.client_programs import Database
from gendan.embedded import EmbeddedPostgres
from gendan.environment import prefect_database_is_named, prefect_database_of_the_operator
from gendan.house import House, running_urls
from models.errors import Refused, Unavailable
from tasks.settings import Settings

OURS, PREFECTS = "gendan", "prefect"


@dataclass(frozen=True)
class Both:
    """The order book, and what Prefect keeps; the latter is None where its address is not known here."""

    orders: Database
    prefect: Database | None


@contextmanager
def databases(settings: Settings) -> Iterator[Both]:
    """Give both databases, whether Gendan runs or not; a PostgreSQL of its own that is off is started for it."""
    house = House(settings.home.resolve())
    urls = running_urls(house)
    if settings.database_url is not None:
        yield _of_the_operator(settings)
    elif urls is not None:
        orders = Database.of(urls.database_url, embedded=True)
        yield Both(orders, orders.named(PREFECTS))
    elif not (house.postgres / "PG_VERSION").exists():
        raise Refused(
            f"There are no orders in {house.home}: no Gendan was ever started there. Name its folder with GENDAN_HOME "
            "or its database with GENDAN_DATABASE_URL."
        )
    else:
        with house.lock(), _started(house) as both:
            yield both


@contextmanager
def databases_at_rest(settings: Settings) -> Iterator[Both]:
    """
    Give both databases while no Gendan runs on them, and none can start in their folder.

    Raises Unavailable where one runs.
    """
    house = House(settings.home.resolve())
    with house.lock():
        _refuse_leftovers(house)
        if settings.database_url is None:
            with _started(house) as both:
                _refuse_sessions(both)
                yield both
        else:
            both = _of_the_operator(settings)
            _refuse_sessions(both)
            yield both


def _of_the_operator(settings: Settings) -> Both:
    assert settings.database_url is not None
    orders = Database.of(settings.database_url.get_secret_value(), embedded=False)
    named = prefect_database_is_named(os.environ)
    return Both(orders, Database.of(prefect_database_of_the_operator(), embedded=False) if named else None)


@contextmanager
def _started(house: House) -> Iterator[Both]:
    postgres = EmbeddedPostgres(house.postgres, log=house.log("postgres"))
    try:
        postgres.start()
        orders = Database.of(postgres.url(OURS), embedded=True)
        yield Both(orders, orders.named(PREFECTS))
    finally:
        postgres.stop()


def _refuse_leftovers(house: House) -> None:
    household = house.household()
    left = {
        name: str(resident.pid)
        for name, resident in (household.children.items() if household is not None else ())
        if name != EmbeddedPostgres.name and resident.process() is not None
    }
    if left:
        raise Unavailable(
            f"A Gendan that was killed left its {' and '.join(left)} running in {house.home}. End what is left with "
            f"`kill {' '.join(left.values())}`; nothing was changed."
        )


def _refuse_sessions(both: Both) -> None:
    for database in (both.orders, both.prefect):
        if database is None:
            continue
        with database.maintenance() as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                [database.name],
            ).fetchone()
        if found is not None and found[0]:
            raise Unavailable(
                f"The database {database.name!r} is in use ({found[0]} connections). Stop Gendan, every worker and "
                "Prefect's server first; nothing was changed."
            )
