"""OpenLLMetry, of Traceloop: its own conventions before it took OpenTelemetry's, and its workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.providers import provider_of
from codec.otlp.sources import Dialect, Role, indexed_answer, indexed_user_text, json_text

if TYPE_CHECKING:
    from codec.otlp.span import Span

_CALLS: Final = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}
_STEPS: Final = {
    "workflow": "invoke_workflow",
    "agent": "invoke_agent",
    "tool": "execute_tool",
    "task": "task",
}


def _role_of(span: Span) -> Role | None:
    request = span.text("llm.request.type").lower()
    if request in _CALLS:
        operation = _CALLS[request]
        # Its instrumentor of Anthropic calls the messages API a completion.
        if operation == "text_completion" and provider_of(span.text("gen_ai.system"), "") == "anthropic":
            operation = "chat"
        return Role(is_call=True, operation=operation)
    if request:
        return Role(is_call=False, operation=request)
    return None


def _step_of(span: Span) -> Role | None:
    kind = span.text("traceloop.span.kind").lower()
    if not kind or span.text("gen_ai.operation.name"):
        return None
    return Role(is_call=False, operation=_STEPS.get(kind, kind))


OPENLLMETRY: Final = Dialect(
    name="openllmetry",
    prefixes=frozenset({"traceloop", "llm", "gen_ai"}),
    role_of=_role_of,
    sources={
        # Its first versions had no gen_ai names.
        "provider": ("gen_ai.system", "llm.vendor"),
        "model": ("gen_ai.request.model", "llm.request.model"),
        "response_model": ("gen_ai.response.model", "llm.response.model"),
        "input_preview": (indexed_user_text("llm.prompts"),),
        "output_preview": (indexed_answer("llm.completions"),),
        "streamed": ("llm.is_streaming",),
        "finish_reason": (
            "gen_ai.completion.0.finish_reason",
            "llm.response.finish_reason",
            "llm.completions.0.finish_reason",
        ),
        "session_id": ("traceloop.association.properties.session_id",),
        "conversation_id": (
            "traceloop.association.properties.conversation_id",
            "traceloop.association.properties.thread_id",
        ),
        "user_id": ("traceloop.association.properties.user_id", "llm.user"),
        "tags": (json_text("traceloop.association.properties.tags"),),
    },
)
TRACELOOP: Final = Dialect(name="traceloop", role_of=_step_of)
"""Its workflows and steps."""
