"""Makes requests with a request_id safe to repeat for 24 hours."""

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
        """Claim a request_id; when the same request has claimed it before, return what is remembered of that.

        Raises:
            RequestIdReused: Another request has claimed it.
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
        """Claim again what failed before; return True to one of several that try."""
        return await request_ids.take_over_request_id(
            self._database,
            project_id=caller().project_id,
            request_id=request_id,
            seen=seen,
            answer=answer,
        )

    async def note(self, request_id: UUID, answer: dict[str, Any]) -> None:
        """Remember the state or the result of a request."""
        await request_ids.set_answer(
            self._database, project_id=caller().project_id, request_id=request_id, answer=answer
        )


def fingerprint_of(request: Message, field: str) -> bytes:
    """Return a digest of a request without the field that holds its request_id."""
    arguments = type(request)()
    arguments.CopyFrom(request)
    arguments.ClearField(field)
    return hashlib.sha256(arguments.SerializeToString(deterministic=True)).digest()
