"""MLflow's tracing, which writes every attribute as JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.response_ids import response_id_in
from codec.otlp.sources import Dialect, Role, answer, json_text, until_event, user_text, within
from codec.otlp.usage import Usage, read_paths, read_vendor_usage
from codec.otlp.values import dig, to_text

if TYPE_CHECKING:
    from codec.otlp.span import Span

_TYPES: Final = {
    "LLM": Role(is_call=True, operation="chat"),
    "CHAT_MODEL": Role(is_call=True, operation="chat"),
    "EMBEDDING": Role(is_call=True, operation="embeddings"),
    "TOOL": Role(is_call=False, operation="execute_tool"),
    "AGENT": Role(is_call=False, operation="invoke_agent"),
    "RETRIEVER": Role(is_call=False, operation="retrieval"),
    "WORKFLOW": Role(is_call=False, operation="invoke_workflow"),
}
_PATHS: Final = {
    "input": (("input_tokens",),),
    "output": (("output_tokens",),),
    "total": (("total_tokens",),),
    "cache_read": (("cache_read_input_tokens",),),
    "cache_write": (("cache_creation_input_tokens",),),
    "reasoning": (("reasoning_tokens",),),
}


def _role_of(span: Span) -> Role | None:
    if "mlflow.spanType" not in span.attributes:
        return None
    kind = (to_text(span.json("mlflow.spanType")) or span.text("mlflow.spanType")).upper()
    return _TYPES.get(kind, Role(is_call=False, operation=kind.lower()))


def _usage(span: Span) -> Usage:
    usage = read_paths(span.json("mlflow.chat.tokenUsage"), _PATHS)
    reported = read_vendor_usage(dig(span.messages("mlflow.spanOutputs"), "usage"))
    return usage.with_details_of(reported) if usage else reported


MLFLOW: Final = Dialect(
    name="mlflow",
    prefixes=frozenset({"mlflow"}),
    role_of=_role_of,
    usage=_usage,
    sources={
        "provider": (json_text("mlflow.llm.provider"), json_text("mlflow.message.format")),
        "model": (within("mlflow.spanInputs", "model"), json_text("model")),
        "answering_model": (json_text("mlflow.llm.model"),),
        "response_model": (within("mlflow.spanOutputs", "model"),),
        "ttft_ns": (until_event("mlflow.chunk.item.0"),),
        "streamed": (within("mlflow.spanInputs", "stream"),),
        "finish_reason": (
            within("mlflow.spanOutputs", "choices", 0, "finish_reason"),
            within("mlflow.spanOutputs", "stop_reason"),
        ),
        "provider_response_id": (response_id_in("mlflow.spanOutputs"),),
        "session_id": (json_text("mlflow.trace.session"),),
        "user_id": (json_text("mlflow.trace.user"),),
        "input_preview": (user_text("mlflow.spanInputs"),),
        "output_preview": (answer("mlflow.spanOutputs"),),
    },
)
