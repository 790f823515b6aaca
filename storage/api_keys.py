"""Projects, and the API keys that grant access to them."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
ROLES: Final = ("ingest", "read", "chat", "admin")
"""What a key allows: to send logs; to read; to chat and keep conversations; everything in its project."""
PROJECT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""What a project_id looks like."""
PROJECT_ID_RULE: Final = "must be 1 to 63 lower-case letters, digits and hyphens, and not begin with a hyphen"
DEFAULT_PROJECT: Final = "default"
"""Project of callers without a key, and of batches that name none; the first migration creates it."""
_MARK: Final = "llmo_"
"""The beginning of every secret, by which scanners and our own redaction recognise it."""
_PREFIX_CHARS: Final = len(_MARK) + 8
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A row of projects."""

    project_id: str
    display_name: str
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A row of api_keys. Times that have not come are None."""

    api_key_id: UUID
    project_id: str
    display_name: str
    prefix: str
    """The beginning of the secret, which may be shown."""
    secret_sha256: bytes
    roles: Sequence[str]
    create_time: datetime
    expire_time: datetime | None
    revoke_time: datetime | None
    last_use_time: datetime | None
    """To the minute."""


class NewApiKey(NamedTuple):
    """A key, and its secret, which is known only now."""

    key: ApiKey
    secret: str


def prefix_of(secret: str) -> str:
    """Return the part of a secret that finds its row, or '' for a text that is not a secret of ours."""
    return secret[:_PREFIX_CHARS] if secret.startswith(_MARK) and len(secret) > _PREFIX_CHARS else ""


def hash_of(secret: str) -> bytes:
    """Return the hash that is stored of a secret. 256 random bits need no slow one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def create_project(database: Database, *, project_id: str, display_name: str = "") -> Project | None:
    """Create a project; None if it exists already."""
    row = await database.fetch_one(
        _QUERIES["create_project"], project_id=project_id, display_name=display_name
    )
    return Project(**row) if row is not None else None


async def list_projects(database: Database, project_id: str | None = None) -> list[Project]:
    """Return all projects in order of their ids, or only the given one."""
    rows = await database.fetch(_QUERIES["list_projects"], project_id=project_id)
    return [Project(**row) for row in rows]


async def create_api_key(
    database: Database,
    *,
    project_id: str,
    roles: Sequence[str],
    display_name: str = "",
    expire_time: datetime | None = None,
) -> NewApiKey | None:
    """Create a key; None if there is no such project."""
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
    return NewApiKey(ApiKey(**row), secret) if row is not None else None


async def list_api_keys(database: Database, project_id: str) -> list[ApiKey]:
    """Return the keys of a project, newest first, revoked ones included."""
    rows = await database.fetch(_QUERIES["list_api_keys"], project_id=project_id)
    return [ApiKey(**row) for row in rows]


async def revoke_api_key(
    database: Database, api_key_id: UUID, project_id: str | None = None
) -> ApiKey | None:
    """Revoke a key of a project, or of any, and return it; None if there is none. Repeating is safe."""
    row = await database.fetch_one(_QUERIES["revoke_api_key"], api_key_id=api_key_id, project_id=project_id)
    return ApiKey(**row) if row is not None else None


async def find_api_key(database: Database, prefix: str) -> ApiKey | None:
    """Return a key that is neither revoked nor expired, and record that it is used."""
    row = await database.fetch_one(_QUERIES["find_api_key"], prefix=prefix)
    return ApiKey(**row) if row is not None else None
