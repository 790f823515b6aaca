"""What each family of emitters writes becomes the same log. The spans are made here; recordings have real ones."""

# ruff: noqa: E501 - a table of attributes

from __future__ import annotations

import json
from typing import Any

import pytest
from llm_observe.v1.log_pb2 import Log, Outcome

from codec.otlp import decode_json, decode_protobuf
from codec.otlp.calls import call_log
from codec.otlp.classify import classify
from codec.otlp.span import Span
from tests.support.otlp_bodies import MILLISECOND, body, messages, span
from tests.support.recordings import to_protobuf

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini"}
OPENAI_ANSWER = json.dumps(
    {
        "id": "chatcmpl-0123456789abcdef",
        "choices": [{"message": {"content": "Fine."}, "finish_reason": "stop"}],
    }
)
OPENAI_USAGE = {
    "prompt_tokens": 2000, "completion_tokens": 135, "total_tokens": 2135,
    "prompt_tokens_details": {"cached_tokens": 1536}, "completion_tokens_details": {"reasoning_tokens": 128},
}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenTelemetry to 1.36": ("opentelemetry.instrumentation.openai_v2", span(
        attributes={**CHAT, "gen_ai.system": "openai", "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 135,
            "gen_ai.response.id": "chatcmpl-0123456789abcdef", "gen_ai.usage.cache_read_input_tokens": 1536,
            "gen_ai.usage.reasoning_tokens": 128, "session.id": "s", "user.id": "u"},
        events=[("gen_ai.user.message", 0, {"content": "How are you?"}),
                ("gen_ai.choice", 1, {"message": json.dumps({"content": "Fine."}), "finish_reason": "stop"})])),
    "OpenTelemetry 1.37": ("opentelemetry.util.genai.handler", span(
        attributes={**CHAT, "gen_ai.provider.name": "openai", "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.usage.input_tokens": "2000", "gen_ai.usage.output_tokens": 135.0,
            "gen_ai.response.id": "chatcmpl-0123456789abcdef", "gen_ai.usage.cache_read.input_tokens": 1536,
            "gen_ai.usage.reasoning.output_tokens": 128, "gen_ai.conversation.id": "s", "enduser.id": "u",
            "gen_ai.input.messages": messages(("user", "Who?"), ("assistant", "Me."), ("user", "How are you?")),
            "gen_ai.output.messages": messages(("assistant", "Fine."))})),
    "OpenInference": ("openinference.instrumentation.openai", span(
        attributes={"openinference.span.kind": "LLM", "llm.system": "openai", "llm.finish_reason": "stop",
            "llm.model_name": "gpt-5-mini-2026-03-05", "llm.invocation_parameters": '{"model": "gpt-5-mini"}',
            "llm.token_count.prompt": 2000, "llm.token_count.completion": 135,
            "llm.token_count.prompt_details.cache_read": 1536,
            "llm.token_count.completion_details.reasoning": 128, "output.value": OPENAI_ANSWER,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.text": "How are you?",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Fine.",
            "session.id": "s", "metadata": '{"user_id": "u"}'})),
    "OpenLLMetry, legacy": ("opentelemetry.instrumentation.openai.v1", span(
        attributes={"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.prompt_tokens": 2000, "gen_ai.usage.completion_tokens": 135,
            "gen_ai.usage.cache_read_input_tokens": 1536, "gen_ai.usage.reasoning_tokens": 128,
            "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "How are you?",
            "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Fine.",
            "gen_ai.completion.0.finish_reason": "stop", "gen_ai.response.id": "chatcmpl-0123456789abcdef",
            "traceloop.association.properties.session_id": "s",
            "traceloop.association.properties.user_id": "u"})),
    "Langfuse, a provider's usage": ("langfuse-sdk", span(
        attributes={"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5-mini",
            "langfuse.observation.usage_details": json.dumps(OPENAI_USAGE), "session.id": "s", "user.id": "u",
            "langfuse.observation.input": '[{"role": "user", "content": "How are you?"}]',
            "langfuse.observation.output": OPENAI_ANSWER})),
    "Langfuse, buckets": ("langfuse-sdk", span(
        attributes={"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5-mini",
            "langfuse.observation.usage_details": json.dumps({"input": 464, "input_cache_read": 1536, "output": 7,
                "output_reasoning": 128, "total": 2135}), "langfuse.session.id": "s", "langfuse.user.id": "u",
            "langfuse.observation.input": '[{"role": "user", "content": "How are you?"}]',
            "langfuse.observation.output": OPENAI_ANSWER})),
    "MLflow": ("mlflow.tracing.provider", span(
        attributes={"mlflow.spanType": '"CHAT_MODEL"', "mlflow.message.format": '"openai"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 2000, "output_tokens": 135, "total_tokens": 2135,'
                ' "cache_read_input_tokens": 1536}',
            "mlflow.spanInputs": json.dumps({"model": "gpt-5-mini", "messages": [
                {"role": "user", "content": "How are you?"}]}),
            "mlflow.spanOutputs": json.dumps({**json.loads(OPENAI_ANSWER), "usage": OPENAI_USAGE}),
            "mlflow.trace.session": '"s"', "mlflow.trace.user": '"u"'})),
    "LangSmith": ("langsmith", span(
        attributes={"langsmith.span.kind": "llm", **CHAT, "gen_ai.system": "openai",
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 135,
            "langsmith.metadata.usage_metadata": json.dumps({"input_tokens": 2000, "output_tokens": 135,
                "input_token_details": {"cache_read": 1536}, "output_token_details": {"reasoning": 128}}),
            "langsmith.metadata.session_id": "s", "langsmith.metadata.user_id": "u",
            "gen_ai.prompt": json.dumps({"messages": [[{"lc": 1, "type": "constructor", "id": ["x", "HumanMessage"],
                "kwargs": {"content": "How are you?"}}]]}),
            "gen_ai.completion": OPENAI_ANSWER})),
    "Logfire, the end of a stream": ("logfire.openai", span(
        startTimeUnixNano="1795600000100000000",
        attributes={"logfire.span_type": "log", "duration": 0.1, **CHAT, "gen_ai.provider.name": "openai",
            "gen_ai.response.id": "chatcmpl-0123456789abcdef", "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 135,
            "gen_ai.usage.cache_read.input_tokens": 1536, "gen_ai.usage.raw": json.dumps(OPENAI_USAGE),
            "gen_ai.input.messages": messages(("user", "How are you?")),
            "gen_ai.output.messages": messages(("assistant", "Fine.")), "session.id": "s", "user.id": "u"})),
    "LiteLLM": ("litellm", span(
        name="litellm_request",
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini", "gen_ai.system": "openai",
            "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 135, "llm.is_streaming": "False",
            "metadata.usage_object": str(OPENAI_USAGE), "llm.user": "u", "session.id": "s",
            "gen_ai.response.id": "chatcmpl-0123456789abcdef", "gen_ai.response.finish_reasons": '["stop"]',
            "gen_ai.input.messages": messages(("user", "How are you?")),
            "gen_ai.output.messages": messages(("assistant", "Fine."))})),
    "Vercel": ("ai", span(
        attributes={"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.chat",
            "ai.model.id": "gpt-5-mini", "ai.usage.inputTokens": 2000.0, "ai.usage.outputTokens": 135.0,
            "ai.usage.cachedInputTokens": 1536.0, "ai.usage.reasoningTokens": 128.0,
            "ai.response.id": "chatcmpl-0123456789abcdef", "ai.response.finishReason": "stop",
            "ai.prompt.messages": '[{"role":"user","content":[{"type":"text","text":"How are you?"}]}]',
            "ai.response.text": "Fine.", "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.metadata.userId": "u"})),
    "OpenLIT, input without what is cached": ("openlit.instrumentation.anthropic", span(
        attributes={**CHAT, "gen_ai.request.model": "gpt-5-mini", "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 464, "gen_ai.usage.output_tokens": 135,
            "gen_ai.usage.cache_read.input_tokens": 1536, "gen_ai.usage.reasoning_tokens": 128,
            "gen_ai.server.time_to_first_token": 0.1, "gen_ai.request.stream": False, "session.id": "s",
            "user.id": "u", "gen_ai.response.id": "chatcmpl-0123456789abcdef",
            "gen_ai.response.finish_reasons": ["stop"], "gen_ai.input.messages": messages(("user", "How are you?")),
            "gen_ai.output.messages": messages(("assistant", "Fine."))})),
    "Strands, whose provider is the framework": ("strands.telemetry.tracer", span(
        attributes={**CHAT, "gen_ai.provider.name": "strands-agents", "gen_ai.usage.input_tokens": 2000,
            "gen_ai.usage.output_tokens": 135, "gen_ai.usage.cache_read.input_tokens": 1536,
            "gen_ai.usage.reasoning_tokens": 128, "session.id": "s", "user.id": "u",
            "gen_ai.response.id": "chatcmpl-0123456789abcdef"},
        events=[("gen_ai.client.inference.operation.details", 0,
                 {"gen_ai.input.messages": messages(("user", "How are you?"))}),
                ("gen_ai.client.inference.operation.details", 9, {"gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "Fine."}],
                      "finish_reason": "stop"}])})])),
}  # fmt: skip


