"""`gendan orders migrate`: moving running orders to today's version of their template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gendan.cli.app import AsJson, By, Note, as_it_is, err, me, out, print_json, with_database
from gendan.cli.orders import orders
from models.errors import Refused, UnknownOrder
from models.migration import Migration
from tasks.library import library
from tasks.marked_yaml import did_you_mean
from tasks.retermed import migrate, outdated
from tasks.settings import settings


@orders.command("migrate")
@with_database
async def migrate_(
    order: Annotated[list[str] | None, typer.Argument(help="The order numbers.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every open order that is behind the library.")] = False,
    template: Annotated[str, typer.Option("--template", help="With --all: only the orders of this template.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    note: Note = "",
    by: By = "",
    json: AsJson = False,
) -> None:
    """
    Move running orders to today's version of their template and policy, which else they keep to their end.

    What they had chosen stays: steps left out, how far they are followed, the days of their own parties. An order of
    which a step was reported that today's version does not have is refused.

    Example: gendan orders migrate SO-26-0417 --dry-run
    """
    if bool(order) == every:
        raise typer.BadParameter("give either order numbers or --all")
    if template and not every:
        raise typer.BadParameter("--template goes with --all")
    if template and template not in library().templates:
        known = library().templates
        raise Refused(
            f"There is no template {template!r}{did_you_mean(template, known)}. There are: {', '.join(known)}."
        )
    numbers = await outdated(template) if every else list(dict.fromkeys(order or ()))
    moved, refused = await _migrate_all(numbers, by=me(by), note=note, dry_run=dry_run)
    if json:
        print_json({"moved": [_as_json(each) for each in moved], "refused": refused, "dry_run": dry_run})
    else:
        for each in moved:
            for line in _brief(each) if every and not dry_run else _in_full(each, dry_run):
                out.print(as_it_is(line))
        if every:
            out.print(f"{len(moved)} orders {'would be moved' if dry_run else 'moved'}, {len(refused)} refused.")
    for why in refused.values():
        err.print(as_it_is(f"gendan: {why}"))
    if refused:
        raise typer.Exit(1)


async def _migrate_all(
    numbers: Sequence[str], *, by: str, note: str, dry_run: bool
) -> tuple[list[Migration], dict[str, str]]:
    moved: list[Migration] = []
    refused: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for order_no in progress.track(numbers, description="orders"):
            try:
                made = await migrate(order_no, by=by, note=note, dry_run=dry_run)
            except (Refused, UnknownOrder) as refusal:
                refused[order_no] = str(refusal)
                continue
            if made is None:
                refused[order_no] = f"Order {order_no} is on today's template and policy already; nothing was changed."
            else:
                moved.append(made)
    return moved, refused


def _brief(made: Migration) -> Iterable[str]:
    changes = (f"{len(made.added)} steps added", f"{len(made.removed)} removed", f"{len(made.moved)} dates moved")
    yield f"{_versions(made)}: {', '.join(changes)}"


def _in_full(made: Migration, dry_run: bool) -> Iterable[str]:
    yield f"{_versions(made)}{' (nothing is changed yet)' if dry_run else ''}"
    yield from (f"  + {code} {_name(made, code)}{_due(due)}" for code, due in made.added.items())
    yield from (f"  - {code}{_due(due)}" for code, due in made.removed.items())
    yield from (f"  {each.code}: {_day(each.was)} -> {_day(each.now)}" for each in made.moved)
    if made.other_policy:
        rungs = ", ".join(f"{rung.code} after {rung.after} to {rung.role}" for rung in made.policy.rungs)
        yield f"  policy: {rungs}"
    if not (made.added or made.removed or made.moved):
        yield "  no step and no date changes"


def _versions(made: Migration) -> str:
    return f"{made.order_no}: {made.template.code} version {made.from_version} -> {made.template.version}"


def _name(made: Migration, code: str) -> str:
    return made.template.by_code[code].name.in_(settings().language)


def _due(due: datetime | None) -> str:
    return f", {_day(due)}" if due is not None else ""


def _day(due: datetime) -> str:
    return f"{due:%a %d %b %Y}"


def _as_json(made: Migration) -> dict[str, Any]:
    def steps(of: Mapping[str, datetime | None]) -> list[dict[str, Any]]:
        return [{"milestone": code, "due": due} for code, due in of.items()]

    return {
        "order_no": made.order_no,
        "template": made.template.code,
        "from_version": made.from_version,
        "to_version": made.template.version,
        "added": steps(made.added),
        "removed": steps(made.removed),
        "moved": [{"milestone": each.code, "was": each.was, "now": each.now} for each in made.moved],
        "other_policy": made.other_policy,
    }
