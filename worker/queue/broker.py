"""A Redis Streams broker that survives what kills workers and Redis.

Built on taskiq-redis' stream broker, with these differences, each of which answers a loss or a duplicate
that was seen with the original:

* a consumer is alive while its heartbeat key lives; batches of dead consumers are taken over on a timer,
  also when the queue is idle, under a lock that expires;
* acknowledged entries are deleted, so that Redis' memory follows the backlog;
* a batch that may have killed its worker runs alone, and is counted, so that only the culprit is given up;
* a failed batch waits for its retry in a sorted set and holds no slot;
* at shutdown, what was fetched and not begun is handed back;
* the group begins at 0: nothing queued before it existed is skipped.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError  # noqa: A004 - redis' own
from taskiq import AckableMessage
from taskiq_redis import RedisStreamBroker

from worker.queue.message import BatchFormatter
from worker.queue.redis_url import make_pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

    from taskiq import BrokerMessage

    from worker.queue.settings import QueueSettings

logger = structlog.get_logger("worker.queue.broker")

GROUP: Final = "writers"
_FIELD: Final = b"data"
_FETCH_COUNT: Final = 32
_BLOCK_MS: Final = 500
_RECLAIM_EVERY_S: Final = 1.0
_RECLAIM_LOCK_MS: Final = 10_000
_HANDED_BACK: Final = "handed-back"
_COMMAND_TIMEOUT_S: Final = 1.5
_MAX_CONNECTIONS: Final = 128
_ERRORS: Final = (RedisError, OSError, asyncio.TimeoutError)

_PROMOTE: Final = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, member in ipairs(due) do
    redis.call('XADD', KEYS[2], '*', 'data', string.sub(member, 37))
    redis.call('ZREM', KEYS[1], member)
end
return #due
"""
"""Moves due retries back into the stream in one step. Members carry a 36-character id, so that equal
messages stay distinct."""


