"""Starting and ending processes, always by id, never by name."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG: Final = 1
_DIE_AND_RUN: Final = (
    "import ctypes, os, sys; "
    f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"
)
"""Run first in the child, and replaced by the command: code between fork and exec is not safe beside gRPC's
threads."""
_LOG_MAX_BYTES: Final = 10 * 1024 * 1024
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, told apart from a later one with the same number by its start."""

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Identify a running process."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Return the process when it still runs."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < 1.0
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def start(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    death_signal: signal.Signals | None = signal.SIGTERM,
    user: str | None = None,
    folder: Path | None = None,
) -> psutil.Popen:
    """Start a process in a session of its own, its output going to a log file.

    On Linux it gets ``death_signal`` when we die, however we die; None lets it outlive us.
    """
    if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
    options: dict[str, Any] = {}
    if user:  # it may not be able to read our Python
        arrange = _die_with_parent(death_signal)
        options = {"user": user, "group": _group_of(user), "extra_groups": [], "preexec_fn": arrange}
    elif _LIBC is not None and death_signal is not None:
        command = [sys.executable, "-I", "-S", "-c", _DIE_AND_RUN, str(int(death_signal)), *command]
    with log.open("ab") as output:
        return psutil.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=folder,
            start_new_session=True,
            **options,
        )


def _group_of(user: str) -> int:
    import pwd  # noqa: PLC0415 - not on every platform

    return pwd.getpwnam(user).pw_gid


def _die_with_parent(death_signal: signal.Signals | None) -> Callable[[], None] | None:
    if _LIBC is None or death_signal is None:
        return None

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal))

    return arrange


def stop(process: psutil.Process, stop_signal: signal.Signals, timeout_s: float) -> None:
    """Ask a process to end, and end it when it does not within timeout_s seconds."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)


def port_is_free(port: int) -> bool:
    """Tell whether 127.0.0.1:port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
