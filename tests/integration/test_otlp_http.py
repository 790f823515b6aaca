"""The ports of OTLP answer every request: keys, encodings, limits, wrong spans and hostile bodies."""

# ruff: noqa: E501 - a table of bodies

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from server.app import Server
from storage.api_keys import DEFAULT_PROJECT
from storage.logs import count_logs
from tests.support.keys import make_key
from tests.support.otlp_bodies import START_NS, body, span
from tests.support.recordings import to_protobuf
from tests.support.rpc import info_of, stub
from tests.support.server import running_server
from tests.support.waiting import eventually

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.usage.output_tokens": 1,
}
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
async def http(server):
    async with httpx.AsyncClient(base_url=address_of(server)) as client:
        yield client


def request_bytes(*spans: dict[str, Any]) -> bytes:
    return json.dumps(body(*(spans or (span(attributes=CALL),)))).encode()


async def test_answers_come_in_the_type_of_the_request(http):
    answer = await http.post("/v1/traces", content=request_bytes(), headers=JSON)
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (
        200,
        JSON["content-type"],
        {},
    )
    sent = to_protobuf(json.loads(request_bytes())).SerializeToString()
    answer = await http.post("/v1/traces", content=sent, headers=PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF["content-type"])
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),
        ("identity", bytes),
    ],
)
async def test_bodies_may_be_packed(http, worker, database, encoding, pack):
    headers = {**JSON, "content-encoding": encoding}
    answer = await http.post("/api/public/otel/v1/traces", content=pack(request_bytes()), headers=headers)
    assert answer.status_code == 200
    await eventually(lambda: count_logs(database, project_id=DEFAULT_PROJECT))


async def chunks(data: bytes):
    for start in range(0, len(data), 100):
        yield data[start : start + 100]


async def test_a_body_may_come_in_chunks(http):
    answer = await http.post("/v1/traces", content=chunks(request_bytes()), headers=JSON)
    assert answer.status_code == 200


async def test_wrong_spans_are_rejected_alone_and_never_named_by_value(http, worker, database):
    secret = "hunter2" + "x" * 9
    answer = await http.post(
        "/v1/traces",
        headers=JSON,
        content=request_bytes(
            span(1, attributes=CALL),
            span(2, traceId="0" * 32),
            span(3, spanId=secret),
            span(4, endTimeUnixNano=str(START_NS - 1)),
            span(5, startTimeUnixNano="0"),
            span(6, attributes=CALL, startTimeUnixNano=str(10**19), endTimeUnixNano=str(10**19)),
            {"name": "nothing"},
        ),
    )
    rejected = answer.json()["partialSuccess"]
    assert (answer.status_code, int(rejected["rejectedSpans"])) == (200, 6)
    assert "span 1: trace_id" in rejected["errorMessage"]
    assert secret not in rejected["errorMessage"]
    await eventually(lambda: count_logs(database, project_id=DEFAULT_PROJECT))
    assert await count_logs(database, project_id=DEFAULT_PROJECT) == 1


