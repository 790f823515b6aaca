"""How often google-genai tried is counted. Nothing changes: requests, answers, errors and retries."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import MagicMock

import httpx2
import llm_observe
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from google import genai
from google.genai import errors
from google.genai._api_client import BaseApiClient
from google.genai.types import HttpOptions, HttpRetryOptions
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from test_endpoint_endings import settled
from vendor_wire import GEMINI_EVENTS, Wire, gemini_chunk

TRIES = 3
RETRY = HttpRetryOptions(attempts=TRIES, initial_delay=0, max_delay=0, exp_base=0, jitter=0)
ERROR = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "no"}}


class Server:
    """Refuses the first requests, and keeps all."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.seen: list[tuple[bytes, list[tuple[str, str]]]] = []
        self._wire = Wire(gemini_chunk("all is well", last=True), GEMINI_EVENTS, ERROR)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append((request.content, request.headers.multi_items()))
        if len(self.seen) <= self.failures:
            return httpx2.Response(503, json=ERROR)
        return self._wire(request)


def make(server: Callable[[httpx2.Request], httpx2.Response], retry: HttpRetryOptions | None = RETRY) -> Any:
    transport = httpx2.MockTransport(server)
    options = HttpOptions(
        httpx_client=httpx2.Client(transport=transport),
        httpx_async_client=httpx2.AsyncClient(transport=transport),
        retry_options=retry,
    )
    return genai.Client(api_key="k", http_options=options)


async def ask(client: Any, method: str, side: str, *, model: str = "m", **options: Any) -> str:
    """Call a client in one of its ways; return the text of its answer."""
    models = client.aio.models if side == "async" else client.models
    answer = await settled(getattr(models, method)(model=model, contents="hi", **options))
    if hasattr(answer, "__aiter__"):
        return "".join([chunk.text async for chunk in answer])
    return "".join(chunk.text for chunk in (answer if method.endswith("stream") else [answer]))


async def outcome(client: Any, method: str, side: str, **options: Any) -> object:
    """Return the answer, or the type and text of the error."""
    try:
        return await ask(client, method, side, **options)
    except errors.APIError as error:
        return type(error), str(error)


@pytest.fixture(params=["generate_content", "generate_content_stream"])
def method(request) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def side(request) -> str:
    return str(request.param)


@pytest.fixture(params=["wrap", "instrument", "both"])
def recorded(request) -> Iterator[Any]:
    """Record a client in one of the ways."""

    def record(client: Any) -> Any:
        if request.param != "wrap":
            llm_observe.instrument()
        return client if request.param == "instrument" else llm_observe.wrap(client)

    yield record
    llm_observe.uninstrument()


@pytest.mark.parametrize("failures", [0, 1, 2, 9])
async def test_retries(recorder, method, side, recorded, failures):
    plain, server = Server(failures), Server(failures)
    expected = await outcome(make(plain), method, side)
    assert await outcome(recorded(make(server)), method, side) == expected
    assert server.seen == plain.seen
    assert recorder.only.outcome == (OUTCOME_SUCCESS if failures < TRIES else OUTCOME_ERROR)
    assert known(recorder.only, "retry_count") == (min(failures, TRIES - 1),)


async def test_retries_of_one_request(recorder, method, side, recorded):
    client = recorded(make(Server(1), retry=None))
    assert await ask(client, method, side, config={"http_options": {"retry_options": RETRY}}) == "all is well"
    assert known(recorder.only, "retry_count") == (1,)


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_client_that_does_not_retry(recorder, method, side, recorded, failures):
    await outcome(recorded(make(Server(failures), retry=None)), method, side)
    assert known(recorder.only, "retry_count") == (0,)


async def test_copies(recorder, method, side, recorded):
    await ask(copy.copy(recorded(make(Server(1)))), method, side)
    assert known(recorder.only, "retry_count") == (1,)


async def test_unwrapping_a_copy(recorder, method):
    """Copies share what makes the requests."""
    client = llm_observe.wrap(make(Server(1)))
    other = copy.copy(client)
    other._models = copy.copy(client.models)
    await ask(other, method, "sync")
    llm_observe.unwrap(other)
    await ask(client, method, "sync")
    assert [known(log, "retry_count") for log in recorder.logs] == [(1,), (0,)]


