"""Makes spans as a producer sends them."""

from __future__ import annotations

import time
from typing import Any

from llm_observe.v1.span_pb2 import SPAN_STATUS_OK, Span


def make_span(number: int = 1, **fields: Any) -> Span:
    """Return a valid span of a trace that this second began."""
    span = Span(
        **{
            "trace_id": "ab" * 16,
            "span_id": f"{number:016x}",
            "name": f"step {number}",
            "operation": "execute_tool",
            "status": SPAN_STATUS_OK,
            "scope": "test",
            **fields,
        }
    )
    if "start_time" not in fields:
        span.start_time.FromSeconds(int(time.time()))
    if "end_time" not in fields:
        span.end_time.FromNanoseconds(span.start_time.ToNanoseconds() + 1_000_000)
    return span
