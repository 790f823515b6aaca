"""Stream taps: read a vendor's stream as it passes by; whatever ends it makes exactly one log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import CANCELLED, ERROR, Call
from llm_observe._guard import guarded

if TYPE_CHECKING:
    from llm_observe._providers import Reader

_LEFT: Final = (GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError)


def fail(provider: Reader, call: Call, error: BaseException) -> None:
    """Close a call that ended in an error, or that the application left."""
    with guarded("read_error"):
        if isinstance(error, _LEFT):
            call.finish(CANCELLED)
        else:
            provider.read_error(error, call)
            call.finish(ERROR)


class _Tap:
    """Reads a stream as it passes by; whatever ends it makes exactly one log."""

    __slots__ = ("_call", "_hide", "_inner", "_provider")

    def __init__(self, inner: Any, provider: Reader, call: Call, *, hide: bool) -> None:
        self._inner = inner
        self._provider = provider
        self._call = call
        self._hide = hide

    def _read(self, chunk: Any) -> bool:
        """Note the chunk; True when the application must not see it."""
        with guarded("read_chunk"):
            return self._provider.read_chunk(chunk, self._call) and self._hide
        return False

    def _end(self, error: BaseException) -> None:
        if isinstance(error, StopIteration | StopAsyncIteration):
            self._call.finish()
        else:
            fail(self._provider, self._call, error)

    def leave(self) -> None:
        """Note that the application left before the end."""
        self._call.finish(CANCELLED)

    __del__ = leave


class SyncTap(_Tap):
    """For streams read with next()."""

    __slots__ = ()

    def __iter__(self) -> SyncTap:
        return self

    def __next__(self) -> Any:
        try:
            chunk = next(self._inner)
            while self._read(chunk):
                chunk = next(self._inner)
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    def close(self) -> None:
        """Close the vendor's generator, as leaving it early would."""
        self.leave()
        self._inner.close()


class AsyncTap(_Tap):
    """For streams read with anext()."""

    __slots__ = ()

    def __aiter__(self) -> AsyncTap:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = await anext(self._inner)
            while self._read(chunk):
                chunk = await anext(self._inner)
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    async def aclose(self) -> None:
        """Close the vendor's generator, as leaving it early would."""
        self.leave()
        await self._inner.aclose()
