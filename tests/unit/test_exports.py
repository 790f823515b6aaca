"""Exports of Langfuse and Phoenix become the spans that their SDKs would have sent, whatever their form."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from codec.exports.requests import LangfuseExport, PhoenixExport, requests_of
from codec.exports.rows import UnreadableExport, read_rows
from codec.exports.spans import to_id, to_time_ns
from codec.otlp.decode_protobuf import read_spans
from codec.otlp.requests import read_request

NOW_S = 1_800_000_000.0
TRACE, SPAN, ROOT = "a" * 32, "b" * 16, "c" * 16
GENERATION: dict[str, Any] = {
    "id": SPAN,
    "trace_id": TRACE,
    "project_id": "p",
    "environment": "staging",
    "type": "GENERATION",
    "parent_observation_id": ROOT,
    "start_time": "2026-05-29 13:46:19.963000",
    "end_time": "2026-05-29 13:46:21.963000",
    "name": "answer",
    "metadata": {"plan": "pro"},
    "level": "DEFAULT",
    "status_message": "",
    "input": '[{"role": "user", "content": "What is the weather?"}]',
    "output": '{"role": "assistant", "content": "Sunny."}',
    "provided_model_name": "gpt-5-mini",
    "usage_details": {"input": 10, "output": 5, "input_cached_tokens": 4, "total": 19},
    "cost_details": {"input": 0.1},
    "completion_start_time": "2026-05-29 13:46:20.463000",
    "user_id": "u7",
    "session_id": "s1",
    "tags": ["beta"],
    "release": "1.2",
}
AGENT = {**GENERATION, "id": ROOT, "parent_observation_id": "", "type": "AGENT", "name": "helper",
         "provided_model_name": "", "usage_details": {}, "completion_start_time": None}  # fmt: skip
SCORE = {"id": "x", "timestamp": "2026-05-29 13:46:19.963000", "trace_id": TRACE, "name": "good", "value": 1,
         "source": "API", "data_type": "NUMERIC"}  # fmt: skip


def camel(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the API names its fields."""
    names = {key: key.split("_")[0] + "".join(map(str.title, key.split("_")[1:])) for key in row}
    return {names[key]: value for key, value in row.items()}


def to_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({key: json.dumps(v) if isinstance(v, dict | list) else v for key, v in row.items()})
    return text.getvalue().encode()


