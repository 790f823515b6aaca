"""A chat turn with a request_id is answered once.

Repeating a finished one gives the stored answer; repeating a failed one tries again, without saying the
person's words twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from google.protobuf.json_format import MessageToDict, ParseDict
from llm_observe.ids import uuid7
from llm_observe.v1 import chat_service_pb2 as pb

from server.rpc.checks import parse_uuid
from server.rpc.errors import TurnInProgress
from server.rpc.idempotency import fingerprint_of

if TYPE_CHECKING:
    from server.rpc.idempotency import IdempotencyKeys
    from storage.request_ids import Remembered

_RUNNING: Final = "running"
_FAILED: Final = "failed"
_FINISHED: Final = "finished"
_SPARE: Final = timedelta(seconds=60)
"""How long after its time-out a turn still counts as running: its process may have died."""


@dataclass(slots=True)
class Attempt:
    """One try at a turn, and the ids of what it makes."""

    request_id: UUID | None
    conversation_id: UUID | None = None
    """None until the turn's conversation is known."""
    user_message_id: UUID = field(default_factory=lambda: UUID(uuid7()))
    message_id: UUID = field(default_factory=lambda: UUID(uuid7()))
    log_id: str = ""
    again: bool = False
    """Whether an earlier try has stored the person's words."""
    finished: pb.ChatFinished | None = None
    """What an earlier try ended with: nothing is left to do."""

    def started(self) -> pb.ChatStarted:
        """Return the first event of the stream."""
        return pb.ChatStarted(
            conversation_id=str(self.conversation_id),
            user_message_id=str(self.user_message_id),
            message_id=str(self.message_id),
            log_id=self.log_id,
        )

    def describe(self, state: str) -> dict[str, Any]:
        """Return what is remembered of this try."""
        if self.conversation_id is None:
            return {"state": state}
        return {"state": state, "started": MessageToDict(self.started(), preserving_proto_field_name=True)}


class ChatAttempts:
    """Begins and ends tries. A turn without a request_id has one, and nothing of it is remembered."""

    def __init__(self, once: IdempotencyKeys, timeout_s: float) -> None:
        self._once = once
        self._timeout = timedelta(seconds=timeout_s)

    async def begin(self, turn: pb.ChatTurn) -> Attempt:
        """Return a try, or the finished one before it.

        Raises:
            RequestIdReused: The request_id was used for another turn.
            TurnInProgress: An earlier try is still at work.
        """
        if not turn.request_id:
            return Attempt(None)
        attempt = Attempt(parse_uuid("turn.request_id", turn.request_id))
        fingerprint = fingerprint_of(turn, "request_id")
        earlier = await self._once.claim(attempt.request_id, fingerprint, {"state": _RUNNING})  # type: ignore[arg-type] # set above
        return attempt if earlier is None else await self._again(attempt, earlier)

    async def _again(self, attempt: Attempt, earlier: Remembered) -> Attempt:
        known = pb.ChatStarted()
        if "started" in earlier.answer:
            ParseDict(earlier.answer["started"], known)
            attempt.again = True
            attempt.conversation_id = UUID(known.conversation_id)
            attempt.user_message_id = UUID(known.user_message_id)
        state = earlier.answer["state"]
        if state == _FINISHED:
            attempt.message_id, attempt.log_id = UUID(known.message_id), known.log_id
            attempt.finished = ParseDict(earlier.answer["finished"], pb.ChatFinished())
            return attempt
        dead = datetime.now(UTC) - earlier.create_time > self._timeout + _SPARE
        if state == _RUNNING and not dead:
            raise TurnInProgress
        again = {**attempt.describe(_RUNNING), "try": earlier.answer.get("try", 1) + 1}
        if not await self._once.take_over(attempt.request_id, earlier.answer, again):  # type: ignore[arg-type] # begin() set it
            raise TurnInProgress
        return attempt

    async def note_started(self, attempt: Attempt) -> None:
        """Remember the ids, before anything is stored under them."""
        await self._note(attempt, attempt.describe(_RUNNING))

    async def note_failed(self, attempt: Attempt) -> None:
        """Let the turn be tried again."""
        await self._note(attempt, attempt.describe(_FAILED))

    async def note_finished(self, attempt: Attempt, finished: pb.ChatFinished) -> None:
        """Remember the numbers; the text is in the stored message."""
        numbers = MessageToDict(finished, preserving_proto_field_name=True)
        await self._note(attempt, {**attempt.describe(_FINISHED), "finished": numbers})

    async def _note(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        if attempt.request_id is not None:
            await self._once.note(attempt.request_id, answer)