BOMB = gzip.compress(b"0" * (30 << 20))
DEEP = b'{"resourceSpans":' + b"[" * 200_000
WRONG: dict[str, tuple[bytes, dict[str, str], int]] = {
    "no JSON": (b"{", JSON, 400),
    "JSON of another kind": (b"[]", JSON, 400),
    "no UTF-8": (b"\xff\xfe{}", JSON, 400),
    "deep nesting": (DEEP, JSON, 400),
    "no protobuf": (b"\xff\xff\xff", PROTOBUF, 400),
    "no media type": (b"{}", {}, 415),
    "another media type": (b"{}", {"content-type": "text/plain"}, 415),
    "an unknown encoding": (b"{}", {**JSON, "content-encoding": "zstd"}, 415),
    "not gzip": (b"{}", {**JSON, "content-encoding": "gzip"}, 400),
    "gzip that ends early": (BOMB[:50], {**JSON, "content-encoding": "gzip"}, 400),
    "an inflation bomb": (BOMB, {**JSON, "content-encoding": "gzip"}, 413),
    "too long": (b" " * (20 << 20) + b"{}", JSON, 413),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
async def test_wrong_bodies_have_a_rich_answer(http, kind):
    content, headers, status = WRONG[kind]
    answer = await http.post("/v1/traces", content=content, headers=headers)
    assert answer.status_code == status
    if headers.get("content-type") == JSON["content-type"]:
        assert json_format.ParseDict(answer.json(), Status(), ignore_unknown_fields=True).message
    else:
        assert Status.FromString(answer.content).message


HOSTILE = {
    "wrong types": {"resourceSpans": [None, 1, {"scopeSpans": 5}, {"scopeSpans": [{"spans": [7, None, "x"]}]}]},
    "wrong fields": body({**span(), "attributes": [{"key": 5}, None, {"key": "a", "value": {"intValue": "x"}}],
        "events": 4, "status": [], "kind": "SPAN_KIND_CLIENT", "name": {}}),
    "lone surrogates": body(span(attributes={**CALL, "session.id": "\ud800", "\udfff": "x",
        "gen_ai.input.messages": '[{"role": "user", "content": "\\ud800"}]'})),
    "NUL": body(span(attributes={**CALL, "session.id": "a\x00b", "user.id": "\x00"})),
    "numbers out of range": body(span(attributes={**CALL, "gen_ai.usage.input_tokens": 2**63,
        "gen_ai.usage.output_tokens": -1, "gen_ai.usage.total_tokens": 1e300})),
    "JSON in JSON, deep": body(span(attributes={**CALL, "gen_ai.input.messages": "[" * 100_000})),
    "a megabyte": body(span(attributes={**CALL, "gen_ai.input.messages": json.dumps(
        [{"role": "user", "content": "x " * 600_000}])})),
    "many attributes": body(span(attributes={**CALL, **{f"a{number}": "x" for number in range(5_000)}})),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_content_is_taken_or_rejected_and_never_an_error_of_ours(http, worker, channel, kind):
    answer = await http.post("/v1/traces", content=json.dumps(HOSTILE[kind]).encode(), headers=JSON)
    assert answer.status_code == 200


async def test_ten_thousand_spans_are_taken_and_one_more_is_rejected(http):
    spans = [span(number + 1) for number in range(10_001)]
    answer = await http.post("/v1/traces", content=request_bytes(*spans), headers=JSON, timeout=600)
    assert int(answer.json()["partialSuccess"]["rejectedSpans"]) == 1


def address_of(server: Server) -> str:
    assert server.otlp_http is not None
    return f"http://127.0.0.1:{server.otlp_http.port}"


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"pk-lf:{password}".encode()).decode()


async def test_a_password_that_is_no_key_of_ours_is_ignored_where_keys_are_optional(server):
    """Langfuse's SDKs always send one."""
    async with httpx.AsyncClient(base_url=address_of(server)) as client:
        headers = {**JSON, "authorization": _basic("sk-lf-1")}
        answer = await client.post("/api/public/otel/v1/traces", content=request_bytes(), headers=headers)
        assert answer.status_code == 200


async def test_keys_are_needed_where_they_are_and_may_be_a_password(database_url, queue_settings, database):
    key = await make_key(database, "ingest")
    reader = await make_key(database, "read")
    async with (
        running_server(database_url, queue_settings, require_keys=True) as server,
        httpx.AsyncClient(base_url=address_of(server)) as client,
    ):
        for header, status in (
            ({}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({"authorization": "Basic ???"}, 401),
            ({"authorization": _basic("sk-lf-1")}, 401),
            ({"authorization": f"Bearer {reader}"}, 403),
            ({"authorization": f"Bearer {key}"}, 200),
            ({"authorization": _basic(key)}, 200),
        ):
            answer = await client.post("/v1/traces", content=request_bytes(), headers={**JSON, **header})
            assert answer.status_code == status, header
            assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_refusals_say_when_to_come_again(database_url, queue_settings):
    async with (
        running_server(database_url, queue_settings, ingest_logs_per_minute=500) as server,
        httpx.AsyncClient(base_url=address_of(server)) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        sent = request_bytes(*(span(number + 1) for number in range(500)))
        answers = [await client.post("/v1/traces", content=sent, headers=JSON) for _ in range(3)]
        assert 200 in {answer.status_code for answer in answers}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            for _ in range(3):
                await stub(TraceServiceStub, channel).Export(to_protobuf(json.loads(sent)))
        assert info_of(caught.value)[0] == "RATE_LIMITED"


async def test_metrics_are_taken_and_dropped(http, channel):
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "gen_ai.client.token.usage"}]}]}]}
    answer = await http.post("/v1/metrics", content=json.dumps(metrics).encode(), headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    await stub(MetricsServiceStub, channel).Export(ExportMetricsServiceRequest())
    await stub(LogsServiceStub, channel).Export(ExportLogsServiceRequest())


async def test_other_paths_and_methods_are_not_there(http):
    assert (await http.get("/v1/traces")).status_code == 405
    assert (await http.post("/v2/traces")).status_code == 404


async def test_slow_bodies_hold_nobody_up(server, http):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.otlp_http.port)
    writer.write(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
    await writer.drain()
    answer = await http.post("/v1/traces", content=request_bytes(), headers=JSON)
    assert answer.status_code == 200
    writer.close()
    assert reader is not None
