"""Makes a request with a request_id safe to repeat for a day."""

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
    """Stores, per project, which request a request_id belongs to and its answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, request_id: UUID, fingerprint: bytes, answer: dict[str, Any]) -> Remembered | None:
        """Claim a request_id; return the earlier use when the same request has claimed it before.

        Raises:
            RequestIdReused: Another request has used it.
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
        """Retry a failed request; of several concurrent callers one gets True."""
        return await request_ids.take_over_request_id(
            self._database,
            project_id=caller().project_id,
            request_id=request_id,
            seen=seen,
            answer=answer,
        )

    async def complete(self, request_id: UUID, answer: dict[str, Any]) -> None:
        """Store the answer that a repeated request gets."""
        await request_ids.set_answer(
            self._database, project_id=caller().project_id, request_id=request_id, answer=answer
        )


def fingerprint_of(request: Message, field: str) -> bytes:
    """Return the SHA-256 of a request without ``field``, which holds its request_id."""
    anonymous = type(request)()
    anonymous.CopyFrom(request)
    anonymous.ClearField(field)
    return hashlib.sha256(anonymous.SerializeToString(deterministic=True)).digest()
