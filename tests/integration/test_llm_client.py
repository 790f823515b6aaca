"""LLMClient with every vendor's real client, against a mock of their wire protocols."""

from __future__ import annotations

import asyncio
from typing import Any

import llm_observe
import pytest
from llm_observe import _runtime
from llm_observe._adapters.gemini import _Connection
from llm_observe._adapters.raw_events import RawEventsMixin
from llm_observe._call import CANCELLED, ERROR, SUCCESS, Call
from llm_observe._providers.fields import JsonObject

from tests.support.waiting import eventually

VENDORS = ("openai", "anthropic", "gemini")
MESSAGES = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "answer"},
    {"role": "user", "content": "second"},
]
ANSWER = "Traces turn a "


@pytest.fixture
def calls(monkeypatch) -> list[Call]:
    """Every call that would be sent."""
    found: list[Call] = []
    runtime = _runtime.get_runtime()
    monkeypatch.setattr(runtime, "submit", found.append)
    return found


@pytest.fixture(params=VENDORS)
def client(request, provider_mock, calls) -> Any:
    provider_mock.default_behaviour = {"chunks": 3}
    path = "/v1" if request.param == "openai" else ""
    made = llm_observe.LLMClient(
        request.param, "model-1", api_key="k", base_url=f"{provider_mock.base_url}{path}"
    )
    yield made
    made.close()


def test_chat_returns_text_and_numbers_and_makes_one_log(client, calls):
    answer = client.chat("hello there")
    assert answer.text == ANSWER
    assert (answer.model, answer.output_tokens) == ("model-1-mock", 3)
    assert answer.finish_reason in {"stop", "end_turn", "STOP"}
    assert answer.latency_s >= answer.time_to_first_token_s > 0
    assert [(call.log_id, call.outcome, call.provider) for call in calls] == [
        (answer.log_id, SUCCESS, client.provider)
    ]


async def test_achat_returns_text_and_numbers(client, calls):
    answer = await client.achat("hello there", metadata={"page": "x"})
    await client.aclose()
    assert (answer.text, calls[0].metadata) == (ANSWER, (("page", "x"),))
    assert (answer.model, answer.output_tokens) == ("model-1-mock", 3)
    assert answer.finish_reason in {"stop", "end_turn", "STOP"}


async def test_asynchronous_streams_yield_raw_events(client, monkeypatch):
    """If a new version of a vendor's client breaks this, answers are still correct, but slower."""
    types = record_event_types(client._adapter, monkeypatch)
    await client.achat("hello there")
    await client.aclose()
    assert types == {JsonObject}


async def test_the_vendors_own_event_types_are_read_too(client, calls, monkeypatch):
    """As with a version of a client whose internals differ from those we know."""
    monkeypatch.delattr(RawEventsMixin, "_process_response_data")
    monkeypatch.delattr(_Connection, "_async_request")
    types = record_event_types(client._adapter, monkeypatch)
    answer = await client.achat("hello there")
    await client.aclose()
    assert JsonObject not in types
    assert (answer.text, answer.model, answer.output_tokens) == (ANSWER, "model-1-mock", 3)


def record_event_types(adapter, monkeypatch) -> set[type]:
    """Return a set that collects the types of the events an adapter reads from now on."""
    types: set[type] = set()
    original = adapter._text

    def text(chunk):
        types.add(type(chunk))
        return original(chunk)

    monkeypatch.setattr(adapter, "_text", text)
    return types


def test_history_system_prompt_and_parameters_reach_the_vendor(client, provider_mock, calls):
    client.chat(
        MESSAGES, system="be brief", temperature=0.3, top_p=0.5, max_output_tokens=7, stop_sequences=("END",)
    )
    sent = provider_mock.requests[-1]
    if client.provider == "openai":
        assert sent["messages"] == [{"role": "system", "content": "be brief"}, *MESSAGES]
        assert (sent["max_completion_tokens"], sent["stop"]) == (7, ["END"])
    elif client.provider == "anthropic":
        assert (sent["messages"], sent["system"]) == (MESSAGES, "be brief")
        assert (sent["max_tokens"], sent["stop_sequences"]) == (7, ["END"])
    else:
        assert [(turn["role"], turn["parts"][0]["text"]) for turn in sent["contents"]] == [
            ("user", "first"),
            ("model", "answer"),
            ("user", "second"),
        ]
        assert sent["systemInstruction"]["parts"][0]["text"] == "be brief"
        sent = sent["generationConfig"] | {"top_p": sent["generationConfig"]["topP"]}
        assert (sent["maxOutputTokens"], sent["stopSequences"]) == (7, ["END"])
    assert (sent["temperature"], sent["top_p"]) == (0.3, 0.5)
    assert [call.input_text for call in calls] == [("second",)]


def test_closing_a_stream_closes_the_vendors_stream(client, provider_mock, calls):
    provider_mock.default_behaviour = {"chunks": 1000, "chunk_s": 0.01}
    stream = client.stream("hello")
    assert next(stream)
    stream.close()
    assert (calls[0].outcome, calls[0].log_id) == (CANCELLED, stream.log_id)
    assert stream.result().text == "Traces "


async def test_cancelling_a_task_closes_the_vendors_stream(client, provider_mock, calls):
    provider_mock.default_behaviour = {"chunks": 9, "stall_after": 3}
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in client.astream("hello"):
            begun.set()

    task = asyncio.ensure_future(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    assert [call.outcome for call in calls] == [CANCELLED]
    await eventually(lambda: not provider_mock.open_streams)


def test_a_vendors_error_is_raised_unchanged(client, provider_mock, calls):
    provider_mock.default_behaviour = {"status": 400}
    with pytest.raises(Exception, match=r"mock error 400|too long|exceeds"):
        client.chat("hello")
    assert [(call.outcome, call.http_status) for call in calls] == [(ERROR, 400)]
