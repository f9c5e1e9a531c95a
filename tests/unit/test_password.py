"""The password of Prefect's API: named once it is known to all, and nobody listens to the network without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendan.calls import directly, shown
from gendan.environment import for_clients, for_server
from gendan.house import House, Urls
from gendan.password import OF_CLIENTS, OF_SERVER, password, refuse_open
from models.errors import Refused
from tasks.settings import Settings, read_settings

URLS = Urls(api_url="http://127.0.0.1:4200/api", ui_url="http://127.0.0.1:4200", database_url="postgresql:///gendan")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the person who runs the tests has set for a Gendan or a Prefect of their own."""
    for name in (OF_SERVER, OF_CLIENTS, "GENDAN_HOST", "GENDAN_OPEN"):
        monkeypatch.delenv(name, raising=False)


def passwords(settings: Settings, tmp_path: Path) -> tuple[str | None, str | None, str | None]:
    """Return what the worker, and what Prefect's server is told: what it sends, and what it asks for."""
    clients = for_clients(settings, House(tmp_path), URLS)
    server = for_server(clients, settings, URLS, "postgresql+asyncpg:///prefect")
    assert OF_SERVER not in clients, "only the server asks for it"
    return clients.get(OF_CLIENTS), server.get(OF_CLIENTS), server.get(OF_SERVER)


@pytest.mark.parametrize("names", [(OF_SERVER,), (OF_CLIENTS,), (OF_SERVER, OF_CLIENTS)], ids=", ".join)
def test_a_password_that_is_named_once_is_known_to_server_and_clients(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in names:
        monkeypatch.setenv(name, "admin:s3cret")

    assert passwords(read_settings(home=tmp_path), tmp_path) == ("admin:s3cret",) * 3


@pytest.mark.parametrize("value", [None, ""])  # compose files make empty variables
def test_without_a_password_none_is_asked_for(
    value: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if value is not None:
        monkeypatch.setenv(OF_SERVER, value)
        monkeypatch.setenv(OF_CLIENTS, value)

    assert passwords(read_settings(home=tmp_path), tmp_path) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({OF_SERVER: "admin:s3cret", OF_CLIENTS: "admin:s3cret2"}, "differ"),
        ({OF_SERVER: "admin:s3cret密"}, "ASCII"),  # the server would answer each call with HTTP 500
        ({OF_SERVER: "admin:s3cret\n"}, "ASCII"),  # as `echo` writes it into a file
    ],
)
def test_a_password_that_nobody_could_use_is_refused_and_not_repeated(given: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        password(given)

    assert OF_SERVER in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_let_in_with_a_password_or_where_somebody_says_so(host: str, tmp_path: Path) -> None:
    settings = read_settings(home=tmp_path, host=host)

    with pytest.raises(Refused, match=rf"(?s)GENDAN_HOST={host} .*{OF_SERVER}=.*GENDAN_OPEN=1"):
        refuse_open(settings, None)
    refuse_open(settings, "admin:s3cret")
    refuse_open(read_settings(home=tmp_path, host=host, open=True), None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_none(host: str, tmp_path: Path) -> None:
    refuse_open(read_settings(home=tmp_path, host=host), None)


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("https://mei:s3cret@prefect.example/api", "https://prefect.example/api"),  # a gateway before the server
        ("http://mei:s3@cret@[::1]:4200/api", "http://[::1]:4200/api"),
    ],
)
def test_a_servers_url_is_shown_without_the_password_in_it(url: str, without: str) -> None:
    assert shown(url) == without


@pytest.mark.parametrize(
    ("given", "direct"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "erp.example"}, "erp.example,127.0.0.1,localhost,::1"),
        ({"no_proxy": "erp.example,127.0.0.1", "NO_PROXY": "erp.example"}, "erp.example,127.0.0.1,localhost,::1"),
    ],
)
def test_a_proxy_is_never_asked_for_this_machine(given: dict[str, str], direct: str) -> None:
    assert directly(given) == {"no_proxy": direct, "NO_PROXY": direct}
    assert directly(given | directly(given)) == directly(given)


@pytest.mark.parametrize("name", ["PREFECT_SERVER_LOGGING_LEVEL", "PREFECT_LOGGING_ROOT_LEVEL"])
@pytest.mark.parametrize(
    ("given", "secret", "told"),
    [
        ("DEBUG", "admin:s3cret", "INFO"),
        ("debug", "admin:s3cret", "INFO"),
        ("5", "admin:s3cret", "INFO"),
        ("WARNING", "admin:s3cret", "WARNING"),
        ("DEBUG", None, "DEBUG"),  # there is nothing to be kept secret
    ],
)
def test_with_a_password_nobody_logs_the_frames_that_hold_it(
    name: str, given: str, secret: str | None, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, given)
    if secret is not None:
        monkeypatch.setenv(OF_SERVER, secret)

    assert for_clients(read_settings(home=tmp_path), House(tmp_path), URLS)[name] == told
