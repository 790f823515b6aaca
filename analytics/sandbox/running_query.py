"""One query in a host: reads its frames, bounds its time, and says how it ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import IO, TYPE_CHECKING, Final

from analytics.sandbox import wire
from analytics.sandbox.duckdb_errors import cpu_exceeded, time_exceeded
from analytics.sandbox.errors import QueryProcessLost, SandboxError, SqlLimitExceeded
from analytics.sandbox.query import Chunk, Column, Columns, End

if TYPE_CHECKING:
    from analytics.sandbox.host_process import Exit, HostProcess
    from analytics.sandbox.query import Limits, Part

GRACE_S: Final = 1.0
"""DuckDB may end the query itself first, with the sentence that fits."""


class RunningQuery:
    """Puts the parts of one answer into a queue. What the process sends is checked: it may be anybody's code by then."""

    def __init__(self, host: HostProcess, limits: Limits, parts: asyncio.Queue[Part | SandboxError | None]) -> None:
        self._host = host
        self._limits = limits
        self._parts = parts
        self._bytes_left = limits.bytes + wire.MAX_FORMAT_BYTES
        self._end: End | None = None
        self._error: SandboxError | None = None

    async def run(self, request: IO[bytes]) -> None:
        """Return when the process has ended and the last part is put.

        Raises:
            SandboxError: As the query ended.
            HostLost: Its host has ended.
        """
        answer = self._host.submit(request)
        timed_out = False
        try:
            reader, transport = await _open_pipe(answer)
            try:
                async with asyncio.timeout(self._limits.time_s + GRACE_S):
                    await self._read(reader)
            except TimeoutError:
                timed_out = True
            except (ValueError, KeyError, TypeError, asyncio.LimitOverrunError):
                pass  # it ended within a frame, or sent what it should not; its exit says which
            finally:
                transport.close()
        finally:
            exit_ = await self._ensure_exit()
        raise_for(exit_, self._error, complete=self._end is not None, timed_out=timed_out)
        if self._end is not None:
            self._parts.put_nowait(End(self._end.row_count, self._end.truncated, exit_.cpu_s, exit_.peak_bytes))
