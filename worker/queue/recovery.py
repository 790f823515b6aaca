"""Takes over what dead workers held, and finds the message that kills its workers.

Redis counts deliveries, but a worker holds many entries, and a killed one makes all of them look guilty. An
entry that comes from a dead worker is therefore a suspect: it runs alone, and only isolated runs are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from storage.dead_letters import KILLED_WORKER
from worker.queue.message import split_message
from worker.queue.stream import HANDED_BACK, WAITING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from worker.queue.liveness import Liveness
    from worker.queue.stream import LogStream

logger = structlog.get_logger("worker.queue.recovery")


class DeadLetterSink(Protocol):
    """Keeps messages that no worker can process."""

    async def dead_letter_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a message as dead letters.

        Raises:
            StorageError: It was not stored; the message must not be acknowledged.
        """


class Delivery(NamedTuple):
    """One entry of the stream given to this worker."""

    entry_id: bytes
    data: bytes
    suspect: bool = False
    """True when an earlier worker died while it held the entry."""


class Recovery:
    """See the module's docstring."""

    def __init__(
        self,
        stream: LogStream,
        consumer: str,
        liveness: Liveness,
        dead_letters: DeadLetterSink,
        max_attempts: int,
    ) -> None:
        self._stream = stream
        self._consumer = consumer
        self._liveness = liveness
        self._dead_letters = dead_letters
        self._max_attempts = max_attempts
        self._attempts = (b"", 0)
        """The suspect that is being judged, and its attempts with this one: counted once, however often Redis
        has to be asked."""

    async def reclaim(self, is_held: Callable[[bytes], bool]) -> AsyncIterator[Sequence[Delivery]]:
        """Yield what is due, what dead workers held, what was handed back, and what was not settled here.

        Args:
            is_held: Tells whether this worker is at work on an entry, or will be.

        Raises:
            RedisError: Redis refused. What was yielded before is this worker's all the same.
            OSError: Redis cannot be reached, or does not answer; likewise.
        """
        yield [Delivery(*entry) for entry in await self._stream.take_due(self._consumer)]
        if not self._liveness.may_judge():
            return
        for consumer in await self._stream.consumers():
            if consumer.name == WAITING:
                continue
            if consumer.name != self._consumer:
                yield await self._take_over(consumer.name)
            elif consumer.pending:
                yield await self._reclaim_unsettled(is_held)

    async def _take_over(self, consumer: str) -> list[Delivery]:
        entries = await self._stream.take_over(consumer, by=self._consumer)
        suspect = consumer != HANDED_BACK
        if entries:
            logger.info("messages taken over", count=len(entries), suspect=suspect)
        return [Delivery(*entry, suspect) for entry in entries]

    async def _reclaim_unsettled(self, is_held: Callable[[bytes], bool]) -> list[Delivery]:
        pending = await self._stream.pending_of(self._consumer)
        unsettled = [entry_id for entry_id in pending if not is_held(entry_id)]
        if not unsettled:
            return []
        return [Delivery(*entry) for entry in await self._stream.claim(self._consumer, unsettled)]

    async def admit_suspect(self, suspect: Delivery) -> bool:
        """Count an isolated run of a suspect and return True; False when it must not run.

        One that has killed a worker alone, and can be split, comes again in pieces: only what is guilty by
        itself becomes a dead letter, after its last attempt.

        Raises:
            StorageError: It is to become a dead letter, which could not be stored.
            RedisError: Redis refused.
            OSError: Redis cannot be reached, or does not answer.
        """
        if self._attempts[0] != suspect.entry_id:
            self._attempts = (suspect.entry_id, 1 + await self._stream.runs_of(suspect.entry_id))
        attempts = self._attempts[1]
        pieces = split_message(suspect.data) if attempts > 1 else ()
        if len(pieces) > 1:
            await self._stream.replace(suspect.entry_id, pieces)
            logger.info("suspect split", pieces=len(pieces))
            return False
        if attempts >= self._max_attempts:
            await self._dead_letters.dead_letter_message(suspect.data, KILLED_WORKER, attempts)
            await self._stream.settle(suspect.entry_id)
            return False
        await self._stream.note_runs(suspect.entry_id, attempts)
        self._attempts = (b"", 0)
        return True
