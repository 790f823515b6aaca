"""Emitters that were not recorded, as their source and documentation say that they write: each is one log."""

# ruff: noqa: E501 - a table of attributes

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from llm_observe.v1.log_pb2 import Log, Outcome

from codec.otlp import decode_json
from codec.otlp.folding import changed_groups
from codec.otlp.log_events import LogRecord, read_events
from codec.otlp.merging import merge_views
from codec.otlp.requests import ReadSpan, read_request
from codec.otlp.usage import Usage
from tests.support.otlp_bodies import MILLISECOND, START_NS, body, messages, span, span_id

QUESTION, ANSWER = "How are you?", "Fine."
TOLD = (QUESTION, ANSWER)
HIDDEN = ("", "")
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
COUNTS = {"gen_ai.usage.input_tokens": 25, "gen_ai.usage.output_tokens": 7}
GEMINI_REQUEST = json.dumps(
    {"model": "gemini-2.5-flash", "contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}
)
GEMINI_ANSWER = json.dumps(
    {
        "content": {"role": "model", "parts": [{"text": ANSWER}]},
        "usage_metadata": {
            "prompt_token_count": 25,
            "candidates_token_count": 7,
            "thoughts_token_count": 3,
            "total_token_count": 35,
        },
    }
)

CALLS: dict[str, tuple[dict[str, Any], tuple[str, str, int | None, int | None], tuple[str, str]]] = {
    "Google ADK, call_llm": (span(name="call_llm", attributes={
        "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash", **COUNTS,
        "gcp.vertex.agent.llm_request": GEMINI_REQUEST, "gcp.vertex.agent.llm_response": GEMINI_ANSWER,
        "gcp.vertex.agent.session_id": "s", "gen_ai.response.finish_reasons": ["stop"]}),
        ("gemini", "gemini-2.5-flash", 25, 10), TOLD),  # thoughts are not in Gemini's own output
    "Azure AI Inference, messages in events": (span(
        attributes={**CHAT, "gen_ai.system": "az.ai.inference", **COUNTS, "gen_ai.response.finish_reasons": ["stop"]},
        events=[("gen_ai.user.message", 0, {"gen_ai.event.content": json.dumps({"role": "user", "content": QUESTION})}),
                ("gen_ai.choice", 1, {"gen_ai.event.content": json.dumps(
                    {"message": {"content": ANSWER}, "finish_reason": "stop", "index": 0})})]),
        ("az.ai.inference", "gpt-4o", 25, 7), TOLD),
    "Spring AI, which writes none": (span(attributes={
        **CHAT, "gen_ai.system": "openai", "gen_ai.usage.input_tokens": "25", "gen_ai.usage.output_tokens": "7",
        "gen_ai.usage.total_tokens": "32", "gen_ai.response.model": "none", "gen_ai.response.id": "none",
        "gen_ai.response.finish_reasons": '["STOP"]', "gen_ai.request.temperature": "none"}),
        ("openai", "gpt-4o", 25, 7), HIDDEN),
    "OpenLLMetry's first versions": (span(attributes={
        "llm.request.type": "chat", "llm.vendor": "OpenAI", "llm.request.model": "gpt-4o", "llm.response.model": "gpt-4o",
        "llm.usage.prompt_tokens": 25, "llm.usage.completion_tokens": 7, "llm.usage.total_tokens": 32,
        "llm.prompts.0.role": "user", "llm.prompts.0.content": QUESTION, "llm.completions.0.role": "assistant",
        "llm.completions.0.content": ANSWER, "llm.completions.0.finish_reason": "stop"}),
        ("openai", "gpt-4o", 25, 7), TOLD),
    "Dify and Alibaba Cloud": (span(attributes={
        "gen_ai.span.kind": "LLM", "gen_ai.model_name": "qwen-max", "gen_ai.system": "dashscope", **COUNTS,
        "gen_ai.usage.total_tokens": 32, "gen_ai.prompt": json.dumps([{"role": "user", "text": QUESTION, "content": QUESTION}]),
        "gen_ai.completion": ANSWER, "gen_ai.response.finish_reason": "stop", "gen_ai.session.id": "s"}),
        ("dashscope", "qwen-max", 25, 7), TOLD),
    "Braintrust": (span(attributes={
        "braintrust.span_attributes": '{"type": "llm"}', "braintrust.metadata": '{"provider": "openai", "model": "gpt-4o"}',
        "braintrust.metrics": '{"prompt_tokens": 25, "completion_tokens": 7, "tokens": 32, "time_to_first_token": 0.02}',
        "braintrust.input_json": json.dumps([{"role": "user", "content": QUESTION}]),
        "braintrust.output_json": json.dumps([{"finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}])}),
        ("openai", "gpt-4o", 25, 7), TOLD),
    "Genkit": (span(attributes={
        "genkit:type": "action", "genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-flash",
        "genkit:input": json.dumps({"messages": [{"role": "user", "content": [{"text": QUESTION}]}]}),
        "genkit:output": json.dumps({"message": {"role": "model", "content": [{"text": ANSWER}]}, "finishReason": "stop",
            "usage": {"inputTokens": 25, "outputTokens": 7, "totalTokens": 35, "thoughtsTokens": 3}})}),
        ("gemini", "gemini-2.5-flash", 25, 10), TOLD),
    "LangSmith, details as JSON": (span(attributes={
        "langsmith.span.kind": "llm", **CHAT, "gen_ai.system": "openai", **COUNTS,
        "gen_ai.usage.input_token_details": '{"cache_read": 20}', "gen_ai.prompt": json.dumps([{"role": "user", "content": QUESTION}]),
        "gen_ai.completion": json.dumps([{"role": "assistant", "content": ANSWER}])}),
        ("openai", "gpt-4o", 25, 7), TOLD),
    "Mastra": (span(name="chat gpt-4o", attributes={
        "mastra.span.type": "model_generation", **CHAT, "gen_ai.provider.name": "openai.responses", **COUNTS,
        "gen_ai.usage.cached_input_tokens": "20", "gen_ai.input.messages": messages(("user", QUESTION)),
        "gen_ai.output.messages": messages(("assistant", ANSWER)), "gen_ai.response.finish_reasons": ["stop"]}),
        ("openai", "gpt-4o", 25, 7), TOLD),
    "Sentry": (span(attributes={
        **CHAT, "gen_ai.system": "openai", **COUNTS, "gen_ai.usage.input_tokens.cached": 20,
        "gen_ai.request.messages": json.dumps([{"role": "user", "content": QUESTION}]), "gen_ai.response.text": ANSWER}),
        ("openai", "gpt-4o", 25, 7), TOLD),
    "Amazon Bedrock": (span(attributes={
        "gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock",
        "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0", **COUNTS,
        "gen_ai.response.finish_reasons": ["end_turn"]}),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", 25, 7), HIDDEN),
    "a total and nothing else": (span(attributes={**CHAT, "gen_ai.usage.total_tokens": 32,
        "gen_ai.response.finish_reasons": ["stop"]}), ("openai", "gpt-4o", None, None), HIDDEN),
    "an operation by another name": (span(attributes={**CHAT, "gen_ai.operation.name": "chat.completions", **COUNTS}),
        ("openai", "gpt-4o", 25, 7), HIDDEN),
}  # fmt: skip


def read(*spans: dict[str, Any]) -> list[ReadSpan]:
    request = read_request(decode_json.read_spans(body(*spans)), time.time() + 1e9)
    assert request.rejected == []
    return list(request.spans.values())


def logs_of(*spans: dict[str, Any]) -> list[Log]:
    """Return the logs of spans that came together."""
    found = {each.node.key: each for each in read(*spans)}
    nodes = {key: each.node for key, each in found.items()}
    views = {key: each.view for key, each in found.items() if each.view is not None}
    return [
        merge_views(
            group.log_id,
            [views[key] for key in group.members],
            [views[key] for key in group.contexts if key in views],
        )
        for group in changed_groups(nodes, set(nodes), 0)
    ]


@pytest.mark.parametrize("emitter", CALLS)
def test_a_call_is_one_log(emitter):
    made, expected, texts = CALLS[emitter]
    (log,) = logs_of(made)
    counts = [
        getattr(log, field) if log.HasField(field) else None
        for field in ("input_token_count", "output_token_count")
    ]
    assert (log.provider, log.model, *counts) == expected
    assert (log.input_preview, log.output_preview) == texts
    assert Outcome.Name(log.outcome) == "OUTCOME_SUCCESS"
    assert log.total_token_count == (expected[2] or 0) + (expected[3] or 32)
    assert log.response_model in {"", log.model}
    assert log.provider_response_id == ""


STEPS = {
    "Genkit, a flow": {"genkit:type": "action", "genkit:metadata:subtype": "flow", "genkit:output": '{"usage": {"inputTokens": 2}}'},
    "Braintrust, a task": {"braintrust.span_attributes": '{"type": "task"}', "braintrust.metrics": '{"prompt_tokens": 9}'},
    "Dify, a chain": {"gen_ai.span.kind": "CHAIN", "gen_ai.request.model": "m", **COUNTS},
    "Mastra, a step": {"mastra.span.type": "model_step", "gen_ai.operation.name": "model_step", **COUNTS},
    "Spring AI, the client around the model": {"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai"},
    "Azure AI Agents": {"gen_ai.operation.name": "create_thread", "gen_ai.system": "az.ai.agents"},
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_what_is_no_call_is_none(step):
    assert logs_of(span(attributes=STEPS[step])) == []


def at(start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        "startTimeUnixNano": str(START_NS + start_ms * MILLISECOND),
        "endTimeUnixNano": str(START_NS + end_ms * MILLISECOND),
    }


def openinference(**attributes: Any) -> dict[str, Any]:
    return {"openinference.span.kind": "LLM", **attributes}


def test_a_loop_that_is_shown_as_a_call_gives_its_model_to_the_calls_inside():
    """Mastra by OpenInference: the sum of the loop, its steps, and chunks, all of the kind LLM."""
    loop = openinference(**{"llm.model_name": "gpt-4o", "llm.provider": "openai", "session.id": "s",
                            "llm.token_count.prompt": 90, "llm.token_count.completion": 14})  # fmt: skip
    steps = [
        openinference(**{"llm.token_count.prompt": count, "llm.token_count.completion": 7})
        for count in (40, 50)
    ]
    chunk = openinference(**{"output.value": "Fi", "mastra.span.type": "model_chunk"})
    logs = logs_of(
        span(4, 2, **at(1, 2), attributes=chunk),
        span(2, 1, **at(1, 40), attributes=steps[0]),
        span(5, 3, **at(50, 51), attributes=chunk),
        span(3, 1, **at(50, 90), attributes=steps[1]),
        span(1, **at(0, 99), attributes=loop),
    )
    told = sorted((log.model, log.provider, log.session_id, log.input_token_count) for log in logs)
    assert told == [("gpt-4o", "openai", "s", 40), ("gpt-4o", "openai", "s", 50)]


def test_googles_adk_and_its_client_show_one_call():
    outer = CALLS["Google ADK, call_llm"][0]
    inner = span(2, 1, **at(1, 90), name="generate_content gemini-2.5-flash", attributes={
        "gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.system": "gemini", "gen_ai.usage.input_tokens": 25, "gen_ai.usage.output_tokens": 10})  # fmt: skip
    (log,) = logs_of(inner, outer)
    assert (log.span_id, log.input_token_count, log.output_token_count) == (span_id(2), 25, 10)
    assert (log.session_id, log.input_preview) == ("s", QUESTION)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(100, 20, 120, cache_read=40, reasoning=5), (100, 20, 120)),  # all inclusive
        (Usage(100, 20, 160, cache_read=40, reasoning=5), (140, 20, 160)),  # cached tokens apart
        (Usage(100, 20, 125, cache_read=40, reasoning=5), (100, 25, 125)),  # reasoning apart
        (Usage(100, 20, 165, cache_read=40, reasoning=5), (140, 25, 165)),  # both apart
        (Usage(100, 20, None, cache_read=40, reasoning=5), (100, 20, 120)),  # nothing says so
        (Usage(100, 20, None, cache_read=40, reasoning=5, disjoint_input=True), (140, 20, 160)),
        (Usage(20, 20, None, cache_read=40), (60, 20, 80)),  # no more is cached than comes in
        (Usage(100, 20, None, reasoning=30), (100, 50, 150)),
    ],
)
def test_a_total_says_what_input_and_output_leave_out(usage, expected):
    counts = usage.normalized()
    assert (counts.input, counts.output, counts.total) == expected


def test_messages_that_amazon_moves_into_log_records_belong_to_their_span():
    record = LogRecord(
        "", "5b8efff798038103d269b633813fc60c", span_id(1), {"event.name": "strands.telemetry.tracer"},
        {"input": {"messages": [{"role": "user", "content": QUESTION}]},
         "output": {"messages": [{"role": "assistant", "content": ANSWER}]}},
    )  # fmt: skip
    told = [event.view for event in read_events([record]).values()]
    assert [(view.input_preview, view.output_preview) for view in told] == [(QUESTION, ""), ("", ANSWER)]
    other = record._replace(body={"input": "text"})
    assert read_events([other]) == {}
