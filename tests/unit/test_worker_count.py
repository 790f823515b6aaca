"""`pytest -n auto` asks the project's own plugin how many processes there are."""

from __future__ import annotations

import pytest

from tests.support import worker_count


def test_the_number_of_processes_is_that_of_the_plugin(pytestconfig: pytest.Config, monkeypatch):
    monkeypatch.setattr(worker_count, "_PER_CORE", 100)
    monkeypatch.setattr(worker_count, "_MAX_PROCESSES", 7)
    monkeypatch.setattr(worker_count, "_free_megabytes", lambda: 10**6)
    assert pytestconfig.hook.pytest_xdist_auto_num_workers(config=pytestconfig) == 7


def test_memory_bounds_it(monkeypatch):
    monkeypatch.setattr(worker_count, "_free_megabytes", lambda: 100)
    assert worker_count.pytest_xdist_auto_num_workers() == 1
