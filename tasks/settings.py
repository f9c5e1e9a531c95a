"""What a person may set about this Gendan: each field is an environment variable with the prefix GENDAN_."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from models.errors import Refused
from models.names import Language

# Every way that people write "PostgreSQL" in a URL; Gendan itself always talks psycopg 3.
_POSTGRES = frozenset({"postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"})

_URL_FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"


def sqlalchemy_url(url: str) -> str:
    """
    Return `url` as SQLAlchemy needs it to reach PostgreSQL with psycopg 3.

    Raises:
        ValueError: it is no URL, of another database than PostgreSQL, or names no database. The text never holds the
            URL, which may carry a password.

    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # `from None`: the text of the cause may quote the URL
        raise ValueError(f"this is no database URL; its form is {_URL_FORM}") from None
    if parsed.drivername not in _POSTGRES:
        raise ValueError(
            f"Gendan keeps its orders in PostgreSQL and cannot use {parsed.drivername}://. Give a URL of the form "
            f"{_URL_FORM}, or none at all: Gendan then runs a PostgreSQL of its own."
        )
    if not parsed.database:
        raise ValueError(f"the database URL names no database; its form is {_URL_FORM}")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Settings(BaseSettings):
    """Where this Gendan lives and what it listens on. Read once, at the door, with `read_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="GENDAN_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        # a refused URL may carry a password
        hide_input_in_errors=True,
    )

    #: The folder of everything that Gendan keeps: see `gendan.house`.
    home: Annotated[Path, Field(validate_default=True)] = Path("~/.gendan")
    #: Gendan's own database. None: the PostgreSQL that `gendan up` brings with it, in `home`.
    database_url: SecretStr | None = None
    #: A folder with templates, policies and calendars of one's own. None: only those that come with Gendan.
    library: Path | None = None
    #: The Apprise file of channels, with the secrets in it.
    channels: Path = Field(default_factory=lambda given: given.get("home", Path()) / "channels.yaml")
    #: Of what Gendan writes into Prefect's pages; people are written to in their own.
    language: Language = Language.EN
    #: Where Prefect's server and pages listen. Port 0 takes any free one.
    host: str = "127.0.0.1"
    port: int = Field(default=4200, ge=0, le=65535)
    #: Other machines may reach it without a password of its own: something before it asks for one.
    open: bool = False
    #: The work pool that the worker takes wake-ups from;
    #: Prefect takes no name with one of /%&>< in it.
    pool: str = Field(default="gendan", pattern=r"^[^/%&><\s][^/%&><]*$")
    #: Wake-ups that one worker runs at the same time.
    worker_limit: int = Field(default=8, ge=1)
    #: Days for which Prefect keeps the run of an order that is closed, and the runs of the forms.
    keep_runs_days: int = Field(default=90, ge=1, le=36_500)
    #: Days for which it keeps the rounds of the watch, 1,440 a day.
    keep_watch_days: int = Field(default=1, ge=1, le=36_500)

    @field_validator("home", "library", "channels")
    @classmethod
    def _home_is_where_the_person_is(cls, path: Path | None) -> Path | None:
        try:
            return path.expanduser().absolute() if path is not None else None
        except RuntimeError:
            raise ValueError("names the home of somebody whom this machine does not know") from None

    @field_validator("language", mode="before")
    @classmethod
    def _tags_in_any_case(cls, tag: Any) -> Any:
        # BCP 47 tags are compared without regard to case: zh-hant is zh-Hant
        return {known.casefold(): known for known in Language}.get(tag.casefold(), tag) if isinstance(tag, str) else tag

    @field_validator("database_url")
    @classmethod
    def _only_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        return SecretStr(sqlalchemy_url(url.get_secret_value())) if url is not None else None


def read_settings(**given: Any) -> Settings:
    """
    Return the settings: `given` first, then the environment, then the defaults.

    Raises:
        Refused: a value that cannot be; says which one, and never repeats it.

    """
    try:
        return Settings(**given)
    except ValidationError as refused:
        faults = refused.errors(include_input=False, include_url=False, include_context=False)
        reasons = "; ".join(
            f"GENDAN_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in faults
            if fault["type"] != "default_factory_not_called"  # follows from another one
        )
        raise Refused(f"{reasons}. Nothing was started.") from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once from its environment."""
    return read_settings()
