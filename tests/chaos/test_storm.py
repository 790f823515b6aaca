"""A short storm in every run; `make chaos` makes longer ones."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.storm import storm
from tests.support.machine import machine

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize(("seed", "repeats"), [(2, True), (11, True), (3, False)])
def test_every_log_is_accounted_for_whatever_breaks(seed, repeats):
    """Where all logs are new, only crashes repeat them; then most go the short way into Postgres."""
    with machine(durable=False) as found:
        seen = asyncio.run(storm(found, logs=6000, seed=seed, repeats=repeats))
    assert seen["broken"]
    assert seen["ledger_adds_up"]
