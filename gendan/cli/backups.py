"""`gendan backup` and `gendan restore`: the order book and Prefect's part in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gendan.backups.archive import ORDERS, PREFECT, Manifest
from gendan.cli.app import app, as_it_is, err, out, refusing
from gendan.replay import stopped_in_order
from tasks.settings import read_settings

Replace = Annotated[bool, typer.Option("--replace", help="Put it in the place of what is there.")]


@app.command()
@refusing
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; only you may read it.")], replace: Replace = False
) -> None:
    """
    Write the order book and Prefect's part to one file, while Gendan runs or while it is off.

    Channels, people and templates of your own are files already: keep a copy of them too.

    Example: gendan backup /srv/backups/gendan-monday.backup --replace
    """
    from gendan.backups.backup import back_up

    with stopped_in_order():
        manifest = back_up(read_settings(), file, replace=replace)
    out.print(as_it_is(f"{file}: {_what(manifest)}"))
    if PREFECT not in manifest.parts:
        err.print(
            "Prefect's part is not in it: PREFECT_API_DATABASE_CONNECTION_URL names no database here. After a restore "
            "every open order gets a new run."
        )


@app.command()
@refusing
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `gendan backup` wrote.")],
    replace: Replace = False,
    orders_only: Annotated[bool, typer.Option("--orders-only", help="Leave Prefect's database as it is.")] = False,
) -> None:
    """
    Put a backup back while Gendan is off; one of an older release is brought to this one's form.

    With the next start every open order is looked at, and gets a run if Prefect has none.

    Example: gendan restore /srv/backups/gendan-monday.backup --replace
    """
    from gendan.backups.restore import put_back

    with stopped_in_order():
        manifest = put_back(read_settings(), file, replace=replace, orders_only=orders_only)
    out.print(as_it_is(f"Restored: {_what(manifest)}. Start Gendan: every open order is looked at once."))


def _what(manifest: Manifest) -> str:
    revision = manifest.parts[ORDERS].revision
    return (
        f"{manifest.orders} orders, {manifest.followed} of them followed, {manifest.entries} entries, as of "
        f"{manifest.made_at:%Y-%m-%d %H:%M} UTC (Gendan {manifest.gendan}, revision {revision})"
    )
