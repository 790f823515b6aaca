"""One query in a host: reads its frames, bounds its time, and says how it ended."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final

from analytics.sandbox import wire
from analytics.sandbox.duckdb_errors import cpu_exceeded, time_exceeded
from analytics.sandbox.errors import QueryProcessLost, SandboxError
from analytics.sandbox.query import Chunk, Column, Columns, End

if TYPE_CHECKING:
    from analytics.sandbox.host_process import Exit, HostProcess
    from analytics.sandbox.query import Limits, Part

logger = logging.getLogger(__name__)

GRACE_S: Final = 1.0
"""DuckDB may end the query itself first, with the sentence that fits."""


class RunningQuery:
    """Puts the parts of one answer into a queue. Does not trust the process that sends them."""

    def __init__(
        self, host: HostProcess, limits: Limits, parts: asyncio.Queue[Part | SandboxError | None]
    ) -> None:
        self._host = host
        self._limits = limits
        self._parts = parts
        self._bytes_left = limits.bytes + wire.MAX_FORMAT_BYTES
        self._closed = False
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
            async with asyncio.timeout(self._limits.time_s + GRACE_S):
                await self._read(answer)
        except TimeoutError:
            timed_out = True
        finally:
            if not self._closed:
                self._host.kill_query()
            exit_ = await self._host.wait_for_exit()
        error = self._find_error(exit_, timed_out=timed_out)
        if error is not None:
            error.cpu_s, error.peak_bytes = exit_.cpu_s, exit_.peak_bytes
            raise error
        assert self._end is not None  # noqa: S101 - else there is an error
        self._parts.put_nowait(replace(self._end, cpu_s=exit_.cpu_s, peak_bytes=exit_.peak_bytes))

    def _find_error(self, exit_: Exit, *, timed_out: bool) -> SandboxError | None:
        if self._error is not None:
            return self._error
        if timed_out:
            return time_exceeded()
        return None if self._end is not None and exit_.is_clean else _explain_exit(exit_)

    async def _read(self, answer: int) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(answer, "rb", buffering=0)  # which the transport closes
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            while True:
                kind, size = wire.HEADER.unpack(await reader.readexactly(wire.HEADER.size))
                self._take(kind, await reader.readexactly(self._checked(size)))
        except asyncio.IncompleteReadError:  # its end, or the process died within a frame
            self._closed = True
        except (ValueError, KeyError, TypeError):
            logger.warning("a query process sent what is no answer")
        finally:
            transport.close()

    def _checked(self, size: int) -> int:
        self._bytes_left -= size + wire.HEADER.size
        if size > wire.MAX_FRAME_BYTES or self._bytes_left < 0:
            raise ValueError("too long")
        return size

    def _take(self, kind: bytes, payload: bytes) -> None:
        if self._end is not None or self._error is not None:
            raise ValueError("nothing follows the end")
        if kind == wire.ARROW:
            self._parts.put_nowait(Chunk(payload))
        elif kind == wire.COLUMNS:
            columns = tuple(Column(str(name), str(type_)) for name, type_ in json.loads(payload))
            self._parts.put_nowait(Columns(columns))
        elif kind == wire.END:
            rows, truncated = json.loads(payload)
            self._end = End(int(rows), bool(truncated))
        elif kind == wire.ERROR:
            self._error = wire.unpack_error(payload)
        else:
            raise ValueError("no such kind")


def _explain_exit(exit_: Exit) -> SandboxError:
    """An end without an answer."""
    if exit_.signal == signal.SIGXCPU:
        return cpu_exceeded()
    if exit_.signal == signal.SIGKILL:
        return QueryProcessLost(
            "The operating system ended the query, most likely for want of memory. "
            "Read fewer days or columns."
        )
    how = f"signal {exit_.signal}" if exit_.signal else f"code {exit_.code}"
    return QueryProcessLost(
        f"The process that ran the query ended unexpectedly ({how}). Try again, or write it otherwise."
    )
