"""Frameworks and platforms with attributes of their own beside OpenTelemetry's, or instead of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.sources import Dialect, Role, answer, first_of, seconds_within, user_text, within
from codec.otlp.usage import Usage, read_keys, read_paths
from codec.otlp.values import dig, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codec.otlp.span import Span
    from codec.otlp.values import Value

_CHAT: Final = Role(is_call=True, operation="chat")
_EMBEDDINGS: Final = Role(is_call=True, operation="embeddings")
_TOOL: Final = Role(is_call=False, operation="execute_tool")
_AGENT: Final = Role(is_call=False, operation="invoke_agent")
_RETRIEVAL: Final = Role(is_call=False, operation="retrieval")
_WORKFLOW: Final = Role(is_call=False, operation="invoke_workflow")


def _role_in(kinds: Mapping[str, Role], kind: str) -> Role | None:
    return kinds.get(kind, Role(is_call=False, operation=kind)) if kind else None


_GENKIT_KINDS: Final = {
    "model": _CHAT, "background-model": _CHAT, "embedder": _EMBEDDINGS, "tool": _TOOL, "tool.v2": _TOOL,
    "retriever": _RETRIEVAL, "flow": _WORKFLOW, "agent": _AGENT,
}  # fmt: skip
_GENKIT_PATHS: Final = {
    "input": (("inputTokens",),),
    "output": (("outputTokens",),),
    "total": (("totalTokens",),),
    "cache_read": (("cachedContentTokens",),),
    "reasoning": (("thoughtsTokens",),),
}


def _genkit_role(span: Span) -> Role | None:
    kind = span.text("genkit:metadata:subtype").lower()
    return _role_in(_GENKIT_KINDS, kind) if span.text("genkit:type") else None


def _genkit_usage(span: Span) -> Usage:
    return read_paths(dig(span.messages("genkit:output"), "usage"), _GENKIT_PATHS)


def _genkit_name(place: int) -> Callable[[Span], Value]:
    """Return a reader of a part of the model's name: ``googleai/gemini-2.5-flash``."""

    def read(span: Span) -> Value:
        provider, slash, model = span.text("genkit:name").partition("/")
        return (provider, model)[place] if slash else ("", provider)[place] or None

    return read


GENKIT: Final = Dialect(
    name="genkit",
    prefixes=frozenset({"genkit:type"}),
    role_of=_genkit_role,
    usage=_genkit_usage,
    sources={
        "provider": (_genkit_name(0),),
        "model": (_genkit_name(1),),
        "finish_reason": (within("genkit:output", "finishReason"),),
        "session_id": ("genkit:sessionId",),
        "input_preview": (user_text("genkit:input"),),
        "output_preview": (answer("genkit:output"),),
    },
)

_BRAINTRUST_KINDS: Final = {
    "llm": _CHAT, "tool": _TOOL, "function": Role(is_call=False, operation=""),
    "task": Role(is_call=False, operation="task"), "score": Role(is_call=False, operation="evaluate"),
    "eval": Role(is_call=False, operation="evaluate"),
}  # fmt: skip
_BRAINTRUST_COUNTS: Final = {
    "input": "prompt_tokens",
    "output": "completion_tokens",
    "total": "tokens",
    "cache_read": "prompt_cached_tokens",
    "cache_write": "prompt_cache_creation_tokens",
    "reasoning": "completion_reasoning_tokens",
}
_METRICS: Final = "braintrust.metrics"


def _braintrust_role(span: Span) -> Role | None:
    told = to_text(dig(span.json("braintrust.span_attributes"), "type"))
    return _role_in(_BRAINTRUST_KINDS, (told or span.text("braintrust.span_attributes.type")).lower())


def _braintrust_usage(span: Span) -> Usage:
    counts = read_paths(span.json(_METRICS), {name: ((key,),) for name, key in _BRAINTRUST_COUNTS.items()})
    if counts:
        return counts
    return read_keys(
        span.attributes, {name: (f"{_METRICS}.{key}",) for name, key in _BRAINTRUST_COUNTS.items()}
    )


BRAINTRUST: Final = Dialect(
    name="braintrust",
    prefixes=frozenset({"braintrust"}),
    role_of=_braintrust_role,
    usage=_braintrust_usage,
    ends_are_told=False,
    sources={
        "provider": (within("braintrust.metadata", "provider"), "braintrust.metadata.provider"),
        "model": (within("braintrust.metadata", "model"), "braintrust.metadata.model"),
        "ttft_ns": (seconds_within(_METRICS, "time_to_first_token"),),
        "streamed": (within("braintrust.metadata", "stream"),),
        "finish_reason": (
            within("braintrust.output_json", 0, "finish_reason"),
            within("braintrust.output_json", "choices", 0, "finish_reason"),
        ),
        "provider_response_id": (within("braintrust.metadata", "id"),),
        "input_preview": (user_text("braintrust.input_json"), user_text("braintrust.input")),
        "output_preview": (answer("braintrust.output_json"), answer("braintrust.output")),
    },
)

_ALIYUN_KINDS: Final = {
    "llm": _CHAT, "embedding": _EMBEDDINGS, "tool": _TOOL, "agent": _AGENT, "retriever": _RETRIEVAL,
    "workflow": _WORKFLOW,
}  # fmt: skip


def _aliyun_role(span: Span) -> Role | None:
    """Tell by the kind that Alibaba Cloud's conventions add, where nothing says the operation."""
    if span.text("gen_ai.operation.name"):
        return None
    kind = span.text("gen_ai.span.kind") or span.text("gen_ai.span_kind_name")
    return _role_in(_ALIYUN_KINDS, kind.lower())


ALIYUN: Final = Dialect(
    name="aliyun",
    role_of=_aliyun_role,
    is_shared=False,
    sources={
        "model": ("gen_ai.request.model", "gen_ai.request.model_name", "gen_ai.model_name"),
        "response_model": ("gen_ai.response.model", "gen_ai.response.model_name"),
        "finish_reason": (first_of("gen_ai.response.finish_reason"),),
    },
)
