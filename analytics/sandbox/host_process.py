"""The server's side of one host: starts it, hands it one query at a time, and ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Self

from analytics.sandbox.wire import EXIT, KILL, RUN

if TYPE_CHECKING:
    from asyncio.subprocess import Process

logger = logging.getLogger(__name__)

REPLY_TIMEOUT_S: Final = 5.0
"""Longest a host may take to report that a query's process has ended."""
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""All of it: no password or key of the server's. Few arenas, so that address space measures what is used."""
_MAX_STDERR: Final = 4_000


@dataclass(frozen=True, slots=True)
class Exit:
    """How a query's process ended."""

    signal: int
    """0 where it ended by itself."""
    code: int
    cpu_s: float
    peak_bytes: int

    @property
    def is_clean(self) -> bool:
        return self.signal == 0 and self.code == 0


class HostLost(Exception):
    """The host ended, or does not answer."""


class HostProcess:
    """A running host. Not for use by two queries at once."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._is_busy = False
        self._stderr = asyncio.create_task(_drain(process))

    @classmethod
    async def start(cls, user: str) -> Self:
        """Start a host; it takes about half a second until it answers, which a query waits for."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - the standard library takes no name
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "analytics.sandbox.host"),
                *(str(theirs.fileno()), str(os.getpid()), user),
                stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
                env=_ENVIRONMENT, cwd="/", pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        return cls(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    @property
    def is_usable(self) -> bool:
        """Whether it can take a query: it runs, and the last one's end is known."""
        return self.is_running and not self._is_busy

    def submit(self, request: IO[bytes]) -> int:
        """Hand over a request; return the descriptor from which its answer is read.

        Raises:
            HostLost: The host has ended.
        """
        answer, end = os.pipe()
        try:
            socket.send_fds(self._control, [RUN], [request.fileno(), end])
        except OSError as error:
            os.close(answer)
            raise HostLost from error
        finally:
            os.close(end)
        self._is_busy = True
        return answer

    def kill_query(self) -> None:
        """Kill the query's process; ``wait_for_exit`` still tells how it ended."""
        with suppress(OSError):
            self._control.send(KILL)

    async def wait_for_exit(self) -> Exit:
        """Wait for the query's process to end, which its answer's end announces.

        Raises:
            HostLost: The host ended, or did not answer in time.
        """
        loop = asyncio.get_running_loop()
        reply = b""
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                while len(reply) < EXIT.size:
                    data = await loop.sock_recv(self._control, EXIT.size - len(reply))
                    if not data:
                        raise HostLost
                    reply += data
        except (OSError, TimeoutError) as error:
            raise HostLost from error
        self._is_busy = False
        status, cpu_s, peak_bytes = EXIT.unpack(reply)
        code = os.waitstatus_to_exitcode(status)
        return Exit(max(0, -code), max(0, code), cpu_s, peak_bytes)

    async def end(self) -> None:
        """Kill the host, and with it a query that still runs."""
        self._control.close()
        if self.is_running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._stderr


def new_request_file() -> IO[bytes]:
    """Return an empty file that has no name: in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("query"), "w+b")
    return tempfile.TemporaryFile()


async def _drain(process: Process) -> None:
    """Log what a host prints, which it does only when it is broken and before any SQL of users runs."""
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    text = b""
    while data := await process.stderr.read(_MAX_STDERR):
        text = (text + data)[-_MAX_STDERR:]
    if text:
        logger.warning("query process failed: %s", text.decode(errors="replace").strip())
