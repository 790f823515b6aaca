"""Messages as JSON: every kind of field, absent ones left out, counts as numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from llm_observe.v1 import admin_service_pb2, alert_service_pb2, health_service_pb2

from stack.cli.to_json import to_json

ID = UUID(int=7)


def plain(value: object) -> object:
    return json.loads(to_json(value))


def test_counts_are_numbers_and_maps_are_objects():
    entry = admin_service_pb2.LedgerEntry(producer_id="p", sent_count=2**62, dropped_counts={"full": 3})
    entry.hour.FromJsonString("2026-01-02T03:00:00Z")
    shown = plain(entry)
    assert shown == {
        "producer_id": "p",
        "hour": "2026-01-02T03:00:00Z",
        "sent_count": 2**62,
        "stored_count": 0,
        "duplicate_count": 0,
        "rejected_count": 0,
        "dead_lettered_count": 0,
        "dropped_counts": {"full": 3},
        "missing_batch_count": 0,
        "sdk": "",
    }


def test_absent_fields_are_left_out_and_zeros_are_not():
    assert "dead_letter_count" not in to_json(health_service_pb2.CheckResponse())
    shown = json.loads(to_json(health_service_pb2.CheckResponse(dead_letter_count=0)))
    assert shown == {
        "state": "HEALTH_STATE_UNSPECIFIED",
        "dependencies": [],
        "dead_letter_count": 0,
        "version": "",
        "problems": [],
    }


def test_messages_in_messages_and_durations():
    response = health_service_pb2.CheckResponse()
    response.dependencies.add(
        name="redis", state=health_service_pb2.HEALTH_STATE_HEALTHY
    ).latency.FromMicroseconds(1600)
    assert json.loads(to_json(response))["dependencies"] == [
        {"name": "redis", "state": "HEALTH_STATE_HEALTHY", "latency": "0.001600s", "message": ""}
    ]


def test_enums_have_names_or_numbers_that_are_not_known():
    request = admin_service_pb2.DeadLetterFilter()
    request.states.extend([1, 99])  # type: ignore[list-item] # a later release's
    assert json.loads(to_json(request))["states"] == ["DEAD_LETTER_STATE_WAITING", 99]
    rule = alert_service_pb2.AlertRule(comparison=alert_service_pb2.COMPARISON_BELOW)
    assert json.loads(to_json(rule))["comparison"] == "COMPARISON_BELOW"


def test_rows_of_the_database():
    time = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert plain({"id": ID, "time": time, "none": None}) == {
        "id": str(ID),
        "time": datetime(2026, 1, 2, 1, tzinfo=UTC).isoformat(),
        "none": None,
    }


def test_what_is_not_known_is_an_error():
    with pytest.raises(TypeError, match="object"):
        to_json(object())


def test_one_line():
    assert to_json({"a": [1]}, indent=None) == '{"a": [1]}'
