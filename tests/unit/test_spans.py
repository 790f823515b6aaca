"""Which spans OpenTelemetry records, whatever its sampler, and that they tell nothing of an exception."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from telemetry import tracing
from telemetry.logging import _trace_ids
from telemetry.otlp_traces import OtlpTracer

SAMPLED = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]
UNSAMPLED = f"00-{3:032x}-{3:016x}-00"


@pytest.fixture
def make_tracer(monkeypatch):
    made = []

    def make(sampler: str) -> OtlpTracer:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        made.append(OtlpTracer("test", follows_callers=sampler.startswith("parentbased")))
        tracing.install(made[-1])
        return made[-1]

    yield make
    tracing.install(None)
    for tracer in made:
        tracer.exporter.shutdown()  # its collector is away, which it would wait for


@pytest.mark.parametrize(
    ("sampler", "parents", "is_ignored", "is_recorded"),
    [
        ("parentbased_always_on", [], False, True),
        ("parentbased_always_on", [UNSAMPLED], True, False),
        ("parentbased_always_off", [], False, False),
        ("parentbased_always_off", SAMPLED[:1], False, True),
        ("parentbased_always_off", SAMPLED, False, True),
        ("always_off", SAMPLED[:1], False, False),
        ("always_off", SAMPLED, False, True),
        ("always_on", [UNSAMPLED], False, True),
    ],
)
def test_samplers_decide_except_where_several_traces_are_continued(
    make_tracer, sampler, parents, is_ignored, is_recorded
):
    make_tracer(sampler)
    assert tracing.ignores(parents) == is_ignored
    with tracing.open_span("x", "server", {}, parents):
        assert bool(tracing.current_traceparent()) == is_recorded


def test_the_current_span_is_the_parent_by_default(make_tracer):
    make_tracer("always_on")
    with tracing.open_span("outer", "server", {}, SAMPLED[:1]):
        outer = tracing.current_traceparent()
        with tracing.open_span("inner", "client", {}):
            assert tracing.current_traceparent()[:36] == outer[:36]
            assert tracing.current_traceparent() != outer
        assert tracing.current_traceparent() == outer
    assert tracing.current_traceparent() == ""


def test_an_exception_that_passes_leaves_nothing(make_tracer):
    make_tracer("always_on")
    with pytest.raises(ValueError, match="a prompt"), tracing.open_span("x", "server", {}) as span:
        raise ValueError("a prompt")
    recorded = span._span  # type: ignore[union-attr] # the tracer made it
    assert isinstance(recorded, ReadableSpan)
    assert "prompt" not in recorded.to_json()
    assert not recorded.events


def test_a_line_of_the_log_names_the_span_in_which_it_is_written(make_tracer):
    assert _trace_ids(None, "info", {}) == {}
    make_tracer("always_on")
    assert _trace_ids(None, "info", {}) == {}
    with tracing.open_span("x", "server", {}, SAMPLED[:1]):
        line = _trace_ids(None, "info", {"event": "e"})
        assert line["trace_id"] == f"{1:032x}"
        assert len(line["span_id"]) == 16
