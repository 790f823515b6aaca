"""The Vercel AI SDK: ``ai.streamText.doStream`` is the call, ``ai.streamText`` around it has sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.sources import Dialect, Role, answer, milliseconds, until_event, user_text
from codec.otlp.usage import Usage, read_keys
from codec.otlp.values import dig, to_count

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_CALLS: Final = {".doGenerate": "chat", ".doStream": "chat", ".doEmbed": "embeddings"}
_OUTER: Final = {"ai.toolCall": "execute_tool"}
_METADATA: Final = "ai.telemetry.metadata."
_KEYS: Final = {
    "input": (
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "gen_ai.usage.input_tokens",
        "ai.usage.tokens",
    ),
    "output": ("ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"),
    "total": ("ai.usage.totalTokens",),
    "cache_read": ("ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens"),
    "cache_write": ("ai.usage.inputTokenDetails.cacheWriteTokens", "ai.usage.cacheCreationInputTokens"),
    "reasoning": ("ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
}


def _role_of(span: Span) -> Role | None:
    operation = span.text("ai.operationId")
    if not operation:
        return None
    for ending, name in _CALLS.items():
        if operation.endswith(ending):
            return Role(is_call=True, operation=name)
    return Role(is_call=False, operation=_OUTER.get(operation, operation))


def _usage(span: Span) -> Usage:
    """Read the counts. Older versions tell of Anthropic's cache in the provider's metadata alone."""
    usage = read_keys(span.attributes, _KEYS)
    anthropic = dig(span.json("ai.response.providerMetadata"), "anthropic")
    written = to_count(dig(anthropic, "cacheCreationInputTokens"))
    read = to_count(dig(anthropic, "cacheReadInputTokens"))
    if usage.cache_read is None and (read is not None or written is not None):
        return Usage(
            usage.input, usage.output, None, read, written, reasoning=usage.reasoning, disjoint_input=True
        )
    return usage.with_details_of(Usage(cache_write=written))


def _streamed(span: Span) -> Value:
    return span.text("ai.operationId").endswith("Stream") or None


VERCEL: Final = Dialect(
    name="vercel",
    prefixes=frozenset({"ai"}),
    role_of=_role_of,
    usage=_usage,
    sources={
        "provider": ("ai.model.provider",),
        "model": ("ai.model.id",),
        "response_model": ("ai.response.model",),
        "ttft_ns": (milliseconds("ai.response.msToFirstChunk"), until_event("ai.stream.firstChunk")),
        "finish_reason": ("ai.response.finishReason", "ai.finishReason"),
        "streamed": (_streamed,),
        "provider_response_id": ("ai.response.id",),
        "session_id": (f"{_METADATA}sessionId", f"{_METADATA}session_id", f"{_METADATA}langfuseSessionId"),
        "user_id": (f"{_METADATA}userId", f"{_METADATA}user_id", f"{_METADATA}langfuseUserId"),
        "conversation_id": (f"{_METADATA}threadId", f"{_METADATA}conversationId", f"{_METADATA}chatId"),
        "tags": (f"{_METADATA}tags",),
        "input_preview": (user_text("ai.prompt.messages"), user_text("ai.prompt"), user_text("ai.value")),
        "output_preview": (
            answer("ai.response.text"),
            answer("ai.result.text"),
            answer("ai.response.object"),
        ),
    },
)
