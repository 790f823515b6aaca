"""Spans that show one call are found, in whatever order they come, and lend each other what they know."""

# ruff: noqa: E501 - a table of bodies

from __future__ import annotations

import itertools
import json
import random
import time
from typing import Any

import pytest
from llm_observe.v1.log_pb2 import Log

from codec.otlp import decode_json
from codec.otlp.folding import Node, changed_groups, fold, log_id_of
from codec.otlp.log_events import LogRecord, read_events
from codec.otlp.merging import ALSO_REPORTED_BY, merge_views
from codec.otlp.requests import ReadSpan, read_request
from tests.support.otlp_bodies import MILLISECOND, START_NS, TRACE_ID, body, messages, span, span_id
from tests.support.recordings import bodies, differences, expected_of, recordings

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-x"}
AGENT = {"gen_ai.operation.name": "invoke_agent"}
TOOL = {"gen_ai.operation.name": "execute_tool"}
RESPONSE = {"gen_ai.response.id": "msg_0123456789abcdef"}
OTHER_TRACE = "9b8efff798038103d269b633813fc60c"


def read(*spans: dict[str, Any], scope: str = "test") -> list[ReadSpan]:
    request = read_request(decode_json.read_spans(body(*spans, scope=scope)), time.time() + 1e9)
    assert request.rejected == []
    return list(request.spans.values())


def logs_of(spans: list[ReadSpan]) -> list[Log]:
    """Return the logs of spans that came together."""
    return stored([spans])


def stored(requests: list[list[Any]]) -> list[Log]:
    """Return the logs that are left of requests that came one after the other, as the server folds them."""
    nodes: dict[Any, Node] = {}
    views: dict[Any, Log | None] = {}
    kept: dict[str, Log] = {}
    for order, request in enumerate(requests):
        for each in request:
            first = nodes[each.node.key].order if each.node.key in nodes else order
            nodes[each.node.key] = each.node._replace(order=first)
            views[each.node.key] = each.view
        for group in changed_groups(nodes, {each.node.key for each in request}, order):
            told = [view for key in group.members if (view := views[key]) is not None]
            assert told[0].HasField("start_time")
            shared = [view for key in group.contexts if (view := views[key]) is not None]
            kept[group.log_id] = merge_views(group.log_id, told, shared)
    return list(kept.values())


def shorter(**fields: Any) -> dict[str, Any]:
    return {
        "startTimeUnixNano": str(START_NS + 10 * MILLISECOND),
        "endTimeUnixNano": str(START_NS + 90 * MILLISECOND),
        **fields,
    }


