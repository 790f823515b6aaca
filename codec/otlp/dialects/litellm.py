"""LiteLLM's callback and proxy: one span is the call, others show it raw, or the proxy's work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codec.otlp.dialects.gen_ai import CALLS
from codec.otlp.sources import Dialect, Role, within
from codec.otlp.span import STATUS_ERROR
from codec.otlp.usage import Usage, of_counts, read_keys
from codec.otlp.values import MAX_JSON_CHARS

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_KEYS: Final = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "total": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
}
_IN_REPR: Final = {
    "cache_read": re.compile(r"'(?:cached_tokens|cache_read_input_tokens)': (\d{1,18})\b"),
    "cache_write": re.compile(r"'(?:cache_creation_input_tokens|cache_creation_tokens)': (\d{1,18})\b"),
    "reasoning": re.compile(r"'reasoning_tokens': (\d{1,18})\b"),
}
"""Its usage is the text of a Python dictionary, which is searched and never evaluated."""


def _role_of(span: Span) -> Role | None:
    if span.scope != "litellm":
        return None
    named = CALLS.get(span.name.partition(" ")[0], "")  # as newer versions do: ``chat gpt-5-mini``
    if span.name == "litellm_request" or named:
        told = CALLS.get(span.text("gen_ai.operation.name").lower(), "")
        return Role(is_call=True, operation=told or named or "chat")
    return Role(is_call=False, operation="")


def _usage(span: Span) -> Usage:
    usage = read_keys(span.attributes, _KEYS)
    text = span.text("metadata.usage_object")[:MAX_JSON_CHARS]
    found = {name: int(match[1]) for name in _IN_REPR if (match := _IN_REPR[name].search(text))}
    return usage.with_details_of(of_counts(found))


def _response_id(span: Span) -> Value:
    """Take the provider's id; on a failure the attribute has LiteLLM's own, so that there is none."""
    return "" if span.status_code == STATUS_ERROR else span.attributes.get("gen_ai.response.id")


LITELLM: Final = Dialect(
    name="litellm",
    role_of=_role_of,
    usage=_usage,
    is_shared=False,
    sources={
        "streamed": ("llm.is_streaming",),
        "provider_response_id": (_response_id,),
        "user_id": ("llm.user", "metadata.user_api_key_end_user_id"),
        "session_id": ("metadata.session_id", within("metadata.requester_metadata", "session_id")),
        "cost": ("gen_ai.cost.total_cost",),
    },
)
