"""A provider's answer, read while the caller takes what came before."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_AHEAD_CHARS: Final = 16 * 1024
"""What may wait for a slow caller; then the provider waits, too."""
_TURN_PIECES: Final = 16
"""After so many that were there at once, and after the very first, others have their turn."""


class StreamBuffer:
    """Joins the pieces that are there at once, so that a busy server sends fewer and longer ones.

    Nothing is held back: the first piece goes out alone, and where the caller waits, so does each other. The
    pieces are read in a task with the context of whoever makes this. Close this before the stream, which
    cannot be closed while it is read.
    """

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._source = pieces
        self._pieces: list[str] = []
        self._chars = 0
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._error: Exception | None = None
        self._task = asyncio.create_task(self._read(), name="read-ahead")

    async def next(self) -> str | None:
        """Return what came since the last time, at least one piece; None at the end.

        Raises:
            Exception: What the stream raised, after all that came before.
        """
        await self._came.wait()
        if not self._pieces:
            if self._error is not None:
                raise self._error
            return None
        text = "".join(self._pieces)
        self._pieces.clear()
        self._chars = 0
        self._room.set()
        if not self._task.done():
            self._came.clear()
        return text

    async def aclose(self) -> None:
        """Read no more."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _read(self) -> None:
        try:
            first = True
            async for piece in self._source:
                self._pieces.append(piece)
                self._chars += len(piece)
                self._came.set()
                if first or len(self._pieces) % _TURN_PIECES == 0:
                    first = False
                    await asyncio.sleep(0)
                if self._chars >= _AHEAD_CHARS:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # noqa: BLE001 - raised again in next()
            self._error = error
        finally:
            self._came.set()
