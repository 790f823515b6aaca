"""API keys."""

from __future__ import annotations

from typing import Any

from storage import api_keys
from storage.pool import Database


async def make_key(database: Database, *roles: str, project: str = "default", **fields: Any) -> str:
    """Return the secret of a new key; create its project if it is missing."""
    await api_keys.create_project(database, project_id=project)
    created = await api_keys.create_api_key(database, project_id=project, roles=roles, **fields)
    assert created is not None
    return created.secret
