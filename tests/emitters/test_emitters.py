"""Emitters of others, set up as their users do: each call is one log, with the tokens that the provider told.

Each is installed as it comes, in an environment of its own (EMITTERS_DIR, or a temporary folder), and sends
to the real server. What one of them does not tell stands in NOT_TOLD and in docs/opentelemetry.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from stack.demo.provider_mock import ProviderMock, running_mock
from tests.support.installed import PROGRAMS as SCENARIOS
from tests.support.installed import Environment, behaviour_of, install
from tests.support.rollups import assert_rollups_are_right
from tests.support.rpc import stub
from tests.support.waiting import eventually

pytestmark = pytest.mark.emitters

PROGRAMS: Final = Path(__file__).parent / "programs"
SDK: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
PACKAGES: Final = {
    "genai_openai": ("opentelemetry-instrumentation-genai-openai", "openai"),
    "google_genai": ("opentelemetry-instrumentation-google-genai", "google-genai<3"),
    "openinference_openai": ("openinference-instrumentation-openai", "openai"),
    "openinference_anthropic": ("openinference-instrumentation-anthropic", "anthropic"),
    "openinference_langchain": (
        "openinference-instrumentation-langchain", "openinference-instrumentation-openai",
        "langchain-openai",
    ),
    "openinference_llama_index": (
        "openinference-instrumentation-llama-index", "llama-index-llms-openai",
    ),
    "agno": ("openinference-instrumentation-agno", "agno", "openai"),
    "smolagents": ("openinference-instrumentation-smolagents", "smolagents[openai]"),
    "openai_agents": ("openinference-instrumentation-openai-agents", "openai-agents"),
    "haystack": ("openinference-instrumentation-haystack", "haystack-ai"),
    "openllmetry_openai": ("opentelemetry-instrumentation-openai", "openai"),
    "openllmetry_anthropic": ("opentelemetry-instrumentation-anthropic", "anthropic"),
    "pydantic_ai": ("pydantic-ai-slim[openai,anthropic]",),
    "logfire": ("logfire", "openai"),
    "langfuse": ("langfuse", "openai"),
    "litellm": ("litellm",),
    "strands": ("strands-agents[openai,otel]",),
}  # fmt: skip
LATE: Final = "time_to_first_token_us"
MODEL_OF_FAILED: Final = "model of a failed call"
CONTENT: Final = {"genai_openai": "SPAN_ONLY", "google_genai": "SPAN_ONLY"}
"""By emitter: how it is asked for messages, where that is not \"true\"."""
IDS: Final = {"provider_response_id", "response_model"}
NOT_TOLD: Final[dict[str, set[str]]] = {
    "openinference_llama_index": IDS,
    "agno": {*IDS, "finish_reason", LATE},
    "smolagents": {*IDS, "finish_reason", MODEL_OF_FAILED},
    "openai_agents": {*IDS, "finish_reason", LATE, "error_code", MODEL_OF_FAILED},
    "haystack": {*IDS, "finish_reason", LATE, MODEL_OF_FAILED},
    "logfire": {LATE},
    "langfuse": {*IDS, "finish_reason", "error_code"},
    "litellm": {"finish_reason", "input_preview", "output_preview", LATE},
    "strands": {*IDS, LATE},
}
"""By emitter: what a log does not have because no span says it."""
FIELDS: Final = (
    "input_preview", "output_preview", "finish_reason", "provider_response_id", "response_model",
)  # fmt: skip
"""What a log of a call that succeeded has, unless the emitter does not tell."""


