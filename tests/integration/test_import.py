"""`llm-observe import otlp` sends files that hold export requests in any of their forms."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from codec.otlp.files import count_items, split
from stack.cli.main import cli
from storage.api_keys import DEFAULT_PROJECT
from storage.logs import count_logs
from tests.support.otlp_bodies import body, span
from tests.support.recordings import to_protobuf
from tests.support.waiting import eventually

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.usage.output_tokens": 1,
}
METRICS: dict[str, list[object]] = {"resourceMetrics": []}


@pytest.fixture
def run(monkeypatch, tmp_path, server):
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")

    async def invoke(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["import", "otlp", *arguments])

    return invoke


def bodies() -> list[dict[str, Any]]:
    return [body(span(number + 1, attributes=CALL)) for number in range(3)]


def protobufs() -> list[bytes]:
    return [to_protobuf(each).SerializeToString() for each in bodies()]


FORMS = {
    "one document": lambda: json.dumps(
        body(*(span(n + 1, attributes=CALL) for n in range(3))), indent=1
    ).encode(),
    "lines": lambda: "\n".join(map(json.dumps, [*bodies(), METRICS])).encode() + b"\n\n",
    "a list": lambda: json.dumps(bodies(), indent=1).encode(),
    "protobuf": lambda: b"".join(protobufs()),
    "protobuf behind its size": lambda: b"".join(len(each).to_bytes(4, "big") + each for each in protobufs()),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_becomes_logs_however_often_it_is_sent(run, worker, database, tmp_path, form):
    file = written(tmp_path / "traces", FORMS[form]())
    for _ in range(2):
        done = await run(str(file), "--json")
        assert done.exit_code == 0, done.output
        # What the worker logs meanwhile stands before it, or behind.
        summary, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
        assert summary["items"] == 3
    await eventually(lambda: _has(database, 3))


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


async def _has(database, count: int) -> bool:
    return await count_logs(database, project_id=DEFAULT_PROJECT) == count


async def test_rejected_spans_are_counted_and_explained(run, tmp_path):
    file = written(tmp_path / "traces", json.dumps(body(span(1), span(2, endTimeUnixNano="1"))).encode())
    done = await run(str(file))
    assert done.exit_code == 0, done.output
    assert "end_time_unix_nano" in done.output


@pytest.mark.parametrize("content", [b"hello", b"{}", b"[1]", b'{"resourceSpans": 5}', b"\x00\x01\x02"])
async def test_what_is_no_export_is_refused(run, tmp_path, content):
    done = await run(str(written(tmp_path / "other", content)))
    assert done.exit_code == 1


def test_large_requests_are_split():
    request = to_protobuf(body(*(span(number + 1) for number in range(2_500))))
    pieces = list(split(request))
    assert [count_items(piece) for piece in pieces] == [1_000, 1_000, 500]
    assert pieces[0].resource_spans[0].resource == request.resource_spans[0].resource  # type: ignore[union-attr] # spans make traces
    assert list(split(ExportLogsServiceRequest())) == []
