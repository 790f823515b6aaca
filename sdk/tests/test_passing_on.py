"""The request and the answer's bytes are the application's: what passes is what passes without the SDK."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_wire import CHUNKS, COMPLETION, QUESTION, USAGE, chunk, sse
from vendor_wire import Anthropic, OpenAI

COUNTS = ("input_token_count", "output_token_count", "total_token_count")
USAGE_CHUNK = chunk(usage=USAGE)


class Parts(httpx2.SyncByteStream):
    """A body that comes in two parts."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[:20]
        yield self._content[20:]


class Server:
    """Answers with usage when asked for it, and keeps the requests."""

    def __init__(self, *, asked_usage: Any = USAGE_CHUNK, unasked: Any = ()) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._asked_usage, self._unasked = asked_usage, unasked

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if not body.get("stream"):
            return httpx2.Response(200, stream=Parts(json.dumps(COMPLETION).encode()))
        asked = (body.get("stream_options") or {}).get("include_usage")
        return sse([*CHUNKS, *self._unasked, *([self._asked_usage] if asked else [])])


def make(server: Server, kind: Any = openai.OpenAI, *, wrapped: bool = True, **options: Any) -> Any:
    http_client = httpx2.Client(transport=httpx2.MockTransport(server))
    client = kind(api_key="k", max_retries=0, http_client=http_client, **options)
    return llm_observe.wrap(client) if wrapped else client


AZURE = {"api_version": "2024-10-21", "azure_endpoint": "http://gateway.invalid"}
HOSTS: dict[str, tuple[Any, dict[str, str], bool]] = {
    "OpenAI": (openai.OpenAI, {}, True),
    "OpenAI in Europe": (openai.OpenAI, {"base_url": "https://eu.api.openai.com/v1"}, True),
    "Azure": (openai.AzureOpenAI, AZURE, True),
    "Azure by address": (openai.OpenAI, {"base_url": "https://me.openai.azure.com/openai/v1"}, True),
    "Azure AI Foundry": (openai.OpenAI, {"base_url": "https://me.services.ai.azure.com/models"}, True),
    "another": (openai.OpenAI, {"base_url": "https://models.example/v1"}, False),
    "a name that ends alike": (openai.OpenAI, {"base_url": "https://notopenai.com/v1"}, False),
    "a name that begins alike": (openai.OpenAI, {"base_url": "https://api.openai.com.example/v1"}, False),
    "this machine": (openai.OpenAI, {"base_url": "http://localhost:11434/v1"}, False),
}


@pytest.mark.parametrize("setting", [None, True, False])
@pytest.mark.parametrize("host", HOSTS)
def test_usage_is_requested_of_servers_that_are_known_to_take_it(recorder, host, setting):
    recorder.config = recorder.config._replace(request_stream_usage=setting)
    kind, options, is_known = HOSTS[host]
    server = Server()
    client: Any = make(server, kind, **options)  # type: ignore[arg-type] # mypy joins the values' types
    seen = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    asked = is_known if setting is None else setting
    assert ("stream_options" in server.bodies[0]) == asked
    assert len(seen) == len(CHUNKS)
    assert known(recorder.only, *COUNTS) == ((11, 5, 16) if asked else (None, None, None))


REQUESTS: dict[str, dict[str, Any]] = {
    "stream_options": {"stream_options": {"include_usage": True}},
    "stream_options without usage": {"stream_options": {"include_usage": False}},
    "extra_body": {"extra_body": {"stream_options": {"include_usage": True}}},
    "extra_body without usage": {"extra_body": {"stream_options": {"include_usage": False}}},
    "other extra_body": {"extra_body": {"seed": 1}},
    "nothing": {},
}


@pytest.mark.parametrize("request_options", REQUESTS)
@pytest.mark.parametrize("base_url", ["https://api.openai.com/v1", "https://models.example/v1"])
def test_an_application_sees_the_chunks_that_it_asked_for(recorder, request_options, base_url):
    def read(*, wrapped: bool) -> list[dict[str, Any]]:
        client = make(Server(), wrapped=wrapped, base_url=base_url)
        options = REQUESTS[request_options]
        chunks = client.chat.completions.create(model="m", messages=QUESTION, stream=True, **options)
        return [each.model_dump() for each in chunks]

    assert read(wrapped=True) == read(wrapped=False)
    assert recorder.only.outcome == OUTCOME_SUCCESS


UNASKED: dict[str, Any] = {
    "usage": [USAGE_CHUNK],
    "usage and more": [{**USAGE_CHUNK, "moderation": {"flagged": True}}],
    "no usage": [{**chunk(), "choices": []}],
}


@pytest.mark.parametrize("unasked", UNASKED)
def test_chunks_that_came_unasked_are_the_applications(recorder, unasked):
    server = Server(unasked=UNASKED[unasked])
    client = make(server, base_url="https://models.example/v1")
    seen = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    assert len(seen) == len(CHUNKS) + 1


def test_a_usage_chunk_that_says_more_is_not_hidden(recorder):
    server = Server(asked_usage={**USAGE_CHUNK, "moderation": {"flagged": True}})
    seen = list(make(server).chat.completions.create(model="m", messages=QUESTION, stream=True))
    assert len(seen) == len(CHUNKS) + 1
    assert known(recorder.only, *COUNTS) == (11, 5, 16)


