"""LangSmith's SDK, exporting by OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.dialects.gen_ai import CALLS
from codec.otlp.response_ids import response_id_in
from codec.otlp.sources import Dialect, Role, answer, user_text, within
from codec.otlp.usage import Usage, read_keys, read_vendor_usage

if TYPE_CHECKING:
    from codec.otlp.span import Span

_KINDS: Final = {"tool": "execute_tool", "retriever": "retrieval", "agent": "invoke_agent"}
_KEYS: Final = {
    "input": ("gen_ai.usage.input_tokens",),
    "output": ("gen_ai.usage.output_tokens",),
    "total": ("gen_ai.usage.total_tokens",),
}
_METADATA: Final = "langsmith.metadata."
_MESSAGE: Final = ("gen_ai.completion", "generations", 0, 0, "message", "kwargs", "response_metadata")


def _role_of(span: Span) -> Role | None:
    kind = span.text("langsmith.span.kind").lower()
    if not kind:
        return None
    if kind == "llm":
        return Role(is_call=True, operation=CALLS.get(span.text("gen_ai.operation.name").lower(), "chat"))
    if kind == "embedding":
        return Role(is_call=True, operation="embeddings")
    return Role(is_call=False, operation=_KINDS.get(kind, kind))


def _usage(span: Span) -> Usage:
    reported = read_vendor_usage(span.json(f"{_METADATA}usage_metadata"))
    usage = read_keys(span.attributes, _KEYS)
    return usage.with_details_of(reported) if usage else reported


LANGSMITH: Final = Dialect(
    name="langsmith",
    prefixes=frozenset({"langsmith"}),
    role_of=_role_of,
    usage=_usage,
    ends_are_told=False,
    sources={
        "provider": (f"{_METADATA}ls_provider",),
        "model": ("gen_ai.request.model", f"{_METADATA}ls_model_name"),
        "response_model": (within(*_MESSAGE, "model_name"),),
        "finish_reason": (
            within(*_MESSAGE, "finish_reason"),
            within("gen_ai.completion", "choices", 0, "finish_reason"),
            within("gen_ai.completion", "stop_reason"),
        ),
        "streamed": (f"{_METADATA}stream",),
        "provider_response_id": (response_id_in("gen_ai.completion"),),
        "session_id": (f"{_METADATA}session_id",),
        "conversation_id": (f"{_METADATA}thread_id", f"{_METADATA}conversation_id"),
        "user_id": (f"{_METADATA}user_id",),
        "input_preview": (user_text("gen_ai.prompt"),),
        "output_preview": (answer("gen_ai.completion"),),
    },
)
