"""`gendan prepare` where something is missing: it says what, what to do, and changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from gendan.cli import processes  # noqa: F401 - it adds its commands
from gendan.cli.app import app
from tasks.schema import check_schema


def prepare(api_url: str | None) -> tuple[int, str]:
    """Run the command against the Prefect at `api_url`; return its exit status and all that it printed."""
    with temporary_settings({PREFECT_API_URL: api_url}):
        result = CliRunner().invoke(app, ["prepare"])
    return result.exit_code, " ".join((result.output + result.stderr).split())


def nobody() -> str:
    """Return the address of a server that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/api"


@pytest.fixture(params=[401, 404, 500])
def another_server(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """Give a status, and the address of a server that answers everything with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield request.param, f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def test_without_a_database_it_says_how_one_is_named(own_settings: Path) -> None:
    status, said = prepare(nobody())

    assert status == 1
    assert "Set GENDAN_DATABASE_URL=postgresql://" in said


def test_without_a_server_it_says_how_one_is_named(empty_database_url: str) -> None:
    status, said = prepare(None)

    assert status == 1
    assert "Set PREFECT_API_URL=" in said
    assert check_schema(empty_database_url), "the database stays as it was"


def test_a_server_that_is_not_there_is_named_and_the_database_stays_as_it_was(empty_database_url: str) -> None:
    api_url = nobody()
    status, said = prepare(api_url)

    assert status == 1
    assert api_url in said
    assert "prefect server start" in said
    assert check_schema(empty_database_url), "the database stays as it was"


def test_a_server_that_is_no_prefect_is_named(empty_database_url: str, another_server: tuple[int, str]) -> None:
    answer, api_url = another_server
    status, said = prepare(api_url)

    assert status == 1
    assert api_url in said
    assert ("PREFECT_API_AUTH_STRING" if answer == 401 else f"HTTP {answer}") in said
    assert check_schema(empty_database_url), "the database stays as it was"
