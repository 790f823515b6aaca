"""The wrapped OpenAI client behaves the same for the application; test_endings.py tests how calls end."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, MagicMock, create_autospec

import httpx2
import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import (
    OUTCOME_CANCELLED,
    OUTCOME_SUCCESS,
    USAGE_SOURCE_MISSING,
    USAGE_SOURCE_REPORTED,
)
from openai_wire import (
    CHUNKS,
    COMPLETION,
    QUESTION,
    chunk,
    create,
    make_async_client,
    make_client,
    sse,
)


def assert_success(log, *, streamed: bool):
    assert log.outcome == OUTCOME_SUCCESS
    assert (log.provider, log.operation, log.model) == ("openai", "chat", "gpt-4o-mini")
    assert log.response_model == "gpt-4o-mini-2024"
    assert (log.input_preview, log.output_preview) == ("what is up?", "all is well")
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (11, 5, 16)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (4, 2)
    assert log.usage_source == USAGE_SOURCE_REPORTED
    assert log.finish_reason == "stop"
    assert log.streamed == streamed
    assert log.HasField("time_to_first_token") == streamed
    assert log.latency.ToNanoseconds() > 0


def test_a_plain_call_is_recorded(recorder):
    client, _ = make_client(COMPLETION)
    answer = create(client)
    assert type(answer) is openai.types.chat.ChatCompletion
    assert_success(recorder.only, streamed=False)
    assert recorder.only.provider_request_id == "req_1"


def test_a_stream_read_to_the_end_is_recorded(recorder):
    client, wire = make_client(CHUNKS)
    answer = create(client, stream=True)
    assert isinstance(answer, openai.Stream)
    seen = list(answer)
    assert_success(recorder.only, streamed=True)
    assert [chunk.choices[0].delta.content for chunk in seen] == ["", "all ", "is ", "well", None]
    assert wire.bodies[0]["stream_options"] == {"include_usage": True}


async def test_an_async_stream_read_to_the_end_is_recorded(recorder):
    client, _ = make_async_client(CHUNKS)
    answer = await create(client, stream=True)
    assert isinstance(answer, openai.AsyncStream)
    seen = [chunk async for chunk in answer]
    assert len(seen) == 5
    assert_success(recorder.only, streamed=True)


def test_an_application_that_requests_usage_receives_it(recorder):
    client, _ = make_client(CHUNKS)
    seen = list(create(client, stream=True, stream_options={"include_usage": True}))
    assert seen[-1].usage.total_tokens == 16
    assert_success(recorder.only, streamed=True)


def test_usage_not_requested_is_missing_not_zero(recorder):
    recorder.config = recorder.config._replace(request_stream_usage=False)
    client, wire = make_client(CHUNKS)
    list(create(client, stream=True))
    assert "stream_options" not in wire.bodies[0]
    assert recorder.only.usage_source == USAGE_SOURCE_MISSING
    assert not recorder.only.HasField("total_token_count")


def test_the_callers_arguments_are_not_changed(recorder):
    client, _ = make_client(CHUNKS)
    options = {"stream": True, "extra_body": {"seed": 1}}
    list(create(client, **options))
    assert options == {"stream": True, "extra_body": {"seed": 1}}


@pytest.mark.parametrize("way", ["close", "with", "break and drop", "never read"])
def test_a_stream_left_early_is_cancelled_once(recorder, way):
    client, _ = make_client(CHUNKS)
    answer = create(client, stream=True)
    if way == "close":
        next(answer), next(answer)
        answer.close()
    elif way == "with":
        with answer:
            next(answer), next(answer)
    elif way == "break and drop":
        for chunk in answer:
            if chunk.choices[0].delta.content:
                break
    del answer
    gc.collect()
    log = recorder.only
    assert log.outcome == OUTCOME_CANCELLED
    assert log.output_preview == ("" if way == "never read" else "all ")


def test_tool_calls_are_in_the_preview(recorder):
    tool = {
        "index": 0,
        "id": "t",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"c":1}'},
    }
    client, _ = make_client([chunk(tool_calls=[tool]), chunk(finish="tool_calls")])
    list(create(client, stream=True))
    assert recorder.only.output_preview == '[tool call] weather {"c":1}'
    assert recorder.only.finish_reason == "tool_calls"


def test_images_stay_out_of_previews(recorder):
    client, _ = make_client(COMPLETION)
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "what is this?"},
    ]
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": parts}])
    assert recorder.only.input_preview == "what is this?"


def test_wrapping_twice_records_each_call_once_and_copies_are_wrapped(recorder):
    client, _ = make_client(COMPLETION)
    llm_observe.wrap(client)
    create(client.with_options(timeout=5))
    create(client.copy())
    assert len(recorder.calls) == 2


def test_an_unwrapped_client_is_not_recorded(recorder):
    client, _ = make_client(COMPLETION)
    create(llm_observe.unwrap(client))
    assert recorder.calls == []


def test_other_endpoints_pass_through_unlogged(recorder):
    client, _ = make_client(lambda request: httpx2.Response(200, json={"object": "list", "data": []}))
    client.post("/other", cast_to=object, body={"a": 1})
    assert recorder.calls == []


def test_session_user_tags_and_metadata_are_attached(recorder):
    client, _ = make_client(COMPLETION)
    with (
        llm_observe.session("s1", user_id="u1", tags=["outer"], metadata={"a": "1"}),
        llm_observe.session(tags=["inner"], conversation_id="c1", metadata={"b": "2"}),
    ):
        create(client)
    log = recorder.only
    assert (log.session_id, log.user_id, log.conversation_id) == ("s1", "u1", "c1")
    assert list(log.tags) == ["outer", "inner"]
    assert dict(log.metadata) == {"a": "1", "b": "2"}


class Proxy:
    """Passes for a client of OpenAI."""

    def __init__(self, target: Any) -> None:
        self.target = target

    @property  # type: ignore[misc] # as proxies do
    def __class__(self) -> Any:
        return type(self.target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


UNKNOWN: dict[str, Callable[[], Any]] = {
    "object": object,
    "nothing": lambda: None,
    "a mock": MagicMock,
    "a mock of the class": lambda: MagicMock(spec=openai.OpenAI),
    "a mock of a client": lambda: MagicMock(spec=openai.OpenAI(api_key="k")),
    "an asynchronous mock": lambda: AsyncMock(spec=openai.AsyncOpenAI),
    "a specified mock": lambda: create_autospec(openai.OpenAI, instance=True),
    "a class": lambda: openai.OpenAI,
    "a module": lambda: openai,
    "a part of a client": lambda: openai.OpenAI(api_key="k").chat,
    "an HTTP client": httpx2.Client,
    "a proxy": lambda: Proxy(openai.OpenAI(api_key="k")),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_no_client_is_refused(what):
    unknown = UNKNOWN[what]()
    with pytest.raises(TypeError, match=f"does not support clients of type {type(unknown).__name__}"):
        llm_observe.wrap(unknown)
    assert llm_observe.unwrap(unknown) is unknown


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4o-mini-2024",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "all is well", "annotations": []}],
        }
    ],
    "usage": {
        "input_tokens": 11,
        "output_tokens": 5,
        "total_tokens": 16,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    },
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def assert_response(log, *, streamed: bool):
    assert log.outcome == OUTCOME_SUCCESS
    assert (log.input_preview, log.output_preview) == ("what is up?", "all is well")
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (11, 5, 16)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (4, 2)
    assert log.finish_reason == "completed"
    assert log.HasField("time_to_first_token") == streamed


def test_responses_are_recorded(recorder):
    client, _ = make_client(RESPONSE)
    client.responses.create(model="gpt-4o-mini", input="what is up?")
    assert_response(recorder.only, streamed=False)


def test_streamed_responses_are_recorded(recorder):
    deltas = [
        {
            "type": "response.output_text.delta",
            "delta": text,
            "content_index": 0,
            "item_id": "m",
            "output_index": 0,
            "sequence_number": number,
            "logprobs": [],
        }
        for number, text in enumerate(("all ", "is ", "well"))
    ]
    last = {"type": "response.completed", "sequence_number": 9, "response": RESPONSE}
    client, wire = make_client(lambda request: sse([*deltas, last]))
    events = list(client.responses.create(model="gpt-4o-mini", input="what is up?", stream=True))
    assert len(events) == 4
    assert "stream_options" not in wire.bodies[0]
    assert_response(recorder.only, streamed=True)


def test_embeddings_are_recorded(recorder):
    answer = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    client, _ = make_client(answer)
    client.embeddings.create(model="text-embedding-3-small", input=["what is up?"])
    log = recorder.only
    assert (log.operation, log.input_token_count, log.total_token_count) == ("embeddings", 3, 3)
    assert not log.HasField("output_token_count")
    assert (log.input_preview, log.output_preview) == ("what is up?", "")


def test_legacy_completions_are_recorded(recorder):
    answer = {
        "id": "c1",
        "object": "text_completion",
        "created": 1,
        "model": "gpt-3.5-turbo-instruct",
        "choices": [{"index": 0, "text": "all is well", "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
    client, _ = make_client(answer)
    client.completions.create(model="gpt-3.5-turbo-instruct", prompt="what is up?")
    log = recorder.only
    assert (log.operation, log.output_preview, log.total_token_count) == ("text_completion", "all is well", 7)


def test_the_chat_stream_helper_is_recorded(recorder):
    client, _ = make_client(CHUNKS)
    with client.chat.completions.stream(model="gpt-4o-mini", messages=QUESTION) as answer:
        for _ in answer:
            pass
    assert_success(recorder.only, streamed=True)


def test_raw_responses_are_recorded_and_parse_once(recorder):
    client, _ = make_client(COMPLETION)
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=QUESTION)
    assert raw.parse().choices[0].message.content == "all is well"
    assert_success(recorder.only, streamed=False)


def test_raw_streams_are_recorded(recorder):
    client, _ = make_client(CHUNKS)
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True
    )
    assert len(list(raw.parse())) == 5
    # The application may pass the bytes on, so usage was not requested.
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_SUCCESS, "all is well")
    assert recorder.only.HasField("time_to_first_token")
    assert recorder.only.usage_source == USAGE_SOURCE_MISSING


def test_streaming_responses_are_recorded(recorder):
    client, _ = make_client(COMPLETION)
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o-mini", messages=QUESTION
    ) as raw:
        assert raw.parse().choices[0].message.content == "all is well"
    assert_success(recorder.only, streamed=False)
