"""A short storm of spans in every run; `make chaos` makes a longer one."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.chaos.span_storm import storm
from tests.support.machine import machine

pytestmark = pytest.mark.chaos


def test_each_call_is_one_log_and_each_span_is_one_row_whatever_is_killed():
    with machine(durable=False) as services:
        summary = asyncio.run(storm(services, spans=2500, seed=7))
    assert summary["killed"].keys() == {"server", "worker", "valkey"}
    assert summary["retries"]
    print(json.dumps(summary, indent=2))  # noqa: T201 - for people, with -s
