"""A step of the application around its calls: what the application's thread records of it."""

from __future__ import annotations

import math
import os
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import CANCELLED, SUCCESS, Call, session_chars
from llm_observe._values import KEPT_TEXT_CHARS, to_kept_text, to_text
from llm_observe.ids import random_id
from llm_observe.limits import MAX_SPAN_ATTRIBUTES, MAX_SPAN_KEY_CHARS
from llm_observe.trace_context import (
    SpanIds,
    has_valid_ids,
    is_sampled,
    join,
    opentelemetry_ids,
    span_around,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._session import Session

_OVERHEAD_BYTES: Final = 2_200
"""Memory of a queued Span without its text: 1,000 bytes, measured with tracemalloc. The rest allows for its
attributes, and as in a Call for texts outside ASCII."""
_MAX_WHOLE: Final = 2**53
"""Larger whole numbers are not exact in JSON."""
_open: set[Span] = set()
"""The spans that have not ended."""


class Span(Call):
    """A tool, an agent, a retrieval or another step: what ``observe(operation=...)`` records.

    It is recorded as a call is, but is none: it has no model, and makes no log.
    """

    def __init__(  # a PendingCall waits for a call, and must not get this
        self, operation: str, name: str, session: Session, traceparent: object, sink: Callable[[Span], None]
    ) -> None:
        self.set_unknown()
        self.operation = operation
        self.name = name
        self._submit = sink
        own = join(session.span, traceparent)
        parent = span_around(own)
        if parent is not None and not has_valid_ids(parent):
            parent = None
        self.parent_span_id = f"{parent.span_id:016x}" if parent is not None and is_sampled(parent) else ""
        self.ids = SpanIds(
            random_id(128) if parent is None else parent.trace_id,
            random_id(64),
            surrounding=opentelemetry_ids(),
        )
        self.session = session._replace(span=self.ids)
        """What is current inside it."""
        self.attributes: dict[str, str | float | bool] = {}
        self.output_chunks = []
        _open.add(self)
        self.start_ns = time.time_ns()
        self._mono_start_ns = time.perf_counter_ns()

    @property
    def traceparent(self) -> str:
        """The value of the W3C header for requests that are made inside it."""
        return self.ids.traceparent

    def set_attribute(self, key: object, value: object) -> None:
        """Say something of the step. At most 64 attributes are kept, and of a text 500 characters, redacted.

        Without ``capture_content``, only numbers and booleans are sent.
        """
        name = to_kept_text(key)[:MAX_SPAN_KEY_CHARS]
        if name and (name in self.attributes or len(self.attributes) < MAX_SPAN_ATTRIBUTES):
            self.attributes[name] = _plain(value)

    def finish(self, outcome: int = SUCCESS) -> None:
        """End the span and pass it to the sender. Only the first time counts."""
        if self.finished:
            return
        self.finished, self.outcome = True, outcome
        try:
            _open.discard(self)
            self.latency_ns = time.perf_counter_ns() - self._mono_start_ns
        finally:  # an interrupt, such as KeyboardInterrupt, costs no span
            self._submit(self)

    def compact(self) -> int:
        """Return the memory that the span holds while it is queued, in bytes."""
        self.error_message = to_kept_text(self.error_message)
        texts = (self.name, self.operation, self.error_message, *self.input_text)
        size = sum(map(len, texts)) + self.output_chars + session_chars(self.session)
        for key, value in self.attributes.items():
            size += len(key) + (len(value) if isinstance(value, str) else 8)
        return _OVERHEAD_BYTES + size


def pairs_of(attributes: Any) -> tuple[tuple[object, object], ...]:
    """Return the first pairs of a mapping; none of what is no mapping."""
    try:
        return tuple((key, value) for key, value in islice(attributes.items(), MAX_SPAN_ATTRIBUTES))
    except Exception:  # noqa: BLE001 - None, or the application's own kind of mapping
        return ()


def _plain(value: object) -> str | float | bool:
    """Return a value as an attribute can hold it."""
    kind = type(value)
    if kind is bool or (kind is int and -_MAX_WHOLE <= value <= _MAX_WHOLE):  # type: ignore[operator] # an int
        return value  # type: ignore[return-value] # of one of these types
    if kind is float and math.isfinite(value):  # type: ignore[arg-type] # a float
        return value  # type: ignore[return-value] # as above
    return to_text(value)[:KEPT_TEXT_CHARS]


def end_open_spans() -> None:
    """End the spans that are open when the process exits."""
    for span in list(_open):
        span.finish(CANCELLED)


def _leave_to_parent() -> None:
    """In a forked child: the parent records the spans that it has open, not the child."""
    for span in _open:
        span.finished = True
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
