"""A Redis Streams broker that survives what kills workers and Redis.

This is taskiq's face of the queue; stream.py has the commands, liveness.py the heartbeats, recovery.py
takes over from dead workers. Each of these properties answers a loss or a duplicate that was seen without it:

* a consumer is alive while its heartbeat key lives; batches of dead consumers are taken over on a timer,
  also when the queue is idle, each consumer's in one step;
* acknowledged entries are deleted, so that Redis' memory follows the backlog;
* a batch that may have killed its worker runs alone, and is counted: only the culprit is dead-lettered;
* a failed batch waits for its retry in its place in the stream, where it keeps its age and occupies no slot;
* while Postgres stores nothing, one batch at a time finds out whether it does again;
* at shutdown, what was fetched and not begun is handed back;
* the group begins at 0: nothing queued before it existed is skipped;
* an error reply is an outage like any other, which is waited out; a Redis whose memory is full is drained.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from taskiq import AckableMessage, AsyncBroker

from storage.errors import StorageError
from worker.queue.liveness import Liveness
from worker.queue.message import BatchFormatter
from worker.queue.outages import REDIS_ERRORS, Outage, wait_out
from worker.queue.recovery import DeadLetterSink, Delivery, Recovery
from worker.queue.stream import COMMAND_TIMEOUT_S, Attempts, LogStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from redis.asyncio import Redis
    from taskiq import BrokerMessage

    from worker.queue.settings import QueueSettings

logger = structlog.get_logger("worker.queue.broker")

_RECLAIM_EVERY_S: Final = 1.0
_SETTLE_PAUSES_S: Final = (0.1, 0.3, 1.0, 2.0, 4.0)


class QueuedMessage(AckableMessage):
    """A delivery, as taskiq's receiver gets it."""

    entry_id: bytes


