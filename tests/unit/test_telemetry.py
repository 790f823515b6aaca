"""Off by default and free then; settings that say so; exits that wait for no collector."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from telemetry import process, tracing
from telemetry.metrics import TABLE, Metric
from telemetry.otel_settings import TelemetrySettings
from telemetry.settings import SettingsError, load_settings

OFF = """
import json, sys
from telemetry import metrics, tracing
from telemetry.process import recording
import server.app, worker.app
with recording("server", "1"):
    on = metrics.is_on() or tracing.is_on()
heavy = ("opentelemetry.exporter", "prometheus_client", "telemetry.otlp_", "telemetry.prometheus")
loaded = [name for name in sys.modules if name.startswith(heavy)]
print(json.dumps([on, loaded]))
"""


def test_nothing_is_recorded_or_imported_by_default():
    output = subprocess.run([sys.executable, "-c", OFF], check=True, capture_output=True, text=True)
    assert json.loads(output.stdout) == [False, []]
    assert output.stderr == ""


@pytest.mark.parametrize(
    ("env", "traces", "sent_metrics"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}, False, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_SDK_DISABLED": "true"}, False, False),
    ],
)
def test_standard_variables_decide_what_is_sent(monkeypatch, env, traces, sent_metrics):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(TelemetrySettings)
    assert (settings.sends_traces, settings.sends_metrics) == (traces, sent_metrics)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("LLM_OBSERVE_METRICS_PORT", "70000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1"),
    ],
)
def test_what_is_not_supported_is_named(monkeypatch, name, value):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings(TelemetrySettings)


def test_a_closer_that_never_ends_is_left_behind(monkeypatch):
    monkeypatch.setattr(process, "_STOP_S", 0.01)
    ended = threading.Event()
    process._close([threading.Event().wait, ended.set, threading.Event().wait])  # returns
    assert ended.wait(600)


def test_children_are_kept_and_record_only_while_bound():
    recorded = []
    metric = Metric("llm_observe_test", "counter", "1", "A test.", labels=("of",))
    TABLE.remove(metric)
    before = metric.child("a")
    before.record(1)
    metric.bind(lambda values: lambda amount: recorded.append((*values, amount)))
    metric.child("b").record(2)
    before.record(3)
    assert metric.child("a") is before
    metric.bind(None)
    before.record(4)
    assert recorded == [("b", 2), ("a", 3)]


def test_no_span_is_recorded_without_a_tracer():
    with tracing.open_span("x", "server", {}) as span:
        span.set({"a": 1})
        span.fail("Error")
    assert span is tracing.NO_SPAN
    assert tracing.current_traceparent() == ""
    assert tracing.current_ids() is None


GOOD = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (GOOD, [GOOD]),
        (f"{GOOD},{GOOD}", [GOOD, GOOD]),
        (f"{GOOD},x,{GOOD[:-1]},{GOOD}", [GOOD, GOOD]),
        (GOOD.upper(), []),
        (f"01{GOOD[2:]}", []),
        (f"00-{'0' * 32}-{'b' * 16}-01", []),
        (f"00-{'a' * 32}-{'0' * 16}-01", []),
        (f"{GOOD}\n", []),
        (",".join([GOOD] * 40), [GOOD] * tracing.MAX_PARENTS),
        ("," * 100_000, []),
    ],
)
def test_malformed_contexts_are_left_out(text, expected):
    assert tracing.parse_traceparents(text) == expected