@pytest.fixture(params=PACKAGES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    name: str = request.param
    return install(name, (*SDK, *PACKAGES[name]), os.environ.get("EMITTERS_DIR") or tmp_path)


@pytest.fixture
def mock() -> Iterator[ProviderMock]:
    with running_mock() as running:
        running.behaviour_of = behaviour_of
        yield running


def run(environment: Environment, mock: ProviderMock, otlp_port: int) -> dict[str, str]:
    """Run an emitter's program; return its scenarios that failed, with their tracebacks."""
    address = f"http://127.0.0.1:{otlp_port}"
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SCENARIOS),
        "MOCK_URL": mock.base_url,
        "OPENAI_API_KEY": "not-a-key",
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER": "otlp_http",  # LiteLLM's own
        "OTEL_ENDPOINT": address,
        "OTEL_SERVICE_NAME": environment.name,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": CONTENT.get(environment.name, "true"),
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{address}/v1/traces",  # MLflow reads this one alone
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "LANGFUSE_HOST": address,
        "LANGFUSE_BASE_URL": address,
        "LANGFUSE_PUBLIC_KEY": "not-a-key",
        "LANGFUSE_SECRET_KEY": "not-a-key",
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
        "LANGSMITH_TRACING": "false",
        "HAYSTACK_TELEMETRY_ENABLED": "false",
    }
    printed = environment.run(PROGRAMS / f"use_{environment.name}.py", env=env)
    failures: dict[str, str] = json.loads(
        next(line for line in printed.splitlines()[::-1] if line[:1] == "{")
    )
    return failures


async def stored(channel: Any, sql: Any) -> list[dict[str, Any]]:
    """Return the logs, when all that came is stored."""

    async def queue_is_empty() -> bool:
        health = await stub(HealthServiceStub, channel).Check(CheckRequest())
        return bool(health.queue.depth == 0)

    await eventually(queue_is_empty)
    rows = [dict(row) for row in await sql.fetch("SELECT * FROM logs ORDER BY start_time")]
    return [{**row, "model": row["model"].removesuffix("-mock")} for row in rows]


def not_told(logs: list[dict[str, Any]]) -> set[str]:
    """Return what is missing in a log."""
    succeeded = [log for log in logs if log["outcome"] == "success"]
    failed = [log for log in logs if log["outcome"] == "error"]
    missing = {field for field in FIELDS if not all(_has(log, field) for log in succeeded)}
    missing |= {LATE for log in succeeded if log["model"].endswith("stream") and not log[LATE]}
    missing |= {"error_code" for log in failed if not log["error_code"]}
    return missing | {MODEL_OF_FAILED for log in failed if log["model"] == "unknown"}


def _has(log: dict[str, Any], field: str) -> bool:
    calls_a_tool = field == "output_preview" and log["model"].endswith("tool")
    return bool(log[field]) or calls_a_tool


async def test_each_call_is_one_log(environment, mock, server, worker, channel, sql, database):
    failures = await asyncio.to_thread(run, environment, mock, server.otlp_http.port)
    logs = await stored(channel, sql)
    spans = await sql.fetchval("SELECT count(*) FROM spans")
    missing = not_told(logs)
    counts = Counter(log["model"] for log in logs)
    sent = ", ".join(f"{model.removeprefix('gpt-4o-')} {count}" for model, count in counts.items())
    versions = environment.versions((*PACKAGES[environment.name], "openai", "anthropic"))
    sys.stdout.write(
        f"\n{environment.name}: {versions}\n    logs: {sent}; spans: {spans}\n"
        f"    not told: {', '.join(sorted(missing)) or 'nothing'}\n"
    )
    assert failures == {}
    assert renamed(counts) == Counter(mock.models), "as many logs as requests"
    told = Counter(
        (log["model"], log["input_token_count"], log["output_token_count"])
        for log in logs
        if log["outcome"] == "success"
    )
    answered = Counter((each.model, each.input_tokens, len(each.words)) for each in mock.answers)
    assert told == answered
    assert {log["outcome"] for log in logs if log["model"].endswith(("error", "unknown"))} <= {"error"}
    assert missing == NOT_TOLD.get(environment.name, set())
    await assert_rollups_are_right(database)


def renamed(counts: Counter[str]) -> Counter[str]:
    """Return the counts with the model of a failed call where the emitter did not tell it."""
    return Counter(
        {"gpt-4o-error" if model == "unknown" else model: count for model, count in counts.items()}
    )
