"""Anthropic and Gemini against their wire protocols: one true log for every way a call ends.

The bodies are written after the vendors' public API references.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import llm_observe
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from vendor_wire import Anthropic, Gemini


@pytest.fixture(params=[Anthropic, Gemini], ids=["anthropic", "gemini"])
def vendor(request, recorder) -> Any:
    return request.param()


def assert_success(log, vendor, *, streamed: bool) -> None:
    assert log.outcome == OUTCOME_SUCCESS
    assert (log.provider, log.operation, log.model) == (vendor.name, "chat", vendor.model)
    assert log.response_model.endswith("-test-1")
    assert (log.input_preview, log.output_preview) == ("what is up?", "all is well")
    # The same call costs the same whoever reports it: cached within input, reasoning within output.
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (11, 5, 16)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (6, 2)
    assert log.finish_reason in {"end_turn", "STOP"}
    assert log.streamed == streamed
    assert log.HasField("time_to_first_token") == streamed


def test_a_plain_call(vendor, recorder):
    vendor.ask(vendor.client)
    assert_success(recorder.only, vendor, streamed=False)


async def test_an_async_plain_call(vendor, recorder):
    await vendor.ask(vendor.aclient())
    assert_success(recorder.only, vendor, streamed=False)


def test_a_stream_read_to_the_end(vendor, recorder):
    assert len(list(vendor.stream())) == len(vendor.wire.events)
    assert_success(recorder.only, vendor, streamed=True)


async def test_an_async_stream_read_to_the_end(vendor, recorder):
    async for _ in await vendor.astream(vendor.aclient()):
        pass
    assert_success(recorder.only, vendor, streamed=True)


@pytest.mark.parametrize("way", ["close", "break and drop"])
def test_a_stream_left_early(vendor, recorder, way):
    answer = vendor.stream()
    for _ in range(3 if vendor.name == "anthropic" else 1):
        next(answer)
    if way == "close":
        answer.close()
    del answer
    gc.collect()
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_CANCELLED, "all ")


async def test_an_async_stream_left_early(vendor, recorder):
    answer = await vendor.astream(vendor.aclient())
    async for _ in answer:
        break
    await (answer.aclose() if hasattr(answer, "aclose") else answer.close())
    del answer
    await asyncio.sleep(0.05)  # generators inside generators are closed by the loop, one after another
    assert recorder.only.outcome == OUTCOME_CANCELLED


@pytest.mark.parametrize("streamed", [False, True])
def test_a_provider_error(vendor, recorder, streamed):
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        list(vendor.stream()) if streamed else vendor.ask(vendor.client)
    log = recorder.only
    assert (log.outcome, log.http_status, log.error_code) == (OUTCOME_ERROR, 429, vendor.error_code)
    assert "[EMAIL]" in log.error_message


async def test_an_async_provider_error(vendor, recorder):
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        await vendor.ask(vendor.aclient())
    assert (recorder.only.outcome, recorder.only.http_status) == (OUTCOME_ERROR, 429)


@pytest.mark.parametrize(("ending", "code"), [("connection", "connection_error"), ("timeout", "timeout")])
def test_a_network_fault(vendor, recorder, ending, code):
    vendor.wire.ending = ending
    with pytest.raises(vendor.connection):
        vendor.ask(vendor.client)
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, code)


def test_a_stream_that_breaks_off(vendor, recorder):
    vendor.wire.ending = "cut"
    with pytest.raises(Exception, match=r"."):
        list(vendor.stream())
    log = recorder.only
    assert log.outcome == OUTCOME_ERROR
    assert log.output_preview.startswith("all ")


async def test_a_cancelled_task(vendor, recorder):
    task = asyncio.ensure_future(vendor.ask(vendor.aclient(vendor.wire.answer_late)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.only.outcome == OUTCOME_CANCELLED


def test_wrapping_twice_is_once(vendor, recorder):
    llm_observe.wrap(vendor.client)
    vendor.ask(vendor.client)
    assert len(recorder.calls) == 1


def test_an_unwrapped_client_is_not_recorded(vendor, recorder):
    llm_observe.unwrap(vendor.client)
    vendor.ask(vendor.client)
    assert recorder.calls == []
    llm_observe.unwrap(vendor.client)
    vendor.ask(llm_observe.wrap(vendor.client))
    assert len(recorder.calls) == 1


def test_anthropics_stream_helper_is_recorded(recorder):
    vendor = Anthropic()
    with vendor.client.messages.stream(
        model=vendor.model, max_tokens=5, messages=[{"role": "user", "content": "what is up?"}]
    ) as answer:
        assert "".join(answer.text_stream) == "all is well"
    assert_success(recorder.only, vendor, streamed=True)


def test_anthropics_raw_response_is_recorded(recorder):
    vendor = Anthropic()
    raw = vendor.client.messages.with_raw_response.create(
        model=vendor.model, max_tokens=5, messages=[{"role": "user", "content": "what is up?"}]
    )
    assert raw.headers["request-id"] == "req_1"
    assert raw.parse().to_dict()["content"] == [{"type": "text", "text": "all is well"}]
    assert_success(recorder.only, vendor, streamed=False)


def test_geminis_embeddings_are_recorded(recorder):
    vendor = Gemini()
    vendor.wire.whole = {"embeddings": [{"values": [0.1]}], "predictions": []}
    vendor.client.models.embed_content(model="embed-test", contents="what is up?")
    assert (recorder.only.operation, recorder.only.input_preview) == ("embeddings", "what is up?")
