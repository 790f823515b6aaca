"""What each server says about usage and price in its own way is read; an application may name it."""

from __future__ import annotations

import copy
from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from google import genai
from llm_observe._values import to_nano_usd
from log_assertions import known
from openai_wire import CHUNKS, COMPLETION, QUESTION, chunk, completion, create, make_client, sse
from vendor_wire import ANTHROPIC_MESSAGE, gemini_chunk


def answer(request: httpx2.Request) -> httpx2.Response:
    path = request.url.path
    if path.endswith("/messages"):
        return httpx2.Response(200, json=ANTHROPIC_MESSAGE)
    whole = gemini_chunk("hi", last=True) if "generateContent" in path else COMPLETION
    return httpx2.Response(200, json=whole)


SYNC = httpx2.Client(transport=httpx2.MockTransport(answer))
MADE: dict[str, Any] = {
    "OpenAI": lambda: openai.OpenAI(api_key="k", http_client=SYNC),
    "Anthropic": lambda: anthropic.Anthropic(api_key="k", http_client=SYNC),
    "Gemini": lambda: genai.Client(api_key="k", http_options={"httpx_client": SYNC}),  # type: ignore[arg-type] # of tests,
}


def ask(client: Any) -> None:
    if isinstance(client, genai.Client):
        client.models.generate_content(model="m", contents="hi")
    elif hasattr(client, "messages"):
        client.messages.create(model="m", max_tokens=5, messages=QUESTION)
    else:
        create(client)


@pytest.mark.parametrize("kind", MADE)
def test_an_application_may_name_the_provider(recorder, kind):
    client = llm_observe.wrap(MADE[kind](), provider="Mine")
    ask(client)
    ask(llm_observe.wrap(client))  # changes nothing
    ask(copy.copy(client))
    ask(llm_observe.wrap(client, provider="other"))
    ask(llm_observe.wrap(llm_observe.unwrap(client)))
    names = [log.provider for log in recorder.logs]
    assert names == ["mine", "mine", "mine", "other", kind.lower()]


USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
FIELDS = (
    "input_token_count",
    "output_token_count",
    "cache_read_token_count",
    "cache_write_token_count",
    "reasoning_token_count",
    "reported_cost_nano_usd",
)
ODD: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
    "OpenAI": ({}, (11, 5, None, None, None, None)),
    "OpenRouter": ({"cost": 0.00014, "is_byok": False}, (11, 5, None, None, None, 140_000)),
    "OpenRouter, with the application's key at the provider": (
        {"cost": 1e-6, "is_byok": True, "cost_details": {"upstream_inference_cost": 2e-5}},
        (11, 5, None, None, None, 21_000),
    ),
    "OpenRouter, free": ({"cost": 0}, (11, 5, None, None, None, 0)),
    "xAI": (
        {
            "cost_in_usd_ticks": 37_756_000,
            "completion_tokens_details": {"reasoning_tokens": 7},
            "total_tokens": 23,
        },
        (11, 12, None, None, 7, 3_775_600),
    ),
    "DeepSeek": (
        {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 3},
        (11, 5, 8, None, None, None),
    ),
    "Together": ({"cached_tokens": 6}, (11, 5, 6, None, None, None)),
    "Perplexity": (
        {"cost": {"input_tokens_cost": 1, "total_cost": 0.006}, "reasoning_tokens": 2},
        (11, 5, None, None, 2, 6_000_000),
    ),
    "DeepInfra": ({"estimated_cost": 2.5e-05}, (11, 5, None, None, None, 25_000)),
    "LiteLLM": (
        {
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_creation_tokens": 3},
        },
        (11, 5, 4, 3, None, None),
    ),
    "a price that is none": ({"cost": "free"}, (11, 5, None, None, None, None)),
    "a negative price": ({"cost": -1}, (11, 5, None, None, None, None)),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("server", ODD)
def test_what_servers_state_in_their_own_way(recorder, server, streamed):
    more, expected = ODD[server]
    usage = {**USAGE, **more}
    whole = {**completion({"content": "hi"}), "usage": usage}
    events = [*CHUNKS, {**chunk(), "choices": [], "usage": usage}]
    client, _ = make_client((lambda _: sse(events)) if streamed else whole)
    result = create(client, stream=streamed)
    if streamed:
        list(result)
    assert known(recorder.only, *FIELDS) == expected


def test_groqs_usage_in_the_last_chunk(recorder):
    events = [*CHUNKS[:-1], {**CHUNKS[-1], "x_groq": {"id": "req_1", "usage": USAGE}}]
    client, _ = make_client(lambda _: sse(events))
    list(create(client, stream=True))
    assert known(recorder.only, *FIELDS)[:2] == (11, 5)


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_beside_the_answer_is_no_part_of_it(recorder, streamed):
    events = [chunk(None, reasoning_content="hm"), chunk(None, reasoning="hm"), *CHUNKS]
    whole = completion({"content": "all is well", "reasoning_content": "hm", "reasoning": "hm"})
    client, _ = make_client((lambda _: sse(events)) if streamed else whole)
    result = create(client, stream=streamed)
    if streamed:
        list(result)
    assert recorder.only.output_preview == "all is well"


@pytest.mark.parametrize("address", ["http://proxy:4000", "https://llm.acme.example/v1"])
@pytest.mark.parametrize("how", ["plain", "stream", "raw"])
def test_a_gateways_header_states_the_price(recorder, how, address):
    def play(request: httpx2.Request) -> httpx2.Response:
        reply = sse(CHUNKS) if how == "stream" else httpx2.Response(200, json=COMPLETION)
        reply.headers["x-litellm-response-cost"] = "0.00025"
        return reply

    http = httpx2.Client(transport=httpx2.MockTransport(play))
    client = llm_observe.wrap(openai.OpenAI(api_key="k", base_url=address, http_client=http))
    if how == "raw":
        client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)  # type: ignore[arg-type] # plain dicts
    else:
        result = create(client, stream=how == "stream")
        if how == "stream":
            list(result)
    assert known(recorder.only, "reported_cost_nano_usd") == (250_000,)


@pytest.mark.parametrize(
    ("price", "nano"),
    [
        ("0.25", 250_000_000),
        (0, 0),
        (None, None),
        (True, None),
        (float("nan"), None),
        (-1, None),
        ([], None),
        (1e30, None),
    ],
)
def test_prices_of_any_type(price, nano):
    assert to_nano_usd(price) == nano