def read(scope: str, *spans: dict[str, Any]) -> list[Span]:
    """Read spans from JSON and from protobuf, which must be the same."""
    request = body(*spans, scope=scope)
    from_json = list(decode_json.read_spans(decode_json.parse_request(json.dumps(request).encode())))
    protobuf: Any = to_protobuf(request)
    assert from_json == list(decode_protobuf.read_spans(protobuf))
    return from_json


def log_of(scope: str, made: dict[str, Any]) -> Log:
    (found,) = read(scope, made)
    classified = classify(found)
    assert classified.role.is_call
    return call_log(found, classified)


@pytest.mark.parametrize("dialect", CASES)
def test_a_call_is_the_same_log_in_every_dialect(dialect):
    log = log_of(*CASES[dialect])
    assert (log.provider, log.model, log.operation) == ("openai", "gpt-5-mini", "chat")
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (2000, 135, 2135)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (1536, 128)
    assert (log.input_preview, log.output_preview) == ("How are you?", "Fine.")
    assert (log.session_id or log.conversation_id, log.user_id) == ("s", "u")
    assert (Outcome.Name(log.outcome), log.streamed) == ("OUTCOME_SUCCESS", "Logfire" in dialect)
    assert log.provider_response_id == "chatcmpl-0123456789abcdef"
    assert log.latency.ToMilliseconds() == 100
    assert not log.HasField("time_to_first_token")