async def test_calls_at_once(recorder, method, recorded):
    """Each counts its own, though they share a client."""
    failures = {"zero": 0, "one": 1, "two": 2}
    servers = {name: Server(count) for name, count in failures.items()}

    def answer(request: httpx2.Request) -> httpx2.Response:
        return next(server for name, server in servers.items() if name in str(request.url))(request)

    client = recorded(make(answer))
    await asyncio.gather(*(ask(client, method, "async", model=name) for name in failures))
    assert {log.model: log.retry_count for log in recorder.logs} == failures


async def test_what_makes_the_requests_may_be_replaced(recorder, method, side, recorded):
    client = recorded(make(Server(0)))
    await ask(client, method, side)
    for models in (client.models, client.aio.models):
        models._api_client = make(Server(2))._api_client
    await ask(client, method, side)
    assert [known(log, "retry_count") for log in recorder.logs] == [(0,), (2,)]


async def test_requests_without_a_log_are_not_counted(recorder, recorded):
    server = Server(0)
    client = recorded(make(server))
    stream = client.models.generate_content_stream(model="m", contents="hi")
    next(stream)
    server.failures = len(server.seen) + 1
    client.models.count_tokens(model="m", contents="hi")
    list(stream)
    assert known(recorder.only, "retry_count") == (0,)


async def test_a_client_without_such_methods(recorder, method, side, recorded, monkeypatch):
    """Another version of the package may make its requests in another way."""
    client = make(Server(1))
    for name in ("_request_once", "_async_request_once"):
        setattr(client._api_client, name, getattr(client._api_client, name))
        monkeypatch.delattr(BaseApiClient, name)
    assert await ask(recorded(client), method, side) == "all is well"
    assert known(recorder.only, "retry_count") == (None,)


def test_the_class_is_restored():
    client, before = make(Server(0)), dict(vars(BaseApiClient))
    llm_observe.instrument()
    client.models.generate_content(model="m", contents="hi")
    assert type(client._api_client) is BaseApiClient
    llm_observe.wrap(client).models.generate_content(model="m", contents="hi")
    llm_observe.unwrap(client)
    llm_observe.uninstrument()
    assert dict(vars(BaseApiClient)) == before
    assert type(client._api_client) is BaseApiClient


def test_a_mock_stays_as_it_is(recorder):
    client = llm_observe.wrap(make(Server(0)))
    client.models._api_client = mock = MagicMock(
        **{"request.return_value.body": "{}", "request.return_value.headers": {}}
    )
    mock._http_options.base_url = "http://mock.invalid"
    kind = type(mock)
    client.models.embed_content(model="m", contents="hi")
    assert type(mock) is kind
    assert known(recorder.only, "retry_count") == (None,)


@asynccontextmanager
async def disconnecting(failures: int) -> AsyncIterator[str]:
    """Serve at an address that drops the first connections."""
    server, seen = Server(0), []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        if len(seen) <= failures:
            assert request.transport is not None
            request.transport.close()
        answer = server(httpx2.Request("POST", str(request.url), content=await request.read()))
        body = await answer.aread()
        return web.Response(body=body, headers={"content-type": answer.headers["content-type"]})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as started:
        yield str(started.make_url("/"))


@pytest.mark.parametrize(("failures", "retry"), [(0, None), (1, None), (0, RETRY), (1, RETRY), (2, RETRY)])
async def test_what_aiohttp_repeats(recorder, method, recorded, monkeypatch, failures, retry):
    monkeypatch.setattr(
        random, "randint", lambda *_: -1
    )  # without retry options, it waits for one second more
    async with disconnecting(failures) as address:
        client = genai.Client(api_key="k", http_options=HttpOptions(base_url=address, retry_options=retry))
        assert await ask(recorded(client), method, "async") == "all is well"
        await client.aio.aclose()
    assert known(recorder.only, "retry_count") == (failures,)
