"""Recording of unusual answers: refusals, several choices, none, any script, tools, images, failures."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import (
    OUTCOME_CANCELLED,
    OUTCOME_ERROR,
    OUTCOME_SUCCESS,
    USAGE_SOURCE_MISSING,
    USAGE_SOURCE_REPORTED,
)
from openai_wire import (
    CHUNKS,
    COMPLETION,
    QUESTION,
    chunk,
    completion,
    create,
    make_async_client,
    make_client,
    sse,
)
from pydantic import BaseModel
from vendor_wire import (
    ANTHROPIC_EVENTS,
    ANTHROPIC_MESSAGE,
    Anthropic,
    Gemini,
    OpenAI,
    gemini_chunk,
)

GREEK = "τι κάνεις; 🙂 你好"


def test_a_refusal_is_recorded_as_the_output(recorder):
    client, _ = make_client(completion({"refusal": "I cannot help with that."}))
    create(client)
    client, _ = make_client([chunk(refusal="I cannot "), chunk(refusal="help."), chunk(finish="stop")])
    list(create(client, stream=True))
    plain, streamed = recorder.logs
    assert (plain.output_preview, plain.outcome) == ("I cannot help with that.", OUTCOME_SUCCESS)
    assert streamed.output_preview == "I cannot help."
    assert streamed.HasField("time_to_first_token")


def test_only_the_first_choice_is_recorded(recorder):
    client, _ = make_client(completion({"content": "one"}, {"content": "two"}))
    assert len(create(client, n=2).choices) == 2
    second = chunk("two ")
    second["choices"][0]["index"] = 1
    client, _ = make_client([chunk("one "), second, chunk("more"), chunk(finish="stop")])
    list(create(client, stream=True, n=2))
    assert [log.output_preview for log in recorder.logs] == ["one", "one more"]


def test_an_answer_without_text_is_a_success_without_a_first_token(recorder):
    client, _ = make_client([chunk(None, finish="stop")])
    list(create(client, stream=True))
    assert recorder.only.outcome == OUTCOME_SUCCESS
    assert not recorder.only.HasField("time_to_first_token")
    assert recorder.only.output_preview == ""


def test_text_of_any_script_is_kept(recorder):
    client, _ = make_client(completion({"content": GREEK}))
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": GREEK}])
    client, _ = make_client([chunk(character) for character in GREEK])
    create(client, stream=True).close()
    anthropic_client = Anthropic()
    anthropic_client.wire.whole = {**ANTHROPIC_MESSAGE, "content": [{"type": "text", "text": GREEK}]}
    anthropic_client.ask(anthropic_client.client)
    gemini_client = Gemini()
    gemini_client.wire.whole = gemini_chunk(GREEK, last=True)
    gemini_client.ask(gemini_client.client)
    assert [log.output_preview for log in recorder.logs] == [GREEK, "", GREEK, GREEK]
    assert recorder.logs[0].input_preview == GREEK


def test_structured_output_is_parsed_and_recorded(recorder):
    class Weather(BaseModel):
        degrees: int

    client, _ = make_client(completion({"content": '{"degrees": 21}'}))
    parsed = client.chat.completions.parse(model="gpt-4o-mini", messages=QUESTION, response_format=Weather)
    assert parsed.choices[0].message.parsed == Weather(degrees=21)
    assert recorder.only.output_preview == '{"degrees": 21}'


def test_anthropics_refusal_and_tool_call_are_recorded(recorder):
    vendor = Anthropic()
    tool = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Rome"}}
    vendor.wire.whole = {**ANTHROPIC_MESSAGE, "content": [tool], "stop_reason": "tool_use"}
    vendor.ask(vendor.client)
    vendor.wire.whole = {**ANTHROPIC_MESSAGE, "content": [], "stop_reason": "refusal"}
    vendor.ask(vendor.client)
    called, refused = recorder.logs
    assert called.output_preview == '[tool call] weather {"city": "Rome"}'
    assert (refused.finish_reason, refused.output_preview) == ("refusal", "")


def test_anthropics_streamed_tool_call_is_recorded(recorder):
    vendor = Anthropic()
    block = {"type": "tool_use", "id": "t", "name": "weather", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"city": "Rome"}'}
    vendor.wire.events = [
        ANTHROPIC_EVENTS[0],
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        *ANTHROPIC_EVENTS[-3:],
    ]
    list(vendor.stream())
    assert recorder.only.output_preview == '[tool call] weather {"city": "Rome"}'
    assert recorder.only.HasField("time_to_first_token")


def test_geminis_tool_call_and_blocked_prompt_are_recorded(recorder):
    vendor = Gemini()
    called = gemini_chunk("", last=True)
    called["candidates"][0]["content"]["parts"] = [{"functionCall": {"name": "weather", "args": {"c": 1}}}]
    vendor.wire.whole = called
    vendor.ask(vendor.client)
    vendor.wire.whole = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "gemini-test-1"}
    vendor.ask(vendor.client)
    tool, blocked = recorder.logs
    assert tool.output_preview == '[tool call] weather {"c": 1}'
    assert (blocked.finish_reason, blocked.outcome) == ("SAFETY", OUTCOME_SUCCESS)
    assert blocked.usage_source == USAGE_SOURCE_MISSING


@pytest.mark.parametrize("make", [Anthropic, Gemini])
def test_images_stay_out_of_previews(recorder, make):
    vendor = make()
    if make is Anthropic:
        source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
        content = [{"type": "image", "source": source}, {"type": "text", "text": "what is this?"}]
        messages = [{"role": "user", "content": content}]
        vendor.client.messages.create(model="m", max_tokens=5, messages=messages)
    else:
        image = {"inline_data": {"mime_type": "image/png", "data": b"AAAA"}}
        parts = [image, {"text": "what is this?"}]
        vendor.client.models.generate_content(model="m", contents=[{"role": "user", "parts": parts}])
    assert recorder.only.input_preview == "what is this?"


def test_a_response_with_status_failed_is_an_error(recorder):
    answer = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "failed",
        "error": {"code": "server_error", "message": "we broke, tell bob@example.com"},
        "output": [],
        "usage": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    client, _ = make_client(answer)
    client.responses.create(model="m", input="hi")
    last = {"type": "response.failed", "sequence_number": 1, "response": answer}
    client, _ = make_client(lambda request: sse([last]))
    list(client.responses.create(model="m", input="hi", stream=True))
    for log in recorder.logs:
        assert (log.outcome, log.error_code) == (OUTCOME_ERROR, "server_error")
        assert "[EMAIL]" in log.error_message


def test_a_cancelled_stream_keeps_the_usage_reported_so_far(recorder):
    vendor = Anthropic()
    stream = vendor.stream()
    for _ in range(3):
        next(stream)
    stream.close()
    assert recorder.only.outcome == OUTCOME_CANCELLED
    assert (recorder.only.input_token_count, recorder.only.usage_source) == (11, USAGE_SOURCE_REPORTED)
    assert recorder.only.output_preview == "all "


def test_azures_client_is_recorded(recorder):
    client, wire = make_client(CHUNKS, kind=openai.AzureOpenAI)
    list(create(client, stream=True))
    create(client, stream=True).close()
    assert "stream_options" in wire.bodies[0]
    assert [log.outcome for log in recorder.logs] == [OUTCOME_SUCCESS, OUTCOME_CANCELLED]
    assert recorder.logs[0].total_token_count == 16


def test_wrapping_only_the_async_side_leaves_geminis_sync_side_unrecorded(recorder):
    vendor = Gemini()
    llm_observe.unwrap(vendor.client)
    llm_observe.wrap(vendor.client.aio)
    vendor.ask(vendor.client)
    assert recorder.calls == []


def test_the_responses_stream_helper_and_parse_are_recorded(recorder):
    class Weather(BaseModel):
        degrees: int

    text = '{"degrees": 21}'
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    head: dict[str, Any] = {"id": "r", "object": "response", "created_at": 1, "model": "m-1", "tools": []}
    begun = {
        **head,
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
    }
    done = {**begun, "status": "completed", "output": [message]}
    at: dict[str, Any] = {"output_index": 0, "item_id": "m", "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**message, "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.completed", "response": done},
    ]
    numbered = [dict(event, sequence_number=number) for number, event in enumerate(events)]
    client, _ = make_client(lambda request: sse(numbered))
    with client.responses.stream(model="m", input="hi", text_format=Weather) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == Weather(degrees=21)
    client, _ = make_client(done)
    parsed = client.responses.parse(model="m", input="hi", text_format=Weather)
    assert parsed.output_parsed == Weather(degrees=21)
    for log in recorder.logs:
        assert (log.outcome, log.output_preview, log.input_preview) == (OUTCOME_SUCCESS, text, "hi")
    assert recorder.logs[0].HasField("time_to_first_token")


async def test_async_raw_and_streaming_responses_are_recorded(recorder):
    client, _ = make_async_client(CHUNKS)
    raw = await client.chat.completions.with_raw_response.create(model="m", messages=QUESTION, stream=True)
    assert len([chunk async for chunk in raw.parse()]) == 5
    client, _ = make_async_client(COMPLETION)
    async with client.chat.completions.with_streaming_response.create(
        model="m", messages=QUESTION
    ) as streamed:
        assert (await streamed.parse()).choices[0].message.content == "all is well"
    raw = await client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
    assert raw.parse().choices[0].message.content == "all is well"
    client, _ = make_async_client(CHUNKS)
    async with client.chat.completions.stream(model="m", messages=QUESTION) as helper:
        assert (await helper.get_final_completion()).choices[0].message.content == "all is well"
    assert [log.output_preview for log in recorder.logs] == ["all is well"] * 4


async def test_anthropics_async_helper_and_parse_are_recorded(recorder):
    vendor = Anthropic()
    messages: list[Any] = [{"role": "user", "content": "what is up?"}]
    async with vendor.aclient().messages.stream(model="m", max_tokens=5, messages=messages) as answer:
        assert await answer.get_final_text() == "all is well"
    assert recorder.only.output_preview == "all is well"
    with vendor.client.messages.with_streaming_response.create(
        model="m", max_tokens=5, messages=messages
    ) as raw:
        assert raw.parse().to_dict()["content"] == [{"type": "text", "text": "all is well"}]
    assert len(recorder.calls) == 2


class Weather(BaseModel):
    degrees: int


WEATHER = '{"degrees": 21}'
ASKED: Final = {"model": "m", "messages": QUESTION}
PARSERS: Final[dict[str, tuple[Any, Any, dict[str, Any]]]] = {
    "chat.completions.parse": (
        OpenAI,
        completion({"content": WEATHER}),
        {**ASKED, "response_format": Weather},
    ),
    "embeddings.create": (
        OpenAI,
        {
            "object": "list",
            "model": "m",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        },
        {"model": "m", "input": WEATHER},
    ),
    **dict.fromkeys(
        ("messages.parse", "beta.messages.parse"),
        (
            Anthropic,
            {**ANTHROPIC_MESSAGE, "content": [{"type": "text", "text": WEATHER}]},
            {**ASKED, "max_tokens": 5, "output_format": Weather},
        ),
    ),
}
"""Methods whose answers the clients parse: the vendor, the answer and the arguments."""


@pytest.mark.parametrize("way", ["plain", "with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("method", PARSERS)
def test_an_answer_is_read_once_however_often_it_is_parsed(recorder, method, way):
    vendor_kind, answer, arguments = PARSERS[method]
    vendor = vendor_kind()
    vendor.wire.whole = answer
    path, _, name = method.rpartition(".")
    resource = attrgetter(path)(vendor.client)
    ask = getattr(resource if way == "plain" else getattr(resource, way, None), name, None)
    if ask is None:
        pytest.skip("the client has no such method")
    if way == "with_streaming_response":
        with ask(**arguments) as response:
            assert response.parse() is response.parse()
    elif way == "with_raw_response":
        response = ask(**arguments)
        assert response.parse() is response.parse()
    else:
        ask(**arguments)
    assert recorder.only.outcome == OUTCOME_SUCCESS
    assert WEATHER in (recorder.only.output_preview, recorder.only.input_preview)


def test_an_internal_error_does_not_reach_the_application(recorder, monkeypatch, swallowing):
    """The error is counted and logged, and the application gets its answer."""
    client, _ = make_client(COMPLETION)
    monkeypatch.setattr("llm_observe._providers.openai.read_response", lambda *_: 1 / 0)
    assert create(client).choices[0].message.content == "all is well"
    client, _ = make_client(CHUNKS)
    monkeypatch.setattr("llm_observe._providers.openai.read_chunk", lambda *_: 1 / 0)
    assert len(list(create(client, stream=True, stream_options={"include_usage": True}))) == 6
    monkeypatch.setattr("llm_observe._providers.openai.describe", lambda *_, **__: 1 / 0)
    assert len(list(create(client, stream=True, stream_options={"include_usage": True}))) == 6
    assert [log.outcome for log in recorder.logs] == [OUTCOME_SUCCESS, OUTCOME_SUCCESS]