def to_parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return a file as ClickHouse writes it: objects are maps."""
    maps = {
        "metadata": pa.map_(pa.string(), pa.string()),
        "usage_details": pa.map_(pa.string(), pa.uint64()),
        "cost_details": pa.map_(pa.string(), pa.float64()),
    }
    table = pa.Table.from_pylist([{k: v for k, v in row.items() if k not in maps} for row in rows])
    for name, kind in maps.items():
        column = pa.array([list(row[name].items()) for row in rows], type=kind)
        table = table.append_column(name, column)
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


ROWS = [AGENT, GENERATION]
FORMS: dict[str, Callable[[], bytes]] = {
    "a list": lambda: json.dumps(ROWS, indent=1).encode(),
    "lines": lambda: "\n".join(map(json.dumps, ROWS)).encode(),
    "lines, packed": lambda: gzip.compress("\n".join(map(json.dumps, ROWS)).encode()),
    "csv": lambda: to_csv(ROWS),
    "csv with a mark": lambda: b"\xef\xbb\xbf" + to_csv(ROWS),
    "parquet": lambda: to_parquet(ROWS),
    "the API": lambda: json.dumps({"data": list(map(camel, ROWS)), "meta": {"cursor": "x"}}).encode(),
    "a trace": lambda: json.dumps(
        {"id": TRACE, "timestamp": "2026-05-29T13:46:19Z", "observations": list(map(camel, ROWS))}
    ).encode(),
    "a trace beside": lambda: json.dumps(
        {"trace": {"id": TRACE, "timestamp": "2026-05-29T13:46:19Z"}, "observations": ROWS}, indent=2
    ).encode(),
}


def convert(product: Any, *paths: Any) -> tuple[list[ExportTraceServiceRequest], dict[str, int]]:
    export = product(paths)
    requests = [request for path in paths for request in requests_of(export, path)]
    return requests, dict(export.skipped)


def views_of(requests: list[ExportTraceServiceRequest]) -> dict[str, Any]:
    """Return what the mapping of OTLP makes of them, by span id."""
    spans = [span for request in requests for span in read_spans(request)]
    read = read_request(spans, NOW_S)
    assert not read.rejected
    return {span.span.span_id: span for span in read.spans.values()}


def written(tmp_path, content: bytes, name: str = "export"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_an_export_of_langfuse_is_read_in_each_form(form, tmp_path):
    requests, skipped = convert(LangfuseExport, written(tmp_path, FORMS[form]()))
    assert skipped == {}
    spans = views_of(requests)
    assert set(spans) == {SPAN, ROOT}
    call, agent = spans[SPAN], spans[ROOT]
    assert not agent.view.HasField("start_time"), "it is no call"
    assert agent.node.operation == "invoke_agent"
    log = call.view
    assert (log.trace_id, log.span_id, log.parent_span_id) == (TRACE, SPAN, ROOT)
    assert (log.model, log.operation, log.environment, log.release) == (
        "gpt-5-mini", "chat", "staging", "1.2",
    )  # fmt: skip
    assert (log.input_token_count, log.output_token_count, log.cache_read_token_count) == (14, 5, 4)
    assert (log.session_id, log.user_id, list(log.tags)) == ("s1", "u7", ["beta"])
    assert (log.input_preview, log.output_preview) == ("What is the weather?", "Sunny.")
    assert (log.latency.ToMilliseconds(), log.time_to_first_token.ToMilliseconds()) == (2000, 500)


def test_rows_of_traces_say_whose_observations_are(tmp_path):
    context = ("user_id", "session_id", "tags", "release")
    bare = {key: value for key, value in GENERATION.items() if key not in context}
    trace = {"id": TRACE, "timestamp": "2026-05-29 13:46:19.963000", "name": "t", "user_id": "u9",
             "session_id": "s9", "release": "2", "tags": ["old"]}  # fmt: skip
    observations = written(tmp_path, json.dumps([bare]).encode(), "observations")
    traces = written(tmp_path, json.dumps([trace]).encode(), "traces")
    requests, skipped = convert(LangfuseExport, observations, traces)
    (read,) = views_of(requests).values()
    assert (read.view.user_id, read.view.session_id, list(read.view.tags)) == ("u9", "s9", ["old"])
    assert skipped == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SCORE, "a score"),
        ({}, "a row of another kind"),
        (7, "a row of another kind"),
        ({**GENERATION, "type": "NEW"}, "a row of another kind"),
        ({**GENERATION, "id": ""}, "an observation without an id"),
        ({**GENERATION, "start_time": "soon"}, "an observation without a start time"),
        (
            {**GENERATION, "end_time": None, "completion_start_time": None},
            "an observation that has not ended",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_is_no_span_is_counted(row, reason, tmp_path):
    requests, skipped = convert(LangfuseExport, written(tmp_path, json.dumps([row, GENERATION]).encode()))
    assert skipped == {reason: 1}
    assert len(views_of(requests)) == 1


def test_an_event_takes_no_time_and_an_error_is_one(tmp_path):
    event = {**AGENT, "type": "EVENT", "end_time": None}
    failed = {**GENERATION, "level": "ERROR", "status_message": "rate limit: Error code: 429"}
    requests, _ = convert(LangfuseExport, written(tmp_path, json.dumps([event, failed]).encode()))
    spans = views_of(requests)
    assert spans[ROOT].span.duration_ns == 0
    assert spans[SPAN].view.http_status == 429


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"usage": {"input": 3, "output": 2, "total": 5, "unit": "TOKENS"}}, (3, 2)),
        ({"promptTokens": 3, "completionTokens": 2, "totalTokens": 5}, (3, 2)),
        ({"usage": {"input": 30, "output": 20, "unit": "CHARACTERS"}}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_older_usage_is_read(usage, counts, tmp_path):
    row = {**camel({**GENERATION, "usage_details": {}}), **usage}
    requests, _ = convert(LangfuseExport, written(tmp_path, json.dumps(row).encode()))
    (read,) = views_of(requests).values()
    assert (read.view.input_token_count, read.view.output_token_count) == counts


PHOENIX: dict[str, Any] = {
    "id": "U3Bhbjox",
    "name": "ChatCompletion",
    "context": {"trace_id": TRACE, "span_id": SPAN},
    "span_kind": "LLM",
    "parent_id": ROOT,
    "start_time": "2026-05-29T13:46:19.963000+00:00",
    "end_time": "2026-05-29T13:46:21.963000+00:00",
    "status_code": "OK",
    "status_message": "",
    "attributes": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-5-mini",
        "llm.provider": "openai",
        "llm.token_count.prompt": 14,
        "llm.token_count.completion": 5,
        "llm.token_count.prompt_details.cache_read": 4,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "What is the weather?",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "Sunny.",
        "llm.invocation_parameters": '{"model": "gpt-5-mini", "stream": true}',
        "session.id": "s1",
        "user.id": "u7",
        "metadata": {"thread_id": "t1"},
        "tag.tags": ["beta"],
    },
    "events": [
        {
            "name": "First Token Stream Event",
            "timestamp": "2026-05-29T13:46:20.463000+00:00",
            "attributes": {},
        }
    ],
}
NESTED = {
    **PHOENIX,
    "attributes": {
        "llm": {
            "model_name": "gpt-5-mini",
            "provider": "openai",
            "token_count": {"prompt": 14, "completion": 5, "prompt_details": {"cache_read": 4}},
            "input_messages": [{"message": {"role": "user", "content": "What is the weather?"}}],
            "output_messages": [{"message.role": "assistant", "message.content": "Sunny."}],
            "invocation_parameters": {"model": "gpt-5-mini", "stream": True},
        },
        "session": {"id": "s1"},
        "user": {"id": "u7"},
        "metadata": {"thread_id": "t1"},
        "tag": {"tags": ["beta"]},
    },
}


def frame_row() -> dict[str, Any]:
    """Return a row as a data frame of spans has it, written with times in milliseconds."""
    attributes = {f"attributes.{key}": value for key, value in PHOENIX["attributes"].items()}
    times = {
        name: int(datetime.fromisoformat(PHOENIX[name]).timestamp() * 1000)
        for name in ("start_time", "end_time")
    }
    kept = {key: PHOENIX[key] for key in ("name", "span_kind", "parent_id", "status_code", "events")}
    ids = {f"context.{key}": value for key, value in PHOENIX["context"].items()}
    return {**kept, **times, **ids, **attributes, "attributes.llm.prompts": None}


PHOENIX_FORMS: dict[str, Callable[[], bytes]] = {
    "the API": lambda: json.dumps({"data": [PHOENIX], "next_cursor": None}).encode(),
    "nested attributes": lambda: json.dumps([NESTED]).encode(),
    "a trace": lambda: json.dumps({"traceId": TRACE, "rootSpan": PHOENIX, "spans": [PHOENIX]}).encode(),
    "traces": lambda: json.dumps([{"traceId": TRACE, "spans": [PHOENIX]}]).encode(),
    "a data frame": lambda: json.dumps([frame_row()]).encode(),
    "lines": lambda: gzip.compress(json.dumps(frame_row()).encode()),
}


@pytest.mark.parametrize("form", PHOENIX_FORMS)
def test_an_export_of_phoenix_is_read_in_each_form(form, tmp_path):
    requests, skipped = convert(PhoenixExport, written(tmp_path, PHOENIX_FORMS[form]()))
    assert skipped == {}
    (read,) = views_of(requests).values()
    log = read.view
    assert (log.trace_id, log.span_id, log.parent_span_id) == (TRACE, SPAN, ROOT)
    assert (log.provider, log.model, log.streamed) == ("openai", "gpt-5-mini", True)
    assert (log.input_token_count, log.output_token_count, log.cache_read_token_count) == (14, 5, 4)
    assert (log.session_id, log.user_id, log.conversation_id) == ("s1", "u7", "t1")
    assert (log.input_preview, log.output_preview, list(log.tags)) == (
        "What is the weather?", "Sunny.", ["beta"],
    )  # fmt: skip
    assert (log.latency.ToMilliseconds(), log.time_to_first_token.ToMilliseconds()) == (2000, 500)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "annotation"}, "a row of another kind"),
        ({**PHOENIX, "context": {"trace_id": TRACE}}, "a span without an id"),
        ({**PHOENIX, "start_time": None}, "a span without a start time"),
        ({**PHOENIX, "end_time": None}, "a span that has not ended"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_of_phoenix_that_is_no_span_is_counted(row, reason, tmp_path):
    requests, skipped = convert(PhoenixExport, written(tmp_path, json.dumps([row, PHOENIX]).encode()))
    assert skipped == {reason: 1}
    assert len(views_of(requests)) == 1


def test_large_files_become_several_requests(tmp_path):
    rows = [{**GENERATION, "id": f"{number:016x}"} for number in range(1, 1202)]
    lines = "\n".join(map(json.dumps, rows)).encode()
    requests, _ = convert(LangfuseExport, written(tmp_path, lines))
    assert [len(r.resource_spans[0].scope_spans[0].spans) for r in requests] == [500, 500, 201]


@pytest.mark.parametrize(
    ("value", "size", "kept"),
    [
        (TRACE, 16, TRACE),
        (TRACE.upper(), 16, TRACE),
        ("01234567-89ab-cdef-0123-456789abcdef", 16, "0123456789abcdef0123456789abcdef"),
        ("0" * 32, 16, None),
        ("my trace", 16, None),
        ("01234567-89ab-cdef-0123-456789abcdef", 8, None),
    ],
)
def test_ids_are_kept_or_follow_from_theirs(value, size, kept):
    made = to_id(value, size, "langfuse")
    assert len(made) == size
    assert made == to_id(value, size, "langfuse")
    assert any(made)
    assert kept is None or made.hex() == kept


@pytest.mark.parametrize(
    "value",
    [1_780_062_379.5, 1_780_062_379_500, 1_780_062_379_500_000, 1_780_062_379_500_000_000, "1780062379500",
     "2026-05-29 13:46:19.500000", "2026-05-29T13:46:19.5Z", "2026-05-29T15:46:19.500+02:00",
     datetime(2026, 5, 29, 13, 46, 19, 500_000, tzinfo=UTC)],
    ids=repr,
)  # fmt: skip
def test_a_time_is_read_in_each_form(value):
    assert to_time_ns(value) == 1_780_062_379_500_000_000


@pytest.mark.parametrize("value", [None, "", "soon", True, -1, 0, float("nan"), float("inf"), [], "9" * 21])
def test_what_is_no_time_is_none(value):
    assert to_time_ns(value) is None


@pytest.mark.parametrize(
    "content",
    [b"[1", b'{"a": 1}\nnot json', b"PAR1", gzip.compress(b"[]", mtime=0)[:-4], b"\xff\xfe,\n", b"[" * 5_000],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_export_is_refused(content, tmp_path):
    with pytest.raises(UnreadableExport):
        list(read_rows(written(tmp_path, content)))


def test_an_empty_file_has_no_rows(tmp_path):
    assert list(read_rows(written(tmp_path, b"\n\n"))) == []
