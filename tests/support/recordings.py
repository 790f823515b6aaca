"""Recordings of real emitters, with the logs that they must become. They are not part of the repository.

They are looked for in ``../shared/data/otlp`` beside it, or where OTLP_RECORDINGS says. Each is a file of
JSON with ``requests`` and ``expected``; a field that is not expected is not compared, and one that is null
must be absent.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(os.environ.get("OTLP_RECORDINGS") or _ROOT.parent / "shared/data/otlp")
_DURATIONS = {"latency_ns": "latency", "time_to_first_token_ns": "time_to_first_token"}
_TIMES = re.compile(r'_?[uU]nix_?[nN]ano": "?(\d{19})\b')
_DAY_NS = 86_400_000_000_000
_ENUMS: dict[str, Any] = {"outcome": Outcome, "usage_source": UsageSource}
ORDERS = ("children first", "parents first", "shuffled")


def recordings() -> list[dict[str, Any]]:
    """Return all recordings; skip the test where there are none."""
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        pytest.skip(f"no recordings of emitters in {FOLDER}")
    return [_moved_to_today(json.loads(file.read_text())) for file in files]


def bodies(recording: dict[str, Any], signal: str = "traces") -> list[dict[str, Any]]:
    """Return the bodies of a recording's requests, as JSON."""
    return [request["body"] for request in recording["requests"] if request["signal"] == signal]


def one_by_one(recording: dict[str, Any], order: str) -> list[dict[str, Any]]:
    """Return the spans of a recording, each in a request of its own."""
    split = [piece for body in bodies(recording) for piece in _split(body)]
    depths = _depths([_span_of(piece) for piece in split])
    if order == "shuffled":
        random.Random(recording["name"]).shuffle(split)
        return split
    return sorted(
        split, key=lambda piece: depths[_span_of(piece)["spanId"]], reverse=order == "children first"
    )


def to_protobuf(body: dict[str, Any]) -> ExportTraceServiceRequest | ExportLogsServiceRequest:
    """Return a body's message."""
    message = ExportTraceServiceRequest() if "resourceSpans" in body else ExportLogsServiceRequest()
    return json_format.ParseDict(_with_base64_ids(deepcopy(body)), message, ignore_unknown_fields=True)


def differences(log: Log, expected: dict[str, Any]) -> list[str]:
    """Return how a log differs from what it must be."""
    found = []
    for field, value in expected.items():
        wanted, actual = value, _value_of(log, field)
        if field == "start_time_unix_nano" or (field in _DURATIONS and value is not None):
            wanted = int(value) // 1000
        elif field == "session_id" and value == "<trace_id>":
            wanted = log.trace_id
        if (actual or None) != (wanted or None) and actual != wanted:
            found.append(f"{field}: {actual!r} is not {wanted!r}")
    return found


def expected_of(log: Log, expected: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what a log must be: by its span, or the only one where the span is not said."""
    named = [each for each in expected if each.get("span_id") == log.span_id]
    unnamed = [each for each in expected if "span_id" not in each]
    return next(iter(named or unnamed), None)


def _value_of(log: Any, field: str) -> Any:
    """Return a field as recordings have it; times in microseconds, as they are stored."""
    if field in _DURATIONS:
        return getattr(log, _DURATIONS[field]).ToMicroseconds()
    if field == "start_time_unix_nano":
        return log.start_time.ToMicroseconds()
    if field in _ENUMS:
        return _ENUMS[field].Name(getattr(log, field)).removeprefix(f"{field.upper()}_")
    if field.endswith("_count") or field == "http_status":
        return getattr(log, field) if log.HasField(field) else None
    return list(log.tags) if field == "tags" else getattr(log, field)


def _moved_to_today(recording: dict[str, Any]) -> dict[str, Any]:
    """Move all times by whole days: what is older than the retention would not be stored."""
    text = json.dumps(recording)
    newest_ns = max(map(int, _TIMES.findall(text)))
    shift_ns = (time.time_ns() - newest_ns) // _DAY_NS * _DAY_NS
    moved = _TIMES.sub(lambda match: match[0].replace(match[1], str(int(match[1]) + shift_ns)), text)
    recording_of_today: dict[str, Any] = json.loads(moved)
    return recording_of_today


def _split(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in body["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield {"resourceSpans": [{**resource, "scopeSpans": [{**scope, "spans": [span]}]}]}


def _span_of(body: dict[str, Any]) -> dict[str, Any]:
    span: dict[str, Any] = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return span


def _depths(spans: list[dict[str, Any]]) -> dict[str, int]:
    parents = {span["spanId"]: span.get("parentSpanId") for span in spans}

    def depth(span_id: str) -> int:
        parent = parents.get(span_id)
        return 1 + depth(parent) if parent is not None and parent in parents else 0

    return {span_id: depth(span_id) for span_id in parents}


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_base64(key, _with_base64_ids(item)) for key, item in value.items()}
    return [_with_base64_ids(item) for item in value] if isinstance(value, list) else value


def _to_base64(key: str, value: Any) -> Any:
    if key in {"traceId", "spanId", "parentSpanId"} and isinstance(value, str):
        return base64.b64encode(bytes.fromhex(value)).decode()
    return value
