"""A deployment with `--profile observability`, seen through a receiver of OTLP and through Prometheus.

The receiver must print each span as Rotel does, which stands in for Jaeger where its image cannot be had.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.compose.project import check_counts, compose, container, inside, run, say, sql, until

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
DEMO_LOGS = 2000
INGEST = "llm_observe.v1.IngestService/IngestLogs"
TARGETS = {
    "prometheus": 1,
    "llm-observe-server": 1,
    "llm-observe-worker": 2,  # the scheduler is one of them
}

APPLICATION = """
import llm_observe
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
llm_observe.configure(endpoint="server:50051")
with provider.get_tracer("check").start_as_current_span("answer a question") as span:
    llm_observe.log(provider="check", model="m", latency_s=0.1, input_tokens=3, output_tokens=5)
assert llm_observe.flush(60).sent == 1
provider.shutdown()
print(f"{span.get_span_context().trace_id:032x}")
"""
"""Calls a model inside a span of its own; prints the trace's id."""

OTLP_CALL = """
import json, time, urllib.request
now = time.time_ns()
named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "check", "gen_ai.request.model": "m"}
span = {
    "traceId": "1" * 32, "spanId": "2" * 16, "name": "chat m", "kind": 3,
    "startTimeUnixNano": str(now - 10**9), "endTimeUnixNano": str(now),
    "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()],
}
body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
request = urllib.request.Request(
    "http://server:4318/v1/traces", body, {"content-type": "application/json"}
)
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
"""Sends a call as any exporter of OTLP over HTTP does; prints the answer."""

FETCH = """
import sys, urllib.request
for url in sys.argv[1:]:
    print(urllib.request.urlopen(url, timeout=60).read().decode().strip())
"""


class SeenSpan(NamedTuple):
    """A span as the receiver printed it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


def parse_spans(printed: str) -> list[SeenSpan]:
    """Parse what Rotel prints with `--debug-log-verbosity detailed`."""
    spans = []
    for resource in re.split(r"^ResourceSpans #\d+$", printed, flags=re.MULTILINE)[1:]:
        about, *each = re.split(r"^Span #\d+$", resource, flags=re.MULTILINE)
        service = _find(r"-> service\.name: Str\((.*)\)", about)
        spans += [
            SeenSpan(
                service,
                _find(r"Name +: (.*)", text),
                _find(r"Trace ID +: (\w*)", text),
                _find(r"ID +: (\w*)", text),
                _find(r"Parent ID +: (\w*)", text),
            )
            for text in each
        ]
    return spans


def _find(pattern: str, text: str) -> str:
    found = re.search(rf"^ *{pattern}", text, re.MULTILINE)
    assert found, (pattern, text)
    return found[1].strip()


def received() -> list[SeenSpan]:
    """Return what has come to Jaeger's port, by way of the collector."""
    return parse_spans(run("docker", "logs", container("jaeger")["Id"]).stdout)


def ask(*paths: str) -> list[Any]:
    """Ask Prometheus from within its network, and return the data of each answer."""
    urls = [f"http://prometheus:9090/api/v1/{path}" for path in paths]
    answers = [json.loads(line) for line in inside("server", "python", "-c", FETCH, *urls).splitlines()]
    assert all(answer["status"] == "success" for answer in answers)
    return [answer["data"] for answer in answers]


def query(*expressions: str) -> list[list[Any]]:
    """Return the series that each expression yields now."""
    return [data["result"] for data in ask(*(f"query?query={quote(each)}" for each in expressions))]


def number(expression: str) -> float | None:
    """Return the value of an expression that yields one series, None where it yields none."""
    (series,) = query(expression)
    return float(series[0]["value"][1]) if series else None


def check_trace() -> None:
    """A call is one trace, from application to worker, at a receiver behind the collector."""
    started = ("run", "--rm", "-T", "--no-deps", "-e", "OTEL_SERVICE_NAME=application", "server")
    trace_id = compose(*started, "python", "-c", APPLICATION).splitlines()[-1]
    until("one trace of three processes", lambda: len(trace_of(trace_id)) >= 3)
    spans = trace_of(trace_id)
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        parent = by_id[span.parent_id].name if span.parent_id else "none"
        say(f"trace {trace_id}: {span.service}: {span.name}; parent: {parent}")
    assert [span[:2] for span in spans] == [
        ("application", "answer a question"),
        ("llm-observe-server", INGEST),
        ("llm-observe-worker", "process logs"),
    ]
    assert [span.parent_id for span in spans] == ["", spans[0].span_id, spans[1].span_id]


