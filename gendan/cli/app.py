"""The commands' common ground: the app itself, how a request is run, refused and printed."""

from __future__ import annotations

import asyncio
import functools
import getpass
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import ProgrammingError

from gendan import __version__
from gendan.house import House, running_urls
from models.accepting.intake import LONGEST_CELL
from models.errors import GendanError, Refused, Unavailable
from tasks import database
from tasks.schema import check_schema
from tasks.settings import Settings, read_settings

P = ParamSpec("P")
T = TypeVar("T")

app = typer.Typer(
    name="gendan",
    help="Follows export orders so that none is ever forgotten (跟單).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Without emoji: an order called :fire: is shown by its number.
out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

MOST_LISTED = 1_000_000
LARGEST_NUMBER = 2**63 - 1
"""Of a row, as PostgreSQL numbers them."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
By = Annotated[str, typer.Option("--by", help="Who says so. Default: the user of this machine.")]
Note = Annotated[str, typer.Option("--note", help="A remark, kept with the order and shown in messages.")]
LibraryFolder = Annotated[
    Path | None,
    typer.Option("--library", help="Your own templates, policies and calendars. Also GENDAN_LIBRARY.", file_okay=False),
]


@app.callback(invoke_without_command=True)
def _gendan(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"gendan {__version__}")
        raise typer.Exit


def refusing(command: Callable[P, T]) -> Callable[P, T]:
    """Turn a refusal into its text on standard error and exit status 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except GendanError as refusal:
            err.print(Text.assemble(("gendan:", "bold red"), " ", as_it_is(str(refusal))))
            raise typer.Exit(1) from None
        except BrokenPipeError:
            # `gendan ... | head` closed its end: nobody reads on.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return run


def with_database(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run a command that needs the order book: finds the running Gendan, or the database that was named."""

    @refusing
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        connect(read_settings())
        _must_be_text(kwargs)

        async def request() -> T:
            try:
                await database.look()
                return await command(*args, **kwargs)
            except ProgrammingError:
                # tables or columns that are not there: the database is of another release, or of nobody
                trouble = check_schema(database.database_url())
                if trouble is None:
                    raise
                raise Unavailable(trouble) from None
            finally:
                await database.close()

        return asyncio.run(request())

    return run


def _must_be_text(given: Mapping[str, object]) -> None:
    for name, each in given.items():
        for value in each if isinstance(each, list | tuple) else (each,):
            if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
                raise Refused(f"{name.upper()} is not UTF-8. Type it anew, or set the terminal to UTF-8.")
            if isinstance(value, str) and len(value) > LONGEST_CELL:
                raise Refused(f"{name.upper()} has {len(value)} characters; {LONGEST_CELL} is the most.")


def connect(settings: Settings) -> None:
    """
    Name the database to this process.

    Raises Unavailable where no Gendan runs in its folder and no database is named.
    """
    if settings.database_url is not None:
        os.environ[database.URL] = settings.database_url.get_secret_value()
        return
    urls = running_urls(House(settings.home))
    if urls is None:
        raise Unavailable(
            f"No Gendan is running in {settings.home}. Start it with `gendan up`, or name its folder with GENDAN_HOME "
            "or its database with GENDAN_DATABASE_URL."
        )
    os.environ[database.URL] = urls.database_url


def print_json(value: Any) -> None:
    """Print a value as JSON; instants in ISO 8601, UTC."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable) + "\n")


def _jsonable(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo("UTC")).isoformat()
    return str(value)


def as_it_is(text: str) -> Text:
    """Return text from the order book so that the terminal shows it as it is: no mark-up, no control characters."""
    return Text(_printable(text))


def plain(text: str) -> str:
    """Return the same for a place inside rich's mark-up."""
    return escape(_printable(text))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def print_table(table: Table) -> None:
    """Print a table; into a pipe or file as wide as it is, so that a program finds every number whole."""
    if out.is_terminal:
        out.print(table)
        return
    wide = Measurement.get(out, out.options.update(max_width=100_000), table).maximum
    Console(width=max(out.width, wide), highlight=False, emoji=False).print(table)


def me(by: str) -> str:
    """Return who speaks: the name that was given, or the user of this machine."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
