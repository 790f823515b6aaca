"""Several server processes on one port. The parent only restarts the processes that exit."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

logger = structlog.get_logger("server.prefork")

_SPAWN: Final = multiprocessing.get_context("spawn")
"""gRPC does not survive a fork."""
_STEADY_S: Final = 10.0
"""A process that ran this long, in seconds, is restarted without a growing pause."""
_MIN_PAUSE_S: Final = 0.5
_MAX_PAUSE_S: Final = 10.0
_WRONG_SETTINGS: Final = 2
"""Exit status of a process that cannot start; restarting it would not help."""
_STOP_MARGIN_S: Final = 10.0
"""What a process may take beyond its grace period to close its resources, in seconds."""


def hold_port(host: str, port: int) -> socket.socket:
    """Reserve a port for processes that share it; 0 takes a free one. Close the socket to release it.

    Raises:
        OSError: Another program listens on it.
    """
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # A socket that is bound and does not listen gets no connections.
    holder.bind((host.strip("[]"), port))
    return holder


class ProcessPool:
    """Keeps ``count`` processes running until SIGTERM or SIGINT, then stops them within grace_s seconds.

    Each runs ``serve``: a function at the top of a module, without arguments, that returns its exit status.
    ``on_exit`` is called with the id of each process that has exited while the others go on.
    """

    def __init__(
        self,
        serve: Callable[[], int],
        count: int,
        grace_s: float,
        on_exit: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._serve = serve
        self._count = count
        self._grace_s = grace_s
        self._on_exit = on_exit
        self._running: list[SpawnProcess] = []
        self._stop_read, self._stop_write = os.pipe()

    def run(self) -> int:
        """Run until told to stop; return 0, or the exit status of a process that cannot start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(self._stop_write, b"1"))
        pause_s = _MIN_PAUSE_S
        while not self._is_stopping(0):
            started = time.monotonic()
            self._running += [self._start() for _ in range(self._count - len(self._running))]
            multiprocessing.connection.wait(
                [self._stop_read, *(process.sentinel for process in self._running)]
            )
            ended = [process for process in self._running if process.exitcode is not None]
            self._running = [process for process in self._running if process.exitcode is None]
            for process in ended:
                self._on_exit(process.pid or 0)
            if self._is_stopping(0):
                break
            if any(process.exitcode == _WRONG_SETTINGS for process in ended):
                self._stop_all()
                return _WRONG_SETTINGS
            logger.error("server process exited", exit_codes=[process.exitcode for process in ended])
            ran_s = time.monotonic() - started
            pause_s = _MIN_PAUSE_S if ran_s > _STEADY_S else min(2 * pause_s, _MAX_PAUSE_S)
            self._is_stopping(pause_s)
        self._stop_all()
        return 0

    def _is_stopping(self, within_s: float) -> bool:
        return bool(multiprocessing.connection.wait([self._stop_read], within_s))

    def _start(self) -> SpawnProcess:
        process = _SPAWN.Process(target=_exit_with, args=(self._serve,))
        process.start()
        return process

    def _stop_all(self) -> None:
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + self._grace_s + _STOP_MARGIN_S
        for process in self._running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                logger.error("server process did not stop in time")
                process.kill()
                process.join()


def _exit_with(serve: Callable[[], int]) -> None:
    raise SystemExit(serve())
