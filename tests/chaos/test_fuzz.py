"""A short run of tests/chaos/fuzz.py; `make fuzz` runs the long one."""

from __future__ import annotations

import pytest

from tests.chaos.fuzz import fuzz


@pytest.mark.chaos
async def test_random_requests_never_cause_internal_errors(database_url, stores):
    summary = await fuzz(database_url, stores.valkey.url, count=6_000, seed=3)
    assert summary["broken"] == []
    assert summary["answers"]["INVALID_ARGUMENT"] > 1000
    assert summary["answers"]["OK"] > 100
    assert summary["grown_mb"] < 64
