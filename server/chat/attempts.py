"""A chat turn with a request_id is answered once.

Repeating a finished turn returns the stored answer; repeating a failed one retries it, without storing the
user's message twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog
from google.protobuf.json_format import MessageToDict, ParseDict
from llm_observe.ids import uuid7
from llm_observe.v1 import chat_service_pb2 as pb

from server.rpc.checks import parse_uuid
from server.rpc.errors import RequestIdReused, TurnInProgress
from server.rpc.idempotency import fingerprint_of

if TYPE_CHECKING:
    from server.rpc.idempotency import IdempotencyKeys
    from storage.request_ids import Remembered

logger = structlog.get_logger("server")

_RUNNING: Final = "running"
_FAILED: Final = "failed"
_FINISHED: Final = "finished"
_STALE_AFTER: Final = timedelta(seconds=60)
"""How long after its time-out a turn still counts as running; after that, its process must have died."""
_RELEASE_TIMEOUT_S: Final = 5.0
"""How long the claim of a caller who has left may take to be released, in seconds."""


@dataclass(slots=True)
class Attempt:
    """One attempt at a turn, and the ids of what it stores."""

    request_id: UUID | None = None
    conversation_id: UUID | None = None
    """None until the turn's conversation is known."""
    user_message_id: UUID = field(default_factory=lambda: UUID(uuid7()))
    message_id: UUID = field(default_factory=lambda: UUID(uuid7()))
    log_id: str = ""
    finished: pb.ChatFinished | None = None
    """What an earlier attempt ended with: nothing is left to do."""

    @property
    def known_conversation_id(self) -> UUID:
        """The turn's conversation, once ChatTurns.begin() has opened it."""
        assert self.conversation_id is not None, "a turn begins with its conversation"  # noqa: S101 - narrows the type
        return self.conversation_id

    def started(self) -> pb.ChatStarted:
        """Return the first event of the stream."""
        return pb.ChatStarted(
            conversation_id=str(self.conversation_id),
            user_message_id=str(self.user_message_id),
            message_id=str(self.message_id),
            log_id=self.log_id,
        )

    def describe(self, state: str) -> dict[str, Any]:
        """Return what is remembered of this attempt."""
        if self.conversation_id is None:
            return {"state": state}
        return {"state": state, "started": MessageToDict(self.started(), preserving_proto_field_name=True)}


class ChatAttempts:
    """Begins and ends attempts. A turn without a request_id has one, which is not remembered."""

    def __init__(self, keys: IdempotencyKeys, timeout_s: float) -> None:
        self._keys = keys
        self._timeout = timedelta(seconds=timeout_s)

    async def begin(self, turn: pb.ChatTurn) -> Attempt:
        """Return a new attempt, or the finished one before it.

        Raises:
            RequestIdReused: The request_id was used for another turn.
            TurnInProgress: An earlier attempt is still in flight.
        """
        if not turn.request_id:
            return Attempt()
        request_id = parse_uuid("turn.request_id", turn.request_id)
        claim = asyncio.create_task(self._claim(request_id, turn), name="chat-claim")
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:  # a caller who leaves must be able to come again
            await asyncio.shield(self._release(claim))
            raise

    async def _claim(self, request_id: UUID, turn: pb.ChatTurn) -> Attempt:
        earlier = await self._keys.claim(request_id, fingerprint_of(turn, "request_id"), {"state": _RUNNING})
        return Attempt(request_id) if earlier is None else await self._retry(request_id, earlier)

    async def _retry(self, request_id: UUID, earlier: Remembered) -> Attempt:
        attempt = _to_attempt(request_id, earlier)
        if attempt.finished is not None:
            return attempt
        is_stale = datetime.now(UTC) - earlier.create_time > self._timeout + _STALE_AFTER
        if earlier.answer["state"] == _RUNNING and not is_stale:
            raise TurnInProgress
        # The count makes each retry's state differ, so that one of several takes over.
        retry = {**attempt.describe(_RUNNING), "try": earlier.answer.get("try", 1) + 1}
        if not await self._keys.take_over(request_id, earlier.answer, retry):
            raise TurnInProgress
        return attempt

    async def _release(self, claim: asyncio.Task[Attempt]) -> None:
        """Wait for a claim, which may be stored already, and let its turn be retried."""
        try:
            async with asyncio.timeout(_RELEASE_TIMEOUT_S):
                attempt = await claim
                if attempt.finished is None:
                    await self.note_failed(attempt)
        except (RequestIdReused, TurnInProgress):
            return  # nothing was claimed
        except Exception as error:  # noqa: BLE001 - the caller is gone
            logger.warning("a chat turn cannot be retried yet", error=type(error).__name__)

    async def note_started(self, attempt: Attempt) -> None:
        """Remember the ids, before anything is stored under them."""
        await self._note(attempt, attempt.describe(_RUNNING))

    async def note_failed(self, attempt: Attempt) -> None:
        """Let the turn be retried."""
        await self._note(attempt, attempt.describe(_FAILED))

    async def note_finished(self, attempt: Attempt, finished: pb.ChatFinished) -> None:
        """Remember the numbers; the text is in the stored message."""
        numbers = MessageToDict(finished, preserving_proto_field_name=True)
        await self._note(attempt, {**attempt.describe(_FINISHED), "finished": numbers})

    async def _note(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        if attempt.request_id is not None:
            await self._keys.complete(attempt.request_id, answer)


def _to_attempt(request_id: UUID, earlier: Remembered) -> Attempt:
    """Return an attempt that continues an earlier one, or is that one when it has finished."""
    attempt = Attempt(request_id)
    if "started" not in earlier.answer:
        return attempt
    started = ParseDict(earlier.answer["started"], pb.ChatStarted())
    attempt.conversation_id = UUID(started.conversation_id)
    attempt.user_message_id = UUID(started.user_message_id)
    if earlier.answer["state"] == _FINISHED:
        attempt.message_id, attempt.log_id = UUID(started.message_id), started.log_id
        attempt.finished = ParseDict(earlier.answer["finished"], pb.ChatFinished())
    return attempt