DUPLICATES = {
    "parent and child": [span(1, 9, attributes=CHAT), span(2, 1, **shorter(attributes=CHAT))],
    "one response in two traces": [
        span(1, attributes={**CHAT, **RESPONSE}),
        span(2, traceId=OTHER_TRACE, **shorter(attributes={**CHAT, **RESPONSE})),
    ],
    "nothing between, once more": [
        span(1, 9, attributes=CHAT),
        span(2, 1, **shorter(attributes=CHAT)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", DUPLICATES)
def test_two_views_of_a_call_are_one_log_in_every_order(case):
    spans = read(*DUPLICATES[case])
    for order in itertools.permutations(spans):
        for requests in ([list(order)], [[each] for each in order], [[each] for each in order] * 2):
            found = stored(requests)
            (log,) = [log for log in found if log.span_id.endswith("2")]
            assert log.latency.ToMilliseconds() == 80
            if case != "with a step between" or len(requests) == 1:
                assert len(found) == 1


NO_DUPLICATES = {
    "two calls of an agent": [span(9, attributes=AGENT), span(1, 9, attributes=CHAT), span(2, 9, attributes=CHAT)],
    "a call of a tool of a call": [
        span(1, attributes=CHAT), span(3, 1, attributes=TOOL), span(2, 3, **shorter(attributes=CHAT)),
    ],
    "embeddings in a chat": [
        span(1, attributes=CHAT),
        span(2, 1, **shorter(attributes={**CHAT, "gen_ai.operation.name": "embeddings"})),
    ],
    "short response ids": [
        span(1, attributes={**CHAT, "gen_ai.response.id": "chatcmpl-12"}),
        span(2, traceId=OTHER_TRACE, attributes={**CHAT, "gen_ai.response.id": "chatcmpl-12"}),
    ],
    "a response that is served from a cache later": [
        span(1, attributes={**CHAT, **RESPONSE}),
        span(2, traceId=OTHER_TRACE, attributes={**CHAT, **RESPONSE},
             startTimeUnixNano=str(START_NS + 60_000 * MILLISECOND),
             endTimeUnixNano=str(START_NS + 60_001 * MILLISECOND)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", NO_DUPLICATES)
def test_calls_that_are_two_stay_two(case):
    spans = read(*NO_DUPLICATES[case])
    for order in itertools.permutations(spans):
        assert len(stored([[each] for each in order])) == 2


def test_a_step_between_two_views_ties_them():
    spans = read(span(1, 9, attributes=CHAT), span(3, 1), span(2, 3, **shorter(attributes=CHAT)))
    for requests in ([spans], [[each] for each in spans], [[each] for each in reversed(spans)]):
        (log,) = stored(requests)
        assert log.latency.ToMilliseconds() == 80


def test_the_inner_span_gives_identity_and_the_outer_lends_the_rest():
    usage = {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4}
    text = {"gen_ai.input.messages": messages(("user", "hello")), "session.id": "s", "user.id": "u"}
    outer = read(span(1, attributes={**CHAT, **text}), scope="framework")
    inner = read(span(2, 1, **shorter(attributes={**CHAT, **usage})), scope="client")
    for requests in ([outer, inner], [inner, outer], [outer + inner]):
        (log,) = stored(requests)
        assert (log.span_id, log.source, log.input_token_count) == ("0" * 15 + "2", "client", 3)
        assert (log.input_preview, log.session_id, log.user_id) == ("hello", "s", "u")
        assert log.metadata[ALSO_REPORTED_BY] == "framework"
        # The id is that of the view that came first: a log that is stored is corrected, never doubled.
        assert log.log_id == log_id_of(requests[0][-1 if len(requests) == 1 else 0].node.key)


def test_calls_share_the_session_of_the_agent_around_them():
    agent = read(span(9, attributes={**AGENT, "session.id": "s", "user.id": "u"}))
    calls = read(span(1, 9, attributes=CHAT), span(2, 9, attributes={**CHAT, "session.id": "own"}))
    for requests in ([agent, calls], [calls, agent], [calls + agent]):
        assert {(log.session_id, log.user_id) for log in stored(requests)} == {("s", "u"), ("own", "u")}


def test_a_call_without_a_session_has_its_trace_as_one():
    (log,) = logs_of(read(span(attributes=CHAT)))
    assert log.session_id == log.trace_id


def test_ids_do_not_depend_on_anything_but_the_span():
    assert log_id_of(("a" * 32, "b" * 16)) == log_id_of(("a" * 32, "b" * 16))
    assert log_id_of(("a" * 32, "b" * 16)) != log_id_of(("a" * 32, "c" * 16))


def test_spans_in_a_circle_are_folded_all_the_same():
    spans = read(span(1, 2, attributes=CHAT), span(2, 1, attributes=CHAT), span(3, 3, attributes=CHAT))
    assert len(logs_of(spans)) == 2
    assert fold({each.node.key: each.node for each in spans})


EVENT = {"gen_ai.system": "openai"}


def record(name: str, content: Any, **fields: Any) -> LogRecord:
    return LogRecord(
        name, **{"trace_id": TRACE_ID, "span_id": span_id(1), "attributes": EVENT, "body": content, **fields}
    )


RECORDS = {
    "maps": [record("gen_ai.user.message", {"content": "hello"}),
             record("gen_ai.choice", {"message": {"content": "Fine."}, "finish_reason": "stop"})],
    "JSON text, and names in attributes": [
        record("", '{"role": "user", "content": "hello"}', attributes={"event.name": "gen_ai.user.message"}),
        record("", '{"message": {"content": "Fine."}, "finish_reason": "stop"}',
               attributes={"event.name": "gen_ai.choice"})],
    "one event": [record("gen_ai.client.inference.operation.details", None, attributes={
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}],
        "gen_ai.output.messages": [{"role": "assistant", "finish_reason": "stop",
                                    "parts": [{"type": "text", "content": "Fine."}]}]})],
    "by the response's id": [
        record("gen_ai.client.inference.operation.details", None, trace_id="", span_id="", attributes={
            **RESPONSE, "gen_ai.input.messages": messages(("user", "hello")),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop",
                                                   "parts": [{"type": "text", "content": "Fine."}]}])})],
}  # fmt: skip


@pytest.mark.parametrize("kind", RECORDS)
def test_log_records_lend_their_texts_whenever_they_come(kind):
    call = read(span(1, attributes={**CHAT, **RESPONSE, "gen_ai.usage.output_tokens": 1}))
    events = list(read_events(RECORDS[kind]).values())
    assert events
    orders: list[list[list[Any]]] = [
        [call, events], [events, call], [call + events], [call, *([each] for each in events)]
    ]  # fmt: skip
    for requests in orders:
        (log,) = stored(requests)
        assert (log.input_preview, log.output_preview, log.finish_reason) == ("hello", "Fine.", "stop"), (
            requests
        )


def test_log_records_without_their_call_make_no_log():
    assert stored([list(read_events(RECORDS["maps"]).values())]) == []
    assert read_events([record("com.acme.order", {"content": "x"}), record("gen_ai.choice", None)]) == {}


def test_the_log_records_of_recordings_complete_their_calls():
    for recording in recordings():
        spans = [[each] for request in bodies(recording) for each in read_all(request)]
        events = [
            list(read_events(decode_json.read_records(request)).values())
            for request in bodies(recording, "logs")
        ]
        for requests in (spans + events, events + spans):
            found = {log.span_id: log for log in stored(requests)}
            for wanted in recording["expected"].get("with_log_records") or ():
                assert differences(found[wanted["span_id"]], wanted) == [], recording["name"]
            assert len(found) == len(recording["expected"]["logs"])


def read_all(request: dict[str, Any]) -> list[ReadSpan]:
    return list(read_request(decode_json.read_spans(request), time.time() + 1e9).spans.values())


def test_recordings_are_folded_in_any_order_and_split():
    for recording in recordings():
        spans = [
            each
            for number, request in enumerate(bodies(recording))
            for each in read_request(
                decode_json.read_spans(request), time.time() + number + 1e9
            ).spans.values()
        ]
        expected = recording["expected"]["logs"]
        for seed in range(5):
            random.Random(seed).shuffle(spans)
            for requests in ([spans], [[each] for each in spans]):
                found = stored(requests)
                assert len(found) == len(expected), recording["name"]
                for log in found:
                    wanted = expected_of(log, expected)
                    assert wanted is not None
                    assert differences(log, wanted) == [], recording["name"]
    assert json.dumps(expected)
