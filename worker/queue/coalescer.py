"""Group commit: what many callers want done at once is done together, and each is told when it is."""

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
    """So much waits already that nothing more may."""


class WaitedTooLong(Exception):
    """The turn did not come in time; nothing was done."""


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    size: int
    done: asyncio.Future[Result]
    give_up_at: float


class Coalescer(Generic[Item, Result]):
    """Runs at most ``lanes`` groups at a time; what comes meanwhile waits for the next group.

    Args:
        run: Does a group and returns a result for each item, in order; what it raises, every caller gets.
        group_size: Items of a group may add up to this, in the unit of put()'s size; one item always fits.
        waiting_size: What may wait, in the same unit.
        lanes: Groups in work at once.
        linger_s: How long a group waits for more, in seconds, where several wait or the last
            group had several.
        enough: Where this waits, in the same unit as size, a group does not wait for more.
        queue_timeout_s: How long an item waits for its group to begin, in seconds, before it is given up.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        group_size: int,
        waiting_size: int,
        lanes: int = 1,
        linger_s: float = 0.0,
        enough: float = math.inf,
        queue_timeout_s: float = math.inf,
    ) -> None:
        self._run = run
        self._group_size = group_size
        self._waiting_size = waiting_size
        self._free_lanes = lanes
        self._linger_s = linger_s
        self._enough = enough
        self._patience_s = queue_timeout_s
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._queued_size = 0
        self._crowded = False
        """Whether the last group had several: then more come soon, though none has yet."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, item: Item, size: int) -> Result:
        """Have an item done; a caller that is cancelled meanwhile leaves it to be done all the same.

        Raises:
            CoalescerFull: Too much waits; nothing was done.
            WaitedTooLong: Its turn did not come within queue_timeout_s; nothing was done.
        """
        if self._queue and self._queued_size + size > self._waiting_size:
            raise CoalescerFull
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(
            item, size, loop.create_future(), loop.time() + self._patience_s
        )
        self._queue.append(waiting)
        self._queued_size += size
        if self._free_lanes:
            self._free_lanes -= 1
            task = asyncio.create_task(self._drain(), name="coalescer")
            self._tasks.add(task)  # the loop itself holds tasks weakly
            task.add_done_callback(self._tasks.discard)
        return await waiting.done

    async def _drain(self) -> None:
        try:
            while self._queue:
                if self._may_more_come():
                    await asyncio.sleep(self._linger_s)
                self._give_up_the_late()
                if self._queue:
                    await self._do(self._next_group())
        finally:
            self._free_lanes += 1

    def _may_more_come(self) -> bool:
        """Tell whether to wait for others: there is a crowd, and too little for a group so far."""
        crowd = self._crowded or len(self._queue) > 1
        return bool(self._linger_s) and crowd and self._queued_size < self._enough

    def _give_up_the_late(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._queue and self._queue[0].give_up_at < now:
            late = self._queue.popleft()
            self._queued_size -= late.size
            if not late.done.done():
                late.done.set_exception(WaitedTooLong())

    def _next_group(self) -> list[_Waiting[Item, Result]]:
        group = [self._queue.popleft()]
        size = group[0].size
        while self._queue and size + self._queue[0].size <= self._group_size:
            size += self._queue[0].size
            group.append(self._queue.popleft())
        self._queued_size -= size
        self._crowded = len(group) > 1
        return group

    async def _do(self, group: list[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._run([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001 - it is the callers' to judge
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for waiting, result in zip(group, results, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(result)
