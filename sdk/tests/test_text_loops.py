"""A stream whose texts are read by a loop of their own gives the same log as one read chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe import _taps, _text_loops
from llm_observe._call import Call
from llm_observe._compiled import text_loops
from llm_observe._log_builder import build_log
from llm_observe._providers import anthropic, gemini, openai
from llm_observe._providers.fields import to_json_objects
from llm_observe._stream_ends import StreamFinalizer
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


TEXT_OF = {
    "openai": "chat_text",
    "responses": "response_text",
    "anthropic": "message_text",
    "gemini": "candidate_text",
}
on_both_loops = pytest.mark.parametrize(
    "twin", [pytest.param(text_loops, id="compiled"), pytest.param(_text_loops, id="python")]
)


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


def begin_with(twin: ModuleType, dialect: str) -> tuple[Any, ...]:
    """Begin a call; return it and the arguments of a loop behind the stream."""
    reader, call = begin(dialect)
    assert call.text_of is not None
    call.text_of = getattr(twin, TEXT_OF[dialect])
    return call, (reader, call, StreamFinalizer(call), _taps._reading(reader, call, hide=False))


async def aread(twin: ModuleType, dialect: str, chunks: list[Any]) -> str:
    async def stream() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    call, arguments = begin_with(twin, dialect)
    assert [chunk async for chunk in twin.apass_texts(stream(), *arguments)] == chunks
    return log_of(call)


def read_texts(twin: ModuleType, dialect: str, chunks: list[Any]) -> str:
    call, arguments = begin_with(twin, dialect)
    assert list(twin.pass_texts(iter(chunks), *arguments)) == chunks
    return log_of(call)


@pytest.mark.usefixtures("swallowing")
@on_both_loops
@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
async def test_a_stream_gives_the_same_log_however_it_is_read(
    twin: ModuleType, dialect: str, data: st.DataObject
):
    """Chunks of every kind, in any order, before every end."""
    _, events = DIALECTS[dialect]
    middle = data.draw(st.lists(st.sampled_from(events["middle"]), max_size=12))
    end = data.draw(st.lists(st.sampled_from(events["end"]), max_size=2))
    chunks = [to_json_objects(chunk) for chunk in (*middle, *end)]
    expected = read_each(dialect, chunks)
    assert read_texts(twin, dialect, chunks) == expected
    assert await aread(twin, dialect, chunks) == expected


@pytest.mark.usefixtures("swallowing")
@pytest.mark.parametrize("choices", [5, {"odd": 1}, "text", [None], [[]]])
@pytest.mark.parametrize(
    "read", [read_each, partial(read_texts, text_loops), partial(read_texts, _text_loops)]
)
def test_odd_choices_hide_no_usage(read, choices):
    odd = {"choices": choices, "usage": USAGE}
    assert "input_token_count: 7" in read("openai", [to_json_objects(odd)])


class Plain:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Found(Plain):
    """What is no attribute is found by __getattr__(), as in pydantic's models."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(known=fields)

    def __getattr__(self, name: str) -> Any:
        return self.known[name] if name != "known" else None


class Replaced(Plain):
    """Attributes are not what they seem."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return "replaced" if isinstance(value, str) else value


class Computed:
    content = property(lambda self: "computed")


class Failing(Plain):
    """Neither has a setter, so that what is in the instance's dictionary does not count."""

    content = text = property(lambda self: self.missing)


def outcome_of(function: Any, chunk: Any) -> object:
    try:
        return function(chunk)
    except Exception as error:  # noqa: BLE001 - whatever it is, both raise it
        return type(error)


MAKERS = [Plain, Found, Replaced, Failing, SimpleNamespace, partial(Mock, spec=["x"])]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "shape",
    [
        ("chat_text", lambda make: make(choices=[Plain(delta=make(content="word"))])),
        ("chat_text", lambda make: Plain(choices=[Plain(delta=Computed())])),
        ("chat_text", lambda make: Plain(choices=[])),
        ("response_text", lambda make: make(type="response.output_text.delta", delta="word")),
        ("message_text", lambda make: Plain(
            type="content_block_delta", delta=make(type="text_delta", text="w"))),
        ("message_text", lambda make: make(type="content_block_delta")),
        ("candidate_text", lambda make: Plain(
            candidates=[Plain(content=Plain(parts=[make(thought=False, text="word")]))])),
        ("candidate_text", lambda make: Plain(candidates=[Plain(content=Plain(parts=()))])),
    ],
)  # fmt: skip
def test_compiled_code_reads_attributes_as_getattr_does(make, shape):
    name, build = shape
    chunk = build(make)
    assert outcome_of(getattr(text_loops, name), chunk) == outcome_of(getattr(_text_loops, name), chunk)
