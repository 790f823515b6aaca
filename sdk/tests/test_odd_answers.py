"""Any request and answer give one log, and the application sees the same as without the SDK."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from google import genai
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS
from odd import assert_acceptable, mutated, recording
from openai_wire import CHUNKS, COMPLETION, QUESTION, USAGE, chunk
from vendor_wire import ANTHROPIC_EVENTS, ANTHROPIC_MESSAGE, GEMINI_EVENTS, gemini_chunk

property_test = settings(derandomize=True, deadline=None, max_examples=40)


class Answer(NamedTuple):
    """A kind of request to a vendor, and its answer."""

    ask: Callable[[Any], Any]
    body: Any
    status: int = 200


def response(**members: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": "all is well", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    tool = {"type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"}
    usage = {
        "input_tokens": 11,
        "output_tokens": 5,
        "total_tokens": 16,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    return {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m-1",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "error": None,
        "output": [message, tool],
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **members,
    }


TOOL = {"index": 0, "id": "t", "type": "function", "function": {"name": "now", "arguments": "{}"}}
FAILURE = {"error": {"message": "no", "type": "t", "code": "c", "status": "NO"}}
COMPLETIONS = "/completions"


def openai_chat(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="m", messages=QUESTION, **options)


def openai_stream(client: Any) -> Any:
    return list(openai_chat(client, stream=True, stream_options={"include_usage": True}))


def anthropic_chat(client: Any, **options: Any) -> Any:
    messages = [{"role": "user", "content": "what is up?"}]
    return client.messages.create(model="c", max_tokens=5, messages=messages, **options)


def gemini_chat(client: Any) -> Any:
    return client.models.generate_content(model="g", contents="what is up?")


def with_tool_call(answer: dict[str, Any]) -> dict[str, Any]:
    """Add a tool call to a Gemini answer, and return it."""
    call = {"functionCall": {"name": "now", "args": {"a": 1}}}
    answer["candidates"][0]["content"]["parts"].append(call)
    return answer


EMBEDDINGS = {
    "object": "list",
    "model": "e",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
TEXT = {
    **COMPLETION,
    "object": "text_completion",
    "choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}],
}
MESSAGE = {"role": "assistant", "content": "hi", "refusal": None, "tool_calls": [TOOL]}
EVENTS = [
    {"type": "response.created", "sequence_number": 0, "response": response(status="in_progress", output=[])},
    {
        "type": "response.output_text.delta",
        "sequence_number": 1,
        "item_id": "m",
        "output_index": 0,
        "delta": "hi",
    },
    {"type": "response.completed", "sequence_number": 2, "response": response(status="completed")},
]
TOOL_USE = [
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "now", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
]

ANSWERS: dict[str, dict[str, Answer]] = {
    "openai": {
        "chat": Answer(
            openai_chat,
            {**COMPLETION, "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}]},
        ),
        "chat stream": Answer(openai_stream, [*CHUNKS, chunk(tool_calls=[TOOL]), chunk(usage=USAGE)]),
        "several": Answer(lambda client: list(openai_chat(client, stream=True, n=2)), CHUNKS),
        "responses": Answer(lambda client: client.responses.create(model="m", input="hi"), response()),
        "responses stream": Answer(
            lambda client: list(client.responses.create(model="m", input="hi", stream=True)), EVENTS
        ),
        "embeddings": Answer(
            lambda client: client.embeddings.create(model="e", input="hi", encoding_format="float"),
            EMBEDDINGS,
        ),
        "completions": Answer(lambda client: client.completions.create(model="m", prompt="hi"), TEXT),
        "failure": Answer(openai_chat, FAILURE, status=400),
    },
    "anthropic": {
        "messages": Answer(
            anthropic_chat,
            {**ANTHROPIC_MESSAGE, "content": [{"type": "text", "text": "hi"}, TOOL_USE[0]["content_block"]]},
        ),
        "messages stream": Answer(
            lambda client: list(anthropic_chat(client, stream=True)),
            [*ANTHROPIC_EVENTS[:5], *TOOL_USE, *ANTHROPIC_EVENTS[5:]],
        ),
        "failure": Answer(anthropic_chat, FAILURE, status=400),
    },
    "gemini": {
        "content": Answer(gemini_chat, with_tool_call(gemini_chunk("all is well", last=True))),
        "content stream": Answer(
            lambda client: list(client.models.generate_content_stream(model="g", contents="hi")),
            [GEMINI_EVENTS[0], with_tool_call(gemini_chunk("is ")), *GEMINI_EVENTS[1:]],
        ),
        "embeddings": Answer(
            lambda client: client.models.embed_content(model="e", contents="hi"),
            {"embeddings": [{"values": [0.5], "statistics": {"tokenCount": 3}}]},
        ),
        "failure": Answer(gemini_chat, FAILURE, status=400),
    },
}


WAYS = [(vendor, way) for vendor, ways in ANSWERS.items() for way in ways]


def response_of(answer: Answer, body: Any) -> httpx2.Response:
    """Return a response with a JSON body, or with a list of events as a stream."""
    kind, content = "application/json", json.dumps(body).encode()
    if isinstance(answer.body, list):
        names = [event.get("type", "") for event in answer.body]
        lines = [
            f"event: {name}\n" * bool(name) + f"data: {json.dumps(event)}\n\n"
            for name, event in zip(names, body, strict=False)
        ]
        kind, content = "text/event-stream", "".join(lines).encode()
    return httpx2.Response(answer.status, headers={"content-type": kind}, content=content)


class Clients(NamedTuple):
    """An unwrapped and a wrapped client; both get the last of ``answers``."""

    plain: Any
    wrapped: Any
    answers: list[Callable[[], httpx2.Response]]


@functools.cache
def clients_of(vendor: str) -> Clients:
    answers: list[Callable[[], httpx2.Response]] = []
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: answers[-1]()))
    if vendor == "gemini":
        plain, wrapped = (
            genai.Client(api_key="k", http_options=types.HttpOptions(httpx_client=http)) for _ in range(2)
        )
    else:
        kind: Any = openai.OpenAI if vendor == "openai" else anthropic.Anthropic
        plain, wrapped = (kind(api_key="k", max_retries=0, http_client=http) for _ in range(2))
    return Clients(plain, llm_observe.wrap(wrapped), answers)


def outcome(ask: Callable[[Any], Any], client: Any) -> Any:
    """Return what the application sees: an answer's type, a stream's length, or an error's type."""
    try:
        answer = ask(client)
    except Exception as error:  # noqa: BLE001 - the vendor's own error
        return type(error)
    return len(answer) if isinstance(answer, list) else type(answer)


