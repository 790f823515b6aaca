"""Logfire's instrumentors of clients. A stream is two spans: the request, and a record at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.dialects.gen_ai import CALLS
from codec.otlp.sources import Dialect, Role, answer, user_text, within
from codec.otlp.span import STATUS_ERROR
from codec.otlp.usage import Usage, read_keys, read_vendor_usage
from codec.otlp.values import to_number

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_CLIENTS: Final = (
    "openai",
    "anthropic",
    "google_genai",
    "openai_agents",
    "litellm",
    "mistral",
    "groq",
    "cohere",
)
_ANSWERED: Final = (
    "gen_ai.response.id",
    "gen_ai.output.messages",
    "gen_ai.usage.output_tokens",
    "response_data",
)
_KEYS: Final = {
    "input": ("gen_ai.usage.input_tokens",),
    "output": ("gen_ai.usage.output_tokens",),
    "cache_read": ("gen_ai.usage.cache_read.input_tokens",),
    "cache_write": ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
}


def is_stream_record(span: Span) -> bool:
    """Tell whether a span without length stands at the end of a stream, and says how long that took."""
    return span.text("logfire.span_type") == "log" and to_number(span.attributes.get("duration")) is not None


def _role_of(span: Span) -> Role | None:
    system, _, client = span.scope.partition(".")
    if system != "logfire" or client not in _CLIENTS or not _model(span):
        return None
    answered = any(key in span.attributes for key in _ANSWERED) or span.status_code == STATUS_ERROR
    operation = span.text("gen_ai.operation.name").lower()
    if operation and operation not in CALLS:
        return Role(is_call=False, operation=operation)
    return Role(is_call=answered or is_stream_record(span), operation=CALLS.get(operation, "chat"))


def _model(span: Span) -> Value:
    return span.text("gen_ai.request.model") or span.text("gen_ai.response.model")


def _usage(span: Span) -> Usage:
    usage = read_keys(span.attributes, _KEYS)
    reported = read_vendor_usage(span.json("gen_ai.usage.raw"))
    if not usage:
        response = span.messages("response_data")
        return read_vendor_usage(response.get("usage") if isinstance(response, dict) else None)
    return usage.with_details_of(Usage(reasoning=reported.reasoning))


def _streamed(span: Span) -> Value:
    return is_stream_record(span) or None


LOGFIRE: Final = Dialect(
    name="logfire",
    role_of=_role_of,
    usage=_usage,
    is_shared=False,
    sources={
        "streamed": (_streamed, within("request_data", "stream")),
        "model": ("gen_ai.request.model", within("request_data", "model")),
        "input_preview": (user_text("gen_ai.input.messages"), user_text("request_data")),
        "output_preview": (
            answer("gen_ai.output.messages"),
            within("response_data", "combined_chunk_content"),
            answer("response_data"),
        ),
    },
)
