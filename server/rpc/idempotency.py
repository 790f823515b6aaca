"""Makes requests with a request_id safe to repeat for a day."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from server.rpc.auth import caller
from server.rpc.errors import RequestIdReused
from storage import request_ids

if TYPE_CHECKING:
    from uuid import UUID

    from google.protobuf.message import Message

    from storage.pool import Database
    from storage.request_ids import Remembered


class IdempotencyKeys:
    """Remembers, per project, what a request_id was used for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, request_id: UUID, fingerprint: bytes, answer: dict[str, Any]) -> Remembered | None:
        """Take a request_id for a request; when the same request had it before, return that.

        Raises:
            RequestIdReused: Another request had it.
        """
        earlier = await request_ids.claim_request_id(
            self._database,
            project_id=caller().project_id,
            request_id=request_id,
            fingerprint=fingerprint,
            answer=answer,
        )
        if earlier is not None and earlier.fingerprint != fingerprint:
            raise RequestIdReused(str(request_id))
        return earlier

    async def take_over(self, request_id: UUID, seen: dict[str, Any], answer: dict[str, Any]) -> bool:
        """Begin anew what failed; of several that try, one may."""
        return await request_ids.take_over_request_id(
            self._database,
            project_id=caller().project_id,
            request_id=request_id,
            seen=seen,
            answer=answer,
        )

    async def note(self, request_id: UUID, answer: dict[str, Any]) -> None:
        """Keep what the request gave."""
        await request_ids.set_answer(
            self._database, project_id=caller().project_id, request_id=request_id, answer=answer
        )


def fingerprint_of(request: Message, field: str) -> bytes:
    """Return what a request asks, without the field that holds its id."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField(field)
    return hashlib.sha256(asked.SerializeToString(deterministic=True)).digest()
