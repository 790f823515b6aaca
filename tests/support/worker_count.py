"""A pytest plugin that says in how many processes ``pytest -n auto`` runs the tests."""

from __future__ import annotations

import os

import pytest

_PER_CORE = 2
"""Most tests wait for processes that they start, and use half a core."""
_MAX_PROCESSES = 8
_MEGABYTES = 1_500
"""Of a process, its Postgres, Valkey and browser."""


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # pytest-xdist has an answer of its own
def pytest_xdist_auto_num_workers() -> int:
    """Return two for each core, as far as memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores * _PER_CORE, _MAX_PROCESSES, _free_megabytes() // _MEGABYTES))


def _free_megabytes() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123 - a file of the kernel
            sizes = dict(line.split(":", 1) for line in lines)
        return int(sizes["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError):  # not Linux
        return _MAX_PROCESSES * _MEGABYTES
