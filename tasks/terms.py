"""The terms an order is followed by, kept as they were when it came in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models import tables
from models.terms.policy import Policy
from models.terms.template import Template


@dataclass(frozen=True)
class Terms:
    """A template and a ladder: running orders keep theirs when the library changes."""

    template: Template
    policy: Policy


_known: dict[str, Terms] = {}


@lru_cache(maxsize=256)
def _body(template: Template, policy: Policy) -> tuple[str, dict[str, Any]]:
    body = {"template": template.model_dump(mode="json"), "policy": policy.model_dump(mode="json")}
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(canonical).hexdigest(), body


async def keep_terms(connection: AsyncConnection, template: Template, policy: Policy) -> str:
    """Store the terms once, under the digest of what they say, and return that digest."""
    digest, body = _body(template, policy)
    await connection.execute(insert(tables.terms).values(digest=digest, body=body).on_conflict_do_nothing())
    return digest


async def find_terms(connection: AsyncConnection, digest: str) -> Terms:
    """Return the terms with this digest; they never change, so each process reads them once."""
    return (await find_all_terms(connection, [digest]))[digest]


async def find_all_terms(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, Terms]:
    """Return the terms with these digests: one query for all that this process has not read before."""
    wanted = set(digests)
    if unread := sorted(wanted - _known.keys()):
        for row in await connection.execute(select(tables.terms).where(tables.terms.c.digest.in_(unread))):
            template, policy = Template.model_validate(row.body["template"]), Policy.model_validate(row.body["policy"])
            _known[row.digest] = Terms(template, policy)
    return {digest: _known[digest] for digest in wanted}
