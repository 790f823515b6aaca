"""Spans, for the three places that open one: an RPC, a call of a provider, a write of logs.

Without settings nothing of this does anything, and OpenTelemetry is not imported. Contexts travel as
values of the W3C header ``traceparent``, and only those of spans that are sampled.

No attribute may hold text of a caller, an address of one, or the text of an exception.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.otlp_traces import OtlpSpan, OtlpTracer

    AttributeValue: TypeAlias = str | int | float | bool | Sequence[str]
    Attributes: TypeAlias = Mapping[str, AttributeValue]
    AnySpan: TypeAlias = "Span | OtlpSpan"

Kind = Literal["server", "client", "consumer"]
MAX_PARENTS: Final = 16
"""Spans that a batch may come from; further ones are not followed."""
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_tracer: OtlpTracer | None = None


class Span:
    """A span that is current inside ``with``, and ends with it. This one records nothing."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, error_type: str) -> None:
        """Mark the span as failed, by a word that tells the kind of error."""


NO_SPAN: Final = Span()


def install(tracer: OtlpTracer | None) -> None:
    """Record spans with a tracer from now on; None ends that."""
    global _tracer  # noqa: PLW0603 - one tracer per process, as one configuration of logging
    _tracer = tracer


def is_on() -> bool:
    """Return whether spans are recorded."""
    return _tracer is not None


def open_span(name: str, kind: Kind, attributes: Attributes, parents: Sequence[str] | None = None) -> AnySpan:
    """Return a span to enter.

    Args:
        name: Of few values.
        kind: Its role in a conversation between processes.
        attributes: What is known of it now.
        parents: Values of ``traceparent``: one is the span's parent, several are linked from a trace of its
            own, and none begins a trace. None means the current span.
    """
    return NO_SPAN if _tracer is None else _tracer.open_span(name, kind, attributes, parents)


def ignores(parents: Sequence[str]) -> bool:
    """Return whether what continues ``parents`` is not recorded, because their caller has decided so.

    This is known before a span is made. Nothing begins inside either.
    """
    return (
        len(parents) == 1
        and _tracer is not None
        and _tracer.follows_callers
        and not int(parents[0][-2:], 16) & 1
    )


def current_traceparent() -> str:
    """Return the current span's ``traceparent``; empty unless it is sampled."""
    return "" if _tracer is None else _tracer.current_traceparent()


def current_ids() -> tuple[str, str] | None:
    """Return trace id and span id of the current span, if there is one."""
    return None if _tracer is None else _tracer.current_ids()


def parse_traceparents(text: str) -> list[str]:
    """Return the values of ``traceparent`` in a list with commas, without those that are malformed."""
    if not text:
        return []
    values = text.split(",", MAX_PARENTS)[:MAX_PARENTS]
    return [value for value in values if _TRACEPARENT.fullmatch(value)]
