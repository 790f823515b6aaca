"""Any value that an application passes gives one log that the server accepts, and no exception."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import llm_observe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_observe import _runtime, limits
from llm_observe._config import Config
from llm_observe.exporter import ExportResult
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log
from llm_observe.v1.span_pb2 import Span
from odd import ODD, assert_acceptable, json_values, recording

LOG_ARGUMENTS = (
    "provider",
    "model",
    "operation",
    "input_text",
    "output_text",
    "start_time",
    "latency_s",
    "time_to_first_token_s",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "reported_cost_nano_usd",
    "service_tier",
    "server_address",
    "provider_response_id",
    "retry_count",
    "error_code",
    "error_message",
    "finish_reason",
    "streamed",
    "metadata",
    "log_id",
)
SESSION_ARGUMENTS = ("session_id", "user_id", "conversation_id", "tags", "metadata", "traceparent")
READ_FIELDS = (
    "output_text",
    "response_model",
    "finish_reason",
    "metadata",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "reported_cost_nano_usd",
    "retry_count",
    "provider_response_id",
    "service_tier",
    "server_address",
)
CHAT: Any = {"provider": "p", "model": "m"}


def log_with(argument: str, value: Any) -> None:
    llm_observe.log(**{**CHAT, argument: value})


def session_with(argument: str, value: Any) -> None:
    with llm_observe.session(**{argument: value}), llm_observe.session(**{argument: value}):
        llm_observe.log(**CHAT)


def observe_with(argument: str, value: Any) -> None:
    llm_observe.observe(**{**CHAT, argument: value})(lambda: "fine")()


def pass_to_observed(argument: str, value: Any) -> None:
    """Pass a value by position, by name, in a list and in a dict, and return it."""
    del argument

    @llm_observe.observe(provider="p", model="m")
    def ask(*_places: Any, **_named: Any) -> Any:
        return value

    ask(value, [value], question=value, nested={"a": value})


def stream_observed(argument: str, value: Any) -> None:
    del argument

    @llm_observe.observe(provider="p", model="m")
    def ask() -> Any:
        yield value
        yield "text"

    list(ask())


def read_observed(argument: str, value: Any) -> None:
    llm_observe.observe(**CHAT, read=lambda _: {argument: value})(lambda: "fine")()


PLACES: list[tuple[Callable[[str, Any], None], str]] = [
    *((log_with, name) for name in LOG_ARGUMENTS),
    *((session_with, name) for name in SESSION_ARGUMENTS),
    *((observe_with, name) for name in ("provider", "model", "operation")),
    (pass_to_observed, "any"),
    (stream_observed, "any"),
    *((read_observed, name) for name in READ_FIELDS),
]


@pytest.mark.parametrize(("use", "argument"), PLACES)
def test_any_object_as_any_argument_gives_one_log(use, argument):
    for value in ODD.values():
        with recording() as recorder:
            use(argument, value)
        assert_acceptable(recorder.only)


@given(st.sampled_from(PLACES), json_values)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_any_json_as_any_argument_gives_one_log(place: Any, value: Any):
    use, argument = place
    with recording() as recorder:
        use(argument, value)
    assert_acceptable(recorder.only)


class Exporter:
    """Accepts and keeps every log."""

    def __init__(self) -> None:
        self.logs: list[Log] = []

    def export(self, request: IngestLogsRequest, _timeout_s: float) -> ExportResult:
        self.logs.extend(request.logs)
        return ExportResult(accepted=len(request.logs))


def test_odd_values_are_all_sent_and_counted(monkeypatch):
    exporter = Exporter()
    runtime = _runtime.Runtime(Config(batch_delay_s=0.01, queue_max_bytes=2**30), exporter)
    monkeypatch.setattr(_runtime, "_runtime", runtime)
    for use, argument in PLACES:
        for value in ODD.values():
            use(argument, value)
    logged = len(PLACES) * len(ODD)
    assert runtime.shutdown(60) == (logged, 0, 0)
    assert len(exporter.logs) == logged


def span_with(argument: str, value: Any) -> None:
    with llm_observe.observe(**{"operation": "chain", argument: value}):
        pass


def span_attribute(argument: str, value: Any) -> None:
    with llm_observe.observe(operation="chain", attributes={"key": value}) as span:
        span.set_attribute(value, value)
        span.set_attribute(argument, [value])


def span_around(argument: str, value: Any) -> None:
    """Pass a value to an observed function, which returns it."""
    del argument
    llm_observe.observe(operation="execute_tool")(lambda *_, **__: value)(value, [value], named={"a": value})


def span_of_steps(argument: str, value: Any) -> None:
    del argument

    @llm_observe.observe(operation="execute_tool")
    def step() -> Any:
        yield value
        yield [value]

    list(step())


def span_read(argument: str, value: Any) -> None:
    llm_observe.observe(operation="execute_tool", read=lambda _: {argument: value})(lambda: "fine")()


SPAN_PLACES: list[tuple[Callable[[str, Any], None], str]] = [
    *((span_with, name) for name in ("name", "attributes", "traceparent")),
    (span_attribute, "key"),
    (span_around, "any"),
    (span_of_steps, "any"),
    *((span_read, name) for name in ("output_text", "metadata")),
]


@pytest.mark.parametrize(("use", "argument"), SPAN_PLACES)
def test_any_object_gives_one_span(use, argument):
    for value in ODD.values():
        with recording() as recorder:
            use(argument, value)
        [span] = recorder.spans
        assert Span.FromString(span.SerializeToString()) == span
        assert span.name
        assert len(span.attributes) <= 64
        assert len(str(span)) < 20_000


def test_an_odd_outcome_is_refused():
    for value in ODD.values():
        with recording() as recorder, pytest.raises(ValueError, match="outcome must be"):
            log_with("outcome", value)
        assert not recorder.calls


CLOCKS: dict[str, tuple[int, int, int]] = {
    "before 1970": (-(10**18), 5, 6),
    "in 2090": (3_786_912_000 * 10**9, 5, 6),
    "turned back": (time.time_ns(), 10**12, 5),
    "leaping": (time.time_ns(), 5, 10**19),
}
"""What the clocks of an application's tests may say: the time, and the ticks at the start and afterwards."""


def words():
    yield "a"


@pytest.mark.parametrize("clock", CLOCKS)
def test_any_clock_gives_one_log_and_one_span(recorder, monkeypatch, clock):
    now_ns, start, later = CLOCKS[clock]
    with monkeypatch.context() as patched:
        patched.setattr("time.time_ns", lambda: now_ns)
        patched.setattr("time.perf_counter_ns", iter([start] + [later] * 9).__next__)
        list(llm_observe.observe(provider="p", model="m")(words)())
        patched.setattr("time.perf_counter_ns", iter([start] + [later] * 9).__next__)
        llm_observe.observe(operation="execute_tool")(lambda: None)()
    assert_acceptable(recorder.only)
    (span,) = recorder.spans
    begun, ended = span.start_time.ToNanoseconds(), span.end_time.ToNanoseconds()
    assert 0 <= begun <= ended <= begun + limits.MAX_LATENCY_S * 10**9
    assert begun <= time.time_ns() + limits.MAX_AHEAD_S * 10**9
