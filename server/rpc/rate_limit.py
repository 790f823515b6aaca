"""Rate limits that all replicas share, at a fraction of a Redis call each.

A process takes allowance from Redis in leases and spends them by itself: what is counted there is never less
than what was let through. What is left of a lease when its minute ends is lost, a hundredth of the limit at
most for each process.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from server.rpc.auth import caller
from server.rpc.errors import QueueIsUnavailable, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.queue.broker import LogBroker

_WINDOW_S: Final = 60
_TIMEOUT_S: Final = 1.0
_LEASES: Final = 100
"""A lease is this part of the limit."""
_PEERS_MOST: Final = 10_000
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


class RateLimiter:
    """Lets so many through a minute, for each peer.

    Args:
        broker: Whose Redis counts.
        name: What is limited; part of the key.
        limit: How many a minute.
        clock: Seconds since 1970.
    """

    def __init__(
        self, broker: LogBroker, name: str, limit: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = broker.redis
        self._prefix = f"{broker.queue_name}:rate:{name}"
        self._limit = limit
        self._lease_size = max(1, limit // _LEASES)
        self._take_lease: Any = self._redis.register_script(_TAKE_LEASE)
        self._leases: dict[str, _Lease] = {}
        self._leasing = asyncio.Lock()
        self._clock = clock

    async def take(self, peer: str, count: int) -> None:
        """Let ``count`` through.

        Raises:
            RateLimited: The peer has had its limit of this minute.
            QueueIsUnavailable: Redis does not answer.
        """
        now = self._clock()
        window = int(now // _WINDOW_S)
        while self._left(peer, window) < count:
            async with self._leasing:
                missing = count - self._left(peer, window)
                lease = await self._lease(peer, window, missing) if missing > 0 else 0
                # Others may have spent meanwhile: what is left now counts.
                left = self._left(peer, window) + lease
                self._keep(peer, _Lease(window, left))
                if left < count and not lease:
                    raise RateLimited(self._limit, _WINDOW_S, retry_after_s=(window + 1) * _WINDOW_S - now)
        self._keep(peer, _Lease(window, self._left(peer, window) - count))

    def _left(self, peer: str, window: int) -> int:
        lease = self._leases.get(peer)
        return lease.left if lease is not None and lease.window == window else 0

    def _keep(self, peer: str, lease: _Lease) -> None:
        if len(self._leases) >= _PEERS_MOST and peer not in self._leases:
            self._leases = {key: kept for key, kept in self._leases.items() if kept.window == lease.window}
        self._leases[peer] = lease

    async def _lease(self, peer: str, window: int, least: int) -> int:
        key = f"{self._prefix}:{window}:{peer}"
        wanted = max(least, self._lease_size)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return int(
                    await self._take_lease(keys=[key], args=[self._limit, least, wanted, 2 * _WINDOW_S])
                )
        except Exception:  # noqa: BLE001 - whatever keeps Redis from answering
            raise QueueIsUnavailable from None


class ChatLimits:
    """Turns a minute, of a session and of a project."""

    def __init__(self, broker: LogBroker, *, session_turns: int, project_turns: int) -> None:
        self._session = RateLimiter(broker, "chat-session", session_turns)
        self._project = RateLimiter(broker, "chat-project", project_turns)

    async def take(self, session_id: str) -> None:
        """Let one turn of the caller's session through.

        Raises:
            RateLimited: The session or its project has had its turns of this minute.
            QueueIsUnavailable: Redis does not answer.
        """
        project_id = caller().project_id
        # Hashed: whatever an application calls its sessions, it is no business of Redis'.
        name = hashlib.sha256(session_id.encode()).hexdigest()[:32]
        # One after the other: what its session refuses takes nothing of the project's.
        await self._session.take(f"{project_id}:{name}", 1)
        await self._project.take(project_id, 1)
