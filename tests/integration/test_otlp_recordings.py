"""Recordings of real emitters become the logs that they must, however they are sent."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from llm_observe.v1.analytics_service_pb2 import GetLogRequest
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.support.recordings import (
    ORDERS,
    bodies,
    differences,
    expected_of,
    one_by_one,
    recordings,
    to_protobuf,
)
from tests.support.rollups import assert_rollups_are_right
from tests.support.rpc import stub
from tests.support.waiting import eventually


async def over_grpc(server, channel, sent: list[dict[str, Any]]) -> None:
    traces = stub(TraceServiceStub, channel)
    for body in sent:
        response = await traces.Export(to_protobuf(body))
        assert not response.HasField("partial_success")


async def over_http(server, channel, sent: list[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.otlp_http.port}") as client:
        for body in sent:
            headers = {"content-type": "application/x-protobuf"}
            content = to_protobuf(body).SerializeToString()
            response = await client.post("/v1/traces", content=content, headers=headers)
            assert (response.status_code, response.content) == (200, b"")


async def as_json(server, channel, sent: list[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.otlp_http.port}") as client:
        for body in sent:
            response = await client.post("/v1/traces", json=body)
            assert (response.status_code, response.json()) == (200, {})


def whole(recording: dict[str, Any]) -> list[dict[str, Any]]:
    return bodies(recording)


def twice(recording: dict[str, Any]) -> list[dict[str, Any]]:
    return [*bodies(recording), *bodies(recording)]


def split(order: str):
    return lambda recording: one_by_one(recording, order)


WAYS = [
    pytest.param(over_grpc, whole, id="gRPC"),
    pytest.param(over_http, whole, id="HTTP protobuf"),
    pytest.param(as_json, twice, id="HTTP JSON, twice"),
    *(pytest.param(over_grpc, split(order), id=f"one by one, {order}") for order in ORDERS),
]


@pytest.mark.parametrize(("send", "requests_of"), WAYS)
async def test_recordings_become_the_logs_that_they_must(
    server, worker, channel, database, sql, send, requests_of
):
    known = recordings()
    for recording in known:
        await send(server, channel, requests_of(recording))
    await eventually(lambda: queue_is_empty(channel))
    analytics = stub(AnalyticsServiceStub, channel)
    trace_ids = {trace_id: recording["name"] for recording in known for trace_id in traces_of(recording)}
    by_recording: dict[str, list[Any]] = {recording["name"]: [] for recording in known}
    for row in await sql.fetch("SELECT log_id, trace_id FROM logs"):
        log = (await analytics.GetLog(GetLogRequest(log_id=str(row["log_id"])))).log
        by_recording[trace_ids[row["trace_id"]]].append(log)
    wrong = [
        difference
        for recording in known
        for difference in compared(recording, by_recording[recording["name"]])
    ]
    assert wrong == []
    await assert_rollups_are_right(database)


def compared(recording: dict[str, Any], logs: list[Any]) -> list[str]:
    expected = recording["expected"]["logs"]
    if len(logs) != len(expected):
        return [f"{recording['name']}: {len(logs)} logs, not {len(expected)}"]
    found = [(log, expected_of(log, expected)) for log in logs]
    assert Counter(id(each) for _, each in found).most_common(1)[0][1] == 1
    return [f"{recording['name']}: {text}" for log, each in found for text in differences(log, each or {})]


def traces_of(recording: dict[str, Any]) -> set[str]:
    text = json.dumps(bodies(recording))
    spans = [
        span
        for body in json.loads(text)
        for resource in body["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    return {span["traceId"] for span in spans}


async def queue_is_empty(channel) -> bool:
    health = await stub(HealthServiceStub, channel).Check(CheckRequest())
    return bool(health.queue.depth == 0)
