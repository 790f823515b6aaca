"""Starting and ending processes, always by id, never by name."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG: Final = 1
_LAUNCHER: Final = f"""
import ctypes, os, sys
import warnings  # execvp imports it, and another user may not be able to read our Python
death_signal, uid, gid = map(int, sys.argv[1:4])
if uid:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, death_signal)
os.execvp(sys.argv[4], sys.argv[4:])
"""
"""Run first in the child, and replaced by the command. A preexec_fn would do the same between fork and exec,
where Python runs beside what gRPC's threads left half done: the child crashed now and then. Changing the user
clears the death signal, so that comes first."""
_LOG_MAX_BYTES: Final = 10 * 1024 * 1024
_ON_LINUX: Final = sys.platform == "linux"


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
    uid, gid = _ids_of(user) if user else (0, 0)
    if _ON_LINUX and death_signal is not None:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(int(death_signal)), str(uid), str(gid)]
        command = [*launcher, *command]
    elif user:
        options = {"user": uid, "group": gid, "extra_groups": []}
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
