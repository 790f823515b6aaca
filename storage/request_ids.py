"""What each request_id was used for, so that a repeated request gets the first one's answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


class Remembered(NamedTuple):
    """An earlier use of a request_id."""

    fingerprint: bytes
    answer: dict[str, Any]
    create_time: datetime


async def claim_request_id(
    database: Database, *, project_id: str, request_id: UUID, fingerprint: bytes, answer: dict[str, Any]
) -> Remembered | None:
    """Claim a request_id for a day, or return how it was used before."""
    name = {"project_id": project_id, "request_id": request_id}
    taken = await database.fetch_one(
        _QUERIES["claim_request_id"], fingerprint=fingerprint, answer=json.dumps(answer), **name
    )
    if taken is not None:
        return None
    row = await database.fetch_one(_QUERIES["get_request_id"], **name)
    if row is None:  # deleted in between
        return None
    return Remembered(bytes(row["fingerprint"]), json.loads(row["answer"] or "{}"), row["create_time"])


async def take_over_request_id(
    database: Database, *, project_id: str, request_id: UUID, seen: dict[str, Any], answer: dict[str, Any]
) -> bool:
    """Claim the retry of a request whose answer is still ``seen``; False if another call was faster."""
    row = await database.fetch_one(
        _QUERIES["take_over_request_id"],
        project_id=project_id,
        request_id=request_id,
        seen=json.dumps(seen),
        answer=json.dumps(answer),
    )
    return row is not None


async def set_answer(
    database: Database, *, project_id: str, request_id: UUID, answer: dict[str, Any]
) -> None:
    """Store the answer of a request."""
    await database.fetch(
        _QUERIES["set_answer"], project_id=project_id, request_id=request_id, answer=json.dumps(answer)
    )


async def forget_request_ids(database: Database) -> None:
    """Delete request_ids older than a day."""
    await database.fetch(_QUERIES["forget_request_ids"])
