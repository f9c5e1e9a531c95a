"""What may be set, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import Refused
from models.names import Language
from tasks.settings import read_settings, sqlalchemy_url


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the person who runs the tests has set for a Gendan of their own."""
    import os

    for name in [name for name in os.environ if name.startswith("GENDAN_")]:
        monkeypatch.delenv(name)


def test_without_any_setting_it_lives_in_the_home_folder_with_a_database_of_its_own() -> None:
    settings = read_settings()

    assert settings.home == Path.home() / ".gendan"
    assert settings.channels == Path.home() / ".gendan" / "channels.yaml"
    assert (settings.database_url, settings.library) == (None, None)
    assert (settings.host, settings.port, settings.pool, settings.worker_limit) == ("127.0.0.1", 4200, "gendan", 8)
    assert settings.language is Language.EN


def test_the_environment_is_read_and_what_is_given_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENDAN_HOME", str(tmp_path))
    monkeypatch.setenv("GENDAN_PORT", "4301")
    # an empty variable, as compose files make them, is one that is not set
    monkeypatch.setenv("GENDAN_DATABASE_URL", "")

    settings = read_settings(port=4302)

    assert (settings.home, settings.channels) == (tmp_path, tmp_path / "channels.yaml")
    assert (settings.port, settings.database_url) == (4302, None)


def test_a_path_means_the_same_after_a_change_of_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    settings = read_settings(home="mine", library="~/ours")

    assert (settings.home, settings.library) == (tmp_path / "mine", Path.home() / "ours")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-Hant", Language.ZH_HANT),
        ("zh-hans", Language.ZH_HANS),  # BCP 47 tags have no case
        ("EN", Language.EN),
    ],
)
def test_a_language_is_known_by_its_tag_in_any_case(tag: str, language: Language) -> None:
    assert read_settings(language=tag).language is language


@pytest.mark.parametrize(
    ("given", "for_sqlalchemy"),
    [
        ("postgresql://u:p@db:5433/gendan", "postgresql+psycopg://u:p@db:5433/gendan"),
        ("postgres://u@db/gendan", "postgresql+psycopg://u@db/gendan"),  # as hosting providers write it
        ("postgresql+asyncpg://u@db/gendan", "postgresql+psycopg://u@db/gendan"),  # copied from Prefect's setting
        ("postgresql+psycopg://u@db/gendan", "postgresql+psycopg://u@db/gendan"),
        # a password with an @ in it stays quoted, a query stays
        ("postgresql://u:a%40b@db/gendan?sslmode=require", "postgresql+psycopg://u:a%40b@db/gendan?sslmode=require"),
        ("postgresql:///gendan?host=/run/pg", "postgresql+psycopg:///gendan?host=%2Frun%2Fpg"),  # a socket
    ],
)
def test_every_spelling_of_postgresql_is_talked_to_with_psycopg(given: str, for_sqlalchemy: str) -> None:
    assert sqlalchemy_url(given) == for_sqlalchemy

    settings = read_settings(database_url=given)

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == for_sqlalchemy


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///s3cret.db", "cannot use sqlite"),
        ("sqlite+aiosqlite:///s3cret.db", "cannot use sqlite"),
        ("mysql://u:s3cret@db/gendan", "cannot use mysql:"),
        (
            "postgresql+psycopg2://u:s3cret@db/gendan",
            "cannot use postgresql+psycopg2:",
        ),  # a driver that is not installed
        ("postgresql://u:s3cret@db", "names no database"),
        ("db.example:s3cret", "no database URL"),
        ("postgresql://u:s3cret@db:port/gendan", "no database URL"),  # a port that is no number
    ],
)
def test_a_database_that_cannot_be_is_refused_without_telling_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("GENDAN_DATABASE_URL", url)

    with pytest.raises(Refused, match="GENDAN_DATABASE_URL") as refused:
        read_settings()

    assert reason in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_settings_that_are_printed_do_not_tell_the_password() -> None:
    settings = read_settings(database_url="postgresql://u:s3cret@db/gendan")

    assert "s3cret" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "70000"),
        ("port", "http"),
        ("worker_limit", "0"),  # a worker that never works
        ("language", "fr"),
        ("pool", " "),  # no name at all
        ("pool", "a/b"),  # Prefect refuses it
        ("home", "~nobody-of-that-name/gendan"),
    ],
)
def test_a_mistake_names_its_setting(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"GENDAN_{name.upper()}: .*Nothing was started"):
        read_settings(**{name: value})


def test_a_home_of_nobody_is_refused_once() -> None:
    with pytest.raises(Refused) as refused:
        read_settings(home="~nobody-of-that-name/gendan")

    assert "GENDAN_CHANNELS" not in str(refused.value)
