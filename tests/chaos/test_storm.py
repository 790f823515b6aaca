"""A short storm in every run; `make chaos` makes longer ones."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.chaos.states import STATES
from tests.chaos.storm import storm
from tests.support.machine import machine

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize(("seed", "repeats"), [(2, True), (11, True), (3, False)])
def test_every_log_is_accounted_for_whatever_breaks(seed, repeats):
    """If all logs are new, only crashes cause repeats, so that most take the fast path into Postgres."""
    with machine(durable=False) as services:
        summary = asyncio.run(storm(services, logs=6000, seed=seed, repeats=repeats))
    assert summary["broken"]
    assert summary["ledger_adds_up"]


def test_every_log_is_accounted_for_whatever_state_the_stores_are_in():
    with machine(durable=False) as services:
        summary = asyncio.run(storm(services, logs=1200, seed=5, breakages=[*STATES]))
    assert summary["ledger_adds_up"]
    assert summary["states"].keys() == STATES.keys()
    assert all(told["health"] for told in summary["states"].values())
    for name, code in (("Valkey stopped by SIGSTOP", "UNAVAILABLE"), ("NOREPLICAS", "UNAVAILABLE")):
        assert summary["states"][name]["callers"] == {code: 200}
    print(json.dumps(summary["states"], indent=2))  # noqa: T201 - for people, with -s
