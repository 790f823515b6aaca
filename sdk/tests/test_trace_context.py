"""The SDK reads the application's span where there is one, and tells the collector whence a batch comes."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import NamedTuple

import llm_observe
import pytest
from collector import WAIT_S, running_collector
from llm_observe.trace_context import MAX_LINKS, current_span_context, set_trace, trace_metadata, traceparents
from llm_observe.v1.log_pb2 import Log


class Context(NamedTuple):
    trace_id: object = 0xA
    span_id: object = 0xB
    trace_flags: int = 1


@pytest.fixture
def span(monkeypatch):
    """OpenTelemetry, as far as it is read, with a current span that a test may replace."""
    state = SimpleNamespace(context=Context())
    current = SimpleNamespace(get_span_context=lambda: state.context)
    module = SimpleNamespace(get_current_span=lambda: current)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    return state


def log_of(context: object) -> Log:
    log = Log()
    set_trace(log, context)  # type: ignore[arg-type] # anything may come
    return log


def test_a_call_has_the_ids_of_the_span_in_which_it_was_made(span):
    assert current_span_context() == span.context
    log = log_of(span.context)
    assert (log.trace_id, log.parent_span_id, log.span_id) == (f"{0xA:032x}", f"{0xB:016x}", "")


def test_a_span_that_is_not_sampled_gives_its_trace_alone():
    log = log_of(Context(trace_flags=0))
    assert (log.trace_id, log.parent_span_id) == (f"{0xA:032x}", "")
    assert trace_metadata([log]) == (("traceparent", f"00-{0xA:032x}-{1:016x}-00"),)


@pytest.mark.parametrize(
    "context",
    [Context(trace_id=1 << 128), Context(trace_id="a"), Context(trace_id=-1), Context(span_id=1 << 64),
     Context(span_id=0), Context(span_id=None)],
)  # fmt: skip
def test_ids_that_are_none_cost_no_log(context):
    assert log_of(context) == Log()


@pytest.mark.parametrize(
    "module",
    [None, SimpleNamespace(), SimpleNamespace(get_current_span=lambda: None)],
    ids=["not loaded", "half loaded", "no span"],
)
def test_without_a_span_there_is_no_context(monkeypatch, module):
    if module is None:
        monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    assert current_span_context() is None


def test_a_batch_names_each_sampled_trace_once():
    first, again, other = Context(1, 1), Context(1, 2), Context(2, 3)
    logs = [Log(), *map(log_of, (first, again, other, Context(3, 4, trace_flags=0)))]
    named = [f"00-{1:032x}-{1:016x}-01", f"00-{2:032x}-{3:016x}-01"]
    assert traceparents(logs) == named
    assert trace_metadata(logs) == (("llm-observe-links", ",".join(named)),)
    assert trace_metadata(logs[:3]) == (("traceparent", named[0]),)
    assert trace_metadata([Log()]) == ()
    assert len(traceparents(log_of(Context(number, number)) for number in range(1, 99))) == MAX_LINKS


def test_a_sent_log_carries_the_context(span):
    with running_collector() as collector:
        llm_observe.configure(endpoint=collector.endpoint)
        llm_observe.log(provider="p", model="m")
        llm_observe.flush(WAIT_S)
        llm_observe.configure(endpoint="")
    ((log,),) = [request.logs for request in collector.requests]
    assert (log.trace_id, log.parent_span_id) == (f"{0xA:032x}", f"{0xB:016x}")


def test_opentelemetry_is_never_imported():
    program = (
        "import sys, llm_observe\n"
        "llm_observe.LLMClient('demo').chat([{'role': 'user', 'content': 'x'}])\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert output.stdout.strip() == "[]"
