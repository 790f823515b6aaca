"""Several server processes on one port. The parent serves nothing: it starts them anew when they die."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger("server.prefork")

_SPAWN: Final = multiprocessing.get_context("spawn")
"""gRPC does not survive a fork."""
_STEADY_S: Final = 10.0
_RESTART_MOST_S: Final = 10.0
_WRONG_SETTINGS: Final = 2
"""The exit status of a process that could not start; it would not the next time either."""
_STOP_MARGIN_S: Final = 10.0
"""What a process may take beyond its grace period to let go of everything."""


def hold_port(host: str, port: int) -> socket.socket:
    """Take a port for processes that share it, and return what holds it; 0 takes a free one.

    Raises:
        OSError: It is taken by somebody who does not share.
    """
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Bound and never listening, it gets no connection.
    holder.bind((host.strip("[]"), port))
    return holder


class ProcessPool:
    """Keeps ``count`` processes running until SIGTERM or SIGINT, then stops them within grace_s seconds.

    ``serve`` is what each runs: a function of a module, without arguments, which returns its exit status.
    """

    def __init__(self, serve: Callable[[], int], count: int, grace_s: float) -> None:
        self._serve = serve
        self._count = count
        self._grace_s = grace_s
        self._running: list[Any] = []
        self._stop_read, self._stop_write = os.pipe()

    def run(self) -> int:
        """Return the exit status: that of a process that could not start, or 0."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(self._stop_write, b"1"))
        pause_s = 0.5
        while not self._asked_to_stop(0):
            started = time.monotonic()
            self._running += [self._start() for _ in range(self._count - len(self._running))]
            multiprocessing.connection.wait([self._stop_read, *(one.sentinel for one in self._running)])
            ended = [process for process in self._running if process.exitcode is not None]
            self._running = [process for process in self._running if process.exitcode is None]
            if self._asked_to_stop(0):
                break
            if any(process.exitcode == _WRONG_SETTINGS for process in ended):
                self._end_all()
                return _WRONG_SETTINGS
            logger.error("a server process died", exit_codes=[process.exitcode for process in ended])
            pause_s = 0.5 if time.monotonic() - started > _STEADY_S else min(2 * pause_s, _RESTART_MOST_S)
            self._asked_to_stop(pause_s)
        self._end_all()
        return 0

    def _asked_to_stop(self, within_s: float) -> bool:
        return bool(multiprocessing.connection.wait([self._stop_read], within_s))

    def _start(self) -> Any:
        process = _SPAWN.Process(target=_exit_with, args=(self._serve,))
        process.start()
        return process

    def _end_all(self) -> None:
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + self._grace_s + _STOP_MARGIN_S
        for process in self._running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                logger.error("a server process did not stop in time")
                process.kill()
                process.join()


def _exit_with(serve: Callable[[], int]) -> None:
    raise SystemExit(serve())
