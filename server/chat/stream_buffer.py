"""A provider's answer between the task that reads it and the RPC that sends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.chat.idle_timeout import IdleTimeout

_MAX_CHARS: Final = 16 * 1024
"""What may wait for a slow reader; beyond that, the provider is not read."""
_CHUNKS_PER_TURN: Final = 16
"""After the first chunk, and after each 16 that were there at once, other tasks have their turn."""


class StreamBuffer:
    """Joins chunks that are there at once, so that a busy server sends fewer and longer messages.

    Nothing is held back: the first chunk goes out alone, and so does each chunk that the reader waits for.
    One task calls ``fill()`` and then ``end()``; another iterates.
    """

    def __init__(self) -> None:
        self._chunks: list[str] = []
        self._chars = 0
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def fill(self, chunks: AsyncIterator[str], idle: IdleTimeout) -> None:
        """Read all chunks, no further ahead of the reader than the buffer has room.

        Args:
            chunks: What to read; its exceptions are raised here.
            idle: Reset with each chunk, and paused while the reader is what this waits for.
        """
        first = True
        async for chunk in chunks:
            idle.reset()
            self._chunks.append(chunk)
            self._chars += len(chunk)
            self._ready.set()
            if first or len(self._chunks) % _CHUNKS_PER_TURN == 0:
                first = False
                await asyncio.sleep(0)
            if self._chars >= _MAX_CHARS:
                idle.pause()
                self._room.clear()
                await self._room.wait()
                idle.resume()

    def end(self, error: Exception | None = None) -> None:
        """Let the reader have what is left, and then the end or ``error``."""
        self._ended = True
        self._error = error
        self._ready.set()

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        """Return what came since the last time, at least one chunk.

        Raises:
            Exception: The error given to end().
        """
        await self._ready.wait()
        if not self._chunks:
            raise self._error or StopAsyncIteration
        text = "".join(self._chunks)
        self._chunks.clear()
        self._chars = 0
        self._room.set()
        if not self._ended:
            self._ready.clear()
        return text
