"""Observes calls of providers: a span by OpenTelemetry's GenAI conventions, and metrics.

The names are those of the conventions from 1.37 on, which their later releases keep. Content is never
recorded, nor are names that a caller or a provider chose, unless the settings offer them.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from telemetry import metrics, tracing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe import ChatResult

    from telemetry.tracing import AnySpan, Attributes

_PROVIDERS: Final = {"gemini": "gcp.gemini"}
"""The conventions' names, where they are not ours."""
_FINISH_REASONS: Final = frozenset(
    {"stop", "length", "content_filter", "tool_calls", "end_turn", "max_tokens", "stop_sequence", "refusal",
     "STOP", "MAX_TOKENS", "SAFETY"}
)  # fmt: skip


class ProviderCall:
    """One call."""

    def __init__(self, span: AnySpan, provider: str) -> None:
        self._span = span
        self._provider = provider
        self._begin = time.perf_counter()

    def end(self, outcome: str, error_type: str, result: ChatResult) -> None:
        """Note how it ended.

        Args:
            outcome: success, error or cancelled.
            error_type: A word for the kind of error; empty without one.
            result: What came.
        """
        metrics.PROVIDER_DURATION.child(self._provider, outcome).record(time.perf_counter() - self._begin)
        if result.time_to_first_token_s is not None:
            metrics.PROVIDER_FIRST_TOKEN.child(self._provider).record(result.time_to_first_token_s)
        self._span.set(_attributes_of(result))
        if error_type:
            self._span.fail(error_type)


@contextmanager
def observed_call(provider: str, model: str) -> Iterator[ProviderCall]:
    """Observe the call that is made inside.

    Args:
        provider: A provider that the settings know.
        model: A model that they offer; empty for any other.
    """
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.output.type": "text",
    }
    if model:
        attributes["gen_ai.request.model"] = model
    with tracing.open_span(f"chat {model}".strip(), "client", attributes) as span:
        yield ProviderCall(span, provider)


def _attributes_of(result: ChatResult) -> Attributes:
    attributes: dict[str, int | list[str]] = {}
    if result.input_tokens is not None:
        attributes["gen_ai.usage.input_tokens"] = result.input_tokens
    if result.output_tokens is not None:
        attributes["gen_ai.usage.output_tokens"] = result.output_tokens
    if result.finish_reason in _FINISH_REASONS:
        attributes["gen_ai.response.finish_reasons"] = [result.finish_reason]
    return attributes