WAYS: dict[str, Any] = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "json": lambda response: response.json(),
    "iter_bytes": lambda response: list(response.iter_bytes()),
    "iter_lines": lambda response: list(response.iter_lines()),
    "iter_raw": lambda response: list(response.http_response.iter_raw()),
    "parse": lambda response: response.parse().model_dump(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_bytes_of_a_response_pass_unchanged_and_are_read(recorder, way, stream):
    if stream and way in {"json", "parse"}:
        pytest.skip("not for streams")

    def read(*, wrapped: bool) -> Any:
        create = make(Server(), wrapped=wrapped).chat.completions.with_streaming_response.create
        with create(model="m", messages=QUESTION, stream=stream) as response:
            return WAYS[way](response)

    assert read(wrapped=True) == read(wrapped=False)
    log = recorder.only
    assert (log.outcome, log.output_preview, log.finish_reason) == (OUTCOME_SUCCESS, "all is well", "stop")
    assert known(log, *COUNTS) == ((None, None, None) if stream else (11, 5, 16))
    assert log.HasField("time_to_first_token") == stream


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_compressed_bytes_pass_unchanged(recorder, encoding):
    content = json.dumps(COMPLETION).encode()
    packed = gzip.compress(content) if encoding == "gzip" else b"any"

    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-encoding": encoding}, stream=Parts(packed))

    create = make(respond).chat.completions.with_streaming_response.create  # type: ignore[arg-type] # a server, too
    with create(model="m", messages=QUESTION) as response:
        assert b"".join(response.http_response.iter_raw()) == packed
    assert recorder.only.outcome == OUTCOME_SUCCESS
    assert recorder.only.output_preview == ("all is well" if encoding == "gzip" else "")


@pytest.mark.parametrize("way", ["left", "unread"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_whose_bytes_are_left_is_cancelled(recorder, way, stream):
    create = make(Server()).chat.completions.with_streaming_response.create
    with create(model="m", messages=QUESTION, stream=stream) as response:
        if way == "left":
            next(response.http_response.iter_raw())
    assert recorder.only.outcome == OUTCOME_CANCELLED


def test_bytes_that_break_off_are_an_error(recorder):
    vendor = Anthropic()
    vendor.wire.ending = "cut"
    create: Any = vendor.client.messages.with_streaming_response.create
    with (
        create(model="m", max_tokens=5, messages=QUESTION, stream=True) as response,
        pytest.raises(Exception, match="cut"),
    ):
        response.read()
    assert (recorder.only.outcome, recorder.only.output_preview[:6]) == (OUTCOME_ERROR, "all is")


@pytest.mark.parametrize(
    ("cast_to", "content"),
    [
        (str, json.dumps(COMPLETION)),
        (str, "no JSON"),
        (str, "[]"),
        (object, json.dumps(COMPLETION)),
        (httpx2.Response, json.dumps(COMPLETION)),
        (httpx2.Response, "no JSON"),
    ],
)
def test_an_answer_of_another_type_is_read_if_it_is_an_object(recorder, cast_to, content):
    kind = "application/json" if content[0] in "{[" else "text/plain"
    client = make(lambda _: httpx2.Response(200, text=content, headers={"content-type": kind}))  # type: ignore[arg-type] # as above
    client.post("/chat/completions", cast_to=cast_to, body={"model": "m", "messages": QUESTION})
    assert recorder.only.outcome == OUTCOME_SUCCESS
    assert known(recorder.only, *COUNTS) == ((11, 5, 16) if content[0] == "{" else (None, None, None))


class OwnAnswer(openai.BaseModel):
    """A model of the application's own, which declares little of the answer, or of a chunk of it."""

    id: str


@pytest.mark.parametrize("cast_to", [object, dict, str, OwnAnswer, ChatCompletion, ChatCompletionChunk])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_read_whatever_type_the_application_asks_for(recorder, cast_to, stream):
    if cast_to in {ChatCompletion, ChatCompletionChunk} and stream != (cast_to is ChatCompletionChunk):
        pytest.skip("the type of the other kind of answer")
    client = make(Server())
    body = {"model": "m", "messages": QUESTION, "stream": stream}
    stream_class: Any = openai.Stream[cast_to]  # type: ignore[valid-type] # chosen at run time
    answer = client.post(
        "/chat/completions", cast_to=cast_to, body=body, stream=stream, stream_cls=stream_class
    )
    if stream:
        assert len(list(answer)) == len(CHUNKS)
    assert recorder.only.outcome == OUTCOME_SUCCESS
    assert recorder.only.output_preview == "all is well"
    assert known(recorder.only, *COUNTS) == (11, 5, 16)


@pytest.mark.parametrize("content", ["no JSON", "", "[]", "null", '{"a": 1}'])
def test_a_raw_response_of_any_content_gives_one_log(recorder, content):
    client = make(lambda _: httpx2.Response(200, text=content))  # type: ignore[arg-type] # as above
    raw = client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
    assert raw.http_response.text == content
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("vendor", [OpenAI, Anthropic])
def test_the_request_id_of_a_stream(recorder, vendor):
    client = vendor()
    client.wire.headers = {"request-id": "req_7", "x-request-id": "req_7"}
    list(client.stream())
    assert recorder.only.provider_request_id == "req_7"
