"""Projects and the API keys that open them."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
ROLES: Final = ("ingest", "read", "chat", "admin")
"""What a key may do: send logs; read; chat and keep conversations; everything in its project."""
PROJECT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""What a project may be called."""
_MARK: Final = "llmo_"
"""Every secret begins so, that scanners and our own redaction know it."""
_PREFIX_CHARS: Final = len(_MARK) + 8
_SECRET_BYTES: Final = 32


class NewApiKey(NamedTuple):
    """A key's row, and the secret that is shown this once."""

    row: asyncpg.Record
    secret: str


def prefix_of(secret: str) -> str:
    """Return the part of a secret that finds its row, or an empty text when it is no secret of ours."""
    return secret[:_PREFIX_CHARS] if secret.startswith(_MARK) and len(secret) > _PREFIX_CHARS else ""


def hash_of(secret: str) -> bytes:
    """Return what is stored of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def create_project(
    database: Database, *, project_id: str, display_name: str = ""
) -> asyncpg.Record | None:
    """Make a project and return its row, or None where it is there already."""
    return await database.fetch_one(
        _QUERIES["create_project"], project_id=project_id, display_name=display_name
    )


async def list_projects(database: Database, project_id: str | None = None) -> list[asyncpg.Record]:
    """Return all projects by id, or the one named."""
    return await database.fetch(_QUERIES["list_projects"], project_id=project_id)


async def create_api_key(
    database: Database,
    *,
    project_id: str,
    roles: Sequence[str],
    display_name: str = "",
    expire_time: datetime | None = None,
) -> NewApiKey | None:
    """Make a key, or return None where there is no such project."""
    secret = _MARK + secrets.token_hex(4) + secrets.token_urlsafe(_SECRET_BYTES)
    row = await database.fetch_one(
        _QUERIES["create_api_key"],
        project_id=project_id,
        display_name=display_name,
        prefix=prefix_of(secret),
        secret_hash=hash_of(secret),
        roles=sorted(set(roles)),
        expire_time=expire_time,
    )
    return NewApiKey(row, secret) if row is not None else None


async def list_api_keys(database: Database, project_id: str) -> list[asyncpg.Record]:
    """Return the keys of a project, newest first, revoked ones too."""
    return await database.fetch(_QUERIES["list_api_keys"], project_id=project_id)


async def revoke_api_key(
    database: Database, api_key_id: UUID, project_id: str | None = None
) -> asyncpg.Record | None:
    """End a key of a project, or of any, and return its row; None where there is none. Repeating is safe."""
    return await database.fetch_one(_QUERIES["revoke_api_key"], api_key_id=api_key_id, project_id=project_id)


async def find_api_key(database: Database, prefix: str) -> asyncpg.Record | None:
    """Return the row of a key that is neither revoked nor expired, and note that it is used."""
    return await database.fetch_one(_QUERIES["find_api_key"], prefix=prefix)
