"""Two views of a call that share no id are found by all that they say; two calls stay two."""

# ruff: noqa: E501 - a table of bodies

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from codec.otlp import decode_json
from codec.otlp.folding import fold
from codec.otlp.requests import read_request
from tests.support.otlp_bodies import MILLISECOND, START_NS, body, messages, span

FRAMEWORK, CLIENT = "openinference.instrumentation.langchain", "openinference.instrumentation.openai"
STREAM: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 25,
    "gen_ai.usage.output_tokens": 7, "gen_ai.input.messages": messages(("user", "How are you?")),
    "gen_ai.output.messages": messages(("assistant", "Fine.")),
}  # fmt: skip
ID = {"gen_ai.response.id": "chatcmpl-0123456789abcdef"}
FAILED = {"code": 2, "message": "Connection error."}
REQUEST_ID = "Error code: 429 - {'type': 'error', 'request_id': 'req_342e66773066436e8519'}"


def view(scope: str, start_ms: int, end_ms: int, process: str = "p", **fields: Any) -> dict[str, Any]:
    """Return a request with a span that is alone in its trace, unless the fields say otherwise."""
    number = start_ms * 1000 + end_ms + len(scope)
    made = {
        "traceId": f"{number:032x}",
        "startTimeUnixNano": str(START_NS + start_ms * MILLISECOND),
        "endTimeUnixNano": str(START_NS + end_ms * MILLISECOND),
        "attributes": STREAM,
        **fields,
    }
    resource = {"service.instance.id": process} if process else {}
    return body(span(number, **made), scope=scope, resource=resource)


def under(parent: int) -> dict[str, Any]:
    return {"traceId": "a" * 32, "parentSpanId": f"{parent:016x}"}


def call_count(*requests: dict[str, Any]) -> int:
    """Return how many calls there are, in whatever order the requests come."""
    counts = set()
    for order in itertools.permutations(requests):
        nodes: dict[Any, Any] = {}
        for request in order:
            read = read_request(decode_json.read_spans(request), time.time() + 1e9)
            assert read.rejected == []
            nodes |= {key: each.node for key, each in read.spans.items()}
        counts.add(len(fold(nodes)))
    (count,) = counts
    return count


ONE: dict[str, list[dict[str, Any]]] = {
    "a stream in two traces": [view(FRAMEWORK, 0, 100), view(CLIENT, 10, 95, attributes={**STREAM, **ID})],
    "below one span": [view(FRAMEWORK, 0, 100, **under(7)), view(CLIENT, 10, 95, **under(7))],
    "a failure": [
        view(FRAMEWORK, 0, 100, status=FAILED),
        view(CLIENT, 10, 95, status={**FAILED, "message": "other words"}),
    ],
    "a failure whose request has an id": [
        view(FRAMEWORK, 0, 100, status={"code": 2, "message": REQUEST_ID}),
        view("com.anthropic.sdk.python", 10, 95, status={"code": 2}, process="",
             attributes={**STREAM, "anthropic.request.id": "req_342e66773066436e8519"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("situation", ONE)
def test_views_of_one_call_are_one(situation):
    assert call_count(*ONE[situation]) == 1


def with_(**attributes: Any) -> dict[str, Any]:
    return {"attributes": {**STREAM, **attributes}}


OTHER_ID = {"gen_ai.response.id": "chatcmpl-fedcba9876543210"}
TWO: dict[str, list[dict[str, Any]]] = {
    "one after the other": [view(FRAMEWORK, 0, 100), view(CLIENT, 101, 190)],
    "they overlap": [view(FRAMEWORK, 0, 100), view(CLIENT, 50, 150)],
    "one instrumentation": [view(CLIENT, 0, 100), view(CLIENT, 10, 95)],
    "two processes": [view(FRAMEWORK, 0, 100), view(CLIENT, 10, 95, process="q")],
    "a process without a name": [view(FRAMEWORK, 0, 100, process=""), view(CLIENT, 10, 95, process="")],
    "two responses": [view(FRAMEWORK, 0, 100, **with_(**ID)), view(CLIENT, 10, 95, **with_(**OTHER_ID))],
    "other tokens": [view(FRAMEWORK, 0, 100), view(CLIENT, 10, 95, **with_(**{"gen_ai.usage.output_tokens": 8}))],
    "another answer": [
        view(FRAMEWORK, 0, 100),
        view(CLIENT, 10, 95, **with_(**{"gen_ai.output.messages": messages(("assistant", "Bad."))})),
    ],
    "another model": [view(FRAMEWORK, 0, 100), view(CLIENT, 10, 95, **with_(**{"gen_ai.request.model": "m"}))],
    "no texts": [
        view(scope, start, end, attributes={key: STREAM[key] for key in list(STREAM)[:4]})
        for scope, start, end in ((FRAMEWORK, 0, 100), (CLIENT, 10, 95))
    ],
    "below two spans": [view(FRAMEWORK, 0, 100, **under(7)), view(CLIENT, 10, 95, **under(8))],
    "two equal calls at once, each seen twice": [
        view(FRAMEWORK, 0, 100), view(CLIENT, 10, 95), view(FRAMEWORK, 1, 101), view(CLIENT, 11, 96),
    ],
    "two equal calls, of which one is seen twice": [
        view(FRAMEWORK, 0, 100), view(CLIENT, 10, 60), view(CLIENT, 20, 90),
    ],
}  # fmt: skip


@pytest.mark.parametrize("situation", TWO)
def test_two_calls_stay_two(situation):
    assert call_count(*TWO[situation]) == 2
