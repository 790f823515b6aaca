"""Emitters that differ from OpenTelemetry's conventions in a few fields: OpenLIT, Strands, Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.dialects.gen_ai import GEN_AI
from codec.otlp.sources import Dialect, Role, milliseconds, seconds
from codec.otlp.usage import Usage, read_keys
from codec.otlp.values import to_count, to_flag

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_TTFT: Final = "gen_ai.server.time_to_first_token"
_BARE_KEYS: Final = {
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "cache_read": ("cache_read_tokens",),
    "cache_write": ("cache_creation_tokens",),
}
_STEPS: Final = {"interaction": "invoke_agent", "tool": "execute_tool"}


def _openlit_role(span: Span) -> Role | None:
    return GEN_AI.role_of(span) if span.scope.startswith("openlit") else None


def _openlit_usage(span: Span) -> Usage:
    """Read the counts; those of Anthropic leave out of input what is cached."""
    provider = span.text("gen_ai.provider.name") or span.text("gen_ai.system")
    return GEN_AI.usage(span)._replace(disjoint_input="anthropic" in provider.lower())


def _openlit_ttft(span: Span) -> Value:
    """Take the time to the first token; of a call that was not streamed it is the latency."""
    streamed = to_flag(
        span.attributes.get("gen_ai.request.stream", span.attributes.get("gen_ai.request.is_stream"))
    )
    return seconds(_TTFT)(span) if streamed else ""


def _strands_role(span: Span) -> Role | None:
    return GEN_AI.role_of(span) if span.scope.startswith("strands") else None


def _claude_code_role(span: Span) -> Role | None:
    if not span.scope.startswith("com.anthropic.claude_code"):
        return None
    kind = span.text("span.type")
    if kind == "llm_request":
        return Role(is_call=True, operation="chat")
    return Role(is_call=False, operation=_STEPS.get(kind, kind))


def _claude_code_usage(span: Span) -> Usage:
    """Read the counts: older versions have only bare ones, which leave out of input what is cached."""
    usage = GEN_AI.usage(span)
    return usage or read_keys(span.attributes, _BARE_KEYS)._replace(disjoint_input=True)


def _retries(span: Span) -> Value:
    attempt = to_count(span.attributes.get("attempt"))
    return attempt - 1 if attempt else None


OPENLIT: Final = Dialect(
    name="openlit",
    role_of=_openlit_role,
    usage=_openlit_usage,
    is_shared=False,
    sources={"ttft_ns": (_openlit_ttft,)},
)
STRANDS: Final = Dialect(
    name="strands",
    role_of=_strands_role,
    usage=GEN_AI.usage,
    is_shared=False,
    sources={"ttft_ns": (milliseconds(_TTFT),)},
)
CLAUDE_CODE: Final = Dialect(
    name="claude_code",
    role_of=_claude_code_role,
    usage=_claude_code_usage,
    is_shared=False,
    sources={
        "provider": (lambda _: "anthropic",),
        "model": ("gen_ai.request.model", "model"),
        "ttft_ns": (milliseconds("ttft_ms"),),
        "finish_reason": ("stop_reason",),
        "provider_request_id": ("request_id",),
        # Its gen_ai.response.id is the id of the request.
        "provider_response_id": (lambda _: "",),
        "retry_count": (_retries,),
    },
)