_REMOVE_CONSUMER: Final = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    if consumer[2] == ARGV[2] and consumer[4] == 0 then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    end
end
return 1
"""
"""Removes a dead consumer that holds nothing, in one step: entries it fetched in between would be lost."""


class Delivery(NamedTuple):
    """One entry of the stream given to this worker."""

    entry_id: bytes
    data: bytes
    suspect: bool
    """True when an earlier worker died with it in hand."""


class LogBroker(RedisStreamBroker):
    """See the module's docstring.

    ``dead_letter`` stores what is given up; a worker must set it. ``split`` takes a message apart.
    """

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        super().__init__(
            "redis://",  # its pool is replaced: it knows no sentinels
            queue_name=settings.queue_name,
            consumer_group_name=GROUP,
            consumer_name=uuid.uuid4().hex,
            consumer_id="0",
        )
        url = settings.redis_url.get_secret_value()
        # (Any: redis-py types replies as unions over every option of every command.)
        self.connection_pool: Any = make_pool(
            url,
            max_connections=_MAX_CONNECTIONS,
            timeout=_COMMAND_TIMEOUT_S,
            socket_timeout=_COMMAND_TIMEOUT_S,
            socket_connect_timeout=_COMMAND_TIMEOUT_S,
        )
        # A blocked reader must not have redis-py's socket time-out: it swallows cancellation.
        self._reader: Any = Redis.from_pool(
            make_pool(
                url,
                max_connections=_MAX_CONNECTIONS,
                socket_timeout=None,
                socket_connect_timeout=_COMMAND_TIMEOUT_S,
            )
        )
        self.redis: Any = Redis(connection_pool=self.connection_pool)
        self.formatter = BatchFormatter()
        self.dead_letter: Callable[[bytes, str, int], Awaitable[None]] | None = None
        self.split: Callable[[bytes], Sequence[bytes]] = lambda data: [data]
        self._buffer: deque[Delivery] = deque()
        self._in_hand: set[bytes] = set()
        self._idle = asyncio.Condition()
        self._heart: asyncio.Task[None] | None = None
        self._no_reclaim_before = 0.0
        self._next_reclaim = 0.0
        self._senders: list[Any] = []
        """Connections that append() keeps, while nobody uses them; as many as were ever used at once."""
        self._liveness_ms = int(settings.liveness_s * 1000)

    # -- names of keys ---------------------------------------------------------------------------------

    @property
    def delayed_key(self) -> str:
        """Sorted set of batches that wait for a retry."""
        return f"{self.queue_name}:delayed"

    @property
    def runs_key(self) -> str:
        """Hash of how often a suspect batch was begun alone."""
        return f"{self.queue_name}:runs"

    def _alive_key(self, consumer: str) -> str:
        return f"{self.queue_name}:alive:{consumer}"

    # -- life ------------------------------------------------------------------------------------------

    async def startup(self) -> None:
        """Begin; a worker also makes the group and starts its heartbeat."""
        if not self.is_worker_process:
            return
        await super().startup()
        await self._beat()
        self._heart = asyncio.create_task(self._keep_beating(), name="queue-heartbeat")

    async def shutdown(self) -> None:
        """Hand back what was not begun, and leave the group."""
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart
            with suppress(*_ERRORS):
                await self._leave()
        await self._reader.aclose()
        await super().shutdown()

    async def _leave(self) -> None:
        await self.redis.delete(self._alive_key(self.consumer_name))
        if self._buffer:
            ids = [delivery.entry_id for delivery in self._buffer]
            self._buffer.clear()
            await self.redis.xclaim(
                self.queue_name, GROUP, _HANDED_BACK, 0, ids, retrycount=0, justid=True, force=False
            )
        await self._remove_consumer(self.consumer_name)

    async def _remove_consumer(self, consumer: str) -> None:
        remove = self.redis.register_script(_REMOVE_CONSUMER)
        await remove(keys=[self.queue_name, self._alive_key(consumer)], args=[GROUP, consumer])

    async def _beat(self) -> None:
        await self.redis.set(
            self._alive_key(self.consumer_name), b"1", px=int(self._settings.liveness_s * 1000)
        )

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            try:
                await self._beat()
            except _ERRORS:
                # After an outage every heartbeat has lapsed, of the living, too: give them time to return.
                self._no_reclaim_before = time.monotonic() + self._settings.liveness_s

    def new_pubsub(self) -> Any:
        """Return a subscription of its own connection, which waits for as long as it takes."""
        return self._reader.pubsub()

    # -- sending ---------------------------------------------------------------------------------------

    async def kick(self, message: BrokerMessage) -> None:
        """Append a message; when this returns, Redis has it."""
        await self.append(message.message)

    async def append(self, data: bytes) -> None:
        """Append a message's bytes; when this returns, Redis has them."""
        while True:
            kept = bool(self._senders)
            try:
                return await self._send(data)
            except ConnectionError:
                if not kept:  # Redis may have closed a kept one; a new one tells whether it is away
                    raise

    async def _send(self, data: bytes) -> None:
        """Send over a connection that is kept: borrowing one each time takes longer than checking a batch."""
        connection = self._senders.pop() if self._senders else await self.connection_pool.get_connection()
        try:
            await connection.send_command("XADD", self.queue_name, b"*", _FIELD, data)
            await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)
            await self.connection_pool.release(connection)
            raise
        self._senders.append(connection)

    async def retry_later(self, message: BrokerMessage, delay_s: float) -> None:
        """Queue a message again after a delay; the caller acknowledges the failed one afterwards."""
        member = str(uuid.uuid4()).encode() + message.message
        await self.redis.zadd(self.delayed_key, {member: time.time() + delay_s})

    # -- receiving -------------------------------------------------------------------------------------

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield messages for ever; an outage of Redis is waited out."""
        while True:
            try:
                await self._fill()
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._declare_consumer_group()
            except _ERRORS as error:
                logger.warning("queue unreachable", error_type=type(error).__name__)
                self._no_reclaim_before = time.monotonic() + self._settings.liveness_s
                await asyncio.sleep(0.5)
            while self._buffer:
                if self._buffer[0].suspect:
                    await self._wait_until_idle()
                delivery = self._buffer.popleft()
                if delivery.suspect and not await self._may_run(delivery):
                    continue
                self._in_hand.add(delivery.entry_id)
                yield AckableMessage(data=delivery.data, ack=self._ack_of(delivery.entry_id))
                if delivery.suspect:
                    await self._wait_until_idle()

    async def _fill(self) -> None:
        if time.monotonic() >= self._next_reclaim:
            self._next_reclaim = time.monotonic() + _RECLAIM_EVERY_S
            await self._tend()
        if self._buffer:
            return
        fetched = await self._reader.xreadgroup(
            GROUP, self.consumer_name, {self.queue_name: ">"}, count=_FETCH_COUNT, block=_BLOCK_MS
        )
        for _, entries in fetched or ():
            self._buffer.extend(
                Delivery(entry_id, fields.get(_FIELD, b""), suspect=False) for entry_id, fields in entries
            )

    async def _tend(self) -> None:
        """Bring due retries back, and take over what dead workers held."""
        promote = self.redis.register_script(_PROMOTE)
        await promote(keys=[self.delayed_key, self.queue_name], args=[time.time()])
        if time.monotonic() < self._no_reclaim_before:
            return
        lock = f"{self.queue_name}:reclaim"
        if not await self.redis.set(lock, self.consumer_name, nx=True, px=_RECLAIM_LOCK_MS):
            return
        try:
            for consumer in await self.redis.xinfo_consumers(self.queue_name, GROUP):
                await self._take_over(consumer["name"].decode(), int(consumer["pending"]))
        finally:
            await self.redis.delete(lock)

    async def _take_over(self, consumer: str, pending: int) -> None:
        mine = consumer == self.consumer_name
        if not mine and await self.redis.exists(self._alive_key(consumer)):
            return
        if not pending:
            if not mine and consumer != _HANDED_BACK:
                await self._remove_consumer(consumer)
            return
        held = await self.redis.xpending_range(
            self.queue_name, GROUP, min="-", max="+", count=_FETCH_COUNT, consumername=consumer
        )
        lost = [entry["message_id"] for entry in held if not self._has(entry["message_id"])]
        if not lost:
            return
        claimed = await self.redis.xclaim(self.queue_name, GROUP, self.consumer_name, 0, lost)
        suspect = consumer not in {_HANDED_BACK, self.consumer_name}
        self._hold(claimed, suspect=suspect)
        logger.info("batches taken over", count=len(claimed), suspect=suspect)

    def _hold(self, entries: Iterable[tuple[bytes, dict[bytes, bytes]]], *, suspect: bool) -> None:
        self._buffer.extend(
            Delivery(entry_id, fields.get(_FIELD, b""), suspect) for entry_id, fields in entries
        )

    def _has(self, entry_id: bytes) -> bool:
        return entry_id in self._in_hand or any(entry_id == held.entry_id for held in self._buffer)

    async def _may_run(self, delivery: Delivery) -> bool:
        """Count a suspect's lone run; give it up when it has had its attempts.

        One that has killed a worker alone, and can be taken apart, comes again in pieces: only what is guilty
        by itself is given up.
        """
        begun_before = 1 + int(await self.redis.hget(self.runs_key, delivery.entry_id) or 0)
        pieces = self.split(delivery.data) if begun_before > 1 else ()
        if len(pieces) > 1:
            await self._replace(delivery.entry_id, pieces)
            return False
        if begun_before >= self._settings.max_attempts and self.dead_letter is not None:
            await self.dead_letter(delivery.data, "killed_worker", begun_before)
            await self._settle(delivery.entry_id)
            return False
        await self.redis.hincrby(self.runs_key, delivery.entry_id, 1)
        return True

    # -- settling --------------------------------------------------------------------------------------

    def _ack_of(self, entry_id: bytes) -> Callable[[], Awaitable[None]]:
        async def ack() -> None:
            await self._settle(entry_id)

        ack.entry_id = entry_id  # type: ignore[attr-defined] # lets the receiver say which run has ended
        return ack

    async def _settle(self, entry_id: bytes) -> None:
        """Acknowledge and delete, in one transaction; an outage is waited out for a while."""
        for pause_s in (0.1, 0.3, 1.0, 2.0, 4.0, 0.0):
            try:
                async with self.redis.pipeline(transaction=True) as pipe:
                    pipe.xack(self.queue_name, GROUP, entry_id)
                    pipe.xdel(self.queue_name, entry_id)
                    pipe.hdel(self.runs_key, entry_id)
                    await pipe.execute()
            except _ERRORS:
                if not pause_s:
                    raise
                await asyncio.sleep(pause_s)
            else:
                return

    async def _replace(self, entry_id: bytes, pieces: Sequence[bytes]) -> None:
        """Put pieces into the stream in the place of an entry, in one transaction."""
        async with self.redis.pipeline(transaction=True) as pipe:
            for piece in pieces:
                pipe.xadd(self.queue_name, {_FIELD: piece})
            pipe.xack(self.queue_name, GROUP, entry_id)
            pipe.xdel(self.queue_name, entry_id)
            pipe.hdel(self.runs_key, entry_id)
            await pipe.execute()
        logger.info("suspect taken apart", pieces=len(pieces))

    async def release(self, message: AckableMessage | bytes) -> None:
        """Note that a delivery is no longer in hand; one that was not acknowledged will come again."""
        entry_id: Any = getattr(getattr(message, "ack", None), "entry_id", None)
        async with self._idle:
            self._in_hand.discard(entry_id)
            self._idle.notify_all()

    async def _wait_until_idle(self) -> None:
        async with self._idle:
            await self._idle.wait_for(lambda: not self._in_hand)
