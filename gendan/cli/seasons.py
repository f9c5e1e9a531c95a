"""`gendan backtest` and `gendan replay`: a past season played on a virtual clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gendan.cli.app import LibraryFolder, app, as_it_is, err, out, refusing
from gendan.house import folder_of_its_own
from gendan.season import Season, backtest, load_season
from models.errors import Refused
from models.result import Result
from tasks.library import library, load_library
from tasks.settings import read_settings

OrdersFile = Annotated[Path, typer.Option("--orders", help="The orders, CSV or XLSX.")]
ReportsFile = Annotated[Path, typer.Option("--reports", help="Their reports, CSV or XLSX.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many orders.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file (docs/formats.md).")]


def _read(orders: Path, reports: Path, limit: int | None, folder: Path | None) -> Season:
    season = load_season(orders, reports, load_library(folder) if folder else library(), limit)
    for path, refusal in season.refused:
        err.print(as_it_is(f"{path}, {refusal}"))
    return season


def _give(result: Result, season: Season, json: Path | None) -> None:
    if json is not None:
        try:
            json.write_text(result.model_dump_json(indent=1), encoding="utf-8")
        except OSError as error:
            raise Refused(
                f"{json}: the result cannot be written there ({error.strerror}). Give another --json."
            ) from None
    summary = result.summary
    out.print(
        f"{summary.orders} orders: {summary.closed} departed whole, {summary.late} of them late; {summary.open} open, "
        f"{summary.waiting_for_date} of them waiting for a date"
    )
    out.print("messages: " + ", ".join(f"{rung} {count}" for rung, count in summary.messages.items()))
    if season.refused:
        err.print(f"{len(season.refused)} rows were refused, see above")
        raise typer.Exit(1)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


@app.command("backtest")
@refusing
def backtest_command(
    orders: OrdersFile,
    reports: ReportsFile,
    limit: Limit = None,
    json: JsonFile = None,
    library: LibraryFolder = None,
) -> None:
    """
    Play a past season with the core alone: no Prefect, no server, no database.

    Example: gendan backtest --orders orders.csv --reports reports.csv --json result.json
    """
    season = _read(orders, reports, limit, library)
    with _progress() as progress:
        bar = progress.add_task("orders", total=len(season.files))
        result = backtest(season, lambda done: progress.update(bar, completed=done))
    _give(result, season, json)


@app.command("replay")
@refusing
def replay_command(
    orders: OrdersFile,
    reports: ReportsFile,
    limit: Limit = None,
    json: JsonFile = None,
    library: LibraryFolder = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=64, help="How many orders play at a time.")] = 12,
) -> None:
    """
    Play a past season through the real flows, server and worker, on a virtual clock.

    Starts what it needs in GENDAN_HOME, or else in a folder that it removes again, and stops it at the end.

    Example: gendan replay --orders orders.csv --reports reports.csv --limit 40 --json result.json
    """
    from gendan.replay import replay

    season = _read(orders, reports, limit, library)
    with folder_of_its_own() as home, _progress() as progress:
        settings = read_settings(home=home, **({"library": library} if library else {}))
        bar = progress.add_task("starting", total=len(season.files))

        def show(done: int, wakes: int) -> None:
            progress.update(bar, completed=done, description=f"orders ({wakes} wake-ups)")

        played = replay(season, settings, at_once, say=lambda line: err.print(as_it_is(line)), progress=show)
    out.print(f"{played.wakes} wake-ups in {played.seconds:.1f} s ({played.wakes / played.seconds:.1f} per second)")
    _give(played.result, season, json)
