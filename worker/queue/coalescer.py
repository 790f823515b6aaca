"""Group commit: items of many callers are processed together, and each caller gets its own result."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


class CoalescerFull(Exception):
    """Too much is queued; the item was refused."""


class WaitedTooLong(Exception):
    """The item was queued for too long; it was not processed."""


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    size: int
    done: asyncio.Future[Result]
    expires_at: float


class Coalescer(Generic[Item, Result]):
    """Runs at most ``max_concurrency`` groups at a time; items that arrive meanwhile form the next group.

    Args:
        run: Processes a group and returns a result for each item, in order; every caller of the group gets
            what it raises.
        group_size: Largest total size of a group, in the unit of put()'s size; a larger item goes alone.
        waiting_size: Largest total size of the queue, in the same unit.
        max_concurrency: Groups that are processed at once.
        linger_s: How long a group waits for more items, in seconds, while the coalescer is busy.
        linger_below: A group waits for more items only while less than this is queued, in the unit of size.
        queue_timeout_s: How long an item waits for its group to begin, in seconds, before it is refused.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        group_size: int,
        waiting_size: int,
        max_concurrency: int = 1,
        linger_s: float = 0.0,
        linger_below: float = math.inf,
        queue_timeout_s: float = math.inf,
    ) -> None:
        self._run = run
        self._group_size = group_size
        self._waiting_size = waiting_size
        self._free_slots = max_concurrency
        self._linger_s = linger_s
        self._linger_below = linger_below
        self._queue_timeout_s = queue_timeout_s
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._queued_size = 0
        self._busy = False
        """Whether the last group had several items: more are likely to arrive soon, though none has yet."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, item: Item, size: int) -> Result:
        """Process an item and return its result; a cancelled caller's item is processed all the same.

        Raises:
            CoalescerFull: Too much is queued; the item was not processed.
            WaitedTooLong: Its group did not begin within queue_timeout_s; the item was not processed.
        """
        if self._queue and self._queued_size + size > self._waiting_size:
            raise CoalescerFull
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(
            item, size, loop.create_future(), loop.time() + self._queue_timeout_s
        )
        self._queue.append(waiting)
        self._queued_size += size
        if self._free_slots:
            self._free_slots -= 1
            task = asyncio.create_task(self._drain(), name="coalescer")
            self._tasks.add(task)  # the loop itself holds tasks weakly
            task.add_done_callback(self._tasks.discard)
        return await waiting.done

    async def _drain(self) -> None:
        try:
            while self._queue:
                if self._should_linger():
                    await asyncio.sleep(self._linger_s)
                self._refuse_expired()
                if self._queue:
                    await self._process(self._next_group())
        finally:
            self._free_slots += 1

    def _should_linger(self) -> bool:
        """Tell whether to wait for more items: the coalescer is busy, and too little is queued so far."""
        busy = self._busy or len(self._queue) > 1
        return bool(self._linger_s) and busy and self._queued_size < self._linger_below

    def _refuse_expired(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._queue and self._queue[0].expires_at < now:
            expired = self._queue.popleft()
            self._queued_size -= expired.size
            if not expired.done.done():
                expired.done.set_exception(WaitedTooLong())

    def _next_group(self) -> list[_Waiting[Item, Result]]:
        group = [self._queue.popleft()]
        size = group[0].size
        while self._queue and size + self._queue[0].size <= self._group_size:
            size += self._queue[0].size
            group.append(self._queue.popleft())
        self._queued_size -= size
        self._busy = len(group) > 1
        return group

    async def _process(self, group: list[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._run([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001 - the callers judge it
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for waiting, result in zip(group, results, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(result)
