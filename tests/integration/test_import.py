"""`llm-observe import otlp` sends files that hold export requests in any of their forms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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

    async def invoke(*arguments: str, product: str = "otlp") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["import", product, *arguments])

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


def this_hour() -> dict[str, str]:
    """Return the times of a call of this hour, as both products write them."""
    start = datetime.now(UTC).replace(microsecond=0)
    return {"start_time": start.isoformat(), "end_time": (start + timedelta(seconds=1)).isoformat()}


EXPORTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "langfuse": lambda: [
        {"id": "root", "trace_id": "t", "type": "AGENT", "name": "helper", **this_hour()},
        {"id": "call", "trace_id": "t", "type": "GENERATION", "parent_observation_id": "root",
         "provided_model_name": "gpt-5-mini", "usage_details": {"input": 3, "output": 4}, **this_hour()},
        {"id": "open", "trace_id": "t", "type": "SPAN", "start_time": this_hour()["start_time"]},
        {"id": "s", "trace_id": "t", "name": "good", "value": 1, "source": "API"},
    ],
    "phoenix": lambda: [
        {"name": "helper", "context": {"trace_id": "t", "span_id": "root"}, "span_kind": "AGENT",
         **this_hour()},
        {"name": "call", "context": {"trace_id": "t", "span_id": "call"}, "parent_id": "root",
         "span_kind": "LLM", "attributes": {"llm.model_name": "gpt-5-mini", "llm.token_count.prompt": 3,
                                            "llm.token_count.completion": 4}, **this_hour()},
        {"context": {"trace_id": "t", "span_id": "open"}, "start_time": this_hour()["start_time"]},
        {"label": "good"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("product", EXPORTS)
async def test_an_export_becomes_a_trace_however_often_it_is_sent(
    product, run, worker, database, sql, tmp_path
):
    file = written(tmp_path / "export", json.dumps(EXPORTS[product]()).encode())
    for _ in range(2):
        done = await run(str(file), "--json", product=product)
        assert done.exit_code == 0, done.output
        summary, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
        assert (summary["items"], summary["rejected"]) == (2, 0)
        assert sorted(summary["skipped"].values()) == [1, 1]
    await eventually(lambda: _has(database, 1))

    async def stored():
        return await sql.fetchval("SELECT count(*) FROM spans") == 2

    await eventually(stored)
    row = await sql.fetchrow("SELECT trace_id, parent_span_id, total_token_count, model FROM logs")
    agent = await sql.fetchrow("SELECT trace_id, span_id, operation FROM spans WHERE log_id IS NULL")
    assert (row["trace_id"], row["parent_span_id"]) == (agent["trace_id"], agent["span_id"])
    assert (row["total_token_count"], row["model"], agent["operation"]) == (7, "gpt-5-mini", "invoke_agent")


async def test_a_summary_names_what_was_skipped(run, tmp_path):
    done = await run(str(written(tmp_path / "scores", b'[{"label": "good"}]')), product="phoenix")
    assert done.exit_code == 0, done.output
    assert "skipped: a row of another kind  1" in done.output


@pytest.mark.parametrize("product", EXPORTS)
async def test_a_damaged_export_is_refused(run, product, tmp_path):
    done = await run(str(written(tmp_path / "export", b"[1")), product=product)
    assert done.exit_code == 1
    assert f"{tmp_path / 'export'}: the file is not JSON" in str(done.exception)
