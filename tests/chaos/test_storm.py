"""A short storm in every run; `make chaos` makes longer ones."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.harness import machine
from tests.chaos.storm import storm

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("seed", [2, 11])
def test_every_log_is_accounted_for_whatever_breaks(seed):
    with machine() as found:
        seen = asyncio.run(storm(found, logs=6000, seed=seed))
    assert seen["broken"]
    assert seen["ledger_adds_up"]
