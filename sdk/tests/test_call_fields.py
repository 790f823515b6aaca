"""Where a call went, how often it was tried, and what decides its price."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from client_kinds import MAKERS, ask
from google import genai
from google.genai import types
from llm_observe import limits
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, Log
from log_assertions import known
from openai_wire import COMPLETION, QUESTION, Wire, completion, create, make_client, sse
from test_odd_answers import response
from vendor_wire import Anthropic, Gemini, OpenAI, gemini_chunk

LARGEST = limits.MAX_COUNT
NUMBERS = {
    "cache_read_tokens": ("cache_read_token_count", LARGEST),
    "cache_write_tokens": ("cache_write_token_count", LARGEST),
    "cache_write_1h_tokens": ("cache_write_1h_token_count", LARGEST),
    "reasoning_tokens": ("reasoning_token_count", LARGEST),
    "audio_input_tokens": ("audio_input_token_count", LARGEST),
    "audio_output_tokens": ("audio_output_token_count", LARGEST),
    "reported_cost_nano_usd": ("reported_cost_nano_usd", LARGEST),
    "retry_count": ("retry_count", limits.MAX_RETRY_COUNT),
}
TEXTS = ("service_tier", "server_address", "provider_response_id")


def logged(recorder: Any, **arguments: Any) -> Log:
    llm_observe.log(provider="p", model="m", **arguments)
    log: Log = recorder.only
    return log


def observed(recorder: Any, **read: Any) -> Log:
    llm_observe.observe(provider="p", model="m", read=lambda _: read)(lambda: "fine")()
    log: Log = recorder.only
    return log


@pytest.mark.parametrize("record", [logged, observed])
@pytest.mark.parametrize("argument", NUMBERS)
@pytest.mark.parametrize("what", ["absent", "zero", "limit", "over the limit", "negative", "wrong type"])
def test_numbers(recorder, record, argument, what):
    field, largest = NUMBERS[argument]
    value, expected = {
        "absent": (None, None),
        "zero": (0, 0),
        "limit": (largest, largest),
        "over the limit": (largest + 1, None),
        "negative": (-1, None),
        "wrong type": ("many", None),
    }[what]
    log = record(recorder, **({} if what == "absent" else {argument: value}))
    assert known(log, field) == (expected,)
    others = [name for name, _ in NUMBERS.values() if name != field]
    assert known(log, *others) == (None,) * len(others)


@pytest.mark.parametrize("record", [logged, observed])
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("what", ["absent", "empty", "limit", "over the limit", "wrong type"])
def test_texts(recorder, record, name, what):
    limit = limits.MAX_TEXT_CHARS[name]
    value, expected = {
        "absent": (None, ""),
        "empty": ("", ""),
        "limit": ("x" * limit, "x" * limit),
        "over the limit": ("x" * (limit + 1), "x" * limit),
        "wrong type": (12, "12"),
    }[what]
    log = record(recorder, **({} if what == "absent" else {name: value}))
    assert getattr(log, name) == expected
    assert not any(getattr(log, other) for other in TEXTS if other != name)


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_redacted(recorder, name):
    log = logged(recorder, **{name: "bob@" + "example.org"})
    assert getattr(log, name) == ("[email]" if name == "service_tier" else "[EMAIL]")


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://user:pa55@Llm.Example.com:8443/v1?key=1", "llm.example.com"),
        ("http://localhost:11434/v1", "localhost"),
        ("http://[2001:db8::5]:80/v1", "[IP_ADDRESS]"),
        ("https://b\u00fccher.example/v1", "xn--bcher-kva.example"),
    ],
)
def test_an_address_is_a_host_alone(recorder, base_url, address):
    http_client = httpx2.Client(transport=httpx2.MockTransport(Wire(COMPLETION)))
    client = llm_observe.wrap(openai.OpenAI(api_key="k", base_url=base_url, http_client=http_client))
    create(client)
    assert recorder.only.server_address == address


@pytest.mark.parametrize("kind", MAKERS)
async def test_every_client_says_where_it_calls(recorder, kind):
    build, client_class = MAKERS[kind]
    await ask(llm_observe.wrap(build(client_class, host="first.invalid")))
    await ask(llm_observe.wrap(build(client_class, host="second.invalid")))
    assert [log.server_address for log in recorder.logs] == ["first.invalid", "second.invalid"]


def test_a_client_that_calls_another_host_says_so(recorder):
    client, _ = make_client(COMPLETION)
    create(client)
    create(client.with_options(base_url="http://copied.invalid"))
    create(client)
    client.base_url = "http://moved.invalid"
    create(client)
    hosts = [log.server_address for log in recorder.logs]
    assert hosts == ["api.openai.com", "copied.invalid", "api.openai.com", "moved.invalid"]


def test_the_host_is_worked_out_once(recorder, monkeypatch):
    from llm_observe import _server_address  # noqa: PLC0415 - to be watched

    asked: list[str] = []

    def host_of(url: Any) -> str:
        asked.append(str(url))
        return "h.invalid"

    monkeypatch.setattr(_server_address, "_host_of", host_of)
    client, _ = make_client(COMPLETION)
    for _ in range(3):
        create(client)
    assert [log.server_address for log in recorder.logs] == ["h.invalid"] * 3
    assert len(asked) == 1


@pytest.mark.parametrize("as_dict", [True, False])
def test_a_gemini_request_may_name_its_own_host(recorder, as_dict):
    vendor = Gemini()
    options = {"http_options": {"base_url": "http://other.invalid"}}
    config: Any = options if as_dict else types.GenerateContentConfig.model_validate(options)
    vendor.client.models.generate_content(model="m", contents="hi", config=config)
    vendor.client.models.generate_content(model="m", contents="hi")
    assert [log.server_address for log in recorder.logs] == ["other.invalid", vendor.address]


class Failing:
    """Answers 500 so many times, and then as another wire does."""

    def __init__(self, wire: Any, failures: int) -> None:
        self.wire, self.failures = wire, failures

    def __call__(self, request: httpx2.Request) -> Any:
        self.failures -= 1
        if self.failures >= 0:
            return httpx2.Response(500, headers={"retry-after-ms": "1"}, json={"error": {"message": "no"}})
        return self.wire(request)


RETRYING: list[tuple[Any, Any]] = [(OpenAI, openai.OpenAI), (Anthropic, anthropic.Anthropic)]


def failing_client(vendor: Any, client_class: Any, failures: int) -> Any:
    transport = httpx2.MockTransport(Failing(vendor.wire, failures))
    options = {**vendor.options, "max_retries": 2}
    return llm_observe.wrap(client_class(http_client=httpx2.Client(transport=transport), **options))


@pytest.mark.parametrize(("vendor_class", "client_class"), RETRYING)
@pytest.mark.parametrize("failures", [0, 2])
def test_a_stream_says_how_often_it_was_tried(recorder, vendor_class, client_class, failures):
    vendor = vendor_class()
    list(vendor.ask(failing_client(vendor, client_class, failures), stream=True))
    assert known(recorder.only, "retry_count") == (failures,)


@pytest.mark.parametrize(("vendor_class", "client_class"), RETRYING)
def test_an_error_says_how_often_it_was_tried(recorder, vendor_class, client_class):
    vendor = vendor_class()
    client = failing_client(vendor, client_class, 9)
    with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
        vendor.ask(client)
    assert known(recorder.only, "retry_count") == (2,)


@pytest.mark.parametrize(("vendor_class", "client_class"), RETRYING)
@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("raw", [False, True])
def test_an_answer_says_how_often_it_was_tried(recorder, vendor_class, client_class, failures, raw):
    client = failing_client(vendor_class(), client_class, failures)
    messages = client.chat.completions if client_class is openai.OpenAI else client.messages
    if raw:
        messages = messages.with_raw_response
    messages.create(model="m", max_tokens=5, messages=QUESTION)
    assert known(recorder.only, "retry_count") == (failures,)


DETAILS = {
    "input_tokens_details": {"cached_tokens": 4, "audio_tokens": 3},
    "output_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}
USAGE = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("audio", [False, True])
def test_responses(recorder, streamed, audio):
    body = response(service_tier="priority", usage={**USAGE, **(DETAILS if audio else {})})
    created = {"type": "response.created", "sequence_number": 0, "response": {**body, "service_tier": "auto"}}
    last = {"type": "response.completed", "sequence_number": 1, "response": body}
    client, _ = make_client((lambda _: sse([created, last])) if streamed else body)
    answer = client.responses.create(model="m", input="hi", stream=streamed)
    if streamed:
        list(answer)
    log = recorder.only
    assert (log.service_tier, log.provider_response_id) == ("priority", "r")
    expected = (3, 0) if audio else (None, None)
    assert known(log, "audio_input_token_count", "audio_output_token_count") == expected


def test_a_response_that_is_left_early_is_known_by_its_id(recorder):
    created = {"type": "response.created", "sequence_number": 0, "response": response(status="in_progress")}
    client, _ = make_client(lambda _: sse([created, created]))
    with client.responses.create(model="m", input="hi", stream=True) as events:
        next(iter(events))
    log = recorder.only
    assert (log.outcome, log.provider_response_id) == (OUTCOME_CANCELLED, "r")
    assert log.response_model == "m-1"


def test_what_an_answer_does_not_have_is_absent(recorder):
    body = completion({"content": "hi"})
    del body["id"], body["usage"]
    client, _ = make_client(body)
    create(client)
    log = recorder.only
    assert (log.service_tier, log.provider_response_id) == ("", "")
    absent = [field for field, _ in NUMBERS.values() if field != "retry_count"]
    assert known(log, *absent) == (None,) * len(absent)


TRAFFIC = {
    "ON_DEMAND": "default",
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "PROVISIONED_THROUGHPUT": "provisioned_throughput",
    "TRAFFIC_TYPE_UNSPECIFIED": "",
    "A_NEW_ONE": "a_new_one",
    None: "",
}


@pytest.mark.filterwarnings("ignore:A_NEW_ONE is not a valid")
@pytest.mark.parametrize("traffic", TRAFFIC)
def test_gemini_traffic_types(recorder, traffic):
    vendor = Gemini()
    vendor.wire.whole["usageMetadata"]["trafficType"] = traffic
    vendor.ask(vendor.client)
    assert recorder.only.service_tier == TRAFFIC[traffic]


def entry(modality: str, count: int | None) -> dict[str, Any]:
    return {"modality": modality, "tokenCount": count}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, (None, None)),
        ({"promptTokensDetails": [], "candidatesTokensDetails": None}, (None, None)),
        ({"promptTokensDetails": [entry("TEXT", 11)]}, (0, None)),
        ({"promptTokensDetails": [entry("AUDIO", 7), entry("AUDIO", 1), entry("TEXT", 3)]}, (8, None)),
        ({"toolUsePromptTokensDetails": [entry("AUDIO", 2)]}, (2, None)),
        ({"candidatesTokensDetails": [entry("AUDIO", None)]}, (None, 0)),
    ],
)
def test_gemini_audio(recorder, details, expected):
    whole = gemini_chunk("hi", last=True)
    for name in ("promptTokensDetails", "candidatesTokensDetails"):
        del whole["usageMetadata"][name]
    whole["usageMetadata"].update(details)
    http_client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=whole)))
    client = genai.Client(api_key="k", http_options=types.HttpOptions(httpx_client=http_client))
    llm_observe.wrap(client).models.generate_content(model="m", contents="hi")
    assert known(recorder.only, "audio_input_token_count", "audio_output_token_count") == expected
