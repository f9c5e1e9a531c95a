"""`gendan up`, `gendan demo`, `gendan doctor`: the processes, and what is wrong with them."""

from __future__ import annotations

from typing import Annotated

import typer

from gendan.cli.app import AsJson, LibraryFolder, app, err, out, plain, print_json, refusing
from tasks.settings import read_settings


@app.command()
@refusing
def up(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Of Prefect's pages and API.")] = None,
    library: LibraryFolder = None,
) -> None:
    """
    Run Gendan for real work, in the foreground: PostgreSQL, Prefect's server, one worker.

    Data is kept in GENDAN_HOME (default ~/.gendan). Ctrl-C stops it; started again, it goes on where it was.

    Example: gendan up --port 4210
    """
    from gendan.whole import whole_gendan

    given = {name: value for name, value in {"port": port, "library": library}.items() if value is not None}
    settings = read_settings(**given)
    supervisor = whole_gendan(settings, lambda line: err.print(plain(line)))
    raise typer.Exit(supervisor.run())
