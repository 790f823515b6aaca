"""OpenTelemetry's conventions for generative AI, in the three forms that are emitted today."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codec.otlp.event_texts import event_answer, event_finish_reason, event_user_text
from codec.otlp.outcomes import request_id_in_error
from codec.otlp.sources import (
    Dialect,
    Role,
    answer,
    first_of,
    indexed_answer,
    indexed_user_text,
    milliseconds,
    seconds,
    seconds_or_milliseconds,
    until_event,
    user_text,
    within,
)
from codec.otlp.usage import read_keys, read_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.otlp.span import Span
    from codec.otlp.usage import Usage
    from codec.otlp.values import Value

CALLS: Final = {
    "chat": "chat", "generate_content": "chat", "responses": "chat", "response": "chat", "messages": "chat",
    "generate_text": "chat", "stream_text": "chat", "inference": "chat", "text_completion": "text_completion",
    "completion": "text_completion", "embeddings": "embeddings", "embedding": "embeddings",
    "chat_completion": "chat", "chat_completions": "chat", "chat.completion": "chat",
    "chat.completions": "chat", "llm": "chat", "message": "chat", "messages.create": "chat",
    "converse": "chat", "converse_stream": "chat", "stream_chat": "chat", "generate": "chat",
    "text_generation": "text_completion", "completions": "text_completion", "embed": "embeddings",
}  # fmt: skip
"""Operations that are calls of a model, to the names that logs have. Everything else is a span."""
_AGENT_KEYS: Final = ("gen_ai.agent.name", "gen_ai.agent.id", "gen_ai.tool.name", "gen_ai.workflow.name")
_AGENT_NAME: Final = re.compile(r"\b(?:agent|workflow|crew|tool)\b", re.IGNORECASE)
_USAGE_KEYS: Final = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
    ),
    "total": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.input_tokens_cached",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached_tokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.cache_creation_tokens",
    ),
    "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.completion_tokens.reasoning",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
        "gen_ai.usage.experimental.reasoning_tokens",
        "gen_ai.usage.thoughts_tokens",
    ),
    "audio_input": ("gen_ai.usage.audio.input_tokens", "gen_ai.usage.input_audio_tokens"),
    "audio_output": ("gen_ai.usage.audio.output_tokens", "gen_ai.usage.output_audio_tokens"),
}
_DETAILS: Final[dict[str, dict[str, Sequence[Sequence[str]]]]] = {
    "gen_ai.usage.input_token_details": {
        "cache_read": (("cache_read",), ("cached_tokens",)),
        "cache_write": (("cache_creation",), ("cache_write",)),
        "audio_input": (("audio",), ("audio_tokens",)),
    },
    "gen_ai.usage.output_token_details": {
        "reasoning": (("reasoning",), ("reasoning_tokens",)),
        "audio_output": (("audio",), ("audio_tokens",)),
    },
    # Gemini's own answer, as Google's ADK keeps it.
    "gcp.vertex.agent.llm_response": {
        "total": (("usage_metadata", "total_token_count"),),
        "cache_read": (("usage_metadata", "cached_content_token_count"),),
        "reasoning": (("usage_metadata", "thoughts_token_count"),),
    },
}
"""Attributes that hold parts of the counts as JSON text."""
_FINISH_MESSAGE: Final = within("gen_ai.output.messages", 0, "finish_reason")


def _role_of(span: Span) -> Role | None:
    operation = span.text("gen_ai.operation.name").lower()
    if operation:
        return Role(operation in CALLS, CALLS.get(operation, operation))
    if not span.text("gen_ai.request.model"):
        return None
    counted = any(key in span.attributes for names in ("input", "output") for key in _USAGE_KEYS[names])
    is_agent = any(key in span.attributes for key in _AGENT_KEYS) or _AGENT_NAME.search(span.name)
    return Role(is_call=True, operation="chat") if counted and not is_agent else None


def _usage(span: Span) -> Usage:
    usage = read_keys(span.attributes, _USAGE_KEYS)
    for key, paths in _DETAILS.items():
        if key in span.attributes:
            usage = usage.with_details_of(read_paths(span.json(key), paths))
    return usage


def _model_in_name(span: Span) -> Value:
    """Take the model from the span's name, ``chat gpt-5-mini``."""
    operation, _, model = span.name.partition(" ")
    return model if operation.lower() in CALLS and model and " " not in model else None


GEN_AI: Final = Dialect(
    name="gen_ai",
    role_of=_role_of,
    usage=_usage,
    sources={
        "provider": ("gen_ai.provider.name", "gen_ai.system"),
        "model": ("gen_ai.request.model", _model_in_name),
        "response_model": ("gen_ai.response.model",),
        "ttft_ns": (
            seconds("gen_ai.response.time_to_first_chunk"),
            seconds("gen_ai.client.operation.time_to_first_chunk"),
            seconds_or_milliseconds("gen_ai.server.time_to_first_token"),
            seconds("gen_ai.latency.time_to_first_token"),
            milliseconds("gen_ai.response.ttft"),
            until_event(
                "gen_ai.content.completion.chunk",
                "llm.content.completion.chunk",
                "gen_ai.first_token",
                "First Token Stream Event",
            ),
        ),
        "finish_reason": (
            first_of("gen_ai.response.finish_reasons"),
            "gen_ai.response.finish_reason",
            "anthropic.message.stop_reason",
            _FINISH_MESSAGE,
            event_finish_reason,
        ),
        "streamed": (
            "gen_ai.request.stream",
            "gen_ai.is_streaming",
            "gen_ai.request.is_stream",
            "gen_ai.request.streaming",
        ),
        "provider_response_id": ("gen_ai.response.id",),
        "provider_request_id": (
            "anthropic.request.id",
            "gen_ai.openai.request.id",
            "gen_ai.response.request_id",
            request_id_in_error,
        ),
        "session_id": ("session.id", "gen_ai.session.id", "gcp.vertex.agent.session_id"),
        "conversation_id": ("gen_ai.conversation.id", "gen_ai.thread.id"),
        "user_id": ("user.id", "enduser.id", "gen_ai.user.id", "gen_ai.request.user"),
        "environment": ("deployment.environment.name", "deployment.environment"),
        "service_tier": (
            "gen_ai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "openai.response.service_tier",
            "anthropic.response.service_tier",
        ),
        "server_address": ("server.address",),
        "retry_count": ("http.request.resend_count",),
        "cost": ("gen_ai.usage.cost", "operation.cost"),
        "input_preview": (
            user_text("gen_ai.input.messages"),
            event_user_text,
            indexed_user_text("gen_ai.prompt"),
            user_text("gen_ai.prompt"),
            user_text("gen_ai.request.messages"),
            user_text("gcp.vertex.agent.llm_request"),
        ),
        "output_preview": (
            answer("gen_ai.output.messages"),
            event_answer,
            indexed_answer("gen_ai.completion"),
            answer("gen_ai.completion"),
            answer("gen_ai.response.text"),
            answer("gcp.vertex.agent.llm_response"),
        ),
    },
)
