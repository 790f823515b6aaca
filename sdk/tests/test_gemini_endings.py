"""How the streams of google-genai end: interactions, in the background as well, and what is odd in others."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import httpx2
import llm_observe
import pytest
from google import genai
from google.genai.types import HttpOptions
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from test_endpoint_endings import Event, read, settled
from test_endpoints import INTERACTION, gemini_client
from vendor_wire import GEMINI_EVENTS, Body, gemini_chunk

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SIDES: dict[str, Any] = {"sync": lambda client: client, "async": lambda client: client.aio}


@pytest.fixture(params=SIDES)
def side(request) -> Any:
    return SIDES[request.param]


def arriving(events: list[Event]) -> httpx2.Response:
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, stream=Body(lines, broken=False))


def last(status: str, **fields: Any) -> Event:
    whole = {**INTERACTION, "status": status, "steps": [], **fields}
    return {"event_type": "interaction.completed", "interaction": whole}


def delta(text: str) -> Event:
    return {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}}


BEGUN = {**INTERACTION, "status": "in_progress", "steps": [], "usage": None}
HEAD: list[Event] = [{"event_type": "interaction.created", "interaction": BEGUN}, delta("all is well")]
FAILED = {"code": "bad", "message": "no"}
INTERACTIONS: dict[str, tuple[list[Event], int, str]] = {
    "completed": ([last("completed")], OUTCOME_SUCCESS, ""),
    "incomplete": ([last("incomplete")], OUTCOME_SUCCESS, ""),
    "a tool is wanted": ([last("requires_action")], OUTCOME_SUCCESS, ""),
    "failed": ([last("failed", errors=[FAILED])], OUTCOME_ERROR, "bad"),
    "cancelled": ([last("cancelled")], OUTCOME_CANCELLED, ""),
    "an error": ([{"event_type": "error", "error": FAILED}], OUTCOME_ERROR, "bad"),
    "cut": ([], OUTCOME_ERROR, "stream_incomplete"),
    "unknown events": (
        [{"event_type": "new", "x": {}}, {**delta(""), "delta": {"type": "new"}}, last("completed")],
        OUTCOME_SUCCESS,
        "",
    ),
}
ASKED: Any = {"model": "gemini-test", "input": "hi", "stream": True}


@pytest.mark.parametrize("end", INTERACTIONS)
async def test_an_interaction(recorder, side, end):
    events, outcome, code = INTERACTIONS[end]
    client = side(gemini_client(arriving([*HEAD, *events])))
    with suppress(genai.errors.APIError):
        await read(await settled(client.interactions.create(**ASKED)))
    log = recorder.only
    assert (log.outcome, log.error_code, log.output_preview) == (outcome, code, "all is well")
    assert (log.provider_response_id, log.server_address) == ("i1", "generativelanguage.googleapis.com")


@pytest.mark.parametrize(("named", "provider"), [("", "litellm"), ("mine", "mine")])
def test_an_interaction_by_a_gateway(recorder, named, provider):
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=INTERACTION)))
    options = HttpOptions(base_url="http://proxy:4000", httpx_client=http)
    client = llm_observe.wrap(genai.Client(api_key="k", http_options=options), provider=named)
    client.interactions.create(model="gemini-test", input="hi")
    assert (recorder.only.provider, recorder.only.server_address) == (provider, "proxy")


ERRORS: dict[str, Any] = {
    "too_many_requests": lambda: httpx2.Response(429, json={"error": {"code": "too_many_requests"}}),
    "connection_error": lambda: httpx2.ConnectError("no"),
    "timeout": lambda: httpx2.ReadTimeout("late"),
}


@pytest.mark.parametrize("code", ERRORS)
async def test_an_interaction_without_an_answer(recorder, side, code):
    def play(_: httpx2.Request) -> httpx2.Response:
        answer: Any = ERRORS[code]()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx2.Response)
        return answer

    transport = httpx2.MockTransport(play)
    options = HttpOptions(
        httpx_client=httpx2.Client(transport=transport),
        httpx_async_client=httpx2.AsyncClient(transport=transport),
    )
    client = side(llm_observe.wrap(genai.Client(api_key="k", http_options=options)))
    with pytest.raises(Exception, match=r".*"):
        await settled(client.interactions.create(model="gemini-test", input="hi"))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, code)


RESUMED = [delta(" indeed"), last("completed")]


@pytest.mark.parametrize("how", ["get", "resume"])
async def test_a_background_interaction_whose_stream_is_cut(recorder, side, how):
    again = INTERACTION if how == "get" else arriving(RESUMED)
    interactions = side(gemini_client(arriving(HEAD), again)).interactions
    await read(await settled(interactions.create(**ASKED, background=True)))
    assert not recorder.calls
    if how == "get":
        await settled(interactions.get("i1"))
    else:
        await read(await settled(interactions.get("i1", stream=True, last_event_id="e1")))
    log = recorder.only
    assert log.outcome == OUTCOME_SUCCESS
    assert log.output_preview == ("all is well" if how == "get" else "all is well indeed")


def candidate(**fields: Any) -> Event:
    return {"candidates": [{"index": 0, **fields}]}


USAGE = {"usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}}
STREAMS: dict[str, tuple[list[Event], int]] = {
    "blocked": ([{"promptFeedback": {"blockReason": "SAFETY"}, **USAGE}], OUTCOME_SUCCESS),
    "stopped for safety": ([gemini_chunk("all "), candidate(finishReason="SAFETY")], OUTCOME_SUCCESS),
    "an unknown part": (
        [candidate(content={"parts": [{"newPart": {}}], "role": "model"}), GEMINI_EVENTS[2]],
        OUTCOME_SUCCESS,
    ),
    "usage after the end": (
        [GEMINI_EVENTS[0], {**GEMINI_EVENTS[2], "usageMetadata": None}, USAGE],
        OUTCOME_SUCCESS,
    ),
    "cut": (GEMINI_EVENTS[:2], OUTCOME_ERROR),
}


@pytest.mark.parametrize("end", STREAMS)
async def test_a_stream(recorder, side, end):
    events, outcome = STREAMS[end]
    client = side(gemini_client(arriving(events)))
    await read(await settled(client.models.generate_content_stream(model="m", contents="hi")))
    assert recorder.only.outcome == outcome
    if events[-1].get("usageMetadata") == USAGE["usageMetadata"]:
        assert known(recorder.only, "input_token_count") == (4,)
