"""Rate limits that all replicas share, at a fraction of a Redis call each.

A process leases allowance from Redis and spends it by itself, so that Redis never counts less than what was
let through. What is left of a lease when its minute ends is lost: at most a hundredth of the limit a process.

No call waits for another's turn to ask Redis: all calls of a peer that need more wait for the same request,
each no longer than its own time-out. So a Redis that hangs delays every call by the same second.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from server.rpc.auth import caller
from server.rpc.errors import QueueIsUnavailable, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.queue.broker import LogBroker

_WINDOW_S: Final = 60
_TIMEOUT_S: Final = 1.0
"""Longest a call waits for Redis, in seconds, however many requests it takes part in."""
_LEASES: Final = 100
"""A lease is this part of the limit."""
_MAX_PEERS: Final = 10_000
_TAKE_LEASE: Final = """
local left = tonumber(ARGV[1]) - tonumber(redis.call('GET', KEYS[1]) or '0')
if left < tonumber(ARGV[2]) then return 0 end
local lease = math.min(left, tonumber(ARGV[3]))
redis.call('INCRBY', KEYS[1], lease)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return lease
"""


class _Lease(NamedTuple):
    window: int
    left: int


class _Grant(NamedTuple):
    """What Redis answered to a request for a lease."""

    minimum: int
    """What the request needed at least."""
    granted: int | None
    """0 when the minute has less than the minimum left; None when Redis did not answer."""


class RateLimiter:
    """Limits what each peer may do per minute.

    Args:
        broker: Whose Redis counts.
        name: What is limited; part of the key.
        limit: How many per minute.
        clock: Seconds since 1970.
    """

    def __init__(
        self, broker: LogBroker, name: str, limit: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._prefix = f"{broker.queue_name}:rate:{name}"
        self.limit: Final = limit
        self._lease_size = max(1, limit // _LEASES)
        self._take_lease: Any = broker.redis.register_script(_TAKE_LEASE)
        self._leases: dict[str, _Lease] = {}
        self._requests: dict[tuple[str, int], asyncio.Task[_Grant]] = {}
        """By peer and window: the one request to Redis that is in flight."""
        self._waiting: Counter[str] = Counter()
        """By peer: what the calls that wait for Redis need together."""
        self._clock = clock

    async def take(self, peer: str, count: int) -> None:
        """Let ``count`` through.

        Raises:
            RateLimited: The peer has used up this minute's limit.
            QueueIsUnavailable: Redis did not answer within a second.
        """
        now = self._clock()
        window = int(now // _WINDOW_S)
        if self._left(peer, window) < count and not await self._wait_for_lease(peer, window, count):
            raise RateLimited(self.limit, _WINDOW_S, retry_after_s=(window + 1) * _WINDOW_S - now)
        self._keep(peer, _Lease(window, self._left(peer, window) - count))

    async def _wait_for_lease(self, peer: str, window: int, count: int) -> bool:
        self._waiting[peer] += count
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._lease(peer, window, count)
        except TimeoutError:
            raise QueueIsUnavailable from None
        finally:
            self._waiting[peer] -= count
            if not self._waiting[peer]:
                del self._waiting[peer]

    async def _lease(self, peer: str, window: int, count: int) -> bool:
        """Ask Redis until ``count`` is left here; return False when the minute does not have as much."""
        while (missing := count - self._left(peer, window)) > 0:
            request = self._requests.get((peer, window)) or self._start_request(peer, window, missing)
            grant = await asyncio.shield(request)
            if grant.granted is None:
                raise QueueIsUnavailable
            if not grant.granted and count - self._left(peer, window) >= grant.minimum:
                return False
        return True

    def _start_request(self, peer: str, window: int, minimum: int) -> asyncio.Task[_Grant]:
        request = asyncio.create_task(self._request(peer, window, minimum), name="rate-limit-lease")
        self._requests[peer, window] = request
        return request

    async def _request(self, peer: str, window: int, minimum: int) -> _Grant:
        key = f"{self._prefix}:{window}:{peer}"
        # For all who wait by now, so that a burst is one request.
        size = max(minimum, self._waiting[peer] - self._left(peer, window), self._lease_size)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                lease = int(
                    await self._take_lease(keys=[key], args=[self.limit, minimum, size, 2 * _WINDOW_S])
                )
        except Exception:  # noqa: BLE001 - whatever keeps Redis from answering
            return _Grant(minimum, None)
        finally:
            del self._requests[peer, window]
        self._keep(peer, _Lease(window, self._left(peer, window) + lease))
        return _Grant(minimum, lease)

    def _left(self, peer: str, window: int) -> int:
        lease = self._leases.get(peer)
        return lease.left if lease is not None and lease.window == window else 0

    def _keep(self, peer: str, lease: _Lease) -> None:
        if len(self._leases) >= _MAX_PEERS and peer not in self._leases:
            self._leases = {key: kept for key, kept in self._leases.items() if kept.window == lease.window}
        self._leases[peer] = lease


class ChatLimits:
    """Limits of chat turns per minute, of a session and of its project."""

    def __init__(self, broker: LogBroker, *, session_turns: int, project_turns: int) -> None:
        self._session = RateLimiter(broker, "chat-session", session_turns)
        self._project = RateLimiter(broker, "chat-project", project_turns)

    async def take(self, session_id: str) -> None:
        """Let one turn of the caller's session through.

        Raises:
            RateLimited: The session or its project has used up this minute's turns.
            QueueIsUnavailable: Redis did not answer within a second.
        """
        project_id = caller().project_id
        # Hashed: Redis need not know what an application calls its sessions.
        session = hashlib.sha256(session_id.encode()).hexdigest()[:32]
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                # One after the other, so that a turn refused to its session takes nothing of its project's.
                await self._session.take(f"{project_id}:{session}", 1)
                await self._project.take(project_id, 1)
        except TimeoutError:
            raise QueueIsUnavailable from None
