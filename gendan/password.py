"""The password of Prefect's API: where it is read, and that nobody listens to other machines without one."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from models.errors import Refused
from tasks.settings import Settings

OF_SERVER = "PREFECT_SERVER_API_AUTH_STRING"
"""Asked for by Prefect's server."""
OF_CLIENTS = "PREFECT_API_AUTH_STRING"
"""Sent by all who call it."""


def password(environment: Mapping[str, str]) -> str | None:
    """
    Return the password that an environment names, under either of Prefect's names or both; None: there is none.

    Raises:
        Refused: the two differ, or Prefect's server would fail at it. Never repeats it.

    """
    named = {environment[name] for name in (OF_SERVER, OF_CLIENTS) if environment.get(name)}
    if len(named) > 1:
        raise Refused(
            f"{OF_SERVER} and {OF_CLIENTS} differ, so nobody could call Prefect's server: give both the same value, "
            "or set one of them."
        )
    given = next(iter(named), None)
    if given is not None and not (given.isascii() and given.isprintable()):
        # hmac.compare_digest takes no other text: each call would be answered with HTTP 500
        raise Refused(f"{OF_SERVER} may hold ASCII letters, digits and signs only, such as admin:PASSWORD.")
    return given


def refuse_open(settings: Settings, secret: str | None) -> None:
    """Raise Refused where Prefect's server would listen to other machines and let everybody in."""
    if secret is not None or settings.open or _is_this_machine(settings.host):
        return
    raise Refused(
        f"GENDAN_HOST={settings.host} lets other machines reach Prefect's server, and without a password whoever "
        f"reaches it can read and change every order's run. Set {OF_SERVER}=admin:PASSWORD, or use 127.0.0.1. "
        "Where something before it asks for a password, GENDAN_OPEN=1 says so. Nothing was started."
    )


def _is_this_machine(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        # there is no such host: told where its port is looked at
        return True
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
