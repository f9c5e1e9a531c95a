"""The form of the database: made, brought forward, and left alone where it is not ours to change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, create_engine, make_url

from models.errors import Unavailable
from models.tables import metadata
from tasks.schema import check_schema, migrate
from tests.books import TABLES

SECRET = "s3cr3tMARK"


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    )


def form_of(url: str) -> list[tuple[object, ...]]:
    """Return every column of every table, and the revision that the database says it has."""
    with connect(url) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        revision = (
            connection.execute("SELECT version_num FROM alembic_version").fetchall()
            if any(row[0] == "alembic_version" for row in columns)
            else []
        )
        return [*columns, *revision]


def newer(url: str) -> None:
    with connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def test_an_empty_database_gets_all_tables(empty_database_url: str) -> None:
    assert migrate(empty_database_url) is None

    assert {row[0] for row in form_of(empty_database_url) if len(row) == 3} == {*TABLES, "alembic_version"}
    assert check_schema(empty_database_url) is None


def test_what_is_in_form_already_stays_as_it_is(empty_database_url: str) -> None:
    migrate(empty_database_url)
    before = form_of(empty_database_url)

    assert migrate(empty_database_url) == "0003"

    assert form_of(empty_database_url) == before


def test_two_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    # should they block each other, that is to end the test and not the patience of whoever runs it
    url = make_url(empty_database_url).update_query_dict({"options": "-c lock_timeout=10000"})
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(migrate, [url.render_as_string(hide_password=False)] * 2))

    assert sorted(found, key=str) == ["0003", None]
    assert check_schema(empty_database_url) is None


def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_a_database_of_a_newer_release_is_left_alone(empty_database_url: str) -> None:
    migrate(empty_database_url)
    newer(empty_database_url)
    before = form_of(empty_database_url)

    with pytest.raises(Unavailable, match=r"newer release.*9999.*nothing was changed"):
        migrate(empty_database_url)

    assert form_of(empty_database_url) == before
    assert "newer release" in (check_schema(empty_database_url) or "")


def test_a_database_without_tables_is_told_from_one_in_form(empty_database_url: str) -> None:
    assert "`gendan up`" in (check_schema(empty_database_url) or "")
    assert form_of(empty_database_url) == []


def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE messages (of_somebody_else int)")
    before = form_of(empty_database_url)

    with pytest.raises(Exception, match="already exists"):
        migrate(empty_database_url)

    assert form_of(empty_database_url) == before


@pytest.mark.parametrize("look", [migrate, check_schema])
def test_an_unreachable_database_is_told_without_its_password(look: object) -> None:
    assert callable(look)

    with pytest.raises(Unavailable) as refused:
        look(f"postgresql+psycopg://gendan:{SECRET}@127.0.0.1:1/orders")

    assert "'orders'" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_database_that_is_not_there_is_named(postgres: URL) -> None:
    url = postgres.set(database="gendan_nowhere").render_as_string(hide_password=False)

    with pytest.raises(Unavailable, match="gendan_nowhere"):
        migrate(url)