class LogBroker(AsyncBroker):
    """Sends to the queue. Reading it takes a WorkerBroker.

    Args:
        settings: Where Redis is.
        stream: The queue, where it is shared; by default one of its own.
    """

    def __init__(self, settings: QueueSettings, stream: LogStream | None = None) -> None:
        super().__init__()
        self.stream = stream or LogStream(settings)
        self.formatter = BatchFormatter()

    @property
    def queue_name(self) -> str:
        """Name of the stream; the names of all other keys begin with it."""
        return self.stream.name

    @property
    def redis(self) -> Redis:
        """Redis, for short commands."""
        return self.stream.redis

    async def append(self, data: bytes, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Append a message's bytes; when this returns, Redis has them.

        Raises:
            RedisError: Redis refused.
            OSError: Redis cannot be reached, or does not answer.
        """
        await self.stream.append(data, timeout_s)

    async def kick(self, message: BrokerMessage) -> None:
        """Append a task, as soon as Redis takes it."""
        await wait_out("queue a task", lambda: self.stream.append(message.message))

    def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Refuse: only a worker reads."""
        raise NotImplementedError

    async def shutdown(self) -> None:
        """Close every connection."""
        await super().shutdown()
        await self.stream.close()


class WorkerBroker(LogBroker):
    """Reads the queue; see the module's docstring.

    Args:
        settings: Where Redis is, and how long a silent worker counts as alive.
        dead_letters: Keeps what no worker can process.
        stream: The queue, where it is shared; by default one of its own.
    """

    def __init__(
        self, settings: QueueSettings, dead_letters: DeadLetterSink, stream: LogStream | None = None
    ) -> None:
        super().__init__(settings, stream)
        self.is_worker_process = True
        self.stopping = asyncio.Event()
        """Ends listen(). taskiq cancels its read, too, but a cancellation was seen to get lost on the way."""
        self.dead_letters = dead_letters
        self.consumer_name: Final = uuid.uuid4().hex
        self.storing = Outage("store logs")
        """Why Postgres stores nothing, which the heartbeat tells."""
        self._liveness = Liveness(
            self.stream,
            self.consumer_name,
            heartbeat_s=settings.heartbeat_s,
            liveness_s=settings.liveness_s,
            waits_for=lambda: self.storing.reason,
        )
        self._recovery = Recovery(
            self.stream, self.consumer_name, self._liveness, dead_letters, settings.max_attempts
        )
        self._has_joined = False
        self._next_reclaim = 0.0
        self._buffer: deque[Delivery] = deque()
        """Fetched and not begun."""
        self._in_flight: set[bytes] = set()
        self._retries: dict[bytes, tuple[float, Attempts]] = {}
        """By id of an entry in flight: after how many seconds it is tried again."""
        self._settled = asyncio.Condition()

    # -- life ------------------------------------------------------------------------------------------

    async def startup(self) -> None:
        """Start the heartbeat."""
        await super().startup()
        self._liveness.start()

    async def shutdown(self) -> None:
        """Hand back what was not begun, and leave the group; within seconds, also when Redis is away."""
        await self._liveness.stop()
        unbegun = [delivery.entry_id for delivery in self._buffer]
        self._buffer.clear()
        with suppress(*REDIS_ERRORS):
            await self.stream.leave(self.consumer_name, unbegun)
        await super().shutdown()

    # -- receiving -------------------------------------------------------------------------------------

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield messages until ``stopping`` is set. An outage of Redis, or of Postgres, is waited out."""
        outage = Outage("read the queue")
        while not self.stopping.is_set():
            await self._pace()
            try:
                delivery = await self._next_delivery()
            except (StorageError, *REDIS_ERRORS) as error:
                self._liveness.note_outage()
                self._has_joined = False
                await outage.wait(error)
                await self.stream.drop_idle_connections()
                continue
            outage.end()
            if delivery is None:
                continue
            self._in_flight.add(delivery.entry_id)
            yield QueuedMessage(
                data=delivery.data, ack=self._ack_of(delivery.entry_id), entry_id=delivery.entry_id
            )
            if delivery.suspect:
                await self._wait_until_idle()

    async def _pace(self) -> None:
        """While Postgres stores nothing, wait until nothing is in flight, and then for a while."""
        if self.storing.reason:
            await self._wait_until_idle()
        if self.storing.reason:
            await self.storing.pause()

    async def _next_delivery(self) -> Delivery | None:
        """Return what to begin next, if there is anything."""
        if not self._buffer:
            await self._fill_buffer()
        if self._buffer and self._buffer[0].suspect:
            await self._wait_until_idle()
            admitted = await self._recovery.admit_suspect(self._buffer[0])
            suspect = self._buffer.popleft()  # only now: one that could not be judged stays a suspect
            return suspect if admitted else None
        return self._buffer.popleft() if self._buffer else None

    async def _fill_buffer(self) -> None:
        if not self._has_joined:
            await self._liveness.join()
            self._has_joined = True
        if time.monotonic() >= self._next_reclaim:
            self._next_reclaim = time.monotonic() + _RECLAIM_EVERY_S
            await self.stream.promote()
            async for deliveries in self._recovery.reclaim(self._is_held):
                self._buffer.extend(deliveries)
        if not self._buffer:
            entries = await self.stream.fetch(self.consumer_name)
            self._buffer.extend(Delivery(*entry) for entry in entries)

    def _is_held(self, entry_id: bytes) -> bool:
        return entry_id in self._in_flight or any(entry_id == waiting.entry_id for waiting in self._buffer)

    # -- settling --------------------------------------------------------------------------------------

    def retry_later(self, entry_id: bytes, delay_s: float, attempts: Attempts) -> None:
        """Have an entry in flight wait and be tried again, where its acknowledgement would delete it."""
        self._retries[entry_id] = (delay_s, attempts)

    def _ack_of(self, entry_id: bytes) -> Callable[[], Awaitable[None]]:
        async def ack() -> None:
            await self._settle(entry_id)

        return ack

    async def _settle(self, entry_id: bytes) -> None:
        """Delete an entry, or let it wait. If Redis is away for longer than a while, it is redelivered."""
        retry = self._retries.pop(entry_id, None)
        for pause_s in (*_SETTLE_PAUSES_S, None):
            try:
                if retry is None:
                    await self.stream.settle(entry_id)
                else:
                    await self.stream.delay(entry_id, *retry)
            except REDIS_ERRORS:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                return

    async def release(self, message: AckableMessage | bytes) -> None:
        """Note that a delivery is no longer in flight; one that was not acknowledged will be redelivered."""
        async with self._settled:
            if isinstance(message, QueuedMessage):
                self._in_flight.discard(message.entry_id)
                self._retries.pop(message.entry_id, None)
            self._settled.notify_all()

    async def _wait_until_idle(self) -> None:
        async with self._settled:
            await self._settled.wait_for(lambda: not self._in_flight)
