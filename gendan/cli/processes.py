"""`gendan up`, `gendan prepare`, `gendan demo`, `gendan doctor`: the processes, and what is wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from gendan.cli.app import AsJson, LibraryFolder, app, as_it_is, err, out, plain, print_json, refusing
from gendan.house import folder_of_its_own
from gendan.supervisor import Running
from models.seasons.result import Result
from notifications.channels import Channels
from tasks.clock import now
from tasks.settings import read_settings

CHINA = ZoneInfo("Asia/Shanghai")
"""The sample orders' own zone."""


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

    def started(running: Running) -> None:
        out.print(f"Gendan is up. Prefect's pages: [bold]{running.ui_url}[/]")
        out.print(f"Orders and logs are kept in {settings.home}. Ctrl-C stops it.")
        for problem in Channels.from_file(settings.channels).check():
            out.print(as_it_is(f"Nobody can be told yet: {problem}"))

    def say(line: str) -> None:
        err.print(as_it_is(f"{now().astimezone():%H:%M:%S} {line}"))

    say("Starting: PostgreSQL, Prefect's server, the deployments, the worker ...")
    raise typer.Exit(whole_gendan(settings, say, started=started).run())


@app.command()
@refusing
def prepare() -> None:
    """
    Bring a database and a running Prefect of your own into form: tables, work pool, deployments, the watch's watch.

    GENDAN_DATABASE_URL and PREFECT_API_URL name them. Run it once, and after each upgrade; again does no harm.

    Example: gendan prepare
    """
    from gendan.prepare import prepare as bring_into_form

    bring_into_form(read_settings(), lambda line: out.print(as_it_is(line)))


_MARKS = {
    "new": "[bold cyan]＋ new[/]",
    "done": "[green]✔ done[/]",
    "late": "[yellow]✔ late[/]",
    "sailed": "[bold green]⚓ sailed[/]",
    "NOTE": "[magenta]✉ note[/]",
}


@app.command()
@refusing
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Play as fast as it goes, and stop by itself.")] = False,
) -> None:
    """
    Play a season of sample orders on a virtual clock, in three to five minutes, and go on serving its pages.

    Uses a folder of its own; nothing else on this machine is touched.

    Example: gendan demo --exit
    """
    from gendan.demo import PACE, Line
    from gendan.demo import demo as play

    def begin(ui_url: str) -> None:
        out.print(
            f"\nPrefect's pages: [bold]{ui_url}[/]  (Runs: every order is a run; its badge says what it waits for)\n"
        )

    def tell(line: Line) -> None:
        mark = _MARKS.get(line.mark, f"[bold red]✉ {line.mark}[/]  ")
        out.print(f"{line.at.astimezone(CHINA):%d %b %Y %H:%M}  {mark}  {plain(line.order_no)}  {plain(line.words)}")

    with folder_of_its_own() as home:
        settings = read_settings(home=home)
        say = lambda line: err.print(f"[dim]{plain(line)}[/]")  # noqa: E731 - one use, one line
        with play(settings, pace=0.0 if exit_ else PACE, say=say, begin=begin, tell=tell) as result:
            _show_summary(result)
            if not exit_:
                out.print("\nStill serving: answer a stall in the pages (Resume). Ctrl-C stops it.")
                with contextlib.suppress(KeyboardInterrupt):
                    threading.Event().wait()


def _show_summary(result: Result) -> None:
    table = Table("Order", "State", "ETD", "Departed", "Days late", box=None, pad_edge=False, title="The season")
    for order in result.orders:
        etd = order.etd.strftime("%d %b %Y") if order.etd else "-"
        departed = order.departed_at.strftime("%d %b %Y") if order.departed_at else "-"
        days = f"{order.days_late:+.1f}" if order.days_late is not None else "-"
        table.add_row(as_it_is(order.order_no), order.state.value.replace("_", " "), etd, departed, days)
    out.print()
    out.print(table)
    summary = result.summary
    on_time = summary.closed - summary.late
    said = ", ".join(f"{rung} {count}" for rung, count in summary.messages.items())
    out.print(
        f"\n{summary.orders} orders: {on_time} on time, {summary.late} late, {summary.open} open. Messages: {said}"
    )


@app.command()
@refusing
def doctor(json: AsJson = False) -> None:
    """
    Look at everything Gendan needs, say what is wrong and what to do.

    Exit status 1 if anything is.

    Example: gendan doctor
    """
    from gendan.doctor import examine

    findings = asyncio.run(examine(read_settings()))
    if json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/]   " if finding.ok else "[bold red]wrong[/]"
            out.print(f"{mark} {finding.what}: {plain(finding.words)}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