STEPS = {
    "an agent with sums": {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m",
                           "gen_ai.usage.input_tokens": 50},
    "an operation that no convention has": {"gen_ai.operation.name": "agent_step", "gen_ai.request.model": "m"},
    "an agent of OpenInference": {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 75},
    "a chain that is a call by another dialect": {"openinference.span.kind": "CHAIN", **CHAT},
    "the outer span of Vercel": {"ai.operationId": "ai.streamText", "ai.usage.inputTokens": 25},
    "a chain of LangSmith": {"langsmith.span.kind": "chain", "gen_ai.operation.name": "chat"},
    "a workflow": {"traceloop.span.kind": "workflow", "gen_ai.request.model": "m"},
    "an agent without an operation": {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5,
                                      "gen_ai.agent.name": "a"},
    "a model without counts": {"gen_ai.request.model": "m"},
    "HTTP": {"http.method": "POST"},
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_what_is_no_call_is_none(step):
    (found,) = read("anything", span(attributes=STEPS[step]))
    assert not classify(found).role.is_call


def test_an_unknown_emitter_is_read_by_what_it_says():
    log = log_of("com.acme.llm", span(name="ask", attributes={"gen_ai.request.model": "claude-x",
                 "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4}))  # fmt: skip
    assert (log.provider, log.model, log.operation, log.source) == (
        "anthropic",
        "claude-x",
        "chat",
        "com.acme.llm",
    )


ERROR = {"code": 2, "message": "Error code: 429 - slow down"}
ENDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "an error": ({"status": ERROR}, "ERROR"),
    "an error by its type": ({"attributes": {"error.type": "TimeoutError"}}, "ERROR"),
    "a cancelled task": ({"status": {"code": 2, "message": "CancelledError: "}}, "CANCELLED"),
    "an abandoned stream": ({"status": {"code": 2, "message": "abandoned stream"}}, "CANCELLED"),
    "an aborted request": ({"attributes": {"error.type": "AbortError"}, "status": {"code": 2}}, "CANCELLED"),
    "an aborted connection": ({"attributes": {"error.type": "ConnectionAbortedError"}}, "ERROR"),
    "a stream without an end": ({"attributes": {"gen_ai.request.stream": True}}, "CANCELLED"),
    "the reason error without an error": (
        {"attributes": {"gen_ai.response.finish_reasons": ["error"]}}, "CANCELLED"),
    "nothing but OK": ({"status": {"code": 1}}, "SUCCESS"),
    "an empty reason": ({"status": {"code": 1}, "attributes": {"gen_ai.response.finish_reasons": [""]}}, "CANCELLED"),
    "counts": ({"attributes": {"gen_ai.usage.output_tokens": 1}}, "SUCCESS"),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_how_a_call_ended(ending):
    fields, outcome = ENDINGS[ending]
    log = log_of("test", span(**{**fields, "attributes": {**CHAT, **fields.get("attributes", {})}}))
    assert Outcome.Name(log.outcome) == f"OUTCOME_{outcome}"
    if fields.get("status") == ERROR:
        assert (log.http_status, log.error_message) == (429, ERROR["message"])


@pytest.mark.parametrize(
    ("scope", "attributes", "events", "expected_ms"),
    [
        ("test", {"gen_ai.response.time_to_first_chunk": 0.02}, (), 20),
        ("strands.telemetry.tracer", {"gen_ai.server.time_to_first_token": 20}, (), 20),
        ("test", {"gen_ai.server.time_to_first_token": 0.02}, (), 20),
        ("test", {"gen_ai.server.time_to_first_token": 20}, (), 20),  # no call of 100 ms waits 20 s
        ("ai", {"ai.response.msToFirstChunk": 20.0}, (), 20),
        ("test", {"gen_ai.response.time_to_first_chunk": 5.0}, (), 100),  # no longer than the call
        ("test", {}, [("gen_ai.content.completion.chunk", 20 * MILLISECOND, {})], 20),
        ("test", {}, [("First Token Stream Event", 20 * MILLISECOND, {})], 20),
    ],
)
def test_the_time_to_the_first_token(scope, attributes, events, expected_ms):
    log = log_of(scope, span(attributes={**CHAT, **attributes}, events=events))
    assert (log.time_to_first_token.ToMilliseconds(), log.streamed) == (expected_ms, True)