@pytest.mark.parametrize(("vendor", "way"), WAYS)
@given(data=st.data())
@property_test
def test_an_answer_with_any_json_in_any_place_gives_one_log(vendor: str, way: str, data: st.DataObject):
    answer, clients = ANSWERS[vendor][way], clients_of(vendor)
    body = data.draw(mutated(answer.body))
    clients.answers.append(lambda: response_of(answer, body))
    plain = outcome(answer.ask, clients.plain)
    with recording(swallow=True) as recorder:
        assert outcome(answer.ask, clients.wrapped) == plain
    assert_acceptable(recorder.only)


@pytest.mark.parametrize(("vendor", "way"), WAYS)
def test_valid_answers_are_read_without_an_internal_error(vendor, way):
    answer, clients = ANSWERS[vendor][way], clients_of(vendor)
    clients.answers.append(lambda: response_of(answer, answer.body))
    with recording() as recorder:
        outcome(answer.ask, clients.wrapped)
    assert_acceptable(recorder.only)
    assert recorder.only.outcome == (OUTCOME_SUCCESS if answer.status == 200 else OUTCOME_ERROR)


@given(data=st.data())
@property_test
def test_a_request_with_any_json_gives_one_log(data: st.DataObject):
    """The vendor's client refuses some of these requests before it sends them."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    request = data.draw(mutated({"model": "m", "n": 1, "messages": messages}))
    answer, clients = ANSWERS["openai"]["chat"], clients_of("openai")
    sent: list[Any] = []

    def respond() -> httpx2.Response:
        sent.append(request)
        return response_of(answer, answer.body)

    clients.answers.append(respond)

    def ask(client: Any) -> Any:
        return client.chat.completions.create(**{"model": None, "messages": None, **request})

    plain, was_sent = outcome(ask, clients.plain), len(sent)
    with recording(swallow=True) as recorder:
        assert outcome(ask, clients.wrapped) == plain
    assert was_sent <= len(recorder.calls) <= 1
    for log in recorder.logs:
        assert_acceptable(log)
