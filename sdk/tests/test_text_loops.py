"""A stream whose texts are read by a loop of their own gives the same log as one read chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe import _taps
from llm_observe._call import Call
from llm_observe._log_builder import build_log
from llm_observe._providers import anthropic, gemini, openai
from llm_observe._providers.fields import to_json_objects
from llm_observe.redaction import Redactor


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "model": "m-1", "id": "c1"}


USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
TOOL = [{"index": 0, "function": {"name": "look", "arguments": "{}"}}]
OPENAI = {
    "request": ("/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    "middle": [
        choice(role="assistant", content=""),
        choice(content="word "),
        choice(content="x" * 900),
        choice(content=["a", "list "]),
        choice(content=5),
        choice(refusal="no "),
        choice(tool_calls=TOOL),
        {"choices": [], "model": "m-1"},
        {"choices": None},
        {"choices": [{"delta": None, "index": 0}]},
        {},
    ],
    "end": [
        choice("stop"),
        choice("stop", content="end"),
        {**choice("length", content="end"), "usage": USAGE},
        {"choices": [], "usage": USAGE},
        {"choices": [], "error": {"code": "overloaded", "message": "later"}},
    ],
}
RESPONSES = {
    "request": ("/responses", {"model": "m", "input": "hi"}),
    "middle": [
        {"type": "response.created", "response": {"id": "r1", "model": "m-1"}},
        {"type": "response.output_text.delta", "delta": "word "},
        {"type": "response.output_text.delta", "delta": "x" * 900},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.delta", "delta": {"odd": 1}},
        {"type": "response.refusal.delta", "delta": "no "},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.audio.delta", "delta": "UklGRg=="},
        {},
    ],
    "end": [
        {
            "type": "response.completed",
            "response": {"status": "completed", "usage": {"input_tokens": 7, "output_tokens": 5}},
        },
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}},
        {"type": "error", "code": "overloaded", "message": "later"},
    ],
}


def block(**delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


ANTHROPIC = {
    "request": ("/v1/messages", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    "middle": [
        {"type": "message_start", "message": {"id": "a1", "model": "m-1", "usage": {"input_tokens": 7}}},
        {"type": "ping"},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "look"}},
        block(type="text_delta", text="word "),
        block(type="text_delta", text="x" * 900),
        block(type="text_delta", text=["a", "list "]),
        block(type="text_delta", text=""),
        block(type="thinking_delta", thinking="hm", text="hidden"),
        block(type="input_json_delta", partial_json="{}"),
        {"type": "content_block_delta"},
        {"type": "content_block_stop"},
        {},
    ],
    "end": [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "later"}},
    ],
}


def candidate(*parts: Any, **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **fields}], "model_version": "m-1"}


COUNTS = {"prompt_token_count": 7, "candidates_token_count": 5, "total_token_count": 12}
GEMINI = {
    "request": ("", {"model": "m", "contents": "hi"}),
    "middle": [
        candidate({"text": "word "}),
        candidate({"text": "x" * 900}),
        candidate({"text": "hm", "thought": True}),
        candidate({"text": "two "}, {"text": "parts "}),
        candidate({"function_call": {"name": "look", "args": {"city": "Oslo"}}}),
        candidate({"text": ["a", "list "]}),
        candidate(),
        {"candidates": None, "usage_metadata": COUNTS},
        {"candidates": [{"content": None}]},
        {},
    ],
    "end": [
        candidate({"text": "end"}, finish_reason="STOP") | {"usage_metadata": COUNTS},
        candidate(finish_reason="MAX_TOKENS"),
        {"prompt_feedback": {"block_reason": "SAFETY"}},
    ],
}
DIALECTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "openai": (openai, OPENAI),
    "responses": (openai, RESPONSES),
    "anthropic": (anthropic, ANTHROPIC),
    "gemini": (gemini, GEMINI),
}


def begin(dialect: str) -> tuple[Any, Call]:
    reader, events = DIALECTS[dialect]
    url, body = events["request"]
    if dialect == "gemini":
        return reader, gemini.describe("chat", body, stream=True, sink=lambda _: None)
    options = SimpleNamespace(url=url, method="post", json_data=body)
    call: Call = reader.describe(options, stream=True, sink=lambda _: None)
    return reader, call


def log_of(call: Call) -> str:
    log = build_log(call, Redactor(), environment="", release="", capture_content=True)
    for name in ("log_id", "start_time", "end_time", "latency", "time_to_first_token", "first_token_time"):
        log.ClearField(name)
    return f"{call.ttft_ns is not None} {log}"


def read_each(dialect: str, chunks: list[Any]) -> str:
    reader, call = begin(dialect)
    call.text_of = None
    list(_taps.tap(iter(chunks), reader, call))
    return log_of(call)


async def aread(dialect: str, chunks: list[Any]) -> str:
    async def stream() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    reader, call = begin(dialect)
    assert call.text_of is not None
    assert [chunk async for chunk in _taps.atap(stream(), reader, call)] == chunks
    return log_of(call)


def read_texts(dialect: str, chunks: list[Any]) -> str:
    reader, call = begin(dialect)
    passed: Iterator[Any] = _taps.tap(iter(chunks), reader, call)
    assert list(passed) == chunks
    return log_of(call)


@pytest.mark.usefixtures("swallowing")
@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
async def test_a_stream_gives_the_same_log_however_it_is_read(dialect: str, data: st.DataObject):
    """Chunks of every kind, in any order, before every end."""
    _, events = DIALECTS[dialect]
    middle = data.draw(st.lists(st.sampled_from(events["middle"]), max_size=12))
    end = data.draw(st.lists(st.sampled_from(events["end"]), max_size=2))
    chunks = [to_json_objects(chunk) for chunk in (*middle, *end)]
    expected = read_each(dialect, chunks)
    assert read_texts(dialect, chunks) == expected
    assert await aread(dialect, chunks) == expected


@pytest.mark.usefixtures("swallowing")
@pytest.mark.parametrize("choices", [5, {"odd": 1}, "text", [None], [[]]])
@pytest.mark.parametrize("read", [read_each, read_texts])
def test_odd_choices_hide_no_usage(read, choices):
    odd = {"choices": choices, "usage": USAGE}
    assert "input_token_count: 7" in read("openai", [to_json_objects(odd)])
