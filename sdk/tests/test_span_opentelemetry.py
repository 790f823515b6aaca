"""Where the application uses OpenTelemetry, our spans and calls hang in its own trace."""

from __future__ import annotations

import llm_observe
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

pytestmark = pytest.mark.usefixtures("no_session_is_left")
tracer = TracerProvider().get_tracer("application")
chain = llm_observe.observe(operation="chain")


def call() -> None:
    llm_observe.log(provider="p", model="m")


def ids(span: trace.Span) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent_of(log_or_span) -> tuple[str, str]:
    return log_or_span.trace_id, log_or_span.parent_span_id


def test_each_belongs_to_the_one_around_it_whosoever_it_is(recorder):
    """Theirs, ours, theirs, ours; and a call in each."""
    with tracer.start_as_current_span("first") as first:
        call()

        @llm_observe.observe(operation="invoke_agent")
        def agent() -> None:
            call()
            with tracer.start_as_current_span("second") as second:
                call()
                chain(call)()
                call()
                seen.append(second)
            call()

        seen: list[trace.Span] = []
        agent()
        call()
    inner, outer = recorder.spans
    theirs, ours = ids(first), (outer.trace_id, outer.span_id)
    assert parent_of(outer) == theirs
    assert parent_of(inner) == ids(seen[0])
    assert [parent_of(log) for log in recorder.logs] == [
        theirs, ours, ids(seen[0]), (inner.trace_id, inner.span_id), ids(seen[0]), ours, theirs,
    ]  # fmt: skip


def test_a_trace_that_is_not_sampled_is_still_ours(recorder):
    unsampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer("application")
    with unsampled.start_as_current_span("first") as first:
        with llm_observe.observe(operation="chain"), unsampled.start_as_current_span("second"):
            call()
        call()
    [span] = recorder.spans
    inside, after = recorder.logs
    assert parent_of(span) == (ids(first)[0], "")
    assert parent_of(inside) == (span.trace_id, span.span_id)
    assert parent_of(after) == (span.trace_id, "")


def test_their_span_of_the_header_s_trace_is_nearer_than_the_header(recorder):
    with tracer.start_as_current_span("request") as request:
        trace_id, span_id = ids(request)
        header = f"00-{trace_id}-{'b' * 16}-01"
        with llm_observe.session(traceparent=header):
            call()
        with llm_observe.observe(operation="chain", traceparent=header):
            pass
    assert parent_of(recorder.only) == parent_of(recorder.spans[0]) == (trace_id, span_id)


def test_the_header_is_nearer_than_their_span_of_another_trace(recorder):
    """As a queue's consumer whose loop is traced, which handles a message of another trace."""
    with tracer.start_as_current_span("loop"):
        with llm_observe.session(traceparent=f"00-{'a' * 32}-{'b' * 16}-01"):
            call()
            with tracer.start_as_current_span("inside") as inside:
                call()
        call()
    of_header, of_span, of_loop = recorder.logs
    assert parent_of(of_header) == ("a" * 32, "b" * 16)
    assert parent_of(of_span) == ids(inside)
    assert of_loop.trace_id == ids(inside)[0]


def test_their_spans_do_not_see_ours(recorder):
    with tracer.start_as_current_span("first") as first, llm_observe.observe(operation="chain"):
        with tracer.start_as_current_span("second") as second:
            pass
        assert trace.get_current_span() is first
    assert second.parent.span_id == first.get_span_context().span_id  # type: ignore[attr-defined] # of the SDK's spans
