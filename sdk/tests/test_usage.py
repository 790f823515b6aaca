"""Token counts are read wherever a server states them, on every way an answer can come, and agree."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_observe._providers.usage import reconcile
from log_assertions import known
from openai_wire import CHUNKS, QUESTION, USAGE, chunk, completion, create, make_client, sse
from pydantic import BaseModel
from vendor_wire import ANTHROPIC_EVENTS, ANTHROPIC_MESSAGE, Anthropic, Gemini

COUNTS = ("input_token_count", "output_token_count", "total_token_count")
CACHE = ("cache_read_token_count", "cache_write_token_count", "cache_write_1h_token_count")


def with_usage(event: dict[str, Any], **counts: int) -> dict[str, Any]:
    return {**event, "usage": {**USAGE, **counts}}


def in_choice(event: dict[str, Any]) -> dict[str, Any]:
    choice = {**event["choices"][0], "usage": USAGE}
    return {**event, "choices": [choice]}


FIRST, SECOND, LAST_TEXT, END = CHUNKS[1:]
STREAMS: dict[str, list[dict[str, Any]]] = {
    "a chunk of its own": [*CHUNKS, chunk(usage=USAGE)],
    "the chunk with the finish reason": [*CHUNKS[:-1], with_usage(END)],
    "the last text": [*CHUNKS[:-1], with_usage(chunk("", finish="stop"))],
    "the last text, which ends the answer": [FIRST, SECOND, with_usage(chunk("well", finish="stop"))],
    "the last text before the end": [FIRST, SECOND, with_usage(LAST_TEXT), END],
    "every chunk": [with_usage(each, total_tokens=1 + n) for n, each in enumerate(CHUNKS[:-1])]
    + [with_usage(END)],
    "the choice": [*CHUNKS[:-1], in_choice(END)],
    "the choice of the last text": [FIRST, SECOND, in_choice(chunk("well", finish="stop"))],
}


@pytest.mark.parametrize("place", STREAMS)
@pytest.mark.parametrize("n", [1, 2])
def test_usage_is_read_in_every_place_of_a_stream(recorder, place, n):
    client, _ = make_client(lambda _: sse(STREAMS[place]))
    list(create(client, stream=True, n=n, stream_options={"include_usage": True}))
    assert known(recorder.only, *COUNTS) == (11, 5, 16)
    assert recorder.only.finish_reason == "stop"


@pytest.mark.parametrize("read", [2, 3, 4])
def test_a_stream_left_early_has_the_usage_seen_last(recorder, read):
    events = [with_usage(each, total_tokens=100 + n) for n, each in enumerate(CHUNKS)]
    client, _ = make_client(lambda _: sse(events))
    stream = create(client, stream=True)
    for _ in range(read):
        next(stream)
    stream.close()
    assert recorder.only.total_token_count == 99 + read


class Weather(BaseModel):
    degrees: int


@pytest.mark.parametrize("content", ['{"degr', '{"degrees": "hot"}'])
def test_usage_behind_an_answer_that_cannot_be_parsed(recorder, content):
    finish = "length" if content == '{"degr' else "stop"
    client, _ = make_client(completion({"content": content}, finish=finish))
    with pytest.raises(Exception, match=r"length limit|validation error"):
        client.chat.completions.parse(model="m", messages=QUESTION, response_format=Weather)
    assert known(recorder.only, *COUNTS) == (11, 5, 16)
    assert recorder.only.output_preview == content


def test_usage_behind_an_answer_that_the_client_refuses(recorder):
    client, _ = make_client({**completion({"content": "hi"}), "object": 5, "created": {}})
    strict = client.copy(_extra_kwargs={"_strict_response_validation": True})
    with pytest.raises(openai.APIResponseValidationError):
        create(strict)
    assert known(recorder.only, *COUNTS) == (11, 5, 16)


def test_openais_cache_writes(recorder):
    details = {"cached_tokens": 4, "cache_write_tokens": 3}
    client, _ = make_client(
        {**completion({"content": "hi"}), "usage": {**USAGE, "prompt_tokens_details": details}}
    )
    create(client)
    assert known(recorder.only, *CACHE) == (4, 3, None)


def message_with(**usage: Any) -> dict[str, Any]:
    return {**ANTHROPIC_MESSAGE, "usage": {"input_tokens": 4, "output_tokens": 5, **usage}}


COMPACTION = {
    "type": "compaction",
    "input_tokens": 100,
    "output_tokens": 20,
    "cache_read_input_tokens": 7,
    "cache_creation_input_tokens": 0,
}
ITERATIONS = [COMPACTION, {**COMPACTION, "type": "message", "input_tokens": 4, "output_tokens": 5}]
ANTHROPIC_USAGE: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "no cache": ({}, (4, 5, 9), (None, None, None)),
    "cached": ({"cache_read_input_tokens": 6, "cache_creation_input_tokens": 1}, (11, 5, 16), (6, 1, None)),
    "lifetimes": (
        {"cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}},
        (9, 5, 14),
        (None, 5, 3),
    ),
    "lifetimes and their total": (
        {
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        },
        (9, 5, 14),
        (None, 5, 3),
    ),
    "compaction passes": (
        {"cache_read_input_tokens": 6, "iterations": ITERATIONS},
        (117, 25, 142),
        (13, None, None),
    ),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("case", ANTHROPIC_USAGE)
def test_anthropics_usage(recorder, case, streamed):
    usage, counts, cache = ANTHROPIC_USAGE[case]
    vendor = Anthropic()
    vendor.wire.whole = message = message_with(**usage)
    start = {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    vendor.wire.events = [start, *ANTHROPIC_EVENTS[1:]]
    list(vendor.stream()) if streamed else vendor.ask(vendor.client)
    assert known(recorder.only, *COUNTS) == counts
    assert known(recorder.only, *CACHE) == cache


@pytest.mark.parametrize(
    "repeated",
    [
        {},
        {"input_tokens": 4},
        {"input_tokens": 0},
        {"input_tokens": 4, "cache_read_input_tokens": 6},
        {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
        {"input_tokens": None, "cache_read_input_tokens": None},
    ],
)
def test_a_message_delta_may_repeat_any_part_of_the_usage(recorder, repeated):
    vendor = Anthropic()
    delta = {**ANTHROPIC_EVENTS[-2], "usage": {"output_tokens": 5, **repeated}}
    vendor.wire.events = [*ANTHROPIC_EVENTS[:-2], delta, ANTHROPIC_EVENTS[-1]]
    list(vendor.stream())
    assert known(recorder.only, *COUNTS) == (11, 5, 16)
    assert known(recorder.only, *CACHE) == (6, 1, 1)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"embeddings": [{"values": [0.5], "statistics": {"tokenCount": 3}}] * 2}, 6),
        ({"embeddings": [{"values": [0.5]}], "usageMetadata": {"promptTokenCount": 4}}, 4),
        ({"embeddings": [{"values": [0.5]}]}, None),
    ],
)
def test_geminis_embeddings(recorder, answer, tokens):
    vendor = Gemini()
    vendor.wire.whole = answer
    vendor.client.models.embed_content(model="e", contents=["one", "two"])
    assert known(recorder.only, "input_token_count") == (tokens,)
    assert recorder.only.error_code == ""


def test_geminis_parts_of_usage_may_come_apart(recorder):
    vendor = Gemini()
    first, *middle, last = vendor.wire.events
    usage = last.pop("usageMetadata")
    first["usageMetadata"] = usage
    vendor.wire.events = [first, *middle, last]
    list(vendor.stream())
    assert known(recorder.only, *COUNTS) == (11, 5, 16)


def test_usage_in_the_bytes_of_a_raw_response(recorder):
    client, _ = make_client(lambda _: httpx2.Response(200, json=completion({"content": "hi"})))
    client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
    assert known(recorder.only, *COUNTS) == (11, 5, 16)


count = st.none() | st.integers(0, 1_000)
NAMES = ("input", "output", "total", "cache_read", "cache_write", "reasoning", "cache_write_1h")


@given(st.fixed_dictionaries({f"{name}_tokens": count for name in NAMES}))
@settings(derandomize=True, deadline=None)
def test_counts_agree_after_reconciliation(counts):
    before = dict(counts)
    reconcile(counts)
    source, answer, total = (counts[f"{name}_tokens"] for name in NAMES[:3])
    if source is not None:
        assert source >= max(counts["cache_read_tokens"] or 0, before["cache_write_tokens"] or 0)
    if answer is not None:
        assert answer >= (counts["reasoning_tokens"] or 0)
    if source is not None and answer is not None:
        assert total is not None
        assert total >= source + answer
    unknown = [name for name, value in before.items() if value is None and name != "total_tokens"]
    assert all(counts[name] is None for name in unknown)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"input": 4, "cache_read": 6, "output": 5}, {"input": 10, "total": 15}),
        ({"input": 11, "output": 5, "reasoning": 9, "total": 25}, {"output": 14, "total": 25}),
        ({"input": 11, "output": 5, "reasoning": 2, "total": 18}, {"output": 7, "total": 18}),
        ({"input": 11, "output": 5, "reasoning": 2, "total": 16}, {"output": 5, "total": 16}),
        ({"cache_write": 1, "cache_write_1h": 3}, {"cache_write": 3}),
    ],
)
def test_parts_that_were_counted_apart_are_added(told, meant):
    counts = {f"{name}_tokens": told.get(name) for name in NAMES}
    reconcile(counts)
    assert {name: counts[f"{name}_tokens"] for name in meant} == meant
