"""`gendan backtest` and `gendan replay`: a past season played on a virtual clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gendan.cli.app import LibraryFolder, app, as_it_is, err, out, refusing
from gendan.cli.comparing import print_comparison
from gendan.house import folder_of_its_own
from gendan.season import Season, backtest, compare, load_season, read_policy_file
from models.errors import Refused
from models.seasons.judged import Comparison
from models.seasons.result import Result
from models.terms.policy import Policy
from tasks.library import Library, load_library
from tasks.library import library as own_library
from tasks.settings import read_settings

OrdersFile = Annotated[Path, typer.Option("--orders", help="The orders, CSV or XLSX.")]
ReportsFile = Annotated[Path, typer.Option("--reports", help="Their reports, CSV or XLSX.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many orders.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file (docs/formats.md).")]


def _library(folder: Path | None) -> Library:
    return load_library(folder) if folder else own_library()


def _read(orders: Path, reports: Path, limit: int | None, library: Library) -> Season:
    season = load_season(orders, reports, library, limit)
    for path, refusal in season.refused:
        err.print(as_it_is(f"{path}, {refusal}"))
    return season


def _write(result: Result | Comparison, json: Path | None) -> None:
    if json is None:
        return
    try:
        json.write_text(result.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{json}: the result cannot be written there ({error.strerror}). Give another --json.") from None


def _tell_of_refused(season: Season) -> None:
    if season.refused:
        err.print(f"{len(season.refused)} rows were refused, see above")
        raise typer.Exit(1)


def _give(result: Result, season: Season, json: Path | None) -> None:
    _write(result, json)
    summary = result.summary
    out.print(
        f"{summary.orders} orders: {summary.closed} departed whole, {summary.late} of them late; {summary.open} open, "
        f"{summary.waiting_for_date} of them waiting for a date"
    )
    out.print("messages: " + ", ".join(f"{rung} {count}" for rung, count in summary.messages.items()))
    _tell_of_refused(season)


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
    policy: Annotated[
        Path | None, typer.Option("--policy", help="An escalation policy to be tried, YAML. Compares.", dir_okay=False)
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="What it is compared with. Default: the library's policies.", dir_okay=False),
    ] = None,
    answers_within: Annotated[
        int | None,
        typer.Option("--answers-within", min=1, max=60, help="As if all answered within so many working days."),
    ] = None,
) -> None:
    """
    Play a past season with the core alone: no Prefect, no server, no database.

    With --policy, under that policy and the present one, side by side: docs/policy-backtest.md.

    Example: gendan backtest --orders orders.csv --reports reports.csv --policy new.yaml --against current.yaml
    """
    terms = _library(library)
    policies = _policies(policy, against, terms)
    season = _read(orders, reports, limit, terms)
    with _progress() as progress:
        bar = progress.add_task("orders", total=len(season.files) * max(1, len(policies)))
        if not policies:
            result = backtest(season, lambda done: progress.update(bar, completed=done), answers_within)
        else:
            comparison = compare(season, terms, policies, answers_within, lambda: progress.advance(bar))
    if not policies:
        _give(result, season, json)
        return
    _write(comparison, json)
    print_comparison(comparison)
    _tell_of_refused(season)


def _policies(new: Path | None, current: Path | None, library: Library) -> dict[str, Policy | None]:
    """Return the policies to be compared by what they are called, the present one first; none without a new one."""
    if new is None:
        if current is not None:
            raise Refused("--against is what a new policy is compared with: name that one with --policy.")
        return {}
    names = [new.name, current.name if current is not None else "the library's own"]
    if names[0] == names[1]:
        names = [str(new), str(current)]
    if names[0] == names[1]:
        raise Refused(f"{new} is compared with itself. Name another file with --against.")
    return {
        names[1]: read_policy_file(current, library) if current is not None else None,
        names[0]: read_policy_file(new, library),
    }


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

    season = _read(orders, reports, limit, _library(library))
    with folder_of_its_own() as home, _progress() as progress:
        settings = read_settings(home=home, **({"library": library} if library else {}))
        bar = progress.add_task("starting", total=len(season.files))

        def show(done: int, wakes: int) -> None:
            progress.update(bar, completed=done, description=f"orders ({wakes} wake-ups)")

        played = replay(season, settings, at_once, say=lambda line: err.print(as_it_is(line)), progress=show)
    out.print(f"{played.wakes} wake-ups in {played.seconds:.1f} s ({played.wakes / played.seconds:.1f} per second)")
    _give(played.result, season, json)
