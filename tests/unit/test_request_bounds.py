"""Bounds of requests that no other test meets."""

from __future__ import annotations

import ast
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from llm_observe.limits import MAX_AHEAD_S, MAX_LATENCY_S
from llm_observe.v1.admin_service_pb2 import DeadLetterFilter
from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter

import server
from analytics.windows import Window
from codec.rules import find_violation
from server.admin.filters import parse_dead_letter_filter
from server.reads.log_filter import parse_log_filter
from server.reads.queries import fit_step, parse_step
from server.rpc.checks import parse_limit
from server.rpc.errors import InvalidField
from server.rpc.filters import metric_filters
from tests.support.logs import make_log

SERVER = Path(server.__file__).parent
LISTS = ("providers", "models", "operations", "environments")


def test_a_page_has_a_largest_size():
    assert parse_limit("page_size", 2**31 - 1, default=50, maximum=1000) == 1000
    assert parse_limit("page_size", 0, default=50, maximum=1000) == 50
    with pytest.raises(InvalidField):
        parse_limit("page_size", -1, default=50, maximum=1000)


def test_every_size_that_a_request_names_is_bounded_by_a_constant():
    """So that docs/security.md can name it."""
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "parse_limit"
            ):
                (maximum,) = [word.value for word in node.keywords if word.arg == "maximum"]
                assert not isinstance(maximum, ast.Constant), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("field", LISTS)
def test_a_list_in_a_filter_has_a_number_of_values(field):
    assert metric_filters(MetricFilter(**{field: ["a"] * 50}))[field]
    with pytest.raises(InvalidField, match="at most 50"):
        metric_filters(MetricFilter(**{field: ["a"] * 51}))


def filter_of(field: str, value: Any) -> LogFilter:
    return ParseDict({field: value}, LogFilter())


@pytest.mark.parametrize("field", ["error_codes", "tags", "releases"])
def test_a_list_in_a_filter_of_logs_has_a_number_of_values(field):
    parse_log_filter(filter_of(field, ["a"] * 50))
    with pytest.raises(InvalidField, match="at most 50"):
        parse_log_filter(filter_of(field, ["a"] * 51))


@pytest.mark.parametrize("field", ["text", "session_id", "conversation_id", "user_id"])
def test_a_text_to_look_for_has_a_length(field):
    parse_log_filter(filter_of(field, "a" * 200))
    with pytest.raises(InvalidField, match="200 characters"):
        parse_log_filter(filter_of(field, "a" * 201))


def test_a_filter_of_dead_letters_has_a_number_of_ids():
    ids = [str(uuid.uuid4()) for _ in range(1001)]
    parse_dead_letter_filter(DeadLetterFilter(dead_letter_ids=ids[:1000]), "default")
    with pytest.raises(InvalidField, match="1000"):
        parse_dead_letter_filter(DeadLetterFilter(dead_letter_ids=ids), "default")


def test_a_series_has_a_number_of_steps():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    window = Window(start, start + timedelta(hours=1000))
    assert fit_step(timedelta(hours=1), window, start) == timedelta(hours=1)
    with pytest.raises(InvalidField, match="at most 1000 steps"):
        fit_step(timedelta(minutes=59), window, start)
    assert parse_step(Duration(seconds=366 * 86_400)) == timedelta(days=366)
    with pytest.raises(InvalidField, match="at most 366 days"):
        parse_step(Duration(seconds=366 * 86_400 + 60))


def test_a_log_does_not_begin_in_the_far_future():
    log = make_log()
    assert find_violation(log, log.start_time.seconds - MAX_AHEAD_S) is None
    assert "24 hours" in (find_violation(log, log.start_time.seconds - MAX_AHEAD_S - 1) or "")


@pytest.mark.parametrize("field", ["first_token_time", "end_time"])
def test_nor_does_it_end_there(field):
    log = make_log()
    getattr(log, field).FromSeconds(log.start_time.seconds + 9)
    assert find_violation(log, log.start_time.seconds + 9 - MAX_AHEAD_S) is None
    assert f"{field}: must not be more" in (
        find_violation(log, log.start_time.seconds + 8 - MAX_AHEAD_S) or ""
    )


@pytest.mark.parametrize("field", ["latency", "time_to_first_token"])
def test_a_call_takes_a_week_at_most(field):
    log = make_log()
    log.ClearField("latency")
    getattr(log, field).seconds = MAX_LATENCY_S
    now_s = log.start_time.seconds
    assert find_violation(log, now_s) is None
    getattr(log, field).nanos = 1
    assert "7 days" in (find_violation(log, now_s) or "")
