"""A price that a server states is recorded, whichever vendor's client asks and wherever it is stated."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import anthropic
import httpx2
import llm_observe
import pytest
from google import genai
from google.genai.types import HttpOptions
from log_assertions import known
from openai_wire import QUESTION
from test_endpoint_endings import Event, arriving
from test_endpoints import make, response
from vendor_wire import ANTHROPIC_EVENTS, ANTHROPIC_MESSAGE, gemini_chunk

COST = {"cost": 0.00025}
HEADER = {"x-litellm-response-cost": "0.00025"}
WHERE = {"body": "https://openrouter.ai/api", "header": "http://proxy:4000"}
PROVIDERS = {"body": "openrouter", "header": "litellm"}


def ask_anthropic(how: str, url: str, usage: Event, headers: dict[str, str]) -> None:
    message: Any = deepcopy(ANTHROPIC_MESSAGE)
    message["usage"].update(usage)
    *events, delta, stop = ANTHROPIC_EVENTS
    delta = {**delta, "usage": {**delta["usage"], **usage}}
    answer = arriving([*events, delta, stop]) if how == "stream" else httpx2.Response(200, json=message)
    answer.headers.update(headers)
    messages = make(answer, kind=anthropic.Anthropic, base_url=url).messages
    asked: Any = {"model": "m", "max_tokens": 5, "messages": QUESTION}
    if how == "raw":
        messages.with_raw_response.create(**asked)
    elif how == "stream":
        list(messages.create(**asked, stream=True))
    else:
        messages.create(**asked)


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("how", ["plain", "stream", "raw"])
def test_by_anthropics_client(recorder, how, place):
    usage, headers = (COST, {}) if place == "body" else ({}, HEADER)
    ask_anthropic(how, WHERE[place], usage, headers)
    log = recorder.only
    assert (log.provider, known(log, "reported_cost_nano_usd")) == (PROVIDERS[place], (250_000,))
    assert known(log, "input_token_count", "output_token_count") == (11, 5)


def test_by_geminis_client(recorder):
    whole = httpx2.Response(200, json=gemini_chunk("hi", last=True), headers=HEADER)
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: whole))
    options = HttpOptions(base_url=WHERE["header"], httpx_client=http)
    client = llm_observe.wrap(genai.Client(api_key="k", http_options=options))
    client.models.generate_content(model="m", contents="hi")
    log = recorder.only
    assert (log.provider, known(log, "reported_cost_nano_usd")) == ("litellm", (250_000,))


def test_for_a_response(recorder):
    usage = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16, **COST}
    make(response(usage=usage), base_url=WHERE["body"]).responses.create(model="m", input="hi")
    assert known(recorder.only, "reported_cost_nano_usd") == (250_000,)
