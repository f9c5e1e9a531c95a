"""Calls of Prefect's API from this process: with its password, past any proxy, and what is said where it is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from gendan.password import OF_CLIENTS, OF_SERVER, password


@contextmanager
def calling(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this process call the Prefect that an environment names, with its password, for the length of a block."""
    # httpx takes its proxies from the process
    os.environ.update(directly(os.environ))
    named = {PREFECT_API_URL: environment["PREFECT_API_URL"], PREFECT_API_AUTH_STRING: password(environment)}
    with temporary_settings(named):
        yield


def shut(api_url: str, secret: str | None) -> str:
    """Say what to do where Prefect's server answered 401; `secret` is what it was called with."""
    if secret is None:
        return f"Prefect at {shown(api_url)} lets nobody in without a password: set {OF_CLIENTS} to the server's."
    return f"Prefect at {shown(api_url)} does not take the password in {OF_CLIENTS}: set it to that of its {OF_SERVER}."


def shown(url: str) -> str:
    """Return a URL without the user and password that may stand in it: those of something before the server."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def directly(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return what keeps a proxy from being asked for this machine, beside what the environment keeps from it already.

    A proxy for the channels would be told the password. Both spellings, as libraries read either.
    """
    direct = [environment[name] for name in ("no_proxy", "NO_PROXY") if environment.get(name)]
    direct = list(dict.fromkeys([*",".join(direct).split(","), "127.0.0.1", "localhost", "::1"]))
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(filter(None, direct)))
