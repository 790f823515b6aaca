"""Makes bodies of export requests, in OTLP's JSON."""

from __future__ import annotations

import json
from typing import Any

TRACE_ID = "5b8efff798038103d269b633813fc60c"
START_NS = 1_795_600_000_000_000_000
MILLISECOND = 1_000_000


def span(number: int = 1, parent: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a span of 100 ms; ``attributes`` and ``events`` are written in Python's types.

    Args:
        number: Makes its id.
        parent: Makes its parent's; 0 for a root.
        fields: Whatever else it has, in OTLP's names.
    """
    made = {
        "traceId": TRACE_ID,
        "spanId": span_id(number),
        "parentSpanId": span_id(parent) if parent else "",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 100 * MILLISECOND),
        **fields,
    }
    made["attributes"] = pairs(fields.get("attributes", {}))
    made["events"] = [
        {"name": name, "timeUnixNano": str(START_NS + at_ns), "attributes": pairs(attributes)}
        for name, at_ns, attributes in fields.get("events", ())
    ]
    return made


def body(
    *spans: dict[str, Any], scope: str = "test", resource: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a request with spans of one instrumentation."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs({"service.name": "shop", **(resource or {})})},
                "scopeSpans": [{"scope": {"name": scope, "version": "1"}, "spans": list(spans)}],
            }
        ]
    }


def span_id(number: int) -> str:
    """Return an id."""
    return f"{number:016x}"


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as OTLP writes them."""
    return [{"key": key, "value": value_of(value)} for key, value in attributes.items()]


def value_of(value: Any) -> dict[str, Any]:
    """Return a value as OTLP writes it."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def messages(*turns: tuple[str, str]) -> str:
    """Return messages as OpenTelemetry writes them into an attribute."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns])
