"""Anthropic and Gemini: wrapping, helpers, raw responses, embeddings. test_endings.py tests how calls end."""

from __future__ import annotations

from typing import Any

import llm_observe
import pytest
from log_assertions import assert_success
from vendor_wire import Anthropic, Gemini


@pytest.fixture(params=[Anthropic, Gemini], ids=["anthropic", "gemini"])
def vendor(request, recorder) -> Any:
    return request.param()


def test_the_application_receives_every_event(vendor, recorder):
    assert len(list(vendor.stream())) == len(vendor.wire.events)
    assert_success(recorder.only, vendor, streamed=True)


def test_wrapping_twice_records_each_call_once(vendor, recorder):
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
