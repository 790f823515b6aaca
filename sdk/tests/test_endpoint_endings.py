"""Every endpoint beside chat completions: how its calls end, whoever asks and however it reads."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from openai_wire import sse
from test_endpoints import (
    COUNTED,
    COUNTS,
    FILE,
    JOBS,
    PICTURE,
    PLAIN,
    RUNNING,
    STREAMS,
    TRANSCRIPT,
    USAGE,
    make,
    make_async,
    named,
    reply,
    response,
)
from vendor_wire import Body

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # endpoints that will be shut down
Event = dict[str, Any]
MAKERS: dict[str, Callable[..., Any]] = {"sync": make, "async": make_async}


@pytest.fixture(params=MAKERS)
def made(request) -> Callable[..., Any]:
    return MAKERS[request.param]


async def settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def read(parts: Any) -> None:
    if hasattr(parts, "__aiter__"):
        async for _ in parts:
            pass
    else:
        for _ in parts:
            pass


async def entered(manager: Any, read_it: Callable[[Any], Any]) -> None:
    if hasattr(manager, "__aenter__"):
        async with manager as given:
            await read(read_it(given))
    else:
        with manager as given:
            await read(read_it(given))


ASKED: Any = {"model": "m", "input": "hi"}


async def read_plain(responses: Any) -> None:
    await read(await settled(responses.create(**ASKED, stream=True)))


async def read_raw(responses: Any) -> None:
    raw = await settled(responses.with_raw_response.create(**ASKED, stream=True))
    await read(await settled(raw.parse()))


async def read_bytes(responses: Any) -> None:
    manager = responses.with_streaming_response.create(**ASKED, stream=True)
    await entered(manager, lambda answer: answer.iter_bytes())


async def read_by_helper(responses: Any) -> None:
    await entered(responses.stream(**ASKED), lambda events: events)


def arriving(events: list[Event]) -> httpx2.Response:
    """Return a stream that has not been read yet."""
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, stream=Body(lines_of(events), broken=False))


def lines_of(events: list[Event]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


WAYS = [read_plain, read_raw, read_bytes, read_by_helper]
CREATED: Event = {"type": "response.created", "response": response("in_progress", usage=None)}
DELTA: Event = {
    "type": "response.output_text.delta",
    "delta": "all ",
    "item_id": "m",
    "logprobs": [],
    "output_index": 0,
    "content_index": 0,
}
FAILED = {"code": "server_error", "message": "no"}
RESPONSES: dict[str, tuple[list[Event], int, str]] = {
    "completed": ([{"type": "response.completed", "response": response(usage=USAGE)}], OUTCOME_SUCCESS, ""),
    "incomplete": (
        [{"type": "response.incomplete", "response": response("incomplete", usage=USAGE)}],
        OUTCOME_SUCCESS,
        "",
    ),
    "failed": (
        [{"type": "response.failed", "response": response("failed", error=FAILED)}],
        OUTCOME_ERROR,
        "server_error",
    ),
    "failed, and no reason": (
        [{"type": "response.failed", "response": response("failed")}],
        OUTCOME_ERROR,
        "error",
    ),
    "cancelled": (  # an event that the client does not know
        [{"type": "response.cancelled", "response": response("cancelled")}],
        OUTCOME_CANCELLED,
        "",
    ),
    "an error": ([{"type": "error", "code": "too_slow", "message": "no"}], OUTCOME_ERROR, "too_slow"),
    "cut": ([], OUTCOME_ERROR, "stream_incomplete"),
}


def arrived(events: list[Event]) -> httpx2.Response:
    """Return a stream that has been read already, as by a hook of the HTTP client."""
    return httpx2.Response(
        200, headers={"content-type": "text/event-stream"}, content=b"".join(lines_of(events))
    )


@pytest.mark.parametrize("read_it", WAYS)
@pytest.mark.parametrize("end", RESPONSES)
@pytest.mark.parametrize("answer", [arriving, arrived])
async def test_a_response_that_is_streamed(recorder, made, end, read_it, answer):
    last, outcome, code = RESPONSES[end]
    events = [{**event, "sequence_number": number} for number, event in enumerate([CREATED, DELTA, *last])]
    client = made(answer(events))
    with suppress(openai.APIError):
        await read_it(client.responses)
    log = recorder.only
    assert (log.outcome, log.error_code, log.provider_response_id) == (outcome, code, "resp_1")
    assert log.output_preview == "all "


async def test_an_error_of_a_background_stream_is_none_of_its_response(recorder, made):
    begun = {"type": "response.created", "response": response("queued", background=True, usage=None)}
    client = made(sse([begun, {"type": "error", "code": "too_slow", "message": "no"}]), response(usage=USAGE))
    with suppress(openai.APIError):
        await read(await settled(client.responses.create(**ASKED, background=True, stream=True)))
    assert not recorder.calls
    await settled(client.responses.retrieve("resp_1"))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_SUCCESS, "")


ERROR: Event = {"type": "error", "error": {"code": "too_slow", "message": "no"}}
CHOICE = {"index": 0, "text": "all ", "finish_reason": None}
TEXT: Event = {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [CHOICE]}
PARTS: dict[str, tuple[list[Event], Callable[[Any], Any]]] = {
    "a transcript": (
        TRANSCRIPT[:1],
        lambda client: client.audio.transcriptions.create(model="m", file=FILE, stream=True),
    ),
    "a picture": (PICTURE[:1], lambda client: client.images.generate(model="m", prompt="p", stream=True)),
    "an edited picture": (
        PICTURE[:1],
        lambda client: client.images.edit(model="m", prompt="p", image=FILE, stream=True),
    ),
    "a text": ([TEXT], lambda client: client.completions.create(model="m", prompt="p", stream=True)),
}


@pytest.mark.parametrize("what", PARTS)
@pytest.mark.parametrize(("last", "code"), [([], "stream_incomplete"), ([ERROR], "too_slow")])
async def test_a_stream_without_its_end(recorder, made, what, last, code):
    events, ask = PARTS[what]
    with suppress(openai.APIError):
        await read(await settled(ask(made(sse([*events, *last], done=False)))))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, code)


async def test_a_run_whose_stream_fails(recorder, made):
    answer = named(("thread.run.created", RUNNING), ("error", ERROR["error"]))
    with suppress(openai.APIError):
        await read(await settled(made(answer).beta.threads.runs.create("t1", assistant_id="a", stream=True)))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, "too_slow")


@pytest.mark.parametrize("endpoint", STREAMS)
async def test_a_stream_of_an_asynchronous_client(recorder, endpoint):
    answer, ask, text = STREAMS[endpoint]
    await read(await ask(make_async(answer())))
    log = recorder.only
    assert (log.outcome, log.output_preview, known(log, *COUNTS)) == (OUTCOME_SUCCESS, text, COUNTED)


OTHERS: dict[str, Callable[..., Any]] = {
    "another client": make,
    "a copy": lambda *answers: make(*answers).with_options(timeout=3),
    "an asynchronous client": make_async,
    "a client that is not wrapped": lambda *answers: llm_observe.unwrap(make(*answers)),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("job", JOBS)
async def test_work_that_another_client_asks_for(recorder, job, other):
    begin, again, answers, outcome, code = JOBS[job]
    begin(make(answers[0]))
    client = OTHERS[other](*answers[1:])
    llm_observe.instrument()
    try:
        for _ in answers[1:]:
            assert not recorder.calls
            await settled(again(client))
    finally:
        llm_observe.uninstrument()
    assert (recorder.only.outcome, recorder.only.error_code) == (outcome, code)


@pytest.mark.parametrize("endpoint", PLAIN)
async def test_every_endpoint_says_where_and_how_it_was_served(recorder, made, endpoint):
    answer, ask, _ = PLAIN[endpoint]
    served: httpx2.Response = reply(answer)
    served.headers["x-request-id"] = "req_5"
    await settled(ask(made(served)))
    log = recorder.only
    assert (log.server_address, log.provider_request_id) == ("api.openai.com", "req_5")
    assert known(log, "retry_count") == (0,)
