"""The Redis stream that holds the queue: its keys, its connections and its commands.

What a worker writes is a script that Redis runs although its memory is full (see scripts.py); XREADGROUP and
XCLAIM are allowed then as they are. Only ``append``, which adds to the queue, is refused.

Every command ends within COMMAND_TIMEOUT_S, whatever becomes of Redis, and raises one of REDIS_ERRORS when it
could not be done.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from worker.queue import scripts
from worker.queue.outages import REDIS_ERRORS
from worker.queue.redis_url import make_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from redis.asyncio.client import PubSub
    from redis.commands.core import AsyncScript

    from worker.queue.settings import QueueSettings

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

GROUP: Final = "writers"
HANDED_BACK: Final = "handed-back"
"""The consumer that holds what workers fetched and did not begin. It is never alive."""
WAITING: Final = "waiting"
"""The consumer that holds what waits for a retry. Nor is it."""
COMMAND_TIMEOUT_S: Final = 1.5
_BLOCK_S: Final = 0.5
_FETCH_COUNT: Final = 32
_MAX_CONNECTIONS: Final = 128
_FIELD: Final = b"data"
_ID_LENGTH: Final = 36


class Entry(NamedTuple):
    """One entry of the stream."""

    entry_id: bytes
    data: bytes


class Attempts(NamedTuple):
    """How often an entry was tried in vain."""

    failures: int = 0
    outages: int = 0
    """Those that were not to blame on it."""


class Consumer(NamedTuple):
    """One reader of the group."""

    name: str
    pending: int
    """Entries it has fetched and not settled."""


def _bounded(
    command: Callable[Arguments, Coroutine[Any, Any, Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Bound a command: getting a connection, logging in and waiting for the answer have a limit each."""

    @wraps(command)
    async def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            return await command(*args, **kwargs)

    return run


