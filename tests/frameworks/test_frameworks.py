"""Every call that a framework makes by a vendor's client is one log, with the tokens that the provider told.

Each framework is installed as it comes, in an environment of its own (FRAMEWORKS_DIR, or a temporary folder).
Its program is run by ``python -m llm_observe run`` and knows nothing of us. Each scenario has its own model.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from collector import Collector, running_collector
from llm_observe.v1.log_pb2 import Log, Outcome

from stack.demo.provider_mock import ProviderMock, running_mock
from tests.support.installed import LONG_S, PROGRAMS, Environment, behaviour_of, install
from tests.support.repository import ROOT

pytestmark = pytest.mark.frameworks

PACKAGES: Final = {
    "langchain": ("langchain-openai", "langchain-anthropic", "langchain-google-genai"),
    "llama_index": ("llama-index-llms-openai",),
    "pydantic_ai": ("pydantic-ai-slim[openai,anthropic,google]",),
    "openai_agents": ("openai-agents",),
    "litellm": ("litellm",),
    "instructor": ("instructor", "openai", "anthropic"),
    "dspy": ("dspy",),
    "crewai": ("crewai",),
}
VENDORS: Final = ("openai", "anthropic", "google-genai")


@pytest.fixture(params=PACKAGES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    name: str = request.param
    packages = ("grpcio", "protobuf", *PACKAGES[name])
    return install(name, packages, os.environ.get("FRAMEWORKS_DIR") or tmp_path)


@pytest.fixture
def mock() -> Iterator[ProviderMock]:
    with running_mock() as running:
        running.behaviour_of = behaviour_of
        yield running


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


def run(environment: Environment, mock: ProviderMock, collector: Collector) -> dict[str, str]:
    """Run a framework's program; return its scenarios that failed, with their tracebacks."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "sdk"),
        "LLM_OBSERVE_ENDPOINT": collector.endpoint,
        "LLM_OBSERVE_EXIT_TIMEOUT_S": str(LONG_S),
        "LLM_OBSERVE_REQUEST_STREAM_USAGE": "true",  # the mock is not at openai.com
        "MOCK_URL": mock.base_url,
        "OPENAI_API_KEY": "not-a-key",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
        "LANGSMITH_TRACING": "false",
    }
    printed = environment.run("-m", "llm_observe", "run", PROGRAMS / f"use_{environment.name}.py", env=env)
    failures: dict[str, str] = json.loads(printed.splitlines()[-1])
    return failures


def tokens(mock: ProviderMock) -> Counter[tuple[str, int, int]]:
    return Counter((answer.model, answer.input_tokens, len(answer.words)) for answer in mock.answers)


def test_each_call_is_one_log(environment: Environment, mock: ProviderMock, collector: Collector) -> None:
    failures = run(environment, mock, collector)
    logs: list[Log] = [log for request in collector.requests for log in request.logs]
    succeeded = [log for log in logs if log.outcome == Outcome.OUTCOME_SUCCESS]
    counts = Counter(log.model for log in logs)
    sent = ", ".join(f"{model.removeprefix('gpt-4o-')} {count}" for model, count in counts.items())
    versions = environment.versions((*PACKAGES[environment.name], *VENDORS))
    sys.stdout.write(f"\n{environment.name}: {versions}\n    logs: {sent}\n")
    assert failures == {}
    assert counts == Counter(mock.models), "as many logs as requests"
    assert tokens(mock) == Counter(
        (log.model, log.input_token_count, log.output_token_count) for log in succeeded
    )
    assert {log.error_code for log in logs if log.model.endswith("error")} - {""}
    assert len(succeeded) == sum(not log.model.endswith("error") for log in logs)
