"""Runs what a program can do with its framework, each under a model of its own, and reports what failed.

A program knows nothing of llm_observe. Only the standard library is imported here: each framework has an
environment of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable

Scenario = Callable[[str], object]
"""Makes calls to the model that it is given."""

BASE_URL = os.environ.get("MOCK_URL", "")
OPENAI_URL = f"{BASE_URL}/v1"
KEY = "not-a-key"
QUESTION = "What is the weather in Oslo?"


def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It rains in {city}."


def expect_error(call: Callable[[], object]) -> None:
    """Check that a call fails, and not for a reason of the program's own."""
    try:
        result = call()
        if inspect.isawaitable(result):
            asyncio.run(_wait(result))
    except (AttributeError, ImportError, NameError, TypeError):
        raise
    except Exception:  # noqa: BLE001 - each framework has errors of its own
        return
    raise AssertionError("the call did not fail")


async def _wait(result: Awaitable[object]) -> object:
    return await result


def main(scenarios: dict[str, Scenario]) -> None:
    """Run each scenario with the model of its name; print why those that failed did, as JSON."""
    failures = {}
    with asyncio.Runner() as runner:  # one event loop, which frameworks bind their connections to
        for name, scenario in scenarios.items():
            try:
                result = scenario(f"gpt-4o-{name}")
                if inspect.isawaitable(result):
                    runner.run(_wait(result))
            except Exception:  # noqa: BLE001 - the others go on
                failures[name] = traceback.format_exc()
    sys.stdout.write("\n" + json.dumps(failures) + "\n")
