"""Lets few reads of numbers and logs run at a time, so that what must not wait finds the processor free.

A dashboard asks for all its panels at once. Where the database shares the machine with the server, that many
of its processes, and the event loop, wanted the cores at the same moment, and ingest waited behind them.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeVar

from server.rpc.auth import caller
from server.rpc.errors import ServerIsBusy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

_TURN_S: Final = 0.1
"""A read that takes longer goes on beside the next one, in seconds."""
_MAX_WAIT_S: Final = 10.0
"""Longest that a read waits for others, in seconds."""


class ReadTurns:
    """Whose read is next: projects take turns, whatever number of reads each has waiting.

    A turn ends with its read, or before: so a slow question holds up no quick ones, and a database that
    hangs delays nobody for long.

    Args:
        count: Reads at a time.
        max_turn_s: Longest that one keeps its turn.
        max_wait_s: Longest that one waits.
    """

    def __init__(self, count: int, *, max_turn_s: float = _TURN_S, max_wait_s: float = _MAX_WAIT_S) -> None:
        self._free = count
        self._max_turn_s = max_turn_s
        self._max_wait_s = max_wait_s
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By project, the next one first. None is empty."""

    @asynccontextmanager
    async def take(self, project_id: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it while the context lasts, but not longer than a turn takes.

        Raises:
            ServerIsBusy: Others took too long.
        """
        await self._wait(project_id)
        turn = _Turn(self._pass_on)
        timer = asyncio.get_running_loop().call_later(self._max_turn_s, turn.end)
        try:
            yield
        finally:
            timer.cancel()
            turn.end()

    async def _wait(self, project_id: str) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project_id, deque()).append(mine)
        try:
            async with asyncio.timeout(self._max_wait_s):
                await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # it came just when nobody waited any longer
            if isinstance(error, TimeoutError):
                raise ServerIsBusy("more is asked for than the server can read; retry later") from error
            raise

    def _pass_on(self) -> None:
        """Give a turn that has ended to the next project's first read."""
        while self._waiting:
            project_id, waiting = self._waiting.popitem(last=False)
            first = waiting.popleft()
            if waiting:
                self._waiting[project_id] = waiting
            if not first.done():  # whoever gave up is still there
                first.set_result(None)
                return
        self._free += 1


class _Turn:
    """A turn, which ends once."""

    def __init__(self, pass_on: Callable[[], None]) -> None:
        self._pass_on: Callable[[], None] | None = pass_on

    def end(self) -> None:
        if self._pass_on is not None:
            self._pass_on()
        self._pass_on = None


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reads_at_once(processes: int) -> int:
    """Return how many reads each of some processes that share a machine does at a time: half of the cores."""
    return max(1, count_cores() // 2 // processes)


class _TakesTurns(Protocol):
    @property
    def turns(self) -> ReadTurns: ...


_Reader = TypeVar("_Reader", bound=_TakesTurns)
_Args = ParamSpec("_Args")
_Answer = TypeVar("_Answer")


def in_turn(
    method: Callable[Concatenate[_Reader, _Args], Awaitable[_Answer]],
) -> Callable[Concatenate[_Reader, _Args], Coroutine[None, None, _Answer]]:
    """Have a method of a service wait for a turn of the caller's project."""

    @wraps(method)
    async def answer(reader: _Reader, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Answer:
        async with reader.turns.take(caller().project_id):
            return await method(reader, *args, **kwargs)

    return answer
