"""Under which result the duration of a transaction is counted."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from storage.errors import StorageError, StorageUnavailable
from telemetry import metrics
from worker.tasks.write_observation import observed_write


@pytest.fixture
def results():
    found: list[str] = []
    metrics.WRITE_DURATION.bind(lambda labels: lambda _seconds: found.extend(labels))
    yield found
    metrics.WRITE_DURATION.bind(None)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (StorageUnavailable("away"), "unavailable"),
        (StorageError("no"), "refused"),
        (asyncio.CancelledError(), "unavailable"),
        (RuntimeError("a mistake of ours"), "unavailable"),
    ],
)
def test_only_what_was_committed_is_ok(results, error, result):
    with suppress(BaseException), observed_write(1, 1, ()):
        if error is not None:
            raise error
    assert results == [result]
