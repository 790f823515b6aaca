"""OpenInference, of Arize: the kind of a span, and messages spread over attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.response_ids import response_id_in
from codec.otlp.sources import (
    Dialect,
    Role,
    answer,
    indexed_answer,
    indexed_user_text,
    until_event,
    user_text,
    within,
)
from codec.otlp.usage import read_keys

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.usage import Usage

_KINDS: Final = {
    "LLM": Role(is_call=True, operation="chat"),
    "EMBEDDING": Role(is_call=True, operation="embeddings"),
    "TOOL": Role(is_call=False, operation="execute_tool"),
    "AGENT": Role(is_call=False, operation="invoke_agent"),
    "RETRIEVER": Role(is_call=False, operation="retrieval"),
}
_USAGE_KEYS: Final = {
    "input": ("llm.token_count.prompt",),
    "output": ("llm.token_count.completion",),
    "total": ("llm.token_count.total",),
    "cache_read": ("llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"),
    "cache_write": ("llm.token_count.prompt_details.cache_write",),
    "reasoning": ("llm.token_count.completion_details.reasoning",),
    "audio_input": ("llm.token_count.prompt_details.audio",),
    "audio_output": ("llm.token_count.completion_details.audio",),
}


def _role_of(span: Span) -> Role | None:
    kind = span.text("openinference.span.kind").upper()
    return _KINDS.get(kind, Role(is_call=False, operation=kind.lower())) if kind else None


def _usage(span: Span) -> Usage:
    return read_keys(span.attributes, _USAGE_KEYS)


OPENINFERENCE: Final = Dialect(
    name="openinference",
    prefixes=frozenset({"openinference", "llm", "input", "output", "metadata", "tag", "embedding"}),
    role_of=_role_of,
    usage=_usage,
    sources={
        "provider": ("llm.provider", "llm.system"),
        "model": (
            "llm.request.model_name",
            within("llm.invocation_parameters", "model"),
            within("llm.invocation_parameters", "model_name"),
            within("metadata", "ls_model_name"),
            within("embedding.invocation_parameters", "model"),
        ),
        "answering_model": ("llm.model_name", "embedding.model_name"),
        "response_model": ("llm.response.model_name",),
        "ttft_ns": (until_event("First Token Stream Event"),),
        "finish_reason": ("llm.finish_reason",),
        "streamed": (within("llm.invocation_parameters", "stream"),),
        "provider_response_id": (response_id_in("output.value"),),
        "session_id": ("session.id", within("metadata", "session_id")),
        "conversation_id": (within("metadata", "thread_id"), within("metadata", "conversation_id")),
        "user_id": ("user.id", within("metadata", "user_id")),
        "tags": ("tag.tags",),
        "cost": ("llm.cost.total",),
        "input_preview": (
            indexed_user_text("llm.input_messages", "message."),
            user_text("input.value"),
            "embedding.embeddings.0.embedding.text",
        ),
        "output_preview": (indexed_answer("llm.output_messages", "message."), answer("output.value")),
    },
)