def trace_of(trace_id: str) -> list[SeenSpan]:
    return sorted(span for span in received() if span.trace_id == trace_id)


def check_targets() -> None:
    """Prometheus reads every process."""

    def up() -> dict[str, int]:
        return {each["metric"]["job"]: int(each["value"][1]) for each in query("sum by (job) (up)")[0]}

    until(f"targets up: {TARGETS}", lambda: up() == TARGETS)
    for target in ask("targets")[0]["activeTargets"]:
        say(f"target {target['labels']['job']} {target['scrapeUrl']}: {target['health']}")
        assert target["health"] == "up", target["lastError"]


def check_numbers(expected: int) -> None:
    """What Prometheus says is what was sent, what is in the database, and what was traced."""
    accepted = 'sum(llm_observe_ingest_logs_total{result="accepted"})'
    others = 'sum(llm_observe_ingest_logs_total{result!="accepted"}) or vector(0)'
    stored = 'sum(llm_observe_written_logs_total{result="stored"})'
    until(f"accepted {expected}", lambda: number(accepted) == expected)
    until(f"stored {expected}", lambda: number(stored) == expected == sql("SELECT count(*) FROM logs"))
    assert number(others) == 0
    say(f"Prometheus: accepted {expected}, otherwise 0, stored {expected}; rows {expected}")
    calls = 'sum(llm_observe_rpc_duration_seconds_count{method="IngestService/IngestLogs"})'
    until("as many calls as spans", lambda: number(calls) == sum(span.name == INGEST for span in received()))
    say(f"Prometheus: {number(calls):.0f} calls of IngestLogs; as many spans at the receiver")
    assert number("min(llm_observe_dependency_up)") == 1
    say(f"queue: {number('max(llm_observe_queue_depth)'):.0f} messages, "
        f"{number('max(llm_observe_queue_workers)'):.0f} workers")  # fmt: skip


def check_dashboard() -> None:
    """Prometheus understands every query of the dashboard."""
    text = (DEPLOY / "grafana/llm-observe.json").read_text().replace("$__rate_interval", "1m")
    panels = json.loads(text)["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    answers = query(*expressions)
    empty = [each for each, answer in zip(expressions, answers, strict=True) if not answer]
    say(f"dashboard: {len(expressions)} queries answered, {len(empty)} of them without data: {empty}")


def rules() -> dict[str, Any]:
    return {rule["name"]: rule for group in ask("rules")[0]["groups"] for rule in group["rules"]}


def in_state(state: str) -> list[str]:
    return [name for name, rule in rules().items() if rule["state"] == state]


def check_rules() -> None:
    """All alert rules are evaluated without an error, none fires, and one does when there is reason to."""
    written = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus/alerts.yml").read_text())
    until("every rule evaluated", lambda: all(rule["health"] == "ok" for rule in rules().values()))
    found = rules()
    assert sorted(found) == sorted(written)
    assert not in_state("firing")
    # (Demo traffic of the last week waits for the lake; the alert fires after a quarter of an hour.)
    say(f"{len(found)} alert rules loaded and evaluated; pending: {in_state('pending')}; firing: none")
    compose("stop", "worker")
    until("alert fires", lambda: rules()["LlmObserveNoWorkers"]["state"] == "firing")
    say(f"worker stopped; firing: {in_state('firing')}")
    compose("start", "worker")
    until("alert over", lambda: rules()["LlmObserveNoWorkers"]["state"] == "inactive")
    say("worker started; LlmObserveNoWorkers inactive")


def check_otlp(logs: int) -> None:
    """What comes by OTLP over HTTP is a log, too."""
    started = ("run", "--rm", "-T", "--no-deps", "app", "python", "-c", OTLP_CALL)
    answer = json.loads(compose(*started).splitlines()[-1])
    assert not answer.get("partialSuccess"), answer
    until("a call by OTLP stored", lambda: sql("SELECT count(*) FROM logs") == logs)
    accepted = 'sum(llm_observe_otlp_items_total{signal="span",result="accepted"})'
    until("a call by OTLP counted", lambda: number(accepted) == 1)
    say(f"OTLP over HTTP: {number(accepted):.0f} call accepted; rows {logs}")


def check_observability() -> None:
    check_targets()
    say(inside("server", "llm-observe", "demo-traffic", "--logs", str(DEMO_LOGS)))
    check_trace()
    check_numbers(DEMO_LOGS + 1)
    check_dashboard()
    check_rules()
    check_counts(DEMO_LOGS + 1)
    check_otlp(DEMO_LOGS + 2)
