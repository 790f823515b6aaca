"""Starts processes, and ends them by PID."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PREPARE: Final = """
import ctypes, os, signal, sys
import warnings  # execvp imports it, and another user may not be able to read our Python
death_signal, uid, gid, *command = sys.argv[1:]
libc = ctypes.CDLL(None)
if int(uid):
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if int(death_signal):  # only now: a change of user resets it
    libc.prctl(1, int(death_signal))  # 1 is PR_SET_PDEATHSIG
# Background jobs of a shell ignore it, and so would the command until it is up: nobody could stop it.
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(command[0], command)
"""
"""Run first in the child, and replaced by the command. To do this between fork and exec (``preexec_fn``)
crashes the child now and then where threads of gRPC run: 11 of 624 times when it was measured."""
_LOG_MAX_BYTES: Final = 10 * 1024 * 1024


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
) -> psutil.Popen:
    """Start a process in a session of its own, its output going to a log file.

    On Linux it gets ``death_signal`` when we die, however we die; None lets it outlive us.
    """
    if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
    with log.open("ab") as output:
        return psutil.Popen(
            prepared(command, death_signal=death_signal, user=user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
        )


def prepared(
    command: Sequence[str], *, death_signal: signal.Signals | None = None, user: str | None = None
) -> list[str]:
    """Return a command that first becomes another user, and asks for a signal when its parent dies.

    Only Linux sends that signal.
    """
    if sys.platform != "linux":
        death_signal = None
    if death_signal is None and user is None:
        return list(command)
    uid, gid = _ids_of(user) if user else (0, 0)
    arguments = [str(int(death_signal or 0)), str(uid), str(gid)]
    return [sys.executable, "-I", "-S", "-c", _PREPARE, *arguments, *command]


def _ids_of(user: str) -> tuple[int, int]:
    import pwd  # noqa: PLC0415 - not on every platform

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


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
