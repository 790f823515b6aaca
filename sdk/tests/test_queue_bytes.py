"""Every text of a call counts towards the queue's limit in bytes, and long texts are truncated."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import llm_observe
import pytest
from llm_observe._call import _OVERHEAD_BYTES, Call
from llm_observe._session import Session
from llm_observe._values import KEPT_TEXT_CHARS
from vendor_wire import Anthropic, Gemini, OpenAI

LONG = "x" * 1_000_000
TEXTS = (
    "provider",
    "model",
    "operation",
    "input_text",
    "output_text",
    "error_code",
    "error_message",
    "finish_reason",
    "service_tier",
    "server_address",
    "provider_response_id",
)
COUNTED = (
    "model",
    "provider",
    "finish_reason",
    "response_model",
    "provider_request_id",
    "provider_response_id",
    "service_tier",
    "server_address",
    "error_code",
    "error_message",
)
PAIRS = (("k" * 1_000, "v" * 2_000),)
SESSIONS: dict[str, Any] = {
    "session_id": "s" * 3_000,
    "user_id": "u" * 3_000,
    "conversation_id": "c" * 3_000,
    "tags": ("t" * 1_000,) * 3,
    "metadata": PAIRS,
}


def new_call() -> Call:
    call = Call("p", "chat", "m", lambda _: None)
    call.session = Session("")
    for name in COUNTED:
        setattr(call, name, "")
    return call


@pytest.mark.parametrize("name", COUNTED)
def test_each_text_counts_towards_the_size(name):
    call = new_call()
    before = call.compact()
    setattr(call, name, "x" * 3_000)
    assert call.compact() - before == 3_000


@pytest.mark.parametrize("name", SESSIONS)
def test_texts_of_the_session_count_towards_the_size(name):
    call = new_call()
    before = call.compact()
    call.session = call.session._replace(**{name: SESSIONS[name]})
    assert call.compact() - before == 3_000


@pytest.mark.parametrize("value", [7, ["x" * 3_000] * 100, {"a": "x" * 100_000}, "x" * 1_000_000])
@pytest.mark.parametrize("name", COUNTED)
def test_a_value_of_any_type_is_counted_as_the_text_that_is_kept(name, value):
    call = new_call()
    before = call.compact()
    setattr(call, name, value)
    size = call.compact() - before
    assert size == len(getattr(call, name)) <= KEPT_TEXT_CHARS


@pytest.mark.parametrize("chunk", ["x", "x" * 9_000_000, [{"type": "text", "text": "x" * 9_000_000}]])
@pytest.mark.parametrize("count", [1, 50])
def test_an_answer_is_kept_as_one_short_text(chunk, count):
    call = new_call()
    call.output_chunks = [chunk] * count
    size = call.compact()
    assert size < KEPT_TEXT_CHARS + _OVERHEAD_BYTES + 300
    (text,) = call.output_chunks
    assert set(text) == {"x"}


@pytest.mark.parametrize("letter", ["x", "é", "я", "😀"])
def test_previews_count_as_many_bytes_as_they_take(letter):
    call = new_call()
    before = call.compact()
    call.input_text = (letter * 3_000,)
    call.output_chunks = [letter * 1_000] * 3
    bytes_a_letter = sys.getsizeof(letter * 3_000) - sys.getsizeof(letter * 2_999)
    assert 0 <= call.compact() - before - 6_000 * bytes_a_letter < 200


def test_metadata_counts_towards_the_size():
    call = new_call()
    before = call.compact()
    call.metadata = PAIRS
    assert call.compact() - before == 3_000


@pytest.mark.parametrize("value", [LONG, LONG.encode(), [LONG], ValueError(LONG)])
@pytest.mark.parametrize("name", TEXTS)
def test_each_text_is_truncated_when_it_is_logged(recorder, name, value):
    arguments: dict[str, Any] = {"provider": "p", "model": "m", name: value}
    llm_observe.log(**arguments)
    assert recorder.only is not None
    (call,) = recorder.calls
    assert call.compact() < KEPT_TEXT_CHARS + _OVERHEAD_BYTES + 300


def test_metadata_is_truncated_when_it_is_logged(recorder):
    llm_observe.log(provider="p", model="m", metadata={f"{n}{LONG}": LONG for n in range(60)})
    assert len(recorder.only.metadata) == 50
    (call,) = recorder.calls
    assert {len(text) for pair in call.metadata for text in pair} == {KEPT_TEXT_CHARS}


def test_metadata_repeated_in_each_chunk_is_kept_once(recorder):
    @llm_observe.observe(
        provider="p", model="m", read=lambda chunk: {"metadata": {"region": "eu", "n": chunk}}
    )
    def ask() -> Any:
        yield from range(100)

    list(ask())
    assert dict(recorder.only.metadata) == {"region": "eu", "n": "99"}
    assert len(recorder.calls[0].metadata) == 2


def test_a_call_may_start_in_1970(recorder):
    llm_observe.log(provider="p", model="m", start_time=datetime(1970, 1, 1, tzinfo=UTC))
    assert recorder.only.start_time.ToNanoseconds() == 0


@pytest.mark.parametrize("vendor", [OpenAI, Anthropic, Gemini])
@pytest.mark.parametrize("stream", [False, True])
def test_queued_calls_take_no_more_memory_than_is_counted(vendor, stream, recorder):
    source = vendor()
    tracemalloc.start()
    try:
        for _ in range(100):
            answer = source.stream() if stream else source.ask(source.client)
            assert not stream or list(answer)
        counted = sum(call.compact() for call in recorder.calls)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        recorder.calls.clear()
        assert held - tracemalloc.get_traced_memory()[0] <= counted
    finally:
        tracemalloc.stop()
