"""What the operating system forbids a query process, whatever DuckDB may do.

Descriptors, threads, memory, CPU time and file sizes are limited everywhere; the account where the server is
root; privileges and paths (Landlock) on Linux. macOS ignores the limit of address space: only DuckDB's own
limit and the time bound memory there.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from analytics.sandbox.query import Limits

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_CREATE_RULESET_VERSION: Final = 1
_FILE_RIGHTS: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""Rights over files that each version of Landlock knows."""
_NET_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11
"""Signals and abstract Unix sockets of processes outside."""
_NET_VERSION: Final = 4
_SCOPE_VERSION: Final = 6
_IS_LINUX: Final = sys.platform == "linux"
_libc: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends; end it now if that is so already."""
    if _IS_LINUX:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def raise_open_files_limit() -> None:
    """Allow as many open files as the system does: a query holds one an hour of its window."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):  # macOS reports a limit that it does not accept
        resource.setrlimit(resource.RLIMIT_NOFILE, (10_240, most))


def confine(limits: Limits, user: str, parent: int) -> None:
    """Give up what a query does not need. Afterwards no file, socket, process or thread can be opened.

    Raises:
        OSError, KeyError: It failed; the query must not run.
    """
    _limit_resources(limits)
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        die_with_parent(parent)  # a change of account forgets it
    if _IS_LINUX:
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _deny_all_paths()
    for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(kind, (0, 0))


def _limit_resources(limits: Limits) -> None:
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = max(1, round(used.ru_utime + used.ru_stime + limits.cpu_s))
    resource.setrlimit(
        resource.RLIMIT_CPU, (cpu_s, cpu_s + 1)
    )  # SIGXCPU first, which tells it from other kills
    if _IS_LINUX:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + limits.address_space_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def _deny_all_paths() -> None:
    """Deny every path: deleting and renaming need no descriptor. Kernels before 5.13 have no Landlock."""
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return
    rules = _Ruleset(
        _FILE_RIGHTS.get(version, max(_FILE_RIGHTS.values())),
        _NET_RIGHTS if version >= _NET_VERSION else 0,
        _SCOPES if version >= _SCOPE_VERSION else 0,
    )
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    if ruleset < 0 or _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    os.close(ruleset)
