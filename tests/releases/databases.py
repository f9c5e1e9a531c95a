"""Databases that a past release has left behind: dumps in a folder for each, loaded as they are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

FIRST = Path(__file__).parent / "first"


def load(release: Path, name: str, url: str) -> None:
    """Load the dump `name` of a release into an empty database."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with (
        psycopg.connect(plain, autocommit=True) as connection,
        gzip.open(release / f"{name}.sql.gz", "rt", encoding="utf-8") as dump,
    ):
        statements: list[str] = []
        for line in dump:
            if not (line.startswith("COPY ") and line.endswith("FROM stdin;\n")):
                # known since PostgreSQL 17 only
                statements += [line] if "transaction_timeout" not in line else []
                continue
            connection.execute("".join(statements).encode())
            statements = []
            with connection.cursor().copy(line.encode()) as copy:
                for row in dump:
                    if row == "\\.\n":
                        break
                    copy.write(row)
        connection.execute("".join(statements).encode())


def told(release: Path) -> dict[str, dict[str, Any]]:
    """Return where the release itself said that each order stands, and what it had said of it."""
    orders: dict[str, dict[str, Any]] = json.loads((release / "told.json").read_text("utf-8"))
    return orders