class LogStream:
    """See the module's docstring."""

    def __init__(self, settings: QueueSettings) -> None:
        self.name = settings.queue_name
        url = settings.redis_url.get_secret_value()
        self._pool = make_pool(
            url,
            max_connections=_MAX_CONNECTIONS,
            timeout=COMMAND_TIMEOUT_S,
            socket_timeout=COMMAND_TIMEOUT_S,
            socket_connect_timeout=COMMAND_TIMEOUT_S,
        )
        self.redis = Redis(connection_pool=self._pool)
        # Its commands block on purpose. asyncio bounds them: redis-py's own time-out swallows cancellation.
        self._reader = Redis.from_pool(
            make_pool(
                url,
                max_connections=_MAX_CONNECTIONS,
                socket_timeout=None,
                socket_connect_timeout=COMMAND_TIMEOUT_S,
            )
        )
        # (Any: redis-py leaves the methods of its connections untyped.)
        self._senders: list[Any] = []
        """Connections that append() keeps while nobody uses them; as many as were ever used at once."""
        self._scripts: dict[str, AsyncScript] = {}

    # -- keys and connections --------------------------------------------------------------------------

    @property
    def retries_key(self) -> str:
        """Sorted set of the ids of entries that wait for a retry, by the time when it is due."""
        return f"{self.name}:retries"

    @property
    def attempts_key(self) -> str:
        """Hash of how often each entry was tried in vain."""
        return f"{self.name}:attempts"

    @property
    def delayed_key(self) -> str:
        """Sorted set of whole messages that a worker of version 0.2.0 put aside for a retry."""
        return f"{self.name}:delayed"

    @property
    def runs_key(self) -> str:
        """Hash of how often each suspect was begun alone."""
        return f"{self.name}:runs"

    def alive_key(self, consumer: str) -> str:
        """Key that exists while a worker lives."""
        return f"{self.name}:alive:{consumer}"

    def new_pubsub(self) -> PubSub:
        """Return a subscription with a connection of its own, which waits for as long as it takes."""
        return self._reader.pubsub()

    async def drop_idle_connections(self) -> None:
        """Make the next commands connect anew: behind the same name another Redis may be the master now."""
        self._senders, senders = [], self._senders
        with suppress(*REDIS_ERRORS):
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                for connection in senders:
                    await self._pool.release(connection)
                await self._pool.disconnect(inuse_connections=False)
                await self._reader.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close every connection, within COMMAND_TIMEOUT_S."""
        with suppress(*REDIS_ERRORS):
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await self._reader.aclose()
                await self._pool.disconnect()

    # -- sending ---------------------------------------------------------------------------------------

    async def append(self, data: bytes, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Append a message's bytes; when this returns, Redis has them."""
        async with asyncio.timeout(timeout_s):
            while True:
                kept = bool(self._senders)
                try:
                    return await self._send(data)
                except ConnectionError:
                    if not kept:  # Redis may have closed a kept one; a new one tells whether it is away
                        raise

    async def _send(self, data: bytes) -> None:
        """Send over a connection that is kept: borrowing one each time takes longer than checking a batch."""
        connection: Any = (
            self._senders.pop() if self._senders else await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py leaves it so
        )
        try:
            await connection.send_command("XADD", self.name, b"*", _FIELD, data)
            await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
            raise
        self._senders.append(connection)

    @_bounded
    async def promote(self) -> None:
        """Append the messages that a worker of version 0.2.0 put aside, and which are due."""
        await self._run(scripts.PROMOTE, [self.delayed_key, self.name], time.time(), _ID_LENGTH)

    # -- being a consumer ------------------------------------------------------------------------------

    @_bounded
    async def join(self, consumer: str, liveness_s: float, waits_for: str = "") -> None:
        """Make the group where it does not exist, and declare a consumer alive, as beat() does."""
        keys = [self.name, self.alive_key(consumer)]
        await self._run(scripts.JOIN, keys, GROUP, int(liveness_s * 1000), waits_for)

    @_bounded
    async def beat(self, consumer: str, liveness_s: float, waits_for: str = "") -> None:
        """Declare a consumer alive for so many seconds, and say what it waits for, if it does."""
        await self._run(scripts.BEAT, [self.alive_key(consumer)], int(liveness_s * 1000), waits_for)

    @_bounded
    async def leave(self, consumer: str, unbegun: Iterable[bytes]) -> None:
        """Hand back entries that were not begun, and remove a consumer that holds nothing else."""
        await self._run(
            scripts.LEAVE, [self.name, self.alive_key(consumer)], GROUP, consumer, HANDED_BACK, *unbegun
        )

    # -- receiving -------------------------------------------------------------------------------------

    async def fetch(self, consumer: str) -> list[Entry]:
        """Return entries that were never delivered; empty if none arrives within half a second."""
        async with asyncio.timeout(_BLOCK_S + COMMAND_TIMEOUT_S):
            streams = await self._reader.xreadgroup(
                GROUP, consumer, {self.name: ">"}, count=_FETCH_COUNT, block=int(_BLOCK_S * 1000)
            )
        # (cast: redis-py's reply type is a union over all its options and protocol versions.)
        replies = cast("Sequence[tuple[bytes, Sequence[_Reply]]]", streams or ())
        return [_to_entry(reply) for _, entries in replies for reply in entries]

    @_bounded
    async def consumers(self) -> list[Consumer]:
        """Return the consumers of the group, the dead ones included."""
        replies = await self.redis.xinfo_consumers(self.name, GROUP)
        return [Consumer(reply["name"].decode(), int(reply["pending"])) for reply in replies]

    @_bounded
    async def take_over(self, dead: str, by: str) -> list[Entry]:
        """Give some entries of a dead consumer to another; remove one that holds nothing.

        One that turns out to be alive keeps what it has.
        """
        keys = [self.name, self.alive_key(dead)]
        return _to_entries(await self._run(scripts.TAKE_OVER, keys, GROUP, dead, by, _FETCH_COUNT))

    @_bounded
    async def take_due(self, by: str) -> list[Entry]:
        """Give some entries whose retry is due to a consumer."""
        keys = [self.name, self.retries_key]
        return _to_entries(
            await self._run(scripts.TAKE_DUE, keys, GROUP, WAITING, by, time.time(), _FETCH_COUNT)
        )

    @_bounded
    async def pending_of(self, consumer: str) -> list[bytes]:
        """Return the ids of the oldest entries that a consumer has not settled."""
        replies = await self.redis.xpending_range(
            self.name, GROUP, min="-", max="+", count=_FETCH_COUNT, consumername=consumer
        )
        return [cast("bytes", reply["message_id"]) for reply in replies]

    @_bounded
    async def claim(self, consumer: str, entry_ids: Sequence[bytes]) -> list[Entry]:
        """Transfer entries to a consumer, whichever consumer holds them."""
        replies = await self.redis.xclaim(self.name, GROUP, consumer, 0, list(entry_ids))
        return [_to_entry(reply) for reply in cast("list[_Reply]", replies)]

    # -- settling --------------------------------------------------------------------------------------

    @_bounded
    async def settle(self, entry_id: bytes) -> None:
        """Acknowledge an entry and delete it, in one step."""
        keys = [self.name, self.runs_key, self.attempts_key, self.retries_key]
        await self._run(scripts.SETTLE, keys, GROUP, entry_id)

    @_bounded
    async def delay(self, entry_id: bytes, delay_s: float, attempts: Attempts) -> None:
        """Let an entry wait for its retry, in the stream, where it keeps its payload and its age."""
        keys = [self.name, self.retries_key, self.attempts_key, self.runs_key]
        due, noted = time.time() + delay_s, f"{attempts.failures} {attempts.outages}"
        await self._run(scripts.DELAY, keys, GROUP, WAITING, entry_id, due, noted)

    @_bounded
    async def attempts_of(self, entry_id: bytes) -> Attempts:
        """Return how often an entry was tried in vain."""
        noted = await self.redis.hget(self.attempts_key, cast("str", entry_id))
        return Attempts(*map(int, noted.split())) if noted else Attempts()

    @_bounded
    async def replace(self, entry_id: bytes, pieces: Sequence[bytes]) -> None:
        """Put pieces into the stream in the place of an entry, in one step. Repeating changes nothing."""
        keys = [self.name, self.runs_key, self.attempts_key]
        await self._run(scripts.REPLACE, keys, GROUP, entry_id, *pieces)

    @_bounded
    async def runs_of(self, entry_id: bytes) -> int:
        """Return how often a suspect was begun alone."""
        return int(await self.redis.hget(self.runs_key, cast("str", entry_id)) or 0)

    @_bounded
    async def note_runs(self, entry_id: bytes, count: int) -> None:
        """Note how often a suspect was begun alone."""
        await self._run(scripts.NOTE_RUNS, [self.runs_key], entry_id, count)

    @_bounded
    async def oldest(self) -> float | None:
        """Return when the oldest entry was appended, in seconds since 1970; None without any."""
        entry_id: bytes | None = await self._run(scripts.OLDEST, [self.name])
        return None if entry_id is None else int(entry_id.split(b"-")[0]) / 1000

    async def _run(self, script: str, keys: list[str], *args: bytes | str | float) -> Any:
        """Run a script; what it returns is as Redis gave it."""
        if script not in self._scripts:
            self._scripts[script] = self.redis.register_script(script)
        return await self._scripts[script](keys=keys, args=list(args))


_Reply = tuple[bytes, dict[bytes, bytes]]
"""An entry as redis-py returns it."""


def _to_entry(reply: _Reply) -> Entry:
    entry_id, fields = reply
    return Entry(entry_id, fields.get(_FIELD, b""))


def _to_entries(replies: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Entry]:
    """Return the entries of a script's reply, in which fields and values alternate."""
    return [
        _to_entry((entry_id, dict(zip(fields[::2], fields[1::2], strict=True))))
        for entry_id, fields in replies
    ]
